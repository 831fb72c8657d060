"""A call, its further presses and its updates as documents of what this school knows.

One document per call, that is per building of an incident: a document is the whole state of its id, so that two
buildings under one id would hide each other. What the ids carry ties every answer to its call without any memory:

    urn:emergency:uid:incidentid:C12-I3-K0A1B2C3D:belltower.school.example
                                  |   |  last 8 characters of the call's id
                                  |   the school's incident number
                                  call number; EX- stands before it in an exercise
"""

from __future__ import annotations

import re
from typing import assert_never

from msgspec import UNSET, Struct, UnsetType

from belltower.clock import Instant, aware
from belltower.incident.facts import AlarmKind, UpdateKind
from floorplans.campus import Campus
from gateway.psap.eido.document import (
    Agency,
    Document,
    IncidentInformation,
    IncidentStatus,
    Location,
    LocationKind,
    Note,
    Reference,
)
from gateway.psap.link import Call, ExerciseCall, LiveCall, Spot, Update
from gateway.psap.place import located
from gateway.psap.radio_text import key_of
from gateway.psap.ranges import NONE, Ranges, spelt

UNSTAMPED = "0001-01-01T00:00:00.000+00:00"
"""Stands for the time of day in further presses and updates until they are sent for the first time."""

TYPES = {AlarmKind.PANIC: "ALRPANS", AlarmKind.MEDICAL: "ALRMED"}
"""APCO 2.103.2: a silent panic alarm, a medical alarm."""
EXERCISE_TYPE = "NONEMERG"
"""What an exercise is to whoever reads the type alone."""

_ID = re.compile(r"urn:emergency:uid:[Ii]ncidentid:(EX-)?C([0-9]{1,19})-I([0-9]{1,19})-K([0-9A-Z]{8}):(.+)")
_TOKEN = re.compile(r"\bC([0-9]{1,19}) I([0-9]{1,19}) K([0-9A-Z]{8})\b(?: U([0-9]{1,9})\b)?")


class Issuer(Struct, frozen=True, kw_only=True):
    """Who we are in our documents."""

    # The fully qualified name of this machine.
    element: str
    # Our domain: the school's agency.
    agency: str
    campus: Campus


class CallName(Struct, frozen=True, kw_only=True):
    """What names a call of ours to others."""

    number: int
    incident: int
    key: str
    exercise: bool = False

    @property
    def spoken(self) -> str:
        """As it stands in notes: `C12 I3 K0A1B2C3D`."""
        return f"C{self.number} I{self.incident} K{self.key}"


def name_of(call: Call) -> CallName:
    """The call's name."""
    order = call.order
    return CallName(
        number=order.number,
        incident=order.incident_number,
        key=key_of(order.call),
        exercise=isinstance(call, ExerciseCall),
    )


def incident_id(name: CallName, element: str) -> str:
    """The id of the call's document, the same for ever."""
    prefix = "EX-" if name.exercise else ""
    return f"urn:emergency:uid:incidentid:{prefix}C{name.number}-I{name.incident}-K{name.key}:{element}"


def named_by(id_: str, element: str) -> CallName | None:
    """The call of ours that this incident id names; None: it is another's."""
    found = _ID.fullmatch(id_)
    if found is None or found[5].lower() != element.lower():
        return None
    return CallName(number=int(found[2]), incident=int(found[3]), key=found[4], exercise=found[1] is not None)


def named_in(text: str) -> tuple[CallName, ...]:
    """The calls that are named in a note."""
    return tuple(
        CallName(number=int(number), incident=int(incident), key=key)
        for number, incident, key, _ in _TOKEN.findall(text)
    )


def updates_named_in(text: str) -> tuple[tuple[CallName, int], ...]:
    """The updates of calls that are named in a note: `C12 I3 K0A1B2C3D U2`."""
    return tuple(
        (CallName(number=int(number), incident=int(incident), key=key), int(update))
        for number, incident, key, update in _TOKEN.findall(text)
        if update
    )


def write(
    issuer: Issuer,
    call: Call,
    *,
    further: Ranges = NONE,
    update: Update | None = None,
    stamp: str = UNSTAMPED,
) -> Document:
    """The call as it stands: with the further alarms of its building, cancelled or corrected.

    `stamp` is the time of the further alarms or the update; the call's own is known. The state stays Active when the
    school cancels: only a person at the PSAP calls help off, after reading it back.
    """
    notes: list[tuple[str, str]] = []
    moved: Spot | None = None
    if further:
        notes.append(("further", f"Further alarms in this building: {spelt(further)}."))
    match update.order.kind if update is not None else None:
        case UpdateKind.CANCEL:
            words = (
                "THE SCHOOL ASKS TO CANCEL THIS CALL. It counts once a telecommunicator has read it back; "
                "until then help is still asked for."
            )
            notes.append(("update", words))
        case UpdateKind.PLACE:
            moved = (update.spot if update is not None else None) or call.spot
            words = f"CORRECTED PLACE: help is needed at {moved.spoken}, not at {call.place}. Read this back."
            notes.append(("update", words))
        case None:
            pass
        case other:
            assert_never(other)
    number = update.order.update if update is not None else 0
    return _document(issuer, call, notes, moved, number, stamp if notes else timestamp(call.at))


def timestamp(at: Instant) -> str:
    """`at` with milliseconds and an offset, as NENA writes it."""
    return aware(at).isoformat(timespec="milliseconds")


def _document(
    issuer: Issuer, call: Call, added: list[tuple[str, str]], moved: Spot | None, update: int, stamp: str
) -> Document:
    name = name_of(call)
    id_ = incident_id(name, issuer.element)
    ours = Reference(ref=issuer.agency)
    first = timestamp(call.at)

    def place(kind: LocationKind, part: str, spot: Spot, at: str) -> Location:
        value = located(spot, issuer.campus, domain=issuer.agency, at=call.at)
        return Location(
            id=f"{id_}#{part}",
            last_update_time_stamp=at,
            updated_by_agency_reference=ours,
            location_type_description_registry_text=kind,
            location_by_value=UNSET if value is None else value,
            location_description_text=_described(spot, issuer.campus),
        )

    def note(part: str, text: str, at: str) -> Note:
        return Note(
            id=f"{id_}#{part}",
            last_update_time_stamp=at,
            updated_by_agency_reference=ours,
            notes_action_comments=text,
        )

    notes = [note("note", _words(issuer.campus, call, name), first)]
    status: tuple[IncidentStatus, ...] = (IncidentStatus.ACTIVE,)
    opening = "EXERCISE. " if isinstance(call, ExerciseCall) else ""
    notes += [
        note(part, f"{opening}{words} [{name.spoken}{f' U{update}' if part == 'update' else ''}]", stamp)
        for part, words in added
    ]
    locations: tuple[Location, ...]
    if moved is None:
        locations = (place("CurrentIncident", "place", call.spot, first),)
    else:
        status = (IncidentStatus.ACTIVE, IncidentStatus.NEW_LOCATION)
        locations = (
            place("CurrentIncident", "place", moved, stamp),
            place("InitialIncident", "first-place", call.spot, first),
        )
    return Document(
        id=id_,
        last_update_time_stamp=stamp,
        updated_by_agency_reference=ours,
        eido_version="1.0",
        issuing_element_identification=issuer.element,
        incident_component=_incident(call, name, id_, ours, stamp, status, locations, notes),
        agency_component=(
            Agency(
                id=issuer.agency,
                last_update_time_stamp=first,
                updated_by_agency_reference=ours,
                agency_role_description_registry_text=("Informational",),
                agency_type=("school",),
            ),
        ),
        location_component=locations,
        notes_component=tuple(notes),
    )


def _incident(
    call: Call,
    name: CallName,
    id_: str,
    ours: Reference,
    stamp: str,
    status: tuple[IncidentStatus, ...],
    locations: tuple[Location, ...],
    notes: list[Note],
) -> IncidentInformation:
    kind = call.order.kind
    text: str | UnsetType = UNSET
    priority: int | UnsetType = UNSET
    match call:
        case LiveCall():
            common, code, priority = TYPES[kind], kind.upper(), 1
        case ExerciseCall():
            common, code, text = EXERCISE_TYPE, "EXERCISE", f"EXERCISE of a {kind} alarm"
        case other:
            assert_never(other)
    return IncidentInformation(
        id=f"{id_}#incident",
        last_update_time_stamp=stamp,
        updated_by_agency_reference=ours,
        incident_type_common_registry_text=common,
        incident_type_internal_code=code,
        incident_type_internal_text=text,
        incident_status_common_registry_text=status,
        internal_incident_id=name.spoken,
        incident_common_priority_number=priority,
        location_reference=tuple(Reference(ref=location.id) for location in locations),
        notes_reference=tuple(Reference(ref=note.id) for note in notes),
    )


def _words(campus: Campus, call: Call, name: CallName) -> str:
    what = {AlarmKind.PANIC: "Silent panic alarm", AlarmKind.MEDICAL: "Medical alarm"}[call.order.kind]
    where = _described(call.spot, campus)
    office = f" The school's office: {campus.telephone}." if campus.telephone else ""
    match call:
        case LiveCall():
            silence = " Do not call the room back." if call.order.kind is AlarmKind.PANIC else ""
            return f"{what}: {where}.{silence}{office} [{name.spoken}]"
        case ExerciseCall():
            return (
                f"EXERCISE. Nobody needs help; this exercise was agreed with the centre. {what}: {where}."
                f"{office} [{name.spoken}]"
            )
        case other:
            assert_never(other)


def _described(spot: Spot, campus: Campus) -> str:
    level = f"level {spot.level}" if spot.level else ""
    building = spot.building_name or spot.building
    return ", ".join(part for part in (spot.spoken, building, level, campus.name) if part)
