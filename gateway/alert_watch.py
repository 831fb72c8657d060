"""Watches feeds of public alerts, the weather service's for instance, for people to judge: never an automatic action.

Each feed has a task of its own: one that is dead, slow or hostile delays no other. Names are looked up aside, so that
a name server that hangs costs nothing but freshness. What was seen stands in the desk's journal and table.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from random import Random
from urllib.parse import urlsplit

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver, ResolveResult
from msgspec.structs import replace

from belltower import log
from belltower.clock import SECOND, Clock, Instant
from belltower.errors import Malformed
from belltower.ids import Ids
from belltower.incident.entry import Draft
from belltower.incident.facts import AlertSeen, Fact
from belltower.journal import Journal
from belltower.store import Transaction
from belltower.tasks import Crew
from gateway import alert_store
from gateway.alert_judging import Key, Sighting, in_area, key, of_alert, of_entry
from gateway.psap.cap import parse
from gateway.psap.cap.atom import IndexEntry, is_index, read_index
from gateway.settings.alerts import AlertFeedSettings
from gateway.web.desk import AlertsNearby
from hardware.transports.addresses import Addresses

_log = log.get("alert_watch")

LIMIT = 1 << 20
"""Octets of one document."""

PATIENCE = 15.0
"""Seconds for one document."""

AT_ONCE = 40
"""Alerts fetched in full in one look; the rest comes with the next."""

TRIES = 3
"""How often an alert is asked for in full before its line in the index has to do."""

FIRST_WAIT = 5.0
LONGEST_WAIT = 300.0
KEPT = 7 * 86_400 * SECOND
"""How long an expired alert is remembered, so that it is not taken for a new one."""

LONGEST = 31 * 86_400 * SECOND
"""How long an alert stands at the most, whatever it says of its end."""

MOST_KNOWN = 2_000
"""Alerts that are remembered; the ones that were taken first are forgotten first."""

MOST_SHOWN = 50
"""Alerts that stand at once; the latest."""


class Feed:
    """What is remembered of one feed between two looks."""

    def __init__(self, settings: AlertFeedSettings) -> None:
        self.settings = settings
        # Why it cannot be read; "" while it can.
        self.trouble = "it has not been read yet"
        self.failures = 0
        self.tags: dict[str, str] = {}
        self.handled: set[tuple[str, Instant | None]] = set()
        self.tries: dict[str, int] = {}


class AlertWatch:
    """Watches the feeds of the settings. `open` it, then let it `run` in the desk lane's crew."""

    def __init__(
        self,
        *,
        feeds: Mapping[str, AlertFeedSettings],
        journal: Journal[Fact],
        clock: Clock,
        ids: Ids,
        random: Random,
        addresses: Addresses,
    ) -> None:
        self._feeds = {name: Feed(settings) for name, settings in feeds.items()}
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._random = random
        self._addresses = addresses
        self._known: dict[Key, AlertSeen] = {}

    async def open(self) -> None:
        """Read what is known already. Raises `StoreError`."""
        await self._journal.database.migrate(alert_store.STEPS)
        kept = await alert_store.every(self._journal.database)
        self._known = {key(seen): seen for seen in reversed(kept)}
        for feed in self._feeds.values():
            self._addresses.watch(urlsplit(feed.settings.url).hostname or "")

    def run(self, crew: Crew) -> None:
        """Look at every feed again and again for as long as `crew` runs."""
        if self._feeds:
            crew.mendable("alerts.addresses", self._addresses.run)
        for name in self._feeds:
            crew.mendable(f"alerts.{name}", partial(self._follow, name))

    def nearby(self) -> AlertsNearby | None:
        """What the page shows; None: no feed is watched."""
        return AlertsNearby(standing=self.standing(), troubles=self.troubles()) if self._feeds else None

    def standing(self) -> Sequence[AlertSeen]:
        """What concerns us now, the latest first."""
        now = self._clock.now()
        found = [seen for seen in self._known.values() if not seen.cancelled and seen.expires > now]
        return sorted(found, key=lambda seen: seen.sent, reverse=True)[:MOST_SHOWN]

    def troubles(self) -> Mapping[str, str]:
        """The feeds that cannot be read, and why."""
        return {name: feed.trouble for name, feed in self._feeds.items() if feed.trouble}

    async def look(self, name: str, session: aiohttp.ClientSession) -> bool:
        """Look at the feed once; False: it could not be read. Raises `StoreError`."""
        feed = self._feeds[name]
        try:
            await self._read(name, feed, session)
        except (aiohttp.ClientError, OSError, Malformed, ValueError) as error:
            trouble = _trouble(error)
            if trouble != feed.trouble:
                _log.warning("feed_not_read", feed=name, reason=trouble)
            feed.trouble = trouble
            feed.failures += 1
            return False
        if feed.failures:
            _log.info("feed_read_again", feed=name)
        feed.trouble, feed.failures = "", 0
        return True

    def session(self) -> aiohttp.ClientSession:
        """A client that looks no name up while it asks, follows nobody elsewhere and unpacks nothing."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=_LookedUp(self._addresses), limit=4, use_dns_cache=False),
            timeout=aiohttp.ClientTimeout(total=PATIENCE, connect=PATIENCE / 2),
            auto_decompress=False,
            headers={hdrs.ACCEPT_ENCODING: "identity", hdrs.USER_AGENT: "Belltower"},
            max_line_size=8_190,
            max_field_size=8_190,
        )

    def pause(self, name: str) -> float:
        """Seconds until the next look: the interval with jitter, or longer and longer while it fails."""
        feed = self._feeds[name]
        every = feed.settings.every
        if not feed.failures:
            return every * self._random.uniform(0.9, 1.1)
        longest = max(every, LONGEST_WAIT)
        return min(FIRST_WAIT * 2.0 ** min(feed.failures - 1, 16), longest) * self._random.uniform(0.5, 1.0)

    async def _follow(self, name: str) -> None:
        async with self.session() as session:
            while True:
                await self.look(name, session)
                await asyncio.sleep(self.pause(name))

    async def _read(self, name: str, feed: Feed, session: aiohttp.ClientSession) -> None:
        tags: dict[str, str] = {}
        octets = await _fetch(session, feed.settings.url, asking=feed.tags, told=tags)
        if octets is None:
            return
        complete = True
        if is_index(octets):
            complete = await self._read_index(name, feed, session, octets)
        else:
            await self._take(of_alert(parse(octets, lenient=True), name, feed.settings, self._clock.now()))
        # Only what was taken whole may be answered with "not modified".
        feed.tags = tags if complete else {}

    async def _read_index(self, name: str, feed: Feed, session: aiohttp.ClientSession, octets: bytes) -> bool:
        index = read_index(octets)
        for fault in index.faults:
            _log.warning("feed_entry_unreadable", feed=name, reason=fault)
        handled: set[tuple[str, Instant | None]] = set()
        fetched = 0
        complete = True
        for entry in index.entries:
            mark = (entry.id, entry.updated)
            if mark in feed.handled or self._is_past(entry, feed.settings):
                handled.add(mark)
                continue
            if fetched >= AT_ONCE:
                complete = False
                continue
            fetched += 1
            sighting = await self._full(name, feed, session, entry)
            if sighting is None:
                complete = False
                continue
            await self._take(sighting)
            handled.add(mark)
            feed.tries.pop(entry.id, None)
        feed.handled = handled
        feed.tries = {entry.id: feed.tries[entry.id] for entry in index.entries if entry.id in feed.tries}
        return complete

    def _is_past(self, entry: IndexEntry, settings: AlertFeedSettings) -> bool:
        expired = entry.expires is not None and entry.expires <= self._clock.now()
        return expired or not in_area(entry.geocodes, settings)

    async def _full(
        self, name: str, feed: Feed, session: aiohttp.ClientSession, entry: IndexEntry
    ) -> Sighting | None:
        """The alert behind an entry; None: ask again. Its line in the index where it cannot be had."""
        now = self._clock.now()
        if _same_server(entry.link, feed.settings.url):
            try:
                octets = await _fetch(session, entry.link)
                if octets is not None:
                    return of_alert(parse(octets, lenient=True), name, feed.settings, now)
            except (aiohttp.ClientError, OSError, Malformed, ValueError) as error:
                feed.tries[entry.id] = feed.tries.get(entry.id, 0) + 1
                _log.warning("alert_not_read", feed=name, reason=_trouble(error))
                if feed.tries[entry.id] < TRIES and not isinstance(error, Malformed):
                    return None
        return of_entry(entry, name, feed.settings, now)

    async def _take(self, sighting: Sighting) -> None:
        """Write down what is new in it, once."""
        if sighting.key in self._known:
            return
        latest = Instant(self._clock.now() + LONGEST)
        if sighting.seen.expires > latest:
            sighting = replace(sighting, seen=replace(sighting.seen, expires=latest))
        changed = [
            replace(known, cancelled=True)
            for one in sighting.replaces
            if (known := self._known.get(one)) is not None and not known.cancelled
        ]
        # Feeds list the newest first: what is over already must not be shown when it comes after its end.
        over = [
            _ended(one, sighting.seen) for one in sighting.replaces[:MOST_SHOWN] if one not in self._known
        ]
        told = [*changed, sighting.seen] if sighting.shown else changed
        if not told and not over:
            return
        seen = sighting.seen if sighting.shown else replace(sighting.seen, cancelled=True)
        now = self._clock.now()
        tx = Transaction()
        for one in (*changed, *over, seen):
            alert_store.keep(tx, one)
        alert_store.forget(tx, Instant(now - KEPT))
        fresh = {key(one): one for one in (*changed, *over, seen)}
        surplus = list(self._known)[: max(len(self._known | fresh) - MOST_KNOWN, 0)]
        for forgotten in surplus:
            alert_store.drop(tx, *forgotten)
        if told:
            drafts = [Draft(id=self._ids.fact(), at=now, subject="", fact=one) for one in told]
            await self._journal.commit(tx, drafts)
        else:
            await self._journal.database.submit(tx)
        self._known.update(fresh)
        self._known = {
            one: known
            for one, known in self._known.items()
            if known.expires >= now - KEPT and one not in surplus
        }


def _ended(one: Key, by: AlertSeen) -> AlertSeen:
    """A message that was never seen, ended by another one."""
    sender, identifier, sent = one
    return replace(by, sender=sender, identifier=identifier, sent=sent, cancelled=True)


class _LookedUp(AbstractResolver):
    """Addresses from memory: a name is never looked up while something is fetched."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - the contract's
    ) -> list[ResolveResult]:
        """What is known of the host, of whatever family."""
        found = self._addresses.every(host)
        if not found:
            raise OSError(f"no address of {host} is known")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def _fetch(
    session: aiohttp.ClientSession,
    url: str,
    *,
    asking: Mapping[str, str] | None = None,
    told: dict[str, str] | None = None,
) -> bytes | None:
    """The document; None: it has not changed. `told` is filled with what to ask with the next time."""
    async with session.get(url, headers=dict(asking or {}), allow_redirects=False) as answer:
        if answer.status == 304:
            return None
        if answer.status != 200:
            moved = (
                f", moved to {answer.headers.get(hdrs.LOCATION, '')[:200]}"
                if 300 <= answer.status < 400
                else ""
            )
            raise Malformed(f"the server answers {answer.status}{moved}")
        if answer.headers.get(hdrs.CONTENT_ENCODING, "identity") != "identity":
            raise Malformed("the server packs what it sends though it was asked not to")
        octets = bytearray()
        async for chunk in answer.content.iter_chunked(65_536):
            octets += chunk
            if len(octets) > LIMIT:
                raise Malformed(f"the document is longer than {LIMIT} octets")
        if told is not None:
            for header, condition in (
                (hdrs.ETAG, hdrs.IF_NONE_MATCH),
                (hdrs.LAST_MODIFIED, hdrs.IF_MODIFIED_SINCE),
            ):
                if value := answer.headers.get(header, ""):
                    told[condition] = value[:500]
        return bytes(octets)


def _same_server(link: str, url: str) -> bool:
    """Whether the link stays where the feed is: no feed sends us to other machines."""
    try:
        one, other = urlsplit(link), urlsplit(url)
        ports = one.port, other.port
    except ValueError:
        return False
    return ports[0] == ports[1] and (one.scheme, one.hostname) == (other.scheme, other.hostname)


def _trouble(error: Exception) -> str:
    """Why, for people: short, without addresses of accounts."""
    if isinstance(error, Malformed):
        return str(error)[:200]
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"it cannot be reached ({error.os_error.strerror or error.os_error or 'no connection'})"[:200]
    return f"it cannot be read ({type(error).__name__})"
