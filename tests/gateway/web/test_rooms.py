"""The roll call of rooms and the texts with them: what is said, what is shown, and nothing more."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from belltower.clock import Instant
from belltower.errors import Unreachable
from belltower.ids import FactId, PlaceId, StreamName, UnitId
from belltower.incident import facts
from belltower.incident.entry import Entry
from belltower.incident.facts import Action, RoomStatus
from belltower.incident.fold import Incident, fold
from gateway.web.rooms import Room, RoomText, roll_call
from tests.gateway.web.house import START, House, Pressed, living
from tests.gateway.web.judging import faults, fits
from tests.gateway.web.test_screens import WIDTHS, enter, visiting
from tests.servers.chromium import chromium

ROOMS = [
    Room(id=PlaceId(f"r{number}"), name=f"{'ABC'[number % 3]} {100 + number}", units=(UnitId(f"u{number}"),))
    for number in range(60)
]
INCIDENT = "inc_1"


def standing(*said: facts.Fact) -> Incident:
    entries = [
        Entry(
            stream=StreamName("alarm"),
            position=nth,
            id=FactId(f"fct_{nth}"),
            at=Instant(START + nth),
            subject=INCIDENT,
            fact=fact,
        )
        for nth, fact in enumerate(said, start=1)
    ]
    return fold(INCIDENT, entries)  # type: ignore[arg-type]


def called(*said: facts.Fact) -> tuple[dict[str, int], dict[str, tuple[str, ...]]]:
    """The numbers, and the words of the rooms in their order."""
    call = roll_call(standing(*said), ROOMS[:4], str)
    assert call is not None
    return {tile.kind: tile.count for tile in call.tiles if tile.count}, {
        line.key: line.kinds for line in call.lines
    }


def said(room: int | None, status: RoomStatus, count: int = 0) -> facts.StatusReported:
    place = None if room is None else PlaceId(f"r{room}")
    return facts.StatusReported(
        incident=INCIDENT, place=place, status=status, count=count, unit=UnitId(f"u{room or 99}")
    )


LOCKDOWN = facts.ActionOrdered(action=Action.LOCKDOWN)


def shown(room: int, ordered: int = 1) -> facts.OrderShown:
    return facts.OrderShown(
        incident=INCIDENT,
        unit=UnitId(f"u{room}"),
        action=Action.LOCKDOWN,
        ordered=FactId(f"fct_{ordered}"),
        path="mqtt",
        place=PlaceId(f"r{room}"),
    )


def missed(room: int, ordered: int = 1) -> facts.RoomNotReached:
    return facts.RoomNotReached(
        incident=INCIDENT,
        place=PlaceId(f"r{room}"),
        action=Action.LOCKDOWN,
        ordered=FactId(f"fct_{ordered}"),
    )


def test_nothing_ordered_and_nothing_said_is_no_roll_call() -> None:
    """No panel of zeros."""
    assert None is roll_call(Incident(id=INCIDENT), ROOMS, str)  # type: ignore[arg-type]


def test_rooms_stand_by_urgency_and_people_are_counted() -> None:
    """Who needs help first; a safe room with two injured is first of all a room with two injured."""
    numbers, rooms = called(
        LOCKDOWN,
        shown(0),
        said(0, RoomStatus.SAFE),
        said(1, RoomStatus.SAFE),
        said(1, RoomStatus.INJURED, 2),
        missed(2),
        said(None, RoomStatus.NEED_HELP),
    )

    assert {"need_help": 1, "injured": 2, "not_reached": 1, "no_word": 1, "safe": 2} == numbers
    assert ["?u99", "r1", "r2", "r3", "r0"] == list(rooms)


def test_a_late_confirmation_reaches_a_room_and_a_new_order_asks_anew() -> None:
    """Not reached is about the latest order alone."""
    assert {"no_word": 4} == called(LOCKDOWN, missed(0), shown(0))[0]
    assert {"no_word": 4} == called(LOCKDOWN, missed(0), LOCKDOWN)[0]
    assert {"no_word": 3, "not_reached": 1} == called(LOCKDOWN, shown(0), LOCKDOWN, missed(0, 3))[0]


def test_what_is_taken_back_is_not_counted() -> None:
    """A count of nought, and safe after a need of help."""
    assert {"no_word": 4} == called(LOCKDOWN, said(0, RoomStatus.INJURED, 2), said(0, RoomStatus.INJURED))[0]
    assert {"safe": 1, "no_word": 3} == called(
        LOCKDOWN, said(0, RoomStatus.NEED_HELP), said(0, RoomStatus.SAFE)
    )[0]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with chromium() as browser:
        yield browser


async def lockdown(house: House) -> Pressed:
    """Sixty rooms in a lockdown."""
    pressed = await house.press()
    await pressed.sent()
    await pressed.received()
    await house.say(pressed.id, LOCKDOWN)
    return pressed


async def reports(house: House, pressed: Pressed) -> None:
    """What they say."""
    ordered: list[FactId] = []
    while not ordered:  # on a slow disk it has its place a little later
        ordered = [
            entry.id
            for entry in await house.alarm.of(pressed.id)
            if isinstance(entry.fact, facts.ActionOrdered)
        ]

    def status(room: int, status: RoomStatus, count: int = 0) -> facts.StatusReported:
        return facts.StatusReported(
            incident=pressed.id,
            place=PlaceId(f"r{room}"),
            status=status,
            count=count,
            unit=UnitId(f"u{room}"),
        )

    house.clock.step(3)
    for room in range(56):
        confirmed = facts.OrderShown(
            incident=pressed.id,
            unit=UnitId(f"u{room}"),
            action=Action.LOCKDOWN,
            ordered=ordered[0],
            path="mqtt",
            place=PlaceId(f"r{room}"),
        )
        await house.say(pressed.id, confirmed)
    house.clock.step(15)
    for room in (58, 59):
        await house.say(
            pressed.id,
            facts.RoomNotReached(
                incident=pressed.id, place=PlaceId(f"r{room}"), action=Action.LOCKDOWN, ordered=ordered
            ),
        )
    await house.say(pressed.id, *[status(room, RoomStatus.SAFE) for room in range(34)])
    await house.say(
        pressed.id,
        status(40, RoomStatus.NEED_HELP),
        status(3, RoomStatus.INJURED, 2),
        status(41, RoomStatus.MISSING, 1),
        status(7, RoomStatus.EXTRA, 3),
    )
    house.texts = [
        RoomText(
            text="txt_1",
            said_at=house.clock.now(),
            incident=pressed.id,
            unit=UnitId("u41"),
            upward=True,
            words="One went to the nurse before the bell",
        ),
        RoomText(
            text="txt_2",
            said_at=house.clock.now(),
            incident=pressed.id,
            unit=UnitId("u41"),
            upward=False,
            words="The nurse has him. Stay where you are",
        ),
    ]
    await house.say(
        pressed.id,
        facts.TextHeard(unit=UnitId("u41"), text="txt_1", incident=pressed.id),
        facts.TextOrdered(unit=UnitId("u41"), text="txt_2", incident=pressed.id),
    )


async def test_the_roll_call_comes_alive_without_a_reload(house: House, browser: Browser) -> None:
    """W23: numbers, a filter that stays, texts, and a form that asks the alarm lane once."""
    house.names.with_units = ROOMS
    async with living(house) as address, visiting(browser, address) as (_, page):
        await enter(page, address, house)
        pressed = await house.press()
        await page.get_by_role("link", name="B 204").click()
        await expect(page.locator("#rollcall")).to_be_hidden()
        await house.say(pressed.id, LOCKDOWN)
        await expect(page.locator(".tile.no_word b")).to_have_text("60")
        await page.locator(".tile.injured").click()
        await expect(page.locator(".room:visible")).to_have_count(0)
        await reports(house, pressed)
        await expect(page.locator(".tile.injured b")).to_have_text("2")
        await expect(page.locator(".room:visible")).to_have_count(1)
        await page.locator(".tile.injured").click()
        await page.get_by_label("Find a room").fill("b 15")
        await expect(page.locator(".room:visible")).to_have_count(3)
        await expect(page.locator("#texts")).to_contain_text("One went to the nurse")
        await expect(page.locator("#texts .down")).to_contain_text("not confirmed yet")
        await house.say(pressed.id, facts.TextShown(unit=UnitId("u41"), text="txt_2", incident=pressed.id))
        await expect(page.locator("#texts .down")).to_contain_text("shown on the unit")
        await page.locator("summary", has_text="Show a short text").click()
        await page.locator('select[name="room"]').select_option("C 141")
        await page.locator('input[name="words"]').fill("Help is at the door")
        await page.get_by_role("button", name="Send the text").click()
        await expect(page.locator(".tile.safe b")).to_have_text("34")
        assert [(pressed.id, PlaceId("r41"), "Help is at the door")] == [
            asked[2:5] for asked in house.asked if asked[1] == "text"
        ]


async def test_a_page_without_the_alarm_lane_says_that_texts_cannot_be_read(
    house: House, browser: Browser
) -> None:
    """And shows everything else."""
    house.names.with_units = ROOMS
    async with living(house) as address, visiting(browser, address) as (_, page):
        await enter(page, address, house)
        pressed = await lockdown(house)
        await reports(house, pressed)
        house.refuse = Unreachable("the alarm lane is silent")
        await page.goto(f"{address}/incidents/{pressed.id}")
        await expect(page.locator("#texts")).to_contain_text("cannot be read now")
        await expect(page.locator(".tile.safe b")).to_have_text("34")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", sorted(WIDTHS))
async def test_the_roll_call_fits_every_width_and_scheme(
    house: House, browser: Browser, width: str, scheme: str
) -> None:
    """Nothing is cut off, everything can be read; BELLTOWER_SHOTS keeps a picture."""
    size = WIDTHS[width]
    house.names.with_units = ROOMS
    options = {"viewport": {"width": size[0], "height": size[1]}, "color_scheme": scheme}
    async with living(house) as address, visiting(browser, address, **options) as (_, page):
        await enter(page, address, house)
        pressed = await lockdown(house)
        await reports(house, pressed)
        await page.goto(f"{address}/incidents/{pressed.id}")
        await expect(page.locator(".tile.safe b")).to_have_text("34")
        await judged(page)
        if folder := os.environ.get("BELLTOWER_SHOTS"):
            shot = Path(folder) / f"rooms-{width}-{scheme}.png"
            await page.screenshot(path=shot, full_page=True)


async def judged(page: Page) -> None:
    """Readable, and within the screen."""
    assert [] == await faults(page)
    assert await fits(page)
