"""The telecommunicator's page, and the same by HTTP for scripts, on 127.0.0.1."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from belltower.errors import SettingsError, Unreachable
from gateway.county.end import CountyEnd, Fault
from gateway.county.screen import Screen

_STATIC = Path(__file__).parent / "static"
_LOCAL = ("127.0.0.1", "localhost", "::1")
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
_GATHER = 0.05
_ALIVE = 15.0
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def set_fault(ends: Mapping[str, CountyEnd], name: str, text: str) -> None:
    """Let an end do wrong, or with "" right again; without a name every end that knows the fault.

    SettingsError: there is no such end, or it does not know the fault.
    """
    if name and name not in ends:
        raise SettingsError(f'fault: there is no end "{name}"; there are {", ".join(ends)}')
    chosen = [ends[name]] if name else list(ends.values())
    if not text:
        for end in chosen:
            end.fault = None
        return
    word = text.partition("=")[0].strip()
    knowing = [end for end in chosen if word in end.faults]
    if not knowing:
        known = {fault: value for end in chosen for fault, value in end.faults.items()}
        Fault.parse(text, known)  # says which there are
    for end in knowing:
        end.fault = Fault.parse(text, end.faults)


class Steering:
    """Serves the page. `serve` it, and `close` it afterwards."""

    def __init__(self, *, screen: Screen, ends: Mapping[str, CountyEnd]) -> None:
        self._screen = screen
        self._ends = ends
        self._runner: web.AppRunner | None = None
        self._faults_changed: set[asyncio.Event] = set()

    async def serve(self, port: int) -> int:
        """Open the port on 127.0.0.1, 0 for any; returns it."""
        app = web.Application(client_max_size=4096, middlewares=[_guarded])
        app.add_routes(
            [
                web.get("/", self._get_page),
                web.get(r"/static/{name:[a-z.]+}", self._get_static),
                web.get("/calls", self._get_calls),
                web.get("/events", self._get_events),
                web.post(r"/calls/{number:\d{1,19}}/acknowledge", self._post_acknowledge),
                web.post(r"/calls/{number:\d{1,19}}/reject", self._post_reject),
                web.post(r"/calls/{number:\d{1,19}}/read-back", self._post_read_back),
                web.post(r"/calls/{number:\d{1,19}}/status", self._post_status),
                web.post("/fault", self._post_fault),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", port).start()
        except OSError as error:
            await self.close()
            raise Unreachable(f"port {port}: {error.strerror}") from error
        address: tuple[str, int] = self._runner.addresses[0]
        return address[1]

    async def close(self) -> None:
        """Close the port and every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # ---- seeing

    async def _get_page(self, _: web.Request) -> web.Response:
        return _file("county.html")

    async def _get_static(self, request: web.Request) -> web.Response:
        return _file(request.match_info["name"])

    async def _get_calls(self, _: web.Request) -> web.Response:
        return _json(self._everything())

    async def _get_events(self, request: web.Request) -> web.StreamResponse:
        """Everything once, then each call when it changed, as server-sent events."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **_HEADERS})
        await response.prepare(request)
        bell = asyncio.Event()
        changed: set[int] = set()

        def seen(number: int) -> None:
            changed.add(number)
            bell.set()

        unwatch = self._screen.watch(seen)
        self._faults_changed.add(bell)
        try:
            await response.write(_event("all", self._everything()))
            while True:
                try:
                    async with asyncio.timeout(_ALIVE):
                        await bell.wait()
                except TimeoutError:
                    await response.write(b":\n\n")
                    continue
                await asyncio.sleep(_GATHER)
                bell.clear()
                numbers, rest = sorted(changed), self._around()
                changed.clear()
                calls = [self._screen.calls[number] for number in numbers if number in self._screen.calls]
                await response.write(_event("some", {"calls": calls, **rest}))
        except ConnectionError:
            return response
        finally:
            unwatch()
            self._faults_changed.discard(bell)

    def _everything(self) -> dict[str, Any]:
        return {"calls": list(self._screen.calls.values()), **self._around()}

    def _around(self) -> dict[str, Any]:
        return {
            "tests": self._screen.tests[-20:],
            "counts": dict(self._screen.counts),
            "ends": {
                name: {
                    "address": end.address,
                    "open": end.ready.is_set(),
                    "fault": None if end.fault is None else end.fault.name,
                    "faults": list(end.faults),
                }
                for name, end in self._ends.items()
            },
        }

    # ---- doing

    async def _post_acknowledge(self, request: web.Request) -> web.Response:
        by = await _by(request)
        return self._act(lambda number: self._screen.acknowledge(number, by), request)

    async def _post_reject(self, request: web.Request) -> web.Response:
        return self._act(self._screen.reject, request)

    async def _post_read_back(self, request: web.Request) -> web.Response:
        by = await _by(request)
        return self._act(lambda number: self._screen.read_back(number, by), request)

    async def _post_status(self, request: web.Request) -> web.Response:
        status = str((await _told(request)).get("status", ""))
        return self._act(lambda number: self._screen.status(number, status), request)

    async def _post_fault(self, request: web.Request) -> web.Response:
        told = await _told(request)
        text = str(told.get("fault") or "")
        try:
            set_fault(self._ends, str(told.get("end") or ""), text)
        except SettingsError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        for bell in self._faults_changed:
            bell.set()
        return web.json_response({"fault": text or None})

    def _act(self, act: Callable[[int], None], request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        try:
            act(number)
        except KeyError:
            raise web.HTTPNotFound(text=f"there is no call {number}") from None
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        return _json(self._screen.calls[number])


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Only pages of this machine may ask: neither a foreign name for 127.0.0.1 nor a foreign page gets through."""
    origin = request.headers.get("Origin")
    if urlsplit(f"//{request.host}").hostname not in _LOCAL:
        raise web.HTTPForbidden(text="only this machine may ask")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text="another page asked")
    return await handler(request)


async def _told(request: web.Request) -> dict[str, object]:
    if not request.can_read_body:
        return {}
    try:
        return msgspec.json.decode(await request.read(), type=dict[str, object])
    except msgspec.DecodeError as error:
        raise web.HTTPBadRequest(text=f"expected a JSON object: {error}") from None


async def _by(request: web.Request) -> str:
    return str((await _told(request)).get("by") or "T1")


def _file(name: str) -> web.Response:
    path = _STATIC / name
    if path.suffix not in _TYPES or not path.is_file():
        raise web.HTTPNotFound
    return web.Response(
        body=path.read_bytes(), content_type=_TYPES[path.suffix], charset="utf-8", headers=_HEADERS
    )


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json", headers=_HEADERS)


def _event(name: str, value: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(value) + b"\n\n"
