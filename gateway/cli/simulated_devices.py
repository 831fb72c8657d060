"""Simulated devices of other makes: whose they are, where they speak, and the small HTTP door at which they are asked to."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from random import Random

from aiohttp import web
from msgspec import Struct

from belltower.clock import SystemClock
from belltower.errors import LinkError, NotFound, Rejected, SettingsError
from gateway import settings as rooms
from gateway import site_package
from gateway.cli.device_ways import WireOptions, opened
from gateway.cli.output import emit
from gateway.settings import Settings
from gateway.site_package.devices import SiteDevices
from hardware.profiles.compiled import Profile
from hardware.profiles.loading import load_all, shipped
from hardware.profiles.signal import SignalKind
from hardware.simulators import script as scripts
from hardware.simulators.acting import Actor, Stage
from hardware.simulators.repertoire import Repertoire
from hardware.simulators.spoken import Spoken

_WHATS = frozenset({*SignalKind, "noise", "silent", "speaks", "battery", "example"})


class CastOptions(Struct, frozen=True, kw_only=True):
    """Who speaks."""

    profiles: tuple[str, ...]
    folders: tuple[Path, ...] = ()
    script: Path | None = None
    count: int | None = None
    # "{n}" in it stands for the number; "": the site package's own devices, else addresses like the examples'.
    address: str = ""
    bearer: str = "chirpstack"
    # Of the door; None: none while there is a script.
    port: int | None = None


async def run_devices(cast: CastOptions, wire: WireOptions) -> None:
    """Play the script to its end, or speak when asked until cancelled.

    Raises:
        SettingsError: a profile, the script or the way cannot be used; it says how to mend it.
        Unreachable: the other end of the wire is not there, or went away.
    """
    settings, foreign = house(wire.config, needed=not wire.to)
    script = scripts.read(cast.script) if cast.script is not None else None
    actors = _actors(cast, foreign)
    random = Random(wire.seed)  # noqa: S311 - drawn by a seed, not kept secret
    clock = SystemClock()
    spoken = {name for actor in actors for name in (actor.repertoire.profile.id, actor.repertoire.bearer)}
    topics = all(actor.repertoire.has_topics for actor in actors)
    async with opened(wire, settings, clock=clock, profiles=spoken - {""}, topics=topics) as (outlet, url):
        mishaps = wire.mishaps(random)
        stage = Stage(actors=actors, outlet=outlet, mishaps=mishaps, clock=clock, random=random)
        if script is not None:
            try:
                stage.rehearse(script)
            except SettingsError as error:
                raise SettingsError(
                    "\n".join(f"{cast.script}: {line}" for line in str(error).splitlines())
                ) from None
        door = None if script is not None and cast.port is None else _Door(stage)
        api = {"api": await door.open(cast.port or 0)} if door is not None else {}
        emit({**api, "devices": len(actors), "to": url})
        try:
            if script is None:
                await stage.wait()
            else:
                await stage.act(script, _tell)
                emit({"said": sum(actor.said for actor in actors), **outlet.counts, **mishaps.counts})
        finally:
            if door is not None:
                await door.close()


def house(config: Path, *, needed: bool) -> tuple[Settings | None, SiteDevices]:
    """The settings and the devices of the site package; none where there is no settings file and none is needed."""
    if not needed and not config.exists():
        return None, SiteDevices(profiles=dict(shipped()))
    settings = rooms.load(config, secrets=False)
    return settings, site_package.load(settings.site.folder).foreign


def profile_called(name: str, profiles: Mapping[str, Profile]) -> Profile:
    """The profile of that id; NotFound names the nearest."""
    if name not in profiles:
        near = get_close_matches(name, profiles, n=1)
        mend = f'did you mean "{near[0]}"?' if near else "give its folder with --profiles"
        raise NotFound(f'there is no profile "{name}"; {mend}')
    return profiles[name]


def _actors(cast: CastOptions, foreign: SiteDevices) -> list[Actor]:
    profiles = {**foreign.profiles, **load_all(cast.folders)}
    made: list[Actor] = []
    repertoires: dict[tuple[str, str], Repertoire] = {}

    def repertoire(name: str, bearer: str) -> Repertoire:
        key = name, bearer
        if key not in repertoires:
            profile = profile_called(name, profiles)
            carrier = profile_called(bearer, profiles) if profile.layouts else None
            repertoires[key] = Repertoire(profile, bearer=carrier)
        return repertoires[key]

    for name in cast.profiles:
        profile_called(name, profiles)
        records = [each for each in foreign.devices.values() if each.profile == name][: cast.count]
        if records and not cast.address:
            made += [
                Actor(
                    name=each.id,
                    address=each.address,
                    place=str(each.place or ""),
                    repertoire=repertoire(name, each.bearer or cast.bearer),
                )
                for each in records
            ]
            continue
        own = repertoire(name, cast.bearer)
        for number in range(1, (cast.count or 1) + 1):
            address = cast.address.replace("{n}", str(number)) or own.like(number)
            made.append(Actor(name=f"{name}-{number}", address=address, repertoire=own))
    return made


def _tell(cue: scripts.Cue, spoken: Spoken | None, name: str) -> None:
    if cue.step.every:
        return
    told: dict[str, object] = {
        "at": round(cue.at, 3),
        "line": cue.line,
        "device": name,
        "what": cue.step.what,
    }
    if spoken is not None and spoken.topic:
        told["topic"] = spoken.topic
    emit(told)


class _Door:
    """Asks actors to speak, over HTTP on this machine."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        app = web.Application(client_max_size=1024)
        app.router.add_get("/devices", self._list)
        app.router.add_post("/devices/{device}/{what}", self._say)
        self._runner = web.AppRunner(app, access_log=None)

    async def open(self, port: int) -> str:
        """Listen; where."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", port).start()
        except OSError as error:
            raise SettingsError(f"--port {port}: {error.strerror}; 0 takes a free one") from None
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Listen no more."""
        await self._runner.cleanup()

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response([_shown(actor) for actor in self._stage.actors])

    async def _say(self, request: web.Request) -> web.Response:
        name, what = request.match_info["device"], request.match_info["what"]
        actor = next((one for one in self._stage.actors if one.name == name), None)
        if actor is None:
            return web.json_response({"error": "there is no such device here"}, status=404)
        asked = _asked(what, request.query)
        if asked is None:
            return web.json_response(
                {"error": f"a kind of signal, battery?percent=12, example?number=2, noise; not {what[:40]}"},
                status=400,
            )
        try:
            spoken = await self._stage.say(actor, *asked)
        except SettingsError as error:
            return web.json_response({"error": str(error)}, status=400)
        except Rejected as error:
            return web.json_response({**_shown(actor), "error": str(error)}, status=502)
        except LinkError as error:
            self._stage.fail(error)
            return web.json_response({"error": str(error)}, status=503)
        return web.json_response({**_shown(actor), "topic": spoken.topic if spoken else ""}, status=202)


def _asked(what: str, query: Mapping[str, str]) -> tuple[str, float | None] | None:
    """What is to be said, and the percent of a battery; None: nothing that a device says."""
    number = query.get("percent" if what == "battery" else "number", "")
    if what == "battery":
        return (what, float(number)) if number.isdigit() and int(number) <= 100 else None
    if what == "example":
        return (f"example {number}", None) if number.isdigit() else None
    return (what, None) if what in _WHATS else None


def _shown(actor: Actor) -> dict[str, object]:
    return {
        "device": actor.name,
        "address": actor.address,
        "place": actor.place,
        "profile": actor.repertoire.profile.id,
        "can": actor.repertoire.kinds,
        "silent": actor.silent,
        "said": actor.said,
    }
