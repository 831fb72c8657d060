"""A dialogue with a modem: one command at a time, its answer or a bounded wait, and what it says unasked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from belltower.errors import Uncertain, Unreachable
from hardware.codecs import at
from hardware.transports import Transport

PROMPT_WITHIN = 5.0
"""Seconds until a modem that does not ask for the body is given up."""
_ABORTED_WITHIN = 2.0
_QUIET = 0.3
_LINES = 256


class Answer(Struct, frozen=True, kw_only=True):
    """What came between a command and the end of its answer."""

    lines: tuple[str, ...]
    final: at.Final

    @property
    def done(self) -> bool:
        """Whether the modem said OK."""
        return self.final.verdict is at.Verdict.DONE

    def of(self, name: str) -> tuple[str, ...] | None:
        """The parameters of the first line `NAME: ..`; None when there is none.

        Raises:
            Malformed: there is one, and its quotes do not match.
        """
        for line in self.lines:
            if line.startswith(f"{name}:"):
                return at.fields(line, name)
        return None


class NoPromptError(Unreachable):
    """The modem did not ask for the body: nothing of it has left."""


class _Exchange:
    def __init__(self, command: str) -> None:
        self.command = command
        self.lines: list[str] = []
        loop = asyncio.get_running_loop()
        self.final: asyncio.Future[at.Final] = loop.create_future()
        self.asked: asyncio.Future[None] = loop.create_future()

    @property
    def owed(self) -> bool:
        """Whether its answer has not come."""
        return self.final.cancelled() or not self.final.done()

    def end(self) -> None:
        for future in (self.final, self.asked):
            future.cancel()


class Dialogue:
    """Commands out, answers back. `listen` must run beside it.

    `unasked` gets each line that answers no command, with the line after it where its name is one of `with_body`.
    Lines of `announced` names are unasked even within an answer. `restarted` are lines that only a modem that has just
    begun anew says: whoever waits for an answer then gets none.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        unasked: Callable[[str, str], None],
        announced: tuple[str, ...],
        with_body: tuple[str, ...],
        restarted: frozenset[str] = frozenset(),
        line_end: str = "\r",
    ) -> None:
        self._transport = transport
        self._unasked = unasked
        self._announced = tuple(f"{name}:" for name in (*announced, *with_body))
        self._with_body = tuple(f"{name}:" for name in with_body)
        self._restarted = restarted
        self._line_end = line_end
        self._turn = asyncio.Lock()
        self._exchange: _Exchange | None = None
        self._header = ""
        # Whether an answer is owed that nobody waits for any more: it may still come.
        self._owed = False
        self.counts: Counter[str] = Counter()
        """Lines by what became of them: garbled, unasked, stray."""

    async def listen(self) -> None:
        """Read until the line goes, for ever. `Unreachable` then, and when the modem has begun anew."""
        reader = at.Reader()
        self._header = ""
        try:
            while True:
                for event in reader.feed(await self._transport.read()):
                    match event:
                        case at.Line(text=text):
                            self._line(text)
                        case at.Prompt():
                            if self._exchange is not None and not self._exchange.asked.done():
                                self._exchange.asked.set_result(None)
                        case at.Garbled():
                            self.counts["garbled"] += 1
        finally:
            if self._exchange is not None:
                self._exchange.end()

    async def wake(self, *, tries: int = 3) -> None:
        """Bring the modem to answer: whatever it was in the middle of is aborted, and late answers are let pass."""
        async with self._turn:
            for left in range(tries - 1, -1, -1):
                try:
                    await self._transport.write(at.ABORT + b"\r")
                    await self._ask("AT", 1.0)
                    break
                except Unreachable:
                    if not left:
                        raise
                except Uncertain as error:
                    raise Unreachable(str(error)) from None
            if self._owed:
                await asyncio.sleep(_QUIET)
            self._owed = False

    async def ask(self, command: str, *, within: float = 5.0) -> Answer:
        """Send a command and wait for its answer; `Unreachable` when none comes."""
        async with self._turn:
            return await self._ask(command, within)

    async def submit(
        self,
        command: str,
        body: str,
        *,
        prompt_within: float = PROMPT_WITHIN,
        within: float = 60.0,
        handed: Callable[[], None] = lambda: None,
        prompted: bool = True,
    ) -> Answer:
        """Send a command, and the body once the modem asks for it; `handed` is called as soon as the body has left.

        Without `prompted` the body follows at once, as on a TETRA radio.

        Raises:
            NoPromptError: it did not ask; the body stayed here.
            Unreachable: the line went before the body.
            Uncertain: the body left, and no answer came.
        """
        async with self._turn:
            exchange = await self._begin(command)
            try:
                if prompted:
                    await self._prompted(exchange, prompt_within)
                if exchange.final.done():
                    return Answer(lines=tuple(exchange.lines), final=exchange.final.result())
                await self._transport.write(body.encode("ascii") + at.END_OF_BODY)
                handed()
                try:
                    final = await self._ended(exchange, within)
                except Unreachable as error:
                    raise Uncertain(f"{error}, and the body had left") from None
                return Answer(lines=tuple(exchange.lines), final=final)
            finally:
                self._end(exchange)

    # ----

    async def _ask(self, command: str, within: float) -> Answer:
        exchange = await self._begin(command)
        try:
            final = await self._ended(exchange, within)
            return Answer(lines=tuple(exchange.lines), final=final)
        finally:
            self._end(exchange)

    def _end(self, exchange: _Exchange) -> None:
        self._owed = self._owed or exchange.owed
        self._exchange = None
        exchange.end()

    async def _begin(self, command: str) -> _Exchange:
        exchange = self._exchange = _Exchange(command)
        try:
            await self._transport.write((command + self._line_end).encode("ascii"))
        except BaseException as error:
            self._exchange = None
            exchange.end()
            if isinstance(error, Uncertain):  # half a command does nothing
                raise Unreachable(str(error)) from None
            raise
        return exchange

    async def _prompted(self, exchange: _Exchange, within: float) -> None:
        await asyncio.wait(
            (exchange.asked, exchange.final), timeout=within, return_when=asyncio.FIRST_COMPLETED
        )
        if exchange.final.cancelled():
            raise NoPromptError("the line went before the prompt")
        if exchange.asked.done() or exchange.final.done():
            return
        try:
            await self._transport.write(at.ABORT)
            await asyncio.wait({exchange.final}, timeout=_ABORTED_WITHIN)
        except (Unreachable, Uncertain):
            pass
        raise NoPromptError(f"no prompt within {within:g} s")

    async def _ended(self, exchange: _Exchange, within: float) -> at.Final:
        done, _ = await asyncio.wait({exchange.final}, timeout=within)
        name = exchange.command.partition("=")[0]
        if not done:
            raise Unreachable(f"no answer to {name} within {within:g} s")
        if exchange.final.cancelled():
            raise Unreachable(f"the line went before the answer to {name}")
        return exchange.final.result()

    def _line(self, text: str) -> None:
        if self._header:
            header, self._header = self._header, ""
            self.counts["unasked"] += 1
            self._unasked(header, text)
        elif text.startswith(self._with_body):
            self._header = text
        elif text in self._restarted:
            raise Unreachable("the modem began anew")
        elif text.startswith(self._announced):
            self.counts["unasked"] += 1
            self._unasked(text, "")
        elif (exchange := self._exchange) is not None:
            self._answer(exchange, text)
        else:
            self.counts["stray"] += 1

    @staticmethod
    def _answer(exchange: _Exchange, text: str) -> None:
        end = at.final(text)
        if end is not None:
            if not exchange.final.done():
                exchange.final.set_result(end)
        elif text != exchange.command and len(exchange.lines) < _LINES:
            exchange.lines.append(text)
