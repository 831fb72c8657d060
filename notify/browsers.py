"""Browsers in which people asked to be told: kept sealed, and their owners' contacts from then on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from msgspec.structs import replace

from belltower import log
from belltower.clock import Clock
from belltower.errors import Malformed, Refused, StoreError
from belltower.ids import PersonId
from belltower.people.person import Contact, ContactKind, Person
from belltower.people.vault import Unreadable, Vault, key_of
from belltower.store import Database, Step, Transaction
from notify.channels.http_end import end_of
from notify.channels.push_message import subscription
from notify.channels.push_web import served

_log = log.get("notify")

STEPS = (
    Step(
        room="notify.browsers",
        number=1,
        sql="""
        CREATE TABLE notice_browser (
            mark BYTEA PRIMARY KEY, person TEXT NOT NULL, address BYTEA NOT NULL, made_at BIGINT NOT NULL
        );
        CREATE INDEX notice_browser_person ON notice_browser (person);
        """,
    ),
)

ANY = "SELECT count(*) FROM notice_browser"
"""How much stands under the vault's keys."""

MOST = 5
"""How many browsers of one person are told."""

_LONGEST = 2_048
_TABLE = "notice_browser"


class Browsers:
    """Which browsers are whose. A browser is told for whoever asked in it last."""

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        services: Collection[str],
        clock: Clock,
        plain: bool = False,
    ) -> None:
        """`services` are the push services that may be spoken to; `plain` allows them without TLS, for tests."""
        self._database = database
        self._vault = vault
        self._services = services
        self._clock = clock
        self._plain = plain
        # By mark: the owner and the subscription, the oldest first.
        self._known: dict[bytes, tuple[PersonId, str]] = {}

    async def open(self) -> None:
        """Read them all; those under an older key are sealed anew.

        Raises:
            StoreError: they cannot be read.
        """
        await self._database.migrate(STEPS)
        rows = await self._database.read(
            "SELECT mark, person, address FROM notice_browser ORDER BY made_at, mark"
        )
        tx = Transaction()
        for mark, person, sealed in rows:
            row = bytes(mark).hex()
            try:
                text = self._vault.open(_TABLE, row, "address", bytes(sealed)).decode()
                old = key_of(bytes(sealed)) != self._vault.current
            except Unreadable:
                _log.error("browser_unreadable")
                continue
            self._known[bytes(mark)] = (PersonId(person), text)
            if old:
                address = self._vault.seal(_TABLE, row, "address", text.encode())
                tx.add(
                    "UPDATE notice_browser SET address = :address WHERE mark = :mark",
                    address=address,
                    mark=bytes(mark),
                )
        if tx.parts:
            await self._database.submit(tx)

    async def subscribe(self, person: PersonId, text: str) -> None:
        """Tell this person in the browser that gave out `text`; doing it twice does it once.

        Raises:
            Refused: it is no subscription, its push service is not one of the settings, or there are too many.
            StoreError: it is not kept.
        """
        endpoint = self._endpoint(text)
        mark = self._mark(endpoint)
        others = [known for known, (owner, _) in self._known.items() if owner == person and known != mark]
        if len(others) >= MOST:
            raise Refused(f"{MOST} devices of yours are told already. Stop telling one of them first.")
        sealed = self._vault.seal(_TABLE, mark.hex(), "address", text.encode())
        tx = Transaction()
        tx.add(
            "INSERT INTO notice_browser (mark, person, address, made_at) VALUES (:mark, :person, :address, :at)"
            " ON CONFLICT (mark) DO UPDATE SET person = excluded.person, address = excluded.address,"
            " made_at = excluded.made_at",
            mark=mark,
            person=person,
            address=sealed,
            at=self._clock.now(),
        )
        # Before it is kept: of two requests at once, both are counted.
        before = self._known.get(mark)
        self._known[mark] = (person, text)
        try:
            await self._database.submit(tx)
        except StoreError:
            if before is None:
                self._known.pop(mark, None)
            else:
                self._known[mark] = before
            raise

    async def unsubscribe(self, person: PersonId, endpoint: str = "") -> None:
        """Tell this person no more in the browser with that endpoint; without one, in no browser at all."""
        wanted = self._mark(endpoint) if endpoint else None
        marks = [
            mark
            for mark, (owner, _) in self._known.items()
            if owner == person and (wanted is None or mark == wanted)
        ]
        await self._forget(marks)

    async def gone(self, address: str) -> None:
        """Its push service says that this subscription is no more."""
        mark = self._mark(subscription(address).endpoint)
        known = self._known.get(mark)
        # A subscription made anew under the same endpoint has other keys, and stays.
        if known is None or known[1] != address:
            return
        try:
            await self._forget([mark])
        except StoreError:
            _log.warning("browser_not_forgotten")
        else:
            _log.info("browser_gone", person=known[0])

    def endpoints(self, person: PersonId) -> list[str]:
        """Where this person is told."""
        return [subscription(text).endpoint for owner, text in self._known.values() if owner == person]

    def told(
        self, people: Mapping[PersonId, Person], name: Callable[[PersonId], str]
    ) -> Mapping[PersonId, Person]:
        """The people with the browsers in which they asked to be told; an account that is no one of them is staff."""
        found: dict[PersonId, list[Contact]] = {}
        for owner, text in self._known.values():
            found.setdefault(owner, []).append(Contact(kind=ContactKind.PUSH, address=text))
        if not found:
            return people
        return {**people, **{id_: _with(people.get(id_), id_, name, found[id_]) for id_ in found}}

    async def _forget(self, marks: list[bytes]) -> None:
        tx = Transaction()
        for mark in marks:
            tx.add("DELETE FROM notice_browser WHERE mark = :mark", mark=mark)
        if tx.parts:
            await self._database.submit(tx)
        for mark in marks:
            self._known.pop(mark, None)

    def _endpoint(self, text: str) -> str:
        if len(text) > _LONGEST:
            raise Refused("This browser gave out no subscription that can be used.")
        try:
            endpoint = subscription(text).endpoint
        except Malformed:
            raise Refused("This browser gave out no subscription that can be used.") from None
        end = end_of(endpoint)
        if end is None or not served(end, self._services, plain=self._plain):
            raise Refused("This browser's push service is none that the settings allow.")
        return endpoint

    def _mark(self, endpoint: str) -> bytes:
        # Nobody can guess an endpoint, so its name need not be turned.
        return self._vault.name("push.browser", endpoint)


def _with(
    known: Person | None, id_: PersonId, name: Callable[[PersonId], str], more: list[Contact]
) -> Person:
    if known is None:
        return Person(id=id_, name=name(id_), contacts=tuple(more))
    return replace(known, contacts=(*known.contacts, *more))
