"""A roster in force and a register over it, for the tests of disclosures."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from belltower.clock import SECOND, Instant
from belltower.errors import NotPermitted
from belltower.ids import Ids, IncidentId, PersonId
from belltower.people import disclosure_tables
from belltower.people.disclosure import Asked, Basis, Field, Recipient, Selection
from belltower.people.disclosure_register import IncidentKnown, Register
from belltower.people.generator import generate
from belltower.people.grant import Right
from belltower.people.store import RosterStore
from belltower.people.taking import Taking
from belltower.people.vault import Vault, new_ring
from belltower.store import Database, Transaction

START = Instant(1_795_000_000 * SECOND)
DISTRICT = generate(seed=3, students=60)
RING = new_ring(Random(1).randbytes)
RUTH, NOBODY = PersonId("per_ruth"), PersonId("per_nobody")
THREAT = "An armed person was seen at the gym door; the sheriff has to find these students."


class SetClock:
    """Stands until it is moved."""

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


class Desk:
    """A register over a roster of nobody; incidents are what the test says."""

    def __init__(self, database: Database, vault: Vault | None = None) -> None:
        self.clock = SetClock()
        self.ids = Ids(clock=self.clock, random_bytes=Random(5).randbytes)
        self.store = RosterStore(database=database, vault=vault or Vault(ring=RING))
        self.incidents = {IncidentId("inc_1"): IncidentKnown(open=True, exercise=False)}
        self.register = Register(
            roster=self.store,
            incident=self._incident,
            allowed=self._allowed,
            clock=self.clock,
            ids=self.ids,
        )

    async def _incident(self, incident: IncidentId) -> IncidentKnown | None:
        return self.incidents.get(incident)

    async def _allowed(self, person: PersonId, right: Right, schools=()) -> None:
        assert schools
        assert Right.PEOPLE_DISCLOSE is right
        if person == NOBODY:
            raise NotPermitted("You may not give records to people outside here.")

    async def load(self, district=DISTRICT) -> Desk:
        """Take the district's roster."""
        await self.store.open()
        await self.store.database.migrate(disclosure_tables.STEPS)
        taking = Taking(store=self.store, clock=self.clock)
        ready = await taking.prepare(await taking.look(district), incident_open=False)
        tx = Transaction()
        taking.settle(tx, ready, incident_open=False)
        await self.store.database.submit(tx)
        return self

    async def one_class(self) -> str:
        """The key of a class with students."""
        for each in await self.store.classes():
            if sum(one.role == "student" for _, one in await self.store.class_list(each.key)) > 2:
                return each.key
        raise AssertionError("no class has students")

    async def asked(self, **otherwise: object) -> Asked:
        """What the sheriff asks for, of one class."""
        asked = Asked(
            incident=IncidentId("inc_1"),
            recipient=Recipient(agency="Linden County Sheriff", function="incident commander"),
            basis=Basis.SAFETY,
            threat=THREAT,
            fields=frozenset({Field.NAMES, Field.CONTACT}),
            selection=Selection(classes=frozenset({await self.one_class()})),
            minutes=60,
        )
        return replace(asked, **otherwise)
