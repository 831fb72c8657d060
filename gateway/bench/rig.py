"""A house to measure: its folder, and its lanes as processes. `wires.py` holds the other ends."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import sys
import tempfile
import tty
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from belltower.errors import Unreachable
from gateway.bench.figure import Figure
from gateway.control import ControlClient, Status
from hardware.codecs import unit as codec
from hardware.codecs.unit import site_tag
from hardware.unit_keys import write_keys

SITE = "bench"
SCHOOL, PSAP = "SCHOOL-1", "PSAP"
PATIENCE = 60.0
"""Seconds for a process to come up, and for anything that must happen at all."""

_SITE = f"""\
id = "{SITE}"
name = "Bench School"
campus = "Bench"
timezone = "UTC"
"""
_RESPONSE = """\
action = [{ template = "staff-action", audience = "all-staff" }]
closed = [{ template = "staff-closed", audience = "team" }]
[panic]
notices = [{ template = "staff-alarm", audience = "team" }]
[medical]
notices = [{ template = "staff-alarm", audience = "team" }]
"""
_PERSON = """\
[[person]]
id = "p{0}"
name = "Person {0}"
roles = {1}
contact = [{{ kind = "sms", address = "+1555{0:07}" }}]
"""


class Plan:
    """What a measured house has; `write` puts it into a folder."""

    def __init__(self, folder: Path, *, units: int = 20, buildings: int = 3, people: int = 5) -> None:
        self.folder = folder
        self.units = units
        self.buildings = buildings
        self.people = people
        self.config = folder / "config.toml"
        self.state = folder / "var"
        self.link_key = secrets.token_bytes(32)
        self.tag = site_tag(SITE)
        secret = secrets.token_bytes(32)
        self.keys = {number: codec.derive_key(secret, SITE, number) for number in range(1, units + 1)}

    @property
    def control(self) -> Path:
        """The alarm lane's control socket."""
        return self.state / "control.sock"

    def building(self, unit: int) -> str:
        """The building of a unit."""
        return f"B{unit % self._rooms % self.buildings + 1}"

    @property
    def _rooms(self) -> int:
        return min(self.units, 40 * self.buildings)

    def write(self, *, line: str, alarm: str, more: str = "", link: str = "") -> None:
        """Write settings and site package: `line` is the way to the PSAP, `alarm` the tables of the intake.

        `link` is what else stands in the table of that way, `more` further tables.
        """
        site = self.folder / "site"
        site.mkdir(exist_ok=True)
        buildings = [f"B{number}" for number in range(1, self.buildings + 1)]
        rooms = self._rooms
        place = '[[place]]\nid = "r{0}"\nlabel = "{0}"\nbuilding = "{1}"\nlevel = "1"\n'
        (site / "site.toml").write_text(
            _SITE
            + "".join(f'[[building]]\nid = "{name}"\n' for name in buildings)
            + "".join(place.format(room, buildings[room % self.buildings]) for room in range(rooms)),
            "utf-8",
        )
        (site / "units.toml").write_text(
            "".join(f'[[unit]]\nnumber = {number}\nplace = "r{number % rooms}"\n' for number in self.keys),
            "utf-8",
        )
        roles = ['["staff", "team"]', *['["staff"]'] * (self.people - 1)]
        (site / "people.toml").write_text(
            "".join(_PERSON.format(number, role) for number, role in enumerate(roles)), "utf-8"
        )
        (site / "response.toml").write_text(_RESPONSE, "utf-8")
        (site / "audiences.toml").write_text(
            '[all-staff]\nroles = ["staff"]\n[team]\nroles = ["team"]\n', "utf-8"
        )
        self.state.mkdir(mode=0o700, exist_ok=True)
        write_keys(self.state / "units.keys", self.keys)
        key = self.secret("county.key", self.link_key.hex())
        self.config.write_text(
            f'[site]\nfolder = "{site}"\n[state]\nfolder = "{self.state}"\n{alarm}\n'
            f'[psap.links.county]\nkind = "kiss"\nurl = "{line}"\nfrom = "{SCHOOL}"\nto = "{PSAP}"\n'
            f'key = {{ file = "{key}" }}\n{link}\n[log]\nlevel = "warning"\n{more}\n',
            "utf-8",
        )

    def secret(self, name: str, text: str) -> Path:
        """A file that only we may read."""
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(text, "utf-8")
        return file


@contextmanager
def folder(name: str) -> Iterator[Path]:
    """A folder of our own, on the disk named by BELLTOWER_BENCH_DIR if there is one."""
    where = os.environ.get("BELLTOWER_BENCH_DIR")
    with tempfile.TemporaryDirectory(
        prefix=f"belltower-{name}-", dir=where, ignore_cleanup_errors=True
    ) as made:
        yield Path(made)


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@asynccontextmanager
async def process(log: Path, *command: object) -> AsyncIterator[asyncio.subprocess.Process]:
    """A child that ends with the block; what it says on standard error goes to `log`."""
    with log.open("ab") as errors:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *map(str, command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.terminate()
            try:
                async with asyncio.timeout(15):
                    await child.communicate()
            except TimeoutError:
                child.kill()
                await child.communicate()


@asynccontextmanager
async def alarm_lane(plan: Plan) -> AsyncIterator[asyncio.subprocess.Process]:
    """The alarm lane as its own process, up to its first answer on the control socket."""
    log = plan.folder / "alarm.log"
    async with process(log, "-m", "gateway.alarm_lane", "--config", plan.config) as lane:
        await answering(plan, lane)
        yield lane


async def answering(plan: Plan, lane: asyncio.subprocess.Process) -> Status:
    """Wait until the alarm lane answers on its control socket."""
    client = ControlClient(path=plan.control)
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await client.look()
            except Unreachable:
                if lane.returncode is not None:
                    said = (plan.folder / "alarm.log").read_text(errors="replace")
                    raise RuntimeError(f"the alarm lane ended: {said[-2_000:]}") from None
                await asyncio.sleep(0.005)


async def listening(port: int, child: asyncio.subprocess.Process, log: Path) -> None:
    """Wait until `child` takes connections on `port`."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                if child.returncode is not None:
                    raise RuntimeError(f"it ended with {child.returncode}, see {log}") from None
                await asyncio.sleep(0.01)
            else:
                writer.close()
                await writer.wait_closed()
                return


@contextmanager
def pty() -> Iterator[tuple[int, str]]:
    """A pseudo-terminal: the bench's end, and the path of the other."""
    far, near = os.openpty()
    tty.setraw(near)
    try:
        yield far, os.ttyname(near)
    finally:
        os.close(near)
        os.close(far)


def at(times: Sequence[float], share: float) -> float:
    """The value that `share` of the times do not exceed."""
    ordered = sorted(times)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def beside(
    name: str,
    *,
    values: list[float],
    floors: list[float],
    goal: float | None,
    what: str = "floor",
    figure: str,
    extra: Mapping[str, object] | None = None,
) -> Figure:
    """A figure in ms from rounds that alternated: the ratio is the median of the rounds' ratios."""
    ratios = [value / floor for value, floor in zip(values, floors, strict=True)]
    ratio = at(ratios, 0.5)
    return Figure(
        id=figure,
        name=name,
        value=round(at(values, 0.5) * 1e3, 3),
        unit="ms",
        floor=round(at(floors, 0.5) * 1e3, 3),
        ratio=round(ratio, 2),
        goal="" if goal is None else f"<= {goal:g} x {what}",
        met=None if goal is None else ratio <= goal,
        extra={
            "ratio of each round": [round(each, 2) for each in ratios],
            "load average": round(os.getloadavg()[0], 1),
            **(extra or {}),
        },
    )
