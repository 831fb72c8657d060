"""The journal: append-only streams of facts, the truth where all rooms meet. Knows nothing of incidents.

    entry.py     Draft, Entry, RawEntry, Durability, FactCodec
    reader.py    Reader: follow, read, bookmark
    journal.py   Journal, a Reader and the one writer of its stream: commit, spool, replay
    append.py    how drafts get their positions and hashes, in the writer, in commit order
    feed.py      the live end of a stream: a ring in memory, the table for those further behind
    copy.py      Copy: another lane's stream, verbatim
    spool.py     the file for what the store could not take in time; replay.py: how that comes in after all
    chain.py     the hash that ties each entry to the one before
    checkpoint.py  Signer, checkpoint_key: signed heads, in the table and a text file; signing.py: when
    verify.py    verify: the first entry that is not as it was written
    deadline.py  Deadlines: durable promises to look again at a time
    tables.py    the tables and every statement on them

One stream has one writer. `commit` lands facts and rows together and says how safely: JOURNALED, SPOOLED (synced to
a file, replayed later under the same ids) or UNRECORDED. Followers hear of all three; an entry that had no place yet
comes again when it has one, so they follow idempotently by fact id. A follower keeps its bookmark in the transaction
that did its work.

    journal = Journal(database=database, stream=StreamName("alarm"), codec=codec, spool=SpoolFile(path=path))
    await journal.open()
    crew.essential("journal", journal.run)
    durable = await journal.commit(tx, [Draft(id=ids.fact(), at=clock.now(), subject=incident, fact=fact)])
    async for entry in journal.follow(after=await journal.bookmark("psap"), kinds=(CallOrdered,)): ...
"""

from __future__ import annotations

from belltower.journal.chain import GENESIS, entry_hash
from belltower.journal.checkpoint import Signer, checkpoint_key, checkpoint_public_key
from belltower.journal.copy import Copy, ForkedError, anew, source_of
from belltower.journal.deadline import Deadline, Deadlines
from belltower.journal.entry import UNPLACED, Draft, Durability, Entry, FactCodec, RawEntry
from belltower.journal.journal import Journal, Trouble
from belltower.journal.spool import RunSpool, Spool, SpoolFile
from belltower.journal.tables import STEPS
from belltower.journal.verify import Verdict, streams, verify

__all__ = [
    "GENESIS",
    "STEPS",
    "UNPLACED",
    "Copy",
    "Deadline",
    "Deadlines",
    "Draft",
    "Durability",
    "Entry",
    "FactCodec",
    "ForkedError",
    "Journal",
    "RawEntry",
    "RunSpool",
    "Signer",
    "Spool",
    "SpoolFile",
    "Trouble",
    "Verdict",
    "anew",
    "checkpoint_key",
    "checkpoint_public_key",
    "entry_hash",
    "source_of",
    "streams",
    "verify",
]
