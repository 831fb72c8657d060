"""A device that is switched, with every fault there is."""

import asyncio

from belltower.errors import Rejected, Uncertain, Unreachable
from hardware.drivers.switch import Ask, Reached


class Device:
    """What it was asked, and how it answers: "well", "gone", "hung", "refusing", "half", "silent" or "slow"."""

    def __init__(self, *, how="well", confirms=True, delay=0.0) -> None:
        self.how = how
        self.delay = delay
        self.confirms = confirms
        self.asked: list[Ask] = []
        self.on: bool | None = None
        self.times: list[tuple[float, bool]] = []

    async def switch(self, ask: Ask, reach) -> None:
        loop = asyncio.get_running_loop()
        if self.how == "gone":
            raise Unreachable("nobody there")
        self.asked.append(ask)
        reach(Reached.QUEUED)
        if self.how == "hung":
            await loop.create_future()
        if self.how == "refusing":
            raise Rejected("no")
        reach(Reached.SENT)
        if self.how == "silent":
            await loop.create_future()
        if self.how == "half":
            raise Uncertain("half an answer")
        await asyncio.sleep(self.delay)
        self.on = ask.on
        self.times.append((round(loop.time(), 3), ask.on))
        if self.confirms:
            reach(Reached.DEVICE)
