"""The simulators start as commands, say where they are, and end when told."""

import asyncio
import json
import re
import socket
import urllib.request
from pathlib import Path

from click.testing import CliRunner

from belltower.errors import BelltowerError
from gateway.cli.commands import code_of
from gateway.cli.simulate import county
from gateway.county.ends import ENDS
from tests.gateway.cli.house import COMMAND, ENVIRONMENT, ROOT, belltower
from tests.peers.waiting import PATIENCE
from tests.servers.ports import free_port
from tests.servers.pty import pty_pair


async def first_line(*words: object) -> dict[str, object]:
    """Start a simulator, read its first line, ask it for its phones where it has a door, and end it."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "simulate", *map(str, words), cwd=ROOT, env=ENVIRONMENT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        said: dict[str, object] = json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE))
        if "smtp_port" in said:
            said["phones"] = await asyncio.to_thread(_fetch, f"{said['url']}/phones")
        if said.get("page"):
            said["seen"] = await asyncio.to_thread(_fetch, f"{said['page']}calls")
    finally:
        process.terminate()
        await process.communicate()
    return said


def _fetch(url: str) -> object:
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


async def test_the_carrier_says_its_ports_and_shows_its_phones() -> None:
    """Nothing has arrived yet."""
    said = await first_line("carrier")

    assert {} == said["phones"]
    assert said["port"] != said["smtp_port"]


async def test_the_county_opens_its_line_and_says_so(tmp_path: Path) -> None:
    """The key is made where it is asked for, readable by its owner only."""
    key = tmp_path / "county.key"
    with pty_pair() as line:
        said = await first_line(
            "county", "--link", f"serial://{line.path}", "--key-file", key, "--make-key", "--port", "0"
        )

    assert "ready" == said["county"]
    assert isinstance(said["port"], int)
    assert 64 == len(key.read_text(encoding="utf-8").strip())


async def test_every_kind_of_end_opens_from_the_command_line() -> None:
    """The first line has each one's address, free ports filled in; a fault is given to the end that is named."""
    kinds = sorted(set(ENDS) - {"kiss"})
    addresses = dict.fromkeys(kinds, "127.0.0.1:0")
    addresses["eido"] = "127.0.0.1:0?school=ws://127.0.0.1:9/IncidentData/Ent"
    links = ",".join(f"{kind}={address}" for kind, address in addresses.items())
    faults = ("--fault", "dc09:silent", "--fault", "sip:late=2")
    said = await first_line("county", "--links", links, "--port", "0", *faults)

    ends, seen = said["ends"], said["seen"]
    assert isinstance(ends, dict)
    assert isinstance(seen, dict)
    assert kinds == sorted(ends)
    assert all(int(re.findall(r":(\d+)", address)[0]) > 0 for address in ends.values()), ends
    assert {"dc09": "silent", "sip": "late"} == {
        kind: end["fault"] for kind, end in seen["ends"].items() if end["fault"]
    }
    assert [] == seen["calls"]


def test_words_that_name_no_end_are_a_wrong_command_line() -> None:
    """An address without a name, a name twice; an unknown kind or fault is a fault of settings."""
    for words, code in [
        (("--links", "127.0.0.1:0"), 2),
        (("--links", "dc09=127.0.0.1:0,dc09=127.0.0.1:0"), 2),
        (("--links", "fax=127.0.0.1:0"), 78),
        (("--links", "dc09=127.0.0.1:0", "--fault", "dc09:on-fire"), 78),
    ]:
        done = CliRunner().invoke(county, [*words])
        found = code_of(done.exception) if isinstance(done.exception, BelltowerError) else done.exit_code
        assert code == found, (words, done.output, done.exception)


def test_a_port_that_another_program_has_is_said_and_no_more() -> None:
    """Exit 69 and one line that names it, for each port of the carrier."""
    with socket.create_server(("127.0.0.1", free_port())) as other:
        port = other.getsockname()[1]
        for option in ("--port", "--smtp-port"):
            done = belltower("simulate", "carrier", option, port)
            assert (69, 1) == (done.returncode, done.stderr.count("\n")), done.stderr
            assert str(port) in done.stderr


def test_a_county_without_a_key_is_a_fault_of_settings(tmp_path: Path) -> None:
    """It names the file, exit 78; a wait that is none is a wrong command line, exit 2."""
    missing = tmp_path / "county.key"
    done = belltower("simulate", "county", "--link", "tcp://127.0.0.1:1", "--key-file", missing)

    assert 78 == done.returncode
    assert str(missing) in done.stderr
    assert 2 == belltower("simulate", "carrier", "--latency", "soon").returncode
