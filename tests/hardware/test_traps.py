"""The traps of the field (hardware, section 5), each by its number, as the shipped profiles meet them.

What the room makes of them, with its journal: tests/gateway/intake/devices. More of each: test_shipped_traps.
"""

from __future__ import annotations

import base64
import json

import pytest

from belltower.clock import SECOND
from hardware.profiles.loading import shipped
from hardware.profiles.message import Message
from hardware.profiles.ordering import Answer, receipt_of, settles
from hardware.profiles.reading import Reader
from hardware.profiles.signal import SignalKind
from tests.hardware.test_shipped_traps import NOON, alarms, frame, heard, rpc

PROFILES = shipped()
EUI = "00137a1000000001"
R312_PRESS, R312_ALIVE = "0155011E01000000000000", "0155011E00000000000000"


def said(topic: str, payload: object, *, retained: bool = False) -> Message:
    """A message of a broker."""
    octets = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
    return Message(topic=topic, payload=octets, retained=retained)


def event(kind: str, **more: object) -> Message:
    """An event of a ChirpStack about a device."""
    return said(f"application/a1/device/{EUI}/event/{kind}", {"deviceInfo": {"devEui": EUI}, **more})


def kinds(message: Message, profile: str | None = None) -> list[str]:
    """What one message says."""
    return [str(signal.kind) for signal in Reader(PROFILES).read(message, profile).signals]


RETAINED = [
    ("inovonics-app", said("inovonics/B20A0001/1/1/state", "ON", retained=True)),
    ("zigbee2mqtt", said("zigbee2mqtt/gym", {"action": "emergency"}, retained=True)),
    ("zigbee2mqtt", said("zigbee2mqtt/gym", {"sos": True, "linkquality": 1}, retained=True)),
    ("tasmota", said("stat/b/RESULT", {"Button1": {"Action": "SINGLE"}}, retained=True)),
    ("adam-6050", said("Advantech/0/data", {"q": 192, "di1": True}, retained=True)),
]


@pytest.mark.parametrize(("profile", "message"), RETAINED)
def test_trap_1_a_retained_press_never_alarms(profile: str, message: Message) -> None:
    """An active level is found active, for a person to decide about."""
    worth = heard(profile, [message])

    assert [] == alarms(worth)
    assert worth


TWICE = [
    ("shelly-gen2-input", [rpc("btn_down"), rpc("single_push")]),
    (
        "zigbee2mqtt",
        [said("zigbee2mqtt/gym", {"action": "sos"}), said("zigbee2mqtt/gym/action", "sos")],
    ),
    ("netvox-r312", [frame(R312_PRESS, 6, 7)] * 3),
    (
        "rtl-433",
        [
            said(
                "rtl_433/hall/events",
                {"model": "X10-Security", "id": "21ab", "event": "KR18 PANIC", "battery_ok": 1},
            )
        ]
        * 8,
    ),
]


@pytest.mark.parametrize(("profile", "messages"), TWICE)
def test_trap_2_the_same_press_twice_is_one_alarm(profile: str, messages: list[Message]) -> None:
    """And the repetition is told as one."""
    worth = heard(profile, messages, every=0.1)

    assert 1 == len(alarms(worth))
    assert len(messages) == len(worth)


def test_trap_3_a_counter_that_begins_anew_hides_no_press() -> None:
    """At boot it begins again; an old number is then a new press."""
    messages = [
        said("shellies/s1/input_event/0", {"event": event, "event_cnt": count})
        for event, count in [("S", 5), ("", 0), ("S", 5)]
    ]

    assert ["press", "press"] == alarms(heard("shelly-gen1", messages, every=3))


@pytest.mark.parametrize("action", ["", None])
def test_trap_4_an_empty_counter_message_is_no_press_and_cancels_nothing(action: str | None) -> None:
    """Nor is it a trouble."""
    message = said("zigbee2mqtt/gym", {"action": action, "linkquality": 9})

    assert {"heartbeat", "ignore"} >= set(kinds(message, "zigbee2mqtt"))
    assert "clear" not in kinds(message, "zigbee2mqtt")


def test_trap_5_the_sos_bit_of_every_frame_is_one_alarm() -> None:
    """What follows is a refresh."""
    frames = [frame("4A00123410", 19, 1)] + [frame("50501236000001000000", 3, n) for n in range(2, 11)]
    worth = heard("abeeway-at3", frames, every=60)

    assert ["press"] == alarms(worth)
    assert 9 == sum("refresh" in signal.flags for signal in worth)


def test_trap_6_a_late_frame_is_historic() -> None:
    """By the buffer's own mark; it is told as a late press."""
    worth = heard("abeeway-at3", [frame("49D065F0A12310", 19, 1)])

    assert [] == alarms(worth)
    assert any("historic" in signal.flags for signal in worth)
    assert any("late press" in signal.why for signal in worth)


def test_trap_7_a_low_battery_hides_no_press() -> None:
    """The bit stands beside the press; a value with bits that nobody listed is trouble, never silence."""
    assert ["press"] == alarms(heard("netvox-r312", [frame("0155019801000000000000", 6, 1)]))
    assert ["trouble"] == kinds(said("zigbee2mqtt/gym", {"action": "9"}), "zigbee2mqtt")
    assert ["trouble"] == kinds(frame("0155011E02000000000000", 6, 1), "netvox-r312")


def test_trap_8_numbers_as_text_and_text_as_numbers_are_other_values() -> None:
    """An Axis camera says "0"; a mesh makes the number 911 of a text."""
    levels = [
        heard("adam-6050", [said("Advantech/0/data", {"q": 192, "di1": level})]) for level in ("1", 1, "true")
    ]

    assert [[], [], []] == [alarms(worth) for worth in levels]
    assert all(any(one.kind is SignalKind.TROUBLE for one in worth) for worth in levels)
    axis = {"topic": "onvif:Device/tns1:IO/Port", "message": {"data": {"state": "0"}}}
    assert "press" not in kinds(said("axis/B8A4/event/tns:onvif/Device/IO/Port", axis))


def test_trap_9_a_device_that_leaves_is_no_press_and_a_rename_no_loss() -> None:
    """Of class panic leaving is told; an empty availability is a new name."""
    left = said("zigbee2mqtt/bridge/event", {"type": "device_leave", "data": {"friendly_name": "gym"}})
    worth = heard("zigbee2mqtt", [left])

    assert [] == alarms(worth)
    assert any(one.kind is SignalKind.TROUBLE and one.why.startswith("left") for one in worth)
    assert {"ignore"} >= set(kinds(said("zigbee2mqtt/old/availability", ""), "zigbee2mqtt"))


def test_trap_10_an_acknowledgement_that_is_none_settles_nothing() -> None:
    """A gateway sent it, another request, a state that follows: none is the device's word."""
    assert ["tx_ack"] == kinds(event("txack", queueItemId="q1", gatewayId="g1"))
    assert ["nack"] == kinds(event("ack", queueItemId="q1", acknowledged=False))
    for profile in PROFILES.values():
        for output in profile.outputs:
            receipt = receipt_of(output)
            if receipt is None:
                continue
            topic = receipt.topic or ""
            assert "txack" not in topic
            assert "sent" != topic.rsplit("/", 1)[-1]
    output = next(one for one in PROFILES["shelly-gen2-input"].outputs if one.does == "relay_on")
    receipt = receipt_of(output)
    assert receipt is not None
    values = {"request": "r7", "reply": "belltower/b1", "device": "x1", "channel": 0}
    mine = said("belltower/b1/rpc", {"id": "r7", "src": "x1", "result": {"was_on": False}})
    others = said("belltower/b1/rpc", {"id": "r8", "src": "x1", "result": {"was_on": False}})
    state = said("x1/events/rpc", {"method": "NotifyStatus", "params": {"switch:0": {"output": True}}})
    assert [Answer.DONE, None, None] == [settles(receipt, each, values) for each in (mine, others, state)]


def test_trap_11_the_same_octets_mean_what_the_bound_model_says() -> None:
    """A door open on one, a seat taken on the other; unbound they mean nothing."""
    octets = Message(ingress="frame", payload=bytes.fromhex("017564030001"), port=85)

    assert "contact_open" in kinds(octets, "milesight-ws301")
    assert "contact_open" not in kinds(octets, "milesight-vs340")
    assert [] == kinds(octets)


@pytest.mark.parametrize("years", [-1, 1])
def test_trap_12_a_device_clock_wrong_by_a_year_hides_no_press(years: int) -> None:
    """It was never proven: the order is that of arrival."""
    at = (NOON + years * 31_536_000 * SECOND) / SECOND
    events = [{"component": "input:0", "id": 0, "event": "btn_down", "ts": at}]
    message = said("x/events/rpc", {"method": "NotifyEvent", "params": {"events": events}})

    assert ["press"] == alarms(heard("shelly-gen2-input", [message]))


@pytest.mark.parametrize("code", ["UPLINK_MIC", "JOIN_MIC", "UPLINK_F_CNT_RETRANSMISSION", "OTAA"])
def test_trap_13_a_frame_with_wrong_keys_is_a_security_trouble_and_no_alarm(code: str) -> None:
    """As ChirpStack says it, of the device that somebody would like to be."""
    worth = heard("chirpstack", [event("log", level="ERROR", code=code, description="..")])

    assert [] == alarms(worth)
    assert [EUI] * 2 == [signal.device for signal in worth]
    assert any(one.kind is SignalKind.TROUBLE and one.why.startswith("security") for one in worth)


# ---- "What done means", 14 to 19, where no trap has its number


def test_done_14_the_end_of_sos_is_clear_and_cancels_nothing() -> None:
    """The next SOS is a new alarm."""
    worth = heard(
        "abeeway-at3",
        [frame("4A00123410", 19, 1), frame("0B50124511", 19, 2), frame("4C50125610", 19, 3)],
        every=120,
    )

    assert ["press", "press"] == alarms(worth)
    assert "clear" in {str(signal.kind) for signal in worth}


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("zigbee2mqtt", said("zigbee2mqtt/gym", {"action": "single_9"})),
        ("shelly-gen2-input", rpc("quadruple_push")),
        ("tasmota", said("stat/b/RESULT", {"Button1": {"Action": 5}})),
        ("netvox-r312", frame(R312_PRESS + "00", 6, 1)),
        ("netvox-r312", frame(R312_PRESS[:-2], 6, 1)),
        ("netvox-r312", frame(R312_PRESS, 9, 1)),
        ("milesight-ws101", frame("FF2E09", 85, 1)),
    ],
)
def test_done_15_what_nobody_knows_of_a_panic_device_is_trouble(profile: str, message: Message) -> None:
    """Value, shape, length and what is left over."""
    assert "trouble" in kinds(message, profile)
    assert [] == alarms(heard(profile, [message]))


@pytest.mark.parametrize(
    "message",
    [
        said("zigbee2mqtt/gym", {"action": None, "linkquality": 1}),
        said("zigbee2mqtt/gym", {"action": "", "linkquality": 1}),
        said("zigbee2mqtt/gym", {"emergency": False, "linkquality": 1}),
        said("zigbee2mqtt/gym/action", ""),
        said(
            "zigbee2mqtt/bridge/event",
            {
                "type": "device_interview",
                "data": {
                    "friendly_name": "gym",
                    "definition": {"exposes": [{"name": "action", "values": ["emergency", "panic"]}]},
                },
            },
        ),
        said(
            "zigbee2mqtt/bridge/devices", [{"friendly_name": "gym", "definition": {"exposes": ["emergency"]}}]
        ),
    ],
)
def test_done_16_the_word_emergency_alone_presses_nothing(message: Message) -> None:
    """Empty, null, false, and what a joining device could do."""
    assert [] == alarms(heard("zigbee2mqtt", [message, message], every=60))


def test_done_19_open_joining_is_a_trouble() -> None:
    """A stranger's button could be let in."""
    worth = heard("zigbee2mqtt", [said("zigbee2mqtt/bridge/info", {"permit_join": True})])

    assert ["trouble"] == [str(signal.kind) for signal in worth]


def test_a_carried_frame_is_a_press_only_with_all_its_envelope() -> None:
    """ChirpStack's own: no port, a port that is none, data that is no base64, a decoded object that says "press"."""
    data = base64.b64encode(bytes.fromhex(R312_PRESS)).decode()
    spoilt: list[dict[str, object]] = [
        {"data": data},
        {"data": data, "fPort": "6"},
        {"data": data, "fPort": 300},
        {"data": data + "!", "fPort": 6},
        {"fPort": 6, "object": {"alarm": 1, "event": "press"}},
        {"fPort": 0, "data": data},
    ]
    reader = Reader(PROFILES)

    assert ["press"] == [
        str(each.kind) for each in reader.read(event("up", data=data, fPort=6), "netvox-r312").signals
    ]
    for envelope in spoilt:
        assert not any(each.alarms for each in reader.read(event("up", **envelope), "netvox-r312").signals)
