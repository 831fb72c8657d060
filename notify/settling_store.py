"""Deliveries are settled: what was learned of them becomes their rows."""

from __future__ import annotations

from collections.abc import Sequence

from belltower.clock import SECOND, Instant
from belltower.ids import DeliveryId
from belltower.store import Transaction
from notify.codes import filled
from notify.delivery import Delivery
from notify.delivery_rows import COLUMNS, Rows

_RETURN = """
UPDATE notice_delivery SET state = 'pending', lease = '', reason = :reason, due_at = :due_at,
    provider = CASE WHEN :passed_to = '' THEN provider ELSE :passed_to END,
    passed = CASE WHEN :passed_to = '' THEN passed ELSE 1 END
WHERE id = :id AND state = 'sending' AND attempts = :attempts
"""

_KEEP_ATTEMPT = """
INSERT INTO notice_attempt (delivery, number, begun_at) VALUES (:delivery, :number, :begun_at) ON CONFLICT DO NOTHING
"""

_SETTLE = """
UPDATE notice_delivery SET state = :state, lease = '', reason = :reason, asking = :asking,
    provider_id = CASE WHEN provider_id = '' THEN :provider_id ELSE provider_id END
WHERE id = :id AND state = :before
"""

_ONE = f"SELECT {COLUMNS} FROM notice_delivery WHERE id IN (%s)"  # noqa: S608 - constant

_TEXT = """
SELECT t.subject, t.body, n.ordered_at, n.template FROM notice_words t
JOIN notice n ON n.notice = t.notice AND n.revision = t.revision
WHERE t.notice = :notice AND t.revision = :revision AND t.channel = :channel AND t.language = :language
"""

# A notice has one row for an address, and is sent soon after it is ordered or released. In clear: what an older program
# left, until it is sealed.
_KNOWN_IDS = """
SELECT d.provider_id FROM (
    SELECT notice, revision FROM notice WHERE ordered_at > :since
    UNION ALL SELECT notice, revision FROM notice WHERE released_at > :since AND released_at > 0
) AS n CROSS JOIN notice_delivery d
WHERE d.notice = n.notice AND d.revision = n.revision AND d.channel = :channel AND d.address IN (:mark, :clear)
    AND d.provider_id <> ''
"""

_KNOWN_FOR = 3 * 24 * 3_600 * SECOND
"""Longer than any notice waits to be sent, a night's quiet hours included, and than any clock is off."""


class Settling(Rows):
    """What the ledger writes, and what a question to a provider needs."""

    async def of(self, ids: Sequence[DeliveryId]) -> dict[DeliveryId, Delivery]:
        """The deliveries with these ids, as far as there are any."""
        names = {f"id{n}": id_ for n, id_ in enumerate(ids)}
        if not names:
            return {}
        rows = await self._database.read(_ONE % ", ".join(f":{name}" for name in names), **names)
        return {DeliveryId(row[0]): self._delivery(row) for row in rows}

    def give_back(self, tx: Transaction, delivery: Delivery, *, due_at: Instant, passed_to: str = "") -> None:
        """The attempt surely came to nothing: pending again, from `due_at` on, perhaps for another provider."""
        tx.add(_KEEP_ATTEMPT, delivery=delivery.id, number=delivery.attempts, begun_at=delivery.begun_at)
        tx.add(
            _RETURN,
            id=delivery.id,
            attempts=delivery.attempts,
            reason=delivery.reason,
            due_at=due_at,
            passed_to=passed_to,
        )

    def settle(self, tx: Transaction, settled: Sequence[tuple[Delivery, Delivery, bool]]) -> None:
        """Keep new states: before, after, and whether the provider is asked. What has moved on meanwhile stays."""
        # In the order in which `_SETTLE` first names them.
        tx.rows(
            _SETTLE,
            [
                (after.state, after.reason, int(asking), after.provider_id, after.id, before.state)
                for before, after, asking in settled
            ],
        )

    async def text(self, delivery: Delivery) -> tuple[str, str, Instant, str]:
        """Subject, body, time of the order, and template."""
        rows = await self._database.read(
            _TEXT,
            notice=delivery.notice,
            revision=delivery.revision,
            channel=delivery.channel,
            language=delivery.language,
        )
        subject, body, ordered_at, template = rows[0] if rows else ("", "", 0, "")
        subject, body = (filled(one, self.addresses.vault, delivery.id) for one in (subject, body))
        return subject, body, Instant(ordered_at), template

    async def known_ids(self, delivery: Delivery) -> set[str]:
        """The provider's ids of our messages to this address, but for those that were sent long before this one."""
        since = delivery.begun_at - _KNOWN_FOR
        return {
            row[0]
            for mark in self.addresses.marks(delivery.channel, delivery.address)
            for row in await self._database.read(
                _KNOWN_IDS, mark=mark, clear=delivery.address, channel=delivery.channel, since=since
            )
        }
