"""`[psap]`: the ways to the emergency centres, and which centre each leads to."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from belltower.errors import SettingsError
from belltower.values import Reader, Seconds
from gateway.psap.settings import LINKS
from gateway.settings.names import named

_LATEST_CENTRE = 60.0


class CentreSettings(Struct, frozen=True, kw_only=True):
    """`[psap.centres.NAME]`: a PSAP, where there are several: primary, secondary, neighbour."""

    # As people read it: "Linden County 911".
    name: str
    # Its links are called so long after the order, if no PSAP's system has the call by then; sooner, when every link
    # that was called has refused.
    after: Seconds = 0.0

    def __post_init__(self) -> None:
        """Refuse a centre without a name, and one that would be called too late."""
        if not self.name.strip():
            raise SettingsError("name: empty; write the centre's name as people know it")
        if self.after > _LATEST_CENTRE:
            raise SettingsError(f'after: at most "{_LATEST_CENTRE:g}s"; "5s" is usual')


class Roads(Struct, frozen=True, kw_only=True):
    """What `[psap]` says."""

    # By link name.
    links: dict[str, Any]
    centres: dict[str, CentreSettings]
    # The centre that a link leads to, where its table says so.
    leads: dict[str, str]


def take_psap(reader: Reader, psap: Any) -> Roads:
    """The links, the centres, and which centre each link leads to."""
    if not isinstance(psap, dict) or not psap.get("links"):
        reader.fault(
            "psap.links",
            'no way to the PSAP is left; add a table such as [psap.links.county] with kind = "kiss", url, from, '
            "to and key",
        )
    if isinstance(psap, dict):
        reader.unknown(psap, {"links", "centres"}, "psap")
    leads: dict[str, str] = {}

    def link(table: Any, at: str) -> Any:
        if isinstance(table, dict) and "centre" in table:
            leads[at.rpartition(".")[2]] = table["centre"]
            table = {key: value for key, value in table.items() if key != "centre"}
        return reader.take_kind(LINKS, table, at)

    links = named(reader, psap, "psap", "links", link)
    centres = named(reader, psap, "psap", "centres", lambda table, at: reader.take(CentreSettings, table, at))
    nowhere = {name: to for name, to in leads.items() if not isinstance(to, str) or to not in centres}
    for name, centre in nowhere.items():
        known = ", ".join(sorted(centres)) or "none"
        reader.fault(f"psap.links.{name}.centre", f"there is no [psap.centres.{centre}]; known: {known}")
    roads = Roads(links=links, centres=centres, leads=leads)
    if links and not nowhere:
        _check_turns(reader, roads)
    return roads


def _check_turns(reader: Reader, roads: Roads) -> None:
    """Somebody has to be called at once."""
    links, centres, leads = roads.links, roads.centres, roads.leads
    if (
        centres
        and all(centre.after for centre in centres.values())
        and (not leads or leads.keys() >= links.keys())
    ):
        reader.fault("psap.centres", 'every centre has "after"; leave it out of the first one')
    elif all(name in leads and centres[leads[name]].after for name in links):
        reader.fault("psap.centres", 'nobody is called at once; leave out "after" of the first centre')
