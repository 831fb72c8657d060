"""Tells units something until they confirm that they show it: orders and texts, each on every way the unit has.

The usual way first, then the other ones. MQTT frames go at once, some at a time; on a radio channel they go one by one,
so that presses and their acknowledgements find room between them.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from belltower.tasks import together
from gateway.intake.paths import Path
from gateway.intake.units import KnownUnit
from hardware.codecs import unit as codec
from hardware.codecs.unit import UnitFrame
from hardware.codecs.unit_room import Order, Say
from hardware.unit_record import Bearer

RADIO = "radio-"
"""How the names of radio paths begin."""

AIRTIME = 0.8
"""Seconds of a radio channel that one order takes, its sender's key-up and a breath for others included."""

AT_ONCE = 50
"""Frames sent before other work gets its turn."""

FIRST = (0.0, 2.0)
"""Seconds after the beginning at which only the usual way is taken."""
ALL = (5.0, 8.0, 10.0, 12.5, 15.0)
"""Seconds after the beginning at which every way is taken; then again and again."""
AGAIN = 15.0
SOON = 1.0
"""Seconds after the last try at which a unit that is heard again is told again."""

_STEPS = (*FIRST, *ALL)
_PATIENCE = 5


def _nothing(*_: object) -> None:
    pass


class Telling(Struct, kw_only=True, eq=False):
    """One thing one unit is to show. `step(seconds)` is called at each try after the first, `over` if it is given up."""

    unit: KnownUnit
    type: int
    named: tuple[int, int]
    frame: bytes
    shown: Callable[[str], None]
    step: Callable[[float], None]
    over: Callable[[], None]
    # Seconds after which it is given up; 0: never.
    until: float = 0.0
    began: float = 0.0
    tries: int = 0
    tried: float = 0.0
    done: bool = False


class Tellings:
    """What is being told, at most one order and one text for each unit."""

    def __init__(
        self, *, paths: Mapping[str, Path], site_tag: bytes, crowded: Callable[[], bool] = lambda: False
    ) -> None:
        self._paths = paths
        self._site_tag = site_tag
        self._crowded = crowded
        self._tellings: dict[tuple[int, int], Telling] = {}
        self._due: list[tuple[float, int, Telling]] = []
        self._nth = 0
        self._bell = asyncio.Event()
        self._heard_on: dict[int, str] = {}
        self._air: dict[str, deque[Telling]] = {}
        self._air_bell = asyncio.Event()

    def tell(
        self,
        unit: KnownUnit,
        body: Order | Say,
        named: tuple[int, int],
        *,
        exercise: bool,
        shown: Callable[[str], None],
        step: Callable[[float], None] = _nothing,
        over: Callable[[], None] = _nothing,
        until: float = 0.0,
    ) -> None:
        """Tell from now on; what was told before in its stead is not told any more."""
        head = UnitFrame(
            number=unit.record.number, epoch=named[0], counter=named[1], type=0, exercise=exercise
        )
        framed = codec.with_body(head, body)
        self.forget(unit, framed.type)
        now = asyncio.get_running_loop().time()
        telling = Telling(
            unit=unit,
            type=framed.type,
            named=named,
            frame=codec.seal(framed, unit.key, self._site_tag),
            shown=shown,
            step=step,
            over=over,
            until=until,
            began=now,
        )
        self._tellings[unit.record.number, framed.type] = telling
        self._plan(telling, now)

    def telling(self, unit: KnownUnit, type_: int) -> bool:
        """Whether the unit is being told something of this type."""
        return (unit.record.number, type_) in self._tellings

    def forget(self, unit: KnownUnit, type_: int) -> None:
        """Do not tell it any more."""
        telling = self._tellings.pop((unit.record.number, type_), None)
        if telling is not None:
            telling.done = True

    def shown(self, number: int, named: tuple[int, int], path: Path) -> bool:
        """The unit shows what was sent under this epoch and counter; False if that is not being told."""
        for key in ((number, codec.Type.ORDER), (number, codec.Type.SAY)):
            telling = self._tellings.get(key)
            if telling is not None and telling.named == named:
                del self._tellings[key]
                telling.done = True
                telling.shown(path.name)
                return True
        return False

    def heard(self, number: int, path: Path) -> None:
        """An authentic frame of this unit came this way: it is the usual way now, and the unit is there."""
        self._heard_on[number] = path.name
        for key in ((number, codec.Type.ORDER), (number, codec.Type.SAY)):
            telling = self._tellings.get(key)
            if telling is not None and telling.tries:
                now = asyncio.get_running_loop().time()
                if now - telling.tried >= SOON and not path.name.startswith(RADIO):
                    telling.tried = now
                    path.send(number, telling.frame)

    def ways(self, unit: KnownUnit) -> tuple[list[str], list[str]]:
        """The names of the usual way of the unit, and of its other ones."""
        radio = [name for name in self._paths if name.startswith(RADIO)]
        wired = [name for name in self._paths if not name.startswith(RADIO)]
        match unit.record.bearer:
            case Bearer.MQTT:
                all_ways = wired or radio
                usual = all_ways
            case Bearer.RADIO:
                all_ways = radio or wired
                usual = all_ways
            case _:
                all_ways = wired + radio
                usual = wired or radio
        last = self._heard_on.get(unit.record.number)
        if last is not None and last in self._paths:
            usual = [last]
        return usual, [name for name in all_ways if name not in usual]

    async def run(self) -> None:
        """Send what is due, for ever."""
        await together(tell_units=self._serve(), tell_air=self._breathe())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        sent = 0
        while True:
            now = loop.time()
            while self._due and self._due[0][0] <= now:
                _, _, telling = heapq.heappop(self._due)
                if telling.done:
                    continue
                self._try(telling, loop.time())
                sent += 1
                if sent % AT_ONCE == 0:
                    await asyncio.sleep(0)
                    await self._unless_crowded()
            self._bell.clear()
            due = self._due[0][0] if self._due else None
            if due is not None and due <= loop.time():
                continue
            try:
                async with asyncio.timeout_at(due):
                    await self._bell.wait()
            except TimeoutError:
                pass

    async def _unless_crowded(self) -> None:
        """Let first acknowledgements of presses go before orders, for a quarter of a second at most."""
        for _ in range(_PATIENCE):
            if not self._crowded():
                return
            await asyncio.sleep(0.05)

    def _try(self, telling: Telling, now: float) -> None:
        seconds = _STEPS[min(telling.tries, len(_STEPS) - 1)]
        if telling.until and now - telling.began >= telling.until:
            telling.done = True
            self._tellings.pop((telling.unit.record.number, telling.type), None)
            telling.over()
            return
        usual, others = self.ways(telling.unit)
        names: Iterable[str] = usual if telling.tries < len(FIRST) else (*usual, *others)
        for name in names:
            if not name.startswith(RADIO):
                self._paths[name].send(telling.unit.record.number, telling.frame)
            elif telling.tries != 1:  # two seconds are nothing on the air
                self._on_air(name, telling)
        telling.tries += 1
        telling.tried = now
        self._plan(telling, now)
        if telling.tries > 1:
            telling.step(seconds)

    def _on_air(self, name: str, telling: Telling) -> None:
        waiting = self._air.setdefault(name, deque())
        if telling not in waiting:
            waiting.append(telling)
            self._air_bell.set()

    async def _breathe(self) -> None:
        """One frame on each radio channel, then a pause for the others there."""
        while True:
            if not any(self._air.values()):
                self._air_bell.clear()
                await self._air_bell.wait()
            for name, waiting in self._air.items():
                while waiting and waiting[0].done:
                    waiting.popleft()
                if waiting:
                    telling = waiting.popleft()
                    self._paths[name].send(telling.unit.record.number, telling.frame)
            if any(self._air.values()):
                await asyncio.sleep(AIRTIME)

    def _plan(self, telling: Telling, now: float) -> None:
        due = telling.began + _STEPS[telling.tries] if telling.tries < len(_STEPS) else now + AGAIN
        self._nth += 1
        heapq.heappush(self._due, (due, self._nth, telling))
        self._bell.set()
