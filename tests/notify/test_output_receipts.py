"""Loudspeakers and signs: what the device itself confirmed is delivered, and nothing else is."""

from pathlib import Path

import pytest

from belltower.ids import IncidentId
from belltower.incident.facts import (
    Action,
    Fact,
    Mode,
    OutputFailed,
    OutputLevel,
    OutputOrdered,
    OutputReceipt,
)
from belltower.people.person import Contact, ContactKind, Person
from notify.channels.outputs import OutputChannel, stood
from notify.delivery import State
from notify.provider import Asking, Provider
from tests.peers.desk import ALARM, DeskOptions, desk, order, take

INC = IncidentId("inc_1")


def ordered(number: int = 1, *, on: bool = True, output: str = "gym") -> OutputOrdered:
    return OutputOrdered(
        output=output, incident=INC, mode=Mode.ACTUAL, on=on, action=Action.LOCKDOWN, order=number
    )


def receipt(
    number: int = 1, level: OutputLevel = OutputLevel.DEVICE, *, output: str = "gym"
) -> OutputReceipt:
    return OutputReceipt(
        output=output,
        incident=INC,
        order=number,
        on=True,
        confirmed=level is OutputLevel.DEVICE,
        level=level,
    )


def failed(number: int = 1, level: OutputLevel = OutputLevel.QUEUED) -> OutputFailed:
    return OutputFailed(output="gym", incident=INC, order=number, on=True, reason="unreachable", level=level)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ([], State.ACCEPTED),
        ([ordered()], State.ACCEPTED),
        ([ordered(), receipt(level=OutputLevel.SENT)], State.ACCEPTED),
        ([ordered(), receipt(level=OutputLevel.QUEUED)], State.ACCEPTED),
        ([ordered(), receipt()], State.DELIVERED),
        ([ordered(), receipt(output="hall")], State.ACCEPTED),
        ([ordered(), receipt(level=OutputLevel.WITHHELD)], State.REFUSED),
        ([ordered(), failed()], State.REFUSED),
        ([ordered(), failed(level=OutputLevel.SENT)], State.ACCEPTED),
        ([ordered(), failed(), receipt()], State.DELIVERED),
        ([ordered(), receipt(), failed()], State.DELIVERED),
        ([ordered(), receipt(), ordered(2)], State.ACCEPTED),
        ([ordered(), ordered(2), receipt(1)], State.ACCEPTED),
        ([ordered(), ordered(2), receipt(2), ordered(3, on=False)], State.DELIVERED),
    ],
)
def test_w13_only_the_devices_own_word_for_the_newest_order_is_a_delivery(
    told: list[Fact], state: State
) -> None:
    """What was sent and not confirmed stays accepted; what may have sounded is never said to have failed."""
    assert state is stood(told, "gym").state


class Lane:
    """Outputs behind an alarm lane whose journal the desk has."""

    names = frozenset({"gym", "hall"})

    def __init__(self) -> None:
        self.journal = None

    async def order_output(self, verb_id, incident, output) -> None:
        """Taken; what becomes of it the test says."""

    async def told(self, incident):
        return [entry.fact for entry in await self.journal.of(incident, stream=ALARM)]


async def test_a_receipt_beside_the_incident_settles_the_notice_to_its_loudspeaker(tmp_path: Path) -> None:
    """One zone confirms, the other is silent: the ledger says delivered of the one, and accepted of the other."""
    lane = Lane()
    channel = OutputChannel(name="paging", outputs=lane)
    provider = Provider(channel=channel, asking=Asking(fetch=channel.fetch, after=0.1))
    zones = {
        name: Person(id=name, name=name, contacts=(Contact(kind=ContactKind.PAGING, address=name),))
        for name in sorted(lane.names)
    }
    options = DeskOptions(database=str(tmp_path / "desk.db"))
    async with desk(options, people=zones, channels=[provider]) as running:
        lane.journal = running.journal
        await running.is_ordered(order())
        await running.is_settled(2)
        before = {row.address: row.state for row in await running.rows()}
        facts = [ordered(), ordered(output="hall"), receipt()]
        await take(running.journal, running.copy, facts, at=running.clock.now())
        await running.becomes(lambda rows: any(row.state == "delivered" for row in rows))
        after = {row.address: row.state for row in await running.rows()}

    assert {"gym": "accepted", "hall": "accepted"} == before
    assert {"gym": "delivered", "hall": "accepted"} == after
