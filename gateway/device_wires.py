"""The foreign devices of a lane: what the site package says of them, made into one room, and its ways in opened."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from belltower.clock import Clock
from belltower.errors import NotFound, SettingsError, WrongState
from belltower.ids import LinkName, PersonId, PlaceId, UnitId
from belltower.incident.facts import AlarmRaised, Fact
from belltower.incident.verbs import Verbs
from belltower.journal import Entry
from belltower.store import Database
from belltower.tasks import together
from floorplans import Place
from gateway.intake.devices.health import DeviceHealth, Devices, OutputHealth, device_health, health
from gateway.intake.devices.home_assistant import HomeAssistant
from gateway.intake.devices.memory import DeviceMemory
from gateway.intake.devices.receiving import DeviceIntake, DriverTeller, Way
from gateway.intake.devices.registry import KnownDevice, Registry, known_devices
from gateway.intake.devices.settings import (
    DeviceWay,
    HomeAssistantSettings,
    InovonicsDeviceSettings,
    ModbusDeviceSettings,
    MQTTDeviceSettings,
    OSDPDeviceSettings,
    SerialDeviceSettings,
    TCPJSONDeviceSettings,
    WebhookDeviceSettings,
)
from gateway.intake.devices.states import WRITTEN_EVERY, States
from gateway.intake.devices.supervision import DeviceSupervision
from gateway.intake.devices.topics import NOTHING, topics_of, with_topics
from gateway.intake.devices.troubles import Troubles
from gateway.intake.devices.walk_test import ELSEWHERE, WalkTest, elsewhere
from gateway.intake.takeovers import Takeovers
from gateway.intake.units import KnownUnit
from gateway.settings import Settings
from gateway.site_package.devices import SiteDevices
from gateway.switch_wires import reply_of
from gateway.tls import client_context, server_context
from hardware.codecs.home_assistant import Shelf
from hardware.codecs.inovonics import Frame, encode
from hardware.device_keys import read_device_keys
from hardware.drivers import TLS, OnPublish, Received
from hardware.drivers.device_switch import DeviceLine
from hardware.drivers.lines import SharedLines
from hardware.drivers.mqtt_broker import BrokerIntake
from hardware.drivers.serial_lines import SerialLines
from hardware.drivers.sources import Sources
from hardware.drivers.tcp_json import TCPJSON
from hardware.drivers.webhook import Signed, Webhook
from hardware.profiles.reading import Reader
from hardware.transports import Transport

if TYPE_CHECKING:
    from gateway.intake.devices.readers import Readers

_NAMED = 20

Run = Callable[[], Awaitable[None]]
AnswerTopics = Callable[[str, str], tuple[str, ...]]
"""Where devices on a way in answer what they were told; their way's name, and where answers to us go."""


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
        units: Iterable[KnownUnit] = (),
        keys: Mapping[str, bytes] | None = None,
        answer_topics: AnswerTopics = lambda _way, _reply: (),
        campus: str = "",
    ) -> None:
        """Make the room; `open` it before anything is received.

        `others` are shown beside the devices; `units` are our own, which a walk-test proves too; `keys` are those of
        devices, by id.
        """
        self._others = others
        self._units = {unit.record.id: unit for unit in units}
        self._foreign = foreign
        self._places = places
        self._keys = keys or {}
        self._answer_topics = answer_topics
        self._campus = campus
        self._lines: dict[str, DeviceLine] = {}
        self._shown: list[HomeAssistant] = []
        self.outputs: Callable[[], tuple[OutputHealth, ...]] = tuple
        """How the outputs are; shown with the devices."""
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

    async def open(self) -> None:
        """Load what an earlier process knew."""
        names = self.registry.devices
        await self.memory.open(names)
        await self.states.open(names, self.supervision, units=self._units)
        await self.troubles.open({*names, *self._units})
        self.takeovers.resume()
        for name in [name for name, device in names.items() if device.place is None]:
            if proven_at := self.states.of(name).tested_place:
                self._bind(name, PlaceId(proven_at))

    async def attend(self) -> None:
        """Watch over all devices and write down what changes, for ever."""
        await together(devices_watch=self.supervision.watch(), devices_write=self._write())

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

    def line(self, name: str, client_id: str) -> DeviceLine:
        """The broker of the way in of this name, for those who tell devices something."""
        if name not in self._lines:
            self._lines[name] = DeviceLine(reply=reply_of(client_id))
        return self._lines[name]

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

    def raised(self, entry: Entry[Fact]) -> None:
        """An alarm was raised, by whatever: show it where that is asked for."""
        if isinstance(entry.fact, AlarmRaised):
            for shown in self._shown:
                shown.raised(entry.fact)

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

    def way(
        self,
        name: str,
        settings: DeviceWay,
        open_transport: Callable[[str], Transport],
        lines: SharedLines,
    ) -> tuple[Run, asyncio.Event]:
        """How the way in `[alarm.devices.NAME]` is run, and the event that says that it is open."""
        label, name = name, path_of(name)
        only = frozenset(getattr(settings, "profiles", ()))
        match settings:
            case ModbusDeviceSettings():
                from gateway.intake.devices.contacts import Contacts, modules_of  # noqa: PLC0415

                self.supervision.wired.add(name)
                contacts = Contacts(
                    line=lines.modbus(settings.url),
                    modules=modules_of(label, self.registry.devices.values()),
                    teller=DriverTeller(self.intake, Way(name=name, ingress="modbus")),
                    poll=settings.poll,
                    as_coils=settings.read == "coils",
                )
                return contacts.run, contacts.ready
            case OSDPDeviceSettings():
                self.supervision.wired.add(name)
                readers = self._readers(label, name, settings, lines)
                return readers.run, readers.ready
            case InovonicsDeviceSettings(url=url):
                from hardware.drivers.inovonics import EchoStream  # noqa: PLC0415

                heard = self._takes(Way(name=name, ingress="inovonics"))
                receiver = EchoStream(
                    open_transport=partial(open_transport, url), on_frame=partial(_frame, heard)
                )
                return receiver.run, receiver.ready
            case MQTTDeviceSettings():
                broker = self._mqtt(name, settings, only)
                return broker.run, broker.connected
            case HomeAssistantSettings():
                return self._home_assistant(settings)
            case WebhookDeviceSettings():
                hook = Webhook(
                    on_message=self._takes(Way(name=name, ingress="http", profiles=only)),
                    clock=self._clock,
                    host=settings.bind,
                    port=settings.port,
                    sources=Sources(settings.sources),
                    signed=_signed(settings),
                    tls=_server_tls(settings),
                    connections=settings.max_clients,
                    per_second=settings.rate,
                    longest=settings.max_body,
                )
                return hook.run, hook.ready
            case TCPJSONDeviceSettings():
                listener = TCPJSON(
                    on_message=self._takes(Way(name=name, ingress="tcp", profiles=only)),
                    host=settings.bind,
                    port=settings.port,
                    framing=settings.framing,
                    sources=Sources(settings.sources),
                    connections=settings.max_clients,
                    per_second=settings.rate,
                )
                return listener.run, listener.ready
            case SerialDeviceSettings(url=url):
                line = SerialLines(
                    name=name,
                    open_transport=partial(open_transport, url),
                    on_line=self._takes(Way(name=name, ingress="serial", profiles=only)),
                )
                return line.run, line.ready

    def _readers(
        self, label: str, name: LinkName, settings: OSDPDeviceSettings, lines: SharedLines
    ) -> Readers:
        from gateway.intake.devices.readers import Duress, Readers, inputs_of, readers_of  # noqa: PLC0415

        line = lines.osdp(settings.url)
        devices = self.registry.devices.values()
        served = []
        for address, device in readers_of(label, devices).items():
            key = self._keys.get(device.id)
            if key is not None:  # without one it cannot be spoken to: the status says so
                line.add(address, key)
                served.append(address)
        return Readers(
            line=line,
            label=label,
            readers=served,
            inputs=inputs_of(label, devices),
            teller=DriverTeller(self.intake, Way(name=name, ingress="osdp")),
            duress=Duress(settings.duress.reveal().strip() if settings.duress is not None else ""),
        )

    def _takes(self, way: Way) -> Callable[[Received], asyncio.Future[bool] | None]:
        return lambda received: self.intake.receive(received, way)

    def _mqtt(self, name: str, settings: MQTTDeviceSettings, only: frozenset[str]) -> BrokerIntake:
        way = name.removeprefix("devices-")
        line = self.line(way, settings.client_id)
        topics = settings.topics or topics_of(
            self.registry.devices.values(), self._foreign.profiles, only=only
        )
        topics = with_topics(topics, self._answer_topics(way, line.reply))
        takes = self._takes(Way(name=name, ingress="mqtt", profiles=only))
        broker = broker_of(
            settings,
            lambda received: None if line.heard(received) else takes(received),
            topics=topics,
            on_takeover=partial(self.takeovers.seen, name),
        )
        line.attach(broker.deliver)
        return broker

    def _home_assistant(self, settings: HomeAssistantSettings) -> tuple[Run, asyncio.Event]:
        shown = HomeAssistant(
            shelf=Shelf(prefix=settings.prefix, campus=self._campus),
            clock=self._clock,
            look=self._calling_for_help,
            incidents=lambda: tuple(self._verbs.incidents.values()),
        )
        broker = broker_of(settings, shown.heard, topics=shown.topics, will=shown.will)
        shown.attach(broker)
        self._shown.append(shown)
        return shown.run, broker.connected

    def _calling_for_help(self) -> Iterable[DeviceHealth]:
        """How those are whose press calls for help, each looked at when it is asked for."""
        yield from (each for each in self._others() if each.calls_for_help)
        for device in tuple(self.registry.devices.values()):
            if device.panic:
                yield device_health(device, self.states, self.supervision, self._clock.now())


def broker_of(
    settings: MQTTDeviceSettings | HomeAssistantSettings,
    on_publish: OnPublish,
    *,
    topics: tuple[str, ...],
    client_id: str = "",
    on_takeover: Callable[[str], None] | None = None,
    will: tuple[str, bytes] | None = None,
) -> BrokerIntake:
    """A client of the broker that the settings name; with a `client_id` of its own it is forgotten when it goes."""
    tls: TLS | None = None
    if settings.url.startswith("mqtts:"):
        tls = partial(
            client_context,
            ca=settings.ca,
            certificate=settings.certificate,
            private_key=settings.private_key,
        )
    return BrokerIntake(
        url=settings.url,
        on_publish=on_publish,
        username=settings.username,
        password=settings.password.reveal() if settings.password is not None else "",
        client_id=client_id or settings.client_id,
        tls=tls,
        topics=topics or NOTHING,
        on_takeover=on_takeover,
        kept=not client_id and will is None,
        will=will,
    )


def _frame(heard: Callable[[Received], object], frame: Frame) -> None:
    sender = f"{frame.uid:08X}"
    heard(Received(client=sender, topic="", payload=encode(frame), retain=False, dup=False, qos=0))


def device_keys(settings: Settings) -> tuple[dict[str, bytes], str]:
    """The keys of foreign devices; a file that cannot be read silences these devices, not the lane, and is said."""
    path = settings.device_keys
    try:
        return (read_device_keys(path) if path is not None else {}), ""
    except SettingsError as error:
        return {}, str(error)


def path_of(name: str) -> LinkName:
    """What `[alarm.devices.NAME]` is called in facts."""
    return LinkName(f"devices-{name}")


def kind_of(settings: DeviceWay) -> str:
    """What kind of path it is, for people."""
    match settings:
        case MQTTDeviceSettings() | HomeAssistantSettings():
            return "broker"
        case WebhookDeviceSettings() | TCPJSONDeviceSettings():
            return "listener"
        case SerialDeviceSettings() | ModbusDeviceSettings() | OSDPDeviceSettings():
            return "line"
        case InovonicsDeviceSettings():
            return "line"


def _signed(settings: WebhookDeviceSettings) -> Signed | None:
    if settings.key is None:
        return None
    key = settings.key.reveal().strip().encode()
    return Signed(key=key, header=settings.signature_header, over=settings.signed)


def _server_tls(settings: WebhookDeviceSettings) -> TLS | None:
    if settings.certificate is None or settings.private_key is None:
        return None
    return partial(server_context, settings.certificate, settings.private_key)
