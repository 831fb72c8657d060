"""Deliveries are planned: notices, their texts, and one row for each address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence

import msgspec
from msgspec import Struct

from belltower.ids import DeliveryId, IncidentId, NoticeId, PersonId
from belltower.store import CHUNK, Priority, SQLValue, Transaction
from notify.audience import AudienceRule
from notify.delivery_rows import PAGE, Ordered, Rows, Words
from notify.overtaking import NOTHING, Overtaking, met, overtake
from notify.sealing import seal_notice
from notify.stops import STOPPED

ADD_DELIVERY = """
INSERT INTO notice_delivery (id, notice, revision, incident, person, channel, address, state, reason, provider_id,
    attempts, begun_at, due_at, urgency, lease, asking, language, parts, sealed, sealed_with, prefix)
VALUES (:id, :notice, :revision, :incident, :person, :channel, :address, :state, :reason, '', 0, 0, 0, :urgency, '', 0,
    :language, :parts, :sealed, :sealed_with, :prefix)
ON CONFLICT DO NOTHING
"""
"""Its parameters may be given in this order: id, notice, revision, incident, person, channel, address, state, reason,
urgency, language, parts, sealed, sealed_with, prefix; `address` is the mark. See `Addresses.rows`."""

_ADD_NOTICE = """
INSERT INTO notice (notice, revision, incident, template, place, mode, urgency, ordered_at,
    quiet_until)
VALUES (:notice, :revision, :incident, :template, :place, :mode, :urgency, :ordered_at, :quiet_until) ON CONFLICT DO NOTHING
"""

_PLACE_OF = """
SELECT place FROM notice WHERE incident = :incident AND place <> '' ORDER BY ordered_at, notice LIMIT 1
"""

_ADD_TEXT = """
INSERT INTO notice_words (notice, revision, channel, language, subject, body)
VALUES (:notice, :revision, :channel, :language, :subject, :body) ON CONFLICT DO NOTHING
"""

ADD_PERSON = """
INSERT INTO notice_person (notice, revision, person, delivery, reason)
VALUES (:notice, :revision, :person, :delivery, :reason) ON CONFLICT DO NOTHING
"""

_ADD_RULE = "INSERT INTO notice_rule (notice, rule) VALUES (:notice, :rule) ON CONFLICT DO NOTHING"

_PLANNED = """
SELECT channel, address, id, person FROM notice_delivery
WHERE notice = :notice AND revision = :revision AND (channel, address) > (:channel, :address)
ORDER BY channel, address LIMIT :count
"""

_ATTEMPTED = """
SELECT revision, channel, address, person, language, id, sealed,
    CASE WHEN attempts > 0 OR state NOT IN ('pending', 'superseded') THEN 1 ELSE 0 END
FROM notice_delivery
WHERE notice = :notice AND (revision, channel, address) > (:revision, :channel, :address)
ORDER BY revision, channel, address LIMIT :count
"""

_SUPERSEDE_NOTICE = """
UPDATE notice SET superseded_by = :by WHERE notice = :notice AND notice <> :by AND superseded_by = ''
"""

_SUPERSEDE_REVISIONS = """
UPDATE notice SET superseded_by = :by WHERE notice = :notice AND revision < :revision AND superseded_by = ''
"""

_SUPERSEDE_TEMPLATE = """
UPDATE notice SET superseded_by = :by
WHERE incident = :incident AND template = :template AND notice <> :by AND superseded_by = ''
    AND ordered_at < :ordered_at
"""

_STOP = f"UPDATE notice_delivery SET urgency = {STOPPED} WHERE id = :id AND state IN ('pending', 'sending')"  # noqa: S608

_Row = tuple[SQLValue, ...]


class Attempted(Struct, frozen=True, kw_only=True):
    """An address to which something may have gone."""

    channel: str
    # "" where its key is lost.
    address: str
    person: PersonId
    language: str


class Planning(Rows):
    """What a planner writes, and what it asks of an earlier life."""

    def add_notice(self, tx: Transaction, ordered: Ordered) -> None:
        """Keep the notice and its texts; once is enough."""
        tx.add(
            _ADD_NOTICE,
            notice=ordered.notice,
            revision=ordered.revision,
            incident=ordered.incident,
            template=ordered.template,
            place=ordered.place,
            mode=ordered.mode.value,
            urgency=ordered.urgency,
            ordered_at=ordered.ordered_at,
            quiet_until=ordered.quiet_until,
        )

    def add_words(self, tx: Transaction, notice: NoticeId, revision: int, words: Iterable[Words]) -> None:
        """Keep filled texts of the notice; once is enough."""
        for one in words:
            tx.add(
                _ADD_TEXT,
                notice=notice,
                revision=revision,
                channel=one.channel,
                language=one.language,
                subject=one.subject,
                body=one.body,
            )

    def add_rule(self, tx: Transaction, notice: NoticeId, rule: AudienceRule) -> None:
        """Keep the audience of a notice whose rule stands in no site package."""
        tx.add(_ADD_RULE, notice=notice, rule=msgspec.json.encode(rule).decode())

    async def rule_of(self, notice: NoticeId) -> AudienceRule | None:
        """The rule that was kept for the notice."""
        rows = await self._database.read("SELECT rule FROM notice_rule WHERE notice = :notice", notice=notice)
        return msgspec.json.decode(rows[0][0], type=AudienceRule) if rows else None

    async def planned(
        self, notice: NoticeId, revision: int
    ) -> AsyncIterator[tuple[str, str, DeliveryId, PersonId]]:
        """Channel, mark of the address, delivery and person of what an earlier life has already planned."""
        channel = address = ""
        while True:
            rows = await self._database.read(
                _PLANNED, notice=notice, revision=revision, channel=channel, address=address, count=PAGE
            )
            for channel, address, id_, person in rows:
                yield channel, address, DeliveryId(id_), PersonId(person)
            if len(rows) < PAGE:
                return

    async def attempted(self, notice: NoticeId) -> AsyncIterator[Sequence[Attempted]]:
        """Everybody to whom something of this notice may have gone, whatever became of it."""
        await seal_notice(self._database, self.addresses, notice)
        revision, channel, address = 0, "", ""
        while True:
            rows = await self._database.read(
                _ATTEMPTED, notice=notice, revision=revision, channel=channel, address=address, count=PAGE
            )
            if rows:
                revision, channel, address = rows[-1][:3]
                yield [
                    Attempted(
                        channel=row[1],
                        address=self.addresses.open(row[5], row[6]),
                        person=PersonId(row[3]),
                        language=row[4],
                    )
                    for row in rows
                    if row[7]
                ]
            if len(rows) < PAGE:
                return

    async def superseded_by(self, notice: NoticeId) -> NoticeId:
        """The notice that first took this one's place; "" where none did."""
        rows = await self._database.read(
            "SELECT superseded_by FROM notice WHERE notice = :notice AND superseded_by <> ''"
            " ORDER BY revision DESC LIMIT 1",
            notice=notice,
        )
        return NoticeId(rows[0][0]) if rows else NoticeId("")

    async def place_of(self, incident: IncidentId) -> str:
        """The id of the place that the incident's first notice was about; "" where none is known, or no incident."""
        if not incident:
            return ""
        rows = await self._database.read(_PLACE_OF, incident=incident)
        return str(rows[0][0]) if rows else ""

    def supersede(self, tx: Transaction, ordered: Ordered, templates: Collection[str]) -> None:
        """Stop what still waits of earlier revisions, of what it corrects, and of `templates` in the incident.

        What it overtakes waits behind it from now on.
        """
        for notice in ordered.corrects:
            tx.add(_SUPERSEDE_NOTICE, by=ordered.notice, notice=notice)
        tx.add(_SUPERSEDE_REVISIONS, by=ordered.notice, notice=ordered.notice, revision=ordered.revision)
        # What belongs to no incident is about different things: a correction names what it takes the place of.
        for template in sorted(templates) if ordered.incident else ():
            tx.add(
                _SUPERSEDE_TEMPLATE,
                by=ordered.notice,
                incident=ordered.incident,
                template=template,
                ordered_at=ordered.ordered_at,
            )
        overtake(tx, ordered)

    async def met(self, tx: Transaction, ordered: Ordered) -> Overtaking:
        """What rows of this notice overtake, and what overtakes them; see `notify.overtaking`."""
        return await met(self._database, tx, ordered)

    def stop(self, tx: Transaction, deliveries: Iterable[DeliveryId]) -> None:
        """Send nothing of these that has not begun: their addresses were stopped while they were planned."""
        tx.rows(_STOP, [(id_,) for id_ in deliveries])

    def add_rows(
        self,
        tx: Transaction,
        deliveries: Iterable[_Row],
        people: Sequence[_Row],
        overtaking: Overtaking = NOTHING,
    ) -> None:
        """Keep the rows of a snapshot's batch, and those of its others; once is enough."""
        rows = self.addresses.rows(deliveries)
        tx.rows(ADD_DELIVERY, rows)
        overtaking.add(tx, rows)
        tx.rows(ADD_PERSON, people)

    def add_many(
        self, deliveries: Iterable[_Row], people: Sequence[_Row], overtaking: Overtaking = NOTHING
    ) -> list[asyncio.Future[None]]:
        """As `add_rows`, in chunks behind whatever is urgent; each resolves once synced."""
        landed: list[asyncio.Future[None]] = []
        for sql, rows in ((ADD_DELIVERY, self.addresses.rows(deliveries)), (ADD_PERSON, people)):
            for start in range(0, len(rows), CHUNK):
                chunk = rows[start : start + CHUNK]
                tx = Transaction()
                tx.rows(sql, chunk)
                if sql is ADD_DELIVERY:
                    overtaking.add(tx, chunk)
                landed.append(self._database.submit(tx, priority=Priority.BULK))
        return landed
