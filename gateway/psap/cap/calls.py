"""Our calls, their updates and the link's test as CAP alerts, and read back from them.

The status says Actual, Exercise or Test by the type of what is told, never by a flag. The same call gives the same
alert for ever: nothing here draws a number or asks the time. Every alert carries, as parameters beginning
`belltower.`, what ties the answers of a centre to our call.
"""

from __future__ import annotations

import re
from typing import assert_never

from msgspec import Struct

from belltower.clock import SECOND, Instant
from belltower.errors import Malformed
from belltower.incident.facts import AlarmKind, UpdateKind
from floorplans.campus import Campus
from gateway.psap.cap.lexical import FIRST, LAST, writable
from gateway.psap.cap.model import (
    Alert,
    Area,
    Category,
    Certainty,
    Circle,
    Info,
    MessageType,
    Named,
    Reference,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
    moment,
)
from gateway.psap.link import Call, ExerciseCall, ExerciseUpdate, LinkTest, LiveCall, LiveUpdate, Spot, Update
from gateway.psap.radio_text import key_of

EXERCISE = "EXERCISE EXERCISE EXERCISE"
HOLDS = 3_600 * SECOND
"""How long an alert stands unless it is updated."""

_CODES = "APCO-2.103.2"
_PREFIX = "belltower."
_AROUND_KM = 0.02
_CAMPUS_KM = 0.5
_NUMBER = re.compile(r"[0-9]{1,18}")


class _Wording(Struct, frozen=True, kw_only=True):
    event: str
    category: Category
    severity: Severity
    code: str
    told: str


_WORDINGS = {
    AlarmKind.PANIC: _Wording(
        event="Panic alarm",
        category=Category.SECURITY,
        severity=Severity.EXTREME,
        code="ALRPANS",
        told="Help is asked for",
    ),
    AlarmKind.MEDICAL: _Wording(
        event="Medical alarm",
        category=Category.HEALTH,
        severity=Severity.SEVERE,
        code="ALRMED",
        told="Medical help is asked for",
    ),
}


class Told(Struct, frozen=True, kw_only=True):
    """What one of our alerts says of the call, as the centre's end reads it."""

    status: Status
    type: MessageType
    # The call's number; the test's where status is Test.
    number: int
    key: str
    incident: int = 0
    kind: AlarmKind | None = None
    building: str = ""
    place: str = ""
    # The n-th update of the call; 0: the call itself.
    update: int = 0


def for_call(call: Call, *, campus: Campus, sender: str, addresses: tuple[str, ...]) -> Alert:
    """The alert of the call itself, private to `addresses`."""
    return _alert(call, campus, sender, addresses, call.spot, MessageType.ALERT, at=call.at, update=0)


def for_update(update: Update, *, campus: Campus, sender: str, addresses: tuple[str, ...]) -> Alert:
    """The alert that cancels the call's or moves it to another place."""
    call = update.call
    order = update.order
    # Later than what it refers to, whatever the wall clock did.
    sent = max(update.at, Instant(call.at + order.update * SECOND))
    spot = update.spot or call.spot
    kind = MessageType.CANCEL if order.kind is UpdateKind.CANCEL else MessageType.UPDATE
    # Only these pairs exist: an exercise's update of a live call cannot be written down.
    match update:
        case LiveUpdate(call=live):
            return _alert(live, campus, sender, addresses, spot, kind, at=sent, update=order.update)
        case ExerciseUpdate(call=exercise):
            return _alert(exercise, campus, sender, addresses, spot, kind, at=sent, update=order.update)
        case other:
            assert_never(other)


def for_test(test: LinkTest, *, campus: Campus, sender: str, addresses: tuple[str, ...]) -> Alert:
    """The alert of a marked test of the link; its status is Test and it asks for nothing."""
    at = _within(test.at)
    sent = moment(at)
    return Alert(
        identifier=f"{_token(campus.id)}-T{test.number}-{test.key}",
        sender=sender,
        sent=sent,
        status=Status.TEST,
        type=MessageType.ALERT,
        scope=Scope.PRIVATE,
        addresses=addresses,
        note="Test of the link. Send no one.",
        infos=(
            Info(
                categories=(Category.OTHER,),
                event="Test of the link",
                responses=(ResponseType.NONE,),
                urgency=Urgency.UNKNOWN,
                severity=Severity.UNKNOWN,
                certainty=Certainty.UNKNOWN,
                effective=sent,
                expires=moment(Instant(at + HOLDS)),
                sender_name=writable(campus.name),
                headline="TEST. This is no call for help.",
                description="TEST of the link between this school and the centre. Send no one.",
                parameters=_parameters(number=str(test.number), key=test.key, test="1"),
                areas=(Area(description=writable(campus.name) or "the school"),),
            ),
        ),
    )


def told(alert: Alert) -> Told:
    """What one of our alerts tells of the call.

    Raises:
        Malformed: it is not one of ours: a parameter is missing or is no number.
    """
    if not alert.infos:
        raise Malformed("CAP: info is missing; nothing says which call it is")
    said = {one.name: one.value for one in alert.infos[0].parameters if one.name.startswith(_PREFIX)}
    kind = said.get("belltower.kind", "")
    if kind and kind not in set(AlarmKind):
        raise Malformed(f"CAP: belltower.kind: {kind!a} is not known; one of: {', '.join(AlarmKind)}")
    if (alert.status is Status.TEST) != ("belltower.test" in said):
        raise Malformed("CAP: status and belltower.test disagree on whether this is a test")
    key = said.get("belltower.key", "")
    if not key:
        raise Malformed("CAP: belltower.key is missing; nothing says which call it is")
    return Told(
        status=alert.status,
        type=alert.type,
        number=_number(said, "belltower.number"),
        key=key,
        incident=_number(said, "belltower.incident", default="0"),
        kind=AlarmKind(kind) if kind else None,
        building=said.get("belltower.building", ""),
        place=said.get("belltower.place", ""),
        update=_number(said, "belltower.update", default="0"),
    )


def _alert(
    call: Call,
    campus: Campus,
    sender: str,
    addresses: tuple[str, ...],
    spot: Spot,
    kind: MessageType,
    *,
    at: Instant,
    update: int,
) -> Alert:
    order = call.order
    match call:
        case LiveCall():
            status, note, mark = Status.ACTUAL, "", ""
        case ExerciseCall():
            status, note, mark = Status.EXERCISE, "Exercise agreed with the centre. Send no one.", EXERCISE
    wording = _WORDINGS[order.kind]
    at = _within(at)
    sent = moment(at)
    name = writable(campus.name) or "the school"
    spoken = writable(spot.spoken) or "place unknown"
    identifier = _identifier(campus, call)
    event, response, urgency, text = _say(kind, wording, spoken)
    what = f"{event}, {name}, {spoken}. Call {order.number}, incident {order.incident_number}."
    described = f"{text} Call {order.number}, incident {order.incident_number}."
    telephone = writable(campus.telephone)
    contact = f" The school's telephone is {telephone}." if telephone else ""
    return Alert(
        identifier=identifier if not update else f"{identifier}-U{update}",
        sender=sender,
        sent=sent,
        status=status,
        type=kind,
        source="belltower",
        scope=Scope.PRIVATE,
        addresses=addresses,
        note=note,
        references=(
            (Reference(sender=sender, identifier=identifier, sent=moment(_within(call.at))),)
            if update
            else ()
        ),
        incidents=(str(order.incident),),
        infos=(
            Info(
                categories=(wording.category,),
                event=event,
                responses=(response,),
                urgency=urgency,
                severity=wording.severity,
                certainty=Certainty.LIKELY,
                event_codes=(Named(_CODES, wording.code),),
                effective=sent,
                expires=moment(Instant(at + HOLDS)),
                sender_name=name,
                headline=_marked(mark, what),
                description=_marked(mark, described + contact),
                contact=telephone,
                parameters=_parameters(
                    number=str(order.number),
                    key=key_of(order.call),
                    incident=str(order.incident_number),
                    kind=order.kind.value,
                    building=writable(spot.building or order.building),
                    place=spoken,
                    update=str(update) if update else "",
                ),
                areas=(_area(spot, campus, name, spoken),),
            ),
        ),
    )


def _say(kind: MessageType, wording: _Wording, spoken: str) -> tuple[str, ResponseType, Urgency, str]:
    """Event, what to do, how soon, and in words."""
    match kind:
        case MessageType.CANCEL:
            text = "The school cancels this call. Please read the cancellation back to the school."
            return f"{wording.event} cancelled", ResponseType.NONE, Urgency.PAST, text
        case MessageType.UPDATE:
            text = f"Correction: help is needed at {spoken}. Please read the new place back to the school."
            return f"{wording.event}, other place", ResponseType.ASSESS, Urgency.IMMEDIATE, text
        case _:
            return wording.event, ResponseType.ASSESS, Urgency.IMMEDIATE, f"{wording.told} at {spoken}."


def _area(spot: Spot, campus: Campus, name: str, spoken: str) -> Area:
    parts = (
        name,
        writable(spot.building_name) or (f"building {writable(spot.building)}" if spot.building else ""),
        f"level {writable(spot.level)}" if spot.level else "",
        f"room {writable(spot.room)}" if spot.room else spoken,
    )
    position, radius = spot.position, _AROUND_KM
    if position is None or position == campus.position:
        position, radius = campus.position, _CAMPUS_KM
    if position is not None and not (-90 <= position[0] <= 90 and -180 <= position[1] <= 180):
        position = None
    return Area(
        description=", ".join(part for part in parts if part),
        circles=(Circle(position, radius),) if position is not None else (),
    )


def _identifier(campus: Campus, call: Call) -> str:
    return f"{_token(campus.id)}-C{call.order.number}-{key_of(call.order.call)}"


def _parameters(**said: str) -> tuple[Named, ...]:
    return tuple(Named(_PREFIX + name, value) for name, value in said.items() if value)


def _marked(mark: str, text: str) -> str:
    return f"{mark}. {text} {mark}." if mark else text


def _token(text: str) -> str:
    """`text` as part of an identifier."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text) or "campus"


def _within(at: Instant) -> Instant:
    """`at` as far as CAP can write it: no call fails for a broken clock."""
    return min(max(at, FIRST), Instant(LAST - HOLDS - SECOND))


def _number(said: dict[str, str], name: str, *, default: str = "") -> int:
    text = said.get(name, default)
    if _NUMBER.fullmatch(text) is None:
        raise Malformed(f"CAP: {name}: {text[:20]!a} is no number")
    return int(text)
