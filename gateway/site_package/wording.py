"""The texts of a site package: the district's own over those that ship, with the school's own names in them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from msgspec import Struct

from belltower.errors import SettingsError
from belltower.ids import PlaceId
from belltower.values import Reader
from floorplans.place import Place, spoken
from gateway.site_package.checks import NUMBER
from notify import words
from notify.wording import (
    SAMPLE_URL,
    WordingSet,
    address_fault,
    approved,
    cost,
    parse,
    promises,
    too_long,
    unapproved_source,
    void,
)


class Wants(Struct, frozen=True, kw_only=True):
    """What the district asks of its texts: `[wording]` in site.toml."""

    # The number that families call, and that finds an interpreter; "": the office's.
    phone: str = ""
    # The domains that addresses in notices must be of; none: it does not matter.
    domains: tuple[str, ...] = ()
    # The texts in the first language want a name beside them too, as the translations do.
    approve_source: bool = False


def load_wording(folder: Path) -> WordingSet:
    """The texts of the site package in `folder`, whatever else is wrong with it; SettingsError names their faults."""
    texts, faults = read_wording(folder)
    if texts is None:
        raise SettingsError("\n".join(faults))
    return texts


def read_wording(folder: Path, *, linted: bool = True) -> tuple[WordingSet | None, list[str]]:
    """The texts of a package, and what is wrong with its files; None where they are of no use."""
    texts: dict[str, str] = {}
    faults: list[str] = []
    for file in sorted(folder.glob("wording/*.toml")):
        name = f"{folder.name}/wording/{file.name}"
        try:
            texts[name] = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
            faults.append(f"{name}: cannot be read ({reason})")
    if not texts:
        return _shipped(), faults
    try:
        return parse(texts, base=_shipped(), linted=linted), faults
    except SettingsError as error:
        return None, [*faults, *str(error).splitlines()]


def judge(
    wording: WordingSet,
    wants: Wants,
    *,
    reader: Reader,
    folder: str,
    school: str,
    phone: str,
    places: Mapping[PlaceId, Place],
) -> list[str]:
    """What is wrong with the texts once this school's names stand in them; `reader` hears of faults in `wants`."""
    if wants.phone and not NUMBER.fullmatch(wants.phone):
        reader.fault("wording.phone", "write the number that families call as +15550100123")
    for at, domain in enumerate(wants.domains, start=1):
        if fault := address_fault(domain, ()):
            reader.fault(f"wording.domains[{at}]", fault)
    url = f"https://{max(wants.domains, key=len)}/incidents/99999" if wants.domains else SAMPLE_URL
    place = max(map(spoken, places.values()), key=cost, default="")
    names = (school, place, url, wants.phone or phone)
    found = _shipped_too_long(*names) if wording is _shipped() else _too_long(wording, *names)
    faults = [f"{folder}/wording: {fault}" for fault in found]
    faults += [
        f"{folder}/site.toml: {name!r} stands in texts and {fault}"
        for name in dict.fromkeys((school, *map(spoken, places.values())))
        for fault in promises(name, wording)
    ]
    if wants.approve_source and (lacking := unapproved_source(wording)):
        faults.append(
            f"{folder}/wording: nobody answers for {len(lacking)} texts in {wording.source.language}"
            f" ({', '.join(lacking[:3])}{' ..' if lacking[3:] else ''}); approve them with:"
            f" belltower wording approve {wording.source.language} --site {folder} --name .."
        )
    return faults


def languages(wording: WordingSet) -> list[str]:
    """The languages of the texts, with how many of each a person answers for."""
    return [
        language
        if own is wording.source
        else f"{language} ({len(approved(wording, language))} of {len(own.templates)} approved)"
        for language, own in wording.languages.items()
    ]


def void_approvals(wording: WordingSet) -> list[str]:
    """The approvals whose texts have changed since, by language and template."""
    return sorted(f"{one.language} {one.template}" for one in void(wording))


@cache
def _shipped() -> WordingSet:
    return words.default()


def _too_long(wording: WordingSet, school: str, place: str, url: str, phone: str) -> list[str]:
    return too_long(wording, school=school, places=(place,), url=url, phone=phone)


@lru_cache(maxsize=16)
def _shipped_too_long(*names: str) -> list[str]:
    return _too_long(_shipped(), *names)
