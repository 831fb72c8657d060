"""The tables of drafts: notices that somebody writes, and who let them go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from belltower.ids import IncidentId, NoticeId
from belltower.store import Database, Step, Transaction
from notify.draft import Draft, DraftState
from notify.order_store import orders_of
from notify.wording import for_families

STEPS = (
    Step(
        room="notify.drafts",
        number=1,
        sql="""
        CREATE TABLE notice_draft (
            id TEXT PRIMARY KEY, made_at BIGINT NOT NULL, state TEXT NOT NULL, alone TEXT NOT NULL,
            body TEXT NOT NULL
        );
        CREATE INDEX notice_draft_state ON notice_draft (state, made_at);
        CREATE INDEX notice_ordered ON notice (ordered_at);
        """,
    ),
)

_ADD = """
INSERT INTO notice_draft (id, made_at, state, alone, body) VALUES (:id, :made_at, :state, :alone, :body)
ON CONFLICT DO NOTHING
"""
_MOVE = """
UPDATE notice_draft SET state = :state, alone = :alone, body = :body WHERE id = :id AND state = :before
"""
_OPEN = """
SELECT body FROM notice_draft WHERE state IN ('open', 'waiting') ORDER BY state DESC, made_at DESC LIMIT :limit
"""


class DraftTables:
    """Drafts as rows."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def migrate(self) -> None:
        """Create or bring up to date the tables; those of deliveries must be there."""
        await self._database.migrate(STEPS)

    async def get(self, draft: NoticeId) -> Draft | None:
        """The draft; None: there is none."""
        rows = await self._database.read("SELECT body FROM notice_draft WHERE id = :id", id=draft)
        return _draft(rows[0]) if rows else None

    async def told_cause(self, incident: IncidentId) -> str:
        """The cause that families were told last of this incident; "" where they were told none."""
        told = (kept.order for kept in reversed(await orders_of(self._database, incident)))
        return next((order.slots.get("cause", "") for order in told if for_families(order.template)), "")

    async def open(self, limit: int) -> list[Draft]:
        """What is not sent yet: what waits for a second person first, then the newest."""
        return [_draft(row) for row in await self._database.read(_OPEN, limit=limit)]

    async def sent(self, notices: Sequence[NoticeId]) -> dict[NoticeId, Draft]:
        """The drafts behind these notices, as far as somebody wrote them."""
        names = {f"id{n}": notice for n, notice in enumerate(notices)}
        if not names:
            return {}
        marks = ", ".join(f":{name}" for name in names)
        sql = f"SELECT body FROM notice_draft WHERE id IN ({marks})"  # noqa: S608 - names of parameters
        drafts = [_draft(row) for row in await self._database.read(sql, **names)]
        return {draft.id: draft for draft in drafts}

    def add(self, tx: Transaction, draft: Draft) -> None:
        """Keep a new draft; once is enough."""
        tx.add(
            _ADD,
            id=draft.id,
            made_at=draft.made_at,
            state=draft.state.value,
            alone=draft.alone,
            body=_body(draft),
        )

    def move(self, tx: Transaction, draft: Draft, *, before: DraftState) -> None:
        """Keep what the draft has become; `Conflict` where it is not in the state `before` any more."""
        tx.add(
            _MOVE,
            expect=1,
            id=draft.id,
            state=draft.state.value,
            alone=draft.alone,
            body=_body(draft),
            before=before.value,
        )


def _body(draft: Draft) -> str:
    return msgspec.json.encode(draft).decode()


def _draft(row: Sequence[Any]) -> Draft:
    return msgspec.json.decode(row[0], type=Draft)
