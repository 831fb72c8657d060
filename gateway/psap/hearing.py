"""What comes to pass on the links: octets that left, machines' receipts, lines lost and restored; each becomes its facts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import assert_never

from belltower.ids import CallId
from belltower.incident.facts import (
    CallReceipt,
    CallRejected,
    CallSent,
    Fact,
    LinkLost,
    LinkRestored,
    ReceiptLevel,
    UpdateOrdered,
)
from gateway.psap.answers import Answers, Say
from gateway.psap.lane import Lane, Note
from gateway.psap.link import (
    Answered,
    Frame,
    Heard,
    Lost,
    Opened,
    PersonAnswered,
    ReadBack,
    Receipt,
    Refusal,
    ResponseSaid,
)
from gateway.psap.proof import Proving
from gateway.psap.ranges import NONE, Ranges


class Hearing:
    """Each thing is written down once. What people say is for `answers`, what is said of a test for `proving`."""

    def __init__(
        self,
        *,
        lanes: Collection[Lane],
        answers: Answers,
        proving: Proving,
        say: Say,
        write: Callable[[Sequence[Fact]], object],
    ) -> None:
        """`say` what has become of calls, `write` how a link is."""
        self._lanes = lanes
        self._answers = answers
        self._proving = proving
        self._say = say
        self._write = write

    def sent(self, lane: Lane, frame: Frame) -> None:
        """The frame's first octet has left, for the first time."""
        note, link = lane.notes.get(frame.id), lane.link.name
        if isinstance(note, int):
            self._proving.sent(lane, frame)
            return
        self._say(
            *(
                CallSent(call=call, link=link, frame=frame.id, covers=covers, update=update)
                for call, covers, update in _told_by(frame, note)
            )
        )

    def report(self, lane: Lane, heard: Heard) -> asyncio.Future[bool] | None:
        """What a link hears; see `link.Report`."""
        match heard:
            case Receipt(frame=frame, level=level):
                self._confirmed(lane, frame, level)
            case Refusal(frame=frame, reason=reason):
                self._refused(lane, frame, reason)
            case PersonAnswered():
                self._say_what_left()
                return self._answers.person(lane.link.name, heard)
            case ReadBack():
                self._say_what_left()
                return self._answers.read_back(lane.link.name, heard)
            case ResponseSaid():
                self._answers.responders(lane.link.name, heard)
            case Opened() | Lost() | Answered():
                self.noted(lane.hears(heard))
            case other:
                assert_never(other)
        return None

    def broken(self, lane: Lane, error: Exception) -> None:
        """The link, or what drives it, has failed and is begun anew."""
        self.noted(lane.mistook(f"the link failed: {type(error).__name__}"))

    def noted(self, change: LinkLost | LinkRestored | None) -> None:
        """How a link is, if that is news."""
        if change is not None:
            self._write([change])

    def _confirmed(self, lane: Lane, frame_id: str, level: ReceiptLevel) -> None:
        note = self._carried(lane, frame_id)
        frame = lane.ledger.receipt(frame_id, level, now=asyncio.get_running_loop().time())
        if isinstance(note, int):
            self._proving.receipt(lane, frame_id, level)
        elif frame is not None:
            link = lane.link.name
            self._say(
                *(
                    CallReceipt(
                        call=call, link=link, frame=frame_id, covers=covers, level=level, update=update
                    )
                    for call, covers, update in _told_by(frame, note)
                )
            )
        lane.bell.set()

    def _refused(self, lane: Lane, frame_id: str, reason: str) -> None:
        note = self._carried(lane, frame_id)
        frame = lane.ledger.rejected(frame_id, now=asyncio.get_running_loop().time())
        if isinstance(note, int):
            self._proving.refused(lane, frame_id, reason)
        elif frame is not None:
            link = lane.link.name
            self._say(
                *(
                    CallRejected(call=call, link=link, frame=frame_id, reason=reason, update=update)
                    for call, _, update in _told_by(frame, note)
                )
            )
        lane.bell.set()

    def _say_what_left(self) -> None:
        """What a person can have heard, on any link, is told first."""
        for lane in self._lanes:
            lane.say(self.sent)

    def _carried(self, lane: Lane, frame_id: str) -> Note | None:
        """A machine speaks of this frame: the line is well, and the frame has left. What the frame tells, if no call."""
        self.noted(lane.carried())
        lane.answered(frame_id, self.sent)
        return lane.notes.get(frame_id)


def _told_by(frame: Frame, update: UpdateOrdered | None) -> Iterator[tuple[CallId, Ranges, int]]:
    """The calls that a frame tells of, each with the presses that it names and the update, 0 for none."""
    if update is not None:
        yield update.call, NONE, update.update
    for call, covers in frame.covers:
        yield call, covers, 0
