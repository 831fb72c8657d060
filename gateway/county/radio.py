"""The county's end of the radio link: a `County` on a transport."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from belltower.errors import Unreachable
from belltower.tasks import together
from gateway.county.core import FAULTS, County
from gateway.county.end import Fault
from gateway.county.screen import Screen, ScreenEvent
from hardware.transports import Transport

_REOPEN = 0.5


class RadioEnd:
    """A `County` and its line. `run` it; `acknowledge` and `reject` as the telecommunicator would."""

    def __init__(
        self, *, county: County, transport: Transport, name: str = "kiss", address: str = ""
    ) -> None:
        self.name = name
        self.address = address
        self.ready = asyncio.Event()
        self.faults: Mapping[str, float] = FAULTS
        self.county = county
        self._transport = transport
        self._bell = asyncio.Event()

    @property
    def fault(self) -> Fault | None:
        """What it does wrong."""
        return self.county.fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self.county.fault = fault
        self._bell.set()

    def acknowledge(self, number: int, by: str = "T1") -> None:
        """A person takes the call. KeyError: there is no such call."""
        self.county.acknowledge(number, by, now=asyncio.get_running_loop().time())
        self._bell.set()

    def reject(self, number: int) -> None:
        """The centre does not take the call. KeyError: there is no such call."""
        self.county.reject(number)

    async def run(self, screen: Screen | None = None) -> None:
        """Hear and answer, reopening the line whenever it goes; on the county's own screen, or on this one."""
        if screen is not None:
            self.county.screen = screen
        unfollow = self.county.screen.follow(self._tell, end=self.name)
        try:
            while True:
                try:
                    await self._transport.open()
                    self.ready.set()
                    await together(county_hear=self._hear(), county_speak=self._speak())
                except Unreachable:
                    pass
                finally:
                    await self._transport.close()
                await asyncio.sleep(_REOPEN)
        finally:
            unfollow()

    def _tell(self, event: ScreenEvent) -> None:
        self.county.tell(event, now=asyncio.get_running_loop().time())
        self._bell.set()

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
