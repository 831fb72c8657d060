"""The live page in a real browser: live without reload, by keyboard alone, at every width, in both schemes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, BrowserContext, Page, expect

from belltower.clock import SECOND, Instant
from belltower.incident.facts import AlertSeen, Mode, Outcome, ReceiptLevel, ResponseStatus
from gateway.web.desk import AlertsNearby, ConsoleMessage, LaneState
from tests.gateway.web.house import START, House, Pressed, living, until
from tests.gateway.web.judging import faults, fits
from tests.servers.chromium import chromium

TORNADO = AlertSeen(
    feed="weather",
    sender="w-nws.webmaster@noaa.gov",
    identifier="NWS-1",
    sent=START,
    event="Tornado Warning",
    headline="Tornado Warning issued November 18 at 5:06PM CST until November 18 at 5:45PM CST by NWS Twin Cities",
    severity="Extreme",
    urgency="Immediate",
    certainty="Observed",
    expires=Instant(START + 2_700 * SECOND),
)
PASSWORD = "correct horse battery"
WIDTHS = {"phone": (390, 844), "tablet": (820, 1180), "desk": (1440, 900)}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with chromium() as browser:
        yield browser


@asynccontextmanager
async def visiting(
    browser: Browser, address: str, **options: object
) -> AsyncIterator[tuple[BrowserContext, Page]]:
    """A page of a fresh browser context that must ask nobody but us, and print no error."""
    context = await browser.new_context(**options)
    asked: list[str] = []
    errors: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = await context.new_page()
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield context, page
    await context.close()
    assert {urlsplit(address).netloc} == {urlsplit(url).netloc for url in asked}
    assert [] == [error for error in errors if "Failed to load resource" not in error]


async def enter(page: Page, address: str, house: House) -> None:
    """Make an account through the one-time link, or sign in with it."""
    if not house.setup:
        await page.goto(address + "/sign-in")
        await page.get_by_label("Sign-in name").fill("ruth")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
    else:
        await page.goto(address + house.setup)
        await page.get_by_label("Your name, as others read it").fill("Ruth Adler")
        await page.get_by_label("Sign-in name").fill("ruth")
        await page.get_by_label("Password, at least 10 characters").fill(PASSWORD)
        await page.get_by_label("The same password again").fill(PASSWORD)
        await page.get_by_role("button", name="Make the account and sign in").click()
        house.setup = ""
    await expect(page.get_by_role("heading", name="Open incidents")).to_be_visible()


async def telling(house: House, pressed: Pressed) -> None:
    """A whole story: sent, a radio, the system, messages, a person."""
    house.clock.step(0.412)
    await pressed.sent()
    house.clock.step(0.9)
    await pressed.received(level=ReceiptLevel.RADIO)
    await pressed.planned()
    house.clock.step(0.7)
    await pressed.settled(*[("sms", Outcome.ACCEPTED)] * 24, *[("sms", Outcome.DELIVERED)] * 9)
    await pressed.settled(*[("sms", Outcome.REFUSED)] * 1, *[("sms", Outcome.UNCERTAIN)] * 3)
    await pressed.settled(*[("email", Outcome.ACCEPTED)] * 31, *[("console", Outcome.DELIVERED)] * 2)
    house.clock.step(2.4)
    await pressed.received()


async def test_the_timeline_grows_without_a_reload(house: House, browser: Browser) -> None:
    """Each fact appears as it happens, and the big line never says more than is known."""
    async with living(house) as address, visiting(browser, address) as (_, page):
        await enter(page, address, house)
        pressed = await house.press()
        await page.get_by_role("link", name="B 204").click()
        await page.evaluate("window.kept = true")
        big = page.locator(".headline .big")
        await expect(big).to_have_text("NOT SENT YET")
        house.clock.step(0.412)
        await pressed.sent()
        await expect(big).to_have_text("SENT, NOTHING HAS ANSWERED YET")
        step = page.locator(".step.sent")
        await expect(step).to_contain_text("Sent over county")
        await expect(step).to_contain_text("+0.412")
        await pressed.received(level=ReceiptLevel.RADIO)
        await expect(page.locator(".step.machine")).to_contain_text("the PSAP has not confirmed")
        await expect(big).to_have_text("SENT, NOTHING HAS ANSWERED YET")
        house.clock.step(10)
        await pressed.unanswered()
        await expect(big).to_have_text("NOT ACKNOWLEDGED — CALL 911")
        await pressed.received()
        await expect(big).to_have_text("RECEIVED BY county, NO PERSON HAS ANSWERED")
        await pressed.acknowledged()
        await expect(big).to_have_text("ACKNOWLEDGED by a telecommunicator")
        await expect(page.locator(".step.human .word")).to_have_text("acknowledged by a human")
        await expect(page.locator(".responders")).to_have_count(0)
        await pressed.responders(ResponseStatus.ENROUTE)
        coming = page.locator(".responders .big")
        await expect(coming).to_have_text("Help is on the way (05:06:50)")
        await expect(page.locator(".responders .note")).to_have_text("The PSAP's system says so, over cad.")
        await pressed.responders(ResponseStatus.ONSCENE)
        await expect(coming).to_have_text("Responders on scene (05:06:50)")
        await expect(page.locator(".step.machine").last).to_contain_text("Responders on scene")
        await pressed.planned()
        await pressed.settled(("sms", Outcome.UNCERTAIN))
        await expect(page.locator("#notices")).to_contain_text("1 unknown")
        await expect(page.locator("#notices")).to_contain_text("0 delivered")
        assert await page.evaluate("window.kept")


async def test_steps_of_two_lanes_stand_in_the_order_in_which_they_happened(
    house: House, browser: Browser
) -> None:
    """A fact that arrives late takes its place, live as after a reload."""
    async with living(house) as address, visiting(browser, address) as (_, page):
        await enter(page, address, house)
        pressed = await house.press()
        await page.get_by_role("link", name="B 204").click()
        house.clock.step(5)
        await pressed.planned()
        await expect(page.locator("#steps")).to_contain_text("messages to send")
        house.clock.step(-3)
        await pressed.sent()
        await expect(page.locator("#steps")).to_contain_text("Sent over county")
        live = await page.locator("#steps .title").all_text_contents()
        await page.reload()
        assert live == await page.locator("#steps .title").all_text_contents()
        assert "Sent over county" == live[-2]


async def test_the_list_and_the_banner_are_live(house: House, browser: Browser) -> None:
    """A new incident, its state, and a silent alarm lane appear without a reload."""
    async with living(house) as address, visiting(browser, address) as (_, page):
        await enter(page, address, house)
        await expect(page.locator("#open")).to_have_text("No incident is open.")
        pressed = await house.press()
        await expect(page.locator("#open .card")).to_contain_text("NOT SENT YET")
        await pressed.unanswered()
        await expect(page.locator("#open .card.loud")).to_contain_text("NOT ACKNOWLEDGED — CALL 911")
        house.lane = LaneState(silent_for=6.0)
        await expect(page.locator("#banner")).to_contain_text("The alarm lane is silent")
        house.lane = LaneState()
        await expect(page.locator("#banner")).to_be_empty()


async def test_public_alerts_are_live_and_what_cannot_be_read_is_said(house: House, browser: Browser) -> None:
    """They come and go without a reload; a dead feed is never an empty list; without feeds there is no panel."""
    async with living(house) as address, visiting(browser, address) as (_, page):
        await enter(page, address, house)
        panel = page.locator("#alerts")
        await expect(panel).to_be_empty()
        house.nearby = AlertsNearby(troubles={"weather": "it has not been read yet"})
        await expect(panel).to_contain_text("weather cannot be read: it has not been read yet")
        await expect(panel).not_to_contain_text("No alert stands.")
        house.nearby = AlertsNearby(standing=[replace(TORNADO, headline="<b>Take cover</b>")])
        await expect(panel.locator(".alert")).to_contain_text("Tornado Warning")
        await expect(panel.locator(".alert")).to_contain_text("<b>Take cover</b>")
        await expect(panel).to_contain_text("A person decides what to do")
        await expect(panel.locator("button, a")).to_have_count(0)
        house.nearby = AlertsNearby()
        await expect(panel).to_contain_text("No alert stands.")


async def test_an_action_is_ordered_and_the_incident_closed_by_keyboard_alone(
    house: House, browser: Browser
) -> None:
    """Two deliberate acts each: open, then confirm. The focus is always visible."""
    async with living(house) as address, visiting(browser, address) as (_, page):
        await enter(page, address, house)
        pressed = await house.press()
        await expect(page.locator("#open .card")).to_be_visible()

        async def tab_to(text: str) -> None:
            for _ in range(40):
                await page.keyboard.press("Tab")
                focused = await page.evaluate("document.activeElement.textContent")
                if text in (focused or ""):
                    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                    assert "solid" == outline
                    return
            raise AssertionError(f"no way to {text} by keyboard")

        await tab_to("B 204")
        await page.keyboard.press("Enter")
        await expect(page.locator("#steps")).to_be_visible()
        await tab_to("Lock the room")
        await page.keyboard.press("Enter")
        await tab_to("Order lockdown now")
        assert [] == house.asked
        await page.keyboard.press("Enter")
        await expect(page.locator("#steps")).to_contain_text("Lockdown ordered")
        await expect(page.locator("#steps")).to_contain_text("by Ruth Adler")
        await tab_to("The incident is over")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await tab_to("Close the incident")
        await page.keyboard.press("Enter")
        await expect(page.locator(".headline .big")).to_have_text("CLOSED")
        await expect(page.locator(".orders")).to_be_hidden()

    assert [pressed.id, pressed.id] == [asked[1] for asked in house.asked]


async def test_everything_works_without_scripts(house: House, browser: Browser) -> None:
    """Sign-in, order and close are plain forms."""
    async with (
        living(house) as address,
        visiting(browser, address, java_script_enabled=False) as (_, page),
    ):
        await enter(page, address, house)
        pressed = await house.press()
        await until(lambda: pressed.id in house.page._live._stories)
        await page.goto(f"{address}/incidents/{pressed.id}")
        await page.locator("summary", has_text="Evacuate").click()
        await page.get_by_role("button", name="Order evacuate now").click()
        await until(lambda: house.asked)
        await until(lambda: house.page._live._stories[pressed.id].incident.action)
        await page.goto(f"{address}/incidents/{pressed.id}")
        await expect(page.locator("#head")).to_contain_text("Evacuate")


async def test_a_screen_that_lost_its_connection_takes_up_where_it_was(
    house: House, browser: Browser
) -> None:
    """What happened while it was away arrives afterwards, without a reload."""
    async with living(house) as address, visiting(browser, address) as (context, page):
        await enter(page, address, house)
        pressed = await house.press()
        await page.get_by_role("link", name="B 204").click()
        await page.evaluate("window.kept = true")
        await until(lambda: len(house.page.fanout) == 1)
        await context.set_offline(True)
        for screen in list(house.page.fanout._screens):
            screen.transport.abort()
            house.page.fanout.forget(screen)
        await pressed.sent()
        await pressed.acknowledged()
        await context.set_offline(False)
        await expect(page.locator(".headline .big")).to_have_text(
            "ACKNOWLEDGED by a telecommunicator", timeout=15_000
        )
        await expect(page.locator(".step.sent")).to_have_count(1)
        assert await page.evaluate("window.kept")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
async def test_every_page_fits_and_can_be_read(
    house: House, browser: Browser, width: str, scheme: str, tmp_path: Path
) -> None:
    """No sideways scrolling at any width, every control has a name, all text has contrast; pictures are kept."""
    size = {"width": WIDTHS[width][0], "height": WIDTHS[width][1]}
    folder = Path(os.environ.get("BELLTOWER_PICTURES", tmp_path))
    async with (
        living(house) as address,
        visiting(browser, address, viewport=size, color_scheme=scheme) as (_, page),
    ):
        await page.goto(address + house.setup)
        await seen(page, folder / f"setup-{width}-{scheme}.png")
        await enter(page, address, house)
        first = await house.press()
        await telling(house, first)
        second = await house.press("plc_gym", mode=Mode.EXERCISE, number=2)
        await second.sent()
        third = await house.press("plc_a101", number=3)
        await third.sent()
        house.clock.step(10)
        await third.unanswered()
        await second.responders(ResponseStatus.ASSIGNED)
        await third.responders(ResponseStatus.ONSCENE)
        house.messages = [
            ConsoleMessage(id="1", at=house.clock.now(), text="Lockdown. Lock the room.", mode=Mode.ACTUAL)
        ]
        house.nearby = AlertsNearby(
            standing=[TORNADO, replace(TORNADO, status="Test", event="Required Weekly Test", headline="")],
            troubles={"neighbours": "it does not answer in time"},
        )
        house.lane = LaneState(lost={"county": "no answer to three pings"})  # type: ignore[dict-item]
        await expect(page.locator("#open .card.loud")).to_be_visible()
        await page.reload()
        await seen(page, folder / f"list-{width}-{scheme}.png")
        await page.goto(f"{address}/incidents/{third.id}")
        await seen(page, folder / f"unanswered-{width}-{scheme}.png")
        await page.goto(f"{address}/incidents/{second.id}")
        await seen(page, folder / f"exercise-{width}-{scheme}.png")
        house.lane = LaneState()
        await first.acknowledged()
        await first.responders(ResponseStatus.ENROUTE)
        await page.goto(f"{address}/incidents/{first.id}")
        await expect(page.locator(".headline.answered")).to_be_visible()
        await expect(page.locator("#banner")).to_be_empty()
        await page.locator("summary", has_text="Lockdown").click()
        await seen(page, folder / f"incident-{width}-{scheme}.png")
        for narrow in (360, 320):
            await page.set_viewport_size({"width": narrow, "height": 700})
            assert await fits(page)


async def seen(page: Page, path: Path) -> None:
    """Judge the page as it stands, and take its picture."""
    assert await fits(page)
    assert [] == await faults(page)
    picture = await page.screenshot(path=path, full_page=True)
    assert 5_000 < len(picture)
