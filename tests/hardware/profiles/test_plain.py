"""What is prepared, passed by and remembered for speed changes no meaning."""

from __future__ import annotations

from random import Random

import pytest

from hardware.profiles.compiled import Profile
from hardware.profiles.loading import shipped
from hardware.profiles.message import Message
from hardware.profiles.narrowing import Topics
from tests.hardware.profiles import plain
from tests.hardware.profiles.test_spoilt_messages import Seed, mutated, seeds


def compare(count: int, random: Random) -> int:
    """Read `count` messages both ways; how many meant something."""
    profiles = shipped()
    told = [seed for seed in seeds(profiles) if seed.message.ingress != "frame"]
    meant = 0
    for number in range(count):
        seed = told[number % len(told)]
        message = _changed(seed, number < len(told), random)
        meant += agree(seed.profile, message)
    return meant


def agree(profile: Profile, message: Message) -> bool:
    """Whether it means something; AssertionError where the two readings differ."""
    reading, expected = profile.read(message), plain.read(profile, message)
    if expected is None:
        assert all(signal.data.get("octets") is not None for signal in reading.signals), (
            profile.id,
            message,
        )
        return False
    assert tuple(expected) == reading.signals, (profile.id, message)
    return bool(expected)


def _changed(seed: Seed, as_it_is: bool, random: Random) -> Message:
    said = seed.message
    if as_it_is:
        return said
    octets = said.payload
    for _ in range(random.randrange(3)):
        octets = mutated(octets, random) if random.randrange(2) else swapped(octets, random)
    return Message(
        ingress=said.ingress,
        topic=None if random.randrange(16) == 0 else said.topic,
        payload=octets,
        retained=random.randrange(8) == 0,
        device=said.device,
        counter=said.counter,
    )


def swapped(octets: bytes, random: Random) -> bytes:
    """JSON that is still JSON: a word of it in the place of another."""
    words = octets.split(b'"')
    if len(words) < 4:
        return octets
    one, other = random.randrange(len(words) // 2) * 2 + 1, random.randrange(len(words) // 2) * 2 + 1
    words[one] = words[other]
    return b'"'.join(words)


def test_the_fast_reading_is_the_plain_reading() -> None:
    """Of every example and sample, as it is and spoilt."""
    assert compare(3_000, Random("plain")) > 800


@pytest.mark.soak
def test_the_fast_reading_is_the_plain_reading_of_a_million() -> None:
    """The same for long."""
    assert compare(1_000_000, Random("plain 2")) > 250_000


def test_what_is_remembered_of_shapes_and_words_is_bounded() -> None:
    """Whatever keys a stranger makes up, the meaning stays and memory too."""
    profile = shipped()["tasmota"]
    for number in range(2_000):
        said = b'{"Button%d":{"Action":"SINGLE"},"k%d":0}' % (number % 50, number)
        message = Message(topic="stat/b/RESULT", payload=said)
        assert ["press"] == [str(signal.kind) for signal in profile.read(message).signals]
    topics = Topics()
    rules = tuple((rule, dict[str, str]()) for rule in profile.rules)
    for number in range(2_000):
        topical = topics.topical(rules[: number % len(rules)])
        topical.about({f"k{number}": 0})
        assert len(topical._shapes) <= 128
    assert len(topics._shapes) <= 256
