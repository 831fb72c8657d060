"""The tables of what people answered and of the addresses that were stopped. Texts lie sealed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from belltower.clock import SECOND, Instant
from belltower.ids import DeliveryId, IncidentId, NoticeId, PersonId
from belltower.incident.facts import Reply
from belltower.people.vault import Unreadable, Vault
from belltower.store import Database, SQLValue, Step, Transaction
from notify.addresses import Addresses
from notify.stops import STOPPED, StopCovers, Stops, stop_marks

STEPS = (
    Step(
        room="notify.replies",
        number=1,
        sql="""
        CREATE TABLE notice_reply (
            id TEXT PRIMARY KEY, heard_at BIGINT NOT NULL, person TEXT NOT NULL, channel TEXT NOT NULL,
            reply TEXT NOT NULL, incident TEXT NOT NULL, notice TEXT NOT NULL, delivery TEXT NOT NULL, text BYTEA
        );
        CREATE INDEX notice_reply_notice ON notice_reply (notice, heard_at) WHERE notice <> '';
        CREATE INDEX notice_reply_help ON notice_reply (heard_at) WHERE reply = 'need_help';
        CREATE INDEX notice_reply_person ON notice_reply (person, heard_at);
        CREATE TABLE notice_stop (
            channel TEXT NOT NULL, mark BYTEA NOT NULL, person TEXT NOT NULL, stopped_at BIGINT NOT NULL,
            by_carrier BIGINT NOT NULL,
            PRIMARY KEY (channel, mark)
        );
        """,
    ),
    # The address lies sealed beside its mark, for a mark cannot be made anew without it.
    Step(
        room="notify.replies",
        number=2,
        sql="""
        ALTER TABLE notice_stop ADD COLUMN address BYTEA;
        ALTER TABLE notice_stop ADD COLUMN sealed_with TEXT NOT NULL DEFAULT '';
        """,
    ),
)
"""`notice_stop.person` is whose address it was when it stopped, "" for a number that nobody here had."""

STOPS = "notice_stop"

ANY = "SELECT (SELECT count(*) FROM notice_reply) + (SELECT count(*) FROM notice_stop)"
"""How much stands under the vault's keys: were they lost, nobody would know who wants no notices."""

_HOUR = 3_600 * SECOND
_URGENT_FOR = 2 * _HOUR
_ANSWERABLE_FOR = 7 * 24 * _HOUR

# By the newest notices, for their ids sort by time: an address has one row in each of them. In clear: what an older
# program left, until it is sealed.
_ANSWERED = """
SELECT d.id, d.notice, d.incident, d.person, n.urgency
FROM (SELECT notice, revision, urgency, ordered_at FROM notice ORDER BY notice DESC LIMIT 200) n
JOIN notice_delivery d ON d.notice = n.notice AND d.revision = n.revision AND d.channel = :channel
    AND d.address IN (:mark, :clear)
WHERE n.ordered_at > :since AND d.attempts > 0
ORDER BY CASE WHEN n.urgency = 0 AND n.ordered_at > :urgent_since THEN 0 ELSE 1 END, n.ordered_at DESC, n.notice DESC
LIMIT 1
"""

_DELIVERY = """
SELECT d.id, d.notice, d.incident, d.person, n.urgency, d.channel FROM notice_delivery d
JOIN notice n ON n.notice = d.notice AND n.revision = d.revision WHERE d.id = :delivery
"""

_ADD = """
INSERT INTO notice_reply (id, heard_at, person, channel, reply, incident, notice, delivery, text)
VALUES (:id, :heard_at, :person, :channel, :reply, :incident, :notice, :delivery, :text) ON CONFLICT DO NOTHING
"""

_ACKNOWLEDGE = """
UPDATE notice_delivery SET acknowledged_at = :at WHERE id = :delivery AND acknowledged_at = 0
"""

_STOP = """
INSERT INTO notice_stop (channel, mark, person, stopped_at, by_carrier, address, sealed_with)
VALUES (:channel, :mark, :person, :at, :by_carrier, :address, :sealed_with) ON CONFLICT DO NOTHING
"""
_START = "DELETE FROM notice_stop WHERE channel = :channel AND mark = :mark"

# Those that an older program kept by their marks alone.
_BARE = "SELECT channel, mark FROM notice_stop WHERE sealed_with = ''"
_SENT_TO = """
SELECT id, channel, sealed FROM notice_delivery WHERE id > :after AND sealed IS NOT NULL ORDER BY id LIMIT :count
"""
_FOUND = """
UPDATE notice_stop SET mark = :now, address = :address, sealed_with = :sealed_with
WHERE channel = :channel AND mark = :mark AND sealed_with = ''
"""
_AT_ONCE = 500

# Of the newest notices, for an address has one row in each of them. What is being sent may return, and what came too late
# may be sent on a person's word.
_WAITING = """
SELECT d.id FROM (SELECT notice, revision FROM notice ORDER BY notice DESC LIMIT 1000) n
JOIN notice_delivery d ON d.notice = n.notice AND d.revision = n.revision AND d.channel = :channel
    AND d.address IN (:mark, :clear)
WHERE d.state IN ('pending', 'sending') OR (d.state = 'refused' AND d.reason = 'too_late')
"""

_STOP_WAITING = f"""
UPDATE notice_delivery SET urgency = {STOPPED} WHERE id IN ({_WAITING}) AND urgency BETWEEN :covered AND 1
"""  # noqa: S608 - constants

_START_WAITING = f"""
UPDATE notice_delivery SET urgency = (
    SELECT urgency FROM notice n WHERE n.notice = notice_delivery.notice AND n.revision = notice_delivery.revision)
WHERE id IN ({_WAITING}) AND urgency = {STOPPED}
"""  # noqa: S608 - constants

_OF = """
SELECT id, heard_at, person, channel, reply, incident, notice, text FROM notice_reply
WHERE notice = :notice AND notice <> '' ORDER BY heard_at DESC, id DESC LIMIT :count
"""

# The last thing that each person said of themselves.
_HELP = """
SELECT r.id, r.heard_at, r.person, r.channel, r.reply, r.incident, r.notice, r.text FROM notice_reply r
WHERE r.reply = 'need_help' AND r.heard_at > :since AND NOT EXISTS (
    SELECT 1 FROM notice_reply l WHERE l.person = r.person AND l.reply IN ('safe', 'need_help')
        AND (l.heard_at > r.heard_at OR (l.heard_at = r.heard_at AND l.id > r.id)))
ORDER BY r.heard_at DESC, r.id DESC LIMIT :count
"""


class Answered(Struct, frozen=True, kw_only=True):
    """The delivery that somebody most likely answers."""

    delivery: DeliveryId
    notice: NoticeId
    incident: IncidentId
    person: PersonId
    # Somebody may be in danger, by what was sent.
    urgent: bool
    channel: str


class KeptReply(Struct, frozen=True, kw_only=True):
    """An answer, with what was written."""

    id: str
    heard_at: Instant
    person: PersonId
    channel: str
    reply: Reply
    incident: IncidentId
    notice: NoticeId
    # None: it is sealed with a key that is not there.
    text: str | None


class Stopped(Struct, frozen=True, kw_only=True):
    """An address that wants no notices. Which one it is, only its owner's contacts tell."""

    channel: str
    person: PersonId
    stopped_at: Instant
    # A carrier refused it, and says so itself.
    by_carrier: bool


class ReplyTables:
    """Who answered what, and who wants nothing."""

    def __init__(self, *, database: Database, vault: Vault, covers: StopCovers = "routine") -> None:
        self._database = database
        self._vault = vault
        self._covers = covers
        self._addresses = Addresses(vault=vault)

    async def migrate(self) -> None:
        """Create or bring up to date the tables."""
        await self._database.migrate(STEPS)

    # -- answers

    async def answered(self, channel: str, address: str, *, now: Instant) -> Answered | None:
        """What an answer from `address` is about: the newest urgent notice of late, else the newest of a week."""
        for mark in self._addresses.marks(channel, address):
            rows = await self._database.read(
                _ANSWERED,
                channel=channel,
                mark=mark,
                clear=address,
                since=now - _ANSWERABLE_FOR,
                urgent_since=now - _URGENT_FOR,
            )
            if rows:
                return _answered(rows[0], channel)
        return None

    async def delivery(self, delivery: DeliveryId) -> Answered | None:
        """The delivery with this id."""
        rows = await self._database.read(_DELIVERY, delivery=delivery)
        return _answered(rows[0], str(rows[0][5])) if rows else None

    def add(
        self,
        tx: Transaction,
        id_: str,
        answered: Answered | None,
        channel: str,
        reply: Reply,
        text: str,
        at: Instant,
    ) -> None:
        """Keep an answer; a `Conflict` where it was kept before."""
        sealed = self._vault.seal("notice_reply", id_, "text", text.encode()) if text else None
        tx.add(
            _ADD,
            expect=1,
            id=id_,
            heard_at=at,
            person=answered.person if answered else "",
            channel=channel,
            reply=reply.value,
            incident=answered.incident if answered else "",
            notice=answered.notice if answered else "",
            delivery=answered.delivery if answered else "",
            text=sealed,
        )

    def acknowledge(self, tx: Transaction, delivery: DeliveryId, at: Instant) -> None:
        """A human has heard what this delivery says; the first time counts."""
        tx.add(_ACKNOWLEDGE, delivery=delivery, at=at)

    def name_of(self, provider: str, message: str) -> str:
        """The id under which a provider's message is kept, the same each time it comes."""
        return "rpl_" + self._vault.name("reply", f"{provider}\0{message}").hex()

    async def replies(self, notice: NoticeId, *, count: int = 1_000) -> Sequence[KeptReply]:
        """The newest answers to the notice, the newest first."""
        return [self._kept(row) for row in await self._database.read(_OF, notice=notice, count=count)]

    async def asking_for_help(self, *, since: Instant, count: int = 200) -> Sequence[KeptReply]:
        """Who asked for help and has not said since that they are safe, of all notices, the newest first."""
        return [self._kept(row) for row in await self._database.read(_HELP, since=since, count=count)]

    def _kept(self, row: Sequence[object]) -> KeptReply:
        id_, heard_at, person, channel, reply, incident, notice, sealed = row
        return KeptReply(
            id=str(id_),
            heard_at=Instant(int(str(heard_at))),
            person=PersonId(str(person)),
            channel=str(channel),
            reply=Reply(str(reply)),
            incident=IncidentId(str(incident)),
            notice=NoticeId(str(notice)),
            text=self._opened(str(id_), sealed),
        )

    def _opened(self, id_: str, sealed: object) -> str | None:
        if sealed is None:
            return ""
        assert isinstance(sealed, bytes)  # noqa: S101 - the column's type
        try:
            return self._vault.open("notice_reply", id_, "text", sealed).decode()
        except Unreadable:
            return None

    # -- stops

    def stop(
        self,
        tx: Transaction,
        channel: str,
        address: str,
        *,
        person: str,
        at: Instant,
        by_carrier: bool = False,
    ) -> None:
        """Nothing that a stop covers is planned for this address from now on, and nothing that waits is sent."""
        mark, *before = stop_marks(self._vault, channel, address)
        for one in before:
            tx.add(_START, channel=channel, mark=one)
        tx.add(
            _STOP,
            channel=channel,
            mark=mark,
            person=person,
            at=at,
            by_carrier=int(by_carrier),
            address=self._sealed(channel, mark, address),
            sealed_with=self._vault.current,
        )
        covered = int(self._covers == "routine")
        for to in self._addresses.marks(channel, address):
            tx.add(_STOP_WAITING, channel=channel, mark=to, clear=address, covered=covered)

    def start(self, tx: Transaction, channel: str, address: str) -> None:
        """The address is as any other again."""
        for mark in stop_marks(self._vault, channel, address):
            tx.add(_START, channel=channel, mark=mark)
        for to in self._addresses.marks(channel, address):
            tx.add(_START_WAITING, channel=channel, mark=to, clear=address)

    async def is_stopped(self, channel: str, address: str) -> bool:
        """Whether the address is stopped."""
        asked = "SELECT 1 FROM notice_stop WHERE channel = :channel AND mark = :mark"
        for mark in stop_marks(self._vault, channel, address):
            if await self._database.read(asked, channel=channel, mark=mark):
                return True
        return False

    async def stops(self) -> Stops:
        """All stopped addresses, as a plan asks for them."""
        rows = await self._database.read("SELECT mark FROM notice_stop")
        self._vault.refresh()
        return Stops(
            marks=frozenset(bytes(row[0]) for row in rows),
            found_by=partial(stop_marks, self._vault.pinned()),
            covers=self._covers,
        )

    async def stopped(self) -> Sequence[Stopped]:
        """Every stopped address, whose it was and since when."""
        rows = await self._database.read(
            "SELECT channel, person, stopped_at, by_carrier FROM notice_stop ORDER BY stopped_at, channel, mark"
        )
        return [
            Stopped(
                channel=str(row[0]),
                person=PersonId(row[1]),
                stopped_at=Instant(row[2]),
                by_carrier=bool(row[3]),
            )
            for row in rows
        ]

    async def complete(self) -> int:
        """Seal the addresses beside the marks that an older program kept alone; how many nothing was ever sent to.

        Some rows at a time, each time a commit. Raises `StoreError`.
        """
        bare = {(str(channel), bytes(mark)) for channel, mark in await self._database.read(_BARE)}
        after = ""
        while bare and (rows := await self._database.read(_SENT_TO, after=after, count=_AT_ONCE)):
            after = rows[-1][0]
            tx = Transaction()
            for delivery, channel, sealed in rows:
                address = self._addresses.open(delivery, sealed)
                marks = stop_marks(self._vault, channel, address)
                for mark in marks:
                    if (channel, mark) in bare:
                        bare.remove((channel, mark))
                        tx.add(
                            _FOUND,
                            channel=channel,
                            mark=mark,
                            now=marks[0],
                            address=self._sealed(channel, marks[0], address),
                            sealed_with=self._vault.current,
                        )
            if tx.parts:
                await self._database.submit(tx)
        return len(bare)

    def _sealed(self, channel: str, mark: bytes, address: str) -> bytes:
        return self._vault.seal(STOPS, f"{channel}|{mark.hex()}", "address", address.encode())


def marks(vault: Vault, row: Mapping[str, Any]) -> Mapping[str, SQLValue]:
    """The mark of a stopped address's row, made anew of the address that lies sealed in it."""
    place = f"{row['channel']}|{bytes(row['mark']).hex()}"
    address = vault.open(STOPS, place, "address", bytes(row["address"])).decode()
    return {"mark": stop_marks(vault, row["channel"], address)[0]}


def _answered(row: Sequence[object], channel: str) -> Answered:
    delivery, notice, incident, person, urgency = row[:5]
    return Answered(
        delivery=DeliveryId(str(delivery)),
        notice=NoticeId(str(notice)),
        incident=IncidentId(str(incident)),
        person=PersonId(str(person)),
        urgent=urgency == 0,
        channel=channel,
    )
