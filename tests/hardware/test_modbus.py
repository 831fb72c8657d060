"""Relays and contacts over Modbus, against a server that nobody here wrote, over TCP and RTU."""

import asyncio
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace

import pytest

from belltower.errors import LinkError, Rejected, SettingsError, Uncertain, Unreachable
from hardware.drivers.modbus import Coil, Inputs, ModbusLine, client_of
from hardware.drivers.switch import Ask, Reached
from tests.peers.waiting import PATIENCE
from tests.servers.modbus import rtu_device, tcp_device

ON, OFF = Ask(on=True, request="1"), Ask(on=False, request="2")


@asynccontextmanager
async def line(url, **how):
    made = ModbusLine(url=url, **how)
    try:
        yield made
    finally:
        await made.close()


async def switched(coil, ask):
    """The levels reached, and what was raised."""
    levels = []
    try:
        await coil.switch(ask, levels.append)
    except LinkError as error:
        return levels, error
    return levels, None


def altered(change):
    """What the server sends, changed."""
    return {"trace_packet": lambda sending, data: change(data) if sending else data}


async def test_a_relay_is_switched_by_echo_and_read_back():
    """Both together are the device's word; inverted, off is energised."""
    async with tcp_device() as device, line(f"tcp://127.0.0.1:{device.port}") as wire:
        relay = Coil(line=wire, device=1, coil=3)
        assert ([Reached.QUEUED, Reached.SENT, Reached.DEVICE], None) == await switched(relay, ON)
        assert await device.coil(3)
        await switched(relay, OFF)
        assert not await device.coil(3)
        await switched(Coil(line=wire, device=1, coil=4, inverted=True), OFF)
        assert await device.coil(4)


async def test_another_echo_is_no_receipt():
    """One octet of the echo is another: nobody knows what was switched."""

    def other_coil(data):
        return data[:9] + b"\x04" + data[10:] if data[7:8] == b"\x05" else data

    async with (
        tcp_device(**altered(other_coil)) as device,
        line(f"tcp://127.0.0.1:{device.port}") as wire,
    ):
        levels, error = await switched(Coil(line=wire, device=1, coil=3), ON)

    assert [Reached.QUEUED, Reached.SENT] == levels
    assert isinstance(error, Uncertain)


async def test_a_coil_that_reads_back_otherwise_is_refused():
    """The echo alone proves nothing."""

    def unmoved(data):
        return data[:9] + b"\x00" if data[7:8] == b"\x01" else data

    async with tcp_device(**altered(unmoved)) as device, line(f"tcp://127.0.0.1:{device.port}") as wire:
        levels, error = await switched(Coil(line=wire, device=1, coil=3), ON)

    assert [Reached.QUEUED, Reached.SENT] == levels
    assert isinstance(error, Rejected)
    assert "reads back otherwise" in str(error)


async def test_an_exception_is_a_no_with_its_reason():
    """And the line goes on."""
    async with tcp_device() as device, line(f"tcp://127.0.0.1:{device.port}") as wire:
        levels, error = await switched(Coil(line=wire, device=1, coil=99), ON)
        assert [Reached.QUEUED] == levels
        assert "illegal address" in str(error)
        assert isinstance(error, Rejected)
        assert Reached.DEVICE in (await switched(Coil(line=wire, device=1, coil=1), ON))[0]


async def test_without_a_device_nothing_leaves_and_with_a_mute_one_nobody_knows():
    """Refused: unreachable at once; silent or talking nonsense: uncertain within a turn."""
    silent = await asyncio.start_server(lambda reader, writer: writers.append(writer), "127.0.0.1", 0)
    writers: list[asyncio.StreamWriter] = []
    port = silent.sockets[0].getsockname()[1]
    async with line(f"tcp://127.0.0.1:{port}", turn=0.2) as wire:
        levels, error = await switched(Coil(line=wire, device=1, coil=0), ON)
    assert [Reached.QUEUED, Reached.SENT] == levels
    assert isinstance(error, Uncertain)
    silent.close()
    for writer in writers:
        writer.close()
    await silent.wait_closed()
    async with line(f"tcp://127.0.0.1:{port}") as wire:
        levels, error = await switched(Coil(line=wire, device=1, coil=0), ON)
    assert [Reached.QUEUED] == levels
    assert isinstance(error, Unreachable)


async def test_an_answer_that_comes_late_is_not_taken_for_the_next_ones():
    """A cancelled request costs its connection, never the next request its answer."""
    async with tcp_device() as device, line(f"tcp://127.0.0.1:{device.port}") as wire:
        relay = Coil(line=wire, device=1, coil=3)
        await switched(relay, ON)
        for step in range(40):
            task = asyncio.get_running_loop().create_task(switched(relay, OFF if step % 2 else ON))
            for _ in range(step % 10):
                await asyncio.sleep(0)
            assert task.done() or task.cancel()
            await asyncio.wait([task], timeout=PATIENCE)
            assert task.cancelled() or step % 10 > 3
            wanted = step % 3 == 0
            levels, error = await switched(relay, ON if wanted else OFF)
            assert (Reached.DEVICE, None) == (levels[-1], error)
            assert wanted is await device.coil(3)


async def test_rtu_on_a_serial_line(cable):
    """The same over RTU; a device that is not there costs the line one turn."""
    async with (
        rtu_device(str(cable.far), **altered(lambda data: data if data[0] == 1 else b"")) as device,
        line(f"serial://{cable.near}?baud=19200", turn=1.0) as wire,
    ):
        relay = Coil(line=wire, device=1, coil=7)
        assert Reached.DEVICE in (await switched(relay, ON))[0]
        assert await device.coil(7)
        absent, present = await asyncio.gather(
            switched(Coil(line=wire, device=9, coil=0), ON), switched(relay, OFF)
        )
        assert isinstance(absent[1], Uncertain)
        assert Reached.DEVICE in present[0]
        assert [False] * 4 == await wire.read_inputs(1, 0, 4)


async def test_inputs_are_edges_once_their_level_is_known():
    """What is found after a start or a gap is a state: nobody saw it become so."""
    seen = asyncio.Queue()
    async with tcp_device() as device, line(f"tcp://127.0.0.1:{device.port}", turn=PATIENCE) as wire:
        await device.close_input(5)
        inputs = Inputs(
            line=wire, device=1, names={4: "office", 5: "gym"}, on_input=seen.put_nowait, poll=0.05
        )
        loop = asyncio.get_running_loop()
        task = loop.create_task(inputs.run())
        found = {(each.name, each.closed, each.edge) for each in [await seen.get(), await seen.get()]}
        assert {("office", False, False), ("gym", True, False)} == found
        await device.close_input(4)
        edge = await asyncio.wait_for(seen.get(), PATIENCE)
        assert ("office", True, True) == (edge.name, edge.closed, edge.edge)
        task.cancel()
        await asyncio.wait([task])
        task = loop.create_task(inputs.run())
        again = {(each.name, each.closed, each.edge) for each in [await seen.get(), await seen.get()]}
        assert {("office", True, False), ("gym", True, False)} == again
        task.cancel()
        await asyncio.wait([task])


async def test_inputs_of_a_lost_device_end_the_poll():
    """The failure is the caller's to tell."""
    with pytest.raises(Unreachable):
        await Inputs(line=ModbusLine(url="tcp://127.0.0.1:1"), device=1, names={0: "a"}, on_input=print).run()


@pytest.mark.parametrize("poll", [0.0, 0.3])
def test_a_poll_slower_than_a_quarter_second_is_refused(poll):
    """A press must not be missed."""
    with pytest.raises(ValueError, match="250 ms"):
        Inputs(line=ModbusLine(url="tcp://127.0.0.1:1"), device=1, names={0: "a"}, on_input=print, poll=poll)


@pytest.mark.parametrize(
    "url",
    ["", "tcp://", "http://192.0.2.1", "serial://host/dev/x", "serial:///dev/x?baud=a", "serial:///dev/x?x=1",
     "tcp://192.0.2.1:99999", "serial:///dev/x?baud=9600&parity=X"],
)  # fmt: skip
def test_addresses_that_are_none_are_refused(url):
    """With the mend."""
    with pytest.raises(SettingsError):
        client_of(url)


async def test_a_cancellation_that_the_library_swallows_ends_us_all_the_same():
    """It does so when the answer comes in the same moment; a lane that ends would wait for ever."""

    class Swallowing:
        connected = True

        async def write_coil(self, coil, on, *, device_id):
            with suppress(asyncio.CancelledError):
                await asyncio.get_running_loop().create_future()
            return SimpleNamespace(isError=lambda: False, address=coil, bits=[on], dev_id=device_id)

        def close(self):
            pass

    line = ModbusLine(url="tcp://127.0.0.1:1")
    line._client = Swallowing()
    task = asyncio.get_running_loop().create_task(line.write_coil(1, 3, on=True))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
