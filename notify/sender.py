"""One per provider: takes what is pending, keeps the pace, tries again, passes on, gives up in time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from random import Random

from belltower import log
from belltower.clock import SECOND, Clock, Instant
from belltower.ids import DeliveryId, Ids, NoticeId
from belltower.tasks import Crew
from notify.addresses import UNREADABLE
from notify.channels.channel import Later, Message, Refused, Settled, Uncertain
from notify.delivery import TOO_LATE, Delivery, Evidence, State
from notify.forecast import Load, Speed, Way
from notify.ledger import At, Ledger, nowhere
from notify.provider import Meter, Provider
from notify.store import DeliveryTables, Leased, Waiting

_log = log.get("notify")

_BACKLOG = 5_000
_LONGEST_WAIT = 60.0
_LONGEST_PAUSE = 30.0
_LONGEST_IDLE = 1.0
# Seconds after which the waiting notices are looked at again, if nobody rang.
_LOOK_AGAIN = 0.5
_DROPPED_AT_ONCE = 500
_FIRST_WINDOW = 16
_UNCERTAIN_RUN = 3
# Rows are leased when at least one in so many places is free, or half of the line has moved up: a commit is shared.
_SHARE = 4
# Rows of one lease: the loop does not stand still for many.
_MOST_LEASED = 256
# Seconds from one lease to the next where a pace bounds them: what was earned meanwhile shares a commit.
_LEASE_EVERY = 0.1
# What has its row and waits for a place in flight: at most what leaves in so many seconds, and so many windows of it.
# It is what a kill makes uncertain besides what is in flight.
_AHEAD = 0.05
_MOST_AHEAD = 16
# Of a message that this provider keeps putting off, before the next one is asked.
_TRIES = 3
# Seconds until what is passed on stands in its row.
_SETTLING = 0.05


class Sender:
    """Serves the pending rows of one kind of address by one provider.

    The window of messages in flight opens with every success and closes to one at trouble, so that a provider in
    trouble is asked by one message at a time, and little becomes uncertain. While it is in trouble, the provider whose
    turn is next takes what is pending; a message that this one surely will not take is passed on to it at once.
    Uncertain messages are never passed on.
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
        self._name = provider.name
        self._channel = provider.channel
        self._pace = provider.pace
        self._meter = Meter(pace=provider.pace)
        # Those whose turn is earlier, and the one that takes over from here.
        self._before = before
        self._next: Sender | None = None
        for sender in before[-1:]:
            sender._next = self  # noqa: SLF001 - neighbours in one row
        self._tables = tables
        self._ledger = ledger
        self._clock = clock
        self._ids = ids
        self._random = random
        self._crew = crew
        self._at = at
        self._bell = asyncio.Event()
        # Deliveries in flight, and what waits behind them for the same address.
        self._flying: dict[DeliveryId, Delivery] = {}
        # The sender number from which each of them goes.
        self._numbers: dict[DeliveryId, int] = {}
        # One map for the whole row: whoever takes over keeps the order at each address.
        self._behind: dict[str, deque[tuple[Sender, Leased]] | None] = before[0]._behind if before else {}  # noqa: SLF001 - as above
        self._ready: deque[Leased] = deque()
        # Leases whose rows were not seen, and whether what an earlier life left is uncertain by now.
        self._unseen: set[DeliveryId] = set()
        self._restarted = False
        self._serving = False
        self._workers = 0
        self._resting: list[asyncio.Future[None]] = []
        self._window = min(_FIRST_WINDOW, provider.pace.at_once)
        # Windows that may be leased at once, and the seconds that a message takes, of late.
        self._ahead = 1.0
        # The window is open, and nothing has gone wrong since.
        self._steady = False
        self._took = _AHEAD
        # So few in flight and in line are worth a lease.
        self._worth_at = 0.0
        self._paused_until = 0.0
        self._troubles = 0
        self._uncertain_run = 0
        self._said = ""
        # The notices of which something waits, in the order in which they are sent, and when to look for them again.
        self._waiting: list[Waiting] = []
        self._next_look = 0.0
        self._next_lease = 0.0
        self._dropping: set[tuple[NoticeId, int, int]] = set()
        self._speed = Speed()
        self._too_late: OrderedDict[tuple[NoticeId, int, Instant], float] = OrderedDict()

    @property
    def trouble(self) -> str:
        """Why this provider is pausing, or nothing."""
        return self._said

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
            latency=self._took,
            measured=self._speed.per_second(now),
            rests=self._meter.wait(now),
            trouble=self._said,
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
        self._serving = True
        try:
            while True:
                self._bell.clear()
                if self._ready and not self._workers:
                    self._hire()
                while await self._look(loop.time()) and await self._take(loop.time()):
                    pass
                await self._wait(loop)
        finally:
            self._serving = False
            while self._resting:
                self._rouse(self._resting.pop())
            if not self._workers:
                self._stand_down()

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

    def _room(self, now: float) -> int:
        if now < self._paused_until or self._ledger.backlog > _BACKLOG:
            return 0
        earned = self._meter.room(now)
        if earned is None:
            return self._free()
        return min(self._free(), earned) if now >= self._next_lease else 0

    def _free(self) -> int:
        """Places in flight or in line, as soon as they are worth a commit."""
        if self._steady:
            self._ahead = min(_MOST_AHEAD, 1 + _AHEAD / (self._took + 1e-4))
        places = int(self._window * self._ahead)
        flying = len(self._flying)
        self._worth_at = places - max(places / _SHARE, (places - self._window) / 2)
        return places - flying if not flying or flying <= self._worth_at else 0

    async def _take(self, now: float) -> int:
        """Lease for what is in danger first; within that, for what was ordered first."""
        taken = 0
        for waiting in list(self._waiting):
            room = self._room(now)
            if not room:
                break
            taken += await self._take_of(waiting, room, now)
        return taken

    async def _take_of(self, waiting: Waiting, room: int, now: float) -> int:
        self._at("sender.before_lease")
        wall = self._clock.now()
        lease = self._ids.delivery()
        self._unseen.add(lease)
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
        self._unseen.discard(lease)
        if leased:
            self._next_lease = now + _LEASE_EVERY
        self._at("sender.after_lease")
        self._ledger.remember(one.delivery for one in leased)
        for one in leased:
            if one.superseded_by:
                self._next_look = 0.0
                self._give_back(one, "superseded", 0.0)
            elif not one.delivery.address:
                self._ledger.note(Evidence(delivery=one.delivery.id, state=State.REFUSED, reason=UNREADABLE))
            else:
                number = self._meter.take(one.delivery.parts, now)
                if number:
                    self._numbers[one.delivery.id] = number
                self._start(one)
        return len(leased)

    def _start(self, one: Leased) -> None:
        delivery = one.delivery
        self._flying[delivery.id] = delivery
        address = delivery.address
        if address in self._behind:  # an older text is on its way there: keep the order
            behind = self._behind[address] = self._behind[address] or deque()
            behind.append((self, one))
            return
        self._behind[address] = None
        self._ready.append(one)
        if self._resting:
            self._rouse(self._resting.pop())
        elif self._workers < self._pace.at_once:
            self._hire()

    # -- sending

    def _rouse_one(self) -> None:
        """Somebody sends what is ready: one who rests, or one whom `run` hires."""
        if self._resting:
            self._rouse(self._resting.pop())
        else:
            self._bell.set()

    def _hire(self) -> None:
        if self._workers < self._pace.at_once:
            self._workers += 1
            self._crew.once("notify.send", self._work())

    @staticmethod
    def _rouse(rest: asyncio.Future[None]) -> None:
        if not rest.done():
            rest.set_result(None)

    async def _work(self) -> None:
        """Send what is ready, one after another; as many of these run as messages are in flight."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                while self._ready:
                    await self._send(self._ready.popleft())
                if not self._serving:
                    return
                rest: asyncio.Future[None] = loop.create_future()
                self._resting.append(rest)
                await rest
        except asyncio.CancelledError:
            self._stand_down()
            raise
        finally:
            self._workers -= 1
            if self._ready:  # a surprise ended this one
                self._hire()

    async def _send(self, one: Leased) -> None:
        loop = asyncio.get_running_loop()
        answered = False
        try:
            self._at("sender.before_send")
            began = loop.time()
            answer = await self._channel.send(self._message(one, began))
            now = loop.time()
            self._took += (now - began - self._took) / 16
            answered = True
            self._at("sender.after_send")
            self._answered(one, answer, now)
        finally:
            if not answered:
                self._ledger.note(
                    Evidence(delivery=one.delivery.id, state=State.UNCERTAIN, reason="surprise")
                )
            self._leave(one)
            if len(self._flying) <= self._worth_at:
                self._bell.set()

    def _leave(self, one: Leased) -> None:
        """Its place is free, and whoever waited behind it for the same address is ready."""
        delivery = one.delivery
        self._flying.pop(delivery.id, None)
        if self._numbers:
            self._numbers.pop(delivery.id, None)
        behind = self._behind[delivery.address]
        if behind:
            sender, following = behind.popleft()
            sender._ready.append(following)  # noqa: SLF001 - this one, or a neighbour in its row
            if sender is not self:
                sender._rouse_one()  # noqa: SLF001 - as above
        else:
            del self._behind[delivery.address]

    def _message(self, one: Leased, now: float) -> Message:
        delivery = one.delivery
        return Message(
            delivery=delivery.id,
            notice=delivery.notice,
            revision=delivery.revision,
            address=delivery.address,
            subject=one.subject,
            body=one.body,
            ordered_at=one.ordered_at,
            begun_at=delivery.begun_at,
            language=delivery.language,
            incident=delivery.incident,
            template=one.template,
            number=self._numbers.get(delivery.id, 0) if self._numbers else 0,
            ttl=max(1.0, self._until(delivery.notice, delivery.revision, one.ordered_at) - now),
        )

    # -- answers

    def _answered(self, one: Leased, answer: Settled | Refused | Uncertain | Later, now: float) -> None:
        id_ = one.delivery.id
        match answer:
            case Settled():
                self._healthy()
                self._speed.left(one.delivery.parts, now)
                self._ledger.note(
                    Evidence(
                        delivery=id_,
                        state=answer.state,
                        reason=answer.reason,
                        provider_id=answer.provider_id,
                    )
                )
            case Refused(reason=reason, elsewhere=elsewhere):
                self._healthy()
                if elsewhere and self._next is not None:
                    self._pass_on(one, reason, self._next)
                else:
                    self._ledger.note(Evidence(delivery=id_, state=State.REFUSED, reason=reason))
            case Uncertain(reason=reason):
                self._ledger.note(Evidence(delivery=id_, state=State.UNCERTAIN, reason=reason))
                self._uncertain_run += 1
                self._step_back(max(1, self._window // 2), reason)
                if self._uncertain_run >= _UNCERTAIN_RUN:
                    self._pause(reason, None)
            case Later(reason=reason, after=after, everyone=everyone):
                if everyone:
                    self._pause(reason, after)
                    self._give_back(one, reason, 0.0)
                elif self._next is not None and one.delivery.attempts >= _TRIES:
                    self._pass_on(one, reason, self._next)
                else:
                    wait = min(_LONGEST_WAIT, float(2 ** min(one.delivery.attempts, 6)))
                    self._give_back(one, reason, after or wait * self._random.uniform(0.5, 1.0))

    def _pass_on(self, one: Leased, reason: str, to: Sender) -> None:
        self._ledger.note(
            Evidence(delivery=one.delivery.id, state=State.PENDING, reason=reason, passed_to=to.name)
        )
        asyncio.get_running_loop().call_later(_SETTLING, to.ring)

    def _give_back(self, one: Leased, reason: str, wait: float) -> None:
        due_at = Instant(self._clock.now() + int(min(wait, _LONGEST_WAIT) * SECOND)) if wait else Instant(0)
        self._ledger.note(
            Evidence(delivery=one.delivery.id, state=State.PENDING, reason=reason), due_at=due_at
        )

    def _healthy(self) -> None:
        self._troubles = self._uncertain_run = 0
        if not self._steady:
            self._window = min(self._window + 1, self._pace.at_once)
            self._steady = self._window == self._pace.at_once
        if self._said:
            self._said = ""
            _log.info("channel_well", channel=self._name)

    def _pause(self, reason: str, after: float | None) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._paused_until and after is None:
            return  # one of several in flight that met the same trouble
        self._troubles += 1
        wait = min(_LONGEST_PAUSE, 0.25 * 2 ** min(self._troubles, 10)) * self._random.uniform(0.5, 1.0)
        self._paused_until = max(self._paused_until, now + (wait if after is None else after))
        self._step_back(1, reason)
        asyncio.get_running_loop().call_at(self._paused_until, self._bell.set)
        if reason != self._said:
            self._said = reason
            _log.warning("channel_trouble", channel=self._name, reason=reason)
        if self._next is not None:
            self._next.ring()

    def _step_back(self, window: int, reason: str) -> None:
        """Ask with fewer at once; what only stood in line is pending again, for nothing of it has left."""
        self._window, self._ahead, self._steady = window, 1.0, False
        self._stand_down(reason)

    def _stand_down(self, reason: str = "stopped") -> None:
        while self._ready:
            one = self._ready.popleft()
            self._give_back(one, reason, 0.0)
            self._leave(one)

    # -- giving up

    def _until(self, notice: NoticeId, revision: int, ordered_at: Instant) -> float:
        """The loop time after which the notice is too late; from then on a stepped wall clock moves it no more."""
        key = (notice, revision, ordered_at)
        until = self._too_late.get(key)
        if until is None:
            age = max(0.0, (self._clock.now() - ordered_at) / SECOND)
            until = self._too_late[key] = asyncio.get_running_loop().time() + self._pace.ttl - age
            if len(self._too_late) > 10_000:
                self._too_late.popitem(last=False)
        return until

    async def _look(self, now: float) -> bool:
        """See which notices wait, and drop what came too late or was superseded. Whether any is left to be sent."""
        if now < self._next_look:
            return bool(self._waiting)
        self._next_look = now + _LOOK_AGAIN
        found = await self._tables.waiting(self._channel.name)
        self._waiting = []
        for one in found:
            if one.superseded_by:
                self._drop(one, State.SUPERSEDED, one.superseded_by)
            elif now > self._until(one.notice, one.revision, one.ordered_at):
                self._drop(one, State.REFUSED, TOO_LATE)
            else:
                self._waiting.append(one)
        return bool(self._waiting)

    def _drop(self, waiting: Waiting, state: State, reason: str) -> None:
        """Beside the sending: what is in danger does not wait until all that is too late is written down."""
        key = (waiting.notice, waiting.revision, waiting.urgency)
        if self._before or key in self._dropping:  # the first of the row drops for all
            return
        self._dropping.add(key)
        self._crew.once("notify.drop", self._drop_all(waiting, state, reason, key))

    async def _drop_all(
        self, waiting: Waiting, state: State, reason: str, key: tuple[NoticeId, int, int]
    ) -> None:
        seen: set[DeliveryId] = set()
        try:
            while some := await self._tables.pending_of(
                waiting, channel=self._channel.name, count=_DROPPED_AT_ONCE
            ):
                if seen.issuperset(one.id for one in some):
                    return  # the store lags behind the ledger; the next look begins again
                seen.update(one.id for one in some)
                self._at("sender.dropping")
                self._ledger.meet(some)
                await asyncio.gather(
                    *(
                        self._ledger.learn(Evidence(delivery=one.id, state=state, reason=reason))
                        for one in some
                    )
                )
        finally:
            self._dropping.discard(key)
