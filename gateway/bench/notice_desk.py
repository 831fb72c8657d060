"""A notice room on a fresh database, for B5 to B7."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

from msgspec import Struct

from belltower.clock import SystemClock
from belltower.ids import Ids, IncidentId, NoticeId, PersonId, PlaceId, StreamName
from belltower.incident.encoding import FactEncoding
from belltower.incident.entry import Entry
from belltower.incident.facts import Fact, Mode, NoticeOrdered
from belltower.journal import Journal, SpoolFile
from belltower.people.person import Contact, ContactKind, Person
from belltower.store import Database, open_database
from belltower.tasks import Crew
from floorplans.place import Place
from gateway.process import TURN, settle_memory
from notify import words
from notify.audience import AudienceRule
from notify.channels.channel import Answer, Channel, Message, Settled
from notify.delivery import State
from notify.planner import Planner
from notify.provider import Pace, Provider
from notify.room import NotifyRoom
from notify.site import NoticeSite, Roster
from notify.store import COUNTED, COUNTED_AT_ONCE

_ROUNDS = 5


class NoticeDesk:
    """What a measurement needs of the desk lane, and nothing else of it."""

    def __init__(self, *, database: Database, journal: Journal[Fact], site: NoticeSite) -> None:
        self.database = database
        self._journal = journal
        self._site = site
        self._clock = SystemClock()
        self._ids = Ids(clock=self._clock)
        self._stream = StreamName("alarm")

    def room(self, providers: Sequence[Provider]) -> NotifyRoom:
        """The room, not yet running."""
        return NotifyRoom(
            database=self.database,
            journal=self._journal,
            stream=self._stream,
            site=lambda: self._site,
            providers=providers,
            clock=self._clock,
            ids=self._ids,
            random=Random(1),
        )

    def run(self, room: NotifyRoom, crew: Crew) -> list[asyncio.Task[None]]:
        """Start the room, and the journal: only it brings back what a busy disk sends to the spool."""
        return [crew.mendable("journal", self._journal.run), *room.run(crew)]

    def planner(self, room: NotifyRoom, channels: frozenset[str]) -> Planner:
        """A planner of that room, to be asked directly."""
        return Planner(
            journal=self._journal,
            stream=self._stream,
            tables=room.tables,
            site=lambda: self._site,
            channels=channels,
            clock=self._clock,
            ids=self._ids,
            bell=room.ring,
            tally=room.ledger.tally,
        )

    def ordered(self, n: int = 1, *, template: str = "staff-alarm", audience: str = "everyone") -> Entry:
        """A notice, by default an alarm's to everybody."""
        incident = IncidentId("inc_bench")
        fact = NoticeOrdered(
            notice=NoticeId(f"ntc_{n:06}"),
            revision=1,
            incident=incident,
            mode=Mode.ACTUAL,
            template=template,
            audience=audience,
            slots={"place": "b204", "incident": "7"},
        )
        return Entry(
            stream=self._stream,
            position=n,
            id=self._ids.fact(),
            at=self._clock.now(),
            subject=incident,
            fact=fact,
        )

    @staticmethod
    def _waits(room: NotifyRoom) -> bool:
        """Whether notice 1 has, by the count kept in memory, anything to be sent or settled; asks no table."""
        counts = room.ledger.tally.of(NoticeId("ntc_000001"), 1) or {}
        return any(State.PENDING in states for states in counts.values())

    async def settled(self) -> int:
        """How many deliveries have left `pending` and `sending`."""
        rows = await self.database.read(
            "SELECT COUNT(*) FROM notice_delivery WHERE state NOT IN ('pending', 'sending')"
        )
        return int(rows[0][0])

    async def busy(self) -> bool:
        """Whether anything has yet to be sent or settled; asks two small indexes, not all rows."""
        rows = await self.database.read(
            "SELECT EXISTS (SELECT 1 FROM notice_delivery WHERE state = 'pending' AND channel > '')"
            " OR EXISTS (SELECT 1 FROM notice_delivery WHERE lease <> '')"
        )
        return bool(rows[0][0])

    async def slowest_page(self) -> float:
        """Milliseconds of the slowest question of a whole first count of notice 1."""
        channel, address, slowest = "", "", 0.0
        while True:
            began = time.perf_counter()
            rows = await self.database.read(
                COUNTED,
                notice="ntc_000001",
                revision=1,
                channel=channel,
                address=address,
                count=COUNTED_AT_ONCE,
            )
            slowest = max(slowest, time.perf_counter() - began)
            if sum(row[2] for row in rows) < COUNTED_AT_ONCE:
                return round(slowest * 1e3, 1)
            channel, address = max((row[0], row[4]) for row in rows)

    async def send_all(self, channel: Channel, pace: Pace, *, count: int) -> Spent:
        """Plan one notice, then send, settle and record all of its deliveries."""
        room = self.room([Provider(channel=channel, pace=pace)])
        await room.open()
        began = time.process_time()
        await self.planner(room, frozenset({channel.name})).plan(self.ordered())
        planning = time.process_time() - began
        cpu, wall = time.process_time(), time.perf_counter()
        async with Crew() as crew:
            tasks = self.run(room, crew)
            while self._waits(room) or await self.busy() or await self.settled() < count:  # noqa: ASYNC110 - what is on disk counts
                await asyncio.sleep(0.02)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            for task in tasks:
                task.cancel()
        await room.close()
        return Spent(planning=planning / count * 1e6, sending=cpu / count * 1e6, rate=count / wall)


class Spent(Struct, frozen=True, kw_only=True):
    """What a notice took: microseconds of processor for each delivery, and deliveries a second."""

    planning: float
    # From its planned row on: begun, sent, settled, its fact in the journal, all on disk.
    sending: float
    rate: float


async def beside(floor: Callable[[], Awaitable[float]], product: Callable[[], Awaitable[Spent]]) -> Compared:
    """Both in turn, some times over, as a lane sets up its process; of each the median."""
    turn, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(TURN)
    settle_memory()
    floors: list[float] = []
    spent: list[Spent] = []
    try:
        for _ in range(_ROUNDS):
            floors.append(await floor())
            spent.append(await product())
    finally:
        sys.setswitchinterval(turn)
        gc.set_threshold(*thresholds)
        gc.unfreeze()
    return Compared(
        floor=median(floors),
        planning=median(one.planning for one in spent),
        sending=median(one.sending for one in spent),
        rate=median(one.rate for one in spent),
    )


class Compared(Struct, frozen=True, kw_only=True):
    """Medians of some rounds, beside the floor's."""

    floor: float
    planning: float
    sending: float
    rate: float

    @property
    def extra(self) -> dict[str, float]:
        """What the figure of sending does not hold, for B5 has it."""
        return {"planning": round(self.planning, 1)}


class Line:
    """Takes everything at once, and remembers which notice each message was of. Satisfies `Channel`."""

    name = "sms"

    def __init__(self, *, urgent: str = "") -> None:
        self._urgent = urgent
        self.taken: list[str] = []
        self.heard = asyncio.Event()
        """Set by the first message of the notice `urgent`."""

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def find(self, message: Message, *, known: object) -> Answer | None:  # noqa: ARG002 - the contract's
        """Nothing is ever uncertain here."""
        return None

    async def send(self, message: Message) -> Answer:
        """Take it."""
        self.taken.append(message.notice)
        if message.notice == self._urgent:
            self.heard.set()
        return Settled()


def people(count: int, kinds: Sequence[ContactKind]) -> dict[PersonId, Person]:
    """So many people with one address of each kind."""
    return {
        PersonId(f"p{n}"): Person(
            id=PersonId(f"p{n}"),
            name="",
            contacts=tuple(
                Contact(
                    kind=kind,
                    address=f"+1555{n:07}" if kind is ContactKind.SMS else f"p{n}@school.example",
                )
                for kind in kinds
            ),
        )
        for n in range(count)
    }


@asynccontextmanager
async def notice_desk(
    everybody: dict[PersonId, Person], *, roster: Roster | None = None
) -> AsyncIterator[NoticeDesk]:
    """A desk with a database of its own, removed afterwards."""
    place = Place(id=PlaceId("b204"), label="204", building="B")
    site = NoticeSite(
        school="Jefferson",
        people=everybody,
        places={place.id: place},
        audiences={
            "everyone": AudienceRule(everyone=True),
            "families": AudienceRule(roles=frozenset({"guardian"})),
        },
        roster=roster,
        wording=words.default(),
        incident_url="https://bell.school.example/i/7",
    )
    with TemporaryDirectory(prefix="belltower-bench") as folder:
        path = Path(folder) / "desk.db"
        database = await open_database(f"sqlite://{path}")
        journal = Journal(
            database=database,
            stream=StreamName("desk"),
            codec=FactEncoding(),
            spool=SpoolFile(path=path.with_suffix(".spool")),
        )
        await journal.open()
        try:
            yield NoticeDesk(database=database, journal=journal, site=site)
        finally:
            await journal.close()
            await database.close()
