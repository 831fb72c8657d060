"""One incident of the school as the county's dispatch system knows it: read from EIDO, and told back in EIDO; pure."""

from __future__ import annotations

import re

from msgspec import UNSET, Struct

from belltower.clock import Instant
from belltower.errors import Malformed
from belltower.incident.facts import ResponseStatus
from gateway.psap import pidf
from gateway.psap.eido import writing
from gateway.psap.eido.document import (
    Agency,
    Agent,
    Document,
    IncidentInformation,
    IncidentStatus,
    Note,
    Reference,
)
from gateway.psap.eido.writing import CallName
from gateway.psap.ranges import Ranges, union

_TEST = re.compile(r"T([0-9]{1,19})-([0-9A-Z]{8})\.")
_FURTHER = re.compile(r"Further alarms in this building: ([0-9,-]+)\.")
_KINDS = {code: kind.value for kind, code in writing.TYPES.items()}
_STATES = {
    ResponseStatus.ASSIGNED: IncidentStatus.ASSIGNED,
    ResponseStatus.ENROUTE: IncidentStatus.ENROUTE,
    ResponseStatus.ONSCENE: IncidentStatus.ONSCENE,
    ResponseStatus.CLOSED: IncidentStatus.CLOSED,
}


class Case(Struct, frozen=True, kw_only=True):
    """One incident."""

    id: str
    name: CallName
    # Its type in the registry.
    type: str
    # What the school asks to have read back: "cancel", "correct" or "".
    asked: str = ""
    # The number of that update; 0: there is none.
    update: int = 0
    # Who answered, who read back last and which update, and how far responders are; empty: nobody, nothing.
    by: str = ""
    read_by: str = ""
    read: str = ""
    read_update: int = 0
    status: ResponseStatus | None = None

    @property
    def told(self) -> bool:
        """Whether there is anything that the school does not know."""
        return bool(self.by or self.read_by or self.status)


class Told(Struct, frozen=True, kw_only=True):
    """What a document of the school says."""

    case: Case
    kind: str
    place: str
    building: str
    presses: Ranges


def test_in(transaction: str) -> tuple[int, str] | None:
    """The number and key of the marked test that an empty event is."""
    found = _TEST.match(transaction)
    return (int(found[1]), found[2]) if found is not None else None


def read(told: Document) -> Told:
    """A document of the school; `Malformed` when it is none."""
    name = writing.named_by(told.id, told.issuing_element_identification)
    incident = told.incident_component
    if name is None or not isinstance(incident, IncidentInformation):
        raise Malformed("EIDO: it names no call of the element that issued it")
    words = " ".join(note.notes_action_comments for note in told.notes_component)
    place, building = _place(told)
    asked = "cancel" if "THE SCHOOL ASKS TO CANCEL" in words else ""
    type_ = incident.incident_type_common_registry_text
    return Told(
        case=Case(
            id=told.id,
            name=name,
            type=type_,
            asked=asked or ("correct" if "CORRECTED PLACE" in words else ""),
            update=max((number for _, number in writing.updates_named_in(words)), default=0),
        ),
        kind=_KINDS.get(type_) or ("medical" if "Medical alarm" in words else "panic"),
        place=place,
        building=building,
        presses=union(((1, 1),), _further(words)),
    )


def write(case: Case, *, element: str, now: Instant) -> Document:
    """What the county tells of the case."""
    agency = element.partition(".")[2]
    stamp = writing.timestamp(now)
    ours = Reference(ref=agency)
    states = [IncidentStatus.ACTIVE]
    if case.status is not None:
        states.append(_STATES[case.status])
    if case.read_by:
        states.append(IncidentStatus.CANCELLED if case.read == "cancel" else IncidentStatus.NEW_LOCATION)
    answer = {
        "$id": f"{case.id}#answer",
        "lastUpdateTimeStamp": stamp,
        "updatedByAgencyReference": {"$ref": agency},
        "standardPrimaryCallType": "emergency",
        "direction": "incoming",
        "callStartTimestamp": stamp,
        "callStateRegistryText": "active",
        "answerDate": stamp,
        "agentReference": [{"$ref": _agent(case.by, agency)}],
    }
    return Document(
        id=case.id,
        last_update_time_stamp=stamp,
        updated_by_agency_reference=ours,
        eido_version="1.0",
        issuing_element_identification=element,
        incident_component=IncidentInformation(
            id=f"{case.id}#cad",
            last_update_time_stamp=stamp,
            updated_by_agency_reference=ours,
            updated_by_agent_reference=Reference(ref=_agent(case.read_by, agency)) if case.read_by else UNSET,
            incident_type_common_registry_text=case.type,
            incident_status_common_registry_text=tuple(states),
        ),
        agency_component=(
            Agency(
                id=agency,
                last_update_time_stamp=stamp,
                updated_by_agency_reference=ours,
                agency_role_description_registry_text=("CallReceiving", "Dispatching"),
                agency_type=("psap",),
            ),
        ),
        agent_component=tuple(
            Agent(
                id=_agent(by, agency),
                last_update_time_stamp=stamp,
                updated_by_agency_reference=ours,
                agent_role_registry_text=("Call Taking",),
                agency_reference=ours,
                agent_workstation_position_identification=by,
            )
            for by in dict.fromkeys(by for by in (case.by, case.read_by) if by)
        ),
        call_component=(answer,) if case.by else (),
        notes_component=(
            (
                Note(
                    id=f"{case.id}#read-back",
                    last_update_time_stamp=stamp,
                    updated_by_agency_reference=ours,
                    updated_by_agent_reference=Reference(ref=_agent(case.read_by, agency)),
                    notes_action_comments=f"Read back: {case.name.spoken} U{case.read_update}",
                ),
            )
            if case.read_update
            else ()
        ),
    )


def _agent(by: str, agency: str) -> str:
    return f"{by.lower()}@{agency}"


def _place(told: Document) -> tuple[str, str]:
    """What the current place is called, and its building."""
    for location in told.location_component:
        if location.location_type_description_registry_text != "CurrentIncident":
            continue
        if isinstance(location.location_by_value, str):
            try:
                civic = dict(pidf.parse(location.location_by_value.encode())[0].civic)
            except (Malformed, IndexError):
                continue
            return civic.get("LOC", ""), civic.get("BLD", "")
    return "", ""


def _further(words: str) -> Ranges:
    found = _FURTHER.search(words)
    told: Ranges = ()
    for part in found[1].split(",") if found else ():
        first, _, last = part.partition("-")
        told = union(told, ((int(first), int(last or first)),))
    return told
