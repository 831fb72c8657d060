"""AX.25 frames without KISS around them, as they stand in logs."""

from __future__ import annotations

from gateway.psap.explain import Explanation
from gateway.psap.explain._ax25 import explain_ax25
from gateway.psap.explain._building import Lines

FORMAT = "AX.25"

_SHIFTED = frozenset(char << 1 for char in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ")


def likely(octets: bytes) -> int:
    """Two addresses of shifted capitals and digits."""
    head = octets[:6] + octets[7:13]
    if len(octets) < 14 or octets[6] & 1:
        return 0
    fitting = sum(octet in _SHIFTED for octet in head)
    return 85 if fitting == 12 else 30 if fitting >= 10 else 0


def explain(octets: bytes) -> Explanation:
    """One frame; a MAC in it is not checked."""
    return explain_with(octets, "")


def explain_with(octets: bytes, key: str) -> Explanation:
    """One frame, a MAC in it checked with the link's key of 64 hex digits."""
    lines = Lines(octets)
    summary = explain_ax25(octets, 0, lines, key)
    return Explanation(format=FORMAT, summary=summary, lines=tuple(lines.found), faults=tuple(lines.faults))
