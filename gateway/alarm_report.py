"""How often who raised the alarm, month by month: many alarms of one kind make people slow to believe the next. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from msgspec import Struct

from belltower.clock import aware
from belltower.incident import facts
from belltower.incident.entry import Entry
from belltower.incident.facts import Mode, UpdateKind

TAGS = frozenset({"alarm.raised", "call.update_ordered"})
"""The facts that are counted."""


class AlarmCount(Struct, frozen=True, kw_only=True):
    """What one person, unit or device raised in one month."""

    # "2026-11", on the school's wall.
    month: str
    # The id; "": it is not known who.
    who: str
    # "person", "unit" or "device".
    by: str
    # Meant in earnest, and of those the ones whose incident's calls were called off.
    alarms: int
    called_off: int
    exercises: int


def alarm_counts(entries: Iterable[Entry], zone: ZoneInfo) -> Sequence[AlarmCount]:
    """The counts, the newest month first, and within it whoever raised the most."""
    raised: list[tuple[tuple[str, str, str], facts.AlarmRaised]] = []
    cancelled: set[str] = set()
    for entry in entries:
        match entry.fact:
            case facts.AlarmRaised() as fact:
                month = f"{aware(entry.at).astimezone(zone):%Y-%m}"
                raised.append(((month, *_raiser(fact)), fact))
            case facts.UpdateOrdered(kind=UpdateKind.CANCEL, incident=incident):
                cancelled.add(incident)
            case _:
                pass
    actual: Counter[tuple[str, str, str]] = Counter()
    exercises: Counter[tuple[str, str, str]] = Counter()
    called_off: Counter[tuple[str, str, str]] = Counter()
    for key, fact in raised:
        if fact.mode is Mode.EXERCISE:
            exercises[key] += 1
            continue
        actual[key] += 1
        called_off[key] += fact.incident in cancelled
    counts = [
        AlarmCount(
            month=month,
            by=by,
            who=who,
            alarms=actual[month, by, who],
            called_off=called_off[month, by, who],
            exercises=exercises[month, by, who],
        )
        for month, by, who in dict.fromkeys(key for key, _ in raised)
    ]
    counts.sort(key=lambda one: (-one.alarms, -one.exercises, one.who))
    return sorted(counts, key=lambda one: one.month, reverse=True)


def _raiser(fact: facts.AlarmRaised) -> tuple[str, str]:
    if fact.person is not None:
        return "person", fact.person
    return ("unit", fact.unit) if fact.unit is not None else ("device", fact.device)
