"""What a device behind a broker is told by its profile: the order on its topic, and the answer that proves it.

Directly, or through a network server that carries octets. The server's "sent" is never the device's word; an echo of a
state is none either, and the profile says so by its level. An answer that does not name the request proves nothing
while an earlier, opposite request may still be answered.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

from belltower.errors import Malformed, Rejected, Unreachable
from hardware.drivers import Received
from hardware.drivers.switch import Ask, Reach, Reached
from hardware.profiles import ordering
from hardware.profiles.compiled import Profile
from hardware.profiles.message import Message
from hardware.profiles.ordering import Answer, Sending
from hardware.profiles.profile import DownTable, OutputTable, ReceiptTable

LATE = 30.0
"""Seconds for which an answer that does not name its request may still come."""

Take = Callable[[Received], None]
Deliver = Callable[[str, bytes], Awaitable[None]]
"""Hands a message to the broker; returns once it is taken, raises a `LinkError` when it is not."""


class DeviceLine:
    """A broker as those see it who tell devices something. `attach` the connection; have it hear what comes."""

    def __init__(self, *, reply: str) -> None:
        """Answers that go to whoever asked go to topics under `reply`."""
        self.reply = reply
        self._deliver: Deliver | None = None
        self._listening: dict[str, list[Take]] = {}

    def attach(self, deliver: Deliver) -> None:
        """Send by this from now on."""
        self._deliver = deliver

    def heard(self, received: Received) -> bool:
        """Take what came; True when it was for those who ask alone. Never raises."""
        if not received.retain:  # what was stored earlier answers nothing
            for take in tuple(self._listening.get(received.topic, ())):
                take(received)
        return received.topic.startswith(self.reply + "/")

    async def deliver(self, topic: str, payload: bytes) -> None:
        """Send. Raises a `LinkError`."""
        if self._deliver is None:
            raise Unreachable("its way in is not open")
        await self._deliver(topic, payload)

    @contextmanager
    def listening(self, takes: Mapping[str, Take]) -> Iterator[None]:
        """Hear what comes on these topics."""
        for topic, take in takes.items():
            self._listening.setdefault(topic, []).append(take)
        try:
            yield
        finally:
            for topic, take in takes.items():
                left = self._listening[topic]
                left.remove(take)
                if not left:
                    del self._listening[topic]


class Told(Struct, frozen=True, kw_only=True):
    """A device that can be told something, and how."""

    profile: Profile
    on: OutputTable
    off: OutputTable
    # What `{name}` stands for, the device's address among them.
    values: dict[str, Any]
    # The network server that carries it; None: it hears the broker itself.
    bearer: Profile | None = None

    @property
    def down(self) -> DownTable | None:
        """How its network server is told."""
        carrier = self.bearer.tables.bearer if self.bearer is not None else None
        return carrier.down if carrier is not None else None

    def values_of(self, ask: Ask, reply: str) -> dict[str, Any]:
        """What names stand for in this request."""
        own: dict[str, Any] = {
            "request": ask.request,
            "uuid": ordering.uuid_of(ask.request),
            "reply": reply,
            "text": ask.text,
            "state": "ON" if ask.on else "OFF",
        }
        if ask.seconds:
            own["seconds"] = max(1, math.ceil(ask.seconds))
        return {**(self.on if ask.on else self.off).defaults, **self.values, **own}

    def sending(self, ask: Ask, values: Mapping[str, Any]) -> Sending:
        """What goes to the broker. ValueError: a name that nothing stands for, a number that does not fit."""
        what = ordering.sending(self.on if ask.on else self.off, values, exercise=ask.exercise)
        carrier = self.bearer.tables.bearer if self.bearer is not None else None
        return what if carrier is None else ordering.carried(carrier, what, values)

    def topics(self, ask: Ask, reply: str) -> set[str]:
        """Where its answers come."""
        values = self.values_of(ask, reply)
        return {str(ordering.fill(topic, values)) for topic in self._answering(ask)}

    def _answering(self, ask: Ask) -> list[str]:
        receipt = ordering.receipt_of(self.on if ask.on else self.off)
        said = [receipt.topic] if receipt is not None and receipt.topic is not None else []
        if self.bearer is not None and self.bearer.tables.bearer is not None and self.down is not None:
            said += [topic for topic in (self.down.sent, self.down.failed) if topic]
            if receipt is not None and receipt.topic is None:
                said.append(self.bearer.tables.bearer.topic)
        return said


class DeviceSwitch:
    """One device told by its profile, a `Switch`."""

    def __init__(self, *, told: Told, line: DeviceLine, answered: bool = True, late: float = LATE) -> None:
        """Tell it over `line`; without `answered` no answer of the device is waited for."""
        self._lateness = late
        self._told = told
        self._line = line
        self._receipts: dict[bool, ReceiptTable | None] = {True: None, False: None}
        if answered:
            outputs = {True: told.on, False: told.off}
            self._receipts = {on: ordering.receipt_of(output) for on, output in outputs.items()}
        # Until when an answer to a request for that state may come that nobody waits for any more.
        self._late = {True: -math.inf, False: -math.inf}

    @property
    def confirms(self) -> bool:
        """Whether the profile knows an answer that is the device's own."""
        return all(receipt is not None and receipt.level == "device" for receipt in self._receipts.values())

    async def switch(self, ask: Ask, reach: Reach) -> None:
        """Send the order, and wait for what proves it."""
        values = self._told.values_of(ask, self._line.reply)
        try:
            what = self._told.sending(ask, values)
        except ValueError as error:
            raise Unreachable(f"the order cannot be written: {error}") from None
        waiting = _Waiting(self._told, self._receipts[ask.on], values, reach)
        waiting.doubtful = lambda: self._doubtful(ask, values)
        answered = False
        try:
            with self._line.listening(waiting.takes()):
                await self._line.deliver(what.topic, what.payload)
                reach(Reached.QUEUED if waiting.says_sent else Reached.SENT)
                await waiting.over
            answered = True
        except Rejected:
            answered = True
            raise
        finally:
            if not answered:
                self._late[ask.on] = asyncio.get_running_loop().time() + self._lateness

    def _doubtful(self, ask: Ask, values: Mapping[str, Any]) -> bool:
        """Whether the same answer may be one to an earlier request for the opposite."""
        ours, other = self._receipts[ask.on], self._receipts[not ask.on]
        if ours is None or other is None or asyncio.get_running_loop().time() > self._late[not ask.on]:
            return False
        if ordering.names_of(ours.match, ours.topic) & {"request", "uuid"}:
            return False
        return bool(ordering.fill(ours.match, values) == ordering.fill(other.match, values))


class _Waiting:
    """One request's wait for what is said about it; `over` ends with the last of it."""

    def __init__(
        self, told: Told, receipt: ReceiptTable | None, values: Mapping[str, Any], reach: Reach
    ) -> None:
        self._told = told
        self._receipt = receipt
        self._values = values
        self._reach = reach
        self.doubtful: Callable[[], bool] = lambda: False
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        down = told.down
        self.says_sent = bool(down is not None and down.sent)
        if receipt is None and not self.says_sent:
            self.over.set_result(None)

    def takes(self) -> dict[str, Take]:
        """What is done with what comes, by topic."""
        takes: dict[str, Take] = {}
        down, receipt = self._told.down, self._receipt
        if down is not None and down.failed:
            takes[self._filled(down.failed)] = self._could_not
        if down is not None and down.sent:
            takes[self._filled(down.sent)] = self._sent
        if receipt is not None and receipt.topic is not None:
            takes[self._filled(receipt.topic)] = self._answer
        elif receipt is not None and self._told.bearer is not None:
            carrier = self._told.bearer.tables.bearer
            if carrier is not None:
                takes[self._filled(carrier.topic)] = self._carried
        return takes

    def _filled(self, topic: str) -> str:
        return str(ordering.fill(topic, self._values))

    def _named(self, received: Received) -> bool:
        """Whether the network server means this request: its id stands there, whatever else does."""
        down = self._told.down
        return down is not None and self._filled(down.request).encode() in received.payload

    def _sent(self, received: Received) -> None:
        if not self._named(received) or self.over.done():
            return
        self._reach(Reached.SENT)
        if self._receipt is None:
            self.over.set_result(None)

    def _could_not(self, received: Received) -> None:
        if self._named(received):
            self._refused("its network server could not send it")

    def _answer(self, received: Received) -> None:
        self._judge(Message(topic=received.topic, payload=received.payload), None)

    def _carried(self, received: Received) -> None:
        carrier = self._told.bearer.bearer if self._told.bearer is not None else None
        names = carrier.carries(received.topic) if carrier is not None else None
        if carrier is None or names is None:
            return
        try:
            inner = carrier.unwrap(Message(topic=received.topic, payload=received.payload), names)
        except Malformed:
            return
        self._judge(inner, self._told.profile.fields(inner))

    def _judge(self, message: Message, fields: Mapping[str, Any] | None) -> None:
        receipt = self._receipt
        if receipt is None or self.over.done():
            return
        answer = ordering.settles(receipt, message, self._values, fields)
        if answer is None or self.doubtful():
            return
        if answer is Answer.FAILED:
            self._refused("the device says no")
            return
        self._reach(Reached.DEVICE if receipt.level == "device" else Reached.SENT)
        self.over.set_result(None)

    def _refused(self, why: str) -> None:
        if not self.over.done():
            self.over.set_exception(Rejected(why))
            self.over.exception()  # whoever waits raises it; who has given up need not
