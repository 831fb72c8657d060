"""B4: how fast facts become durable.

The goals are the journal's: a fact chained, indexed and fed to followers. The store alone is shown beside it.
The floor is a plain file to which a thread appends whatever has queued up and calls `fdatasync` once for all of it.
Rounds of product and floor alternate, and the ratio is the median of the rounds' ratios: the disk's mood changes by
the second, the ratio hardly does. `python -m gateway.bench.b4 slow` measures under whatever flush it finds and prints
JSON; `run` starts it again with 20 ms added to every flush.
"""

from __future__ import annotations

import asyncio
import gc
import os
import queue
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

import apsw
import msgspec

from belltower.clock import Instant
from belltower.ids import FactId, StreamName
from belltower.journal import Draft, Journal, SpoolFile
from belltower.store import Step, Transaction, open_database
from gateway.bench.figure import Figure

_WRITERS = 200
_ROUNDS = 7
_APPENDS = 20_000
_BODY = b'{"alarm":"alm_01J00000000000000000000000","unit":"u17","kind":"panic","place":"north/1/113"}'
_TABLE = Step(
    room="bench",
    number=1,
    sql="CREATE TABLE bench (stream TEXT NOT NULL, position BIGINT NOT NULL, body BYTEA NOT NULL,"
    " PRIMARY KEY (stream, position)) /* clustered */",
)

Append = Callable[[], Awaitable[object]]


class _Plain:
    """Facts that are bytes already: what is measured is the journal."""

    def encode(self, fact: bytes) -> tuple[str, bytes]:
        return "bench", fact

    def decode(self, tag: str, body: bytes) -> bytes:  # noqa: ARG002 - the codec's contract
        return body


class _FileJournal:
    """The floor."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._queue: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def append(self, data: bytes) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((data, future))
        return future

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        os.close(self._file)

    def _write(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            while not self._queue.empty():
                item = self._queue.get()
                if item is None:
                    return
                group.append(item)
            os.write(self._file, b"".join([data for data, _ in group]))
            os.fdatasync(self._file)
            self._loop.call_soon_threadsafe(self._settle, [future for _, future in group])

    @staticmethod
    def _settle(futures: list[asyncio.Future[None]]) -> None:
        for future in futures:
            future.set_result(None)


async def _burst(append: Append, *, appends: int, writers: int = _WRITERS) -> tuple[float, list[float]]:
    """Appends a second, and every latency in ms, sorted."""
    took: list[float] = []

    async def writer() -> None:
        for _ in range(appends // writers):
            began = time.perf_counter()
            await append()
            took.append((time.perf_counter() - began) * 1_000)

    gc.collect()
    began = time.perf_counter()
    await asyncio.gather(*(writer() for _ in range(writers)))
    elapsed = time.perf_counter() - began
    took.sort()
    return len(took) / elapsed, took


def _at(took: list[float], part: float) -> float:
    return took[min(int(len(took) * part), len(took) - 1)]


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="belltower-b4-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Rig:
    """The three things that append: floor, store, journal."""

    def __init__(self, folder: Path, before_commit: Callable[[], None] | None = None) -> None:
        self._folder = folder
        self._before_commit = before_commit
        self._count = 0

    async def open(self) -> None:
        self.file = _FileJournal(self._folder / "floor")
        self.database = await open_database(
            f"sqlite://{self._folder}/store.db", before_commit=self._before_commit
        )
        await self.database.migrate([_TABLE])
        self._other = await open_database(
            f"sqlite://{self._folder}/journal/journal.db", before_commit=self._before_commit
        )
        self.journal = Journal(
            database=self._other,
            stream=StreamName("bench"),
            codec=_Plain(),
            spool=SpoolFile(path=self._folder / "spool"),
        )
        await self.journal.open()

    async def close(self) -> None:
        await self.journal.close()
        await self._other.close()
        await self.database.close()
        self.file.close()

    def to_file(self) -> Awaitable[object]:
        return self.file.append(_BODY)

    def to_store(self) -> Awaitable[object]:
        self._count += 1
        tx = Transaction()
        tx.add(
            "INSERT INTO bench (stream, position, body) VALUES (:stream, :position, :body)",
            stream="bench",
            position=self._count,
            body=_BODY,
        )
        return self.database.submit(tx)

    def to_journal(self) -> Awaitable[object]:
        self._count += 1
        draft = Draft(
            id=FactId(f"fct_{self._count:026}"),
            at=Instant(self._count),
            subject="inc_01J00000000000000000000000",
            fact=_BODY,
        )
        return self.journal.commit(Transaction(), [draft])


def _flushes(folder: Path, count: int = 200) -> list[float]:
    """Milliseconds of one small append and its fdatasync, sorted."""
    file = os.open(folder / "flush", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    took = []
    try:
        for _ in range(count):
            began = time.perf_counter()
            os.write(file, _BODY)
            os.fdatasync(file)
            took.append((time.perf_counter() - began) * 1_000)
    finally:
        os.close(file)
    return sorted(took)


async def _slow(before_commit: Callable[[], None] | None = None) -> dict[str, float]:
    """Store and journal under a slow flush: the disk's own, or `before_commit`."""
    with _folder() as folder:
        (folder / "journal").mkdir()
        rig = _Rig(folder, before_commit)
        await rig.open()
        store_rate, store = await _burst(rig.to_store, appends=40_000)
        rate, took = await _burst(rig.to_journal, appends=40_000)
        flush = _flushes(folder, 10)
        await rig.close()
        return {
            "store_rate": store_rate,
            "store_p99": _at(store, 0.99),
            "rate": rate,
            "p50": _at(took, 0.5),
            "p99": _at(took, 0.99),
            "flush": _at(flush, 0.5),
        }


async def _under_slow_flush(folder: Path) -> dict[str, float] | None:
    """Run `_slow` in a process whose every flush takes 20 ms longer; None where no C compiler is."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    shim = folder / "flush.so"
    source = Path(__file__).with_name("flush.c")
    build = await asyncio.create_subprocess_exec(compiler, "-shared", "-fPIC", "-o", shim, source, "-ldl")
    if await build.wait() != 0:
        return None
    slow = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.bench.b4",
        "slow",
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "LD_PRELOAD": str(shim), "BELLTOWER_FLUSH_MS": "20"},
    )
    out, _ = await slow.communicate()
    return msgspec.json.decode(out, type=dict[str, float]) if slow.returncode == 0 else None


async def run() -> list[Figure]:
    """Measure B4."""
    with _folder() as folder:
        (folder / "journal").mkdir()
        rig = _Rig(folder)
        await rig.open()
        floors, stores, journals, flushes = [], [], [], []
        single_store, single_journal = [], []
        for appends in (_APPENDS // 4, *([_APPENDS] * _ROUNDS)):
            floors.append((await _burst(rig.to_file, appends=appends))[0])
            stores.append((await _burst(rig.to_store, appends=appends))[0])
            journals.append((await _burst(rig.to_journal, appends=appends))[0])
            flushes.append(_at(_flushes(folder), 0.5))
            single_store.append(_at((await _burst(rig.to_store, appends=200, writers=1))[1], 0.5))
            single_journal.append(_at((await _burst(rig.to_journal, appends=200, writers=1))[1], 0.5))
        await rig.close()
        slow = await _under_slow_flush(folder) or await _slow(before_commit=partial(time.sleep, 0.02))
    extra = {"flush_p50_ms": round(median(flushes[1:]), 3), "sqlite": apsw.sqlite_lib_version()}
    figures = [
        _rate("journal commits, 200 writers", journals[1:], floors[1:], 0.4, extra),
        _rate("the store alone, 200 writers", stores[1:], floors[1:], None, extra),
        _single("one journal commit, p50", single_journal[1:], flushes[1:], 2.0, extra),
        _single("one append to the store alone, p50", single_store[1:], flushes[1:], None, extra),
    ]
    for name, rate, p99, judged in (
        ("journal commits", slow["rate"], slow["p99"], True),
        ("the store alone", slow["store_rate"], slow["store_p99"], False),
    ):
        figures.append(
            Figure(
                id="B4",
                name=f"{name}, 20 ms added to every flush",
                value=round(rate),
                unit="/s",
                goal=">= 5000/s, p99 <= 50 ms" if judged else "",
                met=rate >= 5_000 and p99 <= 50 if judged else None,
                extra={"p99_ms": round(p99, 1), "flush_p50_ms": round(slow["flush"], 1)},
            )
        )
    return figures


def _rate(
    name: str, values: list[float], floors: list[float], goal: float | None, extra: dict[str, object]
) -> Figure:
    ratio = median(value / floor for value, floor in zip(values, floors, strict=True))
    return Figure(
        id="B4",
        name=name,
        value=round(median(values)),
        unit="/s",
        floor=round(median(floors)),
        ratio=round(ratio, 2),
        goal="" if goal is None else f">= {goal} x a file with group fdatasync",
        met=None if goal is None else ratio >= goal,
        extra=extra,
    )


def _single(
    name: str, values: list[float], floors: list[float], goal: float | None, extra: dict[str, object]
) -> Figure:
    ratio = median(value / floor for value, floor in zip(values, floors, strict=True))
    return Figure(
        id="B4",
        name=name,
        value=round(median(values), 3),
        unit="ms",
        floor=round(median(floors), 3),
        ratio=round(ratio, 2),
        goal="" if goal is None else f"<= {goal:g} x one fdatasync",
        met=None if goal is None else ratio <= goal,
        extra=extra,
    )


if __name__ == "__main__":
    result = asyncio.run(_slow()) if sys.argv[1:] == ["slow"] else asyncio.run(run())
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
