"""What people answered to notices, as the facts say it: who is safe, who needs help. Pure.

What they wrote is in no fact. The last thing a person said of themselves stands: safe after a call for help is safe.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import IncidentId, NoticeId, PersonId
from belltower.incident.facts import Reply, ReplyHeard

WAYS = {
    "sms": "by text message",
    "voice": "in a call",
    "push": "by a tap",
    "email": "by e-mail",
    "console": "at a console",
}
"""How an answer came."""

REPLIES = {
    Reply.SAFE: "safe",
    Reply.NEED_HELP: "needs help",
    Reply.ACKNOWLEDGED: "has heard",
    Reply.TEXT: "wrote",
    Reply.STOP: "wants no more routine notices",
    Reply.START: "wants notices again",
}
"""What a person answered, behind their name."""

_OF_THEMSELVES = frozenset({Reply.SAFE, Reply.NEED_HELP})


class Names(Protocol):
    """What people call each other."""

    def person(self, person: PersonId) -> str:
        """The name; the id where it is not known."""
        ...


class Calling(Struct, frozen=True, kw_only=True):
    """One person who asks for help."""

    person: PersonId
    at: Instant
    channel: str
    # Where what they wrote can be read.
    notice: NoticeId | None = None
    incident: IncidentId | None = None


class Answers:
    """The answers of one incident, or of one notice."""

    def __init__(self) -> None:
        self._said: dict[PersonId, Reply] = {}
        self._heard: set[PersonId] = set()
        self._calling: dict[PersonId, Calling] = {}
        self.texts = 0

    def take(self, fact: ReplyHeard, at: Instant) -> None:
        """Somebody has answered."""
        self.texts += fact.reply is Reply.TEXT
        if fact.reply is Reply.ACKNOWLEDGED:
            self._heard.add(fact.person)
        if fact.reply not in _OF_THEMSELVES:
            return
        self._said[fact.person] = fact.reply
        self._heard.add(fact.person)
        self._calling.pop(fact.person, None)
        if fact.reply is Reply.NEED_HELP:
            self._calling[fact.person] = Calling(
                person=fact.person,
                at=at,
                channel=fact.channel,
                notice=fact.notice,
                incident=fact.incident,
            )

    @property
    def calling(self) -> list[Calling]:
        """Who asks for help and has not said since that they are safe, the newest first."""
        return list(reversed(self._calling.values()))

    @property
    def safe(self) -> int:
        """How many say that they are safe."""
        return sum(reply is Reply.SAFE for reply in self._said.values())

    @property
    def heard(self) -> int:
        """How many have said that they heard, in whatever way."""
        return len(self._heard)


class AnswersView(Struct, frozen=True, kw_only=True):
    """The answers to one notice, counted."""

    calling: int = 0
    safe: int = 0
    heard: int = 0
    texts: int = 0


def counted(answers: Answers | None) -> AnswersView:
    """The counts; none where nobody has answered."""
    if answers is None:
        return AnswersView()
    return AnswersView(
        calling=len(answers.calling), safe=answers.safe, heard=answers.heard, texts=answers.texts
    )


def asking(count: int) -> str:
    """The words "1 person asks for help", "3 people ask for help"."""
    return "1 person asks for help" if count == 1 else f"{count} people ask for help"


def named(person: PersonId, names: Names) -> str:
    """The person's name; the roster's people are named only where they are looked up."""
    known = names.person(person)
    return known if known != person else "Somebody of the roster"
