"""People on screen: found by any spelling, told from namesakes, corrected by hand, and who may collect today."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar
from msgspec.structs import replace
from playwright.async_api import expect

from belltower.ids import PersonId
from belltower.people.editing import Editing, Paper
from belltower.people.roster import (
    ClassKey,
    Enrolment,
    Human,
    HumanKey,
    HumanKind,
    Link,
    LinkSource,
    MayCollect,
    Phone,
    Relation,
    Roster,
    School,
    SchoolClass,
    SchoolKey,
)
from belltower.people.search import NameIndex
from belltower.people.store import RosterStore
from belltower.people.taking import Taking
from belltower.people.vault import Vault, new_ring
from tests.gateway.web.granting import become
from tests.gateway.web.house import House, form_token, living
from tests.gateway.web.judging import faults, fits
from tests.gateway.web.test_screens import WIDTHS, browser, enter, visiting  # noqa: F401 - a fixture

LINDEN, OAK = SchoolKey("s1"), SchoolKey("s2")


def pupil(key: str, given: str, family: str, born: date, school: SchoolKey = LINDEN) -> Human:
    """A student of grade 6."""
    return Human(
        key=HumanKey(f"student/{key}"),
        kind=HumanKind.STUDENT,
        given=given,
        family=family,
        birth_date=born,
        grade="06",
        schools=(school,),
        file="students.csv",
    )


ROSTER = Roster(
    format="plain",
    schools=(School(key=LINDEN, name="Linden"), School(key=OAK, name="Oak")),
    classes=(SchoolClass(key=ClassKey("7b"), school=LINDEN, title="Biology", location="B 204"),),
    humans=(
        pupil("1", "Ana", "Núñez-O’Malley", date(2014, 3, 9)),
        pupil("2", "Martin", "Keller", date(2014, 5, 1)),
        pupil("3", "Martina", "Keller", date(2015, 1, 7)),
        pupil("4", "محمد", "العَلي", date(2014, 8, 8)),
        pupil("5", "小明", "王", date(2014, 9, 9)),
        pupil("6", "Ada", "Keller", date(2013, 9, 9), OAK),
        Human(
            key=HumanKey("contact/9"),
            kind=HumanKind.GUARDIAN,
            given="Rosa",
            family="Núñez",
            phones=(Phone(written="202-456-1414", e164="+12024561414"), Phone(written="123")),
            emails=("rosa@example.org",),
            language="es",
            file="contacts.csv",
        ),
    ),
    links=(
        Link(
            student=HumanKey("student/1"),
            adult=HumanKey("contact/9"),
            relation=Relation.PARENT,
            written="Mother",
            file="contacts.csv",
        ),
    ),
    enrolments=(
        Enrolment(school_class=ClassKey("7b"), human=HumanKey("student/2"), role="student", key="e1"),
    ),
)


@pytest.fixture
async def school(tmp_path: Path) -> AsyncIterator[House]:
    """A house with a roster in force."""
    house = House(folder=tmp_path)
    await house.open()
    store = RosterStore(database=house.database, vault=Vault(ring=new_ring()))
    await store.open()
    taking = Taking(store=store, clock=house.clock)
    ready = await taking.prepare(await taking.look(ROSTER), incident_open=False)
    async with house.database.begin() as tx:
        taking.settle(tx, ready, incident_open=False)
    house.people = store
    yield house
    await house.close()


async def known(house: House, key: str) -> PersonId:
    """The id of a human of the roster."""
    found = [one.id async for page in house.people.humans() for one in page if one.human.key == key]
    return found[0]


class Visitor:
    """Somebody at a browser without a screen."""

    def __init__(self, client: ClientSession, address: str) -> None:
        self._client = client
        self.address = address

    async def get(self, path: str) -> tuple[int, str]:
        """A page."""
        async with self._client.get(self.address + path) as response:
            return response.status, await response.text()

    async def post(self, path: str, form_at: str = "/people", **fields: object) -> tuple[int, str]:
        """A form of a page, sent."""
        _, html = await self.get(form_at)
        found = re.search(r'name="verb" value="([^"]+)"', html)
        given = {"form": form_token(html), "verb": found[1] if found else ""} | fields
        data = [
            (name, one)
            for name, value in given.items()
            for one in (value if isinstance(value, list) else [value])
        ]
        async with self._client.post(
            self.address + path, data=data, headers={"Origin": self.address}
        ) as response:
            return response.status, await response.text()


@pytest.fixture
async def ruth(school: House) -> AsyncIterator[Visitor]:
    """The first account: an administrator."""
    async with living(school) as address, ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
        visitor = Visitor(client, address)
        setup = school.setup
        await visitor.post(
            setup,
            setup,
            name="Ruth Adler",
            sign_in="ruth",
            password="correct horse battery",
            again="correct horse battery",
        )
        yield visitor


def found_in(html: str) -> list[str]:
    """The names of an answer."""
    return [name.strip() for name in re.findall(r'<span class="line" dir="auto">([^<]+)', html)]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("nunez", ["Ana Núñez-O’Malley", "Rosa Núñez"]),
        ("O'MALLEY ana", ["Ana Núñez-O’Malley"]),
        ("العلي", ["محمد العَلي"]),
        ("王", ["小明 王"]),
        ("明", ["小明 王"]),
        ("kell mart", ["Martin Keller", "Martina Keller"]),
        ("martin", ["Martin Keller", "Martina Keller"]),
        ("quetzal", []),
    ],
)
async def test_a_name_is_found_by_any_spelling_and_shown_as_it_is_kept(
    ruth: Visitor, asked: str, names: list[str]
) -> None:
    """P12: without case and accents, from right to left, and without blanks; a whole word before a beginning."""
    status, html = await ruth.post("/people", name=asked)

    assert (200, names) == (status, found_in(html))


async def test_a_house_without_a_roster_says_so_and_one_with_a_roster_does_not(
    ruth: Visitor, school: House
) -> None:
    """Nobody takes an empty answer for a school without people."""
    _, loaded = await ruth.get("/people")
    async with school.database.begin() as tx:
        tx.add("UPDATE roster_number SET value = 0 WHERE name = 'in_force'")
    _, empty = await ruth.get("/people")

    assert "No roster is in force" not in loaded
    assert "No roster is in force" in empty
    assert "belltower roster generate" in empty


async def test_a_search_takes_two_letters_and_may_be_of_one_school_or_class(ruth: Visitor) -> None:
    """And what was searched for is in no address."""
    status, html = await ruth.post("/people", name="k")
    assert 409 == status
    assert "at least two letters" in html
    _, html = await ruth.post("/people", name="keller", school="s2")
    assert ["Ada Keller"] == found_in(html)
    _, html = await ruth.post("/people", name="keller", **{"class": "7b"})
    assert ["Martin Keller"] == found_in(html)
    assert "?" not in "".join(re.findall(r'href="/people[^"]*"', html))


async def test_near_identical_names_of_one_school_warn_wherever_one_is_picked(
    ruth: Visitor, school: House
) -> None:
    """P22: in the answer and on the record, with birth date and grade of both."""
    _, html = await ruth.post("/people", name="keller")
    assert 2 == html.count("Another student here has nearly this name")
    assert "born 1 May 2014, grade 06" in html

    _, html = await ruth.get(f"/people/{await known(school, 'student/2')}")
    assert "Nearly the same name" in html
    assert "born 7 Jan 2015, grade 06" in html
    _, html = await ruth.get(f"/people/{await known(school, 'student/6')}")
    assert "Nearly the same name" not in html


async def test_the_loop_turns_between_any_two_of_a_long_list(
    ruth: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them is compared with a whole school: nothing else of the desk waits for all of them."""
    turns: list[int] = [0]
    seen: list[int] = []
    close_to = NameIndex.close_to

    def counted(index: NameIndex, person: PersonId) -> list[PersonId]:
        seen.append(turns[0])
        return close_to(index, person)

    async def turning() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(NameIndex, "close_to", counted)
    async with asyncio.TaskGroup() as group:
        beside = group.create_task(turning())
        _, html = await ruth.post("/people", name="keller")
        beside.cancel()

    assert len(found_in(html)) == len(seen) > 1
    assert sorted(set(seen)) == seen


async def test_a_record_names_where_everything_is_from_and_what_was_changed_by_hand(
    ruth: Visitor, school: House
) -> None:
    """P20, P21: source, file and load; by whom; and the load's own value to go back to."""
    rosa = await known(school, "contact/9")
    at = f"/people/{rosa}"
    _, html = await ruth.get(at)
    assert "sis, contacts.csv (load 1" in html
    assert "impossible: nobody is reached there" in html
    assert "<dd><bdi>Spanish</bdi>" in html

    status, html = await ruth.post(f"{at}/set", at, field="phones", value="(202) 456-1499\n202 456 1498")
    assert 200 == status
    assert "by hand: Ruth Adler" in html
    assert "202-456-1414, 123" in html
    status, html = await ruth.post(f"{at}/set", at, field="emails", value="nobody")
    assert 409 == status
    assert "is no mailbox" in html
    status, html = await ruth.post(f"{at}/unset", at, field="phones")
    assert 200 == status
    assert "by hand: Ruth" not in html


async def test_a_paper_decides_until_its_last_day_and_then_a_person_reads_it(
    ruth: Visitor, school: House
) -> None:
    """P15: by the campus's own calendar, its last day included."""
    ana, rosa = await known(school, "student/1"), await known(school, "contact/9")
    at = f"/people/{ana}"
    _, html = await ruth.get(at)
    assert "Nobody has said: counts as no" in html

    fields = {"adult": rosa, "source": "court-order", "may_collect": "yes", "ends": "2026-11-18"}
    status, html = await ruth.post(f"{at}/collecting", at, **fields)
    assert 200 == status
    assert "May collect today" in html
    assert "Wednesday, 18 Nov 2026" in html
    for _ in range(3):
        school.clock.step(8 * 3_600)
        _, html = await ruth.get(at)
    assert "Not without a person who reads the paper" in html
    assert "outside its dates (18 Nov 2026)" in html

    word = re.search(r'name="word" value="([^"]+)"', html)
    await ruth.post(f"{at}/collecting/end", at, word=word[1])
    _, html = await ruth.get(at)
    assert "Nobody has said: counts as no" in html


async def test_a_yes_beside_the_no_of_nearly_the_same_name_is_for_a_person_who_reads_both(
    ruth: Visitor, school: House
) -> None:
    """P15, P22: on the student's record and on the adult's; who is somebody else keeps theirs."""
    ana, rosa = await known(school, "student/1"), await known(school, "contact/9")
    at = f"/people/{ana}"
    form = {"source": "guardian-form", "may_collect": "yes"}
    await ruth.post(f"{at}/collecting", at, adult=rosa, **form)
    await ruth.post(f"{at}/collecting", at, adult_name="Rex Doe", **form)
    _, html = await ruth.get(at)
    assert 2 == html.count("<b>May collect today</b>")

    order = {"source": "court-order", "may_collect": "no"}
    await ruth.post(f"{at}/collecting", at, adult_name="Rosa Nunez", **order)
    _, html = await ruth.get(at)
    assert (1, 1, 1) == tuple(
        html.count(f"<b>{verdict}</b>")
        for verdict in ("May collect today", "Not without a person who reads both records", "May not collect")
    )
    _, html = await ruth.get(f"/people/{rosa}")
    assert "<b>Not without a person who reads both records</b>" in html
    assert "May collect today" not in html
    assert 1 == html.count("<b>Not without")
    assert "Rex Doe" not in html


async def test_a_sealed_order_is_a_verdict_without_a_reason_for_all_but_few(
    ruth: Visitor, school: House
) -> None:
    """The office sees that she may not collect; the administrator, that a sealed order says so."""
    ana, rosa = await known(school, "student/1"), await known(school, "contact/9")
    await Editing(store=school.people, clock=school.clock, ids=school.ids).put_word(
        school.ids.verb(),
        ana,
        Paper(
            source=LinkSource.RESTRAINING_ORDER,
            may_collect=MayCollect.NO,
            restraining=True,
            sealed=True,
            order_reference="safe 3",
        ),
        by=PersonId("per_9"),
        adult=rosa,
    )
    _, html = await ruth.get(f"/people/{ana}")
    assert "Restraining or no-contact order" in html.split("Add</b>")[0]
    assert "safe 3" in html

    await become(school, "office")
    _, html = await ruth.get(f"/people/{ana}")
    assert "Do not release: ask the director" in html
    assert "safe 3" not in html
    assert "Restraining or no-contact order" not in html.split("Add</b>")[0]
    status, _ = await ruth.post(
        f"/people/{ana}/collecting",
        f"/people/{ana}",
        adult=rosa,
        source="court-order",
        may_collect="no",
        sealed="1",
    )
    assert 403 == status


async def test_who_may_not_see_people_sees_none_and_a_school_bound_role_only_its_own(
    ruth: Visitor, school: House
) -> None:
    """Neither by searching nor by an id that somebody knows."""
    ada, rosa = await known(school, "student/6"), await known(school, "contact/9")
    await become(school, "office", "s1")
    _, html = await ruth.post("/people", name="keller")
    assert ["Martin Keller", "Martina Keller"] == found_in(html)
    _, html = await ruth.post("/people", name="rosa")
    assert ["Rosa Núñez"] == found_in(html)
    assert 403 == (await ruth.get(f"/people/{ada}"))[0]
    assert 200 == (await ruth.get(f"/people/{rosa}"))[0]

    await become(school, "staff")
    assert 403 == (await ruth.get("/people"))[0]
    assert 403 == (await ruth.get(f"/people/{rosa}"))[0]


async def load(school: House, roster: Roster) -> None:
    """Another export of the same system."""
    taking = Taking(store=school.people, clock=school.clock)
    ready = await taking.prepare(await taking.look(roster), incident_open=False)
    if ready is not None:
        async with school.database.begin() as tx:
            taking.settle(tx, ready, incident_open=False)


def of_clever(email: str) -> Roster:
    """The same people, whose one contact has no id, with this mailbox."""
    humans = tuple(
        replace(one, derived=True, emails=(email,)) if one.key == "contact/9" else one
        for one in ROSTER.humans
    )
    return replace(ROSTER, format="clever", humans=humans)


async def test_who_may_be_the_same_person_is_asked_on_the_list_and_on_both_records(
    ruth: Visitor, school: House
) -> None:
    """P18: the old mailbox beside the new one; answered once, and by nobody who may not."""
    await load(school, of_clever("rosa@example.org"))
    await load(school, of_clever("new@example.org"))
    ana, rosa = await known(school, "student/1"), await known(school, "contact/9")
    _, html = await ruth.get("/people")
    assert "1 contact of a load may be the same person" in html
    for at in ("/people/review", f"/people/{ana}", f"/people/{rosa}"):
        _, html = await ruth.get(at)
        assert re.search(r"rosa@example\.org.*new@example\.org", html, re.DOTALL), at
        assert "The same person: take what the load says" in html, at

    question = re.search(r'name="question" value="([^"]+)"', html)[1]
    await become(school, "office")
    assert 403 == (await ruth.post("/people/review", question=question, answer="same"))[0]
    assert "The same person" not in (await ruth.get(f"/people/{rosa}"))[1]
    await become(school, "administrator")
    status, html = await ruth.post("/people/review", "/people/review", question=question, answer="same")
    assert 200 == status
    assert "Nobody waits for an answer" in html
    assert ("same", rosa) == (
        (doubt := await school.people.doubts.get(question)).state,
        doubt.before,
    )


async def test_the_school_says_by_hand_what_it_says_of_a_link_and_names_whom_no_roster_knows(
    ruth: Visitor, school: House
) -> None:
    """P4, P15: only a person's word lets anybody collect; a restraining order outranks it."""
    ana, rosa = await known(school, "student/1"), await known(school, "contact/9")
    at = f"/people/{ana}"
    _, html = await ruth.post(f"{at}/set", at, field="may_collect", adult=rosa, value="yes")
    assert "May collect today" in html
    _, html = await ruth.get(f"/people/{rosa}")
    assert "Whom they may collect today" in html
    assert "May collect today" in html
    _, html = await ruth.post(f"{at}/unset", at, field="may_collect", adult=rosa)
    assert "Nobody has said: counts as no" in html

    order = {"source": "restraining-order", "may_collect": "no"}
    status, html = await ruth.post(f"{at}/collecting", at, **order)
    assert 409 == status
    assert "write the name of one whom no roster knows" in html
    status, html = await ruth.post(f"{at}/collecting", at, adult_name="Rex <Doe>", **order)
    assert 200 == status
    assert "Rex &lt;Doe&gt;" in html
    assert "May not collect" in html
    assert "Another adult here" not in html
    _, html = await ruth.post(f"{at}/collecting", at, adult_name="ROSA NUNES", **order)
    assert 2 == html.count("Another adult here has nearly this name")
    status, _ = await ruth.post(f"{at}/set", at, field="may_collect", adult=ana, value="yes")
    assert 400 == status


async def test_every_address_of_people_is_closed_to_whoever_is_not_signed_in(school: House) -> None:
    """P14: neither page nor verb, and no name on the way."""
    ana = await known(school, "student/1")
    async with living(school) as address, ClientSession() as client:
        for path in ("/people", "/people/review", f"/people/{ana}"):
            async with client.get(address + path, allow_redirects=False) as answer:
                assert (303, "/sign-in") == (answer.status, answer.headers["Location"])
        for path in ("/people", "/people/review", f"/people/{ana}/set", f"/people/{ana}/collecting"):
            async with client.post(address + path, allow_redirects=False) as answer:
                assert 403 == answer.status
                assert "Núñez" not in await answer.text()


@pytest.mark.parametrize(
    ("scheme", "widths"),
    [("light", ("phone", "tablet", "desk")), ("dark", ("phone",))],
    ids=["light", "dark"],
)
async def test_the_pages_fit_every_width_and_every_control_has_a_name(
    school: House,
    browser,  # noqa: F811 - the fixture
    scheme: str,
    widths: tuple[str, ...],
) -> None:
    """By keyboard: the search is sent with Enter; texts can be read in both schemes."""
    ana = await known(school, "student/1")
    rosa = await known(school, "contact/9")
    await Editing(store=school.people, clock=school.clock, ids=school.ids).put_word(
        school.ids.verb(),
        ana,
        Paper(source=LinkSource.GUARDIAN_FORM, may_collect=MayCollect.YES, weekdays=frozenset({0, 2})),
        by=PersonId("per_9"),
        adult=rosa,
    )
    await load(school, of_clever("rosa@example.org"))
    await load(school, of_clever("new@example.org"))
    pictures = os.environ.get("BELLTOWER_SCREENSHOTS")
    async with (
        living(school) as address,
        visiting(browser, address, color_scheme=scheme) as (_, page),
    ):
        await enter(page, address, school)
        for name, (width, height) in ((one, WIDTHS[one]) for one in widths):
            await page.set_viewport_size({"width": width, "height": height})
            await page.goto(f"{address}/people")
            await page.get_by_label("Name").fill("keller")
            await page.keyboard.press("Enter")
            await expect(page.get_by_text("Martina Keller")).to_be_visible()
            assert await fits(page), name
            assert [] == await faults(page)
            if pictures:
                await page.screenshot(path=f"{pictures}/people-{name}-{scheme}.png", full_page=True)
            await page.goto(f"{address}/people/review")
            await expect(page.get_by_role("button", name="The load is wrong")).to_be_visible()
            assert await fits(page), name
            assert [] == await faults(page)
            if pictures:
                await page.screenshot(path=f"{pictures}/review-{name}-{scheme}.png", full_page=True)
            await page.goto(f"{address}/people/{ana}")
            await expect(page.get_by_role("heading", name="Ana Núñez-O’Malley")).to_be_visible()
            await page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true })")
            await page.locator(".verdict b").first.evaluate(
                "(it) => { it.textContent = 'Not without a person who reads both records' }"
            )
            assert await fits(page), name
            assert [] == await faults(page)
            if pictures:
                await page.screenshot(path=f"{pictures}/person-{name}-{scheme}.png", full_page=True)
        for narrow in (360, 320):
            await page.set_viewport_size({"width": narrow, "height": 700})
            assert await fits(page), narrow


async def test_whom_no_notice_reaches_is_listed_before_there_is_anything_to_tell(
    ruth: Visitor, school: House
) -> None:
    """P20, W25: no address, or numbers that can be none; whoever has one that works is not named."""
    parent = ROSTER.humans[-1]
    away = replace(
        parent,
        key=HumanKey("contact/10"),
        given="Ines",
        family="Faro",
        emails=(),
        phones=(Phone(written="123"),),
    )
    silent = replace(parent, key=HumanKey("contact/11"), given="Bo", family="Abel", emails=(), phones=())
    link = ROSTER.links[0]
    roster = replace(
        ROSTER, humans=(*ROSTER.humans, away, silent), links=(link, replace(link, adult=away.key))
    )
    taking = Taking(store=school.people, clock=school.clock)
    ready = await taking.prepare(await taking.look(roster), incident_open=False)
    async with school.database.begin() as tx:
        taking.settle(tx, ready, incident_open=False)
    status, html = await ruth.get("/people/unreachable")

    assert 200 == status
    assert html.index("Bo Abel") < html.index("Ines Faro")
    assert "a number that can be one" not in html
    assert ("no number and no mailbox" in html, "a number that can be none" in html) == (True, True)
    assert "for Ana Núñez-O’Malley" in html
    assert "Rosa" not in html
