"""One day on a simulated campus: what happens is drawn from the seed alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from random import Random

import structlog
from msgspec import Struct

from gateway.county import Fault
from gateway.county.core import FaultName
from hardware.codecs.unit import Kind
from tests.sim.disk import CONDITIONS, SOUND
from tests.sim.lane import SimLane
from tests.sim.loop import SimLoop
from tests.sim.people import Wearer
from tests.sim.pipes import Weather, spoil
from tests.sim.world import World

DAY = 86_400.0
HEALED_AT = DAY - 2 * 3600.0
"""From here on nothing goes wrong any more."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What one seed came to."""

    seed: int
    wrong: list[str]
    digest: str
    presses: int
    kills: int
    callbacks: int


def live_through(seed: int, *, lane: type[SimLane] = SimLane) -> Outcome:
    """Live through the day of `seed`."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.ReturnLoggerFactory(),
    )
    loop = SimLoop(random=Random(f"{seed} loop"))
    asyncio.set_event_loop(loop)
    try:
        with lane.planted():
            return loop.run_until_complete(_day(seed, loop, lane))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
        structlog.reset_defaults()


async def _day(seed: int, loop: SimLoop, lane: type[SimLane]) -> Outcome:
    world = World(seed=seed, loop=loop, lane=lane)
    world.boot()
    Day(world=world).plan()
    await asyncio.sleep(DAY)
    wrong = world.verdict()
    outcome = Outcome(
        seed=seed,
        wrong=wrong,
        digest=world.digest,
        presses=sum(len(wearer.presses) for wearer in world.wearers.values()),
        kills=world.kills,
        callbacks=loop.callbacks,
    )
    world.end()
    await asyncio.sleep(60.0)
    return outcome


class Day:
    """Draws what happens when."""

    def __init__(self, *, world: World) -> None:
        self._world = world
        self._random = world.random

    def plan(self) -> None:
        """Put the whole day into the loop's timers."""
        random, world = self._random, self._world
        some = random.randint
        for wearer in world.wearers.values():
            self._heartbeats(wearer)
        for _ in range(some(10, 30)):
            self._at(self._anywhen(), self._single)
        for _ in range(some(1, 3)):
            self._at(self._anywhen(), self._burst)
        for _ in range(some(2, 6)):
            self._at(self._anywhen(), self._replay)
            self._at(self._anywhen(), self._forge)
        for _ in range(some(0, 3)):
            self._at(self._anywhen(), self._lose_memory)
            self._at(self._anywhen(), self._reboot)
        for _ in range(some(1, 4)):
            self._at(self._anywhen(), world.kill)
        for _ in range(some(2, 6)):
            self._episode(self._weather, self._fair, (60, 3600))
        for _ in range(some(1, 4)):
            self._episode(self._disk_fault, self._disk_sound, self._random.choice(((1, 10), (10, 600))))
        for _ in range(some(1, 4)):
            self._episode(self._county_fault, self._county_well, (20, 1800))
        for _ in range(some(0, 3)):
            self._episode(world.pull, world.plug, (1, 900))
        for _ in range(some(0, 2)):
            self._episode(
                partial(setattr, world.cable, "stalled", True),
                partial(setattr, world.cable, "stalled", False),
                (5, 120),
            )
        for _ in range(some(0, 3)):
            self._at(self._anywhen(), self._step_clock)
        for _ in range(some(0, 2)):
            self._at(self._anywhen(), self._drill)
        for _ in range(some(4, 10)):
            self._at(self._anywhen(), self._close)
        for hour in range(1, 24, 3):
            self._at(hour * 3600.0, world.measure)
        self._at(HEALED_AT, self._heal)

    # ---- when

    def _anywhen(self) -> float:
        return self._random.uniform(5.0, HEALED_AT - 3700.0)

    def _at(self, when: float, happens: Callable[[], object]) -> None:
        self._world.loop.call_at(when, happens)

    def _episode(
        self, begin: Callable[[], object], end: Callable[[], object], lasting: tuple[float, float]
    ) -> None:
        """A fault for a while, and somebody who presses in the middle of it."""
        when, length = self._anywhen(), self._random.uniform(*lasting)
        self._at(when, begin)
        self._at(when + length, end)
        for _ in range(self._random.choice((0, 1, 1, 1, 3))):
            self._at(when + self._random.random() * length, self._single)
        if self._random.random() < 0.2:
            self._at(when + self._random.random() * length, self._world.kill)

    # ---- units

    def _heartbeats(self, wearer: Wearer) -> None:
        loop = self._world.loop
        interval = wearer.record.heartbeat

        def beat() -> None:
            wearer.heartbeat()
            loop.call_later(interval * self._random.uniform(0.95, 1.0), beat)

        loop.call_later(self._random.uniform(2.5, interval), beat)

    def _wearer(self) -> Wearer:
        return self._random.choice(list(self._world.wearers.values()))

    def _press(self, wearer: Wearer, *, exercise: bool = False) -> None:
        kind = Kind.MEDICAL if self._random.random() < 0.2 else Kind.PANIC
        self._world.note("press", wearer.id, exercise)
        wearer.press(kind, exercise=exercise)
        if self._random.random() < 0.15:
            self._world.loop.after_callbacks(self._random.randrange(0, 120), self._world.kill)

    def _single(self) -> None:
        wearer = self._wearer()
        self._press(wearer, exercise=self._random.random() < 0.05)
        if self._random.random() < 0.2:
            self._world.loop.call_later(self._random.uniform(0.05, 30.0), self._press, wearer)

    def _burst(self) -> None:
        wearers = self._random.sample(list(self._world.wearers.values()), self._random.randint(5, 30))
        spread = self._random.choice((0.0, 0.05, 2.0, 20.0))
        for wearer in wearers:
            self._world.loop.call_later(self._random.random() * spread, self._press, wearer)

    def _replay(self) -> None:
        sent = [wearer for wearer in self._world.wearers.values() if wearer.sent]
        if sent:
            wearer = self._random.choice(sent)
            way = self._random.choice(("mqtt", "radio"))
            retained = way == "mqtt" and self._random.random() < 0.3
            self._world.replay(way, wearer, self._random.choice(wearer.sent), retained=retained)

    def _forge(self) -> None:
        wearer = self._wearer()
        frame = bytearray(self._random.randbytes(self._random.randrange(0, 60)))
        if wearer.sent and self._random.random() < 0.7:
            frame = bytearray(spoil(self._random.choice(wearer.sent), self._random))
            if self._random.random() < 0.3:
                frame[1] ^= 0x40
        self._world.up("radio", wearer.record.number, bytes(frame))

    def _lose_memory(self) -> None:
        wearer = self._wearer()
        wearer.flash.lose()
        wearer.unit.reboot()
        self._press(wearer)

    def _reboot(self) -> None:
        self._wearer().unit.reboot()

    # ---- faults

    def _weather(self) -> None:
        random = self._random
        for way in self._world.ways.values():
            way.weather = Weather(
                latency=(0.001, random.choice((0.05, 1.0))),
                lost=random.choice((0.0, 0.1, 0.5)),
                spoilt=random.choice((0.0, 0.05)),
                doubled=random.choice((0.0, 0.3, 0.8)),
                straggle=random.choice((0.0, 2.0, 300.0)),
            )
        self._world.cable.weather = Weather(
            latency=(0.001, random.choice((0.02, 1.0))),
            lost=random.choice((0.0, 0.05, 0.3)),
            spoilt=random.choice((0.0, 0.05)),
            split=random.choice((0.0, 0.5)),
        )

    def _fair(self) -> None:
        for way in self._world.ways.values():
            way.weather = Weather()
        self._world.cable.weather = Weather()

    def _disk_fault(self) -> None:
        self._world.disk.condition = self._random.choice(CONDITIONS)
        self._world.disk.spool_fails = self._random.random() < 0.25
        self._world.note("disk", self._world.disk.condition, self._world.disk.spool_fails)

    def _disk_sound(self) -> None:
        self._world.disk.condition = SOUND
        self._world.disk.spool_fails = False

    def _county_fault(self) -> None:
        name = self._random.choice(list(FaultName))
        values = {
            FaultName.LATE: self._random.uniform(1, 40),
            FaultName.NOISE: 1e-3,
            FaultName.DEAF_AFTER: 0.0,
        }
        self._world.centre.county.fault = Fault(name=name, value=values.get(name, 0.0))
        self._world.note("county", name)

    def _county_well(self) -> None:
        self._world.centre.county.fault = None

    def _step_clock(self) -> None:
        hour, year = 3600.0, 365.25 * DAY
        self._world.clock.step(self._random.choice((hour, -hour, 10 * year, -10 * year, 30.0, -0.5)))
        self._world.note("clock", self._world.clock.now())

    # ---- people

    def _close(self) -> None:
        life = self._world.life
        if life is not None and life.ready and life.lane.verbs.incidents:
            incident = self._random.choice(list(life.lane.verbs.incidents))
            self._world.spawn("close", self._world.close_incident(incident))

    def _drill(self) -> None:
        random, world = self._random, self._world
        lasting = random.uniform(60, 1800)
        world.spawn("drill", world.drill(lasting=lasting, accepted=random.random() < 0.5))
        for wearer in random.sample(list(world.wearers.values()), random.randint(2, 12)):
            delay = random.uniform(0.0, lasting * 1.1)
            world.loop.call_later(delay, partial(self._press, wearer, exercise=True))
        if random.random() < 0.5:
            world.loop.call_later(random.uniform(0.0, lasting), self._single)

    def _heal(self) -> None:
        self._fair()
        self._disk_sound()
        self._county_well()
        self._world.plug()
        self._world.cable.stalled = False
        self._world.note("healed")
