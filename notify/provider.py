"""One way out as the settings name it: a channel, its pace, and its turn among those that serve the same addresses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from notify.channels.channel import Channel, Settled
from notify.channels.inbox import Inbox
from notify.channels.reports import Reports


class Pace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast a provider is asked."""

    # Messages in flight at most.
    at_once: int = 100
    # Parts of messages a second that each sender number may send; 0: as fast as the provider answers.
    per_second: float = 0.0
    # How many sender numbers take turns.
    numbers: int = 1
    # Seconds after which an unsent message is refused as too late.
    ttl: float = 600.0


class Asking(Struct, frozen=True, kw_only=True):
    """How a provider is asked what became of a message that it took."""

    # What it says of its own id, within `DEADLINE` seconds; None: nothing.
    fetch: Callable[[str], Awaitable[Settled | None]]
    # Seconds that it is given for its report; 0: it is never asked.
    after: float = 900.0


class Provider(Struct, frozen=True, kw_only=True):
    """A channel with its pace, as `[notify.channels.NAME]` asks for it."""

    channel: Channel
    pace: Pace = Pace()
    # NAME in the settings; "" where only one serves this kind of address.
    given_name: str = ""
    # The lower is asked first; the next takes over what this one cannot send.
    order: int = 1
    # How its later reports are read; None: it sends none.
    reports: Reports | None = None
    # How it is asked where no report came; None: it cannot be.
    asking: Asking | None = None
    # How what people answer through it is read; None: nobody can.
    inbox: Inbox | None = None
    # What it says proves nothing: it speaks to a simulator, or is a display of our own.
    simulated: bool = False

    @property
    def name(self) -> str:
        """What it is called in the tables, on the page and in the log."""
        return self.given_name or self.channel.name


class Meter:
    """Keeps each sender number to its pace: parts may leave as they are earned, a quarter of a second's worth at once.

    A message of several parts is let go when its first part is earned, and the number then rests for all of them.
    Times are the loop's.
    """

    def __init__(self, *, pace: Pace) -> None:
        self._rate = pace.per_second
        self._free_at = [0.0] * max(pace.numbers, 1)

    def room(self, now: float) -> int | None:
        """How many messages of one part may leave now; None: as many as one likes."""
        if not self._rate:
            return None
        return sum(int((now - free_at) * self._rate) + 1 for free_at in self._since(now) if free_at <= now)

    def take(self, parts: int, now: float) -> int:
        """Spend the parts of one message; returns the sender number it goes from."""
        if not self._rate:
            return 0
        free_at = self._since(now)
        number = min(range(len(free_at)), key=free_at.__getitem__)
        self._free_at[number] = free_at[number] + parts / self._rate
        return number

    def wait(self, now: float) -> float:
        """Seconds until the next part is earned."""
        return max(0.0, min(self._free_at) - now) if self._rate else 0.0

    def _since(self, now: float) -> list[float]:
        """When each number became free; what was not used longer ago than a burst is lost."""
        return [max(free_at, now - _BURST) for free_at in self._free_at]


_BURST = 0.25
