"""The worker with links that send texts: what is written down of them, and what survives the end of the process."""

import asyncio

from belltower.ids import CallId, LinkName
from belltower.incident.facts import (
    CallReceipt,
    CallSent,
    CallUnanswered,
    CallWithheld,
    LinkLost,
    LinkProven,
    LinkTestOrdered,
    Mode,
    ReceiptLevel,
    TelecommunicatorAcknowledged,
    UpdateKind,
    UpdateOrdered,
    UpdateReadBack,
)
from belltower.incident.verbs import PROOF
from gateway.psap.fleetsync_link import FleetSyncLink
from gateway.psap.modem_link import ModemLink
from gateway.psap.tetra_link import TetraLink
from hardware.simulators.fleetsync_radio import SimulatedFleetSyncRadio
from hardware.simulators.modem import SimulatedModem
from hardware.simulators.tetra_radio import SimulatedTetraRadio
from tests.gateway.psap.house import INCIDENT, House, joined, order
from tests.peers.answering import answering_cable
from tests.peers.virtual_time import in_virtual_time

PSAP = "+12065550100"
TESTS = "+12065550101"


class TextHouse(House):
    """A worker whose only ways to the centre are a modem and two radios."""

    def __init__(self) -> None:
        super().__init__(counties=())
        self.modem = SimulatedModem()
        self.tetra = SimulatedTetraRadio()
        self.fleet = SimulatedFleetSyncRadio()

    def links(self):
        return [
            ModemLink(
                name=LinkName("text"),
                transport=answering_cable(self.modem).near,
                number=PSAP,
                test_number=TESTS,
            ),
            TetraLink(name=LinkName("tetra"), transport=answering_cable(self.tetra).near, to="2345678"),
            FleetSyncLink(name=LinkName("fleet"), transport=answering_cable(self.fleet).near, to="1001002"),
        ]


def told(story):
    """Run a story in such a house, a second after its start."""

    async def run():
        async with TextHouse() as house:
            await asyncio.sleep(1)
            await story(house)

    in_virtual_time(run())


def test_a_call_leaves_on_every_road_at_once_and_radios_do_not_settle_it():
    """Sent within a second, received by machines, and still loud at ten."""

    async def story(house):
        await house.give(order(1))
        await asyncio.sleep(1)
        assert {"text", "tetra", "fleet"} == {fact.link for fact in await house.facts(CallSent)}
        receipts = {(fact.link, fact.level) for fact in await house.facts(CallReceipt)}
        assert {(link, ReceiptLevel.RADIO) for link in ("text", "tetra", "fleet")} == receipts
        await asyncio.sleep(10)
        assert 1 == len(await house.facts(CallUnanswered))
        await asyncio.sleep(600)
        assert (1, 1, 1) == (len(house.modem.sent), len(house.tetra.sent), len(house.fleet.sent))

    told(story)


def test_a_persons_text_acknowledges_and_ends_the_call_on_every_road():
    """By the code they gave, on the road they took; free text and strangers do nothing."""

    async def story(house):
        house.tetra.misbehave("no-report")
        await house.give(order(1))
        await asyncio.sleep(2)
        house.modem.arrive(PSAP, "got it, sending someone")
        house.modem.arrive("+12065550199", "ACK 1")
        await asyncio.sleep(2)
        assert [] == await house.facts(TelecommunicatorAcknowledged)

        house.modem.arrive(PSAP, "ACK 1 T4")
        await asyncio.sleep(1)
        [fact] = await house.facts(TelecommunicatorAcknowledged)
        assert ("text", "T4", order(1).call) == (fact.link, fact.by, fact.call)
        before = len(house.tetra.sent)
        await asyncio.sleep(600)
        assert before == len(house.tetra.sent)

    told(story)


def test_further_presses_follow_and_a_cancellation_is_read_back():
    """The ranges, then READBACK by text."""

    async def story(house):
        await house.give(order(1))
        await asyncio.sleep(1)
        await house.give(*(joined(number) for number in range(2, 40)))
        await asyncio.sleep(60)
        assert any("MORE CALL 1 presses 2-39." in each.text for each in house.modem.sent)

        cancel = UpdateOrdered(
            call=CallId(order(1).call), incident=INCIDENT, update=1, kind=UpdateKind.CANCEL
        )
        await house.give(cancel)
        await asyncio.sleep(2)
        assert any(each.text.startswith("CANCEL CALL 1 UPDATE 1") for each in house.modem.sent)
        assert [] == await house.facts(UpdateReadBack)
        house.modem.arrive(PSAP, "READBACK 1 T5")
        await asyncio.sleep(1)
        [fact] = await house.facts(UpdateReadBack)
        assert ("text", "T5", 1) == (fact.link, fact.by, fact.update)

    told(story)


def test_an_exercise_is_withheld_from_the_text_road_alone():
    """Nobody was named who takes it there; the radios say that it is one."""

    async def story(house):
        await house.give(order(1, mode=Mode.EXERCISE, accepted=True))
        await asyncio.sleep(1)
        assert ["text"] == [fact.link for fact in await house.facts(CallWithheld)]
        assert [] == list(house.modem.sent)
        assert all(transfer.text.startswith("EXERCISE ") for _, transfer in house.tetra.sent)
        assert all(message.text.startswith("EXERCISE ") for message in house.fleet.sent)
        assert (1, 1) == (len(house.tetra.sent), len(house.fleet.sent))

    told(story)


def test_killed_with_a_call_open_it_is_sent_again_as_the_same_text():
    """Within ten seconds of the restart, under the same id; the answer that came meanwhile counts."""

    async def story(house):
        house.modem.misbehave("no-report")
        await house.give(order(1))
        await asyncio.sleep(1)
        house.database.abandon()
        await house.stop()
        house.modem.arrive(PSAP, "ACK 1")
        await house.open_journal()
        await house.start()
        await asyncio.sleep(10)

        assert 2 >= len(house.modem.sent) >= 1
        assert 1 == len({each.text for each in house.modem.sent})
        assert {"C0001"} == {fact.frame for fact in await house.facts(CallSent)}
        assert ["text"] == [fact.link for fact in await house.facts(TelecommunicatorAcknowledged)]

    told(story)


def test_the_marked_test_proves_the_road_as_far_as_a_telephone():
    """To the number for tests; never to the centre's."""

    async def story(house):
        await house.give(LinkTestOrdered(test=1, key="K7Q2MX9A"), subject=PROOF)
        await asyncio.sleep(70)
        proven = {(fact.link, fact.level) for fact in await house.facts(LinkProven)}
        assert {(link, ReceiptLevel.RADIO) for link in ("text", "tetra", "fleet")} == proven
        assert [TESTS] == [str(each.to) for each in house.modem.sent]

    told(story)


def test_a_modem_that_falls_silent_is_written_down_as_lost_within_ninety_seconds():
    """Nothing needs to be sent for it."""

    async def story(house):
        house.modem.misbehave("silent")
        house.tetra.misbehave("silent")
        await asyncio.sleep(90)
        assert {"text", "tetra"} == {fact.link for fact in await house.facts(LinkLost)}

    told(story)
