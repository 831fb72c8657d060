"""What the journal holds, generic over the fact's type."""

from __future__ import annotations

from enum import Enum
from typing import Generic, Protocol, TypeAlias, TypeVar

from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import FactId, StreamName

F = TypeVar("F")

UNPLACED = 0
"""The position of an entry which is spooled, or recorded nowhere, and has no place yet."""


class FactCodec(Protocol[F]):
    """Turns facts into tagged bytes and back."""

    def encode(self, fact: F) -> tuple[str, bytes]:
        """The fact's tag and its canonical JSON."""
        ...

    def decode(self, tag: str, body: bytes) -> F:
        """The fact. Never raises: what is not understood becomes a fact that says so."""
        ...


class Draft(Struct, Generic[F], frozen=True, kw_only=True, gc=False):
    """A fact about to be recorded."""

    id: FactId
    at: Instant
    subject: str
    """The incident's id, or nothing."""
    fact: F


class Entry(Struct, Generic[F], frozen=True, kw_only=True, gc=False):
    """A recorded fact."""

    stream: StreamName
    position: int
    """Its place in the stream, from 1; `UNPLACED` while it is only spooled."""
    id: FactId
    at: Instant
    subject: str
    fact: F


class RawEntry(Struct, frozen=True, kw_only=True, gc=False):
    """An entry as it lies in the table: what is hashed, and what crosses from lane to lane."""

    stream: StreamName
    position: int
    id: FactId
    at: Instant
    tag: str
    subject: str
    body: bytes
    hash: bytes
    """The chain's link; empty while unplaced."""


Row: TypeAlias = tuple[StreamName, int, FactId, Instant, str, str, bytes, bytes]
"""A `RawEntry`'s fields in the table's order."""


def raw_entry(row: Row) -> RawEntry:
    """`row` with its fields named."""
    stream, position, fact_id, at, tag, subject, body, digest = row
    return RawEntry(
        stream=stream, position=position, id=fact_id, at=at, tag=tag, subject=subject, body=body, hash=digest
    )


class Durability(Enum):
    """What became of a commit."""

    JOURNALED = "journaled"
    """Committed and synced."""
    SPOOLED = "spooled"
    """Synced to the spool; enters the journal under the same ids once the store is well."""
    UNRECORDED = "unrecorded"
    """Only in memory. Followers have it all the same; whoever asked must be told less than "recorded"."""
