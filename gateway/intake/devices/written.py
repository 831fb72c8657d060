"""The answer to a message: whether all that it said is written down."""

from __future__ import annotations

import asyncio

Written = asyncio.Future[bool]
"""Resolves once what a message said is written down; False: it could only be relayed."""


def all_of(waiting: list[Written]) -> Written | None:
    """One future for all of them; False when one of them could only be relayed."""
    if len(waiting) < 2:
        return waiting[0] if waiting else None
    told: Written = asyncio.get_running_loop().create_future()
    left = len(waiting)

    def settle(done: Written) -> None:
        nonlocal left
        left -= 1
        if told.done():
            return
        if done.cancelled():
            told.cancel()
        elif not done.result():
            told.set_result(False)
        elif left == 0:
            told.set_result(True)

    for each in waiting:
        each.add_done_callback(settle)
    return told
