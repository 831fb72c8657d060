"""The demo, whole: every part a process of its own, driven from a browser."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Page, expect

from belltower.errors import SettingsError
from gateway.demo import DemoOptions, run_demo
from gateway.demo.parts import Parts
from gateway.demo.roster import take_roster
from tests.gateway.web.judging import faults, fits
from tests.peers.waiting import PATIENCE
from tests.servers.chromium import chromium

PASSWORD = "correct horse battery"
SLOW = 1_000 * PATIENCE


async def test_a_press_is_answered_and_read_on_every_screen(tmp_path: Path) -> None:
    """Press on the plan, see it live, answer as the county, read the phones, tell the families; then everything ends."""
    pictures = Path(os.environ.get("BELLTOWER_PICTURES", tmp_path))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.cli", "demo", "--json", "--port", "0", "--training-port", "0"),
        *("--folder", str(tmp_path / "demo"), "--students", "30"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(3 * PATIENCE):
            told = json.loads(await process.stdout.readline())
        async with chromium() as browser:
            context = await browser.new_context(viewport={"width": 1440, "height": 900})
            live, training = await context.new_page(), await context.new_page()
            await make_account(live, told["sign_in"])
            async with asyncio.timeout(PATIENCE):
                assert b"is in force" in await process.stderr.readline()
            await training.goto(told["training"])
            await expect(training.get_by_role("link", name="Open the live page")).to_be_visible()
            await expect(training.locator('[data-unit="u4"]')).not_to_have_class(
                "unit none away", timeout=SLOW
            )
            await training.locator('[data-unit="u4"]').click()
            await expect(training.locator('[data-unit="u4"]')).to_have_class("unit psap", timeout=SLOW)
            await live.locator("#open .card").click(timeout=SLOW)
            await expect(live.locator(".headline .big")).to_have_text(
                re.compile("RECEIVED BY county-[a-z]+, NO PERSON HAS ANSWERED"), timeout=SLOW
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
            await training.locator('[data-unit="d2"]').click()
            await expect(live.locator("#steps")).to_contain_text("Gym Kitchen", timeout=SLOW)
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
            await tell_families(live, f"{told['live']}/notices/new")
            await expect(training.locator(".reader", has_text="Another phone").first).to_be_visible(
                timeout=SLOW
            )
            await context.close()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE):
            rest = await process.stdout.read()
            code = await process.wait()

    assert (0, b"") == (code, rest)


async def test_two_demos_stand_side_by_side_and_nothing_outlives_them(tmp_path: Path) -> None:
    """Two are started at once; a killed county is started again; then one is killed and one loses its terminal."""
    demos = [await start_demo(tmp_path / name) for name in ("one", "two")]
    told = [json.loads(await said(demo)) for demo in demos]
    children = [pid for demo in demos for pid in below(demo.pid)]
    county = next(pid for pid in below(demos[0].pid) if "simulate county" in command_of(pid))
    try:
        os.kill(county, signal.SIGKILL)
        async with aiohttp.ClientSession() as session:
            await until(session, told[0]["training"], "Meanwhile alarms are NOT ACKNOWLEDGED", there=True)
            await until(session, told[0]["training"], "Meanwhile alarms are NOT ACKNOWLEDGED", there=False)
        children.extend(below(demos[0].pid))
        demos[0].send_signal(signal.SIGKILL)
        demos[1].send_signal(signal.SIGHUP)
        async with asyncio.timeout(PATIENCE):
            codes = [await demo.wait() for demo in demos]
            while left := [pid for pid in children if "gateway" in command_of(pid)]:  # noqa: ASYNC110 - not ours to hear
                await asyncio.sleep(0.1)
    finally:
        for demo in demos:
            if demo.returncode is None:
                demo.kill()

    assert 4 == len({told[number][page] for number in (0, 1) for page in ("training", "live")})
    assert ([-signal.SIGKILL, 0], []) == (codes, left)


async def start_demo(folder: Path) -> asyncio.subprocess.Process:
    """A demo with the ports everybody asks for."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.cli", "demo", "--json", "--folder", str(folder), "--students", "0"),
        stdout=asyncio.subprocess.PIPE,
        # Whoever runs the tests may do so under nohup.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )


async def said(process: asyncio.subprocess.Process) -> bytes:
    """The first line it prints."""
    assert process.stdout is not None
    async with asyncio.timeout(3 * PATIENCE):
        return await process.stdout.readline()


async def until(session: aiohttp.ClientSession, training: str, words: str, *, there: bool) -> None:
    """Wait until the training page says it, or says it no more."""
    async with asyncio.timeout(PATIENCE):
        while True:
            async with session.get(f"{training}/state") as answer:
                if there is (words in (await answer.json())["pieces"]["trouble"]):
                    return
            await asyncio.sleep(0.1)


def below(pid: int) -> list[int]:
    """The processes under this one."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(word) for task in tasks for word in task.read_text().split()]
    return [each for child in children for each in (child, *below(child))]


def command_of(pid: int) -> str:
    """The command line of a process; "" once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


async def make_account(page: Page, link: str) -> None:
    """Through the one-time link."""
    await page.goto(link)
    await page.get_by_label("Your name, as others read it").fill("Ruth Adler")
    await page.get_by_label("Sign-in name").fill("ruth")
    await page.get_by_label("Password, at least 10 characters").fill(PASSWORD)
    await page.get_by_label("The same password again").fill(PASSWORD)
    await page.get_by_role("button", name="Make the account and sign in").click()
    await expect(page.get_by_role("heading", name="Open incidents")).to_be_visible()


async def tell_families(page: Page, address: str) -> None:
    """Write to the families of the roster, and send it alone."""
    await page.goto(address)
    await page.get_by_label("Text", exact=True).select_option("families.lockdown.now")
    await page.get_by_label("Audience").select_option("families")
    await page.get_by_role("button", name="Look at it").click()
    await page.locator("summary", has_text="A second person looks").click()
    await page.get_by_role("button", name="Ask for the second person").click()
    await page.locator("summary", has_text="Alone").click()
    await page.get_by_role("radio").first.check()
    await page.get_by_role("button", name="people alone").click()
    await expect(page.locator("main")).to_contain_text("people were meant")


@pytest.mark.parametrize("folder", ["/proc/nothing-is-made-here", "/dev/null/demo"])
async def test_a_folder_in_which_no_state_can_be_kept_is_a_fault_of_the_option(folder: str) -> None:
    """Exit 78 with a mend, and no part is started."""
    options = DemoOptions(folder=Path(folder))

    with pytest.raises(SettingsError, match="--folder"):
        await run_demo(options, announce=lambda _: None, step=lambda _: None, remark=lambda _: None)


async def test_a_roster_that_is_not_taken_is_said_and_tried_again_at_the_next_start(tmp_path: Path) -> None:
    """What the command said last is passed on, nothing is raised, and nothing says that it was taken."""
    said = await take_roster(Parts(folder=tmp_path), tmp_path, tmp_path / "missing.toml", 1)

    assert said.startswith("The roster was not taken, and the demo goes on without families: Error:")
    assert not (tmp_path / "roster.zip").exists()
