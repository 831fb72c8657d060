"""B1: from a press to its octets at the far end of the line to the PSAP, durable first.

The product is the alarm lane as its own process, with its whole work: MAC, replay window, decision, journal, orders,
acknowledgement, and a follower on its control socket as the desk lane is one. The floor is a process that writes the
octets to a file, waits for `fdatasync` and writes them to the line (`floors.py`). Rounds of both alternate, and ratios
are taken round by round. Every press is the first of an incident: the bench answers as the county and closes it.
"""

from __future__ import annotations

import asyncio
import getpass
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from belltower.errors import NotFound
from gateway import broker_config
from gateway.bench import floors, rig
from gateway.bench.figure import Figure
from gateway.bench.rig import Plan
from gateway.bench.wires import Line, Presser, Watch
from gateway.broker_config import BrokerPlan
from hardware.codecs.unit import mqtt_password

ROUNDS = 7
PRESSES = 150
SLICE = 10
"""Within a round product and floor take turns after so many presses: the disk's mood changes by the second."""
PAUSE = 0.004
"""Seconds between two presses, for both: nobody presses into the work that the last press has left."""


async def run() -> list[Figure]:
    """Through our own listener and through a real mosquitto, p50 and p99, each beside its floor."""
    previous = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    try:
        return [*await _through_listener(), *await _through_broker()]
    finally:
        sys.setswitchinterval(previous)


async def _through_listener() -> list[Figure]:
    with rig.folder("b1") as folder, rig.pty() as (far, near), rig.pty() as (far_floor, near_floor):
        port, floor_port = rig.free_port(), rig.free_port()
        plan = Plan(folder)
        plan.write(line=f"serial://{near}", alarm=f"[alarm.mqtt_listener]\nport = {port}")
        async with rig.alarm_lane(plan), floor(folder, "listener", floor_port, near_floor):
            rounds = await asyncio.to_thread(
                _rounds,
                plan,
                Line(number=far, key=plan.link_key),
                Line(number=far_floor, key=plan.link_key),
                port,
                floor_port,
            )
    return _figures("own listener", rounds, p50=2.0, p99=None)


async def _through_broker() -> list[Figure]:
    with rig.folder("b1") as folder, rig.pty() as (far, near), rig.pty() as (far_floor, near_floor):
        plan = Plan(folder)
        async with mosquitto(plan) as port:
            password = plan.secret("broker.password", "belltower")
            plan.write(
                line=f"serial://{near}",
                alarm=f'[alarm.mqtt_broker.field]\nurl = "mqtt://127.0.0.1:{port}"\nusername = "belltower"\n'
                f'password = {{ file = "{password}" }}',
            )
            async with rig.alarm_lane(plan), floor(folder, "broker", port, near_floor):
                rounds = await asyncio.to_thread(
                    _rounds,
                    plan,
                    Line(number=far, key=plan.link_key),
                    Line(number=far_floor, key=plan.link_key),
                    port,
                    port,
                )
    return _figures("mosquitto", rounds, p50=2.0, p99=3.0)


@asynccontextmanager
async def floor(folder: Path, role: str, port: int, near: str) -> AsyncIterator[None]:
    """The floor as its own process, ready for presses."""
    log = folder / "floor.log"
    journal = folder / "floor.journal"
    async with rig.process(log, "-m", "gateway.bench.floors", role, port, journal, near) as floor:
        assert floor.stdout is not None
        if not await floor.stdout.readline():
            raise RuntimeError(f"the floor did not start: {log.read_text()}")
        yield


@asynccontextmanager
async def mosquitto(plan: Plan) -> AsyncIterator[int]:
    """A real mosquitto with the configuration that `belltower broker-config` prints; its port."""
    program, passwords = shutil.which("mosquitto"), shutil.which("mosquitto_passwd")
    if program is None or passwords is None:
        raise NotFound("mosquitto is not here, and B1 goes through it: apt-get install mosquitto")
    port = rig.free_port()
    folder = plan.folder / "mosquitto"
    folder.mkdir()
    broker = BrokerPlan(
        folder=folder, data=folder, bind="127.0.0.1", port=port, certificate=None, private_key=None
    )
    users = {"belltower": "belltower", floors.USER: floors.USER}
    users |= {f"u{number}": mqtt_password(plan.keys[number]) for number in (1, 2)}
    file = folder / "passwords"
    file.touch(mode=0o600)
    for user, password in users.items():
        await _done(passwords, "-b", file, user, password)
    acl = folder / "acl"
    acl.write_text(
        f"{broker_config.render_acl(broker)}\nuser {floors.USER}\ntopic read {floors.TOPIC}\n"
        f"user u2\ntopic write {floors.TOPIC}\n",
        "utf-8",
    )
    acl.chmod(0o600)
    config = folder / "mosquitto.conf"
    config.write_text(f"{broker_config.render_config(broker)}\nuser {getpass.getuser()}\n", "utf-8")
    async with AsyncExitStack() as stack:
        errors = stack.enter_context((folder / "log").open("ab"))
        child = await asyncio.create_subprocess_exec(program, "-c", config, stdout=errors, stderr=errors)
        try:
            await rig.listening(port, child, folder / "log")
            yield port
        finally:
            if child.returncode is None:
                child.kill()
            await child.wait()


async def _done(*command: object) -> None:
    child = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    if await child.wait():
        raise RuntimeError(f"{command[0]} ended with {child.returncode}")


def _rounds(
    plan: Plan, line: Line, floor_line: Line, port: int, floor_port: int
) -> list[tuple[list[float], list[float]]]:
    """Seconds of each press, product and floor, round by round; the first round only warms up."""
    line.opened()
    watch = Watch(plan.control, after=0)
    unit, plain = Presser(plan, 1, port), Presser(plan, 2, floor_port, topic=floors.TOPIC)
    unit.proved()
    rounds = []
    for count in (PRESSES // 4, *[PRESSES] * ROUNDS):
        times: list[float] = []
        plain_times: list[float] = []
        while len(times) < count:
            times += product(SLICE, line, watch, unit)
            plain_times += bare(SLICE, floor_line, plain)
        rounds.append((times, plain_times))
    for each in (watch, unit, plain):
        each.end()
    return rounds[1:]


def product(count: int, line: Line, watch: Watch, unit: Presser) -> list[float]:
    """Seconds from each press to its call's octets; between presses everything is settled and the incident closed."""
    times = []
    for _ in range(count):
        time.sleep(PAUSE)
        line.drain()
        unit.drain()
        press = unit.press()
        begun = time.perf_counter()
        unit.line.sendall(press)
        times.append(line.call() - begun)
        line.answer()
        opened = [
            fact for fact in watch.until("incident.opened", "call.receipt") if fact.tag == "incident.opened"
        ]
        watch.close_incident(opened[0].subject)
        watch.until("incident.closed")
    return times


def bare(count: int, line: Line, unit: Presser) -> list[float]:
    """Seconds from each press to its octets, through the floor."""
    times = []
    for _ in range(count):
        time.sleep(PAUSE)
        unit.drain()
        press = unit.press()
        begun = time.perf_counter()
        unit.line.sendall(press)
        times.append(line.read()[0] - begun)
        unit.acknowledged()
    return times


def _figures(
    way: str, rounds: list[tuple[list[float], list[float]]], *, p50: float, p99: float | None
) -> list[Figure]:
    figures = []
    for name, share, goal in (("p50", 0.5, p50), ("p99", 0.99, p99)):
        figures.append(
            rig.beside(
                f"press to the line's far end through {way}, {name}",
                values=[rig.at(product, share) for product, _ in rounds],
                floors=[rig.at(floor, share) for _, floor in rounds],
                goal=goal,
                figure="B1",
                extra={"presses": sum(len(product) for product, _ in rounds)},
            )
        )
    return figures
