"""The desk's table of incidents follows whichever stream the alarm lane writes."""

from __future__ import annotations

import asyncio

from belltower.ids import StreamName
from belltower.incident.encoding import FactEncoding
from belltower.journal import Copy, Journal, SpoolFile
from belltower.store import open_database
from belltower.tasks import Crew
from gateway.web.desk import LaneState
from gateway.web.journal_desk import JournalDesk
from tests.gateway.web.house import House, Verbs
from tests.peers.waiting import PATIENCE

FRESH = StreamName("alarm.1")


async def copied(
    house: House, source: Journal, stream: StreamName, *, former: tuple[StreamName, ...] = ()
) -> JournalDesk:
    """A desk that has copied all of `source`."""
    copy = Copy(journal=house.desk_journal, stream=stream)
    await copy.open()
    await copy.take(await source.read_raw(after=0, limit=100))
    return JournalDesk(
        site="Lindenhof School",
        names=house.names,
        journal=house.desk_journal,
        alarm_stream=stream,
        verbs=Verbs(house),
        notices=house,
        lane=LaneState,
        ids=house.ids,
        clock=house.clock,
        former=former,
    )


async def test_a_fresh_stream_is_read_from_its_first_entry(house: House) -> None:
    """An incident opened early in a fresh stream is open, however far the stream before it had been read."""
    for number in (1, 2, 3):
        before = await house.press(number=number)
    desk = await copied(house, house.alarm, StreamName("alarm"))
    await reads(desk, before.id)
    database = await open_database(f"sqlite:///{house.folder}/fresh.db")
    spool = SpoolFile(path=house.folder / "fresh.spool")
    damaged, house.alarm = (
        house.alarm,
        Journal(database=database, stream=FRESH, codec=FactEncoding(), spool=spool, spool_after=PATIENCE),
    )
    await house.alarm.open()
    try:
        pressed = await house.press(number=1)

        await reads(await copied(house, house.alarm, FRESH), pressed.id)
    finally:
        await house.alarm.close()
        await database.close()
        house.alarm = damaged


async def reads(desk: JournalDesk, incident: str) -> None:
    """The desk lists the incident as open before long."""
    async with Crew() as crew, asyncio.timeout(PATIENCE):
        running = crew.essential("incidents", desk.run)
        while incident not in await desk.open_incidents():  # noqa: ASYNC110 - a table rings no bell
            await asyncio.sleep(0.01)
        running.cancel()
