"""`belltower status` beside lanes that answer and lanes that do not."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from msgspec.structs import replace

from belltower.clock import Instant
from belltower.store import Transaction, open_database
from gateway import settings as rooms
from gateway.control import ControlServer, Status
from gateway.migration import DESK
from gateway.tls import server_context
from notify.proof_tables import ProofTables
from tests.gateway.cli.house import belltower, house
from tests.hardware.mqtt.certificate import write_certificate
from tests.peers.waiting import PATIENCE


async def nothing(_: int) -> AsyncIterator[object]:
    """No entries."""
    for entries in ():
        yield entries


@asynccontextmanager
async def alarm_lane(config: Path, **but: object) -> AsyncIterator[None]:
    """An alarm lane in order, as far as its control socket says, `but` for this."""
    status = Status(
        lane="alarm",
        stream="alarm",
        revision="r",
        version="0",
        head=0,
        open_incidents=0,
        links_lost={},
        links={},
        units_lost=(),
        units=0,
        trouble="",
        drill_until=Instant(0),
        drill_places=(),
        counts={},
    )
    status = replace(status, **but)
    control = ControlServer(
        path=config.parent / "var" / "control.sock", follow=nothing, verbs={}, status=lambda: status
    )
    serving = asyncio.get_running_loop().create_task(control.run())
    try:
        await asyncio.wait_for(control.ready.wait(), PATIENCE)
        yield
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def health(request: web.Request) -> web.Response:
    """As the desk's page says it, or as another program might."""
    return web.Response(text=request.app[SAID])


SAID = web.AppKey("said", str)


@asynccontextmanager
async def page(said: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """What answers where the desk's page should be; gives its port."""
    app = web.Application()
    app[SAID] = said
    app.router.add_get("/health", health)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def status(config: Path, *words: str) -> tuple[int, str]:
    """The command beside what runs."""
    done = await asyncio.to_thread(belltower, "status", "--config", config, *words)
    return done.returncode, " ".join(done.stdout.split())


def told(config: Path, desk: str) -> Path:
    """The house with its desk's page as `desk` says."""
    config.write_text(f"{config.read_text(encoding='utf-8')}\n[desk.web]\n{desk}\n", encoding="utf-8")
    return config


async def test_a_desk_lane_that_answers_is_in_order(tmp_path: Path) -> None:
    """In clear and under TLS, whatever name its certificate has."""
    write_certificate(tmp_path, "belltower.example")
    tls = server_context(tmp_path / "certificate.pem", tmp_path / "key.pem")
    pair = 'certificate = "certificate.pem"\nprivate_key = "key.pem"'
    text = house(tmp_path).read_text(encoding="utf-8")

    async with alarm_lane(tmp_path / "config.toml"), page("ok\n") as clear, page("ok\n", tls) as sealed:
        plain = await status(told(tmp_path / "config.toml", f"port = {clear}"))
        (tmp_path / "config.toml").write_text(text, encoding="utf-8")
        private = await status(told(tmp_path / "config.toml", f"port = {sealed}\n{pair}"), "--json")

    assert 0 == plain[0]
    assert plain[1].startswith("In order")
    assert "desk lane answers" in plain[1]
    assert (0, "") == (private[0], json.loads(private[1])["desk_silent"])


async def test_a_desk_lane_that_does_not_run_is_trouble(tmp_path: Path) -> None:
    """Also where another program has its port: no notice leaves, so that is not in order."""
    config = house(tmp_path)

    async with alarm_lane(config):
        async with page("hello") as port:
            other = await status(told(config, f"port = {port}"))
        gone = await status(config)
        machine = await status(config, "--json")

    assert (1, 1, 1) == (other[0], gone[0], machine[0])
    assert gone[1].startswith("In trouble")
    assert f"desk lane DOES NOT RUN: nothing answers on port {port}" in gone[1]
    assert f"desk lane DOES NOT RUN: on port {port} something else answers" in other[1]
    assert json.loads(machine[1])["desk_silent"].startswith("nothing answers")


async def test_a_channel_by_which_nothing_goes_out_is_trouble(tmp_path: Path) -> None:
    """As its lane last saw it, with the reason; proven or not."""
    config = house(tmp_path)
    with config.open("a", encoding="utf-8") as file:
        file.write(
            f'[notify.channels.text]\nkind = "twilio"\naccount = "AC{"0" * 32}"\ntoken = {{ env = "TOKEN" }}\nfrom = "+15550100199"\n'
        )
    settings = rooms.load(config, secrets=False)
    settings.state.folder.mkdir()
    database = await open_database(settings.desk_url)
    await database.migrate(DESK)
    tables, tx = ProofTables(database=database), Transaction()
    tables.outage(tx, "text", "account:20003", since=Instant(0))
    await database.submit(tx)
    await database.close()

    async with alarm_lane(config), page("ok\n") as port:
        code, said = await status(told(config, f"port = {port}"))
        _, machine = await status(config, "--json")

    assert (1, True) == (code, "channel text NOT GOING OUT: account:20003, since 00:00:00 UTC" in said)
    assert ["text"] == list(json.loads(machine)["channels_down"])


async def test_a_disk_whose_reserve_is_used_is_trouble_until_it_is_there_again(tmp_path: Path) -> None:
    """The alarm lane says so of its own; of the desk's, what lies beside its database does."""
    config = house(tmp_path)
    settings = rooms.load(config, secrets=False)
    settings.state.folder.mkdir()
    await (await open_database(settings.desk_url)).close()
    ballast = settings.state.desk_database.with_suffix(".ballast")

    async with page("ok\n") as port:
        told(config, f"port = {port}")
        async with alarm_lane(config, reserve_used=True):
            alarm = await status(config)
        async with alarm_lane(config):
            well = await status(config)
            ballast.unlink()
            desk = await status(config)
            _, machine = await status(config, "--json")

    assert (1, 0, 1) == (alarm[0], well[0], desk[0])
    assert "disk of the alarm lane FULL: the reserve is used, make room" in alarm[1]
    assert "disk of the desk" not in alarm[1]
    assert "FULL" not in well[1]
    assert "disk of the desk FULL: the reserve is used, make room" in desk[1]
    assert (False, True) == (json.loads(machine)["reserve_used"], json.loads(machine)["desk_reserve_used"])
