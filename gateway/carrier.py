"""`belltower simulate carrier`: a carrier and a mail server that swallow everything and show it.

The telephone side speaks Twilio's REST API (2010-04-01): POST and GET Messages.json and Calls.json, basic auth,
forms, its error codes, signed status callbacks and key presses; a second one speaks Vonage's Messages and Voice APIs
on the same port. The mail side is a real SMTP server. What phones and
mailboxes received can be read, and faults asked for:

    GET  /phones      {"+15550001": [{"sid": .., "body": .., "status": ..}]}
    GET  /calls       {"+15550001": [{"sid": .., "said": [..], "status": .., "pressed": ..}]}
    GET  /mailboxes   {"a@school.example": [{"subject": .., "body": .., "message_id": ..}]}
    POST /phones/NUMBER/reply   {"text": ".."}: that phone answers its newest text
    POST /phones/NUMBER/press   {"key": "1"}: a key in its newest call
    POST /fault       a JSON object of `Faults`; what it leaves out goes back to normal
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable, Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as mail_policy
from email.utils import format_datetime
from random import Random
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode
from weakref import WeakSet

import aiohttp
import msgspec
from aiohttp import web
from aiosmtpd.smtp import SMTP
from msgspec import to_builtins

from belltower.clock import Clock, SystemClock, aware
from belltower.tasks import Crew
from gateway.carrier_answers import Answers
from gateway.carrier_calls import Exchange
from gateway.carrier_faults import Trouble
from gateway.carrier_forms import NO_CALLER, bad_form, bad_numbers, refusal
from gateway.carrier_mail import Mailroom
from gateway.carrier_records import CarrierOptions, Faults, Mail, PhoneCall, Posting, Text
from gateway.carrier_vonage import VonageEnd
from gateway.carrier_vonage import problem as vonage_problem

_MOST_MESSAGES = 100_000
_MESSAGES = "/2010-04-01/Accounts/{account}/Messages.json"
_CALLS = "/2010-04-01/Accounts/{account}/Calls.json"


class Carrier:
    """The simulated carrier. `async with Carrier(options=..) as carrier`; it listens inside of the block."""

    def __init__(
        self, *, options: CarrierOptions | None = None, clock: Clock | None = None, crew: Crew
    ) -> None:
        self.options = options or CarrierOptions()
        self._clock = clock or SystemClock()
        self._crew = crew
        self._random = Random(self.options.seed)  # noqa: S311 - faults are drawn by a seed
        self._trouble = Trouble(options=self.options, random=self._random)
        self.texts: OrderedDict[str, Text] = OrderedDict()
        """Every message taken, by its sid."""
        self.mails: list[Mail] = []
        self.requests = 0
        self.arrived = asyncio.Event()
        """Set whenever a message or a mail was taken; whoever waits clears it."""
        self._free_at: dict[str, float] = {}
        self._outbox: asyncio.Queue[Posting] = asyncio.Queue(maxsize=200_000)
        self.exchange = Exchange(
            options=self.options, faults=lambda: self.faults, report=self._tell_call, clock=self._clock
        )
        """The calls."""
        self.vonage = VonageEnd(
            options=self.options,
            faults=lambda: self.faults,
            trouble=self._vonage_trouble,
            take=self._keep,
            exchange=self.exchange,
            put=self._put,
            clock=self._clock,
        )
        """The second carrier."""
        self.answers = Answers(
            options=self.options,
            texts=self.texts,
            calls=self.exchange.calls,
            bring=self._bring,
            press=self._tell_call,
        )
        """What people write back, and the keys they press."""
        self._runner: web.AppRunner | None = None
        self._smtp: asyncio.Server | None = None
        self._mail_sessions: WeakSet[SMTP] = WeakSet()
        self._client: aiohttp.ClientSession | None = None
        self._workers: list[asyncio.Task[None]] = []
        self.port = 0
        self.smtp_port = 0

    @property
    def url(self) -> str:
        """The base URL of the REST API, and of the control."""
        return f"http://{self.options.host}:{self.port}"

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=1 << 20)
        application.add_routes(
            [
                web.post(_MESSAGES, self._create),
                web.get(_MESSAGES, self._list),
                web.get(_MESSAGES.replace(".json", "/{sid}.json"), self._one),
                web.get(_CALLS.replace(".json", "/{sid}.json"), self._one),
                web.post(_CALLS, self._create_call),
                web.get(_CALLS, self._list_calls),
                web.get("/phones", self._phones),
                web.get("/calls", self._called),
                web.get("/mailboxes", self._mailboxes),
                web.post("/fault", self._fault),
                *self.answers.routes(),
                *self.vonage.routes(),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.options.host, self.options.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        loop = asyncio.get_running_loop()
        self._smtp = await loop.create_server(self._mail_session, self.options.host, self.options.smtp_port)
        self.smtp_port = self._smtp.sockets[0].getsockname()[1]
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        self._workers = [self._crew.mendable("carrier.callbacks", self._call_back) for _ in range(16)]
        return self

    async def __aexit__(self, *_details: object) -> None:
        for worker in self._workers:
            worker.cancel()
        if self._smtp is not None:
            self._smtp.close()
        for session in self._mail_sessions:
            if session.transport is not None:
                session.transport.close()
        if self._client is not None:
            await self._client.close()
        if self._runner is not None:
            await self._runner.cleanup()

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

    # -- the REST API

    async def _create(self, request: web.Request) -> web.StreamResponse:
        return await self._taking(
            request,
            bad=lambda form: bad_form(form, [*self.faults.stopped, *self.answers.stopped]),
            take=lambda form: self._resource(self._take(form)),
        )

    async def _create_call(self, request: web.Request) -> web.StreamResponse:
        return await self._taking(request, bad=self._bad_call, take=self._take_call)

    async def _taking(
        self,
        request: web.Request,
        *,
        bad: Callable[[dict[str, str]], web.Response | None],
        take: Callable[[dict[str, str]], dict[str, Any]],
    ) -> web.StreamResponse:
        self.requests += 1
        problem = self._stranger(request)
        if problem is not None:
            return problem
        if request.content_type != "application/x-www-form-urlencoded":
            return refusal(415, 20415, "Unsupported media type")
        form = dict(parse_qsl((await request.read()).decode("utf-8", "replace"), keep_blank_values=True))
        problem = bad(form)
        if problem is not None:
            return problem
        wrong = await self._trouble.meet(request, lambda: take(form), refusal)
        return wrong if wrong is not None else web.json_response(take(form), status=201)

    async def _vonage_trouble(
        self, request: web.Request, take: Callable[[], object]
    ) -> web.StreamResponse | None:
        self.requests += 1
        return await self._trouble.meet(request, take, _vonage_problem)

    def _bad_call(self, form: dict[str, str]) -> web.Response | None:
        problem = bad_numbers(form, NO_CALLER)
        if problem is not None:
            return problem
        words = self.exchange.bad(form)
        return refusal(400, *words) if words is not None else None

    def _take_call(self, form: dict[str, str]) -> dict[str, Any]:
        resource = self.exchange.take(form)
        self.arrived.set()
        return resource

    def _stranger(self, request: web.Request) -> web.Response | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        expected = f"{self.options.account}:{self.options.token}"
        try:
            known = scheme.lower() == "basic" and b64decode(secret, validate=True).decode() == expected
        except ValueError:
            known = False
        if known and request.match_info["account"] == self.options.account:
            return None
        return refusal(401, 20003, "Authenticate")

    async def _list(self, request: web.Request) -> web.StreamResponse:
        problem = self._stranger(request)
        if problem is not None:
            return problem
        to = request.query.get("To", "")
        size = int(request.query.get("PageSize", "50"))
        found = [text for text in reversed(self.texts.values()) if not to or text.to == to][:size]
        return web.json_response(
            {"messages": [self._resource(text) for text in found], "page": 0, "page_size": size}
        )

    async def _one(self, request: web.Request) -> web.StreamResponse:
        problem = self._stranger(request)
        if problem is not None:
            return problem
        sid = request.match_info["sid"]
        text, call = self.texts.get(sid), self.exchange.calls.get(sid)
        if text is not None and "/Messages/" in request.path:
            return web.json_response(self._resource(text))
        if call is not None and "/Calls/" in request.path:
            return web.json_response(self.exchange.resource(call))
        return refusal(404, 20404, "The requested resource was not found")

    async def _list_calls(self, request: web.Request) -> web.StreamResponse:
        problem = self._stranger(request)
        if problem is not None:
            return problem
        size = int(request.query.get("PageSize", "50"))
        found = self.exchange.to(request.query.get("To", ""), size)
        return web.json_response({"calls": found, "page": 0, "page_size": size})

    def _take(self, form: dict[str, str]) -> Text:
        sid = "SM" + self._random.randbytes(16).hex()
        text = Text(
            sid=sid,
            to=form["To"],
            sender=form.get("From") or form.get("MessagingServiceSid", ""),
            body=form["Body"],
            status="queued",
            at=self._clock.now(),
            callback=form.get("StatusCallback", ""),
            validity=int(form.get("ValidityPeriod", "0")),
        )
        self._keep(text)
        return text

    def _keep(self, text: Text) -> None:
        self.texts[text.sid] = text
        if len(self.texts) > _MOST_MESSAGES:
            self.texts.popitem(last=False)
        self.arrived.set()
        self._carry(text)

    def _resource(self, text: Text) -> dict[str, Any]:
        path = f"/2010-04-01/Accounts/{self.options.account}/Messages/{text.sid}"
        created = format_datetime(aware(text.at))
        return {
            "account_sid": self.options.account,
            "api_version": "2010-04-01",
            "body": text.body,
            "date_created": created,
            "date_sent": None if text.status == "queued" else created,
            "date_updated": created,
            "direction": "outbound-api",
            "error_code": text.error_code,
            "error_message": None,
            "from": text.sender,
            "messaging_service_sid": None,
            "num_media": "0",
            "num_segments": "1",
            "price": None,
            "price_unit": "USD",
            "sid": text.sid,
            "status": text.status,
            "subresource_uris": {"media": f"{path}/Media.json"},
            "to": text.to,
            "uri": f"{path}.json",
        }

    # -- carrying, and telling how it went

    def _carry(self, text: Text) -> None:
        loop = asyncio.get_running_loop()
        start = max(loop.time(), self._free_at.get(text.to, 0.0))
        if self.options.gap:
            self._free_at[text.to] = start + self.options.gap
        lost = self._random.random() < self.faults.undelivered
        steps = ["queued", "sent", "undelivered" if lost else "delivered"]
        for n, status in enumerate(steps):
            loop.call_at(start + n * self.options.carrying, self._becomes, text, status)
        if not self.faults.callbacks or not text.callback:
            return
        reports = [status for status in steps for _ in range(self.faults.doubled)]
        if self.faults.shuffled:
            self._random.shuffle(reports)
        for n, status in enumerate(reports):
            loop.call_at(start + n * self.options.carrying, self._tell_text, text, status)

    @staticmethod
    def _becomes(text: Text, status: str) -> None:
        text.status = status
        if status == "undelivered":
            text.error_code = 30003

    def _put(self, posting: Posting) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._outbox.put_nowait(posting)

    def _tell_text(self, text: Text, status: str) -> None:
        if text.carrier == "vonage":
            self.vonage.tell_text(text, status)
        else:
            self._tell(text.callback, self._report(text, status))

    def _tell_call(self, call: PhoneCall, key: str) -> None:
        if call.carrier == "vonage":
            self.vonage.tell_call(call, key)
        elif key:
            self._tell(call.key_to, [*self.exchange.fields(call), ("Digits", key)], call)
        else:
            self._tell(call.callback, self.exchange.fields(call))

    def _bring(self, text: Text, url: str, message: str, said: str) -> None:
        """Bring the desk what the phone answers to this text."""
        if text.carrier == "vonage":
            self.vonage.bring(text, url, message, said)
            return
        fields = {
            "AccountSid": self.options.account,
            "ApiVersion": "2010-04-01",
            "Body": said,
            "From": text.to,
            "MessageSid": message,
            "NumMedia": "0",
            "NumSegments": "1",
            "SmsStatus": "received",
            "To": text.sender,
        }
        self._tell(url, list(fields.items()))

    def _tell(self, url: str, fields: list[tuple[str, str]], call: PhoneCall | None = None) -> None:
        from twilio.request_validator import RequestValidator  # noqa: PLC0415 - slow to import

        signature = RequestValidator(self.options.token).compute_signature(url, dict(fields))
        headers = {
            "X-Twilio-Signature": signature[::-1] if self.faults.forged else signature,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self._put(Posting(url=url, body=urlencode(fields).encode(), headers=headers, call=call))

    def _report(self, text: Text, status: str) -> list[tuple[str, str]]:
        fields = {
            "AccountSid": self.options.account,
            "ApiVersion": "2010-04-01",
            "From": text.sender,
            "MessageSid": text.sid,
            "MessageStatus": status,
            "SmsSid": text.sid,
            "SmsStatus": status,
            "To": text.to,
        }
        if status == "undelivered":
            fields["ErrorCode"] = "30003"
        return list(fields.items())

    async def _call_back(self) -> None:
        assert self._client is not None  # noqa: S101 - made before the workers
        while True:
            one = await self._outbox.get()
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, ValueError):
                async with self._client.post(one.url, data=one.body, headers=one.headers) as response:
                    answer = await response.text("utf-8", "replace")
                    if one.call is not None and response.status == 200:
                        hears = self.vonage.hears if one.call.carrier == "vonage" else self.exchange.hears
                        hears(one.call, answer)

    # -- mail

    def _mail_session(self) -> SMTP:
        room = Mailroom(faults=lambda: self.faults, deliver=self.deliver)
        session = SMTP(room, hostname="carrier.simulated", loop=asyncio.get_running_loop(), ident="ESMTP")
        self._mail_sessions.add(session)
        return session

    def deliver(self, to: Sequence[str], content: bytes) -> None:
        """Put a mail into these mailboxes."""
        mail = message_from_bytes(content, policy=mail_policy)
        assert isinstance(mail, EmailMessage)  # noqa: S101 - the policy says so
        part = mail.get_body(("plain",))
        for one in to:
            self.mails.append(
                Mail(
                    to=one,
                    subject=str(mail["Subject"]),
                    body=part.get_content() if part is not None else "",
                    message_id=str(mail["Message-ID"]),
                    at=self._clock.now(),
                )
            )
        del self.mails[:-_MOST_MESSAGES]
        self.arrived.set()

    # -- control

    async def _phones(self, _request: web.Request) -> web.Response:
        phones: dict[str, list[Any]] = {}
        for text in self.texts.values():
            phones.setdefault(text.to, []).append(to_builtins(text))
        return web.json_response(phones)

    async def _called(self, _request: web.Request) -> web.Response:
        phones: dict[str, list[Any]] = {}
        for call in self.exchange.calls.values():
            phones.setdefault(call.to, []).append(to_builtins(call))
        return web.json_response(phones)

    async def _mailboxes(self, _request: web.Request) -> web.Response:
        boxes: dict[str, list[Any]] = {}
        for mail in self.mails:
            boxes.setdefault(mail.to, []).append(to_builtins(mail))
        return web.json_response(boxes)

    async def _fault(self, request: web.Request) -> web.Response:
        try:
            self.fail(msgspec.json.decode(await request.read(), type=Faults))
        except msgspec.DecodeError as error:
            return web.Response(status=400, text=f"{error}\nKnown: {', '.join(Faults.__struct_fields__)}\n")
        return web.Response(status=204)


def _vonage_problem(
    status: int, code: int, message: str, headers: dict[str, str] | None = None
) -> web.Response:
    del code
    answer = vonage_problem(status, message)
    answer.headers.update(headers or {})
    return answer


async def run_carrier(options: CarrierOptions) -> None:
    """Serve until cancelled. One line of JSON on standard output says the ports, once they listen."""
    async with Crew() as crew, Carrier(options=options, crew=crew) as carrier:
        ready = {"url": carrier.url, "port": carrier.port, "smtp_port": carrier.smtp_port}
        sys.stdout.write(json.dumps({**ready, "account": options.account}) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()
