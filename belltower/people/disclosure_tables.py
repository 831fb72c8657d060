"""The register of disclosures as rows: who may see that a student was asked about has the keys, not the database.

Who got records, why and whose they were is sealed; a student's lines are found by a mark. In clear stands what the
facts say too, so that an end can be written down by whoever has no keys. `told` and `close_told` are 0
until the desk's journal has the fact: whoever opens, gives or closes writes here, and the desk lane tells.
"""

from __future__ import annotations

from belltower.store import Step

OPENED = "disclosure"
GIVEN = "disclosure_given"

STEPS = (
    Step(
        room="disclosure",
        number=1,
        sql="""
        CREATE TABLE disclosure (
            id TEXT PRIMARY KEY, incident TEXT NOT NULL, exercise BIGINT NOT NULL, students BIGINT NOT NULL,
            fields TEXT NOT NULL, basis TEXT NOT NULL, opened_at BIGINT NOT NULL, opened_by TEXT NOT NULL,
            ends_at BIGINT NOT NULL, closed_at BIGINT NOT NULL, closed_by TEXT NOT NULL, closed_why TEXT NOT NULL,
            told BIGINT NOT NULL, close_told BIGINT NOT NULL, body BYTEA NOT NULL, sealed_with TEXT NOT NULL
        );
        CREATE INDEX disclosure_opened ON disclosure (opened_at);
        CREATE INDEX disclosure_incident ON disclosure (incident, opened_at);
        CREATE INDEX disclosure_untold ON disclosure (opened_at) WHERE told = 0;
        CREATE INDEX disclosure_standing ON disclosure (ends_at) WHERE closed_at = 0;
        CREATE INDEX disclosure_closing ON disclosure (closed_at) WHERE closed_at > 0 AND close_told = 0;
        CREATE TABLE disclosure_batch (
            id TEXT PRIMARY KEY, disclosure TEXT NOT NULL, given_at BIGINT NOT NULL, given_by TEXT NOT NULL,
            way TEXT NOT NULL, fields TEXT NOT NULL, students BIGINT NOT NULL, told BIGINT NOT NULL
        );
        CREATE INDEX disclosure_batch_of ON disclosure_batch (disclosure, given_at);
        CREATE INDEX disclosure_batch_untold ON disclosure_batch (given_at) WHERE told = 0;
        CREATE TABLE disclosure_given (
            batch TEXT NOT NULL, number BIGINT NOT NULL, found_by BYTEA NOT NULL, body BYTEA NOT NULL,
            sealed_with TEXT NOT NULL, PRIMARY KEY (batch, number)
        );
        CREATE INDEX disclosure_given_found ON disclosure_given (found_by);
        """,
    ),
    # Whose records are meant lies apart from `body`, so that lists are read without it; of older rows it is in `body`.
    Step(room="disclosure", number=2, sql="ALTER TABLE disclosure ADD COLUMN meant BYTEA"),
)

_LINE = "id, incident, exercise, students, fields, basis, opened_by, ends_at, closed_by, closed_why"
_COLUMNS = "id, closed_at, closed_by, closed_why, students, body"

ADD = """
INSERT INTO disclosure (id, incident, exercise, students, fields, basis, opened_at, opened_by, ends_at, closed_at,
    closed_by, closed_why, told, close_told, body, meant, sealed_with)
VALUES (:id, :incident, :exercise, :students, :fields, :basis, :opened_at, :opened_by, :ends_at, 0, '', '', 0, 0, :body,
    :meant, :sealed_with)
ON CONFLICT DO NOTHING
"""
GET = f"SELECT {_COLUMNS} FROM disclosure WHERE id = :id"  # noqa: S608 - our own names, here and below
MEANT = "SELECT meant FROM disclosure WHERE id = :id"
LAST = f"SELECT {_COLUMNS} FROM disclosure ORDER BY opened_at DESC, id DESC LIMIT :limit"  # noqa: S608
OF_INCIDENT = f"SELECT {_COLUMNS} FROM disclosure WHERE incident = :incident ORDER BY opened_at, id"  # noqa: S608
STANDING = f"SELECT {_LINE} FROM disclosure WHERE closed_at = 0 ORDER BY ends_at, id"  # noqa: S608
UNTOLD = f"SELECT {_LINE} FROM disclosure WHERE told = 0 ORDER BY opened_at, id LIMIT :limit"  # noqa: S608
CLOSE_UNTOLD = f"""
SELECT {_LINE} FROM disclosure WHERE closed_at > 0 AND close_told = 0 AND told = 1 ORDER BY closed_at, id LIMIT :limit
"""  # noqa: S608
STILL_OPEN = "UPDATE disclosure SET told = told WHERE id = :id AND closed_at = 0 AND ends_at > :now"
CLOSE = """
UPDATE disclosure SET closed_at = :at, closed_by = :by, closed_why = :why WHERE id = :id AND closed_at = 0
"""
TOLD = "UPDATE disclosure SET told = 1 WHERE id = :id AND told = 0"
CLOSE_TOLD = "UPDATE disclosure SET close_told = 1 WHERE id = :id AND closed_at > 0 AND close_told = 0"

ADD_BATCH = """
INSERT INTO disclosure_batch (id, disclosure, given_at, given_by, way, fields, students, told)
VALUES (:id, :disclosure, :at, :by, :way, :fields, :students, 0)
"""
ADD_GIVEN = """
INSERT INTO disclosure_given (batch, number, found_by, body, sealed_with)
VALUES (:batch, :number, :found_by, :body, :sealed_with)
"""
_TELL_BATCH = "b.id, b.given_by, b.way, b.fields, b.students, d.id, d.incident"
_BATCH = "b.id, b.disclosure, b.given_at, b.given_by, b.way, b.fields, b.students"
BATCHES = (
    f"SELECT {_BATCH} FROM disclosure_batch b WHERE b.disclosure = :disclosure ORDER BY b.given_at, b.id"  # noqa: S608
)
BATCHES_UNTOLD = f"""
SELECT {_TELL_BATCH} FROM disclosure_batch b JOIN disclosure d ON d.id = b.disclosure
WHERE b.told = 0 AND d.told = 1 ORDER BY b.given_at, b.id LIMIT :limit
"""  # noqa: S608
BATCH_TOLD = "UPDATE disclosure_batch SET told = 1 WHERE id = :id AND told = 0"
_GIVEN = "g.batch, g.number, g.body, b.disclosure, b.given_at, b.given_by, b.way"
GIVEN_OF = f"""
SELECT {_GIVEN} FROM disclosure_given g JOIN disclosure_batch b ON b.id = g.batch
WHERE g.batch = :batch AND g.number >= :after ORDER BY g.number LIMIT :limit
"""  # noqa: S608
GIVEN_TO = f"""
SELECT {_GIVEN} FROM disclosure_given g JOIN disclosure_batch b ON b.id = g.batch
WHERE g.found_by = :mark ORDER BY b.given_at, g.batch, g.number
"""  # noqa: S608

ANY = "SELECT count(*) FROM disclosure"
