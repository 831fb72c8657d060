"""Calls by Vonage's Voice API, v1: the words go out with the request, as an NCCO; key 1 says heard."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from belltower.clock import SECOND, Clock, Instant, aware
from notify.channels.channel import DEADLINE, Answer, Message, Settled
from notify.channels.reports import Report
from notify.channels.spoken import key_report, spoken
from notify.channels.vonage_api import Application, VonageAPI, Way, bare, read_json
from notify.delivery import State
from notify.settings import VonageVoiceSettings

STATUSES: dict[str, State] = {
    "started": State.ACCEPTED,
    "ringing": State.ACCEPTED,
    "answered": State.DELIVERED,
    "human": State.DELIVERED,
    "machine": State.DELIVERED,
    "completed": State.DELIVERED,
    "busy": State.REFUSED,
    "cancelled": State.REFUSED,
    "failed": State.REFUSED,
    "rejected": State.REFUSED,
    "timeout": State.REFUSED,
    "unanswered": State.REFUSED,
}
"""The provider's call statuses, and what we know by them. Completed: somebody, or a machine, took the call."""

# Seconds after the words for which a key is waited for.
_KEY_WITHIN = 8
# The provider's clock may be off by so many seconds.
_SKEW = 5.0


class _Created(Struct):
    uuid: str
    status: str = "started"


class _Number(Struct):
    number: str = ""


class _Listed(Struct):
    uuid: str
    status: str
    to: _Number
    direction: str = "outbound"
    start_time: str | None = None


class _Calls(Struct):
    calls: list[_Listed]


class _List(Struct, rename={"embedded": "_embedded"}):
    embedded: _Calls


class _Keys(Struct):
    digits: str | None = None


class _Event(Struct):
    uuid: str
    status: str = ""
    dtmf: _Keys | None = None


_created = msgspec.json.Decoder(_Created)
_listing = msgspec.json.Decoder(_List)
_event = msgspec.json.Decoder(_Event)


class VonageVoice:
    """Satisfies `Channel`."""

    name = "voice"

    def __init__(self, *, settings: VonageVoiceSettings, way: Way, clock: Clock) -> None:
        self._numbers = [bare(number) for number in settings.numbers]
        self._ring = max(5, min(120, int(settings.ring)))
        self._timeout = min(settings.timeout, DEADLINE)
        self._way = way
        self._api = VonageAPI(
            url=settings.base_url.rstrip("/") + "/v1/calls",
            application=Application(id=settings.application, private_key=settings.private_key.reveal()),
            in_flight=settings.in_flight,
            deadline=self._timeout,
            clock=clock,
        )

    async def open(self) -> None:
        """Make the pool of connections; none is opened yet."""
        self._api.open()

    async def close(self) -> None:
        """Close the pool."""
        self._api.close()

    async def send(self, message: Message) -> Answer:
        """Have the number called, once."""
        report_to = self._way.to(message.delivery)
        asked: dict[str, Any] = {
            "to": [{"type": "phone", "number": bare(message.address)}],
            "from": {"type": "phone", "number": self._numbers[message.number % len(self._numbers)]},
            "ringing_timer": self._ring,
            "ncco": _words(message, report_to),
        }
        if report_to:
            asked |= {"event_url": [report_to], "event_method": "POST"}
        return await self._api.create(asked, _made)

    async def find(self, message: Message, *, known: Collection[str]) -> Answer | None:
        """The one call to its number that was made while the answer was waited for; None where there are several."""
        since = Instant(message.begun_at - int(_SKEW * SECOND))
        until = Instant(message.begun_at + int((self._timeout + _SKEW) * SECOND))
        query = urlencode({"date_start": _date(since), "date_end": _date(until), "page_size": 100})
        try:
            listed = _listing.decode(await self._api.list(query)).embedded.calls
        except msgspec.DecodeError:
            return None
        to = bare(message.address)
        found = [
            one
            for one in listed
            if one.to.number == to
            and one.direction == "outbound"
            and one.uuid not in known
            and since <= _at(one.start_time, since) <= until
        ]
        return _settled(found[0].uuid, found[0].status) if len(found) == 1 else None

    async def fetch(self, provider_id: str) -> Settled | None:
        """What became of a call that was taken; None where the provider does not say."""
        try:
            found = _created.decode(await self._api.fetch(provider_id))
        except msgspec.DecodeError:
            return None
        return _settled(found.uuid, found.status) if found.uuid == provider_id else None


class VonageVoiceReports:
    """Call events and key presses. Satisfies `Reports`; whoever pressed a key is thanked."""

    def __init__(self, *, way: Way) -> None:
        self._way = way

    def read(self, path: str, headers: Mapping[str, str], body: bytes) -> Report:
        """See `Reports`."""
        delivery = self._way.check(path, headers, body)
        said = read_json(_event, body)
        if said.dtmf is not None and said.dtmf.digits:
            return key_report(said.dtmf.digits, provider_id=said.uuid[:64], delivery=delivery)
        return Report(
            state=STATUSES.get(said.status),
            reason=said.status[:32],
            provider_id=said.uuid[:64],
            delivery=delivery,
        )

    def answer(self, report: Report, *, language: str) -> tuple[str, bytes]:
        """Thanks, where a key was pressed: the call goes on with what it is told here."""
        if not report.key:
            return "", b""
        around = spoken(language)
        return "application/json", msgspec.json.encode([_talk(around.thanks, around.speech)])


def _words(message: Message, report_to: str) -> list[dict[str, Any]]:
    around = spoken(message.language)
    said = [_talk(message.body, around.speech), _talk(message.body, around.speech)]
    if not report_to:
        return said
    # A key pressed while something is said counts too: each sentence gives way to it.
    asked = [*said, _talk(around.press, around.speech)]
    for one in asked:
        one["bargeIn"] = True
    keys = {"maxDigits": 1, "timeOut": _KEY_WITHIN}
    return [
        *asked,
        {
            "action": "input",
            "type": ["dtmf"],
            "dtmf": keys,
            "eventUrl": [report_to],
            "eventMethod": "POST",
        },
    ]


def _talk(text: str, speech: str) -> dict[str, Any]:
    return {"action": "talk", "text": text, "language": speech}


def _made(body: bytes) -> Answer:
    created = _created.decode(body)
    return _settled(created.uuid, created.status)


def _settled(uuid: str, status: str) -> Settled:
    return Settled(state=STATUSES.get(status, State.ACCEPTED), provider_id=uuid, reason=status)


def _date(at: Instant) -> str:
    return aware(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def _at(text: str | None, unknown: Instant) -> Instant:
    if not text:
        return unknown
    try:
        return Instant(int(datetime.fromisoformat(text).timestamp() * SECOND))
    except ValueError:
        return Instant(0)
