"""Which public alerts concern us, and what of them is written down. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from belltower.clock import SECOND, Instant
from belltower.incident.facts import AlertSeen
from gateway.psap.cap import Alert, Info, MessageType, Named, Status
from gateway.psap.cap.atom import IndexEntry
from gateway.settings.alerts import AlertFeedSettings

STANDS = 86_400 * SECOND
"""How long an alert counts that does not say when it expires."""

LONGEST = 300
"""Characters of an event or headline that are kept."""

_SHOWN = frozenset({Status.ACTUAL.value, Status.EXERCISE.value, Status.TEST.value})

Key = tuple[str, str, Instant]


class Sighting(Struct, frozen=True, kw_only=True):
    """One message of a feed, judged."""

    seen: AlertSeen
    # It concerns us and stands: people are to see it.
    shown: bool
    # The messages that it updates or cancels.
    replaces: tuple[Key, ...] = ()

    @property
    def key(self) -> Key:
        """What makes two messages the same one."""
        return key(self.seen)


def key(seen: AlertSeen) -> Key:
    """What makes two messages the same one: sender, identifier, sent."""
    return seen.sender, seen.identifier, seen.sent


def of_alert(alert: Alert, feed: str, settings: AlertFeedSettings, now: Instant) -> Sighting:
    """A whole alert, judged."""
    info = next((one for one in alert.infos if one.language.startswith("en")), None) or next(
        iter(alert.infos), None
    )
    expires = max((one.expires.at for one in alert.infos if one.expires is not None), default=None)
    seen = AlertSeen(
        feed=feed,
        sender=alert.sender[:LONGEST],
        identifier=alert.identifier[:LONGEST],
        sent=alert.sent.at,
        event=_short(info.event) if info is not None else "",
        headline=_short(info.headline) if info is not None else "",
        severity=str(info.severity) if info is not None else "",
        urgency=str(info.urgency) if info is not None else "",
        certainty=str(info.certainty) if info is not None else "",
        expires=expires if expires is not None else Instant(alert.sent.at + STANDS),
        status=str(alert.status),
        cancelled=alert.type is MessageType.CANCEL,
    )
    geocodes = [code for one in alert.infos for area in one.areas for code in area.geocodes]
    concerns = (
        alert.type in (MessageType.ALERT, MessageType.UPDATE)
        and alert.status.value in _SHOWN
        and in_area(geocodes, settings)
        and _is_event(alert.infos, settings)
    )
    follows = alert.type in (MessageType.UPDATE, MessageType.CANCEL)
    return Sighting(
        seen=seen,
        shown=concerns and seen.expires > now,
        replaces=tuple((one.sender, one.identifier, one.sent.at) for one in alert.references)
        if follows
        else (),
    )


def of_entry(entry: IndexEntry, feed: str, settings: AlertFeedSettings, now: Instant) -> Sighting:
    """An alert of which there is only the line in the index.

    The line does not say the event's code, so it is not held against the alert unless its name is among those wanted.
    """
    sent = entry.updated if entry.updated is not None else now
    seen = AlertSeen(
        feed=feed,
        sender=entry.author[:LONGEST],
        identifier=entry.id[:LONGEST],
        sent=sent,
        event=_short(entry.event or entry.title),
        headline=_short(entry.title),
        severity=entry.severity[:LONGEST],
        urgency=entry.urgency[:LONGEST],
        certainty=entry.certainty[:LONGEST],
        expires=entry.expires if entry.expires is not None else Instant(sent + STANDS),
        status=entry.status[:LONGEST] or Status.ACTUAL.value,
    )
    concerns = entry.type in ("", "Alert", "Update") and seen.status in _SHOWN
    return Sighting(seen=seen, shown=concerns and seen.expires > now and in_area(entry.geocodes, settings))


def in_area(geocodes: Iterable[Named], settings: AlertFeedSettings) -> bool:
    """Whether one of the codes is of an area that concerns us. An alert without codes concerns everybody."""
    codes = {value for code in geocodes for value in code.value.split()}
    return not settings.areas or not codes or not settings.areas.isdisjoint(codes)


def _is_event(infos: tuple[Info, ...], settings: AlertFeedSettings) -> bool:
    wanted = {code.casefold() for code in settings.codes}
    said = {info.event.casefold() for info in infos}
    said |= {code.value.casefold() for info in infos for code in info.event_codes}
    return not wanted or not wanted.isdisjoint(said)


def _short(text: str) -> str:
    """One line that fits a screen."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 2] + ".."
