"""What people answered. Who needs help has a step of their own; the others are counted."""

from __future__ import annotations

from typing import assert_never

from belltower.ids import NoticeId
from belltower.incident.entry import Entry
from belltower.incident.facts import Reply, ReplyHeard
from gateway.web.answers import WAYS, Answers, named
from gateway.web.desk import Names
from gateway.web.story.moment import Stage, Step
from gateway.web.story.timeline import Timeline


class Replies:
    """The answers in all, and by notice."""

    def __init__(self, *, timeline: Timeline, names: Names) -> None:
        self.all = Answers()
        self.by_notice: dict[NoticeId, Answers] = {}
        self._timeline = timeline
        self._names = names

    def apply(self, fact: ReplyHeard, entry: Entry) -> set[str]:
        """Somebody answered; `entry` holds the fact."""
        self.all.take(fact, entry.at)
        if fact.notice is not None:
            self.by_notice.setdefault(fact.notice, Answers()).take(fact, entry.at)
        name = named(fact.person, self._names)
        last = f"the last: {name}"
        match fact.reply:
            case Reply.NEED_HELP:
                way = WAYS.get(fact.channel, fact.channel)
                step = Step(f"answer:{entry.id}", Stage.RECORDED, f"{name} NEEDS HELP", way)
            case Reply.SAFE:
                title = f"Safe, in their own words: {self.all.safe}"
                step = Step("answers:safe", Stage.HUMAN, title, last)
            case Reply.ACKNOWLEDGED:
                title = f"Heard and understood: {self.all.heard}"
                step = Step("answers:heard", Stage.HUMAN, title, last)
            case Reply.TEXT:  # perhaps from a telephone that answers by itself: nobody is known to have read
                title = f"Texts from people: {self.all.texts}"
                step = Step("answers:texts", Stage.RECORDED, title, last)
            case Reply.STOP | Reply.START:  # about the address, not about the incident
                return set()
            case other:
                assert_never(other)
        return self._timeline.grow(step, entry.at)
