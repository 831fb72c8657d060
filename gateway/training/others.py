"""The simulators, over their control interfaces."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec

from belltower.errors import Unreachable

_TIMEOUT = aiohttp.ClientTimeout(total=5)


class ShownUnit(msgspec.Struct, frozen=True, kw_only=True):
    """One unit as its simulator shows it."""

    unit: str
    place: str = ""
    connected: bool = False
    level: str = "none"
    shows: str = ""


class _Device(msgspec.Struct, frozen=True, kw_only=True):
    device: str
    place: str = ""
    silent: bool = False
    profile: str = ""
    said: int = 0


class ScreenCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call on the county's screen."""

    number: int
    incident: int = 0
    kind: str = ""
    exercise: bool = False
    building: str = ""
    place: str = ""
    # The alarm numbers it covers, first and last of each range.
    presses: tuple[tuple[int, int], ...] = ()
    state: str = "new"
    by: str = ""
    told: bool = False

    @property
    def count(self) -> int:
        """How many presses it covers."""
        return sum(last - first + 1 for first, last in self.presses)


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """One text message at the carrier."""

    to: str
    body: str
    status: str
    at: int = 0


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """One mail in a mailbox."""

    to: str
    subject: str
    body: str
    at: int = 0


class _Screen(msgspec.Struct, frozen=True, kw_only=True):
    calls: list[ScreenCall]


class Others:
    """Asks and steers the simulators. Whatever does not answer is `Unreachable`."""

    def __init__(
        self, *, session: aiohttp.ClientSession, units: str, county: str, carrier: str, devices: str = ""
    ) -> None:
        """Keep where they are; `devices`, of other makes, are asked only where there are any."""
        self._session = session
        self._devices = devices
        self._foreign: frozenset[str] = frozenset()
        self._units = units
        self._county = county
        self._carrier = carrier

    async def units(self) -> list[ShownUnit]:
        """Every simulated unit, and every device of another make."""
        units = msgspec.json.decode(await self._ask("GET", f"{self._units}/units"), type=list[ShownUnit])
        return [*units, *await self._of_others()] if self._devices else units

    async def _of_others(self) -> list[ShownUnit]:
        """Devices of other makes: they are shown nothing, so nothing is known of how far a press has come."""
        devices = msgspec.json.decode(await self._ask("GET", f"{self._devices}/devices"), type=list[_Device])
        self._foreign = frozenset(one.device for one in devices)
        return [
            ShownUnit(
                unit=one.device,
                place=one.place,
                connected=not one.silent,
                shows=f"a {one.profile}, which is told nothing",
            )
            for one in devices
        ]

    async def press(self, unit: str, kind: str) -> None:
        """Press a unit's button."""
        if unit in self._foreign:
            await self._ask("POST", f"{self._devices}/devices/{unit}/press")
            return
        await self._ask("POST", f"{self._units}/units/{unit}/press", {"kind": kind})

    async def calls(self) -> list[ScreenCall]:
        """What the telecommunicator sees."""
        screen = msgspec.json.decode(await self._ask("GET", f"{self._county}/calls"), type=_Screen)
        return screen.calls

    async def acknowledge(self, number: int) -> None:
        """The telecommunicator takes a call."""
        await self._ask("POST", f"{self._county}/calls/{number}/acknowledge", {"by": "T1"})

    async def county_fault(self, fault: str) -> None:
        """Something goes wrong at the county from now on; "" for nothing."""
        await self._ask("POST", f"{self._county}/fault", {"fault": fault})

    async def phones(self) -> dict[str, list[Text]]:
        """Every phone's text messages."""
        return msgspec.json.decode(
            await self._ask("GET", f"{self._carrier}/phones"), type=dict[str, list[Text]]
        )

    async def answer(self, number: str, text: str) -> None:
        """Somebody writes back to the newest text that came to their phone."""
        await self._ask("POST", f"{self._carrier}/phones/{quote(number)}/reply", {"text": text})

    async def mailboxes(self) -> dict[str, list[Mail]]:
        """Every mailbox's mails."""
        return msgspec.json.decode(
            await self._ask("GET", f"{self._carrier}/mailboxes"), type=dict[str, list[Mail]]
        )

    async def carrier_fault(self, faults: dict[str, Any]) -> None:
        """Something goes wrong at the carrier from now on; nothing given, nothing wrong."""
        await self._ask("POST", f"{self._carrier}/fault", faults)

    async def _ask(self, method: str, url: str, body: dict[str, Any] | None = None) -> bytes:
        try:
            async with self._session.request(method, url, json=body, timeout=_TIMEOUT) as answer:
                octets = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unreachable(
                "its simulator does not answer; the demo starts it again if it is gone"
            ) from error
        if answer.status >= 400:
            raise Unreachable(octets[:200].decode(errors="replace"))
        return octets
