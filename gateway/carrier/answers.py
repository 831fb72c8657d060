"""What people do with the simulated carrier's phones: they write back, and press keys in calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from gateway.carrier.records import CarrierOptions, PhoneCall, Text
from notify.channels.inbox import PATH as REPLIES
from notify.channels.reports import PATH as REPORTS

_STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"})
_START = frozenset({"START", "YES", "UNSTOP"})


class _Reply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=1_600)]


class _Press(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key: Annotated[str, Meta(pattern=r"\A[0-9*#]\Z")]


class Answers:
    """The door for them: `POST /phones/NUMBER/reply` and `POST /phones/NUMBER/press`.

    An answer goes to whom the newest text came from, at the address that the desk gave for its reports. A number that
    wrote STOP is refused from then on until it writes START, as the service does it.
    """

    def __init__(
        self,
        *,
        options: CarrierOptions,
        texts: Mapping[str, Text],
        calls: Mapping[str, PhoneCall],
        bring: Callable[[Text, str, str, str], None],
        press: Callable[[PhoneCall, str], None],
    ) -> None:
        """`bring` takes the text that is answered, where the answer goes, its id, and its words."""
        self._texts = texts
        self._calls = calls
        self._bring = bring
        self._press = press
        self._random = Random(options.seed + 3)  # noqa: S311 - ids
        self.stopped: set[str] = set()
        """The numbers that wrote STOP."""

    def routes(self) -> list[web.RouteDef]:
        """Both."""
        return [
            web.post("/phones/{number}/reply", self._take_reply),
            web.post("/phones/{number}/press", self._take_press),
        ]

    async def _take_reply(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        try:
            said = msgspec.json.decode(await request.read(), type=_Reply).text
        except msgspec.DecodeError as error:
            return _no(400, f'{error}; write {{"text": ".."}}')
        newest = next((text for text in reversed([*self._texts.values()]) if text.to == number), None)
        if newest is None:
            return _no(404, "That phone has received no text.")
        to = replies_to(newest.callback)
        if not to:
            return _no(409, "The desk has given no public address: it cannot be answered.")
        word = said.strip().upper()
        if word in _STOP:
            self.stopped.add(number)
        elif word in _START:
            self.stopped.discard(number)
        self._bring(newest, to, "SM" + self._random.randbytes(16).hex(), said)
        return web.Response(status=202)

    async def _take_press(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        try:
            key = msgspec.json.decode(await request.read(), type=_Press).key
        except msgspec.DecodeError as error:
            return _no(400, f'{error}; write {{"key": "1"}}')
        newest = next((call for call in reversed([*self._calls.values()]) if call.to == number), None)
        if newest is None:
            return _no(404, "That phone was not called.")
        if not newest.key_to:
            return _no(409, "The call asks for no key: the desk has given no public address.")
        newest.pressed = key
        self._press(newest, key)
        return web.Response(status=202)


def replies_to(callback: str) -> str:
    """Where answers go, by where reports of a text go: the same address and provider; "" where it is none of ours."""
    parts = urlsplit(callback)
    before, found, provider = parts.path.partition(REPORTS)
    name = provider.partition("/")[0]
    if not found or not name:
        return ""
    return urlunsplit((parts.scheme, parts.netloc, f"{before}{REPLIES}{name}", "", ""))


def _no(status: int, why: str) -> web.Response:
    return web.Response(status=status, text=why + "\n")
