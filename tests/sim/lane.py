"""One life of the alarm lane on simulated ground: from its start to its end or its `kill -9`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from belltower.clock import Clock
from belltower.ids import LinkName, PlaceId, UnitId
from belltower.incident.plan import NoticePlan, Response, ResponsePlan
from belltower.tasks import Crew
from floorplans.campus import Campus
from floorplans.place import Place
from gateway import alarm_intake, alarm_lane
from gateway.alarm_lane import AlarmLane
from gateway.alarm_world import World as LaneWorld
from gateway.psap.kiss_link import KISSLink
from gateway.settings import AlarmSettings, DeskSettings, LogSettings, Settings, SiteSettings, StateSettings
from gateway.site_package import SitePackage
from hardware.codecs.unit import derive_key
from hardware.unit_record import Bearer, UnitRecord
from notify.wording import WordingSet
from tests.sim.disk import SimDisk
from tests.sim.pipes import SimCable

SITE = "sim"
COUNTY = LinkName("county")
LINK_KEY = bytes(range(32))
US, THEM = "SCHOOL-1", "COUNTY-1"
AUTHORISERS = {name: Ed25519PrivateKey.from_private_bytes(name.encode() * 8) for name in ("pam1", "joe2")}
DRILL_KEYS = {name: key.public_key() for name, key in AUTHORISERS.items()}
_KEYS: dict[int, bytes] = {}


def unit_key(number: int) -> bytes:
    """The key of a unit of the simulated campus."""
    if number not in _KEYS:
        _KEYS[number] = derive_key(b"simulated", SITE, number)
    return _KEYS[number]


def campus(*, units: int, buildings: int, heartbeat: float) -> SitePackage:
    """A campus with `units` units in so many buildings, the last one bound to no place."""
    places: dict[PlaceId, Place] = {}
    records: dict[UnitId, UnitRecord] = {}
    bearers = (Bearer.MQTT, Bearer.RADIO, Bearer.BOTH)
    for number in range(1, units + 1):
        place = Place(
            id=PlaceId(f"room-{number}"), label=f"Room {number}", building="ABCDEFGH"[number % buildings]
        )
        places[place.id] = place
        unit = UnitId(f"u{number}")
        bound = place.id if number < units else None
        records[unit] = UnitRecord(
            id=unit, number=number, place=bound, heartbeat=heartbeat, bearer=bearers[number % 3]
        )
    told = Response(notices=(NoticePlan(template="staff-alarm", audience="all-staff"),))
    return SitePackage(
        id=SITE,
        name="Simulated School",
        campus="Simulated School",
        timezone="UTC",
        on_earth=Campus(id=SITE, name="Simulated School"),
        buildings={},
        people={},
        audiences={},
        wording=WordingSet(languages={}),
        revision="0" * 12,
        places=places,
        units=records,
        response=ResponsePlan(
            panic=told,
            medical=told,
            acknowledged=(NoticePlan(template="staff-acknowledged", audience="all-staff"),),
            closed=(NoticePlan(template="staff-closed", audience="all-staff"),),
        ),
    )


def settings() -> Settings:
    """A lane with one PSAP link; its wires are given to it."""
    return Settings(
        file=Path("sim.toml"),
        site=SiteSettings(),
        state=StateSettings(),
        alarm=AlarmSettings(),
        psap_links={COUNTY: None},
        desk=DeskSettings(),
        channels={},
        log=LogSettings(),
    )


class SimPath:
    """Satisfies `gateway.intake.paths.Path` for one life of the lane."""

    def __init__(self, *, name: str, down: Callable[[str, int, bytes], None]) -> None:
        self.name = name
        self._down = down
        self.dead = False

    def send(self, number: int, frame: bytes) -> None:
        """See `Path.send`."""
        if not self.dead:
            self._down(self.name, number, frame)


class SimLane(AlarmLane):
    """The product's lane; only the wires to the units are simulated, and nobody follows over a socket.

    A subclass may plant a bug by putting a type of its own in place of the product's.
    """

    journal_type: type = alarm_lane.Journal
    windows_type: type = alarm_intake.Windows
    verbs_type: type = alarm_lane.Verbs

    @classmethod
    @contextmanager
    def planted(cls) -> Iterator[None]:
        """Let the lanes of this world build the types of this class."""
        types = {
            "Journal": (alarm_lane, cls.journal_type),
            "Windows": (alarm_intake, cls.windows_type),
            "Verbs": (alarm_lane, cls.verbs_type),
        }
        before = {name: getattr(module, name) for name, (module, _) in types.items()}
        for name, (module, kind) in types.items():
            setattr(module, name, kind)
        try:
            yield
        finally:
            for name, (module, _) in types.items():
                setattr(module, name, before[name])

    def give_paths(self, paths: Mapping[str, SimPath]) -> None:
        """Use these ways to the units."""
        self._ways.paths.update(paths)

    def _open_wires(self, crew: Crew) -> None:
        """There are none but those given."""


class Life:
    """One process. `kill` ends it at once: nothing that it still tries has any effect on the world."""

    def __init__(
        self,
        *,
        disk: SimDisk,
        cable: SimCable,
        clock: Clock,
        random: Random,
        site: SitePackage,
        down: Callable[[str, int, bytes], None],
        link_heartbeat: float,
        lane: type[SimLane] = SimLane,
    ) -> None:
        self.alive = True
        self.mount = disk.mount()
        self.near = cable.near()
        self.paths = {name: SimPath(name=name, down=down) for name in ("mqtt", "radio")}
        self._random = random
        self._link_heartbeat = link_heartbeat
        self.lane = lane(
            settings=settings(),
            site=site,
            keys={record.number: unit_key(record.number) for record in site.units.values()},
            drill_keys=DRILL_KEYS,
            world=LaneWorld(
                clock=clock,
                random=random,
                random_bytes=random.randbytes,
                open_database=self.mount.open_database,
                spool=self.mount.spool,
                run_spool=self.mount.run_spool,
                open_link=self._open_link,
            ),
        )
        self.lane.give_paths(self.paths)
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def ready(self) -> bool:
        """Whether presses are taken now."""
        return self.alive and self.lane.ready.is_set()

    def start(self, *, on_fall: Callable[[str], None]) -> None:
        """Begin to run; `on_fall` hears why when the lane ends although nobody killed it."""

        def ended(task: asyncio.Task[None]) -> None:
            if not self.alive:
                if not task.cancelled():
                    task.exception()
                return
            why = "cancelled" if task.cancelled() else repr(task.exception())
            self.kill()
            on_fall(why)

        self._task = asyncio.get_running_loop().create_task(self.lane.run(), name="lane")
        self._task.add_done_callback(ended)

    def kill(self) -> None:
        """`kill -9`."""
        if not self.alive:
            return
        self.alive = False
        self.mount.kill()
        self.near.kill()
        for path in self.paths.values():
            path.dead = True
        if not self.gone.done():
            self.gone.set_result(None)
        self._task.cancel()

    def _open_link(self, name: LinkName, _: Any, __: Any) -> KISSLink:
        return KISSLink(
            name=name,
            transport=self.near,
            key=LINK_KEY,
            us=US,
            them=THEM,
            heartbeat=self._link_heartbeat,
            random_bytes=self._random.randbytes,
        )
