"""Simulated devices of every shipped profile: what they say is read back as what was meant, at another address."""

from __future__ import annotations

from collections import Counter
from random import Random

import msgspec
import pytest

from belltower.clock import SECOND, Instant
from belltower.errors import SettingsError
from hardware.profiles.loading import shipped
from hardware.profiles.message import Message
from hardware.profiles.reading import Reader
from hardware.simulators import script
from hardware.simulators.mishaps import Mishaps
from hardware.simulators.recorded import Left, Recorded, taken
from hardware.simulators.repertoire import Repertoire, kinds_of
from hardware.simulators.spoken import Envelope, Spoken

NOW = Instant(1_795_000_000 * SECOND)
OWN_NAMES = {"meshtastic-json", "paradox-pai", "rfxtrx"}
"""Their messages give the device as a number too, name the panel itself, or have it in their octets: only as in the examples."""


def repertoire(name: str, bearer: str = "chirpstack") -> Repertoire:
    profile = shipped()[name]
    return Repertoire(profile, bearer=shipped()[bearer] if profile.layouts else None)


def heard(spoken: Spoken, name: str, reader: Reader) -> tuple[set[str], set[str]]:
    """What a lane would read in it: kinds and devices."""
    message = Message(payload=spoken.payload, topic=spoken.topic)
    reading = reader.read(message, name)
    if not reading.matched:  # of the network server itself
        reading = reader.read(message)
    return kinds_of(reading.signals), {one.device for one in reading.signals if one.device}


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_profile_speaks_at_another_address(name: str) -> None:
    """Every kind that an example of it means can be said by a made-up device, but for the few listed here."""
    own = repertoire(name)
    address = own.like(27)
    reader = Reader(shipped())
    refused = Counter[str]()
    for kind in own.kinds:
        try:
            spoken = own.say(kind, address=address, counter=9, now=NOW)
        except SettingsError:
            refused[kind] += 1
            continue
        kinds, devices = heard(spoken, name, reader)
        assert kind in kinds, (kind, spoken)
        if devices and name not in OWN_NAMES:
            assert address in devices or not own.patterns[0].device, (kind, devices)
    if name not in OWN_NAMES:
        assert sum(refused.values()) < len(own.kinds), refused


def test_one_model_speaks_behind_either_network_server() -> None:
    """The octets are the model's, the envelope is the server's."""
    reader = Reader(shipped())
    for bearer, address in (("chirpstack", "24e124136b000007"), ("tts", "eui-24e124136b000007")):
        spoken = repertoire("milesight-ws101", bearer).say("press", address=address, counter=41, now=NOW)
        reading = reader.read(Message(payload=spoken.payload, topic=spoken.topic), "milesight-ws101")
        press = reading.signals[0]
        assert ("press", address, 41, bearer) == (
            str(press.kind),
            press.device,
            press.counter,
            reading.bearer,
        )


def test_a_battery_is_said_in_json_and_in_octets() -> None:
    """In a field of JSON, a text, a tag of octets; always without a press."""
    reader = Reader(shipped())
    for name, percent in (
        ("zigbee2mqtt", 37),
        ("shelly-gen1", 8),
        ("milesight-ws101", 37),
    ):
        own = repertoire(name)
        spoken = own.say("battery", address=own.like(3), counter=1, now=NOW, battery=percent)
        reading = reader.read(Message(payload=spoken.payload, topic=spoken.topic), name)
        said = [one.battery for one in reading.signals if one.battery is not None]
        assert said, name
        assert all(abs(each - percent) <= 4 for each in said)
        assert not any(one.alarms for one in reading.signals)


def test_time_and_counter_are_those_of_now() -> None:
    """Where the device tells of them; written as it writes them."""
    gen1, gen2 = repertoire("shelly-gen1"), repertoire("shelly-gen2-input")
    first = gen1.say("press", address="shelly1-aabbcc", counter=77, now=NOW)
    second = gen2.say("press", address="shellyplus1-aabbcc", counter=78, now=NOW)

    assert 77 == msgspec.json.decode(first.payload)["event_cnt"]
    assert b"1795000000" in second.payload
    assert "shellyplus1-aabbcc/events/rpc" == second.topic


def test_what_no_example_says_is_refused_with_what_they_do_say() -> None:
    """And octets without a network server."""
    own = repertoire("netvox-r312")
    with pytest.raises(SettingsError, match=r'no example of netvox-r312 means "fire".*press \(2\)'):
        own.say("fire", address=own.like(1), counter=1, now=NOW)
    with pytest.raises(SettingsError, match="has no example 99"):
        own.say("example 99", address=own.like(1), counter=1, now=NOW)
    with pytest.raises(SettingsError, match="--bearer chirpstack"):
        Repertoire(shipped()["netvox-r312"])
    with pytest.raises(SettingsError, match='give an address like "0180036"'):
        repertoire("alarmdecoder-ad2").say("battery_low", address="hall", counter=1, now=NOW)


def test_noise_never_means_a_press() -> None:
    """Octets of nobody, where a press would stand: trouble of a panic device, never an alarm."""
    reader = Reader(shipped())
    random = Random(3)
    for name in ("zigbee2mqtt", "milesight-ws101", "netvox-r312", "shelly-gen2-input"):
        own = repertoire(name)
        for number in range(50):
            spoken = own.noise(address=own.like(1), counter=number, random=random)
            reading = reader.read(Message(payload=spoken.payload, topic=spoken.topic), name)
            assert {"trouble"} == {str(one.kind) for one in reading.signals}


def test_a_script_is_read_and_played_in_its_order() -> None:
    """Times since the start and since the line before, ranges, names, repetition, an end."""
    told = script.parse(
        "# a rehearsal\n"
        "1s    *      heartbeat over 2s\n"
        "+2s   2..3   press times 2 apart 500ms duplicates 1   # twice\n"
        "every 1500ms hall battery 12%\n"
        "4s    end\n"
    )
    cues = [(cue.at, cue.device, cue.step.what) for cue in told.cues(["hall", "gym", "lab", "yard"])]

    heartbeats = [(1.0, 0), (1.5, 1), (2.0, 2), (2.5, 3)]
    assert heartbeats == [cue[:2] for cue in cues if cue[2] == "heartbeat"]
    presses = [(3.0, 1), (3.0, 2), (3.5, 1), (3.5, 2)]
    assert presses == [cue[:2] for cue in cues if cue[2] == "press"]
    assert [(0.0, 0), (1.5, 0), (3.0, 0)] == [cue[:2] for cue in cues if cue[2] == "battery"]
    assert cues == sorted(cues, key=lambda cue: cue[0])


@pytest.mark.parametrize(
    ("line", "mend"),
    [
        ("5 1 press", 'such as "90s"'),
        ("5s 1", "write WHEN WHO WHAT"),
        ("5s 1 squeeze", '"squeeze" is nothing a device says; one of: '),
        ("5s 1 battery", 'write "battery 12"'),
        ("5s 1 battery 120", "0 to 100 percent"),
        ("5s 1 press thrice", '"thrice" is not known here; one of: times'),
        ("5s 1 press times x", "expected a whole number"),
        ("5s ! press", "names no devices"),
        ("every", 'write "every 30s"'),
        ("every 1ms * press", "at least 10ms"),
    ],
)
def test_a_fault_of_a_script_is_named_with_its_line_and_mend(line: str, mend: str) -> None:
    """Every fault of it at once."""
    with pytest.raises(SettingsError) as refused:
        script.parse(f"# first\n{line}\n7s * squeal\n", name="s.txt")
    first, second = str(refused.value).splitlines()
    assert first.startswith("s.txt: line 2: ")
    assert mend in first
    assert second.startswith("s.txt: line 3: ")


def test_mishaps_repeat_by_their_seed() -> None:
    """Duplicates, gaps, reordering, retained flags: the same again with the same seed, nothing invented."""
    messages = [Spoken(payload=str(number).encode(), topic="t") for number in range(200)]

    def through(seed: int) -> list[Spoken]:
        road = Mishaps(random=Random(seed), duplicates=1, gaps=0.1, shuffle=True, retained=True)
        came = [each for message in messages for each in road.through(message)] + list(road.rest())
        assert 400 - 2 * road.counts["lost"] == len(came)
        assert road.counts["overtaken"] > 50
        return came

    assert through(5) == through(5)
    assert through(5) != through(6)
    came = through(5)
    assert all(each.retained for each in came)
    assert {2} == set(Counter(each.payload for each in came).values())
    assert 20 > 200 - len({each.payload for each in came}) - 10 > -10


def test_recorded_lines_are_taken_or_left_with_a_reason() -> None:
    """JSON, text, octets behind a network server; orders that go down, and what nobody can send, are left."""
    server = Envelope(shipped()["chirpstack"])
    lines = {
        b'{"id":"a","topic":"z/hall","payload":{"action":"sos"},"payload_encoding":"json","retain":true,"at":3}': None,
        b'{"id":"b","topic":null,"payload":"FF2E01","payload_encoding":"hex","expect":{"f_port":85}}': None,
        b'{"id":"c","topic":"z/hall/set","payload":"on","direction":"downlink"}': "goes down",
        b'{"id":"d","topic":null,"payload":"FF2E01","payload_encoding":"hex"}': "without their port",
        b'{"id":"e","topic":"t","payload":"zz","payload_encoding":"hex"}': "not hexadecimal",
        b'{"id":"f","topic":"t"}': "payload is missing",
        b'{"id":"g","topic":"","payload":"!LRR:012,1,ALARM_PANIC"}': "a broker needs one",
        b"{": "no JSON",
        b"[]": "no JSON object",
    }
    for line, why in lines.items():
        found = taken(line, bearer=server, address="24e124136b000007", topicless=False)
        if why is None:
            assert isinstance(found, Recorded), found
        else:
            assert isinstance(found, Left), found
            assert why in found.why
    first = taken(next(iter(lines)), bearer=server)
    assert isinstance(first, Recorded)
    assert ("z/hall", True, 3.0) == (first.spoken.topic, first.spoken.retained, first.at)


def test_the_language_of_scripts_is_the_one_that_is_shown() -> None:
    """The example in the module's own text is a script."""
    shown = (script.__doc__ or "").splitlines()
    block = "\n".join(line for line in shown if line.startswith("    "))

    assert 60.0 == script.parse(block).end
