"""How well each way out is proven: a test by one press, what came of it, and the code that says that it arrived."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from msgspec import Struct

from belltower.clock import SECOND, Clock, Instant
from belltower.errors import Refused
from belltower.ids import Ids
from belltower.people.grant import Right
from gateway.web.compose_pages import verb
from gateway.web.headline import Tone
from gateway.web.ledger_view import CHANNELS, spoken_reason
from gateway.web.pages import Pages
from gateway.web.permits import NOTICE_READERS, may, require, require_any
from gateway.web.store import Session
from gateway.web.view import ago
from notify.proof_tables import Proven
from notify.proofs import ELSEWHERE, UNPROVABLE, Proofs, Standing
from notify.standing import masked

PAGE = "/notices/channels"

_TONES = {
    Proven.PROVEN: Tone.QUIET,
    Proven.WAITING: Tone.WAITING,
    Proven.ACCEPTED: Tone.WAITING,
    Proven.SIMULATED: Tone.WAITING,
    Proven.UNKNOWN: Tone.LOUD,
    Proven.REFUSED: Tone.LOUD,
}
_SAID = {
    Proven.PROVEN: "Proven",
    Proven.WAITING: "On its way: nothing has come back yet",
    Proven.ACCEPTED: "Accepted, not proven",
    Proven.SIMULATED: "Simulated far end: nothing can be proven here",
    Proven.UNKNOWN: "Not known",
    Proven.REFUSED: "Refused",
}


class ChannelLine(Struct, frozen=True, kw_only=True):
    """One channel of the settings as people read it."""

    name: str
    kind: str
    tone: Tone
    # When it was proven last, or that it was not.
    proven: str
    # The last test and what came of it; "": there was none.
    said: str
    to: str
    notice: str
    testable: bool
    # Whether its code may still be given back.
    asks_code: bool
    # Why no test can be sent; "" where one can.
    hint: str


class ChannelPage:
    """Serves `/notices/channels`."""

    def __init__(self, *, pages: Pages, proofs: Proofs, ids: Ids, clock: Clock) -> None:
        self._pages = pages
        self._proofs = proofs
        self._ids = ids
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Where it stands."""
        return [
            web.get(PAGE, self._show),
            web.post(f"{PAGE}/test", self._test),
            web.post(f"{PAGE}/code", self._code),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        session = await require_any(request, NOTICE_READERS, None)
        return await self._page(request, session, "")

    async def _page(
        self, request: web.Request, session: Session, fault: str, status: int = 200
    ) -> web.Response:
        standing = await self._proofs.standing()
        now = self._clock.now()
        values = {
            "lines": [self._line(one) for one in standing],
            "unproven": unproven(standing, now),
            "may_test": may(request, session, Right.NOTICE_SEND),
            "any": any(one.testable for one in standing),
            "fault": fault,
            "verb": self._ids.verb(),
        }
        return self._pages.page(request, "channels.html", values, session, status=status)

    async def _test(self, request: web.Request) -> web.Response:
        session = await require(request, Right.NOTICE_SEND)
        form = await request.post()
        try:
            await self._proofs.test(verb(form), session.person, str(form.get("channel", "")))
        except Refused as error:
            return await self._page(request, session, str(error), status=409)
        raise web.HTTPSeeOther(PAGE)

    async def _code(self, request: web.Request) -> web.Response:
        session = await require(request, Right.NOTICE_SEND)
        form = await request.post()
        try:
            await self._proofs.heard(str(form.get("channel", "")), str(form.get("code", "")))
        except Refused as error:
            return await self._page(request, session, str(error), status=409)
        raise web.HTTPSeeOther(PAGE)

    def _line(self, one: Standing) -> ChannelLine:
        proof, now = one.proof, self._clock.now()
        said = ""
        if proof is not None:
            known = proof.detail and proof.outcome is not Proven.SIMULATED
            why = spoken_reason(proof.detail) if known else ""
            said = f"Tested {ago(now - proof.tested_at)}. {_SAID[proof.outcome]}{f': {why}' if why else ''}."
        stale = one.stale(now)
        tone = _TONES[proof.outcome] if proof is not None else Tone.LOUD
        return ChannelLine(
            name=one.provider,
            kind=CHANNELS.get(one.channel, one.channel),
            tone=Tone.QUIET
            if one.channel in UNPROVABLE
            else Tone.LOUD
            if stale and tone is Tone.QUIET
            else tone,
            proven=spoken_proof(one, now),
            said=said,
            to=masked(one.channel, one.address) if one.address else "",
            notice=proof.notice if proof is not None else "",
            testable=one.testable,
            asks_code=proof is not None and not one.simulated and proof.outcome is not Proven.PROVEN,
            hint=_hint(one),
        )


def unproven(standing: Sequence[Standing], now: Instant) -> list[str]:
    """What nothing proves now: never proven, no longer proven, and what is simulated and never will be."""
    stale = [one for one in standing if one.stale(now)]
    parted = {
        "Never proven": [one for one in stale if not one.simulated and not _proven_at(one)],
        "Not proven for 31 days": [one for one in stale if not one.simulated and _proven_at(one)],
        "Simulated far ends, nothing can be proven here": [one for one in stale if one.simulated],
    }
    return [
        f"{words}: {', '.join(one.provider for one in found)}" for words, found in parted.items() if found
    ]


def _proven_at(one: Standing) -> int:
    return one.proof.proven_at if one.proof is not None else 0


def spoken_proof(one: Standing, now: Instant) -> str:
    """When it was proven last, or that nothing proves it now."""
    if one.channel in ELSEWHERE:
        return "Tested beside its devices"
    if one.channel in UNPROVABLE:
        return "A display of our own: look at it"
    if one.simulated:
        return "Simulated far end: nothing can be proven here"
    proven_at = _proven_at(one)
    if not proven_at:
        return "NEVER PROVEN"
    by = f": {one.proof.proven_by}" if one.proof is not None else ""
    return (
        f"NOT PROVEN for {(now - proven_at) // (86_400 * SECOND)} days"
        if one.stale(now)
        else f"Proven {ago(now - proven_at)}{by}"
    )


def _hint(one: Standing) -> str:
    if one.testable:
        return ""
    if one.channel in ELSEWHERE:
        return "belltower outputs test"
    if one.channel in UNPROVABLE:
        return ""
    return f"No address to test with: [notify] test_to, {one.channel}"
