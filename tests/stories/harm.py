"""What the field does to a house: full disks, refused writes, damaged files, and how a story looks at the result."""

from __future__ import annotations

import asyncio
import json
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from gateway.control import Batch, ControlClient, Status
from tests.peers.waiting import PATIENCE
from tests.servers import forked
from tests.stories.house import House


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own and of this size, mounted on `folder`; skips where one may not mount."""
    folder.mkdir()
    mount = shutil.which("mount")
    done = subprocess.run(
        [str(mount), "-t", "tmpfs", "-o", f"size={size},mode=700", "belltower-story", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"nothing may be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave not one free block on the disk of `folder`; deleting the file gives the room back."""
    path = folder / "somebody-elses-video"
    with suppress(OSError), path.open("ab", buffering=0) as file:
        while True:
            file.write(b"\0" * 65_536)
    with suppress(OSError), path.open("ab", buffering=0) as file:
        while True:
            file.write(b"\0" * 512)
    return path


def refuse_writes(pid: int) -> None:
    """From now on every write of this process to a file fails; sockets and terminals are as before."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))


def allow_writes(pid: int) -> None:
    """The disk is well again."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


def resident(pid: int) -> int:
    """Octets of memory the process holds."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no process {pid}")


def descriptors(pid: int) -> int:
    """Files and sockets the process holds open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def unplaced(house: House, tag: str, count: int) -> list[str]:
    """The ids of the first `count` facts of this tag that the alarm lane tells of without having recorded them."""
    found: list[str] = []
    async for message in ControlClient(path=house.state / "control.sock").follow(0):
        if isinstance(message, Batch):
            found += [row.id for row in message.entries if row.position == 0 and row.tag == tag]
        if len(found) >= count:
            break
    return found


def ids(house: House, tag: str, *, stream: str = "alarm", desk: bool = False) -> list[str]:
    """The ids of all facts of this tag in a lane's journal, in order."""
    database = house.state / ("desk.db" if desk else "alarm.db")
    reading = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        sql = "SELECT id FROM journal_entry WHERE stream = ? AND tag = ? ORDER BY position"
        return [row[0] for row in reading.execute(sql, (stream, tag))]
    finally:
        reading.close()


async def status(house: House) -> Status:
    """How the alarm lane is; it must answer."""
    found = await house.alarm_lane()
    assert found is not None
    return found


async def at_county(house: House, place: str, *, within: float = PATIENCE) -> None:
    """The county's screen shows a call from this place."""

    async def shown() -> bool:
        return any(call["place"].startswith(place) for call in await house.calls())

    await house.eventually(shown, within=within)


async def shows(house: House, unit: str, level: str, *, within: float = PATIENCE) -> None:
    """The unit shows this level."""

    async def shown() -> bool:
        return await house.unit_level(unit) == level

    await house.eventually(shown, within=within)


async def page_says(house: House, words: str, *, path: str = "/", within: float = PATIENCE) -> None:
    """A page of the desk has these words."""

    async def said() -> bool:
        return words in await house.page(path)

    await house.eventually(said, within=within)


async def command(*words: object) -> tuple[int, str]:
    """Run a command of the manual: its exit code, and all that it said."""
    process = await forked.start("gateway.cli", *words, stdout=forked.PIPE, stderr=subprocess.STDOUT)
    said, _ = await process.communicate()
    assert process.returncode is not None
    assert said is not None
    return process.returncode, said.decode(errors="replace")


async def take_roster(house: House, students: int) -> None:
    """Load a roster of nobody, with so many students; the desk lane puts it in force."""
    roster = house.folder / "roster.zip"
    for words in (("generate", roster, "--students", students), ("import", "-c", house.config, roster)):
        code, said = await command("roster", *words)
        assert code == 0, said


class Levels:
    """What the simulated units show, as they say it themselves, with the time: finer than asking them."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._came = asyncio.Condition()
        self.shown: list[tuple[float, str, str]] = []
        """When, which unit, which level."""

    async def listen(self) -> None:
        """For ever."""
        async for line in self._house.units.lines():
            told = json.loads(line)
            async with self._came:
                self.shown.append((asyncio.get_running_loop().time(), told["unit"], told["level"]))
                self._came.notify_all()

    async def press(self, unit: str, *, within: float = PATIENCE) -> float:
        """Press, and wait for the house's answer: the seconds it took."""
        seen = len(self.shown)
        began = asyncio.get_running_loop().time()
        await self._house.press(unit)
        async with asyncio.timeout(within), self._came:
            while True:
                for at, who, level in self.shown[seen:]:
                    if who == unit and level != "none":
                        return at - began
                seen = len(self.shown)
                await self._came.wait()


@asynccontextmanager
async def levels(house: House) -> AsyncIterator[Levels]:
    """The units of the house, listened to."""
    told = Levels(house)
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(told.listen())
        yield told
        listening.cancel()
