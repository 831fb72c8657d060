"""Whole messages as octets, in a datagram or a file."""

from __future__ import annotations

import re

from belltower.errors import Malformed
from hardware.codecs.sip.headers import CHARACTER, read_headers, written
from hardware.codecs.sip.message import MAX_BODY, MAX_HEAD, Message, Request, Response

REQUEST_LINE = rf"([A-Z]{CHARACTER}{{0,31}}) ([A-Za-z][A-Za-z0-9+.\-]*:[!-~]{{1,2000}}) SIP/2\.0"
_REQUEST = re.compile(REQUEST_LINE)
_RESPONSE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: ([^\x00-\x08\x0a-\x1f\x7f]{0,1000}))?")


def encode(message: Message) -> bytes:
    """The octets of `message`, its length counted; `ValueError` for what would not be read back as the same."""
    if isinstance(message, Request):
        start = f"{message.method} {message.uri} SIP/2.0"
        good = _REQUEST.fullmatch(start)
    else:
        start = f"SIP/2.0 {message.status} {message.reason}"
        good = _RESPONSE.fullmatch(start)
    if not good:
        raise ValueError(f"start line {start[:80]!r} cannot be written")
    length = len(message.body)
    octets = f"{start}\r\n{written(message.headers)}Content-Length: {length}\r\n\r\n".encode()
    if len(octets) > MAX_HEAD or length > MAX_BODY:
        raise ValueError("the message is larger than messages may be")
    return octets + message.body


def decode(octets: bytes) -> Message:
    """The one message that `octets` are, as in a datagram or a file.

    Without Content-Length the body is all that is left (RFC 3261, section 18.3).

    Raises:
        Malformed: they are not one whole message; the text says at which octet.
    """
    end = octets.find(b"\r\n\r\n", 0, MAX_HEAD)
    if end < 0:
        raise Malformed(f"SIP: no empty line ends the headers within {min(len(octets), MAX_HEAD)} octets")
    message, length = head_of(octets[:end])
    body = octets[end + 4 :]
    if length is not None and length != len(body):
        raise Malformed(
            f"SIP: Content-Length says {length}, the body at octet {end + 4} has {len(body)} octets"
        )
    if len(body) > MAX_BODY:
        raise Malformed(f"SIP: the body has {len(body)} octets, at most {MAX_BODY} are taken")
    return with_body(message, body)


def head_of(octets: bytes) -> tuple[Message, int | None]:
    """The message that begins so, and the length that it announces."""
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"SIP: octet {error.start}: the headers are not UTF-8") from None
    start, _, rest = text.partition("\r\n")
    headers = read_headers(rest, at=len(start) + 2) if rest else ()
    length: int | None = None
    lengths = {value for name, value in headers if name == "Content-Length"}
    if lengths:
        value = lengths.pop()
        if lengths or not value.isascii() or not value.isdigit() or len(value) > 9:
            raise Malformed(f"SIP: Content-Length {value[:40]!r} is no length, or there are two")
        length = int(value)
        headers = tuple([pair for pair in headers if pair[0] != "Content-Length"])
    if found := _REQUEST.fullmatch(start):
        return Request(method=found[1], uri=found[2], headers=headers), length
    if found := _RESPONSE.fullmatch(start):
        return Response(status=int(found[1]), reason=found[2] or "", headers=headers), length
    raise Malformed(
        f"SIP: octet 0: expected 'METHOD URI SIP/2.0' or 'SIP/2.0 CODE REASON', found {start[:60]!r}"
    )


def with_body(message: Message, body: bytes) -> Message:
    """The message with its body."""
    if not body:
        return message
    if isinstance(message, Request):
        return Request(method=message.method, uri=message.uri, headers=message.headers, body=body)
    return Response(status=message.status, reason=message.reason, headers=message.headers, body=body)
