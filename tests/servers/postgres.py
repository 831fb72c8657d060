"""A real PostgreSQL on a free port, one database per test, cloned from a template."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest

from tests.peers.waiting import PATIENCE
from tests.servers.ports import free_port


def _binaries() -> Path | None:
    every = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if every:
        return every[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class PostgresServer:
    """One cluster without durability tricks: fsync is on, as in the field."""

    def __init__(self, *, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self.folder = folder
        self._count = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._drop: dict = {}
        if os.geteuid() == 0:
            for name in ("postgres", "nobody"):
                with contextlib.suppress(KeyError):
                    account = pwd.getpwnam(name)
                    os.chown(folder, account.pw_uid, account.pw_gid)
                    self._drop = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
                    break

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [self._binaries / program, *words],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
            **self._drop,
        )
        assert 0 == done.returncode, done.stdout + done.stderr

    def start(self) -> None:
        """Make the cluster if need be, start it, and wait by connecting."""
        if not (self.folder / "data").exists():
            self._run(
                "initdb",
                "-D",
                str(self.folder / "data"),
                "-U",
                "belltower",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-sync",
            )
            self.port = free_port()
        with (self.folder / "log").open("ab") as out:
            self._process = subprocess.Popen(
                [
                    self._binaries / "postgres",
                    "-D",
                    str(self.folder / "data"),
                    "-p",
                    str(self.port),
                    "-k",
                    str(self.folder),
                    "-c",
                    "listen_addresses=127.0.0.1",
                    "-c",
                    "max_connections=200",
                    "-c",
                    "shared_buffers=32MB",
                ],
                cwd=self.folder,
                stdout=out,
                stderr=out,
                **self._drop,
            )
        for _ in range(int(PATIENCE / 0.05)):
            if self._answers():
                return
            assert self._process.poll() is None, self.output()
            time.sleep(0.05)
        raise AssertionError(self.output())

    def execute(self, sql: str, database: str = "template1") -> None:
        """Run one statement, from a thread of its own since a test's loop may be running in this one."""

        async def run() -> None:
            connection = await asyncpg.connect(
                host="127.0.0.1", port=self.port, user="belltower", database=database, timeout=PATIENCE
            )
            try:
                await connection.execute(sql)
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, run()).result()

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    def output(self) -> str:
        """What the server said."""
        return (self.folder / "log").read_text(errors="replace")[-4_000:]

    def kill(self) -> None:
        """End it as a crash does: no shutdown, no checkpoint."""
        assert self._process is not None
        pids = [int(pid) for pid in self._children()]
        self._process.kill()
        self._process.wait()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def _children(self) -> list[str]:
        assert self._process is not None
        path = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return path.read_text().split() if path.exists() else []

    def stop(self) -> None:
        """End it at once, politely."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(3)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def database(self) -> str:
        """A fresh database's URL."""
        self._count += 1
        name = f"t{self._count}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0", "postgres")
        return f"postgresql://belltower@127.0.0.1:{self.port}/{name}"


@contextlib.contextmanager
def running():
    """A started server in a folder of its own."""
    binaries = _binaries()
    if binaries is None:
        pytest.fail("PostgreSQL is not installed; `make test` installs what the tests speak to")
    folder = Path(tempfile.mkdtemp(prefix="belltower-pg-"))
    server = PostgresServer(binaries=binaries, folder=folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres():
    """The session's PostgreSQL."""
    with running() as server:
        yield server
