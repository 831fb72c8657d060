"""The tables of what people wrote themselves beside the rosters: fields, words on collecting, and who changed what."""
# ruff: noqa: S608 - every name in these texts is one of ours

from __future__ import annotations

from belltower.store import Step

STEPS = [
    Step(
        room="by_hand",
        number=1,
        sql="""
        CREATE TABLE people_hand (
            subject TEXT NOT NULL, field TEXT NOT NULL, body BYTEA NOT NULL, sealed_with TEXT NOT NULL,
            by_person TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (subject, field)
        );
        CREATE TABLE people_word (
            word TEXT PRIMARY KEY, student TEXT NOT NULL, adult TEXT NOT NULL, body BYTEA NOT NULL,
            sealed_with TEXT NOT NULL, by_person TEXT NOT NULL, at BIGINT NOT NULL, ended_by TEXT NOT NULL,
            ended_at BIGINT NOT NULL
        );
        CREATE INDEX people_word_student ON people_word (student);
        CREATE INDEX people_word_adult ON people_word (adult);
        CREATE TABLE people_change (
            change TEXT PRIMARY KEY, at BIGINT NOT NULL, person TEXT NOT NULL, adult TEXT NOT NULL,
            what TEXT NOT NULL, fields TEXT NOT NULL, record TEXT NOT NULL, by_person TEXT NOT NULL, told BIGINT NOT NULL
        );
        CREATE INDEX people_change_person ON people_change (person, at);
        CREATE INDEX people_change_untold ON people_change (change) WHERE told = 0;
        CREATE TABLE people_hand_number (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
        INSERT INTO people_hand_number (name, value) VALUES ('changes', 0);
        """,
    ),
    Step(
        room="by_hand",
        number=2,
        sql="""
        CREATE TABLE people_doubt (
            doubt TEXT PRIMARY KEY, source TEXT NOT NULL, student TEXT NOT NULL, before TEXT NOT NULL,
            after TEXT NOT NULL, mark BYTEA NOT NULL, state TEXT NOT NULL, body BYTEA NOT NULL,
            sealed_with TEXT NOT NULL, found_at BIGINT NOT NULL, decided_by TEXT NOT NULL, decided_at BIGINT NOT NULL
        );
        CREATE INDEX people_doubt_state ON people_doubt (state, found_at);
        """,
    ),
]
"""`people_hand.subject` is a person's id, or student/adult of a link."""

CHANGES = "SELECT value FROM people_hand_number WHERE name = 'changes'"
COUNTED = "UPDATE people_hand_number SET value = value + 1 WHERE name = 'changes'"
FIELDS = "SELECT subject, field, body, by_person, at FROM people_hand ORDER BY subject, field"
SET = (
    "INSERT INTO people_hand (subject, field, body, sealed_with, by_person, at)"
    " VALUES (:subject, :field, :body, :sealed_with, :by, :at)"
    " ON CONFLICT (subject, field) DO UPDATE SET body = excluded.body, sealed_with = excluded.sealed_with,"
    " by_person = excluded.by_person, at = excluded.at"
)
UNSET = "DELETE FROM people_hand WHERE subject = :subject AND field = :field"

_WORD = "word, student, adult, body, by_person, at, ended_by, ended_at"
WORDS_OF = f"SELECT {_WORD} FROM people_word WHERE (student = :person OR adult = :person) AND ended_at = 0 ORDER BY word"
WORDS_ON = f"SELECT {_WORD} FROM people_word WHERE student IN ({{students}}) AND ended_at = 0 ORDER BY word"
WORD = f"SELECT {_WORD} FROM people_word WHERE word = :word"
WORDS_OF_ADULT = f"SELECT {_WORD} FROM people_word WHERE adult = :person ORDER BY word"
WRITTEN = (
    "INSERT INTO people_word (word, student, adult, body, sealed_with, by_person, at, ended_by, ended_at)"
    " VALUES (:word, :student, :adult, :body, :sealed_with, :by, :at, '', 0)"
)
ENDED = "UPDATE people_word SET ended_by = :by, ended_at = :at WHERE word = :word AND ended_at = 0"
CARRIED = "UPDATE people_word SET adult = :adult, body = :body, sealed_with = :sealed_with WHERE word = :word"

CHANGED = (
    "INSERT INTO people_change (change, at, person, adult, what, fields, record, by_person, told)"
    " VALUES (:change, :at, :person, :adult, :what, :fields, :record, :by, 0)"
)
_CHANGE = "change, at, person, adult, what, fields, record, by_person"
UNTOLD = f"SELECT {_CHANGE} FROM people_change WHERE told = 0 ORDER BY change LIMIT :limit"
CHANGES_OF = f"SELECT {_CHANGE} FROM people_change WHERE person = :person OR adult = :person ORDER BY change DESC LIMIT :limit"
TOLD = "UPDATE people_change SET told = 1 WHERE change = :change AND told = 0"


_DOUBT = "doubt, source, student, before, after, mark, state, body, found_at, decided_by"
DOUBTS_IN = f"SELECT {_DOUBT} FROM people_doubt WHERE state = :state ORDER BY found_at, doubt LIMIT :limit"
DOUBTS_TAKING = (
    f"SELECT {_DOUBT} FROM people_doubt WHERE state IN ('same', 'other') ORDER BY decided_at, doubt LIMIT 1"
)
DOUBT = f"SELECT {_DOUBT} FROM people_doubt WHERE doubt = :doubt"
DOUBTS_OF = f"SELECT {_DOUBT} FROM people_doubt WHERE state = 'open' AND (before = :person OR student = :person) ORDER BY doubt"
DOUBT_STATES = "SELECT doubt, mark, state FROM people_doubt WHERE source = :source AND state IN ('open', 'keep', 'same', 'other')"
DOUBTED = (
    "INSERT INTO people_doubt (doubt, source, student, before, after, mark, state, body, sealed_with, found_at,"
    " decided_by, decided_at)"
    " VALUES (:doubt, :source, :student, :before, :after, :mark, 'open', :body, :sealed_with, :at, '', 0)"
    " ON CONFLICT (doubt) DO UPDATE SET mark = excluded.mark, state = 'open', body = excluded.body,"
    " sealed_with = excluded.sealed_with, found_at = excluded.found_at, decided_by = '', decided_at = 0"
)
DOUBT_GONE = "UPDATE people_doubt SET state = 'gone' WHERE doubt = :doubt AND state IN ('open', 'keep')"
DOUBT_DECIDED = "UPDATE people_doubt SET state = :state, decided_by = :by, decided_at = :at WHERE doubt = :doubt AND state = 'open'"
DOUBT_TAKEN = "UPDATE people_doubt SET state = 'taken' WHERE doubt = :doubt AND state IN ('same', 'other')"
UNFINISHED_SINCE = "SELECT max(begun_at), max(ready_at) FROM roster_revision WHERE taken_at = 0"
