"""How a file is written: UTF-8, UTF-16 with its mark, else Windows-1252. What is none of them is named by its line.

A file is looked through once, a piece at a time. Whoever reads it afterwards need not take care: it is text, and no
line of it is longer than `LONGEST_LINE`.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

from belltower.people.reading.archive import Package
from belltower.people.reading.faults import Findings

LONGEST_LINE = 1 << 20
"""Octets of a line."""

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
# Octets that mean nothing in Windows-1252.
_UNDEFINED = bytes([0x81, 0x8D, 0x8F, 0x90, 0x9D])
_EXPORT = "export it as CSV in UTF-8"


class _NoText(Exception):
    """In which line the file stops being text, and why."""

    def __init__(self, line: int, what: str, mend: str = _EXPORT) -> None:
        super().__init__(what)
        self.line = line
        self.what = what
        self.mend = mend


def encoding_of(package: Package, file: str, findings: Findings) -> str | None:
    """Python's name for the encoding; None, and a fault, where it is no text. All but UTF-8 goes to review."""
    with package.open(file) as source:
        head = source.read(4)
    if head in _UTF32:
        findings.fault(file, 1, "1", "the file is UTF-32", _EXPORT)
        return None
    try:
        if head.startswith(_UTF16):
            for _ in _lines(_recoded(package.pieces(file))):
                pass
            findings.review("encoding", file, 1, "", "the file is UTF-16", "export it in UTF-8")
            return "utf-16"
        bad = _first_bad(package, file)
    except _NoText as error:
        findings.fault(file, error.line, "1", error.what, error.mend)
        return None
    if bad is None:
        return "utf-8-sig"
    line, offset, octet = bad
    what = f"octet {offset} (0x{octet:02x}) is not UTF-8; the file is read as Windows-1252"
    findings.review("encoding", file, line, "", what, "export the file in UTF-8")
    return "cp1252"


def _first_bad(package: Package, file: str) -> tuple[int, int, int] | None:
    """Line, offset and value of the first octet that is not UTF-8. Raises `_NoText` where it is no text at all."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    bad: tuple[int, int, int] | None = None
    line, seen = 1, 0
    for line, piece in _lines(package.pieces(file)):
        if bad is None:
            try:
                decoder.decode(piece)
            except UnicodeDecodeError as error:
                # What the decoder had kept of the piece before stands in front.
                at = error.start - (len(error.object) - len(piece))
                bad = _line_at(line, piece, max(0, at)), seen + at, error.object[error.start]
        if bad is not None and (none := next((octet for octet in _UNDEFINED if octet in piece), None)):
            raise _NoText(
                _line_at(line, piece, piece.index(none)),
                f"octet 0x{none:02x} is neither UTF-8 nor Windows-1252",
            )
        seen += len(piece)
    half = decoder.getstate()[0]
    if bad is None and half:
        bad = _line_at(line, piece, len(piece)), seen - len(half), half[0]
    return bad


def _lines(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Each piece with the line that it begins in. Raises `_NoText` for a NUL, and for a line without end."""
    line, run, seen = 1, 0, 0
    for piece in pieces:
        nul = piece.find(b"\x00")
        if nul >= 0:
            raise _NoText(_line_at(line, piece, nul), f"octet {seen + nul} is NUL: this is no text")
        yield line, piece
        breaks = piece.count(b"\n")
        line += breaks
        run = len(piece) - piece.rfind(b"\n") if breaks or b"\r" in piece else run + len(piece)
        if run > LONGEST_LINE:
            raise _NoText(line, "the line is longer than 1 MiB", "export it as CSV, one record a line")
        seen += len(piece)


def _recoded(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """UTF-16 as UTF-8. Raises `_NoText`."""
    decoder = codecs.getincrementaldecoder("utf-16")()
    line, seen = 1, 0
    try:
        for piece in pieces:
            text = decoder.decode(piece)
            yield text.encode()
            line += text.count("\n")
            seen += len(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        line += error.object[: error.start].decode(error.encoding, "replace").count("\n")
        raise _NoText(line, f"near octet {seen + error.start} it is no UTF-16") from None


def _line_at(line: int, piece: bytes, at: int) -> int:
    """The line of an octet in a piece that begins in `line`."""
    return line + piece.count(b"\n", 0, at)
