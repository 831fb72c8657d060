"""How long until the last of them has it: from what waits, and what the providers can take. Pure.

Whatever is nearer to its end wins nothing: a provider is as slow as the slower of its pace (parts a second, for all of
its sender numbers) and its answers (so many messages in flight, each for so long). Kinds of address do not wait for
each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from msgspec import Struct

_MEASURED_FOR = 10.0
_MEASURED_FROM = 3.0


class Load(Struct, frozen=True):
    """So many messages, of so many parts together."""

    deliveries: int = 0
    parts: int = 0

    def __add__(self, other: Load) -> Load:
        """Both together."""
        return Load(self.deliveries + other.deliveries, self.parts + other.parts)


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

    @property
    def last(self) -> float | None:
        """Seconds until the last recipient; None where some kind of address has nobody who can say."""
        seconds = [one.last for one in self.channels.values() if one.load.deliveries]
        known = [one for one in seconds if one is not None]
        return max(known, default=0.0) if len(known) == len(seconds) else None


def forecast(
    loads: Mapping[str, Load], ahead: Mapping[str, Load], ways: Mapping[str, Iterable[Way]]
) -> Forecast:
    """For `loads` by kind of address, behind what is `ahead`, by the providers of each kind in their order."""
    return Forecast(
        channels={
            channel: _channel(load, ahead.get(channel, Load()), list(ways.get(channel, ())))
            for channel, load in loads.items()
        }
    )


def _channel(load: Load, ahead: Load, ways: list[Way]) -> ChannelForecast:
    way = next((one for one in ways if not one.trouble), None)
    if way is None:
        nothing = None if load.deliveries else 0.0
        return ChannelForecast(provider="", load=load, ahead=ahead, first=nothing, last=nothing)
    return ChannelForecast(
        provider=way.name,
        load=load,
        ahead=ahead,
        first=_seconds(ahead, way) + way.latency if load.deliveries else 0.0,
        last=_seconds(ahead + load, way) + way.latency if load.deliveries else 0.0,
    )


def _seconds(load: Load, way: Way) -> float:
    """Until all of `load` has left."""
    answers = load.deliveries * way.latency / max(way.at_once, 1)
    paced = load.parts / way.per_second if way.per_second else 0.0
    if not way.measured:
        return max(answers, paced)
    return max(load.parts / way.measured, paced)


class Speed:
    """What left of late, in parts a second. Times are the loop's."""

    def __init__(self) -> None:
        # Whole seconds, and the parts that left in each.
        self._seconds: deque[tuple[int, int]] = deque()
        self._began = 0.0

    def left(self, parts: int, now: float) -> None:
        """A message of so many parts is with the provider."""
        second = int(now)
        if self._seconds and self._seconds[-1][0] == second:
            self._seconds[-1] = (second, self._seconds[-1][1] + parts)
            return
        if not self._seconds or second - self._seconds[-1][0] > _MEASURED_FROM:  # a pause: begin afresh
            self._seconds.clear()
            self._began = now
        self._seconds.append((second, parts))
        while self._seconds[0][0] < second - _MEASURED_FOR:
            self._seconds.popleft()

    def per_second(self, now: float) -> float | None:
        """None while it is too early to say, or long after the last message."""
        if not self._seconds or now - self._seconds[-1][0] > _MEASURED_FROM + 1:
            return None
        since = now - max(self._began, self._seconds[0][0])
        return sum(parts for _, parts in self._seconds) / since if since >= _MEASURED_FROM else None
