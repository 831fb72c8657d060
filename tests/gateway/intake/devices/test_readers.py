"""Readers on an OSDP line on the real verbs and journal, against libosdp's own device in a process of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest

from belltower.errors import SettingsError, Unreachable
from belltower.incident import facts
from belltower.values import Secret
from gateway.intake.devices import readers
from gateway.intake.devices.readers import Duress
from gateway.intake.devices.settings import OSDPDeviceSettings
from gateway.intake.devices.wires import unwired
from hardware.device_keys import read_device_keys
from hardware.drivers.lines import SharedLines
from hardware.drivers.osdp import OSDPOutput
from hardware.drivers.switch import Ask, Reached
from tests.gateway.intake.devices.bench import Bench, record
from tests.peers.waiting import PATIENCE, until
from tests.servers.osdp import peripheral
from tests.servers.pty import SocatCable, socat_cable

KEY, OTHER = bytes(range(16)), bytes(range(1, 17))
DEVICES = (
    record("keypad", "osdp-keypad", "doors/5"),
    record("desk", "osdp-button", "doors/5/2", parent="keypad"),
)


@pytest.fixture
async def bench(tmp_path, monkeypatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(readers, "SETTLE", 0.3)
    made = Bench(tmp_path, devices=DEVICES, keys={"keypad": KEY})
    await made.start()
    yield made
    await made.journal.close()


@pytest.fixture
def cable(tmp_path) -> Iterator[SocatCable]:
    with socat_cable(tmp_path) as plugged:
        yield plugged


@asynccontextmanager
async def served(bench: Bench, cable: SocatCable, lines: SharedLines | None = None):
    """The line is served."""
    settings = OSDPDeviceSettings(url=f"serial://{cable.near}?baud=9600", duress=Secret("9911"))
    run, ready = bench.wires(lines=lines).open("doors", settings)
    task = asyncio.get_running_loop().create_task(run())
    try:
        await until(lambda: task.done() or ready.is_set())
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def alarms(bench: Bench) -> list[str]:
    return [fact.device for fact in await bench.facts(facts.AlarmRaised)]


async def troubles(bench: Bench) -> list[tuple[str, str]]:
    return [(fact.device, fact.kind) for fact in await bench.facts(facts.DeviceTrouble)]


async def test_a_button_on_an_input_and_a_duress_code_call_for_help(bench: Bench, cable) -> None:
    """So does nothing else that a reader says; outputs of the reader go on the same line."""
    lines = SharedLines()
    counted = bench.counts
    async with served(bench, cable, lines):
        with peripheral(cable.far, 5, KEY) as device:
            await until(lambda: bench.room.states.of("keypad").heard)
            await until(lambda: bench.room.states.of("desk").heard)
            device.say("card")
            device.say("keys 1234#")
            device.say("tamper 1")
            await until(lambda: bench.room.states.of("keypad").tampered)
            assert [] == await alarms(bench)
            device.say("inputs 0010")
            await until(lambda: counted["device_presses"] == 1)
            device.say("keys 99")
            device.say("keys 11")
            await until(lambda: counted["device_presses"] == 2)
            reached: list[Reached] = []
            door = OSDPOutput(line=lines.osdp(f"serial://{cable.near}?baud=9600"), address=5, output=1)
            async with asyncio.timeout(PATIENCE):
                while Reached.DEVICE not in reached:
                    with suppress(Unreachable):  # a busy machine opens the secure channel anew
                        await door.switch(Ask(on=True, request="1"), reached.append)
                    await asyncio.sleep(0.1)
            assert Reached.DEVICE == reached[-1]
            cable.pull()
            await until(lambda: {"keypad", "desk"} <= set(bench.room.supervision.lost))
    assert ["desk", "keypad"] == await alarms(bench)
    assert [("keypad", "tamper")] == await troubles(bench)
    assert [] == await bench.facts(facts.JamSuspected)
    journal = json.dumps([str(fact) for fact in await bench.facts(object)])
    assert not [secret for secret in ("1234", "9911", "\\x12\\x34") if secret in journal]


async def test_what_is_reported_when_the_channel_opens_was_found_so(bench: Bench, cable, monkeypatch) -> None:
    """Nobody saw it become so; it must be let go before it presses."""
    monkeypatch.setattr(readers, "SETTLE", 5.0)
    async with served(bench, cable):
        with peripheral(cable.far, 5, KEY) as device:
            device.say("inputs 0010")
            await until(lambda: bench.counts["trouble_found_active"])
            device.say("inputs 0000")
            device.say("inputs 0010")
            await until(lambda: bench.counts["device_presses"])
    assert ["desk"] == await alarms(bench)
    assert [("desk", "found active")] == await troubles(bench)


async def test_a_reader_without_its_key_is_never_spoken_to(bench: Bench, cable) -> None:
    """And the status says so."""
    bench.room._keys = {}
    async with served(bench, cable):
        assert not bench.room.states.of("keypad").heard
    (said,) = unwired(
        bench.foreign.devices.values(),
        profiles=bench.profiles,
        ways={"doors": OSDPDeviceSettings(url="serial:///dev/ttyUSB1")},
        keys={},
    )
    assert "no key for the reader keypad" in said


def test_only_the_whole_code_typed_by_itself_is_duress() -> None:
    """Ended by a key or a pause, at one reader; a longer code is another, and a stray key before a pause is none of it."""
    now = 1_000.0

    def typed(keys: str, step: float = 0.3) -> list[bool]:
        one = Duress("9911")
        return [*(one.typed(1, key, now + step * at) for at, key in enumerate(keys)), one.paused(1)]

    assert Duress("9911").typed(1, "4*9911\r", now)
    assert not Duress("9911").typed(1, "19911#", now)
    assert not Duress("").typed(1, "#", now)
    assert not Duress("").paused(1)
    assert [False, False, False, False, True] == typed("9911")
    assert [False] * 6 == typed("99110"), "a longer code begins with ours"
    assert [*[False] * 4, True, False] == typed("9911#"), "told once"
    assert [False, False, False, False, True] == typed("9911", step=4.0), "by a hand that hesitates"
    one = Duress("9911")
    assert [False, False] == [one.typed(1, "7", now), one.typed(1, "9911", now + 4)]
    assert one.paused(1)
    assert not one.typed(1, "99", now)
    assert not one.typed(2, "11", now)
    assert not one.typed(1, "11", now + 6)
    assert not one.paused(1)
    one.forget(now + 60)
    assert {} == one._typed


@pytest.mark.parametrize("code", ["123", "12a4", "1" * 17])
def test_a_code_that_is_none_is_refused(code) -> None:
    """At start."""
    with pytest.raises(SettingsError, match="4 to 16 digits"):
        OSDPDeviceSettings(url="serial:///dev/ttyUSB1", duress=Secret(code))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("keypad 00", "has 1 octets"),
        ("keypad", "expected a device's id"),
        ("keypad zz", "not hexadecimal"),
        (f"keypad {bytes(range(0x30, 0x40)).hex()}", "everybody knows"),
        (f"keypad {KEY.hex()}\nkeypad {KEY.hex()}", "twice"),
    ],
)
def test_a_faulty_file_of_keys_is_refused_by_line(tmp_path, text, said) -> None:
    """Never by key."""
    file = tmp_path / "devices.keys"
    file.write_text(f"# readers\n\n{text}\n", encoding="ascii")
    file.chmod(0o600)
    with pytest.raises(SettingsError, match=said) as raised:
        read_device_keys(file)
    assert KEY.hex() not in str(raised.value)


def test_the_keys_of_devices_are_read(tmp_path) -> None:
    """Each by the device's id."""
    file = tmp_path / "devices.keys"
    file.write_text(f"keypad {KEY.hex()}\nsos-1 {OTHER.hex()}\n", encoding="ascii")
    file.chmod(0o600)
    assert {"keypad": KEY, "sos-1": OTHER} == read_device_keys(file)
