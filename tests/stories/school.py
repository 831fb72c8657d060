"""A small school around an alarm lane that dies: units that press, a county on a terminal, and a ledger of it all."""

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from random import Random

import apsw

from belltower.errors import Unreachable
from belltower.ids import StreamName
from belltower.incident.encoding import FactEncoding
from belltower.incident.entry import Entry
from belltower.journal import verify
from belltower.store import open_database
from gateway.county import County
from hardware.codecs.unit import Kind, derive_key, mqtt_password, site_tag
from hardware.simulators.connected_unit import ConnectedUnit
from hardware.simulators.ledger_unit import LedgerUnit
from hardware.unit_keys import write_keys
from tests.invariants import (
    AckHeard,
    Named,
    PressSent,
    Shown,
    i1_each_acked_press_is_journaled_once,
    i2_each_live_press_reached_a_psap,
)
from tests.peers.county import KEY, a_county
from tests.peers.waiting import PATIENCE
from tests.servers.mosquitto import Mosquitto
from tests.servers.ports import free_port
from tests.servers.pty import pty_pair
from tests.stories.killing import Child, Forker, Life, Point

SITE = "hillside"
UNITS = range(1, 5)
PLACES = {1: "a1", 2: "a2", 3: "b1", 4: "b2"}
HASTE = 20.0
"""The county's clock runs so much faster, so that what it repeats comes soon."""
_TAG = site_tag(SITE)
_KEYS = {number: derive_key(b"the school's secret", SITE, number) for number in UNITS}
_WAITS = (0.06, 0.12, 0.25, 0.5)
_DECODER = FactEncoding()
STREAM = StreamName("alarm")


def write_site(folder: Path) -> None:
    """The site package, the units' keys and the link's key: the same for every story."""
    site = folder / "site"
    site.mkdir()
    places = [f'[[place]]\nid = "{p}"\nlabel = "{p}"\nbuilding = "{p[0].upper()}"\n' for p in PLACES.values()]
    (site / "site.toml").write_text(
        f'id = "{SITE}"\nname = "Hillside"\n[[building]]\nid = "A"\n[[building]]\nid = "B"\n'
        + "".join(places)
    )
    (site / "units.toml").write_text(
        "".join(f'[[unit]]\nnumber = {number}\nplace = "{place}"\n' for number, place in PLACES.items())
    )
    (site / "people.toml").write_text(
        '[[person]]\nid = "p1"\nname = "Ann Ash"\n[[person.contact]]\nkind = "console"\naddress = "c1"\n'
    )
    (site / "response.toml").write_text(
        'acknowledged = [{ template = "staff-acknowledged", audience = "all-staff" }]\n'
        '[panic]\nnotices = [{ template = "staff-alarm", audience = "all-staff" }]\n'
    )
    (site / "audiences.toml").write_text('[all-staff]\nroles = ["staff"]\n')
    write_keys(folder / "units.keys", _KEYS)
    (folder / "county.key").touch(mode=0o600)
    (folder / "county.key").write_text(KEY.hex())


class CountyOnLine:
    """The county's system on the far end of a terminal; its clock runs `HASTE` times as fast."""

    def __init__(self, *, far: int, seed: int) -> None:
        self.county: County = a_county(auto=0.02 * HASTE, seed=seed)
        self._far = far
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        os.set_blocking(far, False)
        self._loop.add_reader(far, self._hear)

    def close(self) -> None:
        """Let go of the line."""
        self._loop.remove_reader(self._far)
        if self._timer is not None:
            self._timer.cancel()

    def _hear(self) -> None:
        self.county.receive(os.read(self._far, 65_536), now=self._now())
        self._speak()

    def _speak(self) -> None:
        now = self._now()
        if out := self.county.outgoing(now):
            os.write(self._far, out)
        if self._timer is not None:
            self._timer.cancel()
        due = self.county.next_at()
        if due is not None:
            self._timer = self._loop.call_later(max(due - now, 0) / HASTE, self._speak)

    def _now(self) -> float:
        return self._loop.time() * HASTE


class School:
    """One story's world."""

    def __init__(
        self, *, folder: Path, shared: Path, forker: Forker, random: Random, county: CountyOnLine
    ) -> None:
        self.folder = folder
        self.random = random
        self.county = county.county
        self.config = folder / "belltower.toml"
        self._shared = shared
        self._forker = forker
        self.child: Child | None = None
        self.units = {
            number: LedgerUnit(number=number, key=key, site_tag=_TAG, random=random, waits=_WAITS)
            for number, key in _KEYS.items()
        }
        self.lives = 0

    def write_config(self, *, line: str, port: int, broker: bool, spool_after: str) -> None:
        """The settings file."""
        way = (
            f'[alarm.mqtt_broker.campus]\nurl = "mqtt://127.0.0.1:{port}"\n'
            if broker
            else f"[alarm.mqtt_listener]\nport = {port}\n"
        )
        self.config.write_text(
            f'[site]\nfolder = "{self._shared / "site"}"\n[state]\nfolder = "{self.folder}"\n'
            f'[alarm]\nunit_keys = "{self._shared / "units.keys"}"\nspool_after = "{spool_after}"\n{way}'
            f'[psap.links.county]\nkind = "kiss"\nurl = "serial://{line}"\nfrom = "SCHOOL-1"\nto = "PSAP"\n'
            f'key = {{ file = "{self._shared / "county.key"}" }}\n'
        )

    async def live(
        self, point: Point | None = None, hit: int = 1, *, slow_commits: int = 0, hasty: bool = False
    ) -> Child:
        """Begin a life of the lane."""
        self.lives += 1
        self.child = await self._forker.begin(
            Life(
                config=str(self.config),
                point=point,
                hit=hit,
                slow_commits=slow_commits,
                hasty=hasty,
                output=str(self.folder / "log"),
            )
        )
        return self.child

    def log(self) -> str:
        """What all lives said."""
        file = self.folder / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    async def press(self, connected: dict[int, ConnectedUnit], count: int) -> None:
        """Somebody presses, `count` times, mostly at nearly the same moment."""
        for _ in range(count):
            kind = Kind.MEDICAL if self.random.random() < 0.25 else Kind.PANIC
            connected[self.random.choice(UNITS)].press(kind)
            await asyncio.sleep(self.random.choice((0.0, 0.0, 0.003, 0.03)))

    # ---- the oracle

    @property
    def pressed(self) -> set[Named]:
        """Every press ever made."""
        return {Named(f"u{number}", *name) for number, unit in self.units.items() for name in unit.pressed}

    def waiting(self) -> list[int]:
        """The units that wait for an acknowledgement."""
        return [number for number, unit in self.units.items() if unit.waiting]

    def entries(self) -> list[Entry]:
        """The journal as it lies on disk."""
        database = self.folder / "alarm.db"
        if not database.exists():
            return []
        connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(1_000)
        try:
            rows = connection.execute(
                "SELECT stream, position, id, at, subject, tag, body FROM journal_entry ORDER BY position"
            ).fetchall()
        finally:
            connection.close()
        return [
            Entry(stream=s, position=p, id=i, at=at, subject=subject, fact=_DECODER.decode(tag, body))
            for s, p, i, at, subject, tag, body in rows
        ]

    def wrong(self) -> list[str]:
        """What does not hold, of I1, I2 and what the county's screen must show."""
        entries = self.entries()
        acks = [
            AckHeard(name=Named(f"u{number}", *name), level=level, at=0.0)
            for number, unit in self.units.items()
            for name, levels in unit.told.items()
            for level in levels
        ]
        presses = [PressSent(name=name, exercise=False, at=0.0) for name in self.pressed]
        shown = [
            Shown(number=call.number, key=call.key, exercise=call.exercise, presses=call.presses)
            for call in self.county.calls.values()
        ]
        return [
            *i1_each_acked_press_is_journaled_once(presses, acks, entries),
            *i2_each_live_press_reached_a_psap(entries, shown),
            *self._doubled(entries),
        ]

    def _doubled(self, entries: list[Entry]) -> list[str]:
        """The screen shows each call once, under the number and key that the journal knows, and each press once."""
        facts = Counter(type(entry.fact).__name__ for entry in entries)
        calls = self.county.calls.values()
        counted = sum(last - first + 1 for call in calls for first, last in call.presses)
        wrong = [f"{number} is still waiting" for number in self.waiting()]
        if self.county.counts["calls"] != facts["CallOrdered"]:
            wrong.append(f"{self.county.counts['calls']} calls heard, {facts['CallOrdered']} ordered")
        if counted != facts["AlarmRaised"]:
            wrong.append(f"the screen counts {counted} presses, the journal {facts['AlarmRaised']}")
        if facts["AlarmRaised"] != len(self.pressed):
            wrong.append(f"{len(self.pressed)} presses made, {facts['AlarmRaised']} journaled")
        wrong += [f"call {call.number} is {call.state}, told {call.told}" for call in calls if not call.told]
        return wrong

    async def chain(self) -> list[str]:
        """What is wrong with the hash chain."""
        database = await open_database(f"sqlite://{self.folder / 'alarm.db'}", read_only=True)
        try:
            verdict = await verify(database, STREAM)
        finally:
            await database.close()
        return [] if verdict.sound else [f"the chain breaks at {verdict.first_bad}: {verdict.reason}"]

    async def is_healed(self, *, within: float = PATIENCE) -> list[str]:
        """Wait until nothing is wrong any more; what still is."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within
        while True:
            if not self.waiting() and not self.wrong():
                return []
            if loop.time() > end:
                return self.wrong()
            if self.child is not None and self.child.ended.done():
                return [f"the lane ended: {self.child.ended.result()}"]
            await asyncio.sleep(0.02)


@asynccontextmanager
async def a_school(
    *, shared: Path, forker: Forker, random: Random, broker: bool = False, spool_after: str = "250ms"
) -> AsyncIterator[tuple[School, dict[int, ConnectedUnit]]]:
    """A school whose units are trying to connect; no lane lives yet."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="belltower-")))
        line = stack.enter_context(pty_pair())
        county = CountyOnLine(far=line.far, seed=random.randrange(1 << 30))
        stack.callback(county.close)
        school = School(folder=folder, shared=shared, forker=forker, random=random, county=county)
        mosquitto = Mosquitto(folder, "listener PORT 127.0.0.1\nallow_anonymous true\n")
        if broker:
            await mosquitto.start()
        port = mosquitto.port or free_port()
        school.write_config(line=line.path, port=port, broker=broker, spool_after=spool_after)
        connected = {
            number: ConnectedUnit(
                name=f"u{number}",
                unit=unit,
                password=mqtt_password(_KEYS[number]),
                host="127.0.0.1",
                port=port,
                heartbeat=random.uniform(5, 60),
            )
            for number, unit in school.units.items()
        }
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(_keep(unit)) for unit in connected.values()]
                try:
                    yield school, connected
                finally:
                    for task in tasks:
                        task.cancel()
        finally:
            if school.child is not None:
                school.child.kill()
                await school.child.ended
            await mosquitto.kill()


async def _keep(unit: ConnectedUnit) -> None:
    while True:
        try:
            await unit.run()
        except Unreachable:
            await asyncio.sleep(0.02)
