"""An HTTP/1.1 answer as its octets arrive (RFC 9112), as much as a channel needs of it. Pure."""

from __future__ import annotations

import re

from msgspec import Struct

from belltower.errors import Malformed

MOST_OCTETS = 65_536
"""More of an answer than this, head and framing included, is not read."""

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n]*)?(?:\r\n|$)")
_FIELDS = re.compile(
    rb"\r\n(content-length|transfer-encoding|connection|retry-after):[ \t]*([^\r\n]*?)[ \t]*(?=\r\n|$)",
    re.IGNORECASE,
)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
_LENGTH = re.compile(rb"[0-9]{1,12}")
_OTHERS = (
    rb"(?i:\r\n(?!content-length:|transfer-encoding:|connection:|retry-after:)[^\r\n]+"
    rb"|\r\nconnection:[ \t]*keep-alive[ \t]*(?=\r\n))*+"
)
# Nearly every answer: a yes with a body of a told length, on a connection that stays.
_PLAIN = re.compile(
    rb"HTTP/1\.1 (2(?!04)[0-9]{2})(?: [^\r\n]*)?"
    + _OTHERS
    + rb"\r\n(?i:content-length):[ \t]*([0-9]{1,5})[ \t]*"
    + _OTHERS
    + rb"\r\n\r\n"
)


class HTTPAnswer(Struct, frozen=True, kw_only=True, gc=False):
    """Status and body; a body beyond `MOST_OCTETS` ends there."""

    status: int
    body: bytes
    # As sent; "" where there was none.
    retry_after: str = ""
    # The connection may serve another request.
    reusable: bool = False


class AnswerReader:
    """Reads one answer."""

    __slots__ = (
        "_body",
        "_chunk_at",
        "_chunks",
        "_data",
        "_keep",
        "_length",
        "_retry_after",
        "_status",
        "begun",
    )

    def __init__(self) -> None:
        self.begun = False
        """Whether it is in the middle of an answer, or behind one: the next answer needs another reader."""
        self._data = b""
        self._status = 0
        self._body = 0
        self._length = -1
        self._chunks: list[bytes] | None = None
        self._chunk_at = 0
        self._keep = False
        self._retry_after = ""

    def feed(self, data: bytes) -> HTTPAnswer | None:
        """Take `data`; the answer once it is whole, or as long as it may be.

        Raises:
            Malformed: this is not an answer.
        """
        if not self.begun and len(data) <= MOST_OCTETS:
            plain = _PLAIN.match(data)
            if plain is not None and len(data) == plain.end() + int(plain[2]):
                return HTTPAnswer(status=int(plain[1]), body=data[plain.end() :], reusable=True)
        self.begun = True
        self._data = self._data + data if self._data else data
        while not self._status:
            if not self._head():
                return None
        have = len(self._data)
        if self._chunks is not None:
            ended = self._dechunk(self._chunks)
            if ended or have > MOST_OCTETS:
                return self._answer(b"".join(self._chunks), whole=ended and self._chunk_at == have)
        elif self._length >= 0:
            end = self._body + self._length
            if have >= end:
                return self._answer(self._data[self._body : end], whole=have == end)
        if have > MOST_OCTETS:
            return self._answer(self._data[self._body :], whole=False)
        return None

    def end(self) -> HTTPAnswer | None:
        """The other side closed: the answer, if its end is told by that."""
        if self._status and self._length < 0 and self._chunks is None:
            return self._answer(self._data[self._body :], whole=False)
        return None

    def _answer(self, body: bytes, *, whole: bool) -> HTTPAnswer:
        return HTTPAnswer(
            status=self._status,
            body=body[: MOST_OCTETS + 1],
            retry_after=self._retry_after,
            reusable=whole and self._keep,
        )

    def _head(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end < 0 or end > MOST_OCTETS:
            if len(self._data) > MOST_OCTETS:
                raise Malformed("the head of the answer does not end")
            return False
        head = self._data[:end]
        line = _STATUS.match(head)
        if line is None:
            raise Malformed("octet 0: the answer does not begin with an HTTP/1 status line")
        status = int(line[2])
        if status < 200:  # RFC 9110, 15.2: any number of interim answers may come first
            if status == 101:
                raise Malformed("the answer switches to a protocol that nobody asked for")
            self._data = self._data[end + 4 :]
            return bool(self._data)
        self._fields(head, keep=line[1] == b"1")
        if status in {204, 304}:
            self._length, self._chunks = 0, None
        self._status = status
        self._body = self._chunk_at = end + 4
        return True

    def _fields(self, head: bytes, *, keep: bool) -> None:
        self._keep = keep
        for name, value in _FIELDS.findall(head):
            match name.lower():
                case b"content-length":
                    if not _LENGTH.fullmatch(value) or self._length not in {-1, int(value)}:
                        raise Malformed("Content-Length: is not one number")
                    self._length = int(value)
                case b"transfer-encoding":
                    if value.lower() != b"chunked" or self._chunks is not None:
                        raise Malformed("Transfer-Encoding: is not chunked")
                    self._chunks = []
                case b"connection":
                    self._keep = keep and b"close" not in value.lower()
                case _:
                    self._retry_after = value.decode("latin-1")
        if self._chunks is not None and self._length >= 0:
            raise Malformed("Content-Length: stands beside Transfer-Encoding")

    def _dechunk(self, chunks: list[bytes]) -> bool:
        """Take whole chunks, from `_chunk_at` on. Whether the last one and its trailer were among them."""
        data = self._data
        while (end := data.find(b"\r\n", self._chunk_at)) >= 0:
            line = _CHUNK.fullmatch(data, self._chunk_at, end)
            if line is None:
                raise Malformed("a chunk does not begin with its size")
            size = int(line[1], 16)
            start = end + 2
            if not size:
                trailer = data.find(b"\r\n\r\n", end)
                if trailer >= 0:
                    self._chunk_at = trailer + 4
                return trailer >= 0
            if len(data) < start + size + 2:
                return False
            if data[start + size : start + size + 2] != b"\r\n":
                raise Malformed("a chunk does not end where it said")
            chunks.append(data[start : start + size])
            self._chunk_at = start + size + 2
        return False
