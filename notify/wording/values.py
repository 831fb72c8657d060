"""What stands in the slots: typed values, and how a language writes and speaks them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from msgspec import Struct

CAMPUS = "*"
"""The raw value of the slot {place} that means everywhere."""

_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_LONG_NUMBER = re.compile(r"\d{3,}")
_TELEPHONE = re.compile(r"\+?[\d][\d ()./-]{5,}")
_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_ISOLATE, _RELEASE = "\u2068", "\u2069"  # Unicode TR 9: first strong isolate, pop directional isolate


class Slots(Struct, frozen=True, kw_only=True):
    """The values that a text may name, each from a list or a clock, never free text.

    `action` and `cause` are given by their names, which each language writes in its own words.
    """

    school: str
    # As it is spoken; "": not known; `CAMPUS`: everywhere.
    place: str
    # "14:05": when the notice was ordered.
    time: str
    action: str = ""
    incident: str = ""
    url: str = ""
    # One of the causes of the wording set; "" or any other: not known.
    cause: str = ""
    # "14:20": when the next update is promised; "": nothing is promised.
    next: str = ""
    # The number that people call.
    phone: str = ""
    # Where families meet their children; "": not known.
    site: str = ""
    # Where they were told to go before; "": nowhere.
    former: str = ""
    # Of a test: whoever gives it back has read it; "": none.
    code: str = ""


class Clock(Struct, frozen=True, kw_only=True):
    """How a language writes the time for families: 24 or 12 hours, and what stands around it."""

    hours: int = 24
    am: str = "AM"
    pm: str = "PM"
    # The same for the ear.
    spoken_am: str = ""
    spoken_pm: str = ""
    # "{clock}" within: from one o'clock until two, and otherwise.
    one: str = "{clock}"
    other: str = "{clock}"
    # "{time}" within: the time of the next update.
    next: str = "{time}"


def written(clock: Clock, time: str, *, aloud: bool = False) -> str:
    """A time such as "14:05" as this language writes or speaks it; anything else unchanged."""
    found = _CLOCK.fullmatch(time)
    if found is None:
        return time
    hour = int(found[1])
    if clock.hours == 12:
        half = (clock.spoken_pm if aloud else "") or clock.pm if hour >= 12 else ""
        half = half or (clock.spoken_am if aloud else "") or clock.am
        hour = hour % 12 or 12
        shown = f"{hour}:{found[2]} {half}"
    else:
        shown = f"{hour:02}:{found[2]}"
    return (clock.one if hour == 1 else clock.other).replace("{clock}", shown)


def aloud(values: Mapping[str, str]) -> dict[str, str]:
    """The values as a voice has to read them: long numbers and telephones figure by figure."""
    read = dict(values)
    read["phone"] = _figures(values.get("phone", ""))
    for name in ("place", "site", "former", "incident", "code"):
        read[name] = _LONG_NUMBER.sub(lambda found: " ".join(found[0]), values.get(name, ""))
    return read


def isolated(text: str, value: str) -> str:
    """`value` so that it does not turn the order of `text` around, where the two are written in other directions."""
    return (
        f"{_ISOLATE}{value}{_RELEASE}"
        if value and _backward(value) and not _backward(text)
        else (
            f"{_ISOLATE}{value}{_RELEASE}"
            if value and _backward(text) and _strong(value) and not _backward(value)
            else value
        )
    )


def _figures(phone: str) -> str:
    if not _TELEPHONE.fullmatch(phone):
        return phone
    groups = [group for group in re.split(r"\D+", phone) if group]
    if len(groups) == 1 and phone.startswith("+1") and len(groups[0]) == 11:
        one = groups[0]
        groups = [one[1:4], one[4:7], one[7:]]
    return ", ".join(" ".join(group) for group in groups)


def _strong(text: str) -> bool:
    return any(unicodedata.bidirectional(letter) in {"L", *_RIGHT_TO_LEFT} for letter in text)


def _backward(text: str) -> bool:
    """Whether the first letter that has a direction is written from right to left."""
    for letter in text:
        kind = unicodedata.bidirectional(letter)
        if kind == "L":
            return False
        if kind in _RIGHT_TO_LEFT:
            return True
    return False
