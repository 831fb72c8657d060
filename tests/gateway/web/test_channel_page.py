"""Pages in a real browser: channels (W16), where families go (W19), the marks of actions (W28); everywhere readable."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from belltower.ids import AlarmId, IncidentId, VerbId
from belltower.incident.facts import Action, ActionOrdered, IncidentOpened, Mode
from gateway.web.store import Invitation
from notify.delivery import Evidence, State
from notify.order_store import order_of
from notify.provider import Provider
from tests.gateway.web.house import House, living
from tests.gateway.web.noticing import Carrier, adult, noticing
from tests.gateway.web.test_notice_screens import judged
from tests.gateway.web.test_screens import PASSWORD, enter, visiting
from tests.peers.waiting import PATIENCE
from tests.servers.chromium import chromium

NUMBER = "+15550100199"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with chromium() as made:
        yield made


async def test_w16_a_channel_is_proven_by_what_comes_back_and_by_nothing_else(
    house: House, browser: Browser
) -> None:
    """Never proven is loud; sent is not proven; a report proves; mail is proven by its code; a simulator is called one."""
    mail = Carrier("email")
    more = [
        Provider(channel=mail, given_name="mail"),
        Provider(channel=Carrier("voice"), given_name="pretend", simulated=True),
        Provider(channel=Carrier("paging"), given_name="halls"),
    ]
    to = {"sms": NUMBER, "email": "it@school.example", "voice": NUMBER}
    async with (
        noticing(house, adult(1), more=more, test_to=to) as school,
        living(house) as address,
        visiting(browser, address) as (_, page),
    ):
        await enter(page, address, house)
        await page.goto(f"{address}/notices")
        await expect(page.locator("main")).to_contain_text(
            "Never proven: cell, mail. Simulated far ends, nothing can be proven here: pretend"
        )
        await page.get_by_role("link", name="Channels").click()
        lines = {
            name: page.get_by_role("listitem").filter(has_text=name)
            for name in ("cell", "mail", "pretend", "halls")
        }
        await expect(lines["cell"]).to_contain_text("NEVER PROVEN")
        await expect(lines["cell"]).to_contain_text("..0199")
        await expect(lines["halls"]).to_contain_text("belltower outputs test")
        await judged(page, "channels-never")
        await page.get_by_role("button", name="Test all of them").click()
        await expect(lines["cell"]).to_contain_text("Tested")
        rows = await house.database.read("SELECT notice FROM notice_delivery ORDER BY channel")
        assert 3 == len(rows)
        for (notice,) in rows:
            await school.settled(notice, 1)
        await page.get_by_role("button", name="Test all of them").click()
        await expect(page.locator(".fault")).to_contain_text("has just begun")
        found = await house.database.read("SELECT id FROM notice_delivery WHERE channel = 'sms'")
        await school.room.ledger.learn(Evidence(delivery=found[0][0], state=State.DELIVERED))
        await school.room.proofs.look()
        await page.goto(f"{address}/notices/channels")
        await expect(lines["cell"]).to_contain_text("Proven")
        await expect(lines["mail"]).to_contain_text("nothing has come back yet")
        await expect(lines["pretend"]).to_contain_text(
            re.compile("Simulated far end: nothing can be proven here[.]")
        )
        await page.get_by_label("Code in the message by mail").fill("0000")
        await page.get_by_role("button", name="Give back the code of mail").click()
        await judged(page, "channels")
        await (
            page.get_by_role("listitem").filter(has_text="mail").get_by_role("link", name="The test").click()
        )
        await expect(page.locator(".said .body")).to_contain_text("the code is ····.")
        await judged(page, "channel-test")
        await page.goto(f"{address}/notices/channels")
        ((_, body),) = mail.sent
        code = body.partition("code is ")[2][:4]
        await page.get_by_label("Code in the message by mail").fill(code)
        await page.get_by_role("button", name="Give back the code of mail").click()
        await expect(lines["mail"]).to_contain_text("its code was given back")
        await expect(page.locator(".proving > .trouble")).to_contain_text("pretend")


async def test_w19_where_families_go_is_changed_by_two_and_nobody_is_offered_to_do_it_alone(
    house: House, browser: Browser
) -> None:
    """The page names both places, waits for somebody else, and has no button for one alone."""
    families = tuple(adult(100 + number, role="guardian", name=f"Guardian {number}") for number in range(3))
    fire = IncidentId("inc_fire")
    async with (
        noticing(house, adult(1), families=families) as school,
        living(house) as address,
        visiting(browser, address) as (_, page),
    ):
        await house.say(
            fire, IncidentOpened(incident=fire, alarm=AlarmId("alm_1"), mode=Mode.ACTUAL, number=7)
        )
        await enter(page, address, house)

        async def write(template: str, site: str) -> None:
            await page.goto(f"{address}/notices/new")
            await page.get_by_label("Text", exact=True).select_option(template)
            await page.get_by_label("Families meet their children at").select_option(site)
            await page.get_by_label("Guardians").check()
            await page.get_by_label("Of these classes only").select_option("7b")
            await page.get_by_role("button", name="Look at it").click()

        await write("families.site.moved", "plc_gym")
        await expect(page.locator(".fault")).to_contain_text("told of no place yet")
        await write("families.site.open", "plc_b204")
        await page.locator("summary", has_text="Live, to 3 people").click()
        await page.get_by_role("button", name="Send to 3 people now").click()
        await expect(page.locator("main")).to_contain_text("3 people were meant")
        await page.goto(f"{address}/notices")
        await expect(page.locator("main")).to_contain_text("Families were told to go to B 204, since")
        await write("families.site.open", "plc_gym")
        await expect(page.locator(".fault")).to_contain_text("takes two")
        await write("families.site.moved", "plc_gym")
        await expect(page.locator(".text").first).to_contain_text("is now G Gym, no longer B 204")
        await expect(page.locator(".facts")).to_contain_text("7 b, and everybody who was told before")
        await page.locator("summary", has_text="A second person looks").click()
        await judged(page, "site-moved")
        await page.get_by_role("button", name="Ask for the second person").click()
        await expect(page.locator("main")).to_contain_text("never changed by one person alone")
        await expect(page.get_by_role("button", name="alone")).to_have_count(0)
        await judged(page, "site-moved-waiting")
        async with visiting(browser, address) as (_, other):
            await other.goto(address + await house.page.invite(Invitation(role="office")))
            await other.get_by_label("Your name, as others read it").fill("Tom Birch")
            await other.get_by_label("Sign-in name").fill("tom")
            await other.get_by_label("Password, at least 10 characters").fill(PASSWORD)
            await other.get_by_label("The same password again").fill(PASSWORD)
            await other.get_by_role("button", name="Make the account and sign in").click()
            await other.goto(f"{address}/notices")
            await other.get_by_role("link", name="Waits for a second person").click()
            await other.get_by_role("button", name="Send to 3 people now").click()
            await expect(other.locator("main")).to_contain_text("let go by Tom Birch")
        told = [body for _, body in school.carrier.sent if "no longer B 204" in body]
        moved = (await school.room.sites.told(fire))[-1].notice
        async with asyncio.timeout(PATIENCE):
            while (kept := await order_of(house.database, moved)) is None:  # noqa: ASYNC110 - rows ring no bell
                await asyncio.sleep(0.01)
        await school.room.corrections.correct(VerbId("vrb_mistake"), moved, kept.order.by)
        await page.goto(f"{address}/notices")
        await expect(page.locator("main")).to_contain_text("Families were told to wait, since")

    assert 3 == len(told)


async def test_w28_an_action_is_known_by_its_shape_its_colour_and_its_word(
    house: House, browser: Browser
) -> None:
    """In the list, in force, and on the buttons; at every width and in both schemes."""
    async with living(house) as address, visiting(browser, address) as (_, page):
        await enter(page, address, house)
        pressed = await house.press()
        await house.say(pressed.id, ActionOrdered(action=Action.SECURE))
        await expect(page.locator(".card .action-mark.secure")).to_have_count(1)
        await judged(page, "marks-list")
        await page.get_by_role("link", name="B 204").click()
        await expect(page.locator(".in-force .action-mark.secure")).to_have_count(1)
        for action in Action:
            await expect(page.locator(f".order.{action} .action-mark.{action}")).to_have_count(1)
        await house.say(pressed.id, ActionOrdered(action=Action.LOCKDOWN))
        await expect(page.locator(".in-force .action-mark.lockdown")).to_have_count(1)
        await judged(page, "marks")
