"""What the ends of text wires share: texts of the school onto the screen, and what a person does back as a text."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

from belltower.errors import Malformed
from gateway.county.end import Fault
from gateway.county.screen import Acknowledged, HeardCall, ReadBack, Screen, ScreenEvent
from gateway.psap import short_text
from gateway.psap.radio_text import CallText, CancelText, CorrectText, LinkTestText, MoreText
from hardware.simulators.port import Port
from hardware.simulators.serving import Device, serve

Way = TypeVar("Way")
"""How to reach whoever sent a text."""

_CALLS = 1_000


class Misbehaving(Device, Protocol):
    """A simulated device that can be asked to do wrong."""

    def misbehave(self, name: str, measure: float = 0.0) -> None:
        """Do this wrong from now on; "" for nothing."""
        ...


class TextEnd(Generic[Way]):
    """Satisfies `CountyEnd`: the school's simulated device, whose far side is the centre."""

    def __init__(self, *, name: str, port: Port, device: Misbehaving, faults: Mapping[str, float]) -> None:
        self.name = name
        self.address = port.address
        self.ready = asyncio.Event()
        self.faults = faults
        self.unread = 0
        """Texts that follow no rule."""
        self._port = port
        self._device = device
        self._fault: Fault | None = None
        self._screen: Screen | None = None
        self._ways: OrderedDict[int, Way] = OrderedDict()

    @property
    def fault(self) -> Fault | None:
        """What the device does wrong."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self._fault = fault
        self._device.misbehave(fault.name if fault else "", fault.value if fault else 0.0)

    async def run(self, screen: Screen) -> None:
        """Be the device until cancelled."""
        self._screen = screen
        unfollow = screen.follow(self._tell, end=self.name)
        try:
            await serve(self._device, self._port, self._opened)
        finally:
            unfollow()

    @abstractmethod
    def answer(self, way: Way, text: str) -> None:
        """A text of the centre's goes back to the school."""

    def took(self, text: str, way: Way) -> None:
        """A text of the school's has come."""
        screen = self._screen
        if screen is None:
            return
        try:
            said = short_text.parse(text)
        except Malformed:
            self.unread += 1
            return
        match said:
            case CallText():
                self._remember(said.number, way)
                screen.show(
                    HeardCall(
                        end=self.name,
                        number=said.number,
                        key=said.key,
                        incident=said.incident,
                        kind=said.kind,
                        exercise=said.exercise,
                        building=said.building,
                        place=said.place,
                    )
                )
            case MoreText():
                for building, number, ranges in said.items:
                    self._remember(number, way)
                    screen.show(
                        HeardCall(
                            end=self.name,
                            number=number,
                            key=said.key,
                            incident=said.incident,
                            exercise=said.exercise,
                            building=building,
                            presses=ranges,
                        )
                    )
            case CancelText():
                self._remember(said.number, way)
                screen.cancel(self.name, said.number, said.key, update=said.update)
            case CorrectText():
                self._remember(said.number, way)
                screen.correct(
                    self.name,
                    said.number,
                    said.key,
                    place=said.place,
                    building=said.building,
                    update=said.update,
                )
            case LinkTestText():
                screen.show(HeardCall(end=self.name, number=said.number, key=said.key, test=True))

    def _opened(self) -> None:
        self.address = self._port.address
        self.ready.set()

    def _remember(self, number: int, way: Way) -> None:
        self._ways[number] = way
        self._ways.move_to_end(number)
        if len(self._ways) > _CALLS:
            self._ways.popitem(last=False)

    def _tell(self, event: ScreenEvent) -> None:
        way = self._ways.get(event.number)
        if way is None:
            return
        match event:
            case Acknowledged(number=number, by=by):
                self.answer(way, f"ACK {number} {by}")
            case ReadBack(number=number, by=by, update=update):
                which = f"{number}-{update}" if update else f"{number}"
                self.answer(way, f"READBACK {which} {by}")
            case _:
                pass  # there is no agreed word for it
