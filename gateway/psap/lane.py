"""One PSAP link with what it owes; nothing in it is shared with another link."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from belltower.ids import CallId
from belltower.incident.facts import LinkLost, LinkRestored, UpdateOrdered
from belltower.tasks import unless_mistaken
from gateway.psap.case import CallCase
from gateway.psap.coalesce import Ledger
from gateway.psap.link import Answered, Ending, Frame, Lost, Opened, PSAPLink, Update

Note = UpdateOrdered | int
"""What a frame that is no call tells: an update of a call, or the test of this number."""

_SAID_AFTER = 0.002
"""Seconds for which it is not said yet that a frame has left: the other links' octets come before our writing."""


class Lane:
    """Sends what its ledger says is due, one frame at a time. `drive` it."""

    def __init__(self, *, link: PSAPLink, cases: Mapping[CallId, CallCase]) -> None:
        """Keep the link; `cases` are the calls as they stand."""
        self.link = link
        self.ledger = Ledger(link=link, cases=cases)
        self.bell = asyncio.Event()
        """Rung whenever something may be due."""
        self.answering: bool | None = None
        """Whether the PSAP's system answers; None: not known since the start."""
        self.noted: bool | None = None
        """What was last written down of that."""
        self.notes: dict[str, Note] = {}
        """Frames that are no calls, by id."""
        self._cases = cases
        # The frame of each update of a call, "" for one that could not be made.
        self._updates: dict[tuple[CallId, int], str] = {}
        # It was said to be lost because of a mistake of its own, which its next word puts right.
        self._mistaken = False
        # Frames that have left and are not said yet to have.
        self._unsaid: dict[str, Frame] = {}

    # ---- what is owed

    def give(self, case: CallCase, frame: Frame | None, *, now: float) -> bool:
        """Owe the call, in this frame if it was made already. False: the link cannot make its frame."""
        frame = frame or unless_mistaken(self.link.first, case.call)
        self.ledger.order(case.id, frame, now=now)
        self.bell.set()
        return frame is not None

    def drop(self, call: CallId) -> None:
        """Owe nothing of the call any more."""
        if self.ledger.carries(call):
            self.ledger.drop(call)
            self.bell.set()
            if isinstance(self.link, Ending):
                self.link.ended(self._cases[call].call)

    def tell(self, update: Update, *, owed: bool, now: float) -> bool:
        """Owe the update or drop it; it is made once. False: the link cannot make its frame, which is said once."""
        order = update.order
        key = order.call, order.update
        if key not in self._updates:
            frame = unless_mistaken(self.link.update, update)
            self._updates[key] = frame.id if frame is not None else ""
            if frame is None:
                return False
            self.notes[frame.id] = order
            if owed:
                self.ledger.note(frame, after=order.call, now=now)
                self.bell.set()
        elif not owed:
            self.ledger.drop_note(self._updates[key])
        return True

    def forget(self, call: CallId) -> None:
        """The call is long over."""
        self.ledger.forget(call)
        for key in [key for key in self._updates if key[0] == call]:
            frame = self._updates.pop(key)
            self.ledger.drop_note(frame)
            self.notes.pop(frame, None)

    # ---- whether the far end answers

    def hears(self, heard: Opened | Lost | Answered) -> LinkLost | LinkRestored | None:
        """Take note of how the line is; what is to be written down of it, if that is news."""
        self.bell.set()
        match heard:
            case Opened():
                self.ledger.reopened(now=asyncio.get_running_loop().time())
                if self.link.traits.settling or self.noted is not False:
                    return None
                self.answering = None  # nothing ever answers on it
            case Lost():
                self.answering = False
            case Answered():
                self.answering = True
        restored = not isinstance(heard, Lost)
        if self.noted is restored:
            return None
        self.noted = restored
        name = self.link.name
        return (
            LinkLost(link=name, reason=heard.reason) if isinstance(heard, Lost) else LinkRestored(link=name)
        )

    def mistook(self, reason: str) -> LinkLost | LinkRestored | None:
        """The link made a mistake of its own: it counts as lost until it carries something."""
        self._mistaken = True
        return self.hears(Lost(reason=reason))

    def carried(self) -> LinkLost | LinkRestored | None:
        """The link has carried something to the far end and back."""
        mistaken, self._mistaken = self._mistaken, False
        return self.hears(Answered()) if mistaken and self.answering is False else None

    # ---- sending

    def answered(self, frame_id: str, sent: Callable[[Lane, Frame], None]) -> None:
        """The far end speaks of this frame: it has left, whether or not that was said. `sent` hears of it before."""
        self.say(sent)
        if (frame := self.ledger.left(frame_id)) is not None:
            sent(self, frame)

    def say(self, sent: Callable[[Lane, Frame], None]) -> None:
        """Let `sent` hear now of what has left."""
        unsaid, self._unsaid = self._unsaid, {}
        for frame in unsaid.values():
            sent(self, frame)

    async def drive(self, sent: Callable[[Lane, Frame], None]) -> None:
        """Send for ever; `sent` hears of each frame whose first octet left for the first time."""
        try:
            await self._drive(sent)
        finally:
            self.say(sent)

    async def _drive(self, sent: Callable[[Lane, Frame], None]) -> None:
        loop = asyncio.get_running_loop()
        ledger, link = self.ledger, self.link
        while True:
            now = loop.time()
            frame = ledger.next(now)
            if frame is None:
                await self._pause(ledger.wake_at(now))
            elif await link.send(frame):
                if ledger.sent(frame, now=loop.time()):
                    if not self._unsaid:
                        loop.call_later(_SAID_AFTER, self.say, sent)
                    self._unsaid[frame.id] = frame
            else:
                ledger.failed(frame, now=loop.time())

    async def _pause(self, until: float | None) -> None:
        self.bell.clear()
        if until is None:
            await self.bell.wait()
            return
        alarm = asyncio.get_running_loop().call_at(until, self.bell.set)
        try:
            await self.bell.wait()
        finally:
            alarm.cancel()
