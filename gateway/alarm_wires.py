"""The ways into the alarm lane: each opened, mended for ever, and written down when it is lost and when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from belltower import log
from belltower.errors import LinkError
from belltower.ids import LinkName
from belltower.incident import facts
from belltower.incident.facts import Fact
from belltower.tasks import Crew, together
from gateway.alarm_intake import AlarmIntake
from gateway.alarm_world import World
from gateway.device_wires import kind_of, path_of
from gateway.intake.mqtt_path import MQTTPath, UnitSignIn
from gateway.intake.panel_path import PanelPath
from gateway.intake.panel_settings import PanelSettings
from gateway.intake.radio_path import RadioPath
from gateway.settings import AlarmSettings, BrokerSettings, ListenerSettings, RadioSettings
from hardware.codecs import ax25
from hardware.drivers.dc09_receiver import DC09Receiver
from hardware.drivers.dc09_receiver import Limits as DC09Limits
from hardware.drivers.mqtt_broker import BrokerIntake
from hardware.drivers.mqtt_listener import MQTTListener
from hardware.drivers.mqtt_registry import Limits

_log = log.get("alarm_wires")

Run = Callable[[], Awaitable[None]]


class AlarmWires:
    """Opens what the settings name. `open` it once all that it reports to is there."""

    def __init__(
        self,
        *,
        settings: AlarmSettings,
        world: World,
        intake: AlarmIntake,
        record: Callable[[Fact], object],
    ) -> None:
        self._settings = settings
        self._world = world
        self._intake = intake
        self._ways = intake.ways
        self._devices = intake.devices
        self._record = record

    def open(self, crew: Crew) -> None:
        """Open every way; each is `crew`'s to mend."""
        settings = self._settings
        if settings.mqtt_listener is not None:
            self._listen(crew, settings.mqtt_listener)
        for name, broker in settings.mqtt_broker.items():
            self._connect(crew, f"broker-{name}", broker)
        for name, radio in settings.radio.items():
            self._tune(crew, f"radio-{name}", radio)
        for name, panel in settings.panels.items():
            self._receive(crew, self._intake.panels[name], panel)
        for name, way in settings.devices.items():
            run, ready = self._intake.device_wires.open(name, way)
            self._mend(crew, path_of(name), run, ready, kind=kind_of(way))

    def _listen(self, crew: Crew, settings: ListenerSettings) -> None:
        path = MQTTPath(name="mqtt", intake=self._intake.unit_intake)
        listener = MQTTListener(
            on_publish=path.received,
            authenticate=UnitSignIn(units=self._intake.units),
            host=settings.bind,
            port=settings.tcp_port,
            tls=settings.tls,
            limits=Limits(connections=settings.max_clients, packet=settings.max_packet),
            on_takeover=partial(self._devices.takeovers.seen, path.name),
        )
        path.attach(listener)
        self._ways.paths[path.name] = path
        self._mend(crew, LinkName("mqtt"), listener.run, listener.ready)

    def _connect(self, crew: Crew, name: str, settings: BrokerSettings) -> None:
        path = MQTTPath(name=name, intake=self._intake.unit_intake)
        client = BrokerIntake(
            url=settings.url,
            on_publish=path.received,
            username=settings.username,
            password=settings.password.reveal() if settings.password is not None else "",
            client_id=settings.client_id,
            tls=settings.tls,
            on_takeover=partial(self._devices.takeovers.seen, name),
        )
        path.attach(client)
        self._ways.paths[name] = path
        self._mend(crew, LinkName(name), client.run, client.connected, kind="broker")

    def _tune(self, crew: Crew, name: str, settings: RadioSettings) -> None:
        path = RadioPath(
            name=name,
            intake=self._intake.unit_intake,
            transport=self._world.open_transport(settings.url),
            station=ax25.Address.parse(settings.callsign),
            on_open=partial(self._restored, LinkName(name)),
        )
        self._ways.paths[name], self._ways.kinds[name] = path, "radio"
        crew.mendable(name, path.run, on_failure=partial(self._lost, LinkName(name)))

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
        self, crew: Crew, name: LinkName, run: Run, ready: asyncio.Event, *, kind: str = "listener"
    ) -> None:
        """Run a way for ever; it is back, where it was lost, once it is `ready`. Without a `kind` it is no way in."""
        if kind:
            self._ways.kinds[name] = kind

        async def announce() -> None:
            await ready.wait()
            self._restored(name)

        async def serve() -> None:
            await run()

        crew.mendable(
            name,
            lambda: together(wire=serve(), wire_ready=announce()),
            on_failure=partial(self._lost, name),
        )

    def _lost(self, name: LinkName, error: Exception) -> None:
        if name not in self._ways.down:
            reason = self._ways.down[name] = str(error) or type(error).__name__
            known = isinstance(error, LinkError)  # what else is raised may hold what was heard
            _log.warning("way_lost", way=name, reason=reason if known else type(error).__name__)
            self._devices.supervision.path_lost(name)
            self._record(facts.LinkLost(link=name, reason=reason))

    def _restored(self, name: LinkName) -> None:
        if self._ways.down.pop(name, None) is not None:
            self._devices.supervision.path_restored(name)
            self._record(facts.LinkRestored(link=name))
