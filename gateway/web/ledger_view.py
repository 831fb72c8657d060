"""What the ledger of one notice is drawn from. Pure.

The reverse comes first: who is not known to be reached. Nothing unknown is counted as delivered, nothing delivered as
read, nothing read as safe.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import tzinfo

from msgspec import Struct

from belltower.ids import PersonId, PlaceId
from belltower.incident.facts import Mode
from belltower.people.person import Person
from gateway.web.desk import Names
from gateway.web.languages import language_name
from gateway.web.story import CHANNELS as SHORTER
from gateway.web.story import carrier, no_channel, spoken_template
from gateway.web.view import day, wall
from notify.delivery import LEFT, TOO_LATE, State
from notify.delivery_rows import Words
from notify.order_store import KeptOrder
from notify.reports import Listed
from notify.standing import Counts, Standing

CHANNELS = SHORTER | {
    "voice": "Telephone calls",
    "push": "Push messages",
    "chat": "Chat rooms",
    "paging": "Loudspeakers",
    "sign": "Signs",
}
"""What people call the ways out."""

PEOPLE_SHOWN = 200
"""How many of those not reached are named on the page; the export has all."""

_PREFIXES_SHOWN = 8
_PREFIX_AT_LEAST = 3

_REASONS = {
    "no_address": "no address",
    "no_channel": "nothing is set up for this kind of address",
    "too_long": "the text does not fit",
    TOO_LATE: "it came too late to be sent, and is held for a person",
    LEFT: "it came too late, and somebody left it unsent",
    "stopped": "the person has stopped messages to this address",
    "opted_out": "the person told the carrier to stop messages",
    "provider:21610": "the person told the carrier to stop messages",
    "output_failed": "the loudspeaker or sign could not be switched",
    "withheld": "it is not switched in an exercise, or another incident keeps it as it is",
    "address": "the address is not one",
    "unreadable": "the key that its address was sealed with is lost",
    "restarted": "the desk ended while it was being sent",
    "unresolved": "the provider does not say",
    "timeout": "no answer in time",
    "surprise": "an error of our own",
}


class SaidView(Struct, frozen=True, kw_only=True):
    """A text that was sent, once, however many languages it stood in for."""

    channel: str
    # "Spanish", "English, with the interpreter's line for Arabic, Hmong".
    language: str
    # The tag for the browser.
    lang: str
    subject: str
    body: str


def said(words: Sequence[Words], source: str) -> list[SaidView]:
    """The texts of each way out, the source's first. What stood in for another language bears both, as `en-x-hmn`."""
    same: dict[tuple[str, bool, str, bool, str, str], list[str]] = {}
    for one in words:
        language, _, wanted = one.language.partition("-x-")
        key = (one.channel, language != source, language, bool(wanted), one.subject, one.body)
        same.setdefault(key, []).append(wanted)
    return [
        SaidView(
            channel=CHANNELS.get(channel, channel),
            language=f"{language_name(language)}, with the interpreter's line for {', '.join(sorted(map(language_name, wanted)))}"
            if stands_in
            else language_name(language),
            lang=language,
            subject=subject,
            body=body,
        )
        for (channel, _, language, stands_in, subject, body), wanted in sorted(same.items())
    ]


class CountView(Struct, frozen=True, kw_only=True):
    """One count with its mark: the icon's stage, the number, the word."""

    stage: str
    count: int
    word: str


class CountsView(Struct, frozen=True, kw_only=True):
    """One channel, provider or prefix with its counts, which add up to `composed`."""

    name: str
    composed: int
    counts: Sequence[CountView]
    # Of those: answered by a human.
    answered: int


class PlaceView(Struct, frozen=True, kw_only=True):
    """One place of which somebody is not known to be reached."""

    name: str
    missing: Sequence[str]
    meant: int


class Sheet(Struct, frozen=True, kw_only=True):
    """The ledger of one notice."""

    people: int
    not_reached: int
    reached: int
    answered: int
    unreachable: int
    whole: CountsView
    channels: Sequence[CountsView]
    providers: Sequence[CountsView]
    prefixes: Sequence[CountsView]
    # That nothing is set up for a way out, and the addresses of their kind.
    unsendable: Sequence[tuple[str, int]]
    # Those that came too late and wait for a person's word.
    held: int
    # Why, and how many.
    reasons: Sequence[tuple[CountView, str]]
    places: Sequence[PlaceView]
    # Those not reached, by name, as far as the page names them.
    missing: Sequence[tuple[str, bool]]
    # How long the last one still takes; "" where nothing waits.
    left: str
    as_of: str


class Title(Struct, frozen=True, kw_only=True):
    """A notice in one line."""

    notice: str
    title: str
    ordered: str
    exercise: bool
    routine: bool
    superseded: bool
    place: str
    incident: str


def title(listed: Listed, names: Names, zone: tzinfo) -> Title:
    """The notice in one line."""
    return Title(
        notice=listed.notice,
        title=spoken_name(listed.template),
        ordered=day(listed.ordered_at, zone),
        exercise=listed.mode is Mode.EXERCISE,
        routine=listed.routine,
        superseded=bool(listed.superseded_by),
        place=names.place(PlaceId(listed.place)) if listed.place else "",
        incident=listed.incident,
    )


class TakenBack(Struct, frozen=True, kw_only=True):
    """That a notice was a mistake: who said so and when, and the correction."""

    notice: str
    said: str


def taken_back(correction: KeptOrder, names: Names, zone: tzinfo) -> TakenBack:
    """What took the notice back."""
    order = correction.order
    by = f" by {names.person(order.by)}" if order.by is not None else ""
    return TakenBack(notice=order.notice, said=f"Taken back as a mistake{by}, {wall(correction.at, zone)}")


def spoken_name(template: str) -> str:
    """A template's name as people read it: "Families: lockdown, now"."""
    parts = template.split(".")
    if len(parts) == 1:
        return spoken_template(template)
    return f"{spoken_template(parts[0])}: {', '.join(part.replace('-', ' ') for part in parts[1:])}"


def sheet(
    standing: Standing,
    *,
    names: Names,
    people: Mapping[PersonId, Person],
    called: Mapping[PersonId, str],
    missing: Sequence[PersonId],
    left: str,
    as_of: str,
) -> Sheet:
    """The ledger. `missing` are those not reached, `called` what those shown are called, `people` where they are."""
    shown = sorted((called[person], person in standing.unreachable) for person in missing[:PEOPLE_SHOWN])
    return Sheet(
        people=standing.people,
        not_reached=len(missing),
        reached=standing.people - len(missing),
        answered=len(standing.answered),
        unreachable=len(standing.unreachable),
        whole=counts_view("", "", standing.whole),
        channels=[
            counts_view(CHANNELS.get(channel, channel), channel, counts)
            for channel, counts in sorted(standing.channels.items())
        ],
        providers=[
            counts_view(f"{provider}, {CHANNELS.get(channel, channel).lower()}", channel, counts)
            for (channel, provider), counts in sorted(standing.providers.items())
            if provider
        ],
        prefixes=[
            counts_view(f"{CHANNELS.get(channel, channel)}, {name}..", channel, counts)
            for channel, name, counts in standing.suspicious(at_least=_PREFIX_AT_LEAST, most=_PREFIXES_SHOWN)
        ],
        unsendable=[(no_channel(channel), count) for channel, count in sorted(standing.unsendable.items())],
        held=standing.reasons[State.REFUSED, TOO_LATE],
        reasons=[
            (_count(state, count, ""), spoken_reason(reason))
            for (state, reason), count in standing.reasons.most_common()
        ],
        places=_places(standing, names, people, missing),
        missing=shown,
        left=left,
        as_of=as_of,
    )


def counts_view(name: str, channel: str, counts: Counts) -> CountsView:
    """The counts of one channel, provider or prefix."""
    return CountsView(
        name=name,
        composed=counts.composed,
        answered=counts.acknowledged,
        counts=[
            _count(State.READ, counts.of(State.READ), channel),
            _count(State.DELIVERED, counts.of(State.DELIVERED), channel),
            _count(State.ACCEPTED, counts.of(State.ACCEPTED), channel),
            _count(State.PENDING, counts.waiting, channel),
            _count(State.REFUSED, counts.of(State.REFUSED), channel),
            _count(State.UNCERTAIN, counts.of(State.UNCERTAIN), channel),
            *(
                [_count(State.SUPERSEDED, counts.of(State.SUPERSEDED), channel)]
                if counts.of(State.SUPERSEDED)
                else []
            ),
        ],
    )


_MARKS = {
    State.READ: ("machine", "opened"),
    State.DELIVERED: ("machine", "delivered"),
    State.ACCEPTED: ("sent", "with {carrier}"),
    State.PENDING: ("waiting", "not sent yet"),
    State.SENDING: ("waiting", "not sent yet"),
    State.REFUSED: ("failed", "failed"),
    State.UNCERTAIN: ("unknown", "unknown"),
    State.SUPERSEDED: ("recorded", "stopped for a later notice"),
}


def _count(state: State, count: int, channel: str) -> CountView:
    stage, word = _MARKS[state]
    who = carrier(channel) if channel in SHORTER else "a provider" if not channel else "the provider"
    return CountView(stage=stage, count=count, word=word.format(carrier=who))


def spoken_state(state: State) -> str:
    """A state as exports write it."""
    words = {
        State.ACCEPTED: "accepted by the provider",
        State.REFUSED: "failed",
        State.UNCERTAIN: "unknown",
        State.SUPERSEDED: "stopped for a later notice",
    }
    return words.get(state, state.value)


def spoken_reason(reason: str) -> str:
    """Why a delivery failed or is unknown, in words where there are any."""
    kind, _, code = reason.partition(":")
    if reason in _REASONS:
        return _REASONS[reason]
    if kind == "provider":
        return f"the provider said {code}"
    if kind == "smtp":
        return f"the mail server said {code}"
    if kind == "no_answer":
        return "no answer came"
    return reason.replace("_", " ") or "no reason given"


def _places(
    standing: Standing, names: Names, people: Mapping[PersonId, Person], missing: Sequence[PersonId]
) -> list[PlaceView]:
    """Where the school's own people usually are whom nothing is known to have reached."""
    meant: Counter[PlaceId] = Counter()
    for person in (*standing.reached, *standing.unreachable):
        if person in people:
            meant.update(people[person].places)
    unreached: dict[PlaceId, list[str]] = {}
    for person in missing:
        if person in people:
            for place in people[person].places:
                unreached.setdefault(place, []).append(people[person].name)
    return sorted(
        (
            PlaceView(name=names.place(place), missing=sorted(who), meant=meant[place])
            for place, who in unreached.items()
        ),
        key=lambda view: view.name,
    )
