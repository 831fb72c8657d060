"""Every call of ours as it stands, and the document that says so; the time is given.

A document is the whole state of its id. So whatever frame is sent, what goes out tells everything that was ever said
of its calls: further alarms do not take a correction back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct, field

from belltower.clock import SECOND, Clock
from belltower.incident.facts import UpdateKind
from gateway.psap import radio_text
from gateway.psap.eido import document, writing
from gateway.psap.eido.notifier import Told
from gateway.psap.eido.writing import CallName, Issuer
from gateway.psap.link import FIRST_PRESS, Call, Frame, LiveCall, More, Update
from gateway.psap.ranges import NONE, Ranges, spelt, union

KEPT = 12 * 3600 * SECOND
"""How long a call is among the active incidents that a new subscriber is told of."""
_REMEMBERED = 1_024
_MORE_AT_ONCE = 16


class _State(Struct, frozen=True, kw_only=True):
    """One call as it stands, and the document that says so."""

    call: Call
    # The latest frame that tells of it.
    frame: str
    document: bytes
    further: Ranges = NONE
    update: Update | None = None
    # All updates that were sent, by their numbers.
    updates: dict[int, UpdateKind] = field(default_factory=dict)
    closed_at: float | None = None


class _Id(Struct, frozen=True):
    id: str = field(name="$id")


class Standing:
    """The calls of one link, at most 1,024."""

    def __init__(self, *, issuer: Issuer, clock: Clock, exercise: bool) -> None:
        self._issuer = issuer
        self._clock = clock
        self._exercise = exercise
        self._states: OrderedDict[str, _State] = OrderedDict()

    def first(self, call: Call) -> Frame:
        """The call as one document."""
        frame_id = radio_text.call_frame_id(call.order.number)
        octets = document.encode(writing.write(self._issuer, call))
        id_ = self._id(call)
        if id_ not in self._states:
            self._remember(id_, _State(call=call, frame=frame_id, document=octets))
        return Frame(
            id=frame_id,
            octets=b"[" + octets + b"]",
            text=_text(call, "call"),
            covers=((call.order.call, FIRST_PRESS),),
        )

    def more(self, more: More) -> Frame:
        """The calls again, each with the further alarms of its building."""
        items = more.items[:_MORE_AT_ONCE]
        told = ";".join(f"{self._id(call)} {spelt(ranges)}" for call, ranges in items)
        frame_id = radio_text.text_frame_id("S", told)
        octets = [
            document.encode(writing.write(self._issuer, call, further=ranges)) for call, ranges in items
        ]
        for call, ranges in items:
            known = self._states.get(self._id(call))
            further = union(known.further, ranges) if known is not None else ranges
            self._restate(call, frame_id, further, known.update if known is not None else None)
        return Frame(
            id=frame_id,
            octets=b"[" + b",".join(octets) + b"]",
            text=_text(items[0][0], f"further alarms of {len(items)} calls, the first"),
            covers=tuple((call.order.call, ranges) for call, ranges in items),
        )

    def update(self, update: Update) -> Frame:
        """The call again, cancelled or corrected."""
        call, number = update.call, update.order.update
        octets = document.encode(writing.write(self._issuer, call, update=update))
        frame_id = radio_text.text_frame_id("U", f"{self._id(call)} {number}")
        id_ = self._id(call)
        known = self._states.get(id_)
        if known is None or known.update is None or known.update.order.update < number:
            self._restate(call, frame_id, known.further if known is not None else NONE, update)
        self._states[id_].updates[number] = update.order.kind
        return Frame(
            id=frame_id, octets=b"[" + octets + b"]", text=_text(call, f"{update.order.kind} {number} of")
        )

    def ended(self, call: Call) -> None:
        """The incident is over: no new subscriber is told of the call."""
        self._states.pop(self._id(call), None)

    def fetch(self, id_: str) -> bytes | None:
        """The document of one incident, for whoever asks for it by its id."""
        state = self._states.get(id_)
        return state.document if state is not None and self._is_told(state) else None

    def asked(self, call: CallName, kind: UpdateKind, number: int) -> bool:
        """Whether an update of that call asks that `kind` be read back: this one, or with 0 the only one there is."""
        for id_ in self._ids(call):
            if (state := self._states.get(id_)) is not None and state.updates:
                if not number:
                    return [kind] == list(state.updates.values())
                return state.updates.get(number) is kind
        return False

    def close(self, call: CallName, now: float) -> None:
        """The county has closed it."""
        for id_ in self._ids(call):
            if (state := self._states.get(id_)) is not None and state.closed_at is None:
                self._states[id_] = msgspec.structs.replace(state, closed_at=now)

    def told(self, frame: Frame) -> list[Told]:
        """The incidents that a frame tells of, as they stand now: nothing said before is taken back by it."""
        told = []
        for raw in msgspec.json.decode(frame.octets, type=list[Raw]):
            id_ = msgspec.json.decode(raw, type=_Id).id
            state = self._states.get(id_)
            if state is not None:
                told.append(_tell(id_, state))
            else:
                octets = bytes(raw).replace(writing.UNSTAMPED.encode(), self._now().encode())
                told.append(Told(id=id_, frame=frame.id, document=octets))
        return told

    def active(self) -> list[Told]:
        """What a new subscriber is told of."""
        return [_tell(id_, state) for id_, state in self._states.items() if self._is_told(state)]

    def _ids(self, call: CallName) -> Iterator[str]:
        # A note does not say whether the call it names is an exercise.
        for exercise in (False, True):
            name = msgspec.structs.replace(call, exercise=exercise)
            yield writing.incident_id(name, self._issuer.element)

    def _is_told(self, state: _State) -> bool:
        recent = state.call.at >= self._clock.now() - KEPT
        return recent and (self._exercise or isinstance(state.call, LiveCall))

    def _restate(self, call: Call, frame: str, further: Ranges, update: Update | None) -> None:
        written = writing.write(self._issuer, call, further=further, update=update, stamp=self._now())
        id_ = self._id(call)
        known = self._states.get(id_)
        state = _State(
            call=call,
            frame=frame,
            document=document.encode(written),
            further=further,
            update=update,
            updates=known.updates if known is not None else {},
            closed_at=known.closed_at if known is not None else None,
        )
        self._remember(id_, state)

    def _remember(self, id_: str, state: _State) -> None:
        self._states[id_] = state
        self._states.move_to_end(id_)
        if len(self._states) > _REMEMBERED:
            self._states.popitem(last=False)

    def _id(self, call: Call) -> str:
        return writing.incident_id(writing.name_of(call), self._issuer.element)

    def _now(self) -> str:
        return writing.timestamp(self._clock.now())


def _tell(id_: str, state: _State) -> Told:
    return Told(id=id_, frame=state.frame, document=state.document, closed_at=state.closed_at)


def _text(call: Call, what: str) -> str:
    name = writing.name_of(call)
    return f"{'EXERCISE ' if name.exercise else ''}{what} {name.spoken}"
