"""The side that is told, on one WebSocket: NENA-STA-024.1 as a state machine. Messages and the time in, messages out."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import assert_never

from msgspec import Struct

from belltower.errors import Malformed
from gateway.psap.eido import conveyance
from gateway.psap.eido.conveyance import (
    Event,
    EventResponse,
    Message,
    Subscribe,
    SubscribeResponse,
    Terminate,
    TerminateResponse,
    Unsubscribe,
    UnsubscribeResponse,
)

EXPIRES = 3600
MOST_EXPIRES = 86_400.0
ANSWER_WITHIN = 10.0
_SILENCE = 30_000
_RENEWED_AT = 0.8
_OUT_MOST = 256


class Notified(Struct, frozen=True, kw_only=True):
    """Documents came; `Subscriber.answer` says what became of them."""

    transaction: str
    documents: tuple[bytes, ...]


class Subscriber:
    """What we ask and hear on one WebSocket. Its owner calls `begin`, `receive` and `tick`, then takes what is `outgoing`."""

    def __init__(self, *, mint: Callable[[], str], expires: int = EXPIRES) -> None:
        self._mint = mint
        self._expires = expires
        self._out: deque[bytes] = deque()
        self._request = ""
        self._answer_by: float | None = None
        self._renew_at: float | None = None
        self._ends: float | None = None
        self.subscription = ""
        """The subscription's id; empty while there is none."""
        self.closing = ""
        """Why the WebSocket is to be closed now; empty: it is not."""
        self.counts: Counter[str] = Counter()
        """Messages by what became of them: malformed, stray, events."""

    def outgoing(self) -> list[bytes]:
        """What is to be sent now, in order."""
        out = list(self._out)
        self._out.clear()
        return out

    def begin(self, now: float) -> None:
        """Ask to be told of every incident."""
        self._ask(now)

    def receive(self, octets: bytes, now: float) -> Notified | None:
        """Take one message of the notifier; never raises."""
        if len(self._out) >= _OUT_MOST:
            self.closing = "it tells and does not listen"
            return None
        try:
            message = conveyance.decode(octets, most=conveyance.EVENT_MOST)
        except Malformed:
            self.counts["malformed"] += 1
            if (refusal := conveyance.refusal_of(octets)) is not None:
                self._send(refusal)
            return None
        match message:
            case SubscribeResponse():
                self._subscribed(message, now)
            case Event():
                return self._event(message)
            case Terminate():
                self._terminate(message)
            case UnsubscribeResponse():
                self.closing = self.closing or "unsubscribed"
            case Subscribe() | Unsubscribe() | EventResponse() | TerminateResponse():
                self.counts["stray"] += 1
            case other:
                assert_never(other)
        return None

    def answer(self, transaction: str, *, fault: str = "") -> None:
        """Say that an event was understood, or what is wrong with it."""
        code, text = (conveyance.BAD_REQUEST, fault) if fault else (conveyance.OK, "OK")
        self._send(EventResponse(transaction_id=transaction, status_code=code, status_text=text))

    def leave(self) -> None:
        """Ask to be told no more."""
        if self.subscription:
            self._send(Unsubscribe(request_id=self._mint(), subscription_id=self.subscription))

    def tick(self, now: float) -> None:
        """Let the time be `now`."""
        if self._answer_by is not None and now >= self._answer_by:
            self.closing = "it does not answer the request to subscribe"
        elif self._ends is not None and now >= self._ends:
            self.closing = "the subscription ran out"
        elif self._renew_at is not None and now >= self._renew_at:
            self._renew_at = None
            self._ask(now)

    def next_at(self) -> float | None:
        """When `tick` has something to do, if nothing is received until then."""
        times = [time for time in (self._answer_by, self._ends, self._renew_at) if time is not None]
        return min(times, default=None)

    # ----

    def _ask(self, now: float) -> None:
        self._request = self._mint()
        self._answer_by = now + ANSWER_WITHIN
        self._send(
            Subscribe(
                request_id=self._request,
                request_type="EIDO",
                request_sub_type="new",
                request_accepts=conveyance.ACCEPTS,
                min_rate=_SILENCE,
                expires=self._expires,
                subscription_id=self.subscription or None,
            )
        )

    def _subscribed(self, answer: SubscribeResponse, now: float) -> None:
        if answer.request_id != self._request or self._answer_by is None:
            self.counts["stray"] += 1
            return
        self._answer_by = None
        if not 200 <= answer.status_code < 300:
            if self.subscription:  # it does not know the subscription any more: ask for a new one
                self.subscription, self._ends = "", None
                self._ask(now)
            else:
                self.closing = f"it refuses the subscription with {answer.status_code}"
            return
        self.subscription = answer.subscription_id or self.subscription
        expires = min(answer.expires or 0.0, MOST_EXPIRES)
        if expires > 0:
            self._ends = now + expires
            self._renew_at = now + expires * _RENEWED_AT

    def _event(self, event: Event) -> Notified | None:
        if self.subscription and event.subscription_id != self.subscription:
            self.counts["stray"] += 1
            self._send(
                EventResponse(
                    transaction_id=event.transaction_id,
                    status_code=conveyance.NOT_FOUND,
                    status_text="There is no such subscription",
                )
            )
            return None
        self.counts["events"] += 1
        documents = tuple(bytes(raw) for raw in event.notification or ())
        return Notified(transaction=event.transaction_id, documents=documents)

    def _terminate(self, ended: Terminate) -> None:
        self._send(
            TerminateResponse(
                request_id=ended.request_id,
                subscription_id=ended.subscription_id,
                status_code=conveyance.OK,
                status_text="OK",
            )
        )
        if ended.subscription_id == self.subscription or not self.subscription:
            self.closing = "the notifier ended the subscription"

    def _send(self, message: Message) -> None:
        self._out.append(conveyance.encode(message))
