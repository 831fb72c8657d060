"""One of our own units as its firmware behaves (docs/unit-protocol.md), without I/O and without a clock of its own.

Whoever drives it hands in what was heard and what time it is (seconds, monotonic), and sends what comes out.
"""

from __future__ import annotations

from random import Random

from msgspec import Struct

from belltower.errors import Malformed
from hardware.codecs import unit
from hardware.codecs.unit import (
    MAX_NUMBER,
    Ack,
    Answer,
    Body,
    Challenge,
    Heartbeat,
    Kind,
    Level,
    Press,
    Tamper,
    UnitFrame,
)
from hardware.codecs.unit_room import Order, Say, Shown, Status, Text, Told, Word, clean

BLOCK = 64
"""Counters reserved at once; what is left of a block is skipped at a reboot."""
MQTT_WAITS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each repeat of a press over MQTT; the last one for ever."""
RADIO_WAITS = (2.0, 4.0, 8.0, 15.0, 30.0)
"""The same on a shared radio channel, where one frame takes most of a second."""
JITTER = 0.25
"""Each wait is longer or shorter by up to this share of it, so that units do not repeat in step."""
REMEMBERED = 8
"""Presses whose level is still followed after they were acknowledged."""

Named = tuple[int, int]
"""A frame's epoch and counter."""


class Flash:
    """What a unit remembers without power: its epoch, and the counters reserved in it. New ones start at epoch 1."""

    def __init__(self, *, epoch: int = 1, reserved: int = 0) -> None:
        self._kept: Named | None = (epoch, reserved)
        self._marks: dict[int, Named] = {}

    def load(self) -> Named | None:
        """Epoch and first counter not yet reserved; None when the memory is lost."""
        return self._kept

    def save(self, epoch: int, reserved: int) -> None:
        """Remember, before any counter below `reserved` is used."""
        self._kept = (epoch, reserved)

    def mark(self, type_: int) -> Named:
        """The highest epoch and counter shown of this type, ORDER or SAY."""
        return self._marks.get(type_, (0, 0))

    def keep_mark(self, type_: int, named: Named) -> None:
        """Remember what was shown."""
        self._marks[type_] = named

    def lose(self) -> None:
        """Forget everything, as a worn-out memory does."""
        self._kept = None
        self._marks.clear()


class Pending(Struct, kw_only=True):
    """A press, status or text nobody has acknowledged yet."""

    named: Named
    exercise: bool
    sealed: bytes
    repeats: int
    due: float


class SimulatedUnit:
    """Makes and understands frames. A press is repeated until its ACK comes, whatever its level."""

    def __init__(
        self,
        *,
        number: int,
        key: bytes,
        site_tag: bytes,
        flash: Flash,
        random: Random,
        waits: tuple[float, ...] = MQTT_WAITS,
    ) -> None:
        self._number = number
        self._key = key
        self._site_tag = site_tag
        self._flash = flash
        self._random = random
        self._waits = waits
        self._epoch = 0
        self._counter = 0
        self._reserved = 0
        self._booted = False
        self._pending: dict[Kind, Pending] = {}
        self._levels: dict[Named, Level] = {}
        # Statuses by their word and texts by their number, as long as they wait.
        self._said: dict[Word | int, tuple[Status | Text, Pending]] = {}
        self._text_number = 0
        self.exercise = False
        """Whether the unit is switched to exercise."""
        self.order: Order | None = None
        """What the unit shows; an all-clear takes it off."""
        self.order_exercise = False
        """Whether that is an exercise."""
        self.texts: list[str] = []
        """The texts it has shown, the last ones."""
        self.refused = 0
        """Frames heard that were not understood, not authentic or not for this unit."""

    @property
    def level(self) -> Level:
        """How far the latest press has come, as the wearer sees it."""
        return next(reversed(self._levels.values()), Level.NONE)

    @property
    def waiting(self) -> bool:
        """Whether a press still waits for its ACK."""
        return bool(self._pending)

    @property
    def unheard(self) -> int:
        """How many statuses and texts still wait for their ACK."""
        return len(self._said)

    def press(self, now: float, kind: Kind = Kind.PANIC) -> bytes:
        """The frame of a press, to be sent at once. Pressed again before its ACK, it is the same frame."""
        if (waiting := self._pending.get(kind)) is not None:
            return waiting.sealed
        frame = self._frame(Press(kind=kind), exercise=self.exercise)
        named = (frame.epoch, frame.counter)
        sealed = self._seal(frame)
        self._pending[kind] = Pending(
            named=named, exercise=frame.exercise, sealed=sealed, repeats=0, due=now + self._wait(0)
        )
        self._levels[named] = Level.NONE
        while len(self._levels) > REMEMBERED:
            del self._levels[next(iter(self._levels))]
        return sealed

    def status(self, now: float, word: Word, count: int = 0) -> bytes:
        """The frame of a status, to be sent at once; it replaces one of the same word that still waits."""
        return self._say(now, word, Status(word=word, count=count))

    def text(self, now: float, words: str) -> bytes:
        """The frame of a text, to be sent at once."""
        self._text_number = self._text_number % 0xFFFF + 1
        return self._say(now, -self._text_number, Text(number=self._text_number, words=clean(words)))

    def _say(self, now: float, key: Word | int, body: Status | Text) -> bytes:
        frame = self._frame(body, exercise=self.exercise or (self.order is not None and self.order_exercise))
        sealed = self._seal(frame)
        named = (frame.epoch, frame.counter)
        self._said[key] = (
            body,
            Pending(named=named, exercise=frame.exercise, sealed=sealed, repeats=0, due=now + self._wait(0)),
        )
        while len(self._said) > REMEMBERED:
            del self._said[next(iter(self._said))]
        return sealed

    def heartbeat(self, *, battery: int = 100, tamper: bool = False, low_battery: bool = False) -> bytes:
        """The frame of a heartbeat; it is not repeated."""
        body = Heartbeat(battery=battery, tamper=tamper, low_battery=low_battery)
        return self._seal(self._frame(body, exercise=self.exercise))

    def tamper(self) -> bytes:
        """The frame that says that the case was opened."""
        return self._seal(self._frame(Tamper(), exercise=self.exercise))

    def due(self, now: float) -> list[bytes]:
        """The presses, statuses and texts to be repeated by now."""
        frames = []
        for pending in self._waiting():
            if pending.due <= now:
                pending.repeats += 1
                pending.due = now + self._wait(pending.repeats)
                frames.append(pending.sealed)
        return frames

    def next_due(self) -> float | None:
        """When to ask `due()` again; None while nothing waits."""
        return min((pending.due for pending in self._waiting()), default=None)

    def heard(self, data: bytes) -> list[bytes]:
        """What to send at once in return for a frame from the house."""
        try:
            frame = unit.open_sealed(data, self._key, self._site_tag)
            body = unit.body_of(frame) if frame.down and frame.number == self._number else None
        except Malformed:
            body = None
        match body:
            case Ack():
                self._acknowledged(body, exercise=frame.exercise)
            case Challenge():
                return self._challenged(body, frame)
            case Order() | Say():
                return self._shown(body, frame)
            case _:
                self.refused += 1
        return []

    def reboot(self) -> None:
        """Lose power: presses not yet acknowledged and the rest of the counter block are gone."""
        self._booted = False
        self._pending.clear()
        self._said.clear()
        self._levels.clear()

    def _waiting(self) -> list[Pending]:
        return [*self._pending.values(), *(pending for _, pending in self._said.values())]

    def _shown(self, body: Order | Say, frame: UnitFrame) -> list[bytes]:
        """Show what is new, and confirm it; confirm again what is shown already; nothing for what is old."""
        named, mark = (frame.epoch, frame.counter), self._flash.mark(frame.type)
        if named < mark:
            self.refused += 1
            return []
        if named > mark:
            self._flash.keep_mark(frame.type, named)
            if isinstance(body, Say):
                self.texts = [*self.texts, body.words][-REMEMBERED:]
            else:
                self.order = None if body.told is Told.ALL_CLEAR else body
                self.order_exercise = frame.exercise
        shown = Shown(epoch=frame.epoch, counter=frame.counter)
        return [self._seal(self._frame(shown, exercise=frame.exercise))]

    def _acknowledged(self, ack: Ack, *, exercise: bool) -> None:
        named = (ack.epoch, ack.counter)
        for kind, pending in list(self._pending.items()):
            if pending.named == named and pending.exercise == exercise:
                del self._pending[kind]
        for key, (_, said) in list(self._said.items()):
            if said.named == named and said.exercise == exercise:
                del self._said[key]
        if named in self._levels:
            self._levels[named] = max(self._levels[named], ack.level)

    def _challenged(self, challenge: Challenge, frame: UnitFrame) -> list[bytes]:
        """Stand by a press that still waits, and by no other: an old press that comes back is a replay."""
        named = (challenge.epoch, challenge.counter)
        for kind, pending in self._pending.items():
            if pending.named == named and pending.exercise == frame.exercise:
                self._boot()
                if frame.epoch >= self._epoch:
                    self._begin_epoch(frame.epoch + 1)
                body = Answer(nonce=challenge.nonce, epoch=named[0], counter=named[1], kind=kind)
                return [self._seal(self._frame(body, exercise=frame.exercise))]
        for body_said, pending in self._said.values():
            if pending.named == named and pending.exercise == frame.exercise:
                self._boot()
                if frame.epoch >= self._epoch:
                    self._begin_epoch(frame.epoch + 1)
                again = self._frame(body_said, exercise=frame.exercise)
                pending.named = (again.epoch, again.counter)
                pending.sealed = self._seal(again)
                return [pending.sealed]
        return []

    def _frame(self, body: Body, *, exercise: bool) -> UnitFrame:
        self._boot()
        if self._counter == self._reserved:
            self._reserve()
        head = UnitFrame(
            number=self._number, epoch=self._epoch, counter=self._counter, type=0, exercise=exercise
        )
        self._counter += 1
        return unit.with_body(head, body)

    def _boot(self) -> None:
        if self._booted:
            return
        self._booted = True
        kept = self._flash.load()
        if kept is None:  # epoch 0 is challenged always, and the challenge says where to go on
            self._epoch = 0
            self._counter = self._random.randrange(MAX_NUMBER // 2)
            self._reserved = MAX_NUMBER
        else:
            self._epoch, self._counter = kept
            self._reserved = self._counter

    def _reserve(self) -> None:
        if self._counter + BLOCK > MAX_NUMBER:
            self._begin_epoch(self._epoch + 1)
        self._reserved = self._counter + BLOCK
        self._flash.save(self._epoch, self._reserved)

    def _begin_epoch(self, epoch: int) -> None:
        self._epoch, self._counter, self._reserved = epoch, 0, 0

    def _wait(self, repeats: int) -> float:
        wait = self._waits[min(repeats, len(self._waits) - 1)]
        return wait * self._random.uniform(1 - JITTER, 1 + JITTER)

    def _seal(self, frame: UnitFrame) -> bytes:
        return unit.seal(frame, self._key, self._site_tag)
