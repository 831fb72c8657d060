"""Wired contacts by Modbus: every input of `devices.toml` on a line is polled, and its level told as a message.

What a level means its profile says. A message is `{"closed": true}`, now and then with `"held": true`: it has been so for
ten minutes; and `{"line": "lost"}` or `{"line": "back"}` of a module that does not answer. A level that is told first
after a start or a gap was found so: nobody saw it become so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from belltower import log
from belltower.errors import LinkError, Unreachable
from belltower.tasks import together
from gateway.intake.devices.registry import KnownDevice
from hardware.drivers.modbus import Inputs, InputSeen, ModbusLine

_log = log.get("contacts")

BEAT = 10.0
"""Seconds between two tellings of a level that does not change: so long a device may say nothing."""
LOST_AFTER = 3.0
"""Seconds without an answer after which a module is lost."""
RETRY = 0.5
"""Seconds after which a module that did not answer is asked again."""
SLOW_RETRY = 5.0
"""The same of a lost one: asking it holds up the line's other modules."""
HELD = 600.0
"""Seconds after which it is said of a level that it stays as it is: of a button pressed, that is a trouble."""


class Teller(Protocol):
    """Where messages go: the room of foreign devices."""

    def tell(self, topic: str, payload: bytes) -> None:
        """One message of one device."""
        ...

    def found(self, profile: str, address: str) -> None:
        """What this device's inputs are told to be next, nobody saw them become."""
        ...


class Contact(Struct, frozen=True, kw_only=True):
    """One input of one module, and the device that is wired to it."""

    unit: int
    number: int
    profile: str
    address: str


class Module(Struct, frozen=True, kw_only=True):
    """A module on a line; `device`: its own address, where it is a device of the site too."""

    unit: int
    contacts: tuple[Contact, ...]
    device: str = ""


def modules_of(line: str, devices: Iterable[KnownDevice]) -> tuple[Module, ...]:
    """The modules of `line` that devices are wired to. An address is LINE/UNIT/INPUT, of a module LINE/UNIT."""
    contacts: dict[int, list[Contact]] = {}
    own: dict[int, str] = {}
    for device in devices:
        if device.profile.wire != "modbus":
            continue
        name, *numbers = device.record.address.split("/")
        if name != line or not all(number.isdecimal() for number in numbers):
            continue
        match [int(number) for number in numbers]:
            case [unit, number]:
                contacts.setdefault(unit, []).append(
                    Contact(
                        unit=unit, number=number, profile=device.profile.id, address=device.record.address
                    )
                )
            case [unit]:
                own[unit] = device.record.address
            case _:
                pass
    return tuple(
        Module(unit=unit, contacts=tuple(contacts[unit]), device=own.get(unit, ""))
        for unit in sorted(contacts)
    )


class Contacts:
    """All modules of one line. `run` it; mendable. What it raises is `Unreachable`: the line is gone."""

    def __init__(
        self,
        *,
        line: ModbusLine,
        modules: Iterable[Module],
        teller: Teller,
        poll: float,
        as_coils: bool = False,
        beat: float = BEAT,
        held: float = HELD,
    ) -> None:
        """Poll every `poll` seconds; `as_coils`: the modules show their inputs among their coils."""
        self._line = line
        self._modules = tuple(modules)
        self._teller = teller
        self._poll = poll
        self._as_coils = as_coils
        self._beat = beat
        self._held = held
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Poll for ever."""
        await self._line.connect()
        self.ready.set()
        try:
            await together(
                line=_for_ever(),
                **{f"module_{module.unit}": self._watched(module).run() for module in self._modules},
            )
        finally:
            self.ready.clear()
            await self._line.close()

    def _watched(self, module: Module) -> _Watched:
        watched = _Watched(module=module, teller=self._teller, beat=self._beat, held=self._held)
        watched.inputs = Inputs(
            line=self._line,
            device=module.unit,
            names={contact.number: str(contact.number) for contact in module.contacts},
            on_input=watched.seen,
            as_coils=self._as_coils,
            poll=self._poll,
        )
        return watched


class _Watched:
    """One module while its line is open."""

    inputs: Inputs

    def __init__(self, *, module: Module, teller: Teller, beat: float, held: float) -> None:
        self._module = module
        self._teller = teller
        self._beat = beat
        self._held = held
        self._lost = False
        self._by_number: dict[str, list[Contact]] = {}
        for contact in module.contacts:
            self._by_number.setdefault(str(contact.number), []).append(contact)
        # The level of each input, and since when it is so.
        self._levels: dict[str, tuple[bool, float]] = {}

    async def run(self) -> None:
        """Poll, and tell what there is to tell, until the line is gone."""
        await together(poll=self._poll(), beat=self._beats())

    def seen(self, seen: InputSeen) -> None:
        """An input's level as it is now."""
        if self._lost:
            self._lost = False
            _log.info("module_back", unit=self._module.unit)
        self._levels[seen.name] = seen.closed, asyncio.get_running_loop().time()
        for contact in self._by_number[seen.name]:
            if not seen.edge:
                self._teller.found(contact.profile, contact.address)
            self._tell(contact, closed=seen.closed)

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        answered = loop.time()
        while True:
            polls = self.inputs.polls
            try:
                await self.inputs.run()
            except Unreachable:
                raise
            except LinkError as error:
                if self.inputs.polls != polls:
                    answered = loop.time()
                if not self._lost and loop.time() - answered >= LOST_AFTER:
                    self._lose(str(error))
            await asyncio.sleep(SLOW_RETRY if self._lost else RETRY)

    def _lose(self, why: str) -> None:
        self._lost = True
        _log.warning("module_lost", unit=self._module.unit, why=why)
        for contact in self._module.contacts:
            self._tell(contact, line="lost")
        self._of_itself(line="lost")

    async def _beats(self) -> None:
        loop = asyncio.get_running_loop()
        polls = 0
        told: dict[str, float] = {}
        while True:
            await asyncio.sleep(self._beat)
            if self.inputs.polls == polls:
                continue
            polls = self.inputs.polls
            self._of_itself(line="back")
            for name, (closed, since) in self._levels.items():
                said: dict[str, Any] = {"closed": closed}
                if loop.time() - max(since, told.get(name, since)) >= self._held:
                    told[name] = loop.time()
                    said["held"] = True
                for contact in self._by_number[name]:
                    self._tell(contact, **said)

    def _tell(self, contact: Contact, **what: Any) -> None:
        self._teller.tell(f"modbus/{contact.address}", msgspec.json.encode(what))

    def _of_itself(self, **what: Any) -> None:
        if self._module.device:
            self._teller.tell(f"modbus-module/{self._module.device}", msgspec.json.encode(what))


async def _for_ever() -> None:
    await asyncio.get_running_loop().create_future()
