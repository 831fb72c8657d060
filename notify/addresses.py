"""Addresses of deliveries as they are kept: a mark to find one by, the address sealed into its row, and its carrier's prefix.

Whoever has the database but not the keys learns which deliveries went to one address, and the first digits of a
number or the domain of a mailbox; never where anything went.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from belltower.people.person import ContactKind
from belltower.people.vault import Unreadable, Vault
from belltower.store import SQLValue
from notify.standing import prefix

LOST = "lost"
"""What `sealed_with` says of an address that was given up: nobody can read it."""

UNREADABLE = "unreadable"
"""Why a delivery is refused whose address was sealed with a key that is lost."""

TABLE, FIELD = "notice_delivery", "sealed"

_ID, _CHANNEL, _ADDRESS, _MARK = 0, 5, 6, 12
_EMAIL = ContactKind.EMAIL.value


class Addresses:
    """Marks, seals and opens the addresses of deliveries."""

    def __init__(self, *, vault: Vault) -> None:
        self.vault = vault

    @property
    def current(self) -> str:
        """Id of the key that seals."""
        return self.vault.current

    def mark(self, channel: str, address: str) -> str:
        """What the address is found by: equal for all ways to write it."""
        return self.vault.marker(f"to.{channel}")(same(channel, address).encode())

    def marks(self, channel: str, address: str) -> list[str]:
        """All that it may stand under: while keys are turned the mark before, too."""
        text = same(channel, address).encode()
        return [marker(text) for marker in self.vault.markers(f"to.{channel}")]

    def seal(self, given: Iterable[tuple[str, str]]) -> list[bytes]:
        """Sealed addresses, each for the row of its delivery."""
        return self.vault.seal_many(TABLE, FIELD, ((id_, address.encode()) for id_, address in given))

    def open(self, delivery: str, sealed: bytes | None) -> str:
        """The address; "" where it cannot be read, for its key is lost."""
        if sealed is None:
            return ""
        try:
            return self.vault.open(TABLE, delivery, FIELD, sealed).decode()
        except Unreadable:
            return ""

    def open_all(self, given: Iterable[tuple[str, bytes | None]]) -> list[str]:
        """As `open`, of many deliveries."""
        open_one = self.vault.opener(TABLE, FIELD)
        opened: list[str] = []
        for delivery, sealed in given:
            try:
                opened.append("" if sealed is None else open_one(delivery, sealed).decode())
            except Unreadable:
                opened.append("")
        return opened

    def rows(self, rows: Iterable[tuple[SQLValue, ...]]) -> list[tuple[SQLValue, ...]]:
        """Rows of a snapshot's batch as `ADD_DELIVERY` takes them: the mark in the place of the address, which is sealed."""
        given = list(rows)
        sealed = self.seal((str(row[_ID]), str(row[_ADDRESS])) for row in given)
        with_ = self.current
        turning = self.vault.turning
        kept: list[tuple[SQLValue, ...]] = []
        for row, one in zip(given, sealed, strict=True):
            channel, address = str(row[_CHANNEL]), str(row[_ADDRESS])
            # Keys may have been turned since the snapshot made its mark.
            mark = self.mark(channel, address) if turning else row[_MARK]
            begins = prefix(channel, address)
            kept.append((*row[:_ADDRESS], mark, *row[_ADDRESS + 1 : _MARK], one, with_, begins))
        return kept


def marks(vault: Vault, row: Mapping[str, Any]) -> Mapping[str, SQLValue]:
    """The mark of a delivery's row, made anew of the address that lies sealed in it."""
    address = vault.open(TABLE, row["id"], FIELD, bytes(row[FIELD])).decode()
    # Behind a stop: what tells it from another delivery to the same address.
    _, stop, apart = row["address"].partition(".")
    return {"address": Addresses(vault=vault).mark(row["channel"], address) + stop + apart}


def same(channel: str, address: str) -> str:
    """What two ways to write one address have in common: mailboxes are told apart by more than capitals."""
    return address.lower() if channel == _EMAIL else address
