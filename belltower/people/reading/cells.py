"""What a cell says: dates, lists, yes and no, grades. A cell that says nothing of the sort raises ValueError."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?")
_SLASHES = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?: 0?0:00(?::00)?)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_YES = frozenset({"true", "yes", "y", "1", "t"})
_NO = frozenset({"false", "no", "n", "0", "f"})
_KINDERGARTEN = frozenset({"kindergarten", "kg", "k", "0", "00"})
_PRE = frozenset({"prekindergarten", "pre-kindergarten", "pk", "pre-k", "prek", "-1"})


@lru_cache(maxsize=65_536)
def read_date(text: str, *, day_first: bool = False) -> date:
    """`2012-05-31`, `5/31/2012` (month first, unless `day_first`) or `20120531`."""
    if found := _ISO.fullmatch(text) or _COMPACT.fullmatch(text):
        return date(int(found[1]), int(found[2]), int(found[3]))
    if found := _SLASHES.fullmatch(text):
        first, second = int(found[1]), int(found[2])
        day, month = (first, second) if day_first else (second, first)
        return date(int(found[3]), month, day)
    raise ValueError("no date")


@lru_cache(maxsize=64)
def read_yes(text: str) -> bool:
    """`true`, `TRUE`, `yes`, `1` .. and their opposites; empty is no."""
    word = text.casefold()
    if word in _YES:
        return True
    if word in _NO or not word:
        return False
    raise ValueError("neither yes nor no")


def read_list(text: str) -> tuple[str, ...]:
    """The parts of a comma list, without blanks around them and without empty ones."""
    if not text:
        return ()
    if "," not in text:
        return (text,)
    return tuple(part for one in text.split(",") if (part := one.strip()))


@lru_cache(maxsize=4096)
def read_grade(text: str) -> str:
    """The CEDS code of a grade, "KG", "06", "12", "PS1"; a word it does not know stays as written."""
    word = text.strip().casefold()
    if word in _KINDERGARTEN:
        return "KG"
    if word in _PRE:
        return "PK"
    if word.isdecimal() and 1 <= int(word) <= 13:
        return f"{int(word):02}"
    if re.fullmatch(r"ps\d|[a-z]{2}", word):
        return word.upper()
    return text.strip()
