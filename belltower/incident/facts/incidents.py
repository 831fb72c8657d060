"""Incidents: what is told to do, the alarms that open or join one, and its end."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from belltower.ids import AlarmId, IncidentId, PersonId, PlaceId, UnitId


class Mode(StrEnum):
    """Whether it is real. Without a valid drill token everything is `ACTUAL`."""

    ACTUAL = "actual"
    EXERCISE = "exercise"


class Action(StrEnum):
    """What people are told to do; what they read comes from the wording set."""

    HOLD = "hold"
    SECURE = "secure"
    LOCKDOWN = "lockdown"
    EVACUATE = "evacuate"
    SHELTER = "shelter"


class AlarmKind(StrEnum):
    """What the alarm asks for."""

    PANIC = "panic"
    MEDICAL = "medical"


class AlarmRaised(Struct, frozen=True, kw_only=True, tag="alarm.raised"):
    """Somebody called for help. The entry's subject is the incident it belongs to."""

    alarm: AlarmId
    incident: IncidentId
    kind: AlarmKind
    mode: Mode
    # The spot on the plan; None where the unit has no place bound: it alarms all the same.
    place: PlaceId | None
    # The building of `place`, "" where unknown: what calls are grouped by.
    building: str
    # This is the n-th alarm of this building in this incident, from 1.
    number: int
    # A unit's press names itself by (unit, epoch, counter); a person's act by the person.
    unit: UnitId | None = None
    epoch: int = 0
    counter: int = 0
    person: PersonId | None = None
    # The way it came: mqtt, radio, desk, command.
    path: str = ""
    # A foreign device, and the hash of the profile that judged its message.
    device: str = ""
    profile: str = ""
    # Why it places no call by itself, "" where it does: what sent it cannot prove itself. A person who raises the alarm
    # for the place calls.
    unproven: str = ""


class IncidentOpened(Struct, frozen=True, kw_only=True, tag="incident.opened"):
    """The alarm began a new incident."""

    incident: IncidentId
    alarm: AlarmId
    mode: Mode
    # Site-unique, counted from 1: what people say on the telephone.
    number: int
    # The authorisation of the drill that it belongs to; "" for what is real.
    drill: str = ""


class AlarmJoined(Struct, frozen=True, kw_only=True, tag="alarm.joined"):
    """The alarm belongs to an incident that is open already."""

    incident: IncidentId
    alarm: AlarmId
    building: str
    number: int


class ActionOrdered(Struct, frozen=True, kw_only=True, tag="action.ordered"):
    """Everyone at `places` is to do `action` from now on. No places: the whole campus."""

    action: Action
    places: frozenset[PlaceId] = frozenset()
    by: PersonId | None = None


class IncidentClosed(Struct, frozen=True, kw_only=True, tag="incident.closed"):
    """A person closed it."""

    incident: IncidentId
    by: PersonId
    reason: str = ""


IncidentFact = AlarmRaised | IncidentOpened | AlarmJoined | ActionOrdered | IncidentClosed
