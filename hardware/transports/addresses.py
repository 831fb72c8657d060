"""Numeric addresses of named hosts, looked up ahead, so that nothing is looked up when a call is sent.

A name server that hangs, refuses or lies costs nothing but freshness: the last good answer is kept in memory and on
disk. Look-ups and writes have threads of their own, never the loop's pool, which hung look-ups would fill; a thread
that hangs for ever does not keep the process from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import mkstemp
from threading import Thread
from typing import Protocol

import msgspec

from belltower import log

_log = log.get("addresses")

REFRESH = 60.0
"""Seconds between two look-ups of a host that was found."""
HURRY = 5.0
"""Seconds between two look-ups of a host of which no address is known at all."""
DEADLINE = 10.0
"""Seconds for one look-up, and for one write."""
MAX_HOSTS = 64
MAX_ADDRESSES = 8
_MAX_HOST = 253
_MAX_FILE = 65_536

Found = tuple[str, ...]
Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Looks one host up: its numeric addresses, best first. `OSError` when there is no answer."""


class AddressBook(Protocol):
    """Numeric addresses of named hosts, looked up ahead: never while something is sent."""

    def watch(self, host: str, /) -> None:
        """Keep the address of this host fresh from now on; a numeric one needs nothing."""
        ...

    def of(self, host: str, /) -> str | None:
        """The last good address, from memory; None if there never was one."""
        ...


class Addresses:
    """The last good numeric addresses of the hosts that are watched. `run` it in a lane's crew, mendable."""

    def __init__(
        self,
        *,
        path: Path | None = None,
        resolve: Resolve | None = None,
        refresh: float = REFRESH,
        hurry: float = HURRY,
        deadline: float = DEADLINE,
    ) -> None:
        self._path = path
        self._resolve: Resolve = resolve or system_resolver()
        self._refresh = refresh
        self._hurry = hurry
        self._deadline = deadline
        self._hosts: dict[str, Found] = {}
        self._kept: dict[str, Found] | None = None
        self._failing: set[str] = set()
        self._added = asyncio.Event()
        self._stale = asyncio.Event()

    def watch(self, host: str) -> None:
        """Keep an address of `host` ready from now on. At once there is the one of an earlier run, if any.

        ValueError: it is no host name, or more than 64 are watched.
        """
        if _is_numeric(host) or host in self._hosts:
            return
        if not host or len(host) > _MAX_HOST or not host.isprintable():
            raise ValueError("a host name has 1 to 253 printable characters")
        if len(self._hosts) >= MAX_HOSTS:
            raise ValueError(f"more than {MAX_HOSTS} hosts to look up")
        if self._kept is None:
            self._kept = self._read()
        self._hosts[host] = self._kept.get(host, ())
        self._added.set()

    def of(self, host: str) -> str | None:
        """A numeric address of `host`, from memory; itself when it is numeric; None while none is known."""
        every = self.every(host)
        return every[0] if every else None

    def every(self, host: str) -> Found:
        """All that is known of `host`, best first, for whoever wants to try the next one."""
        return (host,) if _is_numeric(host) else self._hosts.get(host, ())

    async def run(self) -> None:
        """Look every watched host up again and again, each for itself, and keep what is found; for ever."""
        started: set[str] = set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep(), name="addresses keep")
            while True:
                self._added.clear()
                for host in self._hosts.keys() - started:
                    started.add(host)
                    group.create_task(self._follow(host), name=f"addresses {host}")
                await self._added.wait()

    async def _follow(self, host: str) -> None:
        while True:
            try:
                async with asyncio.timeout(self._deadline):
                    found = _sound(await self._resolve(host))
            except (OSError, UnicodeError):  # TimeoutError is an OSError
                found = ()
            self._take(host, found)
            await asyncio.sleep(self._refresh if self._hosts[host] else self._hurry)

    def _take(self, host: str, found: Found) -> None:
        if not found:
            if host not in self._failing:
                self._failing.add(host)
                _log.warning("host_not_resolved", host=host, last_good=bool(self._hosts[host]))
            return
        if host in self._failing:
            self._failing.discard(host)
            _log.info("host_resolved", host=host)
        if found != self._hosts[host]:
            self._hosts[host] = found
            self._stale.set()

    # ---- the file

    async def _keep(self) -> None:
        while True:
            await self._stale.wait()
            self._stale.clear()
            hosts = {host: found for host, found in self._hosts.items() if found}
            if self._path is None or hosts == self._kept:
                continue
            try:
                async with asyncio.timeout(self._deadline):
                    await _aside(_Write(self._path, msgspec.json.encode(hosts)))
                self._kept = hosts
            except OSError as error:
                _log.warning("addresses_not_kept", error=error.strerror or type(error).__name__)

    def _read(self) -> dict[str, Found]:
        if self._path is None:
            return {}
        try:
            with self._path.open("rb") as file:
                octets = file.read(_MAX_FILE + 1)
            if len(octets) > _MAX_FILE:
                raise msgspec.ValidationError("too long")
            hosts = msgspec.json.decode(octets, type=dict[str, list[str]])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError, UnicodeError) as error:
            _log.warning("kept_addresses_unusable", file=self._path.name, error=type(error).__name__)
            return {}
        return {host: found for host, kept in hosts.items() if (found := _sound(kept))}


def system_resolver() -> Resolve:
    """The system's resolver. However long it hangs, a host has at most one look-up under way."""
    under_way: dict[str, asyncio.Future[Found]] = {}

    async def resolve(host: str) -> Found:
        waiting = under_way.get(host)
        if waiting is None or waiting.done():
            waiting = under_way[host] = _aside(lambda: _looked_up(host))
        return await asyncio.shield(waiting)

    return resolve


def _looked_up(host: str) -> Found:
    infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(info[4][0]) for info in infos))


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _sound(found: Sequence[str]) -> Found:
    return tuple(address for address in found if _is_numeric(address))[:MAX_ADDRESSES]


class _Write:
    """Replaces the file in one step: it holds either all old or all new."""

    def __init__(self, path: Path, octets: bytes) -> None:
        self._path = path
        self._octets = octets

    def __call__(self) -> Found:
        descriptor, name = mkstemp(prefix=f"{self._path.name}.", dir=self._path.parent)
        fresh = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._octets)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        return ()


def _aside(work: Callable[[], Found]) -> asyncio.Future[Found]:
    """What `work` returns, from a thread of its own that nobody has to wait for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Found] = loop.create_future()

    def settle(found: Found, error: Exception | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(found)
        else:
            done.set_exception(error)
            done.exception()  # whoever asked may have gone

    def run() -> None:
        found: Found = ()
        failure: Exception | None = None
        try:
            found = work()
        except (OSError, UnicodeError) as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, found, failure)

    Thread(target=run, name="aside", daemon=True).start()
    return done
