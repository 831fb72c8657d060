"""What a DC-09 receiver makes of one frame: whose it is, whether it is fresh, and what to answer. Pure but for memory."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import SECOND, Instant
from belltower.errors import Malformed
from hardware.codecs import dc09
from hardware.codecs.dc09 import Content, Extra, Frame, Kind
from hardware.codecs.dc09_crypto import Pad, open_sealed, seal

AHEAD = 20
"""Seconds by which a report's time may be ahead of ours."""
BEHIND = 40
"""Seconds by which it may be behind."""
SAME_WITHIN = 60.0
"""Seconds within which the same report under the same number is a retry, although it bears another time."""
ANY = "*"
"""In place of an account's number: every account that is not named."""
REMEMBERED = 256
"""Reports of one account whose repetition is known."""


class Answer(Enum):
    """What is said to a report."""

    ACK = Kind.ACK
    # Read, but it cannot be processed: the sender turns to its next receiver.
    DUH = Kind.DUH
    # Not now: the sender tries again.
    NAK = Kind.NAK
    # Nothing: the sender tries again.
    NOTHING = None


class Account(Struct, kw_only=True):
    """One account that reports to us, and what of it was heard of late."""

    # None: it reports in clear.
    key: bytes | None = None
    memory: OrderedDict[Said, Heard]


class Said(Struct, frozen=True):
    """What tells one report from another, whatever time it bears."""

    account: str
    kind: Kind
    sequence: int
    data: str
    extras: tuple[Extra, ...]


class Heard(Struct, kw_only=True):
    """A report that was heard; `answer` is None as long as nobody knows what to say."""

    stamp: Instant | None
    at: float
    answer: Answer | None = None


class Judged(Struct, frozen=True, kw_only=True):
    """The frame in clear, and what to do with it."""

    frame: Frame
    # The octets to answer at once; None: see `entry`.
    octets: bytes | None = None
    # What is to be said of it, once that is known; None: it is not the sender's to know.
    entry: Heard | None = None
    # It was not heard before: somebody has to decide.
    fresh: bool = False


class Judge:
    """The accounts of one receiver, by number or `ANY`, with the key of each or None."""

    def __init__(self, *, accounts: Mapping[str, bytes | None], pad: Pad) -> None:
        self._accounts = {
            name.upper(): Account(key=key, memory=OrderedDict()) for name, key in accounts.items()
        }
        self._pad = pad
        self.counts: Counter[str] = Counter()
        """Frames by what became of them: reports, tests, repeated, stale, foreign, stranger, clear, sealed, wrong_key."""

    def judge(self, frame: Frame, *, now: Instant, at: float) -> Judged:
        """What to do with a frame that came at `now`; `at` is the same moment in seconds that never step."""
        if frame.kind not in dc09.REPORTS:
            return self._drop(frame, "foreign")
        account = self._account(frame)
        if account is None:
            return self._drop(frame, "stranger")
        if account.key is not None and frame.content is not None:
            return self._drop(frame, "clear")
        if account.key is None and frame.content is None:
            self.counts["sealed"] += 1
            return Judged(frame=frame, octets=self.answer(frame, Answer.DUH, now=now))
        try:
            opened = open_sealed(frame, account.key) if account.key is not None else frame
        except Malformed:
            self.counts["wrong_key"] += 1
            return Judged(frame=frame, octets=self.answer(frame, Answer.DUH, now=now))
        content = opened.content or Content()
        if not _timely(content.stamp, now, needed=account.key is not None):
            self.counts["stale"] += 1
            return Judged(frame=opened, octets=self.answer(opened, Answer.NAK, now=now))
        if opened.kind is Kind.NULL:
            self.counts["tests"] += 1
            return Judged(frame=opened, entry=Heard(stamp=content.stamp, at=at), fresh=True)
        said = Said(opened.account, opened.kind, opened.sequence, content.data, content.extras)
        entry = account.memory.get(said)
        if entry is not None and (_same_time(entry.stamp, content.stamp) or at - entry.at < SAME_WITHIN):
            self.counts["repeated"] += 1
            return Judged(frame=opened, entry=entry)
        self.counts["reports"] += 1
        entry = account.memory[said] = Heard(stamp=content.stamp, at=at)
        account.memory.move_to_end(said)
        if len(account.memory) > REMEMBERED:
            account.memory.popitem(last=False)
        return Judged(frame=opened, entry=entry, fresh=True)

    def forget(self, frame: Frame) -> None:
        """Nobody took this report: when it comes again it is fresh."""
        account = self._account(frame)
        if account is not None and frame.content is not None:
            said = Said(frame.account, frame.kind, frame.sequence, frame.content.data, frame.content.extras)
            account.memory.pop(said, None)

    def answer(self, frame: Frame, answer: Answer, *, now: Instant) -> bytes:
        """The octets that say so to the sender of `frame`."""
        if answer.value is None:
            return b""
        stamp = Instant(now // SECOND * SECOND)
        if answer is Answer.NAK:
            nak = Frame(kind=Kind.NAK, receiver=frame.receiver, line=frame.line, content=Content(stamp=stamp))
            return dc09.encode(nak)
        reply = Frame(
            kind=answer.value,
            sequence=frame.sequence,
            receiver=frame.receiver,
            line=frame.line,
            account=frame.account,
        )
        account = self._account(frame)
        if answer is Answer.ACK and account is not None and account.key is not None:
            reply = seal(replace(reply, content=Content(stamp=stamp)), account.key, self._pad)
        return dc09.encode(reply)

    def _account(self, frame: Frame) -> Account | None:
        return self._accounts.get(frame.account.upper()) or self._accounts.get(ANY)

    def _drop(self, frame: Frame, why: str) -> Judged:
        self.counts[why] += 1
        return Judged(frame=frame, octets=b"")


def _same_time(before: Instant | None, now: Instant | None) -> bool:
    # Two reports without a time have none in common: a panel that was restarted counts from 0001 again.
    return now is not None and before == now


def _timely(stamp: Instant | None, now: Instant, *, needed: bool) -> bool:
    if stamp is None:
        return not needed
    ahead = stamp // SECOND - now // SECOND
    return -BEHIND <= ahead <= AHEAD
