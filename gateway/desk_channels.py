"""What notices need of the site package, and what they look like to the page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from msgspec.structs import replace

from belltower.clock import SECOND, Clock, Instant
from belltower.ids import IncidentId, NoticeId, PersonId, PlaceId, UnitId, VerbId
from belltower.incident.entry import Entry
from belltower.incident.facts import Fact, Mode, Outcome, room_of
from belltower.people.person import Person
from belltower.people.reach import RosterPeople
from floorplans import spoken
from gateway.alarm_follower import AlarmVerbs
from gateway.site_package import SitePackage
from gateway.web.answers import Calling
from gateway.web.desk import ConsoleMessage, Recipient
from gateway.web.rooms import Room, spoken_room
from notify.channels.console import Board
from notify.delivery import State
from notify.reply_tables import ReplyTables
from notify.room import NotifyRoom
from notify.site import NoticeSite
from notify.store import DeliveryTables

_CALLING_FOR = 12 * 3_600 * SECOND

_OUTCOMES = {
    State.ACCEPTED: Outcome.ACCEPTED,
    State.DELIVERED: Outcome.DELIVERED,
    State.READ: Outcome.READ,
    State.REFUSED: Outcome.REFUSED,
    State.UNCERTAIN: Outcome.UNCERTAIN,
    State.SUPERSEDED: Outcome.SUPERSEDED,
}


def notice_site(
    site: SitePackage,
    *,
    url: str,
    rehearsal: bool = False,
    roster: RosterPeople | None = None,
    told: Callable[[Mapping[PersonId, Person]], Mapping[PersonId, Person]] = lambda people: people,
) -> NoticeSite:
    """The site package as notices see it; `told` adds the browsers in which people asked to be told.

    Who is no one of the package and was added for a browser of theirs is of this campus too. In a `rehearsal` an
    example's approvals hold.
    """
    people = told(site.people)
    if site.schools:
        people = {
            id_: person if person.schools else replace(person, schools=site.schools)
            for id_, person in people.items()
        }
    return NoticeSite(
        school=site.name,
        schools=site.schools,
        people=people,
        places=site.places,
        audiences=site.audiences,
        wording=replace(site.wording, rehearsal=rehearsal),
        roster=roster,
        roster_staff=roster,
        timezone=site.timezone,
        quiet=site.quiet,
        escalation=site.response.escalation,
        families=site.response.families,
        phone=site.wants.phone or site.on_earth.telephone,
        incident_url=f"{url}/incidents/{{incident}}" if url else "",
    )


def promised(room: NotifyRoom) -> list[tuple[Instant, int]]:
    """The updates that families wait for, and the numbers of their incidents."""
    return [(one.due, int(one.number) if one.number.isdecimal() else 0) for one in room.promises.standing()]


class SiteNames:
    """`gateway.web.desk.Names`: places and staff from the site package, account holders from their accounts.

    `called` names those who work here by the roster; "" for anybody else.
    """

    def __init__(
        self,
        *,
        site: SitePackage,
        accounts: Mapping[PersonId, str],
        called: Callable[[PersonId], str] = lambda _: "",
    ) -> None:
        self._site = site
        self._accounts = accounts
        self._called = called

    def place(self, place: PlaceId | None) -> str:
        """The place as it is spoken."""
        return spoken(self._site.places.get(place) if place is not None else None)

    def places(self) -> list[tuple[PlaceId, str]]:
        """Every place, building by building."""
        return sorted(
            ((place.id, spoken(place)) for place in self._site.places.values()), key=lambda place: place[1]
        )

    def rooms(self) -> list[Room]:
        """Every room whose units show orders, building by building."""
        units: dict[PlaceId, list[UnitId]] = {}
        for unit in self._site.units.values():
            if unit.display:
                units.setdefault(room_of(unit.place, unit.id), []).append(unit.id)
        rooms = [
            Room(
                id=place,
                name=spoken(self._site.places[place]) if place in self._site.places else spoken_room(place),
                units=tuple(here),
            )
            for place, here in units.items()
        ]
        return sorted(rooms, key=lambda room: room.name)

    def person(self, person: PersonId) -> str:
        """The person's name; the id where it is not known."""
        known = self._site.people.get(person)
        return (
            known.name if known is not None else self._accounts.get(person) or self._called(person) or person
        )


class LaneOutputs:
    """The outputs of the settings, ordered through the alarm lane. Satisfies `notify.channels.outputs.Outputs`."""

    def __init__(
        self,
        *,
        names: Collection[str],
        verbs: AlarmVerbs,
        entries: Callable[[IncidentId], Awaitable[Sequence[Entry]]],
    ) -> None:
        """`entries` reads what the alarm lane wrote down of an incident."""
        self.names = names
        self._verbs = verbs
        self._entries = entries

    async def order_output(self, verb_id: VerbId, incident: IncidentId, output: str) -> None:
        """See `AlarmVerbs`."""
        await self._verbs.order_output(verb_id, incident, output)

    async def told(self, incident: IncidentId) -> Sequence[Fact]:
        """See `Outputs`."""
        return [entry.fact for entry in await self._entries(incident)]


class DeskNotices:
    """What the notice room knows, for the page."""

    def __init__(
        self, *, deliveries: DeliveryTables, replies: ReplyTables, board: Board, clock: Clock
    ) -> None:
        self._deliveries = deliveries
        self._replies = replies
        self._clock = clock
        self._board = board
        self._modes: dict[NoticeId, Mode] = {}

    async def recipients(self, notice: NoticeId) -> Sequence[Recipient]:
        """Every delivery of the notice."""
        return [
            Recipient(person=person, channel=channel, outcome=_OUTCOMES.get(state), reason=reason)
            for person, channel, state, reason in await self._deliveries.recipients(notice)
        ]

    async def calling(self) -> Sequence[Calling]:
        """Who asked for help of late and has not said since that they are safe, the newest first."""
        since = Instant(self._clock.now() - _CALLING_FOR)
        return [
            Calling(
                person=one.person,
                at=one.heard_at,
                channel=one.channel,
                notice=one.notice or None,
                incident=one.incident or None,
            )
            for one in await self._replies.asking_for_help(since=since)
        ]

    async def console(self) -> Sequence[ConsoleMessage]:
        """What stands on the consoles now, newest first."""
        posts = sorted(self._board.everything(), key=lambda shown: shown[1].at, reverse=True)
        for _, post in posts:
            if post.notice not in self._modes:
                self._modes[post.notice] = await self._deliveries.mode(post.notice)
        return [
            ConsoleMessage(
                id=post.delivery,
                at=post.at,
                text=post.text,
                mode=self._modes[post.notice],
                console=console,
            )
            for console, post in posts
        ]
