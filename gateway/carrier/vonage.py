"""The second simulated carrier: Vonage's Messages and Voice APIs, as much of them as is spoken to."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from belltower.clock import SECOND, Clock, aware
from gateway.carrier.calls import Exchange
from gateway.carrier.faults import Trouble
from gateway.carrier.records import CarrierOptions, PhoneCall, Posting, Text
from gateway.carrier.texts import TextCentre

# The simulated exchange's words -> those of this API.
_STATUSES = {"in-progress": "answered", "no-answer": "unanswered", "queued": "started"}


class VonageEnd:
    """The second carrier. Its texts and calls reach the same phones."""

    def __init__(
        self,
        *,
        options: CarrierOptions,
        trouble: Trouble,
        centre: TextCentre,
        exchange: Exchange,
        put: Callable[[Posting], None],
        clock: Clock,
    ) -> None:
        self._options = options
        self._trouble = trouble
        self._centre = centre
        self._exchange = exchange
        self._put = put
        self._clock = clock
        self._random = Random(options.seed + 2)  # noqa: S311 - ids

    def routes(self) -> list[web.RouteDef]:
        """Messages, calls, and the list of calls."""
        return [
            web.post("/v1/messages", self._message),
            web.post("/v1/calls", self._call),
            web.get("/v1/calls", self._calls),
            web.get("/v1/calls/{uuid}", self._one_call),
        ]

    async def _message(self, request: web.Request) -> web.StreamResponse:
        asked = await self._asked(request)
        if isinstance(asked, web.Response):
            return asked
        if (asked.get("channel"), asked.get("message_type")) != ("sms", "text") or not asked.get("text"):
            return _bad("channel", "text")
        if not _is_number(asked.get("to")):
            return _bad("to")
        if not asked.get("from"):
            return _bad("from")
        text = Text(
            sid=self._id(),
            to="+" + asked["to"],
            sender=asked["from"],
            body=asked["text"],
            status="queued",
            at=self._clock.now(),
            callback=asked.get("webhook_url", ""),
            validity=asked.get("ttl", 0),
            carrier="vonage",
        )
        wrong = await self._trouble.meet(request, lambda: self._centre.take(text), _as_asked)
        if wrong is not None:
            return wrong
        self._centre.take(text)
        return web.json_response({"message_uuid": text.sid}, status=202)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        asked = await self._asked(request)
        if isinstance(asked, web.Response):
            return asked
        try:
            call = self._read(asked)
        except (KeyError, IndexError, TypeError):
            return _bad("ncco", "to", "from")
        if not _is_number(call.to[1:]):
            return _bad("to")
        wrong = await self._trouble.meet(request, lambda: self._exchange.ring(call), _as_asked)
        if wrong is not None:
            return wrong
        self._exchange.ring(call)
        resource = {"uuid": call.sid, "status": "started", "direction": "outbound"}
        return web.json_response({**resource, "conversation_uuid": f"CON-{call.sid}"}, status=201)

    async def _calls(self, request: web.Request) -> web.StreamResponse:
        problem = self._stranger(request)
        if problem is not None:
            return problem
        calls = [self._resource(call) for call in self._exchange.calls.values() if call.carrier == "vonage"]
        return web.json_response({"count": len(calls), "_embedded": {"calls": calls}})

    async def _one_call(self, request: web.Request) -> web.StreamResponse:
        known = self._stranger(request)
        call = self._exchange.calls.get(request.match_info["uuid"])
        if known is not None or call is None:
            return known or problem(404, "Not Found")
        return web.json_response(self._resource(call))

    async def _asked(self, request: web.Request) -> dict[str, Any] | web.Response:
        problem = self._stranger(request)
        if problem is not None:
            return problem
        try:
            return msgspec.json.decode(await request.read(), type=dict[str, Any])
        except msgspec.DecodeError:
            return _bad("body")

    def _stranger(self, request: web.Request) -> web.Response | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            head, claims, signature = token.split(".")
            said, bears = json.loads(_octets(head)), json.loads(_octets(claims))
            if self._options.application_key:
                key = load_pem_public_key(self._options.application_key.encode())
                assert isinstance(key, RSAPublicKey)  # noqa: S101 - of our own options
                key.verify(_octets(signature), f"{head}.{claims}".encode(), PKCS1v15(), SHA256())
            known = (
                scheme == "Bearer"
                and said == {"alg": "RS256", "typ": "JWT"}
                and bears["application_id"] == self._options.application
                and bears["iat"] <= self._clock.now() / SECOND + 5
                and self._clock.now() / SECOND < bears["exp"]
                and bool(bears["jti"])
            )
        except (ValueError, KeyError, TypeError, InvalidSignature):
            known = False
        return None if known else problem(401, "Unauthorized")

    def _read(self, asked: dict[str, Any]) -> PhoneCall:
        talks = [one for one in asked["ncco"] if one["action"] == "talk"]
        inputs = [one for one in asked["ncco"] if one["action"] == "input"]
        return PhoneCall(
            sid=self._id(),
            to="+" + asked["to"][0]["number"],
            sender="+" + asked["from"]["number"],
            said=[one["text"] for one in talks],
            languages=[one["language"] for one in talks],
            status="queued",
            at=self._clock.now(),
            callback=asked.get("event_url", [""])[0],
            key_to=inputs[0]["eventUrl"][0] if inputs else "",
            ring=asked.get("ringing_timer", 60),
            carrier="vonage",
        )

    def _resource(self, call: PhoneCall) -> dict[str, Any]:
        return {
            "uuid": call.sid,
            "status": _STATUSES.get(call.status, call.status),
            "direction": "outbound",
            "to": {"type": "phone", "number": call.to[1:]},
            "from": {"type": "phone", "number": call.sender[1:]},
            "start_time": aware(call.at).isoformat(),
        }

    # -- telling how it went

    def tell_text(self, text: Text, status: str) -> None:
        """What became of a text."""
        names = {"queued": "submitted", "sent": "submitted", "undelivered": "undeliverable"}
        report: dict[str, Any] = {
            "message_uuid": text.sid,
            "to": text.to[1:],
            "from": text.sender,
            "timestamp": aware(self._clock.now()).isoformat(),
            "status": names.get(status, status),
            "channel": "sms",
        }
        if status == "undelivered":
            report["error"] = {"title": "1340", "detail": "it could not be delivered"}
        self._tell(text.callback, report)

    def tell_call(self, call: PhoneCall, key: str) -> None:
        """What became of a call, or which key was pressed."""
        about = {"uuid": call.sid, "conversation_uuid": f"CON-{call.sid}", "to": call.to[1:]}
        if key:
            self._tell(call.key_to, {**about, "dtmf": {"digits": key, "timed_out": False}}, call)
        else:
            self._tell(call.callback, {**about, "status": _STATUSES.get(call.status, call.status)})

    def bring(self, text: Text, url: str, message: str, said: str) -> None:
        """What a phone answers to a text."""
        incoming = {
            "message_uuid": message,
            "to": text.sender,
            "from": text.to[1:],
            "timestamp": aware(self._clock.now()).isoformat(),
            "channel": "sms",
            "message_type": "text",
            "text": said,
        }
        self._tell(url, incoming)

    def hears(self, call: PhoneCall, answer: str) -> None:
        """The call goes on with what its key press was answered."""
        for one in json.loads(answer):
            call.said.append(one["text"])
            call.languages.append(one["language"])

    def _tell(self, url: str, report: dict[str, Any], call: PhoneCall | None = None) -> None:
        body = json.dumps(report).encode()
        secret = self._options.token[:: -1 if self._trouble.faults.forged else 1]
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.signed(body, secret)}"}
        self._put(Posting(url=url, body=body, headers=headers, call=call))

    def signed(self, body: bytes, secret: str) -> str:
        """The token that goes with a report."""
        now = self._clock.now() // SECOND
        claims = {
            "iat": now,
            "jti": self._id(),
            "iss": "Vonage",
            "payload_hash": hashlib.sha256(body).hexdigest(),
            "application_id": self._options.application,
        }
        text = ".".join(_written(json.dumps(part)) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        digest = hmac.digest(secret.encode(), text.encode(), "sha256")
        return f"{text}.{urlsafe_b64encode(digest).decode().rstrip('=')}"

    def _id(self) -> str:
        text = self._random.randbytes(16).hex()
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"


def problem(status: int, title: str, **more: object) -> web.Response:
    """An error as this API words it."""
    return web.json_response(
        {
            "type": f"https://developer.vonage.com/api-errors#{status}",
            "title": title,
            "detail": title,
            "instance": "bf0ca0bf927b3b52e3cb03217e1a1ddf",
            **more,
        },
        status=status,
    )


def _as_asked(status: int, _code: int, title: str, headers: dict[str, str] | None) -> web.Response:
    answer = problem(status, title)
    answer.headers.update(headers or {})
    return answer


def _bad(*names: str) -> web.Response:
    invalid = [{"name": name, "reason": "is invalid"} for name in names]
    return problem(422, "Invalid params", invalid_parameters=invalid)


def _is_number(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.isdigit() and 7 <= len(text) <= 15


def _octets(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _written(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")
