"""What a modem says on an AT line (ITU-T V.250, 5.7; 3GPP TS 27.005, 27.007), found in a stream however it is cut.

A modem answers `OK`, tells unasked `+CMTI: "SM",3`, each between CR LF and CR LF, and asks for a body with `> ` which
no line end follows. `+CMT:` and its like are followed by a line of hex; whoever reads knows which.
"""

from __future__ import annotations

import re
from enum import Enum

from msgspec import Struct

from belltower.errors import Malformed

MAX_LINE = 1024
"""Octets of the longest line taken: a PDU of 176 octets is 352 hex digits."""
SAMPLE = 64
"""How much of a garbled line is kept, in octets."""
END_OF_BODY = b"\x1a"
ABORT = b"\x1b"

_PROMPT = b"> "
_PROMPTS = re.compile(rb"(?:> )+")
_END = re.compile(rb"[\r\n]")
_ODD = re.compile(rb"[^\t -~]")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_FIELD = re.compile(r'\s*(?:"([^"]*)"|([^",]*?))\s*(?:,|$)')
_FAILED = re.compile(r"\+(CM[SE]) ERROR:\s*(.{1,60})")
_REFUSED = frozenset({"ERROR", "NO CARRIER", "COMMAND NOT SUPPORT", "BUSY", "NO ANSWER", "NO DIALTONE"})


class Line(Struct, frozen=True, kw_only=True):
    """One line without its end; never empty, printable ASCII."""

    text: str


class Prompt(Struct, frozen=True):
    """The modem waits for a body and END_OF_BODY, or for ABORT."""


class Garbled(Struct, frozen=True, kw_only=True):
    """A line that was dropped: why, and its first octets."""

    reason: str
    sample: bytes


Event = Line | Prompt | Garbled


class Verdict(Enum):
    """How a modem ends its answer to a command."""

    DONE = "done"
    REFUSED = "refused"


class Final(Struct, frozen=True, kw_only=True):
    """The end of an answer: `OK`, `ERROR`, `+CME ERROR: 10`, `+CMS ERROR: 331`."""

    verdict: Verdict
    # "CME", "CMS" or "".
    family: str = ""
    # The number the family gives; None where there is none or it is written out.
    code: int | None = None


class Reader:
    """Finds lines and prompts. Keeps at most one line's octets."""

    def __init__(self, *, max_line: int = MAX_LINE) -> None:
        self._max_line = max_line
        self._pending = bytearray()
        self._size = 0
        self.garbled = 0
        """Lines dropped."""

    def feed(self, data: bytes) -> list[Event]:
        """What ends in `data`, in order; the rest is kept for the next call."""
        found: list[Event] = []
        start = 0
        while start < len(data):
            end = _END.search(data, start)
            stop = end.start() if end else len(data)
            self._take(data[start:stop], found)
            if end:
                self._close(found)
            start = stop + 1
        return found

    def forget(self) -> None:
        """Drop the beginning of a line, as after a reopening."""
        self._pending.clear()
        self._size = 0

    def _take(self, piece: bytes, found: list[Event]) -> None:
        if not piece:
            return
        if self._size < len(_PROMPT):
            piece = bytes(self._pending) + piece
            prompts = _PROMPTS.match(piece)
            skipped = prompts.end() if prompts else 0
            found.extend([Prompt()] * (skipped // len(_PROMPT)))
            piece = piece[skipped:]
            self.forget()
        self._size += len(piece)
        self._pending += piece[: max(0, self._max_line + 1 - len(self._pending))]

    def _close(self, found: list[Event]) -> None:
        if not self._size:
            return
        raw, size = bytes(self._pending), self._size
        self.forget()
        reason = ""
        if size > self._max_line:
            reason = f"longer than {self._max_line} octets"
        elif odd := _ODD.search(raw):
            reason = f"octet {odd.start()}: {raw[odd.start()]:02X} is no printable character"
        if reason:
            self.garbled += 1
            found.append(Garbled(reason=reason, sample=raw[:SAMPLE]))
        elif text := raw.decode("ascii").strip():
            found.append(Line(text=text))


def final(text: str) -> Final | None:
    """The line as the end of an answer; None when it is none."""
    if text == "OK":
        return Final(verdict=Verdict.DONE)
    if text in _REFUSED:
        return Final(verdict=Verdict.REFUSED)
    if match := _FAILED.fullmatch(text):
        code = int(match[2]) if re.fullmatch(r"[0-9]{1,5}", match[2]) else None
        return Final(verdict=Verdict.REFUSED, family=match[1], code=code)
    return None


def fields(text: str, name: str) -> tuple[str, ...]:
    """The parameters of `+NAME: a,"b",c`, quotes removed.

    Raises:
        Malformed: it is not that line, or its quotes do not match.
    """
    head = f"{name}:"
    if not text.startswith(head):
        raise Malformed(f"AT: expected {head} and its parameters")
    rest = text[len(head) :].strip()
    found = []
    at = 0
    while True:
        match = _FIELD.match(rest, at)
        if match is None:
            raise Malformed(f"AT {name}: the quotes do not match at character {at}")
        found.append(match[1] if match[1] is not None else match[2])
        at = match.end()
        if not match[0].endswith(","):
            break
    if at != len(rest) or len(found) > 32:
        raise Malformed(f"AT {name}: what follows character {at} is no parameter")
    return tuple(found)


def octets(text: str) -> bytes:
    """A line of hex; `Malformed` when it is none."""
    if not _HEX.fullmatch(text):
        raise Malformed(f"AT: a line of {len(text)} characters is no hex of whole octets")
    return bytes.fromhex(text)


def whole(text: str) -> int:
    """A parameter that is a number of at most 9 digits; `Malformed` when it is none."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Malformed(f"AT: parameter of {len(text)} characters is no number")
    return int(text)
