"""The far end of a line, in a process of its own: `python -m gateway.bench.far_end sink|source|idle FD COUNT`.

Frames of `SIZE` octets carry the monotonic time of their sending, which all processes of a machine share.
"""

from __future__ import annotations

import json
import os
import sys
import time

SIZE = 60
PACE = 0.002
_STAMP = 20


def stamped() -> bytes:
    """Octets for one frame: the time now, and filling without KISS's special octets."""
    return b"%020d" % time.monotonic_ns()


def age(frame: bytes, start: int) -> int:
    """Nanoseconds since the frame with its stamp at `start` was made."""
    return time.monotonic_ns() - int(frame[start : start + _STAMP])


def sink(number: int, count: int, start: int, size: int) -> list[int]:
    """The ages of `count` frames of `size` octets read raw."""
    buffer = b""
    ages: list[int] = []
    while len(ages) < count:
        buffer += os.read(number, 4096)
        while len(buffer) >= size:
            ages.append(age(buffer, start))
            buffer = buffer[size:]
    return ages


def source(number: int, count: int, head: bytes, tail: bytes) -> None:
    """Write `count` frames raw, one every `PACE` seconds."""
    for _ in range(count):
        time.sleep(PACE)
        os.write(number, head + stamped() + tail)


if __name__ == "__main__":
    descriptor, total = int(sys.argv[2]), int(sys.argv[3])
    sys.stdout.write("\n")
    sys.stdout.flush()
    if sys.argv[1] == "sink":
        json.dump(sink(descriptor, total, int(sys.argv[4]), int(sys.argv[5])), sys.stdout)
    else:
        source(descriptor, total, bytes.fromhex(sys.argv[4]), bytes.fromhex(sys.argv[5]))
