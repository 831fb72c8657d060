"""What switches a siren, a strobe, a relay or a sign: the contract that every such driver keeps.

A level is what a machine said: queued (a broker or a line has taken it), sent (it left for the device), device (the
device itself answered exactly this request). An HTTP 200, a PUBACK, a gateway's "transmitted" and an echo of a state
are never the device's word.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from belltower.errors import Unreachable


class Reached(StrEnum):
    """How far a request got."""

    QUEUED = "queued"
    SENT = "sent"
    DEVICE = "device"


Reach = Callable[[Reached], None]
"""Told each level as it is reached, the highest last."""


class Ask(Struct, frozen=True, kw_only=True):
    """One request to switch."""

    on: bool
    # Ties the answer to exactly this request, where the wire can carry such a thing.
    request: str
    # What a sign is to show; a drill's has its mark already.
    text: str = ""
    # Seconds after which it shall end by itself, as far as the device can; 0: when it is told to.
    seconds: float = 0.0
    # It is of a drill, and the device may have another way for that.
    exercise: bool = False


class Switch(Protocol):
    """One thing that can be switched. "Toggle" cannot be said: a request names the state it wants.

    `switch` is cancelled when it takes too long, and must honour that within a second. An answer to an earlier request
    settles nothing.
    """

    @property
    def confirms(self) -> bool:
        """Whether the device itself can answer: `Reached.DEVICE` is possible."""
        ...

    async def switch(self, ask: Ask, reach: Reach) -> None:
        """Return once there is nothing more to be heard of it.

        `Unreachable`: nothing left. `Rejected`: the device said no, and why. `Uncertain`: it may be switched or not.
        """
        ...


Work = Callable[[], Awaitable[None]]


class Unusable:
    """Something that cannot be switched, and why: a `Switch`."""

    def __init__(self, why: str) -> None:
        self._why = why

    @property
    def confirms(self) -> bool:
        """It has nothing to say."""
        return False

    async def switch(self, _ask: Ask, _reach: Reach) -> None:
        """Say why not: `Unreachable`."""
        raise Unreachable(self._why)


class Switches(Struct, frozen=True, kw_only=True):
    """All that is switched, by output name, and what has to run for it, by a name for the log."""

    switches: Mapping[str, Switch] = {}
    work: Mapping[str, Work] = {}
    # What lets go of the lines.
    ends: tuple[Work, ...] = ()

    async def close(self) -> None:
        """Let go of every line."""
        for end in self.ends:
            await end()
