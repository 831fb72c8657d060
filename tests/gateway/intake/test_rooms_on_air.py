"""Rooms whose units have nothing but a radio: the same orders, statuses, texts and steps of a press, as KISS and AX.25."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from random import Random

from belltower.errors import Unreachable
from belltower.ids import LinkName, PersonId, PlaceId, UnitId, VerbId
from belltower.incident import facts
from belltower.incident.facts import Action, RoomStatus
from belltower.tasks import together
from gateway.intake.radio_path import UNITS, RadioPath
from hardware.codecs import ax25, kiss
from hardware.codecs.unit import Level
from hardware.codecs.unit_room import Told, Word
from hardware.unit_record import Bearer
from tests.gateway.intake.test_rooms import School, story

STATION = ax25.Address(callsign="SCHOOL", ssid=1)
MOBILE = ax25.Address(callsign="UNIT", ssid=7)
FRAME_TAKES = 0.4


class Channel:
    """A modem, and one unit within its reach; each frame takes its time on the air. Half of those to the unit are lost."""

    def __init__(self, school: School, number: int) -> None:
        self.school = school
        self.number = number
        self.heard_here: asyncio.Queue[bytes] = asyncio.Queue()
        self.decoder = kiss.Decoder()
        self.random = Random(4)

    async def open(self) -> None:
        """There it is."""

    async def close(self) -> None:
        """It was there."""

    async def read(self) -> bytes:
        data = await self.heard_here.get()
        if not data:
            raise Unreachable("gone")
        return data

    async def write(self, data: bytes) -> None:
        for found in self.decoder.feed(data):
            assert isinstance(found, kiss.Frame)
            packet = ax25.decode(found.data)
            assert (STATION, UNITS) == (packet.source, packet.destination)
            if self.random.random() < 0.5:
                asyncio.get_running_loop().call_later(FRAME_TAKES, self._to_unit, packet.info)

    def says(self, frame: bytes) -> None:
        """The unit sends."""
        packet = ax25.UIFrame(destination=STATION, source=MOBILE, info=frame)
        self.heard_here.put_nowait(kiss.encode(ax25.encode(packet)))

    def _to_unit(self, frame: bytes) -> None:
        for answer in self.school.units[self.number].heard(frame):
            asyncio.get_running_loop().call_later(FRAME_TAKES, self.says, answer)


def test_a_room_that_has_only_a_radio_is_reached_speaks_and_follows_its_press(tmp_path: Path) -> None:
    """Half of the frames to it are lost, and nothing needs a hand."""

    async def tell(school: School) -> None:
        unit = school.units[7]
        channel = Channel(school, 7)
        path = RadioPath(
            name="radio-field",
            intake=school.intake,
            transport=channel,
            station=STATION,
            on_open=lambda: None,
        )
        school.paths.clear()
        school.paths[path.name] = path
        loop = asyncio.get_running_loop()

        async def repeat() -> None:
            """What the unit has not heard acknowledged it says again."""
            while True:
                await asyncio.sleep(0.5)
                for frame in unit.due(loop.time()):
                    channel.says(frame)

        async def live() -> None:
            await together(
                air=path.run(), rooms=school.rooms.run(), progress=school.progress.attend(), repeat=repeat()
            )

        task = loop.create_task(live())
        channel.says(unit.press(loop.time()))
        await asyncio.sleep(20)
        (call,) = await school.written(facts.CallOrdered)
        assert Level.RECORDED == unit.level
        incident = call.incident
        school.verbs.record(
            facts.TelecommunicatorAcknowledged(
                call=call.call, incident=incident, link=LinkName("county"), by="4"
            ),
            incident=incident,
        )
        await school.order(incident, Action.LOCKDOWN, "b-204")
        channel.says(unit.status(loop.time(), Word.MISSING, 2))
        channel.says(unit.text(loop.time(), "two behind the stage"))
        await school.verbs.send_text(
            verb=VerbId("vrb_text"),
            units=[UnitId("u7")],
            words="help is coming",
            incident=incident,
            by=PersonId("p1"),
        )
        await asyncio.sleep(60)
        for _ in range(8):
            channel.says(unit.heartbeat())
            await asyncio.sleep(30)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

        assert Level.TELECOMMUNICATOR == unit.level
        assert unit.unheard == 0
        assert unit.order is not None
        assert Told.LOCKDOWN == unit.order.told
        assert ["help is coming"] == unit.texts
        shown = await school.written(facts.OrderShown)
        assert [("u7", "radio-field")] == [(one.unit, one.path) for one in shown if one.unit == "u7"]
        assert [(PlaceId("b-204"), RoomStatus.MISSING, 2)] == [
            (one.place, one.status, one.count) for one in await school.written(facts.StatusReported)
        ]
        assert 1 == len(await school.written(facts.TextHeard))
        assert 1 == len(await school.written(facts.TextShown))

    story(tmp_path, tell, bearer=Bearer.RADIO)
