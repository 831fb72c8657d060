"""The group page of Polycom and compatible telephones: a `PageWire`. Nothing confirms it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from belltower.errors import Unreachable
from hardware.codecs.polycom_page import ALERTS, ENDS, PAUSE, STEP, Codec, PageTalk
from hardware.codecs.voice import PayloadFormat
from hardware.drivers.page_multicast import Datagrams

CODECS = {PayloadFormat.PCMU: Codec.PCMU, PayloadFormat.G722: Codec.G722}
"""What these telephones hear."""


class PolycomPage:
    """One page after another on one channel: 31 alerts, the sound, a pause, 12 ends."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        channel: int,
        sender: int,
        caller: str,
        form: PayloadFormat = PayloadFormat.G722,
        ttl: int = 1,
        interface: str = "",
    ) -> None:
        """Sound of `form` to a numeric group; of two senders at once the lower `sender` is heard."""
        self._form = form
        self._out = Datagrams(host=host, port=port, ttl=ttl, interface=interface)
        self._channel = channel
        self._sender = sender
        self._caller = caller
        self._talk: PageTalk | None = None
        self._sounded = False

    @property
    def form(self) -> PayloadFormat:
        """How its frames are coded."""
        return self._form

    def fault(self) -> str:
        """Whether there is a way there."""
        return self._out.fault()

    async def begin(self) -> None:
        """Open the socket and alert, which takes 0.93 s: without it telephones do not listen."""
        self._out.open()
        self._sounded = False
        self._talk = talk = PageTalk(
            channel=self._channel, sender=self._sender, caller=self._caller, codec=CODECS[self._form]
        )
        steps = _Steps(STEP)
        for _ in range(ALERTS):
            await steps.next()
            self._out.send(talk.alert())
        await steps.next()

    def send(self, frame: bytes, *, first: bool) -> None:
        """Send one frame, the previous one before it."""
        del first
        if self._talk is None:
            raise Unreachable("the page is not open")
        self._out.send(self._talk.transmit(frame))
        self._sounded = True

    async def end(self) -> None:
        """Pause, end, and close the socket."""
        talk, self._talk = self._talk, None
        if talk is None:
            return
        try:
            with suppress(Unreachable):
                if self._sounded:
                    await asyncio.sleep(PAUSE)
                steps = _Steps(STEP)
                for _ in range(ENDS):
                    await steps.next()
                    self._out.send(talk.end())
        finally:
            self._out.close()


class _Steps:
    """Equal steps by the loop's clock, without drift."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._begin = asyncio.get_running_loop().time()
        self._count = 0

    async def next(self) -> None:
        due = self._begin + self._count * self._step
        self._count += 1
        await asyncio.sleep(max(due - asyncio.get_running_loop().time(), 0))
