"""The county's page and its HTTP interface: what a person sees and does for every road at once."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest

from belltower.errors import SettingsError, Unreachable
from gateway.county import CountyOptions, Fault, run_county
from gateway.county.end import COMMON
from gateway.county.running import Answering
from gateway.county.screen import HeardCall, Screen
from gateway.county.steering import Steering, set_fault
from tests.peers.waiting import PATIENCE, everybody_rests
from tests.servers.chromium import chromium


class PaperEnd:
    """An end without a wire: the test itself says what it hears."""

    def __init__(self, name, faults=("silent", "late")):
        self.name = name
        self.address = f"127.0.0.1:{len(name)}"
        self.ready = asyncio.Event()
        self.ready.set()
        self.fault = None
        self.faults = {fault: COMMON[fault] for fault in faults}

    async def run(self, screen):
        await asyncio.Event().wait()


@asynccontextmanager
async def county():
    """A screen with two roads, served on a free port."""
    screen = Screen(now=asyncio.get_running_loop().time)
    steering = Steering(
        screen=screen, ends={"dc09": PaperEnd("dc09"), "sip": PaperEnd("sip", faults=("silent", "busy"))}
    )
    port = await steering.serve(0)
    try:
        yield screen, steering, f"http://127.0.0.1:{port}"
    finally:
        await steering.close()


def heard(end="dc09", number=7, **more):
    return HeardCall(
        end=end, number=number, key="AAAAAAAA", kind="panic", place="B 204", building="B", **more
    )


async def test_a_person_answers_by_http():
    """Acknowledge, read back, status; what is not there or not possible is said."""
    async with county() as (screen, _, base), aiohttp.ClientSession() as http:
        screen.show(heard())
        screen.show(heard(end="sip"))
        for path, body, status in [
            ("/calls/7/read-back", {}, 400),
            ("/calls/7/acknowledge", {"by": "T4"}, 200),
            ("/calls/7/status", {"status": "enroute"}, 200),
            ("/calls/7/status", {"status": "asleep"}, 400),
            ("/calls/8/acknowledge", {}, 404),
        ]:
            async with http.post(base + path, json=body) as answer:
                assert (path, status) == (path, answer.status)
        screen.cancel("sip", 7)
        async with http.post(f"{base}/calls/7/read-back", json={"by": "T5"}) as answer:
            assert "cancelled" == (await answer.json())["state"]
        async with http.get(f"{base}/calls") as answer:
            told = await answer.json()

        assert ["dc09", "sip"] == list(told["calls"][0]["roads"])
        assert {"dc09", "sip"} == set(told["ends"])


async def test_only_pages_of_this_machine_may_ask():
    """Neither by another name for 127.0.0.1 nor from another page."""
    async with county() as (screen, _, base), aiohttp.ClientSession() as http:
        screen.show(heard())
        for headers in ({"Host": "county.example"}, {"Origin": "http://elsewhere.example"}):
            async with http.post(f"{base}/calls/7/acknowledge", headers=headers) as answer:
                assert 403 == answer.status
        assert "new" == screen.calls[7].state


async def test_events_tell_everything_once_and_then_what_changed():
    """A call that changes ten times in a moment is told once."""
    async with county() as (screen, _, base), aiohttp.ClientSession() as http:
        screen.show(heard(number=1))
        async with asyncio.timeout(PATIENCE), http.get(f"{base}/events") as stream:

            async def event():
                name = (await stream.content.readline()).decode().strip()
                data = json.loads((await stream.content.readline())[6:])
                await stream.content.readline()
                return name, [call["number"] for call in data["calls"]]

            assert ("event: all", [1]) == await event()
            for _ in range(10):
                screen.show(heard(number=2))
            assert ("event: some", [2]) == await event()
            async with http.post(f"{base}/fault", json={"end": "sip", "fault": "busy"}) as answer:
                assert 200 == answer.status
            assert ("event: some", []) == await event()


def test_a_fault_goes_to_the_end_that_is_named_or_to_all_that_know_it():
    """With "" all is right again; an unknown end or fault is refused with those there are."""

    async def faults():
        ends = {"dc09": PaperEnd("dc09"), "sip": PaperEnd("sip", faults=("silent", "busy"))}
        seen = []
        for name, text in [("sip", "busy"), ("", "silent"), ("dc09", "late=2"), ("", "")]:
            set_fault(ends, name, text)
            seen.append([end.fault for end in ends.values()])
        return seen, ends

    (one, both, late, none), ends = asyncio.run(faults())
    assert [None, Fault(name="busy")] == one
    assert [Fault(name="silent")] * 2 == both
    assert [Fault(name="late", value=2.0), Fault(name="silent")] == late
    assert [None, None] == none
    for name, text, words in [
        ("fax", "silent", "dc09, sip"),
        ("dc09", "busy", "silent, late"),
        ("", "x", "busy"),
    ]:
        with pytest.raises(SettingsError, match=words):
            set_fault(ends, name, text)


async def test_a_telecommunicator_may_answer_unasked():
    """Each call once, also one whose number began again; one that a person took before is left alone."""
    screen = Screen(now=asyncio.get_running_loop().time)
    screen.watch(Answering(screen=screen, after=0.0))
    screen.show(HeardCall(end="kiss", number=9, presses=((1, 3),)))
    screen.show(heard())
    screen.show(heard(end="sip"))
    screen.show(heard(number=8))
    screen.acknowledge(8, "T9")
    await everybody_rests()

    assert ("acknowledged", "T1") == (screen.calls[7].state, screen.calls[7].by)
    assert ("T9", "new") == (screen.calls[8].by, screen.calls[9].state)


@pytest.mark.parametrize(
    ("links", "more", "words"),
    [
        ({}, {}, "at least one end"),
        ({"fax": "x"}, {}, 'no end "fax"'),
        ({"kiss": "tcp://127.0.0.1:1"}, {}, "--key-file kiss=PATH"),
        ({"kiss": "tcp://127.0.0.1:1"}, {"key_files": {"dc09": "x"}}, "--links names no such end"),
    ],
)
async def test_what_cannot_be_run_is_refused_before_it_starts(links, more, words):
    """With what to write instead."""
    with pytest.raises(SettingsError, match=words):
        await run_county(CountyOptions(links=links, **more), announce=print)


async def test_a_port_that_is_taken_is_named():
    """It ends at once instead of waiting."""
    async with county() as (_, _, base):
        screen = Screen(now=asyncio.get_running_loop().time)
        with pytest.raises(Unreachable, match="port"):
            await Steering(screen=screen, ends={}).serve(int(base.rpartition(":")[2]))


async def test_the_page_is_used_with_the_keyboard_and_fits_a_phone(tmp_path):
    """A call appears by itself with its roads, is acknowledged by a key, and is told to the ends; nothing is cut off."""
    async with county() as (screen, _, base), chromium() as browser:
        told = []
        screen.follow(told.append, end="sip")
        screen.show(heard())
        page = await browser.new_page(viewport={"width": 360, "height": 740})
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        await page.goto(base)
        await page.get_by_role("button", name="Acknowledge").wait_for()
        screen.show(heard(end="sip"))
        await page.get_by_text("sip +").wait_for()
        await page.keyboard.press("a")
        assert "new" == screen.calls[7].state  # no call has the focus yet
        await page.keyboard.press("j")
        await page.keyboard.press("a")
        await page.get_by_role("button", name="En route").wait_for()
        await page.get_by_role("button", name="En route").click()
        await page.locator("button[aria-pressed=true]").wait_for()
        screen.cancel("sip", 7)
        await page.get_by_role("button", name="Read back").click()
        await page.get_by_text("Cancelled, read back").wait_for()
        wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")

        assert [] == faults
        assert wide <= 0
        assert ["Acknowledged", "Status", "ReadBack"] == [type(event).__name__ for event in told]
