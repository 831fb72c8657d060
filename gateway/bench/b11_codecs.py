"""B11: frames a second that each codec reads and writes, and what becomes of spoilt ones.

One frame at a time, in one thread. The floor does with the same octets what no reader can do without: it takes them
in, looks at each once (CRC-32, of the C library) and makes one record of them.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from random import Random
from statistics import median

from msgspec import Struct

from gateway.bench.codecs import Codec, Outcome, codecs, spoil
from gateway.bench.figure import Figure

GOAL = 20_000
"""Frames a second."""
ROUNDS = 5
SECONDS = 0.06
"""Of each measurement in a round."""
SPOILT = 20_000
"""Frames in all; the long run is `make soak`."""


class _Record(Struct, frozen=True):
    octets: bytes
    check: int


async def run() -> list[Figure]:
    """Reading and writing, codec by codec, and the spoilt frames of all."""
    every = codecs()
    figures = [figure for codec in every for figure in _speeds(codec)]
    return [*figures, _spoilt(every)]


def _speeds(codec: Codec) -> list[Figure]:
    said = codec.read(codec.sample)
    octets = bytearray(codec.sample)
    reads, writes, floors = [], [], []
    for _ in range(ROUNDS):
        floors.append(_rate(lambda: _Record(bytes(octets), zlib.crc32(octets))))
        reads.append(_rate(lambda: codec.read(codec.sample)))
        writes.append(_rate(lambda: codec.write(said)))
    return [
        Figure(
            id="B11",
            name=f"{codec.name}, frames {verb}",
            value=round(median(rates)),
            unit="1/s",
            floor=round(median(floors)),
            ratio=round(median(floors) / median(rates), 1),
            goal=f">= {GOAL}/s",
            met=median(rates) >= GOAL,
            extra={"octets": len(codec.sample)},
        )
        for verb, rates in (("read", reads), ("written", writes))
    ]


def _rate(work: Callable[[], object]) -> float:
    """How often a second, at the best of short stretches: a busy machine only takes away."""
    count = 1
    while True:
        begun = time.perf_counter()
        for _ in range(count):
            work()
        spent = time.perf_counter() - begun
        if spent >= SECONDS:
            return count / spent
        count = max(count * 2, int(count * SECONDS / max(spent, 1e-9)))


def _spoilt(every: tuple[Codec, ...]) -> Figure:
    told = Outcome()
    for codec in every:
        spoil(codec, SPOILT // len(every), Random(codec.name), told)
    failed = told.wrong + sum(told.raised.values())
    return Figure(
        id="B11",
        name="spoilt frames accepted wrong, or not refused as Malformed",
        value=failed,
        unit=f"of {told.frames}",
        goal="0",
        met=failed == 0,
        extra={
            "malformed": told.malformed,
            "meaning untouched": told.same,
            "another meaning, no check in that wire form": told.other,
            "wrong": told.wrong,
            "raised": told.raised,
        },
    )
