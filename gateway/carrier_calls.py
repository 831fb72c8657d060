"""The calls of the simulated carrier: Twilio's Calls.json, TwiML that is understood, keys that are pressed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from email.utils import format_datetime
from random import Random
from typing import Any

from lxml import etree

from belltower.clock import Clock, aware
from gateway.carrier_records import CarrierOptions, Faults, PhoneCall

_MOST_CALLS = 100_000
_MOST_WORDS = 4_000
_PARSER = {"resolve_entities": False, "no_network": True, "load_dtd": False}

# Twilio's error codes and their messages.
_NO_WORDS = (21205, "Url is not a valid URL")
_LONG_WORDS = (21205, "Twiml is longer than 4000 characters")
_BAD_WORDS = (12100, "Document parse failure")

Report = Callable[[PhoneCall, str], None]
"""Tells, later, what became of a call: its status; or, with a key, that it was pressed."""


class Exchange:
    """Takes calls and lets them happen: they ring, are answered or not, hear the words and press a key."""

    def __init__(
        self, *, options: CarrierOptions, faults: Callable[[], Faults], report: Report, clock: Clock
    ) -> None:
        self._options = options
        self._faults = faults
        self._report = report
        self._clock = clock
        self._random = Random(options.seed + 1)  # noqa: S311 - sids
        self.calls: OrderedDict[str, PhoneCall] = OrderedDict()
        """Every call taken, by its sid."""

    def bad(self, form: dict[str, str]) -> tuple[int, str] | None:
        """What is wrong with a request for a call, in Twilio's code and words, besides its numbers."""
        words = form.get("Twiml", "")
        if not words:
            return _NO_WORDS
        if len(words) > _MOST_WORDS:
            return _LONG_WORDS
        return None if _read(words) is not None else _BAD_WORDS

    def take(self, form: dict[str, str]) -> dict[str, Any]:
        """Take a call; its resource."""
        words = _read(form["Twiml"])
        assert words is not None  # noqa: S101 - `bad` has read it
        said, languages, key_to = words
        call = PhoneCall(
            sid="CA" + self._random.randbytes(16).hex(),
            to=form["To"],
            sender=form["From"],
            said=said,
            languages=languages,
            status="queued",
            at=self._clock.now(),
            callback=form.get("StatusCallback", ""),
            key_to=key_to,
            ring=int(form.get("Timeout", "60")),
        )
        self.ring(call)
        return self.resource(call)

    def ring(self, call: PhoneCall) -> None:
        """Let it happen."""
        self.calls[call.sid] = call
        if len(self.calls) > _MOST_CALLS:
            self.calls.popitem(last=False)
        self._happen(call)

    def to(self, number: str, count: int) -> list[dict[str, Any]]:
        """The newest calls to `number`, or to anybody."""
        found = [call for call in reversed(self.calls.values()) if not number or call.to == number]
        return [self.resource(call) for call in found[:count]]

    def hears(self, call: PhoneCall, words: str) -> None:
        """The call goes on with what its key press was answered."""
        read = _read(words)
        if read is not None:
            call.said += read[0]
            call.languages += read[1]

    def _happen(self, call: PhoneCall) -> None:
        faults = self._faults()
        answered = faults.calls in {"answered", "machine"}
        steps = ["ringing", "in-progress", "completed"] if answered else ["ringing", faults.calls]
        loop = asyncio.get_running_loop()
        for n, status in enumerate(steps):
            loop.call_later((n + 1) * self._options.carrying, self._becomes, call, status)

    def _becomes(self, call: PhoneCall, status: str) -> None:
        call.status = status
        faults = self._faults()
        if status == "in-progress" and call.key_to and faults.key and faults.calls == "answered":
            call.pressed = faults.key
            self._report(call, faults.key)
        if status not in {"ringing", "in-progress"} and faults.callbacks and call.callback:
            for _ in range(faults.doubled):
                self._report(call, "")

    def fields(self, call: PhoneCall) -> list[tuple[str, str]]:
        """What Twilio says of a call to its callbacks."""
        return [
            ("AccountSid", self._options.account),
            ("ApiVersion", "2010-04-01"),
            ("CallSid", call.sid),
            ("CallStatus", call.status),
            ("Direction", "outbound-api"),
            ("From", call.sender),
            ("To", call.to),
        ]

    def resource(self, call: PhoneCall) -> dict[str, Any]:
        """The call as Twilio shows it."""
        created = format_datetime(aware(call.at))
        path = f"/2010-04-01/Accounts/{self._options.account}/Calls/{call.sid}"
        return {
            "account_sid": self._options.account,
            "answered_by": None,
            "api_version": "2010-04-01",
            "date_created": created,
            "date_updated": created,
            "direction": "outbound-api",
            "duration": None,
            "from": call.sender,
            "price": None,
            "price_unit": "USD",
            "sid": call.sid,
            "start_time": None,
            "status": call.status,
            "subresource_uris": {},
            "to": call.to,
            "uri": f"{path}.json",
        }


def _read(words: str) -> tuple[list[str], list[str], str] | None:
    """What TwiML says, in which languages, and where a pressed key is told; None where it is no TwiML."""
    try:
        root = etree.fromstring(words.encode(), etree.XMLParser(**_PARSER))
    except etree.XMLSyntaxError:
        return None
    if root.tag != "Response":
        return None
    said = list(root.iter("Say"))
    gather = root.find("Gather")
    return (
        ["".join(one.itertext()) for one in said],
        [one.get("language", "") for one in said],
        gather.get("action", "") if gather is not None else "",
    )
