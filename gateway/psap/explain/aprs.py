"""APRS messages alone, without AX.25 around them, as a TNC or a log shows them."""

from __future__ import annotations

from gateway.psap.explain import Explanation
from gateway.psap.explain._ax25 import explain_info
from gateway.psap.explain._building import Lines

FORMAT = "APRS message"


def likely(octets: bytes) -> int:
    """A colon, nine octets of addressee, a colon."""
    return 80 if octets[:1] == b":" and octets[10:11] == b":" and octets[1:10].isascii() else 0


def explain(octets: bytes) -> Explanation:
    """One message. Its MAC cannot be checked: that covers the stations' call signs, which are not in it."""
    lines = Lines(octets)
    if octets[:1] != b":":
        lines.fault("octet 0: expected ':', the mark of an APRS message")
        lines.add(0, len(octets), "not an APRS message")
        return Explanation(
            format=FORMAT,
            summary="no APRS message",
            lines=tuple(lines.found),
            faults=tuple(lines.faults),
        )
    summary = explain_info(octets, 0, lines, "the station that sent it", "")
    return Explanation(format=FORMAT, summary=summary, lines=tuple(lines.found), faults=tuple(lines.faults))
