"""Keying a transmitter, as outsiders see it."""

import asyncio
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import pairwise

import pytest
from serial import serial_for_url

from belltower.errors import SettingsError, Uncertain, Unreachable
from hardware.drivers import key_line
from hardware.drivers.key_line import ContactKeyLine, RigKeyLine, SerialKeyLine, open_key_line
from hardware.drivers.ptt import PTT
from tests.peers.virtual_time import VirtualLoop
from tests.peers.waiting import PATIENCE, until
from tests.servers.rigctld import rigctld


class Line:
    """A key line that remembers when it was keyed and unkeyed."""

    def __init__(self, time=time.perf_counter) -> None:
        self.time = time
        self.told: list[tuple[str, float]] = []
        self.on = False
        self.heard = 0
        self.fails = 0
        self.unkeyed = threading.Event()

    def key(self):
        self.on = True
        self.told.append(("key", self.time()))

    def unkey(self):
        if self.fails:
            self.fails -= 1
            raise Unreachable("no answer")
        self.on = False
        self.told.append(("unkey", self.time()))
        self.unkeyed.set()

    def busy(self):
        self.heard -= self.heard > 0
        return self.heard > 0

    def close(self):
        self.unkey()


class InlineLoop(VirtualLoop):
    """Virtual time in which a key line takes none."""

    def run_in_executor(self, executor, func, *args):
        done = self.create_future()
        done.set_result(func(*args))
        return done


def in_exact_time(story):
    """Run a story by the loop's own time."""
    with asyncio.Runner(loop_factory=InlineLoop) as runner:
        runner.run(story())


def test_key_lead_sound_tail_unkey():
    """In this order and with these times."""

    async def story():
        loop = asyncio.get_running_loop()
        line = Line(loop.time)
        async with PTT(line=line, lead=0.1, tail=0.05).keyed():
            assert 0.1 == pytest.approx(loop.time())
        assert [("key", 0.0), ("unkey", pytest.approx(0.15))] == line.told

    in_exact_time(story)


def test_a_busy_channel_is_waited_for_but_not_for_ever():
    """Keyed as soon as it is free; after the limit all the same."""

    async def story():
        loop = asyncio.get_running_loop()
        line = Line(loop.time)
        line.heard = 3
        async with PTT(line=line, lead=0, tail=0).keyed():
            assert 0 == line.heard
        line.heard = 10**9
        began = loop.time()
        async with PTT(line=line, lead=0, tail=0, claim=0.3).keyed():
            assert 0.3 == pytest.approx(loop.time() - began, abs=0.06)

    in_exact_time(story)


class SlowLine(Line):
    """Keys when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.let = threading.Event()
        self.done = threading.Event()

    def key(self):
        self.asked.set()
        assert self.let.wait(10)
        super().key()
        self.done.set()


async def test_cancelled_while_it_is_keyed_it_is_unkeyed_after_that():
    """A key that took its time, and came after its source had gone, stayed on the air without a watchdog."""
    line = SlowLine()
    ptt = PTT(line=line, lead=0, tail=0)

    async def source():
        async with ptt.keyed():
            pytest.fail("cancelled before")

    running = asyncio.get_running_loop().create_task(source())
    await until(line.asked.is_set)
    running.cancel()
    await asyncio.wait([running], timeout=0.1)
    line.let.set()
    await until(line.done.is_set)
    await asyncio.wait([running])

    assert not line.on
    assert "unkey" == line.told[-1][0]
    async with ptt.keyed():
        assert line.on


async def test_keyed_after_the_limit_it_is_unkeyed_at_once():
    """The watchdog has been there before the key; the source is told."""
    line = SlowLine()
    ptt = PTT(line=line, lead=0, tail=0, limit=0.05)

    async def source():
        async with ptt.keyed():
            pytest.fail("spoke to nobody")

    running = asyncio.get_running_loop().create_task(source())
    await until(lambda: ptt.watchdog.tripped and line.told)
    line.let.set()
    with pytest.raises(Unreachable, match="longer to key"):
        await running

    assert not line.on
    assert not ptt.watchdog.tripped


async def test_it_is_keyed_while_the_loops_own_threads_all_hang():
    """Look-ups of names take those, for as long as a name server is silent."""
    hung = threading.Event()
    pool = ThreadPoolExecutor(1)
    loop = asyncio.get_running_loop()
    loop.set_default_executor(pool)
    stuck = loop.run_in_executor(None, hung.wait, 10)
    try:
        async with asyncio.timeout(PATIENCE), PTT(line=Line(), lead=0, tail=0).keyed():
            assert not stuck.done()
    finally:
        hung.set()
        await stuck


async def test_transmissions_follow_one_another():
    """Never two at once."""
    line = Line()
    ptt = PTT(line=line, lead=0.01, tail=0.01)

    async def talk():
        async with ptt.keyed():
            await asyncio.sleep(0.02)

    await asyncio.gather(talk(), talk(), talk())

    assert ["key", "unkey"] * 3 == [what for what, _ in line.told]
    assert all(a <= b for (_, a), (_, b) in pairwise(line.told))


async def test_a_hung_source_is_unkeyed_and_must_go_idle():
    """Unkeyed at the limit; nothing keys before the source has ended, then it may again."""
    line = Line()
    ptt = PTT(line=line, lead=0, tail=0, limit=0.3)
    hung = asyncio.Event()

    async def source():
        async with ptt.keyed():
            await hung.wait()

    running = asyncio.get_running_loop().create_task(source())
    await until(lambda: not line.on and line.told)
    await until(lambda: ptt.watchdog.tripped)
    with pytest.raises(Unreachable, match="idle"):
        ptt.watchdog.arm()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2), ptt.keyed():
            pytest.fail("keyed beside a hung source")
    assert 1 == [what for what, _ in line.told].count("key")
    hung.set()
    with pytest.raises(Uncertain):
        await running
    async with ptt.keyed():
        assert line.on
    assert not line.on


def test_a_hung_loop_is_unkeyed():
    """The whole event loop stands still while the transmitter is keyed."""
    line = Line()

    async def story():
        async with PTT(line=line, lead=0, tail=0, limit=0.2).keyed():
            line.unkeyed.clear()
            assert line.unkeyed.wait(5), "nobody unkeyed"  # blocks the loop

    with pytest.raises(Uncertain):
        asyncio.run(story())
    assert ["key", "unkey"] == [what for what, _ in line.told][:2]


async def test_unkeying_is_tried_until_it_works():
    """A line that refuses is asked again by the watchdog although the source has ended; then all is as before."""
    line = Line()
    line.fails = 3
    ptt = PTT(line=line, lead=0, tail=0)
    with pytest.raises(Unreachable):
        async with ptt.keyed():
            pass
    assert line.on
    await until(lambda: not line.on and not ptt.watchdog.tripped)
    async with ptt.keyed():
        assert line.on


async def test_cancelled_it_is_unkeyed():
    """At once."""
    line = Line()

    async def source():
        async with PTT(line=line, lead=0, tail=0).keyed():
            await asyncio.Event().wait()

    running = asyncio.get_running_loop().create_task(source())
    await until(lambda: line.on)
    running.cancel()
    await asyncio.wait([running])
    await until(lambda: not line.on)


async def test_rigctld_is_keyed_and_unkeyed():
    """As another client of it sees; opening keys nothing, a lost one is Unreachable."""
    with rigctld() as rig:
        ptt = PTT(line=open_key_line(f"rig://127.0.0.1:{rig.port}"), lead=0.01, tail=0.01)
        await ptt.check()
        assert not rig.keyed
        async with ptt.keyed():
            assert rig.keyed
        assert not rig.keyed
        port = rig.port
    with pytest.raises(Unreachable, match="does not answer"):
        RigKeyLine(host="127.0.0.1", port=port).key()


async def test_the_watchdog_unkeys_rigctld():
    """The rig's key drops though the source never ends."""
    with rigctld() as rig:
        ptt = PTT(line=RigKeyLine(host="127.0.0.1", port=rig.port), lead=0, tail=0, limit=0.3)

        async def source():
            async with ptt.keyed():
                await asyncio.Event().wait()

        running = asyncio.get_running_loop().create_task(source())
        await until(lambda: rig.keyed)
        await until(lambda: not rig.keyed)
        running.cancel()
        await asyncio.wait([running])


@pytest.mark.parametrize(("line", "wired"), [("rts", "cts"), ("dtr", "dsr")])
def test_a_serial_line_is_low_until_it_is_keyed(line, wired, monkeypatch):
    """RTS and DTR are low before the port is opened; pyserial's loop has RTS wired to CTS and DTR to DSR."""
    made = []

    def watched(url, **options):
        port = serial_for_url(url, **options)
        opening = port.open

        def opened():
            made.append((port, port.rts, port.dtr))
            opening()

        port.open = opened
        return port

    monkeypatch.setattr(key_line, "serial_for_url", watched)
    key = SerialKeyLine(url="loop://", line=line, busy=wired)
    assert not key.busy()
    ((port, rts, dtr),) = made
    assert (False, False) == (rts, dtr)
    assert (False, False) == (port.cts, port.dsr)
    key.key()
    assert key.busy()
    assert (line == "rts", line == "dtr") == (port.cts, port.dsr)
    key.unkey()
    assert not key.busy()
    key.key()
    key.close()
    assert (False, False) == (port.rts, port.dtr)


def test_a_contact_of_a_sound_card_is_switched(tmp_path):
    """The chip's five octets."""
    device = tmp_path / "hidraw0"
    device.touch()
    contact = open_key_line(f"contact://{device}?pin=3")
    assert isinstance(contact, ContactKeyLine)
    contact.key()
    assert b"\0\0\4\4\0" == device.read_bytes()
    contact.close()
    assert b"\0\0\0\4\0" == device.read_bytes()[:5]
    assert not contact.busy()
    with pytest.raises(Unreachable, match="No such file"):
        ContactKeyLine(path=str(tmp_path / "gone")).key()


@pytest.mark.parametrize(
    "url",
    [
        "serial:///dev/ttyUSB0?line=cts",
        "serial:///dev/ttyUSB0?busy=ring",
        "rig://radio.example:4532",
        "contact:///dev/hidraw0?pin=9",
        "http://127.0.0.1",
        "rig://[::1",
    ],
)
def test_a_url_that_is_no_key_line_is_refused(url):
    """With what would be one."""
    with pytest.raises(SettingsError, match="key line"):
        open_key_line(url)


def test_a_device_that_is_not_there_is_unreachable():
    """Not a crash of the lane."""
    with pytest.raises(Unreachable, match="No such file"):
        open_key_line("serial:///dev/does-not-exist").busy()


@pytest.mark.parametrize("second", [False, True])
async def test_a_rigctld_that_hangs_up_is_asked_once_more(second):
    """It does so on who comes while it lets go of the rig; one that hangs up again is Unreachable."""

    def serve() -> None:
        for hangs_up in (True, second):
            connection, _ = listener.accept()
            with connection:
                if hangs_up:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    connection.recv(200)
                    connection.sendall(b"RPRT 0\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        line = open_key_line(f"rig://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(Unreachable) if second else nullcontext():
            line.key()
        serving.join()
