"""JSON objects or lines out of a stream of octets that has no other frame: bounded, and never out of step for long."""

from __future__ import annotations

import re

_MARK = re.compile(rb'["\\{}]')

LONGEST = 65_536
"""Octets of the longest object or line."""


class Lines:
    """Splits a stream at CR and LF. A line that is too long is dropped up to its end, and counted."""

    def __init__(self, *, longest: int = LONGEST) -> None:
        self._longest = longest
        self._rest = b""
        self._dropping = False
        self.dropped = 0

    @property
    def midway(self) -> bool:
        """A line was begun and not ended."""
        return bool(self._rest) or self._dropping

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now, without their ends; empty ones are passed over."""
        *whole, rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        found = []
        for line in whole:
            if self._dropping:
                self._dropping = False
            elif len(line) > self._longest:
                self.dropped += 1
            elif line.strip():
                found.append(line)
        if len(rest) > self._longest:
            self.dropped += not self._dropping
            self._dropping = True
        self._rest = b"" if self._dropping else rest
        return found


class Objects:
    """Finds JSON objects by their braces, whatever stands between them. One that is too long is dropped whole, up to its end, and counted.

    Braces within strings count for nothing. What is not an object is passed over. One that never ends hides what follows:
    whoever reads gives up a stream that stays `midway`.
    """

    def __init__(self, *, longest: int = LONGEST) -> None:
        self._longest = longest
        self._held = bytearray()
        self._at = self._start = self._depth = 0
        self._quoted = self._dropping = False
        self.dropped = 0

    @property
    def midway(self) -> bool:
        """An object was begun and not ended."""
        return self._depth > 0

    def feed(self, data: bytes) -> list[bytes]:
        """The objects that are whole now."""
        found = []
        self._held += data
        while (mark := _MARK.search(self._held, self._at)) is not None:
            self._at = mark.end()
            if (whole := self._step(mark.group(), mark.start())) is not None:
                found.append(whole)
        self._at = max(self._at, len(self._held))
        if self._depth == 0:
            self._held.clear()
            self._at = 0
        elif self._dropping or len(self._held) - self._start > self._longest:
            self.dropped += not self._dropping
            self._dropping = True  # what stands within it is no object by itself
            self._at -= len(self._held)
            self._held.clear()
            self._start = 0
        elif self._start:  # what stands before it is told already
            del self._held[: self._start]
            self._at -= self._start
            self._start = 0
        return found

    def _step(self, mark: bytes, at: int) -> bytes | None:
        if mark == b"\\":
            self._at += self._quoted  # what it stands before means nothing
        elif mark == b'"':
            self._quoted = not self._quoted and self._depth > 0
        elif self._quoted:
            pass
        elif mark == b"{":
            if self._depth == 0:
                self._start = at
            self._depth += 1
        elif self._depth > 0:
            self._depth -= 1
            if self._depth == 0 and self._dropping:
                self._dropping = False
            elif self._depth == 0:
                whole = bytes(self._held[self._start : self._at])
                if len(whole) <= self._longest:
                    return whole
                self.dropped += 1
        return None
