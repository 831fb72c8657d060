"""What is known of a notice, counted: whole, by channel, provider and prefix, and by person. Pure.

Each delivery is counted in one state only, so that the states always add up to what was composed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias, TypeVar

from msgspec import Struct, field

from belltower.ids import PersonId
from notify.delivery import State

_Key = TypeVar("_Key")

_PREFIX = 8
_MASKED = 4

REACHING = frozenset({State.DELIVERED, State.READ})
"""States in which a machine near the person has the message. Neither says that it was understood."""

NO_CHANNEL = "no_channel"
"""Why an address is refused before anything is composed for it: nothing is set up for its kind."""

_FAILING = frozenset({State.REFUSED, State.UNCERTAIN})
_OWN = frozenset({"stopped"})
"""Reasons that are a person's own, and no carrier's."""


Row: TypeAlias = tuple[str, str, str, str, str, str, str, int, str]
"""One delivery as it is counted: id, person, channel, provider, prefix, state, reason, acknowledged at (0: not), mark.

The provider is "" before the first attempt, or where one alone serves the channel.
"""


class Counts(Struct, kw_only=True):
    """How many deliveries there are, and how many stand in each state."""

    composed: int = 0
    states: dict[State, int] = {}
    # Answered by a human; each of them stands in a state as well.
    acknowledged: int = 0

    def add(self, state: State, count: int, *, answered: bool) -> None:
        """So many more."""
        self.composed += count
        self.states[state] = self.states.get(state, 0) + count
        if answered:
            self.acknowledged += count

    def of(self, *states: State) -> int:
        """How many stand in one of these."""
        return sum(self.states.get(state, 0) for state in states)

    @property
    def waiting(self) -> int:
        """Of which nothing is known yet: not begun, or begun and not answered."""
        return self.of(State.PENDING, State.SENDING)


class Standing(Struct, kw_only=True):
    """A notice, counted."""

    whole: Counts
    channels: dict[str, Counts] = {}
    # By channel and provider.
    providers: dict[tuple[str, str], Counts] = {}
    # By channel and the first digits of the number, or the mailbox's domain.
    prefixes: dict[tuple[str, str], Counts] = {}
    # Why deliveries failed or are unknown: state and code.
    reasons: Counter[tuple[State, str]] = field(default_factory=Counter)
    # Everybody meant who has an address: whether any message is known to have arrived.
    reached: dict[PersonId, bool] = {}
    # Those who answered.
    answered: set[PersonId] = set()
    # Those without any address.
    unreachable: set[PersonId] = set()
    # Addresses by their kind that nothing is set up for: nothing was composed for them, and no carrier has failed.
    unsendable: Counter[str] = field(default_factory=Counter)

    def add(self, rows: Iterable[Row], sharing: Mapping[str, Collection[PersonId]]) -> None:
        """Count these; `sharing` are the others at the same address, by the delivery they share."""
        alike: Counter[tuple[str, str, str, str, str, bool]] = Counter()
        reached = self.reached
        for id_, person, channel, provider, begins, state, reason, acknowledged, _ in rows:
            answered = acknowledged > 0
            alike[channel, provider, begins, state, reason, answered] += 1
            arrived = answered or state in REACHING
            for one in (person, *sharing.get(id_, ())) if sharing else (person,):
                if arrived or one not in reached:
                    reached[PersonId(one)] = arrived
            if answered:
                # Of several people at one address nobody knows who answered: only whom it was meant for.
                self.answered.add(PersonId(person))
        for (channel, provider, begins, written, reason, answered), count in alike.items():
            state = State(written)
            if reason == NO_CHANNEL and state is State.REFUSED:
                self.unsendable[channel] += count
                continue
            self.whole.add(state, count, answered=answered)
            _counts(self.channels, channel).add(state, count, answered=answered)
            _counts(self.providers, (channel, provider)).add(state, count, answered=answered)
            if reason not in _OWN:
                _counts(self.prefixes, (channel, begins)).add(state, count, answered=answered)
            if state in _FAILING:
                self.reasons[state, reason] += count

    @property
    def people(self) -> int:
        """Everybody meant."""
        return len(self.reached) + len(self.unreachable)

    @property
    def not_reached(self) -> list[PersonId]:
        """Everybody meant whom no message is known to have reached, in the order of their ids."""
        return sorted(
            [*(person for person, reached in self.reached.items() if not reached), *self.unreachable]
        )

    def suspicious(self, *, at_least: int, most: int) -> list[tuple[str, str, Counts]]:
        """The prefixes with the greatest share of failed and unknown: so that one dead carrier shows."""
        found = [
            (counts.of(*_FAILING) / counts.composed, channel, name, counts)
            for (channel, name), counts in self.prefixes.items()
            if name and counts.composed >= at_least and counts.of(*_FAILING)
        ]
        found.sort(key=lambda each: (-each[0], -each[3].composed, each[2]))
        return [(channel, name, counts) for _, channel, name, counts in found[:most]]


def prefix(channel: str, address: str) -> str:
    """What addresses of one carrier have in common: "+1555010", "example.org"; "" for what no carrier takes."""
    if channel in ("sms", "voice"):
        return address[: max(0, min(_PREFIX, len(address) - _MASKED))]
    return address.rpartition("@")[2] if channel == "email" else ""


def masked(channel: str, address: str) -> str:
    """An address that says which one it is to somebody who knows it, and to nobody else: "..0107", "..@example.org"."""
    if not address:
        return ""
    if channel in ("sms", "voice"):
        return ".." + address[-_MASKED:]
    return "..@" + address.rpartition("@")[2] if channel == "email" else ""


def _counts(into: dict[_Key, Counts], key: _Key) -> Counts:
    found = into.get(key)
    if found is None:
        found = into[key] = Counts()
    return found
