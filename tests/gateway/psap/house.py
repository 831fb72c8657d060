"""A worker with its links, on a real journal, and the orders a test gives it."""

import asyncio
import contextlib
from collections import Counter
from random import Random

import apsw

from belltower.clock import SystemClock
from belltower.ids import AlarmId, CallId, Ids, IncidentId, LinkName, PersonId, PlaceId, StreamName
from belltower.incident import facts
from belltower.incident.encoding import FactEncoding
from belltower.incident.facts import AlarmJoined, AlarmKind, CallOrdered, IncidentClosed, Mode
from belltower.incident.verbs import PROOF
from belltower.journal import Draft, Journal
from belltower.store import InlineDatabase, SQLiteEngine, Transaction
from floorplans.campus import Campus
from gateway.psap.kiss_link import KISSLink
from gateway.psap.link import NUMERIC_ONLY, Around, Spot
from gateway.psap.worker import CallWorker
from hardware.transports.memory import Cable
from tests.peers.county import KEY, PSAP, SCHOOL, CountyPeer, a_county
from tests.peers.virtual_time import LoopClock
from tests.peers.waiting import PATIENCE

INCIDENT = IncidentId("inc_01J9ZZZZZZZZZZZZZZZZZZZZZZ")


class MemorySpool:
    """A spool that keeps nothing: these tests never need it."""

    def read(self, start=0, size=-1):
        return b""

    def append(self, data):
        raise AssertionError("nothing should be spooled here")

    def clear(self):
        pass


def inline(work):
    """Run the spool's work at once."""
    future = asyncio.get_running_loop().create_future()
    try:
        future.set_result(work())
    except Exception as error:  # noqa: BLE001
        future.set_exception(error)
    return future


def around(folder, *, clock=None, random=None):
    """What a link stands in, for tests."""
    return Around(
        campus=Campus(id="lindenfield", name="Lindenfield School"),
        clock=clock or SystemClock(),
        random_bytes=(random or Random(1)).randbytes,
        state=folder,
        addresses=NUMERIC_ONLY,
    )


def order(
    number=1, *, building="B", mode=Mode.ACTUAL, accepted=False, incident=INCIDENT, kind=AlarmKind.PANIC
):
    """A `CallOrdered`."""
    return CallOrdered(
        call=CallId(f"cal_01J9ZZZZZZZZZZZZZZZZ{number:06}"),
        incident=incident,
        number=number,
        incident_number=12,
        kind=kind,
        mode=mode,
        place=PlaceId("b204"),
        building=building,
        exercise_accepted=accepted,
    )


def joined(number, *, building="B", incident=INCIDENT):
    """A further press of a building."""
    return AlarmJoined(incident=incident, alarm=AlarmId("alm_x"), building=building, number=number)


def closed(*, incident=INCIDENT):
    """The incident's end."""
    return IncidentClosed(incident=incident, by=PersonId("p1"))


class House:
    """One journal, one worker at a time, any number of links, each with a county at its far end."""

    def __init__(
        self,
        *,
        counties=("county",),
        cables=None,
        heartbeat=30.0,
        channel=None,
        called_after=None,
        centres=None,
    ) -> None:
        self.centres = centres
        self.called_after = called_after or {}
        self.clock = LoopClock()
        self.random = Random(1)
        self.ids = Ids(clock=self.clock, random_bytes=self.random.randbytes)
        self.names = counties
        self.cables = cables or {}
        self.heartbeat = heartbeat
        self.channel = channel
        self.peers = {}
        self.engine = SQLiteEngine(connection=apsw.Connection(":memory:"))
        self.stack = contextlib.AsyncExitStack()
        self.worker = None
        self._worker_task = None

    async def __aenter__(self):
        await self.stack.__aenter__()
        await self.open_journal()
        for name in self.names:
            self.cables.setdefault(name, Cable())
            peer = CountyPeer(county=a_county(), transport=self.cables[name].far)
            self.peers[name] = peer
            self.spawn(peer.run())
        await self.start()
        return self

    async def __aexit__(self, *details):
        await self.stop()
        await self.stack.aclose()
        self.engine.close() if hasattr(self.engine, "close") else None

    @property
    def county(self):
        """The first county's core."""
        return self.peers[self.names[0]].county

    def spawn(self, work):
        """Run until the house falls."""
        task = asyncio.get_running_loop().create_task(work)
        self.stack.push_async_callback(self.end, task)
        return task

    @staticmethod
    async def end(task):
        """Cancel a task, which must honour it within a second."""
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=PATIENCE)
        assert {task} == done
        if not task.cancelled() and task.exception() is not None:
            raise task.exception()

    async def open_journal(self):
        """The journal on the disk there is."""
        self.database = InlineDatabase(engine=self.engine)
        self.journal = Journal(
            database=self.database,
            stream=StreamName("alarm"),
            codec=FactEncoding(),
            spool=MemorySpool(),
            run_spool=inline,
        )
        await self.journal.open()

    def link(self, name):
        """A fresh link."""
        return KISSLink(
            name=LinkName(name),
            transport=self.cables[name].near,
            key=KEY,
            us=SCHOOL,
            them=PSAP,
            heartbeat=self.heartbeat,
            channel=self.channel,
            random_bytes=self.random.randbytes,
        )

    def links(self):
        """Fresh links, one per county."""
        return [self.link(name) for name in self.names]

    async def start(self):
        """A worker from what the journal says."""
        owed = await self.journal.read(after=0, limit=100_000)
        self.worker = CallWorker(
            journal=self.journal,
            links=self.links(),
            ids=self.ids,
            clock=self.clock,
            spot=lambda place, building: Spot(spoken="B 204", place=place, building=building),
            called_after=self.called_after,
            centres=self.centres,
            owed=owed,
            tested=await self.journal.of(PROOF),
            after=owed[-1].position if owed else 0,
        )
        self._worker_task = asyncio.get_running_loop().create_task(self.worker.run())

    async def stop(self):
        """End the worker."""
        task, self._worker_task = self._worker_task, None
        if task is not None:
            await self.end(task)

    async def restart(self):
        """Stop it, then start it from the facts alone."""
        await self.stop()
        await self.start()

    async def give(self, *given, subject=INCIDENT):
        """Write orders down, as the incident's verbs do."""
        drafts = [
            Draft(id=self.ids.fact(), at=self.clock.now(), subject=subject, fact=fact) for fact in given
        ]
        await self.journal.commit(Transaction(), drafts)

    async def facts(self, *kinds):
        """The facts in the journal, of these kinds."""
        entries = await self.journal.read(after=0, limit=1_000_000)
        return [entry.fact for entry in entries if not kinds or isinstance(entry.fact, kinds)]

    async def facts_until(self, kind, count, *, within=PATIENCE):
        """The facts of a kind, once there are so many."""
        async with asyncio.timeout(within):
            while len(found := await self.facts(kind)) < count:  # noqa: ASYNC110 - read as others read it
                await asyncio.sleep(0.01)
        return found

    async def entries(self, *kinds):
        """The same with their times."""
        entries = await self.journal.read(after=0, limit=1_000_000)
        return [entry for entry in entries if not kinds or isinstance(entry.fact, kinds)]

    async def counted(self):
        """How many of each kind."""
        return Counter(type(fact).__name__ for fact in await self.facts())

    def times(self, opening, *, name=None):
        """When the county heard texts that begin so."""
        county = self.peers[name or self.names[0]].county
        return [round(at, 3) for at, text in county.heard if text.startswith(opening)]


__all__ = ["INCIDENT", "House", "closed", "facts", "joined", "order"]
