"""A Kenwood radio's data port that never transmits: it takes frames, and plays the radio they are sent to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from hardware.codecs import fleetsync
from hardware.codecs.fleetsync import Acked, Garbled, Message, NotAcked, Text

FAULTS = {
    "silent": 0.0,
    "late": 5.0,
    "deaf-after": 1.0,
    "garbage": 0.0,
    "negative": 0.0,
    "duplicate-ack": 0.0,
}
"""What it can be asked to do wrong; `negative`: the other radio never acknowledges."""


class SimulatedFleetSyncRadio:
    """Answers `gateway.psap.fleetsync_link`."""

    def __init__(self, *, taken: Callable[[Text], None] | None = None, air: float = 0.0) -> None:
        self._taken = taken or (lambda _: None)
        self._air = air
        self._decoder = fleetsync.Decoder()
        self._out: list[tuple[float, bytes]] = []
        self.fault = ""
        self.measure = 0.0
        self.sent: deque[Text] = deque(maxlen=1_000)
        """Texts taken."""
        self.garbled = 0
        """Frames that were none."""
        self.rung: Callable[[], None] = lambda: None

    def misbehave(self, name: str, measure: float = 0.0) -> None:
        """Do this wrong from now on; "" for nothing."""
        self.fault, self.measure = name, measure

    def receive(self, octets: bytes) -> None:
        """Take what the computer wrote."""
        for message in self._decoder.feed(octets):
            match message:
                case Text():
                    self.sent.append(message)
                    self._answer(message)
                    self._taken(message)
                case Garbled():
                    self.garbled += 1
                case _:
                    pass

    def outgoing(self) -> list[tuple[float, bytes]]:
        """What is to be sent, each with the seconds until then."""
        out, self._out = self._out, []
        return out

    def arrive(self, message: Message) -> None:
        """A frame comes from the air."""
        self._send(fleetsync.encode(message))

    def _answer(self, message: Text) -> None:
        if message.broadcast:
            return
        answer = NotAcked() if self.fault == "negative" else Acked()
        for _ in range(2 if self.fault == "duplicate-ack" else 1):
            self._send(fleetsync.encode(answer))

    def _send(self, octets: bytes) -> None:
        if self.fault == "silent" or (self.fault == "deaf-after" and len(self.sent) > max(self.measure, 1.0)):
            return
        delay = self._air + (self.measure or 5.0 if self.fault == "late" else 0.0)
        if self.fault == "garbage":
            octets = b"\xff\x00\x03\x02F1" + octets
        self._out.append((delay, octets))
        self.rung()
