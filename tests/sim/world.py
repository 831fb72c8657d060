"""The simulated world of one seed: a campus, a disk, wires, a county, and the alarm lane that lives and dies in it."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from belltower.clock import SECOND
from belltower.errors import Refused, StoreError
from belltower.ids import Ids, IncidentId, VerbId
from belltower.incident.drill import DrillAuthorisation, sign
from belltower.incident.encoding import FactEncoding
from belltower.incident.entry import Entry
from belltower.incident.facts import Action
from belltower.incident.verbs import Verbs
from belltower.journal import RawEntry
from belltower.journal.reader import raw_entry
from gateway.psap.ranges import without
from hardware.codecs.window import Judgement
from tests import invariants
from tests.invariants import Named, PressSent, Reading, Shown
from tests.sim.disk import SOUND, SimDisk
from tests.sim.lane import AUTHORISERS, SITE, Life, SimLane, campus
from tests.sim.loop import SimClock, SimLoop
from tests.sim.people import Centre, Wearer, relayed_only
from tests.sim.pipes import Datagrams, SimCable, Weather

FAIR = Weather()
LINK_HEARTBEAT = 900.0
TRACE = "SIM_TRACE" in os.environ


class World:
    """Everything there is, from one seed. Make it inside its loop, `open` it, let things happen, then `verdict`."""

    def __init__(
        self,
        *,
        seed: int,
        loop: SimLoop,
        units: int = 50,
        heartbeat: float = 6 * 3600.0,
        lane: type[SimLane] = SimLane,
    ) -> None:
        self.loop = loop
        self.random = Random(f"{seed} world")
        self._lane_random = Random(f"{seed} lane")
        self._lane_type = lane
        self.clock = SimClock(loop=loop)
        self.disk = SimDisk(random=Random(f"{seed} disk"))
        air = Random(f"{seed} air")
        self.ways = {name: Datagrams(random=air, weather=Weather()) for name in ("mqtt", "radio")}
        self.centre = Centre(random=Random(f"{seed} centre"))
        self.cable = SimCable(
            random=Random(f"{seed} line"), weather=Weather(), at_far_end=self.centre.receive
        )
        self.centre.attach(self.cable)
        self.site = campus(units=units, buildings=4, heartbeat=heartbeat)
        wearers = Random(f"{seed} wearers")
        self.wearers = {
            record.number: Wearer(record=record, random=wearers, up=self.up)
            for record in self.site.units.values()
        }
        self.ids = Ids(clock=self.clock, random_bytes=self.random.randbytes)
        self.life: Life | None = None
        self.relayed: set[Named] = set()
        self.fell: list[str] = []
        self.kills = 0
        self.windows: list[tuple[float, float]] = []
        self.tokens: set[str] = set()
        self.given_up: set[IncidentId] = set()
        self.suspects: list[Named] = []
        self.unsaid: list[str] = []
        self.plugged_at = -1.0
        self._replayed: list[tuple[str, float]] = []
        self.readings: dict[str, float] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._digest = hashlib.blake2b()
        self._arrived: asyncio.Future[None] = loop.create_future()

    # ---- the lane's lives

    def boot(self) -> None:
        """Start the lane."""
        if self.life is not None and self.life.alive:
            return
        self.note("boot")
        self.life = Life(
            disk=self.disk,
            cable=self.cable,
            clock=self.clock,
            random=self._lane_random,
            site=self.site,
            down=self.down,
            link_heartbeat=LINK_HEARTBEAT,
            lane=self._lane_type,
        )
        self.life.start(on_fall=self._fell)
        arrived, self._arrived = self._arrived, self.loop.create_future()
        arrived.set_result(None)

    def kill(self) -> None:
        """`kill -9`; the supervisor starts it again within two seconds."""
        if self.life is None or not self.life.alive:
            return
        self.note("kill")
        self.kills += 1
        self.life.kill()
        self._restart()

    def _fell(self, why: str) -> None:
        self.note("fell", why)
        if not any(word in why for word in ("DiskFull", "DiskFailed")):
            self.fell.append(f"{why} at {self.loop.time():.3f}")
        self._restart()

    def _restart(self) -> None:
        self.loop.call_later(self.random.uniform(0.2, 2.0), self.boot)

    # ---- wires

    def up(self, way: str, number: int, frame: bytes) -> None:
        """A unit, or somebody who pretends to be one, sends a frame."""
        self.ways[way].carry(frame, lambda data: self._arrive(way, number, data))

    def _arrive(self, way: str, number: int, data: bytes, *, retained: bool = False) -> None:
        life = self.life
        if life is None or not life.ready:
            return
        path = life.paths[way]
        life.lane.intake.unit_intake.receive(
            data, path, retained=retained, only=number if way == "mqtt" else None
        )

    def down(self, way: str, number: int, frame: bytes) -> None:
        """The lane sends a frame to a unit."""
        if (name := relayed_only(frame)) is not None:
            self.relayed.add(name)
        wearer = self.wearers.get(number)
        if wearer is not None:
            self.ways[way].carry(frame, wearer.hear)

    def replay(self, way: str, wearer: Wearer, frame: bytes, *, retained: bool = False) -> None:
        """Somebody who recorded `frame` sends it again; a broker may have kept it."""
        life = self.life
        if life is None or not life.ready:
            return
        name = Named(wearer.id, int.from_bytes(frame[6:10]), int.from_bytes(frame[10:14]))
        window = life.lane.intake.unit_intake._windows.of(wearer.record.number)
        stale = window.judge(name.epoch, name.counter) is Judgement.STALE
        waiting = any(pending.named == name[1:] for pending in wearer.unit._pending.values())
        acked = any(ack.name == name for ack in wearer.acks)
        self.note("replay", name, stale)
        # One suspect a minute and unit is enough.
        lately = any(unit == wearer.id and at > self.loop.time() - 70.0 for unit, at in self._replayed)
        self._replayed.append((wearer.id, self.loop.time()))
        if stale and not waiting and not acked and not lately and self.disk.condition == SOUND:
            self.loop.call_later(6.0, self._expect_suspect, life, name)
        self._arrive(way, wearer.record.number, frame, retained=retained)

    def _expect_suspect(self, life: Life, name: Named) -> None:
        if life.alive and self.disk.condition == SOUND:
            self.suspects.append(name)

    def pull(self) -> None:
        """Pull the PSAP's cable; the lane must have said so five seconds later."""
        self.note("pull")
        self.cable.pull()
        if self.life is not None and self.life.ready:
            self.loop.call_later(5.0, self._expect_loss, self.life, self.loop.time())

    def plug(self) -> None:
        """Put it back."""
        self.plugged_at = self.loop.time()
        self.cable.plug()

    def _expect_loss(self, life: Life, pulled_at: float) -> None:
        still = life.alive and self.plugged_at < pulled_at and not self.cable.stalled
        if still and not life.lane.status().links_lost:
            self.unsaid.append(f"I9: the cable was pulled at {pulled_at:.1f} and nobody was told")

    # ---- people

    def spawn(self, name: str, work: Any) -> None:
        """Let somebody do something for a while."""
        task = self.loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def ask(self, make: Callable[[Verbs, VerbId], Awaitable[str]]) -> str | None:
        """Ask for a verb as the desk does: again after each restart, under the same id. None: refused."""
        verb = self.ids.verb()
        while True:
            life = self.life
            if life is None or not life.alive:
                await asyncio.wait([self._arrived])
                continue
            if not life.ready:
                await asyncio.sleep(0.05)
                continue
            task = self.loop.create_task(_answer(make(life.lane.verbs, verb)), name="verb")
            await asyncio.wait([task, life.gone], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            task.cancel()

    async def close_incident(self, incident: IncidentId) -> None:
        """Staff close an incident."""

        async def close(verbs: Verbs, verb: VerbId) -> str:
            worker = self.life.lane.calls if self.life is not None else None
            for call in worker.register if worker is not None else ():
                if call.incident == incident and without(call.presses, call.confirmed):
                    self.given_up.add(incident)
            return await verbs.close_incident(verb=verb, incident=incident, by="per_1")  # type: ignore[arg-type]

        self.note("close", incident)
        await self.ask(close)

    async def drill(self, *, lasting: float, accepted: bool) -> None:
        """Two people agree to a drill and begin it; whoever is still in charge ends it."""
        now = self.clock.now()
        authorisation = DrillAuthorisation(
            id=f"drill-{len(self.tokens)}",
            campus=SITE,
            places=(SITE,),
            action=Action.LOCKDOWN,
            begins=now,  # type: ignore[arg-type]
            until=now + int(lasting * SECOND),  # type: ignore[arg-type]
            authorisers=("pam1", "joe2"),
            psap_accepted=accepted,
        )
        self.tokens.add(authorisation.id)
        token = sign(authorisation, (AUTHORISERS["pam1"], AUTHORISERS["joe2"]))
        begun = self.loop.time()
        self.windows.append((begun, float("inf")))
        self.note("drill", authorisation.id)
        if await self.ask(lambda verbs, verb: verbs.begin_drill(verb=verb, token=token)) is not None:
            await asyncio.sleep(lasting)
        await self.ask(lambda verbs, verb: verbs.end_drill(verb=verb))
        self.windows.remove((begun, float("inf")))
        self.windows.append((begun, self.loop.time()))

    # ---- the end

    def note(self, what: str, *details: object) -> None:
        """Write an event into the digest that two runs of a seed must share."""
        if TRACE:
            print(f"{self.loop.time():12.4f} {what} {' '.join(map(str, details))}")
        self._digest.update(f"{self.loop.time():.6f} {what} {details}\n".encode())

    def raw_entries(self) -> list[RawEntry]:
        """The journal, as it lies on the disk."""
        rows = self.disk.connection.execute(
            "SELECT stream, position, id, at, tag, subject, body, hash FROM journal_entry ORDER BY position"
        ).fetchall()
        return [raw_entry(row) for row in rows]

    def entries(self) -> list[Entry]:
        """The journal, understood."""
        decode = FactEncoding().decode
        return [
            Entry(
                stream=raw.stream,
                position=raw.position,
                id=raw.id,
                at=raw.at,
                subject=raw.subject,
                fact=decode(raw.tag, raw.body),
            )
            for raw in self.raw_entries()
        ]

    def measure(self) -> None:
        """Take readings of what must stay bounded."""
        life = self.life
        readings = {
            "tasks": len(asyncio.all_tasks(self.loop)),
            "timers": self.loop.timers,
            "spool octets": self.disk.largest_spool,
        }
        if life is not None and life.ready:
            lane = life.lane
            readings["unsettled commits"] = len(lane.journal._pending)
            readings["presses under way"] = len(lane.intake.unit_intake._pending)
            readings["challenges"] = len(lane.intake.unit_intake._suspects._out)
        for what, value in readings.items():
            self.readings[what] = max(value, self.readings.get(what, 0))

    def presses(self) -> list[PressSent]:
        """Every press, with the time of its first acknowledgement."""
        found: list[PressSent] = []
        for wearer in self.wearers.values():
            first: dict[Named, float] = {}
            for ack in wearer.acks:
                first.setdefault(ack.name, ack.at)
            found += [
                PressSent(
                    name=press.name,
                    exercise=press.exercise,
                    at=press.at,
                    until=first.get(press.name, float("inf")),
                )
                for press in wearer.presses.values()
            ]
        return found

    def verdict(self) -> list[str]:
        """What does not hold, after all faults are over and things have settled."""
        entries, presses = self.entries(), self.presses()
        acks = [ack for wearer in self.wearers.values() for ack in wearer.acks]
        county = self.centre.county
        screen = [
            Shown(number=call.number, key=call.key, exercise=call.exercise, presses=call.presses)
            for call in county.calls.values()
        ]
        life = self.life
        assert life is not None
        self.measure()
        ailing: dict[str, object] = {"the lane": "" if life.ready else "down", "tasks": self.loop.failures}
        if life.ready:
            status = life.lane.status()
            ailing["the journal"] = status.trouble or (life.lane.journal.trouble and "spooled")
            ailing["links"] = status.links_lost
            ailing["the spool"] = len(self.disk.spool)
        bounds = {"tasks": 100, "timers": 1_000, "spool octets": 4_000_000, "unsettled commits": 5_000}
        wrong = [
            *invariants.i1_each_acked_press_is_journaled_once(presses, acks, entries, relayed=self.relayed),
            *invariants.i2_each_live_press_reached_a_psap(entries, screen, given_up=self.given_up),
            *invariants.i3_no_exercise_leaves_as_live(
                presses, entries, self.centre.said, windows=self.windows, authorised=self.tokens
            ),
            *invariants.i9_no_silence(entries, suspects=self.suspects),
            *self.unsaid,
            *invariants.i10_nothing_was_changed(self.raw_entries()),
            *invariants.numbers_are_given_once(entries),
            *invariants.what_a_person_was_told_is_recorded(
                entries, [(call.number, call.by) for call in county.calls.values() if call.told]
            ),
            *invariants.i11_all_is_well(
                waiting=[wearer.id for wearer in self.wearers.values() if wearer.unit.waiting],
                ailing=ailing,
                fell=self.fell,
            ),
            *invariants.i12_bounded(
                Reading(what=what, value=value, bound=bounds.get(what, 1_000))
                for what, value in self.readings.items()
            ),
        ]
        for entry in entries:
            self._digest.update(f"{entry.position} {entry.id} {entry.at} {entry.fact}\n".encode())
        for ack in acks:
            self._digest.update(f"{ack}\n".encode())
        self._digest.update(repr(self.centre.said).encode())
        return wrong

    @property
    def digest(self) -> str:
        """The events so far, in one word."""
        return self._digest.hexdigest()[:16]

    def end(self) -> None:
        """Stop everything."""
        if self.life is not None:
            self.life.kill()
        for task in asyncio.all_tasks(self.loop):
            if task is not asyncio.current_task(self.loop):
                task.cancel()


async def _answer(asked: Awaitable[str]) -> str | None:
    try:
        return await asked
    except (Refused, StoreError):
        return None
