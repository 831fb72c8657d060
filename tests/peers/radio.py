"""A shared radio channel between two modems: one transmits at a time, and everything takes its airtime."""

import asyncio

from hardware.codecs import kiss
from hardware.transports.memory import Cable


class Radio:
    """Plug `near` into the school's link and `far` into the county; `run` it."""

    def __init__(self, *, rate: int, txdelay: float = 0.3, tail: float = 0.1) -> None:
        self.rate, self.txdelay, self.tail = rate, txdelay, tail
        self.school, self.county = Cable(), Cable()
        self.near, self.far = self.school.near, self.county.near
        self._channel = asyncio.Lock()

    def airtime(self, octets: int) -> float:
        """Seconds on the air."""
        return self.txdelay + octets * 8 / self.rate * 1.03 + self.tail

    async def run(self) -> None:
        """Carry frames both ways."""
        await self.school.far.open()
        await self.county.far.open()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._carry(self.school.far, self.county.far))
            group.create_task(self._carry(self.county.far, self.school.far))

    async def _carry(self, out, to) -> None:
        decoder = kiss.Decoder()
        waiting: asyncio.Queue = asyncio.Queue()

        async def transmit() -> None:
            while True:
                data = await waiting.get()
                async with self._channel:
                    await asyncio.sleep(self.airtime(len(data) + 4))
                    await to.write(kiss.encode(data))

        async with asyncio.TaskGroup() as group:
            group.create_task(transmit())
            while True:
                for frame in decoder.feed(await out.read()):
                    waiting.put_nowait(frame.data)
