"""PDUs into messages; `Malformed` says at which octet one is wrong."""

from __future__ import annotations

from belltower.errors import Malformed
from hardware.codecs import gsm7
from hardware.codecs.sms_pdu.message import (
    ALPHANUMERIC,
    DIGITS,
    HEADER_BIT,
    REPORT_BIT,
    SUBMIT,
    USER_DATA,
    Deliver,
    Incoming,
    Number,
    Part,
    Stamp,
    StatusReport,
    Submit,
)
from hardware.codecs.sms_pdu.texts import SEPTETS, Alphabet, alphabet_of

MAX_PDU = 12 + 14 + 12 + 16 + 160
"""Octets of the longest PDU taken."""


def decode_submit(pdu: bytes) -> Submit:
    """The message that a PDU sends; `Malformed` says at which octet it is wrong."""
    cursor = _Cursor(pdu)
    smsc = cursor.smsc()
    first = cursor.octet("first octet")
    if first & 3 != SUBMIT:
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
    text, part = cursor.user_data(coding, header=bool(first & HEADER_BIT))
    return Submit(
        to=to,
        text=text,
        reference=reference,
        status_report=bool(first & REPORT_BIT),
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
            text, part = cursor.user_data(coding, header=bool(first & HEADER_BIT))
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
        found.append(DIGITS[value])
    return "".join(found)
