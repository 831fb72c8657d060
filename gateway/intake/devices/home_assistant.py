"""The campus and its buttons as Home Assistant may show them. A way out: nothing that is said there is ever taken in.

Configurations and states are kept by the broker; a press is not. What is gone from the site is taken away there: the
broker tells us what of ours it keeps. While we are away it says that nothing of it is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from belltower.clock import Clock
from belltower.incident.facts import AlarmRaised, Mode
from belltower.incident.fold import Incident
from belltower.tasks import together
from belltower.version import VERSION
from gateway.intake.devices.health import DeviceHealth
from hardware.codecs import home_assistant as codec
from hardware.drivers import Received

LOOK_EVERY = 1.0
"""Seconds after which a changed campus is shown."""
DEVICES_EVERY = 10
"""The same of devices, in looks."""
AGAIN_EVERY = 10.0
"""Seconds between two full tellings, however often Home Assistant says that it has begun anew."""
_AT_ONCE = 50
_MOST_KEPT = 20_000
"""Names of ours at a broker at which others may write."""

Look = Callable[[], Iterable[DeviceHealth]]


class Broker(Protocol):
    """The connection by which it is told."""

    connected: asyncio.Event

    def run(self) -> Awaitable[None]:
        """Serve until the broker is lost, which is raised."""
        ...

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        """Hand a message over; False: not now."""
        ...


class HomeAssistant:
    """Shows what there is to be seen. `attach` the broker, then `run`."""

    def __init__(
        self, *, shelf: codec.Shelf, clock: Clock, look: Look, incidents: Callable[[], Iterable[Incident]]
    ) -> None:
        """Keep what it is made of; `look` yields the devices whose press calls for help."""
        self._shelf = shelf
        self._clock = clock
        self._look = look
        self._incidents = incidents
        self._broker: Broker | None = None
        # What the broker was handed on this connection, by topic.
        self._told: dict[str, bytes] = {}
        self._told_all = -AGAIN_EVERY
        self._next_devices = 0
        # Devices whose configuration the broker keeps.
        self._kept: set[str] = set()

    @property
    def topics(self) -> tuple[str, ...]:
        """What is to be heard at the broker."""
        return (self._shelf.birth, self._shelf.everything)

    @property
    def will(self) -> tuple[str, bytes]:
        """What the broker is to say once we are gone."""
        return (self._shelf.available, b"offline")

    def attach(self, broker: Broker) -> None:
        """Tell this one from now on."""
        self._broker = broker

    async def run(self) -> None:
        """Show everything until the broker is lost, which is raised."""
        assert self._broker is not None  # noqa: S101 - attached before it runs
        self._told, self._kept, self._next_devices = {}, set(), 0
        broker = self._broker

        async def serve() -> None:
            await broker.run()

        await together(home_assistant=serve(), home_assistant_shown=self._show(broker))

    def heard(self, received: Received) -> None:
        """Take note of what the broker keeps of ours, and of Home Assistant's beginning anew. Everything else is nothing."""
        if received.topic == self._shelf.birth:
            now = self._clock.monotonic()
            if received.payload == b"online" and not received.retain and now - self._told_all >= AGAIN_EVERY:
                self._told, self._told_all, self._next_devices = {}, now, 0
        elif received.retain and received.payload and len(self._kept) < _MOST_KEPT:
            device = self._shelf.device_of(received.topic)
            if device:
                self._kept.add(device)
                self._next_devices = 0

    def raised(self, fact: AlarmRaised) -> None:
        """Show a press; whoever looks late is not told."""
        name = fact.device or fact.unit
        if self._broker is not None and name:
            said = codec.press(exercise=fact.mode is Mode.EXERCISE)
            self._broker.publish(self._shelf.pressed(name), said, qos=1)

    async def _show(self, broker: Broker) -> None:
        await broker.connected.wait()
        while True:
            self._tell(self._shelf.available, b"online")
            self._tell(self._shelf.config(), codec.campus_config(self._shelf, version=VERSION))
            self._tell(self._shelf.state(), self._campus())
            if self._next_devices == 0:
                self._next_devices = DEVICES_EVERY
                await self._show_devices()
            self._next_devices = max(0, self._next_devices - 1)
            await asyncio.sleep(LOOK_EVERY)

    async def _show_devices(self) -> None:
        shown = set()
        for number, each in enumerate(self._look(), start=1):
            shown.add(each.id)
            config = codec.button_config(
                self._shelf, each.id, model=each.profile, place=each.place, version=VERSION
            )
            heard = None if each.because or not each.heard else not each.lost
            state = codec.button_state(tamper=each.tampered, heard=heard, battery=each.battery)
            self._tell(self._shelf.config(each.id), config)
            self._tell(self._shelf.state(each.id), state)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        for gone in self._kept - shown:
            if self._tell(self._shelf.config(gone), b"") and self._tell(self._shelf.state(gone), b""):
                self._kept.discard(gone)

    def _campus(self) -> bytes:
        incidents = sorted(self._incidents(), key=lambda each: (each.mode is Mode.EXERCISE, -each.opened_at))
        actual = [each for each in incidents if each.mode is not Mode.EXERCISE]
        action = next((each for each in incidents if each.action is not None), None)
        said = "none"
        if action is not None:
            said = str(action.action) + (" (exercise)" if action.mode is Mode.EXERCISE else "")
        return codec.campus_state(alarm=bool(actual), action=said)

    def _tell(self, topic: str, payload: bytes) -> bool:
        """Have the broker keep it, unless it does; False: not now."""
        if self._told.get(topic) == payload:
            return True
        assert self._broker is not None  # noqa: S101 - attached before it runs
        told = self._broker.publish(topic, payload, qos=1, retain=True)
        if told:
            self._told[topic] = payload
        return told
