"""Quiet hours: what may wait reaches no phone in the night. Pure."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from msgspec import Struct

from belltower.clock import SECOND, Instant, aware
from belltower.errors import Malformed
from belltower.incident.facts import Mode, NoticeOrdered
from belltower.people.person import ContactKind

if TYPE_CHECKING:
    from notify.site import NoticeSite

LOUD = frozenset({ContactKind.SMS.value, ContactKind.VOICE.value})
"""The kinds of address that wake people."""

ROUTINE = frozenset({"test"})
"""Templates that are routine whatever their order says; somebody waits to see them arrive."""

_LONGEST = 24 * 3600 * SECOND
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


class Quiet(Struct, frozen=True, kw_only=True):
    """A part of every day; one that begins later than it ends goes over midnight."""

    begins: time
    ends: time

    def until(self, at: Instant, timezone: str) -> Instant:
        """When it ends, where `at` lies in it; 0: it does not."""
        zone = ZoneInfo(timezone)
        local = aware(at).astimezone(zone)
        now = local.time()
        inside = now >= self.begins, now < self.ends
        if not (all(inside) if self.begins < self.ends else any(inside)):
            return Instant(0)
        day = local.date() + timedelta(days=now >= self.ends)
        return Instant(int(datetime.combine(day, self.ends, zone).timestamp()) * SECOND)


def quiet_of(written: str) -> Quiet:
    """Read "21:00-06:30". Raises `Malformed`."""
    found = _HOURS.fullmatch(written)
    if found is None or found[1] + found[2] == found[3] + found[4]:
        raise Malformed('write the hours in which nothing that may wait rings, "21:00-06:30"')
    begin_hour, begin_minute, end_hour, end_minute = map(int, found.groups())
    return Quiet(begins=time(begin_hour, begin_minute), ends=time(end_hour, end_minute))


def quiet_until(order: NoticeOrdered, site: NoticeSite, now: Instant) -> Instant:
    """Until when its texts and calls wait, were it planned `now`; 0: they do not.

    What is urgent never waits, and nothing that is practised or tried: somebody looks whether it arrives.
    """
    if site.quiet is None or not order.routine or order.mode is Mode.EXERCISE or order.template in ROUTINE:
        return Instant(0)
    return site.quiet.until(now, site.timezone)


def still_quiet(until: Instant, now: Instant) -> bool:
    """Whether they wait yet. What lies further off than a day was written before the wall clock stepped back."""
    return now < until <= now + _LONGEST
