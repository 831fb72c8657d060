"""Messages into PDUs."""

from __future__ import annotations

from hardware.codecs import gsm7
from hardware.codecs.sms_pdu.message import (
    ALPHANUMERIC,
    DELIVER,
    DIGITS,
    HEADER_BIT,
    REPORT,
    REPORT_BIT,
    SUBMIT,
    USER_DATA,
    Deliver,
    Message,
    Number,
    Part,
    Stamp,
    StatusReport,
    Submit,
    number,
)
from hardware.codecs.sms_pdu.texts import Alphabet, alphabet_of, coding_of, pieces


def encode(message: Message) -> bytes:
    """The PDU: what is sent after `> `, or what comes after `+CMT:`.

    Raises:
        ValueError: the text does not fit, or a field is out of its range.
    """
    smsc = _smsc(message.smsc)
    match message:
        case Submit():
            coding, header = message.coding, _header(message.part)
            first = (
                SUBMIT
                | (0x04 if message.reject_duplicates else 0)
                | (0x10 if message.validity is not None else 0)
                | (REPORT_BIT if message.status_report else 0)
                | (HEADER_BIT if header else 0)
            )
            validity = b"" if message.validity is None else bytes([message.validity])
            return b"".join(
                [
                    smsc,
                    bytes([first, message.reference]),
                    _address(message.to),
                    bytes([message.protocol, coding]),
                    validity,
                    _user_data(message.text, coding, header),
                ]
            )
        case Deliver():
            coding, header = message.coding, _header(message.part)
            first = DELIVER | 0x04 | (HEADER_BIT if header else 0)
            return b"".join(
                [
                    smsc,
                    bytes([first]),
                    _address(message.sender),
                    bytes([message.protocol, coding]),
                    _stamp(message.at),
                    _user_data(message.text, coding, header),
                ]
            )
        case StatusReport():
            return b"".join(
                [
                    smsc,
                    bytes([REPORT | 0x04, message.reference]),
                    _address(message.recipient),
                    _stamp(message.taken_at),
                    _stamp(message.done_at),
                    bytes([message.status]),
                ]
            )


def tpdu_length(pdu: bytes) -> int:
    """Octets of a PDU without its SMSC: the parameter of `AT+CMGS`."""
    return len(pdu) - 1 - pdu[0]


def submits(
    to: str, text: str, *, reference: int, status_report: bool, validity: int | None
) -> tuple[Submit, ...]:
    """`text` as one message or as many parts as it takes, 255 at most.

    Raises:
        ValueError: it takes more.
    """
    cut = pieces(text)
    if len(cut) > 255:
        raise ValueError(f"a text of {len(cut)} parts is too long")
    coding, address = coding_of(text), number(to)
    return tuple(
        Submit(
            to=address,
            text=piece,
            status_report=status_report,
            validity=validity,
            coding=coding,
            part=None if len(cut) == 1 else Part(reference=reference & 0xFF, total=len(cut), number=at),
        )
        for at, piece in enumerate(cut, start=1)
    )


def validity_of(seconds: float) -> int:
    """The relative validity octet for at least `seconds`, at most 63 weeks (9.2.3.12.1)."""
    minutes = max(seconds, 1.0) / 60
    if minutes <= 720:
        return _up(minutes / 5) - 1
    if minutes <= 1440:
        return 143 + _up((minutes - 720) / 30)
    days = minutes / 1440
    if days <= 30:
        return 166 + _up(days)
    return 192 + min(63, max(5, _up(days / 7)))


def _up(value: float) -> int:
    return max(1, -int(-value // 1))


def _semi_octets(digits: str) -> bytes:
    codes = [DIGITS.index(digit) for digit in digits] + [15] * (len(digits) % 2)
    return bytes(high << 4 | low for low, high in zip(codes[::2], codes[1::2], strict=True))


def _smsc(address: Number | None) -> bytes:
    if address is None:
        return b"\0"
    octets = _semi_octets(address.digits)
    return bytes([len(octets) + 1, address.type]) + octets


def _address(address: Number) -> bytes:
    if address.type & 0x70 == ALPHANUMERIC & 0x70:
        packed = gsm7.pack(address.digits)
        return bytes([(gsm7.width(address.digits) * 7 + 3) // 4, address.type]) + packed
    if len(address.digits) > 20:
        raise ValueError("an address has at most 20 digits")
    return bytes([len(address.digits), address.type]) + _semi_octets(address.digits)


def _stamp(stamp: Stamp) -> bytes:
    values = (stamp.year % 100, stamp.month, stamp.day, stamp.hour, stamp.minute, stamp.second)
    zone = abs(stamp.quarters)
    octets = [value % 10 << 4 | value // 10 for value in values]
    return bytes([*octets, zone % 10 << 4 | zone // 10 | (8 if stamp.quarters < 0 else 0)])


def _header(part: Part | None) -> bytes:
    if part is None:
        return b""
    if part.wide:
        return b"\x06\x08\x04" + part.reference.to_bytes(2) + bytes([part.total, part.number])
    return b"\x05\x00\x03" + bytes([part.reference, part.total, part.number])


def _user_data(text: str, coding: int, header: bytes) -> bytes:
    match alphabet_of(coding):
        case Alphabet.GSM7:
            fill = (len(header) * 8 + 6) // 7
            try:
                septets = fill + gsm7.width(text)
                body = header + gsm7.pack(text, shift=fill * 7 - len(header) * 8)
            except KeyError as error:
                raise ValueError(f"U+{ord(error.args[0]):04X} is not in the GSM 7-bit alphabet") from None
            length = septets
        case Alphabet.UCS2:
            body = header + text.encode("utf-16-be")
            length = len(body)
        case Alphabet.DATA:
            body = header + text.encode("latin-1")
            length = len(body)
    if len(body) > USER_DATA:
        raise ValueError(f"user data of {len(body)} octets; one message holds {USER_DATA}")
    return bytes([length]) + body
