"""What another system's document says of a call of ours. Lenient in form, strict in meaning.

A county's documents hold much that is none of our business; only the few fields that matter are read, whether or not
the rest would pass our schema. A document is about our call when

    1. its own id is our call's, or
    2. its linkComponent (unless UNLINK) or mergeComponent (unless SPLIT) names our call's id, or
    3. its internalIncidentId or a note names the call as our documents do: C12 I3 K0A1B2C3D

and a *person* has the call only when it is so by 1 or by a merge: links and notes tell of another call as well, which
somebody else may have. Then a callComponent has an answerDate and an agentReference to an agent of the document who
belongs to an agency of the document that is not ours, in a role of `PERSON_ROLES`. An update is read back when such an
agent is also the incidentComponent's updatedByAgentReference and the state is what the update asks for; which update
it was is known only from a note of such an agent that names it: C12 I3 K0A1B2C3D U2
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256

import msgspec
from msgspec import Struct, field

from belltower.errors import Malformed
from belltower.incident.facts import ResponseStatus, UpdateKind
from gateway.psap.eido.document import MOST, IncidentStatus
from gateway.psap.eido.writing import CallName, named_by, named_in, updates_named_in

PERSON_ROLES = frozenset({"calltaking", "dispatching"})
"""Roles that a person has, without spaces and in small letters. Ours, an automaton's, is not among them."""

_NAMED_MOST = 16


class Said(Struct, frozen=True, kw_only=True):
    """What one document says of calls of ours."""

    calls: tuple[CallName, ...]
    status: ResponseStatus | None
    # Those of them that it is about as a whole: its own id is theirs, or it is merged with them.
    own: tuple[CallName, ...]
    # Who has those calls: a position or a code, never a name; "" for nobody.
    person: str
    # Which update a person has evidently understood, and that person.
    read_back: UpdateKind | None
    read_by: str
    # The number of that update, where a person's note says it; 0: it is not said.
    read_number: int = 0


class _Reference(Struct, frozen=True):
    ref: str | None = field(name="$ref", default=None)


class _Incident(Struct, frozen=True, rename="camel"):
    incident_status_common_registry_text: tuple[str, ...] | None = None
    internal_incident_id: str | None = None
    updated_by_agent_reference: _Reference | None = None


class _Related(Struct, frozen=True, rename="camel"):
    incident_tracking_identifier: str | None = None
    link_direction_code: str | None = None
    incident_merge_direction_code: str | None = None


class _Call(Struct, frozen=True, rename="camel"):
    answer_date: str | None = None
    agent_reference: tuple[_Reference, ...] | None = None


class _Agency(Struct, frozen=True, rename="camel"):
    id: str | None = field(name="$id", default=None)


class _Agent(Struct, frozen=True, rename="camel"):
    id: str | None = field(name="$id", default=None)
    agent_role_registry_text: tuple[str, ...] | None = None
    agency_reference: _Reference | None = None
    agent_workstation_position_identification: str | None = None


class _Note(Struct, frozen=True, rename="camel"):
    notes_action_comments: str | None = None
    updated_by_agent_reference: _Reference | None = None


class _Document(Struct, frozen=True, rename="camel"):
    id: str = field(name="$id")
    incident_component: _Incident | None = None
    agency_component: tuple[_Agency, ...] | None = None
    agent_component: tuple[_Agent, ...] | None = None
    call_component: tuple[_Call, ...] | None = None
    notes_component: tuple[_Note, ...] | None = None
    link_component: tuple[_Related, ...] | None = None
    merge_component: tuple[_Related, ...] | None = None


_DECODER = msgspec.json.Decoder(_Document)


def read(octets: bytes, *, element: str, agency: str) -> Said | None:
    """What the document says of calls of the school whose machine is `element` and whose agency is `agency`.

    None: it is about none of them.

    Raises:
        Malformed: it is too long, no JSON, or one of the fields that matter is of another type.
    """
    if len(octets) > MOST:
        raise Malformed(f"EIDO: {len(octets)} octets, at most {MOST} are read")
    try:
        document = _DECODER.decode(octets if octets.isascii() else octets.decode())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"EIDO: {error}") from None
    except RecursionError:
        raise Malformed("EIDO: it is nested too deeply") from None
    own = _distinct(_own(document, element))
    calls = _distinct((*own, *_mentioned(document, element)))
    if not calls:
        return None
    incident = document.incident_component or _Incident()
    states = frozenset(incident.incident_status_common_registry_text or ())
    people = dict(_people(document, agency)) if own else {}
    updater = people.get(_ref(incident.updated_by_agent_reference), "")
    return Said(
        calls=calls,
        status=_status(states),
        own=own,
        person=_answerer(document, people),
        read_back=_read_back(states) if updater else None,
        read_by=updater,
        read_number=_number(document, own, people) if updater else 0,
    )


def _number(document: _Document, own: tuple[CallName, ...], people: dict[str, str]) -> int:
    """The latest update that a person names in a note of their own."""
    names = {(name.number, name.key) for name in own}
    said = [
        number
        for note in document.notes_component or ()
        if _ref(note.updated_by_agent_reference) in people
        for name, number in updates_named_in(note.notes_action_comments or "")
        if (name.number, name.key) in names
    ]
    return max(said, default=0)


def _distinct(names: Iterable[CallName]) -> tuple[CallName, ...]:
    found: dict[tuple[int, str], CallName] = {}
    for name in names:
        found.setdefault((name.number, name.key), name)
        if len(found) == _NAMED_MOST:
            break
    return tuple(found.values())


def _own(document: _Document, element: str) -> Iterator[CallName]:
    yield from _named(document.id, element)
    for one in document.merge_component or ():
        if one.incident_merge_direction_code != "SPLIT":
            yield from _named(one.incident_tracking_identifier or "", element)


def _mentioned(document: _Document, element: str) -> Iterator[CallName]:
    for one in document.link_component or ():
        if one.link_direction_code != "UNLINK":
            yield from _named(one.incident_tracking_identifier or "", element)
    incident = document.incident_component or _Incident()
    yield from named_in(incident.internal_incident_id or "")
    for note in document.notes_component or ():
        yield from named_in(note.notes_action_comments or "")


def _named(id_: str, element: str) -> Iterator[CallName]:
    if (name := named_by(id_, element)) is not None:
        yield name


def _people(document: _Document, agency: str) -> Iterator[tuple[str, str]]:
    agencies = {one.id for one in document.agency_component or () if one.id} - {agency}
    for agent in document.agent_component or ():
        roles = {role.replace(" ", "").lower() for role in agent.agent_role_registry_text or ()}
        if agent.id and roles & PERSON_ROLES and _ref(agent.agency_reference) in agencies:
            yield agent.id, _code(agent.agent_workstation_position_identification or "", agent.id)


def _answerer(document: _Document, people: dict[str, str]) -> str:
    answered: Iterable[_Call] = (one for one in document.call_component or () if one.answer_date)
    for call in answered:
        for reference in call.agent_reference or ():
            if (person := people.get(_ref(reference))) is not None:
                return person
    return ""


def _status(states: frozenset[str]) -> ResponseStatus | None:
    over = {IncidentStatus.CLOSED, IncidentStatus.CANCELLED}
    if states & over and IncidentStatus.REOPENED not in states:
        return ResponseStatus.CLOSED
    for state, status in (
        (IncidentStatus.ONSCENE, ResponseStatus.ONSCENE),
        (IncidentStatus.ENROUTE, ResponseStatus.ENROUTE),
        (IncidentStatus.ASSIGNED, ResponseStatus.ASSIGNED),
    ):
        if state in states:
            return status
    return None


def _read_back(states: frozenset[str]) -> UpdateKind | None:
    if IncidentStatus.CANCELLED in states:
        return UpdateKind.CANCEL
    return UpdateKind.PLACE if IncidentStatus.NEW_LOCATION in states else None


def _code(position: str, agent: str) -> str:
    """A position is no name; an agent's id may be one, and becomes a code."""
    if re.fullmatch(r"[A-Za-z0-9-]{1,16}", position):
        return position
    return "A-" + sha256(agent.encode("utf-8", "surrogatepass")).hexdigest()[:8].upper()


def _ref(reference: _Reference | None) -> str:
    return (reference.ref if reference is not None else None) or ""
