"""Identifiers: a prefix that says what, then 26 characters that sort by time of minting.

The 26 characters are a ULID: 48 bits of milliseconds and 80 random bits in Crockford's base 32; ids of the same
millisecond count on from the first. Two ids minted by one `Ids` never compare out of order, even within a millisecond
or when the wall clock steps back.
"""

from __future__ import annotations

import os
from base64 import b32hexencode
from collections.abc import Callable
from hashlib import sha256
from typing import NewType, cast

from belltower.clock import Clock

AlarmId = NewType("AlarmId", str)
IncidentId = NewType("IncidentId", str)
CallId = NewType("CallId", str)
FactId = NewType("FactId", str)
NoticeId = NewType("NoticeId", str)
DeliveryId = NewType("DeliveryId", str)
VerbId = NewType("VerbId", str)
PersonId = NewType("PersonId", str)
PlaceId = NewType("PlaceId", str)
UnitId = NewType("UnitId", str)
LinkName = NewType("LinkName", str)
StreamName = NewType("StreamName", str)

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_RANDOM_BITS = 80
_RANDOM_OCTETS = 10
_TAILS = 1 << 20

RandomBytes = Callable[[int], bytes]
"""`n` unpredictable octets; `os.urandom` outside of tests."""


def fact_about(*what: str) -> FactId:
    """The id of the one fact that can be told of this: whoever tells it again, tells the same."""
    return FactId("fct_" + b32hexencode(sha256("\n".join(what).encode()).digest()).decode()[:26])


class Ids:
    """Mints ids for one process."""

    def __init__(self, *, clock: Clock, random_bytes: RandomBytes = os.urandom) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._milliseconds = -1
        self._head = ""
        self._tail = _TAILS

    def _ulid(self) -> str:
        milliseconds = self._clock.now() // 1000
        self._tail += 1
        if milliseconds > self._milliseconds or self._tail >= _TAILS:
            self._begin(milliseconds)
        return self._head + _PAIRS[self._tail >> 10] + _PAIRS[self._tail & 0x3FF]

    def _ulids(self, prefix: str, count: int) -> list[str]:
        """So many at once, far cheaper than one by one."""
        minted: list[str] = []
        while len(minted) < count:
            minted.append(prefix + self._ulid())
            following = min(count - len(minted), _TAILS - 1 - self._tail)
            head, first = prefix + self._head, self._tail + 1
            self._tail += following
            minted += [f"{head}{_PAIRS[n >> 10]}{_PAIRS[n & 0x3FF]}" for n in range(first, first + following)]
        return minted

    def _begin(self, milliseconds: int) -> None:
        """Draw a new random part; later ids of the same millisecond count on from it."""
        self._milliseconds = max(milliseconds, self._milliseconds + (self._tail >= _TAILS))
        value = self._milliseconds << _RANDOM_BITS | int.from_bytes(self._random_bytes(_RANDOM_OCTETS))
        self._head = "".join([_PAIRS[value >> shift & 0x3FF] for shift in range(120, 19, -10)])
        self._tail = value & (_TAILS - 1)

    def alarm(self) -> AlarmId:
        """A new alarm's id."""
        return AlarmId("alm_" + self._ulid())

    def incident(self) -> IncidentId:
        """A new incident's id."""
        return IncidentId("inc_" + self._ulid())

    def call(self) -> CallId:
        """A new call's id."""
        return CallId("cal_" + self._ulid())

    def fact(self) -> FactId:
        """A new fact's id."""
        return FactId("fct_" + self._ulid())

    def facts(self, count: int) -> list[FactId]:
        """So many new facts' ids, in order."""
        return cast("list[FactId]", self._ulids("fct_", count))

    def notice(self) -> NoticeId:
        """A new notice's id."""
        return NoticeId("ntc_" + self._ulid())

    def delivery(self) -> DeliveryId:
        """A new delivery's id."""
        return DeliveryId("dlv_" + self._ulid())

    def deliveries(self, count: int) -> list[DeliveryId]:
        """So many new deliveries' ids, in order."""
        return cast("list[DeliveryId]", self._ulids("dlv_", count))

    def verb(self) -> VerbId:
        """A new verb's id, minted by whoever asks, so that asking twice does once."""
        return VerbId("vrb_" + self._ulid())

    def person(self) -> PersonId:
        """A new person's id, for somebody no site package names."""
        return PersonId("per_" + self._ulid())
