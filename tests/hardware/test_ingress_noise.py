"""Every way in against noise: nothing unhandled, no press that nobody said, and memory that stays as it is."""

from __future__ import annotations

import json
import re
import resource
from collections import Counter
from collections.abc import Callable, Iterable
from random import Random

import pytest
from pymodbus import FramerType, ModbusException
from pymodbus.framer import FRAMER_NAME_TO_CLASS
from pymodbus.pdu import DecodePDU

from belltower.errors import Malformed
from hardware.codecs import bthome, inovonics, osdp
from hardware.codecs.json_stream import Lines, Objects
from hardware.codecs.mqtt import Parser
from hardware.codecs.mqtt_packets import Publish, encode
from hardware.profiles.examples import message_of
from hardware.profiles.loading import shipped
from hardware.profiles.message import Message
from hardware.profiles.reading import Reader
from hardware.profiles.signal import ALARMING, Signal
from tests.hardware.test_bthome import KEY, MAC, SEALED
from tests.peers.mutation import mutated

PROFILES = shipped()
READER = Reader(PROFILES)
FEW, MANY = 2_000, 1_000_000
Told = Iterable[Signal]
Heard = Callable[[bytes], Told]


def _quiet(*names: str) -> list[tuple[str, Message]]:
    """Examples of these profiles, or of all, that are no press."""
    return [
        (profile.id, message)
        for profile in PROFILES.values()
        if not names or profile.id in names
        for message in map(message_of, profile.tables.example)
        if not any(
            ALARMING & {signal.kind, signal.rises} for signal in READER.read(message, profile.id).signals
        )
    ]


def _mqtt(random: Random) -> tuple[bytes, Heard]:
    """A whole PUBLISH as octets of the wire: packet, topic, payload."""
    profile, message = random.choice([each for each in _QUIET if each[1].topic])
    octets = encode(Publish(topic=str(message.topic), payload=message.payload, qos=1, mid=7), 4)

    def heard(octets: bytes) -> Told:
        parser = Parser(version=4, limit=4_096)
        for packet in parser.feed(octets):
            if isinstance(packet, Publish):
                yield from READER.read(Message(topic=packet.topic, payload=packet.payload), profile).signals

    return octets, heard


def _webhook(random: Random) -> tuple[bytes, Heard]:
    """The body of a request."""
    profile, message = random.choice(_HOOKS)
    return (
        message.payload,
        lambda octets: (
            READER.read(Message(ingress="http", topic=message.topic, payload=octets), profile).signals
        ),
    )


def _tcp_json(random: Random) -> tuple[bytes, Heard]:
    """A stream of objects, that goes on from one message to the next, over connections that end now and then."""
    if not random.randrange(16):
        _OBJECTS.__init__(longest=4_000)
    profile, message = random.choice(_JSON)

    def heard(octets: bytes) -> Told:
        for payload in _OBJECTS.feed(octets):
            yield from READER.read(Message(ingress="tcp", payload=payload), profile).signals
        assert len(_OBJECTS._held) <= 5_000

    return message.payload, heard


def _serial(random: Random) -> tuple[bytes, Heard]:
    """Lines, that go on from one to the next."""
    _, message = random.choice(_SERIAL)

    def heard(octets: bytes) -> Told:
        for line in _LINES.feed(octets):
            yield from READER.read(Message(ingress="serial", payload=line), "alarmdecoder-ad2").signals
        assert len(_LINES._rest) <= 1_000

    return message.payload + b"\r\n", heard


def _frames(random: Random) -> tuple[bytes, Heard]:
    """The octets of a model: what one bit makes of them may be another message in good order."""
    profile, message = random.choice(_FRAMES)
    return (
        message.payload,
        lambda octets: (
            READER.read(
                Message(ingress="frame", payload=octets, port=message.port, device="e1"), profile
            ).signals
        ),
    )


def _bthome(_: Random) -> tuple[bytes, Heard]:
    """Encrypted: whatever is changed is refused."""
    return (
        SEALED,
        lambda octets: (
            ()
            if octets == SEALED
            else bthome.signals(bthome.decode(octets, key=KEY, mac=MAC, sealed=True), device="x")
        ),
    )


def _inovonics(_: Random) -> tuple[bytes, Heard]:
    """A sum of 8 bits is weak: its alarms are levels, of which the edge is news to whom the transmitter is known."""
    return _CALM, lambda octets: inovonics.signals(inovonics.decode(octets))


def _osdp(_: Random) -> tuple[bytes, Heard]:
    """As the frames are explained; what speaks is libosdp, over a secure channel."""

    def heard(octets: bytes) -> Told:
        osdp.decode(octets)
        return ()

    return _BUZZER, heard


def _modbus(random: Random) -> tuple[bytes, Heard]:
    """A device's answer to a poll, over TCP and over a line, as our library takes it; it has no other refusal."""
    framer, octets = random.choice(_POLLED)

    def heard(octets: bytes) -> Told:
        try:
            _, answer = FRAMER_NAME_TO_CLASS[framer](DecodePDU(False)).handleFrame(octets, 1, 7)
        except ModbusException as error:
            raise Malformed(str(error)) from None
        if answer is None:
            raise Malformed("no answer yet")
        return ()

    return octets, heard


_QUIET = [each for each in _quiet() if each[1].ingress != "frame"]
_HOOKS = _quiet("cyberdata", "halo", "axis-mqtt")
_JSON = _quiet("adam-6050", "halo", "rtl-433")
_SERIAL = _quiet("alarmdecoder-ad2")
_FRAMES = [each for each in _quiet() if each[1].ingress == "frame"]
_OBJECTS, _LINES = Objects(longest=4_000), Lines(longest=1_000)
_CALM = inovonics.encode(
    inovonics.Frame(
        uid=0xB20A01, first_hop=1, device_class=0x3E, product=1, stat1=0, stat0=0, level=80, margin=20
    )
)
_POLLED = (
    (FramerType.SOCKET, bytes.fromhex("00070000000401020100")),
    (FramerType.RTU, bytes.fromhex("01020100a188")),
)
_BUZZER = bytes.fromhex("53000D00066A00020202015992")
WAYS = {
    "mqtt": _mqtt,
    "webhook": _webhook,
    "tcp-json": _tcp_json,
    "serial": _serial,
    "frames": _frames,
    "bthome": _bthome,
    "inovonics": _inovonics,
    "osdp": _osdp,
    "modbus": _modbus,
}
UNCHECKED = {"serial", "frames", "inovonics"}
"""Terse: there one octet tells a press from none, and spoilt ones may say it in good order."""


def spelt(signal: Signal, spoilt: bytes, octets: bytes) -> bool:
    """Whether the damage itself wrote the word that pressed."""
    word = re.escape(json.dumps(signal.value).strip('"').encode())
    return any(found[0] not in octets for found in re.finditer(rb".{0,3}" + word + rb".?", spoilt, re.DOTALL))


def noise(way: str, count: int) -> Counter[str]:
    """What became of `count` random and spoilt messages; AssertionError at a press that they do not spell."""
    random, told = Random(f"noise {way}"), Counter[str]()
    for _ in range(count):
        octets, heard = WAYS[way](random)
        spoilt = mutated(random, octets) if random.randrange(8) else random.randbytes(random.randrange(64))
        try:
            signals = list(heard(spoilt))
        except Malformed:
            told["malformed"] += 1
            continue
        told["read"] += 1
        for signal in signals:
            told[str(signal.kind)] += 1
            if not signal.alarms:
                continue
            told["alarms"] += 1
            assert way in UNCHECKED or spelt(signal, spoilt, octets), (way, spoilt, signal)
    return told


@pytest.mark.parametrize("way", WAYS)
def test_noise_is_no_press(way: str) -> None:
    """Some thousand messages of each way in."""
    told = noise(way, FEW)

    assert FEW == told["read"] + told["malformed"]
    assert told["alarms"] <= FEW // 100


@pytest.mark.soak
@pytest.mark.parametrize("way", WAYS)
def test_a_million_messages_of_noise_are_no_press(way: str, caplog: pytest.LogCaptureFixture) -> None:
    """And memory stays flat."""
    caplog.set_level("CRITICAL", "pymodbus.logging")  # else what it says of each is what fills memory
    noise(way, MANY // 5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = noise(way, MANY)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / before
    print(f"{way}: {dict(told)}, memory x {grown:.3f}")

    assert MANY == told["read"] + told["malformed"]
    assert grown < 1.5  # what is remembered of topics fills up to its bound
