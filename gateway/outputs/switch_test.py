"""Switches one output on for a second and off again, to prove it."""

from __future__ import annotations

import asyncio

from belltower.errors import LinkError
from belltower.ids import RandomBytes
from belltower.incident.facts import OutputLevel
from gateway.outputs.rules import CHIRP, Rule
from hardware.drivers.switch import Ask, Reached, Switch, Switches

TEXT = "This is a test. Nothing has happened."


async def prove(
    made: Switches, rule: Rule, random_bytes: RandomBytes, *, seconds: float = CHIRP
) -> tuple[OutputLevel, str]:
    """How far the lesser of on and off got, and why not further; off is sent whatever became of on."""
    (switch,) = made.switches.values()
    try:
        on = await _asked(switch, rule, Ask(on=True, request=random_bytes(8).hex(), text=TEXT))
        await asyncio.sleep(seconds)
        off = await _asked(switch, rule, Ask(on=False, request=random_bytes(8).hex()))
    finally:
        await made.close()
    order = list(OutputLevel)
    return min(on, off, key=lambda come: (not come[1], order.index(come[0])))


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
