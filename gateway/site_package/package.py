"""A campus as its site package tells it, checked."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct, field

from belltower.ids import PersonId, PlaceId, UnitId
from belltower.incident.plan import ResponsePlan
from belltower.people import Person
from belltower.people.grant import SHIPPED, Role
from floorplans.campus import Campus
from floorplans.place import Place, spoken
from gateway.psap.link import Spot
from gateway.site_package.devices import SiteDevices
from gateway.site_package.places import Building
from gateway.site_package.wording import Wants
from hardware.unit_record import UnitRecord
from notify.audience import AudienceRule
from notify.quiet import Quiet
from notify.wording import WordingSet


class SitePackage(Struct, frozen=True, kw_only=True):
    """A campus, checked."""

    id: str
    name: str
    campus: str
    timezone: str
    # When texts and calls that may wait do; None: never.
    quiet: Quiet | None = None
    # The schools of this campus, by the roster's keys; none named: the one that the roster has.
    schools: frozenset[str] = frozenset()
    # Where it is on earth, for the documents that links send.
    on_earth: Campus
    # The first 12 hex digits of the SHA-256 of its content.
    revision: str
    buildings: dict[str, Building]
    places: dict[PlaceId, Place]
    units: dict[UnitId, UnitRecord]
    # Foreign devices and the profiles that judge them.
    foreign: SiteDevices = SiteDevices()
    people: dict[PersonId, Person]
    # Whose signatures make a drill, two at a time. Without any nothing is an exercise.
    authorisers: dict[str, Ed25519PublicKey] = {}
    # What accounts may do, by the names of functions.
    roles: Mapping[str, Role] = field(default_factory=lambda: SHIPPED)
    response: ResponsePlan
    audiences: dict[str, AudienceRule]
    wording: WordingSet
    wants: Wants = Wants()

    def spot(self, place: PlaceId | None, building: str = "") -> Spot:
        """The place as responders need it; what is known of the building where the place is not."""
        known = self.places.get(place) if place is not None else None
        house = self.buildings.get(known.building if known is not None else building)
        position = known.position if known is not None else None
        if position is None and house is not None:
            position = house.position
        return Spot(
            spoken=spoken(known),
            place=known.id if known is not None else None,
            building=house.id if house is not None else "",
            building_name=house.name if house is not None else "",
            level=known.level if known is not None else "",
            room=known.label if known is not None else "",
            position=position or self.on_earth.position,
        )
