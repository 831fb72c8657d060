"""The desk lane with a web-push channel: the page, its service worker and the way back of taps are there."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import aiohttp

from gateway import settings as settings_file
from gateway import site_package
from gateway.desk_lane import DeskLane
from tests.gateway.test_desk_feeds import ROOT
from tests.peers.push import sender_key
from tests.peers.waiting import PATIENCE
from tests.servers.ports import free_port


async def test_a_desk_with_web_push_lets_browsers_ask(tmp_path: Path) -> None:
    """Only who is signed in; the worker may have what is below /notices/; a tap without its proof is refused."""
    for name, text in (("county", "0a" * 32), ("push.pem", sender_key())):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    port = free_port()
    config = tmp_path / "belltower.toml"
    config.write_text(
        f"""
        [site]
        folder = "{ROOT / "examples" / "site"}"
        [psap.links.county]
        kind = "kiss"
        url = "tcp://127.0.0.1:1"
        from = "SCHOOL-1"
        to = "COUNTY"
        key = {{ file = "county" }}
        [desk.web]
        port = {port}
        [notify.channels.browsers]
        kind = "web-push"
        private_key = {{ file = "push.pem" }}
        contact = "mailto:it@school.example"
        """
    )
    settings = settings_file.load(config, secrets=settings_file.DESK_SECRETS)
    lane = DeskLane(settings=settings, site=site_package.load(settings.site.folder))
    running = asyncio.get_running_loop().create_task(lane.run())
    here = f"http://127.0.0.1:{port}/notices"
    try:
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
            await lane.ready.wait()
            async with session.get(f"{here}/push", allow_redirects=False) as answer:
                assert (303, "/sign-in") == (answer.status, answer.headers["Location"])
            async with session.post(f"{here}/push", data={"subscription": "{}"}) as answer:
                assert answer.status == 403
            async with session.get(f"{here}/push_worker.js") as answer:
                assert (200, "text/javascript") == (answer.status, answer.content_type)
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert "no-store" == answer.headers["Cache-Control"]
            async with session.post(f"{here}/push/heard/dlv_1", data=b"0" * 32) as answer:
                assert answer.status == 403
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
