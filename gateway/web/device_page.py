"""The page of devices: who is heard and who is not, what is wrong first; asked of the alarm lane whenever it is shown."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web
from msgspec import Struct

from belltower.clock import Clock
from belltower.errors import BelltowerError
from belltower.ids import PlaceId
from gateway.intake.devices.health import DeviceHealth, Devices
from gateway.web.desk import Names
from gateway.web.headline import Tone
from gateway.web.pages import Pages
from gateway.web.view import ago

MOST_IN_ORDER = 200
"""Devices in order that are listed; those with something wrong always are."""

AskDevices = Callable[[], Awaitable[Devices]]
"""How the devices are. Raises `BelltowerError` where the alarm lane does not say."""


class DeviceLine(Struct, frozen=True, kw_only=True):
    """One device as people read it."""

    id: str
    place: str
    tone: Tone
    said: str
    heard: str
    battery: str
    model: str
    note: str = ""


class DevicePage:
    """Serves `/devices`."""

    def __init__(self, *, pages: Pages, names: Names, ask: AskDevices, clock: Clock) -> None:
        self._pages = pages
        self._names = names
        self._ask = ask
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Where it stands."""
        return [web.get("/devices", self._show)]

    async def _show(self, request: web.Request) -> web.Response:
        session = await self._pages.signed_in(request)
        try:
            devices = await self._ask()
        except BelltowerError:
            values = {"known": False}
            return self._pages.page(request, "devices.html", values, session, status=503)
        every = sorted((*sorted(devices.devices, key=_in_order), *devices.others), key=lambda each: each.rank)
        lines = [(each.rank, self._line(each)) for each in every]
        good = [line for rank, line in lines if rank == 2]
        return self._pages.page(
            request,
            "devices.html",
            {
                "known": True,
                "wrong": [line for rank, line in lines if rank < 2],
                "good": good[:MOST_IN_ORDER],
                "more": len(good) - MOST_IN_ORDER,
                "count": len(lines),
                "out": len(devices.out_of_service),
                "unknown": devices.unknown,
                "walk_test": devices.walk_test_by,
                "outputs": devices.outputs,
                "faulty": sum(1 for each in devices.outputs if each.fault),
            },
            session,
        )

    def _heard(self, each: DeviceHealth) -> str:
        if each.heard:
            return f"heard {ago(self._clock.now() - each.heard)}"
        return "never heard" if _speaks(each) else ""

    def _line(self, each: DeviceHealth) -> DeviceLine:
        tones = {0: Tone.LOUD, 1: Tone.WAITING, 2: Tone.QUIET}
        return DeviceLine(
            id=each.id,
            place=_KINDS.get(each.kind) or self._names.place(PlaceId(each.place) if each.place else None),
            tone=tones[each.rank],
            said=", ".join(each.remarks)
            or ("in order" if each.heard or not _speaks(each) else "not heard yet"),
            heard=self._heard(each),
            battery=f"{each.battery} %" if each.battery >= 0 else "",
            model={"own unit": "our own", "": "neither device nor unit"}.get(each.profile, each.profile),
            note=f"{each.unproven}: its press calls nobody without a person." if each.unproven else "",
        )


def _in_order(each: DeviceHealth) -> tuple[bool, list[str | int]]:
    """By name, numbers in it as numbers: u2 before u10."""
    parts: list[str | int] = list(re.split("([0-9]+)", each.id))
    parts[1::2] = [int(part) for part in parts[1::2]]
    return not each.because, parts


def _speaks(each: DeviceHealth) -> bool:
    return each.kind in ("device", "unit")


_KINDS = {"path": "A way in", "name": "A name at a broker"}
