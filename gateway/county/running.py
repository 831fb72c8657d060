"""A county on a real line, steered over HTTP from this machine."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec
from aiohttp import web
from msgspec import Struct

from belltower.errors import SettingsError, Unreachable
from belltower.tasks import together
from belltower.values import Secret
from gateway.county.core import County, Fault
from gateway.psap.settings import link_key
from hardware.transports import Transport, open_transport

_REOPEN = 0.5


class CountyOptions(Struct, frozen=True, kw_only=True):
    """What `belltower simulate county` is given."""

    # The modem or the far end of a serial cable: "serial:///dev/ttyUSB0" or "tcp://127.0.0.1:8001".
    link: str
    # 64 hex digits, the same as the school's; readable by its owner only.
    key_file: Path
    # Our call sign and the school's.
    us: str = "PSAP"
    them: str = "SCHOOL-1"
    # A fault as "late=3", see `Fault.parse`; "" for none.
    fault: str = ""
    # Seconds after which the telecommunicator acknowledges unasked; None: never.
    auto_acknowledge: float | None = None
    # The port of the control interface on 127.0.0.1; 0 for any, None for none.
    control: int | None = None
    # What faults are drawn from.
    seed: int = 0


def read_key(path: Path) -> bytes:
    """The link key in a file of mode 0600; SettingsError says what is wrong with it."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: the link key cannot be read ({error})") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"{path}: others may read the link key; mend it with: chmod 600 {path}")
    try:
        return link_key(Secret(text))
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None


def write_key(path: Path) -> None:
    """Make a new link key in a file of mode 0600 that does not exist yet."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(os.urandom(32).hex() + "\n")


async def run_county(options: CountyOptions, *, announce: Callable[[str], None] | None = None) -> None:
    """Be the county until cancelled. `announce` gets one JSON line once ready; by default it is printed."""
    county = County(
        key=read_key(options.key_file),
        us=options.us,
        them=options.them,
        random=Random(options.seed),  # noqa: S311 - faults are drawn by a seed
        fault=Fault.parse(options.fault) if options.fault else None,
        auto=options.auto_acknowledge,
    )
    running = RunningCounty(county=county, transport=open_transport(options.link))
    say = announce or _print
    async with asyncio.TaskGroup() as group:
        group.create_task(running.run(), name="county line")
        port = None
        if options.control is not None:
            port = await running.serve(options.control)
        await running.opened.wait()
        say(json.dumps({"county": "ready", "port": port, "link": options.link}))


class RunningCounty:
    """A `County` and its line. `run` it; `acknowledge` and `reject` as the telecommunicator would."""

    def __init__(self, *, county: County, transport: Transport) -> None:
        self.county = county
        self.opened = asyncio.Event()
        """Set once the line is open for the first time."""
        self._transport = transport
        self._bell = asyncio.Event()
        self._runner: web.AppRunner | None = None

    def acknowledge(self, number: int, by: str = "T1") -> None:
        """A person takes the call. KeyError: there is no such call."""
        self.county.acknowledge(number, by, now=asyncio.get_running_loop().time())
        self._bell.set()

    def reject(self, number: int) -> None:
        """The centre does not take the call. KeyError: there is no such call."""
        self.county.reject(number)

    async def run(self) -> None:
        """Hear and answer, reopening the line whenever it goes."""
        try:
            while True:
                try:
                    await self._transport.open()
                    self.opened.set()
                    await together(county_hear=self._hear(), county_speak=self._speak())
                except Unreachable:
                    pass
                finally:
                    await self._transport.close()
                await asyncio.sleep(_REOPEN)
        finally:
            if self._runner is not None:
                await self._runner.cleanup()

    async def serve(self, port: int) -> int:
        """Open the control interface on 127.0.0.1; returns its port."""
        app = web.Application(client_max_size=4096)
        app.add_routes(
            [
                web.get("/calls", self._get_calls),
                web.post(r"/calls/{number:\d+}/acknowledge", self._post_acknowledge),
                web.post(r"/calls/{number:\d+}/reject", self._post_reject),
                web.post("/fault", self._post_fault),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        address: tuple[str, int] = self._runner.addresses[0]
        return address[1]

    async def _hear(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self.county.receive(await self._transport.read(), now=loop.time())
            self._bell.set()

    async def _speak(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if octets := self.county.outgoing(loop.time()):
                await self._transport.write(octets)
            self._bell.clear()
            try:
                async with asyncio.timeout_at(self.county.next_at()):
                    await self._bell.wait()
            except TimeoutError:
                pass

    # ---- control

    async def _get_calls(self, _: web.Request) -> web.Response:
        body = {"calls": list(self.county.calls.values()), "counts": dict(self.county.counts)}
        return web.Response(body=msgspec.json.encode(body), content_type="application/json")

    async def _post_acknowledge(self, request: web.Request) -> web.Response:
        told = await _told(request)
        return self._act(lambda number: self.acknowledge(number, str(told.get("by") or "T1")), request)

    async def _post_reject(self, request: web.Request) -> web.Response:
        return self._act(self.reject, request)

    async def _post_fault(self, request: web.Request) -> web.Response:
        text = (await _told(request)).get("fault")
        try:
            self.county.fault = Fault.parse(str(text)) if text else None
        except SettingsError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        self._bell.set()
        return web.json_response({"fault": text or None})

    def _act(self, act: Callable[[int], None], request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        try:
            act(number)
        except KeyError:
            raise web.HTTPNotFound(text=f"there is no call {number}") from None
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        return web.Response(
            body=msgspec.json.encode(self.county.calls[number]), content_type="application/json"
        )


async def _told(request: web.Request) -> dict[str, object]:
    if not request.can_read_body:
        return {}
    try:
        return msgspec.json.decode(await request.read(), type=dict[str, object])
    except msgspec.DecodeError as error:
        raise web.HTTPBadRequest(text=f"expected a JSON object: {error}") from None


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
