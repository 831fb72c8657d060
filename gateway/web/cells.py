"""CSV files in which no cell is a formula, whatever people wrote into it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

MARK = b"\xef\xbb\xbf"
"""What such a file begins with, so that table programs read it as UTF-8."""


class Cells:
    """Lines of one file, taken a piece at a time."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        self._writer = csv.writer(self._text)

    def write(self, cells: Iterable[str]) -> None:
        """Add a line."""
        self._writer.writerow([neutral(cell) for cell in cells])

    def taken(self) -> bytes:
        """What was added since this was asked last."""
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return text.encode()


def neutral(cell: str) -> str:
    """The cell so that no table program takes it for a formula: what would begin one gets an apostrophe before it."""
    plain = _CONTROL.sub(" ", cell)
    return "'" + plain if plain.lstrip()[:1] in _BEGINS_FORMULA else plain


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BEGINS_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
