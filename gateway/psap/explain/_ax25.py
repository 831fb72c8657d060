"""AX.25, APRS and the texts of the radio link, the inside of what radio modems carry."""

from __future__ import annotations

import re

from belltower.errors import Malformed, SettingsError
from belltower.values import Secret
from gateway.psap import radio_text
from gateway.psap.explain import unit
from gateway.psap.explain._building import Lines, printable
from gateway.psap.radio_text import (
    CallText,
    CancelText,
    CorrectText,
    Direction,
    Ends,
    HumanText,
    LinkTestText,
    MoreText,
    PingText,
    ReadBackText,
)
from gateway.psap.ranges import spelt
from gateway.psap.settings import link_key
from hardware.codecs import aprs, ax25

_SURE = 80
_ID = re.compile(rb"\{([A-Za-z0-9]{1,5})[\r\n]*\Z")


def explain_ax25(octets: bytes, start: int, lines: Lines, key: str) -> str:
    """Add the lines of the AX.25 frame that begins at `start`; returns a sentence on what it is."""
    data = octets[start:]
    at = _addresses(data, start, lines)
    if at is not None:
        control, protocol = data[at : at + 1], data[at + 1 : at + 2]
        lines.add(start + at, start + at + 1, f"control: {_control(control)}")
        lines.add(start + at + 1, start + at + 2, f"protocol above: {_protocol(protocol)}")
    try:
        frame = ax25.decode(data)
    except Malformed as error:
        lines.fault(_moved(str(error), start))
        return "an AX.25 frame that is not in order"
    said = explain_info(frame.info, start + len(data) - len(frame.info), lines, str(frame.source), key)
    return f"from {frame.source}: {said}"


def explain_info(info: bytes, start: int, lines: Lines, source: str, key: str) -> str:
    """Add the lines of an information field; returns a sentence on what it is."""
    if unit.likely(info) > _SURE:
        inside = unit.explain_with(info, key)
        for line in inside.lines:
            lines.add(start + line.at, start + line.at + len(line.octets), line.says)
        for fault in inside.faults:
            lines.fault(_moved(fault, start))
        return inside.summary
    if info[:1] != b":":
        lines.add(
            start,
            start + len(info),
            f"information, not an APRS message (it begins with {printable(info[:1]) or 'nothing'}): {printable(info)}",
        )
        return "a frame with free information, nothing that Belltower acts on"
    try:
        packet = aprs.decode(info)
    except Malformed as error:
        lines.add(start, start + len(info), f"information: {printable(info)}")
        lines.fault(_moved(str(error), start))
        return "an APRS message that is not in order"
    lines.add(start, start + 1, "the mark of an APRS message")
    lines.add(start + 1, start + 10, f"for {packet.addressee}, padded to nine")
    lines.add(start + 10, start + 11, "colon")
    at, end = start + 11, start + len(info)
    if isinstance(packet, aprs.Message):
        return _message(packet, info, at, end, lines, Ends(sender=source, addressee=packet.addressee), key)
    word = "has" if isinstance(packet, aprs.Ack) else "refuses"
    after = at + 3 + len(packet.id)
    lines.add(at, at + 3, "acknowledgement" if word == "has" else "rejection")
    lines.add(at + 3, after, f"of message {packet.id}")
    if packet.tail:
        lines.add(
            after,
            end,
            "MAC over the message that is answered; only the station that sent that can check it"
            if re.fullmatch(r"#[A-Za-z0-9_-]{16}", packet.tail)
            else f"tail: {printable(packet.tail.encode())}",
        )
    else:
        lines.add(after, end, "line end")
    proof = "" if packet.tail else ", without a proof of who says so"
    return f"{source} {word} message {packet.id}{proof}"


def _message(packet: aprs.Message, info: bytes, at: int, end: int, lines: Lines, ends: Ends, key: str) -> str:
    tail = len(_ID.search(info)[0]) if packet.id and _ID.search(info) else 0  # type: ignore[index]
    signed = re.fullmatch(r"(.*) #([A-Za-z0-9_-]{16})", packet.text, re.DOTALL)
    text_end = end - tail - (18 if signed else 0)
    if not signed:
        lines.add(at, end - tail, f"text: {printable(packet.text.encode(), most=300)}")
        _id_line(packet, end - tail, end, lines)
        number = f", number {packet.id}" if packet.id else ""
        return f"a message for {packet.addressee}{number}, without a MAC"
    try:
        said = told(radio_text.parse(signed[1]))
    except Malformed as error:
        said = "a text that follows no rule of the radio link"
        lines.faults.append(str(error))
    lines.add(at, text_end, f"text: {printable(signed[1].encode(), most=300)}")
    lines.add(text_end, text_end + 18, f"MAC, 12 octets: {_mac(packet, ends, lines, key)}")
    _id_line(packet, end - tail, end, lines)
    return said


def _id_line(packet: aprs.Message, at: int, end: int, lines: Lines) -> None:
    lines.add(at, end, f"message {packet.id}: an acknowledgement is wanted")


def _mac(packet: aprs.Message, ends: Ends, lines: Lines, key: str) -> str:
    if not key:
        return "not checked, no key was given"
    try:
        secret = link_key(Secret(key))
    except SettingsError:
        return "not checked, the key given is not 64 hex digits"
    for direction, words in (
        (Direction.TO_PSAP, "school to PSAP"),
        (Direction.FROM_PSAP, "PSAP to school"),
    ):
        try:
            radio_text.opened(secret, direction, ends, packet.text, packet.id)
        except Malformed:
            continue
        return f"right, {words}"
    lines.faults.append("the MAC does not fit the text, its id, its stations and this key")
    return "WRONG for this key"


def told(text: radio_text.Text) -> str:
    """What a text says, in a sentence."""
    exercise = "EXERCISE, " if getattr(text, "exercise", False) else ""
    match text:
        case CallText(number=number, incident=incident, place=place, building=building, kind=kind):
            return (
                f"{exercise}call {number} of incident {incident}: {kind} at {place}, building {building}; "
                f"answers name key {text.key}"
            )
        case MoreText(incident=incident, items=items):
            more = "; ".join(f"building {name}, call {number}: {spelt(runs)}" for name, number, runs in items)
            return f"{exercise}further presses of incident {incident}: {more}"
        case CancelText(number=number, update=update, place=place):
            return f"{exercise}call {number} at {place} is cancelled (update {update}); a person has to read it back"
        case CorrectText(number=number, update=update, place=place, was=was):
            return f"{exercise}call {number} is for {place}, not {was} (update {update}); a person has to read it back"
        case LinkTestText(number=number):
            return f"marked test {number} of the link; nobody needs help"
        case PingText(nonce=nonce):
            return f"are you there? ({nonce})"
        case HumanText(number=number, by=by):
            return f"a person, {by}, has call {number}"
        case ReadBackText(number=number, update=update, by=by):
            return f"a person, {by}, has read back update {update} of call {number}"


def _addresses(data: bytes, start: int, lines: Lines) -> int | None:
    """Lines of the addresses; where they end, None when they do not."""
    at = 0
    for index in range(2 + ax25.MAX_VIA):
        octets = data[at : at + 7]
        if len(octets) < 7:
            lines.add(start + at, start + len(data), "address, cut off")
            return None
        name = bytes(octet >> 1 for octet in octets[:6]).decode("latin-1").rstrip(" ")
        ssid, last, high = octets[6] >> 1 & 0x0F, octets[6] & 1, octets[6] >> 7
        role = ("to", "from")[index] if index < 2 else "by way of"
        bit = f"C {high}" if index < 2 else ("has sent it on" if high else "not yet")
        shown = printable(name.encode("latin-1"))
        lines.add(
            start + at,
            start + at + 7,
            f"{role} {shown}{f'-{ssid}' if ssid else ''} (each character shifted left by one; {bit}"
            f"{'; the last address' if last else ''})",
        )
        at += 7
        if last:
            return at
    return None


def _control(octet: bytes) -> str:
    if octet == b"\x03":
        return "03, UI: unnumbered information, nobody on the link acknowledges it"
    return f"{octet.hex()}, not UI (03)" if octet else "missing"


def _protocol(octet: bytes) -> str:
    return "F0, none" if octet == b"\xf0" else f"{octet.hex()}, expected F0"


def _moved(text: str, by: int) -> str:
    return re.sub(r"\boctet (\d{1,7})\b", lambda found: f"octet {int(found[1]) + by}", text)
