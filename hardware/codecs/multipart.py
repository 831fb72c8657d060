"""Bodies of several parts, as SIP carries them (RFC 2046, section 5.1; RFC 5621): pure octets.

--BOUNDARY CR LF headers CR LF CR LF body CR LF --BOUNDARY CR LF .. --BOUNDARY--
"""

from __future__ import annotations

import re

from msgspec import Struct

from belltower.errors import Malformed
from hardware.codecs.sip import Headers, read_headers, written

MAX_PARTS = 32
"""Parts of one body, at most."""

_BOUNDARY = re.compile(r"[A-Za-z0-9'()+_,\-./:=? ]{0,69}[A-Za-z0-9'()+_,\-./:=?]")


class Part(Struct, frozen=True, kw_only=True):
    """One part: its headers, and its octets as they stand."""

    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """The first value of that name; "" where there is none."""
        for each, value in self.headers:
            if each == name:
                return value
        return ""

    @property
    def media_type(self) -> str:
        """Type and subtype in lower case, without parameters."""
        return self.header("Content-Type").partition(";")[0].strip().lower()

    @property
    def content_id(self) -> str:
        """What a `cid:` URL calls it: without the angle brackets."""
        return self.header("Content-ID").removeprefix("<").removesuffix(">")


def encode(parts: tuple[Part, ...], boundary: str) -> bytes:
    """The body; `ValueError` for what would not be read back as the same."""
    if not _BOUNDARY.fullmatch(boundary) or not 1 <= len(parts) <= MAX_PARTS:
        raise ValueError(f"expected a boundary of 1 to 70 characters and 1 to {MAX_PARTS} parts")
    mark = b"--" + boundary.encode()
    pieces = []
    for part in parts:
        if b"\r\n" + mark in b"\r\n" + part.body:
            raise ValueError("the boundary stands in a part")
        pieces.append(mark + b"\r\n" + written(part.headers).encode() + b"\r\n" + part.body + b"\r\n")
    return b"".join(pieces) + mark + b"--\r\n"


def decode(body: bytes, boundary: str) -> tuple[Part, ...]:
    """The parts of a body. What stands before the first and after the last is not looked at.

    Raises:
        Malformed: it is not closed, has no part or too many, or a part is none; the text says at which octet.
    """
    if not _BOUNDARY.fullmatch(boundary):
        raise Malformed(f"multipart: {boundary[:80]!r} is no boundary of 1 to 70 characters")
    mark = b"\r\n--" + boundary.encode()
    found = 0 if body.startswith(mark[2:]) else body.find(mark)
    at = found + len(mark) - 2 * (not found)
    if found < 0:
        raise Malformed(f"multipart: no line begins with the boundary {boundary!r}")
    parts: list[Part] = []
    while not body.startswith(b"--", at):
        begin = at
        while body[begin : begin + 1] in (b" ", b"\t"):
            begin += 1
        if not body.startswith(b"\r\n", begin):
            raise Malformed(f"multipart: octet {begin}: expected CR LF after the boundary")
        end = body.find(mark, begin)
        if end < 0:
            raise Malformed(f"multipart: the part at octet {begin} is not closed by the boundary")
        if len(parts) >= MAX_PARTS:
            raise Malformed(f"multipart: more than {MAX_PARTS} parts")
        parts.append(_part(body[begin:end], begin))
        at = end + len(mark)
    if not parts:
        raise Malformed("multipart: there is no part")
    return tuple(parts)


def _part(octets: bytes, at: int) -> Part:
    """A part from the CR LF after its boundary on."""
    empty = octets.find(b"\r\n\r\n")
    if empty < 0:
        raise Malformed(f"multipart: octet {at}: no empty line ends the part's headers")
    head = octets[2:empty]
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"multipart: octet {at + 2 + error.start}: the headers are not UTF-8") from None
    headers = read_headers(text, at=at + 2) if text else ()
    return Part(headers=headers, body=octets[empty + 4 :])
