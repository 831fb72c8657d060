"""A message of any way in: read by its profile, judged by what was heard before, raised, and answered after the commit.

Only what is live, pressed, of a panic class, and of a device that the site package binds becomes an alarm. Everything
else that may matter is shown to a person. Nothing that arrives here can raise out of it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable

from msgspec import Struct

from belltower import log
from belltower.clock import Clock
from belltower.errors import StoreError
from belltower.ids import PlaceId
from belltower.incident.facts import AlarmKind
from belltower.incident.verbs import Verbs
from belltower.journal import Durability
from belltower.store import Database, Transaction
from gateway.intake.devices.adverts import Adverts
from gateway.intake.devices.memory import DeviceMemory, digest_of
from gateway.intake.devices.notes import OLD, STANDING, Notes
from gateway.intake.devices.registry import KnownDevice, Registry
from gateway.intake.devices.states import States
from gateway.intake.devices.stuck import StuckButtons
from gateway.intake.devices.supervision import DeviceSupervision
from gateway.intake.devices.troubles import Troubles
from gateway.intake.devices.walk_test import ELSEWHERE, WalkTest, elsewhere
from gateway.intake.devices.written import Written, all_of
from hardware.drivers import Received
from hardware.profiles.compiled import Reading
from hardware.profiles.message import Message
from hardware.profiles.reading import Reader
from hardware.profiles.signal import PRESSES, Flag, Signal, SignalKind

_log = log.get("devices")

_SAMPLES = 16
_SAMPLE_SIZE = 256
_NO_LIFE = frozenset(
    {
        SignalKind.OFFLINE,
        SignalKind.LEAVE,
        SignalKind.COMMAND,  # somebody speaks to it
        SignalKind.TX_ACK,
        SignalKind.NACK,
        SignalKind.ERROR,
    }
)

WIRES = frozenset({"modbus", "osdp", "inovonics"})
"""What drivers of ours speak: the profiles of a wire say so, and hear nothing else."""


class Way(Struct, frozen=True, kw_only=True):
    """One way in: its name in facts, what the engine calls its kind, and the profiles that it may speak."""

    name: str
    # mqtt, http, tcp, serial; or the wire of a driver: modbus, osdp, inovonics.
    ingress: str
    profiles: frozenset[str] = frozenset()


class DeviceIntake:
    """Takes the messages of all ways in."""

    def __init__(
        self,
        *,
        verbs: Verbs,
        database: Database,
        clock: Clock,
        reader: Reader,
        registry: Registry,
        memory: DeviceMemory,
        states: States,
        supervision: DeviceSupervision,
        troubles: Troubles,
        walk_test: WalkTest,
        counts: Counter[str],
        bind: Callable[[str, PlaceId], KnownDevice | None],
    ) -> None:
        """Keep what it is made of.

        `counts` is where messages are counted by what became of them; `bind` gives a device without a place the one
        where a walk-test proved it.
        """
        self._bind = bind
        self._verbs = verbs
        self._database = database
        self._clock = clock
        self._reader = reader
        self._registry = registry
        self._memory = memory
        self._states = states
        self._supervision = supervision
        self._troubles = troubles
        self._walk_test = walk_test
        self._counts = counts
        self._notes = Notes(
            clock=clock, states=states, supervision=supervision, troubles=troubles, counts=counts
        )
        self._adverts = Adverts(registry=registry, memory=memory)
        self.stuck = StuckButtons(clock=clock)
        self.samples: deque[bytes] = deque(maxlen=_SAMPLES)
        # By device: the latest of its presses that is being written down.
        self._writing: dict[str, Written] = {}

    def receive(self, received: Received, way: Way) -> Written | None:
        """Take a message. What is returned, if anything, resolves once all that it said is written down."""
        self._counts["device_messages"] += 1
        waiting: list[Written] = []
        adverts = (
            () if way.ingress in WIRES else self._adverts.heard(received.payload, retained=received.retain)
        )
        for device, signals, itself in adverts:
            if not way.profiles or device.profile.id in way.profiles:
                waiting += self._judge(device, signals, received, way, itself=itself)
        for device, reading in self._read(received, way, known=bool(adverts)):
            waiting += self._judge(device, reading.signals, received, way)
        return all_of(waiting)

    def found(self, profile: str, address: str) -> None:
        """What the inputs of this device are from now on, nobody saw them become: it was away, or is new to us."""
        device = self._registry.of(profile, address)
        if device is not None:
            self._memory.after_gap(device.id)

    def _read(self, received: Received, way: Way, *, known: bool) -> Iterable[tuple[KnownDevice, Reading]]:
        """What the message says, by the device that says it; what no device of ours says is counted and listed."""
        if way.ingress == "inovonics":
            return self._framed(received, way)
        message = Message(
            ingress=way.ingress,
            topic=received.topic,
            payload=received.payload,
            retained=received.retain,
            device=received.client,
        )
        carried = self._reader.unwrap(message)
        if carried is not None and self._spoken(carried[0].id, way):
            return self._carried(*carried, way)
        found: dict[str, tuple[KnownDevice, Reading]] = {}
        strange: Reading | None = None
        for reading in self._reader.readings(message):
            if not self._spoken(reading.profile, way):
                continue
            for device, signals in self._owners(reading).items():
                said = Reading(signals=tuple(signals), matched=True, why=reading.why, profile=reading.profile)
                found[device] = (self._registry.devices[device], said)
            for signal in reading.signals:
                if signal.channel in STANDING and not self._registry.of(reading.profile, signal.device):
                    self._notes.stands(f"{reading.profile} {signal.device[:60]}", signal, "", ours=False)
            if _names(reading) and (strange is None or reading.evidence > strange.evidence):
                strange = reading
        if not found and not known:
            if strange is not None:
                self._stranger(strange.profile, strange.signals, way)
            else:
                self._not_understood(received, way.name)
        return found.values()

    def _spoken(self, profile: str, way: Way) -> bool:
        """Whether the way may speak for the profile: what a driver brings, nobody else can say, and nothing else it."""
        wire = self._reader.profiles[profile].wire
        if wire or way.ingress in WIRES:
            return wire == way.ingress
        return not way.profiles or profile in way.profiles

    def _owners(self, reading: Reading) -> dict[str, list[Signal]]:
        owned: dict[str, list[Signal]] = {}
        speaks = self._reader.profiles[reading.profile]
        for signal in reading.signals:
            device = self._registry.of(reading.profile, signal.device)
            if device is None and speaks.bearer is not None:  # what it says of the devices that it carries
                device = self._registry.carried(reading.profile, signal.device)
            if device is not None and device.profile.wire == speaks.wire:
                owned.setdefault(device.id, []).append(signal)
        return owned

    def _carried(
        self, bearer: object, inner: Message, refused: Reading | None, way: Way
    ) -> list[tuple[KnownDevice, Reading]]:
        name = str(getattr(bearer, "id", ""))
        address = refused.signals[0].device if refused is not None and refused.signals else inner.device
        device = self._registry.carried(name, address)
        if device is None or device.profile.wire:
            uplink = Signal(kind=SignalKind.RAW_UPLINK, device=address)
            self._stranger(name, (uplink,), way)
            return []
        return [(device, refused if refused is not None else device.profile.read(inner))]

    def _framed(self, received: Received, way: Way) -> list[tuple[KnownDevice, Reading]]:
        """What a frame says that a driver of ours heard: its octets, and the sender's number as its client."""
        device = self._registry.carried(way.ingress, received.client)
        if device is None or device.profile.wire != way.ingress:
            said = Signal(kind=SignalKind.RAW_UPLINK, device=received.client)
            self._stranger(way.ingress, (said,), way)
            return []
        frame = Message(ingress="frame", payload=received.payload, device=received.client)
        return [(device, device.profile.read(frame))]

    def _stranger(self, profile: str, signals: tuple[Signal, ...], way: Way) -> None:
        self._counts["device_unknown"] += 1
        said = next((one for one in signals if one.kind in PRESSES), signals[0])
        self._registry.stranger(
            profile, said.device, path=way.name, said=said.kind.value, at=self._clock.now()
        )
        if said.kind in PRESSES and said.live:
            address = said.device[:60] or "without a name"
            self._troubles.note(
                f"{profile} {address}", "unbound press", why="devices.toml does not name it", ours=False
            )
        if self._registry.heard_of_strangers == 1:
            _log.info("device_unknown", profile=profile, path=way.name)

    def _not_understood(self, received: Received, way: str) -> None:
        self._counts["device_not_understood"] += 1
        self._supervision.jamming.noise(way)
        self.samples.append(received.payload[:_SAMPLE_SIZE])

    def _judge(
        self,
        device: KnownDevice,
        signals: Iterable[Signal],
        received: Received,
        way: Way,
        *,
        itself: bool = True,
    ) -> list[Written]:
        digest = digest_of(received.topic, received.payload)
        if received.dup and self._memory.alarmed_by(device.id, digest):
            # It changes no memory either: else the next press would count as its repetition.
            self._counts["device_repeated"] += 1
            pending = self._writing.get(device.id)
            return [pending] if pending is not None else []
        before = self._memory.of(device.id)
        judged = self._memory.judge(device, signals)
        waiting: list[Written] = []
        for signal in judged.signals:
            if signal.kind in PRESSES and device.panic:
                waiting += self._press(device, signal, digest, way)
            else:
                self._notes.note(device, signal)
        if itself and self._alive(judged.signals):
            self._states.of(device.id).heard = self._clock.now()
            self._supervision.heard(device.id, way.name)
        if judged.changed and not waiting:
            waiting += self._remember(device, tells=self._memory.tells_presses(device.id, before))
        return waiting

    @staticmethod
    def _alive(signals: Iterable[Signal]) -> bool:
        """Whether the device itself spoke just now; what is said beside an error was not its word."""
        kinds = [signal.kind for signal in signals if not signal.flags & OLD]
        return SignalKind.ERROR not in kinds and any(kind not in _NO_LIFE for kind in kinds)

    def _press(self, device: KnownDevice, signal: Signal, digest: str, way: Way) -> list[Written]:
        pending = self._writing.get(device.id)
        if not signal.live:
            self._counts["device_repeated"] += 1
            if signal.flags & {Flag.RETAINED, Flag.FOUND}:
                self._notes.trouble(device, "found active", "it was so before anybody listened")
            elif Flag.HISTORIC in signal.flags:
                self._notes.trouble(device, "late press", "the device had kept it")
            return [pending] if pending is not None else []
        alarms, just_stuck = self.stuck.pressed(device.id)
        if just_stuck:
            self._notes.trouble(device, "stuck", "it presses faster than a hand can")
        if not alarms:
            self._counts["device_stuck"] += 1
            return [pending] if pending is not None else []
        return [self._raise(device, signal, digest, way)]

    def _raise(self, device: KnownDevice, signal: Signal, digest: str, way: Way) -> Written:
        self._counts["device_presses"] += 1
        tx = Transaction()
        self._memory.pressed(tx, device.id, digest)
        running = self._verbs.drill_at(device.place, device.building)
        authorisation = running.authorisation if running is not None else None
        if (at := self._walk_test.elsewhere(device.place, authorisation)) is not None:
            self._notes.trouble(device, ELSEWHERE, elsewhere(at, device.place))
        exercise, walk = self._walk_test.takes(device.id, device.place, authorisation)
        if walk is not None and walk.at is not None and device.place is None:
            device = self._bind(device.id, walk.at) or device
        raised = self._verbs.raise_alarm(
            kind=AlarmKind.PANIC,
            place=device.place,
            building=device.building,
            path=way.name,
            exercise=exercise,
            counter=max(signal.counter or 0, 0),
            device=device.id,
            profile=device.profile.hash,
            unproven=device.unproven,
            tx=tx,
        )
        if walk is not None and device.place is not None:
            self._verbs.record(self._states.proven(device.id, device.place, walk.by))
        self._memory.unwritten[device.id] += 1
        written: Written = asyncio.get_running_loop().create_future()
        self._writing[device.id] = written
        raised.durability.add_done_callback(lambda done: self._written(device.id, written, done))
        return written

    def _written(self, device: str, written: Written, durability: asyncio.Future[Durability]) -> None:
        if self._writing.get(device) is written:
            del self._writing[device]
        if durability.cancelled():
            written.cancel()
            return
        recorded = durability.result() is not Durability.UNRECORDED
        if recorded:
            self._memory.unwritten[device] -= 1
        if not written.done():
            written.set_result(recorded)

    def _remember(self, device: KnownDevice, *, tells: bool) -> list[Written]:
        """Write down what is remembered: at once where a press could be mistaken after a restart, else in turns."""
        if not tells or self._memory.unwritten[device.id] > 0:
            self._memory.later(device.id)
            return []
        tx = Transaction()
        self._memory.keep(tx, device.id)
        written: Written = asyncio.get_running_loop().create_future()

        def settle(done: asyncio.Future[None]) -> None:
            if written.done():
                return
            if done.cancelled():
                written.cancel()
            else:
                failed = done.exception()
                if isinstance(failed, StoreError):
                    self._memory.later(device.id)
                written.set_result(failed is None)

        self._database.submit(tx).add_done_callback(settle)
        return [written]


class DriverTeller:
    """Takes what a driver of ours says, as messages of its wire: nothing is answered, for contacts are polled."""

    def __init__(self, intake: DeviceIntake, way: Way) -> None:
        """Keep what it is made of."""
        self._intake = intake
        self._way = way

    def tell(self, topic: str, payload: bytes) -> None:
        """One message of one device."""
        said = Received(client="", topic=topic, payload=payload, retain=False, dup=False, qos=0)
        self._intake.receive(said, self._way)

    def found(self, profile: str, address: str) -> None:
        """What this device's inputs are told to be next, nobody saw them become."""
        self._intake.found(profile, address)


def _names(reading: Reading) -> bool:
    """Whether the profile understood it, and who said it."""
    return any(one.kind is not SignalKind.TROUBLE and one.device for one in reading.signals)
