"""What people changed by hand: a layer over the rosters that wins over every load, and that no load overwrites. Pure.

A field changed by hand keeps who changed it, when, and what the load in force said then; taken back, the load's own
value stands again, as it is by now.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum

from msgspec import Struct, field, structs

from belltower.clock import Instant, aware
from belltower.errors import Refused
from belltower.ids import PersonId
from belltower.people.reading.phones import read_phone
from belltower.people.roster import Human, Link, MayCollect, Phone

MANY = 8
"""Telephone numbers, or mailboxes, that one person may have by hand."""
LONGEST = 200
"""Letters of the longest value."""
OLDEST = 120
"""Years that nobody is older than."""


class HandField(StrEnum):
    """What may be changed by hand."""

    GIVEN = "given"
    MIDDLE = "middle"
    FAMILY = "family"
    PREFERRED_GIVEN = "preferred_given"
    PREFERRED_FAMILY = "preferred_family"
    BIRTH_DATE = "birth_date"
    GRADE = "grade"
    LANGUAGE = "language"
    PHONES = "phones"
    EMAILS = "emails"
    # Until when somebody is known to be elsewhere: a moment; no roster says it.
    AWAY = "away"
    # Of a link: student/adult.
    MAY_COLLECT = "may_collect"


LISTS = frozenset({HandField.PHONES, HandField.EMAILS})
"""Fields of several values; all others have one, or none."""


class HandValue(Struct, frozen=True, kw_only=True):
    """One field as a person wrote it."""

    value: tuple[str, ...]
    # What the load in force said when it was written.
    before: tuple[str, ...]
    by: PersonId
    at: Instant
    # Of telephone numbers, each in E.164.
    e164: tuple[str, ...] = ()


Fields = Mapping[HandField, HandValue]

NOTHING: Fields = {}


class Layer(Struct, frozen=True):
    """All that was changed by hand."""

    # Grows with every change.
    version: int = 0
    # By a person's id, or student/adult of a link.
    fields: Mapping[str, Fields] = field(default_factory=dict)

    def of(self, subject: str) -> Fields:
        """What was changed of one person, or of one link."""
        return self.fields.get(subject, NOTHING)


def pair(student: PersonId, adult: PersonId) -> str:
    """A link's name in the layer."""
    return f"{student}/{adult}"


def by_hand(human: Human, fields: Fields) -> Human:
    """The human with what was changed by hand."""
    if not fields:
        return human
    changed: dict[str, object] = {}
    for name, one in fields.items():
        if name in (HandField.MAY_COLLECT, HandField.AWAY):
            continue
        if name is HandField.PHONES:
            changed[name] = phones(one)
        elif name is HandField.EMAILS:
            changed[name] = one.value
        elif name is HandField.BIRTH_DATE:
            changed[name] = date.fromisoformat(one.value[0]) if one.value else None
        else:
            changed[name] = one.value[0] if one.value else ""
    return structs.replace(human, **changed)


def moment(given: str, zone: tzinfo, *, now: datetime) -> str:
    """A moment later than `now`, as it is kept; one that names no zone is of `zone`. Raises `Refused`."""
    try:
        said_at = datetime.fromisoformat(given)
        local = said_at.astimezone(zone) if said_at.tzinfo is not None else said_at.replace(tzinfo=zone)
        at = local.astimezone(UTC).replace(second=0, microsecond=0)
    except (ValueError, OverflowError):  # at the ends of the calendar a moment has no place in every zone
        raise Refused("away: write year-month-day and the time, 2026-03-09T15:30.") from None
    if at <= now:
        raise Refused(f"away: {given} is past; look at the day and the time.")
    return at.isoformat(timespec="minutes")


def is_away(fields: Fields, now: Instant) -> bool:
    """Whether somebody wrote down that the person is elsewhere until later than `now`."""
    said_until = fields.get(HandField.AWAY)
    return said_until is not None and any(
        datetime.fromisoformat(one) > aware(now) for one in said_until.value
    )


def link_by_hand(link: Link, fields: Fields) -> Link:
    """The link with what was changed by hand."""
    said = fields.get(HandField.MAY_COLLECT)
    if said is None:
        return link
    return structs.replace(link, may_collect=MayCollect(said.value[0]) if said.value else None)


def phones(value: HandValue) -> tuple[Phone, ...]:
    """Telephone numbers written by hand."""
    return tuple(
        Phone(written=written, e164=e164) for written, e164 in zip(value.value, value.e164, strict=True)
    )


def said(record: Human | Link, name: HandField) -> tuple[str, ...]:
    """A record's own value of a field, as the layer writes values."""
    if isinstance(record, Link):
        return (record.may_collect.value,) if record.may_collect is not None else ()
    match name:
        case HandField.PHONES:
            return tuple(phone.written for phone in record.phones)
        case HandField.EMAILS:
            return record.emails
        case HandField.BIRTH_DATE:
            return (record.birth_date.isoformat(),) if record.birth_date is not None else ()
        case HandField.MAY_COLLECT | HandField.AWAY:
            return ()
        case _:
            value = getattr(record, name)
            return (value,) if value else ()


def standing(human: Human, name: HandField, fields: Fields) -> tuple[str, ...]:
    """What stands now: of a human with what was changed by hand, and of what no load says, that alone."""
    hand = fields.get(name)
    return hand.value if name is HandField.AWAY and hand is not None else said(human, name)


def overruled(before: Human | Link, after: Human | Link, fields: Fields) -> tuple[str, ...]:
    """The fields, by name, that a load would bring another value for, were they not changed by hand."""
    return tuple(
        name.value
        for name, one in fields.items()
        if said(before, name) != said(after, name) != one.value
        and isinstance(after, Link) is (name is HandField.MAY_COLLECT)
    )


def checked(
    name: HandField, values: Sequence[str], *, now: datetime, region: str = "US"
) -> tuple[list[str], list[str]]:
    """The values as they are kept, and telephone numbers in E.164 too. Raises `Refused`, saying what to write."""
    given = [" ".join(unicodedata.normalize("NFC", one).split()) for one in values]
    given = list(dict.fromkeys(one for one in given if one))
    if any(len(one) > LONGEST or not one.isprintable() for one in given):
        raise Refused(f"{name.value}: write at most {LONGEST} letters, without control characters.")
    if len(given) > (MANY if name in LISTS else 1):
        raise Refused(f"{name.value}: write {f'at most {MANY} values' if name in LISTS else 'one value'}.")
    match name:
        case HandField.PHONES:
            return given, _e164(given, region)
        case HandField.EMAILS:
            _mailboxes(given)
        case HandField.BIRTH_DATE:
            _born(given, now.date())
        case HandField.AWAY:
            return [moment(one, UTC, now=now) for one in given], []
        case HandField.MAY_COLLECT:
            if given and given[0] not in set(MayCollect):
                raise Refused("may_collect: write yes, no or conditional.")
        case HandField.FAMILY:
            if not given:
                raise Refused("family: a person needs a name.")
        case _:
            pass
    return given, []


def _e164(given: Iterable[str], region: str) -> list[str]:
    found = []
    for one in given:
        e164 = read_phone(one, region=region).e164
        if not e164:
            raise Refused(
                f"phones: {one!r} cannot be a telephone number here; write it with its area code, or with + and the country."
            )
        found.append(e164)
    return found


def _mailboxes(given: Iterable[str]) -> None:
    for one in given:
        local, _, domain = one.rpartition("@")
        if not local or "." not in domain.strip(".") or " " in one:
            raise Refused(f"emails: {one!r} is no mailbox; write name@place.example.")


def _born(given: Iterable[str], today: date) -> None:
    for one in given:
        try:
            born = date.fromisoformat(one)
        except ValueError:
            raise Refused("birth_date: write year-month-day, 2015-03-09.") from None
        if born > today:
            raise Refused(f"birth_date: {one} is still to come; look at the year.")
        if (born.year + OLDEST, born.month, born.day) < (today.year, today.month, today.day):
            raise Refused(f"birth_date: {one} is more than {OLDEST} years ago; look at the year.")
