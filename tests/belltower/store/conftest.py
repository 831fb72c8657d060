"""Databases of both engines."""

from __future__ import annotations

import pytest

from belltower.store import Step, open_database
from tests.servers.postgres import postgres  # noqa: F401 - a fixture

STEPS = [
    Step(
        room="test",
        number=1,
        sql="CREATE TABLE thing (name TEXT NOT NULL, size BIGINT NOT NULL, PRIMARY KEY (name))",
    )
]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    """An empty database's URL."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres").database()
    return f"sqlite://{tmp_path}/store.db"


@pytest.fixture
async def database(url):
    """An open database with one table, `thing`."""
    database = await open_database(url)
    await database.migrate(STEPS)
    yield database
    await database.close()
