"""Being told on a device, in a real browser: asked for by keyboard, shown by the service worker, heard by a tap."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, Page, expect

from belltower.clock import SystemClock
from belltower.incident.facts import Mode
from belltower.people.vault import Vault, new_ring
from belltower.values import Secret
from notify.browsers import Browsers
from notify.channels.push_web import WebPush, public_key
from notify.provider import Provider
from notify.settings import WebPushSettings
from notify.taps import Taps, believing, proving
from tests.gateway.web.house import House, living
from tests.gateway.web.noticing import noticing
from tests.gateway.web.test_notice_screens import judged
from tests.gateway.web.test_screens import enter, visiting
from tests.peers.push import browser as pushed
from tests.peers.push import push_service, sender_key
from tests.servers.chromium import chromium

# Offline a browser has no push service of its own: this one gives out what the test's browser would.
SUBSCRIBES = """
PushManager.prototype.getSubscription = async () => {
  const text = localStorage.getItem("subscribed");
  if (!text) return null;
  return {
    endpoint: JSON.parse(text).endpoint,
    toJSON: () => JSON.parse(text),
    unsubscribe: async () => { localStorage.removeItem("subscribed"); return true; },
  };
};
PushManager.prototype.subscribe = async function ({ userVisibleOnly, applicationServerKey }) {
  if (!userVisibleOnly || applicationServerKey.length !== 65) throw new TypeError("not as browsers want it");
  localStorage.setItem("subscribed", JSON.stringify(SUBSCRIPTION));
  return this.getSubscription();
};
"""
TAP = """async (delivery) => {
  self.clients.openWindow = async (url) => { self.opened = url; };
  const [notification] = await self.registration.getNotifications();
  self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
}"""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with chromium() as made:
        yield made


async def press(page: Page, name: str) -> None:
    """By keyboard alone."""
    await page.get_by_role("button", name=name).focus()
    await page.keyboard.press("Enter")


async def test_a_device_is_told_and_its_tap_is_heard(house: House, browser: Browser) -> None:
    """From the button to the acknowledgement; a tap without the delivery's own proof is nothing."""
    to, vault = pushed(), Vault(ring=new_ring())
    settings = WebPushSettings(
        private_key=Secret(sender_key()), contact="mailto:it@school.example", services=("127.0.0.1",)
    )
    browsers = Browsers(
        database=house.database, vault=vault, services=settings.services, clock=house.clock, plain=True
    )
    await browsers.open()
    house.browsers = (browsers, public_key(settings))
    channel = WebPush(
        settings=settings, clock=SystemClock(), plain=True, proof=proving(vault), gone=browsers.gone
    )
    async with (
        push_service(to) as endpoint,
        noticing(house, more=[Provider(channel=channel, given_name="push")]) as school,
    ):
        taps = Taps(proofs=believing(vault), heard=school.room.hearing.acknowledge)
        house.machine_routes = taps.routes()
        async with living(house) as address, visiting(browser, address) as (context, page):
            await context.grant_permissions(["notifications"], origin=address)
            await context.add_init_script(SUBSCRIBES.replace("SUBSCRIPTION", to.address(endpoint)))
            await enter(page, address, house)
            await page.goto(f"{address}/notices")
            await page.get_by_role("link", name="Tell me on this device").click()
            await expect(page.get_by_role("status").last).to_have_text("This device is not told.")
            await judged(page, "push-begin")
            await press(page, "Tell me on this device")
            await expect(page.locator("#push-state")).to_have_text("This device is told.")
            await judged(page, "push-end")
            school.site = replace(school.site, people=browsers.told(school.site.people, house.names.person))
            notice = await school.order(mode=Mode.EXERCISE)
            await school.settled(notice, 1)
            ((said, _),) = to.shown
            assert "EXERCISE" in said["body"]

            await page.evaluate("() => navigator.serviceWorker.ready.then(() => null)")
            (worker,) = context.service_workers
            await delivered(page, address, said)
            shown = await worker.evaluate(
                "async () => (await self.registration.getNotifications()).map((one) => [one.title, one.body])"
            )
            assert [[said["title"] or "Belltower", said["body"]]] == shown

            async with aiohttp.ClientSession() as stranger:
                url = f"{address}/notices/push/heard/{said['delivery']}"
                for body, status in ((b"", 413), (b"x" * 100, 413), (b"0" * 32, 403)):
                    async with stranger.post(url, data=body) as answer:
                        assert status == answer.status
            assert 0 == await acknowledged(house)
            async with context.expect_event(
                "response", lambda response: "/notices/push/heard/" in response.url
            ) as tapped:
                await worker.evaluate(TAP)
            assert 204 == (await tapped.value).status
            assert 0 < await acknowledged(house)
            assert f"{address}/notices/{notice}" == await worker.evaluate("self.opened")

            await press(page, "Tell this device no more")
            await expect(page.locator("#push-state")).to_have_text("This device is not told.")
            assert {} == browsers.told({}, house.names.person)


async def delivered(page: Page, address: str, said: dict) -> None:
    """What the push service would hand to the browser, handed to it."""
    tools = await page.context.new_cdp_session(page)
    found: list[str] = []
    tools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: found.extend(one["registrationId"] for one in told["registrations"]),
    )
    await tools.send("ServiceWorker.enable")
    while not found:
        await page.evaluate("() => new Promise((resolve) => requestAnimationFrame(() => resolve(null)))")
    await tools.send(
        "ServiceWorker.deliverPushMessage",
        {"origin": address, "registrationId": found[0], "data": json.dumps(said)},
    )


async def acknowledged(house: House) -> int:
    """When the one delivery was."""
    ((at,),) = await house.database.read("SELECT acknowledged_at FROM notice_delivery")
    return int(at)
