"""The tables of this room, and all of its SQL."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from belltower.clock import Instant
from belltower.errors import StoreError
from belltower.ids import DeliveryId, IncidentId, NoticeId, PersonId
from belltower.incident.facts import Mode
from belltower.store import CHUNK, Database, Priority, SQLValue, Statement, Step, Transaction
from notify import order_store
from notify.addresses import Addresses
from notify.audience import AudienceRule
from notify.delivery import Delivery, State
from notify.forecast import Load
from notify.sealing import seal_clear

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
)
"""`notice_person` holds the people of the snapshot whom no delivery of their own names: those who share an address
with somebody (`delivery`), and those whom nothing reaches (`reason`). `notice_words` holds the filled texts, `notice_rule` the audiences that stand in no
site package. `notice_delivery.address` is the address's mark, `sealed` the address itself under the key `sealed_with`,
which is "" in rows that an older program wrote: there the address stands in clear until `sealing.py` has
been there. `notice_scrubbing` has a row while what was clear may still be found in the files."""

_PAGE = 1_000

_COLUMNS = (
    "id, notice, revision, incident, person, channel, sealed, state, reason, provider_id, attempts, begun_at,"
    " language, parts"
)
_WIDTH = len(_COLUMNS.split(","))

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
INSERT INTO notice (notice, revision, incident, template, place, mode, urgency, ordered_at)
VALUES (:notice, :revision, :incident, :template, :place, :mode, :urgency, :ordered_at) ON CONFLICT DO NOTHING
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

# A due time further off than the longest wait was written before the wall clock stepped back: it is due.
_LEASE = """
UPDATE notice_delivery SET state = 'sending', lease = :lease, attempts = attempts + 1, begun_at = :now,
    provider = :provider
WHERE id IN (
    SELECT id FROM notice_delivery
    WHERE channel = :channel AND state = 'pending' AND urgency = :urgency AND notice = :notice
        AND revision = :revision AND (due_at <= :now OR due_at > :horizon) %s
        AND EXISTS (SELECT 1 FROM notice WHERE notice = :notice AND revision = :revision AND superseded_by = '')
    ORDER BY id LIMIT :count)
"""
_LEASE_ANY = _LEASE % "AND (passed = 0 OR provider = :provider)"
_LEASE_PASSED = _LEASE % "AND passed = 1 AND provider = :provider"

# A partial index is used only where its condition is said again: `lease = :lease` alone would walk through all rows.
_BEGIN_ATTEMPTS = """
INSERT INTO notice_attempt (delivery, number, begun_at)
SELECT id, attempts, begun_at FROM notice_delivery WHERE lease = :lease AND lease <> ''
"""

_LEASED = f"""
SELECT {", ".join("d." + name for name in _COLUMNS.split(", "))},
    t.subject, t.body, n.ordered_at, n.superseded_by, n.template
FROM notice_delivery d
JOIN notice n ON n.notice = d.notice AND n.revision = d.revision
JOIN notice_words t ON t.notice = d.notice AND t.revision = d.revision AND t.channel = d.channel
    AND t.language = d.language
WHERE d.lease = :lease AND d.lease <> '' ORDER BY d.urgency, d.notice, d.revision, d.id
"""  # noqa: S608 - the columns are a constant

# The next notice, from this very revision on, of which something is pending: one step in the index, however many rows
# it has. Asked with `>`, SQLite would walk through all that are equal.
_NEXT_PENDING = """
SELECT n.notice, n.revision, n.ordered_at, n.superseded_by, d.urgency FROM (
    SELECT urgency, notice, revision FROM notice_delivery
    WHERE channel = :channel AND state = 'pending' AND (urgency, notice, revision) >= (:urgency, :notice, :revision)
    ORDER BY urgency, notice, revision LIMIT 1
) AS d JOIN notice n ON n.notice = d.notice AND n.revision = d.revision
"""
_MOST_WAITING = 1_000

_PENDING_OF = f"""
SELECT {_COLUMNS} FROM notice_delivery WHERE channel = :channel AND state = 'pending' AND urgency = :urgency
    AND notice = :notice AND revision = :revision ORDER BY id LIMIT :count
"""  # noqa: S608 - the columns are a constant

# A page of a notice's rows, counted; the last address of each channel says where the next page begins.
COUNTED = """
SELECT channel, state, COUNT(*), CAST(SUM(parts) AS BIGINT), MAX(address) FROM (
    SELECT channel, address, state, parts FROM notice_delivery
    WHERE notice = :notice AND revision = :revision AND (channel, address) > (:channel, :address)
    ORDER BY channel, address LIMIT :count
) AS page GROUP BY channel, state
"""
COUNTED_AT_ONCE = 1_000

_RETURN = """
UPDATE notice_delivery SET state = 'pending', lease = '', reason = :reason, due_at = :due_at,
    provider = CASE WHEN :passed_to = '' THEN provider ELSE :passed_to END,
    passed = CASE WHEN :passed_to = '' THEN passed ELSE 1 END
WHERE id = :id AND state = 'sending' AND attempts = :attempts
"""

_SETTLE = """
UPDATE notice_delivery SET state = :state, lease = '', reason = :reason, asking = :asking,
    provider_id = CASE WHEN provider_id = '' THEN :provider_id ELSE provider_id END
WHERE id = :id AND state = :before
"""

# Of a lease whose rows nobody got to see: nothing of it has left.
_UNLEASE = """
UPDATE notice_delivery SET state = 'pending', lease = '' WHERE lease = :lease AND lease <> '' AND state = 'sending'
"""

_SENDING = f"""
SELECT {_COLUMNS} FROM notice_delivery WHERE lease <> '' AND channel = :channel AND provider IN (:provider, :other)
"""  # noqa: S608 - the columns are a constant
_ASKING = f"""
SELECT {_COLUMNS} FROM notice_delivery
WHERE channel = :channel AND asking = 1 AND provider IN (:provider, :other) ORDER BY id LIMIT :count
"""  # noqa: S608 - as above
_ONE = f"SELECT {_COLUMNS} FROM notice_delivery WHERE id IN (%s)"  # noqa: S608 - constant

_TEXT = """
SELECT t.subject, t.body, n.ordered_at, n.template FROM notice_words t
JOIN notice n ON n.notice = t.notice AND n.revision = t.revision
WHERE t.notice = :notice AND t.revision = :revision AND t.channel = :channel AND t.language = :language
"""

_KNOWN_IDS = "SELECT provider_id FROM notice_delivery WHERE address = :address AND channel = :channel AND provider_id <> ''"


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


class Words(Struct, frozen=True, kw_only=True):
    """A filled text of a notice, for one kind of contact in one language."""

    channel: str
    language: str
    body: str
    subject: str = ""
    # Of a short message: how many parts it takes on the air.
    parts: int = 1


class Attempted(Struct, frozen=True, kw_only=True):
    """An address to which something may have gone."""

    channel: str
    # "" where its key is lost.
    address: str
    person: PersonId
    language: str


class Leased(Struct, frozen=True, kw_only=True, gc=False):
    """A delivery whose attempt is written down, with what its channel needs."""

    delivery: Delivery
    subject: str
    body: str
    ordered_at: Instant
    superseded_by: str
    template: str = ""


class Waiting(Struct, frozen=True, kw_only=True):
    """A notice of which some deliveries are pending."""

    notice: NoticeId
    revision: int
    ordered_at: Instant
    superseded_by: str
    urgency: int


class DeliveryTables:
    """The rows behind every promise this room makes."""

    def __init__(self, *, database: Database, addresses: Addresses) -> None:
        self._database = database
        self.addresses = addresses

    async def migrate(self) -> None:
        """Create or bring up to date the tables; addresses that an older program left in clear are sealed."""
        await self._database.migrate(STEPS)
        await self._database.migrate(order_store.STEPS)
        await seal_clear(self._database, self.addresses)

    # -- planning

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
                _PLANNED, notice=notice, revision=revision, channel=channel, address=address, count=_PAGE
            )
            for channel, address, id_, person in rows:
                yield channel, address, DeliveryId(id_), PersonId(person)
            if len(rows) < _PAGE:
                return

    async def attempted(self, notice: NoticeId) -> AsyncIterator[Sequence[Attempted]]:
        """Everybody to whom something of this notice may have gone, whatever became of it."""
        revision, channel, address = 0, "", ""
        while True:
            rows = await self._database.read(
                _ATTEMPTED, notice=notice, revision=revision, channel=channel, address=address, count=_PAGE
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
            if len(rows) < _PAGE:
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
        """Stop what still waits of earlier revisions, of what it corrects, and of `templates` in the incident."""
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

    def add_rows(
        self,
        tx: Transaction,
        deliveries: Sequence[tuple[SQLValue, ...]],
        people: Sequence[tuple[SQLValue, ...]],
    ) -> None:
        """Keep the rows of a snapshot's batch, and those of its others; once is enough."""
        tx.rows(ADD_DELIVERY, self.addresses.rows(deliveries))
        tx.rows(ADD_PERSON, people)

    def add_many(
        self, deliveries: Sequence[tuple[SQLValue, ...]], people: Sequence[tuple[SQLValue, ...]]
    ) -> list[asyncio.Future[None]]:
        """As `add_rows`, in chunks behind whatever is urgent; each resolves once synced."""
        landed: list[asyncio.Future[None]] = []
        for sql, rows in ((ADD_DELIVERY, self.addresses.rows(deliveries)), (ADD_PERSON, people)):
            for start in range(0, len(rows), CHUNK):
                tx = Transaction()
                tx.rows(sql, rows[start : start + CHUNK])
                landed.append(self._database.submit(tx, priority=Priority.BULK))
        return landed

    # -- sending

    async def lease(
        self,
        *,
        waiting: Waiting,
        channel: str,
        provider: str,
        anything: bool,
        lease: str,
        now: Instant,
        horizon: Instant,
        count: int,
    ) -> list[Leased]:
        """Begin an attempt for at most `count` pending deliveries of a notice: written and synced before this returns.

        With `anything` false, only for those that were passed on to `provider` by name.
        """
        async with self._database.begin() as tx:
            tx.add(
                _LEASE_ANY if anything else _LEASE_PASSED,
                channel=channel,
                urgency=waiting.urgency,
                notice=waiting.notice,
                revision=waiting.revision,
                provider=provider,
                lease=lease,
                now=now,
                horizon=horizon,
                count=count,
            )
            tx.add(_BEGIN_ATTEMPTS, lease=lease)
        try:
            rows = await self._database.read(_LEASED, lease=lease)
        except StoreError:  # one read in trouble is no reason to give up a batch
            rows = await self._database.read(_LEASED, lease=lease)
        return [
            Leased(
                delivery=self._delivery(row[:_WIDTH]),
                subject=row[_WIDTH],
                body=row[_WIDTH + 1],
                ordered_at=Instant(row[_WIDTH + 2]),
                superseded_by=row[_WIDTH + 3],
                template=row[_WIDTH + 4],
            )
            for row in rows
        ]

    async def unlease(self, lease: str) -> None:
        """Pending again: all of a lease of which surely nothing was sent, whether or not it was ever written."""
        async with self._database.begin() as tx:
            tx.add(_UNLEASE, lease=lease)

    async def waiting(self, channel: str) -> list[Waiting]:
        """The notices of which this channel still has pending deliveries, in the order in which they are sent."""
        found: list[Waiting] = []
        urgency, notice, revision = -1, "", 0
        while len(found) < _MOST_WAITING:
            rows = await self._database.read(
                _NEXT_PENDING, channel=channel, urgency=urgency, notice=notice, revision=revision
            )
            if not rows:
                break
            notice, before, ordered_at, superseded_by, urgency = rows[0]
            found.append(
                Waiting(
                    notice=NoticeId(notice),
                    revision=before,
                    ordered_at=Instant(ordered_at),
                    superseded_by=superseded_by,
                    urgency=urgency,
                )
            )
            revision = before + 1
        return found

    async def pending_of(self, waiting: Waiting, *, channel: str, count: int) -> list[Delivery]:
        """Some of the pending deliveries of one notice."""
        rows = await self._database.read(
            _PENDING_OF,
            notice=waiting.notice,
            revision=waiting.revision,
            urgency=waiting.urgency,
            channel=channel,
            count=count,
        )
        return [self._delivery(row) for row in rows]

    async def counted(self, notice: NoticeId, revision: int) -> list[tuple[str, State, Load]]:
        """Channel, state, and how many: some thousand rows at a time, so that nobody waits for all of them."""
        found: Counter[tuple[str, str, bool]] = Counter()
        channel = address = ""
        while True:
            rows = await self._database.read(
                COUNTED,
                notice=notice,
                revision=revision,
                channel=channel,
                address=address,
                count=COUNTED_AT_ONCE,
            )
            for row in rows:
                found[row[0], row[1], False] += row[2]
                found[row[0], row[1], True] += row[3]
            if sum(row[2] for row in rows) < COUNTED_AT_ONCE:
                break
            channel, address = max((row[0], row[4]) for row in rows)
        return [
            (channel, State(state), Load(count, found[channel, state, True]))
            for (channel, state, of_parts), count in found.items()
            if not of_parts
        ]

    async def sending(self, channel: str, *, provider: str, first: bool) -> list[Delivery]:
        """What `provider` has begun and not ended; for the `first` of its row also what nobody's name stands at."""
        rows = await self._database.read(
            _SENDING, channel=channel, provider=provider, other="" if first else provider
        )
        return [self._delivery(row) for row in rows]

    async def asking(self, channel: str, *, provider: str, first: bool, count: int) -> list[Delivery]:
        """Some of the uncertain deliveries about which `provider` may still be asked; see `sending`."""
        rows = await self._database.read(
            _ASKING, channel=channel, provider=provider, other="" if first else provider, count=count
        )
        return [self._delivery(row) for row in rows]

    # -- settling

    async def of(self, ids: Sequence[DeliveryId]) -> dict[DeliveryId, Delivery]:
        """The deliveries with these ids, as far as there are any."""
        names = {f"id{n}": id_ for n, id_ in enumerate(ids)}
        if not names:
            return {}
        rows = await self._database.read(_ONE % ", ".join(f":{name}" for name in names), **names)
        return {DeliveryId(row[0]): self._delivery(row) for row in rows}

    def give_back(self, tx: Transaction, delivery: Delivery, *, due_at: Instant, passed_to: str = "") -> None:
        """The attempt surely came to nothing: pending again, from `due_at` on, perhaps for another provider."""
        tx.add(
            _RETURN,
            id=delivery.id,
            attempts=delivery.attempts,
            reason=delivery.reason,
            due_at=due_at,
            passed_to=passed_to,
        )

    def settle(self, tx: Transaction, before: Delivery, after: Delivery, *, asking: bool) -> None:
        """Keep the new state; does nothing if the row has moved on meanwhile."""
        # In the order in which `_SETTLE` first names them.
        tx.parts.append(
            Statement(
                _SETTLE,
                (
                    after.state,
                    after.reason,
                    int(asking),
                    after.provider_id,
                    after.id,
                    before.state,
                ),
            )
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
        return subject, body, Instant(ordered_at), template

    async def recipients(self, notice: NoticeId) -> list[tuple[PersonId, str, State, str]]:
        """Person, channel, state and reason of every delivery of the notice's latest revision."""
        rows = await self._database.read(
            "SELECT person, channel, state, reason FROM notice_delivery WHERE notice = :notice AND revision ="
            " (SELECT max(revision) FROM notice_delivery WHERE notice = :notice) ORDER BY person, channel",
            notice=notice,
        )
        return [(PersonId(row[0]), str(row[1]), State(row[2]), str(row[3])) for row in rows]

    async def mode(self, notice: NoticeId) -> Mode:
        """Whether the notice is real; ACTUAL when it is not known."""
        rows = await self._database.read("SELECT mode FROM notice WHERE notice = :notice", notice=notice)
        return Mode(rows[0][0]) if rows else Mode.ACTUAL

    async def urgency(self, notice: NoticeId, revision: int) -> int:
        """Whether somebody may be in danger (0), or it may wait (1)."""
        rows = await self._database.read(
            "SELECT urgency FROM notice WHERE notice = :notice AND revision = :revision",
            notice=notice,
            revision=revision,
        )
        return int(rows[0][0]) if rows else 0

    async def known_ids(self, delivery: Delivery) -> set[str]:
        """The provider's ids of all our messages to this address."""
        mark = self.addresses.mark(delivery.channel, delivery.address)
        rows = await self._database.read(_KNOWN_IDS, address=mark, channel=delivery.channel)
        return {row[0] for row in rows}

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
