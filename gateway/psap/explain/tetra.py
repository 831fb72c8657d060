"""TETRA short data at a radio's data port: the AT lines and the SDS-TL octets in them."""

from __future__ import annotations

import re

from belltower.errors import Malformed
from gateway.psap.explain import Explanation
from gateway.psap.explain._at_lines import Piece, dialogue, looks
from gateway.psap.explain._building import Lines, printable
from hardware.codecs import at, tetra_pei
from hardware.codecs.tetra_pei import Ack, Report, Reports, Transfer

FORMAT = "TETRA PEI"

_STATUSES = {
    0x00: "received",
    0x01: "acknowledged",
    0x02: "consumed: opened on the terminal",
    0x20: "congestion, still trying",
    0x21: "stored",
    0x22: "stored, the terminal is not reachable",
    0x44: "not authorised",
    0x4A: "failed",
    0x4B: "the terminal is not registered",
    0x5A: "the terminal is not reachable",
}
_REPORTS = {
    Reports.NONE: "no report is wanted",
    Reports.RECEIVED: "a report is wanted once it is received",
    Reports.CONSUMED: "a report is wanted once it is consumed",
    Reports.BOTH: "reports are wanted once it is received and once it is consumed",
}
_PROTOCOLS = {0x82: "text", 0x89: "text to be shown at once", 0x8A: "text in parts"}


def likely(octets: bytes) -> int:
    """An AT dialogue about short data, or octets that begin as SDS-TL does."""
    rated, text = looks(octets)
    if rated:
        if "+CTSDS" in text or "+CTSP" in text or re.search(r"\+CMGS=[0-9]+,", text):
            return 95
        return rated * 2 // 3
    if octets[:1] in (b"\x82", b"\x89", b"\x8a") and 4 <= len(octets) <= tetra_pei.MAX_PDU:
        return 50 if octets[1] >> 4 <= 2 else 20
    return 0


def explain(octets: bytes) -> Explanation:
    """One PDU, or the dialogue that carries it."""
    if all(octet in b"\t\r\n\x1a\x1b" or 32 <= octet < 127 for octet in octets):
        return dialogue(octets, FORMAT, _body)
    lines = Lines(octets)
    summary = _pdu(lines, octets, 0, 1)
    return Explanation(
        format=FORMAT,
        summary=summary or "Short data that cannot be read.",
        lines=tuple(lines.found),
        faults=tuple(lines.faults),
    )


def _body(lines: Lines, piece: Piece, before: str) -> str:
    text = piece.text.strip()
    try:
        pdu = at.octets(text)
    except Malformed:
        lines.add(piece.at, piece.end, "short data")
        lines.fault(f"octet {piece.at}: {len(text)} hex digits are no whole octets")
        return ""
    status = False
    stated: int | None = None
    try:
        if before.startswith("+CTSDSR"):
            header = tetra_pei.decode_header(before)
            status, stated = header.service == tetra_pei.STATUS, header.bits
        elif found := re.search(r"\+CMGS=[0-9]+,([0-9]{1,9})\s*$", before):
            stated = int(found[1])
    except Malformed as error:
        lines.fault(f"octet {piece.at}: the line before: {error}")
    if stated is not None and stated != 8 * len(pdu):
        lines.fault(f"octet {piece.at}: {stated} bits are stated, the octets are {8 * len(pdu)} bits")
    if status:
        return _status(lines, pdu, piece)
    return _pdu(lines, pdu, piece.at, 2)


def _status(lines: Lines, pdu: bytes, piece: Piece) -> str:
    try:
        short = tetra_pei.decode_status(pdu)
    except Malformed as error:
        lines.add(piece.at, piece.end, "a status")
        lines.fault(f"octet {piece.at}: {error}")
        return ""
    if isinstance(short, tetra_pei.ShortReport):
        kind = {2: "received", 3: "consumed"}.get(short.kind, "failed")
        says = f"short report: the text with reference {short.reference:02X} was {kind}"
    else:
        own = "a status of the users' own" if short.value >= 0x8000 else "a status of the standard's"
        says = "emergency" if short.value == tetra_pei.EMERGENCY else f"status {short.value:04X}, {own}"
    lines.add(piece.at, piece.end, says)
    return f"{says[0].upper()}{says[1:]}."


def _pdu(lines: Lines, pdu: bytes, start: int, scale: int) -> str:
    def field(first: int, end: int, says: str) -> None:
        lines.add(start + scale * first, start + scale * end, says)

    try:
        read = tetra_pei.decode(pdu)
    except Malformed as error:
        field(0, len(pdu), "short data that cannot be read")
        lines.fault(f"octet {start}: {str(error).replace('SDS-TL octet', 'PDU octet')}")
        return ""
    field(0, 1, f"protocol {read.protocol:02X}: {_PROTOCOLS[read.protocol]}")
    match read:
        case Transfer():
            field(1, 2, f"SDS-TRANSFER; {_REPORTS[read.reports]}")
            field(2, 3, f"message reference {read.reference:02X}")
            field(3, 4, f"text coding {read.coding:02X}")
            begin = 4
            if read.timestamp:
                field(4, 7, "a time stamp")
                begin = 7
            if read.part is not None:
                field(begin, begin + 6, f"part {read.part.number} of {read.part.total}")
                begin += 6
            field(begin, len(pdu), f"the text: {printable(read.text.encode(), most=200)}")
            return f"A text under reference {read.reference:02X}: {printable(read.text.encode(), most=120)}."
        case Report():
            wanted = ", an ack is wanted" if read.ack_wanted else ""
            field(1, 2, f"SDS-REPORT{wanted}")
            field(2, 3, f"status {read.status:02X}: {_STATUSES.get(read.status, 'see EN 300 392-2, 29.4')}")
            field(3, 4, f"of the text with reference {read.reference:02X}")
            said = _STATUSES.get(read.status, f"status {read.status:02X}")
            return f"The text with reference {read.reference:02X}: {said}."
        case Ack():
            field(1, 2, "SDS-ACK, the answer to a report")
            field(2, 3, f"status {read.status:02X}: {_STATUSES.get(read.status, 'see EN 300 392-2, 29.4')}")
            field(3, 4, f"reference {read.reference:02X}")
            return f"An answer to the report of reference {read.reference:02X}."
