"""The house that the live page's tests live in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway.web.house import House


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A desk with real stores."""
    house = House(folder=tmp_path)
    await house.open()
    yield house
    await house.close()
