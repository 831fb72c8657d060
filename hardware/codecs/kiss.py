"""KISS, the framing between a computer and a radio modem.

C0 type data C0, where type is port and command in one octet; inside a frame C0 is written DB DC and DB is
written DB DD. Empty frames (C0 C0) are legal and mean nothing.
"""

from __future__ import annotations

import re

from msgspec import Struct

FEND = 0xC0
DATA = 0
"""The command of a frame that carries data."""
TXDELAY = 1
"""Keyed before the first bit, in 10 ms."""
PERSISTENCE = 2
"""The chance of keying in a free slot: (value + 1) / 256."""
SLOT = 3
"""The length of a slot, in 10 ms."""
TXTAIL = 4
"""Keyed after the last bit, in 10 ms."""
MAX_FRAME = 1024
"""The longest frame taken, type octet included, in octets after unescaping."""
SAMPLE = 64
"""How much of a garbled frame is kept, in octets."""

_FEND = b"\xc0"
_BAD_ESCAPE = re.compile(rb"\xdb(?![\xdc\xdd])", re.DOTALL)


class Frame(Struct, frozen=True, kw_only=True):
    """One frame: the modem's port, the command (0 is data), and what it carries."""

    data: bytes
    port: int = 0
    command: int = DATA


class Garbled(Struct, frozen=True, kw_only=True):
    """A frame that was dropped: why, and its first octets as they came."""

    reason: str
    sample: bytes


def encode(data: bytes, *, port: int = 0, command: int = DATA) -> bytes:
    """`data` as one KISS frame, both delimiters included."""
    if not (0 <= port <= 15 and 0 <= command <= 15):
        raise ValueError(f"port {port} and command {command} must both be 0 to 15")
    body = bytes([port << 4 | command]) + data
    return _FEND + body.replace(b"\xdb", b"\xdb\xdd").replace(_FEND, b"\xdb\xdc") + _FEND


class Decoder:
    """Finds the frames in a stream, however it is cut. Keeps at most two frames' worth of octets."""

    def __init__(self, *, max_frame: int = MAX_FRAME) -> None:
        self._max_frame = max_frame
        self._pending = bytearray()
        self._hunting = True
        self.frames = 0
        """Frames found."""
        self.garbled = 0
        """Frames dropped."""
        self.noise = 0
        """Octets dropped before the first delimiter."""

    def feed(self, data: bytes) -> list[Frame | Garbled]:
        """The frames that end in `data`, in order; what is not yet ended is kept for the next call."""
        found: list[Frame | Garbled] = []
        start = 0
        while (end := data.find(_FEND, start)) >= 0:
            self._keep(data, start, end)
            start = end + 1
            self._hunting = False
            if self._pending:
                raw = bytes(self._pending)
                self._pending.clear()
                found.append(self._close(raw))
        self._keep(data, start, len(data))
        return found

    def _keep(self, data: bytes, start: int, end: int) -> None:
        if self._hunting:
            self.noise += end - start
            return
        room = 2 * self._max_frame + 1 - len(self._pending)
        self._pending += data[start : min(end, start + room)]

    def _close(self, raw: bytes) -> Frame | Garbled:
        frame = self._unescape(raw)
        if isinstance(frame, Frame):
            self.frames += 1
        else:
            self.garbled += 1
        return frame

    def _unescape(self, raw: bytes) -> Frame | Garbled:
        too_long = Garbled(reason=f"longer than {self._max_frame} octets", sample=raw[:SAMPLE])
        if len(raw) > 2 * self._max_frame:
            return too_long
        body = raw
        if b"\xdb" in raw:
            if bad := _BAD_ESCAPE.search(raw):
                reason = f"octet {bad.start()}: DB is followed by neither DC nor DD"
                return Garbled(reason=reason, sample=raw[:SAMPLE])
            body = raw.replace(b"\xdb\xdc", _FEND).replace(b"\xdb\xdd", b"\xdb")
        if len(body) > self._max_frame:
            return too_long
        return Frame(data=body[1:], port=body[0] >> 4, command=body[0] & 0x0F)
