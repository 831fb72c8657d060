"""The notice room on a real database, as the desk lane runs it; also as a process of its own that can be killed.

python -m tests.peers.desk '{"database": "FOLDER/desk.db", ...}'     # prints {"rows": .., "others": ..}
"""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec
from aiohttp import web

from belltower.clock import Clock, Instant, SystemClock
from belltower.ids import FactId, Ids, IncidentId, NoticeId, PersonId, PlaceId, StreamName
from belltower.incident.encoding import FactEncoding
from belltower.incident.facts import Mode, NoticeOrdered
from belltower.incident.plan import EscalationPlan, FamiliesPlan
from belltower.journal import Copy, Journal, RawEntry, SpoolFile, entry_hash
from belltower.people.grant import unasked
from belltower.people.person import Contact, ContactKind, Person
from belltower.people.vault import KeyRing, Vault
from belltower.store import open_database
from belltower.tasks import Crew
from belltower.values import Secret
from floorplans.place import Place
from gateway.carrier.records import ACCOUNT, TOKEN
from notify import words
from notify.audience import AudienceRule
from notify.channels.console import Board, ConsoleChannel
from notify.channels.reports import PATH
from notify.channels.smtp import SMTPChannel
from notify.channels.twilio_api import TwilioReports
from notify.channels.twilio_sms import STATUSES, TwilioSMS
from notify.ledger import nowhere
from notify.provider import Pace, Provider
from notify.room import NotifyRoom
from notify.settings import SMTPSettings, TwilioSettings
from notify.site import NoticeSite, Roster
from notify.wording import approving
from tests.peers.waiting import PATIENCE

ALARM = StreamName("alarm")
CODEC = FactEncoding()
# The same in every life of a desk.
RING = KeyRing(current="k1", keys={"k1": bytes(range(32))}, marking=bytes(32))
WORDS = approving.everything(words.default(), name="Ana Ruiz", date=date(2026, 11, 20))


class Row(NamedTuple):
    """A delivery's row; the invariants read it by these names."""

    id: str
    notice: str
    revision: int
    person: str
    channel: str
    address: str
    state: str
    reason: str


def staff(count: int, *, kinds: tuple[str, ...] = ("sms", "email")) -> dict[PersonId, Person]:
    """People 0 .. count-1: p0 has the number +15550100, the mailbox p0@school.example and the console c0."""

    def contacts(n: int) -> tuple[Contact, ...]:
        number = f"+1555{100 + n:07}"
        addresses = {"sms": number, "voice": number, "email": f"p{n}@school.example", "console": f"c{n}"}
        return tuple(Contact(kind=ContactKind(kind), address=addresses[kind]) for kind in kinds)

    return {
        PersonId(f"p{n}"): Person(id=PersonId(f"p{n}"), name=f"Person {n}", contacts=contacts(n))
        for n in range(count)
    }


class RosterOf:
    """A roster that stands in memory; two at a time, as pages of a store would come."""

    def __init__(self, *people: Person, schools: tuple[str, ...] = ()) -> None:
        self._people = people
        self._schools = schools

    async def people(self):
        for start in range(0, len(self._people), 2):
            yield self._people[start : start + 2]

    async def version(self) -> int:
        return hash(tuple(person.id for person in self._people))

    async def schools(self):
        return {school: school for school in self._schools}

    async def called_of(self, schools, classes):
        return {}, {}

    async def names(self, people):
        return {one.id: one.name for one in self._people if one.id in people}


def site(
    people: dict[PersonId, Person],
    roster: Roster | None = None,
    *,
    escalation: EscalationPlan | None = None,
    families: FamiliesPlan | None = None,
    audiences: dict[str, AudienceRule] | None = None,
    places: dict[PlaceId, Place] | None = None,
) -> NoticeSite:
    """A small school."""
    place = Place(id=PlaceId("b204"), label="204", building="B")
    return NoticeSite(
        school="Jefferson",
        people=people,
        places={place.id: place, **(places or {})},
        audiences={
            "all-staff": AudienceRule(roles=frozenset({"staff"})),
            "families-7b": AudienceRule(roles=frozenset({"guardian"}), classes=frozenset({"7b"})),
            **(audiences or {}),
        },
        wording=WORDS,
        roster=roster,
        escalation=escalation or EscalationPlan(),
        families=families or FamiliesPlan(),
    )


def order(n: int = 1, **changes: object) -> NoticeOrdered:
    """An alarm's notice to all staff."""
    given = {
        "notice": NoticeId(f"ntc_{n:03}"),
        "revision": 1,
        "incident": IncidentId("inc_1"),
        "mode": Mode.ACTUAL,
        "template": "staff-alarm",
        "audience": "all-staff",
        "slots": {"place": "b204", "incident": "7"},
    }
    return NoticeOrdered(**{**given, **changes})


class Desk:
    """One desk lane's database, journal, copy of the alarm stream, and notice room."""

    def __init__(self, *, database, journal, copy, room, board, crew, clock) -> None:
        self.database = database
        self.journal = journal
        self.copy = copy
        self.room: NotifyRoom = room
        self.board: Board = board
        self.crew: Crew = crew
        self.clock = clock

    async def is_ordered(self, *facts: NoticeOrdered, at: Instant | None = None) -> None:
        """The alarm lane ordered these, and they arrived here."""
        await take(self.journal, self.copy, facts, at=at or self.clock.now())

    async def rows(self) -> list[Row]:
        """All deliveries."""
        columns = ", ".join(Row._fields).replace("address", "sealed")
        return [
            Row(*row)._replace(address=self.room.tables.addresses.open(row[0], row[5]))
            for row in await self.database.read(f"SELECT {columns} FROM notice_delivery ORDER BY id")
        ]

    async def others(self) -> dict[str, str]:
        """Person -> the delivery they share, or why there is none."""
        rows = await self.database.read("SELECT person, delivery, reason FROM notice_person")
        return {person: delivery or reason for person, delivery, reason in rows}

    async def count(self) -> Counter:
        """Deliveries by state."""
        return Counter(
            dict(await self.database.read("SELECT state, COUNT(*) FROM notice_delivery GROUP BY state"))
        )

    async def begun(self, notice: str) -> int:
        """How many deliveries of the notice were tried."""
        rows = await self.database.read(
            "SELECT COUNT(*) FROM notice_delivery WHERE notice = :notice AND attempts > 0", notice=notice
        )
        return rows[0][0]

    async def is_settled(self, expected: int, *, within: float = PATIENCE) -> Counter:
        """Wait until `expected` deliveries are on their last word for now."""
        async with asyncio.timeout(within):
            while True:
                # In one question: between two a row may go on.
                rows = await self.database.read(
                    "SELECT state, asking, COUNT(*) FROM notice_delivery GROUP BY state, asking"
                )
                count: Counter[str] = Counter()
                for state, _, found in rows:
                    count[state] += found
                waits = count["pending"] + count["sending"] + sum(asking for _, asking, _ in rows)
                if sum(count.values()) >= expected and not waits:
                    return count
                await asyncio.sleep(0.02)

    async def becomes(self, so: Callable[[list[Row]], bool], *, within: float = PATIENCE) -> None:
        """Wait until `so` is true of all deliveries."""
        async with asyncio.timeout(within):
            while not so(await self.rows()):  # noqa: ASYNC110 - rows ring no bell
                await asyncio.sleep(0.02)

    async def facts(self) -> list:
        """What the desk wrote down."""
        return [entry.fact for entry in await self.journal.read(after=0, limit=100_000)]


async def take(journal: Journal, copy: Copy, facts, *, at: Instant, subject: str = "") -> None:
    """Put facts into the copy of the alarm stream."""
    feed = journal.feed(ALARM)
    position, digest, rows = copy.head, feed.head_hash, []
    for fact in facts:
        position += 1
        tag, body = CODEC.encode(fact)
        given = {
            "stream": ALARM,
            "position": position,
            "at": at,
            "tag": tag,
            "subject": subject or fact.incident,
            "body": body,
        }
        digest = entry_hash(digest, fact_id=f"fct_{position}", **given)
        rows.append(RawEntry(id=FactId(f"fct_{position}"), hash=digest, **given))
    await copy.take(rows)


async def prepare(database_path: str, *facts: NoticeOrdered) -> None:
    """Put facts into the copy of the alarm stream of a desk that does not run yet."""
    clock = SystemClock()
    database = await open_database(f"sqlite://{database_path}")
    journal = Journal(
        database=database,
        stream=StreamName("desk"),
        codec=CODEC,
        spool=SpoolFile(path=Path(database_path + ".spool")),
        spool_after=PATIENCE,
    )
    await journal.open()
    copy = Copy(journal=journal, stream=ALARM)
    await copy.open()
    await take(journal, copy, facts, at=clock.now())
    await journal.close()
    await database.close()


class DeskOptions(msgspec.Struct, kw_only=True):
    """How a desk is set up."""

    database: str
    sms_url: str = ""
    smtp_port: int = 0
    people: int = 10
    kinds: tuple[str, ...] = ("sms", "email")
    callback_port: int = 0
    pace: Pace = Pace()
    deadline: float = PATIENCE
    resolve_within: float = 1.0
    resolve_every: float = 0.2
    # Die at the n-th time this point is passed.
    point: str = ""
    hit: int = 1
    settle: int = 0
    stop_covers: str = "routine"
    test_to: dict[str, str] = {}


@asynccontextmanager
async def desk(
    options: DeskOptions,
    *,
    clock: Clock | None = None,
    at=nowhere,
    people=None,
    channels=None,
    roster=None,
    school=None,
) -> AsyncIterator[Desk]:
    """A running desk."""
    clock = clock or SystemClock()
    ids = Ids(clock=clock)
    database = await open_database(f"sqlite://{options.database}")
    journal = Journal(
        database=database,
        stream=StreamName("desk"),
        codec=CODEC,
        spool=SpoolFile(path=Path(options.database + ".spool")),
    )
    await journal.open()
    copy = Copy(journal=journal, stream=ALARM)
    await copy.open()
    board = Board()
    runner = None
    callback_url = ""
    if options.callback_port:
        callback_url = f"http://127.0.0.1:{options.callback_port}"
    current = school or site(
        people if people is not None else staff(options.people, kinds=options.kinds), roster
    )
    if channels is None:
        channels = [Provider(channel=ConsoleChannel(board=board, clock=clock))]
        if options.sms_url:
            settings = TwilioSettings(
                account=ACCOUNT,
                token=Secret(TOKEN),
                from_="+15550001",
                base_url=options.sms_url,
                timeout=options.deadline,
                in_flight=100,
            )
            url = f"{callback_url}{PATH}sms/" if callback_url else ""
            reports = TwilioReports(public_url=callback_url, token=TOKEN, statuses=STATUSES)
            channels.append(
                Provider(
                    channel=TwilioSMS(settings=settings, callback_url=url), pace=options.pace, reports=reports
                )
            )
        if options.smtp_port:
            settings = SMTPSettings(
                host="127.0.0.1",
                port=options.smtp_port,
                from_="bell@school.example",
                security="none",
                timeout=options.deadline,
            )
            channels.append(Provider(channel=SMTPChannel(settings=settings), pace=options.pace))
    room = NotifyRoom(
        database=database,
        journal=journal,
        stream=ALARM,
        site=lambda: current,
        providers=channels,
        clock=clock,
        ids=ids,
        random=Random(1),
        vault=Vault(ring=RING),
        stop_covers=options.stop_covers,
        allowed=unasked,
        test_to=options.test_to,
        at=at,
        resolve_within=options.resolve_within,
        resolve_every=options.resolve_every,
    )
    await room.open()
    crew = Crew()
    if options.callback_port:
        application = web.Application()
        application.add_routes(room.callbacks().routes())
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", options.callback_port, reuse_address=True).start()
    try:
        async with crew:
            work = [crew.mendable("journal", journal.run)]
            room.run(crew)
            try:
                yield Desk(
                    database=database,
                    journal=journal,
                    copy=copy,
                    room=room,
                    board=board,
                    crew=crew,
                    clock=clock,
                )
            finally:
                if runner is not None:
                    await runner.cleanup()
                for task in [*crew._tasks, *work]:
                    task.cancel()
    finally:
        await room.close()
        await journal.close()
        await database.close()


async def main(options: DeskOptions) -> None:
    """Run a desk until all is settled, and print what became of it; die at the point of the options."""
    left = Counter({options.point: options.hit})

    def at(point: str) -> None:
        if point == options.point:
            left[point] -= 1
            if left[point] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    async with desk(options, at=at) as running:
        await running.is_settled(options.settle)
        if options.point:
            await asyncio.sleep(1)  # whatever passes the point is on its way
        others = await running.others()
        answer = {"rows": [list(row) for row in await running.rows()], "others": others}
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.argv[1], type=DeskOptions)))
