"""Processes that die at a named point: forked from one that has imported the product, so that a life begins in no time.

Run as a script it reads one order a line (`Life` as JSON), forks, and runs the lane or the desk in the child. The product is as it ships: before a life begins, the one function that its point names is wrapped so that the
process sends itself SIGKILL at the n-th time it is entered or left.
"""

import asyncio
import ctypes
import gc
import importlib
import inspect
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
import types
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from hardware.codecs.unit import Level

ROOT = Path(__file__).parents[2]
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Point(NamedTuple):
    """A place in the product: `module:Class.function`, at its beginning or its end."""

    where: str
    after: bool = False
    hits: int = 1
    """A life passes it at least so often."""
    about: str = ""
    """Only hits count whose arguments have to do with a record of this name, or a text that holds it."""


class Life(msgspec.Struct, kw_only=True):
    """What a child is to run, and where it dies."""

    number: int = 0
    lane: str = "alarm"
    config: str = ""
    point: Point | None = None
    hit: int = 1
    # Commits 2 to n take longer than the journal waits for.
    slow_commits: int = 0
    # A plan of more rows than this is written in pieces; 0: as shipped.
    piece: int = 0
    # Units are acknowledged before the commit: the bug that the stories must find.
    hasty: bool = False
    # What it says on standard output and standard error.
    output: str = os.devnull


# ---- dying


def die() -> None:
    """End at once, as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(10)


def arm(point: Point, hit: int) -> None:
    """Die at the `hit`-th time that the point is passed."""
    left = hit

    def passed(*arguments: object) -> None:
        nonlocal left
        if point.about and not any(_is_about(one, point.about) for one in arguments):
            return
        left -= 1
        if left == 0:
            die()

    if point.where == "mid-frame":
        _cut_frames(passed)
    else:
        wrap(point.where, passed, after=point.after)


def wrap(where: str, passed: Callable[..., None], *, after: bool = False) -> None:
    """Call `passed` with the arguments of each call of a function, before or after it."""
    module, _, path = where.partition(":")
    owner: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    original = vars(owner)[name]
    function = original.__func__ if isinstance(original, staticmethod) else original

    def wrapped(*args: object, **kwargs: object) -> object:
        if not after:
            passed(*args)
        result = function(*args, **kwargs)
        if after:
            passed(*args)
        return result

    async def awaited(*args: object, **kwargs: object) -> object:
        if not after:
            passed(*args)
        result = await function(*args, **kwargs)
        if after:
            passed(*args)
        return result

    replacement: Any = awaited if inspect.iscoroutinefunction(function) else wrapped
    setattr(owner, name, staticmethod(replacement) if isinstance(original, staticmethod) else replacement)


def _is_about(argument: object, name: str) -> bool:
    if type(argument).__name__ == name or name in str(getattr(argument, "text", "")):
        return True
    return any(type(draft.fact).__name__ == name for draft in getattr(argument, "drafts", ()))


def _cut_frames(passed: Callable[..., None]) -> None:
    """Hand half of a call's frame to the line, then count."""
    from hardware.transports.descriptor import Descriptor

    push = Descriptor._push

    def half(self: Descriptor, data: bytes) -> int:
        if any(word in data for word in (b"PANIC", b"MEDICAL", b"MORE")):
            os.write(self._number, data[: len(data) // 2])
            passed()
            data = data[len(data) // 2 :]
        return push(self, data)

    Descriptor._push = half


# ---- the forking process


def main() -> None:
    """Fork a child for each order, and say when one begins and ends."""
    package = types.ModuleType("tests")  # a library of the same name may be installed
    package.__path__ = [str(ROOT / "tests")]
    sys.modules["tests"] = package
    for module in ("gateway.alarm_lane", "tests.peers.desk", "hardware.transports.serial"):
        importlib.import_module(module)
    sys.modules["gateway.site_package.wording"]._shipped()
    sys.modules["hardware.profiles.loading"].shipped()
    gc.freeze()

    ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
    read, write = os.pipe2(os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    numbers: dict[int, int] = {}
    rest = b""
    _tell(number=0)
    while True:
        ready, _, _ = select.select([0, read], [], [])
        if read in ready:
            with suppress(BlockingIOError):
                os.read(read, 4096)
            while numbers:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                _tell(number=numbers.pop(pid), code=os.waitstatus_to_exitcode(status))
        if 0 in ready:
            data = os.read(0, 65_536)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                life = msgspec.json.decode(line, type=Life)
                pid = os.fork()
                if not pid:
                    _live(life)
                numbers[pid] = life.number
                _tell(number=life.number, pid=pid)


def _tell(**what: int) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def _live(life: Life) -> None:
    """A child's whole life."""
    code = 1
    import notify.planner

    try:
        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        output = os.open(life.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number, file in ((0, nothing), (1, output), (2, output)):
            os.dup2(file, number)
        if life.point is not None:
            arm(life.point, life.hit)
        if life.slow_commits:
            _slow_down(life.slow_commits)
        if life.hasty:
            _acknowledge_early()
        if life.piece:
            notify.planner.CHUNK = life.piece
        asyncio.run(_run(life))
        code = 0
    except BaseException:  # noqa: BLE001 - nothing may come back into the forking process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


async def _run(life: Life) -> None:
    if life.lane == "alarm":
        from gateway import alarm_lane

        await alarm_lane.run(Path(life.config), asyncio.Event())
    else:
        from tests.peers import desk

        await desk.main(msgspec.json.decode(life.config, type=desk.DeskOptions))


def _slow_down(commits: int) -> None:
    count = 0

    def tardy(*_: object) -> None:
        nonlocal count
        count += 1
        if 1 < count <= commits:
            time.sleep(0.04)

    wrap("belltower.store.sqlite_engine:SQLiteEngine._commit", tardy)


def _acknowledge_early() -> None:
    def acknowledge(intake: Any, unit: Any, frame: Any, *rest: Any) -> None:
        intake._send(unit, frame, Level.RECORDED, rest[-1])

    wrap("gateway.intake.intake:Intake._raise", acknowledge, after=True)


# ---- the side of the tests


class Child:
    """One life, as its parent sees it."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.pid = 0
        self.begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def kill(self) -> None:
        """SIGKILL, if it lives."""
        if self.pid and not self.ended.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class Forker:
    """The forking process. Use it from one loop at a time, inside `with forker.attached():`."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline()
        self._children: dict[int, Child] = {}
        self._number = 0
        self._rest = b""

    def __enter__(self) -> Self:
        """Hear the forking process in the running loop."""
        asyncio.get_running_loop().add_reader(self._process.stdout.fileno(), self._hear)
        return self

    def __exit__(self, *details: object) -> None:
        asyncio.get_running_loop().remove_reader(self._process.stdout.fileno())

    async def begin(self, life: Life) -> Child:
        """Begin a life."""
        self._number += 1
        life.number = self._number
        child = self._children[self._number] = Child(life)
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(life) + b"\n")
        child.pid = await child.begun
        return child

    def close(self) -> None:
        """End it, and with it all children."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()

    def _hear(self) -> None:
        data = os.read(self._process.stdout.fileno(), 65_536)
        assert data, "the forking process ended"
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            said = json.loads(line)
            child = self._children[said["number"]]
            future, value = (child.begun, said["pid"]) if "pid" in said else (child.ended, said["code"])
            if not future.done():
                future.set_result(value)


if __name__ == "__main__":
    main()
