"""What the ladder asks of the deliveries' rows."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import IncidentId, NoticeId, PersonId
from belltower.incident.facts import Mode, Reply
from belltower.people.person import ContactKind
from belltower.store import Database, Step
from notify.store import Ordered

STEPS = (
    Step(
        room="notify.escalation",
        number=1,
        sql="""
        CREATE INDEX notice_delivery_doubtful ON notice_delivery (notice, revision)
            WHERE state IN ('uncertain', 'refused');
        """,
    ),
    Step(
        room="notify.escalation",
        number=2,
        sql="""
        CREATE INDEX notice_delivery_under_way ON notice_delivery (notice, revision)
            WHERE (state IN ('pending', 'sending') OR asking = 1);
        """,
    ),
    Step(room="notify.escalation", number=3, sql="DROP INDEX notice_delivery_under_way;"),
)

MOST = 5_000
"""People who are looked after at one time; the rest are when these are done."""

_PAGE = 1_000

_NOTICE = """
SELECT incident, template, place, mode, urgency, ordered_at, superseded_by FROM notice
WHERE notice = :notice AND revision = :revision
"""

_ROWS = """
SELECT channel, address, person, acknowledged_at FROM notice_delivery
WHERE notice = :notice AND revision = :revision AND (channel, address) > (:channel, :address)
ORDER BY channel, address LIMIT :count
"""

_OTHERS = "SELECT person, delivery FROM notice_person WHERE notice = :notice AND revision = :revision"

_ANSWERED = """
SELECT DISTINCT person FROM notice_reply
WHERE notice IN (SELECT notice FROM notice WHERE incident = :incident) AND notice <> ''
    AND heard_at >= :since AND reply IN (%s)
"""

_DOUBTFUL = """
SELECT DISTINCT person FROM notice_delivery
WHERE notice = :notice AND revision = :revision AND state IN ('uncertain', 'refused') AND reason <> 'stopped' LIMIT :count
"""

_WAITING = """
SELECT DISTINCT person FROM notice_delivery
WHERE notice = :notice AND revision = :revision AND state = 'pending' AND channel = :channel AND urgency = :urgency
LIMIT :count
"""

_KINDS = ", ".join(f"'{kind}'" for kind in ContactKind)

# What is pending, in flight, asked about: each has a small index of its own, which every settled row leaves anyway. The
# notice is so written that nobody takes the index of all its rows instead.
_UNDER_WAY = f"""
SELECT 1 FROM notice_delivery WHERE state = 'pending' AND channel IN ({_KINDS}) AND urgency = :urgency
    AND notice = :notice AND revision = :revision
UNION ALL SELECT 1 FROM notice_delivery WHERE lease <> '' AND notice || '' = :notice AND revision + 0 = :revision
UNION ALL SELECT 1 FROM notice_delivery WHERE asking = 1 AND notice || '' = :notice AND revision + 0 = :revision
LIMIT 1
"""  # noqa: S608 - constants

_AT = """
SELECT state FROM notice_delivery
WHERE notice = :notice AND revision = :revision AND channel = :channel AND address = :address
"""

_HUMAN = tuple(reply.value for reply in (Reply.SAFE, Reply.NEED_HELP, Reply.ACKNOWLEDGED, Reply.TEXT))


class Told(Struct, kw_only=True):
    """Everybody of a notice, and what was tried."""

    people: dict[PersonId, None] = {}
    # Every channel and address's mark at which the notice has a delivery.
    taken: set[tuple[str, str]] = set()
    # Those who answered.
    acknowledged: set[PersonId] = set()


class Standing(Struct, frozen=True, kw_only=True):
    """A planned notice."""

    ordered: Ordered
    superseded_by: str


class EscalationTables:
    """Reads only; all that is written goes with the ledger's own rows."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def migrate(self) -> None:
        """Bring the tables up to date; those of deliveries and replies are already."""
        await self._database.migrate(STEPS)

    async def standing(self, notice: NoticeId, revision: int) -> Standing | None:
        """The notice as it was planned; None: it is not yet."""
        rows = await self._database.read(_NOTICE, notice=notice, revision=revision)
        if not rows:
            return None
        incident, template, place, mode, urgency, ordered_at, superseded_by = rows[0]
        ordered = Ordered(
            notice=notice,
            revision=revision,
            incident=IncidentId(incident),
            template=template,
            place=place,
            mode=Mode(mode),
            urgency=urgency,
            ordered_at=Instant(ordered_at),
        )
        return Standing(ordered=ordered, superseded_by=superseded_by)

    async def told(self, ordered: Ordered) -> Told:
        """Everybody whom the notice was for, who of them answered, and where it went."""
        told = Told()
        channel = address = ""
        while True:
            rows = await self._database.read(
                _ROWS,
                notice=ordered.notice,
                revision=ordered.revision,
                channel=channel,
                address=address,
                count=_PAGE,
            )
            for channel, address, person, acknowledged_at in rows:
                told.people[PersonId(person)] = None
                told.taken.add((channel, address))
                if acknowledged_at:
                    told.acknowledged.add(PersonId(person))
            if len(rows) < _PAGE:
                break
        for person, _ in await self._database.read(_OTHERS, notice=ordered.notice, revision=ordered.revision):
            told.people[PersonId(person)] = None
        if ordered.incident:
            names = {f"reply{n}": reply for n, reply in enumerate(_HUMAN)}
            told.acknowledged.update(
                PersonId(row[0])
                for row in await self._database.read(
                    _ANSWERED % ", ".join(f":{name}" for name in names),
                    incident=ordered.incident,
                    since=ordered.ordered_at,
                    **names,
                )
            )
        return told

    async def doubtful(self, ordered: Ordered, *, paused: Iterable[str]) -> dict[PersonId, None]:
        """People with a delivery that failed, may have failed, or waits for a channel that is in trouble."""
        found = await self._people(_DOUBTFUL, ordered)
        for channel in paused:
            found |= await self._people(_WAITING, ordered, channel=channel, urgency=ordered.urgency)
        return found

    async def _people(self, sql: str, ordered: Ordered, **more: str | int) -> dict[PersonId, None]:
        rows = await self._database.read(
            sql, notice=ordered.notice, revision=ordered.revision, count=MOST, **more
        )
        return {PersonId(row[0]): None for row in rows}

    async def under_way(self, ordered: Ordered) -> bool:
        """Whether anything of the notice may still fail."""
        rows = await self._database.read(
            _UNDER_WAY, notice=ordered.notice, revision=ordered.revision, urgency=ordered.urgency
        )
        return bool(rows)

    async def state_at(self, ordered: Ordered, channel: str, mark: str) -> str:
        """The state of the notice's delivery to the address of this mark; "" where it has none."""
        rows = await self._database.read(
            _AT, notice=ordered.notice, revision=ordered.revision, channel=channel, address=mark
        )
        return str(rows[0][0]) if rows else ""
