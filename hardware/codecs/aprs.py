"""APRS messages, acknowledgements and rejections (APRS 1.0.1, chapter 14), as the information of a UI frame.

    :ADDRESSEE:text{id      the addressee padded to nine; with an id an acknowledgement is wanted
    :ADDRESSEE:ackid        and likewise rejid; a tail after one blank is ours, where the MAC stands

Texts are UTF-8 without control characters, and may be longer than the 67 characters of a stock radio.
"""

from __future__ import annotations

import re

from msgspec import Struct

from belltower.errors import Malformed

_ADDRESSEE = re.compile(r"[!-9;-~](?:[ -9;-~]{0,7}[!-9;-~])?")
_ID = re.compile(r"[A-Za-z0-9]{1,5}")
_WITH_ID = re.compile(r"(.*)\{([A-Za-z0-9]{1,5})", re.DOTALL)
_REPLY = re.compile(r"(ack|rej)([A-Za-z0-9]{1,5})(?: (.+))?", re.DOTALL)
_CONTROL = re.compile("[\x00-\x1f\x7f]")


class Message(Struct, frozen=True, kw_only=True):
    """A text for `addressee`. Without an id no acknowledgement is wanted."""

    addressee: str
    text: str
    id: str = ""


class Ack(Struct, frozen=True, kw_only=True):
    """The station says that it has message `id`. A bare one proves nothing: anybody can key a channel."""

    addressee: str
    id: str
    tail: str = ""


class Reject(Struct, frozen=True, kw_only=True):
    """The station says that it cannot take message `id`."""

    addressee: str
    id: str
    tail: str = ""


Packet = Message | Ack | Reject
"""What an APRS message packet may be."""


def encode(packet: Packet) -> bytes:
    """The information field; `ValueError` for what would not be read back as the same packet."""
    if not _ADDRESSEE.fullmatch(packet.addressee):
        raise ValueError(f"addressee {packet.addressee!r}: expected 1 to 9 printable characters, no colon")
    match packet:
        case Message(text=text, id=""):
            body = text
            if _WITH_ID.fullmatch(text) or _REPLY.fullmatch(text):
                raise ValueError("without an id this text would be read as something else")
        case Message(text=text, id=id_):
            body = text + "{" + id_
        case Ack(id=id_, tail=tail):
            body = f"ack{id_} {tail}" if tail else f"ack{id_}"
        case Reject(id=id_, tail=tail):
            body = f"rej{id_} {tail}" if tail else f"rej{id_}"
    if not _ID.fullmatch(packet.id) and (packet.id or not isinstance(packet, Message)):
        raise ValueError(f"id {packet.id!r}: expected 1 to 5 letters or digits")
    if not isinstance(packet, Message) and _WITH_ID.fullmatch(packet.tail):
        raise ValueError("this tail would be read as a message's id")
    if control := _CONTROL.search(body):
        raise ValueError(f"character {control.start()} of the text is a control character")
    return f":{packet.addressee:<9}:{body}".encode()


def decode(info: bytes) -> Packet:
    """The packet in a UI frame's information; `Malformed` when it is no message of ours."""
    if info[:1] != b":":
        raise Malformed("octet 0: expected ':', the mark of an APRS message")
    if info[10:11] != b":":
        raise Malformed("octet 10: expected ':' after nine octets of addressee")
    try:
        addressee = info[1:10].decode("ascii").rstrip(" ")
    except UnicodeDecodeError as error:
        raise Malformed(f"octet {1 + error.start}: the addressee is not ASCII") from None
    if not _ADDRESSEE.fullmatch(addressee):
        raise Malformed("octet 1: the addressee is empty or holds a control character or a colon")
    try:
        body = info[11:].rstrip(b"\r\n").decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"octet {11 + error.start}: the text is not UTF-8") from None
    if control := _CONTROL.search(body):
        octet = 11 + len(body[: control.start()].encode())
        raise Malformed(f"octet {octet}: a control character in the text")
    if match := _WITH_ID.fullmatch(body):
        return Message(addressee=addressee, text=match[1], id=match[2])
    if match := _REPLY.fullmatch(body):
        kind = Ack if match[1] == "ack" else Reject
        return kind(addressee=addressee, id=match[2], tail=match[3] or "")
    return Message(addressee=addressee, text=body)
