"""The demo: a whole simulated school on one machine, every part a process of its own, joined by real wires.

A carrier, a county at the far end of a pseudo-terminal, the supervisor with both lanes, twenty units, and the training
page. State lies in a temporary folder that is gone afterwards, unless a folder was named. A part that ends is started
again. Children are ended in order, by their own process ids; should the demo be killed, they end by themselves, for
their standard input is a pipe that only the demo holds open.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import tty
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import web
from msgspec import Struct

from belltower.clock import SystemClock
from belltower.errors import BelltowerError, SettingsError
from belltower.ids import Ids
from gateway import site_package
from gateway.carrier.records import ACCOUNT, TOKEN
from gateway.control import ControlClient
from gateway.county.keys import write_key
from gateway.process import TIED
from gateway.site_package import SitePackage
from gateway.training.app import make_training
from gateway.training.scene import Outline, School
from hardware.codecs.unit import derive_key
from hardware.profiles.profile import ProfileClass
from hardware.unit_keys import write_keys

SITE = Path(__file__).parent.parent / "examples" / "site"
"""The synthetic school that comes with the source."""

DEVICES = SITE.parent / "devices.toml"
# What is told and says nothing of itself.
_TOLD = frozenset({ProfileClass.SIREN, ProfileClass.RELAY})
"""Devices of other makes that hang in it, for the demo."""

_CAD_PATH = "/IncidentData/Ent"
_START = 60.0
_END = 12.0
_AGAIN = 1.0
_TRIES = 20

Told = dict[str, Any]
Command = Callable[[Told], Sequence[str]]


class DemoOptions(Struct, frozen=True, kw_only=True):
    """What `belltower demo` is given."""

    # Where state is kept; None: a temporary folder, gone afterwards.
    folder: Path | None = None
    site: Path = SITE
    # Ports of the live page and the training page on 127.0.0.1; one that is taken is replaced by a free one.
    port: int = 8080
    training_port: int = 8081


class Addresses(Struct, frozen=True, kw_only=True):
    """Where the demo can be seen."""

    training: str
    live: str
    # The one-time link that makes the first account; "" when there is one already.
    sign_in: str


class ChildEndedError(BelltowerError):
    """A part of the demo could not be started."""


async def run_demo(
    options: DemoOptions, *, announce: Callable[[Addresses], None], step: Callable[[str], None]
) -> None:
    """Run the demo until cancelled. `step` hears what is being started, `announce` where to look once it runs.

    Raises `SettingsError` when the site package or a port cannot be used, `ChildEndedError` when a part does not
    start. A part that ends later is started again.
    """
    async with AsyncExitStack() as stack:
        folder = options.folder or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="belltower-demo-"))
        )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        site = _with_devices(options.site, folder / "demo-site")
        package = site_package.load(site)
        near, far = stack.enter_context(_cable())
        live_port, mqtt_port, training_port, cad_port, hook_port = (
            stack.enter_context(_reserved(port)) for port in (options.port, 0, options.training_port, 0, 0)
        )
        parts = Parts(folder=folder)
        stack.push_async_callback(parts.end)
        step("the carrier and its mail server")
        carrier = await parts.start(
            "carrier", lambda told: ("simulate", "carrier", *_ports(told, port="port", smtp_port="smtp-port"))
        )
        _make_keys(folder, package)
        config = folder / "config.toml"
        step("the county, at the far end of four roads")
        school = f"ws://127.0.0.1:{cad_port}{_CAD_PATH}"
        county = await parts.start(
            "county",
            lambda told: (
                *("simulate", "county", "--links", _roads(told, radio=f"serial://{far}", school=school)),
                *("--key-file", f"kiss={folder / 'county.key'}", *_ports(told, port="port")),
            ),
        )
        _write_settings(
            folder,
            site,
            line=near,
            roads=county["ends"],
            carrier=carrier,
            live_port=live_port,
            mqtt_port=mqtt_port,
            cad_port=cad_port,
            hook_port=hook_port,
        )
        step("the alarm lane and the desk lane")
        await parts.start("lanes", lambda _: ("run", "--config", str(config)), speaks=False)
        live = f"http://127.0.0.1:{live_port}"
        await parts.wait_for(live_port)
        await parts.wait_for(mqtt_port)
        step("a test of every road")
        # Should it not come through, the live page says that the roads are not proven.
        with suppress(BelltowerError):
            client = ControlClient(path=folder / "control.sock")
            await client.ask("test_links", Ids(clock=SystemClock()).verb())
        step(f"{len(package.units)} units")
        units = await parts.start(
            "units",
            lambda told: (
                *("simulate", "units", "--config", str(config), "--port"),
                told["api"].rpartition(":")[2] if told else "0",
            ),
        )
        devices = await _foreign(parts, package, config, step)
        training = make_training(
            devices=devices,
            school=_school(package),
            units=units["api"],
            county=f"http://127.0.0.1:{county['port']}",
            carrier=f"http://127.0.0.1:{carrier['port']}",
            live=live,
            sign_in=lambda: _invitation(folder),
        )
        await stack.enter_async_context(_served(training, training_port))
        announce(
            Addresses(
                training=f"http://127.0.0.1:{training_port}",
                live=live,
                sign_in=await _first_invitation(folder),
            )
        )
        await parts.keep()


async def _foreign(parts: Parts, package: SitePackage, config: Path, step: Callable[[str], None]) -> str:
    """Start the site's devices of other makes; where they are asked, or "" where it has none."""
    profiles = package.foreign.profiles
    devices = [one for one in package.foreign.devices.values() if profiles[one.profile].cls not in _TOLD]
    if not devices:
        return ""
    step(f"{len(devices)} devices of other makes")
    words = [word for name in dict.fromkeys(one.profile for one in devices) for word in ("--profile", name)]
    told = await parts.start(
        "devices",
        lambda told: (
            *("simulate", "units", *words, "--config", str(config), "--port"),
            told["api"].rpartition(":")[2] if told else "0",
        ),
    )
    return str(told["api"])


def _with_devices(site: Path, folder: Path) -> Path:
    """A copy of our own site package with the demo's devices beside its own; another package as it is."""
    if site != SITE:
        return site
    shutil.copytree(site, folder, dirs_exist_ok=True)
    with (folder / DEVICES.name).open("a", encoding="utf-8") as file:
        file.write("\n" + DEVICES.read_text(encoding="utf-8"))
    return folder


def _ports(told: Told, **options: str) -> tuple[str, ...]:
    """Options for the ports a part told of when it was first started; at that time, for any."""
    return tuple(word for key, option in options.items() for word in (f"--{option}", str(told.get(key, 0))))


class _Part:
    """One part: how it is started, and its process."""

    def __init__(self, *, name: str, command: Command, speaks: bool) -> None:
        self.name = name
        self.command = command
        self.speaks = speaks
        self.told: Told = {}
        self.process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> asyncio.subprocess.Process | None:
        return self.process if self.process is not None and self.process.returncode is None else None


class Parts:
    """The demo's processes. Each is told to end by its own id, the last started first."""

    def __init__(self, *, folder: Path) -> None:
        self._folder = folder
        self._parts: list[_Part] = []

    async def start(self, name: str, command: Command, *, speaks: bool = True) -> Told:
        """Start `belltower` with the arguments `command` gives; returns the line it prints, as JSON, if it `speaks`.

        `command` is asked again at each later start, with what the first one told, so that ports stay.
        """
        part = _Part(name=name, command=command, speaks=speaks)
        self._parts.append(part)
        part.told = await self._start(part)
        return part.told

    async def _start(self, part: _Part) -> Told:
        log = self._log(part)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = part.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gateway.cli",
                *part.command(part.told),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE if part.speaks else descriptor,
                stderr=descriptor,
                env=os.environ | {TIED: "1"},
                start_new_session=True,  # the terminal's Ctrl-C is ours: we end them in order
            )
        finally:
            os.close(descriptor)
        if process.stdout is None:
            return {}
        try:
            async with asyncio.timeout(_START):
                line = await process.stdout.readline()
            told: Told = json.loads(line)
        except (TimeoutError, ValueError) as error:
            raise ChildEndedError(f"{part.name} did not start; {_last_words(log)}") from error
        return told

    def _log(self, part: _Part) -> Path:
        return self._folder / f"{part.name}.log"

    async def wait_for(self, port: int) -> None:
        """Wait until somebody listens on the port; `ChildEndedError` if a part ends before."""
        async with asyncio.timeout(_START):
            while True:
                self._all_alive()
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    await writer.wait_closed()
                    return
                await asyncio.sleep(0.05)

    async def keep(self) -> None:
        """Read what the parts print and start again what ends, for ever."""
        async with asyncio.TaskGroup() as group:
            for part in self._parts:
                group.create_task(self._keep(part), name=f"demo.{part.name}")

    async def _keep(self, part: _Part) -> None:
        while True:
            if part.process is not None:
                if part.process.stdout is not None:
                    while await part.process.stdout.read(4096):
                        continue
                await part.process.wait()
            await asyncio.sleep(_AGAIN)
            try:
                await self._start(part)
            except ChildEndedError:
                if part.running is not None:  # it runs, and said nothing
                    part.running.kill()

    def _all_alive(self) -> None:
        for part in self._parts:
            if part.running is None:
                raise ChildEndedError(f"{part.name} has ended; {_last_words(self._log(part))}")

    async def end(self) -> None:
        """End every part, the last started first."""
        for part in reversed(self._parts):
            process = part.running
            if process is None:
                continue
            process.send_signal(signal.SIGTERM)
            draining = process.stdout.read() if process.stdout is not None else asyncio.sleep(0)
            try:
                async with asyncio.timeout(_END):
                    await asyncio.gather(process.wait(), draining)
            except TimeoutError:
                process.kill()
                await process.wait()


def _last_words(log: Path) -> str:
    with suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if lines:
            return f"its last words: {lines[-1][:300]}"
    return "it said nothing"


def _roads(told: Told, *, radio: str, school: str) -> str:
    """The county's ends: at the addresses it told of when it was first started; at that time, at any."""
    ends = told.get("ends", {})
    dc09, sip, eido = (ends.get(name, "127.0.0.1:0") for name in ("dc09", "sip", "eido"))
    eido = eido.removeprefix("ws://").partition("/")[0]
    return f"kiss={radio},dc09={dc09},sip={sip},eido={eido}?school={school}"


def _make_keys(folder: Path, package: SitePackage) -> None:
    """Keys of the demo, as a school would have them."""
    root = os.urandom(32)
    keys = {unit.number: derive_key(root, package.id, unit.number) for unit in package.units.values()}
    write_keys(folder / "units.keys", keys)
    key = folder / "county.key"
    key.unlink(missing_ok=True)
    write_key(key)
    token = folder / "carrier.token"
    token.touch(mode=0o600)
    token.write_text(TOKEN + "\n", encoding="utf-8")


def _write_settings(
    folder: Path,
    site: Path,
    *,
    line: str,
    roads: dict[str, str],
    carrier: dict[str, Any],
    live_port: int,
    mqtt_port: int,
    cad_port: int,
    hook_port: int,
) -> None:
    """Settings of the demo, as a school would have them."""
    (folder / "config.toml").write_text(
        f"""# Written by the demo at each start.
[site]
folder = {json.dumps(str(site.resolve()))}

[state]
folder = {json.dumps(str(folder))}

[alarm]
unit_keys = "units.keys"

[alarm.mqtt_listener]
port = {mqtt_port}

# Stands for a broker and its bridges: the path of a request is the topic.
[alarm.devices.building]
kind = "webhook"
port = {hook_port}

[psap.links.county-radio]
kind = "kiss"
url = "serial://{line}"
from = "SCHOOL-1"
to = "PSAP"
key = {{ file = "county.key" }}

[psap.links.county-sip]
kind = "sip"
targets = ["tcp://{roads["sip"]}"]
from = "sip:school@school.example"

[psap.links.county-cad]
kind = "eido"
port = {cad_port}
path = "{_CAD_PATH}"
subscribe_url = "{roads["eido"]}"
element = "belltower.school.example"

[psap.links.station]
kind = "dc09"
receivers = ["tcp://{roads["dc09"]}"]
account = "1234"

[desk.web]
port = {live_port}

[notify]
test_to = {{ sms = "+15550100199", email = "it@school.example" }}

[notify.channels.text]
kind = "twilio"
account = "{ACCOUNT}"
token = {{ file = "carrier.token" }}
from = "+15550100"
base_url = "{carrier["url"]}"
callback_url = "http://127.0.0.1:{live_port}"
rate = 25.0

[notify.channels.mail]
kind = "smtp"
host = "127.0.0.1"
port = {carrier["smtp_port"]}
security = "none"
from = "alerts@school.example"

[notify.channels.screens]
kind = "console"
""",
        encoding="utf-8",
    )


def _school(package: SitePackage) -> School:
    return School(
        name=package.name,
        places={str(name): place for name, place in package.places.items()},
        outlines=[
            Outline(name=building.name or building.id, box=building.box)
            for building in package.buildings.values()
            if building.box is not None
        ],
        people=list(package.people.values()),
    )


def _invitation(folder: Path) -> str:
    with suppress(OSError):
        return (folder / "first-sign-in.url").read_text(encoding="utf-8").strip()
    return ""


async def _first_invitation(folder: Path) -> str:
    """The link is left a moment after the page is served."""
    for _ in range(100):
        if link := _invitation(folder):
            return link
        await asyncio.sleep(0.02)
    return ""


@contextmanager
def _reserved(port: int) -> Iterator[int]:
    """The port, or a free one where it is taken; no other demo takes it while we run."""
    for wanted in (port, *(0 for _ in range(_TRIES))):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
                probe.listen(1)  # a bound port alone would not be seen as taken
            except OSError:
                continue
            found = int(probe.getsockname()[1])
        # Its part opens the port only later. A name that the kernel forgets with us keeps it from other demos.
        with socket.socket(socket.AF_UNIX) as mark:
            try:
                mark.bind(f"\0belltower-demo-{found}")
            except OSError:
                continue
            yield found
            return
    raise SettingsError("no port is free on 127.0.0.1")


@asynccontextmanager
async def _served(app: web.Application, port: int) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except OSError as error:
            raise SettingsError(f"--training-port: port {port} was taken meanwhile; try again") from error
        yield
    finally:
        await runner.cleanup()


@contextmanager
def _cable() -> Any:
    """A serial cable: two pseudo-terminals by name, and we carry octets between them."""
    loop = asyncio.get_running_loop()
    pairs = [os.openpty() for _ in range(2)]
    masters: Sequence[int] = [master for master, _ in pairs]
    for master, slave in pairs:
        tty.setraw(slave)
        os.set_blocking(master, False)

    def carry(source: int, sink: int) -> None:
        with suppress(OSError):  # nobody reads at the other end: the octets are lost, as on air
            os.write(sink, os.read(source, 4096))

    loop.add_reader(masters[0], carry, masters[0], masters[1])
    loop.add_reader(masters[1], carry, masters[1], masters[0])
    try:
        yield tuple(os.ttyname(slave) for _, slave in pairs)
    finally:
        for master in masters:
            loop.remove_reader(master)
        for pair in pairs:
            for descriptor in pair:
                os.close(descriptor)
