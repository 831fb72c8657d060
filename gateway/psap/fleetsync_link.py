"""Texts to a radio of the centre by a Kenwood radio's data port, FleetSync or NEXEDGE. Vector-tested: no radio was at hand.

The radio acknowledges by itself that the other radio has a text: a receipt of level `radio`, and it does not name the
text, so that only one is under way at a time. A text to everybody or to a group is never acknowledged by anything.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from belltower import log
from belltower.errors import Uncertain, Unreachable
from belltower.ids import LinkName
from belltower.incident.facts import ReceiptLevel
from gateway.psap import short_text
from gateway.psap.link import (
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
    Report,
    Update,
)
from gateway.psap.text_frames import Repeats, Reports, TextFrames
from hardware.codecs import fleetsync
from hardware.codecs.fleetsync import Acked, Garbled, NotAcked, Text
from hardware.transports import Transport

_log = log.get("psap")

ANSWERED_WITHIN = 5.0
"""Seconds in which a radio says whether the other one acknowledged; what comes later names no text of ours."""
LATE_WITHIN = 5.0
"""Seconds for which no other text follows one without an answer: a late answer must not be taken for the next one's."""
BETWEEN_BROADCASTS = 2.0
"""Seconds that a radio needs between two texts that nobody acknowledges."""
LONG_ROOM = 160
_AIR = 1.2
_REOPEN = (0.1, 1.5)
_REPEATS = (10.0, 20.0, 30.0)
_UNSUPERVISED = 86_400.0


class FleetSyncLink:
    """Satisfies `PSAPLink`. One radio, one radio or group to write to."""

    def __init__(
        self,
        *,
        name: LinkName,
        transport: Transport,
        to: str,
        nexedge: bool = False,
        group: bool = False,
        long: bool = False,
        campus: str = "",
    ) -> None:
        self._name = name
        self._transport = transport
        self._to = to
        self._nexedge = nexedge
        self._group = group
        self._long = long
        self._broadcast = Text(unit=to, text="", nexedge=nexedge, group=group).broadcast
        room = LONG_ROOM if long else fleetsync.SHORT_TEXT
        self._frames = TextFrames(
            room=room, campus=campus, to=to, exercise_to=to, test_to=to, octets=self._octets
        )
        self._traits = LinkTraits(
            retries=(5.0, 10.0, 20.0),
            exercise=True,
            person=not self._broadcast,
            best=None if self._broadcast else ReceiptLevel.RADIO,
            supervision=_UNSUPERVISED,
        )
        self._repeats = Repeats(waits=_REPEATS)
        self._turn = asyncio.Lock()
        # The frame that an acknowledgement would be for, and when its time is over.
        self._outstanding: asyncio.Future[bool] | None = None
        self._frame_id = ""
        self._quiet_until = 0.0
        self._report: Report = lambda _: None
        self._reports = Reports()
        self._answering: bool | None = None
        self.counts: Counter[str] = Counter()
        """What came in: acks, refusals, people, stray, foreign, other, garbled."""

    def __repr__(self) -> str:
        return f"FleetSyncLink({self._name})"

    @property
    def name(self) -> LinkName:
        """The name of its settings table."""
        return self._name

    @property
    def traits(self) -> LinkTraits:
        """Nothing is heard of a radio that nobody writes to: its supervision is weak."""
        return self._traits

    def first(self, call: Call) -> Frame:
        """The call, in brief unless long messages are agreed."""
        return self._frames.first(call)

    def more(self, more: More) -> Frame:
        """Further presses of one building."""
        return self._frames.more(more)

    def update(self, update: Update) -> Frame:
        """A cancellation or correction."""
        return self._frames.update(update)

    def test(self, test: LinkTest) -> Frame | str:
        """A marked test."""
        return self._frames.test(test) or "there is no agreed form"

    def airtime(self, frame: Frame) -> float:
        """About a second of signalling at 1200 bits a second, and the acknowledgement."""
        return _AIR + len(frame.octets) * 8 / 1200

    async def send(self, frame: Frame) -> bool:
        """Write the text, one at a time."""
        loop = asyncio.get_running_loop()
        if not self._repeats.due(frame.id, loop.time()):
            return True
        async with self._turn:
            return await self._write(frame)

    async def _write(self, frame: Frame) -> bool:
        loop = asyncio.get_running_loop()
        with self._reports.handing(frame.id):
            await self._settled(frame)
            try:
                await self._transport.write(frame.octets)
            except Unreachable:
                return False
            except Uncertain:
                return True  # cut in the middle: a radio drops half a frame
            self._repeats.said(frame.id, loop.time())
            if self._broadcast:
                self._quiet_until = loop.time() + BETWEEN_BROADCASTS
            else:
                self._frame_id = frame.id
                self._outstanding = loop.create_future()
                loop.call_later(ANSWERED_WITHIN, self._unanswered, self._outstanding)
        return True

    async def run(self, report: Report) -> None:
        """Open, read; reopen within two seconds."""
        self._report = self._reports.to = report
        self._answering = None
        wait = _REOPEN[0]
        while True:
            try:
                await self._transport.open()
                wait = _REOPEN[0]
                report(Opened())
                await self._listen()
            except Unreachable as error:
                self._lose(str(error))
            finally:
                self._conclude(acked=False)
                await self._transport.close()
            await asyncio.sleep(wait)
            wait = min(2 * wait, _REOPEN[1])

    def _octets(self, text: str, frame_id: str, to: str) -> bytes:
        del frame_id
        long = self._long or len(text) > fleetsync.SHORT_TEXT
        return fleetsync.encode(Text(unit=to, text=text, long=long, nexedge=self._nexedge, group=self._group))

    async def _settled(self, frame: Frame) -> None:
        if self._outstanding is not None:
            await asyncio.wait({self._outstanding})
        if frame.id == self._frame_id and not self._broadcast:
            return
        left = self._quiet_until - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)

    def _unanswered(self, outstanding: asyncio.Future[bool]) -> None:
        if self._outstanding is outstanding:
            self._conclude(acked=False)
            self._quiet_until = asyncio.get_running_loop().time() + LATE_WITHIN
            self._lose("the radio says neither that a text was acknowledged nor that it was not")

    def _conclude(self, *, acked: bool) -> None:
        outstanding, self._outstanding = self._outstanding, None
        if outstanding is not None and not outstanding.done():
            outstanding.set_result(acked)

    async def _listen(self) -> None:
        decoder = fleetsync.Decoder()
        while True:
            for message in decoder.feed(await self._transport.read()):
                if isinstance(message, Garbled):
                    self.counts["garbled"] += 1
                    continue
                self._alive()
                match message:
                    case Acked() | NotAcked() if self._outstanding is None:
                        self.counts["stray"] += 1
                    case Acked():
                        self.counts["acks"] += 1
                        self._repeats.delivered(self._frame_id)
                        self._conclude(acked=True)
                        self._reports.tell(Receipt(frame=self._frame_id, level=ReceiptLevel.RADIO))
                    case NotAcked():
                        self.counts["refusals"] += 1
                        self._repeats.failed(self._frame_id)
                        self._conclude(acked=False)
                    case Text():
                        self._text(message)
                    case _:
                        self.counts["other"] += 1

    def _text(self, message: Text) -> None:
        if self._broadcast or message.unit != self._to or message.nexedge is not self._nexedge:
            self.counts["foreign"] += 1
            return
        reply = short_text.parse_reply(message.text)
        if reply is None:
            self.counts["other"] += 1
            return
        self.counts["people"] += 1
        by = reply.by or "radio"
        if reply.read_back:
            self._report(ReadBack(number=reply.number, update=reply.update, key="", by=by))
        else:
            self._report(PersonAnswered(number=reply.number, key="", by=by))

    def _alive(self) -> None:
        if self._answering is not True:
            self._answering = True
            _log.info("link_answers", link=self._name)
            self._report(Answered())

    def _lose(self, reason: str) -> None:
        if self._answering is not False:
            self._answering = False
            _log.warning("link_lost", link=self._name, reason=reason)
            self._report(Lost(reason=reason))
