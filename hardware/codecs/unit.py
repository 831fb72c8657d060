"""Our own units' frames: sealed, short, the same over MQTT and over the radio.

docs/unit-protocol.md describes them byte for byte. Numbers are big-endian:

    version 01 | flags | unit 4 | epoch 4 | counter 4 | length 1 | body | MAC 16

flags: bit 7 direction (1 down, house to unit), bit 6 class (1 exercise), bits 5 to 0 type. The MAC is the first
16 octets of HMAC-SHA256 under the unit's key over site tag (8) ‖ everything before the MAC. It is checked before
the body is looked at.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import Struct

from belltower.errors import Malformed
from hardware.codecs import unit_room
from hardware.codecs.unit_room import Order, RoomBody, Say, Shown, Status, Text
from hardware.codecs.window import ReplayWindow

VERSION = 1
KEY_SIZE = 32
MAC_SIZE = 16
NONCE_SIZE = 16
MAX_BODY = 200
HEAD_SIZE = 15
OVERHEAD = HEAD_SIZE + MAC_SIZE
MAX_NUMBER = 0xFFFF_FFFF
"""The largest unit number, epoch and counter."""

_BLOCK = 64
_INNER = bytes(octet ^ 0x36 for octet in range(256))
_OUTER = bytes(octet ^ 0x5C for octet in range(256))
_DOWN = 0x80
_EXERCISE = 0x40
_TYPE = 0x3F
_HEAD = struct.Struct(">BBIIIB")
_PRESS = struct.Struct(">B")
_HEARTBEAT = struct.Struct(">BB")
_ACK = struct.Struct(">IIB")
_CHALLENGE = struct.Struct(">16sII")
_ANSWER = struct.Struct(">16sIIB")


class Type(IntEnum):
    """What a frame is; below 32 from the unit, from 32 on to the unit."""

    PRESS = 1
    HEARTBEAT = 2
    TAMPER = 3
    ANSWER = 4
    STATUS = 5
    TEXT = 6
    SHOWN = 7
    ACK = 33
    CHALLENGE = 34
    ORDER = 35
    SAY = 36


class Kind(IntEnum):
    """Which button was pressed."""

    PANIC = 1
    MEDICAL = 2


class Level(IntEnum):
    """How far a press has come, as shown to the wearer."""

    NONE = 0
    """Nobody has answered yet; never sent."""
    RECORDED = 1
    RELAYED_ONLY = 2
    """Passed on to the PSAP, but the house could not write it down."""
    PSAP = 3
    """The PSAP's system has it."""
    TELECOMMUNICATOR = 4
    """A person at the PSAP has acknowledged."""


class Header(NamedTuple):
    """What a frame claims to be. Nothing here is authentic before `open_sealed`."""

    number: int
    epoch: int
    counter: int
    type: int
    down: bool
    exercise: bool


class UnitFrame(Struct, frozen=True, kw_only=True):
    """One frame, authentic when it came from `open_sealed`. A type unknown to us is an int that is no `Type`."""

    number: int
    epoch: int
    counter: int
    type: int
    body: bytes = b""
    exercise: bool = False

    @property
    def down(self) -> bool:
        """Whether it goes from the house to the unit."""
        return self.type >= 32


class Press(Struct, frozen=True, kw_only=True):
    """Somebody calls for help."""

    kind: Kind


class Heartbeat(Struct, frozen=True, kw_only=True):
    """The unit is alive; battery in per cent."""

    battery: int
    tamper: bool = False
    low_battery: bool = False


class Tamper(Struct, frozen=True, kw_only=True):
    """The unit's case was opened."""


class Answer(Struct, frozen=True, kw_only=True):
    """The unit stands by its press `epoch`, `counter`, which was challenged with `nonce`."""

    nonce: bytes
    epoch: int
    counter: int
    kind: Kind


class Ack(Struct, frozen=True, kw_only=True):
    """The house has the unit's frame `epoch`, `counter`; it has come as far as `level`."""

    epoch: int
    counter: int
    level: Level


class Challenge(Struct, frozen=True, kw_only=True):
    """The house cannot tell the frame `epoch`, `counter` from a replay: stand by it, with this nonce."""

    nonce: bytes
    epoch: int
    counter: int


Body = Press | Heartbeat | Tamper | Answer | Ack | Challenge | RoomBody


def site_tag(site_id: str) -> bytes:
    """The eight octets that tie a frame to one site."""
    return hashlib.sha256(b"belltower site" + site_id.encode()).digest()[:8]


def derive_key(secret: bytes, site_id: str, number: int) -> bytes:
    """The unit's key: HKDF-SHA256 (RFC 5869, no salt) of the provisioning secret."""
    extracted = hmac.digest(bytes(32), secret, "sha256")
    info = b"belltower unit" + site_id.encode() + number.to_bytes(4)
    return hmac.digest(extracted, info + b"\x01", "sha256")


def mqtt_password(key: bytes) -> str:
    """The unit's password at the MQTT server, 32 hexadecimal digits."""
    return hmac.digest(key, b"belltower mqtt password", "sha256")[:16].hex()


def seal(frame: UnitFrame, key: bytes, site_tag: bytes) -> bytes:
    """The frame with its MAC; `ValueError` for what the format cannot carry."""
    if not (
        0 <= frame.type <= _TYPE
        and len(frame.body) <= MAX_BODY
        and 0 <= frame.number <= MAX_NUMBER
        and 0 <= frame.epoch <= MAX_NUMBER
        and 0 <= frame.counter <= MAX_NUMBER
    ):
        raise ValueError(f"unit {frame.number}, type {frame.type}: a field is too large for the frame")
    flags = (_DOWN if frame.down else 0) | (_EXERCISE if frame.exercise else 0) | frame.type
    head = _HEAD.pack(VERSION, flags, frame.number, frame.epoch, frame.counter, len(frame.body))
    sealed = head + frame.body
    return sealed + _mac(key, site_tag + sealed)


def peek(data: bytes) -> Header:
    """What the frame claims to be, to look up the key by; `Malformed` when it cannot be a frame at all."""
    size = len(data)
    if size < OVERHEAD:
        raise Malformed(f"octet {size}: a frame has at least {OVERHEAD} octets")
    version, flags, number, epoch, counter, length = _HEAD.unpack_from(data)
    if version != VERSION:
        raise Malformed(f"octet 0: version {version:02x}, expected 01")
    if length > MAX_BODY:
        raise Malformed(f"octet 14: body of {length} octets, at most {MAX_BODY}")
    if size != OVERHEAD + length:
        raise Malformed(f"octet 14: body of {length} octets, but {size - OVERHEAD} are there")
    type_ = flags & _TYPE
    if bool(flags & _DOWN) != (type_ >= 32):
        raise Malformed(f"octet 1: type {type_} does not go in this direction")
    return Header(number, epoch, counter, type_, type_ >= 32, bool(flags & _EXERCISE))


def open_sealed(data: bytes, key: bytes, site_tag: bytes) -> UnitFrame:
    """The frame, once its MAC is found right; `Malformed` otherwise. Says nothing about replay."""
    number, epoch, counter, type_, _, exercise = peek(data)
    if not hmac.compare_digest(_mac(key, site_tag + data[:-MAC_SIZE]), data[-MAC_SIZE:]):
        raise Malformed(f"octet {len(data) - MAC_SIZE}: the MAC is wrong")
    return UnitFrame(
        number=number,
        epoch=epoch,
        counter=counter,
        type=type_,
        body=data[HEAD_SIZE:-MAC_SIZE],
        exercise=exercise,
    )


def acknowledge(heard: UnitFrame, level: Level) -> UnitFrame:
    """The ACK for `heard`; the same octets each time, and of the same class."""
    return _reply(
        heard, heard.epoch, heard.counter, Ack(epoch=heard.epoch, counter=heard.counter, level=level)
    )


def challenge(heard: UnitFrame, nonce: bytes, window: ReplayWindow) -> UnitFrame:
    """The challenge to `heard`. Its head tells the unit what we last heard of it, so that it can move past that."""
    body = Challenge(nonce=nonce, epoch=heard.epoch, counter=heard.counter)
    return _reply(heard, window.epoch, window.highest, body)


def with_body(head: UnitFrame, body: Body) -> UnitFrame:
    """A frame like `head` that carries `body`, and so has the body's type."""
    return UnitFrame(
        number=head.number,
        epoch=head.epoch,
        counter=head.counter,
        exercise=head.exercise,
        type=type_of(body),
        body=encode_body(body),
    )


def type_of(body: Body) -> Type:
    """The type of a frame that carries `body`."""
    return _TYPES[type(body)]


def encode_body(body: Body) -> bytes:
    """The octets of a body."""
    match body:
        case Press(kind=kind):
            return _PRESS.pack(kind)
        case Heartbeat(battery=battery, tamper=tamper, low_battery=low):
            return _HEARTBEAT.pack(battery, int(tamper) | int(low) << 1)
        case Tamper():
            return b""
        case Answer(nonce=nonce, epoch=epoch, counter=counter, kind=kind):
            return _ANSWER.pack(_whole(nonce), epoch, counter, kind)
        case Ack(epoch=epoch, counter=counter, level=level):
            return _ACK.pack(epoch, counter, level)
        case Challenge(nonce=nonce, epoch=epoch, counter=counter):
            return _CHALLENGE.pack(_whole(nonce), epoch, counter)
        case Status() | Text() | Shown() | Order() | Say():
            return unit_room.encode_room(body)


def body_of(frame: UnitFrame) -> Body:
    """What the frame says; `Malformed` when its type is unknown or its body is too short.

    Longer bodies are accepted, and the octets beyond what we know are passed over, so that newer units may say
    more. An authentic press is never lost to its body: an unknown kind, or none, is read as panic.
    """
    read = _ROOM.get(frame.type)
    if read is not None:
        return read(frame.body)
    match frame.type:
        case Type.PRESS:
            return Press(kind=_kind(frame.body[0]) if frame.body else Kind.PANIC)
        case Type.HEARTBEAT:
            battery, flags = _unpack(_HEARTBEAT, frame)
            return Heartbeat(battery=min(battery, 100), tamper=bool(flags & 1), low_battery=bool(flags & 2))
        case Type.TAMPER:
            return Tamper()
        case Type.ANSWER:
            nonce, epoch, counter, kind = _unpack(_ANSWER, frame)
            return Answer(nonce=nonce, epoch=epoch, counter=counter, kind=_kind(kind))
        case Type.ACK:
            epoch, counter, level = _unpack(_ACK, frame)
            if not Level.RECORDED <= level <= Level.TELECOMMUNICATOR:
                raise Malformed(f"body octet 8: level {level}, expected 1 to 4")
            return Ack(epoch=epoch, counter=counter, level=Level(level))
        case Type.CHALLENGE:
            nonce, epoch, counter = _unpack(_CHALLENGE, frame)
            return Challenge(nonce=nonce, epoch=epoch, counter=counter)
        case other:
            raise Malformed(f"octet 1: type {other} is unknown")


_TYPES: dict[type[Body], Type] = {
    Press: Type.PRESS,
    Heartbeat: Type.HEARTBEAT,
    Tamper: Type.TAMPER,
    Answer: Type.ANSWER,
    Ack: Type.ACK,
    Challenge: Type.CHALLENGE,
    Status: Type.STATUS,
    Text: Type.TEXT,
    Shown: Type.SHOWN,
    Order: Type.ORDER,
    Say: Type.SAY,
}

_ROOM: dict[int, Callable[[bytes], RoomBody]] = {
    Type.STATUS: unit_room.status_of,
    Type.TEXT: unit_room.text_of,
    Type.SHOWN: unit_room.shown_of,
    Type.ORDER: unit_room.order_of,
    Type.SAY: unit_room.say_of,
}


def _reply(heard: UnitFrame, epoch: int, counter: int, body: Ack | Challenge) -> UnitFrame:
    head = UnitFrame(number=heard.number, epoch=epoch, counter=counter, type=0, exercise=heard.exercise)
    return with_body(head, body)


def _mac(key: bytes, octets: bytes) -> bytes:
    """The MAC of `octets`: HMAC-SHA256 (RFC 2104), truncated.

    From the key's two half-done hashes: `hmac.digest` gives up the interpreter lock for every call, and behind a busy
    writer thread waits milliseconds to have it back.
    """
    inner, outer = _pads(key)
    inside = inner.copy()
    inside.update(octets)
    outside = outer.copy()
    outside.update(inside.digest())
    return outside.digest()[:MAC_SIZE]


@lru_cache(maxsize=20_000)
def _pads(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    block = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
    return hashlib.sha256(block.translate(_INNER)), hashlib.sha256(block.translate(_OUTER))


def _whole(nonce: bytes) -> bytes:
    if len(nonce) != NONCE_SIZE:
        raise ValueError(f"a nonce of {len(nonce)} octets, expected {NONCE_SIZE}")
    return nonce


def _unpack(layout: struct.Struct, frame: UnitFrame) -> tuple[Any, ...]:
    if len(frame.body) < layout.size:
        raise Malformed(f"body octet {len(frame.body)}: type {frame.type} has {layout.size} octets")
    return layout.unpack_from(frame.body)


def _kind(value: int) -> Kind:
    return Kind.MEDICAL if value == Kind.MEDICAL else Kind.PANIC
