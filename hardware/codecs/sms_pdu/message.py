"""What is said: a message that goes out, one that comes in, and what became of one."""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct

from belltower.errors import Malformed

INTERNATIONAL = 0x91
NATIONAL = 0x81
ALPHANUMERIC = 0xD0
SUBMIT, DELIVER, REPORT = 1, 0, 2
"""The two lowest bits of the first octet (9.2.3.1); above them:"""
HEADER_BIT = 0x40
REPORT_BIT = 0x20
DIGITS = "0123456789*#abc"
USER_DATA = 140
"""Octets of user data in one message."""

_NUMBER = re.compile(r"\+?[0-9*#abc]{1,20}")


class Number(Struct, frozen=True, kw_only=True):
    """A telephone number or a sender's name, with its type-of-number octet."""

    digits: str
    type: int = NATIONAL

    def __str__(self) -> str:
        return f"+{self.digits}" if self.type & 0x70 == INTERNATIONAL & 0x70 else self.digits


class Stamp(Struct, frozen=True, kw_only=True):
    """A service centre's time: local, with its distance from UTC in quarters of an hour."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    quarters: int = 0


class Part(Struct, frozen=True, kw_only=True):
    """Which piece of a longer message this is (23.040, 9.2.3.24.1 and .8)."""

    reference: int
    total: int
    number: int
    # Whether the reference takes 16 bits.
    wide: bool = False


class Outcome(StrEnum):
    """What a status report says became of a message."""

    DELIVERED = "delivered"
    # The centre goes on trying, or cannot say.
    PENDING = "pending"
    # It has given up.
    FAILED = "failed"


class Submit(Struct, frozen=True, kw_only=True):
    """SMS-SUBMIT: from us to the network."""

    to: Number
    text: str
    # 0 lets the modem count.
    reference: int = 0
    status_report: bool = False
    reject_duplicates: bool = False
    # The relative validity octet of 9.2.3.12.1, `validity_of` seconds; None: as the centre pleases.
    validity: int | None = None
    smsc: Number | None = None
    protocol: int = 0
    # The data coding scheme octet (23.038, 4).
    coding: int = 0
    part: Part | None = None


class Deliver(Struct, frozen=True, kw_only=True):
    """SMS-DELIVER: from the network to us."""

    sender: Number
    text: str
    at: Stamp
    smsc: Number | None = None
    protocol: int = 0
    coding: int = 0
    part: Part | None = None


class StatusReport(Struct, frozen=True, kw_only=True):
    """SMS-STATUS-REPORT: what became of the message with our `reference`."""

    reference: int
    recipient: Number
    taken_at: Stamp
    done_at: Stamp
    # 9.2.3.15.
    status: int
    smsc: Number | None = None

    @property
    def outcome(self) -> Outcome:
        """Delivered only where the status says that the telephone has it."""
        if self.status == 0:
            return Outcome.DELIVERED
        if self.status & 0x60 == 0x20 or self.status in {1, 2}:
            return Outcome.PENDING
        return Outcome.FAILED


Incoming = Deliver | StatusReport
Message = Submit | Deliver | StatusReport


def number(text: str) -> Number:
    """The number written as "+12065550100", or as a short code.

    Raises:
        Malformed: it is no number of at most 20 digits.
    """
    if not _NUMBER.fullmatch(text):
        raise Malformed(f"SMS number {len(text)} characters long: expected 1 to 20 digits, perhaps after a +")
    plus = text.startswith("+")
    return Number(digits=text.removeprefix("+"), type=INTERNATIONAL if plus else NATIONAL)
