"""`site.toml`: which campus this is, its buildings and its places."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from belltower.errors import Malformed
from belltower.ids import PlaceId
from belltower.values import Reader
from floorplans.campus import Campus, Civic
from floorplans.place import Place, spoken
from gateway.site_package.checks import NUMBER, check_id, check_position, check_unique, listed, numbered
from gateway.site_package.wording import Wants
from notify.quiet import quiet_of

_LONGEST_LABEL = 32


class Building(Struct, frozen=True, kw_only=True):
    """A building of the campus. `id` is its short name, as responders know it: "B"."""

    id: str
    name: str = ""
    # Outline on the drawn plan: x, y, width, height in plan units.
    box: tuple[float, float, float, float] | None = None
    # WGS 84 latitude and longitude of its main door.
    position: tuple[float, float] | None = None
    # The output that pages a place of it whose units are silent; "": none.
    paging: str = ""


class Site(Struct, frozen=True, kw_only=True):
    """What the file says."""

    id: str
    name: str
    campus: str = ""
    timezone: str = "UTC"
    # "21:00-06:30": when texts and calls that may wait do; "": never.
    quiet: str = ""
    schools: frozenset[str] = frozenset()
    telephone: str = ""
    position: tuple[float, float] | None = None
    address: Civic = Civic()
    wording: Wants = Wants()
    building: tuple[Building, ...] = ()
    place: tuple[Place, ...] = ()

    @property
    def on_earth(self) -> Campus:
        """Where it is, for the documents that links send."""
        return Campus(
            id=self.id,
            name=self.name,
            address=self.address,
            position=self.position,
            telephone=self.telephone,
        )


def places_of(reader: Reader, site: Site) -> dict[PlaceId, Place]:
    """The places by id; each without a paging output of its own has its building's."""
    check_id(reader, "id", site.id)
    if not site.name.strip():
        reader.fault("name", "empty; write the school's name as people know it")
    if not all(key and key == key.strip() for key in site.schools):
        reader.fault("schools", "a key is empty or has blanks around it; write it as the roster does")
    try:
        ZoneInfo(site.timezone)
    except (KeyError, ValueError, OSError):
        reader.fault("timezone", f'"{site.timezone}" is not known; write one such as "America/Chicago"')
    if site.quiet:
        try:
            quiet_of(site.quiet)
        except Malformed as error:
            reader.fault("quiet", str(error))
    if site.telephone and not NUMBER.fullmatch(site.telephone):
        reader.fault("telephone", "write the office's number as +15550100123, for calling back")
    check_position(reader, "position", site.position)
    check_unique(reader, "building", [building.id for building in site.building], "id")
    buildings = {building.id for building in site.building}
    for at, building in numbered("building", site.building):
        check_position(reader, f"{at}.position", building.position)
    for at, place in numbered("place", site.place):
        check_id(reader, f"{at}.id", place.id)
        if not 0 < len(place.label.strip()) <= _LONGEST_LABEL:
            reader.fault(f"{at}.label", f"write what stands at the door, 1 to {_LONGEST_LABEL} characters")
        if place.building and place.building not in buildings:
            reader.fault(
                f"{at}.building", f'there is no building "{place.building}"; known: {listed(buildings)}'
            )
        check_position(reader, f"{at}.position", place.position)
        if place.box is not None and min(place.box[2:]) <= 0:
            reader.fault(f"{at}.box", "width and height must be more than 0: [x, y, width, height]")
    check_unique(reader, "place", [place.id for place in site.place], "id")
    check_unique(
        reader, "place", [f"{place.level} {spoken(place)}" for place in site.place], "building and label"
    )
    paging = {building.id: building.paging for building in site.building}
    return {
        place.id: place if place.paging else replace(place, paging=paging.get(place.building, ""))
        for place in site.place
    }
