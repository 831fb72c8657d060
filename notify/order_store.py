"""Every order for a notice, kept as it was given: what a later one about the same people is made from."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import IncidentId, NoticeId
from belltower.incident.facts import NoticeOrdered
from belltower.store import Database, Step, Transaction

STEPS = (
    Step(
        room="notify.orders",
        number=1,
        sql="""
        CREATE TABLE notice_order (
            notice TEXT NOT NULL, revision BIGINT NOT NULL, incident TEXT NOT NULL, ordered_at BIGINT NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (notice, revision)
        );
        CREATE INDEX notice_order_incident ON notice_order (incident) WHERE incident <> '';
        """,
    ),
)

_KEEP = """
INSERT INTO notice_order (notice, revision, incident, ordered_at, body)
VALUES (:notice, :revision, :incident, :ordered_at, :body) ON CONFLICT DO NOTHING
"""
_OF = "SELECT ordered_at, body FROM notice_order WHERE notice = :notice ORDER BY revision DESC LIMIT 1"
_OF_INCIDENT = """
SELECT ordered_at, body FROM notice_order WHERE incident = :incident AND incident <> ''
ORDER BY ordered_at, notice, revision
"""

_decoder = msgspec.json.Decoder(NoticeOrdered)


class KeptOrder(Struct, frozen=True, kw_only=True):
    """An order and when it was given."""

    at: Instant
    order: NoticeOrdered


def keep(tx: Transaction, order: NoticeOrdered, at: Instant) -> None:
    """Keep the order; once is enough."""
    tx.add(
        _KEEP,
        notice=order.notice,
        revision=order.revision,
        incident=order.incident,
        ordered_at=at,
        body=msgspec.json.encode(order).decode(),
    )


async def order_of(database: Database, notice: NoticeId) -> KeptOrder | None:
    """The order of the notice's latest revision; None where it is not planned yet, or older than this table."""
    rows = await database.read(_OF, notice=notice)
    return _kept(*rows[0]) if rows else None


async def orders_of(database: Database, incident: IncidentId) -> list[KeptOrder]:
    """Every order of the incident, of whatever stream, the oldest first."""
    return [_kept(*row) for row in await database.read(_OF_INCIDENT, incident=incident)]


def _kept(at: int, body: str) -> KeptOrder:
    return KeptOrder(at=Instant(at), order=_decoder.decode(body))
