"""All that hears: our own units, alarm panels and foreign devices, each with what keeps watch over it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from belltower.ids import LinkName, PlaceId
from belltower.incident.entry import Entry
from belltower.incident.facts import AlarmRaised, Fact
from belltower.incident.verbs import Verbs
from belltower.journal import Journal
from belltower.store import Database
from belltower.tasks import Crew
from gateway.alarm_world import World
from gateway.device_room import DeviceRoom
from gateway.device_wires import DeviceWires
from gateway.intake.devices.health import DeviceHealth
from gateway.intake.intake import Intake
from gateway.intake.jamming import Jamming
from gateway.intake.panel_path import PanelPath
from gateway.intake.paths import Path as UnitPath
from gateway.intake.progress import Progress
from gateway.intake.rooms import RoomUnits
from gateway.intake.supervision import LOST_AFTER, Supervision
from gateway.intake.suspects import Suspects
from gateway.intake.telling import Tellings
from gateway.intake.unit_health import last_heard, path_health, unit_health
from gateway.intake.units import known_units
from gateway.intake.windows import Windows
from gateway.settings import Settings
from gateway.site_package import SitePackage
from gateway.switch_wires import answer_topics
from hardware.codecs.unit import site_tag
from hardware.unit_record import Bearer


class Ways:
    """What is known of the ways in. Those that answer units look here for a path to them."""

    def __init__(self) -> None:
        self.paths: dict[str, UnitPath] = {}
        """Those to our own units, by name."""
        self.kinds: dict[str, str] = {}
        """What kind each is, for people: "listener", "broker", "line", "radio"."""
        self.down: dict[LinkName, str] = {}
        """Those that are lost now, and why."""


class AlarmIntake:
    """Everything of one lane that hears. `open` it before anything is received."""

    def __init__(
        self,
        *,
        settings: Settings,
        site: SitePackage,
        world: World,
        ways: Ways,
        keys: Mapping[int, bytes],
        device_keys: Mapping[str, bytes],
        verbs: Verbs,
        journal: Journal[Fact],
        database: Database,
    ) -> None:
        """Make it, in the order in which one part leans on another."""
        clock, places, tag = world.clock, site.places, site_tag(site.id)
        self._site = site
        self._clock = clock
        self.ways = ways
        self.units = known_units(site.units.values(), keys=keys, places=places)
        self.windows = Windows(database=database)
        self.supervision = Supervision(
            units=self.units,
            clock=clock,
            record=verbs.record,
            jamming=Jamming(clock=clock, record=verbs.record, closed=lambda path: path in ways.down),
            silent=lambda unit, lost: self.devices.states.silent(unit, lost=lost),
        )
        self.progress = Progress(units=self.units, paths=ways.paths, site_tag=tag, journal=journal)
        self.rooms = RoomUnits(
            verbs=verbs,
            journal=journal,
            units=self.units,
            tellings=Tellings(paths=ways.paths, site_tag=tag, crowded=self.progress.crowded),
            windows=self.windows,
            paging=self._paging,
            clock=clock,
        )
        self.unit_intake = Intake(
            verbs=verbs,
            database=database,
            units=self.units,
            windows=self.windows,
            suspects=Suspects(random_bytes=world.random_bytes, site_tag=tag, record=verbs.record),
            progress=self.progress,
            site_tag=tag,
            supervision=self.supervision,
            exercised=lambda unit, place: self.devices.exercised(unit, place),  # noqa: PLW0108 - made below
            rooms=self.rooms,
        )
        self.panels = {
            name: PanelPath(
                name=LinkName(f"panel-{name}"),
                verbs=verbs,
                database=database,
                clock=clock,
                accounts={number: account.where for number, account in panel.accounts.items()},
                places=places,
                counts=self.counts,
            )
            for name, panel in settings.alarm.panels.items()
        }
        self.devices = DeviceRoom(
            foreign=site.foreign,
            places=places,
            verbs=verbs,
            database=database,
            clock=clock,
            counts=self.counts,
            others=self._others,
            unit_health=self._unit_health,
            units=self.units.values(),
            keys=device_keys,
        )
        self.device_wires = DeviceWires(
            room=self.devices,
            foreign=site.foreign,
            keys=device_keys,
            clock=clock,
            open_transport=world.open_transport,
            lines=world.lines,
            incidents=lambda: tuple(verbs.incidents.values()),
            campus=site.id,
            answer_topics=partial(answer_topics, settings, site.foreign),
        )

    @property
    def counts(self) -> Counter[str]:
        """How often what happened."""
        return self.unit_intake.counts

    async def open(self, owed: Sequence[Entry]) -> None:
        """Load what an earlier process knew; `owed` is what it left open."""
        await self.windows.open()
        for panel in self.panels.values():
            await panel.open()
        await self.devices.open()
        self.supervision.resume(self.devices.states.silent_units)
        for entry in owed:
            self.progress.resume(entry)
            self.rooms.resume(entry)
            self._heard_before(entry)

    def start(self, crew: Crew) -> None:
        """Watch over it all."""
        crew.essential("progress", self.progress.attend)
        crew.essential("rooms", self.rooms.run)
        crew.essential("supervision", self.supervision.watch)
        crew.essential("devices", self.devices.attend)

    def _heard_before(self, entry: Entry) -> None:
        """A press of an earlier process was heard, even if the disk did not take its window."""
        fact, units = entry.fact, self._site.units
        if isinstance(fact, AlarmRaised) and fact.unit is not None and fact.unit in units:
            self.windows.heard(units[fact.unit].number, fact.epoch, fact.counter)

    def _unit_health(self) -> Iterable[DeviceHealth]:
        return unit_health(self.units, self.supervision, self.ways.down, self.devices.states)

    def _others(self) -> Iterable[DeviceHealth]:
        """Our own units and the ways in, for the list of what is to be looked after."""
        units = tuple(self._unit_health())
        on_air = [each.record.heartbeat for each in self.units.values() if each.record.bearer != Bearer.MQTT]
        ways = path_health(
            self.ways.kinds,
            self.ways.down,
            last_heard((*units, *self.devices.own_health())),
            within=min(on_air, default=0.0) * LOST_AFTER,
            now=self._clock.now(),
        )
        return (*units, *ways)

    def _paging(self, place: PlaceId) -> str:
        known = self._site.places.get(place)
        return known.paging if known is not None else ""
