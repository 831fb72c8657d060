"""The page of devices in a real browser: the worst first, at every width, and honest when nobody answers."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from belltower.clock import SECOND, Instant
from belltower.errors import Unreachable
from gateway.intake.devices.health import DeviceHealth, Devices, OutputHealth, Unknown
from gateway.web.view import ago
from tests.gateway.web.house import START, House, living
from tests.gateway.web.judging import faults, fits
from tests.gateway.web.test_screens import WIDTHS, enter, visiting
from tests.servers.chromium import chromium

GOOD = {
    "cls": "panic",
    "profile": "zigbee2mqtt",
    "place": "plc_b204",
    "supervision": "strong",
    "heard": Instant(START - 300 * SECOND),
    "tested_at": START,
    "tested_place": "plc_b204",
    "battery": 88,
}
SITE = Devices(
    devices=(
        DeviceHealth(id="sos-b204", because="gw-hall-b", **GOOD),
        DeviceHealth(
            id="sos-gym", **{**GOOD, "battery": 12}, low=True, unproven="What sos-gym sends can be forged"
        ),
        *(DeviceHealth(id=f"sos-{n}", **GOOD) for n in range(11)),
    ),
    others=(
        DeviceHealth(id="mqtt", kind="path", profile="listener", lost=True, trouble="cannot listen"),
        DeviceHealth(id="belltower", kind="name", standing=("taken over",)),
    ),
    unknown=(
        Unknown(
            profile="shelly-gen2-input",
            address="shellyplus1-a8032abc7158",
            path="devices-hall",
            said="press",
            at=START,
            count=3,
        ),
    ),
    outputs=(
        OutputHealth(name="siren-gym", does="siren", device="siren-1", fault="no answer within 2 s"),
        OutputHealth(name="doors", does="relay"),
    ),
)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with chromium() as made:
        yield made


async def test_the_worst_devices_come_first_at_every_width(house: House, browser: Browser) -> None:
    """What is lost and with what, what calls nobody by itself, who is not of this campus."""
    house.devices = SITE
    async with living(house) as address, visiting(browser, address) as (_, page):
        await enter(page, address, house)
        await page.get_by_role("link", name="How the devices are").click()
        await expect(page.get_by_role("heading", name="Devices", exact=True)).to_be_visible()
        path, first, second, name = (page.locator(".device").nth(at) for at in range(4))
        await expect(path).to_contain_text("LOST, cannot listen")
        await expect(path).not_to_contain_text("never heard")
        await expect(name).to_contain_text("taken over")
        await expect(first).to_contain_text("NOT KNOWN: gw-hall-b is lost")
        await expect(first).to_contain_text("B 204")
        await expect(second).to_contain_text("battery low")
        await expect(second).to_contain_text("its press calls nobody without a person")
        await expect(page.locator("main")).to_contain_text("shellyplus1-a8032abc7158")
        in_order = [
            words.partition(" ")[0] for words in await page.locator(".device .what .soft").all_inner_texts()
        ]
        assert ["sos-2", "sos-9", "sos-10"] == [
            one for one in in_order if one in ("sos-2", "sos-9", "sos-10")
        ]
        await expect(page.get_by_role("heading", name="No trouble known")).to_be_visible()
        siren = page.locator(".device", has_text="siren-gym")
        await expect(siren).to_contain_text("no answer within 2 s")
        await expect(page.locator("main")).to_contain_text("1 did not do what it was told last")
        for name, (width, height) in WIDTHS.items():
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme=scheme)
                await page.set_viewport_size({"width": width, "height": height})
                assert await fits(page)
                assert [] == await faults(page)
                if folder := os.environ.get("SCREENSHOTS"):
                    await page.screenshot(path=Path(folder) / f"devices-{name}-{scheme}.png", full_page=True)
        house.refuse = Unreachable("silent")
        await page.reload()
        await expect(page.get_by_role("alert").first).to_contain_text("does not mean that they are in order")


def test_ago_is_said_in_one_unit() -> None:
    """Seconds, minutes, hours, days."""
    assert ["heard 5 s ago", "heard 5 min ago", "heard 3 h ago", "heard 2 days ago", "heard 0 s ago"] == [
        f"heard {ago(seconds * SECOND)}" for seconds in (5, 300, 10_800, 172_800, -5)
    ]
