"""The link to a monitoring station: SIA DC-09 reports over TCP or UDP, to one of several receivers at a time."""

from __future__ import annotations

import asyncio
import os
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from belltower import log
from belltower.clock import SECOND, Clock, Instant
from belltower.errors import Uncertain, Unreachable
from belltower.ids import LinkName, RandomBytes
from belltower.incident.facts import ReceiptLevel
from belltower.tasks import together
from gateway.psap.dc09_clock import Offsets
from gateway.psap.dc09_proof import Proof
from gateway.psap.dc09_reports import Reports
from gateway.psap.link import (
    Answered,
    Call,
    Frame,
    LinkTest,
    LinkTraits,
    Lost,
    More,
    Opened,
    Receipt,
    Refusal,
    Report,
    Update,
)
from hardware.codecs import dc09
from hardware.codecs.dc09 import Kind
from hardware.codecs.dc09_crypto import random_pad, seal
from hardware.transports import Transport

_log = log.get("psap")

TRIES = 3
"""How often a message goes to one receiver before the next one's turn."""
PATIENCE = 0.5
"""Seconds for which messages wait for the answer to one before; some receivers cannot take two at once."""
AGREES = 2
"""Seconds by which clocks may differ and still be said to agree."""
HOME = 300.0
"""Seconds between two looks whether the first receiver answers again, while another one has its turn."""
_REMEMBERED = 1_024
_REOPEN = (0.1, 1.5)
_NULL = 0


class Line(Struct, frozen=True, kw_only=True):
    """One receiver: what it is called in facts and files, and how it is reached."""

    name: str
    # Makes a transport, not yet opened; Unreachable when its address is not known.
    make: Callable[[], Transport]


class _Told(Struct):
    frame: Frame
    # When it first went out, by our clock.
    since: Instant
    # The receivers that could not process it.
    refused: set[int] = field(default_factory=set)


class DC09Link:
    """Satisfies `PSAPLink`. One account with one station, one receiver at a time."""

    def __init__(
        self,
        *,
        name: LinkName,
        lines: Sequence[Line],
        reports: Reports,
        clock: Clock,
        key: bytes | None = None,
        offsets: Offsets | None = None,
        heartbeat: float = 30.0,
        timeout: float = 5.0,
        station_counts: bool = False,
        sequence: int | None = None,
        random_bytes: RandomBytes = os.urandom,
    ) -> None:
        """Keep what it is made of; `sequence` is the last number used, by default one that no late answer bears."""
        self._name = name
        self._lines = lines
        self._reports = reports
        self._clock = clock
        self._key = key
        self._proof = Proof(account=reports.account, key=key)
        self._offsets = offsets or Offsets()
        self._heartbeat = heartbeat
        self._timeout = timeout
        self._pad = random_pad(random_bytes)
        self._sequence = sequence
        self._traits = LinkTraits(
            settling=frozenset({ReceiptLevel.STATION, ReceiptLevel.SYSTEM})
            if station_counts
            else frozenset({ReceiptLevel.SYSTEM}),
            ending=frozenset({ReceiptLevel.STATION}),
            retries=(timeout, 2 * timeout),
            again=timeout,
            exercise=True,
            best=ReceiptLevel.STATION,
            supervision=heartbeat + TRIES * timeout * len(lines),
        )
        # By number: what was sent under it; by frame id: its number. A late right answer still counts.
        self._told: OrderedDict[int, _Told] = OrderedDict()
        self._numbers: dict[str, int] = {}
        self._at = 0
        self._line: Transport | None = None
        # Of this connection: until when an answer is waited for, and how often each was tried.
        self._waiting: dict[int, float] = {}
        self._tries: Counter[int] = Counter()
        self._resent: Counter[int] = Counter()
        self._resend: dict[int, None] = {}
        self._spoke = 0.0
        # Since when an answer has been waited for.
        self._asked = 0.0
        self._proved = False
        self._why = ""
        # Connections in a row on which nothing was answered.
        self._barren = 0
        self._calm = asyncio.Event()
        self._bell = asyncio.Event()
        self._answering: bool | None = None
        self.counts: Counter[str] = Counter()
        """What was heard: answers, ack, rsp, nak, duh, garbled, unframed, foreign, account, stray, unproven, stale."""
        self.samples: deque[bytes] = deque(maxlen=8)
        """The last octets that were not understood, for whoever looks into it."""

    def __repr__(self) -> str:
        return f"DC09Link({self._name})"

    @property
    def name(self) -> LinkName:
        """The name of its settings table."""
        return self._name

    @property
    def traits(self) -> LinkTraits:
        """A station's receipt ends its retries; whether it settles a call is for the settings to say."""
        return self._traits

    @property
    def answering(self) -> bool | None:
        """Whether the station answers; None while that is not known yet."""
        return self._answering

    @property
    def receiver(self) -> str:
        """The receiver whose turn it is."""
        return self._lines[self._at].name

    def first(self, call: Call) -> Frame:
        """The call, alone."""
        return self._reports.first(call)

    def more(self, more: More) -> Frame:
        """Further presses of one building."""
        return self._reports.more(more)

    def update(self, update: Update) -> Frame:
        """The cancellation or correction."""
        return self._reports.update(update)

    def test(self, test: LinkTest) -> Frame | str:
        """A manual test."""
        return self._reports.test(test)

    def airtime(self, frame: Frame) -> float:
        """Nothing to wait for."""
        del frame
        return 0.0

    async def send(self, frame: Frame) -> bool:
        """Number and time it, and hand it to the receiver whose turn it is."""
        if self._line is None:
            return False
        try:
            async with asyncio.timeout_at(self._asked + PATIENCE):
                await self._calm.wait()
        except TimeoutError:
            pass
        return await self._put(self._numbered(frame))

    async def run(self, report: Report) -> None:
        """Open, read, supervise; the next receiver when one cannot be reached or is silent."""
        wait = _REOPEN[0]
        while True:
            line = None
            try:
                line = self._lines[self._at].make()
                await line.open()
                self._begin(line)
                report(Opened())
                await together(
                    psap_supervise=self._supervise(),
                    psap_listen=self._listen(line, report),
                    psap_look_home=self._look_home(),
                )
            except _NextError as error:
                self._turn(report, str(error))
            except Unreachable as error:
                if not self._proved:
                    self._turn(report, str(error))
            finally:
                self._line = None
                self._calm.set()
                if line is not None:
                    await line.close()
            if self._proved:
                wait = _REOPEN[0]
            self._proved = False
            await asyncio.sleep(wait)
            if self._at == 0:
                wait = min(2 * wait, _REOPEN[1])

    # ---- speaking

    def _begin(self, line: Transport) -> None:
        self._waiting.clear()
        self._tries.clear()
        self._resent.clear()
        self._resend.clear()
        self._why = ""
        self._calm.set()
        self._line = line

    def _numbered(self, frame: Frame) -> int:
        number = self._numbers.get(frame.id)
        if number is None:
            if self._sequence is None:
                # Seconds go by faster than calls: after a restart no number is soon used again.
                self._sequence = 1 + self._clock.now() // SECOND % dc09.LAST_SEQUENCE
            self._sequence = number = dc09.after(self._sequence)
            self._forget(number)
            self._numbers[frame.id] = number
            self._told[number] = _Told(frame, self._clock.now())
            if len(self._told) > _REMEMBERED:
                self._forget(next(iter(self._told)))
        return number

    def _forget(self, number: int) -> None:
        told = self._told.pop(number, None)
        if told is not None:
            self._numbers.pop(told.frame.id, None)

    def _time(self) -> Instant:
        """The time by the clock of the receiver whose turn it is."""
        return Instant(self._clock.now() + self._offsets.of(self.receiver) * SECOND)

    async def _put(self, number: int) -> bool:
        line = self._line
        if line is None:
            return False
        octets = self._octets(number, self._time())
        now = self._spoke = asyncio.get_running_loop().time()
        until = self._waiting.get(number, now)
        if until - now < self._timeout / 2 and (until == now or self._tries[number] < TRIES):
            self._waiting[number] = now + self._timeout
            self._tries[number] += 1
        if self._calm.is_set():
            self._asked = now
            self._calm.clear()
        self._bell.set()
        try:
            await line.write(octets)
        except Unreachable:
            return False
        except Uncertain:
            return True  # cut in the middle: the first octet is out
        return True

    def _octets(self, number: int, at: Instant) -> bytes:
        """The message of this number, timed and perhaps sealed; 0 is the link test."""
        told = self._told.get(number)
        message = dc09.decode(told.frame.octets) if told is not None else self._reports.null()
        content = message.content
        if content is None:
            raise ValueError("a report is made in clear")
        if told is not None or self._key is not None:
            content = replace(content, stamp=Instant(at // SECOND * SECOND))
        message = replace(message, sequence=number, content=content)
        return dc09.encode(seal(message, self._key, self._pad) if self._key is not None else message)

    # ---- supervising

    async def _supervise(self) -> None:
        loop = asyncio.get_running_loop()
        await self._put(_NULL)
        while True:
            self._bell.clear()
            while self._resend:
                number = next(iter(self._resend))
                del self._resend[number]
                await self._put(number)
            now = loop.time()
            for number, until in list(self._waiting.items()):
                if now >= until:
                    await self._expired(number)
            if now >= self._spoke + self._heartbeat:
                await self._put(_NULL)
            due = min([self._spoke + self._heartbeat, *self._waiting.values()])
            try:
                async with asyncio.timeout_at(due):
                    await self._bell.wait()
            except TimeoutError:
                pass

    async def _expired(self, number: int) -> None:
        del self._waiting[number]
        if not self._waiting:
            self._calm.set()
        if self._tries[number] >= TRIES:
            raise _NextError(self._why or f"{self.receiver}: no answer to {TRIES} tries")
        if number == _NULL:
            await self._put(_NULL)  # a call's further tries are the worker's

    def _turn(self, report: Report, reason: str) -> None:
        """The next receiver's turn; when none has answered, the link is lost."""
        self._at = (self._at + 1) % len(self._lines)
        self._barren += 1
        if self._barren >= len(self._lines) and self._answering is not False:
            self._answering = False
            _log.warning("link_lost", link=self._name, reason=reason)
            report(Lost(reason=reason))

    async def _look_home(self) -> None:
        """While another receiver has its turn, go back to the first one as soon as it answers."""
        if self._at == 0:
            return
        while True:
            await asyncio.sleep(HOME)
            if await self._home_answers():
                self._at = 0
                raise Unreachable("the first receiver answers again")

    async def _home_answers(self) -> bool:
        """Test the first receiver on a line of its own; its NAK tells that it is there, too."""
        first = self._lines[0]
        line: Transport | None = None
        try:
            async with asyncio.timeout(self._timeout):
                line = first.make()
                await line.open()
                offset = self._offsets.of(first.name) * SECOND
                await line.write(self._octets(_NULL, Instant(self._clock.now() + offset)))
                decoder = dc09.Decoder()
                while True:
                    for item in decoder.feed(await line.read()):
                        if isinstance(item, dc09.Garbled) or item.kind not in dc09.ANSWERS:
                            continue
                        now = Instant(self._clock.now() + offset)
                        if item.kind is Kind.NAK or (
                            self._proof.ours(item) and not self._proof.missing(item, since=now, now=now)
                        ):
                            return True
        except (TimeoutError, Unreachable, Uncertain):
            return False
        finally:
            if line is not None:
                await line.close()

    # ---- hearing

    async def _listen(self, line: Transport, report: Report) -> None:
        decoder = dc09.Decoder()
        while True:
            noise = decoder.noise
            for item in decoder.feed(await line.read()):
                if isinstance(item, dc09.Garbled):
                    self._odd("garbled", item.sample)
                else:
                    self._take(item, report)
            if decoder.noise > noise:
                self._odd("unframed", decoder.sample)

    def _take(self, frame: dc09.Frame, report: Report) -> None:
        if frame.kind not in dc09.ANSWERS:
            self.counts["foreign"] += 1
        elif frame.kind is Kind.NAK:
            self._take_nak(frame)
        elif not self._proof.ours(frame):
            self.counts["account"] += 1
        elif frame.sequence not in self._told and frame.sequence not in self._waiting:
            self.counts["stray"] += 1
        elif frame.kind is Kind.DUH:
            self._take_duh(frame.sequence, report)
        elif self._proven(frame):
            self._take_ack(frame, report)

    def _take_ack(self, frame: dc09.Frame, report: Report) -> None:
        self.counts[frame.kind.lower()] += 1
        self.counts["answers"] += 1
        told = self._told.get(frame.sequence)
        self._settled(frame.sequence)
        self._alive(report)
        if told is not None:
            report(Receipt(frame=told.frame.id, level=ReceiptLevel.STATION))

    def _take_duh(self, number: int, report: Report) -> None:
        """It was read and cannot be processed. Not sealed even by stations that seal: it proves nobody alive."""
        self.counts["duh"] += 1
        told = self._told.get(number)
        self._settled(number)
        if self._key is None:
            self._alive(report)
        if told is None:
            return
        report(Refusal(frame=told.frame.id, reason="the station cannot process it (DUH)"))
        if len(self._lines) > 1 and self._at not in told.refused:
            told.refused.add(self._at)
            raise _NextError(f"{self.receiver}: it cannot process a report (DUH)")

    def _take_nak(self, frame: dc09.Frame) -> None:
        """It bears no number: what waits is sent again, if the clocks were what was wrong."""
        self.counts["nak"] += 1
        stamp = frame.content.stamp if frame.content is not None else None
        if stamp is None or not self._waiting:
            return
        receiver = self.receiver
        offset = -((self._clock.now() - stamp) // SECOND)  # its fraction of a second is not told
        if abs(offset - self._offsets.of(receiver)) < AGREES:
            self._why = f"{receiver}: it answers NAK although the clocks agree"
            return
        self._why = f"{receiver}: it answers NAK, each time with another clock"
        self._offsets.set(receiver, offset)
        _log.info("clock_offset", link=self._name, receiver=receiver, seconds=offset)
        for number in self._waiting:
            if self._resent[number] < TRIES:
                self._resent[number] += 1
                self._resend[number] = None
        self._bell.set()

    def _proven(self, frame: dc09.Frame) -> bool:
        """Whether the answer is the station's, as far as can be told."""
        told = self._told.get(frame.sequence)
        now = self._clock.now()
        offset = self._offsets.of(self.receiver) * SECOND
        since = min(told.since, now) if told is not None else now
        missing = self._proof.missing(frame, since=Instant(since + offset), now=Instant(now + offset))
        if missing:
            self.counts[missing] += 1
        if missing == "stale":
            self._why = f"{self.receiver}: the time in its sealed answers is off"
        return not missing

    def _settled(self, number: int) -> None:
        self._waiting.pop(number, None)
        self._resend.pop(number, None)
        del self._tries[number], self._resent[number]
        if not self._waiting:
            self._calm.set()
        self._bell.set()

    def _alive(self, report: Report) -> None:
        self._proved = True
        self._barren = 0
        if self._answering is not True:
            self._answering = True
            _log.info("link_answers", link=self._name)
            report(Answered())

    def _odd(self, what: str, sample: bytes) -> None:
        self.counts[what] += 1
        self.samples.append(sample)


class _NextError(Unreachable):
    """This receiver is silent or cannot process a report: the next one's turn."""
