"""Existing alarm panels as a way in: what they report by SIA DC-09 becomes alarms, notes or a trouble to look at.

Only what a person pressed for help (panic, hold-up, duress, medical) becomes an alarm. Tests, restores and the day's
business are counted. Troubles, cancellations, and alarms that nobody here acts on (fire, burglary) are written down
for a person to look at; for what is not acted on the panel is told so, and turns to its next receiver.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Mapping
from hashlib import sha256

from msgspec import Struct

from belltower import log
from belltower.clock import SECOND, Clock
from belltower.errors import Malformed
from belltower.ids import LinkName, PlaceId
from belltower.incident import facts
from belltower.incident.facts import AlarmKind
from belltower.incident.verbs import Verbs
from belltower.journal import Durability
from belltower.store import Database, Step, Transaction
from floorplans import Place
from hardware.codecs import dc09_events
from hardware.codecs.dc09 import Frame, Kind
from hardware.codecs.dc09_events import Event, Meaning
from hardware.drivers.dc09_judge import SAME_WITHIN, Answer
from hardware.drivers.dc09_receiver import Received

_log = log.get("intake")

STEPS = [
    Step(
        room="panels",
        number=1,
        sql="""
        CREATE TABLE panel_heard (
            panel TEXT NOT NULL, account TEXT NOT NULL, digest TEXT NOT NULL,
            stamp BIGINT NOT NULL, at BIGINT NOT NULL, nth BIGINT NOT NULL,
            PRIMARY KEY (panel, account, digest)
        );
        """,
    )
]

KEPT = 64
"""Reports of one panel that are known again after a restart."""
SHOWN_EVERY = 60.0
"""Seconds between two notes of the same trouble: a panel that repeats itself fills no journal."""
SHOWN_FOR = 3600.0
"""Seconds for which a trouble is shown in the status."""
TROUBLES = 16
"""Troubles of one panel that are shown."""

_HEARD = (
    "INSERT INTO panel_heard (panel, account, digest, stamp, at, nth)"
    " VALUES (:panel, :account, :digest, :stamp, :at, :nth)"
    " ON CONFLICT (panel, account, digest) DO UPDATE SET stamp = excluded.stamp, at = excluded.at, nth = excluded.nth"
)
_FORGET = "DELETE FROM panel_heard WHERE panel = :panel AND nth <= :nth"
_KINDS = {Meaning.PANIC: AlarmKind.PANIC, Meaning.MEDICAL: AlarmKind.MEDICAL}
_LOOKED_AT = frozenset({Meaning.TROUBLE, Meaning.CANCEL, Meaning.ALARM, Meaning.UNKNOWN})
_NOT_ACTED_ON = frozenset({Meaning.ALARM, Meaning.UNKNOWN})


class PanelZones(Struct, frozen=True, kw_only=True):
    """Where the zones of one account are."""

    # By zone number.
    zones: Mapping[int, PlaceId] = {}
    # Where any other zone is; None: not known.
    place: PlaceId | None = None


class PanelPath:
    """One receiver's reports. `open` it before the receiver runs."""

    def __init__(
        self,
        *,
        name: LinkName,
        verbs: Verbs,
        database: Database,
        clock: Clock,
        accounts: Mapping[str, PanelZones],
        places: Mapping[PlaceId, Place],
        counts: Counter[str],
    ) -> None:
        """Keep what it is made of; `counts` is where events are counted by what they mean."""
        self.name = name
        self._verbs = verbs
        self._database = database
        self._clock = clock
        self._accounts = {account.upper(): zones for account, zones in accounts.items()}
        self._places = places
        self._counts = counts
        # What was heard of late, by account and digest: the report's time and ours.
        self._heard: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()
        self._written: dict[tuple[str, str], list[asyncio.Future[Durability]]] = {}
        self._nth = 0
        self._shown: OrderedDict[tuple[str, str, str], float] = OrderedDict()

    async def open(self) -> None:
        """Load what was heard before the last end."""
        await self._database.migrate(STEPS)
        rows = await self._database.read(
            "SELECT account, digest, stamp, at, nth FROM panel_heard WHERE panel = :panel ORDER BY nth",
            panel=self.name,
        )
        for account, digest, stamp, at, nth in rows:
            self._heard[account, digest] = (stamp, at)
            self._nth = nth

    @property
    def troubles(self) -> tuple[str, ...]:
        """What the panel says that a person has to look at, for the status."""
        since = asyncio.get_running_loop().time() - SHOWN_FOR
        return tuple(
            f"{self.name} reports {code} {zone}".rstrip()
            for (_, code, zone), at in self._shown.items()
            if at >= since
        )

    def received(self, received: Received) -> asyncio.Future[Answer] | Answer:
        """A report; the answer leaves once what follows from it is written down."""
        frame = received.frame
        if frame.kind is Kind.NULL:
            return Answer.ACK
        account = frame.account.upper()
        try:
            events = dc09_events.events_of(frame)
        except Malformed as error:
            _log.warning("panel_not_understood", panel=self.name, error=str(error))
            return self._when([self._trouble(account, "?", "", "malformed")], Answer.DUH)
        meanings = [dc09_events.meaning_of(frame.kind, event) for event in events]
        for meaning in meanings:
            self._counts[f"panel_{meaning}"] += 1
        waiting: list[asyncio.Future[Durability]] = []
        if any(meaning in _KINDS for meaning in meanings):
            waiting += self._raise(account, frame, events, meanings)
        for event, meaning in zip(events, meanings, strict=True):
            if meaning in _LOOKED_AT:
                waiting.append(self._trouble(account, event.code, event.zone, meaning))
        acted = any(meaning not in _NOT_ACTED_ON for meaning in meanings)
        return self._when(waiting, Answer.ACK if acted else Answer.DUH)

    def _raise(
        self, account: str, frame: Frame, events: tuple[Event, ...], meanings: list[Meaning]
    ) -> list[asyncio.Future[Durability]]:
        tx = Transaction()
        said = (account, _digest(frame))
        if not self._news(tx, said, frame):
            self._counts["panel_repeated"] += 1
            return self._again(said, account, events, meanings)
        raised: list[asyncio.Future[Durability]] = []
        for event, meaning in zip(events, meanings, strict=True):
            kind = _KINDS.get(meaning)
            if kind is None:
                continue
            place = self._place(account, event.zone)
            outcome = self._verbs.raise_alarm(
                kind=kind,
                place=place.id if place is not None else None,
                building=place.building if place is not None else "",
                path=self.name,
                tx=tx,
            )
            tx = Transaction()
            raised.append(outcome.durability)
        self._written[said] = raised
        return raised

    def _again(
        self, said: tuple[str, str], account: str, events: tuple[Event, ...], meanings: list[Meaning]
    ) -> list[asyncio.Future[Durability]]:
        """What the answer to a repeated call for help waits for.

        What stands in memory alone enters the journal before anything else once that is well: a note of the repeat
        that is journaled proves it.
        """
        written = self._written.get(said, [])
        if not any(each.done() and each.result() is Durability.UNRECORDED for each in written):
            return written
        event, means = next(pair for pair in zip(events, meanings, strict=True) if pair[1] in _KINDS)
        noted = self._verbs.record(
            facts.PanelTrouble(
                panel=self.name, account=account, code=event.code, zone=event.zone, means=means
            )
        )
        proven: asyncio.Future[Durability] = asyncio.get_running_loop().create_future()

        def settle(noted: asyncio.Future[Durability]) -> None:
            journaled = not noted.cancelled() and noted.result() is Durability.JOURNALED
            proven.set_result(Durability.JOURNALED if journaled else Durability.UNRECORDED)

        noted.add_done_callback(settle)
        self._written[said] = [proven]
        return [proven]

    def _place(self, account: str, zone: str) -> Place | None:
        zones = self._accounts.get(account, PanelZones())
        number = int(zone) if zone.isdecimal() else None
        place = zones.zones.get(number, zones.place) if number is not None else zones.place
        return self._places.get(place) if place is not None else None

    def _news(self, tx: Transaction, said: tuple[str, str], frame: Frame) -> bool:
        """Whether the report was not heard before; what the receiver itself forgot at a restart stands on disk."""
        content = frame.content
        if content is None:
            return False
        now, stamp = self._clock.now(), content.stamp if content.stamp is not None else -1
        before = self._heard.get(said)
        if before is not None:
            same_time = stamp >= 0 and before[0] == stamp
            if same_time or 0 <= now - before[1] < SAME_WITHIN * SECOND:
                return False
        self._heard[said] = (stamp, now)
        self._heard.move_to_end(said)
        self._nth += 1
        tx.add(
            _HEARD,
            panel=self.name,
            account=said[0],
            digest=said[1],
            stamp=stamp,
            at=now,
            nth=self._nth,
        )
        if len(self._heard) > KEPT:
            forgotten, _ = self._heard.popitem(last=False)
            self._written.pop(forgotten, None)
            tx.add(_FORGET, panel=self.name, nth=self._nth - KEPT)
        return True

    def _trouble(self, account: str, code: str, zone: str, means: str) -> asyncio.Future[Durability]:
        """Write down what a person must look at, unless that was done a moment ago."""
        now = asyncio.get_running_loop().time()
        key = (account, code, zone)
        last = self._shown.get(key)
        if last is not None and now - last < SHOWN_EVERY:
            done: asyncio.Future[Durability] = asyncio.get_running_loop().create_future()
            done.set_result(Durability.JOURNALED)
            return done
        self._shown[key] = now
        self._shown.move_to_end(key)
        if len(self._shown) > TROUBLES:
            self._shown.popitem(last=False)
        _log.warning("panel_trouble", panel=self.name, code=code, zone=zone, means=means)
        return self._verbs.record(
            facts.PanelTrouble(panel=self.name, account=account, code=code, zone=zone, means=means)
        )

    def _when(
        self, waiting: list[asyncio.Future[Durability]], answer: Answer
    ) -> asyncio.Future[Answer] | Answer:
        """The answer, once all of it is written down; nothing is said of what could only be relayed."""
        if not waiting:
            return answer
        said: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        left = len(waiting)

        def settle(written: asyncio.Future[Durability]) -> None:
            nonlocal left
            left -= 1
            if said.done():
                return
            if written.cancelled():
                said.cancel()
            elif written.result() is Durability.UNRECORDED:
                said.set_result(Answer.NOTHING)
            elif left == 0:
                said.set_result(answer)

        for written in waiting:
            written.add_done_callback(settle)
        return said


def _digest(frame: Frame) -> str:
    content = frame.content
    said = (
        f"{frame.kind} {frame.sequence} {content.data if content else ''} {content.extras if content else ''}"
    )
    return sha256(said.encode()).hexdigest()[:32]
