"""What a database can suffer, as `StoreError`s with a reason."""

from __future__ import annotations

from belltower.errors import StoreError


class DiskFull(StoreError):
    """No space was left, not even after the ballast was thrown off."""


class DiskFailed(StoreError):
    """The disk did not read, write or sync. Whether a commit landed is then unknown until the store is reopened."""


class Damaged(StoreError):
    """The database file is not, or no longer, a sound database."""


class Overloaded(StoreError):
    """More transactions wait than the queue may hold; nothing was taken."""


class Unavailable(StoreError):
    """The server or the lock on the file could not be had, or the database is closed."""


class Taken(Unavailable):
    """Another process has the database for writing alone, and keeps it as long as it lives."""
