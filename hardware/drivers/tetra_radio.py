"""A TETRA radio's data port (ETSI EN 300 392-5): short data out, reports and texts in, over any transport.

No radio was at hand: tested against published octets and our own simulator.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from belltower.errors import Malformed, Uncertain, Unreachable
from belltower.tasks import together
from hardware.codecs import at, tetra_pei
from hardware.drivers.at_dialogue import Dialogue
from hardware.drivers.modem import Down, NotTaken, Outcome, State, Taken, Unsure, Up
from hardware.transports import Transport

ANSWER_WITHIN = 6.0
"""Seconds until a message that was handed over without an answer is uncertain."""
_REOPEN = (0.1, 1.5)
_SYNTAX = 35
_REGISTERED = frozenset({"1", "5"})


class ShortData(Struct, frozen=True, kw_only=True):
    """What came in, and the number that it came from."""

    source: str
    pdu: tetra_pei.PDU | tetra_pei.Short


class TetraRadio:
    """One radio. `run` it; `send` while it is up."""

    def __init__(
        self,
        *,
        transport: Transport,
        heard: Callable[[ShortData], None],
        state: Callable[[State], None],
        every: float = 30.0,
        answer_within: float = ANSWER_WITHIN,
    ) -> None:
        self._transport = transport
        self._heard = heard
        self._tell = state
        self._every = every
        self._answer_within = answer_within
        self._dialogue = Dialogue(
            transport=transport,
            unasked=self._unasked,
            announced=("+CTXG", "+CTICN", "+CTCR", "+CTOCP", "+CDTXC"),
            with_body=("+CTSDSR",),
            line_end="\r\n",
        )
        self._ready = False
        self._bell = asyncio.Event()
        self._broken = ""
        self._answers: list[tuple[str, bytes]] = []
        self.counts: Counter[str] = Counter()
        """What came in: heard, malformed; and what went out: taken, refused, unsure."""

    @property
    def ready(self) -> bool:
        """Whether it is set up; it may still be looking for a network."""
        return self._ready

    async def run(self) -> None:
        """Open, set up, supervise; open again within two seconds, for ever."""
        wait = _REOPEN[0]
        while True:
            try:
                await self._transport.open()
                await together(radio_listen=self._dialogue.listen(), radio_supervise=self._supervise())
            except Unreachable as error:
                self._tell(Down(reason=str(error)))
            finally:
                wait = _REOPEN[0] if self._ready else wait
                self._ready = False
                await self._transport.close()
            await asyncio.sleep(wait)
            wait = min(2 * wait, _REOPEN[1])

    def answer(self, to: str, pdu: bytes) -> None:
        """Send a report or an ack as soon as the line is free; nobody waits for it."""
        if len(self._answers) < 64:
            self._answers.append((to, pdu))
            self._bell.set()

    async def send(self, to: str, pdu: bytes, *, handed: Callable[[], None] = lambda: None) -> Outcome:
        """Hand one PDU over. A radio that complains of the syntax is asked once more, on a cleared line."""
        if not self._ready:
            return NotTaken(reason="the radio is not ready")
        command, body = tetra_pei.command(to, pdu)
        try:
            for left in (1, 0):
                answer = await self._dialogue.submit(
                    command, body, within=self._answer_within, handed=handed, prompted=False
                )
                if answer.done:
                    self.counts["taken"] += 1
                    return Taken(reference=None)
                if answer.final.code != _SYNTAX or not left:
                    break
                await self._dialogue.wake()
        except Uncertain as error:
            self._fail(str(error))
            self.counts["unsure"] += 1
            return Unsure(reason=str(error))
        except Unreachable as error:
            self._fail(str(error))
            return NotTaken(reason=str(error))
        self.counts["refused"] += 1
        family = answer.final.family
        said = f"+{family} ERROR: {answer.final.code}" if family else "ERROR"
        return NotTaken(reason=f"the radio says {said}")

    async def _supervise(self) -> None:
        self._broken = ""
        await self._dialogue.wake()
        await self._dialogue.ask("ATE0")
        # Texts are ours to take; radios that do not know the command deliver them anyway.
        await self._dialogue.ask("AT+CTSP=1,3,130")
        if not (await self._dialogue.ask("AT+CTSDS=12,0,0,0,1")).done:
            raise Unreachable("the radio refuses AT+CTSDS, short data with a transport layer")
        self._ready = True
        while True:
            await self._registered()
            await self._wait()

    async def _wait(self) -> None:
        due = asyncio.get_running_loop().time() + self._every
        while True:
            await self._serve()
            self._bell.clear()
            if self._broken or self._answers:
                continue
            try:
                async with asyncio.timeout_at(
                    due
                ):  # never around a question: its answer would be taken for the next
                    await self._bell.wait()
            except TimeoutError:
                return

    async def _registered(self) -> None:
        answer = await self._dialogue.ask("AT+CREG?")
        try:
            found = answer.of("+CREG")
        except Malformed:
            found = None
        if answer.done and found and found[0] not in _REGISTERED:
            self._tell(Down(reason="the radio is not registered"))
        else:
            self._tell(Up(signal=None))  # a radio that does not know the question may well be on the air

    async def _serve(self) -> None:
        if self._broken:
            raise Unreachable(self._broken)
        while self._answers:
            to, pdu = self._answers.pop(0)
            await self.send(to, pdu)

    def _unasked(self, header: str, body: str) -> None:
        if not header.startswith("+CTSDSR:"):
            return
        try:
            incoming = tetra_pei.decode_header(header)
            octets = at.octets(body)
            if incoming.service == tetra_pei.STATUS:
                pdu: tetra_pei.PDU | tetra_pei.Short = tetra_pei.decode_status(octets)
            else:
                pdu = tetra_pei.decode(octets)
        except Malformed:
            self.counts["malformed"] += 1
            return
        self.counts["heard"] += 1
        self._heard(ShortData(source=incoming.source, pdu=pdu))

    def _fail(self, reason: str) -> None:
        self._ready = False
        self._broken = reason
        self._bell.set()
