"""The traps of the field, as the shipped profiles meet them, judged over what was heard before."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable

import pytest

from belltower.clock import SECOND, Instant
from hardware.profiles.examples import message_of
from hardware.profiles.loading import shipped
from hardware.profiles.memory import Remembered, judge
from hardware.profiles.message import Message
from hardware.profiles.profile import ProfileClass
from hardware.profiles.reading import Reader
from hardware.profiles.signal import Signal
from tests.peers.mutation import mutated

PROFILES = shipped()
NOON = Instant(1_795_000_000 * SECOND)
PANIC = {ProfileClass.PANIC, ProfileClass.BADGE}


def heard(profile: str, messages: Iterable[Message], *, every: float = 0.3) -> list[Signal]:
    """What these messages of one device are worth, one after the other."""
    reader, memory, worth, now = Reader(PROFILES), Remembered(), list[Signal](), NOON
    for message in messages:
        judged = judge(memory, reader.read(message, profile).signals, now, profile=PROFILES[profile])
        memory, now = judged.memory, Instant(now + round(every * SECOND))
        worth += judged.signals
    return worth


def alarms(signals: Iterable[Signal]) -> list[str]:
    """Kinds of those that call for help."""
    return [str(signal.kind) for signal in signals if signal.alarms]


def frame(octets: str, port: int, counter: int) -> Message:
    """Octets that a bearer carried."""
    return Message(
        ingress="frame", topic="", payload=bytes.fromhex(octets), port=port, device="e1", counter=counter
    )


def rpc(event: str) -> Message:
    """An event of a second-generation Shelly."""
    events = [{"component": "input:0", "id": 0, "event": event, "ts": NOON / SECOND}]
    return Message(
        topic="shellyplus1-a/events/rpc",
        payload=json.dumps({"method": "NotifyEvent", "params": {"events": events}}).encode(),
    )


def test_a_press_said_on_two_topics_is_one_alarm() -> None:
    """Zigbee2MQTT publishes the state, and the action as text."""
    worth = heard(
        "zigbee2mqtt",
        [
            Message(topic="zigbee2mqtt/gym", payload=b'{"action":"emergency","linkquality":9}'),
            Message(topic="zigbee2mqtt/gym/action", payload=b"emergency"),
        ],
    )

    assert (["press"], 2) == (alarms(worth), len(worth))


@pytest.mark.parametrize("then", ["single_push", "double_push", "long_push"])
def test_a_button_down_and_the_push_it_becomes_are_one_alarm(then: str) -> None:
    """Half a second lies between them."""
    assert ["press"] == alarms(heard("shelly-gen2-input", [rpc("btn_down"), rpc("btn_up"), rpc(then)]))


def test_a_push_alone_alarms_too() -> None:
    """The message before it may have been lost."""
    assert ["press"] == alarms(heard("shelly-gen2-input", [rpc("single_push")]))


def test_a_real_second_press_is_a_second_alarm() -> None:
    """Outside the window."""
    assert ["press"] * 2 == alarms(heard("shelly-gen2-input", [rpc("btn_down"), rpc("btn_down")], every=5))


def test_a_count_that_begins_anew_hides_no_press() -> None:
    """At boot comes an empty event with the counter 0."""
    said = [("S", 41), ("", 0), ("S", 1)]
    messages = [
        Message(
            topic="shellies/s1/input_event/0",
            payload=json.dumps({"event": event, "event_cnt": count}).encode(),
        )
        for event, count in said
    ]

    worth = heard("shelly-gen1", messages, every=1)

    assert ["press", "press"] == alarms(worth)
    assert not any(signal.flags for signal in worth)


def test_the_sos_bit_in_ten_frames_is_one_alarm_and_nine_refreshes() -> None:
    """The notification is the press; the bit in what follows says that it goes on."""
    frames = [frame("4A00123410", 19, 1)]
    frames += [frame("50501236000001000000", 3, number) for number in range(2, 11)]

    worth = heard("abeeway-at3", frames, every=60)

    assert ["press"] == alarms(worth)
    assert 9 == sum("refresh" in signal.flags for signal in worth)


def test_the_sos_bit_alarms_where_the_notification_was_lost() -> None:
    """It was seen clear, and is set."""
    frames = [frame("10501236000001000000", 3, 1), frame("50501236000001000000", 3, 3)]

    assert ["press"] == alarms(heard("abeeway-at3", frames, every=60))


def test_the_end_of_sos_cancels_nothing_and_the_next_is_a_new_alarm() -> None:
    """SOS off is `clear`."""
    frames = [frame("4A00123410", 19, 1), frame("0B50124511", 19, 2), frame("4C50125610", 19, 3)]

    assert ["press", "press"] == alarms(heard("abeeway-at3", frames, every=120))


def test_a_frame_the_badge_had_kept_is_a_late_press() -> None:
    """Loud, and no alarm."""
    worth = heard("abeeway-at3", [frame("49D065F0A12310", 19, 1)])

    assert [] == alarms(worth)
    assert any("late press" in signal.why for signal in worth)


def test_an_alarm_mode_that_repeats_itself_is_one_alarm() -> None:
    """A TrackerD says it every minute for as long as it lasts."""
    frames = [frame("015A706606CF3CF80FA23001AE00DA", 2, 1)]
    frames += [frame("015A706606CF3CF84FA23001AE00DA", 2, number) for number in range(2, 8)]

    assert ["press"] == alarms(heard("dragino-trackerd", frames, every=60))


def test_an_sos_level_alarms_once_when_it_rises() -> None:
    """The bridge repeats it with every other value of the device."""
    said = [False, True, True, False, True]
    messages = [
        Message(topic="zigbee2mqtt/p4", payload=json.dumps({"sos": sos, "linkquality": 70}).encode())
        for sos in said
    ]

    assert ["press", "press"] == alarms(heard("zigbee2mqtt", messages, every=30))


def test_an_sos_level_that_is_first_seen_active_is_left_to_a_person() -> None:
    """Nobody saw it become so."""
    message = Message(topic="zigbee2mqtt/p4", payload=b'{"sos":true,"linkquality":70}')

    worth = heard("zigbee2mqtt", [message, message])

    assert [] == alarms(worth)
    assert any("found active" in signal.why for signal in worth)


def test_a_wired_input_alarms_when_it_closes_and_is_found_when_it_was() -> None:
    """Of a snapshot only the edge is news; what is active at first sight a person decides."""
    snapshots = [
        Message(topic="Advantech/0/data", payload=json.dumps({"q": 192, "di1": one, "di2": two}).encode())
        for one, two in [(False, True), (True, True), (True, True)]
    ]

    worth = heard("adam-6050", snapshots, every=2)

    assert [("press", "1")] == [(str(one.kind), one.channel) for one in worth if one.alarms]
    assert any("found active" in signal.why and signal.channel == "2" for signal in worth)


def test_a_retained_bit_of_a_pendant_alarms_nobody() -> None:
    """The application publishes ON retained."""
    topic = "inovonics/B20A0001/1/1/state"

    assert [] == alarms(heard("inovonics-app", [Message(topic=topic, payload=b"ON", retained=True)]))
    assert ["press"] == alarms(heard("inovonics-app", [Message(topic=topic, payload=b"ON")]))


def test_one_packet_by_three_gateways_is_one_press() -> None:
    """The bearer's counter makes them the same."""
    assert ["press"] == alarms(heard("netvox-r312", [frame("0155011E01000000000000", 6, 7)] * 3))


def test_eight_frames_of_a_remote_are_one_press() -> None:
    """A 433 MHz remote repeats itself."""
    payload = b'{"model":"X10-Security","id":"21ab","event":"KR18 PANIC","battery_ok":1}'

    assert ["press"] == alarms(
        heard("rtl-433", [Message(topic="rtl_433/hall/events", payload=payload)] * 8, every=0.1)
    )


@pytest.mark.parametrize("text", ["emergency_exit", "my emergency", "Emergency", "9", "sos2"])
def test_no_text_is_searched_for_an_emergency(text: str) -> None:
    """Only listed words press; another is looked at by a person."""
    message = Message(topic="zigbee2mqtt/x", payload=json.dumps({"action": text, "linkquality": 1}).encode())

    assert ["trouble"] == [str(signal.kind) for signal in heard("zigbee2mqtt", [message])]


def _fuzz(rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    reader = Reader(PROFILES)
    told = [
        (profile, message_of(example)) for profile in PROFILES.values() for example in profile.tables.example
    ]
    silent = []
    for number in range(rounds):
        profile, message = told[number % len(told)]
        spoilt = Message(
            ingress=message.ingress,
            topic=message.topic,
            payload=mutated(chance, message.payload),
            port=message.port,
            device=message.device,
        )
        reading = reader.read(spoilt, profile.id)
        if profile.cls in PANIC and not reading.signals:
            silent.append((profile.id, spoilt.payload))
    assert [] == silent


def test_spoilt_messages_raise_nothing_and_of_class_panic_none_is_silent() -> None:
    """Every example of every profile, some thousand times spoilt."""
    _fuzz(20_000, 11)


@pytest.mark.soak
def test_a_million_spoilt_messages() -> None:
    """The same for long."""
    _fuzz(1_000_000, 12)
