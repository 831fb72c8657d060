"""Work that the loop does while the disk syncs, so that it is done when the disk is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from belltower.tasks import unless_mistaken

_MOST = 256


class Meanwhile:
    """Takes work from the loop's thread, and has it done there once the store's writer begins a commit.

    What it takes is a kindness: should no commit begin, or the disk be faster, whoever needs the result makes it then.
    """

    def __init__(self, *, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._work: list[Callable[[], None]] = []

    def add(self, work: Callable[[], None]) -> None:
        """Do `work` in the next commit's time; more than a burst needs is not taken."""
        if len(self._work) < _MOST:
            self._work.append(work)

    def begin(self) -> None:
        """The store is about to sync. Called by its writer."""
        if self._work:
            try:
                self._loop.call_soon_threadsafe(self._do)
            except RuntimeError:
                return  # the loop has ended

    def _do(self) -> None:
        taken, self._work = self._work, []
        for work in taken:
            unless_mistaken(_call, work)


def _call(work: Callable[[], None]) -> None:
    work()
