"""The facade: everything this room runs, in a few lines of the desk lane."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random

from belltower.clock import Clock
from belltower.ids import Ids, StreamName
from belltower.incident.facts import Fact
from belltower.journal import Journal
from belltower.store import Database
from belltower.tasks import Crew
from notify.callbacks import Callbacks
from notify.channels.channel import Channel
from notify.ledger import At, Ledger, nowhere
from notify.planner import Planner
from notify.resolver import Resolver
from notify.sender import Pace, Sender
from notify.site import NoticeSite
from notify.store import DeliveryTables


class NotifyRoom:
    """Planner, senders, resolvers and ledger over one desk database.

    room = NotifyRoom(database=database, journal=desk_journal, stream=StreamName("alarm"),
                      site=lambda: current_site, channels=[(TwilioSMS(settings=..), Pace())], ..)
    await room.open()
    room.run(crew)
    application.add_routes(room.callbacks(public_url=.., token=..).routes())
    """

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal[Fact],
        stream: StreamName,
        site: Callable[[], NoticeSite],
        channels: Sequence[tuple[Channel, Pace]],
        clock: Clock,
        ids: Ids,
        random: Random,
        at: At = nowhere,
        resolve_within: float = 30.0,
        resolve_every: float = 3.0,
    ) -> None:
        self._journal = journal
        self._stream = stream
        self._site = site
        self._channels = channels
        self._clock = clock
        self._ids = ids
        self._random = random
        self._at = at
        self._resolve_within = resolve_within
        self._resolve_every = resolve_every
        self._senders: list[Sender] = []
        self.tables = DeliveryTables(database=database)
        self.ledger = Ledger(tables=self.tables, journal=journal, clock=clock, ids=ids, at=at)

    async def open(self) -> None:
        """Bring the tables up to date."""
        await self.tables.migrate()

    def run(self, crew: Crew) -> list[asyncio.Task[None]]:
        """Start everything; all of it mends itself. The tasks are for whoever wants to stop before the crew does."""
        tasks = [crew.mendable("notify.ledger", self.ledger.run)]
        for channel, pace in self._channels:
            sender = Sender(
                channel=channel,
                pace=pace,
                tables=self.tables,
                ledger=self.ledger,
                clock=self._clock,
                ids=self._ids,
                random=self._random,
                crew=crew,
                at=self._at,
            )
            self._senders.append(sender)
            tasks.append(crew.mendable(f"notify.sender.{channel.name}", sender.run))
            resolver = Resolver(
                channel=channel,
                tables=self.tables,
                ledger=self.ledger,
                within=self._resolve_within,
                every=self._resolve_every,
                at=self._at,
            )
            tasks.append(crew.mendable(f"notify.resolver.{channel.name}", resolver.run))
        for stream in dict.fromkeys((self._stream, self._journal.stream)):
            planner = Planner(
                journal=self._journal,
                stream=stream,
                tables=self.tables,
                site=self._site,
                channels=frozenset(channel.name for channel, _ in self._channels),
                clock=self._clock,
                ids=self._ids,
                bell=self.ring,
                at=self._at,
            )
            tasks.append(crew.mendable(f"notify.planner.{stream}", planner.run))
        return tasks

    def ring(self) -> None:
        """Tell every sender that there may be more."""
        for sender in self._senders:
            sender.ring()

    def troubles(self) -> dict[str, str]:
        """Channels that are pausing, each with its reason; for the banner."""
        return {
            channel.name: sender.trouble
            for (channel, _), sender in zip(self._channels, self._senders, strict=True)
            if sender.trouble
        }

    def callbacks(self, *, public_url: str, token: str) -> Callbacks:
        """The web side of the carrier's reports."""
        return Callbacks(public_url=public_url, token=token, ledger=self.ledger, at=self._at)

    async def close(self) -> None:
        """Let go of all connections."""
        for channel, _ in self._channels:
            await channel.close()
