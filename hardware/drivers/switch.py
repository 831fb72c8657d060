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
