"""Every transport keeps the same obligations; serial lines, sockets and memory each break in their own way."""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest
from serial import Serial

from belltower.errors import LinkError, SettingsError, Uncertain, Unreachable
from hardware.codecs import kiss
from hardware.transports import Transport, open_transport
from hardware.transports.memory import Cable, Pipe, byte_at_a_time, hang_up, lossy, whole
from hardware.transports.serial import SerialTransport
from hardware.transports.tcp import TCPTransport
from tests.peers.waiting import PATIENCE
from tests.servers.pty import Pty, SocatCable, pty_pair

EVERY_OCTET = bytes(range(256))


class Ends:
    """A transport under test and its far side, as plain calls."""

    def __init__(self, near: Transport, far: Transport) -> None:
        self.near = near
        self.far = far


@asynccontextmanager
async def serial_ends(deadline: float) -> AsyncIterator[Ends]:
    with pty_pair() as pair:
        yield Ends(SerialTransport(path=pair.path, write_deadline=deadline), FarDescriptor(pair.far))


@asynccontextmanager
async def tcp_ends(deadline: float) -> AsyncIterator[Ends]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        near = TCPTransport(host="127.0.0.1", port=listener.getsockname()[1], write_deadline=deadline)
        yield Ends(near, FarSocket(listener))


@asynccontextmanager
async def memory_ends(deadline: float) -> AsyncIterator[Ends]:
    cable = Cable(write_deadline=deadline)
    yield Ends(cable.near, cable.far)


class FarDescriptor:
    """The raw far side of a pseudo-terminal."""

    def __init__(self, number: int) -> None:
        self._number = number

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def read(self) -> bytes:
        return await asyncio.to_thread(os.read, self._number, 4096)

    async def write(self, data: bytes) -> None:
        await asyncio.to_thread(os.write, self._number, data)


class FarSocket:
    """A listener's side of one connection."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._connection: socket.socket | None = None

    async def open(self) -> None:
        self._connection, _ = await asyncio.to_thread(self._listener.accept)

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    async def read(self) -> bytes:
        return await asyncio.to_thread(self._connection.recv, 4096)

    async def write(self, data: bytes) -> None:
        await asyncio.to_thread(self._connection.sendall, data)


KINDS = {"serial": serial_ends, "tcp": tcp_ends, "memory": memory_ends}
every_kind = pytest.mark.parametrize("kind", KINDS)


@asynccontextmanager
async def opened(kind: str, deadline: float = 5.0) -> AsyncIterator[Ends]:
    async with asyncio.timeout(PATIENCE), KINDS[kind](deadline) as ends:
        await ends.near.open()
        await ends.far.open()
        try:
            yield ends
        finally:
            await ends.near.close()
            await ends.far.close()


async def read_exactly(end: Transport, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += await end.read()
    return data


@every_kind
async def test_every_octet_passes_both_ways(kind: str) -> None:
    """Nothing is interpreted, translated or echoed on the way."""
    async with opened(kind) as ends:
        await ends.near.write(EVERY_OCTET)
        assert await read_exactly(ends.far, 256) == EVERY_OCTET
        await ends.far.write(EVERY_OCTET)
        assert await read_exactly(ends.near, 256) == EVERY_OCTET


@every_kind
async def test_a_stalled_far_side_ends_the_write_and_not_the_loop(kind: str) -> None:
    """The line fills, the writer is told at its deadline, and meanwhile the loop goes on."""
    async with opened(kind, deadline=0.2) as ends:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(tick())
            with pytest.raises(LinkError, match=r"full for 0\.2 s"):
                while True:
                    await ends.near.write(bytes(65_536))
            ticking.cancel()
        assert ticks >= 5


@every_kind
async def test_a_write_that_got_nothing_out_is_unreachable(kind: str) -> None:
    """Once the line is full not one octet leaves, and the caller may try elsewhere."""
    async with opened(kind, deadline=0.1) as ends:
        with pytest.raises(LinkError):
            while True:
                await ends.near.write(bytes(65_536))
        with pytest.raises(Unreachable):
            while True:
                await ends.near.write(bytes(8))


@every_kind
async def test_writes_never_mix(kind: str) -> None:
    """Each write stays in one piece although the line fills between them."""
    async with opened(kind) as ends:
        blocks = [bytes([n]) * 30_000 for n in range(8)]
        async with asyncio.TaskGroup() as group:
            for block in blocks:
                group.create_task(ends.near.write(block))
            got = await read_exactly(ends.far, 240_000)
        assert set(blocks) == {got[start : start + 30_000] for start in range(0, 240_000, 30_000)}


@every_kind
async def test_closing_frees_whoever_waits(kind: str) -> None:
    """A reader does not hang on a line that is no more; and nothing works on a closed one."""
    async with opened(kind) as ends:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(expect_unreachable(ends.near.read))
            await asyncio.sleep(0)
            await ends.near.close()
            await reading
        with pytest.raises(Unreachable):
            await ends.near.write(b"x")
        with pytest.raises(Unreachable):
            await ends.near.read()


async def expect_unreachable(call: Callable) -> None:
    with pytest.raises(Unreachable):
        await call()


@every_kind
async def test_a_cancelled_reader_loses_nothing(kind: str) -> None:
    """The next reader gets what comes later."""
    async with opened(kind) as ends:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await ends.near.read()
        await ends.far.write(b"late")
        assert await read_exactly(ends.near, 4) == b"late"


@every_kind
async def test_before_opening_nothing_works(kind: str) -> None:
    """A transport that was never opened says so."""
    async with KINDS[kind](1.0) as ends:
        with pytest.raises(Unreachable, match="not open"):
            await ends.near.read()
        with pytest.raises(Unreachable, match="not open"):
            await ends.near.write(b"x")


@pytest.mark.parametrize("kind", ["serial", "tcp"])
async def test_a_slow_reader_holds_the_far_side_back(kind: str) -> None:
    """What is read ahead is bounded, and none of it is lost."""
    async with opened(kind) as ends:
        size = 1_000_000
        sending = threading.Thread(target=asyncio.run, args=(send(ends.far, size),))
        sending.start()
        while len(ends.near._line._buffer) < 65_536:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)
        assert not ends.near._line._reading
        assert len(ends.near._line._buffer) < 65_536 + 16_384
        assert size == len(await read_exactly(ends.near, size))
        sending.join()


async def send(end: Transport, size: int) -> None:
    for _ in range(size // 1000):
        await end.write(bytes(1000))


async def test_too_many_writers_are_told_at_once(pty: Pty) -> None:
    """A full line gathers no endless queue."""
    line = SerialTransport(path=pty.path, write_deadline=2.0)
    await line.open()
    async with asyncio.timeout(PATIENCE):
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(quietly(line.write(bytes(65_536)))) for _ in range(64)]
            await asyncio.sleep(0)
            with pytest.raises(Unreachable, match="64 writers wait already"):
                await line.write(b"x")
            await line.close()
            await asyncio.gather(*waiting)


async def quietly(call: AsyncIterator) -> None:
    with suppress(LinkError):
        await call


async def test_a_pulled_cable_is_seen_and_a_mended_one_reopens(cable: SocatCable) -> None:
    """Within two seconds the line is gone, though nobody wrote; plugged in again under its name, it works."""
    near, far = (open_transport(f"serial://{end}?baud=19200") for end in (cable.near, cable.far))
    for _ in range(3):
        await near.open()
        await far.open()
        await near.write(EVERY_OCTET)
        assert await read_exactly(far, 256) == EVERY_OCTET
        cable.pull()
        async with asyncio.timeout(PATIENCE):
            await expect_unreachable(near.read)
            await expect_unreachable(lambda: far.write(b"x"))
        with pytest.raises(Unreachable):
            await near.open()
        cable.plug()
    await near.close()
    await far.close()


async def test_a_cable_pulled_during_a_write_frees_the_writer(cable: SocatCable) -> None:
    """A writer that waits for a frozen far side learns at once that the line is gone."""
    near = SerialTransport(path=str(cable.near), write_deadline=30.0)
    await near.open()
    cable.freeze()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        writing = group.create_task(write_until_it_fails(near))
        await asyncio.sleep(0.05)
        cable.pull()
        assert isinstance(await writing, LinkError)
    await near.close()


async def write_until_it_fails(end: Transport) -> LinkError:
    while True:
        try:
            await end.write(bytes(10_000))
        except LinkError as error:
            return error


async def test_a_line_is_held_by_one(pty: Pty) -> None:
    """A second process at the same port would steal octets, and is refused."""
    first, second = SerialTransport(path=pty.path), SerialTransport(path=pty.path)
    await first.open()
    with pytest.raises(Unreachable, match="exclusively lock"):
        await second.open()
    await first.close()
    await second.open()
    await second.close()


async def test_a_file_is_no_line(tmp_path) -> None:
    """A wrong path in the settings is an ordinary failure."""
    path = tmp_path / "file"
    path.touch()
    for wrong in (path, tmp_path / "missing"):
        with pytest.raises(Unreachable, match=str(wrong)):
            await SerialTransport(path=str(wrong)).open()


async def test_a_refused_connection_is_unreachable() -> None:
    """Nobody listens there."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match="refused"):
            await TCPTransport(host="127.0.0.1", port=unused.getsockname()[1]).open()


async def test_a_number_needs_no_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address written as a number never asks DNS."""

    def asked(*_: object, **__: object) -> None:
        raise AssertionError("a name was looked up")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(socket, "getaddrinfo", asked)
        line = open_transport(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        await line.open()
        await line.close()


async def test_without_a_name_server_the_last_address_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that was resolved once can be reached again though DNS is dead; one never resolved cannot."""

    def dead(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "temporary failure")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = TCPTransport(host="localhost", port=listener.getsockname()[1])
        await line.open()
        monkeypatch.setattr(socket, "getaddrinfo", dead)
        await line.open()
        await line.close()
        with pytest.raises(Unreachable, match="not resolved"):
            await TCPTransport(host="localhost", port=1).open()


async def test_a_name_is_never_looked_up_in_the_loop_s_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hung look-ups of as many lines as there may be pool threads hold up nobody; with an address book there is none."""
    hung = threading.Event()
    asked: list[str] = []

    def hang(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        hung.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr("hardware.transports.tcp._RESOLVE_DEADLINE", 0.05)
    pool = ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(pool)
    try:
        line = TCPTransport(host="tnc.example", port=1)
        for _ in range(3):
            with pytest.raises(Unreachable, match="not resolved"):
                await line.open()
        async with asyncio.timeout(PATIENCE):
            assert 7 == await asyncio.get_running_loop().run_in_executor(None, lambda: 7)
        assert ["tnc.example"] == asked
    finally:
        hung.set()


class _Book:
    def __init__(self, **known: str) -> None:
        self.known = known
        self.watched: list[str] = []

    def watch(self, host: str) -> None:
        self.watched.append(host)

    def of(self, host: str) -> str | None:
        return self.known.get(host)


async def test_with_an_address_book_nothing_is_looked_up_when_a_line_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The book watches the host from the start; a host it never found is unreachable, at once."""
    monkeypatch.setattr(socket, "getaddrinfo", None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        book = _Book(tnc="127.0.0.1")
        line = open_transport(f"tcp://tnc:{listener.getsockname()[1]}", book)
        assert ["tnc"] == book.watched
        await line.open()
        await line.close()
        with pytest.raises(Unreachable, match="never found"):
            await open_transport("tcp://other:1", book).open()


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("usb:///dev/ttyUSB0", "expected a URL of serial://, tcp://"),
        ("", "expected a URL of serial://, tcp://"),
        ("tcp://[::1", "expected a URL of"),
        ("serial://ttyUSB0", "a whole path"),
        ("serial://", "a whole path"),
        ("serial:///dev/ttyUSB0?baud=fast", "baud 'fast' is no speed"),
        ("serial:///dev/ttyUSB0?baud=9601", "baud '9601' is no speed"),
        ("serial:///dev/ttyUSB0?speed=9600", "option 'speed' is unknown"),
        ("tcp://127.0.0.1", "expected tcp://host:port"),
        ("tcp://127.0.0.1:99999", "expected tcp://host:port"),
        ("tcp://:8001", "expected tcp://host:port"),
        ("tcp://127.0.0.1:8001/path", "expected tcp://host:port"),
    ],
)
def test_a_wrong_url_says_what_was_expected(url: str, fault: str) -> None:
    """Settings are refused at start, not at the first press."""
    with pytest.raises(SettingsError) as refusal:
        open_transport(url)
    assert repr(url) in str(refusal.value)
    assert fault in str(refusal.value)


PIPES: dict[str, Callable[[], Pipe]] = {
    "whole": lambda: whole,
    "byte at a time": lambda: byte_at_a_time,
    "lossy": lambda: lossy(Random(5)),
    "hang up": lambda: hang_up(10_007),
}


@pytest.mark.parametrize("pipe", PIPES)
async def test_frames_over_the_four_pipes(pipe: str) -> None:
    """Good pipes bring every frame, bad ones only whole frames, or frames that a check sum will refuse."""
    cable = Cable(out=PIPES[pipe]())
    await cable.near.open()
    await cable.far.open()
    sent = [Random(n).randbytes(20) + bytes([0xC0, 0xDB, n]) for n in range(200)] * 5
    decoder = kiss.Decoder()
    got: list[bytes] = []
    failure: LinkError | None = None
    for payload in sent:
        try:
            await cable.near.write(kiss.encode(payload))
        except LinkError as error:
            failure = failure or error
            continue
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                data = await cable.far.read()
                got += [frame.data for frame in decoder.feed(data) if isinstance(frame, kiss.Frame)]
                if pipe != "hang up" and not cable.far._arrived:
                    break
    except Unreachable:
        pass

    match pipe:
        case "lossy":
            whole_ones = [data for data in got if data in set(sent)]
            assert 600 < len(whole_ones) < 1000
        case "hang up":
            assert isinstance(failure, Uncertain | Unreachable)
            assert sent[: len(got)] == got
            assert 300 < len(got) < 400
        case _:
            assert sent == got


async def test_a_pulled_memory_cable_can_be_plugged_in_again() -> None:
    """Both ends see it go, and open again once it is mended."""
    cable = Cable()
    await cable.near.open()
    await cable.far.open()
    await cable.near.write(b"lost")
    cable.pull()
    for end in (cable.near, cable.far):
        await expect_unreachable(end.read)
        await expect_unreachable(end.open)
    cable.plug()
    await cable.near.open()
    await cable.far.open()
    await cable.near.write(b"found")
    assert await cable.far.read() == b"found"


async def test_opening_keys_no_radio(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    """RTS and DTR are low at the first moment the driver hears of them."""
    states: list[tuple[str, bool]] = []

    class Watched(Serial):
        def _update_rts_state(self) -> None:
            states.append(("rts", self._rts_state))

        def _update_dtr_state(self) -> None:
            states.append(("dtr", self._dtr_state))

    monkeypatch.setattr("hardware.transports.serial.Serial", Watched)
    line = SerialTransport(path=pty.path)
    await line.open()
    await line.close()

    assert {("rts", False), ("dtr", False)} == set(states)


@pytest.mark.parametrize("impatience", ["deadline", "cancelled"])
async def test_a_driver_that_hangs_does_not_hold_us(
    impatience: str, pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An opening that takes too long is given up; if it succeeds after all, the device is let go of."""
    going_on, closed = threading.Event(), threading.Event()

    class Hanging(Serial):
        def open(self) -> None:
            going_on.wait(5)
            super().open()

        def close(self) -> None:
            if self.is_open:
                closed.set()
            super().close()

    monkeypatch.setattr("hardware.transports.serial.Serial", Hanging)
    if impatience == "deadline":
        monkeypatch.setattr("hardware.transports.serial._OPEN_DEADLINE", 0.05)
        with pytest.raises(Unreachable, match=r"did not open within 0\.05 s"):
            await SerialTransport(path=pty.path).open()
    else:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await SerialTransport(path=pty.path).open()
    going_on.set()
    assert await asyncio.to_thread(closed.wait, 5)


async def test_a_serial_line_is_opened_while_the_loops_own_threads_all_hang(pty: Pty) -> None:
    """Look-ups of names take those, for as long as a name server is silent."""
    hung = threading.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    stuck = loop.run_in_executor(None, hung.wait, 10)
    line = SerialTransport(path=pty.path)
    try:
        async with asyncio.timeout(PATIENCE):
            await line.open()
            await line.close()
        assert not stuck.done()
    finally:
        hung.set()
        await stuck


async def test_a_driver_that_hangs_is_not_asked_again_meanwhile(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Openings that hang do not pile up; once the last one has come to an end the line opens."""
    going_on, asked = threading.Event(), []

    class Hanging(Serial):
        def open(self) -> None:
            asked.append(1)
            going_on.wait(5)
            super().open()

    monkeypatch.setattr("hardware.transports.serial.Serial", Hanging)
    monkeypatch.setattr("hardware.transports.serial._OPEN_DEADLINE", 0.05)
    line = SerialTransport(path=pty.path)
    for _ in range(3):
        with pytest.raises(Unreachable, match="did not open"):
            await line.open()
    assert 1 == len(asked)
    monkeypatch.setattr("hardware.transports.serial._OPEN_DEADLINE", 5.0)
    going_on.set()
    await line.open()
    await line.close()
    assert 2 == len(asked)


async def test_a_far_side_that_does_not_answer_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that does not come about is given up."""
    monkeypatch.setattr("hardware.transports.tcp._OPEN_DEADLINE", 0.05)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        lines = [TCPTransport(host="127.0.0.1", port=address[1]) for _ in range(3)]
        with pytest.raises(Unreachable, match=r"no connection within 0\.05 s"):
            for line in lines:
                await line.open()
        for line in lines:
            await line.close()
