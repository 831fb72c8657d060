"""Fan-out: who falls behind is let go, nobody waits for them, and who comes back gets what they missed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from belltower.ids import StreamName
from gateway.web.stream import EVERYBODY, Fanout, event, understood, written
from tests.peers.waiting import PATIENCE

ALARM = StreamName("alarm")
TOPIC = "inc_1"


@asynccontextmanager
async def serving(fanout: Fanout) -> AsyncIterator[int]:
    """The fan-out behind a real socket; yields the port."""

    async def events(request: web.Request) -> web.StreamResponse:
        response, screen = await fanout.serve(request, topic=request.query.get("topic", ""), owner=b"o")
        try:
            await screen.gone.wait()
        finally:
            fanout.forget(screen)
        return response

    app = web.Application()
    app.add_routes([web.get("/events", events)])
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        fanout.end()
        await runner.cleanup()


class Screen:
    """A browser's side of the stream, on a bare socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.heard = bytearray()

    @classmethod
    async def connect(cls, port: int, after: str = "", *, last: str = "", window: int = 0) -> Screen:
        """Ask for the stream and wait until it has begun. `window` is how much it is willing to receive."""
        sock = socket.socket()
        if window:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        sock.connect(("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=window or 2**16)
        seen = f"Last-Event-ID: {last}\r\n" if last else ""
        request = f"GET /events?topic={TOPIC}&after={after} HTTP/1.1\r\nHost: x\r\n{seen}\r\n"
        writer.write(request.encode())
        screen = cls(reader, writer)
        await screen.until(b"retry: 2000")
        return screen

    async def until(self, wanted: bytes, within: float = PATIENCE) -> bytearray:
        """Read until `wanted` was heard."""
        async with asyncio.timeout(within):
            while wanted not in self.heard:
                data = await self._reader.read(65_536)
                assert data, f"ended before {wanted!r}: {bytes(self.heard)!r}"
                self.heard += data
        return self.heard

    async def take(self, octets: int) -> None:
        """Read at least so many more."""
        wanted = len(self.heard) + octets
        while len(self.heard) < wanted:
            data = await self._reader.read(65_536)
            assert data, f"ended {wanted - len(self.heard)} octets before"
            self.heard += data

    async def rest(self) -> bytearray:
        """Read to the end."""
        async with asyncio.timeout(PATIENCE):
            while data := await self._reader.read(65_536):
                self.heard += data
        return self.heard

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()


def told(fanout: Fanout, position: int, topic: str = TOPIC, data: str = "x") -> None:
    """One event about one fact."""
    heads = {ALARM: position}
    fanout.publish(topic, event("step", f"{data}{position}", heads), heads)


async def test_one_stalled_screen_costs_the_others_nothing() -> None:
    """The stalled one is let go within its bound; the others hear everything, in order."""
    events, filler = 300, "y" * 8_000
    fanout = Fanout(queue=64 * 1024)
    fanout.begin({ALARM: 0})
    async with serving(fanout) as port:
        screens = [await Screen.connect(port, "alarm-0") for _ in range(10)]
        stalled = await Screen.connect(port, "alarm-0", window=4_096)
        for position in range(1, events + 1):
            told(fanout, position, data=filler)
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(screen.take(len(filler)) for screen in screens))
        assert len(screens) == len(fanout)
        for screen in screens:
            heard = await screen.until(f"y{events}\n".encode())
            assert events == heard.count(b"event: step")
        end = await stalled.rest()
        for screen in [*screens, stalled]:
            await screen.close()

    assert 1 <= fanout.dropped
    assert 256 * 1024 > len(end)


async def test_a_screen_that_comes_back_gets_exactly_what_it_missed() -> None:
    """By stream and position, from the page's own or from the last event's."""
    fanout = Fanout()
    fanout.begin({ALARM: 10})
    async with serving(fanout) as port:
        for position in range(11, 15):
            told(fanout, position)
        told(fanout, 15, topic="inc_other")
        told(fanout, 16, topic=EVERYBODY)
        screen = await Screen.connect(port, "alarm-10", last="alarm-12")
        told(fanout, 17)
        heard = await screen.until(b"x17")
        await screen.close()

    assert [b"x13", b"x14", b"x16", b"x17"] == [word for word in heard.split() if word.startswith(b"x")]


@pytest.mark.parametrize("seen", ["alarm-9", "", "nonsense", "alarm-x"])
async def test_a_screen_that_was_away_too_long_is_told_to_look_again(seen: str) -> None:
    """What it missed is not kept any more, or nobody can say what it was."""
    fanout = Fanout(kept=4)
    fanout.begin({ALARM: 9})
    async with serving(fanout) as port:
        for position in range(10, 16):
            told(fanout, position)
        screen = await Screen.connect(port, seen)
        heard = await screen.rest()
        await screen.close()

    assert b"event: resync" in heard
    assert b"event: step" not in heard


async def test_too_many_screens_are_turned_away() -> None:
    """Bounded, with a polite answer."""
    fanout = Fanout(screens=1)
    fanout.begin({})
    async with serving(fanout) as port:
        first = await Screen.connect(port)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            assert b"503" in await reader.readline()
        writer.close()
        await first.close()


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.from_regex(r"[a-z0-9@.~-]{1,12}", fullmatch=True), st.integers(0, 10**17)))
def test_positions_survive_their_written_form(heads: dict[str, int]) -> None:
    """understood(written(x)) == x."""
    assert heads == understood(written(heads))  # type: ignore[arg-type]


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=60))
def test_any_text_is_positions_or_nothing(text: str) -> None:
    """A header from outside never raises."""
    understood(text)
