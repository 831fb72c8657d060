"""The lock on every page: whoever asks is signed in and may do it, or hears who may."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from aiohttp import web

from belltower.people.grant import Reach, Right, reach
from gateway.web.grants import Grants
from gateway.web.sessions import Sessions
from gateway.web.store import Session

NOTICE_READERS = (
    Right.NOTICE_WRITE,
    Right.NOTICE_SEND,
    Right.NOTICE_SECOND,
    Right.INCIDENT_CLOSE,
    Right.PEOPLE_SEE,
)
"""Any of these opens what became of a notice, which names people."""

NOTICE_HANDS = (Right.NOTICE_WRITE, Right.NOTICE_SEND, Right.NOTICE_SECOND)
"""Any of these opens a draft."""

ENDING = (Right.INCIDENT_CLOSE, Right.NOTICE_SEND)
"""Either tells people that it is over, or that a notice was wrong."""


class Permits:
    """Who asks, and what they may."""

    def __init__(self, *, sessions: Sessions, grants: Grants) -> None:
        self.sessions = sessions
        self.grants = grants

    def reach(self, session: Session | None, right: Right) -> Reach:
        """Where whoever is signed in has the right; nowhere for nobody."""
        return reach(session.grants, self.grants.roles, right) if session is not None else Reach()


PERMITS = web.AppKey("permits", Permits)
"""Where the application keeps them."""


async def signed_in(request: web.Request) -> Session:
    """Who asks; sends everybody else to sign in. Raises `StoreError` when nobody can tell."""
    session = await request.app[PERMITS].sessions.current(request)
    if session is None:
        raise web.HTTPSeeOther("/sign-in")
    return session


async def require(request: web.Request, right: Right, schools: Collection[str] | None = ()) -> Session:
    """Who asks, where they may; sends whoever is not signed in to sign in.

    `schools` are the keys of those concerned: none named means all there are, and None that the right in any place is
    enough, to open a page whose rows are then narrowed by `reach_of`. Raises `NotPermitted`, which says who may.
    """
    return await require_any(request, (right,), schools)


async def require_any(
    request: web.Request, rights: Iterable[Right], schools: Collection[str] | None = ()
) -> Session:
    """As `require`, where any one of several rights is enough; the first is the one that is named."""
    session = await signed_in(request)
    permits = request.app[PERMITS]
    wanted = tuple(rights)
    if not any(permits.reach(session, right).covers(schools) for right in wanted):
        has = [(right, permits.reach(session, right)) for right in wanted]
        # Of what they have in some school, if there is any, they hear first.
        right, where = next((one for one in has if one[1]), has[0])
        raise await permits.grants.refused(right, schools, where)
    return session


def may(
    request: web.Request, session: Session | None, right: Right, schools: Collection[str] | None = None
) -> bool:
    """Whether to show what leads to it; the lock itself is `require`."""
    return request.app[PERMITS].reach(session, right).covers(schools)


def reach_of(request: web.Request, session: Session, right: Right) -> Reach:
    """Where whoever is signed in has the right."""
    return request.app[PERMITS].reach(session, right)
