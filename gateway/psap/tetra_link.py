"""Texts to a terminal of the centre over TETRA short data. Vector-tested: no radio was at hand.

A report *received* is a receipt of level `radio`: a terminal has it. *Consumed* is one of level `station`: it was
opened on a console there, which is more than a machine's having it and less than a person's saying so. Only a text
`ACK 12` from that very terminal is an acknowledgement.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

from belltower import log
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
    Refusal,
    Report,
    Update,
)
from gateway.psap.text_frames import Repeats, Reports, TextFrames
from hardware.codecs import tetra_pei
from hardware.codecs.parts import Joiner
from hardware.codecs.tetra_pei import ReportStatus
from hardware.drivers.modem import Down, NotTaken, State, Taken, Unsure, Up
from hardware.drivers.tetra_radio import ShortData, TetraRadio
from hardware.transports import Transport

_log = log.get("psap")

_REFERENCE = 2
_REPEATS = (30.0, 60.0, 120.0)
_REPORTED_WITHIN = 600.0
"""Seconds after which a report on a text is of another one: there are only 256 references."""
_PENDING = frozenset({ReportStatus.CONGESTION, ReportStatus.STORED, ReportStatus.STORED_NOT_REACHABLE})


class TetraLink:
    """Satisfies `PSAPLink`. One radio, one terminal of the centre's."""

    def __init__(
        self,
        *,
        name: LinkName,
        transport: Transport,
        to: str,
        station_counts: bool = False,
        heartbeat: float = 30.0,
        campus: str = "",
        begin: int = 0,
    ) -> None:
        """A radio that says texts to one terminal.

        `begin` is where its references begin: another number in each process, seconds of the clock for instance, lest
        a late report on a text of the last process count for one of this.
        """
        self._name = name
        self._to = tetra_pei.issi(to)
        self._radio = TetraRadio(transport=transport, heard=self._heard, state=self._stand, every=heartbeat)
        self._frames = TextFrames(
            room=tetra_pei.MAX_TEXT,
            campus=campus,
            to=self._to,
            exercise_to=self._to,
            test_to=self._to,
            octets=_template,
        )
        settling = {ReceiptLevel.SYSTEM, ReceiptLevel.STATION} if station_counts else {ReceiptLevel.SYSTEM}
        self._traits = LinkTraits(
            settling=frozenset(settling),
            retries=(5.0, 10.0, 20.0),
            exercise=True,
            person=True,
            best=ReceiptLevel.STATION,
            supervision=heartbeat + 10.0,
        )
        self._repeats = Repeats(waits=_REPEATS)
        self._joiner = Joiner()
        # The frame of each reference, and when it was handed over.
        self._references: dict[int, tuple[str, float]] = {}
        self._reference = begin - 1
        self._report: Report = lambda _: None
        self._reports = Reports()
        self._up: bool | None = None
        self.counts: Counter[str] = Counter()
        """What came in: people, reports, stray, foreign, other."""

    def __repr__(self) -> str:
        return f"TetraLink({self._name})"

    @property
    def name(self) -> LinkName:
        """The name of its settings table."""
        return self._name

    @property
    def traits(self) -> LinkTraits:
        """Exercises are texts that begin so; a console settles where the settings say that it counts."""
        return self._traits

    def first(self, call: Call) -> Frame:
        """The call in one message."""
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
        """The network's channels are not ours to count."""
        del frame
        return 0.0

    async def send(self, frame: Frame) -> bool:
        """Hand the text to the radio under a fresh reference, unless a copy was just sent or received there."""
        loop = asyncio.get_running_loop()
        if not self._repeats.due(frame.id, loop.time()):
            return True
        reference = self._reference = (self._reference + 1) & 0xFF
        self._references[reference] = frame.id, loop.time()
        pdu = frame.octets[:_REFERENCE] + bytes([reference]) + frame.octets[_REFERENCE + 1 :]
        self._repeats.said(frame.id, loop.time())  # a report may come before the radio's own OK
        with self._reports.handing(frame.id):
            outcome = await self._radio.send(self._to, pdu)
        match outcome:
            case Taken() | Unsure():
                return True
            case NotTaken(reason=reason):
                self._repeats.failed(frame.id)
                _log.warning("text_not_taken", link=self._name, frame=frame.id, reason=reason)
                return False

    async def run(self, report: Report) -> None:
        """Keep the radio open and registered."""
        self._report = self._reports.to = report
        self._up = None
        await self._radio.run()

    def _stand(self, state: State) -> None:
        match state:
            case Up():
                if self._up is not True:
                    self._up = True
                    _log.info("link_answers", link=self._name)
                    self._report(Opened())
                    self._report(Answered())
            case Down(reason=reason):
                if self._up is not False:
                    self._up = False
                    _log.warning("link_lost", link=self._name, reason=reason)
                    self._report(Lost(reason=reason))

    # ---- hearing

    def _heard(self, data: ShortData) -> None:
        if data.source.lstrip("0") != self._to:
            self.counts["foreign"] += 1
            return
        match data.pdu:
            case tetra_pei.Report(reference=reference, status=status, ack_wanted=wanted) as heard:
                if wanted:
                    ack = tetra_pei.Ack(
                        protocol=heard.protocol, reference=reference, status=ReportStatus.ACKNOWLEDGED
                    )
                    self._radio.answer(self._to, tetra_pei.encode(ack))
                self._reported(reference, status)
            case tetra_pei.ShortReport(reference=reference, kind=kind):
                status = {2: ReportStatus.RECEIVED, 3: ReportStatus.CONSUMED}.get(kind, ReportStatus.FAILED)
                self._reported(reference, status)
            case tetra_pei.Transfer() as transfer:
                self._text(transfer)
            case _:
                self.counts["other"] += 1

    def _reported(self, reference: int, status: int) -> None:
        self.counts["reports"] += 1
        frame_id, at = self._references.get(reference, ("", 0.0))
        if not frame_id or asyncio.get_running_loop().time() - at > _REPORTED_WITHIN:
            self.counts["stray"] += 1
        elif status in {ReportStatus.RECEIVED, ReportStatus.ACKNOWLEDGED}:
            self._repeats.delivered(frame_id)
            self._reports.tell(Receipt(frame=frame_id, level=ReceiptLevel.RADIO))
        elif status == ReportStatus.CONSUMED:
            self._repeats.delivered(frame_id)
            self._reports.tell(Receipt(frame=frame_id, level=ReceiptLevel.STATION))
        elif status >> 4 in {4, 5}:
            self._repeats.failed(frame_id)
            self._report(
                Refusal(frame=frame_id, reason=f"the network could not deliver it: status {status:02X}")
            )
        elif status not in _PENDING:
            self.counts["other"] += 1

    def _text(self, transfer: tetra_pei.Transfer) -> None:
        if transfer.reports & tetra_pei.Reports.RECEIVED:
            self._answer(transfer, ReportStatus.RECEIVED)
        text: str | None = transfer.text
        if transfer.part is not None:
            part = transfer.part
            text = self._joiner.take(self._to, part.reference, part.total, part.number, transfer.text)
        if text is None:
            return
        reply = short_text.parse_reply(text)
        if reply is None:
            self.counts["other"] += 1
            return
        self.counts["people"] += 1
        by = reply.by or "console"
        heard = (
            ReadBack(number=reply.number, update=reply.update, key="", by=by)
            if reply.read_back
            else PersonAnswered(number=reply.number, key="", by=by)
        )
        written = self._report(heard)
        if written is not None and transfer.reports & tetra_pei.Reports.CONSUMED:
            written.add_done_callback(partial(self._confirm, transfer))

    def _confirm(self, transfer: tetra_pei.Transfer, written: asyncio.Future[bool]) -> None:
        if not written.cancelled() and written.exception() is None and written.result():
            self._answer(transfer, ReportStatus.CONSUMED)

    def _answer(self, transfer: tetra_pei.Transfer, status: ReportStatus) -> None:
        report = tetra_pei.Report(protocol=transfer.protocol, reference=transfer.reference, status=status)
        self._radio.answer(self._to, tetra_pei.encode(report))


def _template(text: str, frame_id: str, to: str) -> bytes:
    del frame_id, to
    return tetra_pei.encode(tetra_pei.Transfer(reference=0, text=text, reports=tetra_pei.Reports.BOTH))
