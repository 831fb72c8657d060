"""The pages of notices in a real browser: live without reload, at every width, in both schemes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path
from typing import cast

import pytest
from playwright.async_api import Browser, Page, expect

from gateway.web.desk import Names
from gateway.web.ledger_view import sheet
from gateway.web.render import Renderer, assets
from gateway.web.store import Invitation
from notify.audience import AudienceRule
from notify.delivery import State
from notify.standing import Counts, Standing
from tests.gateway.web.house import House, living
from tests.gateway.web.judging import faults, fits
from tests.gateway.web.noticing import adult, noticing
from tests.gateway.web.test_screens import PASSWORD, WIDTHS, enter, visiting
from tests.servers.chromium import chromium

STAFF = tuple(
    adult(number, place="plc_b204" if number % 3 else "plc_gym", name=name)
    for number, name in enumerate(
        [
            "Ada Okafor",
            "Jonas Weber",
            "Mei Lin",
            "Ruth Fir",
            "Sam Hazel",
            "Ines Holly",
            "Leo Juniper",
            "Nina Maple",
            "Karl Oak",
            "Rosa Olive",
            "Tom Birch",
            "June Cedar",
        ],
        start=1,
    )
)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with chromium() as made:
        yield made


async def judged(page: Page, name: str) -> None:
    """At every width and in both schemes nothing overflows, is nameless or faint."""
    for width_name, (width, height) in WIDTHS.items():
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            await page.set_viewport_size({"width": width, "height": height})
            assert await fits(page)
            assert [] == await faults(page)
            if folder := os.environ.get("SCREENSHOTS"):
                await page.screenshot(path=Path(folder) / f"{name}-{width_name}-{scheme}.png", full_page=True)


async def test_a_ledger_lives_and_can_be_read_everywhere(house: House, browser: Browser) -> None:
    """A callback shows without reload; W14, W23."""
    async with (
        noticing(house, *STAFF) as school,
        living(house) as address,
        visiting(browser, address) as (_, page),
    ):
        await enter(page, address, house)
        notice = await school.order()
        await school.settled(notice, 12)
        await page.get_by_role("link", name="Notices").click()
        await page.get_by_role("link", name="Staff notice").click()
        first, second = (page.locator(".tile b").nth(at) for at in range(2))
        await expect(first).to_have_text("12")
        for number in (1, 2, 3, 4, 5):
            await school.learned(f"staff-{number:05}", State.DELIVERED)
        await expect(second).to_have_text("5")
        await expect(first).to_have_text("7")
        await expect(page.get_by_role("listitem").filter(has_text="G Gym")).to_contain_text("3 of 4")
        await judged(page, "ledger")
        await page.goto(f"{address}/notices")
        await judged(page, "notices")


async def test_a_notice_is_written_looked_at_tried_and_let_go_by_two(house: House, browser: Browser) -> None:
    """By keyboard-reachable controls only, at every width; the second person is somebody else."""
    families = tuple(
        adult(
            100 + number, role="guardian", language="es" if number % 3 == 0 else "", name=f"Guardian {number}"
        )
        for number in range(9)
    )
    everyone = AudienceRule(roles=frozenset({"guardian"}))
    testers = AudienceRule(roles=frozenset({"staff"}))
    async with (
        noticing(house, *STAFF, families=families, all_families=everyone, test_group=testers) as school,
        living(house) as address,
        visiting(browser, address) as (_, page),
    ):
        await enter(page, address, house)
        await page.goto(f"{address}/notices")
        await page.get_by_role("link", name="Write a notice").click()
        await page.get_by_label("Text", exact=True).select_option("families.lockdown.now")
        await page.get_by_label("Why").select_option("weapon")
        await page.get_by_label("Next update").select_option("15")
        await page.get_by_label("Audience").select_option("all_families")
        await judged(page, "notice-new")
        await page.get_by_role("button", name="Look at it").click()
        await expect(page.locator(".big")).to_have_text("Not sent")
        await expect(page.locator(".facts")).to_contain_text("9")
        await expect(page.locator(".text").first).to_contain_text("Lindenhof")
        await judged(page, "notice-draft")
        await page.locator("summary", has_text="Try").click()
        await page.get_by_label("Test group").select_option("test_group")
        await page.get_by_role("button", name="Send a test").click()
        await expect(page.locator(".hatched").first).to_contain_text("EXERCISE")
        await expect(page.locator("main")).to_contain_text("12 people were meant")
        await page.go_back()
        await page.locator("summary", has_text="A second person looks").click()
        await page.get_by_role("button", name="Ask for the second person").click()
        await expect(page.locator(".big")).to_have_text("Waits for a second person")
        await expect(page.get_by_role("button", name="Send to 9 people now")).to_have_count(0)
        await judged(page, "notice-waiting")
        assert [] == [body for _, body in school.carrier.sent if "EXERCISE" not in body]
        async with visiting(browser, address) as (_, other):
            await other.goto(address + await house.page.invite(Invitation(role="office")))
            await other.get_by_label("Your name, as others read it").fill("Tom Birch")
            await other.get_by_label("Sign-in name").fill("tom")
            await other.get_by_label("Password, at least 10 characters").fill(PASSWORD)
            await other.get_by_label("The same password again").fill(PASSWORD)
            await other.get_by_role("button", name="Make the account and sign in").click()
            await other.goto(f"{address}/notices")
            await judged(other, "notices-waiting")
            await other.get_by_role("link", name="Waits for a second person").click()
            await judged(other, "notice-second")
            await other.get_by_role("button", name="Send to 9 people now").click()
            await expect(other.locator("main")).to_contain_text("let go by Tom Birch")
            await expect(other.locator("main")).to_contain_text("9 people were meant")
        live = [body for _, body in school.carrier.sent if "EXERCISE" not in body]

    assert 9 == len(live)


async def test_sending_alone_is_loud_for_ever(house: House, browser: Browser) -> None:
    """On the notice and in the list; a choice that cannot be sent comes back with what was chosen."""
    everyone = AudienceRule(roles=frozenset({"guardian"}))
    family = adult(100, role="guardian")
    async with (
        noticing(house, families=(family,), all_families=everyone),
        living(house) as address,
        visiting(browser, address) as (_, page),
    ):
        await enter(page, address, house)
        await page.goto(f"{address}/notices/new")
        await page.get_by_label("Text", exact=True).select_option("families.shelter.exercise")
        await page.get_by_label("Audience").select_option("all_families")
        await page.get_by_role("button", name="Look at it").click()
        await expect(page.get_by_role("alert")).to_contain_text("No drill runs")
        await expect(page.get_by_label("Text", exact=True)).to_have_value("families.shelter.exercise")
        await page.get_by_label("Text", exact=True).select_option("families.shelter.now")
        await page.get_by_role("button", name="Look at it").click()
        await page.locator("summary", has_text="A second person looks").click()
        await page.get_by_role("button", name="Ask for the second person").click()
        await page.locator("summary", has_text="Send it without").click()
        await page.get_by_label("No second person could be reached").check()
        await page.get_by_role("button", name="Send to 1 people alone").click()
        await expect(page.locator("main .trouble")).to_contain_text("Sent without a second person")
        await expect(page.locator("main")).to_contain_text("people were meant")
        await judged(page, "notice-alone")
        await page.goto(f"{address}/notices")
        await expect(page.locator("main")).to_contain_text("no second person could be reached")


async def test_no_number_is_broken_on_a_narrow_telephone(browser: Browser) -> None:
    """A count stays in one piece beside however long a reason; so does a way out beside its sum, at 360 pixels."""
    standing = Standing(whole=Counts())
    rows = [
        (f"d{n}", f"p{n}", "voice", "calls", "+1555010", "refused", "too_late", 0, f"m{n}")
        for n in range(2_539)
    ]
    standing.add(rows, {})
    names = cast("Names", None)
    found = sheet(standing, names=names, people={}, called={}, missing=[], left="", as_of="14:05:09")
    version, static = assets()
    html = Renderer(zone=UTC, version=version).part("ledger_parts.html", "sheet", found, "ntc_1")
    reason = "the person has stopped messages to this address, and somebody left it unsent"
    line = f'<ul class="plainlist"><li><span class="count"><b class="mono">539</b> {reason}</span></li></ul>'
    page = await browser.new_page(viewport={"width": 360, "height": 800})
    style = static["page.css"].body.decode()
    await page.set_content(f"<style>{style}</style><main id=main><div class=ledger>{html}{line}</div></main>")
    broken = await page.evaluate(
        "[...document.querySelectorAll('.count > b, .whole')].filter("
        "one => one.offsetHeight > 1.8 * parseFloat(getComputedStyle(one).fontSize)).map(one => one.textContent)"
    )

    assert [] == broken
    assert await fits(page)
    assert "2539 in all" in html
