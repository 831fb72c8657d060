"""Proof that a stream is as it was written, or the first place where it is not."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from belltower.errors import StoreError
from belltower.ids import StreamName
from belltower.journal.chain import GENESIS, entry_hash
from belltower.journal.checkpoint import note, signed
from belltower.journal.copy import source_of
from belltower.journal.tables import CHECKPOINTS, COUNT, PAGE, STREAMS
from belltower.store import Database, Progress

_PAGE_ROWS = 1_000


class Verdict(Struct, frozen=True, kw_only=True):
    """What `verify` found."""

    stream: StreamName
    entries: int
    """How many entries, from the first, are as they were written."""
    checkpoints: int
    """How many signed checkpoints agree with them."""
    first_bad: int | None = None
    """The first position altered, missing or out of order."""
    reason: str = ""
    bad_checkpoint: int | None = None
    """The first checkpoint that is not signed by the key."""

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return self.first_bad is None and self.bad_checkpoint is None


class _Unsound(Exception):
    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason


async def streams(database: Database) -> list[StreamName]:
    """The streams that have entries."""
    return [StreamName(name) for (name,) in await database.read(STREAMS)]


async def verify(
    database: Database,
    stream: StreamName,
    public_key: Ed25519PublicKey | None = None,
    *,
    progress: Progress | None = None,
) -> Verdict:
    """Recompute the chain of `stream` from the first entry on and compare it with each signed checkpoint.

    Stops at the first entry that is not as it was written. Without a key, signatures are not looked at.
    """
    return await _Verification(database=database, stream=stream, key=public_key, progress=progress).run()


class _Verification:
    def __init__(
        self,
        *,
        database: Database,
        stream: StreamName,
        key: Ed25519PublicKey | None,
        progress: Progress | None,
    ) -> None:
        self._database = database
        self._stream = stream
        self._key = key
        self._progress = progress
        self._position = 0
        self._digest = GENESIS
        self._agreed = 0
        self._agreed_at = 0
        self._looked_at = 0
        self._forged: int | None = None

    async def run(self) -> Verdict:
        first_bad: int | None = None
        reason = ""
        try:
            total = int((await self._database.read(COUNT, stream=self._stream))[0][0])
            limit = _PAGE_ROWS
            while True:
                try:
                    if not await self._page(total, limit):
                        break
                except StoreError:
                    if limit == 1:
                        raise
                    limit = 1  # somewhere in this page: go on row by row
        except _Unsound as found:
            first_bad, reason = found.position, found.reason
        except StoreError as error:
            first_bad, reason = self._position + 1, f"the row cannot be read: {error}"
        return Verdict(
            stream=self._stream,
            entries=self._position if first_bad is None else first_bad - 1,
            checkpoints=self._agreed,
            first_bad=first_bad,
            reason=reason,
            bad_checkpoint=self._forged,
        )

    async def _page(self, total: int, limit: int) -> bool:
        rows = await self._database.read(PAGE, stream=self._stream, after=self._position, limit=limit)
        checkpoints = await self._database.read(
            CHECKPOINTS, stream=self._stream, after=self._looked_at, limit=_PAGE_ROWS
        )
        due = iter(checkpoints)
        checkpoint = next(due, None)
        for row in rows:
            self._row(row)
            while checkpoint is not None and checkpoint[0] <= self._position:
                self._checkpoint(checkpoint)
                checkpoint = next(due, None)
        if self._progress is not None:
            self._progress(self._position, max(total, self._position))
        if len(rows) == limit:
            return True
        if checkpoint is not None and self._trusted(checkpoint):
            raise _Unsound(
                self._position + 1, f"the entry is missing: a checkpoint names position {checkpoint[0]}"
            )
        return False

    def _row(self, row: tuple[object, ...]) -> None:
        expected = self._position + 1
        _, position, fact_id, at, tag, subject, body, digest = row
        if position != expected:
            raise _Unsound(expected, "the entry is missing")
        if not (
            isinstance(fact_id, str)
            and isinstance(at, int)
            and isinstance(tag, str)
            and isinstance(subject, str)
            and isinstance(body, bytes)
        ):
            raise _Unsound(expected, "a column holds the wrong kind of value")
        self._digest = entry_hash(
            self._digest,
            stream=source_of(self._stream),
            position=expected,
            fact_id=fact_id,
            at=at,
            tag=tag,
            subject=subject,
            body=body,
        )
        if self._digest != digest:
            raise _Unsound(expected, "its hash does not continue the chain")
        self._position = expected

    def _checkpoint(self, row: tuple[object, ...]) -> None:
        """Compare the chain with a checkpoint at, or strangely before, the position reached."""
        position, digest, _, _ = row
        assert isinstance(position, int)  # noqa: S101 - it was compared with an integer
        self._looked_at = position
        if not self._trusted(row):
            return
        if position == self._position and digest != self._digest:
            raise _Unsound(
                self._agreed_at + 1, f"rewritten: the chain does not meet the checkpoint signed at {position}"
            )
        self._agreed_at = position
        self._agreed += 1

    def _trusted(self, row: tuple[object, ...]) -> bool:
        position, digest, at, signature = row
        if not (isinstance(position, int) and isinstance(at, int)):
            return False
        if self._key is None:
            return True
        if isinstance(digest, bytes) and isinstance(signature, bytes):
            text = note(stream=self._stream, position=position, digest=digest, at=at)
            if signed(self._key, signature, text):
                return True
        if self._forged is None:
            self._forged = position
        return False
