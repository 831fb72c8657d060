"""Switches one output on for a second and off again, to prove it."""

from __future__ import annotations

import asyncio

from belltower.errors import LinkError
from belltower.ids import RandomBytes
from belltower.incident.facts import OutputLevel
from belltower.tasks import Crew
from gateway.outputs.rules import CHIRP, Rule
from hardware.drivers.switch import Ask, Reached, Switch, Switches

OPENING = 3.0
"""Seconds."""
TEXT = "This is a test. Nothing has happened."


async def prove(
    made: Switches, rule: Rule, random_bytes: RandomBytes, *, seconds: float = CHIRP
) -> tuple[OutputLevel, str]:
    """How far the lesser of on and off got, and why not further; off is sent whatever became of on."""
    (switch,) = made.switches.values()
    async with Crew() as crew:
        tasks = [crew.mendable(name, work) for name, work in made.work.items()]
        try:
            return await proven(switch, rule, random_bytes, seconds=seconds)
        finally:
            for task in tasks:
                task.cancel()
            await made.close()


async def proven(
    switch: Switch, rule: Rule, random_bytes: RandomBytes, *, seconds: float = CHIRP
) -> tuple[OutputLevel, str]:
    """The same, of a switch whose lines are open."""
    on = await _reached(switch, rule, Ask(on=True, request=random_bytes(8).hex(), text=TEXT, seconds=seconds))
    await asyncio.sleep(seconds)
    off = await _asked(switch, rule, Ask(on=False, request=random_bytes(8).hex()))
    order = list(OutputLevel)
    return min(on, off, key=lambda come: (not come[1], order.index(come[0])))


async def _reached(switch: Switch, rule: Rule, ask: Ask) -> tuple[OutputLevel, str]:
    """The same; a line that was opened only now has a while to find its devices."""
    loop = asyncio.get_running_loop()
    until = loop.time() + OPENING
    while True:
        come = await _asked(switch, rule, ask)
        if come[0] is not OutputLevel.QUEUED or not come[1] or loop.time() > until:
            return come
        await asyncio.sleep(0.2)


async def _asked(switch: Switch, rule: Rule, ask: Ask) -> tuple[OutputLevel, str]:
    level, what = OutputLevel.QUEUED, "on" if ask.on else "off"

    def reach(reached: Reached) -> None:
        nonlocal level
        level = OutputLevel(reached.value)

    try:
        async with asyncio.timeout(rule.within):
            await switch.switch(ask, reach)
    except TimeoutError:
        return level, f"{what}: no answer within {rule.within:g} s"
    except LinkError as error:
        return level, f"{what}: {error}"
    return level, ""
