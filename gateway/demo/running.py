"""What the demo starts, in which order, and where it can be seen."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from aiohttp import web
from msgspec import Struct

from belltower.clock import SystemClock
from belltower.errors import BelltowerError, SettingsError
from belltower.ids import Ids
from gateway import site_package
from gateway.control import ControlClient
from gateway.demo.parts import Parts, Told
from gateway.demo.roster import take_roster
from gateway.demo.school import CAD_PATH, SITE, make_keys, with_devices, write_settings
from gateway.demo.wires import Ports, joined, reserved
from gateway.site_package import SitePackage
from gateway.training.app import make_training
from gateway.training.scene import Outline, School
from hardware.profiles.profile import ProfileClass

# Which devices of other makes are told and say nothing of themselves.
_TOLD = frozenset({ProfileClass.SIREN, ProfileClass.RELAY})


class DemoOptions(Struct, frozen=True, kw_only=True):
    """What `belltower demo` is given."""

    # Where state is kept; None: a temporary folder, gone afterwards.
    folder: Path | None = None
    site: Path = SITE
    # Ports of the live page and the training page on 127.0.0.1; one that is taken is replaced by a free one.
    port: int = 8080
    training_port: int = 8081
    # How many students the generated roster has that is taken once the pages answer; 0: none.
    students: int = 120


class Addresses(Struct, frozen=True, kw_only=True):
    """Where the demo can be seen."""

    training: str
    live: str
    # The one-time link that makes the first account; "" when there is one already.
    sign_in: str
    # The settings file, for every other command.
    config: Path


async def run_demo(
    options: DemoOptions,
    *,
    announce: Callable[[Addresses], None],
    step: Callable[[str], None],
    remark: Callable[[str], None],
) -> None:
    """Run the demo until cancelled. `step` hears what is being started, `announce` where to look once it runs.

    `remark` hears what became of the roster, which is taken behind the pages.

    Raises `SettingsError` when the site package or a port cannot be used, `ChildEndedError` when a part does not
    start. A part that ends later is started again.
    """
    async with AsyncExitStack() as stack:
        folder = options.folder or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="belltower-demo-"))
        )
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            site = with_devices(options.site, folder / "demo-site")
        except OSError as error:
            raise SettingsError(
                f"--folder {folder}: no state can be kept there ({error.strerror}); name a folder that this user may write in"
            ) from error
        package = site_package.load(site)
        cable = stack.enter_context(joined())
        ports = Ports(
            *(stack.enter_context(reserved(port)) for port in (options.port, options.training_port, 0, 0, 0))
        )
        parts = Parts(folder=folder)
        stack.push_async_callback(parts.end)
        step("the carrier and its mail server")
        carrier = await parts.start(
            "carrier", lambda told: ("simulate", "carrier", *_same(told, port="port", smtp_port="smtp-port"))
        )
        make_keys(folder, package)
        step("the county, at the far end of four roads")
        county = await parts.start("county", lambda told: _county(told, folder, ports, far=cable[1]))
        config = write_settings(
            folder, site, line=cable[0], roads=county["ends"], carrier=carrier, ports=ports
        )
        step("the alarm lane and the desk lane")
        await parts.start("lanes", lambda _: ("run", "--config", str(config)), speaks=False)
        await parts.wait_for(ports.live)
        await parts.wait_for(ports.mqtt)
        step("a test of every road")
        # Should it not come through, the live page says that the roads are not proven.
        with suppress(BelltowerError):
            client = ControlClient(path=folder / "control.sock")
            await client.ask("test_links", Ids(clock=SystemClock()).verb())
        step(f"{len(package.units)} units")
        units = await parts.start("units", lambda told: _units(told, config))
        live = f"http://127.0.0.1:{ports.live}"
        training = make_training(
            devices=await _foreign(parts, package, config, step),
            school=_school(package),
            units=units["api"],
            county=f"http://127.0.0.1:{county['port']}",
            carrier=f"http://127.0.0.1:{carrier['port']}",
            live=live,
            sign_in=lambda: _invitation(folder),
        )
        await stack.enter_async_context(_served(training, ports.training))
        announce(
            Addresses(
                training=f"http://127.0.0.1:{ports.training}",
                live=live,
                sign_in=await _first_invitation(folder),
                config=config,
            )
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(parts.keep(), name="demo.keep")
            if said := await take_roster(parts, folder, config, options.students):
                remark(said)


async def _foreign(parts: Parts, package: SitePackage, config: Path, step: Callable[[str], None]) -> str:
    """Start the site's devices of other makes; where they are asked, or "" where it has none."""
    profiles = package.foreign.profiles
    devices = [one for one in package.foreign.devices.values() if profiles[one.profile].cls not in _TOLD]
    if not devices:
        return ""
    step(f"{len(devices)} devices of other makes")
    words = [word for name in dict.fromkeys(one.profile for one in devices) for word in ("--profile", name)]
    told = await parts.start("devices", lambda told: _units(told, config, *words))
    return str(told["api"])


def _same(told: Told, **options: str) -> tuple[str, ...]:
    """Options for the ports a part told of when it was first started; at that time, for any."""
    return tuple(word for key, option in options.items() for word in (f"--{option}", str(told.get(key, 0))))


def _units(told: Told, config: Path, *words: str) -> tuple[str, ...]:
    port = told["api"].rpartition(":")[2] if told else "0"
    return ("simulate", "units", *words, "--config", str(config), "--port", port)


def _county(told: Told, folder: Path, ports: Ports, *, far: str) -> tuple[str, ...]:
    """The county, its ends at the addresses that it told of when it was first started; at that time, at any."""
    ends = told.get("ends", {})
    dc09, sip, eido = (ends.get(name, "127.0.0.1:0") for name in ("dc09", "sip", "eido"))
    eido = eido.removeprefix("ws://").partition("/")[0]
    school = f"ws://127.0.0.1:{ports.cad}{CAD_PATH}"
    links = f"kiss=serial://{far},dc09={dc09},sip={sip},eido={eido}?school={school}"
    key = f"kiss={folder / 'county.key'}"
    return ("simulate", "county", "--links", links, "--key-file", key, *_same(told, port="port"))


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
