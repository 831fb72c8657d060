"""Text messages to the PSAP through a GSM or LTE modem: the last road, and one that promises little.

That the network took a text (`+CMGS`) means *sent*. A status report means that a telephone has it: a receipt of level
`radio`, for it says nothing of the PSAP's system. Only a person's text `ACK 12`, from the very number that was called,
is an acknowledgement. Every other text from there is counted and passed over: carriers and centres answer by machine
that texts are not taken, and that must never look like help. A sender's number can be forged; docs/psap-modem.md.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque

from belltower import log
from belltower.ids import LinkName
from belltower.incident.facts import ReceiptLevel
from belltower.tasks import together
from belltower.values import Secret
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
from gateway.psap.text_frames import Exercises, Repeats, Reports, TextFrames
from hardware.codecs import sms_pdu
from hardware.codecs.parts import Joiner
from hardware.codecs.sms_pdu import Deliver, StatusReport
from hardware.drivers.modem import Down, Modem, NotTaken, State, Taken, Unsure, Up
from hardware.drivers.refused_pin import RefusedPIN
from hardware.transports import Transport

_log = log.get("psap")

GRACE = 5.0
"""Seconds for which `send` waits for the network's answer; then the text counts as sent, and the answer may follow."""
_BOUND = 8.0
_AGAIN = (1.0, 3.0)
_VALID = sms_pdu.validity_of(900.0)
_QUEUE = 64
_REPORTED_WITHIN = 1_200.0
"""Seconds after which a report on a text is of another one: it was valid for less, and there are only 256 references."""
_WHOLE_NUMBER = 7
"""Digits from which on a number with a country's code and the same without one are taken for the same."""


class _Handing:
    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        loop = asyncio.get_running_loop()
        self.handed: asyncio.Future[None] = loop.create_future()
        # True: sent, or perhaps; False: it did not leave.
        self.sent: asyncio.Future[bool] = loop.create_future()

    def hand(self) -> None:
        if not self.handed.done():
            self.handed.set_result(None)

    def settle(self, *, sent: bool) -> None:
        if not self.sent.done():
            self.sent.set_result(sent)


class ModemLink:
    """Satisfies `PSAPLink`. One modem, one number."""

    def __init__(
        self,
        *,
        name: LinkName,
        transport: Transport,
        number: str,
        test_number: str = "",
        exercise_number: str = "",
        pin: Secret | None = None,
        status_reports: bool = True,
        heartbeat: float = 30.0,
        campus: str = "",
        refused_pin: RefusedPIN | None = None,
    ) -> None:
        self._name = name
        self._number = number
        self._exercise_number = exercise_number
        self._status_reports = status_reports
        self._modem = Modem(
            transport=transport,
            heard=self._heard,
            state=self._stand,
            pin=pin,
            refused_pin=refused_pin,
            every=heartbeat,
        )
        self._frames = TextFrames(
            room=sms_pdu.SEPTETS,
            campus=campus,
            to=number,
            exercise_to=exercise_number,
            test_to=test_number,
            octets=self._pdu,
        )
        self._traits = LinkTraits(
            retries=(5.0, 10.0, 20.0),
            exercise=bool(exercise_number),
            person=True,
            best=ReceiptLevel.RADIO,
            supervision=heartbeat + 10.0,
        )
        self._repeats = Repeats()
        self._exercises = Exercises()
        self._joiner = Joiner()
        self._queue: deque[_Handing] = deque()
        self._bell = asyncio.Event()
        # The frame of each reference, to whom it went, and when.
        self._references: dict[int, tuple[Frame, sms_pdu.Number, float]] = {}
        # Reports that came before the answer that tells their reference.
        self._early: dict[int, StatusReport] = {}
        self._report: Report = lambda _: None
        self._reports = Reports()
        self._up: bool | None = None
        self.signal: int | None = None
        """The network's strength in percent, as last heard."""
        self.counts: Counter[str] = Counter()
        """What came in: people, reports, stray, foreign, other."""

    def __repr__(self) -> str:
        return f"ModemLink({self._name})"

    @property
    def name(self) -> LinkName:
        """The name of its settings table."""
        return self._name

    @property
    def traits(self) -> LinkTraits:
        """No receipt of this wire settles a call; a person's text does."""
        return self._traits

    def first(self, call: Call) -> Frame:
        """The call in one message."""
        self._exercises.note(call)
        return self._frames.first(call)

    def more(self, more: More) -> Frame:
        """Further presses of one building in one message."""
        return self._frames.more(more)

    def update(self, update: Update) -> Frame:
        """A cancellation or correction in one message."""
        return self._frames.update(update)

    def test(self, test: LinkTest) -> Frame | str:
        """A marked test, to the number that takes tests."""
        return self._frames.test(test) or "there is no agreed form: no test_number is set"

    def airtime(self, frame: Frame) -> float:
        """The network's channels are not ours to count."""
        del frame
        return 0.0

    async def send(self, frame: Frame) -> bool:
        """Hand the text to the modem, unless a copy is on its way or was delivered."""
        loop = asyncio.get_running_loop()
        if not self._repeats.due(frame.id, loop.time()):
            return True
        if not self._modem.ready or len(self._queue) >= _QUEUE:
            return False
        with self._reports.handing(frame.id):
            return await self._handed(frame)

    async def _handed(self, frame: Frame) -> bool:
        handing = _Handing(frame)
        self._queue.append(handing)
        self._bell.set()
        await asyncio.wait(
            (handing.handed, handing.sent), timeout=_BOUND, return_when=asyncio.FIRST_COMPLETED
        )
        if handing.handed.done():
            await asyncio.wait((handing.sent,), timeout=GRACE)
        if handing.sent.done():
            return handing.sent.result()
        if handing in self._queue:
            self._queue.remove(handing)
        return handing.handed.done()

    async def run(self, report: Report) -> None:
        """Keep the modem open and registered, and hand it what waits."""
        self._report = self._reports.to = report
        self._up = None
        await together(psap_modem=self._modem.run(), psap_texts=self._hand_over())

    # ---- speaking

    def _pdu(self, text: str, frame_id: str, to: str) -> bytes:
        del frame_id
        message = sms_pdu.Submit(
            to=sms_pdu.number(to), text=text, status_report=self._status_reports, validity=_VALID
        )
        return sms_pdu.encode(message)

    async def _hand_over(self) -> None:
        while True:
            while self._queue:
                handing = self._queue.popleft()
                try:
                    await self._hand(handing)
                finally:
                    handing.settle(sent=handing.handed.done())
            self._bell.clear()
            await self._bell.wait()

    async def _hand(self, handing: _Handing) -> None:
        frame = handing.frame
        for wait in (*_AGAIN, None):
            self._early.clear()
            outcome = await self._modem.send(frame.octets, handed=handing.hand)
            match outcome:
                case Taken(reference=reference):
                    self._taken(frame, reference)
                    handing.settle(sent=True)
                    return
                case Unsure():
                    # The same text again is safe: its call number tells the reader that it is the same call.
                    self._repeats.said(frame.id, asyncio.get_running_loop().time())
                    handing.settle(sent=True)
                    return
                case NotTaken(lasting=True, reason=reason):
                    _log.warning("text_refused", link=self._name, frame=frame.id, reason=reason)
                    handing.hand()
                    self._reports.tell(Refusal(frame=frame.id, reason=reason))
                    return
                case NotTaken(reason=reason):
                    _log.warning("text_not_taken", link=self._name, frame=frame.id, reason=reason)
            if wait is None or not self._modem.ready:
                break
            await asyncio.sleep(wait)
        self._repeats.failed(frame.id)
        handing.settle(sent=False)

    def _taken(self, frame: Frame, reference: int | None) -> None:
        self._repeats.said(frame.id, asyncio.get_running_loop().time())
        if reference is None:
            return
        to = sms_pdu.decode_submit(frame.octets).to
        self._references[reference] = frame, to, asyncio.get_running_loop().time()
        early = self._early.pop(reference, None)
        if early is not None:
            self._reported(early)

    # ---- hearing

    def _stand(self, state: State) -> None:
        match state:
            case Up(signal=signal):
                self.signal = signal
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

    def _heard(self, message: sms_pdu.Incoming) -> None:
        match message:
            case StatusReport():
                self.counts["reports"] += 1
                self._reported(message)
            case Deliver(sender=sender, text=text, part=part):
                if part is not None:
                    whole = self._joiner.take(str(sender), part.reference, part.total, part.number, text)
                    if whole is None:
                        return
                    text = whole
                self._text(sender, text)

    def _reported(self, report: StatusReport) -> None:
        found = self._references.get(report.reference)
        if found is None or not self._about(report, *found[1:]):
            self._early[report.reference] = report
            self.counts["stray"] += 1
            return
        frame_id = found[0].id
        match report.outcome:
            case sms_pdu.Outcome.DELIVERED:
                self._repeats.delivered(frame_id)
                self._reports.tell(Receipt(frame=frame_id, level=ReceiptLevel.RADIO))
            case sms_pdu.Outcome.FAILED:
                self._repeats.failed(frame_id)
                reason = f"the network could not deliver the text: status {report.status:02X}"
                self._reports.tell(Refusal(frame=frame_id, reason=reason))
            case sms_pdu.Outcome.PENDING:
                pass

    def _about(self, report: StatusReport, to: sms_pdu.Number, at: float) -> bool:
        """Whether the report is on what went there then, not on an older text under the same reference."""
        fresh = asyncio.get_running_loop().time() - at <= _REPORTED_WITHIN
        return fresh and _same_telephone(report.recipient.digits, to.digits)

    def _text(self, sender: sms_pdu.Number, text: str) -> None:
        if _same(sender, self._number):
            exercise = False
        elif self._exercise_number and _same(sender, self._exercise_number):
            exercise = True
        else:
            self.counts["foreign"] += 1
            return
        reply = short_text.parse_reply(text)
        if reply is None or self._exercises.of(reply.number) is not exercise:
            self.counts["other"] += 1
            return
        self.counts["people"] += 1
        by = reply.by or "text"
        if reply.read_back:
            self._report(ReadBack(number=reply.number, update=reply.update, key="", by=by))
        else:
            self._report(PersonAnswered(number=reply.number, key="", by=by))


def _same_telephone(one: str, other: str) -> bool:
    """Networks write the recipient with its country's code or without."""
    short, long = sorted((one.lstrip("0"), other.lstrip("0")), key=len)
    return short == long or (len(short) >= _WHOLE_NUMBER and long.endswith(short))


def _same(sender: sms_pdu.Number, number: str) -> bool:
    if sender.type & 0x70 == sms_pdu.ALPHANUMERIC & 0x70:
        return False
    return sender.digits == number.removeprefix("+")
