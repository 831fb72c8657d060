"""Deliveries are sent: leased in the order of what is in danger, each attempt written down before it begins."""

from __future__ import annotations

from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import NoticeId
from notify.delivery import Delivery, State
from notify.delivery_rows import COLUMNS, Rows
from notify.overtaking import OVERTAKEN
from notify.quiet import LOUD

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
RETURNING id, sealed, incident, person, reason, provider_id, attempts, language, parts
"""

_LEASE_ANY = _LEASE % "AND (passed = 0 OR provider = :provider)"

_LEASE_PASSED = _LEASE % "AND passed = 1 AND provider = :provider"

_TEXTS = """
SELECT t.language, t.subject, t.body, n.template FROM notice_words t
JOIN notice n ON n.notice = t.notice AND n.revision = t.revision
WHERE t.notice = :notice AND t.revision = :revision AND t.channel = :channel
"""

# The next notice, from this very revision on, of which something is pending: one step in the index, however many rows
# it has. Asked with `>`, SQLite would walk through all that are equal.
_NEXT_PENDING = f"""
SELECT n.notice, n.revision, CASE WHEN n.released_at > n.ordered_at THEN n.released_at ELSE n.ordered_at END,
    CASE WHEN d.urgency = {OVERTAKEN} THEN n.overtaken_by ELSE n.superseded_by END, d.urgency, n.overtaken_by <> '',
    CASE WHEN n.released_at > 0 THEN 0 ELSE n.quiet_until END
FROM (
    SELECT urgency, notice, revision FROM notice_delivery
    WHERE channel = :channel AND state = 'pending' AND (urgency, notice, revision) >= (:urgency, :notice, :revision)
    ORDER BY urgency, notice, revision LIMIT 1
) AS d JOIN notice n ON n.notice = d.notice AND n.revision = d.revision
"""  # noqa: S608 - a constant

_MOST_WAITING = 1_000

_PENDING_OF = f"""
SELECT {COLUMNS} FROM notice_delivery WHERE channel = :channel AND state = 'pending' AND urgency = :urgency
    AND notice = :notice AND revision = :revision ORDER BY id LIMIT :count
"""  # noqa: S608 - the columns are a constant

# Of a lease whose rows nobody got to see: nothing of it has left.
_UNLEASE = """
UPDATE notice_delivery SET state = 'pending', lease = '' WHERE lease = :lease AND lease <> '' AND state = 'sending'
"""

_SENDING = f"""
SELECT {COLUMNS} FROM notice_delivery WHERE lease <> '' AND channel = :channel AND provider IN (:provider, :other)
"""  # noqa: S608 - the columns are a constant

_ASKING = f"""
SELECT {COLUMNS} FROM notice_delivery
WHERE channel = :channel AND asking = 1 AND provider IN (:provider, :other) ORDER BY id LIMIT :count
"""  # noqa: S608 - as above


class Text(Struct, frozen=True, kw_only=True, gc=False):
    """What a notice says by one kind of contact in one language. Once kept, it never changes."""

    subject: str
    body: str
    # Of its notice.
    template: str


class Waiting(Struct, frozen=True, kw_only=True):
    """A notice of which some deliveries are pending."""

    notice: NoticeId
    revision: int
    # Or when it was released, where it had come too late; or when the quiet hours end in which it waits.
    ordered_at: Instant
    # Until when it waits, in quiet hours; 0: it does not.
    quiet_until: Instant
    superseded_by: str
    urgency: int
    # A later one takes its place at some of its addresses, and is sent before it.
    overtaken: bool


class Leasing(Rows):
    """What a sender takes, and what it finds begun."""

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
    ) -> list[Delivery]:
        """Begin an attempt for at most `count` pending deliveries of a notice: written and synced before this returns.

        With `anything` false, only for those that were passed on to `provider` by name.
        """
        async with self._database.begin() as tx:
            tx.shares = True
            rows = tx.ask(
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
        rows.sort()
        addresses = self.addresses.open_all((row[0], row[1]) for row in rows)
        return [
            Delivery(
                id=id_,
                notice=waiting.notice,
                revision=waiting.revision,
                incident=incident,
                person=person,
                channel=channel,
                address=address,
                state=State.SENDING,
                reason=reason,
                provider_id=provider_id,
                attempts=attempts,
                begun_at=now,
                language=language,
                parts=parts,
            )
            for address, (id_, _, incident, person, reason, provider_id, attempts, language, parts) in zip(
                addresses, rows, strict=True
            )
        ]

    async def texts(self, waiting: Waiting, *, channel: str) -> dict[str, Text]:
        """What the notice says, by language."""
        rows = await self._database.read(
            _TEXTS, notice=waiting.notice, revision=waiting.revision, channel=channel
        )
        return {
            language: Text(subject=subject, body=body, template=template)
            for language, subject, body, template in rows
        }

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
            notice, before, ordered_at, superseded_by, urgency, overtaken, quiet = rows[0]
            quiet_until = Instant(quiet if channel in LOUD else 0)
            found.append(
                Waiting(
                    notice=NoticeId(notice),
                    revision=before,
                    ordered_at=max(Instant(ordered_at), quiet_until),
                    quiet_until=quiet_until,
                    superseded_by=superseded_by,
                    urgency=urgency,
                    overtaken=bool(overtaken),
                )
            )
            revision = before + 1
        found.sort(key=lambda one: (one.urgency, one.overtaken))
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
