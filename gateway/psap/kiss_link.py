"""The radio link: APRS messages with MACed acknowledgements, in AX.25 UI frames, in KISS, on any transport."""

from __future__ import annotations

import asyncio
import os
from collections import Counter, OrderedDict, deque
from functools import partial

from belltower import log
from belltower.errors import Malformed, Uncertain, Unreachable
from belltower.ids import CallId, LinkName, RandomBytes
from belltower.incident.facts import ReceiptLevel
from belltower.tasks import together
from gateway.psap import radio_text
from gateway.psap.channel import Channel, Governor, ModemParameters
from gateway.psap.link import (
    FIRST_PRESS,
    Answered,
    Call,
    Frame,
    LinkTest,
    LinkTraits,
    Lost,
    More,
    Opened,
    PersonAnswered,
    ReadBack,
    Receipt,
    Refusal,
    Report,
    Update,
)
from gateway.psap.radio_text import Direction, Ends, HumanText, ReadBackText
from gateway.psap.ranges import Ranges
from hardware.codecs import aprs, ax25, kiss
from hardware.transports import Transport

_log = log.get("psap")

TO_CALL = ax25.Address(callsign="APZBTW")
"""The AX.25 destination of every frame: APRS reserves APZ for what is not registered."""

MISSES = 3
PATIENCE = 15.0
"""Seconds for which something gives way to others on a loaded channel, at most."""
_REMEMBERED = 1_024
_REOPEN = (0.1, 1.5)
_ANSWER_OCTETS = 70
_FRAMING = 3
"""Octets of KISS around a frame."""


class KISSLink:
    """Satisfies `PSAPLink`. One transport, one key, two stations."""

    def __init__(
        self,
        *,
        name: LinkName,
        transport: Transport,
        key: bytes,
        us: str,
        them: str,
        channel: Channel | None = None,
        heartbeat: float = 30.0,
        modem: ModemParameters | None = None,
        random_bytes: RandomBytes = os.urandom,
    ) -> None:
        self._name = name
        self._transport = transport
        self._key = key
        source = ax25.Address.parse(us)
        self._head = ax25.encode(ax25.UIFrame(destination=TO_CALL, source=source, info=b""))
        self._out = Ends(sender=us, addressee=them)
        self._back = Ends(sender=them, addressee=us)
        self._channel = channel
        self._heartbeat = heartbeat
        self._modem = modem
        self._random_bytes = random_bytes
        # A heartbeat that gives way does so for half an interval, and only the first of a silence.
        quiet = (1 + MISSES / 2) * heartbeat
        supervision = quiet if channel is None else quiet + heartbeat / 2
        self._traits = LinkTraits(exercise=True, person=True, supervision=supervision)
        self._governor: Governor | None = None
        if channel is not None:
            self._governor = Governor(limit=channel.load_limit, patience=PATIENCE)
        self._was_loaded = False
        # Digests of what was sent, by message id: what an answer must prove to have read.
        self._read: OrderedDict[str, bytes] = OrderedDict()
        self._pings: OrderedDict[str, bytes] = OrderedDict()
        self._replies: deque[bytes] = deque(maxlen=64)
        self._bell = asyncio.Event()
        self._answering: bool | None = None
        self._heard_at = float("-inf")
        self.counts: Counter[str] = Counter()
        """Frames by what became of them: garbled, malformed, foreign, forged, stray, answers, people."""
        self.samples: deque[bytes] = deque(maxlen=8)
        """The last frames that were not understood, for whoever looks into it."""

    def __repr__(self) -> str:
        return f"KISSLink({self._name})"

    @property
    def name(self) -> LinkName:
        """The name of its settings table."""
        return self._name

    @property
    def traits(self) -> LinkTraits:
        """Exercises have an agreed form; a system receipt settles."""
        return self._traits

    @property
    def answering(self) -> bool | None:
        """Whether the PSAP's system answers; None while that is not known yet."""
        return self._answering

    @property
    def detail(self) -> str:
        """What somebody who looks at the link should know beyond whether it answers; empty: nothing."""
        if self._governor is None or not self._loaded():
            return ""
        load = self._governor.load(asyncio.get_running_loop().time())
        return f"channel {load.all:.0%} busy, {load.ours:.0%} ours; repeats, summaries and tests give way"

    def first(self, call: Call) -> Frame:
        """The call, alone."""
        text = radio_text.call_text(call)
        return self._frame(
            text, radio_text.call_frame_id(call.order.number), ((call.order.call, FIRST_PRESS),)
        )

    def more(self, more: More) -> Frame:
        """As many ranges as one information field holds."""
        text, told = radio_text.more_text(more)
        covers = tuple((call.order.call, ranges) for call, ranges in told)
        return self._frame(text, radio_text.text_frame_id("S", text), covers)

    def update(self, update: Update) -> Frame:
        """The cancellation or correction, alone."""
        return self._frame(radio_text.update_text(update), radio_text.update_frame_id(update), ())

    def test(self, test: LinkTest) -> Frame | str:
        """The marked test."""
        text = radio_text.test_text(test)
        return self._frame(text, radio_text.text_frame_id("T", text), ())

    def airtime(self, frame: Frame) -> float:
        """Seconds for the frame and its acknowledgement."""
        if self._channel is None:
            return 0.0
        return self._channel.airtime(len(frame.octets)) + self._channel.airtime(_ANSWER_OCTETS)

    async def send(self, frame: Frame) -> bool:
        """Hand the frame to the modem; it keys the transmitter as soon as the channel is free.

        On a loaded channel nothing is sent, for 15 seconds at most, of what is not a call or an update for the first
        time.
        """
        if (frame.id in self._read or frame.id[:1] not in "CU") and self._gives_way():
            return False
        self._read[frame.id] = radio_text.digest(frame.text, frame.id)
        self._read.move_to_end(frame.id)
        if len(self._read) > _REMEMBERED:
            self._read.popitem(last=False)
        return await self._write(frame.octets)

    async def run(self, report: Report) -> None:
        """Open, read, supervise; reopen within two seconds."""
        self._answering = None  # should an earlier run have failed, the worker knows nothing of it any more
        wait = _REOPEN[0]
        while True:
            try:
                await self._transport.open()
                wait = _REOPEN[0]
                if self._modem is not None:
                    await self._write(self._modem.octets())
                report(Opened())
                await self._converse(report)
            except Unreachable as error:
                self._lose(report, str(error))
            finally:
                await self._transport.close()
            await asyncio.sleep(wait)
            wait = min(2 * wait, _REOPEN[1])

    async def _converse(self, report: Report) -> None:
        await together(psap_supervise=self._supervise(report), psap_listen=self._listen(report))

    # ---- hearing

    async def _listen(self, report: Report) -> None:
        decoder = kiss.Decoder()
        while True:
            for frame in decoder.feed(await self._transport.read()):
                match frame:
                    case kiss.Garbled(sample=sample):
                        self._odd("garbled", sample)
                    case kiss.Frame(data=data, command=kiss.DATA):
                        self._count(len(data), ours=False)
                        self._take(data, report)
                    case _:
                        self.counts["foreign"] += 1

    def _take(self, data: bytes, report: Report) -> None:
        try:
            heard = ax25.decode(data)
            if str(heard.source) != self._back.sender:
                self.counts["foreign"] += 1
                return
            packet = aprs.decode(heard.info)
            if packet.addressee != self._back.addressee:
                self.counts["foreign"] += 1
            elif isinstance(packet, aprs.Message):
                self._take_message(packet, report)
            else:
                self._take_answer(packet, report)
        except Malformed:
            self._odd("malformed", data)

    def _take_answer(self, packet: aprs.Ack | aprs.Reject, report: Report) -> None:
        read = self._read.get(packet.id) or self._pings.get(packet.id)
        if read is None:
            self.counts["stray"] += 1
            return
        if not packet.tail:
            # A stock radio: anybody can key the channel, so it proves no more than that a radio heard us.
            if isinstance(packet, aprs.Ack) and packet.id in self._read:
                report(Receipt(frame=packet.id, level=ReceiptLevel.RADIO))
            return
        if not radio_text.proven(self._key, Direction.FROM_PSAP, self._back, packet, read):
            self.counts["forged"] += 1
            return
        self.counts["answers"] += 1
        self._alive(report)
        if packet.id not in self._read:
            return
        if isinstance(packet, aprs.Ack):
            report(Receipt(frame=packet.id, level=ReceiptLevel.SYSTEM))
        else:
            report(Refusal(frame=packet.id, reason="the PSAP's system rejected it"))

    def _take_message(self, packet: aprs.Message, report: Report) -> None:
        try:
            text = radio_text.opened(self._key, Direction.FROM_PSAP, self._back, packet.text, packet.id)
        except Malformed:
            self.counts["forged"] += 1
            return
        said = radio_text.parse(text)
        heard: PersonAnswered | ReadBack
        match said:
            case HumanText(number=number, key=key, by=by) if packet.id:
                heard = PersonAnswered(number=number, key=key, by=by)
            case ReadBackText(number=number, update=update, key=key, by=by) if packet.id:
                heard = ReadBack(number=number, update=update, key=key, by=by)
            case _:
                raise Malformed("radio text: the PSAP says only HUMAN and READBACK, with a message id")
        self.counts["people"] += 1
        self._alive(report)
        written = report(heard)
        if written is not None:
            written.add_done_callback(partial(self._confirm, packet))

    def _confirm(self, packet: aprs.Message, written: asyncio.Future[bool]) -> None:
        if written.cancelled() or written.exception() is not None:
            return
        read = radio_text.digest(packet.text, packet.id)
        answer = radio_text.answer(
            self._key, Direction.TO_PSAP, self._out, packet.id, read, positive=written.result()
        )
        self._replies.append(self._octets(answer))
        self._bell.set()

    def _odd(self, what: str, sample: bytes) -> None:
        self.counts[what] += 1
        self.samples.append(sample[: kiss.SAMPLE])

    # ---- speaking

    async def _write(self, octets: bytes) -> bool:
        try:
            await self._transport.write(octets)
        except Unreachable:
            return False
        except Uncertain:
            pass  # cut in the middle: the first octet is out, the far end drops the rest
        self._count(len(octets) - _FRAMING, ours=True)
        return True

    def _count(self, octets: int, *, ours: bool) -> None:
        if self._channel is None or self._governor is None:
            return
        count = self._governor.ours if ours else self._governor.others
        count(self._channel.airtime(octets), now=asyncio.get_running_loop().time())

    def _gives_way(self) -> bool:
        if self._governor is None:
            return False
        now = asyncio.get_running_loop().time()
        if self._governor.loaded(now) is not self._was_loaded:
            self._was_loaded = not self._was_loaded
            _log.info("channel_load", link=self._name, load=round(self._governor.load(now).all, 2))
        return self._governor.waits(now)

    def _loaded(self) -> bool:
        return self._governor is not None and self._governor.loaded(asyncio.get_running_loop().time())

    def _frame(self, text: str, frame_id: str, covers: tuple[tuple[CallId, Ranges], ...]) -> Frame:
        body = radio_text.signed(self._key, Direction.TO_PSAP, self._out, text, frame_id)
        message = aprs.Message(addressee=self._out.addressee, text=body, id=frame_id)
        return Frame(id=frame_id, octets=self._octets(message), text=body, covers=covers)

    def _octets(self, packet: aprs.Packet) -> bytes:
        return kiss.encode(self._head + aprs.encode(packet))

    # ---- supervising

    async def _supervise(self, report: Report) -> None:
        loop = asyncio.get_running_loop()
        self._heard_at = asked_at = float("-inf")
        misses = 0
        given_way = due = loop.time()
        while True:
            while self._replies:
                await self._write(self._replies.popleft())
            now = loop.time()
            if now >= due:
                if self._heard_at >= asked_at:
                    misses = 0
                else:
                    misses += 1
                    if misses >= MISSES:
                        self._lose(report, f"no answer to {MISSES} heartbeats")
                quiet_until = self._heard_at + self._heartbeat
                if now >= quiet_until > given_way and not misses and self._loaded():
                    given_way, due = now, now + self._heartbeat / 2
                elif now >= quiet_until:
                    asked_at = now
                    due = now + self._heartbeat / 2
                    await self._ping()
                else:
                    due = quiet_until
            self._bell.clear()
            if self._replies:
                continue
            try:
                async with asyncio.timeout_at(due):
                    await self._bell.wait()
            except TimeoutError:
                pass

    async def _ping(self) -> None:
        text = radio_text.ping_text(self._random_bytes(4).hex())
        frame = self._frame(text, radio_text.text_frame_id("P", text), ())
        self._pings[frame.id] = radio_text.digest(frame.text, frame.id)
        if len(self._pings) > MISSES:
            self._pings.popitem(last=False)
        await self._write(frame.octets)

    def _alive(self, report: Report) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        if self._answering is not True:
            self._answering = True
            _log.info("link_answers", link=self._name)
            report(Answered())

    def _lose(self, report: Report, reason: str) -> None:
        if self._answering is not False:
            self._answering = False
            _log.warning("link_lost", link=self._name, reason=reason)
            report(Lost(reason=reason))
