"""The wires of a measured house, held by the bench: the line to the PSAP, the control socket, a unit's connection.

Plain blocking code for a thread of its own, so that the bench adds as little as it can to what it times.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from pathlib import Path
from random import Random

import msgspec

from belltower.ids import VerbId
from belltower.journal import RawEntry
from gateway.bench.rig import PATIENCE, PSAP, SCHOOL, Plan
from gateway.control import Answer, Ask, Batch, Follow, Status
from gateway.county import County
from hardware.codecs.mqtt_packets import Connect, Publish, Subscribe, encode, puback
from hardware.codecs.unit import Kind, Type, UnitFrame, mqtt_password, seal


class Line:
    """The far end of the line to the PSAP, with a county that answers."""

    def __init__(self, *, number: int, key: bytes) -> None:
        self._number = number
        self.county = County(key=key, us=PSAP, them=SCHOOL, random=Random(1))

    def read(self, within: float = PATIENCE) -> tuple[float, bytes]:
        """The next octets, and when they were here."""
        if not select.select([self._number], [], [], within)[0]:
            raise TimeoutError("nothing came over the line to the PSAP")
        octets = os.read(self._number, 65_536)
        return time.perf_counter(), octets

    def heard(self, octets: bytes) -> int:
        """Give the octets to the county; how many new calls they were. What it answers waits for `answer`."""
        before = self.county.counts["calls"]
        self.county.receive(octets, now=time.perf_counter())
        return self.county.counts["calls"] - before

    def answer(self) -> None:
        """Let the county say what it has to say."""
        if octets := self.county.outgoing(time.perf_counter()):
            os.write(self._number, octets)

    def call(self) -> float:
        """Wait for the next call; when its octets were here."""
        while True:
            at, octets = self.read()
            if self.heard(octets):
                return at
            self.answer()

    def drain(self) -> None:
        """Take and answer what has come."""
        while select.select([self._number], [], [], 0)[0]:
            self.heard(os.read(self._number, 65_536))
            self.answer()

    def tend(self, within: float) -> None:
        """Take and answer what comes within so many seconds."""
        if select.select([self._number], [], [], within)[0]:
            self.heard(os.read(self._number, 65_536))
        self.answer()

    def opened(self) -> None:
        """Wait for the first sign of life, and answer it."""
        while not self.county.counts["pings"]:
            self.heard(self.read()[1])
        self.answer()


_LENGTH = struct.Struct(">I")
_Reply = Batch | Status | Answer
_replies = msgspec.msgpack.Decoder(_Reply)


class Watch:
    """The control socket, blocking: facts as they come, and closing an incident."""

    def __init__(self, path: Path, *, after: int) -> None:
        self._facts = _unix(path)
        self._asking = _unix(path)
        _say(self._facts, Follow(after))
        self._asked = 0

    def until(self, *tags: str) -> list[RawEntry]:
        """Read on until a fact of every one of these tags has come; all facts read."""
        missing, found = set(tags), list[RawEntry]()
        while missing:
            reply = _hear(self._facts)
            if isinstance(reply, Batch):
                found += reply.entries
                missing -= {entry.tag for entry in reply.entries}
        return found

    def close_incident(self, incident: str) -> None:
        """As a person would from the live page."""
        self.ask("close_incident", incident=incident)

    def ask(self, name: str, **args: object) -> None:
        """Have a verb done on behalf of a person."""
        self._asked += 1
        verb = VerbId(f"vrb_{os.getpid()}_{id(self)}_{self._asked}")
        _say(self._asking, Ask(name=name, verb=verb, args={"by": "p1", **args}))
        answer = _hear(self._asking)
        if not isinstance(answer, Answer) or answer.error:
            raise RuntimeError(f"{name} was not done: {answer}")

    def end(self) -> None:
        """Hang up."""
        self._facts.close()
        self._asking.close()


def _unix(path: Path) -> socket.socket:
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(PATIENCE)
    line.connect(str(path))
    return line


def _say(line: socket.socket, message: Follow | Ask) -> None:
    body = msgspec.msgpack.encode(message)
    line.sendall(_LENGTH.pack(len(body)) + body)


def _hear(line: socket.socket) -> _Reply:
    (length,) = _LENGTH.unpack(_exactly(line, _LENGTH.size))
    reply: _Reply = _replies.decode(_exactly(line, length))
    return reply


def _exactly(line: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = line.recv(size - len(data))
        if not more:
            raise ConnectionError("the alarm lane hung up")
        data += more
    return data


class Presser:
    """One unit on a plain socket; its user name and its topic are its own."""

    def __init__(self, plan: Plan, number: int, port: int, *, topic: str = "", epoch: int = 1) -> None:
        self._number = number
        self._key = plan.keys[number]
        self._tag = plan.tag
        self._topic = topic or f"up/u{number}"
        self._epoch = epoch
        self._counter = 0
        self.line = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        name, password = f"u{number}", mqtt_password(self._key).encode()
        self.line.sendall(
            encode(Connect(version=4, client_id=name, username=name, password=password, keepalive=60), 4)
        )
        if self.line.recv(4) != b"\x20\x02\x00\x00":
            raise ConnectionError(f"{name} was not let in")
        self.line.sendall(encode(Subscribe(mid=1, filters=((f"down/{name}", 0),)), 4))

    def press(self, kind: Kind = Kind.PANIC) -> bytes:
        """The next press's PUBLISH, ready to be sent."""
        return self._publish(Type.PRESS, bytes((kind,)))

    def heartbeat(self) -> bytes:
        """The next heartbeat's PUBLISH."""
        return self._publish(Type.HEARTBEAT, b"\x64\x00")

    def proved(self) -> None:
        """Send heartbeats until one is answered: the whole way to the house and back is open."""
        end = time.perf_counter() + PATIENCE
        self.drain()
        while time.perf_counter() < end:
            self.line.sendall(self.heartbeat())
            if select.select([self.line], [], [], 0.1)[0] and b"down/" in self.line.recv(65_536):
                return
        raise TimeoutError("the house does not answer the unit")

    def drain(self) -> bytes:
        """What the house has said meanwhile."""
        data = b""
        while select.select([self.line], [], [], 0)[0]:
            more = self.line.recv(65_536)
            if not more:
                raise ConnectionError("the house hung up on the unit")
            data += more
        return data

    def acknowledged(self) -> None:
        """Wait for the PUBACK of the last publish."""
        wanted, data = puback(self._mid), b""
        while wanted not in data:
            if not select.select([self.line], [], [], PATIENCE)[0]:
                raise TimeoutError("no PUBACK came")
            data += self.line.recv(65_536)

    def end(self) -> None:
        """Hang up."""
        self.line.close()

    @property
    def _mid(self) -> int:
        return self._counter % 65_535 + 1

    def _publish(self, type_: Type, body: bytes) -> bytes:
        self._counter += 1
        frame = UnitFrame(
            number=self._number, epoch=self._epoch, counter=self._counter, type=type_, body=body
        )
        sealed = seal(frame, self._key, self._tag)
        return encode(Publish(topic=self._topic, payload=sealed, qos=1, mid=self._mid), 4)
