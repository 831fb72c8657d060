"""A contact without an id of their own whose address changes waits for a person (P18)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from belltower.clock import SystemClock
from belltower.ids import Ids, PersonId, StreamName
from belltower.incident.encoding import FactEncoding
from belltower.incident.facts import PersonChanged, RosterTaken
from belltower.journal import Journal, SpoolFile
from belltower.people.by_hand import HandField
from belltower.people.doubt import Answer
from belltower.people.editing import Editing
from belltower.people.reading import load_mapping
from belltower.people.roster import HumanKind, Roster
from belltower.people.store import RosterStore
from belltower.people.taking import Taking
from belltower.people.vault import Vault, new_ring
from belltower.store import open_database
from gateway.rosters import RosterDesk
from tests.belltower.people.exports import CLEVER, folder, reading
from tests.peers.waiting import PATIENCE

RUTH = PersonId("per_ruth")
MOTHER = "Min Lee,202-456-1414,Cell,m@x.org"


class School:
    """A desk that takes Clever's files."""

    def __init__(self, tmp_path, journal: Journal, store: RosterStore) -> None:
        self._folder = tmp_path
        self._loads = 0
        self.journal = journal
        self.store = store
        self.clock = SystemClock()
        self.ids = Ids(clock=self.clock)
        self.incidents: list[str] = []
        self.taking = Taking(store=store, clock=self.clock)
        self.desk = RosterDesk(
            taking=self.taking,
            journal=journal,
            open_incidents=self.open_incidents,
            clock=self.clock,
        )

    async def open_incidents(self) -> list[str]:
        """What the test says."""
        return self.incidents

    def export(self, mother: str) -> Roster:
        """The files, with the mother's contact written like this."""
        self._loads += 1
        students = CLEVER["students.csv"].replace(MOTHER, mother)
        return reading(folder(self._folder / str(self._loads), CLEVER, students__csv=students)).roster

    async def load(self, mother: str = MOTHER) -> tuple[int, bool]:
        """Take them: how many wait for a person, and whether anything changed."""
        comparison = await self.taking.look(self.export(mother))
        ready = await self.taking.prepare(comparison, incident_open=False)
        return comparison.diff.to_review, ready is not None and await self.desk.look()

    async def mother(self) -> tuple[str, tuple[str, ...]]:
        """Every mother's name and mailboxes, in force."""
        found = [
            (known.human.family, known.human.emails)
            async for page in self.store.humans(HumanKind.GUARDIAN)
            for known in page
            if known.human.phones and known.human.phones[0].e164 != "+12024561415"
        ]
        assert 1 == len(found)
        return found[0]

    async def answer(self, answer: Answer) -> None:
        """A person says who the one contact is that waits."""
        (doubt,) = await self.store.doubts.open()
        await self.store.doubts.answer(self.ids.verb(), doubt.id, answer, by=RUTH, at=self.clock.now())
        await self.desk.tell()
        await self.desk.review()


@pytest.fixture
async def school(tmp_path) -> AsyncIterator[School]:
    """A desk with a roster in force."""
    database = await open_database(f"sqlite://{tmp_path}/desk.db")
    journal = Journal(
        database=database,
        stream=StreamName("desk"),
        codec=FactEncoding(),
        spool=SpoolFile(path=tmp_path / "desk.spool"),
        spool_after=PATIENCE,
    )
    await journal.open()
    store = RosterStore(database=database, vault=Vault(ring=new_ring()))
    await store.open()
    school = School(tmp_path, journal, store)
    assert (0, True) == await school.load()
    yield school
    await journal.close()
    await database.close()


async def test_a_changed_mailbox_waits_and_the_old_one_stays(school: School) -> None:
    """P18: one line to review, neither a silent change nor a delete and a create; the same load asks once."""
    assert (1, False) == await school.load("Min Lee,202-456-1414,Cell,min@x.org")
    assert (1, False) == await school.load("Min Lee,202-456-1414,Cell,min@x.org")

    assert ("Min Lee", ("m@x.org",)) == await school.mother()
    (doubt,) = await school.store.doubts.open()
    assert (doubt.before, ("min@x.org",)) == (doubt.after, doubt.coming.emails)
    (line,) = (await school.taking.look(school.export("Min Lee,202-456-1414,Cell,min@x.org"))).diff.lines
    assert ("to review", doubt.before) == (line.what, line.record)


async def test_a_contact_of_a_mapped_table_without_an_id_waits_too(school: School, tmp_path: Path) -> None:
    """P18: whichever files say it; where the table has an id of the contact, a new mailbox is one more column."""
    for ident, waits in (("", 1), (', id = "Contact No"', 0)):
        (tmp_path / "mapping.toml").write_text(
            f"""
            [[people]]
            file = "pupils.csv"
            kind = "student"
            columns = {{ id = "No", family = "Last" }}
            [[people.contacts]]
            columns = {{ name = "Contact", emails = "Mail"{ident} }}
            """
        )
        mapping = load_mapping(tmp_path / "mapping.toml")
        taking = Taking(store=school.store, clock=school.clock, source=f"plain{waits}")
        found = []
        for mailbox in ("r@x.org", "rosa@x.org"):
            pupils = f"No,Last,Contact No,Contact,Mail\n7,Lee,70,Rosa Lee,{mailbox}\n"
            load = folder(tmp_path / f"plain{waits}{mailbox}", {"pupils.csv": pupils})
            roster = reading(load, mapping=mapping).roster
            comparison = await taking.look(roster)
            found.append(comparison.diff.to_review)
            ready = await taking.prepare(comparison, incident_open=False)
            assert (ready is not None and await school.desk.look()) == (not found[-1])
        assert [0, waits] == found


async def test_the_same_person_takes_the_new_mailbox_and_keeps_what_was_set_by_hand(school: School) -> None:
    """P18, P21: and the load asks no more; facts say that somebody decided, and no address."""
    await school.load("Min Lee,202-456-1414,Cell,min@x.org")
    (doubt,) = await school.store.doubts.open()
    hands = Editing(store=school.store, clock=school.clock, ids=school.ids)
    await hands.set(school.ids.verb(), doubt.before, HandField.LANGUAGE, ["ko"], by=RUTH)
    await school.answer(Answer.SAME)

    assert ("Min Lee", ("min@x.org",)) == await school.mother()
    assert "ko" == (await school.store.human(doubt.before)).human.language
    assert (0, False) == await school.load("Min Lee,202-456-1414,Cell,min@x.org")
    facts = [entry.fact for entry in await school.journal.read(after=0, limit=10)]
    assert [RosterTaken, PersonChanged, PersonChanged, RosterTaken] == [type(one) for one in facts]
    assert RUTH == facts[-1].approved_by
    assert 0 == facts[-1].kept_by_hand
    assert "min@x.org" not in repr(facts)


async def test_what_is_kept_is_not_asked_again_until_the_load_says_something_else(school: School) -> None:
    """The load was wrong; a third mailbox is a new question."""
    await school.load("Min Lee,202-456-1414,Cell,min@x.org")
    await school.answer(Answer.KEEP)

    assert (0, False) == await school.load("Min Lee,202-456-1414,Cell,min@x.org")
    assert ("Min Lee", ("m@x.org",)) == await school.mother()
    assert (1, False) == await school.load("Min Lee,202-456-1414,Cell,third@x.org")
    await school.load()
    assert [] == await school.store.doubts.open()


async def test_another_name_at_the_same_address_is_neither_gone_nor_come_until_somebody_says(
    school: School,
) -> None:
    """Who is the same person keeps what was written of them by hand, under the new id."""
    assert (1, False) == await school.load("Min Park-Lee,202-456-1414,Cell,m@x.org")
    assert ("Min Lee", ("m@x.org",)) == await school.mother()
    (doubt,) = await school.store.doubts.open()
    assert doubt.before != doubt.after
    hands = Editing(store=school.store, clock=school.clock, ids=school.ids)
    await hands.set(school.ids.verb(), doubt.before, HandField.LANGUAGE, ["ko"], by=RUTH)
    await school.answer(Answer.SAME)

    assert ("Min Park-Lee", ("m@x.org",)) == await school.mother()
    assert "ko" == (await school.store.human(doubt.after)).human.language
    assert doubt.student in {link.student for link in await school.store.links_of(doubt.after)}
    assert [] == await school.store.links_of(doubt.before)


async def test_another_person_of_that_name_takes_nothing_that_was_set_by_hand(school: School) -> None:
    """What somebody wrote of the one is not said of the other."""
    await school.load("Min Lee,202-456-1499,Cell,m@x.org")
    (doubt,) = await school.store.doubts.open()
    hands = Editing(store=school.store, clock=school.clock, ids=school.ids)
    await hands.set(school.ids.verb(), doubt.before, HandField.LANGUAGE, ["ko"], by=RUTH)
    await school.answer(Answer.OTHER)

    assert {} == (await school.store.hands.layer()).fields
    assert "+12024561499" == (await school.store.human(doubt.before)).human.phones[0].e164


async def test_what_was_said_waits_while_an_incident_is_open(school: School) -> None:
    """P7: a contact who goes is taken away when the incident is closed, and the answer is not lost."""
    await school.load("Min Park-Lee,202-456-1414,Cell,m@x.org")
    school.incidents.append("inc_1")
    await school.answer(Answer.SAME)
    assert ("Min Lee", ("m@x.org",)) == await school.mother()
    await school.load("Min Park-Lee,202-456-1414,Cell,m@x.org")
    school.incidents.clear()

    assert await school.desk.review()
    assert not await school.desk.review()
    assert ("Min Park-Lee", ("m@x.org",)) == await school.mother()


async def test_an_answer_that_was_written_and_not_yet_in_force_is_finished_later(school: School) -> None:
    """As after a kill between the two: what is ready is put in force, and the answer with what was set by hand."""
    await school.load("Min Park-Lee,202-456-1414,Cell,m@x.org")
    (doubt,) = await school.store.doubts.open()
    hands = Editing(store=school.store, clock=school.clock, ids=school.ids)
    await hands.set(school.ids.verb(), doubt.before, HandField.LANGUAGE, ["ko"], by=RUTH)
    asked = iter([[], ["inc_1"]])
    school.desk._open_incidents = lambda: answered(next(asked))
    await school.answer(Answer.SAME)
    assert ("Min Lee", ("m@x.org",)) == await school.mother()
    school.desk._open_incidents = school.open_incidents

    for _ in range(3):
        await school.desk.review()
        await school.desk.look()
    assert ("Min Park-Lee", ("m@x.org",)) == await school.mother()
    assert "ko" == (await school.store.human(doubt.after)).human.language
    assert None is await school.store.doubts.answered()


async def answered(incidents: list[str]) -> list[str]:
    """What was asked."""
    return incidents
