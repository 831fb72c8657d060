"""Many simulated units and the small HTTP door by which they are pressed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

from aiohttp import web

from belltower.errors import SettingsError
from belltower.ids import UnitId
from belltower.tasks import Crew
from gateway import settings as rooms
from gateway import site_package
from gateway.cli.output import emit
from gateway.cli.unit_ways import WORDS, connected_unit, way_in
from gateway.site_package import SitePackage
from hardware.codecs.unit import Kind, Level
from hardware.codecs.unit_room import Word, clean
from hardware.simulators.connected_unit import ConnectedUnit
from hardware.unit_keys import read_keys

_LARGEST_BODY = 1024
_STATUSES = "|".join(word.name.lower() for word in Word)
_MOST = 255
_LONGEST = 3600.0


async def run_units(
    *,
    config: Path,
    count: int | None,
    port: int,
    url: str = "",
    ca: Path | None = None,
    seed: int | None = None,
) -> None:
    """Serve the first `count` units of the site package until cancelled."""
    settings = rooms.load(config, secrets=False)
    package = site_package.load(settings.site.folder)
    way = way_in(settings, url=url, ca=ca)
    keys = read_keys(settings.unit_keys)
    random = Random(seed)  # noqa: S311 - jitter, not a secret
    units: dict[str, ConnectedUnit] = {}
    for name in map(str, list(package.units)[:count]):
        units[name] = connected_unit(
            name,
            settings=settings,
            package=package,
            keys=keys,
            way=way,
            random=random,
            on_level=_telling(name),
        )
    runner = web.AppRunner(_door(units, package), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        emit({"api": f"http://127.0.0.1:{runner.addresses[0][1]}", "units": len(units)})
        async with Crew(random=random) as crew:
            for name, unit in units.items():
                crew.mendable(f"unit-{name}", unit.run)
    except OSError as error:
        raise SettingsError(f"--port {port}: {error.strerror}; 0 takes a free one") from None
    finally:
        await runner.cleanup()


def _telling(name: str) -> Callable[[Level], None]:
    return lambda level: emit({"unit": name, "level": level.name.lower()})


def _door(units: dict[str, ConnectedUnit], package: SitePackage) -> web.Application:
    routes = web.RouteTableDef()

    @routes.get("/units")
    async def listing(_: web.Request) -> web.Response:
        return web.json_response([_shown(unit, package) for unit in units.values()])

    @routes.post("/units/{unit}/press")
    async def press(request: web.Request) -> web.Response:
        unit = units.get(request.match_info["unit"])
        if unit is None:
            return web.json_response({"error": "there is no such unit here"}, status=404)
        body = await request.content.read(_LARGEST_BODY)
        try:
            kind = Kind[str(json.loads(body)["kind"]).upper()] if body else Kind.PANIC
        except (ValueError, KeyError, TypeError):
            return web.json_response(
                {"error": 'the body is {"kind": "panic"} or {"kind": "medical"}'}, status=400
            )
        unit.press(kind)
        return web.json_response(_shown(unit, package), status=202)

    @routes.post("/units/{unit}/status")
    async def status(request: web.Request) -> web.Response:
        unit = units.get(request.match_info["unit"])
        try:
            said = json.loads(await request.content.read(_LARGEST_BODY))
            word, count = Word[str(said["status"]).upper()], int(said.get("count", 0))
        except (ValueError, KeyError, TypeError, AttributeError):
            return _wrong(f'the body is {{"status": "{_STATUSES}", "count": 2}}')
        if unit is None or not 0 <= count <= _MOST:
            return _wrong(f"there is no such unit here, or the count is not 0 to {_MOST}")
        unit.status(word, count)
        return web.json_response(_shown(unit, package), status=202)

    @routes.post("/units/{unit}/text")
    async def text(request: web.Request) -> web.Response:
        unit = units.get(request.match_info["unit"])
        try:
            words = str(json.loads(await request.content.read(_LARGEST_BODY))["text"])
        except (ValueError, KeyError, TypeError):
            words = ""
        if unit is None or not clean(words):
            return _wrong('there is no such unit here, or the body is not {"text": ".."}')
        unit.text(words)
        return web.json_response(_shown(unit, package), status=202)

    @routes.post("/units/{unit}/fault")
    async def fault(request: web.Request) -> web.Response:
        unit = units.get(request.match_info["unit"])
        try:
            named = str(json.loads(await request.content.read(_LARGEST_BODY))["fault"])
            kind, _, seconds = named.partition("=")
            late = float(seconds) if kind == "late" else 0.0
        except (ValueError, KeyError, TypeError):
            kind, late = "?", 0.0
        if unit is None or kind not in ("", "mute", "deaf", "late") or not 0 <= late < _LONGEST:
            return _wrong(
                'there is no such unit here, or the body is not {"fault": "mute"|"deaf"|"late=3"|""}'
            )
        unit.mute, unit.deaf, unit.late = kind == "mute", kind == "deaf", late
        return web.json_response(_shown(unit, package), status=202)

    app = web.Application(client_max_size=_LARGEST_BODY)
    app.add_routes(routes)
    return app


def _wrong(error: str) -> web.Response:
    return web.json_response({"error": error}, status=400)


def _shown(unit: ConnectedUnit, package: SitePackage) -> dict[str, object]:
    record = package.units[UnitId(unit.name)]
    return {
        "unit": unit.name,
        "place": record.place or "",
        "connected": unit.connected.is_set(),
        "level": unit.level.name.lower(),
        "shows": WORDS[unit.level],
        "order": unit.unit.order.told.name.lower() if unit.unit.order is not None else "",
        "order_exercise": unit.unit.order is not None and unit.unit.order_exercise,
        "texts": unit.unit.texts,
        # Statuses and texts that no acknowledgement has named yet.
        "unheard": unit.unit.unheard,
    }
