"""A running desk, somebody who writes notices there, and a channel that takes all of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec.structs import replace

from belltower.clock import SECOND, Clock, Instant, SystemClock
from belltower.ids import Ids, PersonId, PlaceId, VerbId
from belltower.incident.facts import NoticeApproved, NoticeOrdered
from belltower.people.person import Contact, ContactKind, Person
from floorplans.place import Place
from notify.audience import AudienceRule
from notify.channels.channel import Settled
from notify.choice import Choice
from notify.draft import Draft
from notify.provider import Provider
from notify.quiet import Quiet
from tests.peers.desk import DeskOptions, RosterOf, desk, site, staff

RUTH, TOM = PersonId("per_ruth"), PersonId("per_tom")
OF_7B = AudienceRule(roles=frozenset({"guardian"}), classes=frozenset({"7b"}))
NOW = "families.lockdown.now"


def guardian(
    number: int,
    *,
    language: str = "",
    mail: bool = False,
    phone: bool = True,
    classes: tuple[str, ...] = ("7b",),
) -> Person:
    """A parent with a telephone of the same number."""
    contacts = [Contact(kind=ContactKind.SMS, address=f"+1555{number:07}")] if phone else []
    contacts += [Contact(kind=ContactKind.EMAIL, address=f"g{number}@example.org")] if mail else []
    return Person(
        id=PersonId(f"g{number}"),
        name=f"Guardian {number}",
        roles=frozenset({"guardian"}),
        classes=frozenset(classes),
        language=language,
        contacts=tuple(contacts),
    )


class Later(SystemClock):
    """A clock on which minutes pass at a word."""

    def __init__(self) -> None:
        self.minutes = 0

    def now(self) -> Instant:
        return Instant(super().now() + self.minutes * 60 * SECOND)


class Takes:
    """A channel that takes all."""

    name = "sms"

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def find(self, message, *, known):
        return None

    async def send(self, message):
        self.sent.append((message.address, message.body))
        return Settled()


class Writing:
    """A running desk, and somebody who writes."""

    def __init__(self, running, families: RosterOf, sms: Takes) -> None:
        self.running = running
        self.families = families
        self.sms = sms
        self.drilling = False
        self.composer = running.room.composer(drilling=lambda: self.drilling)
        self._ids = Ids(clock=running.clock)

    def verb(self) -> VerbId:
        return self._ids.verb()

    async def draft(self, template: str = NOW, *, verb: VerbId | None = None, **choice: object) -> Draft:
        given = {"template": template, **({} if "audience" in choice else {"rule": OF_7B}), **choice}
        return await self.composer.write(verb or self.verb(), Choice(**given), RUTH)

    async def ordered(self) -> list[NoticeOrdered]:
        return [fact for fact in await self.running.facts() if isinstance(fact, NoticeOrdered)]

    async def approved(self) -> list[NoticeApproved]:
        return [fact for fact in await self.running.facts() if isinstance(fact, NoticeApproved)]


@asynccontextmanager
async def writing(
    options: DeskOptions,
    *people: Person,
    own: int = 3,
    audiences: dict[str, AudienceRule] | None = None,
    places: dict[PlaceId, Place] | None = None,
    sms: Takes | None = None,
    clock: Clock | None = None,
    quiet: Quiet | None = None,
) -> AsyncIterator[Writing]:
    """A desk with so many of its own people and these families."""
    families, sms = RosterOf(*people), sms or Takes()
    async with desk(
        options,
        school=replace(
            site(staff(own, kinds=("sms",)), families, audiences=audiences, places=places), quiet=quiet
        ),
        channels=[Provider(channel=sms)],
        clock=clock,
    ) as running:
        yield Writing(running, families, sms)
