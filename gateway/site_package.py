"""The site package: one folder that holds all a campus's box needs to work alone.

    site.toml        id, name, campus, timezone, schools, telephone, position; [address]; [[building]]; [[place]]
    units.toml       [[unit]] number, place, bearer, heartbeat
    people.toml      [[person]] id, name, roles, places; [[person.contact]]
    response.toml    what an alarm, an action, an acknowledgement and a closing set off
    audiences.toml   who is meant, by name
    wording/*.toml   the district's own texts, where it has them; approvals.toml: who answers for which translation
    roles.toml       [NAME] rights: what the functions of this school may do, where not what is shipped
    drills.toml      [[authoriser]] person, key: who may agree to a drill, two at a time
    devices.toml     [[device]] id, profile, address, bearer, place, parent, heartbeat, unattended_call; [[variant]]
    profiles/*.toml  device profiles of the site's own

It is text, and its revision is the hash of its content. It is checked as a whole: a faulty one is refused with every
fault named by file, table and key, and the one in force stays in force.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct, field
from msgspec.structs import replace

from belltower.errors import SettingsError
from belltower.ids import PersonId, PlaceId, UnitId
from belltower.incident.plan import EscalationPlan, NoticePlan, ResponsePlan
from belltower.incident.told import Readers, readers
from belltower.people import Contact, ContactKind, Person
from belltower.people.grant import SHIPPED, Role
from belltower.values import Reader, Seconds
from floorplans.campus import Campus, Civic
from floorplans.place import Place, spoken
from gateway import site_roles
from gateway.psap.link import Spot
from gateway.site_devices import SiteDevices, load_devices
from gateway.site_drills import load_authorisers
from gateway.site_wording import Wants, judge, read_wording
from hardware.unit_record import Bearer, UnitRecord
from notify.audience import AudienceRule, idle_keys, resolve
from notify.wording import WordingSet

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_MAILBOX = re.compile(r"[^@\s<>\",;:]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_FILES = ("site.toml", "units.toml", "people.toml", "response.toml", "audiences.toml")
_DEVICES = "devices.toml"
_DRILLS = "drills.toml"
_MAY_LACK = (_DEVICES, _DRILLS, site_roles.FILE)
_MOST_NUMBER = 0xFFFF_FFFF
_LEAST_HEARTBEAT = 5.0
_LEAST_WAIT = 5.0
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


class SitePackage(Struct, frozen=True, kw_only=True):
    """A campus, checked."""

    id: str
    name: str
    campus: str
    timezone: str
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


class _Site(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    campus: str = ""
    timezone: str = "UTC"
    schools: frozenset[str] = frozenset()
    telephone: str = ""
    position: tuple[float, float] | None = None
    address: Civic = Civic()
    wording: Wants = Wants()
    building: tuple[Building, ...] = ()
    place: tuple[Place, ...] = ()


class _Unit(Struct, frozen=True, kw_only=True):
    number: int
    place: PlaceId | None = None
    bearer: Bearer = Bearer.MQTT
    heartbeat: Seconds = 30.0
    display: bool = True


class _Units(Struct, frozen=True, kw_only=True):
    unit: tuple[_Unit, ...] = ()


class _Person(Struct, frozen=True, kw_only=True):
    id: PersonId
    name: str
    roles: frozenset[str] = frozenset({"staff"})
    places: frozenset[PlaceId] = frozenset()
    contact: tuple[Contact, ...] = ()


class _People(Struct, frozen=True, kw_only=True):
    person: tuple[_Person, ...] = ()


def load(folder: Path, *, linted: bool = True) -> SitePackage:
    """The site package in `folder`; SettingsError names every fault in it, one a line.

    `linted=False` lets its texts say what they say: for one that an earlier program found in order.
    """
    package = _Loader(folder=folder, linted=linted).load()
    if isinstance(package, SitePackage):
        return package
    raise SettingsError("\n".join(package))


def revision(folder: Path) -> str:
    """The hash of what a folder holds, whether or not it can be used."""
    digest = hashlib.sha256()
    for file in content(folder):
        body = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()}\0{len(body)}\0".encode())
        digest.update(body)
    return digest.hexdigest()[:12]


def content(folder: Path) -> list[Path]:
    """The files of a package, in order."""
    return sorted([*folder.glob("*.toml"), *folder.glob("wording/*.toml"), *folder.glob("profiles/*.toml")])


class _Loader:
    """Reads the files one by one and then holds them against each other."""

    def __init__(self, *, folder: Path, linted: bool) -> None:
        self._folder = folder
        self._linted = linted
        self._readers = {file: Reader(file=folder / file, name=f"{folder.name}/{file}") for file in _FILES}
        self._others: list[str] = []

    def load(self) -> SitePackage | list[str]:
        if not self._folder.is_dir():
            return [f"{self._folder}: there is no such folder; name the site package with [site] folder"]
        for file in content(self._folder):
            name = file.relative_to(self._folder).as_posix()
            if name not in (*_FILES, *_MAY_LACK) and not name.startswith(("wording/", "profiles/")):
                known = ", ".join((*_FILES, *_MAY_LACK))
                self._others.append(
                    f"{self._folder.name}/{name}: not a file of a site package; known are {known}, wording/ and profiles/"
                )
        site = self._take("site.toml", _Site)
        units = self._take("units.toml", _Units)
        people = self._take("people.toml", _People)
        response = self._take("response.toml", ResponsePlan)
        audiences = self._audiences()
        wording = self._wording()
        places: dict[PlaceId, Place] = {}
        staff: dict[PersonId, Person] = {}
        if site is not None:
            places = self._places(site)
        if people is not None:
            staff = self._people(people, places if site is not None else None)
        records = self._units(units, places if site is not None else None) if units is not None else {}
        if units is None and site is not None:
            self._places_of_faulty_units(places)
        foreign = self._foreign(places if site is not None else None)
        authorisers = self._authorisers(staff if people is not None else None)
        roles = self._roles()
        if site is not None and wording is not None and self._linted:
            self._others += judge(
                wording,
                site.wording,
                reader=self._readers["site.toml"],
                folder=self._folder.name,
                school=site.name,
                phone=site.telephone,
                places=places,
            )
        if response is not None and wording is not None:
            self._response(response, audiences, staff, wording)
        faults = [fault for reader in self._readers.values() for fault in reader.faults] + self._others
        if faults or site is None or response is None or wording is None:
            return faults
        return SitePackage(
            id=site.id,
            name=site.name,
            campus=site.campus,
            timezone=site.timezone,
            schools=site.schools,
            on_earth=Campus(
                id=site.id,
                name=site.name,
                address=site.address,
                position=site.position,
                telephone=site.telephone,
            ),
            revision=revision(self._folder),
            buildings={building.id: building for building in site.building},
            places=places,
            units=records,
            foreign=foreign,
            people={id_: replace(person, schools=site.schools) for id_, person in staff.items()},
            authorisers=authorisers,
            roles=roles,
            response=response,
            audiences=audiences,
            wording=wording,
            wants=site.wording,
        )

    def _foreign(self, places: Mapping[PlaceId, Place] | None) -> SiteDevices:
        """The foreign devices; a package without any needs no file of them."""
        if not (self._folder / _DEVICES).exists() and not (self._folder / "profiles").is_dir():
            return SiteDevices()
        reader = self._optional(_DEVICES)
        foreign, faults = load_devices(self._folder, reader, places)
        self._others += faults
        return foreign

    def _authorisers(self, staff: Mapping[PersonId, Person] | None) -> dict[str, Ed25519PublicKey]:
        if not (self._folder / _DRILLS).exists():
            return {}
        return load_authorisers(self._optional(_DRILLS), staff)

    def _roles(self) -> Mapping[str, Role]:
        if not (self._folder / site_roles.FILE).exists():
            return SHIPPED
        return site_roles.load_roles(self._optional(site_roles.FILE))

    def _optional(self, file: str) -> Reader:
        """The reader of a file that a package may lack."""
        reader = self._readers[file] = Reader(file=self._folder / file, name=f"{self._folder.name}/{file}")
        return reader

    def _take(self, file: str, kind: type[Any]) -> Any:
        reader = self._readers[file]
        tables = reader.load()
        return None if reader.faults else reader.take(kind, tables, "")

    def _audiences(self) -> dict[str, AudienceRule]:
        reader = self._readers["audiences.toml"]
        taken = {name: reader.take(AudienceRule, table, name) for name, table in reader.load().items()}
        known = {name: rule for name, rule in taken.items() if rule is not None}
        for name, rule in known.items():
            if idle := idle_keys(rule):
                reader.fault(
                    f"{name}.everyone", f"with it nothing narrows whom is meant; remove it, or {_list(idle)}"
                )
        return known

    def _wording(self) -> WordingSet | None:
        texts, faults = read_wording(self._folder, linted=self._linted)
        self._others += faults
        return texts

    def _places(self, site: _Site) -> dict[PlaceId, Place]:
        reader = self._readers["site.toml"]
        _check_id(reader, "id", site.id)
        if not site.name.strip():
            reader.fault("name", "empty; write the school's name as people know it")
        if not all(key and key == key.strip() for key in site.schools):
            reader.fault("schools", "a key is empty or has blanks around it; write it as the roster does")
        try:
            ZoneInfo(site.timezone)
        except (KeyError, ValueError, OSError):
            reader.fault("timezone", f'"{site.timezone}" is not known; write one such as "America/Chicago"')
        if site.telephone and not _NUMBER.fullmatch(site.telephone):
            reader.fault("telephone", "write the office's number as +15550100123, for calling back")
        _check_position(reader, "position", site.position)
        _unique(reader, "building", [building.id for building in site.building], "id")
        buildings = {building.id for building in site.building}
        for at, building in _numbered("building", site.building):
            _check_position(reader, f"{at}.position", building.position)
        for at, place in _numbered("place", site.place):
            _check_id(reader, f"{at}.id", place.id)
            if not 0 < len(place.label.strip()) <= _LONGEST_LABEL:
                reader.fault(
                    f"{at}.label", f"write what stands at the door, 1 to {_LONGEST_LABEL} characters"
                )
            if place.building and place.building not in buildings:
                reader.fault(
                    f"{at}.building", f'there is no building "{place.building}"; known: {_list(buildings)}'
                )
            _check_position(reader, f"{at}.position", place.position)
            if place.box is not None and min(place.box[2:]) <= 0:
                reader.fault(f"{at}.box", "width and height must be more than 0: [x, y, width, height]")
        _unique(reader, "place", [place.id for place in site.place], "id")
        _unique(
            reader, "place", [f"{place.level} {spoken(place)}" for place in site.place], "building and label"
        )
        paging = {building.id: building.paging for building in site.building}
        return {
            place.id: place if place.paging else replace(place, paging=paging.get(place.building, ""))
            for place in site.place
        }

    def _units(self, units: _Units, places: Mapping[PlaceId, Place] | None) -> dict[UnitId, UnitRecord]:
        reader = self._readers["units.toml"]
        records: dict[UnitId, UnitRecord] = {}
        for at, unit in _numbered("unit", units.unit):
            if not 1 <= unit.number <= _MOST_NUMBER:
                reader.fault(f"{at}.number", f"{unit.number} is out of range; 1 to {_MOST_NUMBER}")
            if unit.heartbeat < _LEAST_HEARTBEAT:
                reader.fault(
                    f"{at}.heartbeat", f'shorter than {_LEAST_HEARTBEAT:g} s; write "30s" for instance'
                )
            self._check_place(reader, f"{at}.place", unit.place, places)
            name = UnitId(f"u{unit.number}")
            records[name] = UnitRecord(
                id=name,
                number=unit.number,
                place=unit.place,
                heartbeat=unit.heartbeat,
                bearer=unit.bearer,
                display=unit.display,
            )
        _unique(reader, "unit", [str(unit.number) for unit in units.unit], "number")
        return records

    def _places_of_faulty_units(self, places: Mapping[PlaceId, Place]) -> None:
        """One faulty unit does not hide the unknown place of another."""
        tables = Reader(file=self._folder / "units.toml").load().get("unit")
        for at, table in _numbered("unit", tables if isinstance(tables, list) else ()):
            place = table.get("place") if isinstance(table, dict) else None
            if isinstance(place, str):
                self._check_place(self._readers["units.toml"], f"{at}.place", PlaceId(place), places)

    def _people(self, people: _People, places: Mapping[PlaceId, Place] | None) -> dict[PersonId, Person]:
        reader = self._readers["people.toml"]
        staff: dict[PersonId, Person] = {}
        for at, person in _numbered("person", people.person):
            _check_id(reader, f"{at}.id", person.id)
            for place in sorted(person.places):
                self._check_place(reader, f"{at}.places", place, places)
            for here, contact in _numbered(f"{at}.contact", person.contact):
                # What stands there is personal, so it is not repeated.
                if contact.kind is ContactKind.SMS and not _NUMBER.fullmatch(contact.address):
                    reader.fault(
                        f"{here}.address", 'no telephone number in E.164; write one such as "+15550100"'
                    )
                if contact.kind is ContactKind.EMAIL and not _MAILBOX.fullmatch(contact.address):
                    reader.fault(f"{here}.address", 'no mailbox; write one such as "office@example.org"')
                if not contact.address:
                    reader.fault(f"{here}.address", "empty; write the address")
            staff[person.id] = Person(
                id=person.id,
                name=person.name,
                roles=person.roles,
                places=person.places,
                contacts=person.contact,
            )
        _unique(reader, "person", [person.id for person in people.person], "id")
        return staff

    def _response(
        self,
        plan: ResponsePlan,
        audiences: Mapping[str, AudienceRule],
        staff: Mapping[PersonId, Person],
        wording: WordingSet,
    ) -> None:
        reader = self._readers["response.toml"]
        if not plan.panic.call:
            reader.fault("panic.call", "a panic alarm always calls the PSAP; remove the line")
        said: Iterable[tuple[str, tuple[NoticePlan, ...]]] = (
            ("panic.notices", plan.panic.notices),
            ("medical.notices", plan.medical.notices),
            ("action", plan.action),
            ("acknowledged", plan.acknowledged),
            ("closed", plan.closed),
        )
        self._escalation(plan.escalation, audiences, wording)
        for key, audience in (("audience", plan.families.audience), ("officer", plan.families.officer)):
            if audience and audience not in audiences:
                reader.fault(
                    f"families.{key}", f'audiences.toml has no "{audience}"; known: {_list(audiences)}'
                )
        for table, notices in said:
            for at, notice in _numbered(table, notices):
                if not wording.knows(notice.template):
                    reader.fault(f"{at}.template", f'the wording has no template "{notice.template}"')
                rule = audiences.get(notice.audience)
                if rule is None:
                    reader.fault(
                        f"{at}.audience",
                        f'audiences.toml has no "{notice.audience}"; known: {_list(audiences)}',
                    )
                elif staff and not resolve(rule, staff.values(), at=None, places={}).people:
                    reader.fault(f"{at}.audience", f'"{notice.audience}" comes to nobody in people.toml')

    def _escalation(
        self, plan: EscalationPlan, audiences: Mapping[str, AudienceRule], wording: WordingSet
    ) -> None:
        reader = self._readers["response.toml"]
        for template in plan.templates:
            if readers(template) is not Readers.STAFF:
                reader.fault(
                    "escalation.templates",
                    f'"{template}" is for families; only the staff is waited for: name staff templates',
                )
            elif not wording.knows(template):
                reader.fault("escalation.templates", f'the wording has no template "{template}"')
        if plan.audience and plan.audience not in audiences:
            reader.fault(
                "escalation.audience",
                f'audiences.toml has no "{plan.audience}"; known: {_list(audiences)}',
            )
        if plan.channels and plan.channel_after < _LEAST_WAIT:
            reader.fault("escalation.channel_after", f'shorter than {_LEAST_WAIT:g} s; write "15s"')

    def _check_place(
        self, reader: Reader, at: str, place: PlaceId | None, places: Mapping[PlaceId, Place] | None
    ) -> None:
        if place is not None and places is not None and place not in places:
            reader.fault(at, f'site.toml has no place "{place}"')


def _numbered(table: str, records: Iterable[Any]) -> list[tuple[str, Any]]:
    return [(f"{table}[{number}]", record) for number, record in enumerate(records, start=1)]


def _check_position(reader: Reader, at: str, position: tuple[float, float] | None) -> None:
    if position is not None and not (abs(position[0]) <= 90 and abs(position[1]) <= 180):
        reader.fault(at, "write latitude and longitude in degrees, [44.9778, -93.2650]")


def _unique(reader: Reader, table: str, values: list[str], what: str) -> None:
    seen: dict[str, int] = {}
    for number, value in enumerate(values, start=1):
        if value in seen:
            reader.fault(
                f"{table}[{number}]", f'its {what} "{value.strip()}" is that of {table}[{seen[value]}] too'
            )
        seen.setdefault(value, number)


def _check_id(reader: Reader, at: str, text: str) -> None:
    if not _ID.fullmatch(text):
        reader.fault(at, f'"{text[:60]}" is no id; use 1 to 40 small letters, digits and hyphens')


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
