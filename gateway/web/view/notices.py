"""Notices with what is known of their deliveries."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from belltower.ids import PersonId
from belltower.incident.facts import Outcome
from gateway.web.answers import Answers, AnswersView, counted
from gateway.web.desk import Names, Recipient
from gateway.web.story import CHANNELS, Stage, Tally, carrier, no_channel, spoken_template
from gateway.web.view.incident import WORDS
from notify.standing import NO_CHANNEL

_OUTCOME_WORDS = {
    None: (Stage.RECORDED, "no word yet"),
    Outcome.ACCEPTED: (Stage.MACHINE, "with {carrier}, not known to have arrived"),
    Outcome.DELIVERED: (Stage.MACHINE, "delivered"),
    Outcome.READ: (Stage.MACHINE, "opened"),
    Outcome.REFUSED: (Stage.FAILED, "refused"),
    Outcome.UNCERTAIN: (Stage.UNKNOWN, "unknown"),
    Outcome.SUPERSEDED: (Stage.RECORDED, "superseded"),
}


class CountView(Struct, frozen=True, kw_only=True):
    """How many deliveries of one channel stand where."""

    channel: str
    # Who has those that were accepted.
    carrier: str
    delivered: int
    # Opened: neither understood nor safe.
    read: int
    accepted: int
    refused: int
    uncertain: int


class NoticeBlock(Struct, frozen=True, kw_only=True):
    """One notice with its counts."""

    id: str
    title: str
    audience: str
    planned: bool
    people: int
    # That somebody can send.
    messages: int
    silent: int
    unreachable: int
    unsendable: int
    counts: Sequence[CountView]
    # Ways out that nothing is set up for.
    unset: Sequence[str]
    answers: AnswersView


class RecipientView(Struct, frozen=True, kw_only=True):
    """One person and what is known of the messages to them."""

    name: str
    words: Sequence[tuple[str, str, str]]


def notice_block(tally: Tally, answers: Answers | None = None) -> NoticeBlock:
    """One notice with its counts; what is unknown is never counted as delivered."""
    channels = sorted({channel for channel, _ in tally.counts})
    return NoticeBlock(
        id=tally.notice,
        title=spoken_template(tally.template),
        audience=tally.audience.replace("-", " "),
        planned=tally.planned,
        people=tally.people,
        messages=tally.deliveries - tally.unsendable,
        silent=tally.silent,
        unreachable=tally.unreachable,
        unsendable=tally.unsendable,
        unset=[no_channel(channel) for channel in sorted(tally.unset)],
        answers=counted(answers),
        counts=[
            CountView(
                channel=CHANNELS.get(channel, channel),
                carrier=carrier(channel),
                delivered=tally.counts.get((channel, Outcome.DELIVERED), 0),
                read=tally.counts.get((channel, Outcome.READ), 0),
                accepted=tally.counts.get((channel, Outcome.ACCEPTED), 0),
                refused=tally.counts.get((channel, Outcome.REFUSED), 0),
                uncertain=tally.counts.get((channel, Outcome.UNCERTAIN), 0),
            )
            for channel in channels
        ],
    )


def recipients(rows: Sequence[Recipient], names: Names) -> tuple[list[RecipientView], list[RecipientView]]:
    """Those whom nothing is known to have reached, and those whom something has, by name."""
    words: dict[PersonId, list[tuple[str, str, str]]] = {}
    reached: set[PersonId] = set()
    for row in rows:
        stage, word = _OUTCOME_WORDS[row.outcome]
        channel = CHANNELS.get(row.channel, row.channel)
        word = word.format(carrier=carrier(row.channel))
        said = f"{channel}: {word}{f' ({row.reason})' if row.reason else ''}"
        if row.reason == NO_CHANNEL:
            stage, said = Stage.RECORDED, no_channel(row.channel)
        words.setdefault(row.person, []).append((stage.value, WORDS[stage], said))
        if row.outcome in {Outcome.DELIVERED, Outcome.READ}:
            reached.add(row.person)
    views = {person: RecipientView(name=names.person(person), words=said) for person, said in words.items()}
    ordered = sorted(views.items(), key=lambda pair: pair[1].name)
    return (
        [view for person, view in ordered if person not in reached],
        [view for person, view in ordered if person in reached],
    )
