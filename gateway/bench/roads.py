"""Several roads to the county at once, each with a relay in the middle that sees when a call's octets pass.

A relay carries octets both ways between the school's side and the county's, a pseudo-terminal pair or a connection,
and notes when the first chunk came that holds the road's mark. It can hang: then it takes nothing from the school.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
import tty
from collections.abc import Mapping
from typing import Self

from gateway.bench.rig import PATIENCE

_KEPT = 8_192


class Road:
    """One relay."""

    def __init__(self, *, name: str, mark: bytes, outward: bool = True) -> None:
        self.name = name
        self.mark = mark
        # Whether the school is the one that connects.
        self.outward = outward
        self.target = 0
        """The port that a connection is carried on to."""
        self.listener: socket.socket | None = None
        self.hung = False


class Roads:
    """All relays, in one thread. Use as `with Roads(..) as roads`."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._roads: dict[str, Road] = {}
        # Whose descriptor that is, where its octets go, and whether they come from the school.
        self._pairs: dict[int, tuple[Road, int, bool]] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._descriptors: list[int] = []
        self._recent: dict[str, bytes] = {}
        self._seen: dict[str, float] = {}
        self._news = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="roads", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        self._thread.join(5)
        for line in self._sockets.values():
            line.close()
        for road in self._roads.values():
            if road.listener is not None:
                road.listener.close()
        for number in self._descriptors:
            os.close(number)
        self._epoll.close()

    # ---- building

    def serial(self, name: str, mark: bytes) -> tuple[str, str]:
        """A serial road: the school's path and the county's."""
        road = self._roads[name] = Road(name=name, mark=mark)
        (near, school), (far, county) = os.openpty(), os.openpty()
        tty.setraw(school)
        tty.setraw(county)
        os.set_blocking(near, False)
        os.set_blocking(far, False)
        self._descriptors += [near, far, school, county]
        self._join(road, near, far)
        return os.ttyname(school), os.ttyname(county)

    def connection(self, name: str, mark: bytes, *, outward: bool = True) -> int:
        """A road by TCP: the port to connect to. Where it leads is `lead`'s to say."""
        road = self._roads[name] = Road(name=name, mark=mark, outward=outward)
        road.listener = socket.create_server(("127.0.0.1", 0))
        road.listener.setblocking(False)
        self._epoll.register(road.listener.fileno(), select.EPOLLIN)
        return int(road.listener.getsockname()[1])

    def lead(self, name: str, port: int) -> None:
        """The road by TCP leads to this port."""
        self._roads[name].target = port

    # ---- measuring

    def arm(self) -> None:
        """From now on the next call on each road is waited for."""
        with self._news:
            self._recent.clear()
            self._seen.clear()

    def wait(self, within: float = PATIENCE) -> Mapping[str, float]:
        """When the call passed on each road that does not hang; `TimeoutError` names those on which it did not."""
        wanted = {name for name, road in self._roads.items() if not road.hung}
        with self._news:
            if not self._news.wait_for(lambda: wanted <= self._seen.keys(), within):
                raise TimeoutError(f"no call on {', '.join(sorted(wanted - self._seen.keys()))}")
            return dict(self._seen)

    def hang(self, name: str, *, hung: bool = True) -> None:
        """Take no more from the school on this road, or go on."""
        self._roads[name].hung = hung
        for number, (road, _, from_school) in self._pairs.items():
            if road.name == name and from_school:
                self._epoll.modify(number, 0 if hung else select.EPOLLIN)

    # ---- carrying

    def _run(self) -> None:
        while not self._ending:
            for number, _ in self._epoll.poll(0.1):
                now = time.perf_counter()
                if number in self._pairs:
                    self._carry(number, now)
                else:
                    self._accept(number)

    def _carry(self, number: int, now: float) -> None:
        road, other, from_school = self._pairs[number]
        if road.hung and from_school:
            return
        try:
            octets = os.read(number, 65_536)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:
            self._drop(number, other)
            return
        if from_school and road.name not in self._seen:
            recent = self._recent.get(road.name, b"") + octets
            self._recent[road.name] = recent[-_KEPT:]
            if road.mark in recent:
                with self._news:
                    self._seen[road.name] = now
                    self._news.notify_all()
        self._write(other, octets)

    def _write(self, number: int, octets: bytes) -> None:
        left = octets
        while left:
            try:
                left = left[os.write(number, left) :]
            except BlockingIOError:
                select.select([], [number], [], 0.05)
            except OSError:
                return

    def _accept(self, number: int) -> None:
        road = next(
            road for road in self._roads.values() if road.listener and road.listener.fileno() == number
        )
        assert road.listener is not None
        near, _ = road.listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", road.target), timeout=5)
        except OSError:
            near.close()
            return
        for line in (near, far):
            line.setblocking(False)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets[line.fileno()] = line
        school, county = (near, far) if road.outward else (far, near)
        self._join(road, school.fileno(), county.fileno())

    def _join(self, road: Road, school: int, county: int) -> None:
        self._pairs[school] = road, county, True
        self._pairs[county] = road, school, False
        self._epoll.register(school, 0 if road.hung else select.EPOLLIN)
        self._epoll.register(county, select.EPOLLIN)

    def _drop(self, *numbers: int) -> None:
        for number in numbers:
            if number in self._sockets:
                self._epoll.unregister(number)
                del self._pairs[number]
                self._sockets.pop(number).close()
