"""The simulators start as commands, say where they are, and end when told."""

import asyncio
import json
import urllib.request
from pathlib import Path

from tests.gateway.cli.house import COMMAND, ENVIRONMENT, ROOT, belltower
from tests.servers.pty import pty_pair


async def first_line(*words: object) -> dict[str, object]:
    """Start a simulator, read its first line, ask it for its phones where it has a door, and end it."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "simulate", *map(str, words), cwd=ROOT, env=ENVIRONMENT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        said: dict[str, object] = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
        if "smtp_port" in said:
            said["phones"] = await asyncio.to_thread(_fetch, f"{said['url']}/phones")
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


def test_a_county_without_a_key_is_a_fault_of_settings(tmp_path: Path) -> None:
    """It names the file, exit 78; a wait that is none is a wrong command line, exit 2."""
    missing = tmp_path / "county.key"
    done = belltower("simulate", "county", "--link", "tcp://127.0.0.1:1", "--key-file", missing)

    assert 78 == done.returncode
    assert str(missing) in done.stderr
    assert 2 == belltower("simulate", "carrier", "--latency", "soon").returncode
