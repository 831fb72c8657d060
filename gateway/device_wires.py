"""The ways to foreign devices: how each table `[alarm.devices.NAME]` is opened, and what it brings into the room."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from belltower.clock import SECOND, Clock
from belltower.errors import SettingsError
from belltower.ids import FactId, LinkName
from belltower.incident.facts import AlarmRaised, Fact
from belltower.incident.fold import Incident
from belltower.journal import Entry
from gateway.intake.devices.home_assistant import HomeAssistant
from gateway.intake.devices.receiving import DriverTeller, Way
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
from gateway.intake.devices.topics import NOTHING, topics_of, with_topics
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
from hardware.transports import Transport

if TYPE_CHECKING:
    from gateway.device_room import DeviceRoom

NEWS = 10 * SECOND
"""A press is shown as one until it is as old as this."""
_SEEN = 256

Run = Callable[[], Awaitable[None]]
Opened = tuple[Run, asyncio.Event]
"""How a way is run, and the event that says that it is open."""

AnswerTopics = Callable[[str, str], tuple[str, ...]]
"""Where devices on a way in answer what they were told; their way's name, and where answers to us go."""


class DeviceWires:
    """Opens the ways of one lane, and knows the brokers among them by which devices are told something."""

    def __init__(
        self,
        *,
        room: DeviceRoom,
        foreign: SiteDevices,
        keys: Mapping[str, bytes],
        clock: Clock,
        open_transport: Callable[[str], Transport],
        lines: SharedLines,
        incidents: Callable[[], Iterable[Incident]],
        campus: str,
        answer_topics: AnswerTopics = lambda _way, _reply: (),
    ) -> None:
        """`keys` are those of devices, by id; `incidents` are those that are open, for whom they are shown to."""
        self._room = room
        self._foreign = foreign
        self._keys = keys
        self._clock = clock
        self._open_transport = open_transport
        self._shared = lines
        self._incidents = incidents
        self._campus = campus
        self._answer_topics = answer_topics
        self._lines: dict[str, DeviceLine] = {}
        self._shown: list[HomeAssistant] = []
        self._seen: deque[FactId] = deque(maxlen=_SEEN)

    def line(self, way: str, client_id: str) -> DeviceLine:
        """The broker of the way in of this name, for those who tell devices something."""
        if way not in self._lines:
            self._lines[way] = DeviceLine(reply=reply_of(client_id))
        return self._lines[way]

    def raised(self, entry: Entry[Fact]) -> None:
        """An alarm was raised, by whatever: show it where that is asked for."""
        if not isinstance(entry.fact, AlarmRaised) or entry.id in self._seen:
            return  # what was spooled comes once more when it has a place
        self._seen.append(entry.id)
        if self._clock.now() - entry.at <= NEWS:
            for shown in self._shown:
                shown.raised(entry.fact)

    def open(self, name: str, settings: DeviceWay) -> Opened:
        """The way in `[alarm.devices.NAME]`, ready to be run."""
        match settings:
            case ModbusDeviceSettings():
                return self._modbus(name, settings)
            case OSDPDeviceSettings():
                return self._osdp(name, settings)
            case InovonicsDeviceSettings():
                return self._inovonics(name, settings)
            case MQTTDeviceSettings():
                return self._mqtt(name, settings)
            case HomeAssistantSettings():
                return self._home_assistant(name, settings)
            case WebhookDeviceSettings():
                return self._webhook(name, settings)
            case TCPJSONDeviceSettings():
                return self._tcp_json(name, settings)
            case SerialDeviceSettings():
                return self._serial(name, settings)

    def _modbus(self, name: str, settings: ModbusDeviceSettings) -> Opened:
        from gateway.intake.devices.contacts import Contacts, modules_of  # noqa: PLC0415

        contacts = Contacts(
            line=self._shared.modbus(settings.url),
            modules=modules_of(name, self._room.registry.devices.values()),
            teller=self._teller(name, "modbus"),
            poll=settings.poll,
            as_coils=settings.read == "coils",
        )
        return contacts.run, contacts.ready

    def _osdp(self, name: str, settings: OSDPDeviceSettings) -> Opened:
        from gateway.intake.devices.readers import Duress, Readers, inputs_of, readers_of  # noqa: PLC0415

        line = self._shared.osdp(settings.url)
        devices = self._room.registry.devices.values()
        served = []
        for address, device in readers_of(name, devices).items():
            key = self._keys.get(device.id)
            if key is not None:  # without one it cannot be spoken to: the status says so
                line.add(address, key)
                served.append(address)
        readers = Readers(
            line=line,
            label=name,
            readers=served,
            inputs=inputs_of(name, devices),
            teller=self._teller(name, "osdp"),
            duress=Duress(settings.duress.reveal().strip() if settings.duress is not None else ""),
        )
        return readers.run, readers.ready

    def _teller(self, name: str, ingress: str) -> DriverTeller:
        """Whom a driver tells that asks its devices itself, and so knows when one is silent."""
        path = path_of(name)
        self._room.supervision.wired.add(path)
        return DriverTeller(self._room.intake, Way(name=path, ingress=ingress))

    def _inovonics(self, name: str, settings: InovonicsDeviceSettings) -> Opened:
        from hardware.drivers.inovonics import EchoStream  # noqa: PLC0415

        receiver = EchoStream(
            open_transport=partial(self._open_transport, settings.url),
            on_frame=partial(_frame, self._takes(Way(name=path_of(name), ingress="inovonics"))),
        )
        return receiver.run, receiver.ready

    def _webhook(self, name: str, settings: WebhookDeviceSettings) -> Opened:
        hook = Webhook(
            on_message=self._takes(_way(name, "http", settings.profiles)),
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

    def _tcp_json(self, name: str, settings: TCPJSONDeviceSettings) -> Opened:
        listener = TCPJSON(
            on_message=self._takes(_way(name, "tcp", settings.profiles)),
            host=settings.bind,
            port=settings.port,
            framing=settings.framing,
            sources=Sources(settings.sources),
            connections=settings.max_clients,
            per_second=settings.rate,
        )
        return listener.run, listener.ready

    def _serial(self, name: str, settings: SerialDeviceSettings) -> Opened:
        line = SerialLines(
            name=path_of(name),
            open_transport=partial(self._open_transport, settings.url),
            on_line=self._takes(_way(name, "serial", settings.profiles)),
        )
        return line.run, line.ready

    def _mqtt(self, name: str, settings: MQTTDeviceSettings) -> Opened:
        way = _way(name, "mqtt", settings.profiles)
        line = self.line(name, settings.client_id)
        topics = settings.topics or topics_of(
            self._room.registry.devices.values(), self._foreign.profiles, only=way.profiles
        )
        topics = with_topics(topics, self._answer_topics(name, line.reply))
        takes = self._takes(way)
        broker = broker_of(
            settings,
            lambda received: None if line.heard(received) else takes(received),
            topics=topics,
            on_takeover=partial(self._room.takeovers.seen, way.name),
        )
        line.attach(broker.deliver)
        return broker.run, broker.connected

    def _home_assistant(self, name: str, settings: HomeAssistantSettings) -> Opened:
        shown = HomeAssistant(
            shelf=Shelf(prefix=settings.prefix, campus=self._campus),
            clock=self._clock,
            look=self._room.calling_for_help,
            incidents=self._incidents,
        )
        broker = broker_of(
            settings,
            shown.heard,
            topics=shown.topics,
            client_id=settings.client_id or f"belltower-home-assistant-{self._campus}",
            on_takeover=partial(self._room.takeovers.seen, path_of(name)),
            will=shown.will,
        )
        shown.attach(broker)
        self._shown.append(shown)
        return shown.run, broker.connected

    def _takes(self, way: Way) -> Callable[[Received], asyncio.Future[bool] | None]:
        return lambda received: self._room.intake.receive(received, way)


def _way(name: str, ingress: str, profiles: Iterable[str]) -> Way:
    return Way(name=path_of(name), ingress=ingress, profiles=frozenset(profiles))


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
    """What kind of way in it is, for people; "": none."""
    match settings:
        case HomeAssistantSettings():
            return ""
        case MQTTDeviceSettings():
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
