"""Two hundred simulated days: whatever goes wrong in them, what must hold holds.

SIM_SEEDS=20 lives through fewer, as `make test` does; `make soak` lives through all. A failing seed is rerun by `SIM_SEED=123 pytest tests/sim -k seed` (`SIM_TRACE=1` prints its events) and written into
seeds.txt, where it stays for ever.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.sim.bugs import AcknowledgesBeforeTheCommit, BelievesTheExerciseFlag, ForgetsWhatItHeard
from tests.sim.lane import SimLane
from tests.sim.scenario import Outcome, live_through

SEEDS = int(os.environ.get("SIM_SEEDS", "200"))
TO_FIND = 200
"""Days in which a planted bug must show itself."""
CHUNK = 10
KEPT = [
    int(line.split("#")[0])
    for line in Path(__file__).with_name("seeds.txt").read_text().splitlines()
    if line.split("#")[0].strip()
]
ASKED = os.environ.get("SIM_SEED", "")
CHUNKS = [[int(ASKED)]] if ASKED else [list(range(start, start + CHUNK)) for start in range(0, SEEDS, CHUNK)]


def live_through_all(seeds: list[int]) -> list[Outcome]:
    """The outcomes of these seeds; each is a world of its own."""
    return [live_through(seed) for seed in seeds]


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[int, Future[list[Outcome]]]]:
    """Outcomes by a chunk's first seed, worked out on all cores unless pytest itself is spread over them."""
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    chosen = [call.params["chunk"] for call in calls if call is not None and "chunk" in call.params]
    if len(chosen) < 2 or "PYTEST_XDIST_WORKER" in os.environ:
        yield {}
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=context) as pool:
        yield {chunk[0]: pool.submit(live_through_all, chunk) for chunk in chosen}
        pool.shutdown(cancel_futures=True)


def report(failed: list[Outcome]) -> str:
    """What to read and what to do when a seed fails."""
    lines = []
    for outcome in failed:
        lines += [
            f"seed {outcome.seed}: SIM_SEED={outcome.seed} pytest tests/sim -k seed, and keep it in seeds.txt"
        ]
        lines += [f"    {wrong}" for wrong in outcome.wrong[:12]]
    return "\n".join(lines)


@pytest.mark.parametrize("chunk", CHUNKS, ids=lambda chunk: f"seed{chunk[0]}")
def test_every_seeds_day_ends_well(chunk: list[int], outcomes: dict[int, Future[list[Outcome]]]) -> None:
    """After kills, disk faults, bad wires, a failing county and stepped clocks, all invariants hold."""
    lived = outcomes[chunk[0]].result() if chunk[0] in outcomes else live_through_all(chunk)

    failed = [outcome for outcome in lived if outcome.wrong]
    assert not failed, report(failed)


@pytest.mark.parametrize("seed", KEPT, ids=lambda seed: f"kept{seed}")
def test_every_seed_that_ever_failed_ends_well(seed: int) -> None:
    """A seed that found something stays here for ever."""
    outcome = live_through(seed)

    assert not outcome.wrong, report([outcome])


def test_the_same_seed_is_the_same_day() -> None:
    """Nothing but the seed decides what happens."""
    first, second = live_through(1), live_through(1)

    assert first == second
    assert first.presses > 20
    assert first.kills > 2


@pytest.mark.parametrize(
    ("bug", "says"),
    [
        (AcknowledgesBeforeTheCommit, "I1"),
        (ForgetsWhatItHeard, "I1"),
        (BelievesTheExerciseFlag, "I3"),
    ],
)
def test_a_planted_bug_is_found(bug: type[SimLane], says: str) -> None:
    """Each bug planted on purpose shows itself within 200 seeds."""
    for seed in range(TO_FIND):
        outcome = live_through(seed, lane=bug)
        if any(wrong.startswith(says) for wrong in outcome.wrong):
            return
    pytest.fail(f"{bug.__name__} was not found in {TO_FIND} seeds")
