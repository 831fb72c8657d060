"""A school with notices on its desk, planned by the real room, whose channels say what the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random

from belltower.clock import Instant
from belltower.ids import DeliveryId, IncidentId, NoticeId, PersonId, PlaceId
from belltower.incident.facts import Mode, NoticeOrdered
from belltower.people.person import Contact, ContactKind, Person
from belltower.tasks import Crew
from floorplans.place import Place
from gateway.web.notice_room import NoticeRoom
from notify import words
from notify.audience import AudienceRule
from notify.channels.channel import Refused, Settled, Uncertain
from notify.channels.inbox import Incoming
from notify.delivery import Evidence, State
from notify.provider import Provider
from notify.reports import Reports
from notify.room import NotifyRoom
from notify.site import NoticeSite, Roster
from tests.gateway.web.granting import grants_of
from tests.gateway.web.house import ALARM, DESK, House
from tests.peers.waiting import PATIENCE

WORDS = words.default()
PLACES = {
    PlaceId("plc_b204"): Place(id=PlaceId("plc_b204"), label="204", building="B"),
    PlaceId("plc_gym"): Place(id=PlaceId("plc_gym"), label="Gym", building="G"),
}


class Carrier:
    """Answers by the number's last digit: 7 is refused, 8 is never known, all others are taken."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sent: list[tuple[str, str]] = []

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def find(self, message, *, known):
        """It keeps no list."""
        return

    async def send(self, message):
        """Take it, or not."""
        self.sent.append((message.address, message.body))
        if message.address.endswith("7"):
            return Refused(reason="provider:30003")
        if message.address.endswith("8"):
            return Uncertain(reason="no_answer:timeout")
        return Settled(provider_id=f"sm-{len(self.sent)}-{self.name}")


class Families:
    """A roster in memory, that also says what people are called."""

    def __init__(self, *people: Person) -> None:
        self.known = list(people)
        self.named = {"lindenhof": "Lindenhof School"}

    async def people(self):
        """All of them, two at a time."""
        for start in range(0, len(self.known), 2):
            yield self.known[start : start + 2]

    async def version(self) -> int:
        """It changes with whoever is known."""
        return hash(tuple(one.id for one in self.known))

    async def names(self, people: Collection[PersonId]) -> Mapping[PersonId, str]:
        """By name."""
        return {one.id: one.name for one in self.known if one.id in people}

    async def schools_and_classes(self, within=None) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """What there is."""
        schools = {key: name for key, name in self.named.items() if within is None or key in within}
        return schools, {"7b": "7 b"} if within is None or "lindenhof" in within else {}

    async def schools(self) -> Mapping[str, str]:
        """All of them."""
        return self.named

    async def called_of(self, schools, classes) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Those of them that there are."""
        known, titles = await self.schools_and_classes()
        return (
            {key: known[key] for key in schools if key in known},
            {key: titles[key] for key in classes if key in titles},
        )


def adult(number: int, *, role: str = "staff", place: str = "", language: str = "", name: str = "") -> Person:
    """Somebody with one telephone, +1555010NNNN."""
    return Person(
        id=PersonId(f"{role}-{number:05}"),
        name=name or f"{role.capitalize()} {number}",
        roles=frozenset({role}),
        places=frozenset({PlaceId(place)}) if place else frozenset(),
        contacts=(Contact(kind=ContactKind.SMS, address=f"+1555010{number:04}"),),
        classes=frozenset({"7b"}) if role == "guardian" else frozenset(),
        language=language,
    )


class School:
    """The notice room beside a house."""

    def __init__(
        self,
        house: House,
        site: NoticeSite,
        roster: Families,
        more: Sequence[Provider] = (),
        test_to: Mapping[str, str] | None = None,
    ) -> None:
        self.house = house
        self.site = site
        self.roster = roster
        self.carrier = Carrier("sms")
        self._written = 0
        self.room = NotifyRoom(
            database=house.database,
            journal=house.desk_journal,
            stream=ALARM,
            site=lambda: self.site,
            providers=[Provider(channel=self.carrier, given_name="cell"), *more],
            clock=house.clock,
            ids=house.ids,
            random=Random(1),
            allowed=grants_of(house).allowed,
            test_to=test_to,
            resolve_within=0.2,
            resolve_every=0.1,
        )
        self.drilling = False
        self.composer = self.room.composer(drilling=lambda: self.drilling)
        house.notices = NoticeRoom(
            notify=self.room,
            composer=self.composer,
            reports=Reports(database=house.database, addresses=self.room.tables.addresses),
            site=lambda: self.site,
            roster=roster,
        )

    async def order(self, number: int = 1, **changes: object) -> NoticeId:
        """The desk orders a notice of its own."""
        given: dict[str, object] = {
            "notice": NoticeId(f"ntc_{number:03}"),
            "revision": 1,
            "incident": IncidentId(""),
            "mode": Mode.ACTUAL,
            "template": "staff-notice",
            "audience": "all-staff",
            "slots": {"place": "plc_b204"},
        }
        fact = NoticeOrdered(**(given | changes))  # type: ignore[arg-type]
        await self.house.say(fact.incident or fact.notice, fact, stream=DESK)
        return fact.notice

    async def settled(self, notice: NoticeId, count: int) -> None:
        """Wait until the notice has this many deliveries and none waits."""
        async with asyncio.timeout(PATIENCE):
            while True:
                rows = await self.house.database.read(
                    "SELECT state, asking FROM notice_delivery WHERE notice = :notice", notice=notice
                )
                open_ = [row for row in rows if row[0] in ("pending", "sending") or row[1]]
                if len(rows) == count and not open_:
                    return
                await asyncio.sleep(0.02)

    async def learned(self, person: str, state: State) -> None:
        """A callback says what became of somebody's delivery."""
        rows = await self.house.database.read(
            "SELECT id FROM notice_delivery WHERE person = :person", person=person
        )
        await self.room.ledger.learn(Evidence(delivery=DeliveryId(rows[0][0]), state=state))

    async def answered(self, person: str, at: Instant) -> None:
        """A human answered."""
        async with self.house.database.begin() as tx:
            tx.add(
                "UPDATE notice_delivery SET acknowledged_at = :at WHERE person = :person",
                at=at,
                person=person,
            )

    async def writes(self, number: int, text: str) -> None:
        """The telephone of adult `number` answers."""
        self._written += 1
        incoming = Incoming(
            message=f"m{self._written}", channel="sms", address=f"+1555010{number:04}", text=text
        )
        await self.room.hearing.hear("cell", incoming)


def site(*staff: Person, roster: Roster | None = None, **audiences: AudienceRule) -> NoticeSite:
    """The school as notices see it."""
    return NoticeSite(
        school="Lindenhof",
        people={one.id: one for one in staff},
        places=PLACES,
        audiences={"all-staff": AudienceRule(roles=frozenset({"staff"}))} | audiences,
        wording=WORDS,
        roster=roster,
    )


@asynccontextmanager
async def noticing(
    house: House,
    *staff: Person,
    families: tuple[Person, ...] = (),
    more: Sequence[Provider] = (),
    test_to: Mapping[str, str] | None = None,
    **audiences: AudienceRule,
) -> AsyncIterator[School]:
    """The room, running."""
    roster = Families(*families)
    school = School(house, site(*staff, roster=roster, **audiences), roster, more, test_to)
    await school.room.open()
    async with Crew(random=Random(5)) as crew:
        tasks = school.room.run(crew)
        try:
            yield school
        finally:
            for task in [*crew._tasks, *tasks]:
                task.cancel()
    await school.room.close()
