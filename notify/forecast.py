"""How long until the last of them has it: from what waits, and what the providers can take. Pure.

Whatever is nearer to its end wins nothing: a provider is as slow as the slower of its pace (parts a second, for all of
its sender numbers) and its answers (so many messages in flight, each for so long). Kinds of address do not wait for
each other. What is in flight has spent its pace and is not counted again; a message of several parts leaves when its
first part is earned, so nobody waits for the parts of the last one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from msgspec import Struct

_MEASURED_FOR = 10.0
_MEASURED_FROM = 3.0
# A provider that keeps so much of its pace keeps it: what is measured beside it is noise.
_KEEPS_PACE = 0.9
# So many times the usual time from one message to the next are a standstill.
_STANDSTILL = 2.0


class Load(Struct, frozen=True):
    """So many messages, of so many parts together."""

    deliveries: int = 0
    parts: int = 0

    def __add__(self, other: Load) -> Load:
        """Both together."""
        return Load(self.deliveries + other.deliveries, self.parts + other.parts)

    def __sub__(self, other: Load) -> Load:
        """What is left of this without the other; never less than nothing."""
        return Load(max(0, self.deliveries - other.deliveries), max(0, self.parts - other.parts))


class Way(Struct, frozen=True, kw_only=True):
    """A provider at this moment, as far as a forecast asks."""

    name: str
    # Parts a second that all of its numbers may send together; 0: no bound.
    per_second: float
    # Messages in flight at most.
    at_once: int
    # Seconds that a message takes, of late.
    latency: float
    # Parts a second that did leave, of late; None: too few to say.
    measured: float | None = None
    # Seconds until the next part is earned.
    rests: float = 0.0
    # Why it is pausing; "": it is not.
    trouble: str = ""


class ChannelForecast(Struct, frozen=True, kw_only=True):
    """One kind of address."""

    # The provider that is expected to serve; "" where none can.
    provider: str
    load: Load
    # What goes before it.
    ahead: Load
    # Seconds until the first and the last of `load` is with the provider; None: nobody can say.
    first: float | None
    last: float | None


class Forecast(Struct, frozen=True, kw_only=True):
    """All kinds of address of a notice."""

    channels: dict[str, ChannelForecast]
    # Nothing can be written down, so nothing leaves.
    unrecorded: bool = False

    @property
    def last(self) -> float | None:
        """Seconds until the last recipient; None while nothing leaves, or where some kind of address has nobody who can say."""
        if self.unrecorded:
            return None
        seconds = [one.last for one in self.channels.values() if one.load.deliveries]
        known = [one for one in seconds if one is not None]
        return max(known, default=0.0) if len(known) == len(seconds) else None


def forecast(
    loads: Mapping[str, Load],
    ahead: Mapping[str, Load],
    ways: Mapping[str, Iterable[Way]],
    flying: Mapping[str, Load] | None = None,
    *,
    unrecorded: bool = False,
) -> Forecast:
    """For `loads` by kind of address, behind what is `ahead`, by the providers of each kind in their order.

    `flying` is what of `loads` is in flight; nothing of what is `ahead` is.
    """
    flying = flying or {}
    return Forecast(
        channels={
            channel: _channel(
                load, flying.get(channel, Load()), ahead.get(channel, Load()), list(ways.get(channel, ()))
            )
            for channel, load in loads.items()
        },
        unrecorded=unrecorded,
    )


def _channel(load: Load, flying: Load, ahead: Load, ways: list[Way]) -> ChannelForecast:
    way = next((one for one in ways if not one.trouble), None)
    if way is None:
        nothing = None if load.deliveries else 0.0
        return ChannelForecast(provider="", load=load, ahead=ahead, first=nothing, last=nothing)
    return ChannelForecast(
        provider=way.name,
        load=load,
        ahead=ahead,
        first=_first(flying, ahead, way) + way.latency if load.deliveries else 0.0,
        last=_last(load, flying, ahead, way) + way.latency if load.deliveries else 0.0,
    )


def _first(flying: Load, ahead: Load, way: Way) -> float:
    """Until the first has left, behind all that is `ahead`."""
    return 0.0 if flying.deliveries else _leaves(ahead.deliveries + 1, ahead.parts, way)


def _last(load: Load, flying: Load, ahead: Load, way: Way) -> float:
    """Until the last has left."""
    waits = load - flying
    if not waits.deliveries:
        return 0.0
    parts = ahead.parts + waits.parts - waits.parts / waits.deliveries
    return _leaves(ahead.deliveries + load.deliveries, parts, way)


def _leaves(deliveries: int, parts: float, way: Way) -> float:
    """Until the last of so many has left, with so many parts to pace before it."""
    answers = max(0, deliveries - way.at_once) * way.latency / max(way.at_once, 1)
    paced = way.rests + parts / way.per_second if way.per_second else 0.0
    if not way.measured or (way.per_second and way.measured >= _KEEPS_PACE * way.per_second):
        return max(answers, paced)
    return max(parts / way.measured, paced)


class Speed:
    """What left of late, in parts a second. Times are the loop's."""

    def __init__(self) -> None:
        # Whole seconds, the parts that left in each, and when the first of them did.
        self._seconds: deque[tuple[int, int, float]] = deque()
        self._last = 0.0
        # Of the message that left last.
        self._parts = 0

    def left(self, parts: int, now: float) -> None:
        """A message of so many parts is with the provider."""
        second = int(now)
        self._last, self._parts = now, parts
        if self._seconds and self._seconds[-1][0] == second:
            _, before, first = self._seconds[-1]
            self._seconds[-1] = (second, before + parts, first)
            return
        if self._seconds and second - self._seconds[-1][0] > _MEASURED_FROM:  # a pause: begin afresh
            self._seconds.clear()
        self._seconds.append((second, parts, now))
        while self._seconds[0][0] < second - _MEASURED_FOR:
            self._seconds.popleft()

    def per_second(self, now: float) -> float | None:
        """None while it is too early to say, or long after the last message."""
        if not self._seconds or now - self._seconds[-1][0] > _MEASURED_FROM + 1:
            return None
        began = self._seconds[0][2]
        if self._last - began < _MEASURED_FROM:
            return None
        # Up to the last message: while none leaves nothing new is known, until that takes suspiciously long.
        total = sum(parts for _, parts, _ in self._seconds)
        measured = max(total - self._parts, 1) / (self._last - began)
        if now - self._last > _STANDSTILL * self._parts / measured:
            return total / (now - began)
        return measured
