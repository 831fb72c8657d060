"""B10: the radio's line.

One way through KISS, AX.25 and the serial transport against a raw descriptor on the same kind of pseudo-terminal, the
far end in another process; and how long the loop stands still while the line is full.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from belltower.errors import LinkError
from gateway.bench import far_end
from gateway.bench.figure import Figure
from hardware.codecs import ax25, kiss
from hardware.codecs.ax25 import Address, UIFrame
from hardware.transports.serial import SerialTransport

ROUNDS = 12
FRAMES = 200
WINDOWS = 5
WINDOW_SECONDS = 0.8
"""A line that holds the loop shows in every window; a busy machine in some. The calmest is judged, all are told."""

_SCHOOL, _PSAP = Address(callsign="SCHOOL", ssid=1), Address(callsign="PSAP")
_FILL = b"x" * (far_end.SIZE - 39)


async def run() -> list[Figure]:
    """The one-way times out and in, and the longest stall of the loop, each beside its floor."""
    out: list[list[int]] = []
    out_floor: list[list[int]] = []
    back: list[list[int]] = []
    back_floor: list[list[int]] = []
    for _ in range(ROUNDS):
        out_floor.append(await _out_raw())
        out.append(await _out())
        back_floor.append(await _back_raw())
        back.append(await _back())
    idle, full, refused = await _stalls()
    return [
        _one_way("radio, one way out", out, out_floor),
        _one_way("radio, one way in", back, back_floor),
        Figure(
            id="B10",
            name="longest loop stall with the line full",
            value=min(full),
            unit="ms",
            floor=min(idle),
            ratio=round(min(full) / min(idle), 2),
            goal="<= 5 ms",
            met=min(full) <= 5,
            extra={"windows": full, "idle windows": idle, "writes refused at their deadline": refused},
        ),
    ]


def _one_way(name: str, rounds: list[list[int]], floor: list[list[int]]) -> Figure:
    value, least = _percentile(rounds, 0.99), _percentile(floor, 0.99)
    return Figure(
        id="B10",
        name=f"{name}, p99",
        value=value,
        unit="us",
        floor=least,
        ratio=round(value / least, 2),
        goal="<= 3 x raw descriptor",
        met=value <= 3 * least,
        extra={
            "p50": _percentile(rounds, 0.5),
            "floor p50": _percentile(floor, 0.5),
            "frames": sum(map(len, rounds)),
        },
    )


def _percentile(rounds: list[list[int]], share: float) -> float:
    """In microseconds; the median of what each round gives, so that one round of a busy machine does not decide."""
    return round(statistics.median(sorted(ages)[int(len(ages) * share)] for ages in rounds) / 1000, 1)


def _frame() -> bytes:
    return kiss.encode(
        ax25.encode(UIFrame(destination=_PSAP, source=_SCHOOL, info=far_end.stamped() + _FILL))
    )


_STAMP_AT = 18
"""KISS delimiter and type, two addresses, control and protocol stand before the stamp."""


async def _out() -> list[int]:
    with _pty() as (far, path):
        line = SerialTransport(path=path)
        await line.open()
        sink = await _far_end("sink", far, _STAMP_AT, far_end.SIZE)
        for _ in range(FRAMES):
            await asyncio.sleep(far_end.PACE)
            await line.write(_frame())
        ages = await _ages(sink)
        await line.close()
    return ages


async def _out_raw() -> list[int]:
    with _pty() as (far, path):
        number = os.open(path, os.O_RDWR | os.O_NOCTTY)
        sink = await _far_end("sink", far, _STAMP_AT, far_end.SIZE)
        head, tail = _around()
        await asyncio.to_thread(far_end.source, number, FRAMES, head, tail)
        ages = await _ages(sink)
        os.close(number)
    return ages


async def _back() -> list[int]:
    with _pty() as (far, path):
        line = SerialTransport(path=path)
        await line.open()
        head, tail = _around()
        source = await _far_end("source", far, head.hex(), tail.hex())
        decoder = kiss.Decoder()
        ages: list[int] = []
        while len(ages) < FRAMES:
            frames = decoder.feed(await line.read())
            ages += [
                far_end.age(ax25.decode(each.data).info, 0) for each in frames if isinstance(each, kiss.Frame)
            ]
        await source.wait()
        await line.close()
    return ages


async def _back_raw() -> list[int]:
    with _pty() as (far, path):
        number = os.open(path, os.O_RDWR | os.O_NOCTTY)
        head, tail = _around()
        source = await _far_end("source", far, head.hex(), tail.hex())
        ages = await asyncio.to_thread(far_end.sink, number, FRAMES, _STAMP_AT, far_end.SIZE)
        await source.wait()
        os.close(number)
    return ages


async def _stalls() -> tuple[list[float], list[float], int]:
    """Milliseconds by window: idle, and while 16 writers press against a line nobody reads; and what was refused."""
    with _pty() as (_, path):
        line = SerialTransport(path=path, write_deadline=0.05)
        await line.open()
        refused = 0

        async def press() -> None:
            nonlocal refused
            while True:
                with suppress(LinkError):
                    await line.write(_frame())
                    continue
                refused += 1

        idle = [await _longest_stall() for _ in range(WINDOWS)]
        async with asyncio.TaskGroup() as group:
            pressing = [group.create_task(press(), name="press") for _ in range(16)]
            await asyncio.sleep(0.2)
            full = [await _longest_stall() for _ in range(WINDOWS)]
            for each in pressing:
                each.cancel()
        await line.close()
    return idle, full, refused


async def _longest_stall() -> float:
    worst = 0
    end = time.monotonic_ns() + int(WINDOW_SECONDS * 1e9)
    while (before := time.monotonic_ns()) < end:
        await asyncio.sleep(0.001)
        worst = max(worst, time.monotonic_ns() - before - 1_000_000)
    return round(worst / 1e6, 2)


def _around() -> tuple[bytes, bytes]:
    frame = _frame()
    return frame[:_STAMP_AT], frame[_STAMP_AT + 20 :]


@contextmanager
def _pty() -> Iterator[tuple[int, str]]:
    far, near = os.openpty()
    tty.setraw(near)
    try:
        yield far, os.ttyname(near)
    finally:
        os.close(near)
        os.close(far)


async def _far_end(role: str, number: int, *words: object) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.bench.far_end",
        role,
        str(number),
        str(FRAMES),
        *map(str, words),
        pass_fds=[number],
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    return process


async def _ages(sink: asyncio.subprocess.Process) -> list[int]:
    printed, _ = await sink.communicate()
    ages: list[int] = json.loads(printed)
    return ages


if __name__ == "__main__":
    for figure in asyncio.run(run()):
        print(figure)
