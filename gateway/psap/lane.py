"""One PSAP link with what it owes; nothing in it is shared with another link."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from belltower.incident.facts import UpdateOrdered
from gateway.psap.coalesce import Ledger
from gateway.psap.link import Frame, PSAPLink

Note = UpdateOrdered | int
"""What a frame that is no call tells: an update of a call, or the test of this number."""


class Lane:
    """Sends what its ledger says is due, one frame at a time. `drive` it."""

    def __init__(self, *, link: PSAPLink, after: float = 0.0) -> None:
        self.link = link
        self.ledger = Ledger(link=link)
        self.bell = asyncio.Event()
        """Rung whenever something may be due."""
        self.after = after
        """Seconds after the order at which this link is called, if no PSAP's system has the call by then."""
        self.answering: bool | None = None
        """Whether the PSAP's system answers; None: not known since the start."""
        self.noted: bool | None = None
        """What was last written down of that."""
        self.mistaken = False
        """It was said to be lost because of a mistake of its own, which its next word puts right."""
        self.notes: dict[str, Note] = {}
        """Frames that are no calls, by id."""
        # Frames that have left and are not said yet to have.
        self._unsaid: dict[str, Frame] = {}

    def answered(self, frame_id: str, sent: Callable[[Lane, Frame], None]) -> None:
        """The far end speaks of this frame: it has left, whether or not that was said. `sent` hears of it before."""
        self._say(sent)
        if (frame := self.ledger.left(frame_id)) is not None:
            sent(self, frame)

    async def drive(self, sent: Callable[[Lane, Frame], None]) -> None:
        """Send for ever; `sent` hears of each frame whose first octet left for the first time."""
        loop = asyncio.get_running_loop()
        ledger, link = self.ledger, self.link
        while True:
            now = loop.time()
            frame = ledger.next(now)
            if frame is None:
                await self._pause(ledger.wake_at(now))
            elif await link.send(frame):
                if ledger.sent(frame, now=loop.time()):
                    self._unsaid[frame.id] = frame
                    loop.call_soon(self._say, sent)  # the other links' octets come before our writing
            else:
                ledger.failed(frame, now=loop.time())

    def _say(self, sent: Callable[[Lane, Frame], None]) -> None:
        unsaid, self._unsaid = self._unsaid, {}
        for frame in unsaid.values():
            sent(self, frame)

    async def _pause(self, until: float | None) -> None:
        self.bell.clear()
        if until is None:
            await self.bell.wait()
            return
        try:
            async with asyncio.timeout_at(until):
                await self.bell.wait()
        except TimeoutError:
            pass
