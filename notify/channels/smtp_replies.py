"""What a mail server answers (RFC 5321, 4.2), as its octets arrive. Pure."""

from __future__ import annotations

import re

from msgspec import Struct

from belltower.errors import Malformed

_REPLY = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\r\n]*))?\r?\n")
_MOST_OCTETS = 65_536
_MOST_LINES = 128


class Reply(Struct, frozen=True):
    """An answer of the server: its code, and its lines as they came."""

    code: int
    lines: tuple[bytes, ...]

    @property
    def good(self) -> bool:
        """Whether the command was carried out."""
        return 200 <= self.code < 300


class Replies:
    """The server's octets into its replies (RFC 5321 §4.2). Bounded: more than 64 KiB or 128 lines is `Malformed`."""

    def __init__(self) -> None:
        self._octets = b""
        self._lines: list[bytes] = []

    @property
    def pending(self) -> bool:
        """Whether part of a reply is there."""
        return bool(self._octets or self._lines)

    def feed(self, octets: bytes) -> list[Reply]:
        """The replies that are whole now. Raises `Malformed`."""
        octets = self._octets + octets
        found: list[Reply] = []
        at = 0
        while (end := octets.find(b"\n", at)) >= 0:
            line = _REPLY.fullmatch(octets, at, end + 1)
            if line is None:
                raise Malformed("a line of a mail server's answer does not begin with a code")
            at = end + 1
            self._lines.append(line[3] or b"")
            if line[2] != b"-":
                found.append(Reply(int(line[1]), tuple(self._lines)))
                self._lines = []
        self._octets = octets[at:]
        if len(self._octets) > _MOST_OCTETS or len(self._lines) > _MOST_LINES:
            raise Malformed("a mail server's answer has no end")
        return found
