"""Notices and their deliveries, counted by channel and by what is known of them."""

from __future__ import annotations

from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import Instant
from belltower.ids import DeliveryId, NoticeId
from belltower.incident import facts
from belltower.incident.facts import Outcome
from gateway.web.runners import NEXT_PERSON, RUNNER
from gateway.web.story.moment import Stage, Step
from gateway.web.story.timeline import Timeline
from gateway.web.story.words import CHANNELS, carrier, no_channel, spoken, spoken_template
from notify.standing import NO_CHANNEL

_OUTCOME = {
    Outcome.ACCEPTED: (Stage.MACHINE, "accepted by {carrier}, not known to have arrived"),
    Outcome.DELIVERED: (Stage.MACHINE, "delivered"),
    Outcome.READ: (Stage.MACHINE, "opened"),
    Outcome.REFUSED: (Stage.FAILED, "refused"),
    Outcome.UNCERTAIN: (Stage.UNKNOWN, "unknown whether they went out"),
}


class Tally(Struct, frozen=True, kw_only=True):
    """One notice and what is known of its deliveries."""

    notice: NoticeId
    template: str
    audience: str
    planned: bool = False
    people: int = 0
    deliveries: int = 0
    unreachable: int = 0
    # Of the deliveries: that nothing is set up for.
    unsendable: int = 0
    # (channel, outcome) and how many deliveries stand there now.
    counts: dict[tuple[str, Outcome], int] = {}
    # By channel: deliveries that nothing is set up for, which are neither sent nor refused by anybody.
    unset: dict[str, int] = {}

    @property
    def silent(self) -> int:
        """Deliveries of which nothing at all is known yet."""
        return max(0, self.deliveries - sum(self.counts.values()) - sum(self.unset.values()))

    def settled(self, channel: str, before: Outcome | None, now: Outcome) -> Tally:
        """The tally once one of its deliveries stands elsewhere."""
        counts = dict(self.counts)
        if before is not None:
            counts[channel, before] -= 1
        counts[channel, now] = counts.get((channel, now), 0) + 1
        return replace(self, counts=counts)


class Notices:
    """The notices of one incident, as steps that grow."""

    def __init__(self, *, timeline: Timeline) -> None:
        self.tallies: dict[NoticeId, Tally] = {}
        self._timeline = timeline
        self._outcomes: dict[DeliveryId, Outcome] = {}
        # How many a step has counted, by its key; and of how many accepted ones something was heard since.
        self._counted: dict[str, int] = {}
        self._heard_since: dict[str, int] = {}

    def apply(
        self,
        fact: facts.NoticeOrdered | facts.NoticePlanned | facts.DeliverySettled | facts.DeliveryEscalated,
        at: Instant,
    ) -> set[str]:
        """One fact later."""
        match fact:
            case facts.NoticeOrdered():
                return self._ordered(fact, at)
            case facts.NoticePlanned():
                return self._planned(fact, at)
            case facts.DeliverySettled():
                return self._settled(fact, at)
            case facts.DeliveryEscalated():
                return self._escalated(fact, at)
            case other:
                assert_never(other)

    def _ordered(self, fact: facts.NoticeOrdered, at: Instant) -> set[str]:
        if fact.notice in self.tallies:
            return set()
        self.tallies[fact.notice] = Tally(notice=fact.notice, template=fact.template, audience=fact.audience)
        title = f"Notice ordered: {spoken_template(fact.template)}"
        whom = f"to {fact.audience.replace('-', ' ')}"
        return self._timeline.first(Step(f"notice:{fact.notice}", Stage.RECORDED, title, whom), at)

    def _planned(self, fact: facts.NoticePlanned, at: Instant) -> set[str]:
        tally = self.tallies.get(fact.notice)
        if tally is None or tally.planned:
            return set()
        self.tallies[fact.notice] = replace(
            tally,
            planned=True,
            people=fact.people,
            deliveries=fact.deliveries,
            unreachable=fact.unreachable,
            unsendable=fact.unsendable,
        )
        messages = fact.deliveries - fact.unsendable
        title = f"{spoken_template(tally.template)}: {fact.people} people, {messages} messages to send"
        detail = spoken(
            f"{fact.unreachable} have no address" if fact.unreachable else "",
            f"{fact.unsendable} addresses that nobody can send to" if fact.unsendable else "",
        )
        return self._timeline.first(Step(f"planned:{fact.notice}", Stage.RECORDED, title, detail), at)

    def _settled(self, fact: facts.DeliverySettled, at: Instant) -> set[str]:
        tally = self.tallies.get(fact.notice)
        before = self._outcomes.get(fact.delivery)
        if tally is None or before is fact.outcome:
            return set()
        self._outcomes[fact.delivery] = fact.outcome
        if fact.reason == NO_CHANNEL and before is None:
            unset = {**tally.unset, fact.channel: tally.unset.get(fact.channel, 0) + 1}
            self.tallies[fact.notice] = replace(tally, unset=unset)
            key = f"unset:{fact.notice}:{fact.channel}"
            return self._timeline.first(Step(key, Stage.RECORDED, no_channel(fact.channel)), at)
        self.tallies[fact.notice] = tally.settled(fact.channel, before, fact.outcome)
        changed: set[str] = set()
        if before is Outcome.ACCEPTED:
            accepted = _key(fact, Outcome.ACCEPTED)
            self._heard_since[accepted] = self._heard_since.get(accepted, 0) + 1
            changed = self._timeline.change(
                accepted, title=self._title(fact.channel, accepted, Outcome.ACCEPTED)
            )
        if fact.outcome not in _OUTCOME:
            return changed
        stage, _ = _OUTCOME[fact.outcome]
        key = _key(fact, fact.outcome)
        many = self._count(key) > 1
        detail = f"the last {self._timeline.stamped(at)}" if many else ""
        title = self._title(fact.channel, key, fact.outcome)
        return changed | self._timeline.grow(Step(key, stage, title, detail), at)

    def _title(self, channel: str, key: str, outcome: Outcome) -> str:
        """How many deliveries came to this, and of how many accepted ones more is known since."""
        counted, since = self._counted.get(key, 0), self._heard_since.get(key, 0)
        words = _OUTCOME[outcome][1].format(carrier=carrier(channel))
        if since:
            rest = f"{counted - since} not known to have arrived" if counted > since else "all heard of since"
            words = f"accepted by {carrier(channel)}, {rest}"
        return f"{CHANNELS.get(channel, channel)}: {counted} {words}"

    def _escalated(self, fact: facts.DeliveryEscalated, at: Instant) -> set[str]:
        """People who did not answer, counted by what follows."""
        key = f"escalated:{fact.notice}:{fact.step}:{fact.to}"
        people = self._count(key)
        who = "1 person" if people == 1 else f"{people} people"
        if fact.to == RUNNER:
            step = Step(key, Stage.FAILED, f"{who} did not answer in any way", "somebody must go or call")
        elif fact.to == NEXT_PERSON:
            step = Step(key, Stage.RECORDED, f"{who} did not answer: whoever is nearest is told")
        else:
            follow = CHANNELS.get(fact.to, fact.to).lower()
            step = Step(key, Stage.RECORDED, f"{who} not known to be reached: {follow} follow")
            if (tally := self.tallies.get(fact.notice)) is not None:
                self.tallies[fact.notice] = replace(tally, deliveries=tally.deliveries + 1)
        return self._timeline.grow(step, at)

    def _count(self, key: str) -> int:
        counted = self._counted[key] = self._counted.get(key, 0) + 1
        return counted


def _key(fact: facts.DeliverySettled, outcome: Outcome) -> str:
    return f"delivery:{fact.notice}:{fact.channel}:{outcome.value}"
