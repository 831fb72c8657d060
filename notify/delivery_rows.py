"""The tables of deliveries, and how a row is read; whoever works with them stands on `Rows`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import DeliveryId, IncidentId, NoticeId, PersonId
from belltower.incident.facts import Mode
from belltower.store import Database, Step
from notify.addresses import Addresses
from notify.delivery import Delivery, State

STEPS = (
    Step(
        room="notify",
        number=1,
        sql="""
        CREATE TABLE notice (
            notice TEXT NOT NULL, revision BIGINT NOT NULL, incident TEXT NOT NULL, template TEXT NOT NULL,
            place TEXT NOT NULL, mode TEXT NOT NULL, urgency BIGINT NOT NULL, ordered_at BIGINT NOT NULL,
            superseded_by TEXT NOT NULL DEFAULT '',
            PRIMARY KEY (notice, revision)
        );
        CREATE INDEX notice_incident ON notice (incident);
        CREATE TABLE notice_text (
            notice TEXT NOT NULL, revision BIGINT NOT NULL, channel TEXT NOT NULL,
            subject TEXT NOT NULL, body TEXT NOT NULL,
            PRIMARY KEY (notice, revision, channel)
        );
        CREATE TABLE notice_delivery (
            id TEXT PRIMARY KEY, notice TEXT NOT NULL, revision BIGINT NOT NULL, incident TEXT NOT NULL,
            person TEXT NOT NULL, channel TEXT NOT NULL, address TEXT NOT NULL,
            state TEXT NOT NULL, reason TEXT NOT NULL, provider_id TEXT NOT NULL,
            attempts BIGINT NOT NULL, begun_at BIGINT NOT NULL, due_at BIGINT NOT NULL,
            urgency BIGINT NOT NULL, lease TEXT NOT NULL, asking BIGINT NOT NULL,
            UNIQUE (notice, revision, channel, address)
        );
        CREATE INDEX notice_delivery_due ON notice_delivery (channel, urgency, notice, revision, id)
            WHERE state = 'pending';
        CREATE INDEX notice_delivery_asking ON notice_delivery (channel) WHERE asking = 1;
        CREATE INDEX notice_delivery_lease ON notice_delivery (lease) WHERE lease <> '';
        CREATE INDEX notice_delivery_address ON notice_delivery (address, channel) WHERE provider_id <> '';
        CREATE TABLE notice_attempt (
            delivery TEXT NOT NULL, number BIGINT NOT NULL, begun_at BIGINT NOT NULL,
            PRIMARY KEY (delivery, number)
        );
        CREATE TABLE notice_person (
            notice TEXT NOT NULL, revision BIGINT NOT NULL, person TEXT NOT NULL,
            delivery TEXT NOT NULL, reason TEXT NOT NULL,
            PRIMARY KEY (notice, revision, person, delivery)
        );
        """,
    ),
    Step(
        room="notify",
        number=2,
        sql="""
        CREATE TABLE notice_words (
            notice TEXT NOT NULL, revision BIGINT NOT NULL, channel TEXT NOT NULL, language TEXT NOT NULL,
            subject TEXT NOT NULL, body TEXT NOT NULL,
            PRIMARY KEY (notice, revision, channel, language)
        );
        INSERT INTO notice_words (notice, revision, channel, language, subject, body)
            SELECT notice, revision, channel, '', subject, body FROM notice_text;
        DROP TABLE notice_text;
        CREATE TABLE notice_rule (notice TEXT PRIMARY KEY, rule TEXT NOT NULL);
        ALTER TABLE notice_delivery ADD COLUMN language TEXT NOT NULL DEFAULT '';
        ALTER TABLE notice_delivery ADD COLUMN parts BIGINT NOT NULL DEFAULT 1;
        ALTER TABLE notice_delivery ADD COLUMN provider TEXT NOT NULL DEFAULT '';
        ALTER TABLE notice_delivery ADD COLUMN acknowledged_at BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE notice_delivery ADD COLUMN passed BIGINT NOT NULL DEFAULT 0;
        CREATE INDEX notice_delivery_passed ON notice_delivery (channel, provider, urgency, notice, revision, id)
            WHERE state = 'pending' AND passed = 1;
        """,
    ),
    Step(
        room="notify",
        number=3,
        sql="""
        ALTER TABLE notice_delivery ADD COLUMN sealed BYTEA;
        ALTER TABLE notice_delivery ADD COLUMN sealed_with TEXT NOT NULL DEFAULT '';
        ALTER TABLE notice_delivery ADD COLUMN prefix TEXT NOT NULL DEFAULT '';
        CREATE INDEX notice_delivery_clear ON notice_delivery (id) WHERE sealed_with = '';
        CREATE TABLE notice_scrubbing (since TEXT PRIMARY KEY);
        """,
    ),
    Step(
        room="notify",
        number=4,
        sql="ALTER TABLE notice ADD COLUMN released_at BIGINT NOT NULL DEFAULT 0;",
    ),
    Step(
        room="notify",
        number=5,
        sql="""
        ALTER TABLE notice ADD COLUMN deciding TEXT NOT NULL DEFAULT '';
        CREATE INDEX notice_deciding ON notice (notice, revision) WHERE deciding <> '';
        """,
    ),
    Step(
        room="notify",
        number=6,
        sql="""
        DROP INDEX notice_delivery_address;
        CREATE INDEX notice_released ON notice (released_at) WHERE released_at > 0;
        """,
    ),
    Step(
        room="notify",
        number=7,
        sql="ALTER TABLE notice ADD COLUMN overtaken_by TEXT NOT NULL DEFAULT '';",
    ),
    Step(
        room="notify",
        number=8,
        sql="ALTER TABLE notice ADD COLUMN quiet_until BIGINT NOT NULL DEFAULT 0;",
    ),
)
"""`notice_person` holds the people of the snapshot whom no delivery of their own names: those who share an address
with somebody (`delivery`), and those whom nothing reaches (`reason`). `notice_words` holds the filled texts, `notice_rule` the audiences that stand in no
site package. `notice_delivery.address` is the address's mark, `sealed` the address itself under the key `sealed_with`,
which is "" in rows that an older program wrote: there the address stands in clear until `sealing.py` has
been there. `notice.released_at` is when a person had sent what was held as too late; 0: nobody did.
`notice.overtaken_by` is the newest of those that took its place at some of its addresses (overtaking.py).
`notice.quiet_until` is until when its texts and calls wait (quiet.py).
`notice_delivery.attempts` and `begun_at` are
those of the newest attempt; `notice_attempt` holds those that came to nothing before it. `notice.deciding` says what was decided of what is still held: "released" or "left"; "": nothing, or all of it is done. `notice_scrubbing` has a row while what was clear may still be found in the files."""

PAGE = 1_000
"""Rows of one query."""

COLUMNS = (
    "id, notice, revision, incident, person, channel, sealed, state, reason, provider_id, attempts, begun_at,"
    " language, parts"
)


class Ordered(Struct, frozen=True, kw_only=True):
    """A notice as it is kept, with its filled texts."""

    notice: NoticeId
    revision: int
    incident: IncidentId
    template: str
    # The id of the place it is about; "" where none was named.
    place: str
    mode: Mode
    # 0: somebody may be in danger; 1: may wait behind those.
    urgency: int
    ordered_at: Instant
    # The notices in whose place it stands.
    corrects: tuple[NoticeId, ...] = ()
    # Its texts and calls wait until then; 0: they do not.
    quiet_until: Instant = Instant(0)


class Words(Struct, frozen=True, kw_only=True):
    """A filled text of a notice, for one kind of contact in one language."""

    channel: str
    language: str
    body: str
    subject: str = ""
    # Of a short message: how many parts it takes on the air.
    parts: int = 1


class Rows:
    """The rows behind every promise this room makes."""

    def __init__(self, *, database: Database, addresses: Addresses) -> None:
        self._database = database
        self.addresses = addresses

    def _delivery(self, row: Sequence[Any]) -> Delivery:
        id_, notice, revision, incident, person, channel, sealed, state, reason, provider, attempts, begun = (
            row[:12]
        )
        return Delivery(
            id=DeliveryId(id_),
            notice=NoticeId(notice),
            revision=revision,
            incident=IncidentId(incident),
            person=PersonId(person),
            channel=channel,
            address=self.addresses.open(id_, sealed),
            state=State(state),
            reason=reason,
            provider_id=provider,
            attempts=attempts,
            begun_at=Instant(begun),
            language=row[12],
            parts=row[13],
        )
