"""BTHome buttons that gateways pass on raw, on the real verbs and journal."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator

import pytest

from belltower.incident import facts
from gateway.intake.devices.receiving import Way
from gateway.intake.devices.topics import topics_of
from hardware.codecs.adverts import adverts
from hardware.codecs.bthome import BATTERY, BUTTON, PACKET, Object, encode
from tests.gateway.intake.devices.bench import Bench, record
from tests.hardware.fuzzing import bear

KEY, OTHER = bytes(range(16)), bytes(range(1, 17))
MAC, OPEN = bytes.fromhex("A4C138000001"), bytes.fromhex("A4C138000002")
SERIAL = Way(name="devices-ble", ingress="serial")
DEVICES = (
    record("sealed", "bthome", "A4:C1:38:00:00:01", heartbeat=600.0),
    record("open", "bthome", "A4C138000002"),
)


@pytest.fixture
async def bench(tmp_path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path, devices=DEVICES, keys={"sealed": KEY})
    await made.start()
    yield made
    await made.journal.close()


def sealed(counter: int, *, key: bytes = KEY, button: int = 1, battery: int = 90) -> bytes:
    objects = [Object(id=BATTERY, value=battery), Object(id=BUTTON, value=button)]
    return encode(objects, key=key, mac=MAC, counter=counter)


def theengs(data: bytes, mac: bytes = MAC) -> dict[str, object]:
    return {"id": mac.hex(":").upper(), "rssi": -60, "servicedatauuid": "0xfcd2", "servicedata": data.hex()}


def shelly(data: bytes, mac: bytes = MAC, version: int = 2) -> dict[str, object]:
    structure = bytes([2, 1, 6, len(data) + 3, 0x16]) + b"\xd2\xfc" + data
    row = [mac.hex(":"), -60, base64.b64encode(structure).decode(), ""]
    told = [2, [row]] if version == 2 else [1, *row]
    event = {"component": "script:1", "event": "ble.scan_result", "data": told}
    return {"src": "shelly1", "method": "NotifyEvent", "params": {"events": [event]}}


async def alarms(bench: Bench) -> list[tuple[str, int, str]]:
    return [(one.device, one.counter, one.unproven) for one in await bench.facts(facts.AlarmRaised)]


async def troubles(bench: Bench) -> list[tuple[str, str]]:
    return [(fact.device, fact.kind) for fact in await bench.facts(facts.DeviceTrouble)]


async def test_a_sealed_press_is_one_alarm_whoever_hears_it(bench: Bench) -> None:
    """Three gateways of three kinds; it proves itself, so it calls without a person."""
    await bench.hear("home/one/BTtoMQTT/A4C138000001", theengs(sealed(7)))
    await bench.hear("shelly1/events/rpc", shelly(sealed(7)))
    await bench.hear("shelly2/events/rpc", shelly(sealed(7), version=1))
    await bench.hear("", theengs(sealed(7)), way=SERIAL)
    assert [("sealed", 7, "")] == await alarms(bench)
    await bench.hear("home/one/BTtoMQTT/A4C138000001", theengs(sealed(8)))
    assert 2 == len(await alarms(bench)), "the next press is another, however soon"
    assert [] == await troubles(bench)


async def test_what_is_repeated_later_presses_nothing_and_is_a_trouble(bench: Bench) -> None:
    """Also after a restart, for the counter lies in the press's own commit."""
    await bench.hear("shelly1/events/rpc", shelly(sealed(7)))
    await bench.restart()
    bench.time.passed += 3600
    await bench.hear("shelly1/events/rpc", shelly(sealed(7)))
    assert [] == await troubles(bench)
    await bench.hear("shelly1/events/rpc", shelly(sealed(6)))
    assert 1 == len(await alarms(bench))
    assert [("sealed", "replayed")] == await troubles(bench)


async def test_a_device_with_a_key_is_believed_only_in_what_it_sealed(bench: Bench) -> None:
    """In clear, under another key, or spoilt: trouble, and no press; a new key begins a new count."""
    clear = encode([Object(id=BUTTON, value=1)])
    for data in (clear, sealed(9, key=OTHER), sealed(9)[:-1] + b"\x00"):
        await bench.hear("shelly1/events/rpc", shelly(data))
    assert [] == await alarms(bench)
    assert [("sealed", "not understood")] == await troubles(bench)
    await bench.hear("shelly1/events/rpc", shelly(sealed(9)))
    bench.keys = {"sealed": OTHER}
    await bench.restart()
    bench.time.passed += 60
    await bench.hear("shelly1/events/rpc", shelly(sealed(1, key=OTHER)))
    assert [9, 1] == [counter for _, counter, _ in await alarms(bench)]


async def test_nobody_else_keeps_a_sealed_button_alive(bench: Bench) -> None:
    """Another key's adverts, old ones and the last one again are heard, and it is lost all the same."""
    await bench.hear("shelly1/events/rpc", shelly(sealed(7)))
    heard = bench.room.states.of("sealed").heard
    late_after = bench.room.registry.devices["sealed"].watched.late_after
    for data in (sealed(9, key=OTHER), sealed(6), sealed(7)):
        bench.pass_by(late_after / 3 + 1)
        await bench.hear("shelly1/events/rpc", shelly(data))
    assert (heard, True) == (bench.room.states.of("sealed").heard, "sealed" in bench.room.supervision.lost)
    await bench.hear("shelly1/events/rpc", shelly(sealed(8, button=0)))
    assert "sealed" not in bench.room.supervision.lost


async def test_a_press_in_clear_can_be_forged_and_two_packets_are_two_presses(bench: Bench) -> None:
    """It alarms staff, and calls nobody by itself; what was retained alarms nobody."""
    press = [Object(id=PACKET, value=1), Object(id=BUTTON, value=1)]
    topic = "home/one/BTtoMQTT/A4C138000002"
    await bench.hear(topic, theengs(encode(press), OPEN), retain=True)
    assert [] == await alarms(bench)
    await bench.hear(topic, theengs(encode(press), OPEN))
    await bench.hear(topic, theengs(encode(press), OPEN))
    await bench.hear(topic, theengs(encode([Object(id=PACKET, value=2), press[1]]), OPEN))
    assert ["open", "open"] == [device for device, _, _ in await alarms(bench)]
    assert (await alarms(bench))[0][2]


async def test_two_reports_of_a_low_battery_are_a_trouble(bench: Bench) -> None:
    """One is not."""
    await bench.hear("shelly1/events/rpc", shelly(sealed(1, button=0, battery=9)))
    assert [] == await troubles(bench)
    await bench.hear("shelly1/events/rpc", shelly(sealed(2, button=0, battery=9)))
    assert [("sealed", "low battery")] == await troubles(bench)
    assert [] == await alarms(bench)


async def test_only_devices_of_ours_are_heard_and_what_they_need_is_subscribed_to(bench: Bench) -> None:
    """A stranger's button is nobody's."""
    await bench.hear("shelly1/events/rpc", shelly(sealed(1), bytes.fromhex("A4C138000009")))
    assert [] == await alarms(bench)
    topics = topics_of(bench.room.registry.devices.values(), bench.profiles)
    assert ("+/events/rpc", "home/+/BTtoMQTT/#") == topics


def test_no_message_of_a_gateway_raises() -> None:
    """Spoilt and cut ones."""
    samples = [json.dumps(each).encode() for each in (theengs(sealed(1)), shelly(sealed(1)))]
    bear(adverts, samples, 20_000)
