"""The tables of channel tests: what came of each provider's last one, what was asked for from outside the lane, and which do not go out."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from belltower.clock import SECOND, Instant
from belltower.ids import DeliveryId, NoticeId, PersonId, VerbId
from belltower.store import Database, SQLValue, Step, Transaction
from notify.delivery import State

# A test's rule names nobody else: what a person writes with the same text is no test of a channel.
_OF_TESTS = """notice IN (SELECT notice FROM notice_rule WHERE rule LIKE '%"channel-test"%')"""

STEPS = (
    Step(
        room="notify.proofs",
        number=1,
        sql="""
        CREATE TABLE notice_proof (
            provider TEXT PRIMARY KEY, verb TEXT NOT NULL, notice TEXT NOT NULL, delivery TEXT NOT NULL,
            by_person TEXT NOT NULL, tested_at BIGINT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL,
            ended_at BIGINT NOT NULL, code TEXT NOT NULL, tries BIGINT NOT NULL, heard_at BIGINT NOT NULL,
            proven_at BIGINT NOT NULL, proven_by TEXT NOT NULL
        );
        CREATE TABLE notice_proof_order (
            verb TEXT PRIMARY KEY, asked_at BIGINT NOT NULL, provider TEXT NOT NULL, code TEXT NOT NULL,
            by_person TEXT NOT NULL, answer TEXT NOT NULL
        );
        """,
    ),
    # From now on the code of a test stands as its mark: a test in clear is sent again.
    Step(
        room="notify.proofs",
        number=2,
        sql="UPDATE notice_proof SET code = ''; UPDATE notice_proof_order SET code = '' WHERE answer <> ''",
    ),
    # The texts of earlier tests have their codes in clear: what has not left of them never will, and they are not kept.
    Step(
        room="notify.proofs",
        number=3,
        sql=f"""
        UPDATE notice_proof SET code = '';
        UPDATE notice SET superseded_by = notice WHERE {_OF_TESTS} AND superseded_by = '' AND EXISTS (
            SELECT 1 FROM notice_delivery d WHERE d.notice = notice.notice AND d.state = 'pending');
        UPDATE notice_words SET body = '' WHERE {_OF_TESTS};
        """,  # noqa: S608 - a constant
    ),
    # Those of calls had them in clear for longer.
    Step(
        room="notify.proofs",
        number=4,
        sql=f"""
        UPDATE notice_proof SET code = '' WHERE delivery IN (
            SELECT id FROM notice_delivery WHERE channel = 'voice');
        UPDATE notice SET superseded_by = notice WHERE {_OF_TESTS} AND superseded_by = '' AND EXISTS (
            SELECT 1 FROM notice_delivery d
            WHERE d.notice = notice.notice AND d.state = 'pending' AND d.channel = 'voice');
        UPDATE notice_words SET body = '' WHERE channel = 'voice' AND {_OF_TESTS};
        """,  # noqa: S608 - a constant
    ),
    Step(
        room="notify.proofs",
        number=5,
        sql="CREATE TABLE notice_outage (provider TEXT PRIMARY KEY, since BIGINT NOT NULL, reason TEXT NOT NULL)",
    ),
)

TEMPLATE = "test"
"""What a test says."""

PROVEN_FOR = 31 * 86_400 * SECOND
"""How long a proof counts."""

_COLUMNS = (
    "provider, verb, notice, delivery, by_person, tested_at, outcome, detail, ended_at, code, tries, heard_at,"
    " proven_at, proven_by"
)
_ALL = f"SELECT {_COLUMNS} FROM notice_proof ORDER BY provider"  # noqa: S608 - the columns are a constant
_KEEP = f"""
INSERT INTO notice_proof ({_COLUMNS})
VALUES (:provider, :verb, :notice, :delivery, :by, :tested_at, :outcome, :detail, :ended_at, :code, :tries, :heard_at,
    :proven_at, :proven_by)
ON CONFLICT (provider) DO UPDATE SET verb = excluded.verb, notice = excluded.notice, delivery = excluded.delivery,
    by_person = excluded.by_person, tested_at = excluded.tested_at, outcome = excluded.outcome,
    detail = excluded.detail, ended_at = excluded.ended_at, code = excluded.code, tries = excluded.tries,
    heard_at = excluded.heard_at, proven_at = excluded.proven_at, proven_by = excluded.proven_by
"""  # noqa: S608 - as above
_HEARD = (
    "UPDATE notice_proof SET tries = :tries, heard_at = :heard_at WHERE provider = :provider AND verb = :verb"
)
_JUDGED = """
UPDATE notice_proof SET outcome = :outcome, detail = :detail, ended_at = :ended_at, proven_at = :proven_at,
    proven_by = :proven_by
WHERE provider = :provider AND verb = :verb AND heard_at = :heard_at
"""
_PIN = "UPDATE notice_delivery SET passed = 1, provider = :provider WHERE id = :id AND state = 'pending'"
_SEEN = "SELECT state, reason, provider, acknowledged_at FROM notice_delivery WHERE id = :id"
_ASK = """
INSERT INTO notice_proof_order (verb, asked_at, provider, code, by_person, answer)
VALUES (:verb, :at, :provider, :code, :by, '') ON CONFLICT DO NOTHING
"""
_ASKED = """
SELECT verb, asked_at, provider, code, by_person FROM notice_proof_order WHERE answer = '' ORDER BY asked_at LIMIT 20
"""
_ANSWER = "UPDATE notice_proof_order SET answer = :answer, code = '' WHERE verb = :verb"
_OUTAGES = "SELECT provider, since, reason FROM notice_outage ORDER BY provider"
_OUT = """
INSERT INTO notice_outage (provider, since, reason) VALUES (:provider, :since, :reason)
ON CONFLICT (provider) DO UPDATE SET reason = excluded.reason
"""
_BACK = "DELETE FROM notice_outage WHERE provider = :provider"
_FORGET = "DELETE FROM notice_proof_order WHERE asked_at < :before"


class Proven(StrEnum):
    """What came of a test."""

    WAITING = "waiting"
    # A receipt from outside says that it arrived.
    PROVEN = "proven"
    # The provider took it, and nothing says that it arrived.
    ACCEPTED = "accepted"
    # Nobody knows.
    UNKNOWN = "unknown"
    REFUSED = "refused"
    # It arrived at a simulator, or at a display of our own, which proves nothing.
    SIMULATED = "simulated"


class Proof(Struct, frozen=True, kw_only=True):
    """A provider's last test, and when it was last proven."""

    provider: str
    verb: VerbId
    notice: NoticeId
    delivery: DeliveryId
    by: PersonId | None
    tested_at: Instant
    outcome: Proven = Proven.WAITING
    # Of the outcome: a reason, or what said that it arrived.
    detail: str = ""
    # When the outcome was last another one; 0: it has none yet.
    ended_at: Instant = Instant(0)
    # Mark of what stands in the message, and is given back by whoever has read it: nobody else knows it.
    code: str = ""
    # How often a wrong one was given.
    tries: int = 0
    heard_at: Instant = Instant(0)
    # The last time that it was proven by any test; 0: never.
    proven_at: Instant = Instant(0)
    proven_by: str = ""


class Asked(Struct, frozen=True, kw_only=True):
    """Somebody wants something of a running desk. With a `code` it is a receipt, else a test."""

    verb: VerbId
    at: Instant
    # "": of all.
    provider: str = ""
    code: str = ""
    by: PersonId | None = None


class Seen(Struct, frozen=True, kw_only=True):
    """How a test's delivery stands."""

    state: State
    reason: str
    provider: str
    acknowledged: bool


class Outage(Struct, frozen=True, kw_only=True):
    """Why nothing goes out by a provider, and since when."""

    since: Instant
    reason: str


class ProofTables:
    """The rows."""

    def __init__(self, *, database: Database) -> None:
        self.database = database

    async def migrate(self) -> None:
        """Create or bring up to date the tables; those of deliveries must be there."""
        await self.database.migrate(STEPS)

    async def all(self) -> dict[str, Proof]:
        """Every provider that was ever tested."""
        return {row[0]: _proof(row) for row in await self.database.read(_ALL)}

    def keep(self, tx: Transaction, proof: Proof) -> None:
        """Keep what is known of the provider now."""
        tx.add(
            _KEEP,
            provider=proof.provider,
            verb=proof.verb,
            notice=proof.notice,
            delivery=proof.delivery,
            by=proof.by or "",
            tested_at=proof.tested_at,
            outcome=proof.outcome.value,
            detail=proof.detail,
            ended_at=proof.ended_at,
            code=proof.code,
            tries=proof.tries,
            heard_at=proof.heard_at,
            proven_at=proof.proven_at,
            proven_by=proof.proven_by,
        )

    def heard(self, tx: Transaction, proof: Proof) -> None:
        """Keep that its code was given back, or how often a wrong one was."""
        tx.add(
            _HEARD,
            expect=1,
            provider=proof.provider,
            verb=proof.verb,
            tries=proof.tries,
            heard_at=proof.heard_at,
        )

    def judged(self, tx: Transaction, proof: Proof) -> None:
        """Keep what came of it; a `Conflict` where another test has begun, or its code was given back meanwhile."""
        tx.add(
            _JUDGED,
            expect=1,
            provider=proof.provider,
            verb=proof.verb,
            heard_at=proof.heard_at,
            outcome=proof.outcome.value,
            detail=proof.detail,
            ended_at=proof.ended_at,
            proven_at=proof.proven_at,
            proven_by=proof.proven_by,
        )

    async def outages(self) -> dict[str, Outage]:
        """The providers by which nothing goes out, as the lane that holds the desk last saw them."""
        return {
            row[0]: Outage(since=Instant(row[1]), reason=row[2]) for row in await self.database.read(_OUTAGES)
        }

    def outage(self, tx: Transaction, provider: str, reason: str, *, since: Instant) -> None:
        """Keep why nothing goes out by this provider since then, or since before; "": it goes out again."""
        if reason:
            tx.add(_OUT, provider=provider, since=since, reason=reason)
        else:
            tx.add(_BACK, provider=provider)

    def pin(self, tx: Transaction, delivery: SQLValue, provider: str) -> None:
        """Let nobody but this provider send it."""
        tx.add(_PIN, id=delivery, provider=provider)

    async def seen(self, delivery: DeliveryId) -> Seen | None:
        """How the delivery stands; None: it is gone."""
        rows = await self.database.read(_SEEN, id=delivery)
        if not rows:
            return None
        state, reason, provider, acknowledged_at = rows[0]
        return Seen(state=State(state), reason=reason, provider=provider, acknowledged=bool(acknowledged_at))

    def ask(self, tx: Transaction, asked: Asked) -> None:
        """Want something of the lane that holds the desk."""
        tx.add(
            _ASK,
            verb=asked.verb,
            at=asked.at,
            provider=asked.provider,
            code=asked.code,
            by=asked.by or "",
        )

    async def asked(self) -> list[Asked]:
        """What nobody has answered yet."""
        return [
            Asked(
                verb=VerbId(row[0]),
                at=Instant(row[1]),
                provider=row[2],
                code=row[3],
                by=PersonId(row[4]) if row[4] else None,
            )
            for row in await self.database.read(_ASKED)
        ]

    def answer(self, tx: Transaction, asked: Asked, answer: str, *, before: Instant) -> None:
        """Say what came of it, and forget what was asked long ago."""
        tx.add(_ANSWER, verb=asked.verb, answer=answer)
        tx.add(_FORGET, before=before)

    async def answer_to(self, verb: VerbId) -> str:
        """What the lane says of it; "": nothing yet."""
        rows = await self.database.read("SELECT answer FROM notice_proof_order WHERE verb = :verb", verb=verb)
        return str(rows[0][0]) if rows else ""


def _proof(row: Sequence[Any]) -> Proof:
    return Proof(
        provider=row[0],
        verb=VerbId(row[1]),
        notice=NoticeId(row[2]),
        delivery=DeliveryId(row[3]),
        by=PersonId(row[4]) if row[4] else None,
        tested_at=Instant(row[5]),
        outcome=Proven(row[6]),
        detail=row[7],
        ended_at=Instant(row[8]),
        code=row[9],
        tries=row[10],
        heard_at=Instant(row[11]),
        proven_at=Instant(row[12]),
        proven_by=row[13],
    )
