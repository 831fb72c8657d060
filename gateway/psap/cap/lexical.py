"""Times, numbers and lists as CAP 1.2 writes them within an element."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache

from belltower.clock import SECOND, Instant
from belltower.errors import Malformed
from gateway.psap.cap.model import Point, Time

FIRST = Instant(0)
LAST = Instant(253_370_764_800 * SECOND)
"""1970 to 9998: outside of it a time is a mistake."""

FARTHEST_OFFSET = 14 * 60
"""Minutes that a clock may be from UTC. XML Schema part 2, 3.2.7.3."""

_STRICT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([+-])([0-9]{2}):([0-9]{2})")
_LOOSE = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,12})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
# XML 1.0, 2.2: everything else cannot stand in a document, not even escaped.
UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""A character that no document can hold."""

_ITEM = re.compile(r'"[^"]*"|[^\s"]+')
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})")


@lru_cache(maxsize=256)
def write_time(time: Time) -> str:
    """`2026-11-22T00:32:34-00:00`; the time must be one that `faults_of_time` finds nothing wrong with."""
    seconds = time.at // SECOND
    sign, minutes = ("+", time.offset) if time.offset > 0 else ("-", -time.offset)
    local = datetime.fromtimestamp(seconds + time.offset * 60, tz=UTC).isoformat()[:19]
    return f"{local}{sign}{minutes // 60:02}:{minutes % 60:02}"


def fault_of_time(time: Time) -> str:
    """Why CAP cannot write this time, and the mend; "" if it can."""
    if not FIRST <= time.at < LAST:
        return "lies outside 1970 to 9998; give microseconds since 1970"
    if time.at % SECOND:
        return "has a fraction of a second; use moment(), which drops it"
    if abs(time.offset) > FARTHEST_OFFSET:
        return f"is {time.offset} minutes from UTC; give -840 to 840"
    return ""


@lru_cache(maxsize=256)
def read_time(text: str, where: str, lenient: bool = False) -> Time:
    """The time that `text` says.

    With `lenient`, `Z` and fractions of a second are taken as well, as RFC 3339 allows and CAP does not.

    Raises:
        Malformed: it is not written `YYYY-MM-DDThh:mm:ss+hh:mm`, or there is no such time.
    """
    text = text.strip()
    found = _STRICT.fullmatch(text)
    if found is None and lenient and (loose := _LOOSE.fullmatch(text)) is not None:
        zone = "-00:00" if loose[2] in "Zz" else loose[2]
        text = loose[1][:10] + "T" + loose[1][11:] + zone
        found = _STRICT.fullmatch(text)
    if found is None:
        raise Malformed(f"CAP: {where}: {shown(text)} is not of the form 2026-11-22T00:32:34-00:00")
    minutes = int(found[2]) * 60 + int(found[3])
    offset = -minutes if found[1] == "-" else minutes
    if minutes > FARTHEST_OFFSET or int(found[3]) > 59:
        raise Malformed(f"CAP: {where}: {shown(text)} is more than 14 hours from UTC")
    try:
        local = datetime.fromisoformat(text[:19]).replace(tzinfo=timezone(timedelta(minutes=offset)))
        at = Instant(int(local.timestamp()) * SECOND)
    except (ValueError, OverflowError):
        raise Malformed(f"CAP: {where}: there is no such time as {shown(text)}") from None
    if not FIRST <= at < LAST:
        raise Malformed(f"CAP: {where}: {shown(text)} lies outside 1970 to 9998")
    return Time(at, offset)


def write_number(number: float) -> str:
    """A decimal without exponent, as XML Schema wants it, that reads back as the same number."""
    text = repr(number)
    return format(Decimal(text), "f") if "e" in text else text


def read_number(text: str, where: str) -> float:
    """The number that `text` says.

    Raises:
        Malformed: it is no decimal number.
    """
    if _DECIMAL.fullmatch(text) is None:
        raise Malformed(f"CAP: {where}: {shown(text)} is no decimal number")
    return float(text)


def shown(text: str) -> str:
    """What stood there, short enough for a message."""
    return ascii(text if len(text) <= 40 else text[:40] + "..")


def writable(text: str) -> str:
    """`text` without what XML cannot carry: nothing of ours fails for a strange name."""
    return UNWRITABLE.sub("", text).strip()


def write_list(items: tuple[str, ...]) -> str:
    """Items separated by spaces; one with white space inside stands in quotes. CAP 1.2, 3.2.1 addresses."""
    return " ".join(f'"{item}"' if any(map(str.isspace, item)) else item for item in items)


def read_list(text: str, where: str) -> tuple[str, ...]:
    """The items that `write_list` wrote.

    Raises:
        Malformed: a quotation mark has no partner.
    """
    if '"' not in text:
        return tuple(text.split())
    if _ITEM.sub("", text).strip():
        raise Malformed(f"CAP: {where}: a quotation mark without its partner")
    return tuple(item.strip('"') for item in _ITEM.findall(text))


def read_point(text: str, where: str) -> Point:
    """The `lat,lon` that `text` says.

    Raises:
        Malformed: it is no pair of numbers.
    """
    latitude, comma, longitude = text.partition(",")
    if not comma:
        raise Malformed(f"CAP: {where}: {shown(text)} is not of the form 41.77,-88.47")
    return read_number(latitude, where), read_number(longitude, where)


def write_point(point: Point) -> str:
    """`lat,lon`."""
    return f"{write_number(point[0])},{write_number(point[1])}"
