"""Bugs planted on purpose, to see that the simulator finds them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from belltower.clock import SECOND, Instant
from belltower.incident.entry import Draft
from belltower.incident.facts import Fact
from belltower.incident.verbs import RunningDrill, Verbs
from belltower.journal import Durability, Journal
from belltower.store import Transaction
from gateway.intake.windows import Windows
from tests.sim.lane import SITE, SimLane


class _HastyJournal(Journal[Fact]):
    """Says that it has recorded before it has."""

    def commit(self, tx: Transaction, drafts: Sequence[Draft]) -> asyncio.Future[Durability]:
        super().commit(tx, drafts)
        done: asyncio.Future[Durability] = asyncio.get_running_loop().create_future()
        done.set_result(Durability.JOURNALED)
        return done


class AcknowledgesBeforeTheCommit(SimLane):
    """The classic: the unit hears "recorded" while the disk still spins."""

    journal_type = _HastyJournal


class _ForgetfulWindows(Windows):
    """Keeps what was heard in memory alone."""

    def advance(self, tx: Transaction, unit: int, epoch: int, counter: int) -> None:
        super().advance(Transaction(), unit, epoch, counter)


class ForgetsWhatItHeard(SimLane):
    """The replay windows do not survive the process."""

    windows_type = _ForgetfulWindows


class _CredulousVerbs(Verbs):
    """Believes every unit that calls its press an exercise."""

    def raise_alarm(self, *, exercise: bool = False, **others: Any) -> Any:
        if exercise and self.drill is None:
            self._drilling.latest = RunningDrill(
                authorisation="nobody",
                action=None,
                places=(SITE,),
                until=Instant(self._clock.now() + SECOND),
                psap_accepted=False,
                ends=self._clock.monotonic() + 1,
            )
            try:
                return super().raise_alarm(exercise=True, **others)
            finally:
                self._drilling.latest = None
        return super().raise_alarm(exercise=exercise, **others)


class BelievesTheExerciseFlag(SimLane):
    """An exercise needs no token."""

    verbs_type = _CredulousVerbs
