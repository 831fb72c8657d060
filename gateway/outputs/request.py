"""One request to one switch, and its answer within its time."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from belltower.errors import LinkError, Unreachable
from belltower.ids import RandomBytes
from belltower.incident.facts import OutputLevel
from gateway.outputs.rules import Rule
from hardware.drivers.switch import Ask, Reached, Switch


class Failed(Exception):
    """A request did not do it."""

    def __init__(self, reason: str, level: OutputLevel, *, again: bool) -> None:
        """`level` is how far it got; `again`: it may be made again."""
        super().__init__(reason)
        self.reason = reason
        self.level = level
        self.again = again


async def asked(switch: Switch, rule: Rule, random_bytes: RandomBytes, ask: Ask) -> OutputLevel:
    """How far it got. `Failed` when the device has not done it, or nobody knows."""
    level = OutputLevel.QUEUED
    over = False

    def reach(reached: Reached) -> None:
        nonlocal level
        if not over:
            level = OutputLevel(reached.value)

    ask = replace(ask, request=random_bytes(8).hex())
    try:
        async with asyncio.timeout(rule.within):
            await switch.switch(ask, reach)
    except TimeoutError:
        raise Failed(f"no answer within {rule.within:g} s", level, again=rule.idempotent) from None
    except Unreachable as error:
        raise Failed(str(error), level, again=True) from None
    except LinkError as error:
        raise Failed(str(error), level, again=rule.idempotent) from None
    finally:
        over = True
    if rule.confirmed and switch.confirms and level is not OutputLevel.DEVICE:
        raise Failed("the device itself has not answered", level, again=rule.idempotent)
    return level
