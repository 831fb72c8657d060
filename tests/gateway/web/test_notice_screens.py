"""The pages of notices in a real browser: live without reload, at every width, in both schemes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from notify.delivery import State
from tests.gateway.web.house import House, living
from tests.gateway.web.judging import faults, fits
from tests.gateway.web.noticing import adult, noticing
from tests.gateway.web.test_screens import WIDTHS, enter, visiting
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
