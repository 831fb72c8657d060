"""B12: from a press to the first octets of its call on every one of six links, and what one hung link costs the others.

The alarm lane is its own process with six links configured; the far ends are one more process, the county's simulator, and
between them stand relays that note when the call's octets pass (`roads.py`). The floor is B1's: the octets written to a
file, `fdatasync`, and written to one line. Rounds of product and floor alternate. Every press is the first of an
incident, which is closed before the next.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

from gateway.bench import b1, floors, rig
from gateway.bench.figure import Figure
from gateway.bench.rig import Plan
from gateway.bench.roads import Roads
from gateway.bench.wires import Line, Presser, Watch
from gateway.county.ends import ENDS

ROUNDS = 7
PRESSES = 60
SLICE = 10
HUNG_SLICES = 5
PAUSE = 0.02
"""Seconds before a press: the roads' answers to the last are done with."""
P50, P99 = 3.0, 5.0
OTHERS_MS = 5.0
WITHIN = 1.0

LINKS = 6
OUTWARD = {
    "dc09": (b"SIA-DCS", 'account = "1234"\nreceivers = ["{}"]'),
    "sip": (b"MESSAGE urn:service:", 'from = "sip:school@school.example"\ntargets = ["{}"]'),
    "modem": (b"AT+CMGS", 'number = "+15550100"\nurl = "{}"'),
    "tetra": (b"AT+CMGS", 'to = "2345678"\nurl = "{}"'),
    "fleetsync": (b"\x02F", 'to = "100-1002"\nurl = "{}"'),
}
"""Links on which the school connects: what the octets of a call hold, and their settings."""

Times = dict[str, list[float]]


async def run() -> list[Figure]:
    """Each link beside the floor, the slowest link of each press, and the others while one hangs."""
    previous = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    try:
        return await _measured()
    finally:
        sys.setswitchinterval(previous)


async def _measured() -> list[Figure]:
    with rig.folder("b12") as folder, rig.pty() as (far_floor, near_floor), Roads() as roads:
        port, floor_port = rig.free_port(), rig.free_port()
        plan = Plan(folder)
        ends = ",".join(f"{name}={address}" for name, address in _write(plan, roads, port).items())
        key = f"kiss={plan.folder / 'county.key'}"
        log = folder / "ends.log"
        async with rig.process(
            log, "-m", "gateway.cli", "simulate", "county", "--links", ends, "--key-file", key, "--port", 0
        ) as far:
            assert far.stdout is not None
            line = await asyncio.wait_for(far.stdout.readline(), rig.PATIENCE)
            if not line:
                raise RuntimeError(f"the far ends did not start: {log.read_text()[-2_000:]}")
            for name, address in json.loads(line)["ends"].items():
                if name in OUTWARD:
                    roads.lead(name, int(address.rpartition(":")[2]))
            floor_line = Line(number=far_floor, key=plan.link_key)
            async with rig.alarm_lane(plan) as lane, b1.floor(folder, "listener", floor_port, near_floor):
                await _all_answer(plan, lane)
                return await asyncio.to_thread(_all, plan, roads, floor_line, port, floor_port)


def _write(plan: Plan, roads: Roads, port: int) -> dict[str, str]:
    """The settings of all links; the county's ends for them and where each is."""
    school, county = roads.serial("kiss", b":PANIC ")
    ends = {"kiss": f"serial://{county}"}
    notifier = rig.free_port()
    dialled = roads.connection("eido", b'"event"', outward=False)
    roads.lead("eido", notifier)
    ends["eido"] = f"127.0.0.1:0?school=ws://127.0.0.1:{dialled}/IncidentData/Ent"
    tables = f'[psap.links.eido]\nkind = "eido"\nelement = "belltower.school.example"\nport = {notifier}\n'
    for kind, (mark, table) in OUTWARD.items():
        if kind in ENDS and len(ends) < LINKS:
            url = f"tcp://127.0.0.1:{roads.connection(kind, mark)}"
            ends[kind] = "127.0.0.1:0"
            tables += f'[psap.links.{kind}]\nkind = "{kind}"\n{table.format(url)}\n'
    plan.write(line=f"serial://{school}", alarm=f"[alarm.mqtt_listener]\nport = {port}", more=tables)
    return ends


async def _all_answer(plan: Plan, lane: asyncio.subprocess.Process) -> None:
    """Wait until every link has a far end, of those that can know before a call."""
    end = time.perf_counter() + rig.PATIENCE
    while True:
        links = (await rig.answering(plan, lane)).links
        if all(answers for name, answers in links.items() if name != "fleetsync"):
            return
        if time.perf_counter() > end:
            log = (plan.folder / "alarm.log").read_text(errors="replace")[-1_500:]
            raise TimeoutError(f"not all links answer: {links}, {log}")
        await asyncio.sleep(0.05)


def _all(plan: Plan, roads: Roads, floor_line: Line, port: int, floor_port: int) -> list[Figure]:
    watch = Watch(plan.control, after=0)
    unit, plain = Presser(plan, 1, port), Presser(plan, 2, floor_port, topic=floors.TOPIC)
    unit.proved()
    rounds: list[tuple[Times, list[float]]] = []
    for count in (PRESSES // 4, *[PRESSES] * ROUNDS):
        times: Times = {}
        bare: list[float] = []
        while len(bare) < count:
            _add(times, _product(SLICE, roads, watch, unit))
            bare += b1.bare(SLICE, floor_line, plain)
        rounds.append((times, bare))
    figures = _beside(rounds[1:])
    figures.append(_hung(roads, watch, unit))
    for each in (watch, unit, plain):
        each.end()
    return figures


def _product(count: int, roads: Roads, watch: Watch, unit: Presser, *, settled: bool = True) -> Times:
    """Seconds from each press to its call on every road that does not hang."""
    times: Times = {}
    for _ in range(count):
        time.sleep(PAUSE)
        unit.drain()
        press = unit.press()
        roads.arm()
        begun = time.perf_counter()
        unit.line.sendall(press)
        _add(times, {name: [at - begun] for name, at in roads.wait().items()})
        wanted = ("incident.opened", "call.receipt") if settled else ("incident.opened",)
        opened = [fact for fact in watch.until(*wanted) if fact.tag == "incident.opened"]
        watch.close_incident(opened[0].subject)
        watch.until("incident.closed")
    return times


def _add(times: Times, more: Times) -> None:
    for name, values in more.items():
        times.setdefault(name, []).extend(values)


def _beside(rounds: list[tuple[Times, list[float]]]) -> list[Figure]:
    figures = []
    for name in (*sorted(rounds[0][0]), ""):
        for share, goal in ((0.5, P50), (0.99, P99)):
            figures.append(
                rig.beside(
                    f"press to the first octets on {name or 'the last of all links'}, p{share * 100:.0f}",
                    values=[rig.at(times[name] if name else _last(times), share) for times, _ in rounds],
                    floors=[rig.at(floor, share) for _, floor in rounds],
                    goal=goal,
                    figure="B12",
                    extra={"presses": len(rounds) * PRESSES, "links": len(rounds[0][0])},
                )
            )
    return figures


def _last(times: Times) -> list[float]:
    """Of each press, the time of the link that came last."""
    return [max(each) for each in zip(*times.values(), strict=True)]


def _hung(roads: Roads, watch: Watch, unit: Presser) -> Figure:
    """With each link hung in turn: how much later the slowest of the others is, and its p99."""
    names = sorted(_product(SLICE, roads, watch, unit))
    worst: dict[str, float] = {}
    slowest = 0.0
    for hung in names:
        calm: Times = {}
        beside: Times = {}
        for _ in range(HUNG_SLICES):  # in turns: the machine's mood changes by the second
            _add(calm, _product(SLICE, roads, watch, unit))
            roads.hang(hung)
            _add(beside, _product(SLICE, roads, watch, unit, settled=hung != "kiss"))
            roads.hang(hung, hung=False)
        late = [rig.at(beside[name], 0.5) - rig.at(calm[name], 0.5) for name in names if name != hung]
        worst[hung] = round(max(late) * 1e3, 3)
        slowest = max(slowest, *(rig.at(beside[name], 0.99) for name in names if name != hung))
    return Figure(
        id="B12",
        name="one link hung: how much later the others' first octets are, p50, the worst of all pairs",
        value=max(worst.values()),
        unit="ms",
        goal=f"<= {OTHERS_MS:g} ms, p99 <= {WITHIN:g} s",
        met=max(worst.values()) <= OTHERS_MS and slowest <= WITHIN,
        extra={
            "by the hung link, ms": worst,
            "slowest p99 of any other, ms": round(slowest * 1e3, 2),
            "presses each": HUNG_SLICES * SLICE,
            "load average": round(os.getloadavg()[0], 1),
        },
    )
