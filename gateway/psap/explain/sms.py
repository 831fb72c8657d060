"""Short messages: their PDUs field by field, in an AT dialogue, as hex or as octets."""

from __future__ import annotations

import re
from collections.abc import Callable

from belltower.errors import Malformed
from gateway.psap import short_text
from gateway.psap.explain import Explanation
from gateway.psap.explain._at_lines import Piece, dialogue, looks
from gateway.psap.explain._building import Lines, printable
from hardware.codecs import at, sms_pdu
from hardware.codecs.sms_pdu import Alphabet, Deliver, StatusReport, Submit

FORMAT = "SMS"

_DECODERS: dict[bool | None, tuple[Callable[[bytes], Submit | Deliver | StatusReport], ...]] = {
    True: (sms_pdu.decode_submit,),
    False: (sms_pdu.decode_incoming,),
    None: (sms_pdu.decode_submit, sms_pdu.decode_incoming),
}
_ALPHABETS = {Alphabet.GSM7: "GSM 7-bit", Alphabet.UCS2: "UCS-2", Alphabet.DATA: "8-bit data"}


def likely(octets: bytes) -> int:
    """An AT dialogue about messages, or octets that read as a PDU."""
    rated, text = looks(octets)
    if rated:
        if "+CTSDS" in text or re.search(r"\+CMGS=[0-9]+,", text):
            return 10
        return rated + 10 if any(name in text for name in ("+CMG", "+CMT", "+CDS", "+CMS")) else rated // 2
    if re.fullmatch(r"[0-9A-Fa-f]{16,}\s*", text):
        pdu = at.octets(text.strip()[: len(text.strip()) // 2 * 2])
        return 60 if _readable(pdu) and len(text.strip()) % 2 == 0 else 45 if _shaped(pdu) else 0
    return 45 if _readable(octets) else 40 if _shaped(octets) else 0


def _shaped(pdu: bytes) -> bool:
    """Whether it begins as a PDU does: a centre, a first octet, and an address whose digits are digits."""
    if not pdu or pdu[0] > 12 or (pdu[0] and pdu[1:2] < b"\x80"):
        return False
    start = 1 + pdu[0]
    start += 1 if pdu[start : start + 1] and not pdu[start] & 3 else 2
    size, kind = pdu[start : start + 1], pdu[start + 1 : start + 2]
    if not size or not 3 <= size[0] <= 20 or kind not in (b"\x81", b"\x91", b"\xa1"):
        return False
    digits = pdu[start + 2 : start + 2 + (size[0] + 1) // 2].hex()
    return len(digits) > 3 and re.fullmatch(r"(?:[0-9a-c]{2})*(?:[0-9a-cf]{2})?", digits) is not None


def explain(octets: bytes) -> Explanation:
    """One message, or the dialogue that carries it."""
    if all(octet in b"\t\r\n\x1a\x1b" or 32 <= octet < 127 for octet in octets):
        return dialogue(octets, FORMAT, _body)
    lines = Lines(octets)
    summary = _pdu(lines, octets, 0, 1, None)
    return _done(lines, summary)


def _done(lines: Lines, summary: str) -> Explanation:
    return Explanation(
        format=FORMAT,
        summary=summary or "A short message that cannot be read.",
        lines=tuple(lines.found),
        faults=tuple(lines.faults),
    )


def _readable(octets: bytes) -> bool:
    for decode in (sms_pdu.decode_submit, sms_pdu.decode_incoming):
        try:
            decode(octets)
        except Malformed:
            continue
        return True
    return False


def _body(lines: Lines, piece: Piece, before: str) -> str:
    text = piece.text.strip()
    try:
        pdu = at.octets(text)
    except Malformed:
        lines.add(piece.at, piece.end, "a PDU")
        lines.fault(f"octet {piece.at}: {len(text)} hex digits are no whole octets")
        return ""
    outgoing = True if "+CMGS=" in before.upper() else None
    if before.startswith(("+CMT", "+CDS", "+CMGR", "+CMGL")):
        outgoing = False
    stated = re.search(r"([0-9]+)\s*$", before)
    whole = bool(pdu) and len(pdu) > pdu[0]
    if outgoing is not None and stated and whole and int(stated[1]) != sms_pdu.tpdu_length(pdu):
        lines.fault(
            f"octet {piece.at}: the line before states a length of {int(stated[1])} octets,"
            f" the TPDU has {sms_pdu.tpdu_length(pdu)}"
        )
    return _pdu(lines, pdu, piece.at, 2, outgoing)


def _pdu(lines: Lines, pdu: bytes, start: int, scale: int, outgoing: bool | None) -> str:
    message: Submit | Deliver | StatusReport | None = None
    faults = []
    for decode in _DECODERS[outgoing]:
        try:
            message = decode(pdu)
            break
        except Malformed as error:
            faults.append(str(error).replace("SMS octet", "PDU octet"))
    if message is None:
        lines.add(start, start + scale * len(pdu), "a PDU that cannot be read")
        lines.fault(f"octet {start}: {faults[0] if faults else 'an empty PDU'}")
        return ""
    return _Fields(lines, pdu, start, scale).of(message)


class _Fields:
    def __init__(self, lines: Lines, pdu: bytes, start: int, scale: int) -> None:
        self._lines = lines
        self._pdu = pdu
        self._start = start
        self._scale = scale
        self._at = 0

    def of(self, message: Submit | Deliver | StatusReport) -> str:
        """All fields in order; what the message is for."""
        smsc = message.smsc
        self._field(1 + self._pdu[0], f"message centre {smsc}" if smsc else "the modem's own message centre")
        match message:
            case Submit():
                asked = ", a status report is wanted" if message.status_report else ""
                self._field(1, f"SMS-SUBMIT, a message to be sent{asked}")
                self._field(1, f"message reference {message.reference}; 0 lets the modem count")
                self._address(f"to {message.to}")
                self._coding(message.protocol, message.coding)
                if message.validity is not None:
                    self._field(1, f"worth delivering for: {_validity(message.validity)}")
                self._text(message.text, message.coding)
                return f"A text to {message.to}: {_said(message.text)}"
            case Deliver():
                self._field(1, "SMS-DELIVER, a message that came in")
                self._address(f"from {message.sender}")
                self._coding(message.protocol, message.coding)
                self._field(7, f"the centre's time {_time(message.at)}")
                self._text(message.text, message.coding)
                return f"A text from {message.sender}: {_said(message.text)}"
            case StatusReport():
                self._field(1, "SMS-STATUS-REPORT, what became of a message")
                self._field(1, f"of the message with reference {message.reference}")
                self._address(f"to {message.recipient}")
                self._field(7, f"taken {_time(message.taken_at)}")
                self._field(7, f"decided {_time(message.done_at)}")
                self._field(1, f"status {message.status:02X}: {message.outcome}")
                return (
                    f"The text with reference {message.reference} to {message.recipient}: {message.outcome}."
                )

    def _field(self, size: int, says: str) -> None:
        first = self._start + self._scale * self._at
        self._lines.add(first, first + self._scale * size, says)
        self._at += size

    def _address(self, says: str) -> None:
        self._field(2 + (self._pdu[self._at] + 1) // 2, says)

    def _coding(self, protocol: int, coding: int) -> None:
        self._field(1, f"protocol {protocol:02X}{', a plain message' if not protocol else ''}")
        self._field(1, f"data coding {coding:02X}: {_ALPHABETS[sms_pdu.alphabet_of(coding)]}")

    def _text(self, text: str, coding: int) -> None:
        length = self._pdu[self._at]
        unit = "septets" if sms_pdu.alphabet_of(coding) is Alphabet.GSM7 else "octets"
        self._field(1, f"{length} {unit} of text follow")
        self._field(len(self._pdu) - self._at, f"the text: {printable(text.encode(), most=200)}")


def _said(text: str) -> str:
    try:
        said = short_text.parse(text)
    except Malformed:
        reply = short_text.parse_reply(text)
        if reply is not None:
            what = "has"
            if reply.read_back:
                what = f"read update {reply.update} back of" if reply.update else "read an update back of"
            return f"a person {what} call {reply.number}."
        return f"{printable(text.encode())}."
    kind = type(said).__name__.removesuffix("Text").lower()
    return f"{kind} by the rules of Belltower, {printable(text.encode(), most=120)}."


def _validity(octet: int) -> str:
    if octet < 144:
        return f"{(octet + 1) * 5} minutes"
    if octet < 168:
        return f"{12 + (octet - 143) / 2:g} hours"
    return f"{octet - 166} days" if octet < 197 else f"{octet - 192} weeks"


def _time(stamp: sms_pdu.Stamp) -> str:
    sign = "-" if stamp.quarters < 0 else "+"
    hours, minutes = divmod(abs(stamp.quarters) * 15, 60)
    return (
        f"{stamp.year}-{stamp.month:02}-{stamp.day:02} {stamp.hour:02}:{stamp.minute:02}:{stamp.second:02}"
        f" {sign}{hours:02}:{minutes:02}"
    )
