"""What is owed on one link at this moment: pure, the time comes in as a number.

A building's first press goes alone and at once. All later ones wait as ranges until the channel is free and then go
as one summary; at most one summary is outstanding, so that 10,000 presses never become 10,000 frames. A frame keeps
its id and its octets from the first sending to the receipt.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from belltower.ids import CallId
from belltower.incident.facts import ReceiptLevel
from belltower.tasks import unless_mistaken
from gateway.psap.case import CallCase
from gateway.psap.link import FIRST_PRESS, Call, Frame, PSAPLink, more_of
from gateway.psap.ranges import NONE, Ranges, union, without

_REMEMBERED = 1_024
"""Frames whose late receipts are still understood, per link."""


class _Outstanding:
    def __init__(self, *, frame: Frame, due: float) -> None:
        self.frame = frame
        self.due = due
        self.tries = 0
        self.base = due
        self.rejected = False


class _Known:
    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.levels: set[ReceiptLevel] = set()
        self.sent = False
        self.rejected = False


class Ledger:
    """What one link owes. Its owner asks `next`, sends, and says `sent` or `failed`; `cases` are the calls as they stand."""

    def __init__(self, *, link: PSAPLink, cases: Mapping[CallId, CallCase]) -> None:
        self._link = link
        self._cases = cases
        self._traits = link.traits
        self._ending = link.traits.settling | link.traits.ending
        # The calls that are owed, with what was confirmed of them on this link.
        self._covered: dict[CallId, Ranges] = {}
        self._firsts: dict[CallId, _Outstanding] = {}
        # Updates and tests, by frame id, with the call that must have left before them.
        self._notes: dict[str, tuple[_Outstanding, CallId | None]] = {}
        self._summary: _Outstanding | None = None
        self._summary_not_before = 0.0
        # Calls that may have presses no frame has told of, with the time since when.
        self._waiting: dict[CallId, float] = {}
        # Calls that have left on this link.
        self._told: set[CallId] = set()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._busy_until = 0.0

    # ---- what happened

    def order(self, call: CallId, frame: Frame | None, *, now: float) -> None:
        """A call is owed on this link, in its own frame; None: that cannot be made, only its further presses are."""
        self._covered[call] = NONE
        if frame is not None:
            self._firsts[call] = _Outstanding(frame=frame, due=now)
        self.joined(call, now=now)

    def carries(self, call: CallId) -> bool:
        """Whether the call was ordered here and is not dropped."""
        return call in self._covered

    def forget(self, call: CallId) -> None:
        """The call is long over."""
        self._told.discard(call)

    def note(self, frame: Frame, *, after: CallId | None, now: float) -> None:
        """An update or a test is owed; it goes once `after`'s own frame has left."""
        self._notes.setdefault(frame.id, (_Outstanding(frame=frame, due=now), after))

    def drop_note(self, frame_id: str) -> None:
        """It is owed no more."""
        self._notes.pop(frame_id, None)

    def joined(self, call: CallId, *, now: float) -> None:
        """The call's presses grew."""
        if call in self._covered and self._cases[call].presses != FIRST_PRESS:
            self._waiting.setdefault(call, now)

    def drop(self, call: CallId) -> None:
        """Nothing of this call is owed any more."""
        self._covered.pop(call, None)
        self._firsts.pop(call, None)
        self._waiting.pop(call, None)

    def reopened(self, *, now: float) -> None:
        """There is a new connection: all that is owed is due at once."""
        self._busy_until = now
        notes = [outstanding for outstanding, _ in self._notes.values()]
        for outstanding in (*self._firsts.values(), *((self._summary,) if self._summary else ()), *notes):
            outstanding.due = now
            outstanding.tries = 0

    def sent(self, frame: Frame, *, now: float) -> bool:
        """The frame's first octet left. True when it is the first time that this frame did."""
        self._busy_until = max(self._busy_until, now) + self._link.airtime(frame)
        if (outstanding := self._outstanding(frame.id)) is not None:
            outstanding.tries += 1
            if outstanding.tries == 1:
                outstanding.base = self._busy_until
            retries = self._traits.retries
            quick = outstanding.tries <= len(retries) and not outstanding.rejected
            outstanding.due = (
                outstanding.base + retries[outstanding.tries - 1]
                if quick
                else self._busy_until + self._traits.again
            )
        self._told.update(call for call, _ in frame.covers)
        known = self._remember(frame)
        first, known.sent = not known.sent, True
        return first

    def left(self, frame_id: str) -> Frame | None:
        """An answer to it proves that the frame left. The frame, when nobody has said so yet."""
        known = self._known.get(frame_id)
        if known is None:
            outstanding = self._outstanding(frame_id)
            if outstanding is None:
                return None
            known = self._remember(outstanding.frame)
        self._told.update(call for call, _ in known.frame.covers)
        first, known.sent = not known.sent, True
        return known.frame if first else None

    def failed(self, frame: Frame, *, now: float) -> None:
        """The frame could not be handed over: it is due again soon."""
        if (outstanding := self._outstanding(frame.id)) is not None:
            outstanding.due = now + self._traits.retries[0]

    def receipt(self, frame_id: str, level: ReceiptLevel, *, now: float) -> Frame | None:
        """A machine confirmed this frame. The frame, when that is news."""
        known = self._known.get(frame_id)
        if known is None or level in known.levels:
            return None
        known.levels.add(level)
        if level in self._ending:
            self._settle(known.frame, now=now)
        return known.frame

    def rejected(self, frame_id: str, *, now: float) -> Frame | None:
        """The PSAP's system said no to this frame. The frame, when that is news."""
        known = self._known.get(frame_id)
        if known is None or known.rejected:
            return None
        known.rejected = True
        if self._summary is not None and self._summary.frame.id == frame_id:
            self._summary = None  # composed anew, with what joined meanwhile
            self._summary_not_before = now + self._traits.again
            for call, _ in known.frame.covers:
                if call in self._covered:
                    self._waiting.setdefault(call, now)
        elif (outstanding := self._outstanding(frame_id)) is not None:
            outstanding.rejected = True
            outstanding.due = now + self._traits.again
        return known.frame

    def acknowledged(self, call: CallId) -> None:
        """A person has the call: its own frame is owed no more, only presses that nobody has confirmed."""
        self._firsts.pop(call, None)

    # ---- what the facts of an earlier run say

    def recall_sent(self, frame_id: str, covers: Sequence[tuple[CallId, Ranges]], *, now: float) -> None:
        """This frame was sent: a summary is outstanding again, the same octets under the same id."""
        self._told.update(call for call, _ in covers)
        for call_id, _ in covers:
            if (first := self._firsts.get(call_id)) is not None and first.frame.id == frame_id:
                self._remember(first.frame).sent = True
                return
        items = [(self._cases[call].call, ranges) for call, ranges in covers if call in self._covered]
        if not items:
            return
        frame = unless_mistaken(self._link.more, more_of(items))
        if frame is not None and frame.id == frame_id:
            self._remember(frame).sent = True
            self._summary = _Outstanding(frame=frame, due=now)

    def recall_receipt(
        self, frame_id: str, call_id: CallId, ranges: Ranges, level: ReceiptLevel, *, now: float
    ) -> None:
        """These presses were confirmed, whether or not the frame can be built again."""
        if (known := self._known.get(frame_id)) is not None:
            known.levels.add(level)
        if level in self._ending:
            self._cover(call_id, ranges, now=now)
            if self._summary is not None and self._summary.frame.id == frame_id:
                self._summary = None

    def recall_note(self, frame_id: str, level: ReceiptLevel | None) -> None:
        """An update was sent earlier, or confirmed at this level."""
        if (note := self._notes.get(frame_id)) is not None:
            known = self._remember(note[0].frame)
            known.sent = True
            if level is not None:
                known.levels.add(level)
                if level in self._ending:
                    del self._notes[frame_id]

    def recall_rejected(self, frame_id: str) -> None:
        """It was written down that the PSAP's system said no to this frame."""
        if (known := self._known.get(frame_id)) is not None:
            known.rejected = True

    # ---- what is owed

    def next(self, now: float) -> Frame | None:
        """The frame to send now, if any."""
        for first in self._firsts.values():
            if first.tries == 0 and first.due <= now:
                return first.frame
        if self._busy_until > now:
            return None
        due = [first for first in self._firsts.values() if first.due <= now]
        due += [note for note in self._notes_ready() if note.due <= now]
        if (summary := self._summary_due(now)) is not None:
            due.append(summary)
        return min(due, key=lambda outstanding: outstanding.due).frame if due else None

    def wake_at(self, now: float) -> float | None:
        """When `next` may have something, if nothing happens until then; None: not by time alone."""
        times = [max(first.due, self._busy_until if first.tries else 0.0) for first in self._firsts.values()]
        times += [max(note.due, self._busy_until) for note in self._notes_ready()]
        if self._summary is not None:
            times.append(max(self._summary.due, self._busy_until))
        elif self._waiting:
            times.append(max(now, self._busy_until, self._summary_not_before))
        return min(times, default=None)

    def open_frames(self) -> list[str]:
        """Ids of the frames that wait for a receipt, for the status page."""
        frames = [first.frame.id for first in self._firsts.values()]
        return [*frames, self._summary.frame.id] if self._summary is not None else frames

    def _notes_ready(self) -> list[_Outstanding]:
        if not self._notes:
            return []
        return [
            outstanding for outstanding, after in self._notes.values() if after is None or after in self._told
        ]

    def _summary_due(self, now: float) -> _Outstanding | None:
        if self._summary is not None and not any(
            self._untold(call, told) for call, told in self._summary.frame.covers
        ):
            self._summary = None  # confirmed elsewhere, acknowledged or given up
        if self._summary is None and now >= self._summary_not_before:
            self._summary = self._compose(now)
        if self._summary is None or self._summary.due > now:
            return None
        return self._summary

    def _compose(self, now: float) -> _Outstanding | None:
        items: list[tuple[Call, Ranges]] = []
        since = 0.0
        for call_id, waiting in list(self._waiting.items()):
            call = self._cases[call_id]
            untold = without(self._untold(call_id, call.presses), FIRST_PRESS)
            if not untold:
                del self._waiting[call_id]
            elif not items:
                since = waiting
                items.append((call.call, untold))
            elif self._goes_with(call.call, items[0][0]):
                items.append((call.call, untold))
        if not items:
            return None
        frame = unless_mistaken(self._link.more, more_of(items))
        if frame is None:
            self._summary_not_before = now + self._traits.again
            return None
        return _Outstanding(frame=frame, due=since)

    def _untold(self, call_id: CallId, told: Ranges) -> Ranges:
        if call_id not in self._covered:
            return NONE
        untold = without(told, self._covered[call_id])
        case = self._cases[call_id]
        return without(untold, case.confirmed) if case.acknowledged else untold

    def _settle(self, frame: Frame, *, now: float) -> None:
        for call_id, ranges in frame.covers:
            self._cover(call_id, ranges, now=now)
        if self._summary is not None and self._summary.frame.id == frame.id:
            self._summary = None
        self._notes.pop(frame.id, None)

    def _cover(self, call_id: CallId, ranges: Ranges, *, now: float) -> None:
        if call_id not in self._covered:
            return
        covered = self._covered[call_id] = union(self._covered[call_id], ranges)
        if not without(FIRST_PRESS, covered):
            self._firsts.pop(call_id, None)
        if without(self._cases[call_id].presses, union(covered, FIRST_PRESS)):
            self._waiting.setdefault(call_id, now)

    def _outstanding(self, frame_id: str) -> _Outstanding | None:
        if self._summary is not None and self._summary.frame.id == frame_id:
            return self._summary
        if (note := self._notes.get(frame_id)) is not None:
            return note[0]
        for first in self._firsts.values():
            if first.frame.id == frame_id:
                return first
        return None

    def _remember(self, frame: Frame) -> _Known:
        known = self._known.get(frame.id)
        if known is None or known.frame.octets != frame.octets:
            known = self._known[frame.id] = _Known(frame)
        self._known.move_to_end(frame.id)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return known

    @staticmethod
    def _goes_with(call: Call, first: Call) -> bool:
        return type(call) is type(first) and call.order.incident == first.order.incident
