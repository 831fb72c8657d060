"""Switches what `OutputOrdered` says, each output for itself, from the journal to the facts of what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence

from belltower.clock import Clock
from belltower.errors import NotFound
from belltower.ids import Ids, IncidentId, RandomBytes
from belltower.incident.facts import (
    Fact,
    OutputLevel,
    OutputOrdered,
    OutputReceipt,
)
from belltower.journal import Draft, Entry, Journal
from belltower.store import Transaction
from belltower.tasks import Crew
from gateway.outputs import texts
from gateway.outputs.rules import Rule, Switching
from gateway.outputs.switched import SwitchedOutput
from hardware.drivers.switch import Switches

Key = tuple[str, IncidentId, int]
"""An order: its output, its incident and its number."""


class SwitchWorker:
    """Carries out orders to everything that is switched. `run` it in the alarm lane's crew.

    It has no tables: after a restart `owed`, the facts of the incidents that are to be attended to, is all its memory.
    """

    def __init__(
        self,
        *,
        journal: Journal[Fact],
        switches: Switches,
        rules: Mapping[str, Rule],
        ids: Ids,
        clock: Clock,
        random_bytes: RandomBytes,
        owed: Sequence[Entry[Fact]] = (),
        after: int = 0,
    ) -> None:
        """Serve `switches` by their `rules`. `after` is the journal's position up to which `owed` was read."""
        self._journal = journal
        self._switches = switches
        self._rules = rules
        self._ids = ids
        self._clock = clock
        self._owed = owed
        self._after = after
        self._outputs = {
            name: SwitchedOutput(
                name=name,
                switch=switch,
                rule=rules[name],
                write=self._write,
                random_bytes=random_bytes,
                text=_text,
            )
            for name, switch in switches.switches.items()
        }

    def faults(self) -> dict[str, str]:
        """Why an output cannot be relied upon now, by its name; those in order are left out."""
        return {name: output.fault for name, output in self._outputs.items() if output.fault}

    def confirmed(self, name: str) -> bool:
        """Whether the device's own answer is asked for."""
        return self._rules[name].confirmed

    async def prove(self, name: str) -> tuple[OutputLevel, str]:
        """Switch one output on for a second: how far that got, and why not further. Raises `NotFound`."""
        output = self._outputs.get(name)
        if output is None:
            raise NotFound(f"nothing that is switched is called {name}")
        return await output.prove()

    async def run(self) -> None:
        """Recall what is owed, then serve every output and follow the journal, for ever."""
        try:
            async with Crew(backoff=(0.1, 2.0)) as crew:
                self._recall()
                for name, work in self._switches.work.items():
                    crew.mendable(name, work)
                for name, output in self._outputs.items():
                    crew.mendable(f"output {name}", output.run, on_failure=output.surprised)
                crew.essential("switching follow", self._follow)
        finally:
            await self._switches.close()

    async def _follow(self) -> None:
        async for entry in self._journal.follow(after=self._after, kinds=(OutputOrdered,)):
            order = entry.fact
            if isinstance(order, OutputOrdered) and (output := self._outputs.get(order.output)) is not None:
                output.order(order)
            self._after = max(self._after, entry.position)

    def _recall(self) -> None:
        owed, self._owed = self._owed, ()
        latest: dict[tuple[str, IncidentId], OutputOrdered] = {}
        tried: set[Key] = set()
        settled: set[Key] = set()
        for entry in owed:
            match entry.fact:
                case OutputOrdered() as order:
                    known = latest.get((order.output, order.incident))
                    if known is None or order.order > known.order:
                        latest[order.output, order.incident] = order
                case OutputReceipt(output=output, incident=incident, order=number, level=level):
                    (tried if level is OutputLevel.QUEUED else settled).add((output, incident, number))
                case _:
                    pass
        for (output, incident), order in latest.items():
            if (served := self._outputs.get(output)) is not None:
                key = output, incident, order.order
                served.recall(order, tried=key in tried, settled=key in settled)

    def _write(self, incident: IncidentId, fact: Fact) -> Awaitable[object]:
        draft = Draft(id=self._ids.fact(), at=self._clock.now(), subject=incident, fact=fact)
        return self._journal.commit(Transaction(), [draft])


def _text(what: Switching) -> str:
    return texts.sign(what.order)
