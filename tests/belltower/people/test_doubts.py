"""Everything written by hand, on both engines: fields, words, questions and their answers."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from belltower.clock import Instant
from belltower.errors import NotFound, WrongState
from belltower.ids import PersonId
from belltower.people.by_hand import HandField
from belltower.people.doubt import Answer, exchanged, pairs
from belltower.people.editing import Paper
from belltower.people.roster import Human, HumanKey, HumanKind, LinkSource, MayCollect, Phone, Roster
from belltower.people.store import RosterStore
from belltower.store import Transaction
from tests.belltower.people.test_by_hand import GUARDIAN, RUTH, editing, somebody
from tests.belltower.people.test_taking import DISTRICT, people, take, taking, url  # noqa: F401 - fixtures
from tests.servers.postgres import postgres  # noqa: F401 - a fixture


def clever(**changes: object) -> Roster:
    """The district, whose one contact has no id, and is as said."""
    humans = tuple(
        replace(one, derived=True, **changes) if one.key == GUARDIAN.key else one for one in DISTRICT.humans
    )
    return replace(DISTRICT, format="clever", humans=humans)


async def test_a_question_stands_until_it_is_answered_or_asked_no_more(people: RosterStore) -> None:  # noqa: F811
    """On both engines: found, found again, answered twice, and gone."""
    await take(people, clever())
    other = clever(emails=("new@example.org",))
    assert not await take(people, other)
    (doubt,) = await people.doubts.open()
    assert [doubt] == await people.doubts.of(doubt.before) == await people.doubts.of(doubt.student)

    await people.doubts.answer("vrb_1", doubt.id, Answer.SAME, by=RUTH, at=Instant(5))
    await people.doubts.answer("vrb_2", doubt.id, Answer.SAME, by=RUTH, at=Instant(6))
    with pytest.raises(WrongState):
        await people.doubts.answer("vrb_3", doubt.id, Answer.KEEP, by=RUTH, at=Instant(6))
    assert (await people.doubts.answered()).id == doubt.id
    assert (0, False) == await people.doubts.busy_since()
    assert 0 == (await taking(people).look(other)).diff.to_review

    assert await take(people, doubt.roster(), approve=True)
    tx = Transaction()
    people.doubts.taken(tx, doubt)
    await people.database.submit(tx)
    assert None is await people.doubts.answered()
    assert () == (await taking(people).look(other)).doubts

    assert not await take(people, clever(emails=("third@example.org",)))
    await take(people, other)
    assert [] == await people.doubts.open()
    with pytest.raises(NotFound):
        await people.doubts.get("dbt_0")


async def test_what_was_said_by_hand_goes_with_the_person_to_another_id(people: RosterStore) -> None:  # noqa: F811
    """On both engines: fields and words carried, ended and taken back."""
    await take(people, DISTRICT)
    person, hands = await somebody(people), editing(people)
    link = (await people.links_of(person))[0]
    after = PersonId("per_" + "0" * 26)
    await hands.set("vrb_1", person, HandField.GIVEN, ["Ana"], by=RUTH)
    await hands.set("vrb_2", person, HandField.GIVEN, ["Anna"], by=RUTH)
    await hands.set("vrb_3", link.student, HandField.MAY_COLLECT, ["no"], by=RUTH, adult=person)
    paper = Paper(source=LinkSource.GUARDIAN_FORM, may_collect=MayCollect.YES)
    word = await hands.put_word("vrb_4", link.student, paper, by=RUTH, adult=person)

    layer = await people.hands.layer()
    tx = Transaction()
    people.hands.carry(tx, person, after, layer.of(person))
    await people.words.carry(tx, person, after)
    people.hands.counted(tx)
    await people.database.submit(tx)
    layer = await people.hands.layer()
    assert {} == layer.of(person)
    assert ("Anna",) == layer.of(after)[HandField.GIVEN].value
    assert [after] == [one.adult for one in await people.words.of(link.student)]

    await hands.end_word("vrb_5", word, by=RUTH)
    await hands.unset("vrb_6", link.student, HandField.MAY_COLLECT, by=RUTH, adult=person)
    assert [] == await people.words.of(link.student)
    untold = await people.hands.untold()
    assert ["set", "set", "set", "collecting", "collecting ended", "unset"] == [one.what for one in untold]
    tx = Transaction()
    people.hands.told(tx, untold)
    await people.database.submit(tx)
    assert [] == await people.hands.untold()


def contact(name: str, phone: str = "", email: str = "") -> Human:
    """Somebody to call."""
    return Human(
        key=HumanKey(f"contact/{name}{phone}{email}"),
        kind=HumanKind.CONTACT,
        family=name,
        phones=(Phone(written=phone, e164=phone),) if phone else (),
        emails=(email,) if email else (),
    )


def test_only_an_address_in_the_place_of_another_is_a_question() -> None:
    """P18: one more, or one less, is no other person."""
    known = contact("Lee", "+12024561414", "m@x.org")

    assert exchanged(known, contact("Lee", "+12024561414", "n@x.org"))
    assert exchanged(known, contact("Lee", "+12024561499", "m@x.org"))
    assert not exchanged(known, contact("Lee", "+12024561414", "M@X.ORG"))
    assert not exchanged(known, contact("Lee", "+12024561414"))
    assert not exchanged(contact("Lee", "+12024561414"), known)


def test_somebody_gone_and_somebody_new_are_a_question_only_where_they_share_an_address() -> None:
    """P18: or where both are known by an address alone; each stands in one question."""
    one, two = contact("Lee", "+12024561414"), contact("Poe", "+12024561415")
    new, same = contact("Park", "+12024561499"), contact("Park-Lee", "+12024561414")
    nameless, other = contact("", email="a@x.org"), contact("", email="b@x.org")

    assert [(one, same)] == list(pairs([one, two], [new, same]))
    assert [(nameless, other)] == list(pairs([nameless, one], [new, other]))
