"""Where families go: one record, changed by two people only, and every earlier word of it taken back (W19, C40)."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from belltower.errors import NotPermitted, WrongState
from belltower.ids import AlarmId, IncidentId, PersonId, PlaceId
from belltower.incident.facts import (
    Action,
    IncidentClosed,
    IncidentOpened,
    Mode,
    NoticeApproved,
    NoticeOrdered,
)
from belltower.store import Transaction
from floorplans.place import Place
from notify.audience import AudienceRule
from notify.compose import Composer
from notify.draft import Draft, DraftState
from notify.family_sites import FamilySites
from notify.wording import Phase, SitePhase, families, site_text
from tests.peers.desk import WORDS, DeskOptions
from tests.peers.writing import RUTH, TOM, Writing, guardian, writing

OPEN, MOVED, ROUTE, WAIT = (site_text(phase) for phase in list(SitePhase)[:4])
DISMISSED = families(Action.EVACUATE, Phase.DISMISSAL)
FIRE = IncidentId("inc_fire")
PLACES = {
    PlaceId(name): Place(id=PlaceId(name), label=label)
    for name, label in (("church", "Lakeside Church"), ("hall", "Town Hall"), ("gym", "North Gym"))
}
OF_7C = AudienceRule(roles=frozenset({"guardian"}), classes=frozenset({"7c"}))
EVERYBODY = [guardian(1), guardian(2), guardian(3, classes=("7c",))]


@pytest.fixture
def options(tmp_path: Path) -> DeskOptions:
    return DeskOptions(database=str(tmp_path / "desk.db"))


async def opened(it: Writing, incident: IncidentId = FIRE) -> None:
    """A real incident."""
    await it.running.is_ordered(
        IncidentOpened(incident=incident, alarm=AlarmId("alm_1"), mode=Mode.ACTUAL, number=7)
    )


async def told(it: Writing, template: str, site: str = "", **choice: object) -> Draft:
    """Families are told by one person."""
    draft = await it.draft(template, slots={"site": site} if site else {}, **choice)
    return await it.composer.ask(draft.id, RUTH, seen=draft.counted.people)


async def moved(it: Writing, site: str, **choice: object) -> Draft:
    """Families are told to go elsewhere, by two."""
    asked = await told(it, MOVED, site, **choice)
    assert DraftState.WAITING is asked.state
    return await it.composer.let_go(asked.id, TOM, seen=asked.counted.people)


def sent_to(it: Writing, sms: Sequence[tuple[str, str]], *words: str) -> list[str]:
    """The telephones whose text holds all of these words."""
    return sorted(address for address, body in sms if all(word in body for word in words))


async def test_w19_a_change_takes_two_and_retracts_every_earlier_word_of_it(options: DeskOptions) -> None:
    """To all to whom one of them went, by the same channels, in one notice: now here, no longer there."""
    async with writing(options, *EVERYBODY, places=PLACES) as it:
        await opened(it)
        first = await told(it, OPEN, "church", incident=FIRE)
        way = await told(it, ROUTE, "church", incident=FIRE, rule=OF_7C)
        await it.running.is_settled(3)
        drafted = await it.draft(MOVED, slots={"site": "hall"}, incident=FIRE)
        asked = await it.composer.ask(drafted.id, RUTH, seen=drafted.counted.people)
        with pytest.raises(NotPermitted, match="Somebody else"):
            await it.composer.let_go(asked.id, RUTH, seen=3)
        for reason in ("nobody", "no-time"):
            with pytest.raises(NotPermitted, match="never changed by one person alone"):
                await it.composer.send_alone(asked.id, RUTH, reason, seen=3)
        await it.composer.let_go(asked.id, TOM, seen=asked.counted.people)
        await it.running.is_settled(6)
        again = await moved(it, "gym", incident=FIRE)
        await it.running.is_settled(9)
        orders = {fact.notice: fact for fact in await it.running.facts() if isinstance(fact, NoticeOrdered)}
        seconds = {
            fact.notice: (fact.by, fact.second)
            for fact in await it.running.facts()
            if isinstance(fact, NoticeApproved)
        }
        record = await it.running.room.sites.told(FIRE)

    assert (DraftState.SENT, DraftState.SENT) == (first.state, way.state)
    assert (3, DraftState.WAITING) == (drafted.counted.people, asked.state)
    assert (first.id, way.id) == orders[drafted.id].corrects
    assert (first.id, way.id, drafted.id) == orders[again.id].corrects
    assert {drafted.id: (RUTH, TOM), again.id: (RUTH, TOM)} == seconds
    everybody = sorted(person.contacts[0].address for person in EVERYBODY)
    assert everybody == sent_to(it, it.sms.sent, "now Town Hall", "no longer Lakeside Church")
    assert everybody == sent_to(it, it.sms.sent, "now North Gym", "no longer Town Hall")
    assert ["church", "church", "hall", "gym"] == [one.site for one in record]


async def test_c40_one_record_says_where_families_go_and_no_text_changes_it_in_passing(
    options: DeskOptions,
) -> None:
    """Neither another opening, nor the way there, nor a dismissal elsewhere, nor one without the incident."""
    async with writing(options, *EVERYBODY, places=PLACES) as it:
        await opened(it)
        with pytest.raises(WrongState, match="no place yet"):
            await told(it, MOVED, "hall", incident=FIRE)
        for template in (OPEN, MOVED, ROUTE):
            with pytest.raises(WrongState, match="Choose where"):
                await told(it, template, incident=FIRE)
        await told(it, OPEN, "church", incident=FIRE)
        for template in (OPEN, ROUTE, DISMISSED):
            for incident in (FIRE, IncidentId("")):
                with pytest.raises(WrongState, match="another place"):
                    await told(it, template, "hall", incident=incident)
        with pytest.raises(WrongState, match="already"):
            await told(it, MOVED, "church", incident=FIRE)
        again = [await told(it, template, "church", incident=FIRE) for template in (OPEN, ROUTE, DISMISSED)]
        wait = await told(it, WAIT, incident=FIRE)
        record = await it.running.room.sites.told(FIRE)

    assert {DraftState.SENT} == {draft.state for draft in (*again, wait)}
    assert [(number, "church") for number in (1, 2, 3, 4)] == [(one.number, one.site) for one in record]


async def test_w19_two_changes_at_once_are_not_both_made(options: DeskOptions) -> None:
    """Whoever comes second sees that families were told of another place since."""
    async with writing(options, *EVERYBODY, places=PLACES) as it:
        await opened(it)
        await told(it, OPEN, "church", incident=FIRE)
        await it.running.is_settled(2)
        one, other = [await told(it, MOVED, site, incident=FIRE) for site in ("hall", "gym")]
        await it.composer.let_go(one.id, TOM, seen=2)
        with pytest.raises(WrongState, match="another place since"):
            await it.composer.let_go(other.id, TOM, seen=2)
        record = await it.running.room.sites.told(FIRE)
        left = await it.composer.get(other.id)

    assert ["church", "hall"] == [one.site for one in record]
    assert DraftState.WAITING is left.state


async def test_c40_the_record_has_one_writer_at_a_time(
    options: DeskOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second desk that read before the first one wrote is refused by the record itself."""
    async with writing(options, *EVERYBODY, places=PLACES) as it:
        await opened(it)
        await told(it, OPEN, "church", incident=FIRE)
        one, other = [await told(it, MOVED, site, incident=FIRE) for site in ("hall", "gym")]
        stale = await it.running.room.sites.place(other.order, WORDS)
        await it.composer.let_go(one.id, TOM, seen=2)

        async def before(self: Composer, draft: Draft) -> object:
            return stale

        monkeypatch.setattr(Composer, "_placed", before)
        with pytest.raises(WrongState, match="in this moment"):
            await it.composer.let_go(other.id, TOM, seen=2)
        record = await it.running.room.sites.told(FIRE)

    assert ["church", "hall"] == [one.site for one in record]


async def test_c40_families_are_told_where_to_go_after_the_incident_is_over(options: DeskOptions) -> None:
    """They meet their children long after; what else is about it is not written any more."""
    async with writing(options, *EVERYBODY, places=PLACES) as it:
        await opened(it)
        await told(it, OPEN, "church", incident=FIRE)
        await it.running.is_settled(2)
        await it.running.is_ordered(IncidentClosed(incident=FIRE, by=RUTH))
        with pytest.raises(WrongState, match="is over"):
            await told(it, "families.lockdown.update", incident=FIRE)
        change = await moved(it, "hall", incident=FIRE)

    assert DraftState.SENT is change.state


async def test_w19_a_place_that_was_taken_back_is_named_again_by_two_only(options: DeskOptions) -> None:
    """One person stops it at once; nobody sends families there again alone, by whatever text."""
    async with writing(options, *EVERYBODY, places=PLACES) as it:
        await opened(it)
        first = await told(it, OPEN, "church", incident=FIRE)
        await it.running.is_settled(2)
        await it.running.room.corrections.correct(it.verb(), first.id, RUTH)
        await it.running.is_settled(4)
        for template in (OPEN, ROUTE, DISMISSED):
            for site in ("church", "hall"):
                with pytest.raises(WrongState, match="was taken back"):
                    await told(it, template, site, incident=FIRE)
        wait = await told(it, WAIT, incident=FIRE)
        taken_back = await it.running.room.sites.told(FIRE)
        change = await moved(it, "hall", incident=FIRE)
        await it.running.is_settled(8)
        order = next(fact for fact in await it.ordered() if fact.notice == change.id)

    assert DraftState.SENT is wait.state
    assert [("church", first.id), ("", taken_back[1].notice)] == [
        (one.site, one.notice) for one in taken_back
    ]
    assert tuple(one.notice for one in taken_back) == order.corrects
    assert 2 == len(sent_to(it, it.sms.sent, "now Town Hall", "no longer Lakeside Church"))


async def test_w19_a_place_that_was_taken_back_by_mistake_is_named_again(options: DeskOptions) -> None:
    """By two; the text does not say that they go there no longer."""
    async with writing(options, *EVERYBODY, places=PLACES) as it:
        await opened(it)
        first = await told(it, OPEN, "church", incident=FIRE)
        await it.running.is_settled(2)
        await it.running.room.corrections.correct(it.verb(), first.id, RUTH)
        await it.running.is_settled(4)
        await moved(it, "church", incident=FIRE)
        await it.running.is_settled(6)

    assert 2 == len(sent_to(it, it.sms.sent, "now Lakeside Church"))
    assert [] == sent_to(it, it.sms.sent, "no longer Lakeside Church")


async def test_w19_a_mistake_is_taken_back_although_somebody_tells_of_a_place_in_this_moment(
    options: DeskOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again behind the other's word, once it lost against it."""
    lost: list[str] = []
    take_back = FamilySites.take_back

    def loses(self: FamilySites, tx: Transaction, correction: NoticeOrdered, *, by: PersonId) -> None:
        take_back(self, tx, correction, by=by)
        if not lost:
            tx.add("UPDATE notice_family_site SET site = site WHERE number = -1", expect=1)
        lost.append(correction.notice)

    async with writing(options, *EVERYBODY, places=PLACES) as it:
        await opened(it)
        first = await told(it, OPEN, "church", incident=FIRE)
        await it.running.is_settled(2)
        monkeypatch.setattr(FamilySites, "take_back", loses)
        await it.running.room.corrections.correct(it.verb(), first.id, RUTH)
        await it.running.is_settled(4)
        record = await it.running.room.sites.told(FIRE)

    assert [(1, "church"), (2, "")] == [(one.number, one.site) for one in record]
    assert 2 == len(lost)


async def test_w19_a_test_of_a_change_changes_nothing(options: DeskOptions) -> None:
    """It goes to a few of the staff, marked, and to nobody who was told of a place."""
    async with writing(
        options,
        *EVERYBODY,
        places=PLACES,
        audiences={"test-group": AudienceRule(roles=frozenset({"staff"}))},
    ) as it:
        await opened(it)
        await told(it, OPEN, "church", incident=FIRE)
        await it.running.is_settled(2)
        draft = await it.draft(MOVED, slots={"site": "hall"}, incident=FIRE)
        await it.composer.test(it.verb(), draft.id, "test-group", RUTH)
        await it.running.is_settled(5)
        record = await it.running.room.sites.told(FIRE)

    assert ["church"] == [one.site for one in record]
    assert [] == [
        address for address in sent_to(it, it.sms.sent, "Town Hall") if not address.startswith("+1555000010")
    ]
