"""EIDO 1.0 documents (NENA-STA-021.1) and the messages that convey them (NENA-STA-024.1)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from belltower.errors import Malformed
from gateway.psap.eido import conveyance, document, writing
from gateway.psap.explain import Explanation
from gateway.psap.explain._building import Lines, printable

FORMAT = "EIDO"

_KEY = re.compile(rb'\{\s*"(' + "|".join(conveyance.KEYS).encode() + rb')"\s*:')
_READ = json.JSONDecoder(strict=False)
_SPACE = " \t\r\n"
_TYPES = {
    "ALRPANS": "a silent panic alarm",
    "ALRPANA": "an audible panic alarm",
    "ALMH": "a hold-up, duress or panic alarm",
    "ALRMED": "a medical alarm",
    "ALRF": "a fire alarm",
    "ALRPULL": "a fire alarm pulled by hand",
    "ACTSHOOT": "an active shooter",
    "NONEMERG": "no emergency",
}
_STATES = {
    "Active": "active",
    "ResourcesAssigned": "responders are assigned",
    "ResourcesEnroute": "responders are on the way",
    "ResourcesOnscene": "responders are there",
    "NewLocation": "the place was corrected",
    "Closed": "closed",
    "Cancelled": "cancelled",
    "ReOpened": "opened again",
}
_MESSAGES = {
    "subscribe": "asks to be told of incidents",
    "subscribeResponse": "answers a request to be told of incidents",
    "unsubscribe": "asks to be told no more",
    "unsubscribeResponse": "answers a request to be told no more",
    "event": "tells of incidents",
    "eventResponse": "says what became of an event",
    "terminate": "ends a subscription",
    "terminateResponse": "takes note that a subscription was ended",
}
_FIELDS = {
    "eidoVersion": "the version of the format",
    "issuingElementIdentification": "the system that issues it",
    "lastUpdateTimeStamp": "when it was changed last",
    "updatedByAgencyReference": "the agency that changed it last",
    "updatedByAgentReference": "the agent who changed it last",
    "requestId": "names the request; its answer has the same",
    "requestType": "what is asked for",
    "requestSubType": '"new": every incident; "single": one',
    "requestAccepts": "which format and versions are understood",
    "qualFilter": "a filter",
    "minRate": "milliseconds without an event after which an empty one is wanted",
    "expires": "seconds until the subscription ends",
    "subscriptionId": "names the subscription",
    "incidentId": "the one incident",
    "transactionId": "names the event; its eventResponse has the same",
    "statusText": "the outcome in words",
}


class _Member(NamedTuple):
    key: str
    value: Any
    at: int
    end: int


def likely(octets: bytes) -> int:
    """A JSON object with a key of the conveyance, or with what every EIDO has."""
    head = octets.lstrip()[:4096]
    if not head.startswith(b"{"):
        return 0
    if _KEY.match(head):
        return 95
    if b'"eidoVersion"' in octets or b"urn:emergency:uid:incidentid:" in head:
        return 95
    return 15 if b'"$id"' in head else 0


def explain(octets: bytes) -> Explanation:
    """One document or one message."""
    lines = Lines(octets)
    try:
        members = list(_members(octets.decode("latin-1"), 0))
    except (ValueError, RecursionError) as error:
        lines.fault(f"it is no JSON object: {error}")
        lines.add(0, len(octets), "not understood")
        return _explanation(lines, "no EIDO")
    if len(members) == 1 and members[0].key in conveyance.KEYS:
        return _message(octets, members[0], lines)
    try:
        document_ = document.parse(octets)
    except Malformed as error:
        lines.fault(str(error).removeprefix("EIDO: "))
    else:
        for path in document.dangling(document_):
            lines.fault(f"{path} refers to a component that is not there")
    for member in members:
        lines.add(member.at, member.end, _says(member.key, member.value))
    return _explanation(lines, _summary({member.key: member.value for member in members}))


def _message(octets: bytes, wrapper: _Member, lines: Lines) -> Explanation:
    try:
        conveyance.decode(octets, most=conveyance.EVENT_MOST)
    except Malformed as error:
        lines.fault(str(error).removeprefix("EIDO conveyance: "))
    summary = f"{wrapper.key}: {_MESSAGES[wrapper.key]}"
    text = octets.decode("latin-1")
    start = wrapper.at + text[wrapper.at :].index(":") + 1
    try:
        members = list(_members(text, start))
    except (ValueError, RecursionError):
        members = []
        lines.add(0, len(octets), "not understood")
    for member in members:
        if member.key == "notification" and isinstance(member.value, list):
            summary += f"; {_told(member.value)}"
            lines.add(member.at, member.end, f"the documents: {_told(member.value)}")
            _judge(member.value, lines)
        else:
            lines.add(member.at, member.end, _says(member.key, member.value))
    return _explanation(lines, summary)


def _judge(documents: list[Any], lines: Lines) -> None:
    for number, told in enumerate(documents, 1):
        try:
            document.parse(json.dumps(told, ensure_ascii=False).encode("latin-1", "replace"))
        except (Malformed, RecursionError) as error:
            lines.fault(f"document {number}: {str(error).removeprefix('EIDO: ')}")


def _told(documents: list[Any]) -> str:
    if not documents:
        return "no incident, a sign of life"
    return "; ".join(_summary(each) if isinstance(each, dict) else "no document" for each in documents[:20])


def _summary(document_: dict[str, Any]) -> str:
    incident = document_.get("incidentComponent")
    what = _incident(incident) if isinstance(incident, dict) else "an incident"
    return f"{what}; {_named(document_.get('$id'))}"


def _named(id_: Any) -> str:
    if not isinstance(id_, str):
        return "without an id"
    element = id_.rpartition(":")[2]
    name = writing.named_by(id_, element)
    if name is None:
        return f"the incident {_text(id_)}"
    drill = "EXERCISE, " if name.exercise else ""
    return f"{drill}call {name.number} of the school's incident {name.incident}, key {name.key}, of {_text(element)}"


def _incident(incident: dict[str, Any]) -> str:
    code = incident.get("incidentTypeCommonRegistryText")
    states = incident.get("incidentStatusCommonRegistryText")
    words = _TYPES.get(code, "an incident") if isinstance(code, str) else "an incident without a type"
    told = ", ".join(
        _STATES.get(each, _text(each)) if isinstance(each, str) else "?"
        for each in (states if isinstance(states, list) else [])
    )
    return f"{words} ({_text(code)})" + (f": {told}" if told else "")


def _says(key: str, value: Any) -> str:
    match key, value:
        case "$id", _:
            return _named(value)
        case "incidentComponent", dict():
            return f"the incident: {_incident(value)}"
        case "locationComponent", list():
            return "where: " + "; ".join(_place(each) for each in value[:8])
        case "notesComponent", list():
            return "notes: " + " / ".join(_field(each, "notesActionComments") for each in value[:8])
        case "agencyComponent", list():
            return "agencies: " + ", ".join(_field(each, "$id") for each in value[:8])
        case "agentComponent", list():
            return f"agents, persons or machines of those agencies: {len(value)}"
        case "callComponent", list():
            answered = any(isinstance(each, dict) and each.get("answerDate") for each in value)
            return "calls" + (", one of them answered" if answered else "")
        case _, dict() if isinstance(value.get("$ref"), str):
            return f"{_FIELDS.get(key, key)}: {_text(value['$ref'])}"
        case "statusCode", int():
            outcome = "taken" if 200 <= value < 300 else "refused" if 400 <= value < 500 else "not now"
            return f"the outcome: {value}, {outcome}"
        case _, list():
            return f"{key}, entries: {len(value)}"
        case _, dict():
            return f"{key}, fields: {len(value)}"
        case _:
            return f"{_FIELDS.get(key, key)}: {_text(value)}"


def _place(location: Any) -> str:
    kind = _field(location, "locationTypeDescriptionRegistryText")
    words = _field(location, "locationDescriptionText")
    by_value = isinstance(location, dict) and isinstance(location.get("locationByValue"), str)
    return f"{kind} {words}" + (", with a PIDF-LO" if by_value else "")


def _field(component: Any, key: str) -> str:
    value = component.get(key, "") if isinstance(component, dict) else ""
    return _text(value)


def _text(value: Any) -> str:
    # The octets were read one by one, so that each stands where it stood.
    return printable(str(value).encode("latin-1", "replace"), most=200)


def _members(text: str, at: int) -> Iterator[_Member]:
    """The members of the object at `at`, each with where it begins and ends; ValueError when it is none."""
    at = _skip(text, at)
    if text[at : at + 1] != "{":
        raise ValueError(f"octet {at}: expected '{{'")
    at = _skip(text, at + 1)
    if text[at : at + 1] == "}":
        return
    while True:
        begun = at
        key, at = _value(text, at)
        at = _skip(text, at)
        if not isinstance(key, str) or text[at : at + 1] != ":":
            raise ValueError(f"octet {begun}: expected a name in quotes and ':'")
        value, at = _value(text, _skip(text, at + 1))
        yield _Member(key, value, begun, at)
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            return
        if text[at : at + 1] != ",":
            raise ValueError(f"octet {at}: expected ',' or '}}'")
        at = _skip(text, at + 1)


def _value(text: str, at: int) -> tuple[Any, int]:
    try:
        return _READ.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise ValueError(f"octet {error.pos}: {error.msg}") from None


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _explanation(lines: Lines, summary: str) -> Explanation:
    return Explanation(format=FORMAT, summary=summary, lines=tuple(lines.found), faults=tuple(lines.faults))
