"""The desk lane on a state folder whose key ring is lost: it serves, and every page says what is lost."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from pathlib import Path

import aiohttp

from belltower.people.vault import Vault, new_ring, read_ring
from belltower.store import open_database
from gateway import settings as settings_file
from gateway import site_package
from gateway.desk_lane import DeskLane
from notify.addresses import Addresses
from notify.store import DeliveryTables
from tests.gateway.test_desk_feeds import ROOT
from tests.gateway.test_keys import row
from tests.peers.waiting import PATIENCE
from tests.servers.ports import free_port

PASSPHRASE = "a long enough passphrase of Ruth's"


async def test_a_lost_key_ring_stops_no_desk_and_is_said_on_the_page(tmp_path: Path) -> None:
    """Nothing but addresses of earlier notices was sealed: a new ring is made."""
    (tmp_path / "county").write_text("0a" * 32)
    (tmp_path / "county").chmod(0o600)
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
        """
    )
    settings = settings_file.load(config, secrets=settings_file.DESK_SECRETS)
    settings.state.folder.mkdir(parents=True, exist_ok=True)
    database = await open_database(settings.desk_url)
    tables = DeliveryTables(database=database, addresses=Addresses(vault=Vault(ring=new_ring())))
    await tables.migrate()
    async with database.begin() as tx:
        tables.add_rows(tx, [row(1)], [])
    await database.close()
    lane = DeskLane(settings=settings, site=site_package.load(settings.site.folder))
    running = asyncio.get_running_loop().create_task(lane.run())
    try:
        async with (
            asyncio.timeout(PATIENCE),
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
        ):
            await lane.ready.wait()
            invitation = (settings.state.folder / "first-sign-in.url").read_text().strip()
            async with session.get(invitation) as answer:
                (form,) = re.findall(r'name="form" value="([^"]+)"', await answer.text())
            given = {"form": form, "name": "Ruth", "sign_in": "ruth"}
            given |= {"password": PASSPHRASE, "again": PASSPHRASE}
            headers = {"Origin": f"http://127.0.0.1:{port}"}
            async with session.post(invitation, data=given, headers=headers) as answer:
                assert answer.ok
            async with session.get(f"http://127.0.0.1:{port}/") as answer:
                said = await answer.text()
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    assert "the key ring of the desk was lost (k1)" in said
    assert "k2" == read_ring(settings.people_keys).current
