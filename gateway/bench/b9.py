"""B9: 10,000 units press at once, over MQTT, each on its own connection, at the whole alarm lane.

The units are a process of their own (`crowd.py`): all sign in first, then all press, and each is done when it has its
PUBACK and the MACed acknowledgement of its press. How fast the listener alone is, beside its floor, is told by
`b9_listener`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
from pathlib import Path

from gateway.bench import rig
from gateway.bench.figure import Figure
from gateway.bench.rig import Plan
from gateway.bench.wires import Line

CROWD = 10_000
BUILDINGS = 12
WITHIN = 2.0
MOST_MB = 200
_SPARE = 500


async def run() -> list[Figure]:
    """The last PUBACK, the last acknowledgement, and the lane's peak memory."""
    count = open_files()
    with rig.folder("b9") as folder, rig.pty() as (far, near):
        port = rig.free_port()
        plan = Plan(folder, units=CROWD, buildings=BUILDINGS)
        plan.write(line=f"serial://{near}", alarm=f"[alarm.mqtt_listener]\nport = {port}")
        async with rig.alarm_lane(plan) as lane:
            stop = asyncio.Event()
            line = Line(number=far, key=plan.link_key)
            answering = asyncio.get_running_loop().run_in_executor(None, _answer, line, stop)
            try:
                said = await _crowd(plan, port, count)
            finally:
                stop.set()
                await answering
            peak = _peak(lane.pid)
            head = (await rig.answering(plan, lane)).counts
    missing = count - len(said["acks"])
    last_puback = max(said["pubacks"], default=0) / 1e9
    last_ack = max(said["acks"], default=0) / 1e9
    extra = {
        "presses": count,
        "refused by the descriptor limit": CROWD - count,
        "never acknowledged": missing,
        "PUBACK p50 s": round(rig.at(said["pubacks"], 0.5) / 1e9, 3),
        "acknowledged p50 s": round(rig.at(said["acks"], 0.5) / 1e9, 3),
        "seconds to sign all in": round(said["signed_in"][0] / 1e9, 2),
        "calls the county saw": line.county.counts["calls"],
        "presses taken": head.get("press", 0),
        "load average": round(os.getloadavg()[0], 1),
    }
    whole = missing == 0 and count == CROWD
    return [
        Figure(
            id="B9",
            name=f"{count} authenticated presses at once, last PUBACK, durable",
            value=round(last_puback, 2),
            unit="s",
            goal=f"<= {WITHIN:g} s",
            met=whole and last_puback <= WITHIN,
            extra=extra,
        ),
        Figure(
            id="B9",
            name=f"{count} authenticated presses at once, last acknowledgement of the unit's own",
            value=round(last_ack, 2),
            unit="s",
            goal=f"<= {WITHIN:g} s",
            met=whole and last_ack <= WITHIN,
        ),
        Figure(
            id="B9",
            name=f"{count} authenticated presses at once, the alarm lane's peak memory",
            value=round(peak),
            unit="MB",
            goal=f"<= {MOST_MB} MB",
            met=peak <= MOST_MB,
        ),
    ]


def open_files() -> int:
    """Raise the limit of open files, which children inherit; how many connections it lets through."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CROWD + _SPARE
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
    )
    return min(CROWD, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARE)


def _answer(line: Line, stop: asyncio.Event) -> None:
    """Be the county until told to stop."""
    while not stop.is_set():
        line.tend(0.1)


async def _crowd(plan: Plan, port: int, count: int) -> dict[str, list[int]]:
    log = plan.folder / "crowd.log"
    keys = plan.state / "units.keys"
    async with rig.process(log, "-m", "gateway.bench.crowd", port, count, keys, plan.tag.hex()) as crowd:
        assert crowd.stdout is not None
        assert crowd.stdin is not None
        async with asyncio.timeout(rig.PATIENCE):
            if not await crowd.stdout.readline():
                raise RuntimeError(f"the crowd did not sign in: {log}")
        await asyncio.sleep(1.0)  # what signing in has left is done with
        printed, _ = await crowd.communicate(b"\n")
    said: dict[str, list[int]] = json.loads(printed)
    return said


def _peak(pid: int) -> float:
    """The most memory that the process ever held, in MB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0
