"""The messages in a stream."""

from __future__ import annotations

import re

from belltower.errors import Malformed
from hardware.codecs.sip.message import MAX_BODY, MAX_HEAD, SAMPLE, Blank, Garbled, Message
from hardware.codecs.sip.whole import REQUEST_LINE, head_of, with_body

_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,9})[ \t]*(?=\r\n|$)", re.IGNORECASE)
_START = re.compile(rb"\r\n(?=" + REQUEST_LINE.encode() + rb"\r\n|SIP/2\.0 [1-6][0-9]{2} )")
_START_KEPT = 2_100


class Decoder:
    """Finds the messages in a stream, however it is cut; after garbage it goes on at the next start line."""

    def __init__(self, *, max_body: int = MAX_BODY) -> None:
        self._max_body = max_body
        self._pending = bytearray()
        # The message whose body is awaited, and how long that is.
        self._head: Message | None = None
        self._need = 0
        # Octets of a dropped message's body that are still to come.
        self._skip = 0
        self._looked = 0
        self._hunting = False

    def feed(self, data: bytes) -> list[Message | Blank | Garbled]:
        """What ends in `data`, in order; what is not yet ended is kept for the next call."""
        found: list[Message | Blank | Garbled] = []
        self._pending += data
        while (each := self._next()) is not None:
            found.append(each)
        return found

    @property
    def waiting(self) -> int:
        """Octets kept of a message that has not ended."""
        return len(self._pending)

    def _next(self) -> Message | Blank | Garbled | None:
        pending = self._pending
        if self._skip:
            skipped = min(self._skip, len(pending))
            del pending[:skipped]
            self._skip -= skipped
        if self._hunting:
            self._hunt()
        if self._hunting or self._skip:
            return None
        if self._head is None:
            if pending.startswith(b"\r\n"):
                del pending[:2]
                self._looked = 0
                return Blank()
            if (garbled := self._take_head()) is not None:
                return garbled
        if self._head is None or len(pending) < self._need:
            return None
        message = with_body(self._head, bytes(pending[: self._need]))
        del pending[: self._need]
        self._head = None
        return message

    def _take_head(self) -> Garbled | None:
        pending = self._pending
        end = pending.find(b"\r\n\r\n", max(self._looked - 3, 0), MAX_HEAD)
        if end < 0:
            self._looked = len(pending)
            if len(pending) < MAX_HEAD:
                return None
            return self._drop(f"SIP: no empty line ends the headers within {MAX_HEAD} octets", end=0)
        self._looked = 0
        try:
            message, length = head_of(bytes(pending[:end]))
        except Malformed as error:
            return self._drop(str(error), end=end)
        if length is None:
            return self._drop("SIP: there is no Content-Length, which a stream needs", end=end)
        if length > self._max_body:
            return self._drop(
                f"SIP: Content-Length says {length}, at most {self._max_body} are taken", end=end
            )
        del pending[: end + 4]
        self._head, self._need = message, length
        return None

    def _drop(self, reason: str, *, end: int) -> Garbled:
        """Give up the head that ends at `end`, and go on at a start line in it, else after the body it announces."""
        pending = self._pending
        garbled = Garbled(reason=reason, sample=bytes(pending[: min(end or SAMPLE, SAMPLE)]))
        self._looked = 0
        found = _START.search(pending, 1, end + 2) if end else None
        lengths = {int(length) for length in _LENGTH.findall(pending, 0, end)}
        announced = lengths.pop() if len(lengths) == 1 else self._max_body + 1
        if found:
            del pending[: found.end()]
        elif announced <= self._max_body:
            del pending[: end + 4]
            self._skip = announced
        else:
            del pending[: end + 2 if end else 1]
            self._hunting = True
        return garbled

    def _hunt(self) -> None:
        found = _START.search(self._pending)
        self._hunting = found is None
        del self._pending[: found.end() if found else max(len(self._pending) - _START_KEPT, 0)]
