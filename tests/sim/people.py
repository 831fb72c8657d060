"""The world's other inhabitants: wearers with their units, and the county with its telecommunicator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from gateway.county import County
from gateway.psap import radio_text
from gateway.psap.radio_text import Text
from hardware.codecs import unit as codec
from hardware.codecs.unit import Ack, Kind, Level
from hardware.simulators.unit import MQTT_WAITS, Flash, SimulatedUnit
from hardware.unit_record import Bearer, UnitRecord
from tests.invariants import AckHeard, Named, PressSent
from tests.sim.lane import LINK_KEY, SITE, THEM, US, unit_key
from tests.sim.pipes import SimCable

TAG = codec.site_tag(SITE)
_WAYS = {Bearer.MQTT: ("mqtt",), Bearer.RADIO: ("radio",), Bearer.BOTH: ("mqtt", "radio")}


class Wearer:
    """A unit and whoever carries it."""

    def __init__(self, *, record: UnitRecord, random: Random, up: Callable[[str, int, bytes], None]) -> None:
        self.record = record
        self.flash = Flash()
        self.unit = SimulatedUnit(
            number=record.number,
            key=unit_key(record.number),
            site_tag=TAG,
            flash=self.flash,
            random=random,
            waits=MQTT_WAITS,
        )
        self._up = up
        self._timer: asyncio.TimerHandle | None = None
        self.presses: dict[Named, PressSent] = {}
        self.acks: list[AckHeard] = []
        self.sent: list[bytes] = []
        """Frames of presses, for whoever records and replays them."""

    @property
    def id(self) -> str:
        """The unit's id."""
        return str(self.record.id)

    def press(self, kind: Kind = Kind.PANIC, *, exercise: bool = False) -> None:
        """Press the button."""
        loop = asyncio.get_running_loop()
        self.unit.exercise = exercise
        frame = self.unit.press(loop.time(), kind)
        header = codec.peek(frame)
        name = Named(self.id, header.epoch, header.counter)
        if name not in self.presses:
            self.presses[name] = PressSent(name=name, exercise=header.exercise, at=loop.time())
            self.sent.append(frame)
        self._send(frame)
        self._arm()

    def heartbeat(self) -> None:
        """Send a sign of life."""
        self._send(self.unit.heartbeat())

    def hear(self, data: bytes) -> None:
        """A frame from the house, or what the way has made of it."""
        refused = self.unit.refused
        replies = self.unit.heard(data)
        if self.unit.refused == refused and data[1] & 0x3F == codec.Type.ACK:
            body = codec.body_of(codec.open_sealed(data, unit_key(self.record.number), TAG))
            if isinstance(body, Ack):
                self.acks.append(
                    AckHeard(
                        name=Named(self.id, body.epoch, body.counter),
                        level=body.level,
                        at=asyncio.get_running_loop().time(),
                    )
                )
        for reply in replies:
            self._send(reply)
        self._arm()

    def _send(self, frame: bytes) -> None:
        for way in _WAYS[self.record.bearer]:
            self._up(way, self.record.number, frame)

    def _arm(self) -> None:
        due = self.unit.next_due()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = asyncio.get_running_loop().call_at(due, self._repeat)

    def _repeat(self) -> None:
        self._timer = None
        for frame in self.unit.due(asyncio.get_running_loop().time()):
            self._send(frame)
        self._arm()


class Centre:
    """The PSAP: the county's machine on its end of the line, and the person in front of its screen."""

    def __init__(self, *, random: Random) -> None:
        self.county = County(key=LINK_KEY, us=THEM, them=US, random=random)
        self._random = random
        self._cable: SimCable | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._last: tuple[float, str] | None = None
        self._seen: set[int] = set()
        self.said: list[Text] = []
        """Everything heard from the school and proven to come from it, pings left out."""

    def attach(self, cable: SimCable) -> None:
        """Use this line."""
        self._cable = cable

    def receive(self, data: bytes) -> None:
        """Octets from the line."""
        loop = asyncio.get_running_loop()
        county = self.county
        county.receive(data, now=loop.time())
        fresh: list[tuple[float, str]] = []
        for heard in reversed(county.heard):
            if heard is self._last:
                break
            fresh.append(heard)
        if fresh:
            self._last = fresh[0]
        for _, text in reversed(fresh):
            if not text.startswith("PING"):
                self.said.append(radio_text.parse(text))
        for number, call in county.calls.items():
            if number not in self._seen and call.key:
                self._seen.add(number)
                if self._random.random() < 0.7:
                    loop.call_later(self._random.uniform(2, 120), self._acknowledge, number)
        self.pump()

    def pump(self) -> None:
        """Send what is due, and look again when more is."""
        loop = asyncio.get_running_loop()
        assert self._cable is not None
        octets = self.county.outgoing(loop.time())
        if octets:
            self._cable.back(octets)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.county.next_at()
        if due is not None:
            self._timer = loop.call_at(max(due, loop.time() + 1e-3), self.pump)

    def _acknowledge(self, number: int) -> None:
        if number in self.county.calls:
            self.county.acknowledge(number, "T1", now=asyncio.get_running_loop().time())
            self.pump()


def relayed_only(frame: bytes) -> Named | None:
    """The press that this frame from the house says could not be written down."""
    if frame[1] & 0x3F != codec.Type.ACK or frame[23] != Level.RELAYED_ONLY:
        return None
    number = int.from_bytes(frame[2:6])
    return Named(f"u{number}", int.from_bytes(frame[15:19]), int.from_bytes(frame[19:23]))
