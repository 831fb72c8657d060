"""Where families go: one record of it, that two people change, and every earlier word of it taken back with the change.

A notice that names a place and is meant in earnest has a row, and so has what takes one of them back: that names none.
The last row is where families go now; a change goes to everybody to whom one of the others may have gone.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import SECOND, Clock, Instant
from belltower.errors import NotPermitted, WrongState
from belltower.ids import IncidentId, NoticeId, PersonId, PlaceId
from belltower.incident.facts import Mode, NoticeOrdered
from belltower.incident.told import Readers, readers
from belltower.store import Database, Step, Transaction
from notify.wording import WordingSet, moves_site, names_site

STEPS = (
    Step(
        room="notify.family_sites",
        number=1,
        sql="""
        CREATE TABLE notice_family_site (
            number BIGINT PRIMARY KEY, notice TEXT NOT NULL UNIQUE, incident TEXT NOT NULL, site TEXT NOT NULL,
            said_at BIGINT NOT NULL, by_person TEXT NOT NULL, second_person TEXT NOT NULL
        );
        CREATE INDEX notice_family_site_incident ON notice_family_site (incident);
        CREATE INDEX notice_family_site_said ON notice_family_site (said_at);
        """,
    ),
)

LASTS = 24 * 3_600 * SECOND
"""How long what was said without an incident, or is said without one, belongs to what is said now."""

ALWAYS_TWO = (
    "Where families go is never changed by one person alone. Ask somebody to sign in and let it go; until then tell"
    " families to wait: that text goes out at once."
)
"""Why nobody sends a change alone."""

_TOLD = """
SELECT number, notice, incident, site, said_at FROM notice_family_site
WHERE incident = :incident AND incident <> '' OR said_at > :since ORDER BY number
"""
_LAST = "SELECT COALESCE(MAX(number), 0) FROM notice_family_site"
_KEEP = """
INSERT INTO notice_family_site (number, notice, incident, site, said_at, by_person, second_person)
VALUES (:number, :notice, :incident, :site, :said_at, :by, :second) ON CONFLICT DO NOTHING
"""
_HAS = "SELECT 1 FROM notice_family_site WHERE notice = :notice"
_TAKE_BACK = """
INSERT INTO notice_family_site (number, notice, incident, site, said_at, by_person, second_person)
VALUES (
    (SELECT COALESCE(MAX(number), 0) + 1 FROM notice_family_site), :notice, :incident, '', :said_at, :by, ''
) ON CONFLICT DO NOTHING
"""


class SiteTold(Struct, frozen=True, kw_only=True):
    """Families were told to go there; "": to wait, for what they were told was taken back."""

    number: int
    notice: NoticeId
    incident: IncidentId
    site: PlaceId
    at: Instant


class Placed(Struct, frozen=True, kw_only=True):
    """An order as it is to be given now."""

    order: NoticeOrdered
    # The number its row takes; 0: it names no place, and has none.
    number: int = 0


def says_where(order: NoticeOrdered, wording: WordingSet) -> bool:
    """Whether families read in it where they meet their children. Pure."""
    if readers(order.template) is not Readers.FAMILIES or order.mode is not Mode.ACTUAL:
        return False
    if names_site(order.template):
        return True
    return bool(order.slots.get("site")) and "site" in wording.names(order.template)


def placed(order: NoticeOrdered, told: Sequence[SiteTold]) -> NoticeOrdered:
    """The order, which says where families go, after what they were `told`, the oldest first. Pure.

    Raises `WrongState` where it does not say where, or would change it in passing.
    """
    site = order.slots.get("site", "")
    if not site:
        raise WrongState("Choose where families meet their children: that text says it.")
    now = told[-1].site if told else ""
    if not moves_site(order.template):
        if told and not now:
            raise WrongState(
                "What families were told of a place was taken back: they wait. To send them to one again, choose the text"
                " that says that it has changed: it reaches everybody who was told, and takes two."
            )
        if now and site != now:
            raise WrongState(
                "Families were told to go to another place. To change it, choose the text that says so: it reaches"
                " everybody who was told, and takes two."
            )
        return order
    if not told:
        raise WrongState(
            "Families were told of no place yet: there is none to change. Say where they go instead."
        )
    if site == now:
        raise WrongState("Families were told to go there already. Choose the other place.")
    return replace(
        order,
        slots={**order.slots, "former": now or _taken_back(told, site)},
        corrects=tuple(dict.fromkeys(one.notice for one in told)),
    )


def check_alone(order: NoticeOrdered) -> None:
    """Raises `NotPermitted`: not even in haste does one person alone change where families go."""
    if moves_site(order.template):
        raise NotPermitted(ALWAYS_TWO)


class FamilySites:
    """What families were told of where to go."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def open(self) -> None:
        """Bring the table up to date."""
        await self._database.migrate(STEPS)

    async def told(self, incident: IncidentId) -> list[SiteTold]:
        """All that those may have read who read of this incident, the oldest first.

        What belongs to no incident may be about any, for a day.
        """
        since = self._clock.now() - LASTS
        every = [
            SiteTold(
                number=number,
                notice=NoticeId(notice),
                incident=IncidentId(of),
                site=PlaceId(site),
                at=Instant(at),
            )
            for number, notice, of, site, at in await self._database.read(
                _TOLD, incident=incident, since=since
            )
        ]
        return [one for one in every if not incident or not one.incident or one.incident == incident]

    async def has(self, notice: NoticeId) -> bool:
        """Whether this notice said where families go."""
        return bool(await self._database.read(_HAS, notice=notice))

    async def place(self, order: NoticeOrdered, wording: WordingSet) -> Placed:
        """The order as it has to be given now. Raises `WrongState` where it cannot be."""
        if not says_where(order, wording):
            return Placed(order=order)
        # Read first: whatever is said of a place after this takes the number away.
        number = (await self._database.read(_LAST))[0][0] + 1
        return Placed(order=placed(order, await self.told(order.incident)), number=number)

    def keep(self, tx: Transaction, given: Placed, *, by: PersonId, second: PersonId | None) -> None:
        """Families are told to go there; `Conflict` where somebody told them of a place in this moment."""
        if given.number:
            tx.add(
                _KEEP,
                expect=1,
                number=given.number,
                notice=given.order.notice,
                incident=given.order.incident,
                site=given.order.slots["site"],
                said_at=self._clock.now(),
                by=by,
                second=second or "",
            )

    def take_back(self, tx: Transaction, correction: NoticeOrdered, *, by: PersonId) -> None:
        """Families are told to wait; `Conflict` where somebody told them of a place in this moment."""
        tx.add(
            _TAKE_BACK,
            expect=1,
            notice=correction.notice,
            incident=correction.incident,
            said_at=self._clock.now(),
            by=by,
        )


def _taken_back(told: Sequence[SiteTold], site: PlaceId | str) -> str:
    """The place that was taken back last; "" where it is the one they go to now after all."""
    last = next((one.site for one in reversed(told) if one.site), "")
    return "" if last == site else last
