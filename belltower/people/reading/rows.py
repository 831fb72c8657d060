"""CSV as districts write it (RFC 4180 and what passes for it), row by row.

Only wanted columns leave this module: every other cell, forbidden ones above all, is let go with its row. A file is
looked through once for its encoding and once for its rows, so memory holds one row.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from operator import itemgetter

from msgspec import Struct

from belltower.people.reading.archive import Package
from belltower.people.reading.columns import Layout, match
from belltower.people.reading.encoding import LONGEST_LINE, encoding_of
from belltower.people.reading.faults import Findings

MOST_ROWS = 3_000_000
"""Rows of one file."""

_MOST_COLUMNS = 500
_REPORT_EVERY = 2000
# What the csv module says of it.
_TOO_LONG = "field larger"

Progress = Callable[[int], None]
"""Told how many octets were read since it was told before."""


class Sheet(Struct, frozen=True, kw_only=True):
    """One CSV file, its header read."""

    package: Package
    file: str
    header: tuple[str, ...]
    encoding: str
    delimiter: str
    # Rows before the one with the names of the columns.
    skipped: int = 0


def open_sheet(package: Package, file: str, findings: Findings) -> Sheet | None:
    """The file's header; None, and a fault, where it is not CSV text."""
    encoding = encoding_of(package, file, findings)
    if encoding is None:
        return None
    with io.TextIOWrapper(package.open(file), encoding=encoding, errors="replace", newline="") as text:
        start = text.read(LONGEST_LINE)
    first = next((line for line in start.splitlines() if line.strip()), "")
    delimiter = _delimiter(first)
    if delimiter != ",":
        findings.review(
            "delimiter",
            file,
            1,
            "",
            "cells are parted by semicolons" if delimiter == ";" else "cells are parted by tabs",
            "export it with commas",
        )
    skipped = 0
    try:
        for cells in csv.reader(io.StringIO(start, newline=""), delimiter=delimiter, strict=True):
            if any(cell.strip() for cell in cells):
                break
            skipped += 1
        else:
            cells = []
    except csv.Error as error:
        findings.fault(
            file, skipped + 1, "1", f"the header is no CSV ({error})", "quote cells as RFC 4180 says"
        )
        return None
    if not cells:
        findings.fault(file, 1, "1", "the file is empty", "export it with its header row, even without rows")
        return None
    if len(cells) > _MOST_COLUMNS:
        findings.fault(
            file, 1, str(_MOST_COLUMNS), "there are too many columns", "export only what is needed"
        )
        return None
    header = tuple(cell.strip() for cell in cells)
    return Sheet(
        package=package, file=file, header=header, encoding=encoding, delimiter=delimiter, skipped=skipped
    )


def read_rows(
    sheet: Sheet, layout: Layout, findings: Findings, progress: Progress | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Every row's number and its wanted cells without blanks around them; a missing column's cell is empty.

    Rows that cannot be understood are faults and left out, blank ones are left out.
    """
    places = match(sheet.header, layout, sheet.file, findings)
    if places is None:
        findings.unread(sheet.file)
        return
    pick = itemgetter(*places)
    padded = -1 in places
    width = len(sheet.header)
    last_needed = max(
        (at for at, name in zip(places, layout.wanted, strict=True) if name in layout.required), default=-1
    )
    row = 0
    with (
        sheet.package.open(sheet.file) as source,
        io.TextIOWrapper(source, encoding=sheet.encoding, errors="replace", newline="") as text,
    ):
        reader = csv.reader(text, delimiter=sheet.delimiter, strict=True)
        told = 0
        narrowest, cut = width, False
        while True:
            row += 1
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                _not_csv(sheet, row, error, findings)
                if _TOO_LONG in str(error):
                    break
                continue
            cut = False
            if row <= sheet.skipped + 1:
                continue
            if row > MOST_ROWS:
                findings.fault(
                    sheet.file, row, "1", f"there are more than {MOST_ROWS} rows", "export fewer schools"
                )
                break
            if len(cells) != width:
                if not any(cells):
                    continue
                length = len(cells)
                if not _fits(sheet, row, cells, width, last_needed, findings):
                    continue
                narrowest, cut = min(narrowest, length), length < narrowest
            if padded:
                cells.append("")
            picked = [*map(str.strip, pick(cells))]
            if picked[0] or any(picked):
                yield row, picked
            if progress is not None and not row % _REPORT_EVERY:
                progress(source.tell() - told)
                told = source.tell()
        findings.rows[sheet.file] = row - sheet.skipped - 2
        if cut and not _ends_a_line(sheet):
            findings.fault(
                sheet.file,
                row - 1,
                "",
                "the last row is shorter than all others and has no line end: the file seems cut off",
                "export it again; if it is whole, end its last row with a line break",
            )
        if progress is not None:
            progress(source.tell() - told)


def _ends_a_line(sheet: Sheet) -> bool:
    last = b""
    for piece in sheet.package.pieces(sheet.file):
        last = piece
    return last.rstrip(b"\x00").endswith((b"\n", b"\r"))


def _fits(sheet: Sheet, row: int, cells: list[str], width: int, last_needed: int, findings: Findings) -> bool:
    """Whether a row of another width can be read all the same; brings it to the header's width."""
    if len(cells) > width:
        if any(cell.strip() for cell in cells[width:]):
            findings.fault(
                sheet.file,
                row,
                str(width + 1),
                f"the row has {len(cells)} cells, the header {width}",
                "quote cells that hold a comma",
            )
            return False
        del cells[width:]
        return True
    if len(cells) <= last_needed:
        findings.fault(
            sheet.file,
            row,
            sheet.header[len(cells)] or str(len(cells) + 1),
            f"the row has {len(cells)} cells, the header {width}",
            "fill up the row with empty cells; a cell with a line break needs quotes",
        )
        return False
    findings.review_once(
        "row",
        sheet.file,
        row,
        "",
        "rows end before the header does; what is missing counts as empty",
        "export every cell, empty ones too",
    )
    cells.extend([""] * (width - len(cells)))
    return True


def _not_csv(sheet: Sheet, row: int, error: csv.Error, findings: Findings) -> None:
    text = str(error)
    if _TOO_LONG in text:
        what = "a cell is longer than 128 KiB, as where quotes are not closed; nothing behind it is read"
        mend = 'shorten the cell, or close its quotes; write a quote within quotes as ""'
    elif "unexpected end" in text:
        what, mend = "a quoted cell does not end", 'close the quotes; write a quote within quotes as ""'
    else:
        what, mend = f"the row is no CSV ({text})", 'write a quote within quotes as ""'
    findings.fault(sheet.file, row, "1", what, mend)


def _delimiter(line: str) -> str:
    if "," in line:
        return ","
    return "\t" if "\t" in line else ";" if ";" in line else ","
