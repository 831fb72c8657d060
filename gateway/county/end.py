"""The county's end of one wire, whatever wire it is, and what it can be asked to do wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from belltower.errors import SettingsError
from gateway.county.screen import Screen

COMMON: Mapping[str, float] = {
    "silent": 0.0,
    "late": 5.0,
    "negative": 0.0,
    "wrong-id": 0.0,
    "bad-mac": 0.0,
    "noise": 1e-3,
    "half-frames": 0.0,
    "duplicate-ack": 0.0,
    "deaf-after": 1.0,
    "half-open": 0.0,
    "cut": 0.0,
    "busy": 0.0,
    "skew": 300.0,
}
"""The faults that several ends know, and the measure of each where none is given.

    silent         it hears everything and says nothing
    late=5         it answers so many seconds late
    negative       its system rejects every call
    wrong-id       its answers name another message
    bad-mac        its answers bear a false MAC
    noise=0.001    each bit, in and out, is wrong with this probability
    half-frames    every second frame it sends breaks off in the middle
    duplicate-ack  it says everything twice
    deaf-after=1   after so many frames it hears nothing any more
    half-open      it takes connections and never reads or answers
    cut            it closes the connection in the middle of each message
    busy           it says that it has no time just now, the retry-later of its protocol
    skew=300       its clock is so many seconds off
"""


class Fault(Struct, frozen=True, kw_only=True):
    """One fault and its measure."""

    name: str
    value: float = 0.0

    @classmethod
    def parse(cls, text: str, known: Mapping[str, float] = COMMON) -> Fault:
        """The fault written as `late=3` or `silent`; SettingsError says which are `known`."""
        word, _, value = text.partition("=")
        name = word.strip()
        try:
            default = known[name]
            return cls(name=name, value=float(value.removesuffix("s")) if value else default)
        except (KeyError, ValueError):
            names = ", ".join(known)
            raise SettingsError(f'fault "{text}": expected one of {names}, perhaps with =NUMBER') from None


class CountyEnd(Protocol):
    """The far end of one kind of link.

    It understands what the school sends, `show`s it on the screen, answers as its protocol wants, and sends back what
    persons do (`screen.follow(told, end=self.name)`) where the wire can carry it. Nothing it hears may end it.
    """

    name: str
    """The road's name on the screen: "dc09"."""
    address: str
    """Where the school connects, once `ready` is set: "127.0.0.1:17700", a path, a URL."""
    ready: asyncio.Event
    fault: Fault | None
    """What it does wrong from now on; may be set at any time."""
    faults: Mapping[str, float]
    """The faults it knows, each with its measure where none is given."""

    async def run(self, screen: Screen) -> None:
        """Be the far end until cancelled; leaves no task and no descriptor behind."""
        ...
