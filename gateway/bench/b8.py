"""B8: 500 screens, one of which never reads.

The product's fan-out on aiohttp against the barest one there is, `send` on 500 sockets; the screens live in another
process. The stalled screen must cost the others nothing.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from belltower.ids import StreamName
from gateway.bench import screens
from gateway.bench.figure import Figure
from gateway.web.stream import Fanout, event

SCREENS = 500
EVENTS = 600
PACE = 0.012

_STREAM = StreamName("alarm")
_TOPIC = "bench"
_HTML = json.dumps({"key": "sent:1", "html": "<li class='step sent'>" + "x" * 900 + "</li>"})


async def run() -> list[Figure]:
    """CPU per send beside its floor, and what share of all octets the reading screens got."""
    floor, _ = await _raw()
    value, share = await _product()
    return [
        Figure(
            id="B8",
            name=f"CPU per send to {SCREENS} screens, one stalled",
            value=round(value * 1e6, 2),
            unit="us",
            floor=round(floor * 1e6, 2),
            ratio=round(value / floor, 2),
            goal="<= 2 x raw send",
            met=value <= 2 * floor,
            extra={"events": EVENTS, "octets per event": len(_event(1))},
        ),
        Figure(
            id="B8",
            name="what the others get while one is stalled",
            value=round(share * 100, 2),
            unit="%",
            floor=100.0,
            ratio=round(share, 4),
            goal="100 %",
            met=share == 1.0,
        ),
    ]


def _event(number: int) -> bytes:
    kind = "end" if number == EVENTS else "step"
    return event(kind, _HTML, {_STREAM: number})


def _frame(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_OCTETS = sum(len(_frame(_event(number))) for number in range(1, EVENTS + 1))


@asynccontextmanager
async def _watching(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", screens.__name__, str(port), str(SCREENS), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    try:
        yield process
    finally:
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _send(publish: Callable[[int], None], process: asyncio.subprocess.Process) -> tuple[float, float]:
    before = time.process_time()
    for number in range(1, EVENTS + 1):
        publish(number)
        await asyncio.sleep(PACE)
    spent = (time.process_time() - before) / (EVENTS * SCREENS)
    assert process.stdout is not None
    got: list[int] = json.loads(await process.stdout.read())
    return spent, sum(min(octets, _OCTETS) for octets in got) / (_OCTETS * len(got))


async def _product() -> tuple[float, float]:
    fanout = Fanout(per_owner=SCREENS)
    fanout.begin({_STREAM: 0})

    async def events(request: web.Request) -> web.StreamResponse:
        response, screen = await fanout.serve(request, topic=_TOPIC, owner=b"")
        try:
            await screen.gone.wait()
        finally:
            fanout.forget(screen)
        return response

    app = web.Application()
    app.add_routes([web.get("/events", events)])
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=SCREENS).start()
    try:
        async with _watching(runner.addresses[0][1]) as process:
            while len(fanout) < SCREENS:  # noqa: ASYNC110 - asked once a run
                await asyncio.sleep(0.01)
            return await _send(
                lambda number: fanout.publish(_TOPIC, _event(number), {_STREAM: number}), process
            )
    finally:
        fanout.end()
        await runner.cleanup()


async def _raw() -> tuple[float, float]:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0), backlog=SCREENS) as server:
        server.setblocking(False)
        accepted: list[socket.socket] = []

        async def accept() -> None:
            while len(accepted) < SCREENS:
                client, _ = await loop.sock_accept(server)
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as the product's are
                accepted.append(client)

        def publish(number: int) -> None:
            frame = _frame(_event(number))
            for client in accepted:
                try:
                    client.send(frame)
                except BlockingIOError:  # the stalled one
                    continue

        accepting = asyncio.gather(accept())
        async with _watching(server.getsockname()[1]) as process:
            await accepting
            found = await _send(publish, process)
        for client in accepted:
            client.close()
        return found
