"""The training page and its forms as one aiohttp application."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import jinja2
import msgspec
from aiohttp import hdrs, web

from belltower.errors import Unreachable
from belltower.people.person import ContactKind
from gateway.training.others import Others
from gateway.training.scene import CARRIER_FAULTS, COUNTY_FAULTS, OTHER, Scene, School, scene
from gateway.web.guard import HEADERS, form_of
from gateway.web.render import Asset, assets

_HERE = Path(__file__).parent
_UNIT = re.compile(r"[a-z][a-z0-9-]{0,39}")
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_LONGEST = 320
_LOCAL = ("127.0.0.1", "localhost", "[::1]")

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_training(
    *,
    school: School,
    units: str,
    county: str,
    carrier: str,
    live: str,
    sign_in: Callable[[], str],
    devices: str = "",
) -> web.Application:
    """The training page over the simulators at these addresses.

    `live` is the live page's address; `sign_in` says the one-time link to it, or "" once it was used.
    """
    version, static = _static()
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["asset"] = lambda name: f"/static/{version}/{name}"
    training = Training(
        school=school,
        live=live,
        sign_in=sign_in,
        templates=templates,
        static=static,
        addresses=(units, county, carrier, devices),
    )
    app = web.Application(middlewares=[_guarded], client_max_size=4096)
    app.cleanup_ctx.append(training.session)
    app.add_routes(
        [
            web.get("/", training.page),
            web.get("/state", training.state),
            web.post("/press", training.press),
            web.post("/acknowledge", training.acknowledge),
            web.post("/answer", training.answer),
            web.post("/faults", training.faults),
            web.get("/static/{version}/{name}", training.asset),
        ]
    )
    return app


class Training:
    """Answers the training page's requests."""

    def __init__(
        self,
        *,
        school: School,
        live: str,
        sign_in: Callable[[], str],
        templates: jinja2.Environment,
        static: dict[str, Asset],
        addresses: tuple[str, str, str, str],
    ) -> None:
        self._school = school
        self._live = live
        self._sign_in = sign_in
        self._templates = templates
        self._static = static
        self._addresses = addresses
        self._county_fault = ""
        self._carrier_fault = ""
        self._others: Others

    async def session(self, _app: web.Application) -> AsyncIterator[None]:
        """Hold one HTTP client while the application runs."""
        units, county, carrier, devices = self._addresses
        async with aiohttp.ClientSession() as session:
            self._others = Others(
                session=session, units=units, county=county, carrier=carrier, devices=devices
            )
            yield

    async def page(self, _request: web.Request) -> web.Response:
        """The whole page."""
        return await self._page()

    async def _page(self, fault: str = "", status: int = 200) -> web.Response:
        values = await self._values() | {"fault": fault}
        html = self._templates.get_template("training.html").render(values)
        return web.Response(text=html, content_type="text/html", status=status)

    async def state(self, _request: web.Request) -> web.Response:
        """The pieces that change, as JSON of id and HTML."""
        values = await self._values()
        parts: Any = self._templates.get_template("pieces.html").module
        drawn: Scene = values["scene"]
        pieces = {
            "trouble": str(parts.trouble(drawn)),
            "calls": str(parts.calls(drawn)),
            "readers": str(parts.readers(drawn)),
            "numbers": str(parts.numbers(values["numbers"])),
            "door": str(parts.door(self._live, values["sign_in"])),
        }
        units = [unit for room in drawn.rooms for unit in room.units] + list(drawn.unplaced)
        told = {"units": msgspec.to_builtins(units), "pieces": pieces}
        return web.Response(text=json.dumps(told), content_type="application/json")

    async def press(self, request: web.Request) -> web.Response:
        """Press a unit's button."""
        form = await form_of(request)
        unit, kind = str(form.get("unit", "")), str(form.get("kind", "panic"))
        if not _UNIT.fullmatch(unit) or kind not in ("panic", "medical"):
            raise web.HTTPBadRequest(text="There is no such button.")
        return await self._do(self._others.press(unit, kind))

    async def acknowledge(self, request: web.Request) -> web.Response:
        """Answer as the telecommunicator."""
        number = str((await form_of(request)).get("number", ""))
        if not number.isascii() or not number.isdigit() or len(number) > 9:
            raise web.HTTPBadRequest(text="There is no such call.")
        return await self._do(self._others.acknowledge(int(number)))

    async def answer(self, request: web.Request) -> web.Response:
        """Write back from somebody's phone."""
        form = await form_of(request)
        number, text = str(form.get("number", "")).strip(), str(form.get("text", "")).strip()
        if not _NUMBER.fullmatch(number) or not 0 < len(text) <= _LONGEST:
            return await self._page("Choose a phone that has received a text, and write an answer.", 400)
        try:
            return await self._do(self._others.answer(number, text))
        except web.HTTPBadGateway as error:
            return await self._page(error.text or "", error.status)

    async def faults(self, request: web.Request) -> web.Response:
        """Let something go wrong, or right again."""
        form = await form_of(request)
        county, carrier = str(form.get("county", "")), str(form.get("carrier", ""))
        if county not in COUNTY_FAULTS or carrier not in CARRIER_FAULTS:
            raise web.HTTPBadRequest(text="There is no such fault.")
        self._county_fault, self._carrier_fault = county, carrier
        await self._do(self._others.county_fault(county))
        return await self._do(self._others.carrier_fault(dict(CARRIER_FAULTS[carrier][1])))

    async def asset(self, request: web.Request) -> web.Response:
        """A static file."""
        asset = self._static.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound
        return web.Response(body=asset.body, content_type=asset.content_type, charset="utf-8")

    async def _do(self, doing: Awaitable[None]) -> web.Response:
        try:
            await doing
        except Unreachable as error:
            raise web.HTTPBadGateway(text=str(error)) from error
        return web.Response(status=303, headers={hdrs.LOCATION: "/"})

    async def _values(self) -> dict[str, Any]:
        others = self._others
        units, calls, phones, mails = await asyncio.gather(
            _asked(others.units()),
            _asked(others.calls()),
            _asked(others.phones()),
            _asked(others.mailboxes()),
        )
        drawn = scene(self._school, units, calls, phones, mails)
        own = [
            (contact.address, person.name)
            for person in self._school.people
            for contact in person.contacts
            if contact.kind is ContactKind.SMS
        ]
        return {
            "school": self._school,
            "scene": drawn,
            "numbers": [*own, *((number, OTHER) for number in drawn.others)],
            "live": self._live,
            "sign_in": self._sign_in(),
            "county_faults": COUNTY_FAULTS,
            "carrier_faults": {name: words for name, (words, _) in CARRIER_FAULTS.items()},
            "county_fault": self._county_fault,
            "carrier_fault": self._carrier_fault,
        }


async def _asked(asking: Awaitable[T]) -> T | None:
    try:
        return await asking
    except (Unreachable, msgspec.DecodeError):
        return None


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Only this machine's own pages: another name for us would be somebody's trick with DNS."""
    name = request.host.rpartition(":")[0] if not request.host.endswith("]") else request.host
    if name not in _LOCAL:
        raise web.HTTPForbidden(text="The training page is for this machine only: open it at 127.0.0.1.")
    if request.method == "POST" and request.headers.get(hdrs.ORIGIN) != f"http://{request.host}":
        raise web.HTTPForbidden(text="This form was not sent from the training page.")
    response = await handler(request)
    for header, value in HEADERS.items():
        response.headers.setdefault(header, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _static() -> tuple[str, dict[str, Asset]]:
    shared_version, shared = assets()
    own_version, own = assets(_HERE / "static")
    return shared_version[:6] + own_version[:6], shared | own
