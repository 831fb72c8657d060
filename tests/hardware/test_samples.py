"""Messages of real devices and bridges: each means what it meant, and none presses what nobody pressed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.profile_lines import Lines
from hardware.codecs import dc09, dc09_events
from hardware.profiles.compiled import Profile
from hardware.profiles.loading import shipped
from hardware.profiles.message import Message
from hardware.profiles.reading import Reader
from hardware.profiles.signal import ALARMING, Signal
from tests.peers.shared_data import shared

Line = dict[str, Any]

# Which profile the device's record would name: the octets of a model are never guessed at.
MODELS = {
    "Abeeway AT3": "abeeway-at3",
    "Abeeway badge (AT2": "abeeway-at2",
    "Browan TBPB100": "browan-tbpb100",
    "Dragino LDS02": "dragino-lds02",
    "Dragino TrackerD": "dragino-trackerd",
    "Milesight GS601": "milesight-gs601",
    "Milesight UC511": "milesight-uc511",
    "Milesight VS340": "milesight-vs340",
    "Milesight WS101": "milesight-ws101",
    "Milesight WS136": "milesight-ws156",
    "Milesight WS156": "milesight-ws156",
    "Milesight WS301": "milesight-ws301",
    "Milesight WS558": "milesight-ws558",
    "Netvox R312 ": "netvox-r312",
    "Netvox R312A": "netvox-r312a",
    "Netvox R602A": "netvox-r602a",
    "Oxon Oxobutton": "oxon-oxobutton",
    "Sensative Strips": "sensative-strips",
    "Shelly BLU Button1": "bthome",
    "Swisscom Multisense": "swisscom-multisense",
    "TEST DEVICE 80A5": "bthome",
    "X10 Security (RFXtrx433)": "rfxtrx",
}

# The finer words of the samples, as kinds of ours.
WORDS = {
    "auth_failure": "error",
    "boot": "online",
    "gateway_heartbeat": "heartbeat",
    "gateway_offline": "offline",
    "output_on": "",  # an answer or a state, as the line's kind says
    "output_state": "state",
    "replay_vector": "state",
    "restart": "online",
    "sos_on": "press",
}

# Protocols that a driver speaks, by the module that does.
DRIVERS = {"sia-dc09": "hardware.codecs.dc09", "modbus": "hardware.drivers.modbus"}

# Read by nothing of ours, and why.
NOT_SUPPORTED = {
    "s095-home-assistant-mqtt": "nothing is taken from Home Assistant",
    "s096-home-assistant-mqtt": "nothing is taken from Home Assistant",
    "s135-meshtastic": "the serial driver takes no notice of a node's description",
}

CALLS_FOR_HELP = {"press", "long_press", "double_press", "hold", "button_down", "fire"}


def lines() -> list[Line]:
    """The samples."""
    return [json.loads(line) for line in shared("hardware/samples.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def profiles() -> dict[str, Profile]:
    """All that ship."""
    return shipped()


def message_of(line: Line) -> Message:
    """What came in."""
    payload, encoding = line["payload"], line["payload_encoding"]
    if encoding == "hex":
        octets = bytes.fromhex(payload)
    else:
        octets = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
    framed = encoding == "hex"
    port = line.get("expect", {}).get("f_port") if framed else None
    return Message(
        ingress="frame" if framed else "mqtt",
        topic=line["topic"] or ("" if framed else None),
        payload=octets,
        retained=bool(line.get("retain")),
        port=port,
    )


def bound(line: Line) -> str | None:
    """The profile that the device's record names, where the bytes are those of a model."""
    if line["payload_encoding"] != "hex":
        return None
    return next((profile for model, profile in MODELS.items() if model in f"{line['device']} "), None)


def read(reader: Reader, line: Line) -> tuple[Signal, ...]:
    """What a profile makes of a line."""
    profile = bound(line)
    if line["payload_encoding"] == "hex" and profile is None:
        return ()
    return reader.read(message_of(line), profile).signals


def driven(line: Line) -> str:
    """What a driver makes of a line, as a kind of ours; "" where none does."""
    if find_spec(DRIVERS.get(line["ecosystem"], "hardware.none")) is None:
        return ""
    if line["ecosystem"] == "modbus":
        return "state"  # two inputs of a function 2 answer; its driver has tests of its own
    body = line["payload"][
        8:
    ].encode()  # the account was put in later, so that CRC and length are to be made anew
    try:
        frame = dc09.decode(b"\n%04X%04X%b\r" % (dc09.crc16(body), len(body), body))
    except dc09.Malformed:
        return ""
    if frame.kind is dc09.Kind.NULL:
        return "heartbeat"
    (event,) = dc09_events.events_of(frame)
    meaning = dc09_events.meaning_of(frame.kind, event)
    return "fire" if event.code == "110" else {"panic": "press"}.get(meaning, "")


def _texts(signals: Iterable[Signal], *names: str) -> list[Any]:
    return [signal.data[name] for signal in signals for name in names if name in signal.data]


def _flat(value: Any) -> Any:
    """Numbers, texts and booleans that say the same, made alike."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float):
        return float(value)
    text = str(value).lower()
    try:
        return float(text)
    except ValueError:
        return text


def _about(signals: tuple[Signal, ...], key: str) -> list[Any]:
    """Everything in the signals that may be what `key` asks for."""
    match key:
        case "device_id" | "id" | "account" | "gateway_id":
            return [signal.device for signal in signals] + _texts(signals, key)
        case "battery_pct":
            return [signal.battery for signal in signals if signal.battery is not None]
        case "battery_v":
            return [round(signal.volts, 1) for signal in signals if signal.volts is not None]
        case "channel" | "button" | "zone" | "partition":
            return [signal.channel for signal in signals] + _texts(signals, key)
        case "counter" | "encryption_counter":
            return [signal.counter for signal in signals] + _texts(signals, "counter")
        case "ts":
            return [signal.at / 1e6 for signal in signals if signal.at is not None]
        case _:
            return _texts(signals, key, OURS.get(key, key)) + [signal.value for signal in signals]


# What the samples call otherwise.
OURS = {
    "ALARM_status": "alarm",
    "Datecode": "date",
    "HWver": "hardware",
    "HeartBeatTime": "seconds",
    "Latitude": "latitude",
    "Longitud": "longitude",
    "PressTime": "seconds",
    "SWver": "software",
    "WarningStatus": "warning",
    "batteryVoltage": "millivolts",
    "currentTemperature": "celsius",
    "decoded_status": "status",
    "duration_s": "duration",
    "from_unsigned": "from",
    "lat": "latitude",
    "lon": "longitude",
    "message_id": "packet",
    "queue_item_id": "request",
    "request_id": "request",
    "serial": "serial",
    "temperatureBoard": "celsius",
}


def _by_meaning(
    line: Line, signals: tuple[Signal, ...], message: Message
) -> dict[str, Callable[[Any], bool]]:
    """Expectations that are no single value of a signal."""
    kinds = [str(signal.kind) for signal in signals]
    raw = [bytes.fromhex(str(text)) for text in _texts(signals, "data_hex")]
    return {
        "f_port": lambda port: message.port == port or port in _texts(signals, "f_port"),
        "data_hex": lambda text: bytes.fromhex(text) in raw,
        "data_text": lambda text: text.encode() in raw,
        "buttons": lambda wanted: (
            sorted(wanted) == sorted(int(signal.channel) for signal in signals if signal.channel)
        ),
        "inputs": lambda wanted: (
            wanted.items() <= {f"di{signal.channel}": signal.level for signal in signals}.items()
        ),
        "battery_low": lambda low: low is ("battery_low" in kinds),
        "tamper": lambda on: on is ("tamper" in kinds),
        "acknowledged": lambda on: on is ("ack" in kinds),
        "sos": lambda on: on is any(signal.level for signal in signals) or on is ("press" in kinds),
        "encrypted": lambda _: True,  # the frame's own mark, which the driver reads
        "Device": lambda name: name.lower() in (bound(line) or ""),
        "Volt": lambda volts: any(signal.volts == pytest.approx(volts) for signal in signals),
        "battery": lambda volts: any(signal.volts == pytest.approx(volts) for signal in signals),
        "Alarm": lambda on: bool(on) is ("press" in kinds),
        "button": lambda word: (
            ({"short": "press"}.get(word) in kinds) or str(word) in {one.channel for one in signals}
        ),
        "status": lambda on: (
            (bool(on) is ("press" in kinds)) if isinstance(on, int) else on in _texts(signals, "status")
        ),
        "WarningStatus": lambda word: (word != "No warning") is bool(_texts(signals, "warning")[0]),
        "notificationClass": lambda word: word == "SOS" and "press" in kinds,
        "notificationType": lambda word: {"SOS_ON": "press", "TAMPER_DETECTION": "tamper"}[word] in kinds,
        "state": lambda word: {"CASING_OPEN": "tamper"}[word] in kinds,
        "Status": lambda word: (word == "Success") is ("ack" in kinds),
        "Cmd": lambda _: "ack" in kinds,
        "FunctionKeyTrigger": lambda _: True,  # a word of one decoder for octets in reserve
        "userSwitch1Alarm": lambda wanted: (
            float(wanted["value"]) in map(float, _texts(signals, "user_switch"))
        ),
        "ALARM_status": lambda word: (word == "TRUE") is any(bool(signal.level) for signal in signals),
        "switch_1": lambda word: float(word == "on") in map(float, _texts(signals, "switch_1")),
        "id": lambda name: name.split(":")[0] in {signal.device for signal in signals},
        "meaning": lambda word: {"Alarm 1": "press", "Reset": "online"}[word] in kinds,
        "SWver": lambda version: (
            version in _texts(signals, "software") or version * 10 in _texts(signals, "software")
        ),
        "bindkey": lambda _: True,  # a vector of the driver's
        "mac": lambda _: True,
        "address": lambda number: number in _texts(signals, "address"),
        "serial": lambda name: name in {signal.device for signal in signals} | set(_texts(signals, "serial")),
        "pdu": lambda _: True,
        "bits": lambda _: True,  # of the driver's
    }


def unmet(line: Line, signals: tuple[Signal, ...]) -> list[str]:
    """What the line's `kind`, `signals` and `expect` ask for and the signals do not say."""
    message, kinds = message_of(line), {str(signal.kind) for signal in signals}
    missing = [f"kind {line['kind']}"] if line["kind"] not in kinds else []
    missing += [
        f"signal {word}"
        for word in line["signals"]
        if WORDS.get(word, word) and WORDS.get(word, word) not in kinds
    ]
    special = _by_meaning(line, signals, message)
    expected = dict(line.get("expect", {}))
    expected |= expected.pop("decoded", {})
    for key, wanted in expected.items():
        if key in special and special[key](wanted):
            continue
        found = _about(signals, key)
        near = [_flat(value) for value in found if value is not None]
        target = _flat(wanted)
        if target in near or any(
            isinstance(target, float) and isinstance(one, float) and one == pytest.approx(target, rel=1e-6)
            for one in near
        ):
            continue
        missing.append(f"{key} {wanted!r} (found {found!r})")
    return missing


def reported(reader: Reader) -> dict[str, str]:
    """Each line as "covered by PROFILE", "driver MODULE", "not supported: WHY" or "WRONG: WHAT"."""
    told = {}
    for line in lines():
        signals = read(reader, line)
        name = line["id"]
        if line["direction"] == "downlink":
            continue
        if signals and not (missing := unmet(line, signals)):
            profile = bound(line)
            told[name] = f"covered by {reader.read(message_of(line), profile).profile}"
        elif (kind := driven(line)) and kind == line["kind"]:
            told[name] = f"driver {DRIVERS[line['ecosystem']]}"
        elif name in NOT_SUPPORTED:
            told[name] = f"not supported: {NOT_SUPPORTED[name]}"
        elif line["ecosystem"] in DRIVERS and not signals:
            told[name] = f"not supported: {DRIVERS[line['ecosystem']]} does not read it"
        else:
            told[name] = f"WRONG: {', '.join(missing) if signals else 'no signal'}"
    return told


def test_every_covered_uplink_yields_its_kind_its_signals_and_its_values(
    profiles: dict[str, Profile],
) -> None:
    """At least 95 in 100 are covered, and none is wrong."""
    told = reported(Reader(profiles))

    wrong = {name: what for name, what in told.items() if what.startswith("WRONG")}
    covered = [name for name, what in told.items() if what.startswith(("covered", "driver"))]

    assert {} == wrong
    assert len(covered) / len(told) >= 0.95, {
        name: what for name, what in told.items() if name not in covered
    }


def test_the_tool_tells_the_kind_of_at_least_95_in_100_uplinks(profiles: dict[str, Profile]) -> None:
    """`belltower profile decode --jsonl`, with nothing named but the line's own words; no alarm from another line."""
    tool = Lines(profiles)
    answers = {line["id"]: (line, tool.answer(line)) for line in lines() if line["direction"] == "uplink"}

    told = [name for name, (line, answer) in answers.items() if line["kind"] in answer["signals"]]
    false = [
        name
        for name, (line, answer) in answers.items()
        if line["kind"] not in CALLS_FOR_HELP and CALLS_FOR_HELP & set(answer["signals"])
    ]

    assert [] == false
    assert len(told) / len(answers) >= 0.95, sorted(answers.keys() - told)


def test_no_line_that_is_no_press_yields_a_live_press_under_any_profile(profiles: dict[str, Profile]) -> None:
    """Neither by the profile that knows it, nor with any of the others named, nor with none."""
    reader, false = Reader(profiles), []
    for line in lines():
        if line["kind"] in CALLS_FOR_HELP:
            continue
        message = message_of(line)
        readings = [reader.read(message)]
        if line["topic"]:  # who publishes on a topic is known, so a foreign model is not meant by it
            readings += [reader.read(message, name) for name in profiles]
        elif line["payload_encoding"] != "hex":
            readings += [profile.read(message) for profile in profiles.values()]
        elif (name := bound(line)) is not None:
            readings.append(reader.read(message, name))
        false += [
            f"{line['id']} by {reading.profile}"
            for reading in readings
            for signal in reading.signals
            if signal.alarms
        ]

    assert [] == false


def test_no_more_than_one_profile_claims_a_message_with_a_topic(profiles: dict[str, Profile]) -> None:
    """Topics are particular enough."""
    reader = Reader(profiles)
    claimed = {
        line["id"]: (reading.profile, reading.candidates)
        for line in lines()
        if line["topic"] and (reading := reader.read(message_of(line))).candidates
    }

    assert {} == claimed


def test_the_same_octets_mean_what_the_bound_model_says(profiles: dict[str, Profile]) -> None:
    """A door of a contact, a seat of a desk sensor."""
    message = Message(ingress="frame", topic="", payload=bytes.fromhex("017560030001"), port=85)

    kinds = {
        name: [str(signal.kind) for signal in profiles[name].read(message).signals if signal.battery]
        for name in ("milesight-ws301", "milesight-vs340")
    }

    assert {"milesight-ws301": ["contact_open"], "milesight-vs340": ["state"]} == kinds


def test_a_model_means_the_same_behind_every_bearer(profiles: dict[str, Profile]) -> None:
    """ChirpStack and The Things Stack carry the same octets to the same profile."""
    reader = Reader(profiles)
    data = base64.b64encode(bytes.fromhex("0155011E01000000000000")).decode()
    carried = {
        "application/a/device/e1/event/up": {"fPort": 6, "fCnt": 9, "data": data},
        "v3/a@t/devices/e1/up": {"uplink_message": {"f_port": 6, "f_cnt": 9, "frm_payload": data}},
    }

    told = [
        [(str(one.kind), one.device, one.counter, one.volts) for one in reading.signals]
        for topic, envelope in carried.items()
        if (
            reading := reader.read(Message(topic=topic, payload=json.dumps(envelope).encode()), "netvox-r312")
        )
    ]

    assert [[("press", "e1", 9, 3.0)]] * 2 == told


def test_no_output_can_toggle_and_each_says_what_proves_it(profiles: dict[str, Profile]) -> None:
    """A receipt rule, or "none"; a switched load is never taken for done by an echo."""
    outputs = [(profile.id, output) for profile in profiles.values() for output in profile.outputs]

    assert outputs
    assert [] == [
        name for name, output in outputs if output.receipt != "none" and not output.receipt.get("match")
    ]
    assert [] == [name for name, output in outputs if "toggle" in f"{output.topic}{output.payload}".lower()]


def shape(value: Any) -> Any:
    """The keys of a command, and where its values are filled in."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else ...


def test_the_sampled_commands_are_what_our_outputs_build(profiles: dict[str, Profile]) -> None:
    """Shapes of JSON commands, octets of binary ones."""
    sampled = {line["id"]: line for line in lines() if line["direction"] == "downlink"}
    siren = next(output for output in profiles["zigbee2mqtt"].outputs if output.does == "siren_on")
    relay = next(output for output in profiles["shelly-gen2-input"].outputs if output.does == "relay_on")
    netvox = {output.does: output for output in profiles["netvox-r602a"].outputs}
    badge = {output.does: output for output in profiles["abeeway-at3"].outputs}
    sign = next(output for output in profiles["awtrix3"].outputs if output.does == "sign_on")
    tts = profiles["tts"].tables.bearer

    assert shape(sampled["s027-zigbee2mqtt"]["payload"]) == shape(siren.payload)
    assert shape(sampled["s036-shelly-gen2"]["payload"]) == shape(relay.payload)
    assert sampled["s136-awtrix3"]["payload"] == sign.payload
    assert tts is not None
    assert tts.down is not None
    assert shape(sampled["s062-things-stack-v3"]["payload"]) == shape(tts.down.payload)
    for name, output in (
        ("s080-lorawan-payload", netvox["siren_on"]),
        ("s078-lorawan-payload", netvox["siren_on_unanswered"]),
        ("s086-lorawan-payload", badge["sos_on"]),
        ("s087-lorawan-payload", badge["sos_off"]),
    ):
        octets = output.octets or ""
        for key, number in output.defaults.items():
            for size in (1, 2, 4):
                octets = octets.replace(f"{{{key}:{size}}}", f"{number:0{2 * size}x}")
        assert sampled[name]["payload"].lower() == octets.lower()


def test_class_panic_presses_only_live(profiles: dict[str, Profile]) -> None:
    """Of every sampled press, the retained copy alarms nobody."""
    reader = Reader(profiles)
    loud = []
    for line in lines():
        if line["kind"] not in CALLS_FOR_HELP:
            continue
        message = message_of({**line, "retain": True})
        loud += [line["id"] for signal in reader.read(message, bound(line)).signals if signal.alarms]

    assert [] == loud
    assert ALARMING


def test_every_shipped_profile_has_its_row_in_the_documents(profiles: dict[str, Profile]) -> None:
    """docs/devices.md tells of each what alarms, what is trouble, and how sure it is."""
    text = (Path(__file__).parents[2] / "docs" / "devices.md").read_text()

    assert [] == [name for name in profiles if f"`{name}`" not in text]
