"""The first simulated carrier: Twilio's REST API, as much of it as is spoken to."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Collection, Mapping, Reversible
from random import Random
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from belltower.clock import Clock
from gateway.carrier.calls import Exchange
from gateway.carrier.faults import Trouble
from gateway.carrier.records import CarrierOptions, PhoneCall, Posting, Text
from gateway.carrier.texts import TextCentre
from gateway.carrier.twilio_forms import bad_call, bad_text, read_twiml, refusal
from gateway.carrier.twilio_words import ROOT, call_report, call_resource, reply, text_report, text_resource

_MESSAGES = f"{ROOT}/{{account}}/Messages"
_CALLS = f"{ROOT}/{{account}}/Calls"

Form = dict[str, str]
T = TypeVar("T", Text, PhoneCall)


class TwilioEnd:
    """The first carrier."""

    def __init__(
        self,
        *,
        options: CarrierOptions,
        trouble: Trouble,
        centre: TextCentre,
        exchange: Exchange,
        stopped: Callable[[], Collection[str]],
        put: Callable[[Posting], None],
        clock: Clock,
        random: Random,
    ) -> None:
        """`stopped` are the numbers that said STOP."""
        self._options = options
        self._trouble = trouble
        self._centre = centre
        self._exchange = exchange
        self._stopped = stopped
        self._put = put
        self._clock = clock
        self._random = random
        self._call_ids = Random(options.seed + 1)  # noqa: S311 - sids

    def routes(self) -> list[web.RouteDef]:
        """Texts and calls, made, listed and shown."""
        return [
            web.post(f"{_MESSAGES}.json", self._create_text),
            web.get(f"{_MESSAGES}.json", self._list_texts),
            web.get(f"{_MESSAGES}/{{sid}}.json", self._one_text),
            web.post(f"{_CALLS}.json", self._create_call),
            web.get(f"{_CALLS}.json", self._list_calls),
            web.get(f"{_CALLS}/{{sid}}.json", self._one_call),
        ]

    async def _create_text(self, request: web.Request) -> web.StreamResponse:
        return await self._create(request, lambda form: bad_text(form, self._stopped()), self._take_text)

    async def _create_call(self, request: web.Request) -> web.StreamResponse:
        return await self._create(request, bad_call, self._take_call)

    async def _create(
        self,
        request: web.Request,
        bad: Callable[[Form], web.Response | None],
        take: Callable[[Form], dict[str, Any]],
    ) -> web.StreamResponse:
        if (problem := self._stranger(request)) is not None:
            return problem
        if request.content_type != "application/x-www-form-urlencoded":
            return refusal(415, 20415, "Unsupported media type")
        form = dict(parse_qsl((await request.read()).decode("utf-8", "replace"), keep_blank_values=True))
        if (problem := bad(form)) is not None:
            return problem
        wrong = await self._trouble.meet(request, lambda: take(form), refusal)
        return wrong if wrong is not None else web.json_response(take(form), status=201)

    def _take_text(self, form: Form) -> dict[str, Any]:
        text = Text(
            sid="SM" + self._random.randbytes(16).hex(),
            to=form["To"],
            sender=form.get("From") or form.get("MessagingServiceSid", ""),
            body=form["Body"],
            status="queued",
            at=self._clock.now(),
            callback=form.get("StatusCallback", ""),
            validity=int(form.get("ValidityPeriod", "0")),
        )
        self._centre.take(text)
        return text_resource(text, self._options.account)

    def _take_call(self, form: Form) -> dict[str, Any]:
        words = read_twiml(form["Twiml"])
        assert words is not None  # noqa: S101 - `bad_call` has read it
        said, languages, key_to = words
        call = PhoneCall(
            sid="CA" + self._call_ids.randbytes(16).hex(),
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
        self._exchange.ring(call)
        return call_resource(call, self._options.account)

    async def _list_texts(self, request: web.Request) -> web.StreamResponse:
        return self._listed(request, "messages", self._centre.texts.values(), text_resource)

    async def _list_calls(self, request: web.Request) -> web.StreamResponse:
        return self._listed(request, "calls", self._exchange.calls.values(), call_resource)

    async def _one_text(self, request: web.Request) -> web.StreamResponse:
        return self._shown(request, self._centre.texts, text_resource)

    async def _one_call(self, request: web.Request) -> web.StreamResponse:
        return self._shown(request, self._exchange.calls, call_resource)

    def _listed(
        self, request: web.Request, name: str, every: Reversible[T], show: Callable[[T, str], dict[str, Any]]
    ) -> web.Response:
        """The newest, to one number if one is asked for."""
        if (problem := self._stranger(request)) is not None:
            return problem
        to, size = request.query.get("To", ""), int(request.query.get("PageSize", "50"))
        found = [one for one in reversed(every) if not to or one.to == to][:size]
        shown = [show(one, self._options.account) for one in found]
        return web.json_response({name: shown, "page": 0, "page_size": size})

    def _shown(
        self, request: web.Request, known: Mapping[str, T], show: Callable[[T, str], dict[str, Any]]
    ) -> web.Response:
        if (problem := self._stranger(request)) is not None:
            return problem
        found = known.get(request.match_info["sid"])
        if found is None:
            return refusal(404, 20404, "The requested resource was not found")
        return web.json_response(show(found, self._options.account))

    def _stranger(self, request: web.Request) -> web.Response | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        expected = f"{self._options.account}:{self._options.token}"
        try:
            known = scheme.lower() == "basic" and b64decode(secret, validate=True).decode() == expected
        except ValueError:
            known = False
        if known and request.match_info["account"] == self._options.account:
            return None
        return refusal(401, 20003, "Authenticate")

    # -- telling how it went

    def tell_text(self, text: Text, status: str) -> None:
        """What became of a text."""
        self._tell(text.callback, text_report(text, status, self._options.account))

    def tell_call(self, call: PhoneCall, key: str) -> None:
        """What became of a call, or which key was pressed."""
        report = call_report(call, self._options.account, key)
        if key:
            self._tell(call.key_to, report, call)
        else:
            self._tell(call.callback, report)

    def bring(self, text: Text, url: str, message: str, said: str) -> None:
        """What a phone answers to a text."""
        self._tell(url, reply(text, message, said, self._options.account))

    def hears(self, call: PhoneCall, answer: str) -> None:
        """The call goes on with what its key press was answered."""
        if (words := read_twiml(answer)) is not None:
            call.said += words[0]
            call.languages += words[1]

    def _tell(self, url: str, fields: Form, call: PhoneCall | None = None) -> None:
        from twilio.request_validator import RequestValidator  # noqa: PLC0415 - slow to import

        signature = RequestValidator(self._options.token).compute_signature(url, fields)
        headers = {
            "X-Twilio-Signature": signature[::-1] if self._trouble.faults.forged else signature,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self._put(Posting(url=url, body=urlencode(fields).encode(), headers=headers, call=call))
