"""Devices of any profile, acting: by a script, or when somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random

from msgspec import Struct

from belltower.clock import SECOND, Clock
from belltower.errors import LinkError, Rejected, SettingsError
from hardware.simulators.mishaps import Mishaps
from hardware.simulators.outlets import Outlet
from hardware.simulators.repertoire import Repertoire
from hardware.simulators.script import Cue, Script, Step
from hardware.simulators.spoken import Spoken

_COUNTED_FROM = SECOND // 10


class Actor(Struct, kw_only=True):
    """One simulated device."""

    name: str
    # What the wire calls it.
    address: str
    repertoire: Repertoire
    place: str = ""
    # The latest of its message counters. They begin with the time, so that a later run counts on.
    counter: int = 0
    silent: bool = False
    said: int = 0


Told = Callable[[Cue, Spoken | None, str], None]
"""Hears of a turn: what was said, if anything, and by whom."""


class Stage:
    """Actors, and the wire on which they speak."""

    def __init__(
        self, *, actors: Sequence[Actor], outlet: Outlet, mishaps: Mishaps, clock: Clock, random: Random
    ) -> None:
        self.actors = actors
        self._outlet = outlet
        self._mishaps = mishaps
        self._clock = clock
        self._random = random
        self._turn = asyncio.Lock()
        self._asking = asyncio.Lock()
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for actor in actors:
            actor.counter = (clock.now() // _COUNTED_FROM) % (1 << 31)

    @property
    def names(self) -> list[str]:
        """The actors' names, in their order."""
        return [actor.name for actor in self.actors]

    def rehearse(self, script: Script) -> None:
        """Say all that the script asks for, to nobody.

        Raises:
            SettingsError: every line that asks for a device or a meaning that there is not.
        """
        faults: list[str] = []
        for step in script.steps:
            try:
                tried: set[int] = set()
                for place in script.cast(step, self.names):
                    actor = self.actors[place]
                    if id(actor.repertoire) not in tried:
                        tried.add(id(actor.repertoire))
                        self._words(actor, step)
            except SettingsError as error:
                line = str(error).removeprefix(f"line {step.line}: ")
                faults.append(f"line {step.line}: {line}")
        if faults:
            raise SettingsError("\n".join(faults))

    async def act(self, script: Script, told: Told = lambda _cue, _spoken, _name: None) -> None:
        """Play the script to its end; `told` hears of every turn. Raises what the wire raises."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        flushed = 0.0
        for cue in script.cues(self.names):
            if cue.at > flushed:
                async with self._turn:
                    await self._outlet.flush()
                flushed = cue.at
                await asyncio.sleep(max(begin + cue.at - loop.time(), 0.0))
            actor = self.actors[cue.device]
            told(cue, await self._perform(actor, cue.step), actor.name)
        async with self._turn:
            for message in self._mishaps.rest():
                await self._outlet.send(message)
            await self._outlet.flush()
        if script.end is not None:
            await asyncio.sleep(max(begin + script.end - loop.time(), 0.0))

    async def wait(self) -> None:
        """Be there to be asked, for ever; raises what the wire raises when it is gone."""
        await self._lost

    def fail(self, error: LinkError) -> None:
        """The wire is gone: whoever waits learns it."""
        if not self._lost.done():
            self._lost.set_exception(error)

    async def say(self, actor: Actor, what: str, battery: float | None = None) -> Spoken | None:
        """Say one thing now.

        Raises:
            SettingsError: the profile has no words for it.
            Rejected: the other side says that it did not take it.
        """
        async with self._asking:
            self._outlet.refused = ""
            spoken = await self._perform(actor, Step(line=0, at=0.0, who="*", what=what, battery=battery))
            async with self._turn:
                await self._outlet.flush()
            if self._outlet.refused:
                raise Rejected(self._outlet.refused)
        return spoken

    async def _perform(self, actor: Actor, step: Step) -> Spoken | None:
        if step.what in ("silent", "speaks"):
            actor.silent = step.what == "silent"
            return None
        if actor.silent:
            return None
        actor.counter += 1
        spoken = self._words(actor, step)
        actor.said += 1
        async with self._turn:
            for message in self._mishaps.through(spoken, duplicates=step.duplicates, retained=step.retained):
                await self._outlet.send(message)
        return spoken

    def _words(self, actor: Actor, step: Step) -> Spoken:
        if step.what == "noise":
            return actor.repertoire.noise(address=actor.address, counter=actor.counter, random=self._random)
        if step.what in ("silent", "speaks"):
            return Spoken(payload=b"")
        return actor.repertoire.say(
            step.what,
            address=actor.address,
            counter=actor.counter,
            now=self._clock.now(),
            battery=step.battery,
        )
