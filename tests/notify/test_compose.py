"""Writing notices: counted as planned, tried on a few, let go by two, and never sent to another audience than was seen."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from belltower.clock import SECOND
from belltower.errors import NotFound, NotPermitted, WrongState
from belltower.ids import AlarmId, IncidentId, PersonId, PlaceId
from belltower.incident.facts import (
    IncidentClosed,
    IncidentOpened,
    Mode,
    NoticePlanned,
)
from floorplans.place import Place
from notify.audience import AudienceRule
from notify.compose import Changed
from notify.draft import DraftState, drifted, wide
from notify.permitted import by_hand
from tests.peers.desk import DeskOptions, RosterOf, staff
from tests.peers.writing import NOW, OF_7B, RUTH, TOM, Later, guardian, writing

GUARDIANS = AudienceRule(roles=frozenset({"guardian"}))


@pytest.fixture
def options(tmp_path: Path) -> DeskOptions:
    return DeskOptions(database=str(tmp_path / "desk.db"))


async def test_what_is_counted_is_what_is_planned(options: DeskOptions) -> None:
    """The same people, addresses and refusals; and each language's text with how many would read it."""
    families = [
        guardian(1),
        guardian(2, language="vi"),
        guardian(3, mail=True),
        guardian(4, phone=False),
        replace(guardian(1), id=PersonId("shares")),
    ]
    async with writing(options, *families) as it:
        draft = await it.draft()
        counted = draft.counted
        assert [] == it.sms.sent
        await it.composer.ask(draft.id, RUTH, seen=counted.people)
        await it.running.is_settled(4)
        (planned,) = [fact for fact in await it.running.facts() if isinstance(fact, NoticePlanned)]
        bodies = {body for _, body in it.sms.sent}

    assert (5, 4, 1) == (counted.people, counted.messages, counted.unreachable)
    assert (planned.people, planned.deliveries, planned.unreachable) == (5, 4, 1)
    assert ("g4",) == counted.unreachable_people
    assert {"no_channel:email": 1} == counted.refused
    assert {"sms": 3} == {kind: load[0] for kind, load in counted.loads.items()}
    assert {("sms", "en", 3)} == {(said.channel, said.language, said.messages) for said in counted.texts}
    assert {said.body for said in counted.texts} == bodies


async def test_asking_twice_sends_once(options: DeskOptions) -> None:
    """One draft for a form sent twice, one notice for a button pressed twice; the order stands in the desk's journal."""
    async with writing(options, guardian(1)) as it:
        verb = it.verb()
        first, again = await it.draft(verb=verb), await it.draft(verb=verb)
        for _ in range(2):
            sent = await it.composer.ask(first.id, RUTH, seen=1)
        await it.running.is_settled(1)
        ordered = await it.ordered()

    assert first.id == again.id
    assert DraftState.SENT is sent.state
    assert [(first.id, RUTH, "")] == [(order.notice, order.by, order.audience) for order in ordered]
    assert 1 == len(it.sms.sent)


async def test_an_audience_that_changed_by_more_than_a_tenth_is_looked_at_again(options: DeskOptions) -> None:
    """R44: nothing is sent; the draft says what the audience is now, and then it goes."""
    async with writing(options, *(guardian(n) for n in range(10))) as it:
        draft = await it.draft()
        it.families._people = tuple(guardian(n) for n in range(12))
        with pytest.raises(Changed, match="10 people when you looked, 12 now"):
            await it.composer.ask(draft.id, RUTH, seen=10)
        assert [] == await it.ordered()
        fresh = await it.composer.get(draft.id)
        await it.composer.ask(draft.id, RUTH, seen=fresh.counted.people)
        assert 1 == len(await it.ordered())


async def test_a_notice_that_means_nobody_is_not_sent(options: DeskOptions) -> None:
    """Whoever sends it believes that somebody reads it: a class that is gone, or that never was."""
    async with writing(options, guardian(1)) as it:
        draft = await it.draft(rule=AudienceRule(roles=frozenset({"guardian"}), classes=frozenset({"nope"})))
        with pytest.raises(WrongState, match="Nobody is meant"):
            await it.composer.ask(draft.id, RUTH, seen=0)
        ordered = await it.ordered()

    assert (0, []) == (draft.counted.people, ordered)


@pytest.mark.parametrize(
    ("seen", "now", "again"),
    [(100, 110, False), (100, 111, True), (100, 90, False), (100, 89, True), (0, 1, True), (0, 0, False)],
)
def test_a_tenth_is_the_bound(seen: int, now: int, again: bool) -> None:
    """In both directions."""
    assert again is drifted(seen, now)


async def test_families_of_the_whole_district_take_two(options: DeskOptions) -> None:
    """W7's second approver: the one who asked cannot be both; both stand in the journal."""
    async with writing(options, guardian(1)) as it:
        draft = await it.draft(rule=GUARDIANS)
        waiting = await it.composer.ask(draft.id, RUTH, seen=1)
        assert [] == await it.ordered()
        with pytest.raises(NotPermitted):
            await it.composer.let_go(draft.id, RUTH, seen=1)
        await it.composer.let_go(draft.id, TOM, seen=1)
        ordered, approved = await it.ordered(), await it.approved()

    assert DraftState.WAITING is waiting.state
    assert [draft.id] == [order.notice for order in ordered]
    assert [(RUTH, TOM)] == [(one.by, one.second) for one in approved]


async def test_so_many_of_the_staff_take_two_as_well(options: DeskOptions) -> None:
    """A13: 500 people are 500 people, whoever they are; one fewer is not."""
    staffs = AudienceRule(roles=frozenset({"staff"}))
    async with writing(options, own=500) as it:
        draft = await it.draft("staff-notice", rule=staffs)

    fewer = replace(draft, counted=replace(draft.counted, people=499))
    assert (True, False) == (draft.takes_two, fewer.takes_two)
    assert not replace(draft, order=replace(draft.order, mode=Mode.EXERCISE)).takes_two


async def test_naming_every_school_narrows_nothing(options: DeskOptions) -> None:
    """A13: all schools one by one are the whole district."""
    async with writing(options, guardian(1)) as it:
        it.families._schools = ("oak", "elm")
        both, one = [
            await it.draft(rule=replace(GUARDIANS, schools=frozenset(schools)))
            for schools in ({"oak", "elm", "gone"}, {"oak"})
        ]

    assert (True, False) == (both.takes_two, one.takes_two)


async def test_the_second_person_sees_the_audience_as_it_is_then(options: DeskOptions) -> None:
    """It may have changed while it waited."""
    async with writing(options, *(guardian(n) for n in range(4))) as it:
        draft = await it.draft(rule=GUARDIANS)
        await it.composer.ask(draft.id, RUTH, seen=4)
        it.families._people = tuple(guardian(n) for n in range(8))
        with pytest.raises(Changed):
            await it.composer.let_go(draft.id, TOM, seen=4)

        assert [] == await it.ordered()


async def test_a_promised_update_is_counted_from_when_it_leaves(options: DeskOptions) -> None:
    """U1: a second person who looks after 21 minutes promises nobody what is past; whoever tries it neither."""
    clock = Later()
    async with writing(options, guardian(1), clock=clock) as it:
        draft = await it.draft(rule=GUARDIANS, next_in=20 * 60)
        await it.composer.ask(draft.id, RUTH, seen=1)
        clock.minutes = 21
        await it.composer.test(it.verb(), draft.id, "all-staff", RUTH)
        await it.composer.let_go(draft.id, TOM, seen=1)
        promised = [int(order.slots["next"]) - clock.now() for order in await it.ordered()]

    assert 2 == len(promised)
    assert all(19 * 60 * SECOND < left <= 20 * 60 * SECOND for left in promised)


async def test_an_update_at_a_set_time_is_not_promised_once_it_is_past(options: DeskOptions) -> None:
    """It is written again, rather than sent with a promise that nobody can keep."""
    clock = Later()
    async with writing(options, guardian(1), clock=clock) as it:
        draft = await it.draft(slots={"next": str(clock.now() + 600 * SECOND)})
        clock.minutes = 11
        with pytest.raises(WrongState, match="at a time that is past"):
            await it.composer.ask(draft.id, RUTH, seen=1)

        assert [] == await it.ordered()


async def test_a_named_audience_is_narrowed_by_what_is_chosen_beside_it(options: DeskOptions) -> None:
    """U2: what was narrowed is what is counted and sent, and bears no name that says more."""
    named = {"families": GUARDIANS}
    people = guardian(1), guardian(2, language="es"), guardian(3, language="es", classes=("8a",))
    async with writing(options, *people, audiences=named) as it:
        whole = await it.draft(audience="families", rule=AudienceRule())
        chosen = AudienceRule(classes=frozenset({"7b"}), languages=frozenset({"es"}))
        some = await it.draft(audience="families", rule=chosen)
        with pytest.raises(WrongState, match="cannot be narrowed"):
            await it.draft(audience="families", rule=AudienceRule(roles=frozenset({"staff"})))
        await it.composer.ask(some.id, RUTH, seen=1)
        await it.running.is_settled(1)

    assert ("families", 3, "", 1) == (
        whole.order.audience,
        whole.counted.people,
        some.order.audience,
        some.counted.people,
    )
    assert ["+15550000002"] == [address for address, _ in it.sms.sent]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("families.evacuate.now", {"slots": {"site": "b204"}}),
        ("families.lockdown.cleared", {"slots": {"cause": "smoke"}}),
        ("staff-notice", {"next_in": 600, "rule": AudienceRule(roles=frozenset({"staff"}))}),
    ],
)
async def test_what_a_text_cannot_say_is_not_chosen_with_it(
    options: DeskOptions, template: str, said: dict[str, object]
) -> None:
    """U2: otherwise it would vanish, and whoever chose it believes that it is read."""
    place = Place(id=PlaceId("b204"), label="204", building="B")
    async with writing(options, guardian(1), places={place.id: place}) as it:
        with pytest.raises(WrongState, match="That text does not say"):
            await it.draft(template, **said)


async def test_who_sends_alone_says_why_and_all_administrators_know_at_once(options: DeskOptions) -> None:
    """One commit: the notice, that nobody else looked, and the notice to the administrators."""
    async with writing(options, guardian(1)) as it:
        principal = replace(
            next(iter(staff(1, kinds=("sms",)).values())),
            id=PersonId("boss"),
            roles=frozenset({"staff", "principal"}),
        )
        it.running.room._site().people[principal.id] = principal
        draft = await it.draft(rule=GUARDIANS)
        await it.composer.ask(draft.id, RUTH, seen=1)
        with pytest.raises(WrongState):
            await it.composer.send_alone(draft.id, RUTH, "I felt like it", seen=1)
        sent = await it.composer.send_alone(draft.id, RUTH, "nobody", seen=1)
        await it.running.is_settled(2)
        ordered, approved = await it.ordered(), await it.approved()
        rows = await it.running.rows()

    assert "nobody" == sent.alone
    assert [NOW, "staff-alone"] == [order.template for order in ordered]
    assert [(RUTH, None)] == [(one.by, one.second) for one in approved]
    assert {"boss"} == {row.person for row in rows if row.notice == ordered[1].notice}
    assert any("one person alone" in body for _, body in it.sms.sent)


async def test_where_no_administrator_is_reached_all_staff_know_that_it_was_sent_alone(
    options: DeskOptions,
) -> None:
    """Nobody has the role; nor may an audience of that name that comes to nobody swallow it."""
    nobody = AudienceRule(roles=frozenset({"principal"}))
    for settled, audiences in ((4, {}), (8, {"administrators": nobody})):
        async with writing(options, guardian(1), audiences=audiences) as it:
            draft = await it.draft(rule=GUARDIANS)
            await it.composer.ask(draft.id, RUTH, seen=1)
            await it.composer.send_alone(draft.id, RUTH, "nobody", seen=1)
            await it.running.is_settled(settled)
            alone = (await it.ordered())[-1]
            rows = await it.running.rows()

        assert "staff-alone" == alone.template
        assert {"p0", "p1", "p2"} == {row.person for row in rows if row.notice == alone.notice}


async def test_who_sends_alone_has_seen_the_audience_as_it_is(options: DeskOptions) -> None:
    """It may have changed while it waited for a second person who never came."""
    async with writing(options, *(guardian(n) for n in range(4))) as it:
        draft = await it.draft(rule=GUARDIANS)
        await it.composer.ask(draft.id, RUTH, seen=4)
        it.families._people = tuple(guardian(n) for n in range(8))
        with pytest.raises(Changed):
            await it.composer.send_alone(draft.id, RUTH, "nobody", seen=4)

        assert [] == await it.ordered()


async def test_a_test_never_reaches_a_family(options: DeskOptions) -> None:
    """Neither with a text for the staff nor with one of their own."""
    async with writing(options, guardian(1)) as it:
        for draft in (await it.draft("staff-notice", audience="all-staff"), await it.draft()):
            with pytest.raises(WrongState, match="never to families"):
                await it.composer.test(it.verb(), draft.id, "families-7b", RUTH)

        assert [] == await it.ordered()


async def test_an_audience_that_turned_to_families_is_not_sent_what_is_for_staff(
    options: DeskOptions,
) -> None:
    """The site package changed between writing and sending."""
    async with writing(options, guardian(1)) as it:
        draft = await it.draft("staff-notice", audience="all-staff")
        site = it.running.room._site()
        turned = replace(site, audiences={"all-staff": GUARDIANS})
        it.composer._site = lambda: turned
        with pytest.raises(WrongState, match="means families now"):
            await it.composer.ask(draft.id, RUTH, seen=draft.counted.people)

        assert [] == await it.ordered()


def opened(mode: Mode = Mode.ACTUAL, *, name: str = "inc_1") -> IncidentOpened:
    return IncidentOpened(incident=IncidentId(name), alarm=AlarmId("alm_1"), mode=mode, number=7)


async def test_a_notice_is_about_an_open_incident_of_its_own_mode(options: DeskOptions) -> None:
    """One that nobody knows, one that is over, an exercise behind something real: each is refused, also when sent."""
    inc, practised = IncidentId("inc_1"), IncidentId("inc_2")
    async with writing(options, guardian(1)) as it:
        with pytest.raises(NotFound, match="no such incident"):
            await it.draft(incident=inc)
        await it.running.is_ordered(opened(), opened(Mode.EXERCISE, name="inc_2"))
        with pytest.raises(WrongState, match="No. 7 is an exercise"):
            await it.draft(incident=practised)
        it.drilling = True
        with pytest.raises(WrongState, match="No. 7 is real"):
            await it.draft("families.lockdown.exercise", incident=inc, families_of_exercise=True)
        draft, late = await it.draft(incident=inc), await it.draft(incident=inc)
        await it.composer.ask(draft.id, RUTH, seen=1)
        await it.running.is_ordered(IncidentClosed(incident=inc, by=RUTH, reason="over"))
        with pytest.raises(WrongState, match="No. 7 is over"):
            await it.draft(incident=inc)
        with pytest.raises(WrongState, match="No. 7 is over"):
            await it.composer.ask(late.id, RUTH, seen=1)

        assert [draft.id] == [order.notice for order in await it.ordered()]


async def test_what_a_button_says_to_all_who_were_told_is_not_written_by_hand(options: DeskOptions) -> None:
    """Nor what the house itself sends, though a form may be posted that never offered it."""
    inc = IncidentId("inc_1")
    async with writing(options, guardian(1)) as it:
        await it.running.is_ordered(opened())
        with pytest.raises(WrongState, match="said on its page"):
            await it.draft("families.lockdown.cleared", incident=inc)
        with pytest.raises(WrongState, match="correct it"):
            await it.draft("families.lockdown.correction")
        for template in ("staff-closed", "staff-alarm", "staff-action", "staff-unreached", "staff-alone"):
            with pytest.raises(WrongState, match="Choose another"):
                await it.draft(template, audience="all-staff")
        await it.draft("families.lockdown.cleared")

    assert by_hand("staff-notice")
    assert by_hand("families.lockdown.update")


async def test_a_test_goes_to_a_few_marked_and_to_nobody_else(options: DeskOptions) -> None:
    """R44: more than 25 is refused before anything leaves; a test is an exercise, and waits behind all else."""
    async with writing(options, guardian(1), own=26) as it:
        draft = await it.draft()
        with pytest.raises(WrongState, match="26 people; a test goes to 25"):
            await it.composer.test(it.verb(), draft.id, "all-staff", RUTH)
        assert [] == await it.ordered()
        people = it.running.room._site().people
        people.pop(next(iter(people)))
        verb = it.verb()
        notices = {await it.composer.test(verb, draft.id, "all-staff", RUTH) for _ in range(2)}
        await it.running.is_settled(25)
        (order,) = await it.ordered()

    assert {order.notice} == notices
    assert (Mode.EXERCISE, True) == (order.mode, order.routine)
    assert 25 == len(it.sms.sent)
    for _, body in it.sms.sent:
        assert body.startswith("EXERCISE EXERCISE EXERCISE")
        assert body.endswith("EXERCISE EXERCISE EXERCISE")


async def test_what_says_that_something_is_practised_goes_out_in_a_drill_only(options: DeskOptions) -> None:
    """W24: not without a drill, to families only where somebody says so, not after its window; then it is marked."""
    async with writing(options, guardian(1)) as it:
        exercise = "families.lockdown.exercise"
        with pytest.raises(WrongState, match="No drill runs"):
            await it.draft(exercise)
        it.drilling = True
        with pytest.raises(WrongState, match="tick it"):
            await it.draft(exercise)
        draft = await it.draft(exercise, families_of_exercise=True)
        it.drilling = False
        with pytest.raises(WrongState, match="No drill runs"):
            await it.composer.ask(draft.id, RUTH, seen=1)
        it.drilling = True
        await it.composer.ask(draft.id, RUTH, seen=1)
        (order,) = await it.ordered()

    assert Mode.EXERCISE is order.mode


async def test_a_text_for_staff_goes_to_no_family_and_slots_come_from_lists(options: DeskOptions) -> None:
    """W7: an unknown place, cause or text is refused; so is an audience of nobody in particular."""
    async with writing(options, guardian(1)) as it:
        with pytest.raises(WrongState, match="for staff"):
            await it.draft("staff-notice")
        for slots in ({"place": "nowhere"}, {"cause": "because"}, {"site": "here"}):
            with pytest.raises(Exception, match="There is no such"):
                await it.draft(slots=slots)
        with pytest.raises(Exception, match="There is no such text"):
            await it.draft("families.panic.now")
        with pytest.raises(WrongState, match="Choose whom"):
            await it.draft(rule=AudienceRule())
        with pytest.raises(Exception, match="no such audience"):
            await it.draft(audience="everybody-there-is")


async def test_what_was_dropped_is_not_sent(options: DeskOptions) -> None:
    """Nor is what was sent dropped."""
    async with writing(options, guardian(1)) as it:
        dropped, sent = await it.draft(), await it.draft()
        await it.composer.drop(dropped.id, RUTH)
        with pytest.raises(WrongState, match="dropped"):
            await it.composer.ask(dropped.id, RUTH, seen=1)
        await it.composer.ask(sent.id, RUTH, seen=1)
        with pytest.raises(WrongState, match="sent already"):
            await it.composer.drop(sent.id, RUTH)
        open_ = await it.composer.drafts.open(10)

    assert [] == open_


async def test_drafts_survive_the_desk(options: DeskOptions) -> None:
    """What waits for a second person still waits after a restart, and is let go then."""
    async with writing(options, guardian(1)) as it:
        draft = await it.draft(rule=GUARDIANS)
        await it.composer.ask(draft.id, RUTH, seen=1)
    async with writing(options, guardian(1)) as it:
        (found,) = await it.composer.drafts.open(10)
        await it.composer.let_go(found.id, TOM, seen=1)
        await it.running.is_settled(1)

        assert found.id == draft.id
        assert 1 == len(it.sms.sent)


def test_the_whole_district_is_who_nothing_narrows() -> None:
    """Places and languages do not: of families they are seldom known."""
    assert wide(GUARDIANS)
    assert wide(replace(GUARDIANS, places=frozenset({PlaceId("b204")}), languages=frozenset({"es"})))
    assert wide(replace(OF_7B, everyone=True))
    assert not wide(OF_7B)
    assert not wide(AudienceRule(roles=frozenset({"staff"})))


async def test_families_are_told_one_cause_until_somebody_chooses_another(options: DeskOptions) -> None:
    """What goes on goes on for the reason they were told; a text for staff names its incident by its number."""
    async with writing(options, guardian(1)) as it:
        await it.running.is_ordered(opened())
        about = {"incident": IncidentId("inc_1")}
        first = await it.draft(NOW, slots={"cause": "gas"}, **about)
        await it.composer.ask(first.id, RUTH, seen=1)
        await it.running.is_settled(1)

        update = await it.draft("families.lockdown.update", **about)
        other = await it.draft("families.lockdown.update", slots={"cause": "smoke"}, **about)
        none = await it.draft("families.lockdown.update", slots={"cause": ""}, **about)
        staff_notice = await it.draft("staff-notice", audience="all-staff", **about)

    assert ["gas", "smoke", ""] == [draft.order.slots["cause"] for draft in (update, other, none)]
    assert "because of a smell of gas" in update.counted.texts[0].body
    assert {"incident": "7"} == dict(staff_notice.order.slots)
    assert "Notice about incident 7" in staff_notice.counted.texts[0].body


async def test_a_roster_that_is_as_it_was_is_not_opened_again(options: DeskOptions) -> None:
    """To open a large one takes seconds: between looking and sending only its version is asked."""
    async with writing(options, guardian(1), guardian(2)) as it:
        draft = await it.draft()
        opened: list[str] = []
        site = it.running.room._site()
        it.composer._site = lambda: replace(site, roster=Watched(it.families, opened))
        await it.composer.ask(draft.id, RUTH, seen=2)

        assert [] == opened
        assert 1 == len(await it.ordered())


class Watched:
    """A roster that says when it is opened."""

    def __init__(self, roster: RosterOf, opened: list[str]) -> None:
        self._roster = roster
        self._opened = opened

    async def people(self):
        self._opened.append("people")
        async for some in self._roster.people():
            yield some

    async def version(self) -> int:
        return await self._roster.version()

    async def schools(self):
        return {}

    async def called_of(self, schools, classes):
        return {}, {}

    async def names(self, people):
        return {}
