"""The pages of disclosures in a real browser, at every width, in both schemes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, expect

from belltower.people.roster import HumanKind
from tests.gateway.web.disclosing import DISTRICT, disclosing
from tests.gateway.web.house import House, living
from tests.gateway.web.test_disclosures import THREAT, known
from tests.gateway.web.test_notice_screens import judged
from tests.gateway.web.test_screens import enter, visiting
from tests.servers.chromium import chromium


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with chromium() as made:
        yield made


async def test_records_are_opened_looked_at_and_ended(house: House, browser: Browser) -> None:
    """P13, P22: from the incident's page on; a name much like another's is marked where it was picked."""
    students = DISTRICT.of_kind(HumanKind.STUDENT)
    like = replace(students[1], given="Marina", family="Overstreet-Villanueva")
    other = replace(students[2], given="Marisa", family="Overstreet-Villanueva", schools=like.schools)
    changed = {human.key: human for human in (like, other)}
    await disclosing(
        house, replace(DISTRICT, humans=tuple(changed.get(one.key, one) for one in DISTRICT.humans))
    )
    async with living(house) as address, visiting(browser, address) as (_, page):
        await enter(page, address, house)
        pressed = await known(house)
        await page.goto(f"{address}/incidents/{pressed.id}")
        await page.get_by_role("link", name="Open records for somebody outside").click()
        await page.get_by_label("Agency").fill("Linden County Sheriff's Office")
        await page.get_by_label("What the person is there").fill("incident commander")
        await page.get_by_label("Safety emergency").check()
        await page.get_by_label("The threat").fill(THREAT)
        await page.get_by_label("Names and grade").check()
        await page.get_by_label("Whom to call").check()
        await page.get_by_label("School, class and room").check()
        await page.get_by_label("These students").fill(
            f"Marina Overstreet-Villanueva\n{students[5].given} {students[5].family}\nNobody Atall"
        )
        await page.get_by_role("button", name="Open it").click()
        await expect(page.get_by_role("alert")).to_contain_text("Name or number 3")
        await expect(page.get_by_label("Whom to call")).to_be_checked()
        await judged(page, "disclosure-fault")
        await page.get_by_label("These students").fill(
            f"Marina Overstreet-Villanueva\n{students[5].given} {students[5].family}"
        )
        await page.get_by_role("button", name="Open it").click()
        await expect(page.locator(".big")).to_contain_text("Open until")
        await expect(page.locator("main")).to_contain_text("Another student of the school has almost this")
        await page.get_by_role("button", name="Show them here").click()
        await expect(page.locator(".records")).to_contain_text("Overstreet-Villanueva")
        await expect(page.locator("main")).to_contain_text("Shown on the screen")
        await judged(page, "disclosure-shown")
        async with page.expect_download() as downloading:
            await page.get_by_role("button", name="Write all 2 to a file").click()
        assert (await (await downloading.value).path()).read_bytes().startswith(b"\xef\xbb\xbfEXEMPT")
        await page.goto(f"{address}/disclosures")
        await judged(page, "disclosures")
        await page.get_by_role("link", name="Linden County").click()
        await page.locator("summary", has_text="Before its time").click()
        await page.get_by_role("button", name="End it now").click()
        await expect(page.locator(".big")).to_contain_text("Ended by hand")
        await expect(page.get_by_role("button", name="Write all")).to_have_count(0)
        await judged(page, "disclosure-ended")
