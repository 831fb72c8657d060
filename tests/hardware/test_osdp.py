"""Readers and outputs on an OSDP line, against libosdp's own device in a process of its own."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from osdp import Command, CommandLEDColor

from belltower.errors import LinkError, Rejected, SettingsError, Unreachable
from hardware.drivers import osdp
from hardware.drivers.osdp import OSDPLine, OSDPOutput, Reader
from hardware.drivers.switch import Ask, Reached
from tests.peers.waiting import PATIENCE
from tests.servers.osdp import peripheral

KEY, OTHER = bytes(range(16)), bytes(range(1, 17))
ON, OFF = Ask(on=True, request="1"), Ask(on=False, request="2")


@asynccontextmanager
async def panel(cable, *, key=KEY):
    """Our side, and what it was told."""
    said = asyncio.Queue()
    line = OSDPLine(url=f"serial://{cable.near}?baud=9600", on_reader=said.put_nowait)
    line.add(5, key)
    task = asyncio.get_running_loop().create_task(line.run())
    try:
        yield line, said
    finally:
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=PATIENCE)
        assert {task} == done


async def heard(said, what, *, within=PATIENCE):
    """The next thing of this kind."""
    async with asyncio.timeout(within):
        while (each := await said.get()).what is not what:
            pass
    return each


async def switched(output, ask):
    levels = []
    try:
        async with asyncio.timeout(PATIENCE):
            await output.switch(ask, levels.append)
    except LinkError as error:
        return levels, error
    return levels, None


async def test_an_output_is_switched_in_the_secure_channel_and_the_device_answers(cable):
    """On, off, the light and the buzzer, keys, tamper; a refusal; a device that is gone and comes again."""
    async with panel(cable) as (line, said):
        output = OSDPOutput(line=line, address=5, output=2)
        levels, error = await switched(output, ON)
        assert [] == levels
        assert isinstance(error, Unreachable)
        with peripheral(cable.far, 5, KEY) as device:
            assert (await heard(said, Reader.SECURE)).on
            assert ([Reached.QUEUED, Reached.SENT, Reached.DEVICE], None) == await switched(output, ON)
            asked = await asyncio.to_thread(device.commanded)
            assert (Command.Output, 2, 2) == (asked["command"], asked["output_no"], asked["control_code"])
            await switched(output, OFF)
            assert 1 == (await asyncio.to_thread(device.commanded))["control_code"]
            await line.buzz(5, times=3)
            assert 3 == (await asyncio.to_thread(device.commanded))["rep_count"]
            await line.light(5, colour=CommandLEDColor.Red)
            assert Command.LED == (await asyncio.to_thread(device.commanded))["command"]
            device.say("keys 911")
            assert "911" == (await heard(said, Reader.KEYS)).keys
            device.say("tamper 1")
            assert (await heard(said, Reader.TAMPER)).on
            device.say("refuse")
            device.say("keys 1")
            await heard(said, Reader.KEYS)
            levels, error = await switched(output, ON)
            assert Reached.DEVICE not in levels
            assert isinstance(error, Rejected | TimeoutError) or error is not None
        assert not (await heard(said, Reader.SECURE)).on
        with peripheral(cable.far, 5, KEY):
            assert (await heard(said, Reader.SECURE)).on
            assert Reached.DEVICE in (await switched(output, OFF))[0]


async def test_a_device_with_another_key_is_not_there(cable):
    """It is never spoken to in clear."""
    async with panel(cable, key=OTHER) as (line, _):
        with peripheral(cable.far, 5, KEY):
            await asyncio.sleep(2)
            assert not line.secure(5)
            levels, error = await switched(OSDPOutput(line=line, address=5, output=0), ON)
    assert [] == levels
    assert isinstance(error, Unreachable)


async def test_a_line_that_is_lost_ends_the_run(cable):
    """And one that is not there never begins."""
    line = OSDPLine(url=f"serial://{cable.near}")
    line.add(5, KEY)
    task = asyncio.get_running_loop().create_task(line.run())
    await asyncio.sleep(0.3)
    cable.pull()
    with pytest.raises(Unreachable):
        await asyncio.wait_for(task, PATIENCE)
    with pytest.raises(Unreachable):
        await line.run()


class Failing:
    """The library's panel, which fails at its third turn."""

    def __init__(self, *_, **__):
        self.ctx = self
        self.turns = 0

    def refresh(self):
        self.turns += 1
        if self.turns > 2:
            raise ValueError("a mistake of the library's")

    def status(self):
        return 1


async def test_a_library_that_fails_ends_the_run_and_no_reader_is_taken_for_secure(cable, monkeypatch):
    """Its thread never dies unseen."""
    monkeypatch.setattr(osdp, "ControlPanel", Failing)
    said = []
    line = OSDPLine(url=f"serial://{cable.near}", on_reader=said.append)
    line.add(5, KEY)
    line.on_open(lambda: line._secure.add(5))
    with pytest.raises(Unreachable):
        await asyncio.wait_for(line.run(), PATIENCE)
    assert not line.secure(5)
    assert [(Reader.SECURE, False)] == [(each.what, each.on) for each in said]


def test_keys_and_lines_that_are_none_are_refused():
    """One key for each device."""
    with pytest.raises(SettingsError):
        OSDPLine(url="tcp://192.0.2.1:1")
    line = OSDPLine(url="serial:///dev/ttyUSB1")
    with pytest.raises(ValueError, match="16 octets"):
        line.add(1, b"short")
    line.add(1, KEY)
    line.add(1, KEY)
    with pytest.raises(ValueError, match="another key"):
        line.add(1, OTHER)
