"""kill -9 at every named point of the notice path: nobody is told twice, nobody is forgotten (R2; I4, I5)."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from random import Random

import msgspec
import pytest

from tests.invariants import DeliverySeen, i4, i5, settled_honestly
from tests.peers.carrier import carrier_peer
from tests.peers.desk import DeskOptions, order, prepare

ROOT = Path(__file__).parents[2]
SEEDS = range(int(os.environ.get("BELLTOWER_KILL_SEEDS", "1")))

POINTS = {
    # point: at most this hit
    "planner.got": 1,
    "planner.resolved": 1,
    "planner.between_chunks": 1,
    "planner.chunk": 2,
    "planner.before_commit": 1,
    "planner.after_commit": 1,
    "sender.before_lease": 1,
    "sender.after_lease": 1,
    "sender.before_send": 5,
    "sender.after_send": 5,
    "ledger.before_commit": 3,
    "ledger.after_commit": 3,
    "callback.got": 6,
    "callback.kept": 6,
    "resolver.asked": 2,
}
LARGE = {"planner.between_chunks", "planner.chunk"}


async def run(options: DeskOptions) -> tuple[int | None, bytes]:
    """One life of the desk."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "tests/peers/desk.py", msgspec.json.encode(options).decode(), cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, out


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("point", POINTS)
async def test_killed_at(point: str, seed: int, tmp_path: Path, unused_tcp_port: int) -> None:
    """Killed there, started again: at most one message each, everyone reached or a reason, nothing overstated."""
    random = Random(f"{point} {seed}")
    people = 600 if point in LARGE else 4
    async with carrier_peer(seed=seed, latency=0.01) as carrier:
        options = DeskOptions(
            database=str(tmp_path / "desk.db"),
            sms_url=carrier.url,
            smtp_port=carrier.smtp_port,
            callback_port=unused_tcp_port,
            people=people,
            kinds=("sms", "console") if point in LARGE else ("sms", "email"),
            resolve_within=0.5,
            settle=2 * people,
            point=point,
            hit=random.randint(1, POINTS[point]),
        )
        await prepare(options.database, order())
        if point == "resolver.asked":
            carrier.goes_wrong(lose_answer=True, accept_anyway=True, callbacks=False, times=2)
        code, _ = await run(options)
        assert -signal.SIGKILL == code, "the point was not passed"
        carrier.is_well()

        options.point = ""
        code, out = await run(options)
        assert 0 == code
        last = msgspec.json.decode(out.splitlines()[-1])
        rows = [DeliverySeen(*row) for row in last["rows"]]

        assert 2 * people == len(rows)
        assert [] == i4(rows, carrier.taken())
        assert [] == i5([f"p{n}" for n in range(people)], rows, last["others"])
        assert [] == settled_honestly(rows, carrier.taken())
        unresolved = [row for row in rows if row.state == "uncertain"]
        assert len(unresolved) <= 100
