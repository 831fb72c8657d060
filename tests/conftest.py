"""What every test stands on."""

import asyncio


def pytest_sessionstart() -> None:
    """Let no plugin make an event loop that nobody closes: there is none unless a test runs one."""
    asyncio.set_event_loop(None)
