"""Calls by Twilio's REST API (2010-04-01), or by whoever speaks it: the notice is said twice, and key 1 says heard.

What is said goes out with the request itself, so a call speaks although nobody can reach the desk; only the pressed
key needs a way back, and is not asked for where there is none.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import quote_plus
from xml.sax.saxutils import escape, quoteattr

import msgspec
from msgspec import Struct

from belltower.clock import SECOND, Instant
from notify.channels.channel import DEADLINE, Answer, Message, Refused, Settled
from notify.channels.reports import Report
from notify.channels.spoken import spoken
from notify.channels.twilio_api import PAGE, TwilioAPI, TwilioReports, created_at
from notify.delivery import State
from notify.settings import TwilioVoiceSettings

# Twilio's call statuses -> what we know by them. Completed: somebody, or an answering machine, took the call.
STATUSES: dict[str, State] = {
    "queued": State.ACCEPTED,
    "initiated": State.ACCEPTED,
    "ringing": State.ACCEPTED,
    "in-progress": State.ACCEPTED,
    "completed": State.DELIVERED,
    "busy": State.REFUSED,
    "no-answer": State.REFUSED,
    "failed": State.REFUSED,
    "canceled": State.REFUSED,
}
# Characters of the words that a request may bear.
_MOST_WORDS = 4_000
# Seconds after the words for which a key is waited for.
_KEY_WITHIN = 8
# The provider's clock may be off by so many seconds.
_SKEW = 5.0


class _Listed(Struct):
    sid: str | None = None
    status: str | None = None
    to: str | None = None
    date_created: str | None = None


class _List(Struct):
    calls: list[_Listed] = []


_listing = msgspec.json.Decoder(_List)


class TwilioVoice:
    """Satisfies `Channel`."""

    name = "voice"

    def __init__(self, *, settings: TwilioVoiceSettings, callback_url: str = "") -> None:
        self._callback_url = callback_url
        self._numbers = [quote_plus(number) for number in settings.numbers]
        self._ring = max(5, min(600, int(settings.ring)))
        self._timeout = min(settings.timeout, DEADLINE)
        self._api = TwilioAPI(
            base_url=settings.base_url,
            account=settings.account,
            token=settings.token.reveal(),
            resource="Calls.json",
            statuses=STATUSES,
            in_flight=settings.in_flight,
            deadline=self._timeout,
        )

    async def open(self) -> None:
        """Make the pool of connections; none is opened yet."""
        self._api.open()

    async def close(self) -> None:
        """Close the pool."""
        self._api.close()

    async def send(self, message: Message) -> Answer:
        """Have the number called, once."""
        report_to = f"{self._callback_url}{message.delivery}" if self._callback_url else ""
        words = _words(message, report_to)
        if len(words) > _MOST_WORDS:
            return Refused(reason="too_long")
        sender = self._numbers[message.number % len(self._numbers)]
        form = (
            f"To={quote_plus(message.address)}&From={sender}&Timeout={self._ring}&Twiml={quote_plus(words)}"
        )
        if report_to:
            form += f"&StatusCallback={quote_plus(report_to)}"
        return await self._api.create(form)

    async def find(self, message: Message, *, known: Collection[str]) -> Answer | None:
        """The one call to its number that was made while the answer was waited for; None where there are several."""
        try:
            listed = _listing.decode(await self._api.list(To=message.address, PageSize=PAGE))
        except msgspec.DecodeError:
            return None
        since = Instant(message.begun_at - int(_SKEW * SECOND))
        until = Instant(message.begun_at + int((self._timeout + _SKEW) * SECOND))
        found = [
            one
            for one in listed.calls
            if one.to == message.address
            and one.sid
            and one.sid not in known
            and since <= created_at(one.date_created or "") <= until
        ]
        return self._api.settled(found[0].sid, found[0].status) if len(found) == 1 else None

    async def fetch(self, provider_id: str) -> Settled | None:
        """What became of a call that was taken; None where the provider does not say."""
        return await self._api.fetch(provider_id)


class TwilioVoiceReports(TwilioReports):
    """Satisfies `Reports`; whoever pressed a key is thanked."""

    def __init__(self, *, public_url: str, token: str) -> None:
        super().__init__(public_url=public_url, token=token, statuses=STATUSES, kind="Call")

    def answer(self, report: Report, *, language: str) -> tuple[str, bytes]:
        """Thanks, where a key was pressed: the call goes on with what it is told here."""
        if not report.key:
            return "", b""
        around = spoken(language)
        return "text/xml", f"<Response>{_say(around.thanks, around.speech)}<Hangup/></Response>".encode()


def _words(message: Message, report_to: str) -> str:
    around = spoken(message.language)
    said = _say(message.body, around.speech)
    twice = f'{said}<Pause length="1"/>{said}'
    if not report_to:
        return f"<Response>{twice}</Response>"
    asked = _say(around.press, around.speech)
    return (
        f'<Response><Gather numDigits="1" timeout="{_KEY_WITHIN}" method="POST" action={quoteattr(report_to)}>'
        f"{twice}{asked}</Gather></Response>"
    )


def _say(text: str, speech: str) -> str:
    return f'<Say language="{speech}">{escape(text)}</Say>'
