"""B2: the same press while the desk lane of the house works through 50,000 queued notices.

The desk lane, niced as it nices itself, plans and sends through its real tables and channel to the carrier simulator,
which is a process of its own. In the idle slices both are stopped (SIGSTOP), in the busy ones they run flat out;
slices alternate, so that both see the same machine. The floor is the idle half.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.bench import b1, rig
from gateway.bench.figure import Figure
from gateway.bench.rig import Plan
from gateway.bench.wires import Line, Presser, Watch
from gateway.carrier.records import TOKEN
from hardware.codecs.unit import Kind

ROUNDS = 7
PRESSES = 100
SLICE = 10
NOTICES = 50_000
SETTLE = 0.1
"""Seconds after stopping and waking, so that a slice begins in the state it is named after."""

_CHANNEL = """\
[desk.web]
port = {port}
[notify.channels.text]
kind = "twilio"
account = "{account}"
token = {{ file = "{token}" }}
from = "+15550100"
base_url = "{url}"
rate = 100000
"""


async def run() -> list[Figure]:
    """Press to the line's far end, busy beside idle, p50 and p99."""
    with rig.folder("b2") as folder, rig.pty() as (far, near):
        port, web = rig.free_port(), rig.free_port()
        plan = Plan(folder, people=NOTICES)
        async with _carrier(plan) as (carrier, said):
            token = plan.secret("carrier.token", TOKEN)
            plan.write(
                line=f"serial://{near}",
                alarm=f"[alarm.mqtt_listener]\nport = {port}",
                more=_CHANNEL.format(port=web, account=said["account"], token=token, url=said["url"]),
            )
            async with rig.alarm_lane(plan), _desk_lane(plan, web) as desk:
                line = Line(number=far, key=plan.link_key)
                rounds, left = await asyncio.to_thread(_rounds, plan, line, port, (desk, carrier))
    extra = {"notices": NOTICES, "still waiting at the end": left}
    return [
        rig.beside(
            f"press to the line's far end while notices are sent, {name}",
            values=[rig.at(busy, share) for busy, _ in rounds],
            floors=[rig.at(idle, share) for _, idle in rounds],
            goal=goal,
            what="idle",
            figure="B2",
            extra=extra,
        )
        for name, share, goal in (("p50", 0.5, 1.2), ("p99", 0.99, 2.0))
    ]


@asynccontextmanager
async def _carrier(plan: Plan) -> AsyncIterator[tuple[int, dict[str, str]]]:
    log = plan.folder / "carrier.log"
    async with rig.process(log, "-m", "gateway.cli", "simulate", "carrier") as child:
        assert child.stdout is not None
        said = json.loads(await child.stdout.readline() or b"{}")
        if not said:
            raise RuntimeError(f"the carrier did not start: {log}")
        os.setpriority(os.PRIO_PROCESS, child.pid, 19)  # in the world it has a machine of its own
        yield child.pid, said
        _wake(child.pid)


@asynccontextmanager
async def _desk_lane(plan: Plan, port: int) -> AsyncIterator[int]:
    log = plan.folder / "desk.log"
    async with rig.process(log, "-m", "gateway.desk_lane", "--config", plan.config) as child:
        await rig.listening(port, child, log)
        yield child.pid
        _wake(child.pid)


def _wake(*pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _rounds(
    plan: Plan, line: Line, port: int, others: tuple[int, ...]
) -> tuple[list[tuple[list[float], list[float]]], int]:
    line.opened()
    watch, unit = Watch(plan.control, after=0), Presser(plan, 1, port)
    unit.proved()
    b1.product(SLICE, line, watch, unit)
    _order_all(line, watch, unit)
    while not _waiting(plan):
        time.sleep(0.05)
    rounds = []
    for count in (SLICE, *[PRESSES] * ROUNDS):
        busy: list[float] = []
        idle: list[float] = []
        while len(busy) < count:
            for pid in others:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(SETTLE)
            idle += b1.product(SLICE, line, watch, unit)
            _wake(*others)
            time.sleep(SETTLE)
            busy += b1.product(SLICE, line, watch, unit)
        rounds.append((busy, idle))
    left = _waiting(plan)
    watch.end()
    unit.end()
    return rounds[1:], left


def _order_all(line: Line, watch: Watch, unit: Presser) -> None:
    """Order an action for everybody in a medical incident that stays open: no panic press joins it."""
    unit.drain()
    unit.line.sendall(unit.press(Kind.MEDICAL))
    line.call()
    line.answer()
    facts = watch.until("incident.opened", "call.receipt")
    incident = next(fact.subject for fact in facts if fact.tag == "incident.opened")
    watch.ask("order_action", incident=incident, action="lockdown", places=[])


def _waiting(plan: Plan) -> int:
    """Deliveries that have not been settled."""
    reading = sqlite3.connect(f"file:{plan.state}/desk.db?mode=ro", uri=True)
    try:
        asked = "SELECT count(*) FROM notice_delivery WHERE state IN ('pending', 'sending')"
        return int(reading.execute(asked).fetchone()[0])
    finally:
        reading.close()
