"""SMS by Twilio's REST API (2010-04-01), or by whoever speaks it at another base URL."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Coroutine
from typing import Any
from urllib.parse import quote_plus, urlencode

import msgspec
from msgspec import Struct

from belltower.clock import SECOND, Instant
from notify.channels.channel import DEADLINE, Answer, Message, Settled
from notify.channels.twilio_api import PAGE, TwilioAPI, created_at
from notify.delivery import State
from notify.settings import TwilioSettings

# Twilio's message statuses -> what we know by them.
STATUSES: dict[str, State] = {
    "accepted": State.ACCEPTED,
    "scheduled": State.ACCEPTED,
    "queued": State.ACCEPTED,
    "sending": State.ACCEPTED,
    "sent": State.ACCEPTED,
    "delivered": State.DELIVERED,
    "read": State.DELIVERED,
    "undelivered": State.REFUSED,
    "failed": State.REFUSED,
    "canceled": State.REFUSED,
}
# Of which nothing but the "+" is to be quoted.
_NUMBER = re.compile(r"\+[0-9]+")
# Seconds: Twilio's longest ValidityPeriod.
_LONGEST_VALIDITY = 14_400
# Seconds: the provider's clock may be off by so much, and so long may an attempt stand behind another to its address.
_SKEW = 5
_IN_LINE = 60


class _Listed(Struct):
    sid: str | None = None
    status: str | None = None
    to: str | None = None
    body: str | None = None
    error_code: int | None = None
    date_created: str | None = None


class _List(Struct):
    messages: list[_Listed] = []


_listing = msgspec.json.Decoder(_List)


class TwilioSMS:
    """Satisfies `PromptChannel`."""

    name = "sms"

    def __init__(self, *, settings: TwilioSettings, callback_url: str = "") -> None:
        self._callback = f"&StatusCallback={quote_plus(callback_url)}" if callback_url else ""
        self._senders = [
            urlencode({"MessagingServiceSid" if number.startswith("MG") else "From": number})
            for number in settings.numbers
        ]
        # A text, for how long it is worth sending, and what they come to between address and delivery, for each sender.
        self._encoded: tuple[str, float, list[str]] = ("", 0.0, [])
        self._api = TwilioAPI(
            base_url=settings.base_url,
            account=settings.account,
            token=settings.token.reveal(),
            resource="Messages.json",
            statuses=STATUSES,
            in_flight=settings.in_flight,
            deadline=min(settings.timeout, DEADLINE),
        )

    async def open(self) -> None:
        """Make the pool of connections; none is opened yet."""
        self._api.open()

    async def close(self) -> None:
        """Close the pool."""
        self._api.close()

    def send(self, message: Message) -> Coroutine[Any, Any, Answer]:
        """POST the message, once."""
        return self._api.create(self._form(message))

    def begin(self, message: Message, done: Callable[[Answer], None]) -> bool:
        """As `send`, where a connection rests. Whether it began."""
        return self._api.begin(self._form(message), done)

    async def find(self, message: Message, *, known: Collection[str]) -> Answer | None:
        """The one message to its address with its exact text that was taken while it was tried; None where there are several."""
        try:
            listed = _listing.decode(await self._api.list(To=message.address, PageSize=PAGE))
        except msgspec.DecodeError:
            return None
        since = Instant(message.begun_at - _SKEW * SECOND)
        until = Instant(message.begun_at + (_IN_LINE + _SKEW) * SECOND)
        found = [
            one
            for one in listed.messages
            if one.to == message.address
            and one.body == message.body
            and one.sid
            and one.sid not in known
            and since <= created_at(one.date_created or "") <= until
        ]
        if len(found) != 1:
            return None
        return self._api.settled(found[0].sid, found[0].status, found[0].error_code)

    async def fetch(self, provider_id: str) -> Settled | None:
        """What became of a message that was taken; None where the provider does not say."""
        return await self._api.fetch(provider_id)

    def _form(self, message: Message) -> str:
        body, ttl, encoded = self._encoded
        if ttl != message.ttl or body != message.body:  # the same text goes to thousands: encode it once
            validity = max(1, min(_LONGEST_VALIDITY, int(message.ttl)))
            text = f"&Body={quote_plus(message.body)}&ValidityPeriod={validity}"
            encoded = [f"&{sender}{text}{self._callback}" for sender in self._senders]
            self._encoded = (message.body, message.ttl, encoded)
        address = message.address
        to = f"%2B{address[1:]}" if _NUMBER.fullmatch(address) else quote_plus(address)
        callback = message.delivery if self._callback else ""
        return f"To={to}{encoded[message.number % len(encoded)]}{callback}"
