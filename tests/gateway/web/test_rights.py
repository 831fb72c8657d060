"""Every role at every verb of the page: what helps is open to all, what ends, tells or names somebody is not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from belltower.errors import NotPermitted, Refused
from belltower.ids import IncidentId, PersonId, VerbId
from belltower.incident.entry import Entry
from belltower.people.grant import SHIPPED, Right
from belltower.store import Transaction
from gateway.web.journal_desk import JournalDesk
from gateway.web.permits import ENDING, NOTICE_HANDS, NOTICE_READERS
from notify.audience import AudienceRule
from notify.choice import Choice
from tests.gateway.web.granting import become, grants_of
from tests.gateway.web.house import House, form_token, living, until
from tests.gateway.web.noticing import adult, noticing
from tests.gateway.web.test_pages import browser, enter, page
from tests.peers.waiting import PATIENCE

NOTHING: tuple[Right, ...] = ()
CLOSE = (Right.INCIDENT_CLOSE,)
WRITE, SEND, SECOND = ((right,) for right in NOTICE_HANDS)

GETS = [
    ("/", NOTHING),
    ("/incidents/{incident}", NOTHING),
    ("/notices", NOTHING),
    ("/incidents/{incident}/notices/{notice}", NOTICE_READERS),
    ("/events?topic={notice}&after=none", NOTICE_READERS),
    ("/notices/stopped", NOTICE_READERS),
    ("/notices/{own}", NOTICE_READERS),
    ("/notices/{own}.csv", NOTICE_READERS),
    ("/notices/{own}/answers", NOTICE_READERS),
    ("/notices/new", WRITE),
    ("/notices/drafts/{draft}", NOTICE_HANDS),
]
POSTS = [
    # Alarms fail open.
    ("/incidents/{incident}/actions", {"action": "lockdown"}, NOTHING),
    ("/incidents/{incident}/correct", {"place": "plc_gym", "call": "{call}"}, NOTHING),
    ("/incidents/{incident}/texts", {"room": "plc_b204", "words": "Stay"}, NOTHING),
    ("/incidents/{incident}/read-back", {"operator": "T4"}, NOTHING),
    # Everything else fails closed.
    ("/incidents/{incident}/cancel", {}, CLOSE),
    ("/incidents/{incident}/close", {"reason": "over"}, CLOSE),
    ("/incidents/{incident}/all-clear", {"whose": "staff"}, ENDING),
    ("/incidents/{incident}/notices/{notice}/correct", {}, ENDING),
    ("/notices/{own}/correct", {}, ENDING),
    ("/notices/new", {}, WRITE),
    ("/notices/drafts/{draft}/test", {"audience": "nobody"}, SEND),
    ("/notices/drafts/{draft}/send", {"seen": "1"}, SEND),
    ("/notices/drafts/{draft}/let-go", {"seen": "1"}, SECOND),
    ("/notices/drafts/{draft}/alone", {"seen": "1", "reason": "nobody"}, SEND),
    ("/notices/drafts/{draft}/drop", {}, WRITE),
]


class Corrected:
    """Takes orders of corrections."""

    async def correct(self, *asked: object) -> None:
        """Done."""

    async def all_clear(self, *asked: object) -> None:
        """Done."""


def text(name: str) -> str:
    """A text for the readers of that name."""
    return "staff-notice" if name == "staff" else "families.lockdown.now"


def verb(number: int) -> VerbId:
    """A verb id like any other."""
    return VerbId(f"vrb_{number:026}")


@pytest.mark.parametrize("role", SHIPPED)
async def test_each_role_does_what_it_may_and_no_more(role: str, house: House) -> None:
    """Nothing that raises, orders, corrects a call or answers asks for a role; all else is refused where it must be."""
    house.corrections = Corrected()
    async with (
        noticing(house, adult(1), families=(adult(2, role="guardian"),)) as school,
        living(house) as address,
        browser() as session,
    ):
        await enter(session, address, house)
        pressed = await house.press()
        own = await school.order()
        draft = await school.composer.write(
            verb(1),
            Choice(template="staff-notice", audience="all-staff", slots={"place": "plc_gym"}),
            (await grants_of(house).listed())[0].person,
        )
        await until(lambda: pressed.id in house.page._live._stories)
        person = await become(house, role)
        held = SHIPPED[role].rights
        names = {
            "incident": pressed.id,
            "notice": pressed.notice,
            "own": own,
            "draft": draft.id,
            "call": pressed.call,
        }
        form = form_token(await page(session, address + "/"))
        wrong = []
        for path, rights in GETS:
            async with session.get(address + path.format(**names), allow_redirects=False) as answer:
                open_ = not rights or bool(held & set(rights))
                if (answer.status != 403) != open_ or answer.headers.get("Location") == "/sign-in":
                    wrong.append((path, answer.status))
        for number, (path, fields, rights) in enumerate(POSTS, start=10):
            data = {"form": form, "verb": verb(number)}
            data |= {name: value.format(**names) for name, value in fields.items()}
            async with session.post(
                address + path.format(**names), data=data, headers={"Origin": address}, allow_redirects=False
            ) as answer:
                open_ = not rights or bool(held & set(rights))
                if (answer.status != 403) != open_ or answer.headers.get("Location") == "/sign-in":
                    wrong.append((path, answer.status))
        html = await page(session, address + f"/incidents/{pressed.id}")
        asked = await _composer_asked(school.composer, person, draft.id)

    assert [] == wrong
    assert ("Close the incident" in html) == (Right.INCIDENT_CLOSE in held)
    assert "Order lockdown now" in html
    assert {
        "write": Right.NOTICE_WRITE in held,
        "ask": Right.NOTICE_SEND in held,
        "let_go": Right.NOTICE_SECOND in held,
        "alone": Right.NOTICE_SEND in held,
        "test": Right.NOTICE_SEND in held,
        "drop": Right.NOTICE_WRITE in held,
    } == asked


async def _composer_asked(composer: object, person: PersonId, draft: str) -> dict[str, bool]:
    """Whether each verb of the composer itself lets this person do it: a page is no lock."""
    asked = {
        "write": lambda: composer.write(
            verb(99), Choice(template="staff-notice", audience="all-staff"), person
        ),
        "ask": lambda: composer.ask(draft, person, seen=1),
        "let_go": lambda: composer.let_go(draft, person, seen=1),
        "alone": lambda: composer.send_alone(draft, person, "nobody", seen=1),
        "test": lambda: composer.test(verb(98), draft, "nobody", person),
        "drop": lambda: composer.drop(draft, person),
    }
    found = {}
    for name, asking in asked.items():
        try:
            await asking()
            found[name] = True
        except NotPermitted:
            found[name] = False
        except Refused:
            found[name] = True
    return found


async def test_whoever_calls_the_responders_off_may_also_note_that_it_was_read_back(house: House) -> None:
    """And nobody else: the cancellation counts from there on."""
    async with living(house) as address, browser() as session:
        await enter(session, address, house)
        pressed = await house.press()
        await until(lambda: pressed.id in house.page._live._stories)
        path = f"{address}/incidents/{pressed.id}"
        form = form_token(await page(session, path))

        async def post(name: str, number: int) -> int:
            data = {"form": form, "verb": verb(number), "operator": "T4"}
            async with session.post(
                f"{path}/{name}", data=data, headers={"Origin": address}, allow_redirects=False
            ) as answer:
                return answer.status

        called_off = await post("cancel", 1)
        await until(lambda: house.page._live._stories[pressed.id].incident.calls[pressed.call].cancelling)
        await become(house, "staff")
        hidden = await page(session, path)
        refused = await post("read-back", 2)
        await become(house, "director")
        noted = await post("read-back", 3)

    assert (303, 403, 303) == (called_off, refused, noted)
    assert "It was read back" not in hidden


async def test_the_first_page_says_what_waits_for_a_second_person(house: House) -> None:
    """To whoever may be it: not to whoever asked, nor to who may not let it go."""
    async with (
        noticing(house, families=(adult(2, role="guardian"),)) as school,
        living(house) as address,
        browser() as session,
    ):
        await enter(session, address, house)
        person = await become(house, "administrator")
        choice = Choice(
            template="families.lockdown.now", rule=AudienceRule(roles={"guardian"}), slots={"cause": ""}
        )
        draft = await school.composer.write(verb(1), choice, person)
        asked = await school.composer.ask(draft.id, person, seen=draft.counted.people)
        own = await page(session, address + "/")
        tx = Transaction()
        school.composer.drafts.move(tx, replace(asked, asked_by=PersonId("per_1")), before=asked.state)
        await house.database.submit(tx)
        second = await page(session, address + "/")
        await become(house, "staff")
        staff = await page(session, address + "/")

    said = "1 notice waits for a second person"
    assert (False, True, False) == tuple(said in html for html in (own, second, staff))


async def test_a_grant_for_one_school_tells_its_own_families_and_the_staff(house: House) -> None:
    """Families of others, of classes or of all it does not; nor does it read what others were told."""
    ours, theirs = (
        AudienceRule(roles={"guardian"}, schools={"s1"}),
        AudienceRule(roles={"guardian"}, schools={"s2"}),
    )
    rules = {
        "ours": ours,
        "theirs": theirs,
        "all": AudienceRule(roles={"guardian"}),
        "a class": AudienceRule(roles={"guardian"}, classes={"7b"}),
        "everyone": AudienceRule(roles={"guardian"}, schools={"s1"}, everyone=True),
        "staff": AudienceRule(roles={"staff"}),
        "our staff": AudienceRule(roles={"staff"}, schools={"s1"}),
        "their staff": AudienceRule(roles={"staff"}, schools={"s2"}),
    }
    async with (
        noticing(house, adult(1), families=(adult(2, role="guardian"),)) as school,
        living(house) as address,
        browser() as session,
    ):
        await enter(session, address, house)
        person = await become(house, "administrator")
        drafts = {
            name: await school.composer.write(verb(n), Choice(template=text(name), rule=rule), person)
            for n, (name, rule) in enumerate(rules.items())
            if name in ("theirs", "staff")
        }
        await become(house, "office", "s1")
        may = {}
        for n, (name, rule) in enumerate(rules.items(), start=50):
            try:
                await school.composer.write(verb(n), Choice(template=text(name), rule=rule), person)
                may[name] = True
            except NotPermitted:
                may[name] = False
            except Refused:
                may[name] = True
        read = {}
        for name, draft in drafts.items():
            async with session.get(f"{address}/notices/drafts/{draft.id}") as answer:
                read[name] = answer.status
        listed = await page(session, f"{address}/notices")
        await become(house, "office", "lindenhof")
        form = await page(session, f"{address}/notices/new")

    assert '<option value="lindenhof" selected>' in form
    assert {
        "ours": True, "theirs": False, "all": False, "a class": False, "everyone": False, "staff": True,
        "our staff": True, "their staff": False,
    } == may  # fmt: skip
    assert {"theirs": 403, "staff": 200} == read
    assert (False, True) == (drafts["theirs"].id in listed, drafts["staff"].id in listed)


async def test_a_grant_for_one_school_is_offered_only_audiences_that_it_may_use(house: House) -> None:
    """In the form its own families, classes and staff, its school chosen; beside a draft the test groups that it may use."""
    offered = {
        "ours": AudienceRule(roles={"guardian"}, schools={"s1"}),
        "theirs": AudienceRule(roles={"guardian"}, schools={"lindenhof"}),
        "all": AudienceRule(roles={"guardian"}),
        "everybody": AudienceRule(everyone=True, roles={"guardian"}),
        "our staff": AudienceRule(roles={"staff"}, schools={"s1"}),
        "their staff": AudienceRule(roles={"staff"}, schools={"lindenhof"}),
    }
    async with (
        noticing(house, adult(1), families=(adult(2, role="guardian"),), **offered) as school,
        living(house) as address,
        browser() as session,
    ):
        school.roster.named["s1"] = "Ash School"
        await enter(session, address, house)
        person = await become(house, "office", "s1")
        form = await page(session, f"{address}/notices/new")
        choice = Choice(template="staff-notice", audience="our staff", slots={"place": "plc_gym"})
        draft = await school.composer.write(verb(1), choice, person)
        shown = await page(session, f"{address}/notices/drafts/{draft.id}")
        await become(house, "director")
        everything = await page(session, f"{address}/notices/new")

    def values(html: str) -> set[str]:
        return {
            one
            for one in (*offered, "all-staff", "lindenhof", "s1", "7b")
            if f'<option value="{one}"' in html
        }

    assert {"ours", "our staff", "all-staff", "s1"} == values(form)
    assert '<option value="s1" selected>' in form
    assert {"our staff", "all-staff"} >= values(shown)
    assert {*offered, "all-staff", "lindenhof", "s1", "7b"} == values(everything)
    assert '<option value="s1" selected>' not in everything


async def test_a_grant_for_one_school_takes_back_nothing_that_other_families_were_told(house: House) -> None:
    """What bears no incident is taken back by whose right its people are, as it is written by them."""
    families = {
        "all": AudienceRule(roles={"guardian"}),
        "ours": AudienceRule(roles={"guardian"}, schools={"s1"}),
    }
    done = {}
    async with (
        noticing(house, adult(1), families=(adult(2, role="guardian"),), **families) as school,
        living(house) as address,
        browser() as session,
    ):
        await enter(session, address, house)
        person = await become(house, "office", "s1")
        for n, audience in enumerate(families, start=1):
            notice = await school.order(n, audience=audience, template="families-notice")
            async with asyncio.timeout(PATIENCE):
                while await house.notices.reports.notice(notice) is None:  # noqa: ASYNC110 - rows ring no bell
                    await asyncio.sleep(0.02)
            try:
                await school.room.corrections.correct(verb(n), notice, person)
                done[audience] = True
            except NotPermitted:
                done[audience] = False

    assert {"all": False, "ours": True} == done


async def test_a_page_of_an_incident_reads_no_fact_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks, however long its story: who raised it is known. Who alone raised it may call responders off."""
    read: list[str] = []
    entries = JournalDesk.entries

    async def counted(desk: JournalDesk, incident: IncidentId) -> Sequence[Entry]:
        read.append(incident)
        return await entries(desk, incident)

    monkeypatch.setattr(JournalDesk, "entries", counted)
    async with living(house) as address, browser() as session:
        await enter(session, address, house)
        person = await become(house, "staff")
        mine, theirs = await house.press(by=person), await house.press("plc_gym")
        await until(lambda: {mine.id, theirs.id} <= house.page._live._stories.keys())
        read.clear()
        pages = [await page(session, f"{address}/incidents/{one.id}") for one in (mine, theirs)]
        answers = []
        for number, one in enumerate((mine, theirs)):
            async with session.post(
                f"{address}/incidents/{one.id}/cancel",
                data={"form": form_token(pages[0]), "verb": verb(number)},
                headers={"Origin": address},
                allow_redirects=False,
            ) as answer:
                answers.append(answer.status)

    assert [] == read
    assert [True, False] == ["Call off" in html for html in pages]
    assert [303, 403] == answers


async def test_on_a_campus_of_several_schools_a_grant_for_one_writes_to_no_staff_of_others(
    house: House,
) -> None:
    """Staff where no school is named are those of the campus: that takes all of its schools."""
    everywhere = AudienceRule(roles={"staff"})
    async with noticing(house, adult(1)) as school, living(house) as address, browser() as session:
        school.site = replace(school.site, schools=frozenset({"s1", "s2"}))
        await enter(session, address, house)
        may = {}
        for n, schools in enumerate((("s1",), ("s1", "s2"), ()), start=70):
            person = await become(house, "office", *schools)
            try:
                draft = await school.composer.write(
                    verb(n), Choice(template=text("staff"), rule=everywhere), person
                )
                may[schools] = "may"
            except NotPermitted as refused:
                may[schools] = "for your own schools only" in str(refused)
        await become(house, "office", "s1")
        listed = await page(session, f"{address}/notices")

    assert {("s1",): True, ("s1", "s2"): "may", (): "may"} == may
    assert draft.id not in listed
