"""Inovonics pendants by the serial driver, on the real verbs and journal. Vectors of our own: no frame was captured."""

from __future__ import annotations

import asyncio

from belltower.incident import facts
from gateway.intake.devices.settings import InovonicsDeviceSettings
from hardware.codecs.inovonics import COORDINATOR, Frame, encode
from hardware.transports.memory import Cable
from tests.gateway.intake.devices.bench import Bench, record
from tests.peers.waiting import PATIENCE, until

DEVICES = (
    record("pendant", "inovonics-en", "B2010203", parent="receiver"),
    record("receiver", "inovonics-receiver", "00000001"),
)


def frame(uid: int = 0xB2010203, kind: int = 0x3E, stat1: int = 0, stat0: int = 0) -> bytes:
    return encode(
        Frame(
            uid=uid,
            first_hop=1,
            device_class=kind,
            product=1,
            stat1=stat1,
            stat0=stat0,
            level=60,
            margin=30,
        )
    )


async def test_a_pendant_alarms_when_its_bit_rises(tmp_path) -> None:
    """Repeats and its battery do not; it can be forged; a stranger is listed, and the receiver's own word shown."""
    bench = Bench(tmp_path, devices=DEVICES)
    await bench.start()
    cable = Cable()
    await cable.far.open()
    settings = InovonicsDeviceSettings(url="tcp://127.0.0.1:1")
    run, ready = bench.wires(open_transport=lambda _: cable.near).open("radio", settings)
    task = asyncio.get_running_loop().create_task(run())
    await asyncio.wait_for(ready.wait(), PATIENCE)
    for octets in (
        frame(),
        frame(stat1=2),
        frame(stat1=2),
        frame(stat1=2, stat0=0x80),
        frame(stat1=2, stat0=0x80),
        frame(uid=0x77, stat1=2),
        frame(uid=1, kind=COORDINATOR, stat1=2),
    ):
        await cable.far.write(octets)
    await until(lambda: bench.counts["trouble_error"])
    task.cancel()
    await asyncio.wait([task])
    (alarm,) = await bench.facts(facts.AlarmRaised)
    assert ("pendant", "devices-radio") == (alarm.device, alarm.path)
    assert alarm.unproven
    said = {(fact.device, fact.kind) for fact in await bench.facts(facts.DeviceTrouble)}
    assert {("pendant", "low battery"), ("receiver", "error")} == said
    assert ["00000077"] == [each.address for each in bench.room.registry.strangers.values()]
    await bench.journal.close()
