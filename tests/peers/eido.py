"""EIDO's far ends in memory: a door whose one system subscribes and then only swallows."""

import asyncio
import json

from belltower.errors import Unreachable

SUBSCRIBE = {"subscribe": {"requestId": "r1", "requestType": "EIDO", "requestSubType": "new"}}


class MemoryWire:
    """A WebSocket that takes `capacity` octets unread."""

    def __init__(self, *, capacity=1 << 20) -> None:
        self.capacity = capacity
        self.said = []
        self.inbox = asyncio.Queue()
        self.gone = asyncio.Event()

    def hear(self, message):
        """The far end says this."""
        self.inbox.put_nowait(message if isinstance(message, bytes) else json.dumps(message).encode())

    async def send(self, octets):
        """Keep it while there is room; then wait until the end."""
        if self.gone.is_set():
            raise Unreachable("gone")
        if sum(map(len, self.said)) + len(octets) > self.capacity:
            await self.gone.wait()
            raise Unreachable("gone")
        self.said.append(octets)

    async def receive(self):
        """What the far end says next."""
        heard = await self.inbox.get()
        if heard is None:
            raise Unreachable("gone")
        return heard

    def abort(self):
        """The line is cut."""
        self.gone.set()
        self.inbox.put_nowait(None)

    async def close(self):
        """The end of it."""
        self.abort()

    def messages(self, key):
        """What was said to the far end under this key."""
        return [told[key] for told in map(json.loads, self.said) if key in told]


class MemoryDoor:
    """A door through which a system comes, at once and again when it may."""

    def __init__(self, *, capacity=1 << 20, hears=(SUBSCRIBE,)) -> None:
        self.capacity = capacity
        self.hears = hears
        self.wires = []
        self.open_now = False
        self.passable = True
        self.fetch = None
        self._meet = None
        self._tasks = set()

    async def open(self, meet, fetch):
        """Let in whoever may come."""
        self.open_now, self._meet, self.fetch = True, meet, fetch
        if self.passable:
            self.enter()

    def enter(self):
        """A system connects."""
        wire = MemoryWire(capacity=self.capacity)
        for message in self.hears:
            wire.hear(message)
        self.wires.append(wire)
        task = asyncio.get_running_loop().create_task(self._meet(wire))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return wire

    async def close(self):
        """End all."""
        self.open_now = False
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))

    def pull(self):
        """Every system is cut off and none comes."""
        self.passable = False
        for wire in self.wires:
            wire.abort()

    def plug(self):
        """They may come again, and one does."""
        self.passable = True
        if self.open_now:
            self.enter()
