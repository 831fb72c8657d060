"""The facade: everything this room runs, in a few lines of the desk lane."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from random import Random

from msgspec import Struct

from belltower.clock import SECOND, Clock, Instant
from belltower.ids import Ids, NoticeId, StreamName
from belltower.incident.facts import Fact
from belltower.journal import Journal
from belltower.people.grant import Allowed, nobody, unasked
from belltower.people.vault import Vault, new_ring
from belltower.store import Database, Transaction
from belltower.tasks import Crew
from notify.addresses import Addresses
from notify.callbacks import Callbacks
from notify.channels.inbox import Inbox
from notify.compose import Composer
from notify.correction import Corrections
from notify.delivery import Delivery, State
from notify.draft_tables import DraftTables
from notify.escalating import Escalation
from notify.family_sites import FamilySites
from notify.forecast import Forecast, Load, Way, forecast
from notify.hearing import Hearing
from notify.held import Held
from notify.inbound import Inbound
from notify.ledger import At, Ledger, nowhere
from notify.neighbours import Neighbours
from notify.planner import Planner
from notify.promises import Promises
from notify.proof_tables import ProofTables
from notify.proofs import Proofs
from notify.provider import Provider
from notify.readying import Readying
from notify.reply_tables import ReplyTables
from notify.reports import Reports
from notify.resolver import Resolver
from notify.sender import Sender
from notify.site import NoticeSite
from notify.stops import StopCovers
from notify.store import DeliveryTables
from notify.unreported import Unreported

# Behind every id of a notice.
_AFTER_ALL = "~"

_WORKED_WITH = 24 * 3_600 * SECOND
"""For how long a notice is answered, escalated and looked at, whatever became of its deliveries."""


class Progress(Struct, frozen=True, kw_only=True):
    """A notice on its way."""

    # By kind of address and state; what has begun and has no answer counts as pending.
    counts: dict[str, dict[State, Load]]
    remaining: Forecast


class NotifyRoom:
    """Planner, senders, resolvers and ledger over one desk database.

    room = NotifyRoom(database=database, journal=desk_journal, stream=StreamName("alarm"),
                      site=lambda: current_site, providers=[Provider(channel=TwilioSMS(settings=..))], ..)
    await room.open()
    room.run(crew)
    application.add_routes(room.callbacks().routes())
    """

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal[Fact],
        stream: StreamName,
        site: Callable[[], NoticeSite],
        providers: Sequence[Provider],
        clock: Clock,
        ids: Ids,
        random: Random,
        vault: Vault | None = None,
        stop_covers: StopCovers = "routine",
        allowed: Allowed = nobody,
        test_to: Mapping[str, str] | None = None,
        at: At = nowhere,
        resolve_within: float = 30.0,
        resolve_every: float = 3.0,
        ask_every: float = 30.0,
    ) -> None:
        """Keep what the room is made of. `vault` seals addresses and what people write; without one, nobody reads them later.

        `allowed` says who may write, send and take back notices; without it nobody may.
        """
        self._allowed = allowed
        self._journal = journal
        self._stream = stream
        self._site = site
        self._providers = sorted(providers, key=lambda one: one.order)
        self._clock = clock
        self._ids = ids
        self._random = random
        self._at = at
        self._resolve_within = resolve_within
        self._resolve_every = resolve_every
        self._ask_every = ask_every
        self._owes_sealing = False
        self._database = database
        # The senders of each kind of address, in their order.
        self._rows: dict[str, list[Sender]] = {}
        vault = vault or Vault(ring=new_ring())
        self.tables = DeliveryTables(database=database, addresses=Addresses(vault=vault))
        self.replies = ReplyTables(database=database, vault=vault, covers=stop_covers)
        self.ledger = Ledger(
            tables=self.tables,
            journal=journal,
            clock=clock,
            ids=ids,
            at=at,
            stopped=self._carrier_stopped,
        )
        self.drafts = DraftTables(database=database)
        self.sites = FamilySites(database=database, clock=clock)
        self.hearing = Hearing(
            tables=self.replies,
            ledger=self.ledger,
            journal=journal,
            clock=clock,
            ids=ids,
            staff=lambda: self._site().people,
            at=at,
        )
        self.escalation = Escalation(
            database=database,
            journal=journal,
            alarm_stream=stream,
            tables=self.tables,
            site=site,
            served=lambda: frozenset(self._rows),
            paused=self._paused,
            stops=self.replies.stops,
            tally=self.ledger.tally,
            clock=clock,
            ids=ids,
            bell=self.ring,
        )
        self.readying = Readying(
            database=database,
            journal=journal,
            stream=stream,
            composer=self.composer(drilling=lambda: False, allowed=unasked),
            site=site,
            clock=clock,
            ids=ids,
        )
        self.held = Held(
            database=database,
            journal=journal,
            tables=self.tables,
            site=site,
            tally=self.ledger.tally,
            allowed=allowed,
            bell=self.ring,
            clock=clock,
            ids=ids,
        )
        self.promises = Promises(
            database=database, journal=journal, tables=self.tables, site=site, clock=clock, ids=ids
        )
        self.neighbours = Neighbours(
            journal=journal, stream=stream, tables=self.tables, site=site, clock=clock, ids=ids
        )
        self.proofs = Proofs(
            tables=ProofTables(database=database),
            deliveries=self.tables,
            journal=journal,
            providers=self._providers,
            test_to=test_to or {},
            site=site,
            stops=self.replies.stops,
            troubles=self.troubles,
            tally=self.ledger.tally,
            clock=clock,
            ids=ids,
            bell=self.ring,
        )
        self.corrections = Corrections(
            database=database,
            journal=journal,
            streams=(stream, journal.stream),
            tables=self.tables,
            sites=self.sites,
            site=site,
            allowed=allowed,
            clock=clock,
            ids=ids,
        )

    async def open(self) -> None:
        """Bring the tables up to date."""
        await self.tables.migrate(since=Instant(self._clock.now() - _WORKED_WITH))
        self._owes_sealing = await self.tables.owes_sealing()
        await self.replies.migrate()
        await self.escalation.open()
        await self.drafts.migrate()
        await self.sites.open()
        await self.proofs.open()
        await self.promises.open()
        await self.readying.open()

    def run(self, crew: Crew) -> list[asyncio.Task[None]]:
        """Start everything; all of it mends itself. The tasks are for whoever wants to stop before the crew does."""
        tasks = [crew.mendable("notify.ledger", self.ledger.run)]
        if self._owes_sealing:
            tasks.append(crew.mendable("notify.sealing", self.tables.seal_rest))
        rows = self._rows
        for provider in self._providers:
            row = rows.setdefault(provider.channel.name, [])
            sender = Sender(
                provider=provider,
                tables=self.tables,
                ledger=self.ledger,
                clock=self._clock,
                ids=self._ids,
                random=self._random,
                crew=crew,
                at=self._at,
                before=tuple(row),
            )
            resolver = Resolver(
                provider=provider,
                first=not row,
                tables=self.tables,
                ledger=self.ledger,
                within=self._resolve_within,
                every=self._resolve_every,
                at=self._at,
            )
            unreported = Unreported(
                provider=provider,
                first=not row,
                reports=Reports(database=self._database, addresses=self.tables.addresses),
                ledger=self.ledger,
                clock=self._clock,
                urgent=self._urgent,
                every=min(self._ask_every, provider.asking.after) if provider.asking else self._ask_every,
            )
            row.append(sender)
            tasks.append(crew.mendable(f"notify.sender.{provider.name}", sender.run))
            tasks.append(crew.mendable(f"notify.resolver.{provider.name}", resolver.run))
            if provider.asking is not None:
                tasks.append(crew.mendable(f"notify.unreported.{provider.name}", unreported.run))
        for stream in dict.fromkeys((self._stream, self._journal.stream)):
            planner = Planner(
                journal=self._journal,
                stream=stream,
                tables=self.tables,
                site=self._site,
                channels=frozenset(rows),
                clock=self._clock,
                ids=self._ids,
                bell=self.ring,
                stops=self.replies.stops,
                tally=self.ledger.tally,
                at=self._at,
            )
            tasks.append(crew.mendable(f"notify.planner.{stream}", planner.run))
            follow = partial(self.escalation.follow, stream)
            tasks.append(crew.mendable(f"notify.escalation.{stream}", follow))
            take = partial(self.promises.follow, stream)
            tasks.append(crew.mendable(f"notify.promises.{stream}", take))
        tasks.append(crew.mendable("notify.escalation", self.escalation.run))
        tasks.append(crew.mendable("notify.promises", self.promises.run))
        tasks.append(crew.mendable("notify.neighbours", self.neighbours.follow))
        tasks.append(crew.mendable("notify.proofs", self.proofs.run))
        tasks.append(crew.mendable("notify.held", self.held.run))
        tasks.append(crew.mendable("notify.ready", self.readying.follow))
        tasks.append(crew.mendable("notify.readying", self.readying.run))
        return tasks

    def ring(self) -> None:
        """Tell every sender that there may be more."""
        for sender in self._senders():
            sender.ring()

    def troubles(self) -> dict[str, str]:
        """Providers that are pausing, each with its reason; for the banner."""
        return {sender.name: sender.trouble for sender in self._senders() if sender.trouble}

    @property
    def unrecorded(self) -> bool:
        """Whether nothing can be written down now: what waits does so until it can."""
        return self._journal.trouble or self._database.failing

    async def forecast(self, loads: Mapping[str, Load], *, routine: bool) -> Forecast:
        """How long a notice to so many by kind of address would take, if it were ordered now."""
        last = (int(routine), _AFTER_ALL, 0)
        ahead = {channel: await self._ahead(channel, last) for channel in loads}
        return forecast(loads, ahead, self._ways(), unrecorded=self.unrecorded)

    async def progress(self, notice: NoticeId, revision: int) -> Progress:
        """What is known of the notice's deliveries, and how long the rest will take."""
        counts = await self.ledger.counts(notice, revision)
        urgency = await self.tables.urgency(notice, revision)
        loads = {channel: states.get(State.PENDING, Load()) for channel, states in counts.items()}
        ahead = {
            channel: await self._ahead(channel, (urgency, notice, revision))
            for channel, load in loads.items()
            if load.deliveries
        }
        return Progress(
            counts={channel: dict(states) for channel, states in counts.items()},
            remaining=forecast(
                loads,
                ahead,
                self._ways(),
                {channel: self._flying(channel, notice, revision) for channel in ahead},
                unrecorded=self.unrecorded,
            ),
        )

    async def remaining(self) -> dict[tuple[NoticeId, int], Progress]:
        """The progress of every notice of which something has yet to be sent."""
        waiting = {
            (one.notice, one.revision): None
            for channel in self._rows
            for one in await self.tables.waiting(channel)
        }
        return {key: await self.progress(*key) for key in waiting}

    async def _ahead(self, channel: str, before: tuple[int, str, int]) -> Load:
        """What of this kind is sent before a notice of that urgency, id and revision."""
        ahead = Load()
        for one in await self.tables.waiting(channel):
            if (
                (one.urgency, one.notice, one.revision) < before
                and not one.superseded_by
                and not one.overtaken
            ):
                counts = await self.ledger.counts(one.notice, one.revision)
                waits = counts.get(channel, {}).get(State.PENDING, Load())
                ahead += waits - self._flying(channel, one.notice, one.revision)
        return ahead

    def _flying(self, channel: str, notice: NoticeId, revision: int) -> Load:
        senders = self._rows.get(channel, ())
        return sum((sender.flying(notice, revision) for sender in senders), Load())

    def _carrier_stopped(self, tx: Transaction, delivery: Delivery) -> None:
        if delivery.address:
            self.replies.stop(
                tx,
                delivery.channel,
                delivery.address,
                person=delivery.person,
                at=self._clock.now(),
                by_carrier=True,
            )

    async def _urgent(self, channel: str) -> bool:
        """Whether something about a danger waits to be sent."""
        return any(one.urgency == 0 and not one.superseded_by for one in await self.tables.waiting(channel))

    def _ways(self) -> dict[str, list[Way]]:
        return {channel: [sender.way() for sender in row] for channel, row in self._rows.items()}

    def _paused(self) -> frozenset[str]:
        return frozenset(
            channel for channel, row in self._rows.items() if all(sender.trouble for sender in row)
        )

    def _senders(self) -> Iterator[Sender]:
        for row in self._rows.values():
            yield from row

    def composer(self, *, drilling: Callable[[], bool], allowed: Allowed | None = None) -> Composer:
        """Where people write notices of their own. `drilling` says whether the window of a signed drill is open.

        `allowed` is by default the room's.
        """
        return Composer(
            drafts=self.drafts,
            sites=self.sites,
            tables=self.tables,
            journal=self._journal,
            stream=self._stream,
            site=self._site,
            served=frozenset(one.channel.name for one in self._providers),
            stops=self.replies.stops,
            clock=self._clock,
            ids=self._ids,
            allowed=allowed or self._allowed,
            drilling=drilling,
        )

    def callbacks(self) -> Callbacks:
        """The web side of the providers' reports."""
        reports = {one.name: one.reports for one in self._providers if one.reports is not None}
        return Callbacks(reports=reports, ledger=self.ledger, heard=self.hearing.acknowledge, at=self._at)

    def inbound(self, inboxes: Mapping[str, Inbox] | None = None) -> Inbound:
        """The web side of what people answer, by the providers' names; by default those of all providers."""
        if inboxes is None:
            inboxes = {one.name: one.inbox for one in self._providers if one.inbox is not None}
        return Inbound(inboxes=inboxes, hearing=self.hearing)

    async def close(self) -> None:
        """Write down what was learned last, and let go of all connections."""
        self.escalation.close()
        self.promises.close()
        self.readying.close()
        await self.ledger.flush()
        for provider in self._providers:
            await provider.channel.close()
        await self.ledger.flush()  # what was under way with no task of its own is uncertain by that
