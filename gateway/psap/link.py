"""What a PSAP link is, whatever wire it uses, and what passes between it and the worker.

The worker owns what is owed, when it is tried again and what is written down; a link owns one connection, its
frames and its proof of who answered. A SIP, DC-09 or modem link fits the same shape: `first` and `more` build that
wire's own document, `traits` say what it can promise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol, runtime_checkable

from msgspec import Struct

from belltower.clock import Clock, Instant
from belltower.ids import CallId, LinkName, PlaceId, RandomBytes
from belltower.incident.facts import CallOrdered, Mode, ReceiptLevel, ResponseStatus, UpdateOrdered
from floorplans.campus import Campus
from gateway.psap.ranges import Ranges

FIRST_PRESS: Ranges = ((1, 1),)
"""What the call itself tells of: the building's first alarm."""


class Spot(Struct, frozen=True, kw_only=True):
    """Where help is needed, as responders need it."""

    # As on the doors: "B 204", or "place unknown".
    spoken: str
    place: PlaceId | None = None
    # The building's short name and its long one.
    building: str = ""
    building_name: str = ""
    level: str = ""
    room: str = ""
    # WGS 84 latitude and longitude: the place's own, else the building's, else the campus's.
    position: tuple[float, float] | None = None


UNKNOWN_SPOT = Spot(spoken="place unknown")

_NEVER = Instant(0)


class LiveCall(Struct, frozen=True, kw_only=True):
    """A request for help that is real. It cannot be made from an exercise's order."""

    order: CallOrdered
    # The place as responders read it on the doors.
    place: str
    spot: Spot = UNKNOWN_SPOT
    # When it was ordered.
    at: Instant = _NEVER

    def __post_init__(self) -> None:
        if self.order.mode is not Mode.ACTUAL:
            raise ValueError("an exercise cannot be a live call")


class ExerciseCall(Struct, frozen=True, kw_only=True):
    """A request for help in an exercise which the centre agreed to take. It cannot be made from a live order."""

    order: CallOrdered
    place: str
    spot: Spot = UNKNOWN_SPOT
    at: Instant = _NEVER

    def __post_init__(self) -> None:
        if self.order.mode is not Mode.EXERCISE or not self.order.exercise_accepted:
            raise ValueError("only an accepted exercise can be an exercise call")


Call = LiveCall | ExerciseCall


class LiveMore(Struct, frozen=True, kw_only=True):
    """Further presses of live calls, as ranges."""

    items: tuple[tuple[LiveCall, Ranges], ...]


class ExerciseMore(Struct, frozen=True, kw_only=True):
    """Further presses of exercise calls, as ranges."""

    items: tuple[tuple[ExerciseCall, Ranges], ...]


More = LiveMore | ExerciseMore


class LiveUpdate(Struct, frozen=True, kw_only=True):
    """A cancellation or correction of a live call."""

    call: LiveCall
    order: UpdateOrdered
    # Where help is needed instead; None for a cancellation.
    spot: Spot | None = None
    # When it was ordered.
    at: Instant = _NEVER


class ExerciseUpdate(Struct, frozen=True, kw_only=True):
    """A cancellation or correction of an exercise call."""

    call: ExerciseCall
    order: UpdateOrdered
    spot: Spot | None = None
    at: Instant = _NEVER


Update = LiveUpdate | ExerciseUpdate


class LinkTest(Struct, frozen=True, kw_only=True):
    """The marked test that proves a whole road. It is no call, and no call can be made from it."""

    number: int
    # Eight characters that tie answers to this very test.
    key: str
    at: Instant


class Frame(Struct, frozen=True, kw_only=True):
    """One thing to send on one link, always the same octets under the same id."""

    id: str
    octets: bytes
    # What it says in the link's own words: what an authentic answer must prove to have read.
    text: str
    # The alarm numbers it names, by call; none for an update or a test.
    covers: tuple[tuple[CallId, Ranges], ...] = ()


class Receipt(Struct, frozen=True, kw_only=True):
    """A machine confirmed exactly this frame; the link has checked whatever proof its level asks for."""

    frame: str
    level: ReceiptLevel


class Refusal(Struct, frozen=True, kw_only=True):
    """The PSAP's system, proven to be it, understood the frame and said no."""

    frame: str
    reason: str


class PersonAnswered(Struct, frozen=True, kw_only=True):
    """A telecommunicator, vouched for by the PSAP's system, has the call."""

    number: int
    # Ties the answer to this very call, should numbers ever begin again. "" where the wire has no room for it: then
    # the latest call of that number is meant.
    key: str
    by: str


class ReadBack(Struct, frozen=True, kw_only=True):
    """A telecommunicator has read an update of the call back."""

    number: int
    # Which; 0 where the wire has no room for it: then the latest is meant.
    update: int = 0
    key: str
    by: str


class ResponseSaid(Struct, frozen=True, kw_only=True):
    """The PSAP's system says how far the responders are."""

    number: int
    key: str
    status: ResponseStatus


class Opened(Struct, frozen=True):
    """There is a connection; whatever is owed can go out."""


class Lost(Struct, frozen=True, kw_only=True):
    """The other side does not answer, or there is no connection. Reported once per change."""

    reason: str


class Answered(Struct, frozen=True):
    """The PSAP's system answered, proven to be it, for the first time since start or loss."""


Heard = Receipt | Refusal | PersonAnswered | ReadBack | ResponseSaid | Opened | Lost | Answered


class Report(Protocol):
    """Where a link says what it heard."""

    def __call__(self, heard: Heard, /) -> asyncio.Future[bool] | None:
        """Take note at once, without waiting.

        For `PersonAnswered` and `ReadBack` the future resolves once it is written down: True, the link confirms it to the other
        side; False, there is no such call and the link says so.
        """
        ...


class LinkTraits(Struct, frozen=True, kw_only=True):
    """What a kind of link promises."""

    # The levels that end retries on this link and the NOT ACKNOWLEDGED alarm.
    settling: frozenset[ReceiptLevel] = frozenset({ReceiptLevel.SYSTEM})
    # Further levels that end retries on this link and nothing else: a station's, where it does not count.
    ending: frozenset[ReceiptLevel] = frozenset()
    # The best confirmation that can come back on it; None: nothing ever does.
    best: ReceiptLevel | None = ReceiptLevel.SYSTEM
    # Seconds from the first sending to each further one; then every `again` seconds for ever.
    retries: tuple[float, ...] = (2.0, 4.0, 8.0, 15.0)
    again: float = 30.0
    # Whether there is an agreed form for an exercise. Without one nothing is sent.
    exercise: bool = False
    # Whether a person's answer can come back on it.
    person: bool = False
    # Seconds until a silently cut line is known to be cut; more than 90 is shown as weakly supervised.
    supervision: float = 90.0


@runtime_checkable
class Remarking(Protocol):
    """A link that has something to say of itself besides whether it answers."""

    @property
    def detail(self) -> str:
        """What whoever looks at the link should know; "" for nothing."""
        ...


@runtime_checkable
class Ending(Protocol):
    """A link that tells newcomers of every open call, and so must know when one is over."""

    def ended(self, call: Call) -> None:
        """The call's incident was closed, and nothing of it is owed any more."""
        ...


WEAK_SUPERVISION = 90.0
"""A link on which a cut may stay unknown for more seconds than these is shown as weakly supervised."""


def remarks_on(link: PSAPLink) -> str:
    """What is to be shown of a link besides whether it answers; "" for nothing."""
    said = []
    if link.traits.supervision > WEAK_SUPERVISION:
        said.append(f"weakly supervised, a cut may stay unknown for {link.traits.supervision:.0f} s")
    if isinstance(link, Remarking) and link.detail:
        said.append(link.detail)
    return "; ".join(said)


class AddressBook(Protocol):
    """Numeric addresses of named hosts, looked up ahead: never while a call is sent."""

    def watch(self, host: str, /) -> None:
        """Keep the address of this host fresh from now on; a numeric one needs nothing."""
        ...

    def of(self, host: str, /) -> str | None:
        """The last good address, from memory; None if there never was one."""
        ...


class _NumericOnly:
    """Knows no names."""

    def watch(self, host: str, /) -> None:
        """Nothing is looked up."""

    def of(self, host: str, /) -> str | None:
        """The host, if it is an address already."""
        try:
            return str(ip_address(host))
        except ValueError:
            return None


NUMERIC_ONLY: AddressBook = _NumericOnly()
"""Where nothing is to be looked up."""


class Around(Struct, frozen=True, kw_only=True):
    """What a link stands in, besides its own settings."""

    campus: Campus
    clock: Clock
    random_bytes: RandomBytes
    # A folder for small things that must survive a restart, such as a receiver's clock offset.
    state: Path
    # Numeric addresses of named hosts, looked up ahead.
    addresses: AddressBook


class PSAPLink(Protocol):
    """One connection to a PSAP.

    Obligations, kept by the conformance suite in tests/gateway/psap/test_link_contract.py:
    * It never blocks another: no shared lock, no blocking call, every wait is bounded.
    * It honours cancellation within one second and leaves no task and no descriptor behind.
    * It leaks no secret: keys and texts are neither logged nor in an exception or `repr`.
    * Silence means uncertain: it reports a `Receipt` only for what the other side proved to have read.
    * The exercise is looked at last: `first` and `more` take a live or an exercise type, never a flag.
    * No name is resolved when a call is sent; that is done when the line is opened.
    """

    @property
    def name(self) -> LinkName:
        """The name of its settings table."""
        ...

    @property
    def traits(self) -> LinkTraits:
        """What it promises."""
        ...

    def first(self, call: Call) -> Frame:
        """The frame of the call itself. The same call gives the same frame, for ever."""
        ...

    def more(self, more: More) -> Frame:
        """A frame naming as many of these presses as fit; `covers` says which. The same input, the same frame."""
        ...

    def update(self, update: Update) -> Frame:
        """The frame of a cancellation or correction. The same update gives the same frame, for ever."""
        ...

    def test(self, test: LinkTest) -> Frame | str:
        """The frame of a marked test, which never looks like a call; or why this wire has no agreed form for one."""
        ...

    def airtime(self, frame: Frame) -> float:
        """Seconds for which the frame and its answer keep the channel busy; 0 where that does not matter."""
        ...

    async def send(self, frame: Frame) -> bool:
        """Hand the frame to the wire. True: its first octet is out. False: nothing is known to have left.

        Bounded in time. May be called again with the same frame at any moment.
        """
        ...

    async def run(self, report: Report) -> None:
        """Open, supervise, read and reopen, for ever; mendable."""
        ...


def admitted(order: CallOrdered, *, place: str, spot: Spot | None = None, at: Instant = _NEVER) -> Call | str:
    """The call as links may send it, or why it is withheld. The only place that decides between the two types."""
    where = spot or Spot(spoken=place, place=order.place, building=order.building)
    match order.mode:
        case Mode.ACTUAL:
            return LiveCall(order=order, place=place, spot=where, at=at)
        case Mode.EXERCISE if order.exercise_accepted:
            return ExerciseCall(order=order, place=place, spot=where, at=at)
        case Mode.EXERCISE:
            return "the centre has not agreed to take this exercise"


def update_of(call: Call, order: UpdateOrdered, *, spot: Spot | None, at: Instant = _NEVER) -> Update:
    """The update as links may send it: as live or as much an exercise as its call."""
    if isinstance(call, LiveCall):
        return LiveUpdate(call=call, order=order, spot=spot, at=at)
    return ExerciseUpdate(call=call, order=order, spot=spot, at=at)


def more_of(items: Sequence[tuple[Call, Ranges]]) -> More:
    """A summary of calls that are all live or all exercise.

    Raises:
        ValueError: they are not, or there are none.
    """
    live = tuple((call, ranges) for call, ranges in items if isinstance(call, LiveCall))
    exercise = tuple((call, ranges) for call, ranges in items if isinstance(call, ExerciseCall))
    if live and not exercise:
        return LiveMore(items=live)
    if exercise and not live:
        return ExerciseMore(items=exercise)
    raise ValueError("a summary is of live calls or of exercise calls, never of both or none")
