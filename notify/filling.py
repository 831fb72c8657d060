"""What the texts of a notice may name, and the filled text for one way in one language."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from belltower import log
from belltower.clock import Instant, aware
from belltower.ids import PlaceId
from belltower.incident.facts import Action, NoticeOrdered
from belltower.people.person import ContactKind
from floorplans.place import spoken
from notify.codes import sized
from notify.segments import segments
from notify.site import NoticeSite
from notify.store import Ordered, Words
from notify.wording import CAMPUS, MOST_PARTS, Slots, fallback, for_families

_log = log.get("notify")

_ACTIONS = frozenset(Action)
# Until the year 2286: more digits are no time.
_MICROSECONDS = re.compile(r"[0-9]{1,16}")


def slots_of(order: NoticeOrdered, ordered: Ordered, site: NoticeSite) -> Slots:
    """What the texts of a notice may name.

    `order.slots` holds ids and names only: `place`, `site` and `former` are places, `action` and `cause` names that the wording
    writes out, `next` is microseconds since 1970. What is none of these is as if it were not known.
    """
    meeting, former = (site.places.get(PlaceId(order.slots.get(name, ""))) for name in ("site", "former"))
    promised = order.slots.get("next", "")
    return Slots(
        school=site.school,
        place=_spoken(order, ordered.place, site),
        time=_local(ordered.ordered_at, site),
        action=order.slots.get("action", "") or _action(order.template),
        incident=order.slots.get("incident", ""),
        # The page of the incident is for those who can sign in.
        url=site.incident_url.replace("{incident}", order.incident)
        if order.incident and not for_families(order.template)
        else "",
        cause=order.slots.get("cause", ""),
        next=_local(Instant(int(promised)), site) if _MICROSECONDS.fullmatch(promised) else "",
        phone=site.phone,
        site=spoken(meeting) if meeting is not None else "",
        former=spoken(former) if former is not None else "",
    )


def everywhere(order: NoticeOrdered) -> bool:
    """Whether the notice is about no one place: an action for the whole campus."""
    return order.template == "staff-action" and not order.slots.get("place")


def _local(at: Instant, site: NoticeSite) -> str:
    return aware(at).astimezone(ZoneInfo(site.timezone)).strftime("%H:%M")


def _action(template: str) -> str:
    """The action that the name of a template bears; "" where it bears none."""
    parts = template.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in _ACTIONS else ""


def _spoken(order: NoticeOrdered, place: str, site: NoticeSite) -> str:
    if everywhere(order):
        return CAMPUS
    known = site.places.get(PlaceId(place))
    return spoken(known) if known is not None else ""


def words_of(
    order: NoticeOrdered, site: NoticeSite, slots: Slots, kind: ContactKind, language: str
) -> Words | None:
    """The filled text of a notice for whoever reads that language; None where nothing fits the way."""
    for template in (order.template, fallback(order.template)):
        text = site.wording.said(
            template=template, channel=kind.value, language=language, mode=order.mode, slots=slots
        )
        parts = segments(sized(text.body)).parts if kind is ContactKind.SMS else 1
        if not text.body:
            continue
        if parts <= MOST_PARTS:
            return Words(
                channel=kind.value, language=text.language, subject=text.subject, body=text.body, parts=parts
            )
        _log.error("notice_too_long", notice=order.notice, template=template, language=language)
    return None
