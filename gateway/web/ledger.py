"""The ledger of a notice: what became of every delivery, live, and as a file to keep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping

from aiohttp import web
from msgspec.structs import replace

from belltower import log
from belltower.clock import SECOND, Clock, Instant, aware
from belltower.errors import NotFound, StoreError
from belltower.ids import Ids, NoticeId, PersonId
from gateway.web.cells import MARK, Cells
from gateway.web.compose_view import (
    spoken_alone,
    spoken_audience,
    spoken_counted,
    spoken_forecast,
    spoken_quiet,
    spoken_seconds,
)
from gateway.web.desk import Names
from gateway.web.ledger_view import (
    CHANNELS,
    PEOPLE_SHOWN,
    CountsView,
    Sheet,
    counts_view,
    said,
    sheet,
    spoken_reason,
    spoken_state,
    taken_back,
    title,
)
from gateway.web.live import Live, packed
from gateway.web.notice_permits import require_reader
from gateway.web.notice_room import NoticeRoom
from gateway.web.pages import Pages
from gateway.web.render import Renderer
from gateway.web.stream import Fanout, event
from gateway.web.table_file import send_table
from gateway.web.view import wall
from notify.delivery import State
from notify.draft import Draft, DraftState
from notify.meant import meant_now
from notify.quiet import LOUD, still_quiet
from notify.readying import BY
from notify.reports import Listed
from notify.standing import Counts, Standing, masked

_log = log.get("web")

_NOBODY_ELSE = dict.fromkeys(("second", "alone", "decided", "corrects"), "")

LOOK_EVERY = 1.0
"""Seconds between two countings of a notice that somebody looks at."""

SHARE = 4.0
"""A notice rests this many times as long as counting it took."""

WAIT = 1.5
"""Seconds that a page waits for the counts of a notice that was not counted yet."""

_COUNTED = 16
_NOTICE = r"{notice:ntc_[0-9A-Za-z_]{1,40}}"

COLUMNS = (
    "person",
    "name",
    "channel",
    "address",
    "language",
    "state",
    "reason",
    "acknowledged",
    "attempts",
    "last attempt",
    "parts",
    "provider",
    "delivery",
)
"""Of the export, in this order."""


class Ledger:
    """Serves `/notices/ID` and its export, and keeps what is looked at counted."""

    def __init__(
        self,
        *,
        room: NoticeRoom,
        pages: Pages,
        live: Live,
        fanout: Fanout,
        renderer: Renderer,
        names: Names,
        ids: Ids,
        clock: Clock,
    ) -> None:
        self._ids = ids
        self._room = room
        self._pages = pages
        self._live = live
        self._fanout = fanout
        self._renderer = renderer
        self._names = names
        self._clock = clock
        self._sheets: dict[NoticeId, Sheet] = {}
        self._waiting: dict[NoticeId, asyncio.Future[Sheet]] = {}
        # Until when a notice is not counted again.
        self._rests_until: dict[NoticeId, float] = {}
        self._asked = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        """Where it stands."""
        return [
            web.get(f"/notices/{_NOTICE}", self._show),
            web.get(f"/notices/{_NOTICE}.csv", self._export),
        ]

    async def run(self) -> None:
        """Count what is asked for at once, and what is looked at whenever it changed; for ever.

        What takes long to count is counted less often; between two countings its screens hear the sums that the
        senders keep.
        """
        changed: set[NoticeId] = set()
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._asked.wait()
            except TimeoutError:
                pass
            self._asked.clear()
            for notice in self._live.take_noticed():
                self._sheets.pop(notice, None)
                changed.add(notice)
            changed = {notice for notice in changed if self._fanout.watched(notice)}
            for notice in [*self._waiting, *(changed - self._waiting.keys())]:
                if notice in self._waiting or self._clock.monotonic() >= self._rests_until.get(notice, 0.0):
                    changed.discard(notice)
                    await self._count(notice)
                else:
                    await self._tell_sums(notice)

    async def counted(self, listed: Listed) -> Sheet | None:
        """The counts as they stand; None: they take longer than a page waits."""
        known = self._sheets.get(listed.notice)
        if known is not None and listed.notice not in self._live.noticed:
            return known
        waiting = self._waiting.get(listed.notice)
        if waiting is None:
            waiting = self._waiting[listed.notice] = asyncio.get_running_loop().create_future()
            waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._asked.set()
        try:
            async with asyncio.timeout(WAIT):
                return await asyncio.shield(waiting)
        except TimeoutError:
            return None

    async def _count(self, notice: NoticeId) -> None:
        heads, began = dict(self._live.heads), self._clock.monotonic()
        waiting = self._waiting.pop(notice, None)
        try:
            found = await self._sheet(notice)
        except StoreError as error:
            _log.error("ledger_not_read", notice=notice, error=type(error).__name__)
            if waiting is not None and not waiting.done():
                waiting.set_exception(error)
            return
        while len(self._sheets) >= _COUNTED:
            oldest = next(iter(self._sheets))
            del self._sheets[oldest]
            self._rests_until.pop(oldest, None)
        self._sheets[notice] = found
        now = self._clock.monotonic()
        self._rests_until[notice] = now + SHARE * (now - began)
        if waiting is not None and not waiting.done():
            waiting.set_result(found)
        html = self._renderer.part("ledger_parts.html", "sheet", found, notice)
        self._fanout.publish(notice, event("ledger", packed(html=html), heads), heads)

    async def _tell_sums(self, notice: NoticeId) -> None:
        try:
            listed = await self._room.reports.notice(notice)
            sums = await self._sums(listed) if listed is not None else []
        except StoreError as error:
            _log.error("ledger_not_read", notice=notice, error=type(error).__name__)
            return
        html = self._renderer.part("ledger_parts.html", "sums", sums)
        self._fanout.send(notice, event("sums", packed(html=html)))

    async def _sums(self, listed: Listed) -> list[CountsView]:
        """By way out, from the counts that need no rows to be read."""
        progress = await self._room.notify.progress(listed.notice, listed.revision)
        views = []
        for channel, states in sorted(progress.counts.items()):
            if channel not in self._room.composer.served and states.keys() <= {State.REFUSED}:
                continue  # nothing was composed for it
            counts = Counts()
            for state, load in states.items():
                counts.add(state, load.deliveries, answered=False)
            views.append(counts_view(CHANNELS.get(channel, channel), channel, counts))
        return views

    async def _sheet(self, notice: NoticeId) -> Sheet:
        listed = await self._room.reports.notice(notice)
        if listed is None:
            raise StoreError("the notice is not planned")
        standing = await self._room.reports.standing(listed)
        missing = standing.not_reached
        called = await self._called(missing[:PEOPLE_SHOWN])
        return sheet(
            standing,
            names=self._names,
            people=self._room.site().people,
            called=called,
            missing=missing,
            left=await self._left(listed, standing),
            as_of=wall(self._clock.now(), self._renderer.zone),
        )

    async def _left(self, listed: Listed, standing: Standing) -> str:
        waiting = standing.whole.waiting
        if not waiting or listed.superseded_by:
            return ""
        quiet = [standing.channels[kind].of(State.PENDING) for kind in LOUD & standing.channels.keys()]
        if any(quiet) and still_quiet(listed.quiet_until, self._clock.now()):
            return spoken_quiet(sum(quiet), listed.quiet_until, self._renderer.zone)
        progress = await self._room.notify.progress(listed.notice, listed.revision)
        messages = f"{waiting} message{'' if waiting == 1 else 's'} not with a provider yet"
        return f"{messages}: {spoken_forecast(progress.remaining)}"

    async def _show(self, request: web.Request) -> web.Response:
        notice = NoticeId(request.match_info["notice"])
        session = await require_reader(request, self._room, notice)
        written = (await self._room.composer.drafts.sent([notice])).get(notice)
        listed = await self._room.reports.notice(notice)
        if listed is None and (written is None or written.state is not DraftState.SENT):
            raise NotFound("There is no such notice, or it is not planned yet: reload in a moment.")
        listed = listed or _unplanned(written)
        found = await self.counted(listed) if listed.revision else None
        mistake = await self._room.reports.taken_back(listed)
        values = {
            "topic": notice,
            "line": title(listed, self._names, self._renderer.zone),
            "taken_back": taken_back(mistake, self._names, self._renderer.zone) if mistake else None,
            "sheet": found,
            "sums": await self._sums(listed) if found is None and listed.revision else [],
            "words": said(await self._room.reports.words(listed), self._room.site().wording.source.language),
            "planned": bool(listed.revision),
            "meant": await self._meant(listed, written),
            "who": self._who(written) or await self._who_ordered(notice),
            "correctable": self._pages.corrections and bool(listed.revision) and not listed.superseded_by,
            "decidable": found is not None and found.held > 0 and not listed.superseded_by,
            "verb": self._ids.verb(),
        }
        return self._pages.page(request, "ledger.html", values, session)

    async def _meant(self, listed: Listed, written: Draft | None) -> Mapping[str, str]:
        """For whom it was when it was planned: no later roster changes that.

        Before it is planned, and where an older program planned it, what somebody wrote, as things are called now.
        """
        meant = await self._room.reports.meant(listed)
        if meant is None and written is not None:
            now = await meant_now(
                written.rule,
                written.order.audience,
                self._room.site(),
                told_before=bool(written.order.corrects),
            )
            counted = written.counted
            meant = replace(now, people=counted.people, unreachable=counted.unreachable)
        return {"audience": spoken_audience(meant), "counted": spoken_counted(meant)} if meant else {}

    def _who(self, written: Draft | None) -> Mapping[str, str]:
        """Who had it sent, and who let it go; nothing where the response plan or another page ordered it."""
        if written is None or written.state is not DraftState.SENT:
            return {}
        name = self._names.person
        return {
            **_NOBODY_ELSE,
            "by": name(written.asked_by or written.made_by),
            "second": name(written.second) if written.second is not None else "",
            "alone": spoken_alone(written.alone) if written.alone else "",
            # How long somebody took to decide, apart from how long the sending takes.
            "decided": spoken_seconds((written.asked_at - written.made_at) / SECOND)
            if written.made_by == BY
            else "",
        }

    async def _who_ordered(self, notice: NoticeId) -> Mapping[str, str]:
        """Who pressed the button of a notice that nobody wrote, and which it takes back; nothing where nobody did."""
        kept = await self._room.reports.order(notice)
        if kept is None or kept.order.by is None:
            return {}
        return {
            **_NOBODY_ELSE,
            "by": self._names.person(kept.order.by),
            "corrects": next(iter(kept.order.corrects), ""),
        }

    async def _listed(self, notice: NoticeId) -> Listed:
        listed = await self._room.reports.notice(notice)
        if listed is None:
            raise NotFound("There is no such notice, or it is not planned yet: reload in a moment.")
        return listed

    async def _export(self, request: web.Request) -> web.StreamResponse:
        notice = NoticeId(request.match_info["notice"])
        session = await require_reader(request, self._room, notice)
        listed = await self._listed(notice)
        _log.info("ledger_exported", notice=listed.notice, person=session.person)
        return await send_table(request, f"notice-{listed.notice}", self._rows(listed))

    async def _rows(self, listed: Listed) -> AsyncIterator[bytes]:
        """The file, a page at a time. People who share an address stand in lines of their own, without a delivery."""
        out = Cells()
        out.write(COLUMNS)
        yield MARK + out.taken()
        async for lines in self._room.reports.lines(listed):
            called = await self._called([line.person for line in lines])
            for line in lines:
                out.write(
                    (
                        line.person,
                        called[line.person],
                        line.channel,
                        masked(line.channel, line.address),
                        line.language,
                        spoken_state(line.state),
                        spoken_reason(line.reason) if line.reason else "",
                        self._time(line.acknowledged_at),
                        str(line.attempts),
                        self._time(line.begun_at),
                        str(line.parts),
                        line.provider,
                        line.id,
                    )
                )
            yield out.taken()
        async for person, delivery, reason in self._room.reports.others(listed):
            called = await self._called([person])
            state = "shares an address" if delivery else "failed"
            why = "" if delivery else spoken_reason(reason)
            out.write((person, called[person], "", "", "", state, why, "", "", "", "", "", delivery))
            yield out.taken()

    async def _called(self, people: Collection[PersonId]) -> dict[PersonId, str]:
        known = self._room.site().people
        of_roster = await self._room.roster.names([person for person in people if person not in known])
        return {
            person: known[person].name
            if person in known
            else of_roster.get(person) or self._names.person(person)
            for person in people
        }

    def _time(self, at: Instant) -> str:
        return aware(at).astimezone(self._renderer.zone).isoformat(timespec="seconds") if at else ""


def _unplanned(written: Draft | None) -> Listed:
    """A notice that was just sent, before its planner had it."""
    assert written is not None  # noqa: S101 - asked before
    order = written.order
    return Listed(
        notice=written.id,
        revision=0,
        incident=order.incident,
        template=order.template,
        place=order.slots.get("place", ""),
        mode=order.mode,
        routine=order.routine,
        ordered_at=written.asked_at,
        superseded_by="",
    )
