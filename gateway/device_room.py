"""The foreign devices of a lane: what the site package says of them, and all that is known of them, in one room."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import msgspec

from belltower.clock import Clock
from belltower.errors import NotFound, StoreError, WrongState
from belltower.ids import PersonId, PlaceId, UnitId
from belltower.incident.verbs import Verbs
from belltower.store import Database
from belltower.tasks import together
from floorplans import Place
from gateway.intake.devices.health import DeviceHealth, Devices, OutputHealth, device_health, health
from gateway.intake.devices.memory import DeviceMemory
from gateway.intake.devices.receiving import DeviceIntake
from gateway.intake.devices.registry import KnownDevice, Registry, known_devices
from gateway.intake.devices.states import WRITTEN_EVERY, States
from gateway.intake.devices.supervision import DeviceSupervision
from gateway.intake.devices.troubles import Troubles
from gateway.intake.devices.walk_test import ELSEWHERE, WalkTest, elsewhere
from gateway.intake.takeovers import Takeovers
from gateway.intake.units import KnownUnit
from gateway.site_package.devices import SiteDevices
from hardware.profiles.reading import Reader

_NAMED = 20


class DeviceRoom:
    """Everything about foreign devices that one lane holds."""

    def __init__(
        self,
        *,
        foreign: SiteDevices,
        places: Mapping[PlaceId, Place],
        verbs: Verbs,
        database: Database,
        clock: Clock,
        counts: Counter[str],
        others: Callable[[], Iterable[DeviceHealth]] = tuple,
        unit_health: Callable[[], Iterable[DeviceHealth]] = tuple,
        units: Iterable[KnownUnit] = (),
        keys: Mapping[str, bytes] | None = None,
    ) -> None:
        """Make the room; `open` it before anything is received.

        `others` are shown beside the devices, `unit_health` are those of them that are units; `units` are our own, which a walk-test proves too; `keys` are those of
        devices, by id.
        """
        self._others = others
        self._unit_health = unit_health
        self._units = {unit.record.id: unit for unit in units}
        self._places = places
        self.outputs: Callable[[], tuple[OutputHealth, ...]] = tuple
        """How the outputs are; shown with the devices."""
        self.journal_well = asyncio.Event()
        """Set when what was spooled has come in: an earlier process may have said some of it."""
        self._clock = clock
        self._verbs = verbs
        self.registry = Registry(
            known_devices(foreign.devices.values(), profiles=foreign.profiles, places=places, keys=keys)
        )
        self.memory = DeviceMemory(database=database, clock=clock)
        self.states = States(database=database, clock=clock)
        self.supervision = DeviceSupervision(
            watched={name: device.watched for name, device in self.registry.devices.items()},
            clock=clock,
            record=verbs.record,
            changed=self.states.changed,
        )
        self.walk_test = WalkTest(clock=clock)
        self.troubles = Troubles(database=database, record=verbs.record, clock=clock, counts=counts)
        self.takeovers = Takeovers(clock=clock, troubles=self.troubles)
        self.intake = DeviceIntake(
            verbs=verbs,
            database=database,
            clock=clock,
            reader=Reader(foreign.profiles),
            registry=self.registry,
            memory=self.memory,
            states=self.states,
            supervision=self.supervision,
            troubles=self.troubles,
            walk_test=self.walk_test,
            counts=counts,
            bind=self._bind,
        )

    @property
    def _ours(self) -> frozenset[str]:
        return frozenset((*self.registry.devices, *self._units))

    async def open(self) -> None:
        """Load what an earlier process knew."""
        names = self.registry.devices
        await self.memory.open(names)
        await self.states.open(names, self.supervision, units=self._units)
        await self.troubles.open(self._ours)
        for name in [name for name, device in names.items() if device.place is None]:
            if proven_at := self.states.of(name).tested_place:
                self._bind(name, PlaceId(proven_at))

    async def attend(self) -> None:
        """Watch over all devices and write down what changes, for ever."""
        await together(
            devices_watch=self.supervision.watch(), devices_write=self._write(), devices_stand=self._come_in()
        )

    async def _come_in(self) -> None:
        while True:
            await self.journal_well.wait()
            self.journal_well.clear()
            with suppress(StoreError):  # ill once more: it will be well again
                await self.troubles.load(self._ours)

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(WRITTEN_EVERY)
            self.takeovers.look()
            self.troubles.look()
            await self.memory.write_once()
            await self.states.write_once(self.supervision)

    def health(self) -> Devices:
        """How they are."""
        walk = self.walk_test.going_on(self._authorisation())
        return health(
            self.registry,
            states=self.states,
            supervision=self.supervision,
            clock=self._clock,
            stuck=[name for name in self.registry.devices if self.intake.stuck.stuck(name)],
            walk_test_by=walk.by if walk is not None else "",
            troubles=self.troubles.standing,
            others=self._others(),
            outputs=self.outputs(),
        )

    def own_health(self) -> tuple[DeviceHealth, ...]:
        """How the foreign devices are, nobody else."""
        return health(
            self.registry, states=self.states, supervision=self.supervision, clock=self._clock
        ).devices

    def told(self, device: str) -> str:
        """All devices as JSON, or only one. Raises `NotFound`."""
        every = self.health()
        if device and device not in self.registry.devices:
            raise NotFound(f"the site package has no device {device}")
        return msgspec.json.encode(every).decode()

    def exercised(self, unit: UnitId, place: PlaceId | None) -> None:
        """A unit of ours was pressed in an exercise: in a walk-test at its place that is its proof."""
        if place is None:  # there is nowhere that it could be proven at
            return
        authorisation = self._authorisation()
        if (at := self.walk_test.elsewhere(place, authorisation)) is not None:
            self.troubles.note(unit, ELSEWHERE, why=elsewhere(at, place))
        _, walk = self.walk_test.takes(unit, place, authorisation)
        if walk is not None:
            self._verbs.record(self.states.proven(unit, place, walk.by))

    def _bind(self, name: str, at: PlaceId) -> KnownDevice | None:
        place = self._places.get(at)
        return self.registry.bind(name, place) if place is not None else None

    def begin_walk_test(self, by: PersonId, at: PlaceId | None = None) -> str:
        """Begin a walk-test under the drill that runs, or go on `at` another place. Raises `WrongState`, `NotFound`.

        The drill must cover every device and unit, those without a place too.
        """
        if at is not None and at not in self._places:
            raise NotFound(f"the site package has no place {at}")
        pressed: list[tuple[str, KnownDevice | KnownUnit]] = [*self._units.items()]
        pressed += [(name, device) for name, device in self.registry.devices.items() if device.panic]
        outside = [name for name, each in pressed if self._verbs.drill_at(each.place, each.building) is None]
        if outside and self._authorisation() is not None:
            raise WrongState(
                f"the drill does not cover the places of these devices and units, so pressing them would be live: "
                f"{', '.join(sorted(outside)[:_NAMED])}; a walk-test needs a drill of the whole campus"
            )
        self.walk_test.begin(by, self._authorisation(), at)
        return "begun"

    def end_walk_test(self) -> str:
        """End it; the devices whose press calls for help and that were not proven at their place, by name."""
        walk = self.walk_test.going_on(self._authorisation())
        proven = walk.proven.keys() if walk is not None else set[str]()
        self.walk_test.end()
        expected = [name for name, device in self.registry.devices.items() if device.panic]
        return " ".join(sorted(name for name in (*expected, *self._units) if name not in proven))

    def _authorisation(self) -> str | None:
        running = self._verbs.drill
        return running.authorisation if running is not None else None

    def calling_for_help(self) -> Iterable[DeviceHealth]:
        """How those are whose press calls for help, each looked at when it is asked for."""
        yield from self._unit_health()
        for device in tuple(self.registry.devices.values()):
            if device.panic:
                yield device_health(device, self.states, self.supervision, self._clock.now())
