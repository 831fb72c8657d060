"""What the pages for writing a notice are drawn from, and how their form is read. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from msgspec import Struct
from multidict import MultiDictProxy

from belltower.clock import Instant
from belltower.ids import IncidentId, PersonId, PlaceId
from belltower.incident.facts import Action, Mode
from belltower.people.person import ContactKind
from gateway.web.desk import Names
from gateway.web.languages import language_name
from gateway.web.ledger_view import CHANNELS, spoken_name, spoken_reason
from gateway.web.story import no_channel
from gateway.web.view import day
from notify.audience import AudienceRule
from notify.choice import Choice
from notify.draft import REASONS, Draft, DraftState, Said
from notify.forecast import Forecast
from notify.meant import Meant
from notify.permitted import by_hand
from notify.standing import NO_CHANNEL
from notify.wording import Phase, SitePhase, WordingSet, families, for_families, site_text

ROLES = {"guardian": "Guardians", "student": "Students", "contact": "Other contacts", "staff": "Staff"}
"""Of the roster, as the form offers them."""

UNSAID = "-"
"""Of the causes that the form offers: none is said, whatever families were told before."""

UPDATES = (10, 15, 20, 30, 60)
"""Minutes until the next update, as the form offers them."""

SHOWN = 400
"""Classes that the form lists."""

_PHASES = {
    Phase.NOW: "it is in force",
    Phase.UPDATE: "it goes on",
    Phase.DISMISSAL: "going home waits for it",
    Phase.CLEARED: "it is over",
    Phase.EXERCISE: "it is practised",
}
_SITE_PHASES = {
    SitePhase.OPEN: "go there",
    SitePhase.MOVED: "go there, no longer to where we said (always two people)",
    SitePhase.ROUTE: "the way there and the parking",
    SitePhase.WAIT: "please wait where you are",
}
_OWN = "own:"
_LISTED = 6


class Lists(Struct, frozen=True, kw_only=True):
    """What the form offers. Nothing is typed: whatever a text may name stands in a list."""

    # Group and its texts: value and words.
    templates: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    audiences: Sequence[tuple[str, str]]
    roles: Sequence[tuple[str, str]]
    schools: Sequence[tuple[str, str]]
    classes: Sequence[tuple[str, str]]
    # How many more classes there are than are listed.
    more_classes: int
    languages: Sequence[str]
    places: Sequence[tuple[PlaceId, str]]
    causes: Sequence[tuple[str, str]]
    channels: Sequence[tuple[str, str]]
    incidents: Sequence[tuple[str, str]]
    updates: Sequence[int] = UPDATES


class TextView(Struct, frozen=True, kw_only=True):
    """One filled text."""

    channel: str
    language: str
    subject: str
    body: str
    parts: int
    letters: int
    messages: int
    # The tag for the browser.
    lang: str
    # Who gets it with the interpreter's line instead of a text of their own: "Arabic 16, Hmong 6"; "" for nobody.
    instead: str


class DraftView(Struct, frozen=True, kw_only=True):
    """A draft on its page and in the list."""

    id: str
    title: str
    audience: str
    exercise: bool
    waiting: bool
    people: int
    messages: int
    unreachable: int
    parts: int
    by: str
    at: str
    asked_by: str
    # Whether the reader is the one who asked.
    own: bool
    takes_two: bool
    # Not even in haste does one person send it.
    never_alone: bool
    wide: bool
    state: str
    loads: Sequence[tuple[str, int]]
    refused: Sequence[tuple[str, int]]
    # That nothing is set up for a kind of address, and how many there are.
    unset: Sequence[tuple[str, int]]
    texts: Sequence[TextView]
    routine: bool
    # Minutes from the moment it leaves until the next update that it promises; 0: none.
    next_in: int


def lists(
    wording: WordingSet,
    *,
    audiences: Mapping[str, AudienceRule],
    names: Names,
    served: frozenset[str],
    schools: Mapping[str, str],
    classes: Mapping[str, str],
    incidents: Sequence[tuple[str, str]],
) -> Lists:
    """What may be chosen here and now."""
    every_class = sorted(classes.items(), key=lambda each: each[1])
    return Lists(
        templates=list(_templates(wording)),
        audiences=[(name, name.replace("-", " ").capitalize()) for name in sorted(audiences)],
        roles=list(ROLES.items()),
        schools=sorted(schools.items(), key=lambda each: each[1]),
        classes=every_class[:SHOWN],
        more_classes=max(0, len(every_class) - SHOWN),
        languages=list(wording.languages),
        places=list(names.places()),
        causes=[(UNSAID, "Not said"), *wording.source.causes.items()],
        channels=[(kind, CHANNELS.get(kind, kind)) for kind in sorted(served)],
        incidents=incidents,
    )


def _templates(wording: WordingSet) -> Iterator[tuple[str, Sequence[tuple[str, str]]]]:
    for action in Action:
        offered = [
            (families(action, phase), f"{action.capitalize()}: {words}")
            for phase, words in _PHASES.items()
            if wording.knows(families(action, phase))
        ]
        if offered:
            yield f"To families: {action}", offered
    where = [
        (site_text(phase), f"Where families go: {words}")
        for phase, words in _SITE_PHASES.items()
        if wording.knows(site_text(phase))
    ]
    if where:
        yield "To families: where they meet their children", where
    known = wording.source.templates
    others = [name for name in known if "." not in name and by_hand(name)]
    general = [(name, spoken_name(name)) for name in others if for_families(name)]
    if general:
        yield "To families, without saying what it is", general
    yield "To staff", [(name, spoken_name(name)) for name in others if not for_families(name)]


def chosen(form: MultiDictProxy[Any]) -> Choice:
    """What the form says; whatever it names is looked up by whoever takes the choice."""
    audience = _text(form, "audience")
    minutes = _text(form, "next")
    slots = {name: _text(form, name) for name in ("place", "cause", "site")}
    slots = {name: value for name, value in slots.items() if value}
    if slots.get("cause") == UNSAID:
        slots["cause"] = ""
    return Choice(
        template=_text(form, "template"),
        audience="" if audience == _OWN else audience,
        rule=_rule(form),
        slots=slots,
        next_in=60 * int(minutes) if minutes in map(str, UPDATES) else 0,
        incident=IncidentId(_text(form, "incident")),
        routine=bool(form.get("routine")),
        families_of_exercise=bool(form.get("of_exercise")),
    )


def unknown(rule: AudienceRule, *, schools: Collection[str], classes: Collection[str]) -> str:
    """What the rule names that there is not, and so would mean nobody; "" where there is all of it."""
    for word, named, known in (
        ("role", rule.roles, ROLES),
        ("school", rule.schools, schools),
        ("class", rule.classes, classes),
    ):
        if lost := sorted(named - set(known)):
            return f'There is no {word} "{lost[0][:64]}" in the lists. Choose again: nothing was written.'
    return ""


def _rule(form: MultiDictProxy[Any]) -> AudienceRule:
    kinds = set(ContactKind)
    return AudienceRule(
        roles=frozenset(_all(form, "role")),
        places=frozenset(PlaceId(place) for place in _all(form, "at")),
        classes=frozenset(_all(form, "class")),
        schools=frozenset(_all(form, "school")),
        languages=frozenset(_all(form, "language")),
        on_site=bool(form.get("on_site")),
        channels=frozenset(ContactKind(kind) for kind in _all(form, "channel") if kind in kinds),
    )


def _text(form: MultiDictProxy[Any], name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _all(form: MultiDictProxy[Any], name: str) -> Iterator[str]:
    return (value for value in form.getall(name, []) if isinstance(value, str) and value)


def draft_view(
    draft: Draft, *, meant: Meant, names: Names, reader: PersonId, zone: tzinfo, source: str
) -> DraftView:
    """The draft as `reader` sees it."""
    counted = draft.counted
    return DraftView(
        id=draft.id,
        title=spoken_name(draft.order.template),
        audience=spoken_audience(meant),
        exercise=draft.order.mode is Mode.EXERCISE,
        waiting=draft.state is DraftState.WAITING,
        people=counted.people,
        messages=counted.leaving,
        unreachable=counted.unreachable,
        parts=counted.parts,
        by=names.person(draft.made_by),
        at=day(draft.made_at, zone),
        asked_by=names.person(draft.asked_by) if draft.asked_by is not None else "",
        own=reader == draft.asked_by,
        takes_two=draft.takes_two,
        never_alone=draft.never_alone,
        wide=draft.wide,
        state=draft.state.value,
        loads=[(CHANNELS.get(kind, kind), load[0]) for kind, load in sorted(counted.loads.items())],
        refused=[
            (spoken_reason(reason), count)
            for reason, count in sorted(counted.refused.items())
            if not reason.startswith(f"{NO_CHANNEL}:")
        ],
        unset=[
            (no_channel(reason.partition(":")[2]), count)
            for reason, count in sorted(counted.refused.items())
            if reason.startswith(f"{NO_CHANNEL}:")
        ],
        texts=_texts(counted.texts, source),
        routine=draft.order.routine,
        next_in=draft.next_in // 60,
    )


def _texts(texts: Sequence[Said], source: str) -> list[TextView]:
    """Each text once, the source's first, however many languages it stands in for."""
    same: dict[tuple[bool, str, str, bool, str, str], list[tuple[str, Said]]] = {}
    for said in texts:
        language, _, wanted = said.language.partition("-x-")
        key = (language != source, language, said.channel, bool(wanted), said.subject, said.body)
        same.setdefault(key, []).append((wanted, said))
    return [
        TextView(
            channel=CHANNELS.get(channel, channel),
            language=language_name(language),
            lang=language,
            instead=", ".join(
                f"{language_name(wanted)} {said.messages}"
                for wanted, said in sorted(every, key=lambda each: (-each[1].messages, each[0]))
                if wanted
            ),
            subject=subject,
            body=body,
            parts=max(said.parts for _, said in every) if channel == "sms" else 0,
            letters=len(body),
            messages=sum(said.messages for _, said in every),
        )
        for (_, language, channel, _, subject, body), every in sorted(same.items())
    ]


def spoken_audience(meant: Meant) -> str:
    """For whom a notice is, in words."""
    named = meant.audience.replace("-", " ") or _spoken_rule(meant)
    return f"{named}, and everybody who was told before" if meant.told_before else named


def _spoken_rule(meant: Meant) -> str:
    rule = meant.rule
    who = ", ".join(ROLES.get(role, role).lower() for role in sorted(rule.roles)) or "everybody"
    if rule.people and not rule.everyone:
        who = _spoken_people(meant)
    narrowed = [
        _listed("of", rule.classes, meant.classes, "classes"),
        _listed("at", rule.places, meant.places, "places"),
        _listed("of", rule.schools, meant.schools, "schools"),
        f"who read {', '.join(sorted(rule.languages))}" if rule.languages else "",
        "but for those known to be away" if rule.on_site else "",
        f"by {', '.join(CHANNELS.get(kind.value, kind.value).lower() for kind in sorted(rule.channels))}"
        if rule.channels
        else "",
    ]
    return " ".join([who, *filter(None, narrowed)])


def _spoken_people(meant: Meant) -> str:
    named = sorted(meant.persons.values())
    if len(named) < len(meant.rule.people) or len(named) > _LISTED:
        return f"{len(meant.rule.people)} named {'person' if len(meant.rule.people) == 1 else 'people'}"
    return f"{', '.join(named)}{' alone' if len(named) == 1 else ''}"


def _listed(word: str, keys: Collection[str], called: Mapping[str, str], more: str) -> str:
    said = sorted(called.get(key, key) for key in keys)
    rest = f" and {len(said) - _LISTED} more {more}" if len(said) > _LISTED else ""
    return f"{word} {', '.join(said[:_LISTED])}{rest}" if said else ""


def spoken_counted(meant: Meant) -> str:
    """How many people it came to, in words."""
    people = f"{meant.people} {'person' if meant.people == 1 else 'people'}"
    return f"{people}, {meant.unreachable} of them without an address" if meant.unreachable else people


def spoken_forecast(found: Forecast) -> str:
    """How long until the last of them, in words."""
    if found.unrecorded:
        return "nobody can say how long: nothing can be recorded, so notices wait"
    if found.last is None:
        return "nobody can say how long it takes: a provider does not answer, or none is set up"
    return f"{spoken_seconds(found.last)} until the last of them is with its provider"


def spoken_quiet(count: int, until: Instant, zone: tzinfo) -> str:
    """How many wait for the end of the quiet hours, and until when, in words; "" where none does."""
    messages = f"{count} text or call waits" if count == 1 else f"{count} texts and calls wait"
    return f"{messages} until {day(until, zone)}: quiet hours" if count and until else ""


def spoken_seconds(seconds: float) -> str:
    """About how long, in one unit."""
    if seconds < 1:
        return "about a second"
    if seconds < 90:
        return f"about {round(seconds)} s"
    if seconds < 5_400:
        return f"about {round(seconds / 60)} min"
    return f"about {round(seconds / 3_600)} h"


def spoken_alone(reason: str) -> str:
    """Why nobody else looked first."""
    return REASONS.get(reason, reason)
