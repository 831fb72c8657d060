"""Mutated frames for codecs: what every decoder has to bear."""

import time
from collections.abc import Callable, Iterator, Sequence
from random import Random

from belltower.errors import Malformed

USUAL = 20_000
LONG = 1_000_000


def mutated(samples: Sequence[bytes], count: int, *, seed: int = 1) -> Iterator[bytes]:
    """Samples with one to four octets changed, dropped, doubled or cut off."""
    random = Random(seed)
    for _ in range(count):
        frame = bytearray(random.choice(samples))
        for _ in range(random.randint(1, 4)):
            at = random.randrange(len(frame) + 1)
            match random.randrange(5):
                case 0 if at < len(frame):
                    frame[at] ^= 1 << random.randrange(8)
                case 1 if at < len(frame):
                    frame[at] = random.randrange(256)
                case 2:
                    del frame[at : at + random.randint(1, 3)]
                case 3:
                    frame[at:at] = random.randbytes(random.randint(1, 3))
                case _:
                    del frame[at:]
        yield bytes(frame)


def bear(decode: Callable[[bytes], object], samples: Sequence[bytes], count: int) -> int:
    """How many mutated frames were still understood; anything but `Malformed` is let through to the test."""
    understood = 0
    for frame in mutated(samples, count):
        try:
            decode(frame)
        except Malformed:
            continue
        understood += 1
    return understood


def per_second(work: Callable[[], object], *, seconds: float = 0.25) -> float:
    """How often `work` is done in a second of this thread's own processor time, the best of three."""
    best = 0.0
    for _ in range(3):
        done, began = 0, time.thread_time()
        while (spent := time.thread_time() - began) < seconds / 3:
            for _ in range(100):
                work()
            done += 100
        best = max(best, done / spent)
    return best
