"""The templates, and the pieces of pages that are sent to screens as they change."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any

import jinja2

from gateway.web.answers import Calling, asking, named
from gateway.web.desk import AlertsNearby, ConsoleMessage, Names
from gateway.web.headline import headline
from gateway.web.languages import language_name
from gateway.web.responders import responders
from gateway.web.rooms import RoomText, roll_call, text_lines
from gateway.web.story import Moment, Story
from gateway.web.view import (
    BannerLine,
    Card,
    alert_view,
    calling_view,
    card,
    day,
    notice_block,
    step_view,
    wall,
)

_HERE = Path(__file__).parent
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Asset:
    """One static file, held in memory."""

    __slots__ = ("body", "content_type")

    def __init__(self, body: bytes, content_type: str) -> None:
        self.body = body
        self.content_type = content_type


def assets(folder: Path = _HERE / "static") -> tuple[str, dict[str, Asset]]:
    """Every static file by name, and a word that changes when any of them does."""
    found = {
        path.name: Asset(path.read_bytes(), _TYPES[path.suffix])
        for path in sorted(folder.iterdir())
        if path.suffix in _TYPES
    }
    digest = hashlib.sha256(b"".join(name.encode() + asset.body for name, asset in found.items()))
    return digest.hexdigest()[:12], found


class Renderer:
    """Fills the templates. Everything is escaped unless a template says otherwise, and none does."""

    def __init__(self, *, zone: tzinfo, version: str) -> None:
        self.zone = zone
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["asset"] = lambda name: f"/static/{version}/{name}"
        self._environment.filters["wall"] = lambda at: wall(at, zone)
        self._environment.filters["language"] = language_name
        self._environment.filters["day"] = lambda at: day(at, zone)
        self._parts: Any = self._environment.get_template("parts.html").module

    def page(self, template: str, values: Mapping[str, Any]) -> str:
        """A whole page."""
        return self._environment.get_template(template).render(values)

    def part(self, template: str, macro: str, *given: object) -> str:
        """A piece of a page: a macro of a template."""
        module: Any = self._environment.get_template(template).module
        return str(getattr(module, macro)(*given))

    def step(self, moment: Moment) -> str:
        """One line of the timeline."""
        return str(self._parts.step(step_view(moment, self.zone)))

    def steps(self, story: Story) -> str:
        """The whole timeline."""
        return "".join(self.step(moment) for moment in story.told())

    def head(self, story: Story) -> str:
        """The top of an incident."""
        coming = responders(story, lambda at: wall(at, self.zone))
        calling = [calling_view(one, story.name(one.person), self.zone) for one in story.answers.calling]
        return str(self._parts.head(card(story, self.zone), headline(story), coming, calling))

    def notices(self, story: Story) -> str:
        """Who must be gone to, and the notices of an incident with their counts."""
        blocks = [notice_block(tally, story.answered.get(tally.notice)) for tally in story.tallies.values()]
        missing = self.part("escalation_parts.html", "runners", story.errands())
        return missing + str(self._parts.notices(story.incident.id, blocks))

    def rooms(self, story: Story) -> str:
        """How the rooms are; "" while nothing is ordered and no room has spoken."""
        call = roll_call(story.incident, story.rooms, lambda at: wall(at, self.zone))
        return "" if call is None else str(self._parts.rooms(call))

    def texts(self, story: Story, texts: Sequence[RoomText] | None) -> str:
        """The texts of rooms and to them; None: they cannot be read."""
        if texts is None:
            return str(self._parts.texts_unread())
        lines = text_lines(texts, story.rooms, story.texts_shown, lambda at: wall(at, self.zone))
        return str(self._parts.texts(lines))

    def cards(self, cards: Sequence[Card], empty: str) -> str:
        """The list of incidents."""
        return str(self._parts.cards(cards, empty))

    def calling(self, calling: Sequence[Calling], names: Names) -> str:
        """Who asks for help in no incident that is shown; "" for nobody."""
        views = [calling_view(one, named(one.person, names), self.zone) for one in calling]
        return str(self._parts.calling_elsewhere(asking(len(views)), views)) if views else ""

    def banner(self, lines: Sequence[BannerLine]) -> str:
        """What is wrong with the house itself."""
        return str(self._parts.banner(lines))

    def alerts(self, nearby: AlertsNearby) -> str:
        """What public alerts stand."""
        views = [alert_view(seen, self.zone) for seen in nearby.standing]
        return str(self._parts.alerts(views, sorted(nearby.troubles.items())))

    def console(self, messages: Sequence[ConsoleMessage]) -> str:
        """What stands on the consoles."""
        return str(self._parts.console(messages))
