"""What people answered to a notice, with what they wrote, and whose addresses want no notices: for who is signed in."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from aiohttp import web
from msgspec import Struct

from belltower import log
from belltower.ids import NoticeId, PersonId
from belltower.incident.facts import Mode, Reply
from gateway.web.answers import REPLIES, WAYS
from gateway.web.notice_permits import require_reader
from gateway.web.notice_room import NoticeRoom
from gateway.web.pages import Pages
from gateway.web.permits import NOTICE_READERS, require_any
from gateway.web.render import Renderer
from gateway.web.story import CHANNELS
from gateway.web.view import day
from notify.reply_tables import KeptReply, Stopped

_log = log.get("web")

_SHOWN = 500
_STAGES = {Reply.NEED_HELP: "failed", Reply.SAFE: "human", Reply.ACKNOWLEDGED: "human"}


class AnswerLine(Struct, frozen=True, kw_only=True):
    """One answer."""

    name: str
    # Its icon, and the words behind the name.
    stage: str
    said: str
    at: str
    way: str
    # What was written; None: it cannot be opened.
    text: str | None
    # Whose record has numbers and children; "" for who is in no roster.
    record: str


class StoppedLine(Struct, frozen=True, kw_only=True):
    """One address that wants no notices."""

    name: str
    channel: str
    at: str
    by_carrier: bool


class AnswerPage:
    """Serves `/notices/ID/answers` and `/notices/stopped`."""

    def __init__(self, *, room: NoticeRoom, pages: Pages, renderer: Renderer) -> None:
        self._room = room
        self._replies = room.notify.replies
        self._pages = pages
        self._renderer = renderer

    def routes(self) -> list[web.RouteDef]:
        """Where it stands."""
        return [
            web.get("/notices/stopped", self._stopped),
            web.get("/notices/{notice:ntc_[0-9A-Za-z_]{1,40}}/answers", self._answers),
        ]

    async def _answers(self, request: web.Request) -> web.Response:
        notice = NoticeId(request.match_info["notice"])
        session = await require_reader(request, self._room, notice)
        listed = await self._room.reports.notice(notice)
        kept = await self._replies.replies(notice, count=_SHOWN + 1)
        called = await self._called({one.person for one in kept})
        # Who needs help stands first; the newest before the older.
        shown = sorted(kept[:_SHOWN], key=lambda one: one.reply is not Reply.NEED_HELP)
        values = {
            "notice": notice,
            "exercise": listed is not None and listed.mode is Mode.EXERCISE,
            "incident": next((one.incident for one in shown if one.incident), ""),
            "lines": [self._line(one, called) for one in shown],
            "more": len(kept) > _SHOWN,
        }
        _log.info("answers_read", notice=notice, person=session.person)
        return self._pages.page(request, "answers.html", values, session)

    async def _stopped(self, request: web.Request) -> web.Response:
        session = await require_any(request, NOTICE_READERS)
        stopped = await self._replies.stopped()
        called = await self._called({one.person for one in stopped})
        lines = [self._stopped_line(one, called) for one in stopped]
        return self._pages.page(request, "stopped.html", {"lines": lines}, session)

    def _line(self, one: KeptReply, called: Mapping[PersonId, str]) -> AnswerLine:
        return AnswerLine(
            name=called.get(one.person, one.person),
            stage=_STAGES.get(one.reply, "recorded"),
            said=REPLIES[one.reply],
            at=day(one.heard_at, self._renderer.zone),
            way=WAYS.get(one.channel, one.channel),
            text=one.text,
            record="" if one.person in self._room.site().people or one.person not in called else one.person,
        )

    def _stopped_line(self, one: Stopped, called: Mapping[PersonId, str]) -> StoppedLine:
        return StoppedLine(
            name=called.get(one.person, one.person) or "A number that nobody here has",
            channel=CHANNELS.get(one.channel, one.channel),
            at=day(one.stopped_at, self._renderer.zone),
            by_carrier=one.by_carrier,
        )

    async def _called(self, people: Collection[PersonId]) -> dict[PersonId, str]:
        known = self._room.site().people
        of_roster = await self._room.roster.names([person for person in people if person not in known])
        return {person: known[person].name for person in people if person in known} | dict(of_roster)
