"""Announces what `OutputOrdered` says, from the orders in the journal to the facts of what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial

from belltower.clock import Clock
from belltower.ids import Ids, IncidentId, PlaceId
from belltower.incident.facts import Fact, OutputFailed, OutputOrdered, OutputReceipt
from belltower.journal import Draft, Entry, Journal
from belltower.store import Transaction
from belltower.tasks import Crew, together
from floorplans.place import Place
from gateway.outputs import texts
from gateway.outputs.texts import Announcement, ExerciseAnnouncement, announcement
from hardware.codecs.voice import PayloadFormat
from hardware.drivers.speech import Speech, Words
from hardware.drivers.zone import BETWEEN, PageWire, Programme, Zone

Key = tuple[str, IncidentId]
"""An output and the incident that orders it."""

_STOP_ROUNDS = 2
_REMEMBERED = 4_096


class OutputWorker:
    """Carries out orders on every output at once. `run` it in the alarm lane's crew.

    It has no tables: after a restart `owed`, the facts of the incidents that are to be attended to, is all its memory.
    What was on goes on; what was settled is not written again.
    """

    def __init__(
        self,
        *,
        journal: Journal[Fact],
        wires: Mapping[str, PageWire],
        speech: Speech,
        ids: Ids,
        clock: Clock,
        place: Callable[[PlaceId], Place | None],
        owed: Sequence[Entry[Fact]] = (),
        after: int = 0,
        switched: Collection[str] = (),
    ) -> None:
        """Announce on `wires`, by output name. `after` is the journal's position up to which `owed` was read.

        Outputs that are `switched` are another worker's.
        """
        self._journal = journal
        self._zones = {name: Zone(wire=wire) for name, wire in wires.items()}
        self._speech = speech
        self._ids = ids
        self._clock = clock
        self._place = place
        self._owed = owed
        self._after = after
        self._switched = switched
        self._standing: dict[Key, OutputOrdered] = {}
        # Orders of which a receipt is written already.
        self._settled: dict[tuple[Key, int], None] = {}

    def fault(self) -> str:
        """What keeps announcements from having words; "" when nothing does."""
        return self._speech.fault() if self._zones else ""

    async def run(self) -> None:
        """Recall what is owed, then serve every output and follow the journal, for ever."""
        async with Crew(backoff=(0.1, 1.0)) as crew:
            if self._zones:
                self._speech.want_words(texts.FIXED)
                crew.mendable("speech", self._speech.run)
            for name, zone in self._zones.items():
                crew.mendable(f"output {name}", zone.run)
            self._recall()
            crew.essential("outputs follow", self._follow)

    async def _follow(self) -> None:
        async for entry in self._journal.follow(after=self._after, kinds=(OutputOrdered,)):
            if isinstance(entry.fact, OutputOrdered):
                self._order(entry.fact)
            self._after = max(self._after, entry.position)

    def _recall(self) -> None:
        latest, self._standing = self._standing, {}
        owed, self._owed = self._owed, ()
        for entry in owed:
            match entry.fact:
                case OutputOrdered() as order:
                    known = latest.get((order.output, order.incident))
                    if known is None or order.order > known.order:
                        latest[order.output, order.incident] = order
                case OutputReceipt(output=output, incident=incident, order=number):
                    self._settled[(output, incident), number] = None
                case _:
                    pass
        for order in latest.values():
            if order.on or ((order.output, order.incident), order.order) not in self._settled:
                self._order(order)

    def _order(self, order: OutputOrdered) -> None:
        if order.output in self._switched:
            return
        key = order.output, order.incident
        standing = self._standing.get(key)
        if standing is not None and standing.order >= order.order:
            return
        self._standing[key] = order
        if len(self._standing) > _REMEMBERED:
            del self._standing[next(iter(self._standing))]
        zone = self._zones.get(order.output)
        if zone is None:
            self._write(order, self._failed(order, "the settings have no output of this name"))
            return
        what = announcement(order, self._place(order.place) if order.place is not None else None)
        words = texts.text(what)
        self._speech.want_words(words)
        programme = Programme(
            key=order.incident,
            priority=texts.priority(what),
            round=partial(self._round, what, words),
            began=partial(self._began, order),
            rounds=0 if order.on else _STOP_ROUNDS,
        )
        zone.play(programme)
        if isinstance(what, ExerciseAnnouncement) and not self._ready(texts.EXERCISE, zone.form):
            self._write(order, self._failed(order, "the words that mark a drill are not rendered"))

    def _ready(self, words: Words, form: PayloadFormat) -> bool:
        return bool(self._speech.ready(words, form))

    def _round(self, what: Announcement, words: tuple[Words, ...], form: PayloadFormat) -> Iterator[bytes]:
        """The sound of one round; a drill's is silent until its mark can be said."""
        if isinstance(what, ExerciseAnnouncement) and not self._ready(texts.EXERCISE, form):
            return
        for each in words:
            yield self._speech.ready(each, form)

    def _began(self, order: OutputOrdered, failure: str) -> None:
        if failure:
            self._write(order, self._failed(order, failure))
            return
        settled = (order.output, order.incident), order.order
        if settled in self._settled:
            return
        self._settled[settled] = None
        if len(self._settled) > _REMEMBERED:
            del self._settled[next(iter(self._settled))]
        # Nothing on these wires confirms that it is heard.
        receipt = OutputReceipt(
            output=order.output, incident=order.incident, order=order.order, on=order.on, confirmed=False
        )
        self._write(order, receipt)

    def _failed(self, order: OutputOrdered, reason: str) -> OutputFailed:
        return OutputFailed(
            output=order.output, incident=order.incident, order=order.order, on=order.on, reason=reason
        )

    def _write(self, order: OutputOrdered, fact: Fact) -> None:
        draft = Draft(id=self._ids.fact(), at=self._clock.now(), subject=order.incident, fact=fact)
        self._journal.commit(Transaction(), [draft])


async def say_test(wire: PageWire, speech: Speech, *, within: float = 60.0) -> str:
    """Announce "This is a test of the paging system" once. "" when it was sent, else why it was not."""
    words = texts.test_text()
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    def began(failure: str) -> None:
        if not told.done():
            told.set_result(failure)

    def sound(form: PayloadFormat) -> Iterator[bytes]:
        yield from (speech.ready(each, form) for each in words)
        over.set()

    async def say() -> None:
        zone.play(Programme(key="test", priority=texts.TEST_PRIORITY, round=sound, began=began, rounds=1))
        if not await told:
            await over.wait()
            await asyncio.sleep(2 * BETWEEN)
        raise _Said

    async def play() -> None:
        await speech.rested()
        await say()

    zone = Zone(wire=wire)
    speech.want_words(words)
    try:
        async with asyncio.timeout(within):
            await together(speech=speech.run(), zone=zone.run(), test=play())
    except _Said:
        return told.result()
    except TimeoutError:
        pass
    return "it could not be sent in time"


class _Said(Exception):
    """It was announced."""
