"""The plain, synchronous heart of the SQLite store: applies a group to a connection. Needs no thread and no loop."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, cast

import apsw
from msgspec import Struct

from belltower.errors import Conflict, SettingsError, StoreError
from belltower.store.database import STEP_TAKEN, STEPS_TABLE, STEPS_TAKEN, Step, outstanding
from belltower.store.faults import Damaged, DiskFailed, DiskFull, Unavailable
from belltower.store.statement import Late, Params, Rows, SQLValue, Statement, Transaction

OLDEST = (3, 51, 3)
"""Before it, two connections in WAL mode could lose a commit or damage the file (the WAL-reset race)."""

_WIDEST = 256
"""Rows of one INSERT: no text longer than 16 KiB is kept prepared, and parsing it anew costs as much as its rows."""
_MOST_VALUES = 32_766
"""Parameters of one statement, by SQLite's default."""
_INSERT = re.compile(r"(INSERT INTO \w+ \([\w, ]+\) VALUES )\(((?::\w+, )*:\w+)\)((?: ON CONFLICT [^:]*)?)")
_MISUSE = (apsw.Error, TypeError, KeyError, ValueError, OverflowError)


def translated(error: BaseException) -> StoreError:
    """`error`, as raised by the engine, in the words of the house."""
    text = str(error) or type(error).__name__
    match error:
        case StoreError():
            return error
        case apsw.FullError():
            return DiskFull(f"no space left: {text}")
        case apsw.IOError() | apsw.CantOpenError() | apsw.ReadOnlyError() | apsw.NoMemError():
            return DiskFailed(f"the disk failed: {text}")
        case apsw.CorruptError() | apsw.NotADBError():
            return Damaged(f"the database is damaged: {text}")
        case apsw.BusyError() | apsw.LockedError():
            return Unavailable(f"somebody else holds the database: {text}")
        case apsw.ConstraintError():
            return Conflict(text)
        case _:
            return StoreError(f"{type(error).__name__}: {text}")


def refuse_old_library() -> None:
    """Raise `SettingsError` when SQLite is older than the mend of the WAL-reset race."""
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if version < OLDEST:
        raise SettingsError(
            f"SQLite {apsw.sqlite_lib_version()} can lose commits: install apsw >= 3.54, which brings a newer one"
        )


def connect(path: str, *, read_only: bool = False, vfs: str | None = None) -> apsw.Connection:
    """Open a connection as this house wants it: WAL, full sync, checkpoints only when the writer says so."""
    flags = (
        apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    ) | apsw.SQLITE_OPEN_EXRESCODE
    connection = apsw.Connection(path, flags=flags, vfs=vfs)
    connection.set_busy_timeout(2_000)
    if not read_only:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=0", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA journal_size_limit=67108864")
        connection.execute("PRAGMA cache_size=-16000")
    return connection


class _Wide(Struct, frozen=True):
    """An INSERT that takes several rows at a step."""

    names: list[str]
    """A row's parameters, in order."""
    texts: list[tuple[int, str]]
    """How many rows, and the text for them; the widest first."""

    @classmethod
    def of(cls, text: str) -> _Wide | None:
        """`text` widened, if it is an INSERT of nothing but distinct parameters."""
        match = _INSERT.fullmatch(text)
        if match is None:
            return None
        names = [name.strip().removeprefix(":") for name in match.group(2).split(",")]
        if len(set(names)) < len(names) or len(names) * _WIDEST > _MOST_VALUES:
            return None
        row = "(" + ", ".join("?" * len(names)) + ")"
        sizes = [_WIDEST >> shift for shift in range(_WIDEST.bit_length())]
        return cls(
            names, [(size, match.group(1) + ", ".join([row] * size) + match.group(3)) for size in sizes]
        )

    def flat(self, run: Sequence[Params | tuple[SQLValue, ...]]) -> list[SQLValue]:
        """All values of `run`, row behind row."""
        flat: list[SQLValue] = []
        for params in run:
            flat += params if type(params) is tuple else [cast(Params, params)[name] for name in self.names]
        return flat


class SQLiteEngine:
    """Applies groups of transactions, each group in one commit.

    A group is first tried without savepoints; only when a statement fails is it rolled back and taken one by one, so
    that the faulty transaction alone is left out.
    """

    def __init__(
        self, *, connection: apsw.Connection, before_commit: Callable[[], None] | None = None
    ) -> None:
        self.connection = connection
        self._cursor = connection.cursor()
        self._before_commit = before_commit
        self._wides: dict[str, _Wide | None] = {}
        self._synced = True
        self._roomy = True

    def apply(self, batch: Sequence[Transaction]) -> list[StoreError | None]:
        """Commit `batch`; one outcome each. Raises a `StoreError` when nothing of it was kept (disk)."""
        settled: list[Late] = []
        try:
            self._sync(any(tx.synced for tx in batch))
            self._scratch(roomy=False)
            self._cursor.execute("BEGIN IMMEDIATE")
            self._run(batch, settled)
            self._commit()
        except _MISUSE as error:
            self._rollback(settled)
            self._raise_if_disk(error)
        except Conflict:
            self._rollback(settled)
        except BaseException:
            self._rollback(settled)
            raise
        else:
            return [None] * len(batch)
        return self._one_by_one(batch)

    def query(self, sql: str, params: Params | None = None) -> list[tuple[Any, ...]]:
        """Rows of a query on this very connection."""
        try:
            return self._cursor.execute(sql, params).fetchall()
        except _MISUSE as error:
            raise translated(error) from error

    def migrate(self, steps: Sequence[Step]) -> None:
        """Take the steps not yet taken, each in a commit of its own."""
        try:
            self._scratch(roomy=True)
            self._cursor.execute(STEPS_TABLE)
            for step in outstanding(steps, self.query(STEPS_TAKEN)):
                sql = step.sql.replace("/* clustered */", "WITHOUT ROWID")
                self._cursor.execute("BEGIN IMMEDIATE")
                self._cursor.execute(sql)
                self._cursor.execute(STEP_TAKEN, {"room": step.room, "number": step.number})
                self._cursor.execute("COMMIT")
        except _MISUSE as error:
            self._rollback([])
            raise translated(error) from error

    def probe(self) -> None:
        """Commit a page that says what it said before. Raises a `StoreError` when the disk does not take it."""
        try:
            self._sync(True)
            self._cursor.execute("BEGIN IMMEDIATE")
            self._cursor.execute("PRAGMA user_version=0")
            self._commit()
        except _MISUSE as error:
            self._rollback([])
            raise translated(error) from error

    def checkpoint(self, *, truncate: bool = False) -> None:
        """Copy the write-ahead log into the database file; `truncate` also empties the log."""
        mode = apsw.SQLITE_CHECKPOINT_TRUNCATE if truncate else apsw.SQLITE_CHECKPOINT_PASSIVE
        try:
            self.connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            return
        except _MISUSE as error:
            raise translated(error) from error

    def scrub(self) -> None:
        """Write the whole file anew, and empty its log: what was overwritten or deleted is in neither."""
        try:
            self._scratch(roomy=True)
            self._cursor.execute("VACUUM")
        except _MISUSE as error:
            raise translated(error) from error
        self.checkpoint(truncate=True)

    def _sync(self, synced: bool) -> None:
        """Whether commits wait for the disk from now on: one that does takes the whole log before it along."""
        if synced is not self._synced:
            self._cursor.execute(f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}")
            self._synced = synced

    def _scratch(self, *, roomy: bool) -> None:
        """Where SQLite keeps what it needs for one statement: in files if that can be as large as the database.

        A statement of several rows keeps each page that it changes, lest it fail half-way: in files, that costs as much
        as the commit.
        """
        if roomy is not self._roomy:
            self._cursor.execute(f"PRAGMA temp_store={'FILE' if roomy else 'MEMORY'}")
            self._roomy = roomy

    def _run(self, batch: Sequence[Transaction], settled: list[Late]) -> None:
        """Execute all of `batch`, neighbours with the same text in one go, then what was late."""
        text = ""
        run: list[Params | tuple[SQLValue, ...]] = []
        late_runs: dict[str, list[Params | tuple[SQLValue, ...]]] = {}
        for tx in batch:
            for part in tx.parts:
                if type(part) is Statement:
                    if part.sql is not text and part.sql != text:
                        self._execute(text, run)
                        text, run = part.sql, []
                    if part.alone:
                        self._execute(text, run)
                        run = []
                        self._alone(part)
                    else:
                        run.append(part.params)
                elif type(part) is Rows:
                    if part.sql is not text and part.sql != text:
                        self._execute(text, run)
                        text, run = part.sql, []
                    run += part.rows
                else:
                    late = cast(Late, part)
                    pieces = late.settle()
                    settled.append(late)
                    for piece in pieces:
                        rows = late_runs.get(piece.sql)
                        if rows is None:
                            rows = late_runs[piece.sql] = []
                        if type(piece) is Rows:
                            rows += piece.rows
                        else:
                            rows.append(cast(Statement, piece).params)
        self._execute(text, run)
        for text, run in late_runs.items():
            self._execute(text, run)

    def _alone(self, statement: Statement) -> None:
        rows = self._cursor.execute(statement.sql, statement.params).fetchall()
        if statement.returned is not None:
            statement.returned[:] = rows
        changed = self.connection.changes()
        if statement.expect not in {None, changed}:
            raise Conflict(f"{changed} rows changed, {statement.expect} expected")

    def _execute(self, text: str, run: Sequence[Params | tuple[SQLValue, ...]]) -> None:
        """Execute `text` for each of `run`.

        Each step gives up the interpreter lock, and behind a busy loop waits milliseconds to have it back: an INSERT
        takes as many rows at a step as it can, by powers of two.
        """
        count = len(run)
        if count == 1:
            self._cursor.execute(text, run[0])
        elif count:
            wide = self._wide(text)
            if wide is None:
                self._cursor.executemany(text, run)
                return
            flat = wide.flat(run)
            start, columns = 0, len(wide.names)
            for size, sql in wide.texts:
                while count - start >= size:
                    self._cursor.execute(sql, flat[start * columns : (start + size) * columns])
                    start += size

    def _wide(self, text: str) -> _Wide | None:
        if text not in self._wides:
            self._wides[text] = _Wide.of(text)
        return self._wides[text]

    def _one_by_one(self, batch: Sequence[Transaction]) -> list[StoreError | None]:
        outcomes: list[StoreError | None] = []
        kept: list[Late] = []
        try:
            self._cursor.execute("BEGIN IMMEDIATE")
            for tx in batch:
                own: list[Late] = []
                self._cursor.execute("SAVEPOINT one")
                try:
                    self._run((tx,), own)
                except (*_MISUSE, Conflict) as error:
                    for late in reversed(own):
                        late.undo()
                    self._raise_if_disk(error)
                    self._cursor.execute("ROLLBACK TO one")
                    outcomes.append(translated(error))
                else:
                    kept += own
                    outcomes.append(None)
                self._cursor.execute("RELEASE one")
            self._commit()
        except BaseException as error:
            self._rollback(kept)
            if isinstance(error, _MISUSE):
                raise translated(error) from error
            raise
        return outcomes

    def _commit(self) -> None:
        if self._before_commit is not None:
            self._before_commit()
        self._cursor.execute("COMMIT")

    def _rollback(self, settled: Sequence[Late]) -> None:
        try:
            if self.connection.in_transaction:
                self._cursor.execute("ROLLBACK")
        except apsw.Error:
            pass  # SQLite has rolled back by itself, or the connection is past use and about to be reopened
        for late in reversed(settled):
            late.undo()

    @staticmethod
    def _raise_if_disk(error: BaseException) -> None:
        """Trouble of the disk is everybody's; trying the group's members one by one would only hurt more."""
        known = translated(error)
        if isinstance(known, (DiskFull, DiskFailed, Damaged, Unavailable)):
            raise known from error
