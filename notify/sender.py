"""One per provider: takes what is pending, keeps the pace, tries again, passes on, gives up in time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from random import Random
from typing import TypeAlias

from belltower import log
from belltower.clock import SECOND, Clock, Instant
from belltower.ids import DeliveryId, Ids, NoticeId
from belltower.tasks import Crew
from notify.addresses import UNREADABLE
from notify.channels.channel import Answer, Later, Message, PromptChannel, Refused, Settled, Uncertain
from notify.codes import filled
from notify.delivery import TOO_LATE, Delivery, Evidence, State
from notify.dropping import Dropping
from notify.expiry import Expiry
from notify.forecast import Load, Speed, Way
from notify.ledger import At, Ledger, nowhere
from notify.line import Line
from notify.provider import Meter, Provider
from notify.quiet import still_quiet
from notify.stops import STOPPED
from notify.store import DeliveryTables, Text, Waiting
from notify.turns import Turns
from notify.window import Window

_log = log.get("notify")

_BACKLOG = 5_000
_LONGEST_WAIT = 60.0
_LONGEST_IDLE = 1.0
# Seconds after which the waiting notices are looked at again, if nobody rang.
_LOOK_AGAIN = 0.5
# Rows of one lease: the loop does not stand still for many.
_MOST_LEASED = 256
# Seconds from one lease to the next where a pace bounds them: what was earned meanwhile shares a commit.
_LEASE_EVERY = 0.1
# Of a message that this provider keeps putting off, before the next one is asked.
_TRIES = 3
# Seconds until what is passed on stands in its row.
_SETTLING = 0.05
_MOST_TEXTS = 64
_NO_TEXT = "no_text"

_Begun: TypeAlias = tuple[Delivery, Message]
"""A delivery whose attempt is written down, and what its channel is handed."""


class Sender:
    """Serves the pending rows of one kind of address by one provider.

    While the provider is in trouble (`Window`), the one whose turn is next takes what is pending; a message that this
    one surely will not take is passed on to it at once. Uncertain messages are never passed on.
    """

    def __init__(
        self,
        *,
        provider: Provider,
        tables: DeliveryTables,
        ledger: Ledger,
        clock: Clock,
        ids: Ids,
        random: Random,
        crew: Crew,
        at: At = nowhere,
        before: Sequence[Sender] = (),
    ) -> None:
        """`before` are those of the row whose turn is earlier."""
        self._name = provider.name
        self._channel = provider.channel
        self._pace = provider.pace
        self._meter = Meter(pace=provider.pace)
        self._window = Window(at_once=provider.pace.at_once, random=random)
        self._expiry = Expiry(ttl=provider.pace.ttl, clock=clock)
        self._dropping = Dropping(
            tables=tables, ledger=ledger, crew=crew, channel=provider.channel.name, at=at
        )
        self._before = before
        # The one that takes over from here.
        self._next: Sender | None = None
        for sender in before[-1:]:
            sender._next = self  # noqa: SLF001 - neighbours in one row
        self._turns: Turns[tuple[Line[_Begun], _Begun]] = before[0]._turns if before else Turns()  # noqa: SLF001 - as above
        self._tables = tables
        self._ledger = ledger
        self._clock = clock
        self._ids = ids
        self._random = random
        self._at = at
        self._bell = asyncio.Event()
        self._prompt = provider.channel if isinstance(provider.channel, PromptChannel) else None
        self._line = Line(
            crew=crew,
            most=provider.pace.at_once,
            send=self._send,
            begin=self._begin if self._prompt else None,
            abandon=self._stand_down,
        )
        # In flight, in line, and behind others at their addresses.
        self._flying: dict[DeliveryId, Delivery] = {}
        # Leases whose rows were not seen, and whether what an earlier life left is uncertain by now.
        self._unseen: set[DeliveryId] = set()
        self._restarted = False
        # The notices of which something waits, in the order in which they are sent, and when to look for them again.
        self._waiting: list[Waiting] = []
        self._next_look = 0.0
        self._next_lease = 0.0
        self._texts: OrderedDict[tuple[NoticeId, int], Mapping[str, Text]] = OrderedDict()
        self._speed = Speed()

    @property
    def trouble(self) -> str:
        """Why this provider is pausing, or nothing."""
        return self._window.trouble

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._name

    def ring(self) -> None:
        """There may be more to send."""
        self._next_look = 0.0
        self._bell.set()

    def way(self) -> Way:
        """The provider at this moment."""
        now = asyncio.get_running_loop().time()
        return Way(
            name=self._name,
            per_second=self._pace.per_second * self._pace.numbers,
            at_once=self._pace.at_once,
            latency=self._window.latency,
            measured=self._speed.per_second(now),
            rests=self._meter.wait(now),
            trouble=self.trouble,
        )

    def flying(self, notice: NoticeId, revision: int) -> Load:
        """What of the notice has spent its pace and has no answer yet."""
        parts = [
            one.parts for one in self._flying.values() if (one.notice, one.revision) == (notice, revision)
        ]
        return Load(len(parts), sum(parts))

    async def run(self) -> None:
        """For ever. What an earlier life left half-sent becomes uncertain first."""
        await self._channel.open()
        for unseen in list(self._unseen):
            await self._tables.unlease(unseen)
            self._unseen.discard(unseen)
        if not self._restarted:
            for delivery in await self._tables.sending(
                self._channel.name, provider=self._name, first=not self._before
            ):
                self._ledger.note(Evidence(delivery=delivery.id, state=State.UNCERTAIN, reason="restarted"))
            self._restarted = True
        loop = asyncio.get_running_loop()
        self._line.open()
        try:
            while True:
                self._bell.clear()
                while await self._look(loop.time()) and await self._take(loop.time()):
                    pass
                await self._wait(loop)
        finally:
            self._line.close()

    async def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        pace = max(self._meter.wait(now), self._next_lease - now)
        idle = min(_LONGEST_IDLE, max(pace, 0.001)) if pace > 0 else _LONGEST_IDLE
        try:
            async with asyncio.timeout(idle):
                await self._bell.wait()
        except TimeoutError:
            pass

    # -- taking

    async def _look(self, now: float) -> bool:
        """See which notices wait, and drop what was stopped, superseded, or came too late. Whether any is left to be sent."""
        if now < self._next_look:
            return bool(self._waiting)
        self._next_look = now + _LOOK_AGAIN
        found = await self._tables.waiting(self._channel.name)
        self._waiting = []
        for one in found:
            if one.urgency == STOPPED:
                self._drop(one, State.REFUSED, "stopped")
            elif one.superseded_by:
                self._drop(one, State.SUPERSEDED, one.superseded_by)
            elif still_quiet(one.quiet_until, self._clock.now()):
                continue
            elif now > self._expiry.until(one.notice, one.revision, one.ordered_at, now):
                self._drop(one, State.REFUSED, TOO_LATE)
            else:
                self._waiting.append(one)
        return bool(self._waiting)

    def _drop(self, waiting: Waiting, state: State, reason: str) -> None:
        if not self._before:  # the first of the row drops for all
            self._dropping.drop(waiting, state, reason)

    def _room(self, now: float) -> int:
        if now < self._window.paused_until or self._ledger.backlog > _BACKLOG:
            return 0
        free = self._window.free(len(self._flying))
        earned = self._meter.room(now)
        if earned is None:
            return free
        return min(free, earned) if now >= self._next_lease else 0

    async def _take(self, now: float) -> int:
        """Lease for what is in danger first; within that, for what was ordered first."""
        taken = 0
        for waiting in list(self._waiting):
            room = self._room(now)
            if not room:
                break
            leased = await self._take_of(waiting, room, now)
            if not leased:  # what is left is not due: the next look tells
                self._waiting.remove(waiting)
            taken += leased
        return taken

    async def _take_of(self, waiting: Waiting, room: int, now: float) -> int:
        self._at("sender.before_lease")
        wall = self._clock.now()
        lease = self._ids.delivery()
        self._unseen.add(lease)
        self._ledger.share()
        leased = await self._tables.lease(
            waiting=waiting,
            channel=self._channel.name,
            provider=self._name,
            anything=all(sender.trouble for sender in self._before),
            lease=lease,
            now=wall,
            horizon=Instant(wall + int(2 * _LONGEST_WAIT * SECOND)),
            count=min(room, _MOST_LEASED),
        )
        texts = await self._texts_of(waiting, leased)
        self._unseen.discard(lease)
        if leased:
            self._next_lease = now + _LEASE_EVERY
        self._at("sender.after_lease")
        self._ledger.remember(leased)
        ttl = max(1.0, self._expiry.until(waiting.notice, waiting.revision, waiting.ordered_at, now) - now)
        for delivery in leased:
            text = texts.get(delivery.language)
            if text is None or not delivery.address:
                reason = UNREADABLE if text else _NO_TEXT
                self._ledger.note(Evidence(delivery=delivery.id, state=State.REFUSED, reason=reason))
            else:
                message = Message(
                    delivery=delivery.id,
                    notice=delivery.notice,
                    revision=delivery.revision,
                    address=delivery.address,
                    subject=filled(text.subject, self._tables.addresses.vault, delivery.id),
                    body=filled(text.body, self._tables.addresses.vault, delivery.id),
                    ordered_at=waiting.ordered_at,
                    begun_at=delivery.begun_at,
                    language=delivery.language,
                    incident=delivery.incident,
                    template=text.template,
                    number=self._meter.take(delivery.parts, now),
                    ttl=ttl,
                )
                self._start((delivery, message))
        return len(leased)

    async def _texts_of(self, waiting: Waiting, leased: Sequence[Delivery]) -> Mapping[str, Text]:
        """What the notice says, by language; read once."""
        key = (waiting.notice, waiting.revision)
        texts = self._texts.get(key, {})
        if not texts.keys() >= {one.language for one in leased}:
            texts = self._texts[key] = await self._tables.texts(waiting, channel=self._channel.name)
            if len(self._texts) > _MOST_TEXTS:
                self._texts.popitem(last=False)
        return texts

    def _start(self, begun: _Begun) -> None:
        delivery, _ = begun
        self._flying[delivery.id] = delivery
        if self._turns.take(delivery.address, (self._line, begun)):
            self._line.put(begun)

    # -- sending

    async def _send(self, begun: _Begun) -> None:
        delivery, message = begun
        began = asyncio.get_running_loop().time()
        answer: Answer | None = None
        try:
            self._at("sender.before_send")
            answer = await self._channel.send(message)
        finally:
            self._came(delivery, began, answer)

    def _begin(self, begun: _Begun) -> bool:
        """Send what needs no task of its own. Whether that began."""
        assert self._prompt is not None  # noqa: S101 - what the line was told
        delivery, message = begun
        began = asyncio.get_running_loop().time()
        could: bool | None = None
        try:
            self._at("sender.before_send")
            could = self._prompt.begin(message, partial(self._prompted, delivery, began))
            return could
        finally:
            if could is None:
                self._came(delivery, began, None)

    def _prompted(self, delivery: Delivery, began: float, answer: Answer) -> None:
        try:
            self._came(delivery, began, answer)
        finally:
            self._line.ended()

    def _came(self, delivery: Delivery, began: float, answer: Answer | None) -> None:
        """An answer, or nothing that anybody foresaw."""
        try:
            if answer is None:
                self._ledger.note(Evidence(delivery=delivery.id, state=State.UNCERTAIN, reason="surprise"))
            else:
                now = asyncio.get_running_loop().time()
                self._window.took(now - began)
                self._at("sender.after_send")
                self._answered(delivery, answer, now)
        finally:
            self._leave(delivery)
            if len(self._flying) <= self._window.worth_at:
                self._bell.set()

    def _leave(self, delivery: Delivery) -> None:
        """Its place is free, and whoever waited behind it for the same address is ready."""
        self._flying.pop(delivery.id, None)
        following = self._turns.end(delivery.address)
        if following is not None:
            line, begun = following  # ours, or a neighbour's in the row
            line.put(begun)

    # -- answers

    def _answered(self, delivery: Delivery, answer: Answer, now: float) -> None:
        id_ = delivery.id
        match answer:
            case Settled():
                if self._window.well(now):
                    self._say_well()
                self._speed.left(delivery.parts, now)
                self._ledger.note(
                    Evidence(
                        delivery=id_,
                        state=answer.state,
                        reason=answer.reason,
                        provider_id=answer.provider_id,
                    )
                )
            case Refused(reason=reason, elsewhere=elsewhere):
                if self._window.well(now):
                    self._say_well()
                if elsewhere and self._next is not None:
                    self._pass_on(delivery, reason, self._next)
                else:
                    self._ledger.note(Evidence(delivery=id_, state=State.REFUSED, reason=reason))
            case Uncertain(reason=reason):
                self._ledger.note(Evidence(delivery=id_, state=State.UNCERTAIN, reason=reason))
                too_often = self._window.uncertain()
                self._stand_down(reason)
                if too_often:
                    self._pause(reason, None)
            case Later(reason=reason, after=after, everyone=everyone):
                if everyone:
                    self._pause(reason, after)
                    self._give_back(delivery, reason, 0.0)
                elif self._next is not None and delivery.attempts >= _TRIES:
                    self._pass_on(delivery, reason, self._next)
                else:
                    wait = min(_LONGEST_WAIT, float(2 ** min(delivery.attempts, 6)))
                    self._give_back(delivery, reason, after or wait * self._random.uniform(0.5, 1.0))

    def _pass_on(self, delivery: Delivery, reason: str, to: Sender) -> None:
        self._ledger.note(
            Evidence(delivery=delivery.id, state=State.PENDING, reason=reason, passed_to=to.name)
        )
        asyncio.get_running_loop().call_later(_SETTLING, to.ring)

    def _give_back(self, delivery: Delivery, reason: str, wait: float) -> None:
        due_at = Instant(self._clock.now() + int(min(wait, _LONGEST_WAIT) * SECOND)) if wait else Instant(0)
        self._ledger.note(Evidence(delivery=delivery.id, state=State.PENDING, reason=reason), due_at=due_at)

    def _say_well(self) -> None:
        _log.info("channel_well", channel=self._name)

    def _pause(self, reason: str, after: float | None) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if after is None and now < self._window.paused_until:
            return  # one of several in flight that met the same trouble
        if self._window.pause(reason, after, now):
            _log.warning("channel_trouble", channel=self._name, reason=reason)
        self._stand_down(reason)
        loop.call_at(self._window.paused_until, self._bell.set)
        if self._next is not None:
            self._next.ring()

    def _stand_down(self, reason: str = "stopped") -> None:
        """What only stood in line is pending again, for nothing of it has left."""
        while (begun := self._line.pop()) is not None:
            delivery, _ = begun
            self._give_back(delivery, reason, 0.0)
            self._leave(delivery)
