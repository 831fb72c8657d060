"""One incident, many roads, one acknowledgement: every kind of link at once to one county, and each of them failing."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.county import ends as county_ends
from tests.servers.ports import free_port
from tests.stories import harm
from tests.stories.house import House


def kiss(house: House) -> str:
    """The radio, by cable."""
    return f"""
[psap.links.kiss]
kind = "kiss"
url = "serial://{house.cable.near}"
from = "SCHOOL-1"
to = "PSAP"
key = {{ file = "{house.key}" }}
"""


def dc09(house: House) -> str:
    """The monitoring station."""
    return f"""
[psap.links.dc09]
kind = "dc09"
receivers = ["tcp://{house.ends["dc09"]}"]
account = "1234"
"""


def sip(house: House) -> str:
    """The emergency services' network."""
    return f"""
[psap.links.sip]
kind = "sip"
targets = ["tcp://{house.ends["sip"]}"]
from = "sip:school@lincoln.example"
"""


def modem(house: House) -> str:
    """Text messages."""
    return f"""
[psap.links.modem]
kind = "modem"
url = "tcp://{house.ends["modem"]}"
number = "+12065550111"
"""


def eido(house: House) -> str:
    """The dispatch system, which dials the school."""
    return f"""
[psap.links.eido]
kind = "eido"
element = "belltower.lincoln.example"
port = {EIDO_PORT}
subscribe_url = "{house.ends["eido"]}"
"""


def tetra(house: House) -> str:
    """Short data by TETRA."""
    return f"""
[psap.links.tetra]
kind = "tetra"
url = "tcp://{house.ends["tetra"]}"
to = "2345678"
"""


EIDO_PORT = free_port()
WRITTEN = {"kiss": kiss, "dc09": dc09, "sip": sip, "eido": eido, "modem": modem, "tetra": tetra}
ROADS: dict[str, Callable[[House], str]] = {
    name: road for name, road in WRITTEN.items() if name in county_ends.ENDS
}
"""The settings of each road, once the county says where its end is."""

ENDS = {
    "dc09": "127.0.0.1:0?account=1234",
    "sip": "127.0.0.1:0",
    "eido": f"127.0.0.1:0?school=ws://127.0.0.1:{EIDO_PORT}/IncidentData/Ent",
    "modem": "127.0.0.1:0",
    "tetra": "127.0.0.1:0",
}
"""Where the county opens each end; the radio's is the cable."""

FROZEN, REFUSING, GARBLING = ("silent",), ("negative", "busy"), ("half-frames", "noise", "cut", "wrong-id")


MENDING = {"dc09": 6.0, "modem": 12.0, "tetra": 12.0}
"""Seconds for which a road that failed may still be mending: who was not answered asks again first."""


def links(house: House) -> str:
    """Every road's settings."""
    return "".join(road(house) for road in ROADS.values())


@asynccontextmanager
async def school(folder: Path) -> AsyncIterator[House]:
    """The whole daemon with every road to one county, up and connected."""
    ends = ",".join(f"{name}={address}" for name, address in ENDS.items() if name in ROADS)
    options = ("--links", ends) if ends else ()
    async with House(folder, units=6, links=links, county_options=options) as house:
        await house.run()
        await house.connect_units()
        await house.sign_in()

        async def connected() -> bool:
            return not (await harm.status(house)).links_lost

        await house.eventually(connected)
        yield house


async def the_call(house: House, number: int, *, roads: set[str]) -> dict[str, Any]:
    """Call `number` as the county shows it, once these roads have brought it."""

    async def shown() -> dict[str, Any] | None:
        calls = {call["number"]: call for call in await house.calls()}
        return calls[number] if number in calls and roads <= set(calls[number]["roads"]) else None

    found: dict[str, Any] = await house.eventually(shown)
    return found


async def close(house: House, incident: str) -> None:
    """End the incident, as a person at the desk does."""
    page = await house.page(f"/incidents/{incident}")
    form = {
        "form": page.split('name="form" value="')[1].split('"')[0],
        "verb": page.split('name="verb" value="')[-1].split('"')[0],
        "reason": "over",
    }
    url = f"{house.url}/incidents/{incident}/close"
    async with house.session.post(url, data=form, headers={"Origin": house.url}) as answer:
        assert answer.status == 200, await answer.text()


def first_octets(house: House, call: str) -> dict[str, float]:
    """When the first octet of this call left on each link."""
    found: dict[str, float] = {}
    for fact in house.facts("call.sent"):
        if fact["call"] == call:
            found.setdefault(fact["link"], fact["at"])
    return found


async def sent_on(house: House, call: str, links: set[str]) -> dict[str, float]:
    """When the first octet left on each of these links, once it has."""

    async def all_sent() -> dict[str, float] | None:
        sent = first_octets(house, call)
        return {link: sent[link] for link in links} if links <= set(sent) else None

    found: dict[str, float] = await house.eventually(all_sent)
    return found


async def test_one_press_goes_down_every_road_and_one_person_ends_it(tmp_path: Path) -> None:
    """One call on the county's screen with every road; one acknowledgement, on every screen and at the unit."""
    async with school(tmp_path) as house:
        await house.press("u3")
        call = await the_call(house, 1, roads=set(ROADS))
        await harm.shows(house, "u3", "psap")
        incident = house.facts("incident.opened")[0]["incident"]
        await harm.page_says(house, "NO PERSON HAS ANSWERED", path=f"/incidents/{incident}")
        await house.acknowledge(1)
        await harm.shows(house, "u3", "telecommunicator")
        await harm.page_says(house, "ACKNOWLEDGED by a telecommunicator", path=f"/incidents/{incident}")

        (ordered,) = house.facts("call.ordered")
        (raised,) = house.facts("alarm.raised")
        sent = await sent_on(house, ordered["call"], set(ROADS))
        assert 1 == len(await house.calls())
        assert ("panic", "A Library") == (call["kind"], call["place"])
        assert [] == house.facts("call.unanswered")
        print({link: f"{(at - raised['at']) * 1000:.1f} ms" for link, at in sent.items()})


async def waits(house: House, numbers: Iterator[int], roads: set[str], *faulty: str) -> dict[str, float]:
    """One incident from the press to its end, while a road has a fault: how long the first octet waited on `roads`."""
    number = next(numbers)
    if faulty:
        await house.end_fault(*faulty)
    await house.press("u3")
    await the_call(house, number, roads=roads)
    ordered, raised = house.facts("call.ordered")[-1], house.facts("alarm.raised")[-1]
    sent = await sent_on(house, ordered["call"], roads)
    await house.acknowledge(number)
    await harm.shows(house, "u3", "telecommunicator")
    if faulty:
        await house.end_fault(faulty[0], "")
    await close(house, ordered["incident"])
    return {road: at - raised["at"] for road, at in sent.items()}


async def test_a_road_that_fails_holds_up_no_other(tmp_path: Path) -> None:
    """Each road frozen, refusing, garbling in turn: the first octet on all of the others within a second.

    A machine that is busy for a moment is late as well: who was late tries again, beside a round without a fault.
    """
    async with school(tmp_path) as house:
        ends = (await house.get(f"{house.county_url}/calls"))["ends"]
        rounds = [
            (road, fault)
            for faults in (FROZEN, REFUSING, GARBLING)
            for road in ROADS
            for fault in [next((fault for fault in faults if fault in ends[road]["faults"]), "")]
            if fault
        ]
        assert len(rounds) >= 2 * len(ROADS)
        slowest = (0.0, "", "")
        loop = asyncio.get_running_loop()
        numbers = itertools.count(1)
        well_at = dict.fromkeys(ROADS, 0.0)
        before = ""
        for failing, fault in rounds:
            timed = {road for road in ROADS if well_at[road] <= loop.time()} - {before, failing}
            waited = await waits(house, numbers, timed, failing, fault)
            for _ in range(2):
                if max(waited.values()) <= 1.0:
                    break
                usual = max((await waits(house, numbers, timed)).values())
                again = await waits(house, numbers, timed, failing, fault)
                waited = {road: min(waited[road], again[road] - usual) for road in timed}
            assert max(waited.values()) <= 1.0, (failing, fault, waited)
            slowest = max(
                slowest, *((seconds, road, f"{failing} {fault}") for road, seconds in waited.items())
            )
            well_at[failing] = loop.time() + MENDING.get(failing, 0.0)
            before = failing
        assert next(numbers) - 1 == len(await house.calls())
        print(
            f"{len(rounds)} rounds; the slowest first octet, its road, and what failed beside it: {slowest}"
        )
