"""What a call, an update or a test says on its way by SIP, and to which service, pure.

What is real goes to a `LiveService` with status Actual, what is practice to a `PracticeService` with status Exercise or
Test: two types of services, two types of messages, and no way to mix them. Everything that is written here follows from
the order alone, so that the same call is the same document for ever, also after a restart.
"""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from floorplans.campus import Campus
from gateway.psap import radio_text
from gateway.psap.cap import Alert, MessageType, Named, Reference, Status, calls
from gateway.psap.link import Call, LinkTest, LiveCall, LiveUpdate, More, Update
from gateway.psap.markup import writable
from gateway.psap.ranges import Ranges, spelt

PRESSES = "belltower.presses"
"""The parameter of a summary that names presses: a call's number and key, and ranges."""

_MAX_RANGES = 400
_MAX_ITEMS = 40


class LiveService(StrEnum):
    """Who is asked for help (RFC 5031)."""

    SOS = "urn:service:sos"
    POLICE = "urn:service:sos.police"


class PracticeService(StrEnum):
    """Who is asked in an exercise or a test (RFC 6881, section 17): nobody is sent."""

    SOS = "urn:service:test.sos"
    POLICE = "urn:service:test.sos.police"


PRACTICE = {
    LiveService.SOS: PracticeService.SOS,
    LiveService.POLICE: PracticeService.POLICE,
}
"""Where what would go to a service goes in an exercise."""


class LiveMessage(Struct, frozen=True, kw_only=True):
    """What is real. It cannot be made from what is not."""

    service: LiveService
    alert: Alert

    def __post_init__(self) -> None:
        if not isinstance(self.service, LiveService) or self.alert.status is not Status.ACTUAL:
            raise ValueError("only an alert of status Actual goes to a service that sends help")


class PracticeMessage(Struct, frozen=True, kw_only=True):
    """An exercise or a test. It cannot be made from what is real."""

    service: PracticeService
    alert: Alert

    def __post_init__(self) -> None:
        practice = self.alert.status in (Status.EXERCISE, Status.TEST)
        if not isinstance(self.service, PracticeService) or not practice:
            raise ValueError(
                "an alert of status Exercise or Test goes to a test service, and nothing else does"
            )


Message = LiveMessage | PracticeMessage


class School(Struct, frozen=True, kw_only=True):
    """Who writes, and to which service."""

    campus: Campus
    # The address of our side: "school@lincoln.example".
    sender: str
    service: LiveService = LiveService.SOS

    @property
    def prefix(self) -> str:
        """What every identifier of ours begins with."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", self.campus.id) or "campus"


# ---- identifiers


def call_id(call: Call) -> str:
    """The id of a call's frame: its number and the characters that tie answers to it."""
    return f"C{call.order.number}-{radio_text.key_of(call.order.call)}"


def update_id(update: Update) -> str:
    """The id of an update's frame."""
    return f"{call_id(update.call)}-U{update.order.update}"


def test_id(test: LinkTest) -> str:
    """The id of a test's frame."""
    return f"T{test.number}-{test.key}"


# ---- messages


def call_message(school: School, call: Call) -> Message:
    """The call itself."""
    to = _service(school, call)
    alert = calls.for_call(call, campus=school.campus, sender=school.sender, addresses=(to.value,))
    return _message(to, alert)


def update_message(school: School, update: Update) -> Message:
    """A cancellation or correction."""
    to = _service(school, update)
    alert = calls.for_update(update, campus=school.campus, sender=school.sender, addresses=(to.value,))
    return _message(to, alert)


def test_message(school: School, test: LinkTest) -> PracticeMessage:
    """The marked test: nobody is to be sent."""
    to = PRACTICE[school.service]
    alert = calls.for_test(test, campus=school.campus, sender=school.sender, addresses=(to.value,))
    return PracticeMessage(service=to, alert=alert)


def more_message(school: School, more: More) -> tuple[str, Message, tuple[tuple[Call, Ranges], ...]]:
    """Further presses: the id of the frame, the message, and what found room in it."""
    items: tuple[tuple[Call, Ranges], ...] = more.items
    told = tuple((call, ranges[:_MAX_RANGES]) for call, ranges in items[:_MAX_ITEMS])
    first = told[0][0]
    presses = tuple(Named(PRESSES, f"{call_id(call)} {spelt(ranges)}") for call, ranges in told)
    key = radio_text.key_of(first.order.incident)
    frame_id = f"{radio_text.text_frame_id('S', f'{key} {presses}')}-{key}"
    originals = [call_message(school, call).alert for call, _ in told]
    places = writable(", ".join(call.order.building or call.place for call, _ in told), most=200) or "-"
    info = originals[0].infos[0]
    alert = replace(
        originals[0],
        identifier=f"{school.prefix}-{frame_id}",
        type=MessageType.UPDATE,
        references=tuple(
            Reference(sender=each.sender, identifier=each.identifier, sent=each.sent) for each in originals
        ),
        infos=(
            replace(
                info,
                headline=f"{info.headline} More buttons were pressed: {places}.",
                description=f"Further buttons were pressed in {places}. {info.description}",
                parameters=(*info.parameters, *presses),
            ),
        ),
    )
    return frame_id, _message(_service(school, first), alert), told


def _service(school: School, told: Call | Update) -> LiveService | PracticeService:
    match told:
        case LiveCall() | LiveUpdate():
            return school.service
        case _:
            return PRACTICE[school.service]


def _message(to: LiveService | PracticeService, alert: Alert) -> Message:
    match to:
        case LiveService():
            return LiveMessage(service=to, alert=alert)
        case PracticeService():
            return PracticeMessage(service=to, alert=alert)
