"""How slow the machine is on which the tests run."""

import time

_USUAL = 0.020
"""Seconds of the processor's time that the reckoning below takes on the machine on which the bounds were found."""


def slowness() -> float:
    """How many times as slow as that machine this one is just now, at least 1: bounds on work are taken so many times."""
    begun = time.thread_time()
    total = 0
    for number in range(100_000):
        total ^= hash((number, "x"))
    return max(1.0, (time.thread_time() - begun) / _USUAL)
