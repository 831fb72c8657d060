"""A roster is taken whole or not at all, twice as once, and not at all where a person must look first."""

from __future__ import annotations

import asyncio
from random import Random

import apsw
import pytest
from msgspec.structs import replace

from belltower.clock import Instant, SystemClock
from belltower.errors import Conflict, StoreError
from belltower.people.generator import generate
from belltower.people.person import ContactKind
from belltower.people.reach import RosterPeople
from belltower.people.resealing import Resealing
from belltower.people.roster import (
    Enrolment,
    Human,
    HumanKey,
    HumanKind,
    Link,
    Relation,
    Removed,
    Roster,
    Side,
    Table,
)
from belltower.people.safety import Approval, Reason
from belltower.people.store import RosterStore
from belltower.people.tables import Kept, table
from belltower.people.taking import HeldUp, Taking
from belltower.people.vault import Unreadable, Vault, new_ring
from belltower.store import Flush, InlineDatabase, SQLiteEngine, Transaction, open_database
from gateway.keys import TABLES
from tests.servers.postgres import postgres  # noqa: F401 - a fixture

RING = new_ring(Random(1).randbytes)
DISTRICT = generate(seed=3, students=60)


class Tick:
    """A clock that counts its readings."""

    def __init__(self) -> None:
        self.at = 0

    def now(self) -> Instant:
        """One more."""
        self.at += 1
        return Instant(self.at)

    def monotonic(self) -> float:
        """The same in seconds."""
        return self.at / 1e6


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    """An empty database's URL."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres").database()
    return f"sqlite://{tmp_path}/store.db"


@pytest.fixture
async def people(url):
    """An empty store on either engine."""
    database = await open_database(url)
    store = RosterStore(database=database, vault=Vault(ring=RING))
    await store.open()
    yield store
    await database.close()


@pytest.fixture
async def memory():
    """An empty store in memory."""
    store = inline(apsw.Connection(":memory:"))
    await store.open()
    yield store
    await store.database.close()


def inline(connection: apsw.Connection, vault: Vault | None = None) -> RosterStore:
    """A store whose disk survives it."""
    database = InlineDatabase(engine=SQLiteEngine(connection=connection))
    return RosterStore(database=database, vault=vault or Vault(ring=RING))


def taking(store: RosterStore) -> Taking:
    """What takes rosters into `store`."""
    return Taking(store=store, clock=Tick())


async def take(store: RosterStore, roster: Roster, *, approve: bool = False, incident: bool = False) -> bool:
    """Take a roster from looking to putting it in force; whether anything changed."""
    work = taking(store)
    comparison = await work.look(roster)
    approval = Approval(by="per_head", fingerprint=comparison.diff.fingerprint) if approve else None
    ready = await work.prepare(comparison, incident_open=incident, approval=approval)
    if ready is None:
        return False
    async with store.database.begin() as tx:
        work.settle(tx, ready, incident_open=incident)
    return True


async def held(store: RosterStore, *kinds: HumanKind) -> dict[HumanKey, Human]:
    """Everybody in force, but for the file they stood in."""
    return {known.human.key: known.human async for page in store.humans(*kinds) for known in page}


def without(roster: Roster, gone: set[HumanKey]) -> Roster:
    """The roster as if these had never been."""
    return replace(
        roster,
        humans=tuple(one for one in roster.humans if one.key not in gone),
        links=tuple(one for one in roster.links if not {one.student, one.adult} & gone),
        enrolments=tuple(one for one in roster.enrolments if one.human not in gone),
    )


async def test_what_was_taken_is_read_as_it_was(people: RosterStore) -> None:
    """On both engines every human, link, class and enrolment comes back whole."""
    await take(people, DISTRICT)

    assert {one.key: one for one in DISTRICT.humans} == await held(people)
    assert sorted(DISTRICT.classes, key=repr) == sorted(await people.classes(), key=repr)
    assert sorted(DISTRICT.schools, key=repr) == sorted(await people.schools(), key=repr)
    pupil = next(known for page in [p async for p in people.humans(HumanKind.STUDENT)] for known in page)
    own = [one for one in DISTRICT.links if one.student == pupil.human.key]
    assert own == sorted((one.link for one in await people.links_of(pupil.id)), key=lambda one: one.priority)
    assert 1 <= len(await people.enrolments_of(pupil.id))
    first = DISTRICT.classes[0].key
    assert sum(one.school_class == first for one in DISTRICT.enrolments) == len(
        await people.class_list(first)
    )


async def test_the_same_roster_again_changes_nothing(people: RosterStore) -> None:
    """P5: twice is once, in any order, with no second diff."""
    assert await take(people, DISTRICT)
    turned = replace(DISTRICT, humans=DISTRICT.humans[::-1], links=DISTRICT.links[::-1])

    assert not await take(people, turned)
    assert 1 == await people.in_force()


async def test_a_change_keeps_ids_and_names_its_fields(people: RosterStore) -> None:
    """Facts go on naming the same person; the diff names the field and not what stands in it."""
    await take(people, DISTRICT)
    before = {known.human.key: known.id async for page in people.humans() for known in page}
    one = DISTRICT.of_kind(HumanKind.STUDENT)[0]
    married = replace(
        DISTRICT, humans=tuple(replace(x, family="Zz") if x == one else x for x in DISTRICT.humans)
    )
    diff = (await taking(people).look(married)).diff

    assert [(Kept.PERSON, before[one.key], "changed", ("family",))] == [
        (line.table, line.record, line.what, line.fields) for line in diff.lines
    ]
    assert "Zz" not in repr(diff)
    assert await take(people, married)
    assert "Zz" == (await people.human(before[one.key])).human.family
    assert before == {known.human.key: known.id async for page in people.humans() for known in page}


async def test_the_whole_of_a_source_is_what_it_said(memory: RosterStore) -> None:
    """A delta is read against it."""
    await take(memory, DISTRICT)
    whole = await memory.whole("sis")

    for one, other in ((DISTRICT.humans, whole.humans), (DISTRICT.links, whole.links)):
        assert sorted(one, key=repr) == sorted(other, key=repr)
    assert sorted(DISTRICT.enrolments, key=repr) == sorted(whole.enrolments, key=repr)
    assert not (await memory.whole("other")).humans


async def test_notices_reach_guardians_by_their_children(people: RosterStore) -> None:
    """A guardian has the classes of the children and every address; whoever is not active is left out."""
    idle = DISTRICT.of_kind(HumanKind.STUDENT)[0].key
    roster = replace(
        DISTRICT,
        humans=tuple(replace(one, active=one.key != idle) for one in DISTRICT.humans),
    )
    await take(people, roster)
    found = {
        one.id: one async for page in RosterPeople(store=people, clock=SystemClock()).people() for one in page
    }
    ids = {known.human.key: known.id async for page in people.humans() for known in page}
    adult = next(one for one in DISTRICT.of_kind(HumanKind.GUARDIAN) if one.phones and one.emails)
    children = {one.student for one in DISTRICT.links if one.adult == adult.key}
    person = found[ids[adult.key]]

    assert len(DISTRICT.humans) - 1 == len(found)
    assert {ids[key] for key in children} == person.children
    assert {one.school_class for one in DISTRICT.enrolments if one.human in children} == person.classes
    assert {school for one in DISTRICT.humans if one.key in children for school in one.schools} | set(
        adult.schools
    ) == person.schools
    assert {"guardian"} == person.roles
    assert (adult.language, f"{adult.given} {adult.family}") == (person.language, person.name)
    assert {
        (ContactKind.EMAIL, adult.emails[0]),
        *((kind, one.e164) for one in adult.phones for kind in (ContactKind.SMS, ContactKind.VOICE)),
    } == {(one.kind, one.address) for one in person.contacts}


async def test_the_staff_of_a_roster_are_read_apart_by_their_schools(people: RosterStore) -> None:
    """Of several schools nobody is meant where none is named; the next load is seen at once."""
    await take(people, DISTRICT)
    everybody = {
        one.id: one async for page in RosterPeople(store=people, clock=SystemClock()).people() for one in page
    }
    working = {id_ for id_, one in everybody.items() if "staff" in one.roles}
    schools = set().union(*(everybody[id_].schools for id_ in working))
    reach = RosterPeople(store=people, clock=SystemClock())
    of_each = {school: {one.id for one in await reach.staff({school})} for school in schools}
    unnamed = await reach.staff(())

    assert working == set().union(*of_each.values())
    assert all(school in everybody[id_].schools for school, ids in of_each.items() for id_ in ids)
    assert (len(working) if len(schools) == 1 else 0) == len(unnamed)
    assert {everybody[id_].name for id_ in working} == {reach.called(id_) for id_ in working}
    assert {""} == {reach.called(id_) for id_ in everybody.keys() - working}


async def test_a_number_is_found_by_its_mark(memory: RosterStore) -> None:
    """Who shares a telephone is found without opening anything; a mailbox in any letter case."""
    await take(memory, DISTRICT)
    adult = next(one for one in DISTRICT.of_kind(HumanKind.GUARDIAN) if one.phones and one.emails)
    sharing = {one.key for one in DISTRICT.humans if adult.phones[0].e164 in {p.e164 for p in one.phones}}
    found = await memory.reached_by("phone", adult.phones[0].e164)

    assert sharing == {(await memory.human(person)).human.key for person in found}
    assert 1 == len(await memory.reached_by("email", adult.emails[0].upper()))
    assert [] == await memory.reached_by("email", adult.phones[0].e164)


async def test_nothing_that_names_anybody_lies_in_the_file(tmp_path) -> None:
    """P14: names, numbers, mailboxes, birth dates and the source's own ids are not in the database's octets."""
    database = await open_database(f"sqlite://{tmp_path}/store.db")
    store = RosterStore(database=database, vault=Vault(ring=RING))
    await store.open()
    await take(store, SMALL)
    await database.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert SMALL.classes[0].title.encode() in kept
    for one in SMALL.humans:
        told = [one.key, one.number, *one.emails, *(phone.e164 for phone in one.phones)]
        told += [name for name in (one.given, one.family) if len(name) > 5]
        assert [] == [text for text in told if text and text.encode() in kept]


async def test_a_load_that_takes_too_many_students_waits(memory: RosterStore) -> None:
    """P6: more than one in twenty stops; an approval of this diff, and of no other, lets it through."""
    await take(memory, DISTRICT)
    pupils = [one.key for one in DISTRICT.of_kind(HumanKind.STUDENT)]
    few, many = without(DISTRICT, set(pupils[:3])), without(DISTRICT, set(pupils[:4]))
    work = taking(memory)
    of_few = await work.look(few)
    of_many = await work.look(many)
    other = Approval(by="per_head", fingerprint=of_few.diff.fingerprint)

    assert (3, 60) == (of_few.diff.students_removed, of_few.diff.students)
    with pytest.raises(HeldUp, match="4 of 60 students would be removed") as stopped:
        await work.prepare(of_many, incident_open=False, approval=other)
    assert [Reason.STUDENTS, Reason.APPROVAL] == [stop.reason for stop in stopped.value.stops]
    said = stopped.value.stops[1].message
    assert said.index(of_few.diff.fingerprint) < said.index(of_many.diff.fingerprint)
    assert await take(memory, few)
    assert await take(memory, many, approve=True)


async def test_who_approved_another_diff_is_asked_again_though_nothing_else_holds_this_one_up(
    memory: RosterStore,
) -> None:
    """What was looked at is not what would be taken; where nothing changes any more there is nothing to approve."""
    work = taking(memory)
    other = Approval(by="per_head", fingerprint="0" * 24)

    with pytest.raises(HeldUp, match="approve it by its own fingerprint"):
        await work.prepare(await work.look(DISTRICT), incident_open=False, approval=other)
    await take(memory, DISTRICT)
    assert await work.prepare(await work.look(DISTRICT), incident_open=False, approval=other) is None


async def test_students_no_longer_active_count_as_removed(memory: RosterStore) -> None:
    """P6: a feed that marks everybody inactive is as wrong as one that leaves them out."""
    await take(memory, DISTRICT)
    idle = replace(DISTRICT, humans=tuple(replace(one, active=False) for one in DISTRICT.humans))

    with pytest.raises(HeldUp, match="60 of 60 students"):
        await take(memory, idle)


@pytest.mark.parametrize("what", ["links", "phones"])
async def test_a_load_that_takes_too_many_contacts_waits(memory: RosterStore, what: str) -> None:
    """P6: whom to call, or at which number: more than one in ten stops."""
    await take(memory, DISTRICT)
    if what == "links":
        poorer = replace(DISTRICT, links=DISTRICT.links[len(DISTRICT.links) // 8 :])
    else:
        poorer = replace(DISTRICT, humans=tuple(replace(one, phones=()) for one in DISTRICT.humans))

    with pytest.raises(HeldUp) as stopped:
        await take(memory, poorer)
    assert [Reason.CONTACTS] == [stop.reason for stop in stopped.value.stops]


async def test_a_load_that_leaves_the_classes_empty_waits(memory: RosterStore) -> None:
    """P6: audiences by class would mean nobody; a term's change brings as many as it takes. P7: not during an incident."""
    await take(memory, DISTRICT)
    empty = replace(DISTRICT, classes=(), enrolments=())
    moved = replace(
        DISTRICT, enrolments=tuple(replace(one, key=f"new/{one.key}") for one in DISTRICT.enrolments)
    )
    fewer = replace(DISTRICT, enrolments=DISTRICT.enrolments[1:])

    with pytest.raises(HeldUp) as stopped:
        await take(memory, empty)
    assert [Reason.ENROLMENTS] == [stop.reason for stop in stopped.value.stops]
    with pytest.raises(HeldUp, match="load again when it is closed"):
        await take(memory, fewer, approve=True, incident=True)
    assert await take(memory, fewer)
    assert await take(memory, moved)
    assert await take(memory, empty, approve=True)


async def test_a_change_to_what_was_never_loaded_waits(memory: RosterStore) -> None:
    """P6: the seven families of a delta are not the roster of a school."""
    part = replace(DISTRICT, delta=True)

    with pytest.raises(HeldUp) as stopped:
        await take(memory, part)
    assert [Reason.DELTA] == [stop.reason for stop in stopped.value.stops]
    await take(memory, DISTRICT)
    assert not await take(memory, part)


async def test_an_empty_load_counts_as_removing_all(memory: RosterStore) -> None:
    """P6: also as the very first one."""
    empty = Roster(format="plain")

    with pytest.raises(HeldUp, match="no student is left"):
        await take(memory, empty)
    await take(memory, DISTRICT)
    with pytest.raises(HeldUp, match="60 of 60 students"):
        await take(memory, empty)
    assert len(DISTRICT.humans) == len(await held(memory))


async def test_an_open_incident_freezes_its_roster(memory: RosterStore) -> None:
    """P7: a load is a diff to look at; approved it may add, and nobody can approve it away a child."""
    await take(memory, DISTRICT)
    pupil = DISTRICT.of_kind(HumanKind.STUDENT)[0]
    more = replace(DISTRICT, humans=(*DISTRICT.humans, replace(pupil, key=HumanKey("user/new"), emails=())))
    fewer = without(DISTRICT, {pupil.key})

    with pytest.raises(HeldUp, match="an incident is open"):
        await take(memory, more, incident=True)
    with pytest.raises(HeldUp, match="load again when it is closed"):
        await take(memory, fewer, incident=True, approve=True)
    assert await take(memory, more, incident=True, approve=True)


async def test_an_incident_that_opens_meanwhile_freezes_what_is_ready(memory: RosterStore) -> None:
    """P7: what was prepared before waits for its end, unless it was approved for it."""
    work = taking(memory)
    ready = await work.prepare(await work.look(DISTRICT), incident_open=False)

    with pytest.raises(HeldUp, match="waits for its end"):
        work.settle(Transaction(), ready, incident_open=True)
    assert ready == await work.waiting()


async def test_a_delta_adds_changes_and_removes_what_it_names(people: RosterStore) -> None:
    """P5: and loading it twice changes nothing more."""
    await take(people, DISTRICT)
    pupils = DISTRICT.of_kind(HumanKind.STUDENT)
    gone, moved = pupils[0], replace(pupils[1], grade="12")
    new = replace(pupils[2], key=HumanKey("user/new"), emails=())
    delta = Roster(
        format="oneroster",
        delta=True,
        humans=(moved, new),
        enrolments=(
            Enrolment(school_class=DISTRICT.classes[0].key, human=new.key, role="student", key="E-new"),
        ),
        removed=(Removed(table=Table.HUMAN, key=gone.key),),
    )
    assert await take(people, delta)
    after = await held(people)

    assert "12" == after[moved.key].grade
    assert new == after[new.key]
    assert {one.key for one in DISTRICT.humans} - {gone.key} | {new.key} == after.keys()
    expected = sum(one.student != gone.key for one in DISTRICT.links)
    assert expected == len(await rows(people, Kept.LINK))
    assert not await take(people, delta)


async def rows(store: RosterStore, kept: Kept) -> list[tuple]:
    """Rows in force."""
    return await store.database.read(
        f"SELECT ident FROM {table(kept)} WHERE since <= :r AND until > :r", r=await store.in_force()
    )


async def test_a_link_goes_when_nobody_states_it_any_more(memory: RosterStore) -> None:
    """A delta restates one side's list: a link that the other side states too stays."""
    student = Human(key=HumanKey("user/1"), kind=HumanKind.STUDENT, family="A")
    adults = [Human(key=HumanKey(f"user/{n}"), kind=HumanKind.GUARDIAN, family="B") for n in (2, 3, 4)]
    sides = [{Side.STUDENT}, {Side.STUDENT, Side.ADULT}, {Side.ADULT}]
    links = tuple(
        Link(student=student.key, adult=adult.key, relation=Relation.PARENT, stated_by=frozenset(side))
        for adult, side in zip(adults, sides, strict=True)
    )
    await take(memory, Roster(format="oneroster", humans=(student, *adults), links=links))
    restating = Roster(format="oneroster", delta=True, humans=(student,), restated=frozenset({student.key}))
    await take(memory, restating, approve=True)
    person = (await memory.database.read("SELECT student FROM roster_link LIMIT 1"))[0][0]
    left = {one.link.adult: one.link.stated_by for one in await memory.links_of(person)}

    assert {"user/3": {Side.ADULT}, "user/4": {Side.ADULT}} == left


async def test_two_sources_with_the_same_ids_live_side_by_side(memory: RosterStore) -> None:
    """P16: and the load of one takes nothing of the other's away."""
    await take(memory, DISTRICT)
    other = Taking(store=memory, clock=Tick(), source="bus company")
    ready = await other.prepare(await other.look(DISTRICT), incident_open=False)
    async with memory.database.begin() as tx:
        other.settle(tx, ready, incident_open=False)

    assert 2 * len(DISTRICT.humans) == sum([len(page) async for page in memory.humans()])
    assert not await take(memory, DISTRICT)


async def test_the_revision_before_stays_readable_and_no_older_one(memory: RosterStore) -> None:
    """Who began to read goes on with what they began with; what is older is forgotten."""
    pupils = DISTRICT.of_kind(HumanKind.STUDENT)
    for count in range(3):
        await take(memory, without(DISTRICT, {one.key for one in pupils[:count]}))
    await taking(memory).tidy()
    before = {
        known.human.key async for page in memory.humans(HumanKind.STUDENT, revision=2) for known in page
    }

    assert {one.key for one in pupils[1:]} == before
    assert 59 == len(await memory.database.read("SELECT 1 FROM roster_person WHERE kind = 'student'"))


async def test_who_prepares_ends_another_who_does(memory: RosterStore) -> None:
    """Two loads at once: the later one is taken whole, the earlier one is told."""
    first, second = taking(memory), taking(memory)
    one = await first.prepare(await first.look(DISTRICT), incident_open=False)
    smaller = generate(seed=4, students=5)
    two = await second.prepare(await second.look(smaller), incident_open=False)

    with pytest.raises(Conflict):
        async with memory.database.begin() as tx:
            first.settle(tx, one, incident_open=False)
    async with memory.database.begin() as tx:
        second.settle(tx, two, incident_open=False)
    assert {x.key for x in smaller.humans} == (await held(memory)).keys()
    with pytest.raises(Conflict):
        async with memory.database.begin() as tx:
            second.settle(tx, two, incident_open=False)


async def resealed(store: RosterStore) -> int:
    """How many rows were sealed anew with the store's current key."""
    tables = [one for one in TABLES if one.name.startswith(("roster_", "people_"))]
    became = await Resealing(database=store.database, vault=store.vault, tables=tables).reseal()
    return sum(one.sealed for one in became.values())


async def test_keys_turn_under_the_roster(memory: RosterStore) -> None:
    """Rotation reseals every row, may be broken off, and leaves nothing that needs the old key."""
    await take(memory, DISTRICT)
    connection = memory.database._engine.connection
    ring = RING.turned()
    turned = inline(connection, Vault(ring=ring))
    assert {one.key for one in DISTRICT.humans} == (await held(turned)).keys()
    breaking = asyncio.ensure_future(resealed(turned))  # noqa: TID251 - to be broken off
    for _ in range(3):
        await asyncio.sleep(0)
    breaking.cancel()
    await asyncio.gather(breaking, return_exceptions=True)

    again = inline(connection, Vault(ring=ring))
    assert 0 < await resealed(again)
    assert 0 == await resealed(again)
    reduced = inline(connection, Vault(ring=ring.reduced()))
    assert {one.key: one for one in DISTRICT.humans} == await held(reduced)
    with pytest.raises(Unreadable):
        await held(memory)


@pytest.fixture(scope="module")
def disk():
    """A database that holds `SMALL`, to be copied."""

    async def made() -> bytes:
        connection = apsw.Connection(":memory:")
        store = inline(connection)
        await store.open()
        await take(store, SMALL)
        return connection.serialize("main")

    return asyncio.run(made())


async def kill_and_look(disk: bytes, commits: int, *, lands: bool) -> bool:
    """Take `CHANGED` on a disk that ends after so many commits; whether the old roster is in force then."""
    connection = apsw.Connection(":memory:")
    connection.deserialize("main", disk)
    dying = InlineDatabase(engine=SQLiteEngine(connection=connection), flush=Dying(commits, lands=lands))
    try:
        await take(RosterStore(database=dying, vault=Vault(ring=RING)), CHANGED, approve=True)
    except StoreError:
        dying.abandon()
    after = inline(connection)
    found = await held(after)

    assert found in (KEYED[0], KEYED[1])
    links = len(await rows(after, Kept.LINK))
    assert len((SMALL if found == KEYED[0] else CHANGED).links) == links
    assert (found == KEYED[0]) == await take(after, CHANGED, approve=True)
    assert KEYED[1] == await held(after)
    assert not await take(after, CHANGED)
    return found == KEYED[0]


@pytest.mark.parametrize("tens", range(10))
async def test_a_kill_at_any_step_leaves_the_old_or_the_new_roster_whole(disk: bytes, tens: int) -> None:
    """P17, a hundred seeded kills: the next one to look finds one of the two, and takes the new one."""
    old = 0
    for seed in range(tens * 10, tens * 10 + 10):
        random = Random(seed)
        old += await kill_and_look(disk, random.randrange(STEPS_OF_ONE), lands=random.random() < 0.5)

    assert 1 <= old


async def test_a_taking_has_the_steps_that_kills_are_drawn_from(disk: bytes) -> None:
    """One commit fewer leaves the old roster, all of them leave the new one."""
    assert await kill_and_look(disk, STEPS_OF_ONE - 1, lands=False)
    assert not await kill_and_look(disk, STEPS_OF_ONE - 1, lands=True)
    assert not await kill_and_look(disk, STEPS_OF_ONE, lands=False)


class Dying:
    """A disk that takes `commits` and fails for ever after."""

    def __init__(self, commits: int, *, lands: bool) -> None:
        self._commits = commits
        self._lands = lands

    def __call__(self) -> Flush:
        """How the next flush goes."""
        self._commits -= 1
        if self._commits >= 0:
            return Flush()
        return Flush(error=StoreError("killed"), lands=self._commits == -1 and self._lands)


SMALL = generate(seed=5, students=4)
CHANGED = replace(
    generate(seed=6, students=5),
    humans=tuple(
        replace(one, key=HumanKey(f"{one.key}{'' if number % 2 else 'x'}"))
        for number, one in enumerate(generate(seed=6, students=5).humans)
    ),
    links=SMALL.links[1:],
)
STEPS_OF_ONE = 10
KEYED = [{one.key: one for one in roster.humans} for roster in (SMALL, CHANGED)]


async def indexes(store: RosterStore) -> set[str]:
    """The names of all there are."""
    return {
        row[0] for row in await store.database.read("SELECT name FROM sqlite_master WHERE type = 'index'")
    }


@pytest.mark.parametrize("lands", [False, True])
async def test_a_first_load_that_is_killed_anywhere_leaves_none_and_the_next_one_every_index(
    *, lands: bool
) -> None:
    """P17: the indexes are made behind a first load, whatever became of the one before."""
    empty = inline(apsw.Connection(":memory:"))
    await empty.open()
    whole, died = await indexes(empty), 0
    for commits in range(20):
        connection = apsw.Connection(":memory:")
        await inline(connection).open()
        dying = InlineDatabase(engine=SQLiteEngine(connection=connection), flush=Dying(commits, lands=lands))
        try:
            await take(RosterStore(database=dying, vault=Vault(ring=RING)), SMALL)
        except StoreError:
            died += 1
            dying.abandon()
        after = inline(connection)

        assert await held(after) in ({}, KEYED[0])
        await take(after, SMALL)
        assert KEYED[0] == await held(after)
        assert whole == await indexes(after)
    assert 10 < died < 20
