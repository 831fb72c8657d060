"""The journal's tables and every statement on them."""

from __future__ import annotations

from belltower.store import Step

STEPS = (
    Step(
        room="journal",
        number=1,
        sql="""
CREATE TABLE journal_entry (
    stream TEXT NOT NULL,
    position BIGINT NOT NULL,
    id TEXT NOT NULL,
    at BIGINT NOT NULL,
    tag TEXT NOT NULL,
    subject TEXT NOT NULL,
    body BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (stream, position)
) /* clustered */;
CREATE UNIQUE INDEX journal_entry_id ON journal_entry (stream, id);
CREATE INDEX journal_entry_subject ON journal_entry (stream, subject, position) WHERE subject <> '';
CREATE TABLE journal_checkpoint (
    stream TEXT NOT NULL,
    position BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    at BIGINT NOT NULL,
    signature BYTEA NOT NULL,
    PRIMARY KEY (stream, position)
) /* clustered */;
CREATE TABLE bookmark (
    name TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (name)
) /* clustered */;
CREATE TABLE deadline (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    due BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (owner, key)
) /* clustered */
""",
    ),
)

APPEND = (
    "INSERT INTO journal_entry (stream, position, id, at, tag, subject, body, hash)"
    " VALUES (:stream, :position, :id, :at, :tag, :subject, :body, :hash)"
)
HEAD = "SELECT position, hash FROM journal_entry WHERE stream = :stream ORDER BY position DESC LIMIT 1"
PAGE = (
    "SELECT stream, position, id, at, tag, subject, body, hash FROM journal_entry"
    " WHERE stream = :stream AND position > :after ORDER BY position LIMIT :limit"
)
OF_SUBJECT = (
    "SELECT stream, position, id, at, tag, subject, body, hash FROM journal_entry"
    " WHERE stream = :stream AND subject = :subject AND subject <> '' ORDER BY position"
)
FIRST_OF_SUBJECT = (
    "SELECT stream, position, id, at, tag, subject, body, hash FROM journal_entry"
    " WHERE stream = :stream AND subject = :subject AND subject <> '' AND tag = :tag ORDER BY position LIMIT 1"
)
STREAMS = "SELECT DISTINCT stream FROM journal_entry ORDER BY stream"
COUNT = "SELECT count(*) FROM journal_entry WHERE stream = :stream"
KNOWN = "SELECT id FROM journal_entry WHERE stream = :stream AND id IN ({ids})"

BOOKMARK = "SELECT position FROM bookmark WHERE name = :name"
KEEP_BOOKMARK = (
    "INSERT INTO bookmark (name, position) VALUES (:name, :position)"
    " ON CONFLICT (name) DO UPDATE SET position = excluded.position WHERE excluded.position > bookmark.position"
)

CHECKPOINT = (
    "INSERT INTO journal_checkpoint (stream, position, hash, at, signature)"
    " VALUES (:stream, :position, :hash, :at, :signature) ON CONFLICT (stream, position) DO NOTHING"
)
CHECKPOINTS = (
    "SELECT position, hash, at, signature FROM journal_checkpoint"
    " WHERE stream = :stream AND position > :after ORDER BY position LIMIT :limit"
)
LAST_CHECKPOINT = (
    "SELECT position FROM journal_checkpoint WHERE stream = :stream ORDER BY position DESC LIMIT 1"
)

SET_DEADLINE = (
    "INSERT INTO deadline (owner, key, due, body) VALUES (:owner, :key, :due, :body)"
    " ON CONFLICT (owner, key) DO UPDATE SET due = excluded.due, body = excluded.body"
)
CLEAR_DEADLINE = "DELETE FROM deadline WHERE owner = :owner AND key = :key"
DEADLINES = "SELECT key, due, body FROM deadline WHERE owner = :owner ORDER BY due, key"
