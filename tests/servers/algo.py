"""A device with Algo's REST API: it verifies every signature by its own reckoning, its clock and what it is asked."""

import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from email.utils import formatdate, parsedate_to_datetime

from aiohttp import web


class Algo:
    """What it was asked; `how`: "well", "refusing", "nonsense", "hangs up" or "redirects"."""

    def __init__(self, *, password="speaker-7", now=lambda: 0.0) -> None:
        self.password = password
        self.now = now
        self.how = "well"
        self.asked: list[tuple[str, dict]] = []
        self.nonces: set[str] = set()
        self.url = ""

    def verified(self, request, body) -> bool:
        """By the maker's guide, with nothing of ours."""
        scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
        user, nonce, theirs = [*rest.split(":"), "", ""][:3]
        at = int(parsedate_to_datetime(request.headers["Date"]).timestamp())
        told = [request.method, request.path]
        if body:
            digest = hashlib.md5(body).hexdigest()
            if request.headers.get("Content-MD5") != digest:
                return False
            told += [digest, request.headers["Content-Type"]]
        told += [str(at), nonce]
        ours = hmac.new(self.password.encode(), ":".join(told).encode(), hashlib.sha256).hexdigest()
        fresh = abs(self.now() - at) <= 30 and nonce not in self.nonces
        self.nonces.add(nonce)
        return scheme == "hmac" and user == "admin" and hmac.compare_digest(ours, theirs) and fresh

    async def handle(self, request):
        body = await request.read()
        date = {"Date": formatdate(self.now(), usegmt=True)}
        if not self.verified(request, body):
            return web.Response(status=401, headers=date)
        self.asked.append((request.path, json.loads(body) if body else {}))
        match self.how:
            case "refusing":
                return web.Response(status=400, headers=date)
            case "redirects":
                return web.Response(status=302, headers={**date, "Location": "http://127.0.0.1:1/"})
            case "hangs up":
                request.transport.close()
        return web.Response(body=b"\xff" * 100_000 if self.how == "nonsense" else b"", headers=date)


@asynccontextmanager
async def served(handle):
    """The address of a web server on a free port that answers every POST with `handle`."""
    app = web.Application()
    app.router.add_post("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    finally:
        await runner.cleanup()
