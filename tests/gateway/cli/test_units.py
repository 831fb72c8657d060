"""Simulated units press over a real listener, and show how far it came."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner

from belltower.errors import Refused
from gateway.cli import press
from gateway.control import ControlServer, Status
from hardware.codecs.unit import Level
from tests.gateway.cli.house import ENVIRONMENT, Lane, belltower, house
from tests.peers.waiting import PATIENCE
from tests.servers import forked
from tests.servers.forked import Forked

LADDER = (Level.RECORDED, Level.PSAP, Level.TELECOMMUNICATOR)


async def started(*words: object) -> Forked:
    return await forked.start("gateway.cli", *words, env=ENVIRONMENT, stdout=forked.PIPE, stderr=forked.PIPE)


class Served:
    """A listener that runs while the block lasts."""

    def __init__(self, folder: Path, *levels: Level) -> None:
        self._folder = folder
        self._levels = levels

    async def __aenter__(self) -> tuple[Path, Lane]:
        config = house(self._folder)
        belltower("units", "keys", "--config", config)
        lane = Lane(config=config, levels=self._levels)
        self._task = asyncio.get_running_loop().create_task(lane.listener.run())
        await asyncio.wait_for(lane.listener.ready.wait(), PATIENCE)
        text = config.read_text(encoding="utf-8").replace("port = 1883", f"port = {lane.listener.port}")
        config.write_text(text, encoding="utf-8")
        return config, lane

    async def __aexit__(self, *details: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_a_press_shows_every_answer_with_its_seconds(tmp_path: Path) -> None:
    """Recorded, the PSAP's system, a telecommunicator: in that order."""
    async with Served(tmp_path, *LADDER) as (config, lane):
        press = await started("press", "-u", "u7", "--until", "telecommunicator", "-c", config, "--json")
        out, err = await press.communicate()

    assert (0, b"") == (press.returncode, err)
    answers = [json.loads(line) for line in out.splitlines()]
    assert ["recorded", "psap", "telecommunicator"] == [answer["level"] for answer in answers]
    assert sorted(answer["seconds"] for answer in answers) == [answer["seconds"] for answer in answers]
    assert ["u7"] == lane.presses


async def test_an_answer_that_does_not_come_is_said(tmp_path: Path) -> None:
    """Recorded but not confirmed by the PSAP exits with 1; no answer at all with 69."""
    async with Served(tmp_path / "half", Level.RECORDED) as (config, _):
        half = await started("press", "-u", "u7", "--wait", "1.5", "-c", config)
        out, _ = await half.communicate()
    async with Served(tmp_path / "none") as (config, lane):
        none = await started("press", "-u", "u7", "--wait", "1.5", "-c", config)
        await none.communicate()

    assert (1, 69) == (half.returncode, none.returncode)
    assert b"recorded" in out
    assert len(lane.presses) > 1  # it was repeated


async def test_a_press_with_a_key_the_lane_does_not_have_is_refused(tmp_path: Path) -> None:
    """The message says where to look."""
    async with Served(tmp_path) as (config, _):
        belltower("units", "keys", "--renew", "u7", "--config", config)
        press = await started("press", "-u", "u7", "-c", config)
        _, err = await press.communicate()

    assert 69 == press.returncode
    assert b"is its key the one the lane has?" in err


SOON = 4_000_000_000_000_000


async def test_a_press_with_the_exercise_bit_wants_an_open_drill(tmp_path: Path) -> None:
    """Without a lane that says so, or without a drill, it would be live: refused, 77, and nothing is pressed."""
    codes = []
    async with Served(tmp_path, *LADDER) as (config, lane):
        words = ("press", "-u", "u7", "--exercise", "--wait", "1", "-c", config)
        codes.append(await ended(*words))
        for until in (0, SOON):
            control = answering(config, until, ("lindenfield",))
            serving = asyncio.get_running_loop().create_task(control.run())
            await asyncio.wait_for(control.ready.wait(), PATIENCE)
            codes.append(await ended(*words))
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            presses = len(lane.presses)
            assert bool(until) == bool(presses)
        codes.append(await ended(*words, "--even-if-live"))

    assert [77, 77, 0, 0] == [code for code, _ in codes]
    assert "no drill is open, so this would be a live alarm" in codes[1][1]
    assert 2 == len(lane.presses)


@pytest.mark.parametrize(
    ("until", "places", "says"),
    [
        (SOON, ("B", "gym-floor"), "the drill is at B, gym-floor, and u7 is not there"),
        (1, ("A",), "ends in 0 s"),
    ],
)
async def test_nobody_presses_for_a_drill_elsewhere_or_at_its_end(
    tmp_path: Path, until, places, says
) -> None:
    """It would be a live alarm: refused before anything is sent."""
    config = house(tmp_path)
    belltower("units", "keys", "--config", config)
    control = answering(config, until, places)
    serving = asyncio.get_running_loop().create_task(control.run())
    await asyncio.wait_for(control.ready.wait(), PATIENCE)
    words = ["-u", "u7", "--exercise", "-c", str(config)]
    with pytest.raises(Refused, match=says):
        await asyncio.to_thread(
            CliRunner(env=ENVIRONMENT).invoke, press.command, words, catch_exceptions=False
        )
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_a_press_waits_for_a_server_that_is_just_starting(tmp_path: Path) -> None:
    """It is tried again for as long as --wait says, and then said why not."""
    tried = asyncio.Event()

    async def turn_away(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        tried.set()

    async with Served(tmp_path, *LADDER) as (config, lane):
        pass
    server = await asyncio.start_server(turn_away, "127.0.0.1", lane.listener.port)
    late = await started("press", "-u", "u7", "--wait", "20", "-c", config)
    await asyncio.wait_for(tried.wait(), PATIENCE)
    server.close()
    await server.wait_closed()
    again = Lane(config=config, levels=LADDER, port=lane.listener.port)
    serving = asyncio.get_running_loop().create_task(again.listener.run())
    await late.communicate()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    code, said = await ended("press", "-u", "u7", "--wait", "0.5", "-c", config)

    assert 0 == late.returncode
    assert ["u7"] == again.presses
    assert 69 == code
    assert "no MQTT server answers" in said


async def ended(*words: object) -> tuple[int | None, str]:
    process = await started(*words)
    _, err = await process.communicate()
    return process.returncode, err.decode()


def answering(config: Path, drill_until: int, places: tuple[str, ...] = ()) -> ControlServer:
    """A lane's control socket that only says how it is."""
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
        drill_until=drill_until,
        drill_places=places,
        counts={},
    )
    path = config.parent / "var" / "control.sock"
    return ControlServer(path=path, follow=nothing, verbs={}, status=lambda: status)


async def nothing(_: int) -> Any:
    for entries in ():
        yield entries


async def test_units_connect_beat_and_press_when_asked(tmp_path: Path) -> None:
    """Twenty units over twenty connections; one is pressed through the door and shows the telecommunicator."""
    async with Served(tmp_path, *LADDER) as (config, lane):
        units = await started("simulate", "units", "--count", "20", "-c", config)
        assert units.stdout is not None
        ready = json.loads(await asyncio.wait_for(units.stdout.readline(), PATIENCE))
        api = f"{ready['api']}/units"
        try:
            async with aiohttp.ClientSession() as session:
                await until(session, api, lambda units: all(unit["connected"] for unit in units))
                async with session.post(f"{api}/u3/press", json={"kind": "medical"}) as answer:
                    assert answer.status == 202
                async with session.post(f"{api}/u77/press") as answer:
                    assert answer.status == 404
                async with session.post(f"{api}/u3/press", data=b"[") as answer:
                    assert answer.status == 400
                shown = await until(session, api, lambda units: units[2]["level"] == "telecommunicator")
        finally:
            units.terminate()
            await units.communicate()

    assert (20, ["u3"]) == (ready["units"], lane.presses)
    assert "a telecommunicator acknowledged" == shown[2]["shows"]
    assert "u1" in lane.heartbeats


async def until(session: aiohttp.ClientSession, api: str, true_of: Any) -> list[dict[str, Any]]:
    """Ask until it is so."""
    async with asyncio.timeout(PATIENCE):
        while True:
            async with session.get(api) as answer:
                units: list[dict[str, Any]] = await answer.json()
            if true_of(units):
                return units
            await asyncio.sleep(0.02)
