"""What people changed by hand stands over every load until they take it back (P21)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from belltower.clock import SECOND, Instant, SystemClock, aware
from belltower.errors import NotFound, Refused
from belltower.ids import Ids, PersonId
from belltower.people.by_hand import HandField, checked, moment
from belltower.people.collecting import Says, collecting
from belltower.people.editing import Editing, Paper
from belltower.people.person import ContactKind
from belltower.people.reach import RosterPeople
from belltower.people.roster import HumanKind, LinkSource, MayCollect, Roster
from belltower.people.store import RosterStore
from belltower.people.vault import Vault
from tests.belltower.people.test_taking import DISTRICT, RING, Tick, inline, memory, resealed, take, taking  # noqa: F401

RUTH = PersonId("per_ruth")
GUARDIAN = next(
    one for one in DISTRICT.humans if one.kind is HumanKind.GUARDIAN and one.phones and one.emails
)


def editing(store: RosterStore) -> Editing:
    """Hands on `store`."""
    return Editing(store=store, clock=Tick(), ids=Ids(clock=Tick()))


async def somebody(store: RosterStore, key: str = GUARDIAN.key) -> PersonId:
    """The id of a human of the district."""
    found = [known.id async for page in store.humans() for known in page if known.human.key == key]
    return found[0]


def with_guardian(**changes: object) -> Roster:
    """The district, whose feed says something else of one guardian."""
    humans = tuple(replace(one, **changes) if one.key == GUARDIAN.key else one for one in DISTRICT.humans)
    return replace(DISTRICT, humans=humans)


async def test_every_person_link_and_address_names_its_source_its_file_and_its_load(memory) -> None:  # noqa: F811
    """P21."""
    district = replace(
        DISTRICT,
        humans=tuple(replace(one, file="users.csv") for one in DISTRICT.humans),
        links=tuple(replace(one, file="users.csv") for one in DISTRICT.links),
    )
    await take(memory, district)
    known = await memory.human(await somebody(memory))

    assert ("sis", "users.csv", 1) == (known.source, known.human.file, known.since)
    assert {("sis", "users.csv", 1)} == {(one.source, one.file, one.since) for one in known.addresses}
    links = await memory.links_of(known.id)
    assert {("sis", "users.csv", 1)} == {(one.source, one.link.file, one.since) for one in links}


async def test_a_field_changed_by_hand_stays_and_the_load_yields_a_line(memory) -> None:  # noqa: F811
    """P21: the load brings another spelling and another mailbox; both stand aside, and come back by hand."""
    await take(memory, DISTRICT)
    person, hands = await somebody(memory), editing(memory)
    await hands.set("vrb_1", person, HandField.FAMILY, ["Nuñez"], by=RUTH)
    await hands.set("vrb_2", person, HandField.EMAILS, ["right@example.org"], by=RUTH)
    known = await memory.human(person)
    assert ("Nuñez", ("right@example.org",)) == (known.human.family, known.human.emails)
    assert (GUARDIAN.family,) == known.by_hand[HandField.FAMILY].before

    load = with_guardian(family="Nunes", emails=("wrong@example.org",), language="fr")
    diff = (await taking(memory).look(load)).diff
    assert 1 == diff.kept_by_hand
    (line,) = [line for line in diff.lines if line.what == "kept by hand"]
    assert (person, {"family", "emails"}) == (line.record, set(line.fields))
    assert await take(memory, load)

    known = await memory.human(person)
    assert ("Nuñez", ("right@example.org",), "fr") == (
        known.human.family,
        known.human.emails,
        known.human.language,
    )
    assert not await take(memory, load)
    assert 0 == (await taking(memory).look(load)).diff.kept_by_hand

    await hands.unset("vrb_3", person, HandField.FAMILY, by=RUTH)
    await hands.unset("vrb_4", person, HandField.EMAILS, by=RUTH)
    known = await memory.human(person)
    assert ("Nunes", ("wrong@example.org",)) == (known.human.family, known.human.emails)


async def test_notices_go_to_what_was_written_by_hand(memory) -> None:  # noqa: F811
    """Name, language, telephone and mailbox; whoever counted an audience before counts it again."""
    await take(memory, DISTRICT)
    person, hands, people = (
        await somebody(memory),
        editing(memory),
        RosterPeople(store=memory, clock=SystemClock()),
    )
    before = await people.version()
    old = (await memory.human(person)).addresses[0]
    await hands.set("vrb_1", person, HandField.PHONES, ["(202) 456-1414"], by=RUTH)
    await hands.set("vrb_2", person, HandField.EMAILS, [], by=RUTH)
    await hands.set("vrb_3", person, HandField.GIVEN, ["Ana"], by=RUTH)
    await hands.set("vrb_4", person, HandField.PREFERRED_GIVEN, [], by=RUTH)
    await hands.set("vrb_5", person, HandField.LANGUAGE, ["es"], by=RUTH)

    assert before != await people.version()
    found = {one.id: one async for page in people.people() for one in page}[person]
    assert (f"Ana {GUARDIAN.family}", "es") == (found.name, found.language)
    assert [(ContactKind.SMS, "+12024561414"), (ContactKind.VOICE, "+12024561414")] == [
        (one.kind, one.address) for one in found.contacts
    ]
    assert {person: found.name} == await memory.names_of([person])
    assert [person] == await memory.reached_by("phone", "+12024561414")
    assert person not in await memory.reached_by("phone", old.normalised)


async def test_who_is_away_is_on_site_again_by_itself(memory) -> None:  # noqa: F811
    """For notices, until the time that was written down and no longer; of everybody else nobody knows."""

    class At(SystemClock):
        after = 0

        def now(self) -> Instant:
            return Instant(super().now() + self.after * 3600 * SECOND)

    await take(memory, DISTRICT)
    person, hands, clock = await somebody(memory), editing(memory), At()
    people = RosterPeople(store=memory, clock=clock)
    until = aware(Instant(clock.now() + 3600 * SECOND)).isoformat(timespec="minutes")

    async def away() -> set[PersonId]:
        return {one.id async for page in people.people() for one in page if one.on_site is False}

    await hands.set("vrb_1", person, HandField.AWAY, [until], by=RUTH)
    assert {person} == await away()
    clock.after = 2
    assert set() == await away()
    clock.after = 0
    await hands.unset("vrb_2", person, HandField.AWAY, by=RUTH)
    assert set() == await away()


def test_nobody_is_away_until_a_moment_that_is_past_or_in_no_calendar() -> None:
    """Earlier today is past; what one zone can still say another cannot is refused like what is no moment."""
    now = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
    west, east = timezone(timedelta(hours=-8)), timezone(timedelta(hours=9))
    past, no_moment = "is past", "write year-month-day and the time"
    for given, zone, why in (
        ("soon", UTC, no_moment),
        ("2001-01-01T08:00", UTC, past),
        ("2026-01-01T12:00:59", UTC, past),
        ("2026-01-01T21:00", east, past),
        ("9999-12-31T20:00", west, no_moment),
        ("0001-01-01", east, no_moment),
        ("9999-12-31T20:00Z", east, no_moment),
    ):
        with pytest.raises(Refused, match=why):
            moment(given, zone, now=now)
    with pytest.raises(Refused, match=past):
        checked(HandField.AWAY, ["2026-01-01"], now=now)

    assert "2026-01-01T12:01+00:00" == moment("2026-01-01T04:01", west, now=now)
    assert "9999-12-31T00:00+00:00" == moment("9999-12-31", UTC, now=now)


async def test_may_collect_by_hand_wins_over_the_mapping(memory) -> None:  # noqa: F811
    """A link's word, and a load that says yes again changes nothing of it."""
    says_no = replace(
        DISTRICT, links=tuple(replace(one, may_collect=MayCollect.NO) for one in DISTRICT.links)
    )
    await take(memory, DISTRICT)
    link = (await memory.links_of(await somebody(memory)))[0]
    hands = editing(memory)
    await hands.set("vrb_1", link.student, HandField.MAY_COLLECT, ["conditional"], by=RUTH, adult=link.adult)
    await take(memory, says_no)

    found = {(one.student, one.adult): one.link for one in await memory.links_of(link.student)}
    assert MayCollect.CONDITIONAL is found[link.student, link.adult].may_collect
    await hands.unset("vrb_2", link.student, HandField.MAY_COLLECT, by=RUTH, adult=link.adult)
    found = {(one.student, one.adult): one.link for one in await memory.links_of(link.student)}
    assert MayCollect.NO is found[link.student, link.adult].may_collect


async def test_a_paper_written_by_hand_decides_who_may_collect_today(memory) -> None:  # noqa: F811
    """P15: an order outranks the form beside it, and ended it gives way to it."""
    await take(memory, DISTRICT)
    link = (await memory.links_of(await somebody(memory)))[0]
    hands = editing(memory)
    form = Paper(source=LinkSource.GUARDIAN_FORM, may_collect=MayCollect.YES)
    order = Paper(
        source=LinkSource.COURT_ORDER, may_collect=MayCollect.NO, sealed=True, ends=date(2026, 12, 31)
    )
    await hands.put_word("vrb_1", link.student, form, by=RUTH, adult=link.adult)
    word = await hands.put_word("vrb_2", link.student, order, by=RUTH, adult=link.adult)
    await hands.put_word("vrb_2", link.student, order, by=RUTH, adult=link.adult)

    async def says(on: date) -> Says:
        return collecting([one.link for one in await memory.words.of(link.student)], on=on).says

    assert 2 == len(await memory.words.of(link.adult))
    assert (Says.NO, Says.READ) == (await says(date(2026, 12, 31)), await says(date(2027, 1, 1)))
    await hands.end_word("vrb_3", word, by=RUTH)
    assert Says.YES is await says(date(2026, 12, 31))


async def test_an_adult_whom_no_roster_knows_has_a_name_of_their_own(memory) -> None:  # noqa: F811
    """A court names people whom the school's system does not."""
    await take(memory, DISTRICT)
    link = (await memory.links_of(await somebody(memory)))[0]
    paper = Paper(source=LinkSource.RESTRAINING_ORDER, may_collect=MayCollect.NO)
    await editing(memory).put_word("vrb_1", link.student, paper, by=RUTH, adult_name=" Rex  Doe ")

    (word,) = await memory.words.of(link.student)
    assert "Rex Doe" == word.adult_name
    assert word.adult.startswith("per_")
    assert word.link.restraining


async def test_what_cannot_be_is_refused_with_what_to_write(memory) -> None:  # noqa: F811
    """A telephone number or a mailbox that is none, a birth date of nobody (it is 1 January 1970), a person whom nobody knows."""
    await take(memory, DISTRICT)
    person, hands = await somebody(memory), editing(memory)
    for name, values, why in (
        (HandField.PHONES, ["123"], "cannot be a telephone number"),
        (HandField.EMAILS, ["nobody"], "no mailbox"),
        (HandField.BIRTH_DATE, ["3/9/2015"], "year-month-day"),
        (HandField.FAMILY, [" "], "needs a name"),
        (HandField.BIRTH_DATE, ["1970-01-02"], "still to come"),
        (HandField.BIRTH_DATE, ["1849-12-31"], "more than 120 years ago"),
        (HandField.LANGUAGE, ["es", "en"], "write one value"),
        (HandField.EMAILS, [f"{one}@example.org" for one in range(9)], "at most 8 values"),
        (HandField.GIVEN, ["A\x00"], "control characters"),
        (HandField.MAY_COLLECT, ["yes"], "of a student and an adult"),
    ):
        with pytest.raises(Refused, match=why):
            await hands.set("vrb_1", person, name, values, by=RUTH)
    for day in ("1850-01-01", "1970-01-01"):
        assert ([day], []) == checked(HandField.BIRTH_DATE, [day], now=datetime(1970, 1, 1, tzinfo=UTC))
    with pytest.raises(NotFound):
        await hands.set("vrb_1", PersonId("per_0"), HandField.GIVEN, ["A"], by=RUTH)
    student = (await memory.links_of(person))[0].student
    paper = Paper(
        source=LinkSource.COURT_ORDER,
        may_collect=MayCollect.NO,
        begins=date(2026, 2, 1),
        ends=date(2026, 1, 1),
    )
    with pytest.raises(Refused, match="ends before"):
        await hands.put_word("vrb_1", student, paper, by=RUTH, adult_name="Rex Doe")
    order = Paper(source=LinkSource.RESTRAINING_ORDER, may_collect=MayCollect.YES)
    with pytest.raises(Refused, match="never lets the same adult collect"):
        await hands.put_word("vrb_1", student, order, by=RUTH, adult_name="Rex Doe")
    assert [] == await memory.words.of(student)
    assert {} == (await memory.hands.layer()).fields


async def test_the_layer_lies_sealed_and_its_keys_are_turned(memory) -> None:  # noqa: F811
    """Neither what was written nor what the load said stands in clear; the old key is needed no more."""
    await take(memory, DISTRICT)
    person = await somebody(memory)
    await editing(memory).set("vrb_1", person, HandField.FAMILY, ["Quetzalcoatl"], by=RUTH)
    connection = memory.database._engine.connection
    plain = repr(connection.execute("SELECT * FROM people_hand").fetchall())
    assert "Quetzalcoatl" not in plain
    assert GUARDIAN.family not in plain

    ring = RING.turned()
    await resealed(inline(connection, Vault(ring=ring)))
    reduced = inline(connection, Vault(ring=ring.reduced()))
    assert "Quetzalcoatl" == (await reduced.human(person)).human.family


async def test_what_was_asked_twice_is_done_once_and_waits_to_be_told(memory) -> None:  # noqa: F811
    """The desk writes a fact of each change: who, which fields, and no value."""
    await take(memory, DISTRICT)
    person, hands = await somebody(memory), editing(memory)
    await hands.set("vrb_1", person, HandField.GRADE, ["06"], by=RUTH)
    await hands.set("vrb_1", person, HandField.GRADE, ["06"], by=RUTH)

    (change,) = await memory.hands.untold()
    assert (person, RUTH, "set", ("grade",)) == (change.person, change.by, change.what, change.fields)
