"""A desk with the live page on it: real stores, real journals, facts appended by hand."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import argon2
from aiohttp import web

from belltower.clock import SECOND, Instant
from belltower.errors import StoreError, Unreachable
from belltower.ids import CallId, Ids, IncidentId, NoticeId, PersonId, PlaceId, StreamName, VerbId
from belltower.incident import facts
from belltower.incident.encoding import FactEncoding
from belltower.incident.facts import Action, AlarmKind, Fact, Mode
from belltower.journal import Copy, Draft, Journal, SpoolFile
from belltower.people.store import RosterStore
from belltower.store import Database, Transaction, open_database
from belltower.tasks import Crew
from gateway.intake.devices.health import Devices
from gateway.web import store
from gateway.web.alert_feed import FeedPlan
from gateway.web.answers import Calling
from gateway.web.app import Web, first_invitation, make_web
from gateway.web.correction_page import Correcting
from gateway.web.desk import AlertsNearby, ConsoleMessage, LaneState, Recipient
from gateway.web.disclosure_pages import DisclosureRoom
from gateway.web.journal_desk import JournalDesk
from gateway.web.notice_room import NoticeRoom
from gateway.web.rooms import Room, RoomText
from notify.browsers import Browsers
from tests.peers.waiting import PATIENCE

ALARM, DESK = StreamName("alarm"), StreamName("desk")
QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
START = Instant(1_795_000_000 * SECOND)
PLACES = {"plc_b204": "B 204", "plc_gym": "G Gym", "plc_a101": "A 101"}
PEOPLE = {"per_1": "Ada Okafor", "per_2": "Jonas Weber", "per_3": "Mei Lin"}


class SetClock:
    """A wall clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> Instant:
        """Where it stands."""
        return self.at

    def monotonic(self) -> float:
        """The same in seconds."""
        return self.at / SECOND

    def step(self, seconds: float) -> None:
        """Move it."""
        self.at = Instant(self.at + round(seconds * SECOND))


class Names:
    """What the test school calls things."""

    def __init__(self) -> None:
        self.with_units: list[Room] = []
        self.people: dict[PersonId, str] = dict(PEOPLE)  # type: ignore[arg-type]

    def place(self, place: PlaceId | None) -> str:
        """As it is spoken."""
        return PLACES.get(place or "", "place unknown")

    def places(self) -> Sequence[tuple[PlaceId, str]]:
        """All of them."""
        return [(PlaceId(place), words) for place, words in PLACES.items()]

    def rooms(self) -> Sequence[Room]:
        """All with units."""
        return self.with_units

    def person(self, person: PersonId) -> str:
        """By name."""
        return self.people.get(person, person)


class House:
    """The desk, and an alarm lane whose facts the test says. Also the desk's verbs and notices."""

    def __init__(self, *, folder: Path) -> None:
        self.folder = folder
        self.clock = SetClock()
        self.ids = Ids(clock=self.clock, random_bytes=Random(7).randbytes)
        self.names = Names()
        self.lane = LaneState()
        self.calls: dict[IncidentId, CallId] = {}
        self.asked: list[tuple[object, ...]] = []
        self.refuse: Exception | None = None
        self.rows: list[Recipient] = []
        self.messages: list[ConsoleMessage] = []
        self.texts: list[RoomText] = []
        self.nearby: AlertsNearby | None = None
        self.callers: list[Calling] = []
        self.feed: FeedPlan | None = None
        self.devices: Devices | None = None
        self.notices: NoticeRoom | None = None
        self.corrections: Correcting | None = None
        self.people: RosterStore | None = None
        self.browsers: tuple[Browsers, str] | None = None
        self.disclosures: DisclosureRoom | None = None
        self.machine_routes: Sequence[web.RouteDef] = ()
        self.alarm_database: Database
        self.database: Database
        self.alarm: Journal[Fact]
        self.desk_journal: Journal[Fact]
        self.copy: Copy[Fact]
        self.page: Web
        self.setup = ""

    async def open(self) -> None:
        """Open both stores and journals."""
        self.alarm_database = await open_database(f"sqlite:///{self.folder}/alarm.db")
        self.database = await open_database(f"sqlite:///{self.folder}/desk.db")
        self.alarm = self._journal(self.alarm_database, ALARM)
        self.desk_journal = self._journal(self.database, DESK)
        await self.alarm.open()
        await self.desk_journal.open()
        await self.database.migrate(store.STEPS)
        self.copy = Copy(journal=self.desk_journal, stream=ALARM)
        await self.copy.open()

    def _journal(self, database: Database, stream: StreamName) -> Journal[Fact]:
        spool = SpoolFile(path=self.folder / f"{stream}.spool")
        return Journal(
            database=database, stream=stream, codec=FactEncoding(), spool=spool, spool_after=PATIENCE
        )

    def make(self, database: Database | None = None) -> Web:
        """The page over this desk."""
        desk = JournalDesk(
            site="Lindenhof School",
            names=self.names,
            journal=self.desk_journal,
            alarm_stream=ALARM,
            verbs=Verbs(self),
            notices=self,
            lane=lambda: self.lane,
            ids=self.ids,
            clock=self.clock,
            alerts=lambda: self.nearby,
        )
        self.desk = desk
        self.page = make_web(
            desk=desk,
            database=database or self.database,
            clock=self.clock,
            ids=self.ids,
            zone=ZoneInfo("America/Chicago"),
            account_names=self.names.people,
            hasher=QUICK,
            feed=self.feed,
            corrections=self.corrections,
            browsers=self.browsers,
            machine_routes=self.machine_routes,
            devices=self.how_devices_are if self.devices is not None else None,
            notices=self.notices,
            people=self.people,
            disclosures=self.disclosures,
        )
        return self.page

    async def how_devices_are(self) -> Devices:
        """What the test laid down."""
        if self.refuse is not None or self.devices is None:
            raise self.refuse or Unreachable("nothing laid down")
        return self.devices

    async def pump(self) -> None:
        """Copy the alarm stream to the desk, for ever."""
        async for rows in self.alarm.follow_raw(after=self.copy.head):
            await self.copy.take(rows)

    async def close(self) -> None:
        """Let go of all."""
        await self.alarm.close()
        await self.desk_journal.close()
        await self.alarm_database.close()
        await self.database.close()

    # -- saying facts

    async def say(self, subject: str, *facts_: Fact, stream: StreamName = ALARM) -> None:
        """Journal facts now."""
        journal = self.alarm if stream == ALARM else self.desk_journal
        now = self.clock.now()
        drafts = [Draft(id=self.ids.fact(), at=now, subject=subject, fact=fact) for fact in facts_]
        await journal.commit(Transaction(), drafts)

    async def press(
        self,
        place: str = "plc_b204",
        *,
        mode: Mode = Mode.ACTUAL,
        number: int = 1,
        by: PersonId | None = None,
    ) -> Pressed:
        """A press opens an incident, and the plan orders a call and a notice."""
        pressed = Pressed(self, self.ids.incident(), mode)
        self.calls[pressed.id] = pressed.call
        alarm = self.ids.alarm()
        building = PLACES[place][0]
        await self.say(
            pressed.id,
            facts.AlarmRaised(
                alarm=alarm,
                incident=pressed.id,
                kind=AlarmKind.PANIC,
                mode=mode,
                place=PlaceId(place),
                building=building,
                number=1,
                unit="u17",
                epoch=1,
                counter=9,
                path="radio",
                person=by,
            ),
            facts.IncidentOpened(incident=pressed.id, alarm=alarm, mode=mode, number=number),
            facts.CallOrdered(
                call=pressed.call,
                incident=pressed.id,
                number=number,
                incident_number=number,
                kind=AlarmKind.PANIC,
                mode=mode,
                place=PlaceId(place),
                building=building,
            ),
            facts.NoticeOrdered(
                notice=pressed.notice,
                revision=1,
                incident=pressed.id,
                mode=mode,
                template="staff-alarm",
                audience="all-staff",
                slots={},
            ),
        )
        return pressed

    # -- DeskVerbs and DeskNotices

    async def order_action(self, verb_id: VerbId, incident: IncidentId, action: Action, by: PersonId) -> None:
        """Do it once, as the alarm lane would."""
        if self.refuse is not None:
            raise self.refuse
        if verb_id not in [asked[0] for asked in self.asked]:
            self.asked.append((verb_id, incident, action, by))
            await self.say(incident, facts.ActionOrdered(action=action, by=by))

    async def close_incident(self, incident: IncidentId, by: PersonId, reason: str) -> None:
        """Say that it is closed."""
        await self.say(incident, facts.IncidentClosed(incident=incident, by=by, reason=reason))

    async def recipients(self, notice: NoticeId) -> Sequence[Recipient]:
        """What the test laid down."""
        return self.rows

    async def calling(self) -> Sequence[Calling]:
        """What the test laid down."""
        return self.callers

    async def console(self) -> Sequence[ConsoleMessage]:
        """What the test laid down."""
        return self.messages


class Verbs:
    """Hands the desk's verbs to the house."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def order_action(self, verb_id: VerbId, incident: IncidentId, action: Action, by: PersonId) -> None:
        """See House."""
        await self._house.order_action(verb_id, incident, action, by)

    async def close(self, verb_id: VerbId, incident: IncidentId, by: PersonId, reason: str) -> None:
        """See House."""
        self._house.asked.append((verb_id, incident, reason, by))
        await self._house.close_incident(incident, by, reason)

    async def cancel_calls(self, verb_id: VerbId, incident: IncidentId, by: PersonId) -> None:
        """Remember it, and order it as the alarm lane would."""
        self._house.asked.append((verb_id, "cancel", incident, by))
        call = self._house.calls[incident]
        await self._house.say(
            incident,
            facts.UpdateOrdered(call=call, incident=incident, update=1, kind=facts.UpdateKind.CANCEL, by=by),
        )

    async def correct_call(self, verb_id: VerbId, call: CallId, place: PlaceId, by: PersonId) -> None:
        """Remember it."""
        self._house.asked.append((verb_id, "correct", call, place, by))

    async def texts(self, incident: IncidentId) -> Sequence[RoomText]:
        """What the test laid down."""
        if self._house.refuse is not None:
            raise self._house.refuse
        return self._house.texts

    async def send_text(
        self, verb_id: VerbId, incident: IncidentId, room: PlaceId, words: str, by: PersonId
    ) -> None:
        """Remember it."""
        self._house.asked.append((verb_id, "text", incident, room, words, by))

    async def note_read_back(
        self, verb_id: VerbId, incident: IncidentId, by: PersonId, operator: str
    ) -> None:
        """Remember it."""
        self._house.asked.append((verb_id, "read-back", incident, by, operator))


class Pressed:
    """One incident of the test."""

    def __init__(self, house: House, incident: IncidentId, mode: Mode) -> None:
        self.house = house
        self.id = incident
        self.call = house.ids.call()
        self.notice = house.ids.notice()
        self.mode = mode

    async def sent(self, link: str = "county") -> None:
        """The call left."""
        await self.house.say(
            self.id,
            facts.CallSent(call=self.call, link=link, frame="1", covers=((1, 1),)),  # type: ignore[arg-type]
        )

    async def received(
        self, link: str = "county", level: facts.ReceiptLevel = facts.ReceiptLevel.SYSTEM
    ) -> None:
        """A machine has it."""
        receipt = facts.CallReceipt(call=self.call, link=link, frame="1", covers=((1, 1),), level=level)  # type: ignore[arg-type]
        await self.house.say(self.id, receipt)

    async def unanswered(self) -> None:
        """Nobody confirmed in time."""
        await self.house.say(self.id, facts.CallUnanswered(call=self.call, after=10.0))

    async def acknowledged(self, link: str = "county", by: str = "T4") -> None:
        """A person has it."""
        fact = facts.TelecommunicatorAcknowledged(call=self.call, incident=self.id, link=link, by=by)  # type: ignore[arg-type]
        await self.house.say(self.id, fact)

    async def responders(self, status: facts.ResponseStatus, link: str = "cad") -> None:
        """The PSAP's system says how far they are."""
        fact = facts.ResponseSeen(call=self.call, incident=self.id, link=link, status=status)  # type: ignore[arg-type]
        await self.house.say(self.id, fact)

    async def planned(self, people: int = 40, deliveries: int = 78, unreachable: int = 2) -> None:
        """The notice has its audience."""
        fact = facts.NoticePlanned(
            notice=self.notice, revision=1, people=people, deliveries=deliveries, unreachable=unreachable
        )
        await self.house.say(self.id, fact, stream=DESK)

    async def settled(self, *outcomes: tuple[str, facts.Outcome], person: str = "per_1") -> None:
        """Deliveries reached these outcomes: each (channel, outcome) is one delivery."""
        settled = [
            facts.DeliverySettled(
                delivery=self.house.ids.delivery(),
                notice=self.notice,
                revision=1,
                person=PersonId(person),
                channel=channel,
                outcome=outcome,
            )
            for channel, outcome in outcomes
        ]
        await self.house.say(self.id, *settled, stream=DESK)


@asynccontextmanager
async def living(house: House, *, database: Database | None = None) -> AsyncIterator[str]:
    """The house, served on a port of its own; yields the address."""
    page = house.make(database)
    runner = web.AppRunner(page.app, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    crew = Crew(random=Random(3))
    try:
        async with crew:
            crew.mendable("pump", house.pump)
            crew.essential("desk", house.desk.run)
            page.start(crew)
            house.setup = (await first_invitation(page, house.database)) or ""
            await until(lambda: page.ready)
            yield address
            await runner.cleanup()
            raise Over  # noqa: TRY301
    except* Over:
        pass


class Over(Exception):
    """The test is over; ends the crew."""


async def until(true: Callable[[], object], within: float = PATIENCE) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110 - the truth lies in many places
            await asyncio.sleep(0.01)


def form_token(html: str) -> str:
    """The token of the page's first form."""
    found = re.search(r'name="form" value="([^"]+)"', html)
    assert found is not None, html
    return found[1]


class BrokenReads:
    """A database whose reads fail when told to. Everything else is the real one's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.broken = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._database, name)

    async def read(self, sql: str, /, **params: object) -> list[tuple[object, ...]]:
        """Read, or fail."""
        if self.broken:
            raise StoreError("the disk does not answer")
        return await self._database.read(sql, **params)  # type: ignore[arg-type]
