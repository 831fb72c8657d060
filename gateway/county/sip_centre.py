"""A centre that takes calls by SIP (RFC 8876), without its wire: requests in, responses out, persons' answers to send.

It checks what a centre has to check: that every `cid:` has its part, that the alert can be read and is one of ours, that
practice came to the test service and nothing else did. It understands docs/psap-sip.md.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict

from msgspec import Struct

from belltower.clock import Clock
from belltower.errors import Malformed
from belltower.ids import RandomBytes
from belltower.incident.facts import AlarmKind
from gateway.county.screen import Acknowledged, HeardCall, ReadBack, Screen, ScreenEvent, Status
from gateway.psap import cap, sip_answer, sip_request
from gateway.psap.cap import Alert, MessageType, calls
from gateway.psap.ranges import Ranges
from gateway.psap.sip_alert import PRESSES, LiveService, PracticeService
from gateway.psap.sip_request import BRANCH, BadAlert
from hardware.codecs import sip, sip_digest
from hardware.codecs.sip import Headers, Request, Response
from hardware.codecs.sip_digest import Challenge

REALM = "county"
_CALLS = 10_000
_NONCES = 256
_PRESSES = re.compile(r"C([0-9]{1,19})-([0-9A-Z]{8}) ([0-9,\-]{1,8000})")
_SUMMARY = re.compile(r"-S[0-9A-Z]{4}-[0-9A-Z]{8}$")
_NEEDED = ("Via", "From", "To", "Call-ID", "CSeq")
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    425: "Bad Alert Message",
    486: "Busy Here",
    503: "Service Unavailable",
}


class _Known(Struct):
    """One call as it came: its alert, and the last update of it."""

    alert: Alert
    update: Alert | None = None


class SIPCentre:
    """What a centre makes of each request. `screen` is where calls are shown."""

    def __init__(
        self,
        *,
        name: str,
        clock: Clock,
        random_bytes: RandomBytes,
        screen: Screen,
        password: str = "",
        domain: str = "county.example",
    ) -> None:
        self.screen = screen
        self.counts: Counter[str] = Counter()
        """What came: messages, options, bad alerts, unproven, unknown, odd."""
        self._name = name
        self._clock = clock
        self._random_bytes = random_bytes
        self._password = password
        self._domain = domain
        self._known: OrderedDict[tuple[int, str], _Known] = OrderedDict()
        self._nonces: OrderedDict[str, int] = OrderedDict()
        self._said = 0

    def answer(self, request: Request) -> Response | None:
        """The response to a request; None where there is none to give."""
        if request.method == "ACK":
            return None
        if any(not sip.header(request, name) for name in _NEEDED):
            self.counts["odd"] += 1
            return self.response(request, 400)
        if request.method == "OPTIONS":
            self.counts["options"] += 1
            return self.response(
                request, 200, (("Accept", sip_request.CAP_TYPE), ("Allow", "MESSAGE, OPTIONS"))
            )
        if request.method != "MESSAGE":
            return self.response(request, 405, (("Allow", "MESSAGE, OPTIONS"),))
        if (asked := self._unproven(request)) is not None:
            self.counts["unproven"] += 1
            return asked
        self.counts["messages"] += 1
        service = request.uri.lower()
        if service not in set(LiveService) | set(PracticeService):
            return self.response(request, 404)
        try:
            return self._take(request, practice=service in set(PracticeService))
        except BadAlert as error:
            self.counts["bad alerts"] += 1
            return self.bad_alert(request, error.code)

    def response(self, request: Request, status: int, extra: Headers = ()) -> Response:
        """A response of ours."""
        headers = sip.answer_headers(request, tag=self._random_bytes(6).hex())
        return Response(status=status, reason=_REASONS[status], headers=(*headers, *extra))

    def bad_alert(self, request: Request, code: int) -> Response:
        """425 with its AlertMsg-Error."""
        text = sip_request.ERRORS.get(code, sip_request.ERRORS[100])
        return self.response(request, 425, (("AlertMsg-Error", f'{code};code="{text}"'),))

    def says(self, event: ScreenEvent) -> Request | None:
        """What the school is told of a person's act; None where the call never came on this road."""
        known = self._known.get((event.number, event.key))
        if known is None:
            return None
        about = known.alert
        match event:
            case Acknowledged(by=by):
                type_, note = MessageType.ACK, f"by {by}"
            case ReadBack(by=by):
                if known.update is None:
                    return None
                type_, note, about = MessageType.ACK, f"by {by}", known.update
            case Status(status=status):
                type_, note = MessageType.UPDATE, f"status {status}"
        self._said += 1
        alert = sip_answer.written(
            about,
            type_=type_,
            note=note,
            identifier=f"{self._name}-{self._random_bytes(6).hex()}-{self._said}",
            sender=f"psap@{self._domain}",
            at=self._clock.now(),
        )
        return sip_answer.request(alert, self._headers(about.sender), f"sip:{about.sender}")

    def again(self, request: Request) -> Request:
        """The same under a new branch, as each sending has to be."""
        via = f"SIP/2.0/TCP {self._domain};branch={BRANCH}{self._random_bytes(10).hex()};rport"
        call_id = f"{self._random_bytes(8).hex()}@{self._domain}"
        headers = sip.replaced(request.headers, {"Via": via, "Call-ID": call_id})
        return Request(method=request.method, uri=request.uri, headers=headers, body=request.body)

    def _headers(self, to: str) -> Headers:
        return (
            ("Via", ""),
            ("Max-Forwards", "70"),
            ("From", f"<sip:psap@{self._domain}>;tag={self._random_bytes(6).hex()}"),
            ("To", f"<sip:{to}>"),
            ("Call-ID", ""),
            ("CSeq", f"{self._said} MESSAGE"),
        )

    # ---- what the school says

    def _take(self, request: Request, *, practice: bool) -> Response:
        said = sip_request.carried(request)
        alert = said.alert
        if faults := cap.check(alert):
            raise BadAlert(103, faults[0])
        if practice == (alert.status is cap.Status.ACTUAL):
            raise BadAlert(102, "practice goes to the test service, and nothing else does")
        try:
            told = calls.told(alert)
            _check_identifier(alert, told)
            presses = [each.value for each in alert.infos[0].parameters if each.name == PRESSES]
            taken = self._show_more(alert, presses) if presses else self._show(alert, told)
        except Malformed as error:
            raise BadAlert(102, str(error)) from None
        if taken is None:
            self.counts["unknown"] += 1
            return self.response(request, 404)
        extra: Headers = ()
        if not said.locations or said.notes:
            extra = (("Geolocation-Error", '100;code="Cannot Process Location"'),)
        return self.response(request, 200 if taken else 403, extra)

    def _show(self, alert: Alert, told: calls.Told) -> bool | None:
        """Whether the centre takes it; None: it is about a call that never came."""
        exercise = alert.status is cap.Status.EXERCISE
        key = told.number, told.key
        if told.update or alert.type is MessageType.CANCEL:
            known = self._known.get(key)
            if known is not None:
                known.update = alert
            if alert.type is MessageType.CANCEL:
                return self.screen.cancel(self._name, told.number, told.key) or None
            place, building = told.place, told.building
            found = self.screen.correct(self._name, told.number, told.key, place=place, building=building)
            return found or None
        test = alert.status is cap.Status.TEST
        if not test and key not in self._known:
            self._known[key] = _Known(alert=alert)
            if len(self._known) > _CALLS:
                self._known.popitem(last=False)
        return self.screen.show(
            HeardCall(
                end=self._name,
                number=told.number,
                key=told.key,
                incident=told.incident,
                kind=(told.kind or AlarmKind.PANIC).value if not test else "",
                exercise=exercise,
                test=test,
                building=told.building,
                place=told.place,
            )
        )

    def _show_more(self, alert: Alert, presses: list[str]) -> bool:
        taken = True
        told = calls.told(alert)
        for each in presses:
            number, key, ranges = _presses(each)
            taken &= self.screen.show(
                HeardCall(
                    end=self._name,
                    number=number,
                    key=key,
                    incident=told.incident,
                    exercise=alert.status is cap.Status.EXERCISE,
                    presses=ranges,
                )
            )
        return taken

    # ---- who they are

    def _unproven(self, request: Request) -> Response | None:
        """The challenge, where a password is wanted and was not proven."""
        if not self._password:
            return None
        stale = False
        value = sip.header(request, "Authorization")
        if value:
            try:
                said = sip_digest.credentials(value)
                count = int(said.count or "1", 16)
            except (Malformed, ValueError):
                return self.response(request, 400)
            proven = sip_digest.proven(said, password=self._password, method=request.method)
            fresh = count > self._nonces.get(said.nonce, 1 << 62)
            if proven and said.uri == request.uri and said.realm == REALM and fresh:
                self._nonces[said.nonce] = count
                return None
            stale = proven and not fresh
        nonce = self._random_bytes(16).hex()
        self._nonces[nonce] = 0
        if len(self._nonces) > _NONCES:
            self._nonces.popitem(last=False)
        offers = [
            Challenge(realm=REALM, nonce=nonce, algorithm=algorithm, qop=("auth",), stale=stale)
            for algorithm in ("SHA-256", "MD5")
        ]
        extra = tuple(("WWW-Authenticate", sip_digest.asking(each)) for each in offers)
        return self.response(request, 401, extra)


def _check_identifier(alert: Alert, told: calls.Told) -> None:
    """The identifier names the same call as the parameters; a summary's names none."""
    letter = "T" if alert.status is cap.Status.TEST else "C"
    wanted = f"-{letter}{told.number}-{told.key}" + (f"-U{told.update}" if told.update else "")
    if not alert.identifier.endswith(wanted) and not _SUMMARY.search(alert.identifier):
        raise Malformed(f"CAP: the identifier and the parameters name different calls ({wanted[1:]})")


def _presses(text: str) -> tuple[int, str, Ranges]:
    found = _PRESSES.fullmatch(text)
    if found is None:
        raise Malformed(f"CAP: {PRESSES}: expected C12-KEY and ranges, found {text[:40]!r}")
    ranges: list[tuple[int, int]] = []
    for part in found[3].split(","):
        first, _, last = part.partition("-")
        pair = (_number(first), _number(last or first))
        if pair[1] < pair[0] or (ranges and pair[0] <= ranges[-1][1]):
            raise Malformed(f"CAP: {PRESSES}: ranges must ascend, found {text[:40]!r}")
        ranges.append(pair)
    return int(found[1]), found[2], tuple(ranges)


def _number(text: str) -> int:
    if not text.isdigit() or len(text) > 18:
        raise Malformed(f"CAP: {PRESSES}: {text[:20]!r} is no number")
    return int(text)
