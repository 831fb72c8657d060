"""What a person must look at: written down once in a while, however often it is said.

A trouble that stands until it is over has a row beside its fact, in one commit: the next process knows it too.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Container, Mapping
from math import inf
from typing import Protocol

from belltower import log
from belltower.clock import Clock
from belltower.incident import facts
from belltower.incident.facts import Fact
from belltower.store import Database, Step, Transaction

_log = log.get("devices")

STEPS = [
    Step(
        room="device_standing",
        number=1,
        sql="""
        CREATE TABLE device_standing (
            device TEXT NOT NULL, kind TEXT NOT NULL, why TEXT NOT NULL, profile TEXT NOT NULL,
            PRIMARY KEY (device, kind)
        ) /* clustered */;
        """,
    )
]
_STANDS = (
    "INSERT INTO device_standing (device, kind, why, profile) VALUES (:device, :kind, :why, :profile)"
    " ON CONFLICT (device, kind) DO UPDATE SET why = excluded.why, profile = excluded.profile"
)
_OVER = "DELETE FROM device_standing WHERE device = :device AND kind = :kind"

SHOWN_EVERY = 60.0
"""Seconds between two notes of the same trouble of the same device."""
SELDOM = {"stuck": 3600.0, "unbound press": 3600.0, "low battery": 24 * 3600.0, "open to joining": 3600.0}
"""Where once a minute would be too often."""
MOST_A_MINUTE = 120
"""Notes of all devices of ours together: a thousand devices that talk rubbish fill no journal either."""
MOST_OF_STRANGERS = 30
"""The same of whom the site package does not name: anybody can be many of them, and none of ours may be held back for that."""
REMEMBERED = 4_096
SAID_AGAIN_WITHIN = 600.0
"""Seconds after a start within which what no profile of ours speaks for, a stranger or a name, is said again, or is over."""


class Record(Protocol):
    """Writes a fact down, with the rows gathered in `tx`."""

    def __call__(self, written: Fact, /, *, tx: Transaction | None = None) -> object:
        """Do so."""
        ...


class Troubles:
    """Writes `DeviceTrouble` facts, and holds back what was just written. What is held back is counted."""

    def __init__(self, *, database: Database, record: Record, clock: Clock, counts: Counter[str]) -> None:
        self._database = database
        self._record = record
        self._clock = clock
        self._counts = counts
        self._noted: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lately: deque[float] = deque(maxlen=MOST_A_MINUTE)
        self._strangers: deque[float] = deque(maxlen=MOST_OF_STRANGERS)
        self._standing: dict[str, dict[str, str]] = {}
        # What is known from its row alone, and until when it must be said again.
        self._unsaid: dict[tuple[str, str], float] = {}
        # What was said to be over: its row may come in from the spool yet.
        self._past: set[tuple[str, str]] = set()
        # What stands and could not be written down yet.
        self._held: OrderedDict[tuple[str, str], tuple[facts.DeviceTrouble, bool]] = OrderedDict()

    async def open(self, devices: Container[str]) -> None:
        """Load what stood when the last process ended. What stood of a device that is none of ours any more is over."""
        await self._database.migrate(STEPS)
        await self.load(devices)

    async def load(self, devices: Container[str]) -> None:
        """Take in what earlier processes wrote down, once more when what they spooled has come in. Raises `StoreError`."""
        rows = await self._database.read("SELECT device, kind, why, profile FROM device_standing")
        for device, kind in self._unsaid.keys() - {(device, kind) for device, kind, _, _ in rows}:
            self._forget(device, kind)
        until = self._clock.monotonic() + SAID_AGAIN_WITHIN
        for device, kind, why, profile in rows:
            if kind in self._standing.get(device, {}):
                continue
            self._standing.setdefault(device, {})[kind] = why
            self._unsaid[device, kind] = inf if profile else until
            if (device, kind) in self._past or (profile and device not in devices):
                self.over(device, kind)
        self._past.clear()

    def note(self, device: str, kind: str, *, why: str = "", profile: str = "", ours: bool = True) -> bool:
        """Write it down unless that was done lately; whether it was."""
        self._counts[f"trouble_{kind.replace(' ', '_')}"] += 1
        trouble = facts.DeviceTrouble(device=device, kind=kind, why=why[:200], profile=profile)
        return self._write(trouble, None, ours=ours)

    def stand(self, device: str, kind: str, *, why: str = "", profile: str = "", ours: bool = True) -> None:
        """It is so from now on, until `over`; written down once, as soon as that may be done."""
        self._unsaid.pop((device, kind), None)
        self._past.discard((device, kind))
        if kind in self._standing.get(device, {}) or (device, kind) in self._held:
            return
        self._counts[f"trouble_{kind.replace(' ', '_')}"] += 1
        trouble = facts.DeviceTrouble(device=device, kind=kind, why=why[:200], profile=profile)
        if not self._stands(trouble, ours=ours):
            self._held[device, kind] = (trouble, ours)
            if len(self._held) > REMEMBERED:
                self._held.popitem(last=False)

    def look(self) -> None:
        """Write down what stands and was held back, and what was not said again."""
        now = self._clock.monotonic()
        for device, kind in [key for key, until in self._unsaid.items() if until <= now]:
            self.over(device, kind)
        for key, (trouble, ours) in list(self._held.items()):
            if self._stands(trouble, ours=ours):
                del self._held[key]

    def over(self, device: str, kind: str, *, stood: bool = False) -> None:
        """It is past: when it comes again it is news. `stood`: another than us wrote down that it was so."""
        self._noted.pop((device, kind), None)
        self._held.pop((device, kind), None)
        stood |= self._forget(device, kind)
        if len(self._past) < REMEMBERED:
            self._past.add((device, kind))
        if stood:
            tx = Transaction()
            tx.add(_OVER, device=device, kind=kind)
            self._record(facts.DeviceTroubleOver(device=device, kind=kind), tx=tx)

    @property
    def standing(self) -> Mapping[str, Mapping[str, str]]:
        """What stands now: by device, the kinds with their reasons."""
        return self._standing

    def _forget(self, device: str, kind: str) -> bool:
        """Whether it stood."""
        self._unsaid.pop((device, kind), None)
        standing = self._standing.get(device, {})
        stood = standing.pop(kind, None) is not None
        if not standing:
            self._standing.pop(device, None)
        return stood

    def _stands(self, trouble: facts.DeviceTrouble, *, ours: bool) -> bool:
        if not ours and len(self._standing) >= REMEMBERED:
            return False
        tx = Transaction()
        tx.add(_STANDS, device=trouble.device, kind=trouble.kind, why=trouble.why, profile=trouble.profile)
        written = self._write(trouble, tx, ours=ours)
        if written:
            self._standing.setdefault(trouble.device, {})[trouble.kind] = trouble.why
        return written

    def _write(self, trouble: facts.DeviceTrouble, tx: Transaction | None, *, ours: bool) -> bool:
        device, kind, now = trouble.device, trouble.kind, self._clock.monotonic()
        last = self._noted.get((device, kind))
        if last is not None and now - last < SELDOM.get(kind, SHOWN_EVERY):
            return False
        lately = self._lately if ours else self._strangers
        if len(lately) == lately.maxlen and now - lately[0] < 60.0:
            self._counts["troubles_held_back"] += 1
            return False
        lately.append(now)
        self._noted[device, kind] = now
        self._noted.move_to_end((device, kind))
        if len(self._noted) > REMEMBERED:
            self._noted.popitem(last=False)
        _log.warning("device_trouble", device=device, kind=kind)
        self._record(trouble, tx=tx)
        return True
