"""P13: what is given to somebody outside stands in the register first, and ends."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from belltower.clock import Instant
from belltower.errors import NotFound, NotPermitted, Refused, StoreError, WrongState
from belltower.ids import IncidentId, PersonId
from belltower.people import disclosure_tables as tables
from belltower.people import marking
from belltower.people.disclosure import Asked, Field, Recipient, Selection, Way, faults
from belltower.people.disclosure_register import IncidentKnown
from belltower.people.disclosure_rows import ASK, COLUMNS, Around, columns, row
from belltower.people.records import KnownHuman, KnownLink
from belltower.people.resealing import Resealing
from belltower.people.roster import (
    Human,
    HumanKey,
    HumanKind,
    Link,
    LinkSource,
    MayCollect,
    Phone,
    Relation,
    SchoolKey,
)
from belltower.people.vault import Unreadable, Vault
from belltower.people.word_store import KnownWord
from belltower.store import Transaction, open_database
from tests.belltower.people.disclosing import DISTRICT, NOBODY, RING, RUTH, THREAT, Desk
from tests.servers.postgres import postgres  # noqa: F401 - a fixture

STUDENT = KnownHuman(
    id=PersonId("per_1"),
    source="sis",
    human=Human(
        key=HumanKey("s/1"),
        kind=HumanKind.STUDENT,
        given="Ana",
        family="Núñez",
        grade="07",
        schools=(SchoolKey("s1"),),
        emails=("ana@school.example",),
    ),
)


def adult(number: int, given: str = "") -> KnownHuman:
    """Somebody to call."""
    phone = Phone(written=f"202-555-010{number}", e164=f"+1202555010{number}")
    human = Human(
        key=HumanKey(f"a/{number}"),
        kind=HumanKind.GUARDIAN,
        given=given or f"{'Bo' * number} Adult",
        family="Núñez",
        phones=(phone,),
    )
    return KnownHuman(id=PersonId(f"per_a{number}"), source="sis", human=human)


def link(number: int, **otherwise: object) -> KnownLink:
    """To that adult."""
    plain = Link(student=HumanKey("s/1"), adult=HumanKey(f"a/{number}"), relation=Relation.PARENT)
    return KnownLink(
        student=STUDENT.id,
        adult=PersonId(f"per_a{number}"),
        source="sis",
        link=replace(plain, **otherwise),
    )


@pytest.fixture(params=["sqlite", "postgres"])
async def desk(request, tmp_path):
    """A register on either engine."""
    url = f"sqlite://{tmp_path}/store.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").database()
    database = await open_database(url)
    yield await Desk(database).load()
    await database.close()


@pytest.fixture
async def one(tmp_path):
    """A register on SQLite."""
    database = await open_database(f"sqlite://{tmp_path}/store.db")
    yield await Desk(database).load()
    await database.close()


class FullDisk:
    """A database that takes nothing more."""

    def __init__(self, database) -> None:
        self._database = database

    def __getattr__(self, name: str) -> object:
        return getattr(self._database, name)

    async def submit(self, tx, *, priority=None) -> None:
        """Refuse it."""
        raise StoreError("the disk is full")


# -- pure


async def test_every_part_that_the_record_needs_is_asked_for(one: Desk) -> None:
    """P13: no recipient, no threat in words, no field, nobody meant or no end: each is said."""
    asked = await one.asked()
    wrong: list[Asked] = [
        replace(asked, incident=IncidentId("")),
        replace(asked, recipient=Recipient(agency="", function="commander")),
        replace(asked, recipient=Recipient(agency="Sheriff", function=" ")),
        replace(asked, threat="danger"),
        replace(asked, threat="x" * 2_001),
        replace(asked, threat=THREAT + "\x00"),
        replace(asked, fields=frozenset()),
        replace(asked, selection=Selection()),
        replace(asked, minutes=0),
        replace(asked, minutes=24 * 60 + 1),
    ]

    assert [] == faults(asked)
    assert [1] * len(wrong) == [len(faults(each)) for each in wrong]


@pytest.mark.parametrize("field", list(Field))
def test_a_row_holds_the_groups_that_were_opened_and_no_other(field: Field) -> None:
    """P13: per field; each group alone gives its own columns."""
    around = Around(
        links=[link(1)], adults={PersonId("per_a1"): adult(1)}, schools={SchoolKey("s1"): "North"}
    )
    made = row(STUDENT, around, [field])
    everything = " ".join(made.cells)

    assert COLUMNS[field] == columns([field])
    assert len(COLUMNS[field]) == len(made.cells)
    assert (field is Field.NAMES) == ("Ana" in made.cells)
    assert (field is Field.CONTACT) == ("+12025550101" in everything) == bool(made.others)
    assert (field is Field.LOCATION) == ("North" in everything)
    assert (() if field is Field.BIRTH else (field,)) == made.fields


@pytest.mark.parametrize(
    "careful",
    [
        {"restraining": True},
        {"source": LinkSource.RESTRAINING_ORDER},
        {"sealed": True},
        {"may_collect": MayCollect.NO, "source": LinkSource.COURT_ORDER},
        {"restrictions": "see the order"},
    ],
)
def test_who_is_under_an_order_is_left_out_without_a_word_of_why(careful: dict) -> None:
    """P14: neither the number nor the order; the other adult stays."""
    adults = {one.id: one for one in (adult(1), adult(2))}
    made = row(STUDENT, Around(links=[link(1, **careful), link(2)], adults=adults), [Field.CONTACT])

    assert ("ana@school.example", f"BoBo Adult Núñez (parent): +12025550102; {ASK}") == made.cells
    assert (PersonId("per_a2"),) == made.others


@pytest.mark.parametrize(
    ("name", "alike"),
    [("Jon Núñez", True), ("John Nunez", True), ("Joan Nunez", True), ("Joanna Núñez", False)],
)
def test_p22_who_is_called_much_like_somebody_under_an_order_is_left_out_too(name: str, alike: bool) -> None:
    """P22: as the page of the person reads both records, a recipient is not told to call one of the two."""
    given = name.partition(" ")[0]
    adults = {one.id: one for one in (adult(1, "John"), adult(2, given), adult(3))}
    links = [link(1, restraining=True), link(2), link(3)]
    made = row(STUDENT, Around(links=links, adults=adults), [Field.CONTACT])

    assert ("+12025550102" not in made.cells[1]) == alike
    assert "+12025550103" in made.cells[1]
    assert made.cells[1].endswith(ASK)


def test_p22_an_order_against_somebody_in_no_roster_covers_whoever_has_their_name() -> None:
    """P22: the order names an adult in words; a record of the same name may be theirs."""
    word = KnownWord(
        id="wrd_1",
        student=STUDENT.id,
        adult=PersonId("per_written"),
        adult_name="jon nunez",
        link=replace(link(1).link, restraining=True),
        by=RUTH,
        at=Instant(1),
    )
    adults = {one.id: one for one in (adult(1, "Jon"), adult(2))}
    made = row(STUDENT, Around(links=[link(1), link(2)], adults=adults, words=[word]), [Field.CONTACT])

    assert (PersonId("per_a2"),) == made.others
    assert made.cells[1].endswith(ASK)


async def test_an_order_that_somebody_wrote_down_counts_as_well(one: Desk) -> None:
    """P14, P15: what stands in no roster, only in a word on the strength of a paper."""
    opened = await one.register.open(one.ids.verb(), await one.asked(), RUTH)
    before = (await one.register.give(opened.id, Way.SHOWN, RUTH)).rows[0]
    word = KnownWord(
        id="wrd_1",
        student=before.student,
        adult=before.others[0],
        link=replace(link(1).link, restraining=True),
        by=RUTH,
        at=one.clock.now(),
    )
    tx = Transaction()
    one.store.words.put(tx, word)
    await one.store.database.submit(tx)
    after = (await one.register.give(opened.id, Way.SHOWN, RUTH)).rows[0]

    assert before.others[1:] == after.others
    assert after.cells[-1].endswith(ASK)
    assert not before.cells[-1].endswith(ASK)


# -- the register


async def test_what_is_given_stands_in_the_register_row_by_row(desk: Desk) -> None:
    """P13: who, to whom, on what ground, which students, which fields, when; found by student too. On both engines."""
    opened = await desk.register.open(desk.ids.verb(), await desk.asked(), RUTH)
    again = await desk.register.open(desk.ids.verb(), await desk.asked(fields=frozenset({Field.BIRTH})), RUTH)
    desk.clock.step(60)
    sheet = await desk.register.give(opened.id, Way.EXPORTED, RUTH)
    shown = await desk.register.give(again.id, Way.SHOWN, RUTH, start=1, count=1)
    lines = [line async for page in desk.register.given_by(opened.id) for line in page]
    of_one = await desk.register.given_of(opened.students[1])

    assert THREAT == (await desk.register.get(opened.id)).asked.threat
    assert (
        opened.students == tuple(line.student for line in lines) == tuple(one.student for one in sheet.rows)
    )
    assert {(Way.EXPORTED, desk.clock.now(), RUTH)} == {(line.way, line.at, line.by) for line in lines}
    assert all(line.fields == (Field.NAMES, Field.CONTACT) and line.others for line in lines)
    assert [(opened.id, Way.EXPORTED), (again.id, Way.SHOWN)] == [(one.disclosure, one.way) for one in of_one]
    assert [opened.students[1]] == [one.student for one in shown.rows]
    assert [again.id, opened.id] == [one.id for one in await desk.register.last(5)]


async def test_asking_twice_opens_one(one: Desk) -> None:
    """The verb's id is the disclosure's."""
    verb = one.ids.verb()
    first = await one.register.open(verb, await one.asked(), RUTH)
    second = await one.register.open(verb, await one.asked(), RUTH)

    assert first == second
    assert 1 == len(await one.register.last(5))


async def test_nothing_leaves_after_its_time_its_end_or_the_end_of_its_incident(one: Desk) -> None:
    """P13: it closes by its time alone, even where nobody has written that down."""
    by_time = await one.register.open(one.ids.verb(), await one.asked(minutes=1), RUTH)
    by_hand = await one.register.open(one.ids.verb(), await one.asked(), RUTH)
    by_incident = await one.register.open(one.ids.verb(), await one.asked(), RUTH)
    one.clock.step(59)
    await one.register.give(by_time.id, Way.SHOWN, RUTH)
    one.clock.step(1)
    await one.register.close(by_hand.id, RUTH)
    for disclosure in (by_time, by_hand):
        with pytest.raises(WrongState, match="has ended"):
            await one.register.give(disclosure.id, Way.SHOWN, RUTH)
    await one.register.give(by_incident.id, Way.SHOWN, RUTH)
    one.incidents[IncidentId("inc_1")] = IncidentKnown(open=False, exercise=False)
    with pytest.raises(WrongState, match="has ended"):
        await one.register.give(by_incident.id, Way.SHOWN, RUTH)
    with pytest.raises(WrongState, match="incident that is open"):
        await one.register.open(one.ids.verb(), await one.asked(), RUTH)

    assert [] == await one.register.batches(by_hand.id)
    assert "by-hand" == (await one.register.get(by_hand.id)).closed_why


async def test_a_clock_that_is_set_back_does_not_open_it_again(one: Desk) -> None:
    """What was closed stays closed, and nothing leaves before it was opened."""
    opened = await one.register.open(one.ids.verb(), await one.asked(), RUTH)
    await one.register.close(opened.id, RUTH)
    one.clock.step(-3_600)
    with pytest.raises(WrongState):
        await one.register.give(opened.id, Way.SHOWN, RUTH)


async def test_what_cannot_be_written_down_does_not_leave(one: Desk) -> None:
    """The rows are synced before anybody reads them: a full disk gives nothing."""
    opened = await one.register.open(one.ids.verb(), await one.asked(), RUTH)
    full = Desk(FullDisk(one.store.database))
    with pytest.raises(StoreError):
        await full.register.give(opened.id, Way.EXPORTED, RUTH)

    assert [] == await one.register.batches(opened.id)


async def test_in_an_exercise_nothing_of_anybody_leaves(one: Desk) -> None:
    """The same path; only the cells say exercise."""
    one.incidents[IncidentId("inc_1")] = IncidentKnown(open=True, exercise=True)
    opened = await one.register.open(one.ids.verb(), await one.asked(), RUTH)
    sheet = await one.register.give(opened.id, Way.EXPORTED, RUTH)

    assert opened.exercise
    assert {"exercise"} == {cell for each in sheet.rows for cell in each.cells}
    assert len(opened.students) == len(sheet.rows)


async def test_who_may_not_gives_nothing(one: Desk) -> None:
    """Neither opens nor gives nor closes: a page is not the lock."""
    opened = await one.register.open(one.ids.verb(), await one.asked(), RUTH)
    for asking in (
        one.register.open(one.ids.verb(), await one.asked(), NOBODY),
        one.register.give(opened.id, Way.SHOWN, NOBODY),
        one.register.close(opened.id, NOBODY),
    ):
        with pytest.raises(NotPermitted):
            await asking
    assert 1 == len(await one.register.last(5))
    assert (await one.register.get(opened.id)).is_open(one.clock.now())


async def test_students_are_meant_by_school_class_id_number_or_whole_name(one: Desk) -> None:
    """A name finds its student without its marks; what fits none or several is said by its line, never repeated."""
    students = [known async for page in one.store.humans(HumanKind.STUDENT) for known in page]
    names = [f"{known.human.given} {known.human.family}" for known in students]
    single = next(known for known, name in zip(students, names, strict=True) if names.count(name) == 1)
    numbered = next(known for known in students if known.human.number)
    school = single.human.schools[0]
    written = (
        single.id,
        numbered.human.number,
        f"{single.human.family.upper()},  {single.human.given}",
    )
    by_line = await one.register.open(
        one.ids.verb(), await one.asked(selection=Selection(students=written)), RUTH
    )
    by_school = await one.register.open(
        one.ids.verb(), await one.asked(selection=Selection(schools=frozenset({school}))), RUTH
    )

    assert {single.id, numbered.id} == set(by_line.students)
    assert {known.id for known in students if school in known.human.schools} == set(by_school.students)
    for line, said in (("Nobody Atall", "Name or number 1"), ("per_nobody", "no student of this id")):
        with pytest.raises(NotFound, match=said) as refused:
            await one.register.open(
                one.ids.verb(), await one.asked(selection=Selection(students=(line,))), RUTH
            )
        assert "Atall" not in str(refused.value)


async def test_two_students_of_one_name_are_told_apart_by_a_person(one: Desk) -> None:
    """P22: the name alone is refused."""
    students = [known async for page in one.store.humans(HumanKind.STUDENT) for known in page]
    twin = replace(students[0].human, given=students[1].human.given, family=students[1].human.family)
    district = replace(
        DISTRICT, humans=tuple(twin if human.key == twin.key else human for human in DISTRICT.humans)
    )
    await one.load(district)
    name = f"{twin.given} {twin.family}"
    with pytest.raises(Refused, match="2 students"):
        await one.register.open(one.ids.verb(), await one.asked(selection=Selection(students=(name,))), RUTH)


async def test_the_register_is_sealed_and_its_keys_are_turned(tmp_path) -> None:
    """P14: neither recipient nor threat nor student stands in the file; under new keys it opens as before."""
    database = await open_database(f"sqlite://{tmp_path}/store.db")
    desk = await Desk(database).load()
    opened = await desk.register.open(desk.ids.verb(), await desk.asked(), RUTH)
    await desk.register.give(opened.id, Way.EXPORTED, RUTH)
    turned = RING.turned()
    sealed = [one for one in marking.TABLES if one.name in {tables.OPENED, tables.GIVEN}]
    became = await Resealing(database=database, vault=Vault(ring=turned), tables=sealed).reseal(
        lambda _table, _count: None
    )
    reduced = Desk(database, Vault(ring=turned.reduced()))
    read = await reduced.register.whole(opened.id)
    lines = await reduced.register.given_of(opened.students[0])
    rows = await database.read("SELECT id, incident, fields, opened_by, body, meant FROM disclosure")
    given = await database.read("SELECT batch, body FROM disclosure_given")
    await database.close()
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert opened == read
    assert [1, len(opened.students)] == [became[table.name].sealed for table in sealed]
    assert 1 == len(lines)
    for told in (THREAT, "Linden County Sheriff", "incident commander"):
        assert told.encode() not in raw
    assert not [
        student for student in opened.students if student in repr((rows, [list(each) for each in given]))
    ]


async def test_a_name_much_like_anothers_is_marked(one: Desk) -> None:
    """P22: one letter apart at the same school; by number there is nothing to mix up."""
    students = DISTRICT.of_kind(HumanKind.STUDENT)
    first = replace(
        students[0], given="Marina", family="Overstreet", number="114001", schools=(SchoolKey("s1"),)
    )
    other = replace(
        students[1], given="Marisa", family="Overstreet", number="114002", schools=(SchoolKey("s1"),)
    )
    far = replace(students[2], given="Marisa", family="Understreet", schools=(SchoolKey("s1"),))
    changed = {human.key: human for human in (first, other, far)}
    district = replace(DISTRICT, humans=tuple(changed.get(human.key, human) for human in DISTRICT.humans))
    await one.load(district)
    named = [
        await one.register.open(one.ids.verb(), await one.asked(selection=Selection(students=(line,))), RUTH)
        for line in ("marina overstreet", "114001", "Understreet, Marisa")
    ]

    assert [set(named[0].students), set(), set()] == [set(each.alike) for each in named]


async def test_lists_are_read_without_the_students(one: Desk) -> None:
    """However many each is about: their ids stay sealed, and only their number is told."""
    verb = one.ids.verb()
    opened = await one.register.open(verb, await one.asked(), RUTH)
    again = await one.register.open(verb, await one.asked(), RUTH)
    listed = [*await one.register.last(5), *await one.register.of_incident(opened.asked.incident)]
    async with one.store.database.begin() as tx:  # nobody could open them now
        tx.add("UPDATE disclosure SET meant = :octets", octets=b"spoilt")

    assert [(opened.id, (), len(opened.students))] * 2 == [
        (each.id, each.students, each.count) for each in listed
    ]
    assert opened == again
    assert [opened.id] == [each.id for each in await one.register.last(5)]
    assert opened.count == (await one.register.get(opened.id)).count
    with pytest.raises(Unreadable):
        await one.register.whole(opened.id)


async def test_the_students_of_an_older_disclosure_are_read_from_its_body(one: Desk) -> None:
    """Until now they stood there."""
    opened = await one.register.open(one.ids.verb(), await one.asked(), RUTH)
    body = one.store.vault.seal(
        tables.OPENED, opened.id, "body", msgspec.json.encode(replace(opened, count=0))
    )
    async with one.store.database.begin() as tx:
        tx.add("UPDATE disclosure SET meant = NULL, body = :body", body=body)
    sheet = await one.register.give(opened.id, Way.EXPORTED, RUTH)

    assert opened == await one.register.whole(opened.id)
    assert opened.students == tuple(each.student for each in sheet.rows)
