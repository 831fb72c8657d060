"""The room of foreign devices on the real verbs and journal, over a disk in memory; restartable."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random

import apsw
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from belltower.clock import SECOND, Instant
from belltower.ids import Ids, PlaceId, StreamName, VerbId
from belltower.incident import drill
from belltower.incident.encoding import FactEncoding
from belltower.incident.facts import Fact, LaneStarted
from belltower.incident.plan import ResponsePlan
from belltower.incident.verbs import Verbs
from belltower.journal import Journal, SpoolFile
from belltower.store import InlineDatabase, SQLiteEngine
from floorplans import Place
from gateway.device_room import DeviceRoom
from gateway.device_wires import DeviceWires
from gateway.intake.devices.receiving import Way
from gateway.site_package.devices import SiteDevices
from hardware.device_record import DeviceRecord
from hardware.drivers import Received
from hardware.drivers.lines import SharedLines
from hardware.profiles.compiled import Profile
from hardware.profiles.loading import load_all, shipped
from hardware.transports import open_transport

PROFILES = Path(__file__).parent / "profiles"
MQTT = Way(name="devices-hall", ingress="mqtt")
KEYS = tuple(Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
START = 1_700_000_000


@cache
def known() -> dict[str, Profile]:
    """The profiles that are shipped, and those of these tests."""
    return {**shipped(), **load_all([PROFILES])}


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.stepped = 0.0

    def now(self) -> Instant:
        return Instant(round((START + self.passed + self.stepped) * SECOND))

    def monotonic(self) -> float:
        return self.passed


def record(name: str, profile: str, address: str, **more) -> DeviceRecord:
    return DeviceRecord(id=name, profile=profile, address=address, place=PlaceId("b-204"), **more)


DEVICES = (
    record("sos-1", "z-button", "hall"),
    record("sos-2", "z-button", "gym"),
    record("desk-1", "shelly-gen2-input", "shelly1"),
    record("wired-1", "wired-input", "w1"),
    record("lora-1", "netvox-r312", "00137A1000000001", parent="lora-gw"),
    record("lora-gw", "lora-server", "gw1"),
)


class Bench:
    """`start` it; what was said is found in its journal."""

    def __init__(
        self, tmp_path, *, devices=DEVICES, profiles=None, keys=None, units=(), others=tuple
    ) -> None:
        self.others = others
        self.keys = keys
        self.units = units
        self.connection = apsw.Connection(":memory:")
        self.spool = SpoolFile(path=tmp_path / "spool")
        self.random = Random(1)
        self.time = Time()
        self.profiles = profiles or known()
        self.foreign = SiteDevices(profiles=self.profiles, devices={each.id: each for each in devices})

    async def start(self) -> None:
        self.counts: Counter[str] = Counter()
        self.database = InlineDatabase(engine=SQLiteEngine(connection=self.connection))
        self.journal: Journal[Fact] = Journal(
            database=self.database, stream=StreamName("alarm"), codec=FactEncoding(), spool=self.spool
        )
        await self.journal.open()
        self.verbs = Verbs(
            journal=self.journal,
            database=self.database,
            clock=self.time,
            ids=Ids(clock=self.time, random_bytes=self.random.randbytes),
            response=ResponsePlan(),
            campus="lincoln",
            drill_keys={name: key.public_key() for name, key in zip("ab", KEYS, strict=True)},
        )
        await self.verbs.open()
        self.room = DeviceRoom(
            foreign=self.foreign,
            places={
                PlaceId(name): Place(id=PlaceId(name), label=name, building="B") for name in ("b-204", "gym")
            },
            verbs=self.verbs,
            database=self.database,
            clock=self.time,
            counts=self.counts,
            keys=self.keys,
            units=self.units,
            others=self.others,
        )
        await self.room.open()

    def wires(
        self, *, open_transport=open_transport, lines: SharedLines | None = None, campus="lincoln"
    ) -> DeviceWires:
        """The ways to its devices."""
        return DeviceWires(
            room=self.room,
            foreign=self.foreign,
            keys=self.keys or {},
            clock=self.time,
            open_transport=open_transport,
            lines=lines or SharedLines(),
            incidents=lambda: tuple(self.verbs.incidents.values()),
            campus=campus,
        )

    async def restart(self) -> None:
        """As after a crash: what was only in memory is gone."""
        await self.journal.close()
        await self.start()

    def begin(self, topic: str, payload, way: Way = MQTT, **how):
        """Receive without waiting for the commit."""
        if not isinstance(payload, bytes):
            payload = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
        message = {"client": "", "retain": False, "dup": False, "qos": 1, **how}
        return self.room.intake.receive(Received(topic=topic, payload=payload, **message), way)

    async def hear(self, topic: str, payload, way: Way = MQTT, **how):
        """Receive, and wait for the answer."""
        written = self.begin(topic, payload, way, **how)
        result = await written if written is not None else None
        await asyncio.sleep(0)
        return result

    async def shelly(self, event: str, ts: float | None = None, **how):
        at = self.time.now() / SECOND if ts is None else ts
        return await self.hear(
            "shelly1/events/rpc",
            {
                "src": "shelly1",
                "method": "NotifyEvent",
                "params": {"ts": at, "events": [{"component": "input:0", "id": 0, "event": event, "ts": at}]},
            },
            **how,
        )

    async def lora(self, octets: str, counter: int, port: int = 6, eui: str = "00137a1000000001", **how):
        data = base64.b64encode(bytes.fromhex(octets)).decode()
        return await self.hear(
            f"app/a/device/{eui}/event/up", {"data": data, "fPort": port, "fCnt": counter}, **how
        )

    async def wired(self, level: object, **how):
        return await self.hear("wired/w1/data", {"di1": level}, **how)

    def pass_by(self, seconds: float) -> None:
        """Time passes, and supervision looks every second."""
        for _ in range(int(seconds)):
            self.time.passed += 1
            self.room.supervision.look()
        self.time.passed += seconds - int(seconds)

    async def begin_drill(self, *places: str) -> None:
        now = self.time.now() // SECOND
        authorisation = drill.DrillAuthorisation(
            id="d1",
            campus="lincoln",
            places=places or ("lincoln",),
            action=None,
            begins=Instant((now - 10) * SECOND),
            until=Instant((now + 3600) * SECOND),
            authorisers=("a", "b"),
        )
        token = drill.sign(authorisation, KEYS)
        await self.verbs.begin_drill(verb=VerbId("v1"), token=token)

    async def facts(self, *kinds) -> list[Fact]:
        await self.verbs.record(
            LaneStarted(lane="fence", revision="", version="")
        )  # all before it is written
        entries = await self.journal.read(after=0, limit=20_000)
        return [entry.fact for entry in entries if isinstance(entry.fact, kinds)]
