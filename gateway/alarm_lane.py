"""The alarm lane: from a frame on a wire to a frame on every wire to the PSAP. It needs its wires and its disk, nothing else.

Built in dependency order and torn down in the reverse one. Everything that a simulator must bend (time, randomness,
disk, wires) comes in as a `World`. The lane starts with a damaged journal too: the file is put aside, a fresh one
begun, and said so.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from belltower import log
from belltower.clock import SECOND, Instant
from belltower.ids import Ids, LinkName
from belltower.incident import facts
from belltower.incident import store as incident_store
from belltower.incident.encoding import FactEncoding
from belltower.incident.facts import Fact
from belltower.incident.verbs import PROOF, Verbs
from belltower.journal import Journal
from belltower.store import Database
from belltower.store.faults import Damaged
from belltower.tasks import Crew
from belltower.version import VERSION
from gateway import damage, kept_site, process
from gateway import settings as settings_file
from gateway.alarm_intake import AlarmIntake, Ways
from gateway.alarm_verbs import device_verbs, output_verbs, verbs_offered
from gateway.alarm_wires import AlarmWires
from gateway.alarm_world import World, open_world
from gateway.control import ControlServer, Status
from gateway.device_wires import device_keys
from gateway.intake import panel_path, windows
from gateway.intake.devices import memory as device_memory
from gateway.intake.devices import troubles
from gateway.intake.devices.health import OutputHealth
from gateway.intake.devices.wires import unwired
from gateway.output_wires import announcing, output_health, switching
from gateway.psap.link import Around
from gateway.psap.worker import CallWorker
from gateway.settings import Settings
from gateway.site_package import SitePackage
from gateway.switch_wires import output_remarks
from hardware.drivers.device_switch import DeviceLine
from hardware.unit_keys import read_keys

_log = log.get("alarm_lane")

_LISTED = 256

PUT_ASIDE_SAID = 86_400 * SECOND
"""How long it is said that a damaged journal was put aside."""


class AlarmLane:
    """One campus's alarm lane. `run` it; `ready` is set once it takes presses."""

    def __init__(
        self,
        *,
        settings: Settings,
        site: SitePackage,
        keys: Mapping[int, bytes],
        drill_keys: Mapping[str, Ed25519PublicKey],
        world: World,
        faults: tuple[str, ...] = (),
        device_keys: Mapping[str, bytes] | None = None,
    ) -> None:
        """Keep what the lane is made of; `faults` is what is not as the settings want it, for the status."""
        self._settings = settings
        self._site = site
        self._keys = keys
        self._device_keys = device_keys or {}
        self._drill_keys = drill_keys
        self._world = world
        self._faults = (
            *faults,
            *world.faults,
            *settings.unplaced(site.places),
            *unwired(
                site.foreign.devices.values(),
                profiles=site.foreign.profiles,
                ways=settings.alarm.devices,
                keys=self._device_keys,
            ),
        )
        self._trouble = ""
        self._opened = False
        self._lost: dict[LinkName, str] = {}
        self._ways = Ways()
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled, or until something essential ends."""
        world = self._world
        try:
            stack = await self._open()
        except Damaged as damaged:
            if world.aside is None:
                raise
            world.aside.put(damaged)
            stack = await self._open()
            self.verbs.record(facts.RecordingFailed(reason="damaged"))
            self.verbs.record(facts.RecordingRestored())
        async with stack:
            self.verbs.record(facts.LaneStarted(lane="alarm", revision=self._site.revision, version=VERSION))
            async with Crew(random=world.random) as crew:
                self._start(crew)
                self.ready.set()
                _log.info("ready", head=self.journal.head, open_incidents=len(self.verbs.incidents))

    async def _open(self) -> AsyncExitStack:
        """Open all that reads the journal; what is returned closes it. Raises `Damaged`, and then holds nothing."""
        world = self._world
        self._opened = False
        async with AsyncExitStack() as stack:
            database = await world.open_database()
            stack.push_async_callback(database.close)
            self._stream = await damage.held_stream(database, world.aside, world.clock.now())
            await self._open_journal(database, stack)
            ids = Ids(clock=world.clock, random_bytes=world.random_bytes)
            self.verbs = Verbs(
                journal=self.journal,
                database=database,
                clock=world.clock,
                ids=ids,
                response=self._site.response,
                campus=self._site.id,
                drill_keys=self._drill_keys,
                foretell=self._foretell,
            )
            self._opened = True
            self._began = self.journal.head
            owed = await self.verbs.open()
            self.intake = AlarmIntake(
                settings=self._settings,
                site=self._site,
                world=world,
                ways=self._ways,
                keys=self._keys,
                device_keys=self._device_keys,
                verbs=self.verbs,
                journal=self.journal,
                database=database,
            )
            self.intake.devices.outputs = self._output_health
            await self.intake.open(owed)
            around = Around(
                campus=self._site.on_earth,
                clock=world.clock,
                random_bytes=world.random_bytes,
                state=self._settings.state.links,
                addresses=world.addresses,
            )
            self.calls = CallWorker(
                journal=self.journal,
                links=[
                    world.open_link(LinkName(name), link, around)
                    for name, link in self._settings.links_as_shown()
                ],
                ids=ids,
                clock=world.clock,
                spot=self._site.spot,
                called_after=self._settings.called_after(),
                centres={LinkName(link): name for link, name in self._settings.link_centres.items()},
                owed=owed,
                tested=await self.journal.of(PROOF),
                after=self._began,
            )
            self.journal.tap((facts.CallOrdered,), self.calls.take)
            self.journal.tap((facts.AlarmRaised,), self.intake.device_wires.raised)
            ground = (self._settings, self._site, world)
            self.outputs = announcing(*ground, journal=self.journal, ids=ids, owed=owed, after=self._began)
            self.switching = switching(
                *ground,
                journal=self.journal,
                ids=ids,
                owed=owed,
                after=self._began,
                line=self._line,
            )
            return stack.pop_all()

    def _output_health(self) -> tuple[OutputHealth, ...]:
        return output_health(self._settings.outputs, self.switching.faults())

    def _line(self, way: str) -> DeviceLine:
        return self.intake.device_wires.line(way, self._settings.alarm.devices[way].client_id)

    async def _open_journal(self, database: Database, stack: AsyncExitStack) -> None:
        world = self._world
        if self._stream.put_aside:  # what was spooled comes with statements on these tables
            await database.migrate(
                [
                    *incident_store.STEPS,
                    *windows.STEPS,
                    *panel_path.STEPS,
                    *device_memory.STEPS,
                    *troubles.STEPS,
                ]
            )
        self.journal: Journal[Fact] = Journal(
            database=database,
            stream=self._stream.name,
            codec=FactEncoding(),
            spool=world.spool,
            run_spool=world.run_spool,
            signer=world.signer,
            spool_after=self._settings.alarm.spool_after,
            on_trouble=self._on_trouble,
        )
        stack.push_async_callback(self.journal.close)
        await self.journal.open()
        if self.journal.damaged:
            raise Damaged("what was spooled could not be brought in")

    def status(self) -> Status:
        """How the lane is at this moment."""
        drill, intake, devices = self.verbs.drill, self.intake, self.intake.devices
        return Status(
            lane="alarm",
            stream=self._stream.name,
            revision=self._site.revision,
            version=VERSION,
            head=self.journal.head,
            open_incidents=len(self.verbs.incidents),
            links_lost=dict(self._lost),
            links=self.calls.answering(),
            units_lost=tuple(intake.units[number].record.id for number in sorted(intake.supervision.lost)),
            units=len(intake.units),
            devices=len(devices.registry.devices),
            devices_lost=tuple(sorted(devices.supervision.lost))[:_LISTED],
            devices_unknown=len(tuple(devices.supervision.unknown)),
            troubles={name: tuple(kinds) for name, kinds in devices.troubles.standing.items()},
            links_proven=dict(self.calls.proven()),
            links_unproven=self.calls.unproven(),
            links_remarks=self.calls.remarks(),
            trouble=self._trouble,
            reserve_used=self.journal.database.reserve_used,
            faults=(
                *self._faults,
                *(said for path in intake.panels.values() for said in path.troubles),
                *output_remarks(self.switching.faults()),
            ),
            put_aside=self._put_aside(),
            drill_until=drill.until if drill is not None else 0,
            drill_action=(drill.action or "") if drill is not None else "",
            drill_places=drill.places if drill is not None else (),
            drill_psap=drill is not None and drill.psap_accepted,
            counts=dict(intake.counts),
        )

    def _put_aside(self) -> str:
        stream = self._stream
        return stream.put_aside if self._world.clock.now() < stream.begun_at + PUT_ASIDE_SAID else ""

    def _start(self, crew: Crew) -> None:
        crew.essential("journal", self.journal.run)
        crew.essential("incidents", self.verbs.attend)
        crew.essential("drill", self.verbs.watch_drill)
        self.intake.start(crew)
        crew.essential("psap", self.calls.run)
        crew.mendable("outputs", self.outputs.run)
        crew.mendable("switching", self.switching.run)
        if self._world.look_up is not None:
            crew.mendable("addresses", self._world.look_up)
        crew.essential("links", self._watch_links)
        self._open_wires(crew)

    def _open_wires(self, crew: Crew) -> None:
        """The ways in, and the socket to the desk lane."""
        AlarmWires(
            settings=self._settings.alarm, world=self._world, intake=self.intake, record=self.verbs.record
        ).open(crew)
        control = ControlServer(
            path=self._settings.state.control,
            follow=lambda after: self.journal.follow_raw(after=after),
            verbs={
                **verbs_offered(self.verbs, self._site.places, self._site.units.values()),
                **device_verbs(self.intake.devices),
                **output_verbs(self.switching, self.verbs),
            },
            status=self.status,
        )
        crew.essential("control", control.run)

    def _foretell(self, order: facts.CallOrdered, at: Instant) -> None:
        if self._world.meanwhile is not None:
            self._world.meanwhile.add(partial(self.calls.prepare, order, at))

    async def _watch_links(self) -> None:
        async for entry in self.journal.follow(after=self._began, kinds=(facts.LinkLost, facts.LinkRestored)):
            match entry.fact:
                case facts.LinkLost(link=link, reason=reason):
                    self._lost[link] = reason
                case facts.LinkRestored(link=link):
                    self._lost.pop(link, None)
                case _:
                    pass

    def _on_trouble(self, kind: str | None) -> None:
        """The store fails or is well again: it is said in the status, and written down as well as can be."""
        self._trouble = kind or ""
        if not self._opened:
            return  # the spool of an earlier process is being brought in: nothing new could not be recorded
        if kind is None:
            self.verbs.record(facts.RecordingRestored())
            self.intake.devices.journal_well.set()
        else:
            self.verbs.record(facts.RecordingFailed(reason=kind))


async def run(config: Path, stop: asyncio.Event) -> None:
    """Run the alarm lane of a settings file until `stop`."""
    settings = settings_file.load(config, secrets=settings_file.ALARM_SECRETS)
    log.configure(lane="alarm", level=settings.log.level)
    world = open_world(settings)
    site, refused = kept_site.load(settings.site.folder, settings.state.kept_site)
    keys_of_devices, unread = device_keys(settings)
    lane = AlarmLane(
        settings=settings,
        site=site,
        keys=read_keys(settings.unit_keys),
        drill_keys=site.authorisers,
        world=world,
        faults=tuple(said for said in (refused, unread) if said),
        device_keys=keys_of_devices,
    )
    await process.run_until(lane.run(), stop, lane.ready)


if __name__ == "__main__":
    sys.exit(process.main(run))
