"""Chat rooms and group pushes through Apprise: a handful of addresses that the settings name, never people one by one.

Apprise says of a message only that it went or that it did not, without an id, and blocks meanwhile; so each message
has a thread of its own, few at once, and what did not go is uncertain. What an answer holds is not bounded here: the
rooms are services that the operator chose.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Collection
from typing import Any

from notify.channels.channel import DEADLINE, Answer, Later, Message, Refused, Settled, Uncertain
from notify.delivery import State
from notify.settings import AppriseSettings

AT_ONCE = 4
"""Messages under way at once."""

_MOST_THREADS = 16


class AppriseChat:
    """Satisfies `Channel`, but for the bound on answers."""

    name = "chat"

    def __init__(self, *, settings: AppriseSettings) -> None:
        self._settings = settings
        self._deadline = min(settings.timeout, DEADLINE)
        self._threads = 0

    async def open(self) -> None:
        """Load the library, which takes it a second, and keep it from logging: its lines hold addresses."""
        for name in ("apprise", "urllib3", "requests"):
            logger = logging.getLogger(name)
            logger.propagate = False
            logger.setLevel(logging.CRITICAL + 1)
        await self._in_thread(_load)

    async def close(self) -> None:
        """Nothing is held; a thread that still waits ends with its connection."""

    async def send(self, message: Message) -> Answer:
        """Post the text into the room, once."""
        room = self._settings.rooms.get(message.address)
        if room is None:
            return Refused(reason="address")
        if self._threads >= _MOST_THREADS:  # none of them ever ended
            return Later(reason="apprise:busy", everyone=True)
        try:
            async with asyncio.timeout(self._deadline):
                went = await self._in_thread(
                    lambda: _post(room.url.reveal(), message.subject, message.body, self._deadline)
                )
        except TimeoutError:
            return Uncertain(reason="apprise:timeout")
        if went is None:
            return Refused(reason="apprise:url")
        return (
            Settled(state=State.ACCEPTED, reason="apprise:sent") if went else Uncertain(reason="apprise:no")
        )

    async def find(self, message: Message, *, known: Collection[str]) -> Answer | None:
        """No room tells what stands in it."""
        del message, known
        return None

    def _in_thread(self, work: Callable[[], bool | None]) -> asyncio.Future[bool | None]:
        loop = asyncio.get_running_loop()
        told: asyncio.Future[bool | None] = loop.create_future()

        def tell(went: bool | None) -> None:
            self._threads -= 1
            if not told.done():
                told.set_result(went)

        def run() -> None:
            went: bool | None = False
            try:
                went = work()
            finally:
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(tell, went)

        self._threads += 1
        # A daemon: the process does not wait for a room that never answers.
        threading.Thread(target=run, name="notify.chat", daemon=True).start()
        return told


def _load() -> None:
    import apprise  # noqa: PLC0415 - slow to import, and only rooms need it

    apprise.Apprise.instantiate("json://localhost")


def _post(url: str, title: str, body: str, within: float) -> bool | None:
    """Whether the room took it; None where the address is none of its service."""
    import apprise  # noqa: PLC0415 - as above

    asset = apprise.AppriseAsset(
        app_id="Belltower", app_desc="Belltower", async_mode=False, secure_logging=True
    )
    room: Any = apprise.Apprise.instantiate(url, asset=asset)
    if room is None:
        return None
    room.redirects = False
    room.request_rate_per_sec = 0
    room.socket_connect_timeout = room.socket_read_timeout = within / 2
    rooms = apprise.Apprise(room, asset=asset)
    return bool(
        rooms.notify(
            body=body,
            title=title,
            notify_type=apprise.NotifyType.WARNING,
            body_format=apprise.NotifyFormat.TEXT,
        )
    )
