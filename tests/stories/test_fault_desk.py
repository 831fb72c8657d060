"""The desk lane is dead, frozen or starved: the alarm lane's times stay as they were, in the same run."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.stories import harm
from tests.stories.harm import Levels
from tests.stories.house import House

PRESSES = 12
GENEROUS = 4.0
"""How many times as long a press may take; tests share their processors with others."""
SLACK = 0.15


async def typical(units: Levels) -> float:
    """The median of some presses, in seconds from the button to the unit's light."""
    took = []
    for number in range(PRESSES):
        took.append(await units.press(f"u{number % 4 + 1}"))
    return statistics.median(took)


@contextmanager
def hogs() -> Iterator[None]:
    """Two processes that burn all there is, as politely as a desk that plans ten thousand notices."""
    burning = [
        subprocess.Popen([sys.executable, "-c", "import os\nos.nice(10)\nwhile True: pass"]) for _ in "ab"
    ]
    try:
        yield
    finally:
        for one in burning:
            one.kill()
            one.wait()


async def test_nothing_that_befalls_the_desk_reaches_the_alarm_lane(tmp_path: Path) -> None:
    """Quiet, frozen, killed over and over, starved: press to light stays within the quiet time times four."""
    async with House(tmp_path, units=4) as house:
        await house.run()
        await house.connect_units()
        async with harm.levels(house) as units:
            await typical(units)
            quiet = await typical(units)

            house.signal("desk", signal.SIGSTOP)
            frozen = await typical(units)
            house.signal("desk", signal.SIGCONT)

            async def kill_and_kill() -> None:
                while True:
                    with suppress(AssertionError, ProcessLookupError):
                        house.signal("desk", signal.SIGKILL)
                    await asyncio.sleep(0.3)

            async with asyncio.TaskGroup() as group:
                killing = group.create_task(kill_and_kill())
                dead = await typical(units)
                killing.cancel()

            with hogs():
                starved = await typical(units)
        print(f"quiet {quiet:.4f} frozen {frozen:.4f} dead {dead:.4f} starved {starved:.4f} s")
        allowed = quiet * GENEROUS + SLACK
        assert max(frozen, dead, starved) <= allowed
        assert 5 * PRESSES == len(house.facts("alarm.raised"))

        # The desk comes back by itself and has it all.
        async def caught_up() -> bool:
            return 5 * PRESSES == len(house.facts("alarm.raised", desk=True, stream="alarm"))

        await house.lanes_up()
        await house.eventually(caught_up)


async def test_a_frozen_alarm_lane_is_said_loudly_on_the_page(tmp_path: Path) -> None:
    """I9: the page goes on showing what it knows, and tells everybody to use the telephone; then it is well again."""
    async with House(tmp_path, units=2) as house:
        await house.run()
        await house.connect_units()
        await house.sign_in()
        frozen = house.lane_pid("alarm")
        os.kill(frozen, signal.SIGSTOP)
        await harm.page_says(house, "The alarm lane is silent")
        os.kill(frozen, signal.SIGCONT)

        async def well() -> bool:
            return "The alarm lane is silent" not in await house.page("/")

        await house.eventually(well)

        # Killed, with nobody to start it again.
        house.daemon.send(signal.SIGSTOP)
        os.kill(frozen, signal.SIGKILL)
        await harm.page_says(house, "The alarm lane is silent")
        house.daemon.send(signal.SIGCONT)
        await house.eventually(well)
        await house.press("u1")
        await harm.shows(house, "u1", "psap")
