"""What messages mean to profiles."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable

import pytest

from hardware.profiles.compiled import Profile, Reading
from hardware.profiles.loading import SHIPPED, load
from hardware.profiles.message import Message
from hardware.profiles.reading import Reader
from hardware.profiles.signal import Flag
from tests.peers.machine import slowness

Make = Callable[[str], Profile]

RULE = '[[rule]]\ntopic = "a/{device}"\n'


def says(profile: Profile, payload: object, topic: str | None = "a/x", **more: object) -> Reading:
    """What a payload means."""
    octets = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return profile.read(Message(topic=topic, payload=octets, **more))  # type: ignore[arg-type]


def kinds(reading: Reading) -> list[str]:
    """What the signals say."""
    return [str(signal.kind) for signal in reading.signals]


def test_an_unknown_value_of_class_panic_is_trouble(make: Make) -> None:
    """With the value."""
    reading = says(make(RULE + 'path = "status"\nof = "int"\nmap = { 1 = "press" }\n'), {"status": 9})

    assert ["trouble"] == kinds(reading)
    assert "9 is not listed" in reading.signals[0].why


def test_a_low_battery_bit_hides_no_press(make: Make) -> None:
    """Status 9 is 8, low battery, and 1, pressed."""
    profile = make(
        RULE
        + 'when = { status = { mask = 8 } }\nkind = "battery_low"\n'
        + RULE
        + 'path = "status"\nmask = 7\nof = "int"\nmap = { 0 = "ignore", 1 = "press" }\n'
    )

    assert ["battery_low", "press"] == kinds(says(profile, {"status": 9}))


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"other":1}', b'{"status":[1]}', b"7"]
)
def test_an_unknown_shape_of_class_panic_is_trouble_with_the_raw_bytes(make: Make, payload: bytes) -> None:
    """Never silence."""
    reading = says(make(RULE + 'path = "status"\nof = "int"\nmap = { 1 = "press" }\n'), payload)

    assert ["trouble"] == kinds(reading)
    if "raw" in reading.signals[0].data:
        assert payload.hex() == reading.signals[0].data["raw"]
        assert "x" == reading.signals[0].device


def test_other_classes_count_what_they_do_not_know(make: Make) -> None:
    """No signal, and why."""
    head = '[profile]\nid = "i"\nclass = "info"\n'
    example = '[[example]]\ntopic = "a/x"\npayload = \'{"s":1}\'\nexpect = [{ kind = "state" }]\n'
    reading = says(make(head + RULE + 'path = "s"\nof = "int"\nmap = { 1 = "state" }\n' + example), {"t": 1})

    assert ((), True, True) == (reading.signals, reading.matched, bool(reading.why))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [({"v": 1}, "press"), ({"v": True}, "trouble"), ({"v": "1"}, "trouble"), ({"v": 1.0}, "press")],
)
def test_values_are_mapped_by_their_type(make: Make, payload: object, expected: str) -> None:
    """`of` says what the keys stand for."""
    assert [expected] == kinds(says(make(RULE + 'path = "v"\nof = "int"\nmap = { 1 = "press" }\n'), payload))


def test_each_item_is_a_signal_and_the_message_can_be_asked(make: Make) -> None:
    """Plain paths are of the item, `$.` of the message."""
    profile = make(
        RULE
        + 'each = "events"\nwhen = { "$.method" = "E" }\npath = "e"\nmap = { down = "press", up = "release" }\n'
        'channel = "id"\n'
    )
    reading = says(profile, {"method": "E", "events": [{"id": 0, "e": "down"}, {"id": 3, "e": "up"}]})

    assert [("press", "0"), ("release", "3")] == [(one.kind, one.channel) for one in reading.signals]
    assert ["trouble"] == kinds(says(profile, {"method": "F", "events": [{"id": 0, "e": "down"}]}))
    assert ["trouble"] == kinds(says(profile, {"method": "E", "events": [{"e": "down"}] * 257}))


def test_a_snapshot_is_state_with_levels(make: Make) -> None:
    """Only an edge is a press, and one message shows none."""
    profile = make(
        RULE
        + 'each = "$"\nkeys = "^di[0-9]+$"\npath = "value"\nof = "bool"\nedge = "rising"\nchannel = "key"\n'
        'map = { true = "press", false = "clear" }\n'
    )
    reading = says(profile, {"di1": True, "di2": False, "q": 192})

    assert ["state", "state"] == kinds(reading)
    assert [("di1", True, "press"), ("di2", False, "press")] == [
        (one.channel, one.level, one.rises) for one in reading.signals
    ]


def test_lines_are_read_by_their_groups(make: Make) -> None:
    """With numbers in their base, so that bits are tested."""
    profile = make(
        '[[rule]]\nline = "^!RFX:(?P<serial>[0-9]{7}),(?P<bits>[0-9a-fA-F]{2})$"\nnumbers = { bits = 16 }\n'
        'when = { bits = { mask = 0x80 } }\nkind = "press"\ndevice = "serial"\n'
        '[[rule]]\nline = "^!RFX:(?P<serial>[0-9]{7}),(?P<bits>[0-9a-fA-F]{2})$"\nnumbers = { bits = 16 }\n'
        'when = { bits = { mask = 0x02 } }\nkind = "battery_low"\ndevice = "serial"\n'
    )
    reading = says(profile, b"!RFX:0180036,82", "")

    assert [("press", "0180036"), ("battery_low", "0180036")] == [
        (one.kind, one.device) for one in reading.signals
    ]
    assert ["trouble"] == kinds(says(profile, b"!RFX:0180036,8", ""))


def test_xml_may_come_as_a_form(make: Make) -> None:
    """As call stations post it."""
    profile = make(
        '[[rule]]\nas = "xml"\npath = "cyberdata.event"\nmap = { BUTTON = "press", POWERON = "online" }\n'
        'device = "cyberdata.@MAC"\n'
    )
    plain = b"<?xml version=\"1.0\"?>\n<cyberdata NAME='x' MAC='0020f7'>\n<event>BUTTON</event>\n</cyberdata>"
    form = b"xml=%3Ccyberdata+MAC%3D%270020f7%27%3E%3Cevent%3EBUTTON%3C%2Fevent%3E%3C%2Fcyberdata%3E"

    for body in (plain, form):
        assert [("press", "0020f7")] == [(one.kind, one.device) for one in says(profile, body, "").signals]
    assert ["trouble"] == kinds(says(profile, b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", ""))


def test_a_retained_message_is_flagged(make: Make) -> None:
    """Whatever it says."""
    reading = says(make(RULE + 'kind = "press"\n'), {}, retained=True)

    assert (frozenset({Flag.RETAINED}), False) == (reading.signals[0].flags, reading.signals[0].alarms)


def test_device_names_may_hold_slashes_and_blanks(make: Make) -> None:
    """Other names are of one level."""
    profile = make('[[rule]]\ntopic = "{site}/{device}/action"\nkind = "press"\n')
    reading = says(profile, {}, "z2m/Hall B/Knob 1/action")

    assert "Hall B/Knob 1" == reading.signals[0].device


def test_a_device_clock_is_recorded_in_any_of_its_forms(make: Make) -> None:
    """Seconds, milliseconds, ISO 8601; a local time without offset is none."""
    profile = make(RULE + 'kind = "press"\nat = "ts"\n')
    read = [
        says(profile, {"ts": ts}).signals[0].at for ts in (1.5e9, 1_500_000_000_000, "2017-07-14T02:40:00Z")
    ]

    assert [1_500_000_000_000_000] * 3 == read
    assert None is says(profile, {"ts": "2017-07-14T02:40:00"}).signals[0].at


def test_the_same_bytes_mean_different_things_to_different_models(make: Make) -> None:
    """The model decides, and is never guessed."""
    decode = '[decode]\ntlv = [{ tag = "0175", len = 1, name = "battery" }, { tag = "0300", len = 1, name = "v" }]\n'
    example = (
        '[[example]]\nbytes = "030000"\nexpect = [{ kind = "contact_closed" }]\n[[example]]\nbytes = "017564"\n'
        'expect = [{ kind = "heartbeat" }]\n'
    )
    head = '[profile]\nid = "door"\nclass = "contact"\n'
    rule = (
        '[[rule]]\npath = "v"\nof = "int"\nmap = { 1 = "contact_open", 0 = "contact_closed" }\n'
        '[[rule]]\nwhen = { v = { exists = false } }\nkind = "heartbeat"\nbattery = "battery"\n'
    )
    door = make(head + decode + rule + example)
    seat = make(
        head.replace("door", "seat").replace("contact", "info")
        + decode
        + '[[rule]]\nwhen = { v = { exists = true } }\nkind = "state"\n'
        + '[[example]]\nbytes = "030001"\nexpect = [{ kind = "state" }]\n'
    )
    reader = Reader([door, seat])
    frame = Message(ingress="frame", payload=bytes.fromhex("017564030001"))
    bare = Message(ingress="frame", topic=None, payload=frame.payload)

    assert ["contact_open"] == kinds(reader.read(frame, "door"))
    assert ["state"] == kinds(reader.read(frame, "seat"))
    assert ((), ("door", "seat")) == (reader.read(bare).signals, reader.read(bare).candidates)


BEARERS = {
    "chirpstack": ("application/1/device/00137a10/event/up", {"data": "DATA", "fPort": 6, "fCnt": 41}),
    "tts": (
        "v3/app@tenant/devices/00137a10/up",
        {"uplink_message": {"frm_payload": "DATA", "f_port": 6, "f_cnt": 41}},
    ),
}
BEARER_TABLES = {
    "chirpstack": '[bearer]\ntopic = "application/{app}/device/{device}/event/up"\nbytes = "data"\nport = "fPort"\n'
    'counter = "fCnt"\n',
    "tts": '[bearer]\ntopic = "v3/{app}/devices/{device}/up"\nbytes = "uplink_message.frm_payload"\n'
    'port = "uplink_message.f_port"\ncounter = "uplink_message.f_cnt"\n',
}


@pytest.mark.parametrize("name", BEARERS)
def test_a_model_runs_behind_every_bearer(make: Make, name: str) -> None:
    """With no line repeated: device, port, bytes and counter come from the bearer."""
    topic, envelope = BEARERS[name]
    bearer = make(
        f'[profile]\nid = "{name}"\nclass = "gateway"\n{BEARER_TABLES[name]}'
        f"[[example]]\ntopic = \"{topic}\"\npayload = '{json.dumps(envelope).replace('DATA', 'qg==')}'\n"
        'expect = [{ kind = "raw_uplink", device = "00137a10", data = { data_hex = "aa" } }]\n'
    )
    reader = Reader([bearer, load(SHIPPED / "netvox-r312.toml")])
    data = base64.b64encode(bytes.fromhex("0155011E01000000000000")).decode()
    uplink = Message(topic=topic, payload=json.dumps(envelope).replace("DATA", data).encode())
    read = reader.read(uplink, "netvox-r312")

    assert [("press", "00137a10", 41)] == [(one.kind, one.device, one.counter) for one in read.signals]
    assert (name, "netvox-r312") == (read.bearer, read.profile)
    assert ["raw_uplink"] == kinds(reader.read(uplink))
    spoilt = Message(topic=topic, payload=json.dumps(envelope).replace("DATA", "!").encode())
    assert ["trouble"] == kinds(reader.read(spoilt, "netvox-r312"))


HOSTILE = [
    b"[" * 65_536,
    b"[" * 32_768 + b"]" * 32_768,
    b"[[]" * 20_000,
    b'{"a":' * 13_000,
    b"[" * 21 + b"]" * 21,
    b'"\\' * 32_000,
    b"1" * 65_536,
    b"x" * 65_537,
    b'{"v":"' + b"a" * 65_000 + b'"}',
    b'{"v":[' + b"1," * 30_000 + b"1]}",
    b"{" + b",".join(b'"di%d":true' % number for number in range(4500)) + b"}",
    b"<a>" + b"<b/>" * 16_000 + b"</a>",
    b"<a " + b" ".join(b'b%d="c"' % number for number in range(5000)) + b"/>",
    b"\xff" * 65_536,
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_messages_cost_little_and_are_trouble(make: Make, number: int) -> None:
    """At most 5 ms of processor time on an idle machine."""
    profile = make(
        RULE
        + 'path = "v"\nmap = { a = "press" }\n'
        + RULE
        + 'each = "$"\nkeys = "^di[0-9]+$"\npath = "value"\nof = "bool"\nmap = { true = "press" }\n'
        + RULE
        + 'as = "xml"\npath = "a.b"\nmap = { c = "press" }\n'
        + RULE
        + 'line = "^(?P<one>[a-z]{1,30}),(?P<two>[a-z]{1,30})$"\nkind = "press"\n'
    )
    message = Message(topic="a/x", payload=HOSTILE[number])
    spent = []
    for _ in range(5):
        begun = time.process_time()
        reading = profile.read(message)
        spent.append(time.process_time() - begun)

    assert {"trouble"} == set(kinds(reading))
    assert min(spent) < 0.010 * slowness()
