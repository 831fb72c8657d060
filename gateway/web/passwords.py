"""Passwords: argon2id, in a thread of its own, so that no page waits for a hash."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import argon2

from belltower.errors import BelltowerError, NotVerified

SHORTEST = 10
"""Characters."""

LONGEST = 256
"""Characters; more would only buy an attacker our time."""


class Busy(BelltowerError):
    """Too many passwords are being tried at once; try again in a moment."""


class Passwords:
    """Hashes and verifies, one at a time, with a short queue."""

    def __init__(self, *, waiting: int = 16, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher or argon2.PasswordHasher()
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="argon2")
        self._room = waiting
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """The password as it is kept. Raises `NotVerified` when it is too short or too long, or `Busy`."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise NotVerified(f"A password has {SHORTEST} to {LONGEST} characters.")
        async with _Place(self):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, self._hasher.hash, password)

    async def verify(self, kept: str | None, password: str) -> bool:
        """Whether it is the one; takes as long when there is none to compare with. Raises `Busy`."""
        async with _Place(self):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, self._verify, kept, password[: LONGEST + 1])

    def close(self) -> None:
        """Let the thread end."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _verify(self, kept: str | None, password: str) -> bool:
        if self._decoy is None:
            self._decoy = self._hasher.hash("nobody's password")
        try:
            self._hasher.verify(kept or self._decoy, password)
        except argon2.exceptions.VerificationError:
            return False
        except argon2.exceptions.InvalidHashError:
            return False
        return kept is not None


class _Place:
    """A place in the queue."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords

    async def __aenter__(self) -> None:
        if self._passwords._room <= 0:  # noqa: SLF001 - of one piece with Passwords
            raise Busy("too many passwords are being tried at once")
        self._passwords._room -= 1  # noqa: SLF001

    async def __aexit__(self, *_: object) -> None:
        self._passwords._room += 1  # noqa: SLF001
