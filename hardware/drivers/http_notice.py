"""Notices on signs and desktops by a signed POST of JSON.

    {"request": "6f..", "on": true, "text": "Lockdown. ..", "at": 1790000000}
    Belltower-Signature: HMAC-SHA256 under the key over the body, in hex

The agent answers 200 with `{"request": "6f..", "shown": true}`, the same request id. A 200 without it says only that a
web server was there. Requests older than 30 s, or of an id seen before, are not to be obeyed. An answer button is no
business of this wire: a person's acknowledgement is a verb of its own.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import partial

import msgspec
from msgspec import Struct

from belltower.clock import SECOND, Clock
from belltower.errors import Rejected, Uncertain
from hardware.drivers.http_answer import asked
from hardware.drivers.switch import Ask, Reach, Reached

SIGNATURE = "Belltower-Signature"


class Shown(Struct, frozen=True, kw_only=True):
    """What an agent answers."""

    request: str = ""
    shown: bool = False


class HTTPNotice:
    """One sign or desktop agent, a `Switch`."""

    def __init__(self, *, url: str, key: bytes, clock: Clock) -> None:
        self._url = url
        self._key = key
        self._clock = clock

    @property
    def confirms(self) -> bool:
        """By the request's own id in the answer."""
        return True

    async def switch(self, ask: Ask, reach: Reach) -> None:
        """Show the text, or take it down."""
        at = self._clock.now() // SECOND
        body = msgspec.json.encode({"request": ask.request, "on": ask.on, "text": ask.text, "at": at})
        signed = hmac.new(self._key, body, hashlib.sha256).hexdigest()
        reach(Reached.QUEUED)
        headers = {"Content-Type": "application/json", SIGNATURE: signed}
        answer = await asked(self._url, body=body, headers=headers, left=partial(reach, Reached.SENT))
        if answer.status != 200:
            raise Rejected(f"it says no: HTTP {answer.status}")
        try:
            shown = msgspec.json.decode(answer.body, type=Shown)
        except (msgspec.MsgspecError, UnicodeError):
            raise Uncertain("a web server answered, not the agent") from None
        if not hmac.compare_digest(shown.request.encode(), ask.request.encode()):
            raise Uncertain("the answer is to another request")
        if shown.shown is not ask.on:
            raise Rejected("it says that it did not do it")
        reach(Reached.DEVICE)
