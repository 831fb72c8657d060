"""An Emergency Incident Data Object as records: the part of NENA-STA-021.1 that a school sends and reads.

The records are core-subset.schema.json in code; tests hold the two to the same verdict. What they do not name is
allowed and ignored, as there.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from belltower.errors import Malformed

MEDIA_TYPE = "application/emergency.eido+json"
MOST = 1 << 20
"""Octets of one document at most."""

Id = Annotated[str, Meta(min_length=1)]
IncidentURN = Annotated[str, Meta(pattern=r"^urn:emergency:uid:[Ii]ncidentid:[^:]+:.+$")]
Timestamp = Annotated[
    str,
    Meta(
        pattern=(
            r"\A[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
            r"[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
            r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])\Z"
        )
    ),
]
"""RFC 3339, 5.6."""

AgencyRole = Literal[
    "Assisting", "CallReceiving", "Dispatched", "Dispatching", "Informational", "TransferredTo"
]
LocationKind = Literal[
    "RoutingLocation",
    "Caller",
    "CurrentIncident",
    "InitialIncident",
    "Investigation",
    "Other",
    "Staging",
    "TowerLocation",
    "UnitLocation",
]


class IncidentStatus(StrEnum):
    """The registry of incident states."""

    ACTIVE = "Active"
    CANCELLED = "Cancelled"
    CLOSED = "Closed"
    FIRE_UNDER_CONTROL = "FireUnderControl"
    NEW_LOCATION = "NewLocation"
    REOPENED = "ReOpened"
    ASSIGNED = "ResourcesAssigned"
    ENROUTE = "ResourcesEnroute"
    ONSCENE = "ResourcesOnscene"
    CLEARED = "StructureCleared"


class Reference(Struct, frozen=True, kw_only=True):
    """Another component by its id."""

    ref: Id = field(name="$ref")


class Prologue(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What every component begins with."""

    id: Id = field(name="$id")
    last_update_time_stamp: Timestamp
    updated_by_agency_reference: Reference
    updated_by_agent_reference: Reference | UnsetType = UNSET


class Agency(Prologue, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An organisation that has to do with the incident."""

    agency_role_description_registry_text: Annotated[tuple[AgencyRole, ...], Meta(min_length=1)]
    agency_type: Annotated[tuple[str, ...], Meta(min_length=1)]
    incident_owning_agency_indicator: bool | UnsetType = UNSET
    agency_jcard: str | UnsetType = UNSET
    notes_reference: tuple[Reference, ...] = ()


class Agent(Prologue, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A person or machine of an agency."""

    agent_role_registry_text: Annotated[tuple[str, ...], Meta(min_length=1)]
    agency_reference: Reference
    agent_workstation_position_identification: str | UnsetType = UNSET


class IncidentInformation(Prologue, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What the incident is and how it stands."""

    incident_type_common_registry_text: str
    incident_type_internal_code: str | UnsetType = UNSET
    incident_type_internal_text: str | UnsetType = UNSET
    incident_status_common_registry_text: tuple[IncidentStatus, ...] = ()
    internal_incident_id: str | UnsetType = UNSET
    incident_common_priority_number: int | float | UnsetType = UNSET
    location_reference: tuple[Reference, ...] = ()
    notes_reference: tuple[Reference, ...] = ()
    agent_reference: tuple[Reference, ...] = ()
    person_reference: tuple[Reference, ...] = ()

    def __post_init__(self) -> None:
        """A priority is a whole number, as JSON schema understands it: 1.0 is."""
        number = self.incident_common_priority_number
        if isinstance(number, float) and not number.is_integer():
            raise ValueError("Expected `int` in incidentCommonPriorityNumber, got a fraction")


class Location(Prologue, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A place; by value it is a whole PIDF-LO as a string."""

    location_type_description_registry_text: LocationKind
    location_by_value: str | UnsetType = UNSET
    location_by_reference_url: str | UnsetType = UNSET
    location_description_text: str | UnsetType = UNSET
    notes_reference: tuple[Reference, ...] = ()


class AlarmSensor(Prologue, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An alarm system's own data, in exactly one of two ways."""

    csaa_alarm_information: str | UnsetType = UNSET
    alarm_url: str | UnsetType = UNSET
    agent_reference: Reference | UnsetType = UNSET
    notes_reference: tuple[Reference, ...] = ()

    def __post_init__(self) -> None:
        """Either the data or where they are."""
        if (self.csaa_alarm_information is UNSET) == (self.alarm_url is UNSET):
            raise ValueError("Expected exactly one of csaaAlarmInformation and alarmUrl")


class Note(Prologue, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Plain words."""

    notes_action_comments: str
    agent_reference: Reference | UnsetType = UNSET


class Document(Prologue, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One incident as one system knows it."""

    id: IncidentURN = field(name="$id")
    eido_version: Literal["1.0"]
    issuing_element_identification: str
    incident_component: IncidentInformation | UnsetType = UNSET
    agency_component: Annotated[tuple[Agency, ...], Meta(min_length=1)]
    agent_component: tuple[Agent, ...] = ()
    location_component: tuple[Location, ...] = ()
    alarms_sensors_component: tuple[AlarmSensor, ...] = ()
    notes_component: tuple[Note, ...] = ()
    call_component: tuple[Any, ...] = ()
    callback_component: tuple[Any, ...] = ()
    dispatch_component: tuple[Any, ...] = ()
    emergency_resource_component: tuple[Any, ...] = ()
    additional_data_component: tuple[Any, ...] = ()
    person_component: tuple[Any, ...] = ()
    vehicle_component: tuple[Any, ...] = ()
    merge_component: tuple[Any, ...] = ()
    link_component: tuple[Any, ...] = ()


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Document)


def encode(document: Document) -> bytes:
    """The document as JSON."""
    return _ENCODER.encode(document)


def parse(octets: bytes) -> Document:
    """The document in `octets`, which fits core-subset.schema.json.

    Raises:
        Malformed: it is longer than `MOST`, is no JSON, or does not fit; the message names the path.
    """
    if len(octets) > MOST:
        raise Malformed(f"EIDO: {len(octets)} octets, at most {MOST} are read")
    try:
        # What is not read would not be looked at otherwise.
        return _DECODER.decode(octets if octets.isascii() else octets.decode())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"EIDO: {error}") from None
    except RecursionError:
        raise Malformed("EIDO: it is nested too deeply") from None


def dangling(document: Document) -> tuple[str, ...]:
    """What a schema cannot see: references of ours that no component of the document answers, by path."""
    known = {
        component.id
        for components in (
            document.agency_component,
            document.agent_component,
            document.location_component,
            document.notes_component,
        )
        for component in components
    }
    named: list[tuple[str, Reference | UnsetType]] = [
        ("$.updatedByAgencyReference", document.updated_by_agency_reference),
        ("$.updatedByAgentReference", document.updated_by_agent_reference),
    ]
    incident = document.incident_component
    if not isinstance(incident, UnsetType):
        for name, references in (
            ("locationReference", incident.location_reference),
            ("notesReference", incident.notes_reference),
            ("agentReference", incident.agent_reference),
        ):
            named += [(f"$.incidentComponent.{name}[{at}]", one) for at, one in enumerate(references)]
    for at, agent in enumerate(document.agent_component):
        named.append((f"$.agentComponent[{at}].agencyReference", agent.agency_reference))
    return tuple(path for path, one in named if not isinstance(one, UnsetType) and one.ref not in known)
