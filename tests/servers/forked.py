"""Commands as processes of their own, forked from one that has imported the product: they begin in no time.

`python -m MODULE WORDS` imports for most of a second before it does anything. Here the same module is run as
`__main__` in a fork of a process that has it imported already: its own pid, arguments, environment, folder and
descriptors, signals as ever, and the exit code that it ends with. Whatever is about the start of a process itself,
and one story of each kind, starts it by exec.
"""

import asyncio
import atexit
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIPE = subprocess.PIPE
_WORD = struct.Struct("=i")
_LONGEST = 1 << 17
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_NEEDED_LATE = (
    *("gateway.alarm_lane", "gateway.desk_lane", "gateway.supervisor", "gateway.broker_config"),
    *("gateway.county", "gateway.carrier.carrier", "rich.table"),
)
"""What commands import once they run."""


# ---- the process that forks


def main() -> None:
    """Fork a process for each order, and tell its pid and its exit code on the order's own pipe."""
    orders = socket.socket(fileno=int(sys.argv[1]))
    commands = [f"gateway.cli.{file.stem}" for file in sorted((ROOT / "gateway" / "cli").glob("[a-z]*.py"))]
    for module in (*commands, *_NEEDED_LATE):
        importlib.import_module(module)
    sys.modules["gateway.site_package.wording"]._shipped()
    sys.modules["hardware.profiles.loading"].shipped()
    gc.collect()
    gc.freeze()
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    told: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([orders, read], [], [])
        if read in ready:
            with suppress(BlockingIOError):
                os.read(read, 4096)
            while told:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                _tell(told[pid], os.waitstatus_to_exitcode(status))
                os.close(told.pop(pid))
        if orders in ready:
            order, descriptors, _, _ = socket.recv_fds(orders, _LONGEST, 4)
            if not order:
                return
            *streams, teller = descriptors
            pid = os.fork()
            if not pid:
                _become(json.loads(order), streams)
            for descriptor in streams:
                os.close(descriptor)
            told[pid] = teller
            _tell(teller, pid)


def _tell(teller: int, number: int) -> None:
    with suppress(BrokenPipeError):  # nobody waits for it any more
        os.write(teller, _WORD.pack(number))


def _become(order: dict, streams: list[int]) -> None:
    """In the child: what `python -m` would have begun, to its end."""
    ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    module, *words = order["command"]
    sys.argv = [module, *words]
    if not hasattr(sys.modules[module], "__path__"):
        del sys.modules[module]  # it is `__main__` now
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit(0)


# ---- the side of the tests


_starting = threading.Lock()
_doors: list[socket.socket] = []


def _orders() -> socket.socket:
    """Where the forking process takes orders; it runs as long as this one."""
    with _starting:
        if not _doors:
            _doors.append(_forking())
        return _doors[0]


def _forking() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        number = theirs.fileno()
        command = [sys.executable, "-m", "tests.servers.forked", str(number)]
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[number]
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _ordered(command: tuple[object, ...], env: Mapping[str, str], streams: list[int]) -> int:
    """Ask for a process with these three streams; the pipe on which its pid and its exit code will be told."""
    order = {"command": [str(word) for word in command], "env": dict(env), "cwd": str(ROOT)}
    heard, teller = os.pipe2(os.O_CLOEXEC)
    try:
        socket.send_fds(_orders(), [json.dumps(order).encode()], [*streams, teller])
    finally:
        os.close(teller)
    return heard


def _number(heard: int) -> int:
    told = os.read(heard, _WORD.size)
    assert told, "the forking process ended"
    (number,) = _WORD.unpack(told)
    return int(number)


def run(
    *command: object, env: Mapping[str, str] = os.environ, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run `python -m` with these words to its end, and keep what it said."""
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        Path(os.devnull).open("rb") as nothing,
    ):
        heard = _ordered(command, env, [file.fileno() for file in (nothing, out, err)])
        try:
            pid = _number(heard)
            if not select.select([heard], [], [], timeout)[0]:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired([*command], timeout)
            code = _number(heard)
        finally:
            os.close(heard)
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode().replace("\r\n", "\n"))
    return subprocess.CompletedProcess([*command], code, *said)


class Forked:
    """A process that runs, seen as `asyncio.subprocess.Process` shows one."""

    def __init__(self, heard: int) -> None:
        self._heard = heard
        loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[int] = loop.create_future()
        self._ended: asyncio.Future[int] = loop.create_future()
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        loop.add_reader(heard, self._hear)

    def _hear(self) -> None:
        number = _number(self._heard)
        if not self.begun.done():
            self.begun.set_result(number)
            return
        self._ended.set_result(number)
        asyncio.get_running_loop().remove_reader(self._heard)
        os.close(self._heard)

    @property
    def pid(self) -> int:
        """Its number."""
        return self.begun.result()

    @property
    def returncode(self) -> int | None:
        """What it ended with; None while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Wait for its end."""
        return await asyncio.shield(self._ended)

    async def communicate(self) -> tuple[bytes | None, bytes | None]:
        """Read all that it says, and wait for its end."""
        async with asyncio.TaskGroup() as group:
            said = [
                group.create_task(stream.read()) if stream is not None else None
                for stream in (self.stdout, self.stderr)
            ]
        await self.wait()
        out, err = (each.result() if each is not None else None for each in said)
        return out, err

    def send_signal(self, number: int) -> None:
        """ProcessLookupError: it has ended."""
        if self._ended.done():
            raise ProcessLookupError
        os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


async def start(
    *command: object,
    env: Mapping[str, str] = os.environ,
    stdin: int = subprocess.DEVNULL,
    stdout: int | None = None,
    stderr: int | None = None,
) -> Forked:
    """Start `python -m` with these words; the streams are as `asyncio.create_subprocess_exec` takes them."""
    loop = asyncio.get_running_loop()
    reading: dict[str, int] = {}
    lent: list[int] = []
    streams = [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) if stdin == subprocess.DEVNULL else stdin]
    lent += streams if stdin == subprocess.DEVNULL else []
    for number, (name, wanted) in enumerate((("stdout", stdout), ("stderr", stderr)), start=1):
        if wanted == PIPE:
            reading[name], theirs = os.pipe2(os.O_CLOEXEC)
            lent.append(theirs)
            streams.append(theirs)
        else:
            streams.append(
                number if wanted is None else streams[1] if wanted == subprocess.STDOUT else wanted
            )
    try:
        process = Forked(_ordered(command, env, streams))
    finally:
        for descriptor in lent:
            os.close(descriptor)
    for name, descriptor in reading.items():
        reader = asyncio.StreamReader()
        pipe = os.fdopen(descriptor, "rb", 0)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)  # noqa: B023
        setattr(process, name, reader)
    await process.begun
    return process


if __name__ == "__main__":
    main()
