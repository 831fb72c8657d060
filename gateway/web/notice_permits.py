"""Who may read what became of a notice: it names people, those of one school perhaps."""

from __future__ import annotations

from aiohttp import web

from belltower.ids import NoticeId
from belltower.incident.told import Readers, readers
from gateway.web.notice_room import NoticeRoom
from gateway.web.permits import NOTICE_READERS, reach_of, require_any
from gateway.web.store import Session
from notify.audience import concerned


async def require_reader(request: web.Request, room: NoticeRoom, notice: NoticeId) -> Session:
    """Who asks, where they may read of this notice: for a grant of one school, what staff and its families were told.

    Raises `NotPermitted`.
    """
    session = await require_any(request, NOTICE_READERS, None)
    if any(reach_of(request, session, right).everywhere for right in NOTICE_READERS):
        return session
    return await require_any(request, NOTICE_READERS, await schools_of(room, notice))


async def schools_of(room: NoticeRoom, notice: NoticeId) -> frozenset[str] | None:
    """The schools whose families it is for: empty for those of all, None where it is for none."""
    draft = await room.composer.drafts.get(notice)
    rule = draft.rule if draft is not None else await room.notify.tables.rule_of(notice)
    if rule is not None:
        return concerned(rule) if rule.asks_roster else None
    listed = await room.reports.notice(notice)
    to_families = listed is not None and readers(listed.template) is Readers.FAMILIES
    return frozenset() if to_families else None
