"""Debian's Chromium, headless, driven by playwright: one a process, and what a test opens in it is its own."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from playwright.async_api import Browser, Playwright, async_playwright, expect
from playwright.async_api import TimeoutError as Late

from tests.peers.waiting import PATIENCE
from tests.servers.binaries import require

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
]
expect.set_options(timeout=1_000 * PATIENCE)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser; what was opened in it is gone afterwards."""
    async with async_playwright() as playwright:
        browser = await _connected(playwright)
        try:
            yield browser
        finally:
            await browser.close()


async def _connected(playwright: Playwright) -> Browser:
    """The browser of this process; one that takes the connection and then says nothing is taken for another."""
    with suppress(Late):
        return await playwright.chromium.connect_over_cdp(_address(), timeout=500 * PATIENCE)
    _address.cache_clear()
    return await playwright.chromium.connect_over_cdp(_address(), timeout=1_000 * PATIENCE)


@functools.cache
def _address() -> str:
    """Where the browser of this process is spoken to. It starts at the first asking, and ends with this process."""
    folder = Path(tempfile.mkdtemp(prefix="chromium-"))
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", require("chromium"), *ARGUMENTS, f"--user-data-dir={folder}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def end() -> None:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    told = folder / "DevToolsActivePort"
    while not told.exists() or len(lines := told.read_text().split()) < 2:
        assert process.poll() is None, "chromium ended"
        time.sleep(0.02)
    return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
