"""`belltower notify` beside a running desk (W16): what it says, what it exits with, and what `belltower status` makes of it."""

import asyncio
import json
import os
import sqlite3
from pathlib import Path

import pytest

from belltower.ids import DeliveryId
from notify.delivery import Evidence, State
from notify.provider import Provider
from tests.gateway.cli.house import belltower, house
from tests.peers.desk import DeskOptions, desk, site, staff
from tests.peers.waiting import PATIENCE
from tests.peers.writing import Takes

CHANNELS = """
[notify]
test_to = { sms = "+15550100199" }
[notify.channels.sms]
kind = "twilio"
account = "AC00000000000000000000000000000000"
token = { file = "token" }
from = "+15550100"
[notify.channels.wall]
kind = "console"
"""


def settings(folder: Path) -> Path:
    """A house with a provider."""
    config = house(folder)
    config.write_text(config.read_text(encoding="utf-8") + CHANNELS, encoding="utf-8")
    return config


async def run(*arguments: object) -> tuple[int, str, str]:
    """The command, while the desk goes on."""
    done = await asyncio.to_thread(belltower, *arguments)
    return done.returncode, done.stdout, done.stderr


async def test_a_test_asked_for_outside_is_sent_by_the_running_desk(tmp_path: Path) -> None:
    """Not proven until the carrier says so; then its age is told, and the code is not."""
    config = settings(tmp_path)
    state = tmp_path / "var"
    state.mkdir(exist_ok=True)
    options = DeskOptions(database=str(state / "desk.db"), test_to={"sms": "+15550100199"})
    sms = Takes()
    async with desk(
        options, school=site(staff(2)), channels=[Provider(channel=sms, given_name="sms")]
    ) as running:
        never = await run("notify", "channels", "--config", config)
        waited = await run("notify", "test", "--config", config, "--wait", "0.1", "--by", "p01", "--json")
        (row,) = await running.rows()
        wrong = await run("notify", "heard", "sms", "0", "--config", config)
        await running.room.ledger.learn(Evidence(delivery=DeliveryId(row.id), state=State.DELIVERED))
        async with asyncio.timeout(PATIENCE):
            while (await running.room.proofs.standing())[0].stale(running.clock.now()):  # noqa: ASYNC110 - its own loop looks
                await asyncio.sleep(0.05)
        proven = await run("notify", "channels", "--config", config, "--json")
        strange = await run("notify", "test", "--channel", "smoke", "--config", config)

    assert (1, 1) == (never[0], never[1].count("NEVER PROVEN"))
    assert 1 == waited[0]
    told = json.loads(waited[1])
    assert ("sms", "waiting", "p01", "") == (told["provider"], told["outcome"], told["by"], told["code"])
    assert (77, "That is not the code in the last test of this channel.\n") == (wrong[0], wrong[2])
    lines = [json.loads(line) for line in proven[1].splitlines()]
    assert [("sms", "sms", False)] == [(line["channel"], line["kind"], line["stale"]) for line in lines]
    assert ("its receipt came", "") == (lines[0]["proof"]["proven_by"], lines[0]["proof"]["code"])
    assert (77, "There is no channel 'smoke' in the settings; known: sms, wall.\n") == (
        strange[0],
        strange[2],
    )
    assert 1 == len(sms.sent)


async def test_without_a_desk_nothing_is_tested(tmp_path: Path) -> None:
    """Neither before there was one, nor is it done later."""
    config = settings(tmp_path)

    code, _, error = await run("notify", "test", "--config", config)

    assert 77 == code
    assert "there is no desk yet" in error


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("test", "--by", "nobody"), 77, "--by nobody: neither"),
        (("test", "--wait", "-5"), 2, "-5"),
        (("test", "--wait", "nan"), 2, "want a number of seconds"),
        (("test", "--channel", "nope"), 77, "no channel 'nope' in the settings; known: sms, wall."),
        (("heard", "nope", "1234"), 77, "no channel 'nope' in the settings; known: sms, wall."),
        (("heard", "sms", b"\xff"), 77, "it is a number"),
        (("heard", "sms", "1234"), 77, "this desk is older"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_asked(
    tmp_path: Path, words: tuple[str | bytes, ...], code: int, says: str
) -> None:
    """Only a desk without the table of tests is an older one."""
    config = settings(tmp_path)
    (tmp_path / "var").mkdir(exist_ok=True)
    sqlite3.connect(tmp_path / "var" / "desk.db").execute("PRAGMA user_version = 0").connection.close()

    done = belltower("notify", words[0], "--config", config, *map(os.fsdecode, words[1:]))

    assert code == done.returncode
    assert says in " ".join(done.stderr.split())
