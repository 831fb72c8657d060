"""What links that send plain texts share: frames made of texts, and how soon a text may be said again."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.psap import radio_text, short_text
from gateway.psap.link import (
    FIRST_PRESS,
    Call,
    ExerciseCall,
    Frame,
    Heard,
    LinkTest,
    LiveCall,
    LiveMore,
    LiveUpdate,
    More,
    Receipt,
    Refusal,
    Report,
    Update,
)

_REMEMBERED = 1_024
_REPEATS = (60.0, 120.0, 300.0)


class TextFrames:
    """Makes a link's frames. `octets` turns a text into what its wire carries: the text, its frame's id, to whom."""

    def __init__(
        self,
        *,
        room: int,
        campus: str,
        to: str,
        exercise_to: str,
        test_to: str,
        octets: Callable[[str, str, str], bytes],
    ) -> None:
        self._room = room
        self._campus = campus
        self._to = to
        self._exercise_to = exercise_to
        self._test_to = test_to
        self._octets = octets

    def first(self, call: Call) -> Frame:
        """The call, alone. ValueError: an exercise, and nobody has agreed to take one here."""
        text = short_text.call_text(call, room=self._room, campus=self._campus)
        frame_id = radio_text.call_frame_id(call.order.number)
        covers = ((call.order.call, FIRST_PRESS),)
        return Frame(
            id=frame_id,
            octets=self._octets(text, frame_id, self._addressee(live=isinstance(call, LiveCall))),
            text=text,
            covers=covers,
        )

    def more(self, more: More) -> Frame:
        """Further presses of one building."""
        text, told = short_text.more_text(more, room=self._room)
        frame_id = radio_text.text_frame_id("S", text)
        return Frame(
            id=frame_id,
            octets=self._octets(text, frame_id, self._addressee(live=isinstance(more, LiveMore))),
            text=text,
            covers=tuple((call.order.call, ranges) for call, ranges in told),
        )

    def update(self, update: Update) -> Frame:
        """A cancellation or correction."""
        text = short_text.update_text(update, room=self._room)
        frame_id = radio_text.update_frame_id(update)
        live = isinstance(update, LiveUpdate)
        return Frame(id=frame_id, octets=self._octets(text, frame_id, self._addressee(live=live)), text=text)

    def test(self, test: LinkTest) -> Frame | None:
        """A marked test; None when nobody has agreed to take one here."""
        if not self._test_to:
            return None
        text = short_text.test_text(test, room=self._room, campus=self._campus)
        frame_id = radio_text.text_frame_id("T", text)
        return Frame(id=frame_id, octets=self._octets(text, frame_id, self._test_to), text=text)

    def _addressee(self, *, live: bool) -> str:
        if live:
            return self._to
        if not self._exercise_to:
            raise ValueError("there is nobody who takes an exercise on this link")
        return self._exercise_to


class Exercises:
    """Which call numbers are exercises, so that an answer from one side never counts for a call of the other."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[int, bool] = OrderedDict()

    def note(self, call: Call) -> None:
        """A call's frame is made."""
        self._numbers[call.order.number] = isinstance(call, ExerciseCall)
        self._numbers.move_to_end(call.order.number)
        if len(self._numbers) > _REMEMBERED:
            self._numbers.popitem(last=False)

    def of(self, number: int) -> bool | None:
        """Whether the call of this number is an exercise; None: no such call was made here."""
        return self._numbers.get(number)


class Reports:
    """Receipts and refusals, kept back while their frame is being handed over.

    A fast device reports on a text in one breath with taking it; the sender must have learnt that it left by then.
    """

    def __init__(self) -> None:
        self.to: Report = _nobody
        self._handing: Counter[str] = Counter()
        self._kept: dict[str, list[Receipt | Refusal]] = {}

    @contextmanager
    def handing(self, frame: str) -> Iterator[None]:
        """While `send` works on this frame."""
        self._handing[frame] += 1
        try:
            yield
        finally:
            self._handing[frame] -= 1
            if self._handing[frame] <= 0:
                del self._handing[frame]
                if frame in self._kept:
                    # Soon, not now: `send` returns first, and its caller takes note.
                    asyncio.get_running_loop().call_soon(self._tell_kept, frame)

    def tell(self, heard: Receipt | Refusal) -> None:
        """Report it, now or once its frame is handed over."""
        if heard.frame in self._handing:
            self._kept.setdefault(heard.frame, []).append(heard)
        else:
            self.to(heard)

    def _tell_kept(self, frame: str) -> None:
        for heard in self._kept.pop(frame, ()):
            self.to(heard)


def _nobody(heard: Heard, /) -> None:
    del heard


class Repeats:
    """When a text that was taken may be said again: every copy costs the reader's attention, and money."""

    def __init__(self, *, waits: tuple[float, ...] = _REPEATS) -> None:
        self._waits = waits
        self._said: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._done: OrderedDict[str, None] = OrderedDict()

    def due(self, frame: str, now: float) -> bool:
        """Whether it is to go out now: never said, failed, or long enough ago without a delivery."""
        if frame in self._done:
            return False
        times, at = self._said.get(frame, (0, 0.0))
        return not times or now >= at + self._waits[min(times, len(self._waits)) - 1]

    def said(self, frame: str, now: float) -> None:
        """It was taken, or may have been."""
        times, _ = self._said.get(frame, (0, 0.0))
        self._said[frame] = (times + 1, now)
        self._said.move_to_end(frame)
        if len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)

    def delivered(self, frame: str) -> None:
        """The other side's device has it: it is not said again."""
        self._done[frame] = None
        if len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)

    def failed(self, frame: str) -> None:
        """It surely did not arrive: it may be said again at once."""
        self._said.pop(frame, None)
        self._done.pop(frame, None)
