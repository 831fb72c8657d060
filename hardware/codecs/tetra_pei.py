"""Short data over a TETRA radio's Peripheral Equipment Interface (ETSI EN 300 392-5; SDS-TL: EN 300 392-2, 29).

    AT+CMGS=<ISSI>,<bits> CR LF  <PDU in hex> 1A                      out
    +CTSDSR: <service>,<from>,<type>,<to>,<type>,<bits> CR LF <PDU>   in; 12 is SDS type 4, 13 a status of 16 bits

Some radios state the bits wrongly; the hex is what counts. No radio was at hand: the octets are those of the standard
and of published recordings.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

from msgspec import Struct

from belltower.errors import Malformed
from hardware.codecs import at

TEXT = 0x82
"""Protocol identifier of a text message."""
IMMEDIATE = 0x89
"""A text that is shown at once."""
CONCATENATED = 0x8A
"""A text with a user data header."""
LATIN_1 = 0x01
UCS2 = 0x1A
TIMED = 0x80
"""Bit of the coding octet: a time stamp of three octets follows."""
STATUS = 13
SDS_TYPE_4 = 12
MAX_PDU = 148
"""Octets of the longest PDU that `AT+CMGS=?` allows: 1184 bits."""
EMERGENCY = 0x0000
MAX_TEXT = MAX_PDU - 4
_PART_TEXT = MAX_TEXT - 6
_SHORT_REPORT = 0x7C00
_MAX_ISSI = 0xFF_FFFF


class Reports(IntFlag):
    """Which reports a message asks for."""

    NONE = 0
    RECEIVED = 1
    CONSUMED = 2
    BOTH = 3


class ReportStatus(IntEnum):
    """The delivery status values this house acts on; there are more."""

    RECEIVED = 0x00
    ACKNOWLEDGED = 0x01
    CONSUMED = 0x02
    CONGESTION = 0x20
    STORED = 0x21
    STORED_NOT_REACHABLE = 0x22
    NOT_AUTHORISED = 0x44
    FAILED = 0x4A
    NOT_REGISTERED = 0x4B
    NOT_REACHABLE = 0x5A


class Part(Struct, frozen=True, kw_only=True):
    """Which piece of a longer text this is."""

    reference: int
    total: int
    number: int


class Transfer(Struct, frozen=True, kw_only=True):
    """SDS-TRANSFER: a text."""

    reference: int
    text: str
    protocol: int = TEXT
    reports: Reports = Reports.NONE
    # Whether the receiver may answer by a status instead of a report, the service selection bit.
    short: bool = True
    coding: int = LATIN_1
    # Three octets, where the coding says so; as they came.
    timestamp: bytes = b""
    part: Part | None = None


class Report(Struct, frozen=True, kw_only=True):
    """SDS-REPORT: what became of the transfer with this reference."""

    reference: int
    status: int
    protocol: int = TEXT
    # Whether an `Ack` is to answer it.
    ack_wanted: bool = False


class Ack(Struct, frozen=True, kw_only=True):
    """SDS-ACK: the answer to a report."""

    reference: int
    status: int
    protocol: int = TEXT


class ShortReport(Struct, frozen=True, kw_only=True):
    """SDS-SHORT-REPORT: a report as a status of 16 bits. 2 received, 3 consumed; 0 and 1 say it failed."""

    reference: int
    kind: int


class Status(Struct, frozen=True, kw_only=True):
    """A status of 16 bits; 8000 to FFFF are the users' own."""

    value: int


PDU = Transfer | Report | Ack
Short = ShortReport | Status


class Incoming(Struct, frozen=True, kw_only=True):
    """The line before a PDU."""

    service: int
    source: str
    destination: str
    # As stated; not to be trusted.
    bits: int


# ---- the AT form


def command(to: str, pdu: bytes) -> tuple[str, str]:
    """The `AT+CMGS` line without its end, and the body without the octet that ends it.

    Raises:
        Malformed: `to` is no individual or group number of 1 to 16777215.
    """
    return f"AT+CMGS={issi(to)},{8 * len(pdu)}", pdu.hex().upper()


def issi(text: str) -> str:
    """The number in its shortest form; `Malformed` when it is none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 8 and 1 <= int(text) <= _MAX_ISSI):
        raise Malformed(f"TETRA: an ISSI is a number of 1 to {_MAX_ISSI}")
    return str(int(text))


def decode_header(text: str) -> Incoming:
    """The line `+CTSDSR: ..`; `Malformed` says what is wrong with it."""
    found = at.fields(text, "+CTSDSR")
    match found:
        case (service, source, _, destination, _, bits):
            pass
        case (service, source, destination, bits):
            pass
        case _:
            raise Malformed(f"TETRA +CTSDSR: {len(found)} parameters, expected 4 or 6")
    if len(source) > 24 or not (source + destination).isascii() or not source.isdecimal():
        raise Malformed("TETRA +CTSDSR: the sender is no number")
    return Incoming(service=at.whole(service), source=source, destination=destination, bits=at.whole(bits))


# ---- writing


def encode(pdu: PDU) -> bytes:
    """The octets of a PDU.

    Raises:
        ValueError: it is too long, or the coding cannot write its text.
    """
    match pdu:
        case Transfer():
            body = pdu.text.encode("utf-16-be" if pdu.coding & ~TIMED == UCS2 else "latin-1")
            header = b""
            if pdu.part is not None:
                part = pdu.part
                header = b"\x05\x00\x03" + bytes([part.reference, part.total, part.number])
            first = int(pdu.reports) << 2 | (2 if pdu.short else 0)
            octets = bytes([pdu.protocol, first, pdu.reference, pdu.coding]) + pdu.timestamp + header + body
        case Report():
            octets = bytes([pdu.protocol, 0x18 if pdu.ack_wanted else 0x10, pdu.status, pdu.reference])
        case Ack():
            octets = bytes([pdu.protocol, 0x20, pdu.status, pdu.reference])
    if len(octets) > MAX_PDU:
        raise ValueError(f"a PDU of {len(octets)} octets; a radio takes {MAX_PDU}")
    return octets


def encode_short(short: Short) -> bytes:
    """The two octets of a status."""
    match short:
        case ShortReport(kind=kind, reference=reference):
            return (_SHORT_REPORT | kind << 8 | reference).to_bytes(2)
        case Status(value=value):
            return value.to_bytes(2)


def transfers(text: str, *, reference: int, reports: Reports, protocol: int = TEXT) -> tuple[Transfer, ...]:
    """`text` as one transfer or as many as it takes; what ISO 8859-1 cannot write makes all of it UCS-2.

    Raises:
        ValueError: it takes more than 255.
    """
    coding, size = (LATIN_1, 1) if _latin(text) else (UCS2, 2)
    if len(text) * size <= MAX_TEXT:
        return (Transfer(reference=reference, text=text, protocol=protocol, reports=reports, coding=coding),)
    room = _PART_TEXT // size
    cut = [text[start : start + room] for start in range(0, len(text), room)]
    if len(cut) > 255:
        raise ValueError(f"a text of {len(cut)} parts is too long")
    return tuple(
        Transfer(
            reference=(reference + at) & 0xFF,
            text=piece,
            protocol=CONCATENATED,
            reports=reports,
            coding=coding,
            part=Part(reference=reference, total=len(cut), number=at + 1),
        )
        for at, piece in enumerate(cut)
    )


# ---- reading


def decode(octets: bytes) -> PDU:
    """The SDS-TL PDU of an SDS type 4 message; `Malformed` says at which octet it is wrong."""
    if not 4 <= len(octets) <= MAX_PDU:
        raise Malformed(f"SDS-TL: {len(octets)} octets, expected 4 to {MAX_PDU}")
    protocol, second, third, fourth = octets[:4]
    if protocol not in {TEXT, IMMEDIATE, CONCATENATED}:
        raise Malformed(f"SDS-TL octet 0: protocol {protocol:02X} is no text, which is 82, 89 or 8A")
    match second >> 4:
        case 0:
            return _transfer(octets)
        case 1:
            _require_end(octets)
            return Report(protocol=protocol, status=third, reference=fourth, ack_wanted=bool(second & 0x08))
        case 2:
            _require_end(octets)
            return Ack(protocol=protocol, status=third, reference=fourth)
        case other:
            raise Malformed(f"SDS-TL octet 1: type {other} is neither TRANSFER 0, REPORT 1 nor ACK 2")


def decode_status(octets: bytes) -> Short:
    """A status of 16 bits, which may be a short report."""
    if len(octets) != 2:
        raise Malformed(f"TETRA status: {len(octets)} octets, expected 2")
    value = int.from_bytes(octets)
    if value & 0xFC00 == _SHORT_REPORT:
        return ShortReport(kind=value >> 8 & 3, reference=value & 0xFF)
    return Status(value=value)


def _transfer(octets: bytes) -> Transfer:
    protocol, second, reference, coding = octets[:4]
    if second & 0x01:
        raise Malformed("SDS-TL octet 1: store and forward addressing is not taken")
    at = 4
    timestamp = b""
    if coding & TIMED:
        timestamp = octets[4:7]
        if len(timestamp) < 3:
            raise Malformed("SDS-TL octet 4: the time stamp is cut short")
        at = 7
    part = None
    if protocol == CONCATENATED:
        header = octets[at : at + 6]
        if len(header) < 6 or header[:3] != b"\x05\x00\x03":
            raise Malformed(f"SDS-TL octet {at}: expected the header 05 00 03 of a text in parts")
        part = Part(reference=header[3], total=header[4], number=header[5])
        if not 1 <= part.number <= part.total:
            raise Malformed(f"SDS-TL octet {at + 5}: part {part.number} of {part.total}")
        at += 6
    match coding & ~TIMED:
        case 0x01:
            text = octets[at:].decode("latin-1")
        case 0x1A:
            try:
                text = octets[at:].decode("utf-16-be")
            except UnicodeDecodeError as error:
                raise Malformed(f"SDS-TL octet {at + error.start}: no UCS-2 text") from None
        case other:
            raise Malformed(f"SDS-TL octet 3: text coding {other:02X} is not known, only 01 and 1A")
    return Transfer(
        protocol=protocol,
        reference=reference,
        text=text,
        reports=Reports(second >> 2 & 3),
        short=bool(second & 0x02),
        coding=coding,
        timestamp=timestamp,
        part=part,
    )


def _require_end(octets: bytes) -> None:
    if len(octets) != 4:
        raise Malformed(f"SDS-TL octet 4: {len(octets) - 4} octets after a report")


def _latin(text: str) -> bool:
    return not text or max(text) <= "\xff"
