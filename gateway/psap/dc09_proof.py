"""Whether an answer is the station's, as far as the account and its key can tell: pure."""

from __future__ import annotations

from msgspec import Struct

from belltower.clock import SECOND, Instant
from belltower.errors import Malformed
from hardware.codecs.dc09 import Frame
from hardware.codecs.dc09_crypto import open_sealed

FRESH = 60
"""Seconds by which the time of a sealed answer may be off."""


class Proof(Struct, frozen=True, kw_only=True):
    """What the answers to one account must be."""

    account: str
    # None: both sides speak in clear, and anybody could have said it.
    key: bytes | None

    def ours(self, frame: Frame) -> bool:
        """Whether it is for this account."""
        return frame.account.upper() == self.account.upper()

    def missing(self, frame: Frame, *, since: Instant, now: Instant) -> str:
        """What an ACK lacks to be believed: "unproven", "stale", or "" for nothing.

        `since` is when the message first went out, both by the receiver's clock. Nothing in sealed content names the
        message: only its time tells it from an answer that somebody kept.
        """
        if self.key is None:
            return "" if frame.content is not None else "unproven"
        if frame.content is not None:
            return "unproven"
        try:
            content = open_sealed(frame, self.key, lenient=True).content
        except Malformed:
            return "unproven"
        if content is None or content.stamp is None:
            return "unproven"
        fresh = since - FRESH * SECOND <= content.stamp <= now + FRESH * SECOND
        return "" if fresh else "stale"
