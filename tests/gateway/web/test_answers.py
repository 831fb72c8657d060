"""What people answer, on the screens: who needs help is loud, who is safe is counted, what they wrote is read once."""

import asyncio

import aiohttp
from msgspec.structs import replace
from playwright.async_api import expect

from belltower.clock import SECOND, Instant
from belltower.ids import NoticeId, PersonId
from belltower.incident.facts import Mode, Reply, ReplyHeard
from gateway.desk_channels import DeskNotices
from gateway.web.answers import Answers, Calling, asking
from notify.audience import AudienceRule
from notify.channels.console import Board
from tests.gateway.web.house import House, living
from tests.gateway.web.noticing import adult, noticing
from tests.gateway.web.test_notice_screens import judged
from tests.gateway.web.test_pages import browser, enter, page
from tests.gateway.web.test_screens import enter as enter_by_hand
from tests.gateway.web.test_screens import visiting
from tests.peers.waiting import PATIENCE
from tests.servers.chromium import chromium

STAFF = (adult(1, name="Ada Okafor"), adult(2, name="Jonas Weber"), adult(3, name="Mei <b>Lin</b>"))


async def shows(session: aiohttp.ClientSession, url: str, words: str) -> str:
    """The page, once it says `words`."""
    async with asyncio.timeout(PATIENCE):
        while words not in (html := await page(session, url)):  # noqa: ASYNC110 - a page rings no bell
            await asyncio.sleep(0.05)
    return html


def heard(person: str, reply: Reply, *, text: str = "") -> ReplyHeard:
    return ReplyHeard(
        person=PersonId(person), channel="sms", reply=reply, notice=NoticeId("ntc_1"), text=text
    )


def test_the_last_word_of_a_person_about_themselves_stands() -> None:
    """Whoever asked for help and says later that they are safe is safe, and the reverse."""
    answers = Answers()
    for n, (person, reply) in enumerate(
        [
            ("a", Reply.NEED_HELP),
            ("b", Reply.SAFE),
            ("c", Reply.ACKNOWLEDGED),
            ("a", Reply.SAFE),
            ("b", Reply.NEED_HELP),
            ("a", Reply.TEXT),
            ("d", Reply.STOP),
        ]
    ):
        answers.take(heard(person, reply), Instant(n))

    assert ["b"] == [one.person for one in answers.calling]
    assert (1, 3) == (answers.safe, answers.heard)
    assert ["1 person asks for help", "3 people ask for help"] == [asking(1), asking(3)]


async def test_who_needs_help_is_loud_on_the_incident_and_in_the_list(house: House) -> None:
    """By name, with what was written one step away, until they say that they are safe."""
    async with noticing(house, *STAFF) as school, living(house) as address, browser() as session:
        await enter(session, address, house)
        house.names.people |= {one.id: one.name for one in STAFF}
        pressed = await house.press()
        notice = pressed.notice
        await school.settled(notice, 3)
        for number, text in ((1, "1"), (2, "2 smoke <i>here</i>"), (3, "where are you")):
            await school.writes(number, text)
            house.clock.step(1.0)
        at = f"{address}/incidents/{pressed.id}"
        html = await shows(session, at, "Texts from people: 1")
        listed = await page(session, f"{address}/")
        written = await page(session, f"{address}/notices/{notice}/answers")
        await school.writes(2, "safe")
        after = await shows(session, at, "Safe, in their own words: 2")

    assert "1 PERSON ASKS FOR HELP" in html
    assert "Jonas Weber NEEDS HELP" in html
    assert f'href="/notices/{notice}/answers"' in html
    assert "Safe, in their own words: 1" in html
    assert "smoke" not in html
    assert "1 person asks for help" in listed
    assert "2 smoke &lt;i&gt;here&lt;/i&gt;" in written
    assert (
        written.index("Jonas Weber")
        < written.index("Mei &lt;b&gt;Lin&lt;/b&gt;")
        < written.index("Ada Okafor")
    )
    assert "where are you" in written
    assert "ASKS FOR HELP" not in after


async def test_what_people_wrote_is_for_those_who_are_signed_in(house: House) -> None:
    """And so is who wants no notices."""
    async with noticing(house, *STAFF) as school, living(house) as address, browser() as session:
        notice = await school.order(routine=True)
        await school.settled(notice, 3)
        await school.writes(1, "STOP")
        for path in (f"/notices/{notice}/answers", "/notices/stopped"):
            async with session.get(address + path, allow_redirects=False) as answer:
                assert 303 == answer.status
        await enter(session, address, house)
        stopped = await page(session, f"{address}/notices/stopped")

    assert "Ada Okafor" in stopped
    assert "Jonas Weber" not in stopped
    assert "+1555" not in stopped


async def test_whoever_is_to_be_telephoned_is_a_press_away(house: House) -> None:
    """A guardian's name leads to the record with the numbers and the children; that of our own staff to none."""
    family = adult(17, role="guardian", name="Gil Guardian")
    everyone = AudienceRule(roles=frozenset({"guardian"}))
    async with (
        noticing(house, *STAFF, families=(family,), families_all=everyone) as school,
        living(house) as address,
        browser() as session,
    ):
        await enter(session, address, house)
        school.site = replace(school.site, phone="+15550100")
        pages = []
        for number, audience, count, who in ((1, "families_all", 1, 17), (2, "all-staff", 3, 1)):
            notice = await school.order(number, audience=audience)
            await school.settled(notice, count)
            await school.writes(who, "2")
            pages.append(await page(session, f"{address}/notices/{notice}/answers"))

    assert f'<b><a href="/people/{family.id}">Gil Guardian</a></b>' in pages[0]
    assert "<b>Ada Okafor</b>" in pages[1]


async def test_a_call_for_help_without_an_incident_is_loud_in_the_list(house: House) -> None:
    """Somebody answered a routine notice; it is read again after a restart of the desk."""
    caller = Calling(person=PersonId("staff-00001"), at=Instant(1_700_000_000 * SECOND), channel="sms")
    house.callers = [caller]
    async with living(house) as address, browser() as session:
        await enter(session, address, house)
        html = await page(session, f"{address}/")

    assert "1 PERSON ASKS FOR HELP, AND NO INCIDENT IS OPEN FOR IT" in html


async def test_the_desk_knows_who_asks_for_help_from_its_tables(house: House) -> None:
    """The newest word of each person, of the last half day."""
    async with noticing(house, *STAFF) as school:
        notice = await school.order()
        await school.settled(notice, 3)
        for number, text in ((1, "help"), (2, "help"), (2, "1"), (3, "2"), (3, "where")):
            await school.writes(number, text)
            house.clock.step(1.0)
        notices = DeskNotices(
            deliveries=school.room.tables, replies=school.room.replies, board=Board(), clock=house.clock
        )

        assert ["staff-00003", "staff-00001"] == [one.person for one in await notices.calling()]
        house.clock.step(13 * 3_600.0)
        assert [] == await notices.calling()


async def test_an_answer_shows_without_a_reload(house: House) -> None:
    """Loud, in an exercise marked as one, and readable at every width."""
    async with (
        noticing(house, *STAFF) as school,
        living(house) as address,
        chromium() as made,
        visiting(made, address) as (_, shown),
    ):
        await enter_by_hand(shown, address, house)
        house.names.people |= {one.id: one.name for one in STAFF}
        pressed = await house.press(mode=Mode.EXERCISE)
        await school.settled(pressed.notice, 3)
        await shown.goto(f"{address}/incidents/{pressed.id}")
        for number, text in ((1, "1"), (2, "2, smoke in the hall"), (3, "where do we meet")):
            await school.writes(number, text)
            house.clock.step(1.0)
        await expect(shown.locator(".headline.calling")).to_contain_text("1 PERSON ASKS FOR HELP — EXERCISE")
        await shown.get_by_role("link", name="what was written").click()
        await expect(shown.get_by_text("smoke in the hall")).to_be_visible()
        await judged(shown, "answers")
