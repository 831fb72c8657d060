"""The demo, whole: every part a process of its own, driven from a browser."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from playwright.async_api import Page, expect

from tests.gateway.web.judging import faults, fits
from tests.servers.chromium import chromium

PASSWORD = "correct horse battery"
SLOW = 30_000


async def test_a_press_is_answered_and_read_on_every_screen(tmp_path: Path) -> None:
    """Press on the plan, see it live, answer as the telecommunicator, read the phones; then everything ends."""
    pictures = Path(os.environ.get("BELLTOWER_PICTURES", tmp_path))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.cli", "demo", "--json", "--port", "0", "--training-port", "0"),
        *("--folder", str(tmp_path / "demo")),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(90):
            told = json.loads(await process.stdout.readline())
        async with chromium() as browser:
            context = await browser.new_context(viewport={"width": 1440, "height": 900})
            live, training = await context.new_page(), await context.new_page()
            await make_account(live, told["sign_in"])
            await training.goto(told["training"])
            await expect(training.get_by_role("link", name="Open the live page")).to_be_visible()
            await expect(training.locator('[data-unit="u4"]')).not_to_have_class(
                "unit none away", timeout=SLOW
            )
            await training.locator('[data-unit="u4"]').click()
            await expect(training.locator('[data-unit="u4"]')).to_have_class("unit psap", timeout=SLOW)
            await live.locator("#open .card").click(timeout=SLOW)
            await expect(live.locator(".headline .big")).to_have_text(
                "RECEIVED BY county, NO PERSON HAS ANSWERED", timeout=SLOW
            )
            await training.get_by_role("button", name="Acknowledge").click()
            await expect(live.locator(".headline .big")).to_have_text(
                "ACKNOWLEDGED by a telecommunicator", timeout=SLOW
            )
            await expect(training.locator('[data-unit="u4"]')).to_have_class(
                "unit telecommunicator", timeout=SLOW
            )
            await expect(training.locator(".reader .newest").first).to_be_visible(timeout=SLOW)
            await expect(live.locator("#notices")).to_contain_text("delivered", timeout=SLOW)
            await live.locator("summary", has_text="Lockdown").click()
            await live.get_by_role("button", name="Order lockdown now").click()
            await expect(live.locator("#steps")).to_contain_text("Lockdown ordered", timeout=SLOW)
            await training.locator(".reader", has_text="Maria Alder").locator("summary").click()
            await expect(training.locator(".reader[open] .said").first).to_contain_text("Lindenfield")
            await training.screenshot(path=pictures / "training-desk-light.png", full_page=True)
            await live.screenshot(path=pictures / "demo-live.png", full_page=True)
            await training.set_viewport_size({"width": 390, "height": 844})
            await training.screenshot(path=pictures / "training-phone-light.png", full_page=True)
            assert await fits(training)
            assert [] == await faults(training)
            await training.emulate_media(color_scheme="dark")
            await training.set_viewport_size({"width": 820, "height": 1180})
            assert [] == await faults(training)
            await training.screenshot(path=pictures / "training-tablet-dark.png", full_page=True)
            await context.close()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        async with asyncio.timeout(40):
            rest = await process.stdout.read()
            code = await process.wait()

    assert (0, b"") == (code, rest)


async def make_account(page: Page, link: str) -> None:
    """Through the one-time link."""
    await page.goto(link)
    await page.get_by_label("Your name, as others read it").fill("Ruth Adler")
    await page.get_by_label("Sign-in name").fill("ruth")
    await page.get_by_label("Password, at least 10 characters").fill(PASSWORD)
    await page.get_by_label("The same password again").fill(PASSWORD)
    await page.get_by_role("button", name="Make the account and sign in").click()
    await expect(page.get_by_role("heading", name="Open incidents")).to_be_visible()
