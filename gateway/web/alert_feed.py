"""Our own alerts as CAP 1.2 for others to watch: an Atom index, and each alert in full.

What they say is public wording, kept as data: what people are doing and what others are asked to do. They name no room,
no person and no cause. A silent alarm stays silent: to the public an incident is nothing until an action is ordered.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import msgspec
from aiohttp import ETag, hdrs, web
from msgspec import Struct

from belltower.clock import SECOND, Clock, Instant, aware
from belltower.errors import NotFound
from belltower.incident.facts import Action
from floorplans.campus import Campus
from gateway.psap.cap import (
    Alert,
    Area,
    Category,
    Certainty,
    Circle,
    Info,
    MessageType,
    Reference,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
    build,
    moment,
)
from gateway.psap.cap.atom import CAP_MEDIA_TYPE, MEDIA_TYPE, write_index
from gateway.psap.cap.lexical import writable
from gateway.web.live import Live
from gateway.web.sessions import Sessions
from gateway.web.story import Story

CLOSED_FOR = 86_400 * SECOND
"""How long the end of an incident stays in the feed."""

STANDS = 86_400 * SECOND
"""When an alert expires, should nobody end it."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CAMPUS_KM = 0.5

_RESPONSES = {
    Action.HOLD: (ResponseType.AVOID,),
    Action.SECURE: (ResponseType.SHELTER, ResponseType.AVOID),
    Action.LOCKDOWN: (ResponseType.SHELTER, ResponseType.AVOID),
    Action.EVACUATE: (ResponseType.EVACUATE, ResponseType.AVOID),
    Action.SHELTER: (ResponseType.SHELTER,),
}
_SEVERITIES = {
    Action.HOLD: Severity.MINOR,
    Action.SECURE: Severity.MODERATE,
    Action.LOCKDOWN: Severity.SEVERE,
    Action.EVACUATE: Severity.SEVERE,
    Action.SHELTER: Severity.SEVERE,
}


class Text(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event in words."""

    event: str
    headline: str
    please: str = ""


class Words(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that the alerts say."""

    mark: str
    restriction: str
    please: str
    actions: dict[Action, Text]
    # An incident without an action, for those who are signed in.
    handling: Text
    closed: Text


def words(file: Path = Path(__file__).parent / "words" / "feed.toml") -> Words:
    """Our own words."""
    return msgspec.toml.decode(file.read_bytes(), type=Words)


class FeedPlan(Struct, frozen=True, kw_only=True):
    """How the feed is set up."""

    # Everybody reads it; else people with an account.
    public: bool
    # Who we are in every alert.
    sender: str
    campus: Campus
    # The page's address as others reach it, without a slash at the end.
    url: str


class AlertFeed:
    """Answers requests for the feed."""

    def __init__(self, *, plan: FeedPlan, live: Live, sessions: Sessions, clock: Clock) -> None:
        self._plan = plan
        self._live = live
        self._sessions = sessions
        self._clock = clock
        self._words = words()
        self._since = clock.now()

    def routes(self) -> list[web.RouteDef]:
        """Where the feed stands."""
        return [web.get("/feeds/cap.atom", self._index), web.get("/feeds/cap/{identifier}.xml", self._alert)]

    async def _index(self, request: web.Request) -> web.Response:
        if refusal := await self._refusal(request):
            return refusal
        alerts = self._alerts()
        latest = max((alert.sent for alert in alerts), key=lambda sent: sent.at, default=moment(self._since))
        body = write_index(
            tuple((f"{self._plan.url}/feeds/cap/{alert.identifier}.xml", alert) for alert in alerts),
            id_=f"{self._plan.url}/feeds/cap.atom",
            title=self._plan.campus.name,
            author=self._plan.sender,
            updated=latest,
        )
        return self._answer(request, body, MEDIA_TYPE, latest.at)

    async def _alert(self, request: web.Request) -> web.Response:
        if refusal := await self._refusal(request):
            return refusal
        for alert in self._alerts():
            if alert.identifier == request.match_info["identifier"]:
                return self._answer(request, build(alert), CAP_MEDIA_TYPE, alert.sent.at)
        raise NotFound("There is no such alert, or it no longer stands.")

    async def _refusal(self, request: web.Request) -> web.Response | None:
        """Why there is nothing to read now, for machines; None: there is."""
        if not self._plan.public and await self._sessions.current(request) is None:
            return web.Response(status=401, text="This feed is for people with an account. Sign in first.\n")
        if self._live.reading:
            # Never an empty feed: that would say that all is well.
            again = {hdrs.RETRY_AFTER: "10"}
            return web.Response(status=503, text="The incidents cannot be read now.\n", headers=again)
        return None

    def _answer(self, request: web.Request, body: bytes, media_type: str, changed: Instant) -> web.Response:
        tag = sha256(body).hexdigest()[:32]
        known = request.if_none_match
        since = request.if_modified_since
        fresh = (
            any(one.value in (tag, "*") for one in known)
            if known is not None
            else since is not None and int(since.timestamp()) >= changed // SECOND
        )
        # An answer 304 has no body, but the same headers. RFC 9110, 15.4.5
        response = (
            web.Response(status=304)
            if fresh
            else web.Response(body=body, content_type=media_type, charset="utf-8")
        )
        response.etag = ETag(tag)
        response.last_modified = aware(changed)
        response.headers[hdrs.CACHE_CONTROL] = (
            "public, max-age=15" if self._plan.public else "private, no-cache"
        )
        return response

    def _alerts(self) -> list[Alert]:
        """The latest alert of every incident that has one, the latest first."""
        now = self._clock.now()
        found = [
            alert
            for story in self._live.stories()
            if story.incident.closed_at is None or story.incident.closed_at > now - CLOSED_FOR
            if (alert := alert_of(story, self._plan, self._words)) is not None
        ]
        return sorted(found, key=lambda alert: alert.sent.at, reverse=True)


def alert_of(story: Story, plan: FeedPlan, say: Words) -> Alert | None:
    """The alert that says where the incident stands; None: there is nothing to say to those readers.

    Each message of an incident refers to all before it, and the same standing gives the same message for ever.
    """
    incident = story.incident
    if not incident.number:  # its opening is still to come, and with it its time
        return None
    begun = f"I{incident.number}-{incident.id[-8:]}"
    before = [(f"{begun}-{fact[-8:]}", _minted(fact)) for fact in incident.actions]
    if not plan.public:
        before.insert(0, (begun, incident.opened_at))
    if not before:
        return None
    if incident.closed_at is not None:
        identifier, at, kind = f"{begun}-closed", incident.closed_at, MessageType.CANCEL
        text, action = say.closed, None
    else:
        identifier, at = before.pop()
        kind = MessageType.UPDATE if before else MessageType.ALERT
        action = incident.action
        text = say.actions[action] if action is not None else say.handling
    mark = f"{say.mark}. " if story.exercise else ""
    end = f" {say.mark}." if story.exercise else ""
    name = writable(plan.campus.name) or "The school"
    headline = text.headline.format(school=name)
    please = text.please or say.please
    where = plan.campus.position
    return Alert(
        identifier=identifier,
        sender=plan.sender,
        sent=moment(at),
        status=Status.EXERCISE if story.exercise else Status.ACTUAL,
        type=kind,
        scope=Scope.PUBLIC if plan.public else Scope.RESTRICTED,
        restriction="" if plan.public else say.restriction,
        references=tuple(
            Reference(sender=plan.sender, identifier=known, sent=moment(sent)) for known, sent in before
        ),
        incidents=(begun,),
        infos=(
            Info(
                categories=(Category.SAFETY,),
                event=text.event,
                responses=_RESPONSES[action] if action is not None else (ResponseType.NONE,),
                urgency=Urgency.PAST if kind is MessageType.CANCEL else Urgency.IMMEDIATE,
                severity=_SEVERITIES[action] if action is not None else Severity.UNKNOWN,
                certainty=Certainty.OBSERVED,
                effective=moment(at),
                expires=moment(Instant(at + STANDS)),
                sender_name=name,
                headline=f"{mark}{headline}{end}",
                description=f"{mark}{headline} {please}{end}",
                instruction=f"{mark}{please}{end}",
                areas=(
                    Area(description=name, circles=(Circle(where, _CAMPUS_KM),) if where is not None else ()),
                ),
            ),
        ),
    )


def _minted(id_: str) -> Instant:
    """When an id was minted: its first ten characters are the milliseconds."""
    milliseconds = 0
    for letter in id_.rpartition("_")[2][:10]:
        milliseconds = milliseconds * 32 + _ALPHABET.index(letter)
    return Instant(milliseconds * 1000)
