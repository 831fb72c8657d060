"""The desk lane as it is configured: it watches a feed and serves its own, with no alarm lane in sight."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import aiohttp
import apsw
from msgspec.structs import replace

from belltower.clock import SECOND, Instant, SystemClock
from gateway import settings as settings_file
from gateway import site_package
from gateway.desk_lane import DeskLane
from gateway.psap.cap import moment
from gateway.psap.cap.atom import read_index
from tests.gateway.test_alert_watch import WeatherService, serving, warning
from tests.peers.waiting import PATIENCE
from tests.servers.ports import free_port

ROOT = Path(__file__).parents[2]


async def test_a_desk_watches_and_publishes_as_its_settings_say(tmp_path: Path) -> None:
    """A warning of the weather service becomes a fact; the school's own feed is open to everybody."""
    (tmp_path / "county").write_text("0a" * 32)
    (tmp_path / "county").chmod(0o600)
    now = SystemClock().now()
    service = WeatherService()
    async with serving(service):
        storm = warning("W1", sent=moment(now))
        later = moment(Instant(now + 3_600 * SECOND))
        service.index(replace(storm, infos=(replace(storm.infos[0], expires=later),)))
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
            [desk.feed]
            access = "public"
            [desk.alerts.weather]
            url = "{service.address}/feed"
            areas = ["027053"]
            """
        )
        settings = settings_file.load(config, secrets=settings_file.DESK_SECRETS)
        lane = DeskLane(settings=settings, site=site_package.load(settings.site.folder))
        running = asyncio.get_running_loop().create_task(lane.run())
        try:
            async with asyncio.timeout(PATIENCE):
                await lane.ready.wait()
                while b"alert.seen" not in journal(settings.state.desk_database):  # noqa: ASYNC110 - on the disk
                    await asyncio.sleep(0.05)
                async with aiohttp.ClientSession() as session:
                    status = 503  # until it has read the incidents
                    while status == 503:
                        async with session.get(f"http://127.0.0.1:{port}/feeds/cap.atom") as answer:
                            status, body = answer.status, await answer.read()
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
    assert (200, ()) == (status, read_index(body).entries)


def journal(file: Path) -> bytes:
    """Every fact the desk has written down, as it lies on the disk."""
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return b"\n".join(row[0].encode() for row in connection.execute("SELECT tag FROM journal_entry"))
    finally:
        connection.close()
