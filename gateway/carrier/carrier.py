"""The simulated carrier whole: two APIs, a mail server, and the doors by which it is asked and steered."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from contextlib import AsyncExitStack
from random import Random
from typing import Any, Self

import msgspec
from aiohttp import web
from msgspec import to_builtins

from belltower.clock import Clock, SystemClock
from belltower.errors import Unreachable
from belltower.tasks import Crew
from gateway.carrier.answers import Answers
from gateway.carrier.calls import Exchange
from gateway.carrier.faults import Trouble
from gateway.carrier.mail import MailEnd
from gateway.carrier.outbox import Outbox
from gateway.carrier.records import CarrierOptions, Faults, Mail, PhoneCall, Text
from gateway.carrier.texts import TextCentre
from gateway.carrier.twilio import TwilioEnd
from gateway.carrier.vonage import VonageEnd

_LARGEST = 1 << 20


class Carrier:
    """The simulated carrier. `async with Carrier(options=..) as carrier`; it listens inside of the block."""

    def __init__(
        self, *, options: CarrierOptions | None = None, clock: Clock | None = None, crew: Crew
    ) -> None:
        options = self.options = options or CarrierOptions()
        clock = clock or SystemClock()
        random = Random(options.seed)  # noqa: S311 - faults are drawn by a seed
        self._trouble = Trouble(options=options, random=random)
        self.arrived = asyncio.Event()
        """Set whenever a message, a call or a mail was taken; whoever waits clears it."""
        self._centre = TextCentre(
            options=options,
            faults=lambda: self.faults,
            report=lambda text, status: self._ends[text.carrier].tell_text(text, status),
            taken=self.arrived.set,
            random=random,
        )
        self.exchange = Exchange(
            options=options,
            faults=lambda: self.faults,
            report=self._tell_call,
            taken=self.arrived.set,
        )
        """The calls."""
        self._mail = MailEnd(options=options, faults=lambda: self.faults, taken=self.arrived.set, clock=clock)
        self._outbox = Outbox(
            crew=crew, hears=lambda call, answer: self._ends[call.carrier].hears(call, answer)
        )
        self._answers = Answers(
            options=options,
            texts=self._centre.texts,
            calls=self.exchange.calls,
            bring=lambda text, *answer: self._ends[text.carrier].bring(text, *answer),
            press=self._tell_call,
        )
        self._ends: dict[str, TwilioEnd | VonageEnd] = {
            "twilio": TwilioEnd(
                options=options,
                trouble=self._trouble,
                centre=self._centre,
                exchange=self.exchange,
                stopped=lambda: {*self.faults.stopped, *self._answers.stopped},
                put=self._outbox.put,
                clock=clock,
                random=random,
            ),
            "vonage": VonageEnd(
                options=options,
                trouble=self._trouble,
                centre=self._centre,
                exchange=self.exchange,
                put=self._outbox.put,
                clock=clock,
            ),
        }
        self._runner: web.AppRunner | None = None
        self._open = AsyncExitStack()
        self.port = 0

    @property
    def url(self) -> str:
        """The base URL of the REST API, and of the control."""
        return f"http://{self.options.host}:{self.port}"

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=_LARGEST)
        application.add_routes(
            [
                web.get("/phones", self._phones),
                web.get("/calls", self._calls),
                web.get("/mailboxes", self._mailboxes),
                web.post("/fault", self._fault),
                *self._answers.routes(),
                *(route for end in self._ends.values() for route in end.routes()),
            ]
        )
        runner = self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        try:
            await self._open.enter_async_context(self._outbox)
            await self._open.enter_async_context(self._mail)
            self._open.push_async_callback(runner.cleanup)
            await runner.setup()
            await web.TCPSite(runner, self.options.host, self.options.port).start()
        except OSError as error:
            await self._open.aclose()
            raise Unreachable(f"the carrier cannot listen: {error.strerror}") from error
        self.port = runner.addresses[0][1]
        return self

    async def __aexit__(self, *_details: object) -> None:
        await self._open.aclose()

    @property
    def texts(self) -> dict[str, Text]:
        """Every text taken, by its sid."""
        return self._centre.texts

    @property
    def mails(self) -> list[Mail]:
        """Every mail taken, once for each mailbox."""
        return self._mail.mails

    @property
    def smtp_port(self) -> int:
        """Of the mail server."""
        return self._mail.port

    @property
    def requests(self) -> int:
        """How many texts and calls were asked for, and met what goes wrong."""
        return self._trouble.requests

    @property
    def faults(self) -> Faults:
        """What goes wrong now."""
        return self._trouble.faults

    def fail(self, faults: Faults) -> None:
        """Go wrong in these ways from now on."""
        self._trouble.ask(faults)

    def phone(self, number: str) -> list[Text]:
        """What was taken for this phone, in order."""
        return [text for text in self.texts.values() if text.to == number]

    def _tell_call(self, call: PhoneCall, key: str) -> None:
        self._ends[call.carrier].tell_call(call, key)

    # -- the doors

    async def _phones(self, _request: web.Request) -> web.Response:
        return _by_address(self.texts.values())

    async def _calls(self, _request: web.Request) -> web.Response:
        return _by_address(self.exchange.calls.values())

    async def _mailboxes(self, _request: web.Request) -> web.Response:
        return _by_address(self.mails)

    async def _fault(self, request: web.Request) -> web.Response:
        try:
            self.fail(msgspec.json.decode(await request.read(), type=Faults))
        except msgspec.DecodeError as error:
            return web.Response(status=400, text=f"{error}\nKnown: {', '.join(Faults.__struct_fields__)}\n")
        return web.Response(status=204)


def _by_address(every: Iterable[Text | PhoneCall | Mail]) -> web.Response:
    there: dict[str, list[Any]] = {}
    for one in every:
        there.setdefault(one.to, []).append(to_builtins(one))
    return web.json_response(there)


async def run_carrier(options: CarrierOptions) -> None:
    """Serve until cancelled. One line of JSON on standard output says the ports, once they listen."""
    async with Crew() as crew, Carrier(options=options, crew=crew) as carrier:
        ready = {"url": carrier.url, "port": carrier.port, "smtp_port": carrier.smtp_port}
        sys.stdout.write(
            json.dumps(
                {
                    **ready,
                    "account": options.account,
                    "token": options.token,
                    "application": options.application,
                }
            )
            + "\n"
        )
        sys.stdout.flush()
        await asyncio.Event().wait()
