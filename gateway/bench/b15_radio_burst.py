"""B15: 10,000 presses at once in 12 buildings, and a radio channel of 1200 bit/s to the county.

The alarm lane and the units are processes of their own, as in B9. The bench is the modem, the channel and the county:
one transmits at a time, every frame takes its airtime (keying, octets, stuffed bits, tail), and the county answers over
the same channel. The floor is the airtime of what nobody could leave out: each building's first press, one summary of
all others, and the answers.
"""

from __future__ import annotations

import asyncio
import os
import select
import time
from collections import deque
from threading import Event

from gateway.bench import rig
from gateway.bench.b9 import BUILDINGS, CROWD, open_files
from gateway.bench.figure import Figure
from gateway.bench.rig import Plan
from gateway.bench.wires import Line
from gateway.psap.channel import Channel
from gateway.psap.ranges import count
from hardware.codecs import kiss

RATES = (1200, 9600)
FIRSTS_WITHIN = 1.0
COVERED_WITHIN = 60.0
_LIMIT = 90.0
_ANSWER, _FIRST, _SUMMARY = 52, 95, 225
"""Octets of an answer, of a first press and of a full summary, as docs/psap-radio.md shows them."""


class Air:
    """The modem at the end of the line, the channel, and the county behind it. `run` it in a thread."""

    def __init__(self, *, number: int, line: Line, channel: Channel) -> None:
        self._number = number
        self._line = line
        self._channel = channel
        self._out = kiss.Decoder()
        self._back = kiss.Decoder()
        # Who waits for the channel: from the school or not, and the frame.
        self._waiting: deque[tuple[bool, bytes]] = deque()
        self._on_air: tuple[float, bool, bytes] | None = None
        self.firsts: list[float] = []
        """When each call's first octets were at the modem."""
        self.heard: list[tuple[float, int]] = []
        """When the county knew of how many presses."""
        self.busy = 0.0
        """Seconds for which the channel was in use."""

    def run(self, stop: Event) -> None:
        """Carry frames until told to stop."""
        while not stop.is_set():
            due = self._on_air[0] if self._on_air is not None else time.perf_counter() + 0.05
            if select.select([self._number], [], [], max(0.0, due - time.perf_counter()))[0]:
                octets = os.read(self._number, 65_536)
                now = time.perf_counter()
                for frame in self._out.feed(octets):
                    if isinstance(frame, kiss.Frame):
                        if b":PANIC " in frame.data:
                            self.firsts.append(now)
                        self._waiting.append((True, frame.data))
            self._carry()

    def knows(self, presses: int) -> bool:
        """Whether the county knows of so many presses."""
        return bool(self.heard) and self.heard[-1][1] >= presses

    def _carry(self) -> None:
        now = time.perf_counter()
        if self._on_air is not None and self._on_air[0] <= now:
            _, from_school, data = self._on_air
            self._on_air = None
            if from_school:
                self._arrive(data, now)
            else:
                os.write(self._number, kiss.encode(data))
        if self._on_air is None and self._waiting:
            from_school, data = self._waiting.popleft()
            airtime = self._channel.airtime(len(data))
            self.busy += airtime
            self._on_air = now + airtime, from_school, data

    def _arrive(self, data: bytes, now: float) -> None:
        county = self._line.county
        county.receive(kiss.encode(data), now=now)
        for frame in self._back.feed(county.outgoing(now)):
            if isinstance(frame, kiss.Frame):
                self._waiting.append((False, frame.data))
        self.heard.append((now, sum(count(call.presses) for call in county.calls.values())))


async def run() -> list[Figure]:
    """The first presses at the modem, and all presses at the county, at 1200 and at 9600 bit/s."""
    return [figure for rate in RATES for figure in await _at(rate)]


async def _at(rate: int) -> list[Figure]:
    crowd = open_files()
    channel = Channel(rate=rate)
    with rig.folder("b15") as folder, rig.pty() as (far, near):
        port = rig.free_port()
        plan = Plan(folder, units=CROWD, buildings=BUILDINGS)
        plan.write(
            line=f"serial://{near}",
            alarm=f"[alarm.mqtt_listener]\nport = {port}",
            link=f"rate = {rate}",
        )
        async with rig.alarm_lane(plan):
            stop = Event()
            line = Line(number=far, key=plan.link_key)
            air = Air(number=far, line=line, channel=channel)
            carrying = asyncio.get_running_loop().run_in_executor(None, air.run, stop)
            try:
                begun = await _press(plan, port, crowd, air)
            finally:
                stop.set()
                await carrying
    firsts = [at - begun for at in air.firsts[:BUILDINGS]]
    covered = next((at - begun for at, presses in air.heard if presses >= crowd), float("inf"))
    floor = BUILDINGS * (channel.airtime(_FIRST) + channel.airtime(_ANSWER))
    floor += channel.airtime(_SUMMARY) + channel.airtime(_ANSWER)
    last = max(firsts, default=float("inf"))
    extra = {
        "presses": crowd,
        "buildings": BUILDINGS,
        "frames heard by the county": len(air.heard),
        "channel in use s": round(air.busy, 1),
        "load average": round(os.getloadavg()[0], 1),
    }
    return [
        Figure(
            id="B15",
            name=f"{crowd} presses, {rate} bit/s: every building's first press at the modem",
            value=round(last, 3),
            unit="s",
            goal=f"<= {FIRSTS_WITHIN:g} s",
            met=len(firsts) == BUILDINGS and last <= FIRSTS_WITHIN,
            extra={"first of all": round(min(firsts, default=0.0), 3), **extra},
        ),
        Figure(
            id="B15",
            name=f"{crowd} presses, {rate} bit/s: all of them at the county",
            value=round(covered, 2),
            unit="s",
            floor=round(floor, 2),
            ratio=round(covered / floor, 2),
            goal=f"<= {COVERED_WITHIN:g} s",
            met=covered <= COVERED_WITHIN,
            extra=extra,
        ),
    ]


async def _press(plan: Plan, port: int, crowd: int, air: Air) -> float:
    """Have everybody press, and wait until the county knows of all; when it began."""
    log = plan.folder / "crowd.log"
    keys = plan.state / "units.keys"
    async with rig.process(log, "-m", "gateway.bench.crowd", port, crowd, keys, plan.tag.hex()) as units:
        assert units.stdout is not None
        assert units.stdin is not None
        async with asyncio.timeout(rig.PATIENCE):
            if not await units.stdout.readline():
                raise RuntimeError(f"the crowd did not sign in: {log}")
        await asyncio.sleep(1.0)  # what signing in has left is done with
        begun = time.perf_counter()
        await units.communicate(b"\n")
        end = begun + _LIMIT
        while not air.knows(crowd) and time.perf_counter() < end:  # noqa: ASYNC110 - a thread carries
            await asyncio.sleep(0.05)
    return begun
