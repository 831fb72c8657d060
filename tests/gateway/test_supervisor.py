"""A lane that cannot be started now is started later, and takes nobody with it."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from belltower.errors import SettingsError
from belltower.tasks import Crew
from gateway.supervisor import Lane, hold
from tests.peers.waiting import PATIENCE


def test_a_lane_that_the_machine_cannot_start_now_is_started_later(tmp_path: Path) -> None:
    """While there is no program to start, or no memory for it, the supervisor says so once and goes on trying."""
    program, fifo = tmp_path / "lane", tmp_path / "fifo"
    os.mkfifo(fifo)

    async def story() -> None:
        lane = Lane(name="desk", config=tmp_path, command=[str(program)])
        async with Crew() as crew:
            running = crew.essential("desk-lane", lane.run)
            await asyncio.sleep(0.4)
            fresh = tmp_path / "fresh"
            fresh.write_text(
                f"#!{sys.executable}\nimport sys\nopen({str(fifo)!r}, 'w').write('up')\nsys.stdin.read()\n"
            )
            fresh.chmod(0o700)
            fresh.rename(program)
            async with asyncio.timeout(PATIENCE):
                assert "up" == await asyncio.to_thread(fifo.read_text)
            running.cancel()
            await lane.end()

    with capture_logs() as logs:
        asyncio.run(story())

    assert ["lane_cannot_start"] == [log["event"] for log in logs if log["log_level"] == "error"]


def test_a_second_supervisor_on_a_state_folder_says_so(tmp_path: Path) -> None:
    """And may have it once the first has ended."""
    first = hold(tmp_path / "var")
    with pytest.raises(SettingsError, match="another Belltower runs with this state folder"):
        hold(tmp_path / "var")
    assert first is not None
    os.close(first)
    again = hold(tmp_path / "var")
    assert again is not None
    os.close(again)
