"""Short messages as a modem in PDU mode gives and takes them (3GPP TS 23.040, 9.2; TS 27.005, 3.1).

    SMSC length | SMSC type, digits | first octet | .. the TPDU of 23.040

What goes out is a `Submit`; what comes in is a `Deliver` or a `StatusReport`. The parameter of `AT+CMGS` counts the
TPDU alone: `tpdu_length`. Texts are GSM 7-bit where that can write them, else UCS-2; 8-bit data reads as ISO 8859-1.
"""

from __future__ import annotations

import re
from enum import IntEnum, StrEnum

from msgspec import Struct

from belltower.errors import Malformed
from hardware.codecs import gsm7

MAX_PDU = 12 + 14 + 12 + 16 + 160
"""Octets of the longest PDU taken."""
USER_DATA = 140
"""Octets of user data in one message."""
SEPTETS = 160
UNITS = 70
PART_SEPTETS = 153
PART_UNITS = 67

INTERNATIONAL = 0x91
NATIONAL = 0x81
ALPHANUMERIC = 0xD0

_DIGITS = "0123456789*#abc"
_NUMBER = re.compile(r"\+?[0-9*#abc]{1,20}")
_SUBMIT, _DELIVER, _REPORT = 1, 0, 2
_HEADER_BIT = 0x40
_REPLY_PATH_BIT = 0x80
_REPORT_BIT = 0x20


class Alphabet(IntEnum):
    """How the user data are written, by bits 3 and 2 of the data coding scheme."""

    GSM7 = 0
    DATA = 1
    UCS2 = 2


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


# ---- numbers, texts, times


def number(text: str) -> Number:
    """The number written as "+12065550100", or as a short code.

    Raises:
        Malformed: it is no number of at most 20 digits.
    """
    if not _NUMBER.fullmatch(text):
        raise Malformed(f"SMS number {len(text)} characters long: expected 1 to 20 digits, perhaps after a +")
    plus = text.startswith("+")
    return Number(digits=text.removeprefix("+"), type=INTERNATIONAL if plus else NATIONAL)


def coding_of(text: str) -> int:
    """The data coding scheme that can write `text`: 0x00 GSM 7-bit, 0x08 UCS-2."""
    return 0x00 if gsm7.ALPHABET.issuperset(text) else 0x08


def alphabet_of(coding: int) -> Alphabet:
    """The alphabet of a data coding scheme; reserved ones read as GSM 7-bit, as 23.038 asks.

    Raises:
        Malformed: the text is compressed, which nobody sends.
    """
    group = coding >> 4
    if group < 8:
        if coding & 0x20:
            raise Malformed(f"SMS: data coding scheme {coding:02X} is compressed text")
        return Alphabet(coding >> 2 & 3) if coding >> 2 & 3 < 3 else Alphabet.GSM7
    if group == 0xE:
        return Alphabet.UCS2
    return Alphabet.DATA if group == 0xF and coding & 4 else Alphabet.GSM7


def fits(text: str) -> bool:
    """Whether `text` goes into one message."""
    if coding_of(text) == 0:
        return gsm7.width(text) <= SEPTETS
    return _units(text) <= UNITS


def pieces(text: str) -> tuple[str, ...]:
    """`text` as one message, or cut so that each piece fits beside its header; no character is cut in two."""
    if fits(text):
        return (text,)
    seven = coding_of(text) == 0
    room = PART_SEPTETS if seven else PART_UNITS
    cut, size, start = [], 0, 0
    for at, char in enumerate(text):
        wide = gsm7.width(char) if seven else _units(char)
        if size + wide > room:
            cut.append(text[start:at])
            start, size = at, 0
        size += wide
    return (*cut, text[start:])


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


# ---- writing


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
                _SUBMIT
                | (0x04 if message.reject_duplicates else 0)
                | (0x10 if message.validity is not None else 0)
                | (_REPORT_BIT if message.status_report else 0)
                | (_HEADER_BIT if header else 0)
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
            first = _DELIVER | 0x04 | (_HEADER_BIT if header else 0)
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
                    bytes([_REPORT | 0x04, message.reference]),
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


# ---- reading


def decode_submit(pdu: bytes) -> Submit:
    """The message that a PDU sends; `Malformed` says at which octet it is wrong."""
    cursor = _Cursor(pdu)
    smsc = cursor.smsc()
    first = cursor.octet("first octet")
    if first & 3 != _SUBMIT:
        raise Malformed(f"SMS octet {cursor.at - 1}: type {first & 3} is no SMS-SUBMIT, which is 1")
    reference = cursor.octet("message reference")
    to = cursor.address()
    protocol = cursor.octet("protocol identifier")
    coding = cursor.octet("data coding scheme")
    validity = None
    match first >> 3 & 3:
        case 0:
            pass
        case 2:
            validity = cursor.octet("validity period")
        case other:
            raise Malformed(
                f"SMS octet {cursor.at}: validity format {other}; only relative periods are taken"
            )
    text, part = cursor.user_data(coding, header=bool(first & _HEADER_BIT))
    return Submit(
        to=to,
        text=text,
        reference=reference,
        status_report=bool(first & _REPORT_BIT),
        reject_duplicates=bool(first & 4),
        validity=validity,
        smsc=smsc,
        protocol=protocol,
        coding=coding,
        part=part,
    )


def decode_incoming(pdu: bytes) -> Incoming:
    """What a PDU from the network says; `Malformed` says at which octet it is wrong."""
    cursor = _Cursor(pdu)
    smsc = cursor.smsc()
    first = cursor.octet("first octet")
    match first & 3:
        case 0:
            sender = cursor.address()
            protocol = cursor.octet("protocol identifier")
            coding = cursor.octet("data coding scheme")
            at = cursor.stamp()
            text, part = cursor.user_data(coding, header=bool(first & _HEADER_BIT))
            return Deliver(
                sender=sender, text=text, at=at, smsc=smsc, protocol=protocol, coding=coding, part=part
            )
        case 2:
            # What may follow the status (9.2.2.3) tells nothing more of the message.
            return StatusReport(
                reference=cursor.octet("message reference"),
                recipient=cursor.address(),
                taken_at=cursor.stamp(),
                done_at=cursor.stamp(),
                status=cursor.octet("status"),
                smsc=smsc,
            )
        case other:
            raise Malformed(
                f"SMS octet {cursor.at - 1}: type {other} is neither DELIVER 0 nor STATUS-REPORT 2"
            )


class _Cursor:
    def __init__(self, pdu: bytes) -> None:
        if len(pdu) > MAX_PDU:
            raise Malformed(f"SMS: {len(pdu)} octets are more than the {MAX_PDU} of the longest PDU")
        self.pdu = pdu
        self.at = 0

    def octet(self, what: str) -> int:
        if self.at >= len(self.pdu):
            raise Malformed(f"SMS octet {self.at}: the {what} is missing")
        self.at += 1
        return self.pdu[self.at - 1]

    def take(self, size: int, what: str) -> bytes:
        taken = self.pdu[self.at : self.at + size]
        if len(taken) < size:
            raise Malformed(f"SMS octet {self.at}: {what} of {size} octets, {len(taken)} are there")
        self.at += size
        return taken

    def smsc(self) -> Number | None:
        size = self.octet("SMSC length")
        if size == 0:
            return None
        if not 2 <= size <= 11:
            raise Malformed(f"SMS octet 0: an SMSC of {size} octets; it has 0 or 2 to 11")
        type_ = self.octet("SMSC type")
        swapped = self.take(size - 1, "an SMSC number").hex()
        at = self.at - size + 1
        odd = swapped[-2] == "f"
        return Number(digits=_digits(swapped, 2 * (size - 1) - odd, at), type=_type(type_, at - 1))

    def address(self) -> Number:
        size = self.octet("address length")
        at = self.at
        if size > 20:
            raise Malformed(f"SMS octet {at - 1}: an address of {size} digits; 20 is the longest")
        type_ = _type(self.octet("address type"), at)
        octets = self.take((size + 1) // 2, "an address")
        if type_ & 0x70 == ALPHANUMERIC & 0x70:
            return Number(digits=gsm7.unpack(octets, size * 4 // 7), type=type_)
        return Number(digits=_digits(octets.hex(), size, at + 1), type=type_)

    def stamp(self) -> Stamp:
        at = self.at
        octets = self.take(7, "a time stamp")
        swapped = octets.hex()
        plain = swapped[1::2] + swapped[::2]
        zone = octets[6]
        if not (plain[:6] + plain[7:13]).isdecimal() or zone >> 4 > 9 or zone & 7 > 9:
            raise Malformed(f"SMS octet {at}: time stamp {swapped} has digits above 9")
        values = [10 * (octet & 15) + (octet >> 4) for octet in octets[:6]]
        quarters = 10 * (zone & 7) + (zone >> 4)
        year, month, day, hour, minute, second = values
        return Stamp(
            year=2000 + year,
            month=month,
            day=day,
            hour=hour,
            minute=minute,
            second=second,
            quarters=-quarters if zone & 8 else quarters,
        )

    def user_data(self, coding: int, *, header: bool) -> tuple[str, Part | None]:
        alphabet = alphabet_of(coding)
        length = self.octet("user data length")
        at = self.at
        seven = alphabet is Alphabet.GSM7
        if length > (SEPTETS if seven else USER_DATA):
            raise Malformed(f"SMS octet {at - 1}: user data length {length} is more than a message holds")
        octets = self.take((length * 7 + 7) // 8 if seven else length, "user data")
        if self.at != len(self.pdu):
            raise Malformed(f"SMS octet {self.at}: {len(self.pdu) - self.at} octets after the user data")
        part, skipped = self._part(octets, at) if header else (None, 0)
        if seven:
            fill = (skipped * 8 + 6) // 7
            if fill > length:
                raise Malformed(f"SMS octet {at}: the header is longer than the {length} septets")
            shift = fill * 7 - skipped * 8
            return gsm7.unpack(octets[skipped:], length - fill, shift=shift), part
        body = octets[skipped:]
        if alphabet is Alphabet.DATA:
            return body.decode("latin-1"), part
        try:
            return body.decode("utf-16-be"), part
        except UnicodeDecodeError as error:
            raise Malformed(f"SMS octet {at + skipped + error.start}: no UCS-2 text") from None

    @staticmethod
    def _part(octets: bytes, at: int) -> tuple[Part | None, int]:
        size = octets[0] + 1 if octets else 0
        if not octets or size > len(octets):
            raise Malformed(f"SMS octet {at}: the user data header is cut short")
        part = None
        index = 1
        while index < size:
            if index + 2 > size or index + 2 + octets[index + 1] > size:
                raise Malformed(f"SMS octet {at + index}: a header element is cut short")
            name, length = octets[index], octets[index + 1]
            body = octets[index + 2 : index + 2 + length]
            if name in {0x00, 0x08}:
                if length != 3 + (name == 0x08):
                    raise Malformed(f"SMS octet {at + index + 1}: concatenation of {length} octets")
                total, place = body[-2:]
                if not 1 <= place <= total:
                    raise Malformed(f"SMS octet {at + index + 2}: part {place} of {total}")
                part = Part(reference=int.from_bytes(body[:-2]), total=total, number=place, wide=name == 0x08)
            index += 2 + length
        return part, size


# ---- pieces of a PDU


def _up(value: float) -> int:
    return max(1, -int(-value // 1))


def _units(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


def _type(octet: int, at: int) -> int:
    if not octet & 0x80:
        raise Malformed(f"SMS octet {at}: type of number {octet:02X} lacks its highest bit")
    return octet


def _digits(swapped: str, count: int, at: int) -> str:
    if count % 2 and swapped[-2] != "f":
        raise Malformed(f"SMS octet {at}: an odd number of digits must end in F")
    found = []
    for index in range(count):
        value = int(swapped[index ^ 1], 16)
        if value == 15:
            raise Malformed(f"SMS octet {at + index // 2}: filler F among the digits")
        found.append(_DIGITS[value])
    return "".join(found)


def _semi_octets(digits: str) -> bytes:
    codes = [_DIGITS.index(digit) for digit in digits] + [15] * (len(digits) % 2)
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
