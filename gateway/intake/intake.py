"""A frame comes in, an alarm goes up, and the acknowledgement leaves after the commit."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from functools import partial

from belltower import log
from belltower.errors import Malformed
from belltower.ids import PlaceId, UnitId
from belltower.incident import facts
from belltower.incident.facts import AlarmKind, Mode
from belltower.incident.verbs import Raised, Verbs
from belltower.journal import Durability
from belltower.store import Database, Transaction
from gateway.intake.paths import Path
from gateway.intake.progress import Progress
from gateway.intake.rooms import RoomUnits
from gateway.intake.supervision import Supervision
from gateway.intake.suspects import Suspects
from gateway.intake.units import KnownUnit
from gateway.intake.windows import Windows
from hardware.codecs import unit as codec
from hardware.codecs.unit import Answer, Heartbeat, Kind, Level, Press, Tamper, UnitFrame
from hardware.codecs.unit_room import Shown, Status, Text
from hardware.codecs.window import Judgement

_log = log.get("intake")

_KINDS = {Kind.PANIC: AlarmKind.PANIC, Kind.MEDICAL: AlarmKind.MEDICAL}
_SAMPLES = 16
_CROWD = 64
_SAMPLE_SIZE = 256
_REMEMBERED = 4096


class Intake:
    """Judges every frame of every path. Nothing that arrives here can raise out of it."""

    def __init__(
        self,
        *,
        verbs: Verbs,
        database: Database,
        units: Mapping[int, KnownUnit],
        windows: Windows,
        suspects: Suspects,
        progress: Progress,
        site_tag: bytes,
        supervision: Supervision,
        rooms: RoomUnits,
        exercised: Callable[[UnitId, PlaceId | None], None] = lambda *_: None,
    ) -> None:
        """Keep what it is made of; `exercised` hears of each unit's press that is an exercise."""
        self._exercised = exercised
        self._rooms = rooms
        self._verbs = verbs
        self._database = database
        self._units = units
        self._windows = windows
        self._suspects = suspects
        self._progress = progress
        self._site_tag = site_tag
        self._supervision = supervision
        self._pending: dict[tuple[int, int, int], asyncio.Future[Durability]] = {}
        # By unit: its presses that are not safely written down, as far as is known.
        self._unwritten: Counter[int] = Counter()
        # Presses that could not be written down, for as long as it may matter.
        self._relayed: OrderedDict[tuple[int, int, int], None] = OrderedDict()
        self._tampered: set[int] = set()
        progress.crowded = lambda: len(self._pending) > _CROWD
        self.counts: Counter[str] = Counter()
        self.samples: deque[bytes] = deque(maxlen=_SAMPLES)

    def receive(
        self, data: bytes, path: Path, *, retained: bool = False, only: int | None = None
    ) -> asyncio.Future[Durability] | None:
        """Take one frame that came by `path`.

        Returns a future that resolves when it is known how safely a press was written down, or None when there is
        nothing to wait for. `only`: the one unit number that may speak here. A retained frame is never acted upon
        at once: a broker may hand out an old one, so its unit is asked.
        """
        try:
            header = codec.peek(data)
            unit = self._units.get(header.number)
            if unit is None or (only is not None and only != header.number):
                self._refuse("unknown_unit" if unit is None else "wrong_unit", data, path)
                return None
            frame = codec.open_sealed(data, unit.key, self._site_tag)
            if frame.down:
                self._refuse("wrong_direction", data, path)
                return None
            body = codec.body_of(frame)
        except Malformed as error:
            self._refuse("malformed", data, path, str(error))
            return None
        self.counts[type(body).__name__.lower()] += 1
        match body:
            case Press(kind=kind):
                return self._press(unit, frame, kind, path, retained=retained)
            case Answer() as answer:
                return self._answer(unit, frame, answer, path)
            case Heartbeat() | Tamper():
                if not retained:  # what a broker had kept is no sign of life
                    self._sign_of_life(unit, frame, path, body)
            case Status() | Text() if not retained:
                return self._said(unit, frame, body, path)
            case Shown() if not retained:
                self._shown(frame, body, path)
            case _:
                pass
        return None

    def unreadable(self, path: Path) -> None:
        """Something came by this path that was not even a frame."""
        self.counts["malformed"] += 1
        self._supervision.jamming.noise(path.name)

    def _press(
        self, unit: KnownUnit, frame: UnitFrame, kind: Kind, path: Path, *, retained: bool
    ) -> asyncio.Future[Durability] | None:
        window = self._windows.of(frame.number)
        judgement = window.judge(frame.epoch, frame.counter)
        if judgement is Judgement.SEEN or self._windows.stood_by(frame.number, frame.epoch, frame.counter):
            return self._again(unit, frame, path)
        if judgement is Judgement.FRESH and not retained:
            self._alive(frame.number, path)
            return self._raise(unit, frame, (frame.epoch, frame.counter), kind, path)
        self.counts["challenged"] += 1
        self._suspects.challenge(unit, frame, window, path)
        return None

    def _answer(
        self, unit: KnownUnit, frame: UnitFrame, answer: Answer, path: Path
    ) -> asyncio.Future[Durability] | None:
        key = (frame.number, answer.epoch, answer.counter)
        window = self._windows.of(frame.number)
        heard = window.judge(answer.epoch, answer.counter) is Judgement.SEEN or self._windows.stood_by(*key)
        if heard or key in self._pending:
            stood_by = codec.UnitFrame(
                number=frame.number,
                epoch=answer.epoch,
                counter=answer.counter,
                type=codec.Type.PRESS,
                exercise=frame.exercise,
            )
            return self._again(unit, stood_by, path)
        if not self._suspects.answered(frame.number, answer):
            self.counts["wrong_nonce"] += 1
            return None
        self._alive(frame.number, path)
        return self._raise(unit, frame, (answer.epoch, answer.counter), answer.kind, path)

    def _said(
        self, unit: KnownUnit, frame: UnitFrame, said: Status | Text, path: Path
    ) -> asyncio.Future[Durability] | None:
        """A room says how it is, or something in its own words: written down once, then acknowledged."""
        window = self._windows.of(frame.number)
        judgement = window.judge(frame.epoch, frame.counter)
        if judgement is Judgement.SEEN:
            return self._again(unit, frame, path)
        if judgement is Judgement.STALE:
            self.counts["challenged"] += 1
            self._suspects.ask(unit, frame, window, path)
            return None
        self._alive(frame.number, path)
        named = (frame.epoch, frame.counter)
        if isinstance(said, Status) and self._rooms.calls_for_help(frame, said):
            return self._raise(unit, frame, named, Kind.MEDICAL, path, said)
        tx = Transaction()
        if self._unwritten[frame.number] > 0:  # as for a sign of life
            self._windows.heard(frame.number, *named)
        else:
            self._windows.advance(tx, frame.number, *named)
        durability = self._rooms.said(unit, frame, said, tx)
        key = (frame.number, *named)
        self._pending[key] = durability
        durability.add_done_callback(lambda future: self._said_written(unit, frame, path, future))
        return durability

    def _said_written(
        self, unit: KnownUnit, frame: UnitFrame, path: Path, future: asyncio.Future[Durability]
    ) -> None:
        key = (frame.number, frame.epoch, frame.counter)
        self._pending.pop(key, None)
        if future.cancelled():
            return
        if future.result() is Durability.UNRECORDED:
            self._relay(key)
        self._send(unit, frame, self._level(unit, frame), path)

    def _relay(self, key: tuple[int, int, int]) -> None:
        self._relayed[key] = None
        if len(self._relayed) > _REMEMBERED:
            self._relayed.popitem(last=False)

    def _shown(self, frame: UnitFrame, shown: Shown, path: Path) -> None:
        """A unit shows what it was told. Its window need not be stored: a confirmation is good for what it names."""
        if self._windows.of(frame.number).judge(frame.epoch, frame.counter) is Judgement.FRESH:
            self._windows.heard(frame.number, frame.epoch, frame.counter)
            self._alive(frame.number, path)
        if not self._rooms.shown(frame.number, shown, path):
            self.counts["shown_again"] += 1

    def _alive(self, number: int, path: Path) -> None:
        self._supervision.heard(number, path.name)
        self._rooms.heard(number, path)

    def _raise(
        self,
        unit: KnownUnit,
        frame: UnitFrame,
        press: tuple[int, int],
        kind: Kind,
        path: Path,
        status: Status | None = None,
    ) -> asyncio.Future[Durability]:
        """Raise the alarm for the press (epoch, counter), which `frame` is or stands by; `status` lands with it."""
        epoch, counter = press
        tx = Transaction()
        # Of a frame too old to tell this changes nothing: a window never moves back.
        self._windows.advance(tx, frame.number, frame.epoch, frame.counter)
        if press != (frame.epoch, frame.counter):
            self._windows.stand_by(tx, frame.number, epoch, counter)
        raised = self._verbs.raise_alarm(
            kind=_KINDS[kind],
            place=unit.place,
            building=unit.building,
            path=path.name,
            exercise=frame.exercise,
            unit=unit.record.id,
            epoch=epoch,
            counter=counter,
            tx=tx,
            also=None if status is None else partial(self._rooms.status, unit, status),
        )
        if raised.mode is Mode.EXERCISE:
            self._exercised(unit.record.id, unit.place)
        key = (frame.number, epoch, counter)
        self._pending[key] = raised.durability
        self._unwritten[frame.number] += 1
        pressed = UnitFrame(
            number=frame.number, epoch=epoch, counter=counter, type=codec.Type.PRESS, exercise=frame.exercise
        )
        raised.durability.add_done_callback(lambda future: self._written(unit, pressed, raised, path, future))
        return raised.durability

    def _written(
        self,
        unit: KnownUnit,
        frame: UnitFrame,
        raised: Raised,
        path: Path,
        future: asyncio.Future[Durability],
    ) -> None:
        self._pending.pop((frame.number, frame.epoch, frame.counter), None)
        if future.cancelled():
            return
        if future.result() is Durability.UNRECORDED:
            level = Level.RELAYED_ONLY
            self._relay((frame.number, frame.epoch, frame.counter))
        else:
            level = Level.RECORDED
            self._unwritten[frame.number] -= 1
        self._progress.pressed(raised.incident, unit, frame, path, level)
        self._send(unit, frame, level, path)

    def _again(self, unit: KnownUnit, frame: UnitFrame, path: Path) -> asyncio.Future[Durability] | None:
        """The same frame once more: the same answer, and no second alarm."""
        self.counts["repeated"] += 1
        pending = self._pending.get((frame.number, frame.epoch, frame.counter))
        if pending is not None:
            pending.add_done_callback(
                lambda future: (
                    None if future.cancelled() else self._send(unit, frame, self._level(unit, frame), path)
                )
            )
            return pending
        self._send(unit, frame, self._level(unit, frame), path)
        return None

    def _level(self, unit: KnownUnit, frame: UnitFrame) -> Level:
        """How far this press has come; never "recorded" for one that could only be relayed."""
        level = self._progress.level(unit, frame)
        relayed = (frame.number, frame.epoch, frame.counter) in self._relayed
        return Level.RELAYED_ONLY if relayed and level is Level.RECORDED else level

    def _sign_of_life(self, unit: KnownUnit, frame: UnitFrame, path: Path, said: Heartbeat | Tamper) -> None:
        judgement = self._windows.of(frame.number).judge(frame.epoch, frame.counter)
        if judgement is Judgement.SEEN:
            self._send(unit, frame, Level.RECORDED, path)
            return
        if judgement is Judgement.STALE:
            self.counts["stale"] += 1
            return
        self._alive(frame.number, path)
        self._progress.remind(unit)
        if isinstance(said, Heartbeat):
            self._supervision.reported(frame.number, said)
            tamper = said.tamper
        else:
            self._supervision.tampered(frame.number)
            tamper = True
        if not tamper:
            self._tampered.discard(frame.number)
        elif frame.number not in self._tampered:
            self._tampered.add(frame.number)
            self._verbs.record(facts.TamperSeen(unit=unit.record.id))
        tx = Transaction()
        self._windows.advance(tx, frame.number, frame.epoch, frame.counter)
        if self._unwritten[frame.number] > 0:
            # On disk the window would vouch for a press that is not there yet; a restart would take it for seen.
            self._send(unit, frame, Level.RECORDED, path)
            return

        def acknowledge(future: asyncio.Future[None]) -> None:
            if not future.cancelled() and future.exception() is None:
                self._send(unit, frame, Level.RECORDED, path)

        self._database.submit(tx).add_done_callback(acknowledge)

    def _send(self, unit: KnownUnit, frame: UnitFrame, level: Level, path: Path) -> None:
        path.send(frame.number, codec.seal(codec.acknowledge(frame, level), unit.key, self._site_tag))

    def _refuse(self, why: str, data: bytes, path: Path, error: str = "") -> None:
        self.counts[why] += 1
        self._supervision.jamming.noise(path.name)
        self.samples.append(data[:_SAMPLE_SIZE])
        if self.counts[why] == 1:
            _log.warning("frame_refused", why=why, error=error, size=len(data))
