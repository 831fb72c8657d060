"""Devices behind the shipped ChirpStack profile: who is believed, and what counts as a sign of life."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import pytest

from belltower.incident import facts
from hardware.profiles.loading import shipped
from tests.gateway.intake.devices.bench import Bench, record

EUI = "00137a1000000001"
DEVICES = (
    record("lora-1", "netvox-r312", EUI, parent="lora-gw"),
    record("lora-gw", "chirpstack", "0016c001f1500001"),
    record("sos-9", "zigbee2mqtt", "gym"),
)
PROFILES = shipped()
R312_PRESS = base64.b64encode(bytes.fromhex("0155011E01000000000000")).decode()


@pytest.fixture
async def bench(tmp_path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path, devices=DEVICES, profiles=PROFILES)
    await made.start()
    yield made
    await made.journal.close()


async def hear(bench: Bench, event: str, eui: str = EUI, **said: object) -> None:
    await bench.hear(f"application/a1/device/{eui}/event/{event}", {"deviceInfo": {"devEui": eui}, **said})


async def troubles(bench: Bench) -> set[tuple[str, str]]:
    return {(fact.device, fact.kind) for fact in await bench.facts(facts.DeviceTrouble)}


@pytest.mark.parametrize("code", ["UPLINK_MIC", "UPLINK_F_CNT_RETRANSMISSION"])
async def test_who_has_not_its_keys_neither_presses_nor_keeps_a_device_alive(bench: Bench, code: str) -> None:
    """It is told as wrong keys; the device itself was not heard."""
    await hear(bench, "log", level="ERROR", code=code, description="x")

    assert [] == await bench.facts(facts.AlarmRaised)
    assert ("lora-1", "wrong keys") in await troubles(bench)
    assert 0 == bench.room.states.of("lora-1").heard


async def test_what_is_said_to_a_device_is_no_sign_of_its_life(bench: Bench) -> None:
    """A command, a frame that a gateway sent, and one that the device did not confirm; its own confirmation is."""
    await bench.hear(f"application/a1/device/{EUI}/command/down", {"devEui": EUI, "fPort": 6, "data": "AA=="})
    await bench.hear("zigbee2mqtt/gym/set", {"warning": {"mode": "stop"}})
    await hear(bench, "txack", queueItemId="q1", gatewayId="0016c001f1500001")
    await hear(bench, "ack", queueItemId="q1", acknowledged=False)

    assert [0, 0] == [bench.room.states.of(device).heard for device in ("lora-1", "sos-9")]
    await hear(bench, "ack", queueItemId="q2", acknowledged=True)
    assert bench.room.states.of("lora-1").heard


async def test_a_press_is_carried_by_its_own_envelope_only(bench: Bench) -> None:
    """Three gateways are one press; a decoded object, a stranger's EUI and a join are none; a rejoin counts anew."""
    await hear(bench, "up", fPort=6, fCnt=1, object={"alarm": True})
    await hear(bench, "up", eui="00137a10000000ff", fPort=6, fCnt=1, data=R312_PRESS)
    await hear(bench, "join", devAddr="01020304")
    assert [] == await bench.facts(facts.AlarmRaised)
    for gateway in ("g1", "g2", "g3"):
        await hear(bench, "up", fPort=6, fCnt=7, data=R312_PRESS, rxInfo=[{"gatewayId": gateway}])
    bench.time.passed += 60
    await hear(bench, "join", devAddr="01020305")
    await hear(bench, "up", fPort=6, fCnt=7, data=R312_PRESS)

    assert ["lora-1", "lora-1"] == [fact.device for fact in await bench.facts(facts.AlarmRaised)]
    assert EUI[:-2] + "ff" in str(bench.room.told(""))
