"""The socket between the lanes: the desk follows the alarm lane's stream, asks for verbs, and hears signs of life.

A unix socket that only its owner may open. Each message is a length of 4 octets, big-endian, and that many octets of
MessagePack. The first message of a connection says what it is for:

    Follow(after)   answered for ever with `Batch` (entries in order, at once when there are any) and, every
                    second, `Status`, which doubles as the sign of life
    Ask(verb, ..)   answered with one `Answer`; more may follow on the same connection
    Look            answered with one `Status`

A reader that does not read stops being read to: entries wait in the journal, never in memory.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from belltower import errors, log
from belltower.clock import Instant
from belltower.errors import BelltowerError, Malformed, NotAsked, Refused, StoreError, Unreachable
from belltower.ids import LinkName, StreamName, UnitId, VerbId
from belltower.journal import RawEntry

_log = log.get("control")

BEAT = 1.0
"""Seconds between two signs of life."""

_LENGTH = struct.Struct(">I")
_LARGEST = 8 * 1024 * 1024
_ASK_WITHIN = 10.0


class Follow(Struct, frozen=True, tag=True):
    """Send me what comes after this position."""

    after: int


class Ask(Struct, frozen=True, kw_only=True, tag=True):
    """Do this once, whoever asks how often."""

    name: str
    verb: VerbId
    args: dict[str, Any]


class Look(Struct, frozen=True, tag=True):
    """How is the lane?"""


class Status(Struct, frozen=True, kw_only=True, tag=True):
    """How the alarm lane is at this moment."""

    lane: str
    # The stream that the lane writes now; a fresh journal begins a new one.
    stream: StreamName
    revision: str
    version: str
    head: int
    open_incidents: int
    # Links and intake paths that do not answer, with the reason.
    links_lost: dict[LinkName, str]
    # The ways to the PSAP, first what is shown first: whether each answers. None: not known yet.
    links: dict[LinkName, bool | None]
    units_lost: tuple[UnitId, ...]
    units: int
    # Foreign devices, and those of them that are lost; at most 256 are named.
    devices: int = 0
    devices_lost: tuple[str, ...] = ()
    # How many cannot be heard because what they hang on is lost.
    devices_unknown: int = 0
    # Troubles that stand: by device, unit or name at a broker.
    troubles: dict[str, tuple[str, ...]] = {}
    # When each way to the PSAP was last proven by a test, and which ways were not for 31 days or never.
    links_proven: dict[LinkName, Instant] = {}
    links_unproven: tuple[LinkName, ...] = ()
    # What else is to be known of a way to the PSAP: weakly supervised, its channel loaded.
    links_remarks: dict[LinkName, str] = {}
    # Why the journal cannot keep what happens; "" when it can.
    trouble: str
    # The lane's disk is full: the room kept for that is used.
    reserve_used: bool = False
    # What is not as the settings want it: run without, or with what was kept from before. A person must look.
    faults: tuple[str, ...] = ()
    # The damaged file that was put aside within the last day; "": none.
    put_aside: str = ""
    # When the window of the drill that runs closes; 0: none runs. Its only action, "" for none; where it is; whether the
    # PSAP is part of it.
    drill_until: int
    drill_action: str = ""
    drill_places: tuple[str, ...] = ()
    drill_psap: bool = False
    counts: dict[str, int]


class Batch(Struct, frozen=True, tag=True):
    """Entries in order. Position 0: not yet in the journal, to be shown, not to be kept."""

    entries: list[RawEntry]


class Answer(Struct, frozen=True, kw_only=True, tag=True):
    """What a verb said: its result, or why not. `error` is a name from `belltower.errors`."""

    result: str = ""
    error: str = ""
    reason: str = ""


_Request = Follow | Ask | Look
_Reply = Batch | Status | Answer
_requests = msgspec.msgpack.Decoder(_Request)
_replies = msgspec.msgpack.Decoder(_Reply)
_encoder = msgspec.msgpack.Encoder()

Verb = Callable[[VerbId, dict[str, Any]], Awaitable[str]]
"""A verb as the socket offers it: its id and its arguments, to its result. Raises `Refused`."""


class ControlServer:
    """The alarm lane's end."""

    def __init__(
        self,
        *,
        path: Path,
        follow: Callable[[int], AsyncIterator[list[RawEntry]]],
        verbs: Mapping[str, Verb],
        status: Callable[[], Status],
    ) -> None:
        self._path = path
        self._follow = follow
        self._verbs = verbs
        self._status = status
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled. A socket file that a dead process left behind is replaced."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        previous = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._serve, fresh)
        finally:
            os.umask(previous)
        fresh.rename(self._path)
        self.ready.set()
        async with server:
            await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not _is_ours(writer):
                return
            while True:
                request = _requests.decode(await _read(reader))
                match request:
                    case Follow(after):
                        await self._stream(after, writer)
                        return
                    case Ask():
                        await _write(writer, await self._answer(request))
                    case Look():
                        await _write(writer, self._status())
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass
        except asyncio.CancelledError:
            pass  # the lane ends, and the streams of Python 3.11 would print a cancelled connection as an error
        except (Malformed, msgspec.DecodeError) as error:
            _log.warning("control_malformed", error=str(error))
        finally:
            writer.close()

    async def _answer(self, ask: Ask) -> Answer:
        verb = self._verbs.get(ask.name)
        if verb is None:
            return Answer(error="NotFound", reason=f"there is no verb {ask.name!r}")
        try:
            return Answer(result=await verb(ask.verb, ask.args))
        except Refused as refused:
            return Answer(error=type(refused).__name__, reason=str(refused))
        except StoreError as error:
            return Answer(error="StoreError", reason=f"the alarm lane's database: {error}")
        except (KeyError, TypeError, ValueError) as error:
            return Answer(error="Refused", reason=f"{ask.name}: its arguments do not fit: {error}")

    async def _stream(self, after: int, writer: asyncio.StreamWriter) -> None:
        """Send entries and beats until the reader goes away."""
        lock = asyncio.Lock()

        async def beat() -> None:
            while True:
                async with lock:
                    await _write(writer, self._status())
                await asyncio.sleep(BEAT)

        async def feed() -> None:
            async for entries in self._follow(after):
                async with lock:
                    await _write(writer, Batch(entries))

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(beat(), name="control-beat")
                group.create_task(feed(), name="control-feed")
        except* (ConnectionError, StoreError) as ended:
            # The reader is gone, or the journal cannot be read just now: it asks again, with its own bookmark.
            _log.info("follower_ended", why=type(ended.exceptions[0]).__name__)


class ControlClient:
    """The other end: the desk lane's, or the command line's."""

    def __init__(self, *, path: Path, answered_within: float = _ASK_WITHIN) -> None:
        """Speak over the socket at `path`; a verb has so many seconds."""
        self._path = path
        self._answered_within = answered_within

    async def follow(self, after: int) -> AsyncIterator[Batch | Status]:
        """What the alarm lane says, until it falls silent: then `Unreachable`."""
        reader, writer = await self._connect()
        try:
            await self._send(writer, Follow(after))
            while True:
                reply = await self._reply(reader, within=5 * BEAT)
                if isinstance(reply, Answer):
                    raise Unreachable(reply.reason)
                yield reply
        finally:
            writer.close()

    async def ask(self, name: str, verb: VerbId, **args: Any) -> str:
        """Do a verb; its result. Raises what the verb raised, or `Unreachable` when the lane does not answer.

        It is `NotAsked` when it could not be asked at all. After `Unreachable` ask again with the same id: it is done once.
        """
        reader, writer = await self._connect()
        try:
            await self._send(writer, Ask(name=name, verb=verb, args=args))
            reply = await self._reply(reader, within=self._answered_within)
        finally:
            writer.close()
        if not isinstance(reply, Answer):
            raise Unreachable("the alarm lane gave an answer to another question")
        if reply.error:
            kind = getattr(errors, reply.error, Refused)
            raise kind(reply.reason) if issubclass(kind, BelltowerError) else Refused(reply.reason)
        return reply.result

    async def look(self) -> Status:
        """How the lane is. Raises `Unreachable`."""
        reader, writer = await self._connect()
        try:
            await self._send(writer, Look())
            reply = await self._reply(reader, within=_ASK_WITHIN)
        finally:
            writer.close()
        if not isinstance(reply, Status):
            raise Unreachable("the alarm lane gave an answer to another question")
        return reply

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(_ASK_WITHIN):
                return await asyncio.open_unix_connection(self._path)
        except (OSError, TimeoutError) as error:
            raise NotAsked(
                f"the alarm lane does not answer at {self._path}; is belltower run running?"
            ) from error

    async def _send(self, writer: asyncio.StreamWriter, message: _Request) -> None:
        try:
            await _write(writer, message)
        except OSError as error:
            raise Unreachable("the alarm lane hung up") from error

    async def _reply(self, reader: asyncio.StreamReader, *, within: float) -> _Reply:
        try:
            async with asyncio.timeout(within):
                reply: _Reply = _replies.decode(await _read(reader))
                return reply
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise Unreachable("the alarm lane is silent") from error
        except msgspec.DecodeError as error:
            raise Unreachable(
                "the alarm lane answers in words of another version; restart belltower run"
            ) from error


async def _read(reader: asyncio.StreamReader) -> bytes:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > _LARGEST:
        raise Malformed(f"a message of {length} octets, at most {_LARGEST}")
    return await reader.readexactly(length)


async def _write(writer: asyncio.StreamWriter, message: _Request | _Reply) -> None:
    body = _encoder.encode(message)
    writer.write(_LENGTH.pack(len(body)) + body)
    await writer.drain()


def _is_ours(writer: asyncio.StreamWriter) -> bool:
    """Whether the peer runs as us or as root."""
    peer = writer.get_extra_info("socket")
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return user in (0, os.getuid())
