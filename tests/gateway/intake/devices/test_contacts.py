"""Hold-up buttons on Modbus inputs, on the real verbs and journal, polled at a server that nobody here wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from belltower.errors import SettingsError, Unreachable
from belltower.incident import facts
from gateway.broker_users import broker_users
from gateway.intake.devices import contacts
from gateway.intake.devices.receiving import Way
from gateway.intake.devices.settings import ModbusDeviceSettings
from gateway.intake.devices.topics import NOTHING, topics_of
from hardware.drivers.lines import SharedLines
from hardware.drivers.modbus import Coil
from hardware.drivers.switch import Ask
from tests.gateway.intake.devices.bench import Bench, record
from tests.peers.waiting import PATIENCE, until
from tests.servers.modbus import rtu_device, tcp_device
from tests.servers.pty import SocatCable, socat_cable

MODBUS = Way(name="devices-hall", ingress="modbus")
DEVICES = (
    record("office", "modbus-button", "hall/1/0", parent="module"),
    record("gym", "modbus-button-nc", "hall/1/1", parent="module"),
    record("case", "modbus-tamper", "hall/1/2"),
    record("module", "modbus-module", "hall/1"),
)


@pytest.fixture
async def bench(tmp_path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path, devices=DEVICES)
    await made.start()
    yield made
    await made.journal.close()


@pytest.fixture
def cable(tmp_path) -> Iterator[SocatCable]:
    with socat_cable(tmp_path) as plugged:
        yield plugged


@asynccontextmanager
async def polled(bench: Bench, url: str, lines: SharedLines | None = None, **how):
    """The line is polled."""
    settings = ModbusDeviceSettings(url=url, poll=0.02, **how)
    run, ready = bench.wires(lines=lines).open("hall", settings)
    task = asyncio.get_running_loop().create_task(run())
    try:
        await until(lambda: task.done() or bench.room.states.of("office").heard)
        assert ready.is_set()
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def alarms(bench: Bench) -> list[str]:
    return [fact.device for fact in await bench.facts(facts.AlarmRaised)]


async def troubles(bench: Bench) -> list[tuple[str, str]]:
    return [(fact.device, fact.kind) for fact in await bench.facts(facts.DeviceTrouble)]


async def pressed(bench: Bench, count: int) -> None:
    await until(lambda: bench.counts["device_presses"] == count)


async def test_an_edge_is_a_press_and_what_is_found_is_a_trouble(bench: Bench) -> None:
    """Closing presses, or opening where the contact is normally closed; opening again cancels nothing."""
    async with tcp_device() as device:
        await device.close_input(2)
        async with polled(bench, f"tcp://127.0.0.1:{device.port}"):
            assert [("gym", "found active")] == await troubles(bench)
            assert [] == await alarms(bench)
            await device.close_input(1)
            await device.close_input(0)
            await pressed(bench, 1)
            bench.pass_by(2)
            await device.close_input(0, closed=False)
            await device.close_input(1, closed=False)
            await pressed(bench, 2)
            await device.close_input(2, closed=False)
            await until(lambda: bench.room.states.of("case").tampered)
    assert ["office", "gym"] == await alarms(bench)
    (incident,) = bench.verbs.incidents.values()
    assert incident.open
    (first, _) = await bench.facts(facts.AlarmRaised)
    assert ("devices-hall", bench.profiles["modbus-button"].hash, "") == (
        first.path,
        first.profile,
        first.unproven,
    )


async def test_trap_13_a_gap_or_a_restart_makes_no_edge(bench: Bench) -> None:
    """An input that closed while nobody looked is found active, by whoever looks next."""
    async with tcp_device() as device:
        await device.close_input(1)
        await device.close_input(2)
        url = f"tcp://127.0.0.1:{device.port}"
        async with polled(bench, url):
            pass
        await device.close_input(0)
        bench.room.states.of("office").heard = 0
        async with polled(bench, url):
            assert [("office", "found active")] == await troubles(bench)
        await bench.restart()
        async with polled(bench, url):
            assert 1 == bench.counts["trouble_found_active"]
            await device.close_input(0, closed=False)
            await device.close_input(0)
            await device.close_input(0, closed=False)
            bench.time.passed += 1
    assert len(await alarms(bench)) <= 1, "the edges of ten milliseconds may be missed"


async def test_a_module_that_is_silent_is_lost_and_comes_back(bench: Bench, monkeypatch) -> None:
    """With all that is wired to it, which is no jamming; the line's other modules go on."""
    monkeypatch.setattr(contacts, "LOST_AFTER", 0.3)
    monkeypatch.setattr(contacts, "SLOW_RETRY", 0.2)
    deaf: list[int] = []

    def trace(sending, data):
        return b"" if sending and deaf else data

    async with tcp_device(trace_packet=trace) as device:
        await device.close_input(1)
        await device.close_input(2)
        lost = bench.room.supervision
        async with polled(bench, f"tcp://127.0.0.1:{device.port}"):
            deaf.append(1)
            await until(lambda: {"office", "gym", "case", "module"} == set(lost.lost))
            deaf.clear()
            await until(lambda: not {"office", "gym", "case"} & set(lost.lost))
            await device.close_input(0)
            await pressed(bench, 1)
    assert 4 == len(await bench.facts(facts.DeviceLost))
    assert 3 <= len(await bench.facts(facts.DeviceRestored))
    assert [] == await bench.facts(facts.JamSuspected)


async def test_a_line_that_is_gone_ends_the_way(bench: Bench) -> None:
    """And one that is not there never begins: the lane opens it again."""
    run, ready = bench.wires().open("hall", ModbusDeviceSettings(url="tcp://127.0.0.1:1"))
    with pytest.raises(Unreachable):
        await run()
    assert not ready.is_set()


async def test_one_serial_line_serves_inputs_and_relays(bench: Bench, cable) -> None:
    """RTU: a relay is switched and read back between two polls."""
    lines, url = SharedLines(), f"serial://{cable.near}?baud=19200"
    async with rtu_device(str(cable.far)) as device:
        await device.close_input(1)
        await device.close_input(2)
        async with polled(bench, url, lines):
            relay = Coil(line=lines.modbus(url), device=1, coil=3)
            async with asyncio.timeout(PATIENCE):
                await relay.switch(Ask(on=True, request="1"), lambda _: None)
            assert await device.coil(3)
            await device.close_input(0)
            await pressed(bench, 1)


async def test_a_contact_that_stays_closed_is_a_trouble(bench: Bench) -> None:
    """A press of it could not be heard. Its level is told again and again meanwhile, which is its sign of life."""
    async with tcp_device() as device:
        await device.close_input(1)
        await device.close_input(2)
        lines = SharedLines()
        told: list[str] = []
        polls = contacts.Contacts(
            line=lines.modbus(f"tcp://127.0.0.1:{device.port}"),
            modules=contacts.modules_of("hall", bench.room.registry.devices.values()),
            teller=Told(told),
            poll=0.02,
            beat=0.05,
            held=0.1,
        )
        task = asyncio.get_running_loop().create_task(polls.run())
        await polls.ready.wait()
        await until(lambda: 3 <= sum("held" in each for each in told))
        task.cancel()
        await asyncio.wait([task])
    assert "found modbus-button hall/1/0" == told[0]
    assert 'modbus-module/hall/1 {"line":"back"}' in told
    held = next(each for each in told if each.startswith("modbus/hall/1/1") and "held" in each)
    bench.begin(*held.split(" ", 1), way=MODBUS)
    held = next(each for each in told if each.startswith("modbus/hall/1/0") and "held" in each)
    bench.begin(*held.split(" ", 1), way=MODBUS)
    await asyncio.sleep(0)
    assert [] == await troubles(bench), "at rest, a normally closed contact is closed, and the other open"
    bench.begin("modbus/hall/1/0", '{"closed":true,"held":true}', way=MODBUS)
    assert ("office", "error") in await troubles(bench)


async def test_nobody_else_speaks_for_a_wire(bench: Bench) -> None:
    """What is published under a driver's topic at a broker is of no device."""
    await bench.hear("modbus/hall/1/0", {"closed": False})
    await bench.hear("modbus/hall/1/0", {"closed": True})
    assert [] == await alarms(bench)
    assert 0 == bench.room.states.of("office").heard
    assert NOTHING == topics_of(bench.room.registry.devices.values(), bench.profiles)
    assert () == broker_users(bench.foreign).publishers


@pytest.mark.parametrize("how", [{"url": "http://x"}, {"url": "tcp://h", "poll": 1.0}])
def test_a_line_that_is_none_and_a_poll_too_slow_are_refused(how) -> None:
    """At start, by key."""
    with pytest.raises(SettingsError):
        ModbusDeviceSettings(**how)


class Told:
    """Keeps what is told."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def tell(self, topic: str, payload: bytes) -> None:
        self.told.append(f"{topic} {payload.decode()}")

    def found(self, profile: str, address: str) -> None:
        self.told.append(f"found {profile} {address}")
