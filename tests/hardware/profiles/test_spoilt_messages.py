"""Random and mutated messages: nothing raises, nothing becomes a press that does not say so, class panic never is silent."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import msgspec
import pytest

from belltower.clock import SECOND, Instant
from gateway.cli.profile_lines import Lines
from hardware.profiles.compiled import Profile
from hardware.profiles.examples import message_of
from hardware.profiles.loading import shipped
from hardware.profiles.memory import Remembered, judge
from hardware.profiles.message import Message
from hardware.profiles.profile import ProfileClass
from hardware.profiles.reading import Reader

SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "hardware" / "samples.jsonl"
TOKENS = (
    b"null",
    b"true",
    b'""',
    b"{}",
    b"[]",
    b"0",
    b"-1",
    b"1e9",
    b'"emergency"',
    b"\xff",
    b"%00",
    b"\\u0000",
)


class Seed(msgspec.Struct, frozen=True):
    """A message that is mutated, and for whom."""

    profile: Profile
    message: Message
    # It alarms as it stands, or one bit of its bytes or line tells a press from its end, and no check would show it.
    may_press: bool


def seeds(profiles: dict[str, Profile]) -> list[Seed]:
    """Every example of every profile, and every sample where they are at hand."""
    found = []
    for profile in profiles.values():
        for example in profile.tables.example:
            message = message_of(example)
            pressing = any(signal.alarms for signal in profile.read(message).signals)
            found.append(Seed(profile, message, pressing or unchecked(profile, message)))
    if not SAMPLES.is_file():
        return found
    reader = Reader(profiles)
    for text in SAMPLES.read_text(encoding="utf-8").splitlines():
        sample = json.loads(text)
        if sample["payload_encoding"] == "hex":
            continue
        said = sample["payload"]
        octets = said.encode() if isinstance(said, str) else json.dumps(said).encode()
        message = Message(topic=sample["topic"] or "", payload=octets)
        reading = reader.read(message)
        if reading.profile:
            pressing = any(signal.alarms for signal in reading.signals)
            profile = profiles[reading.profile]
            found.append(Seed(profile, message, pressing or unchecked(profile, message)))
    return found


def unchecked(profile: Profile, message: Message) -> bool:
    """Bytes and terse lines: what one bit makes of them is another message in good order."""
    return message.ingress == "frame" or any(rule.lined for rule in profile.rules)


def mutated(octets: bytes, random: Random) -> bytes:
    """The octets with one to four things done to them."""
    data = bytearray(octets)
    for _ in range(random.randrange(1, 5)):
        place = random.randrange(len(data) + 1)
        match random.randrange(6):
            case 0 if data:
                data[place % len(data)] ^= 1 << random.randrange(8)
            case 1 if data:
                del data[place % len(data) : place % len(data) + random.randrange(1, 9)]
            case 2:
                data[place:place] = random.choice(TOKENS)
            case 3:
                data[place:place] = data[place : place + random.randrange(1, 40)]
            case 4:
                del data[place:]
            case _:
                data[place:place] = random.randbytes(random.randrange(1, 4))
    return bytes(data)


def spoil(count: int, random: Random) -> dict[str, int]:
    """Read `count` spoilt messages; what became of them. Raises AssertionError at a false press or at silence."""
    profiles = shipped()
    every = seeds(profiles)
    reader = Reader(profiles)
    told = {"read": 0, "press": 0, "spelt press": 0, "trouble": 0}
    remembered: dict[str, Remembered] = {}
    for number in range(count):
        seed = every[number % len(every)]
        octets = (
            random.randbytes(random.randrange(64))
            if random.randrange(8) == 0
            else mutated(seed.message.payload, random)
        )
        values = {name: getattr(seed.message, name) for name in seed.message.__struct_fields__}
        message = Message(**{**values, "payload": octets})
        reading = reader.read(message, seed.profile.id) if number % 4 else reader.read(message)
        told["read"] += 1
        if number % 4 and seed.profile.cls is ProfileClass.PANIC:
            assert reading.signals, (seed.profile.id, message)
        for signal in reading.signals:
            told["trouble"] += signal.kind == "trouble"
            if not signal.alarms or seed.may_press or message.ingress == "frame":
                told["press"] += signal.alarms
                continue
            # It alarms although the message did not: then the mutation itself must have spelt the press.
            spelt = str(signal.value).encode()
            written = [one for one in (b'"' + spelt + b'"', b":" + spelt, spelt) if one in octets]
            assert written, (seed.profile.id, message, signal)
            assert written[0] not in seed.message.payload, (seed.profile.id, message, signal)
            told["spelt press"] += 1
        judged = judge(
            remembered.get(seed.profile.id), reading.signals, Instant(number * SECOND), profile=seed.profile
        )
        remembered[seed.profile.id] = judged.memory
    assert all(len(msgspec.json.encode(one)) < 64_000 for one in remembered.values())
    return told


def test_spoilt_messages_raise_nothing_and_press_nothing() -> None:
    """The long run is a soak."""
    told = spoil(20_000, Random("profiles"))

    assert 20_000 == told["read"]
    assert 0 < told["trouble"]


@pytest.mark.soak
def test_a_million_spoilt_messages_raise_nothing_and_press_nothing() -> None:
    """And what is remembered stays small."""
    told = spoil(1_000_000, Random("profiles 2"))

    print(told)
    assert 1_000_000 == told["read"]


def test_spoilt_lines_are_answered_each() -> None:
    """One answer a line, whatever the line is."""
    lines = Lines(shipped())
    random = Random("lines")
    line = json.dumps(
        {"id": 1, "topic": "zigbee2mqtt/x", "payload": {"action": ""}, "payload_encoding": "json"}
    ).encode()
    for _ in range(1000):
        answer = lines.answered(mutated(line, random))
        assert isinstance(answer["signals"], list)
        assert answer["signals"] or answer["why"]
        msgspec.json.encode(answer)
