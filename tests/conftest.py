"""What every test stands on."""

import asyncio

from hypothesis import settings

# On a machine that is busy with other tests an example may take any time.
settings.register_profile("belltower", deadline=None)
settings.load_profile("belltower")


def pytest_sessionstart() -> None:
    """Let no plugin make an event loop that nobody closes: there is none unless a test runs one."""
    asyncio.set_event_loop(None)
