"""SMS by Vonage's Messages API, v1: a second provider, which has nothing in common with the first."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import msgspec
from msgspec import Struct

from belltower.clock import Clock
from belltower.errors import Malformed
from notify.channels.channel import DEADLINE, Answer, Message, Settled
from notify.channels.inbox import Incoming
from notify.channels.reports import Report
from notify.channels.vonage_api import Application, VonageAPI, Way, bare, check_signed, read_json
from notify.delivery import State
from notify.settings import VonageSettings

STATUSES: dict[str, State] = {
    "submitted": State.ACCEPTED,
    "delivered": State.DELIVERED,
    "read": State.READ,
    "rejected": State.REFUSED,
    "undeliverable": State.REFUSED,
}
"""The provider's message statuses, and what we know by them."""

_OPTED_OUT = re.compile(r"\bopt(ed)?[ -]?out\b|\bunsubscribed\b", re.IGNORECASE)
# Seconds that a message may be valid for, at least and at most.
_SHORTEST_VALIDITY, _LONGEST_VALIDITY = 300, 259_200


class _Created(Struct):
    message_uuid: str


class _Error(Struct):
    title: str | int = ""
    detail: str | None = ""


class _Status(Struct):
    message_uuid: str
    status: str
    error: _Error | None = None


class _Inbound(Struct, rename={"sender": "from"}):
    message_uuid: str
    sender: str
    text: str = ""


_created = msgspec.json.Decoder(_Created)
_status = msgspec.json.Decoder(_Status)
_inbound = msgspec.json.Decoder(_Inbound)


class VonageSMS:
    """Satisfies `Channel`."""

    name = "sms"

    def __init__(self, *, settings: VonageSettings, way: Way, clock: Clock) -> None:
        self._senders = [bare(number) for number in settings.numbers]
        self._way = way
        self._api = VonageAPI(
            url=settings.base_url.rstrip("/") + "/v1/messages",
            application=Application(id=settings.application, private_key=settings.private_key.reveal()),
            in_flight=settings.in_flight,
            deadline=min(settings.timeout, DEADLINE),
            clock=clock,
        )

    async def open(self) -> None:
        """Make the pool of connections; none is opened yet."""
        self._api.open()

    async def close(self) -> None:
        """Close the pool."""
        self._api.close()

    async def send(self, message: Message) -> Answer:
        """POST the message, once."""
        asked: dict[str, str | int] = {
            "channel": "sms",
            "message_type": "text",
            "to": bare(message.address),
            "from": self._senders[message.number % len(self._senders)],
            "text": message.body,
            "ttl": max(_SHORTEST_VALIDITY, min(_LONGEST_VALIDITY, int(message.ttl))),
            "client_ref": message.delivery,
        }
        report_to = self._way.to(message.delivery)
        if report_to:
            asked |= {"webhook_url": report_to, "webhook_version": "v1"}
        return await self._api.create(asked, _made)

    async def find(self, message: Message, *, known: Collection[str]) -> Answer | None:
        """The provider keeps no list that can be asked at once: only its report tells."""
        del message, known
        return None


class VonageSMSReports:
    """Status reports. Satisfies `Reports`."""

    def __init__(self, *, way: Way) -> None:
        self._way = way

    def read(self, path: str, headers: Mapping[str, str], body: bytes) -> Report:
        """See `Reports`."""
        delivery = self._way.check(path, headers, body)
        said = read_json(_status, body)
        return Report(
            state=STATUSES.get(said.status),
            reason=_reason(said),
            provider_id=said.message_uuid[:64],
            delivery=delivery,
        )

    def answer(self, report: Report, *, language: str) -> tuple[str, bytes]:
        """Nothing: a report asks for nothing."""
        del report, language
        return "", b""


class VonageInbox:
    """Messages to a number at the provider. Satisfies `Inbox`."""

    def __init__(self, *, secret: str, application: str) -> None:
        self._secret = secret.encode()
        self._application = application

    def read(self, path: str, headers: Mapping[str, str], body: bytes) -> Incoming:
        """See `Inbox`."""
        del path
        check_signed(headers, body, secret=self._secret, application=self._application)
        said = read_json(_inbound, body)
        number = bare(said.sender)
        if not said.message_uuid or not (number.isascii() and number.isdigit()):
            raise Malformed("message_uuid or from is not what it should be")
        return Incoming(
            message=said.message_uuid[:64], channel="sms", address=f"+{number[:15]}", text=said.text
        )

    @property
    def answer(self) -> tuple[str, bytes]:
        """No message back."""
        return "", b""


def _reason(said: _Status) -> str:
    code = str(said.error.title) if said.error is not None else ""
    # No code is documented for it; what is documented is that a blocked message comes back as a status with an error.
    if said.error is not None and _OPTED_OUT.search(said.error.detail or ""):
        return "opted_out"
    return f"provider:{code}" if code.isascii() and code.isdigit() else said.status[:32]


def _made(body: bytes) -> Answer:
    return Settled(provider_id=_created.decode(body).message_uuid, reason="submitted")
