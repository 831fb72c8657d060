"""The alarm lane: from a frame on a wire to a frame on every wire to the PSAP. It needs its wires and its disk, nothing else.

Built in dependency order and torn down in the reverse one. Everything that a simulator must bend (time, randomness,
disk, wires) comes in as a `World`. The lane starts with a damaged journal too: the file is put aside, a fresh one
begun, and said so.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from belltower import log
from belltower.clock import SECOND, Instant
from belltower.ids import Ids, LinkName, PlaceId
from belltower.incident import facts
from belltower.incident import store as incident_store
from belltower.incident.encoding import FactEncoding
from belltower.incident.entry import Entry
from belltower.incident.facts import Fact
from belltower.incident.verbs import PROOF, Verbs
from belltower.journal import Journal
from belltower.store import Database
from belltower.store.faults import Damaged
from belltower.tasks import Crew, together
from belltower.version import VERSION
from gateway import damage, kept_site, process
from gateway import settings as settings_file
from gateway.alarm_verbs import device_verbs, output_verbs, verbs_offered
from gateway.alarm_world import World, open_world
from gateway.control import ControlServer, Status
from gateway.device_wires import DeviceRoom, device_keys, kind_of, path_of
from gateway.intake import panel_path, windows
from gateway.intake.devices import memory as device_memory
from gateway.intake.devices.health import DeviceHealth, OutputHealth
from gateway.intake.devices.settings import OSDPDeviceSettings
from gateway.intake.devices.wires import unwired
from gateway.intake.intake import Intake
from gateway.intake.jamming import Jamming
from gateway.intake.mqtt_path import MQTTPath, UnitSignIn
from gateway.intake.panel_path import PanelPath
from gateway.intake.panel_settings import PanelSettings
from gateway.intake.paths import Path as UnitPath
from gateway.intake.progress import Progress
from gateway.intake.radio_path import RadioPath
from gateway.intake.rooms import RoomUnits
from gateway.intake.supervision import LOST_AFTER, Supervision
from gateway.intake.suspects import Suspects
from gateway.intake.telling import Tellings
from gateway.intake.unit_health import last_heard, path_health, unit_health
from gateway.intake.units import known_units
from gateway.intake.windows import Windows
from gateway.outputs.switch_settings import DeviceSettings, SwitchSettings
from gateway.outputs.switching import SwitchWorker
from gateway.outputs.worker import OutputWorker
from gateway.psap.link import Around
from gateway.psap.worker import CallWorker
from gateway.settings import BrokerSettings, ListenerSettings, RadioSettings, Settings
from gateway.site_package import SitePackage
from gateway.switch_wires import answer_topics, open_switching, output_remarks
from hardware.codecs import ax25
from hardware.codecs.unit import site_tag
from hardware.drivers.dc09_receiver import DC09Receiver
from hardware.drivers.dc09_receiver import Limits as DC09Limits
from hardware.drivers.mqtt_broker import BrokerIntake
from hardware.drivers.mqtt_listener import MQTTListener
from hardware.drivers.mqtt_registry import Limits
from hardware.drivers.speech import Speech
from hardware.unit_keys import read_keys
from hardware.unit_record import Bearer

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
        self._down: set[LinkName] = set()
        self._paths: dict[str, UnitPath] = {}
        self._ways: dict[str, str] = {}
        self._panels: dict[str, PanelPath] = {}
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
            await self._open_intake(database)
            for entry in owed:
                self.progress.resume(entry)
                self.rooms.resume(entry)
                self._heard_before(entry)
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
            self.journal.tap((facts.AlarmRaised,), self.devices.raised)
            self.outputs = self._announcing(ids, owed)
            self.switching = self._switching(ids, owed)
            return stack.pop_all()

    def _announcing(self, ids: Ids, owed: Sequence[Entry]) -> OutputWorker:
        world, settings = self._world, self._settings
        wires = {
            name: world.open_wire(output, world.random_bytes)
            for name, output in settings.outputs.items()
            if not isinstance(output, SwitchSettings)
        }
        speech = Speech(
            folder=settings.state.links / "speech",
            speaker=settings.speech.speaker(),
            forms=[wire.form for wire in wires.values()],
        )
        return OutputWorker(
            journal=self.journal,
            wires=wires,
            speech=speech,
            ids=ids,
            clock=world.clock,
            place=self._site.places.get,
            owed=owed,
            after=self._began,
            switched=settings.outputs.keys() - wires.keys(),
        )

    def _switching(self, ids: Ids, owed: Sequence[Entry]) -> SwitchWorker:
        world, ways = self._world, self._settings.alarm.devices
        for way in ways.values():
            if isinstance(way, OSDPDeviceSettings):  # who hears its readers runs the line
                world.lines.serve(way.url)
        switches, rules = open_switching(
            self._settings,
            self._site.foreign,
            open_switches=world.open_switches,
            line=lambda way: self.devices.line(way, ways[way].client_id),
            clock=world.clock,
            random_bytes=world.random_bytes,
        )
        self.devices.outputs = self._output_health
        return SwitchWorker(
            journal=self.journal,
            switches=switches,
            rules=rules,
            ids=ids,
            clock=world.clock,
            random_bytes=world.random_bytes,
            owed=owed,
            after=self._began,
        )

    def _output_health(self) -> tuple[OutputHealth, ...]:
        faults = self.switching.faults()
        return tuple(
            OutputHealth(
                name=name,
                does=output.does.value,
                device=output.device if isinstance(output, DeviceSettings) else "",
                fault=faults.get(name, ""),
            )
            for name, output in self._settings.outputs.items()
            if isinstance(output, SwitchSettings)
        )

    async def _open_journal(self, database: Database, stack: AsyncExitStack) -> None:
        world = self._world
        if self._stream.put_aside:  # what was spooled comes with statements on these tables
            await database.migrate(
                [*incident_store.STEPS, *windows.STEPS, *panel_path.STEPS, *device_memory.STEPS]
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
        drill = self.verbs.drill
        return Status(
            lane="alarm",
            stream=self._stream.name,
            revision=self._site.revision,
            version=VERSION,
            head=self.journal.head,
            open_incidents=len(self.verbs.incidents),
            links_lost=dict(self._lost),
            links=self.calls.answering(),
            units_lost=tuple(self._units[number].record.id for number in sorted(self.supervision.lost)),
            units=len(self._units),
            devices=len(self.devices.registry.devices),
            devices_lost=tuple(sorted(self.devices.supervision.lost))[:_LISTED],
            devices_unknown=len(tuple(self.devices.supervision.unknown)),
            troubles={name: tuple(kinds) for name, kinds in self.devices.troubles.standing.items()},
            links_proven=dict(self.calls.proven()),
            links_unproven=self.calls.unproven(),
            links_remarks=self.calls.remarks(),
            trouble=self._trouble,
            faults=(
                *self._faults,
                *(said for path in self._panels.values() for said in path.troubles),
                *output_remarks(self.switching.faults()),
            ),
            put_aside=self._put_aside(),
            drill_until=drill.until if drill is not None else 0,
            drill_action=(drill.action or "") if drill is not None else "",
            drill_places=drill.places if drill is not None else (),
            drill_psap=drill is not None and drill.psap_accepted,
            counts=dict(self.intake.counts),
        )

    def _put_aside(self) -> str:
        stream = self._stream
        return stream.put_aside if self._world.clock.now() < stream.begun_at + PUT_ASIDE_SAID else ""

    async def _open_intake(self, database: Database) -> None:
        world, site = self._world, self._site
        self._units = known_units(site.units.values(), keys=self._keys, places=site.places)
        tag = site_tag(site.id)
        self.windows = Windows(database=database)
        await self.windows.open()
        self.supervision = Supervision(
            units=self._units,
            clock=world.clock,
            record=self.verbs.record,
            jamming=Jamming(
                clock=world.clock, record=self.verbs.record, closed=lambda path: path in self._down
            ),
            silent=lambda unit, lost: self.devices.states.silent(unit, lost=lost),
        )
        self.progress = Progress(units=self._units, paths=self._paths, site_tag=tag, journal=self.journal)
        self.rooms = RoomUnits(
            verbs=self.verbs,
            journal=self.journal,
            units=self._units,
            tellings=Tellings(paths=self._paths, site_tag=tag, crowded=self._crowded),
            windows=self.windows,
            paging=self._paging,
            clock=world.clock,
        )
        self.intake = Intake(
            verbs=self.verbs,
            database=database,
            units=self._units,
            windows=self.windows,
            suspects=Suspects(random_bytes=world.random_bytes, site_tag=tag, record=self.verbs.record),
            progress=self.progress,
            site_tag=tag,
            supervision=self.supervision,
            exercised=lambda unit, place: self.devices.exercised(unit, place),  # noqa: PLW0108 - made below
            rooms=self.rooms,
        )
        await self._open_panels(database)
        self.devices = DeviceRoom(
            foreign=site.foreign,
            places=site.places,
            verbs=self.verbs,
            database=database,
            clock=world.clock,
            counts=self.intake.counts,
            others=self._others,
            units=[unit.record.id for unit in self._units.values()],
            keys=self._device_keys,
            answer_topics=partial(answer_topics, self._settings, site.foreign),
            campus=site.id,
        )
        await self.devices.open()
        self.supervision.resume(self.devices.states.silent_units)

    def _others(self) -> Iterable[DeviceHealth]:
        """Our own units and the ways in, for the list of what is to be looked after."""
        units = tuple(unit_health(self._units, self.supervision, self._down, self.devices.states))
        on_air = [each.record.heartbeat for each in self._units.values() if each.record.bearer != Bearer.MQTT]
        heard = last_heard((*units, *self.devices.own_health()))
        ways = path_health(
            self._ways,
            {name: reason for name, reason in self._lost.items() if name in self._ways},
            heard,
            within=min(on_air, default=0.0) * LOST_AFTER,
            now=self._world.clock.now(),
        )
        return (*units, *ways)

    def _crowded(self) -> bool:
        return self.progress.crowded()

    def _paging(self, place: PlaceId) -> str:
        known = self._site.places.get(place)
        return known.paging if known is not None else ""

    async def _open_panels(self, database: Database) -> None:
        places = self._site.places
        for name, settings in self._settings.alarm.panels.items():
            path = self._panels[name] = PanelPath(
                name=LinkName(f"panel-{name}"),
                verbs=self.verbs,
                database=database,
                clock=self._world.clock,
                accounts={number: account.where for number, account in settings.accounts.items()},
                places=places,
                counts=self.intake.counts,
            )
            await path.open()

    def _start(self, crew: Crew) -> None:
        crew.essential("journal", self.journal.run)
        crew.essential("incidents", self.verbs.attend)
        crew.essential("drill", self.verbs.watch_drill)
        crew.essential("progress", self.progress.attend)
        crew.essential("rooms", self.rooms.run)
        crew.essential("supervision", self.supervision.watch)
        crew.essential("devices", self.devices.attend)
        crew.essential("psap", self.calls.run)
        crew.mendable("outputs", self.outputs.run)
        crew.mendable("switching", self.switching.run)
        if self._world.look_up is not None:
            crew.mendable("addresses", self._world.look_up)
        crew.essential("links", self._watch_links)
        self._open_wires(crew)

    def _open_wires(self, crew: Crew) -> None:
        """The ways to units, and the socket to the desk lane."""
        alarm = self._settings.alarm
        if alarm.mqtt_listener is not None:
            self._listen(crew, alarm.mqtt_listener)
        for name, broker in alarm.mqtt_broker.items():
            self._connect(crew, f"broker-{name}", broker)
        for name, radio in alarm.radio.items():
            self._tune(crew, f"radio-{name}", radio)
        for name, panel in alarm.panels.items():
            self._receive(crew, self._panels[name], panel)
        for name, way in alarm.devices.items():
            run, ready = self.devices.way(name, way, self._world.open_transport, self._world.lines)
            self._mend(crew, path_of(name), run, ready, kind=kind_of(way))
        control = ControlServer(
            path=self._settings.state.control,
            follow=lambda after: self.journal.follow_raw(after=after),
            verbs={
                **verbs_offered(self.verbs, self._site.places, self._site.units.values()),
                **device_verbs(self.devices),
                **output_verbs(self.switching, self.verbs),
            },
            status=self.status,
        )
        crew.essential("control", control.run)

    def _listen(self, crew: Crew, settings: ListenerSettings) -> None:
        path = MQTTPath(name="mqtt", intake=self.intake)
        self.listener = MQTTListener(
            on_publish=path.received,
            authenticate=UnitSignIn(units=self._units),
            host=settings.bind,
            port=settings.tcp_port,
            tls=settings.tls,
            limits=Limits(connections=settings.max_clients, packet=settings.max_packet),
            on_takeover=partial(self.devices.takeovers.seen, path.name),
        )
        path.attach(self.listener)
        self._paths[path.name] = path
        self._mend(crew, LinkName("mqtt"), self.listener.run, self.listener.ready)

    def _connect(self, crew: Crew, name: str, settings: BrokerSettings) -> None:
        path = MQTTPath(name=name, intake=self.intake)
        client = BrokerIntake(
            url=settings.url,
            on_publish=path.received,
            username=settings.username,
            password=settings.password.reveal() if settings.password is not None else "",
            client_id=settings.client_id,
            tls=settings.tls,
            on_takeover=partial(self.devices.takeovers.seen, name),
        )
        path.attach(client)
        self._paths[name] = path
        self._mend(crew, LinkName(name), client.run, client.connected, kind="broker")

    def _tune(self, crew: Crew, name: str, settings: RadioSettings) -> None:
        path = RadioPath(
            name=name,
            intake=self.intake,
            transport=self._world.open_transport(settings.url),
            station=ax25.Address.parse(settings.callsign),
            on_open=partial(self._path_restored, LinkName(name)),
        )
        self._paths[name], self._ways[name] = path, "radio"
        crew.mendable(name, path.run, on_failure=partial(self._path_lost, LinkName(name)))

    def _receive(self, crew: Crew, path: PanelPath, settings: PanelSettings) -> None:
        receiver = DC09Receiver(
            accounts=settings.keys(),
            on_report=path.received,
            clock=self._world.clock,
            host=settings.bind,
            port=settings.port,
            tcp=settings.protocol != "udp",
            udp=settings.protocol != "tcp",
            limits=DC09Limits(connections=settings.max_clients),
            random_bytes=self._world.random_bytes,
        )
        self._mend(crew, path.name, receiver.run, receiver.ready)

    def _mend(
        self,
        crew: Crew,
        name: LinkName,
        run: Callable[[], Awaitable[None]],
        ready: asyncio.Event,
        *,
        kind: str = "listener",
    ) -> None:
        self._ways[name] = kind
        crew.mendable(name, partial(self._serve, name, run, ready), on_failure=partial(self._path_lost, name))

    def _heard_before(self, entry: Entry) -> None:
        """A press of an earlier process was heard, even if the disk did not take its window."""
        fact = entry.fact
        if isinstance(fact, facts.AlarmRaised) and fact.unit is not None and fact.unit in self._site.units:
            self.windows.heard(self._site.units[fact.unit].number, fact.epoch, fact.counter)

    def _foretell(self, order: facts.CallOrdered, at: Instant) -> None:
        if self._world.meanwhile is not None:
            self._world.meanwhile.add(partial(self.calls.prepare, order, at))

    def _path_lost(self, name: LinkName, error: Exception) -> None:
        if name not in self._down:
            self._down.add(name)
            self.devices.supervision.path_lost(name)
            self.verbs.record(facts.LinkLost(link=name, reason=str(error) or type(error).__name__))

    def _path_restored(self, name: LinkName) -> None:
        if name in self._down:
            self._down.discard(name)
            self.devices.supervision.path_restored(name)
            self.verbs.record(facts.LinkRestored(link=name))

    async def _serve(self, name: LinkName, run: Callable[[], Awaitable[None]], ready: asyncio.Event) -> None:
        """Run a wire, and write down that it is back once it is ready."""

        async def announce() -> None:
            await ready.wait()
            self._path_restored(name)

        async def serve() -> None:
            await run()

        await together(wire=serve(), wire_ready=announce())

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
