"""A receiver of SIA DC-09 reports: existing alarm panels connect to it by TCP, or send it datagrams.

A frame of the wrong length or CRC is dropped, for nothing in it can be believed; its sender repeats it. A report whose
time is out of the window is answered with NAK and our time. Everything else is handed to `OnReport` once, and answered
when that has decided; a repetition gets the same answer.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from msgspec import Struct

from belltower import log
from belltower.clock import Clock
from belltower.errors import Unreachable
from belltower.ids import RandomBytes
from hardware.codecs import dc09
from hardware.codecs.dc09 import Frame
from hardware.codecs.dc09_crypto import random_pad
from hardware.drivers.dc09_judge import Answer, Heard, Judge, Judged

_log = log.get("dc09")

_MAX_UNSENT = 65_536
_KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 45_000}
_BACKLOG = 128


class Received(Struct, frozen=True, kw_only=True):
    """A report of a known account, in clear and in time, heard for the first time; link tests every time."""

    frame: Frame
    # "tcp" or "udp".
    by: str


OnReport = Callable[[Received], "asyncio.Future[Answer] | Answer"]
"""Decides what to say. Called on the loop; must neither block nor raise.

A future that fails or is cancelled: nothing is said, and the report is fresh when it comes again.
"""

Out = Callable[[bytes], None]


class Limits(Struct, frozen=True, kw_only=True):
    """What one receiver bears."""

    # Connections at once; a further one takes the place of the one silent for longest.
    connections: int = 256
    # Reports of all that wait for their answer; more are dropped, and their senders repeat them.
    waiting: int = 1_024


class DC09Receiver:
    """Listens on one port by TCP, UDP or both. `run` it; `ready` is set while it listens."""

    def __init__(
        self,
        *,
        accounts: Mapping[str, bytes | None],
        on_report: OnReport,
        clock: Clock,
        host: str = "127.0.0.1",
        port: int = 0,
        tcp: bool = True,
        udp: bool = True,
        limits: Limits | None = None,
        random_bytes: RandomBytes = os.urandom,
        saying: Callable[[bytes, Out], None] | None = None,
    ) -> None:
        """Keep what it is made of: `accounts` by number, with the key of each or None; `saying` puts out answers."""
        self._judge = Judge(accounts=accounts, pad=random_pad(random_bytes))
        self._on_report = on_report
        self._clock = clock
        self._host = host
        self._tcp = tcp
        self._udp = udp
        self._limits = limits or Limits()
        self._saying = saying
        self._sessions: OrderedDict[_Session, None] = OrderedDict()
        self._waiting = 0
        # Repetitions of a report that nobody has decided about yet.
        self._listeners: dict[int, list[Out]] = {}
        self.port = port
        """The port listened on; 0 until `ready` picks a free one."""
        self.ready = asyncio.Event()

    @property
    def counts(self) -> Counter[str]:
        """What became of what was heard."""
        return self._judge.counts

    async def run(self) -> None:
        """Listen until cancelled. Raises Unreachable when the address cannot be had."""
        loop = asyncio.get_running_loop()
        server: asyncio.Server | None = None
        datagrams: asyncio.BaseTransport | None = None
        try:
            try:
                if self._tcp:
                    listening = self._listening()
                    self.port = listening.getsockname()[1]
                    server = await loop.create_server(
                        lambda: _Session(self), sock=listening, backlog=_BACKLOG
                    )
                if self._udp:
                    datagrams, _ = await loop.create_datagram_endpoint(
                        lambda: _Datagrams(self), local_addr=(self._host, self.port)
                    )
                    self.port = datagrams.get_extra_info("sockname")[1]
            except OSError as error:
                raise Unreachable(
                    f"cannot listen on {self._host}:{self.port}: {error.strerror or error}"
                ) from error
            self.ready.set()
            await loop.create_future()
        finally:
            self.ready.clear()
            if server is not None:
                server.close()
            if datagrams is not None:
                datagrams.close()
            for session in list(self._sessions):
                session.end()

    def drop_all(self) -> None:
        """End every connection."""
        for session in list(self._sessions):
            session.end()

    def take(self, item: Frame | dc09.Garbled, out: Out, *, by: str) -> None:
        """One frame, or what was none, of a sender who is answered by `out`."""
        if isinstance(item, dc09.Garbled):
            self.counts["garbled"] += 1
            return
        now = self._clock.now()
        judged = self._judge.judge(item, now=now, at=asyncio.get_running_loop().time())
        if judged.octets is not None:
            self._say(judged.octets, out)
        elif judged.fresh:
            self._ask(judged, out, by)
        elif judged.entry is not None:
            self._again(judged.frame, judged.entry, out)

    def joined(self, session: _Session) -> None:
        """A new connection; the one silent for longest may have to go."""
        self._sessions[session] = None
        if len(self._sessions) > self._limits.connections:
            self.counts["evicted"] += 1
            next(iter(self._sessions)).end()

    def spoke(self, session: _Session) -> None:
        """A connection that is in use."""
        self._sessions.move_to_end(session)

    def left(self, session: _Session) -> None:
        """It is gone."""
        self._sessions.pop(session, None)

    def _ask(self, judged: Judged, out: Out, by: str) -> None:
        entry = judged.entry or Heard(stamp=None, at=0.0)
        if self._waiting >= self._limits.waiting:
            self.counts["crowded"] += 1
            self._judge.forget(judged.frame)
            return
        decided = self._on_report(Received(frame=judged.frame, by=by))
        if isinstance(decided, Answer):
            self._settle(judged.frame, entry, decided)
            self._reply(judged.frame, decided, out)
            return
        self._waiting += 1
        self._listeners[id(entry)] = [out]
        decided.add_done_callback(partial(self._decided, judged.frame, entry))

    def _decided(self, frame: Frame, entry: Heard, decided: asyncio.Future[Answer]) -> None:
        self._waiting -= 1
        listeners = self._listeners.pop(id(entry), [])
        if decided.cancelled() or decided.exception() is not None:
            self.counts["undecided"] += 1
            self._judge.forget(frame)
            return
        self._settle(frame, entry, decided.result())
        for out in listeners:
            self._reply(frame, decided.result(), out)

    def _settle(self, frame: Frame, entry: Heard, answer: Answer) -> None:
        entry.answer = answer
        if answer is not Answer.ACK:  # whoever did not take it is asked again
            self._judge.forget(frame)

    def _again(self, frame: Frame, entry: Heard, out: Out) -> None:
        if entry.answer is not None:
            self._reply(frame, entry.answer, out)
        elif (listeners := self._listeners.get(id(entry))) is not None:
            listeners[:] = [*listeners[-3:], out]

    def _reply(self, frame: Frame, answer: Answer, out: Out) -> None:
        self._say(self._judge.answer(frame, answer, now=self._clock.now()), out)

    def _say(self, octets: bytes, out: Out) -> None:
        if not octets:
            return
        if self._saying is not None:
            self._saying(octets, out)
        else:
            out(octets)

    def _listening(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listening = socket.create_server((self._host, self.port), family=family, backlog=_BACKLOG)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():  # accepted sockets inherit it
            option = getattr(socket, name, None)
            if option is not None:
                listening.setsockopt(socket.IPPROTO_TCP, option, value)
        return listening


class _Session(asyncio.Protocol):
    def __init__(self, receiver: DC09Receiver) -> None:
        self._receiver = receiver
        self._decoder = dc09.Decoder()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is no subclass of asyncio's
        self._receiver.joined(self)

    def data_received(self, data: bytes) -> None:
        self._receiver.spoke(self)
        for item in self._decoder.feed(data):
            self._receiver.take(item, self.say, by="tcp")

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._receiver.left(self)

    def say(self, octets: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > _MAX_UNSENT:
            self._receiver.counts["slow"] += 1
            self.end()
            return
        self._transport.write(octets)

    def end(self) -> None:
        self._receiver.left(self)
        if self._transport is not None:
            self._transport.abort()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, receiver: DC09Receiver) -> None:
        self._receiver = receiver
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is no subclass of asyncio's

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        for item in dc09.Decoder().feed(data):
            self._receiver.take(item, partial(self._say, addr), by="udp")

    def _say(self, addr: tuple[Any, ...], octets: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(octets, addr)
