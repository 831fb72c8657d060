"""What every test stands on."""

import asyncio
import gc

import pytest
from hypothesis import settings

from tests.servers.ports import free_port

# On a machine that is busy with other tests an example may take any time.
settings.register_profile("belltower", deadline=None)
settings.load_profile("belltower")


def pytest_sessionstart() -> None:
    """Let no plugin make an event loop that nobody closes, and nothing look for garbage while tests are collected."""
    asyncio.set_event_loop(None)
    gc.disable()


@pytest.fixture
def unused_tcp_port() -> int:
    """As the plugin's, and not to be had by anybody else."""
    return free_port()


LONG = ("tests/sim/", "tests/stories/", "tests/gateway/")
"""Where the long tests are, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, whatever order was asked for, so that none is left over when everything else is done."""
    items.sort(
        key=lambda item: next((rank for rank, at in enumerate(LONG) if item.nodeid.startswith(at)), len(LONG))
    )


def pytest_collection_finish() -> None:
    """From here on let it look again, but past what was collected: that stays."""
    gc.freeze()
    gc.enable()
