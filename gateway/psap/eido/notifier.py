"""The side that tells, on one WebSocket: NENA-STA-024.1 as a state machine. Messages and the time in, messages out.

    subscribe "new"      answered at once, then one event with every active incident, or an empty one; 2.1.1
    subscribe "single"   also for an incident that was closed up to five minutes ago
    subscribe with a subscriptionId   for longer
    tell                 an event on every subscription that it concerns; the same frame is the same transaction
    nothing to tell      an empty event after each `heartbeat`, or sooner where minRate asks for it; a subscriber that
                         answers nothing for one and a half heartbeats is given up

A filter (qualFilter) is taken and not applied: of an alarm rather too much is told than too little.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import assert_never

from msgspec import Raw, Struct

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
from gateway.psap.eido.document import MEDIA_TYPE

AFTER_CLOSURE = 300.0
"""Seconds for which a closed incident is still told to whoever asks for it alone."""
EXPIRES = 3600.0
LEAST_EXPIRES, MOST_EXPIRES = 60.0, 86_400.0
LEAST_SILENCE = 5.0
"""Seconds between empty events at least, whatever minRate says: there are subscribers that mean seconds by it."""
SUBSCRIPTIONS_MOST = 16
_ANSWER_WITHIN = 5.0
_OPEN_MOST = 1_024
_EVENT_AT_ONCE = 256 * 1024
_OUT_MOST = 256


class Told(Struct, frozen=True, kw_only=True):
    """One incident as it was told last."""

    id: str
    # The frame that tells of it.
    frame: str
    document: bytes
    # None while it is open.
    closed_at: float | None = None


class Subscribed(Struct, frozen=True, kw_only=True):
    """Somebody wants to be told of every new incident from now on."""

    subscription: str


class Answered(Struct, frozen=True, kw_only=True):
    """The subscriber has answered an event. No frames: it was empty."""

    frames: tuple[str, ...]
    code: int


class Lapsed(Struct, frozen=True, kw_only=True):
    """A subscription is over."""

    subscription: str


Noticed = Subscribed | Answered | Lapsed


class _Subscription:
    def __init__(
        self, *, id_: str, incident: str, expires: float, ends: float, silence: float, now: float
    ) -> None:
        self.id = id_
        # "" for all new incidents.
        self.incident = incident
        self.expires = expires
        self.ends = ends
        # Seconds without an event after which an empty one goes.
        self.silence = silence
        self.told_at = now


class Notifier:
    """What we owe and hear on one WebSocket. Its owner calls `receive`, `tell` and `tick`, then takes what is `outgoing` and `noticed`."""

    def __init__(
        self,
        *,
        element: str,
        mint: Callable[[], str],
        active: Callable[[], Iterable[Told]],
        heartbeat: float = 30.0,
        expires: float = EXPIRES,
    ) -> None:
        self._element = element
        self._mint = mint
        self._active = active
        self._heartbeat = heartbeat
        self._expires = expires
        self._subscriptions: dict[str, _Subscription] = {}
        self._open: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._out: deque[bytes] = deque()
        self._noticed: deque[Noticed] = deque()
        # When the first event that is still unanswered went.
        self._asked_at: float | None = None
        self._ending: dict[str, float] = {}
        self._number = 0
        self.closing = ""
        """Why the WebSocket is to be closed now; empty: it is not."""
        self.counts: Counter[str] = Counter()
        """Messages by what became of them: malformed, stray, answers."""

    @property
    def subscribed(self) -> bool:
        """Whether somebody wants to be told of new incidents."""
        return any(not one.incident for one in self._subscriptions.values())

    @property
    def in_use(self) -> bool:
        """Whether there is a subscription of any kind."""
        return bool(self._subscriptions)

    def outgoing(self) -> list[bytes]:
        """What is to be sent now, in order."""
        out = list(self._out)
        self._out.clear()
        return out

    def noticed(self) -> list[Noticed]:
        """What happened since the last question."""
        noticed = list(self._noticed)
        self._noticed.clear()
        return noticed

    # ---- in

    def receive(self, octets: bytes, now: float) -> None:
        """Take one message of the subscriber; never raises."""
        if len(self._out) >= _OUT_MOST:
            self.closing = "it asks and does not listen"
            return
        try:
            message = conveyance.decode(octets)
        except Malformed:
            self.counts["malformed"] += 1
            if (refusal := conveyance.refusal_of(octets)) is not None:
                self._send(refusal)
            return
        match message:
            case Subscribe():
                self._subscribe(message, now)
            case Unsubscribe():
                self._unsubscribe(message)
            case EventResponse():
                self._answered(message)
            case TerminateResponse():
                self._end(message.subscription_id or "")
            case SubscribeResponse() | UnsubscribeResponse() | Event() | Terminate():
                self.counts["stray"] += 1
            case other:
                assert_never(other)

    def tell(self, frame: str, told: Sequence[Told], now: float) -> bool:
        """Tell of these incidents, or of none, on every subscription they concern. True: there is one.

        False also while the subscriber does not take what it is sent.
        """
        concerned = False
        if len(self._out) >= _OUT_MOST:
            return False
        for one in self._subscriptions.values():
            mine = [each.document for each in told if not one.incident or one.incident == each.id]
            if mine or (not told and not one.incident):
                self._event(one, f"{frame}.{one.id}@{self._element}", (frame,), mine, now)
                concerned = True
        return concerned

    def tick(self, now: float) -> None:
        """Let the time be `now`."""
        if self._asked_at is not None and now >= self._asked_at + 1.5 * self._heartbeat:
            self.closing = "it answers no event"
            return
        for one in list(self._subscriptions.values()):
            if now >= one.ends:
                del self._subscriptions[one.id]
                self._ending[one.id] = now + _ANSWER_WITHIN
                self._send(Terminate(request_id=self._mint(), subscription_id=one.id))
                self._noticed.append(Lapsed(subscription=one.id))
            elif now >= self._silent_until(one):
                self._number += 1
                self._event(one, f"E{self._number}.{one.id}@{self._element}", (), [], now)
        for id_, until in list(self._ending.items()):
            if now >= until:
                self._end(id_)

    def next_at(self) -> float | None:
        """When `tick` has something to do, if nothing is received until then."""
        times = list(self._ending.values())
        for one in self._subscriptions.values():
            times += [one.ends, self._silent_until(one)]
        if self._asked_at is not None:
            times.append(self._asked_at + 1.5 * self._heartbeat)
        return min(times, default=None)

    # ----

    def _subscribe(self, asked: Subscribe, now: float) -> None:
        expires = self._granted(asked.expires)
        if asked.subscription_id:
            known = self._subscriptions.get(asked.subscription_id)
            if known is None:
                self._refuse(asked, conveyance.NOT_FOUND, "There is no such subscription")
                return
            known.expires, known.ends = expires, now + expires
            self._accept(asked, known)
            return
        if (asked.request_type or "EIDO").upper() != "EIDO":
            self._refuse(asked, conveyance.BAD_REQUEST, "requestType is EIDO here")
        elif not _acceptable(asked.request_accepts):
            self._refuse(asked, conveyance.NOT_ACCEPTABLE, f"Only {conveyance.ACCEPTS} can be had here")
        elif len(self._subscriptions) >= SUBSCRIPTIONS_MOST:
            self._refuse(asked, conveyance.BUSY, "Too many subscriptions on one WebSocket")
        else:
            match asked.request_sub_type or "new":
                case "new":
                    self._begin(asked, expires, now, incident="")
                case "single":
                    self._single(asked, expires, now)
                case _:
                    self._refuse(asked, conveyance.BAD_REQUEST, "requestSubType is new or single")

    def _single(self, asked: Subscribe, expires: float, now: float) -> None:
        told = [each for each in self._active() if each.id == asked.incident_id and _recent(each, now)]
        if told:
            self._begin(asked, expires, now, incident=told[0].id)
        else:
            self._refuse(asked, conveyance.NOT_FOUND, "There is no such incident")

    def _begin(self, asked: Subscribe, expires: float, now: float, *, incident: str) -> None:
        rate = min(asked.min_rate or 0.0, 1e9) / 1000
        one = _Subscription(
            id_=self._mint(),
            incident=incident,
            expires=expires,
            ends=now + expires,
            silence=min(max(rate, LEAST_SILENCE), self._heartbeat) if rate > 0 else self._heartbeat,
            now=now,
        )
        self._subscriptions[one.id] = one
        self._accept(asked, one)
        if not incident:
            self._noticed.append(Subscribed(subscription=one.id))
        told = [
            each
            for each in self._active()
            if (each.id == incident and _recent(each, now)) or (not incident and each.closed_at is None)
        ]
        for number, batch in enumerate(_batches(told) or [[]]):
            frames = tuple(dict.fromkeys(each.frame for each in batch))
            transaction = f"A{number}.{one.id}@{self._element}"
            self._event(one, transaction, frames, [each.document for each in batch], now)

    def _accept(self, asked: Subscribe, one: _Subscription) -> None:
        self._send(
            SubscribeResponse(
                request_id=asked.request_id,
                subscription_id=one.id,
                expires=int(one.expires),
                status_code=conveyance.OK,
                status_text="OK",
            )
        )

    def _refuse(self, asked: Subscribe, code: int, text: str) -> None:
        self.counts["refused"] += 1
        self._send(SubscribeResponse(request_id=asked.request_id, status_code=code, status_text=text))

    def _granted(self, asked: float | None) -> float:
        return min(max(asked, LEAST_EXPIRES), MOST_EXPIRES) if asked and asked > 0 else self._expires

    def _unsubscribe(self, asked: Unsubscribe) -> None:
        known = self._subscriptions.pop(asked.subscription_id, None)
        code, text = (
            (conveyance.OK, "Unsubscribed")
            if known is not None
            else (conveyance.NOT_FOUND, "There is no such subscription")
        )
        self._send(
            UnsubscribeResponse(
                request_id=asked.request_id,
                subscription_id=asked.subscription_id,
                status_code=code,
                status_text=text,
            )
        )
        if known is not None:
            self._noticed.append(Lapsed(subscription=known.id))
            self._close_if_last()

    def _event(
        self,
        one: _Subscription,
        transaction: str,
        frames: tuple[str, ...],
        documents: Sequence[bytes],
        now: float,
    ) -> None:
        self._open[transaction] = frames
        self._open.move_to_end(transaction)
        if len(self._open) > _OPEN_MOST:
            self._open.popitem(last=False)
        one.told_at = now
        if self._asked_at is None:
            self._asked_at = now
        notification = tuple(Raw(document) for document in documents)
        self._send(Event(subscription_id=one.id, transaction_id=transaction, notification=notification))

    def _answered(self, answer: EventResponse) -> None:
        frames = self._open.pop(answer.transaction_id, None)
        if frames is None:
            self.counts["stray"] += 1
            return
        self.counts["answers"] += 1
        self._asked_at = None
        self._noticed.append(Answered(frames=frames, code=answer.status_code))

    def _silent_until(self, one: _Subscription) -> float:
        # Unanswered, it is asked again sooner, so that three have to go astray before it is given up.
        silence = one.silence if self._asked_at is None else min(one.silence, self._heartbeat / 2)
        return one.told_at + silence

    def _end(self, id_: str) -> None:
        if self._ending.pop(id_, None) is not None:
            self._close_if_last()

    def _close_if_last(self) -> None:
        if not self._subscriptions and not self._ending:
            self.closing = "the last subscription is over"

    def _send(self, message: Message) -> None:
        self._out.append(conveyance.encode(message))


def _recent(told: Told, now: float) -> bool:
    return told.closed_at is None or now < told.closed_at + AFTER_CLOSURE


def _acceptable(accepts: str | None) -> bool:
    """Whether version 1 of the format is among what is accepted; silence accepts it."""
    if not accepts:
        return True
    if MEDIA_TYPE not in accepts.lower():
        return False
    versions = re.search(r'version\s*=\s*"?([0-9., ]*)', accepts.lower())
    return versions is None or any(each.strip() in ("1", "1.0") for each in versions[1].split(","))


def _batches(told: Sequence[Told]) -> list[list[Told]]:
    """As few events as hold them all without one growing beyond measure."""
    batches: list[list[Told]] = []
    room = 0
    for each in told:
        if not batches or len(each.document) > room:
            batches.append([])
            room = _EVENT_AT_ONCE
        batches[-1].append(each)
        room -= len(each.document)
    return batches
