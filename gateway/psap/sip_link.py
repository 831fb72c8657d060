"""Calls without voice by SIP (RFC 8876): one MESSAGE with CAP and PIDF-LO, over streams to the servers of one centre.

Every server has a connection that stays open. A frame goes to the first that is open and answers; when that says no,
hangs up or says nothing for five seconds, to the next, with the same CAP identifier. A 2xx is the centre's system
saying that it has it: a receipt, never an acknowledgement. People answer by MESSAGE on the same connections.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Sequence
from functools import partial

from belltower import log
from belltower.clock import Instant
from belltower.errors import Malformed
from belltower.ids import CallId, LinkName
from belltower.incident.facts import ReceiptLevel
from belltower.tasks import together
from gateway.psap import sip_alert, sip_answer, sip_request
from gateway.psap.link import (
    FIRST_PRESS,
    UNKNOWN_SPOT,
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
    ResponseSaid,
    Spot,
    Update,
)
from gateway.psap.markup import writable
from gateway.psap.place import located
from gateway.psap.ranges import Ranges
from gateway.psap.sip_alert import Message, School
from gateway.psap.sip_line import SIPLine
from gateway.psap.sip_round import Round
from hardware.codecs import sip
from hardware.codecs.sip import Request, Response

_log = log.get("psap")

DEADLINE = 5.0
"""Seconds that a server has for its answer; the standard's own 32 s (timer F) are too long for a call."""
_JUST_SENT = 1.0
_ROUNDS = 1_024
_BUSY = 5.0
_MOST_BUSY = 30.0
_REBUILT = (101, 103)


class SIPLink:
    """Satisfies `PSAPLink`. `lines` are its servers in the order in which they are tried."""

    def __init__(
        self,
        *,
        name: LinkName,
        school: School,
        domain: str,
        lines: Sequence[SIPLine],
        additional_data: bool = True,
        heartbeat: float = 30.0,
    ) -> None:
        self._name = name
        self._school = school
        self._domain = domain
        self._lines = tuple(lines)
        self._additional_data = additional_data
        self._traits = LinkTraits(
            retries=(5.0, 10.0, 20.0), again=30.0, exercise=True, person=True, supervision=2.5 * heartbeat
        )
        self._rounds: OrderedDict[str, Round] = OrderedDict()
        self._due: OrderedDict[str, None] = OrderedDict()
        self._bell = asyncio.Event()
        self._report: Report | None = None
        self._answering: bool | None = None
        self._living: dict[SIPLine, bool | None] = dict.fromkeys(self._lines)
        self.counts: Counter[str] = Counter()
        """What became of what was sent and heard: receipts, refusals, rebuilt, silent, geolocation, people, odd."""

    def __repr__(self) -> str:
        return f"SIPLink({self._name})"

    @property
    def name(self) -> LinkName:
        """The name of its settings table."""
        return self._name

    @property
    def traits(self) -> LinkTraits:
        """Exercises go to the test service; the centre's system settles; people answer."""
        return self._traits

    # ---- frames

    def first(self, call: Call) -> Frame:
        """The call, with its place."""
        frame_id = sip_alert.call_id(call)
        covers = ((call.order.call, FIRST_PRESS),)
        return self._frame(frame_id, sip_alert.call_message(self._school, call), call.spot, call.at, covers)

    def more(self, more: More) -> Frame:
        """An update that names as many presses as are still read by people."""
        frame_id, message, told = sip_alert.more_message(self._school, more)
        covers = tuple((call.order.call, ranges) for call, ranges in told)
        call = told[0][0]
        return self._frame(frame_id, message, call.spot, call.at, covers)

    def update(self, update: Update) -> Frame:
        """The cancellation or correction, referring to the call."""
        message = sip_alert.update_message(self._school, update)
        spot = update.spot or update.call.spot
        return self._frame(sip_alert.update_id(update), message, spot, update.call.at, ())

    def test(self, test: LinkTest) -> Frame:
        """The marked test, which goes to the test service."""
        message = sip_alert.test_message(self._school, test)
        return self._frame(sip_alert.test_id(test), message, UNKNOWN_SPOT, test.at, ())

    def airtime(self, frame: Frame) -> float:  # noqa: ARG002 - the wire is not shared
        """Nothing: the wire is not shared."""
        return 0.0

    def _frame(
        self,
        frame_id: str,
        message: Message,
        spot: Spot,
        at: Instant,
        covers: tuple[tuple[CallId, Ranges], ...],
    ) -> Frame:
        campus = self._school.campus
        location = located(spot, campus, domain=self._domain, at=at)
        if location is None:
            raise ValueError("nothing of the place can be written as a PIDF-LO")
        request = sip_request.request(
            message,
            frame_id=frame_id,
            domain=self._domain,
            location=location,
            blocks=sip_request.school_blocks(campus, self._domain) if self._additional_data else (),
        )
        text = message.alert.infos[0].headline
        return Frame(id=frame_id, octets=sip.encode(request), text=text, covers=covers)

    # ---- sending

    async def send(self, frame: Frame) -> bool:
        """Hand the frame to the first server that takes it; again, to the next one."""
        now = asyncio.get_running_loop().time()
        round_ = self._round(frame)
        round_.done = False
        if round_.moving or (round_.asked is not None and now - round_.sent_at < _JUST_SENT):
            return True
        if round_.asked is not None:
            round_.silent.add(round_.asked)
        if not any(line.open and line.busy_until <= now for line in self._lines):
            return False
        if not self._open_lines(round_):
            round_.begin()
        return await self._advance(round_)

    def _round(self, frame: Frame) -> Round:
        found = self._rounds.get(frame.id)
        if found is None or found.octets != frame.octets:
            template = sip.decode(frame.octets)
            assert isinstance(template, Request)  # noqa: S101 - `_frame` wrote it
            found = self._rounds[frame.id] = Round(frame=frame.id, octets=frame.octets, template=template)
        self._rounds.move_to_end(frame.id)
        if len(self._rounds) > _ROUNDS:
            self._rounds.popitem(last=False)
        return found

    def _open_lines(self, round_: Round) -> list[int]:
        """The servers that this round may still go to, those that are known not to answer last."""
        now = asyncio.get_running_loop().time()
        able = [
            index
            for index, line in enumerate(self._lines)
            if line.open and index not in round_.tried and line.busy_until <= now
        ]
        return sorted(able, key=lambda index: self._living[self._lines[index]] is False)

    async def _advance(self, round_: Round) -> bool:
        """Go to the next server. False: there is none left that takes it."""
        round_.asked = None
        round_.moving = True
        try:
            for index in self._open_lines(round_):
                round_.tried.add(index)
                if await self._ask(round_, index):
                    return True
        finally:
            round_.moving = False
        return False

    async def _ask(self, round_: Round, index: int) -> bool:
        if not await self._lines[index].ask(round_.template, errand=round_.frame):
            return False
        round_.asked = index
        round_.sent_at = asyncio.get_running_loop().time()
        self._bell.set()
        return True

    # ---- running

    async def run(self, report: Report) -> None:
        """Keep every server's connection, and move what is not answered on to the next, for ever."""
        self._report = report
        jobs = {f"sip_line_{number}": line.run(self) for number, line in enumerate(self._lines, start=1)}
        await together(sip_rounds=self._move(), **jobs)

    async def _move(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            for round_ in list(self._rounds.values()):
                if round_.asked is not None and now >= round_.sent_at + DEADLINE and not round_.moving:
                    self.counts["silent"] += 1
                    round_.silent.add(round_.asked)
                    round_.asked = None
                    self._due[round_.frame] = None
                if round_.again_at is not None and now >= round_.again_at:
                    round_.begin()
                    self._due[round_.frame] = None
            while self._due:
                frame, _ = self._due.popitem(last=False)
                await self._next(frame)
            self._bell.clear()
            waits = [
                round_.sent_at + DEADLINE for round_ in self._rounds.values() if round_.asked is not None
            ]
            waits += [round_.again_at for round_ in self._rounds.values() if round_.again_at is not None]
            try:
                async with asyncio.timeout_at(min(waits, default=None)):
                    await self._bell.wait()
            except TimeoutError:
                pass

    async def _next(self, frame: str) -> None:
        round_ = self._rounds.get(frame)
        if round_ is None or round_.done or round_.asked is not None or round_.moving:
            return
        if round_.rebuild is not None:
            index, round_.rebuild = round_.rebuild, None
            if self._lines[index].open and await self._ask(round_, index):
                return
        if await self._advance(round_) or not round_.refused_by_all:
            return
        busy = [line.busy_until for line in self._lines if line.busy_until]
        now = asyncio.get_running_loop().time()
        later = [at for at in busy if at > now]
        if later and round_.own_tries > 0:
            round_.own_tries -= 1
            round_.again_at = min(later)
        self.counts["refusals"] += 1
        self._say(Refusal(frame=round_.frame, reason=round_.reason()))

    def _push(self, round_: Round) -> None:
        self._due[round_.frame] = None
        self._bell.set()

    def _say(self, heard: Opened | Lost | Answered | Receipt | Refusal) -> None:
        if self._report is not None:
            self._report(heard)

    # ---- what happens on a line

    def opened(self) -> None:
        """A connection stands: what was refused elsewhere may go there."""
        if sum(each.open for each in self._lines) == 1:
            self._say(Opened())
        for round_ in self._rounds.values():
            if round_.asked is None and not round_.done and round_.refused:
                self._push(round_)

    def closed(self, line: SIPLine, reason: str) -> None:
        """A connection is gone: what it had not answered goes to the next."""
        index = self._lines.index(line)
        for round_ in self._rounds.values():
            if round_.asked == index and not round_.moving:
                round_.asked = None
                round_.silent.add(index)
                self._push(round_)
        self._living[line] = False
        if self._answering is not False and not any(each is not False for each in self._living.values()):
            self._answering = False
            _log.warning("link_lost", link=self._name, reason=reason)
            self._say(Lost(reason=reason))

    def alive(self, line: SIPLine) -> None:
        """A server answers."""
        self._living[line] = True
        if self._answering is not True:
            self._answering = True
            _log.info("link_answers", link=self._name)
            self._say(Answered())

    def responded(self, line: SIPLine, errand: str, response: Response) -> None:
        """The last word of a server on a frame."""
        index = self._lines.index(line)
        if sip.header(response, "Geolocation-Error"):
            self.counts["geolocation"] += 1
            code = sip_request.error_code(sip.header(response, "Geolocation-Error"))
            _log.warning("geolocation_error", link=self._name, frame=errand, code=code)
        round_ = self._rounds.get(errand)
        if round_ is not None and round_.asked == index:
            round_.asked = None
        if 200 <= response.status < 300:
            if round_ is not None:
                round_.settle()
            self.counts["receipts"] += 1
            self._say(Receipt(frame=errand, level=ReceiptLevel.SYSTEM))
            return
        if round_ is None:
            return
        self._refused(round_, index, response)
        if not round_.done and round_.asked is None:
            self._push(round_)

    def _refused(self, round_: Round, index: int, response: Response) -> None:
        line = self._lines[index]
        reason = f"{line.target}: {response.status} {writable(response.reason, most=60)}"
        if response.status == 425:
            code = sip_request.error_code(sip.header(response, "AlertMsg-Error"))
            reason = f"{line.target}: 425, alert error {code}"
            if code in _REBUILT and index not in round_.rebuilt:
                self.counts["rebuilt"] += 1
                round_.rebuilt.add(index)
                round_.template = sip_request.bare(round_.template)
                round_.rebuild = index
                return
        after = sip.header(response, "Retry-After").partition(";")[0].partition("(")[0].strip()
        if after or response.status == 503:
            seconds = float(after) if after.isascii() and after.isdigit() and len(after) < 7 else _BUSY
            line.busy_until = asyncio.get_running_loop().time() + min(seconds, _MOST_BUSY)
        round_.silent.discard(index)
        round_.refused[index] = reason

    def requested(self, request: Request) -> Response | asyncio.Future[Response | None]:
        """The centre says something: a person's answer, a read-back, how far responders are."""
        tag = "belltower"
        if request.method == "OPTIONS":
            return _response(request, 200, tag, (("Allow", "MESSAGE, OPTIONS"),))
        if request.method != "MESSAGE":
            return _response(request, 405, tag, (("Allow", "MESSAGE, OPTIONS"),))
        try:
            said = sip_answer.answer(
                sip_request.carried(request), sender=self._school.sender, prefix=self._school.prefix
            )
        except sip_request.BadAlert as error:
            self.counts["odd"] += 1
            return _alert_error(request, error.code, tag)
        except Malformed:
            self.counts["odd"] += 1
            return _alert_error(request, 102, tag)
        self.counts["people"] += not isinstance(said, ResponseSaid)
        written = self._report(said) if self._report is not None else None
        if written is None:
            return _response(request, 200, tag)
        answer: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        written.add_done_callback(partial(_once_written, request, tag, answer))
        return answer


def _once_written(
    request: Request, tag: str, answer: asyncio.Future[Response | None], written: asyncio.Future[bool]
) -> None:
    """Say 200 only when it is written down; nothing when it is not, so that the centre says it again."""
    if answer.done():
        return
    if written.cancelled() or written.exception() is not None:
        answer.set_result(None)
    elif written.result():
        answer.set_result(_response(request, 200, tag))
    else:
        answer.set_result(_response(request, 404, tag))


def _alert_error(request: Request, code: int, tag: str) -> Response:
    said = f'{code};code="{sip_request.ERRORS[code]}"'
    return _response(request, 425, tag, (("AlertMsg-Error", said),))


def _response(request: Request, status: int, tag: str, extra: sip.Headers = ()) -> Response:
    headers = (*sip.answer_headers(request, tag=tag), *extra)
    return Response(status=status, reason=_REASONS[status], headers=headers)


_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 425: "Bad Alert Message"}
