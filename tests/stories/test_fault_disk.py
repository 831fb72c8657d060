"""The disk fails the alarm lane: a press goes out all the same, everybody is told, and it heals by itself."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from tests.stories.harm import (
    allow_writes,
    at_county,
    command,
    fill,
    ids,
    page_says,
    refuse_writes,
    shows,
    small_disk,
    status,
    unplaced,
)
from tests.stories.house import House

CANNOT = "What happens cannot be recorded"


async def pressed_without_a_disk(house: House, heal: Callable[[], object]) -> None:
    """Press while nothing can be written; then heal the disk, and find everything in the journal."""
    await house.county_fault("silent")
    before = ids(house, "alarm.raised")
    await house.press("u2")
    await at_county(house, "A Nurse")
    await shows(house, "u2", "relayed_only")
    await page_says(house, CANNOT)
    told = await unplaced(house, "alarm.raised", 1)
    state = await house.alarm_lane()
    assert state is not None
    assert "unrecorded" == state.trouble
    # The county has had the call; what it says now is heard and told although nothing can be written.
    await house.county_fault("")
    await shows(house, "u2", "psap")

    heal()

    async def healed() -> bool:
        state = await house.alarm_lane()
        return state is not None and not state.trouble

    await house.eventually(healed)
    assert [*before, *told] == ids(house, "alarm.raised")
    assert house.facts("recording.failed")
    assert house.facts("recording.restored")
    assert any("system" == receipt["level"] for receipt in house.facts("call.receipt"))
    await house.press("u3")
    await shows(house, "u3", "psap")

    async def banner_gone() -> bool:
        return CANNOT not in await house.page("/")

    await house.eventually(banner_gone)


async def test_r4_a_disk_that_refuses_every_write_stops_no_press(tmp_path: Path) -> None:
    """R4: neither journal nor spool takes a fact; the county has the call, and later the journal has it too."""
    async with House(tmp_path, units=3) as house:
        await house.run()
        await house.connect_units()
        await house.sign_in()
        pid = house.lane_pid("alarm")
        refuse_writes(pid)

        await pressed_without_a_disk(house, lambda: allow_writes(pid))

        assert pid == house.lane_pid("alarm"), "it healed without a restart"
        code, said = await command("verify", "--config", house.config)
        assert 0 == code, said


async def test_r5_a_full_disk_stops_no_press_nor_a_start(tmp_path: Path) -> None:
    """R5: with not a block left for either lane; even a lane killed meanwhile comes back and calls."""
    with small_disk(tmp_path / "var", "64m"):
        async with House(tmp_path, units=8) as house:
            await house.run()
            await house.connect_units()
            await house.sign_in()
            video = fill(house.state)
            # What was kept for such a day is used up first: presses are journaled as if nothing were.
            await house.press("u8")
            await shows(house, "u8", "psap")
            assert 1 == len(house.facts("alarm.raised"))
            while (await status(house)).trouble != "unrecorded":
                fill(house.state)
                await house.press("u8")
                await asyncio.sleep(0.05)

            await pressed_without_a_disk(house, video.unlink)

            code, said = await command("verify", "--config", house.config)
            assert 0 == code, said


async def test_r5_a_lane_killed_while_the_disk_is_full_comes_back_and_calls(tmp_path: Path) -> None:
    """R5: what was spooled is still there at the next start, and a start needs no free block."""
    with small_disk(tmp_path / "var", "64m"):
        async with House(tmp_path, units=8) as house:
            await house.run()
            await house.connect_units()
            video = fill(house.state)
            while (await status(house)).trouble not in {"failed", "unrecorded"}:
                fill(house.state)
                await house.press("u8")
                await asyncio.sleep(0.05)
            killed = house.lane_pid("alarm")
            house.signal("alarm", signal.SIGKILL)

            async def another() -> bool:
                state = await house.alarm_lane()
                return state is not None and killed not in house.daemon.children()

            await house.eventually(another)
            await house.press("u2")
            await at_county(house, "A Nurse")
            video.unlink()

            async def healed() -> bool:
                state = await house.alarm_lane()
                return state is not None and not state.trouble

            await house.eventually(healed)
            assert "u2" in [fact["unit"] for fact in house.facts("alarm.raised")]
