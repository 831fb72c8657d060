"""R24, R30: names cannot be resolved, and the clock steps; a press takes its way as if nothing were."""

from __future__ import annotations

import asyncio
import struct
import subprocess
from pathlib import Path

import pytest

from tests.servers.binaries import require
from tests.stories import harm
from tests.stories.house import House

HANGING_NAMES = """
import ipaddress, os, socket, time
_real = socket.getaddrinfo
def getaddrinfo(host, *details, **more):
    name = host.decode() if isinstance(host, bytes) else host
    try:
        ipaddress.ip_address(name or "127.0.0.1")
    except ValueError:
        with open(os.environ["STORY_NAMES"], "a") as asked:
            asked.write(f"{os.getpid()} {name}\\n")
        time.sleep(3600)
    return _real(host, *details, **more)
socket.getaddrinfo = getaddrinfo
"""

WRONG_CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile int64_t *offset;
__attribute__((constructor)) static void open_offset(void) {
    const char *path = getenv("STORY_CLOCK");
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0) return;
    void *page = mmap(0, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) offset = page;
    close(file);
}
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, at);
    if (!failed && id == CLOCK_REALTIME && offset) at->tv_sec += *offset;
    return failed;
}
int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    (void)zone;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return failed;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""

HOUR, YEAR = 3_600, 31_557_600


class StoryClock:
    """The daemon's wall clock, so many seconds beside the true one; its monotonic clock is untouched."""

    def __init__(self, folder: Path) -> None:
        self._offset = folder / "offset"
        self.step(0)
        source = folder / "clock.c"
        self.library = folder / "clock.so"
        source.write_text(WRONG_CLOCK)
        compiler = require("gcc")
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-o", self.library, source, "-ldl"],
            check=True,
            capture_output=True,
        )
        self.environment = {"LD_PRELOAD": str(self.library), "STORY_CLOCK": str(self._offset)}

    def step(self, seconds: int) -> None:
        """Be so far off from now on."""
        if not self._offset.exists():
            self._offset.write_bytes(struct.pack("<q", seconds))
        with self._offset.open("r+b") as file:
            file.write(struct.pack("<q", seconds))


async def test_r24_names_that_never_resolve_hold_up_no_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every look-up hangs, for a second link to the PSAP too; the first link has the call as fast as ever."""
    patch = tmp_path / "patch"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(HANGING_NAMES)
    asked = tmp_path / "asked"
    async with House(tmp_path, units=8) as house:
        house.configure()
        text = house.config.read_text().replace(house.carrier_url, "http://carrier.school.example:9")
        text = text.replace('host = "127.0.0.1"', 'host = "mail.school.example"')
        house.config.write_text(
            f"""{text}
[psap.links.second]
kind = "kiss"
url = "tcp://county.school.example:8001"
from = "SCHOOL-1"
to = "PSAP"
key = {{ file = "{house.key}" }}
"""
        )
        with monkeypatch.context() as environment:
            environment.setenv("PYTHONPATH", str(patch))
            environment.setenv("STORY_NAMES", str(asked))
            await house.run()
        await house.connect_units()
        alarm_lane = str(house.lane_pid("alarm"))

        async with harm.levels(house) as units:
            took = [await units.press(unit) for unit in ("u3", "u8")]
        await harm.at_county(house, "A Library")
        await harm.at_county(house, "B 201")
        await harm.shows(house, "u8", "psap")

        async def desk_asked() -> bool:
            return "mail.school.example" in asked.read_text() and "carrier.school" in asked.read_text()

        await house.eventually(desk_asked)
        # With the desk's senders all hanging the page answers, and presses go on.
        async with harm.levels(house) as units:
            took.append(await units.press("u4"))
        # A look-up that is waited for holds up every press, a busy machine does not.
        assert min(took) <= 1.0, took
        assert "Belltower" in await house.page("/sign-in")
        by_alarm_lane = {
            line.split()[1] for line in asked.read_text().splitlines() if line.startswith(f"{alarm_lane} ")
        }
        assert by_alarm_lane <= {"county.school.example"}


async def test_r30_a_stepped_clock_moves_no_timer_and_no_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour and ten years, either way, in the middle of alarms: same times, order by position, a sound chain."""
    clock = StoryClock(tmp_path)
    async with House(tmp_path, units=18) as house:
        with monkeypatch.context() as environment:
            for name, value in clock.environment.items():
                environment.setenv(name, value)
            await house.run()
        await house.connect_units()
        async with harm.levels(house) as units:
            steps = {"u3": 0, "u4": HOUR, "u5": -HOUR, "u8": 10 * YEAR, "u9": -10 * YEAR}
            for unit, offset in steps.items():
                clock.step(offset)
                await units.press(unit)
                await harm.shows(house, unit, "psap")

        # In the middle of an unanswered call, forward and back: loud at ten seconds by the monotonic clock.
        clock.step(0)
        await house.county_fault("silent")
        pressed = asyncio.get_running_loop().time()
        await house.press("u16")
        await harm.at_county(house, "Gym Floor")
        clock.step(10 * YEAR)
        assert [] == house.facts("call.unanswered")
        clock.step(-HOUR)

        async def unanswered() -> bool:
            return bool(house.facts("call.unanswered"))

        await house.eventually(unanswered)
        assert 9.0 <= asyncio.get_running_loop().time() - pressed
        await house.county_fault("")
        await harm.shows(house, "u16", "psap")
        await house.lanes_up()

        raised = house.facts("alarm.raised")
        assert [*steps, "u16"] == [fact["unit"] for fact in raised]
        first = raised[0]["at"]
        wrong = [round((fact["at"] - first) / HOUR) for fact in raised]
        assert [0, 1, -1, 10 * YEAR // HOUR, -10 * YEAR // HOUR, 0] == wrong
        code, said = await harm.command("verify", "--config", house.config)
        assert 0 == code, said
