"""Telephone numbers: kept as written, brought to E.164 only where they are possible ones."""

from __future__ import annotations

import re
from functools import lru_cache

from belltower.people.roster import Phone

NORTH_AMERICA = frozenset({"US", "CA", "PR", "GU", "VI", "AS", "MP"})
"""Regions whose numbers are read by the North American plan."""

# Area code and exchange begin with 2 to 9; N11 are services; N9X, 37X, 96X and 555 are no area codes.
_PLAN = re.compile(r"(?!\d11|\d9\d|37\d|96\d|555)[2-9]\d{2}(?!\d11)[2-9]\d{6}")
# How nearly all of them are written; the plan still has to bear the number out.
_USUAL = re.compile(r"(\+1|1)?[ .\-]?\(?([2-9][0-9]{2})\)?[ .\-]?([0-9]{3})[ .\-]?([0-9]{4})")
_SIGNS = re.compile(r"[\s().\-/\u00a0\u2010-\u2015\u202a-\u202e\u2066-\u2069]+")
_EXTENSION = re.compile(r"(?:x|ext\.?|extension|#)\s*\d{1,7}\s*$", re.IGNORECASE)
_LONGEST = 60


@lru_cache(maxsize=65_536)
def read_phone(text: str, *, region: str = "US", sms: bool = False) -> Phone:
    """The number in `text`, which people of `region` wrote; `e164` stays empty where it cannot be one."""
    return Phone(written=text, e164=_e164(text, region), sms=sms)


def _e164(text: str, region: str) -> str:
    usual = _USUAL.fullmatch(text)
    if usual is not None and (region in NORTH_AMERICA or usual[1] == "+1"):
        return _in_plan(usual[2] + usual[3] + usual[4])
    bare = _SIGNS.sub("", _EXTENSION.sub("", text[:_LONGEST]))
    abroad = bare.startswith("+")
    digits = bare.removeprefix("+")
    if not digits.isdecimal() or len(text) > _LONGEST:
        return ""
    if not digits.isascii():
        digits = "".join(str(int(digit)) for digit in digits)
    if abroad and digits.startswith("1"):
        return _in_plan(digits[1:])
    if not abroad and region in NORTH_AMERICA and not digits.startswith("011"):
        return _in_plan(digits[1:] if len(digits) == 11 and digits.startswith("1") else digits)
    return _elsewhere(f"+{digits}" if abroad else digits, region)


def _in_plan(digits: str) -> str:
    return f"+1{digits}" if _PLAN.fullmatch(digits) else ""


def _elsewhere(digits: str, region: str) -> str:
    # Its tables take a while to load, and most schools never need them.
    import phonenumbers  # noqa: PLC0415

    try:
        number = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
