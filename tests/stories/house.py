"""A whole house as processes: supervisor and lanes, county, carrier, units and, if asked for, a mosquitto in between.

Everything is started by the commands of the manual, forked where a story does not ask for processes of their own from
the first octet on (`forked=False`), speaks over real sockets and a pseudo-terminal pair, and is ended by pid. A story reads as a timeline: `await house.press("u3")`, `await house.county.wants(1)`.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import aiohttp

from gateway.control import ControlClient, Status
from tests.peers.waiting import PATIENCE
from tests.servers.forked import Forked, start
from tests.servers.ports import free_port
from tests.servers.pty import SocatCable

ROOT = Path(__file__).parents[2]


async def executed(*command: object, stdout: int, stderr: int) -> asyncio.subprocess.Process:
    """As `start`, from the first octet on."""
    words = [sys.executable, "-m", *map(str, command)]
    nothing = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdin=nothing, stdout=stdout, stderr=stderr)


class Process:
    """One child, started by a command of the manual; its output is kept and printed when a story fails."""

    def __init__(self, name: str, folder: Path, *command: object, forked: bool = True) -> None:
        self.name = name
        self._command = [str(word) for word in command]
        self._log = folder / f"{name}.log"
        self._start = start if forked else executed
        self._process: Forked | asyncio.subprocess.Process | None = None

    async def start(self) -> dict[str, Any]:
        """Start; the JSON of its first line of output, for those that print one."""
        with self._log.open("ab") as log:
            self._process = await self._start(
                "gateway.cli", *self._command, stdout=asyncio.subprocess.PIPE, stderr=log.fileno()
            )
        return {}

    async def ready(self) -> dict[str, Any]:
        """Start and wait for the line that says it is ready."""
        await self.start()
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self._process.stdout.readline()
        said: dict[str, Any] = json.loads(line)
        return said

    @property
    def pid(self) -> int:
        """The running child."""
        assert self._process is not None
        return self._process.pid

    def children(self) -> list[int]:
        """Its own children's pids."""
        file = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in file.read_text().split()] if file.exists() else []

    async def lines(self) -> AsyncIterator[bytes]:
        """What it prints from now on, line by line, until it ends."""
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            yield line

    def send(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def end(self, number: int = signal.SIGTERM) -> None:
        """End it by pid, and all that it started."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(number)
        try:
            async with asyncio.timeout(PATIENCE):
                await process.communicate()
        except TimeoutError:
            process.kill()
            await process.communicate()

    def output(self) -> str:
        """What it wrote to standard error."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""


class House:
    """Everything between a unit and a phone. Use as `async with House(folder) as house`."""

    def __init__(
        self,
        folder: Path,
        *,
        broker: str = "",
        links: str | Callable[[House], str] | None = None,
        channels: str | Callable[[House], str] | None = None,
        alarm: str = "",
        county_options: tuple[str, ...] = (),
        units: int = 6,
        forked: bool = True,
    ) -> None:
        self.folder = folder
        self.state = folder / "var"
        self.config = folder / "config.toml"
        self._broker = broker
        self._links = links
        self._channels = channels
        self._alarm = alarm
        self._county_options = county_options
        self._count = units
        self._forked = forked
        self.cable = SocatCable(folder=folder)
        self.key = folder / "county.key"
        self.web_port = free_port()
        self.mqtt_port = free_port()
        self.url = f"http://127.0.0.1:{self.web_port}"
        self.processes: list[Process] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._enter()
        except BaseException:
            await self.__aexit__(RuntimeError)
            raise
        return self

    async def _enter(self) -> None:
        self.session = await self._stack.enter_async_context(
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        )
        shutil.copytree(ROOT / "examples" / "site", self.folder / "site")
        self.cable.plug()
        self._stack.callback(self.cable.pull)
        self.county = self.process(
            "county",
            *("simulate", "county", "--link", f"serial://{self.cable.far}", "--key-file", self.key),
            *("--make-key", "--port", "0", *self._county_options),
        )
        self.carrier = self.process("carrier", "simulate", "carrier")
        self.daemon = self.process("belltower", "run", "--config", self.config)
        said = await self._up(self.county)
        self.county_url = f"http://127.0.0.1:{said['port']}"
        self.ends: dict[str, str] = said["ends"]
        self.carrier_said = await self._up(self.carrier)
        self.carrier_url = str(self.carrier_said["url"])
        self.configure()
        keys = self.process("keys", "units", "keys", "--json", "--config", self.config)
        await keys.ready()
        await keys.end()

    async def __aexit__(self, kind: type[BaseException] | None, *details: object) -> None:
        for process in reversed(self.processes):
            await process.end()
            if kind is not None:
                print(f"---- {process.name}\n{process.output()[-4000:]}")
        await self._stack.aclose()

    def text_way(self, name: str, url: str = "", *, more: str = "rate = 100") -> str:
        """Settings of a way for text messages, at the carrier of that URL; ours without one."""
        return f"""
[notify.channels.{name}]
kind = "twilio"
account = "{self.carrier_said["account"]}"
token = {{ file = "{self.folder / "carrier.token"}" }}
from = "+15550100"
base_url = "{url or self.carrier_url}"
{more}
"""

    def other_ways(self) -> str:
        """Settings of a way for mail and of one for screens."""
        return f"""
[notify.channels.mail]
kind = "smtp"
host = "127.0.0.1"
port = {self.carrier_said["smtp_port"]}
security = "none"
from = "alerts@school.example"
[notify.channels.screens]
kind = "console"
"""

    def configure(self) -> None:
        """Write the settings file."""
        token = self.folder / "carrier.token"
        from gateway.carrier.records import TOKEN

        token.write_text(TOKEN)
        token.chmod(0o600)
        listener = f"[alarm.mqtt_listener]\nport = {self.mqtt_port}\n"
        links = f"""
[psap.links.county]
kind = "kiss"
url = "serial://{self.cable.near}"
from = "SCHOOL-1"
to = "PSAP"
key = {{ file = "{self.key}" }}
"""
        if self._links is not None:
            links = self._links if isinstance(self._links, str) else self._links(self)
        channels = self._channels or (lambda house: house.text_way("text") + house.other_ways())
        self.config.write_text(
            f"""
[site]
folder = "{self.folder / "site"}"
[state]
folder = "{self.state}"
[alarm]
{self._alarm}
{self._broker or listener}
{links}
[desk.web]
port = {self.web_port}
{channels if isinstance(channels, str) else channels(self)}
"""
        )

    def process(self, name: str, *command: object) -> Process:
        """A command in this house's folder, as the house starts its own."""
        return Process(name, self.folder, *command, forked=self._forked)

    async def _up(self, process: Process) -> dict[str, Any]:
        self.processes.append(process)
        return await process.ready()

    async def run(self) -> None:
        """Start the lanes and wait until both are up."""
        if self.daemon not in self.processes:
            self.processes.append(self.daemon)
        await self.daemon.start()
        await self.lanes_up()

    async def lanes_up(self) -> None:
        """Wait until the alarm lane takes presses and the page answers."""
        await self.eventually(self.alarm_lane)
        await self.eventually(self._page_answers)

    async def connect_units(self, url: str = "") -> None:
        """Start the units, and wait until all are connected."""
        self.units = self.process(
            "units",
            *("simulate", "units", "--count", self._count, "--config", self.config),
            *(("--url", url) if url else ()),
        )
        said = await self._up(self.units)
        self.units_url = str(said["api"])

        async def connected() -> bool:
            return all(unit["connected"] for unit in await self.get(f"{self.units_url}/units"))

        await self.eventually(connected)

    # ---- what happens

    async def press(self, unit: str) -> None:
        """Somebody presses this unit's button."""
        async with self.session.post(f"{self.units_url}/units/{unit}/press") as answer:
            assert answer.status == 202

    async def acknowledge(self, number: int) -> None:
        """The telecommunicator acknowledges call `number`."""
        async with self.session.post(f"{self.county_url}/calls/{number}/acknowledge") as answer:
            assert answer.status < 300, await answer.text()

    async def county_fault(self, fault: str) -> None:
        """Ask the county for a fault; "" for none."""
        async with self.session.post(f"{self.county_url}/fault", json={"fault": fault}) as answer:
            assert answer.status < 300, await answer.text()

    async def end_fault(self, end: str, fault: str) -> None:
        """Ask one of the county's ends for a fault; "" for none."""
        body = {"end": end, "fault": fault}
        async with self.session.post(f"{self.county_url}/fault", json=body) as answer:
            assert answer.status < 300, await answer.text()

    async def carrier_fault(self, **faults: object) -> None:
        """Ask the carrier for faults."""
        async with self.session.post(f"{self.carrier_url}/fault", json=faults) as answer:
            assert answer.status < 300, await answer.text()

    def lane_pid(self, lane: str) -> int:
        """The process of the alarm or the desk lane."""
        for pid in self.daemon.children():
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            if f"{lane}_lane".encode() in words:
                return pid
        raise AssertionError(f"no {lane} lane runs")

    def signal(self, lane: str, number: int) -> None:
        """Send a signal to a lane's process."""
        os.kill(self.lane_pid(lane), number)

    # ---- what is to be seen

    async def alarm_lane(self) -> Status | None:
        """The alarm lane's state; None while it does not answer."""
        from belltower.errors import Unreachable

        try:
            return await ControlClient(path=self.state / "control.sock").look()
        except Unreachable:
            return None

    async def unit_level(self, unit: str) -> str:
        """What the unit shows its wearer."""
        units = {shown["unit"]: shown["level"] for shown in await self.get(f"{self.units_url}/units")}
        return str(units[unit])

    async def calls(self) -> list[dict[str, Any]]:
        """The county's screen."""
        said = await self.get(f"{self.county_url}/calls")
        return list(said["calls"] if isinstance(said, dict) else said)

    async def phones(self) -> dict[str, list[dict[str, Any]]]:
        """What each phone received."""
        return dict(await self.get(f"{self.carrier_url}/phones"))

    async def mailboxes(self) -> dict[str, list[dict[str, Any]]]:
        """What each mailbox received."""
        return dict(await self.get(f"{self.carrier_url}/mailboxes"))

    def facts(self, tag: str = "", *, desk: bool = False, stream: str = "") -> list[dict[str, Any]]:
        """Facts in a lane's journal, of its own stream unless another is named, read beside the running lane."""
        database = self.state / ("desk.db" if desk else "alarm.db")
        reading = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        try:
            rows = reading.execute(
                "SELECT tag, at, body FROM journal_entry WHERE stream = ? ORDER BY position",
                (stream or ("desk" if desk else "alarm"),),
            ).fetchall()
        finally:
            reading.close()
        return [{"at": at / 1e6, **json.loads(body)} for kind, at, body in rows if not tag or kind == tag]

    async def get(self, url: str) -> Any:
        """JSON of a simulator's door."""
        async with self.session.get(url) as answer:
            return await answer.json()

    async def sign_in(self) -> None:
        """Make the first account through the one-time link."""
        link = (self.state / "first-sign-in.url").read_text().strip()
        async with self.session.get(link) as answer:
            page = await answer.text()
        token = page.split('name="form" value="')[1].split('"')[0]
        form = {"form": token, "name": "Story", "sign_in": "story", "password": "correct horse battery"}
        form["again"] = form["password"]
        async with self.session.post(link, data=form, headers={"Origin": self.url}) as answer:
            assert answer.status == 200, await answer.text()

    async def page(self, path: str) -> str:
        """A page of the desk, as a signed-in person sees it."""
        async with self.session.get(f"{self.url}{path}") as answer:
            return await answer.text()

    async def _page_answers(self) -> bool:
        try:
            async with self.session.get(f"{self.url}/sign-in") as answer:
                return answer.status < 500
        except aiohttp.ClientError:
            return False

    async def eventually(
        self, seen: Callable[[], Awaitable[Any]], *, within: float = PATIENCE, every: float = 0.02
    ) -> Any:
        """What `seen`, asked so often, gives once it is true, or a failure after so many seconds."""
        try:
            async with asyncio.timeout(within):
                while not (found := await seen()):  # noqa: ASYNC110 - other processes
                    await asyncio.sleep(every)
        except TimeoutError:
            raise AssertionError(f"not seen within {within} s: {seen.__qualname__}") from None
        return found
