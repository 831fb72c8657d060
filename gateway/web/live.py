"""Follows the desk, keeps the open stories in memory, and tells every screen what changed.

Facts are gathered for a moment and then told together: however many a burst brings, a screen hears some ten times a
second, and each piece is rendered once for all screens. Pages of open incidents come from the same stories, so a page
and its later events never disagree.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from belltower import log
from belltower.clock import Clock
from belltower.errors import Refused, StoreError, Unreachable
from belltower.ids import IncidentId, NoticeId, StreamName
from belltower.incident import facts
from belltower.incident.entry import Entry
from gateway.web.answers import Calling
from gateway.web.desk import ConsoleMessage, DeskView
from gateway.web.render import Renderer
from gateway.web.rooms import RoomText
from gateway.web.story import Story, tell
from gateway.web.stream import EVERYBODY, Fanout, event
from gateway.web.view import BannerLine, Card, banner, card

_log = log.get("web")

GATHER = 0.1
"""Seconds between two tellings."""

TEXTS_WITHIN = 1.5
"""Seconds that the alarm lane has to hand out the texts of rooms: a page does not wait for it."""

LIST = "list"
"""The topic of the list of incidents."""

CLOSED_SHOWN = 20
"""How many closed incidents stay in the list."""

_OF_NOTICES = (
    facts.NoticeOrdered,
    facts.NoticePlanned,
    facts.NoticeApproved,
    facts.HeldDecided,
    facts.DeliverySettled,
    facts.ReplyHeard,
)


class Live:
    """The stories of open incidents and of those closed lately."""

    def __init__(self, *, desk: DeskView, fanout: Fanout, renderer: Renderer, clock: Clock) -> None:
        self._desk = desk
        self._fanout = fanout
        self._renderer = renderer
        self._clock = clock
        self._stories: OrderedDict[IncidentId, Story] = OrderedDict()
        self._changed: dict[IncidentId, set[str]] = {}
        self._console_changed = False
        # Notices of which something was heard since somebody took these.
        self.noticed: set[NoticeId] = set()
        # Incidents with new texts.
        self._spoken: set[IncidentId] = set()
        self._bell = asyncio.Event()
        self._banner = ""
        self._alerts = ""
        self.console: list[ConsoleMessage] = []
        self._calling: list[Calling] = []
        self._calling_changed = False
        self.heads: dict[StreamName, int] = {}
        # Why nothing can be shown; "" once everything was read and is being followed.
        self.reading = "it has not been read yet"

    async def run(self) -> None:
        """Read what is open, then follow for ever. Raises `StoreError` when the desk cannot read; run it again."""
        try:
            await self._read()
            async for entry in self._desk.follow(dict(self.heads)):
                self._take(entry)
        except StoreError as error:
            self.failed(error)
            raise

    def failed(self, error: Exception) -> None:
        """Nothing is being followed: the screens must say so."""
        self.reading = str(error) or type(error).__name__
        self._bell.set()

    async def publish(self) -> None:
        """Tell the screens what changed, for ever."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            if self._console_changed:
                await self._read_console()
            if self._calling_changed:
                await self._read_calling()
            texts = {
                incident: await self.texts(incident) for incident in self._spoken if incident in self._stories
            }
            self._spoken.clear()
            self._tell(texts)
            await asyncio.sleep(GATHER)

    async def watch(self) -> None:
        """Look at the alarm lane and at public alerts once a second, for ever, and tell the screens what changed."""
        while True:
            html = self._renderer.banner(self.banner())
            if html != self._banner:
                self._banner = html
                self._fanout.publish(EVERYBODY, event("banner", packed(html=html)), self.heads)
            html = self.alerts()
            if html != self._alerts:
                self._alerts = html
                self._fanout.publish(LIST, event("alerts", packed(html=html)), self.heads)
            await asyncio.sleep(1.0)

    def banner(self) -> list[BannerLine]:
        """What is wrong with the house itself."""
        lane = self._desk.alarm_lane()
        return banner(lane, reading=self.reading, now=self._clock.now(), zone=self._renderer.zone)

    def alerts(self) -> str:
        """The panel of public alerts; "" where no feed is watched."""
        nearby = self._desk.alerts()
        return "" if nearby is None else self._renderer.alerts(nearby)

    def cards(self) -> tuple[list[Card], list[Card]]:
        """Open incidents, and those closed lately, the newest first."""
        cards = [card(story, self._renderer.zone) for story in reversed(self._stories.values())]
        return [each for each in cards if each.open], [each for each in cards if not each.open]

    def take_noticed(self) -> set[NoticeId]:
        """The notices of which something was heard since this was asked last."""
        noticed, self.noticed = self.noticed, set()
        return noticed

    def calling(self) -> list[Calling]:
        """Who asks for help in no incident that is shown, the newest first."""
        return [one for one in self._calling if one.incident not in self._stories]

    def stories(self) -> list[Story]:
        """Open incidents and those closed lately, the newest first."""
        return list(reversed(self._stories.values()))

    async def story(self, incident: IncidentId) -> Story | None:
        """The incident's story, None if nothing is known of it. Raises `StoreError`."""
        known = self._stories.get(incident)
        if known is not None:
            return known
        entries = await self._desk.entries(incident)
        return tell(incident, entries, names=self._desk.names) if entries else None

    async def texts(self, incident: IncidentId) -> Sequence[RoomText] | None:
        """The texts of the incident; None while the alarm lane does not answer."""
        try:
            async with asyncio.timeout(TEXTS_WITHIN):
                return await self._desk.texts(incident)
        except (Unreachable, Refused, StoreError, TimeoutError) as error:
            _log.warning("texts_not_read", error=type(error).__name__)
            return None

    async def _read(self) -> None:
        heads = dict(await self._desk.heads())
        stories: OrderedDict[IncidentId, Story] = OrderedDict()
        closed = await self._desk.closed_incidents(CLOSED_SHOWN)
        for incident in [*reversed(closed), *await self._desk.open_incidents()]:
            entries = await self._desk.entries(incident)
            stories[incident] = tell(incident, entries, names=self._desk.names)
        self.console = list(await self._desk.console())
        self._calling = list(await self._desk.calling())
        self._stories, self.heads, self.reading = stories, heads, ""
        self._changed.clear()
        self._fanout.begin(heads)

    async def _read_console(self) -> None:
        try:
            self.console = list(await self._desk.console())
        except StoreError as error:
            _log.warning("console_not_read", error=type(error).__name__)

    async def _read_calling(self) -> None:
        try:
            self._calling = list(await self._desk.calling())
        except StoreError as error:
            _log.warning("answers_not_read", error=type(error).__name__)

    def _take(self, entry: Entry) -> None:
        if entry.position:
            self.heads[entry.stream] = max(entry.position, self.heads.get(entry.stream, 0))
        if entry.subject:
            incident = IncidentId(entry.subject)
            story = self._stories.get(incident)
            if story is None and isinstance(entry.fact, facts.AlarmRaised | facts.IncidentOpened):
                story = self._stories[incident] = Story(incident, names=self._desk.names)
            if story is not None:
                self._changed.setdefault(incident, set()).update(story.apply(entry))
                if isinstance(entry.fact, facts.TextHeard | facts.TextOrdered | facts.TextShown):
                    self._spoken.add(incident)
        if isinstance(entry.fact, _OF_NOTICES) and entry.fact.notice is not None:
            self.noticed.add(entry.fact.notice)
        if isinstance(entry.fact, facts.DeliverySettled) and entry.fact.channel == "console":
            self._console_changed = True
        if isinstance(entry.fact, facts.ReplyHeard):
            self._calling_changed = True
        self._bell.set()

    def _tell(self, texts: Mapping[IncidentId, Sequence[RoomText] | None]) -> None:
        changed, self._changed = self._changed, {}
        heads = dict(self.heads)
        for incident, keys in changed.items():
            story = self._stories[incident]
            events = []
            following = ""
            for moment in reversed(story.told()):
                if moment.key in keys:
                    data = packed(key=moment.key, before=following, html=self._renderer.step(moment))
                    events.append(event("step", data))
                following = moment.key
            events.append(event("notices", packed(html=self._renderer.notices(story))))
            events.append(event("rooms", packed(html=self._renderer.rooms(story))))
            if incident in texts:
                events.append(event("texts", packed(html=self._renderer.texts(story, texts[incident]))))
            events.append(event("head", packed(html=self._renderer.head(story)), heads))
            self._fanout.publish(incident, b"".join(events), heads)
        if changed:
            self._forget()
            shown, closed = self.cards()
            data = packed(
                open=self._renderer.cards(shown, NONE_OPEN), closed=self._renderer.cards(closed, NONE_CLOSED)
            )
            self._fanout.publish(LIST, event("list", data, heads), heads)
        if self._console_changed:
            self._console_changed = False
            data = packed(html=self._renderer.console(self.console))
            self._fanout.publish(EVERYBODY, event("console", data), heads)
        if self._calling_changed:
            self._calling_changed = False
            data = packed(html=self._renderer.calling(self.calling(), self._desk.names))
            self._fanout.publish(LIST, event("calling", data), heads)

    def _forget(self) -> None:
        closed = [incident for incident, story in self._stories.items() if not story.incident.open]
        for incident in closed[:-CLOSED_SHOWN]:
            del self._stories[incident]


NONE_OPEN = "No incident is open."
"""What an empty list says, once it is known to be empty."""

NONE_CLOSED = "None."
"""What stands under "Closed lately" then."""


def packed(**values: str) -> str:
    """An event's data as the page's module reads it."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))
