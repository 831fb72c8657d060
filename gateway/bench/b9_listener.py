"""B9, the listener's part: PUBLISH to PUBACK with the press on disk, one unit alone and many at once.

The listener commits each press to the real store before its PUBACK; the units are another process. The floor of one
press is a flush (`fdatasync` behind an appended press) and a round trip through a bare echo, from the same run.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import apsw
from msgspec import Struct

from belltower.store import Database, Step, Transaction, open_database
from gateway.bench.figure import Figure
from gateway.bench.mqtt_units import FRAME
from hardware.drivers import Received
from hardware.drivers.mqtt_listener import MQTTListener
from hardware.drivers.mqtt_registry import Limits, Permissions, own_unit

ROUNDS = 8
PRESSES = 250
UNITS = 100
CROWD = 10_000

_TABLE = Step(
    room="bench", number=1, sql="CREATE TABLE press (number BIGINT PRIMARY KEY, unit TEXT, body BYTEA)"
)


async def run() -> list[Figure]:
    """One unit's PUBACK, the last of a hundred at once, and of ten thousand with and without the store."""
    with tempfile.TemporaryDirectory(
        prefix="belltower-b9-", dir=os.environ.get("BELLTOWER_BENCH_DIR")
    ) as name:
        folder = Path(name)
        async with _house(folder) as house:
            port = house.port
            flushes: list[int] = []
            commits: list[int] = []
            echoes: list[int] = []
            presses: list[int] = []
            for _ in range(ROUNDS):
                flushes += await asyncio.to_thread(_flushes, folder / "floor", PRESSES)
                commits += await asyncio.to_thread(_commits, folder / "bare.db", PRESSES)
                echoes += await _echoes()
                presses += await _units("one", port, PRESSES)
            hundred = [max(await _units("many", port, UNITS)) for _ in range(ROUNDS)]
            crowd = await _units("many", port, CROWD)
        async with _house(None) as alone:
            plain = await _units("many", alone.port, CROWD)
            unstored = await _units("one", alone.port, ROUNDS * PRESSES)
    floor = _median(flushes) + _median(echoes)
    value = _median(presses)
    last = _median(hundred) / 1e6
    crowded = max(crowd) / 1e9
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        Figure(
            id="B9",
            name="listener, PUBACK with the press on disk, p50",
            value=round(value / 1000, 1),
            unit="us",
            floor=round(floor / 1000, 1),
            ratio=round(value / floor, 2),
            goal="<= 1.5 x (flush + round trip)",
            met=value <= 1.5 * floor,
            extra={
                "p99": round(sorted(presses)[len(presses) * 99 // 100] / 1000, 1),
                "flush p50": round(_median(flushes) / 1000, 1),
                "flush p99": round(sorted(flushes)[len(flushes) * 99 // 100] / 1000, 1),
                "round trip p50": round(_median(echoes) / 1000, 1),
                "bare SQLite commit p50": round(_median(commits) / 1000, 1),
                "PUBACK without the store p50": round(_median(unstored) / 1000, 1),
            },
        ),
        Figure(
            id="B9",
            name=f"listener, {UNITS} units at once, last PUBACK, p50",
            value=round(last, 2),
            unit="ms",
            goal="<= 15 ms",
            met=last <= 15,
            extra={"worst": round(max(hundred) / 1e6, 2)},
        ),
        Figure(
            id="B9",
            name=f"listener, {CROWD} units at once, last PUBACK, all on disk",
            value=round(crowded, 2),
            unit="s",
            goal="<= 2 s",
            met=crowded <= 2 and house.taken == ROUNDS * (PRESSES + UNITS) + CROWD,
            extra={
                "p50": round(_median(crowd) / 1e9, 2),
                "rows": house.taken,
                "peak MB with the bench": round(memory),
            },
        ),
        Figure(
            id="B9",
            name=f"listener alone, {CROWD} presses at once, by its processor time",
            value=round(CROWD / alone.busy),
            unit="/s",
            goal=">= 30,000/s",
            met=CROWD / alone.busy >= 30_000,
            extra={"by the clock, units on the same cores": round(CROWD / (max(plain) / 1e9))},
        ),
    ]


class _House(Struct):
    """What a running listener is asked for."""

    port: int = 0
    taken: int = 0
    begun: float = 0.0
    busy: float = 0.0
    """Seconds of processor time from the first press to the last."""


@asynccontextmanager
async def _house(folder: Path | None) -> AsyncIterator[_House]:
    """A listener, on a store in `folder` or on nothing."""
    database: Database | None = None
    if folder is not None:
        database = await open_database(f"sqlite://{folder}/bench.db")
        await database.migrate([_TABLE])
    house = _House()

    def take(received: Received) -> asyncio.Future[Any] | None:
        if not house.taken:
            house.begun = time.process_time()
        house.taken += 1
        if database is None:
            if house.taken == CROWD:
                house.busy = time.process_time() - house.begun
            return None
        tx = Transaction()
        tx.add(
            "INSERT INTO press (number, unit, body) VALUES (:number, :unit, :body)",
            expect=1,
            number=house.taken,
            unit=received.client,
            body=received.payload,
        )
        return database.submit(tx)

    listener = MQTTListener(
        on_publish=take, authenticate=_authenticate, port=0, limits=Limits(connections=2 * CROWD)
    )
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(listener.run(), name="listener")
        await listener.ready.wait()
        house.port = listener.port
        yield house
        serving.cancel()
    if database is not None:
        await database.close()


def _authenticate(username: str, password: bytes, client_id: str) -> Permissions | None:
    if client_id != username or not hmac.compare_digest(password, username.encode()):
        return None
    return own_unit(username)


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert isinstance(self._transport, asyncio.Transport)
        self._transport.write(data)


async def _echoes() -> list[int]:
    server = await asyncio.get_running_loop().create_server(_Echo, "127.0.0.1", 0)
    try:
        return await _units("echo", server.sockets[0].getsockname()[1], PRESSES)
    finally:
        server.close()


def _flushes(path: Path, count: int) -> list[int]:
    """Nanoseconds of appending a press to a file and making it stay."""
    times = []
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for _ in range(count):
        os.write(number, FRAME)
        begun = time.monotonic_ns()
        os.fdatasync(number)
        times.append(time.monotonic_ns() - begun)
    os.close(number)
    return times


def _commits(path: Path, count: int) -> list[int]:
    """Nanoseconds of committing a press with SQLite alone."""
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.execute("CREATE TABLE IF NOT EXISTS press (number INTEGER PRIMARY KEY, body BLOB)")
    times = []
    for _ in range(count):
        begun = time.monotonic_ns()
        connection.execute("INSERT INTO press (body) VALUES (?)", (FRAME,))
        times.append(time.monotonic_ns() - begun)
    connection.close()
    return times


async def _units(role: str, port: int, count: int) -> list[int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.bench.mqtt_units",
        role,
        str(port),
        str(count),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 22,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    printed, _ = await process.communicate(b"\n")
    times: list[int] = json.loads(printed)
    return times


def _median(values: list[int]) -> int:
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    for figure in asyncio.run(run()):
        print(figure)
