"""A notice before it is sent: what it would say to whom, and when a second person has to look. Pure."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import SECOND, Instant
from belltower.ids import NoticeId, PersonId
from belltower.incident.facts import Mode, NoticeOrdered
from notify.audience import AudienceRule
from notify.standing import NO_CHANNEL
from notify.wording import moves_site

TEST_GROUP = 25
"""The most people that a test is sent to."""

DRIFT = 0.10
"""The share by which an audience may have changed since somebody looked at it."""

SECOND_FROM = 500
"""A live notice to so many people takes a second person, however its audience is drawn."""

ADMINISTRATORS = "administrators"
"""The audience that hears of a notice sent without a second person; where the site package has none, `ADMINISTERING`."""

ADMINISTERING = AudienceRule(
    roles=frozenset({"administrator", "principal", "siteAdministrator", "districtAdministrator"})
)

ALL_STAFF = AudienceRule(roles=frozenset({"staff"}))
"""Who hears of it where no administrator has an address."""

ALONE = "staff-alone"
"""The template that tells them."""

REASONS = {
    "nobody": "no second person could be reached",
    "no-time": "there was no time to wait",
}
"""Why somebody sends alone what takes two: a word for the record, never free text."""


class DraftState(StrEnum):
    """Where a draft stands."""

    OPEN = "open"
    # Asked for, and not sent before a second person has looked.
    WAITING = "waiting"
    SENT = "sent"
    DROPPED = "dropped"


class Said(Struct, frozen=True, kw_only=True):
    """A filled text, as it would be said if it were sent now."""

    channel: str
    language: str
    body: str
    subject: str = ""
    # Of a short message: parts on the air.
    parts: int = 1
    # How many would get it.
    messages: int = 0


class Counted(Struct, frozen=True, kw_only=True):
    """Whom a rule comes to at one moment."""

    people: int
    messages: int
    unreachable: int
    # Some of those without any address.
    unreachable_people: tuple[PersonId, ...] = ()
    # By kind of address: messages and parts that would leave.
    loads: dict[str, tuple[int, int]] = {}
    # Why messages would not even be tried, and how many; of what nothing is set up for with its kind, "no_channel:voice".
    refused: dict[str, int] = {}
    texts: tuple[Said, ...] = ()
    # Its rule names each school there is: whatever it names besides, that narrows nothing.
    every_school: bool = False

    @property
    def leaving(self) -> int:
        """Messages that would leave."""
        return sum(messages for messages, _ in self.loads.values())

    @property
    def unsendable(self) -> int:
        """Addresses of kinds that nothing is set up for."""
        return sum(count for reason, count in self.refused.items() if reason.partition(":")[0] == NO_CHANNEL)

    @property
    def parts(self) -> int:
        """What text messages cost: parts on the air."""
        return self.loads.get("sms", (0, 0))[1]


class Draft(Struct, frozen=True, kw_only=True):
    """A notice as somebody wrote it. Its id is the notice's."""

    id: NoticeId
    made_at: Instant
    made_by: PersonId
    # As it would be ordered.
    order: NoticeOrdered
    rule: AudienceRule
    counted: Counted
    state: DraftState = DraftState.OPEN
    # Who wanted it sent, and when.
    asked_by: PersonId | None = None
    asked_at: Instant = Instant(0)
    # Who looked at it as the second person; None: nobody.
    second: PersonId | None = None
    # A key of `REASONS`, where it was sent alone though it takes two.
    alone: str = ""
    # Seconds from the moment it leaves until the next update that it promises; 0: none, or one at a set time.
    next_in: int = 0

    @property
    def takes_two(self) -> bool:
        """Whether a second person has to let it go."""
        return self.order.mode is Mode.ACTUAL and (
            moves_site(self.order.template) or self.wide or self.counted.people >= SECOND_FROM
        )

    @property
    def wide(self) -> bool:
        """Whether it means families of the whole district."""
        return wide(self.rule, every_school=self.counted.every_school)

    @property
    def never_alone(self) -> bool:
        """Whether it takes two, whatever the haste."""
        return self.takes_two and moves_site(self.order.template)


def promising(order: NoticeOrdered, next_in: int, now: Instant) -> NoticeOrdered:
    """The order, were it to leave `now`: a next update in so many seconds is counted from then."""
    if not next_in:
        return order
    return replace(order, slots={**order.slots, "next": str(now + next_in * SECOND)})


def wide(rule: AudienceRule, *, every_school: bool = False) -> bool:
    """Whether the rule means families of the whole district: nothing but who they are narrows it; nor do all schools.

    Places, languages and who is on site do not: of families they are seldom known. Nothing narrows `everyone`.
    """
    return rule.asks_roster and (rule.everyone or not (rule.classes or (rule.schools and not every_school)))


def drifted(seen: int, now: int) -> bool:
    """Whether the audience has changed by more than what nobody need look at again."""
    return abs(now - seen) > DRIFT * seen
