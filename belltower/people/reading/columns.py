"""Which column of a file is which: exact names, near misses (reported), and what must never be kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from belltower.people.reading.faults import Dropped, Findings

_PLAIN = re.compile(r"[\W_]+")
# A near miss is believed only in names that are long enough to be told from each other.
_LONG = 8
_NEAR = 2

_FORBIDDEN = re.compile(
    r"password.*|passwd|pwd|pin|ssn|socialsecurity.*"
    r"|race.*|.*ethnic.*|hispanic.*|asian|white|black.*|americanindian.*|.*hawai.*|.*pacificislander.*|demographicrace.*"
    r"|.*lunch.*|frl(status)?|.*ofbirth(code|abbreviation)|birth(city|state|country)|cityofbirth"
    r"|countryofbirth|stateofbirth|placeofbirth"
    r"|iep.*|(is)?504.*|section504.*|ell(status)?|lep(status)?|englishlanguagelearner.*|(un)?(weighted)?gpa"
    r"|publicschoolresidencestatus|specialeducation.*|disabilit.*"
)
_FORBIDDEN_LONG = (
    "password",
    "ethnicity",
    "nativehawaiianorotherpacificislander",
    "hispanicorlatinoethnicity",
    "americanindianoralaskanative",
    "blackorafricanamerican",
    "demographicracetwoormoreraces",
    "countryofbirthcode",
    "stateofbirthabbreviation",
    "cityofbirth",
)


class Layout(Struct, frozen=True, kw_only=True):
    """The columns of one kind of file."""

    # Rows come back with these cells, in this order.
    wanted: tuple[str, ...]
    required: frozenset[str] = frozenset()
    # Official columns that are not wanted: never taken for a misspelling of one that is.
    known: frozenset[str] = frozenset()
    # Other spellings of wanted columns that stand in real files.
    aliases: Mapping[str, str] = {}


def plain(name: str) -> str:
    """A column's name without case, blanks and signs."""
    return _PLAIN.sub("", name.casefold())


def is_forbidden(name: str) -> bool:
    """Whether the column must not be kept: passwords, race, lunch, birthplace, IEP, 504, language learner, GPA."""
    bare = plain(name)
    if _FORBIDDEN.fullmatch(bare):
        return True
    return len(bare) >= _LONG and any(within(bare, one, _NEAR) for one in _FORBIDDEN_LONG)


def match(header: Sequence[str], layout: Layout, file: str, findings: Findings) -> list[int] | None:
    """Where each wanted column stands, -1 for one that is not there; None, and faults, when a required one is missing."""
    at: dict[str, int] = {}
    by_plain = {plain(name): name for name in layout.wanted}
    aliases = {plain(alias): name for alias, name in layout.aliases.items()}
    known = {plain(name) for name in layout.known}
    left: list[tuple[int, str]] = []
    for index, name in enumerate(header):
        bare = plain(name)
        if not bare:
            continue
        wanted = by_plain.get(bare) or aliases.get(bare)
        if wanted is None:
            if is_forbidden(name):
                findings.dropped.append(Dropped(file=file, column=name[:80]))
            elif bare not in known:
                left.append((index, name))
        elif wanted in at:
            findings.fault(file, 1, name, "the column is there twice", "keep the one that counts")
        else:
            at[wanted] = index
            if name != wanted:
                _near(findings, file, name, wanted)
    for index, name in left:
        bare = plain(name)
        if len(bare) < _LONG:
            continue
        near = [want for key, want in by_plain.items() if within(bare, key, _NEAR)]
        free = [want for want in near if want not in at]
        if len(free) == 1:
            at[free[0]] = index
            _near(findings, file, name, free[0])
        elif near:
            what = f'the column may be meant for "{near[0]}" too, and is not read'
            findings.review_once(
                "header", file, 1, name[:80], what, "keep the one that counts, by its right name"
            )
    missing = [name for name in layout.wanted if name in layout.required and name not in at]
    for name in missing:
        findings.fault(
            file,
            1,
            name,
            "the column is missing",
            f'export the file with a column "{name}", or give a mapping',
        )
    return None if missing else [at.get(name, -1) for name in layout.wanted]


def _near(findings: Findings, file: str, found: str, wanted: str) -> None:
    findings.review_once(
        "header",
        file,
        1,
        found[:80],
        f'the column is taken for "{wanted}"',
        f'name it "{wanted}" in the export',
    )


def within(one: str, other: str, most: int) -> bool:
    """Whether at most `most` letters have to be put in, taken out or changed to make one of the other."""
    if abs(len(one) - len(other)) > most:
        return False
    before = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for column, against in enumerate(other, 1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (letter != against)))
        if min(now) > most:
            return False
        before = now
    return before[-1] <= most
