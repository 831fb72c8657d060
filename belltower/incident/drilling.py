"""The drill that runs: opened by a token; closed by its window, by a person, or by a real alarm."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from belltower.clock import SECOND, Clock, Instant
from belltower.errors import WrongState
from belltower.ids import PlaceId
from belltower.incident import drill, facts, store
from belltower.incident.facts import Action, Fact, Mode
from belltower.incident.fold import Incident
from belltower.store import Database, Transaction

OVER = "over"
"""A drill's end: its window has closed."""

ENDED = "ended"
"""A drill's end: a person said so."""

ABORTED_REAL = "aborted_real"
"""A drill's end: somebody called for help in earnest."""

_LOOK_AGAIN = 5.0
"""Seconds after which the wall clock is looked at again: it may have been set meanwhile."""


_TICK = 0.02
"""Seconds by which the end is waited for longer: a rest too small for a timer would be waited for again and again."""


class RunningDrill(Struct, frozen=True, kw_only=True):
    """The drill whose window is open."""

    authorisation: str
    action: Action | None
    places: tuple[str, ...]
    until: Instant
    psap_accepted: bool
    # When it is over on the clock that nobody sets: a wall clock put back makes no drill longer.
    ends: float


class Drilling:
    """Which drill runs, and which tokens are used."""

    def __init__(self, *, keys: Mapping[str, Ed25519PublicKey], campus: str, clock: Clock) -> None:
        self._keys = keys
        self._campus = campus
        self._clock = clock
        self._used: set[str] = set()
        self._changed = asyncio.Event()
        self.latest: RunningDrill | None = None
        """The drill whose end is not written down yet, though its window may have closed."""

    async def open(self, database: Database) -> None:
        """Load what stood when the last process ended."""
        for kept in await store.drills(database):
            self._used.add(kept.authorisation)
            if not kept.ended:
                self._run(
                    kept.authorisation, kept.action, kept.places, kept.until, accepted=kept.psap_accepted
                )

    def recall(self, fact: Fact) -> None:
        """Take in a fact that only the spool holds."""
        match fact:
            case facts.DrillBegun() as begun:
                self._used.add(begun.authorisation)
                self._run(
                    begun.authorisation, begun.action, begun.places, begun.until, accepted=begun.psap_accepted
                )
            case facts.DrillEnded(authorisation=ended) if self.latest and self.latest.authorisation == ended:
                self.latest = None
            case _:
                pass

    @property
    def running(self) -> RunningDrill | None:
        """The drill whose window is open now, if any."""
        latest = self.latest
        return latest if latest is not None and self._left(latest) > 0 else None

    def running_at(self, place: PlaceId | None, building: str) -> RunningDrill | None:
        """The drill in which a press here may be an exercise, if any."""
        running = self.running
        if running is None:
            return None
        inside = drill.covers(running.places, campus=self._campus, place=place, building=building)
        return running if inside else None

    def over(self, incident: Incident) -> bool:
        """Whether it is an exercise whose drill does not run any more."""
        running = self.running
        return incident.mode is Mode.EXERCISE and (running is None or running.authorisation != incident.drill)

    def permit(self, incident: Incident, action: Action) -> None:
        """Raise WrongState for an exercise whose drill is over or is about another action."""
        if self.over(incident):
            raise WrongState("the drill of this exercise is over: close it. What is real needs a real alarm")
        running = self.running if incident.mode is Mode.EXERCISE else None
        if running is not None and running.action is not action:
            agreed = f"the action {running.action.value}" if running.action is not None else "no action"
            raise WrongState(f"this drill was agreed for {agreed}. What is real needs a real alarm")

    def begin(self, tx: Transaction, token: str) -> tuple[str, list[Fact]]:
        """Open the token's window; its id and the facts to write. Raises NotVerified or WrongState."""
        now = self._clock.now()
        agreed = drill.verify(token, keys=self._keys, campus=self._campus, now=now, used=self._used)
        if self.running is not None:
            raise WrongState("a drill is running already")
        written: list[Fact] = [self.end(tx, OVER)] if self.latest is not None else []
        self._used.add(agreed.id)
        self._run(agreed.id, agreed.action, agreed.places, agreed.until, accepted=agreed.psap_accepted)
        begun = facts.DrillBegun(
            authorisation=agreed.id,
            until=agreed.until,
            psap_accepted=agreed.psap_accepted,
            action=agreed.action,
            places=agreed.places,
            authorisers=agreed.authorisers,
        )
        store.drill_begun(tx, begun, now)
        return agreed.id, [*written, begun]

    def end(self, tx: Transaction, reason: str) -> facts.DrillEnded:
        """End the latest drill. Raises WrongState when there is none."""
        if self.latest is None:
            raise WrongState("no drill is running")
        ended = facts.DrillEnded(authorisation=self.latest.authorisation, reason=reason)
        self.latest = None
        self._changed.set()
        store.drill_ended(tx, ended, self._clock.now())
        return ended

    async def closed(self) -> None:
        """Wait until there is a drill whose window has closed."""
        while self.latest is None or (left := self._left(self.latest)) > 0:
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left + _TICK, _LOOK_AGAIN) if self.latest else None):
                    await self._changed.wait()

    def _left(self, running: RunningDrill) -> float:
        """Seconds until its window closes on either clock."""
        return min((running.until - self._clock.now()) / SECOND, running.ends - self._clock.monotonic())

    def _run(
        self,
        authorisation: str,
        action: Action | None,
        places: tuple[str, ...],
        until: Instant,
        *,
        accepted: bool,
    ) -> None:
        self.latest = RunningDrill(
            authorisation=authorisation,
            action=action,
            places=places,
            until=until,
            psap_accepted=accepted,
            ends=self._clock.monotonic() + min(until - self._clock.now(), drill.LONGEST) / SECOND,
        )
        self._changed.set()
