"""From the order to the facts of what became of it, over a cable in memory and in virtual time."""

import asyncio

from belltower.incident.facts import (
    CallReceipt,
    CallRejected,
    CallSent,
    CallUnanswered,
    CallWithheld,
    LinkLost,
    LinkRestored,
    Mode,
    ReceiptLevel,
    TelecommunicatorAcknowledged,
)
from belltower.store import Flush
from gateway.county import Fault
from gateway.psap.link import PersonAnswered
from gateway.psap.radio_text import key_of
from tests.gateway.psap.house import House, closed, joined, order
from tests.peers.virtual_time import in_virtual_time


def virtual(test):
    """Run the test in virtual time."""

    def run():
        in_virtual_time(test())

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


@virtual
async def test_a_call_is_sent_received_and_acknowledged():
    """One order, one frame, one receipt; the person's answer is written once and confirmed to the county."""
    async with House() as house:
        await house.give(order(1))
        await asyncio.sleep(1)
        peer = house.peers["county"]
        peer.acknowledge(1, "T12")
        await asyncio.sleep(40)

        sent, receipt, person = await house.facts(CallSent, CallReceipt, TelecommunicatorAcknowledged)

        assert ("C0001", ((1, 1),)) == (sent.frame, sent.covers)
        assert (ReceiptLevel.SYSTEM, "C0001", ((1, 1),)) == (receipt.level, receipt.frame, receipt.covers)
        assert ("T12", "county") == (person.by, person.link)
        call = peer.county.calls[1]
        assert ("B 204", "B", 12, False, True) == (
            call.place,
            call.building,
            call.incident,
            call.exercise,
            call.told,
        )
        assert 1 == len(house.times("PANIC"))


@virtual
async def test_every_link_is_called_at_once_and_none_waits_for_another():
    """A link without a far end and one with a pulled cable do not delay the third."""
    async with House(counties=("dead", "pulled", "well")) as house:
        house.peers["dead"].county.fault = Fault.parse("silent")
        await asyncio.sleep(5)
        house.cables["pulled"].pull()
        await asyncio.sleep(5)
        await house.give(order(1))
        await asyncio.sleep(0.01)

        assert {"dead", "well"} == {sent.link for sent in await house.facts(CallSent)}
        assert ["well"] == [receipt.link for receipt in await house.facts(CallReceipt)]


@virtual
async def test_an_unanswered_call_is_repeated_under_the_same_id_for_ever():
    """At 2, 4, 8 and 15 s, then every 30 s; loud at 10 s, and once."""
    async with House() as house:
        house.county.fault = Fault.parse("silent")
        await asyncio.sleep(3)
        await house.give(order(1))
        await asyncio.sleep(3600)

        times = [at - 3 for at in house.times("PANIC")]
        assert [0, 2, 4, 8, 15, 45, 75, 105] == [round(at, 2) for at in times[:8]]
        assert 30.0 == round(times[-1] - times[-2], 3)
        assert {"C0001"} == {sent.frame for sent in await house.facts(CallSent)}
        (unanswered,) = await house.entries(CallUnanswered)
        assert 10.0 == unanswered.fact.after


@virtual
async def test_an_acknowledgement_ends_the_retries_on_all_links():
    """The one link that is never receipted falls silent too."""
    async with House(counties=("one", "two")) as house:
        house.peers["two"].county.fault = Fault.parse("silent")
        await house.give(order(1))
        await asyncio.sleep(5)
        house.peers["one"].acknowledge(1)
        await asyncio.sleep(1)
        before = len(house.times("PANIC", name="two"))
        await asyncio.sleep(300)

        assert before == len(house.times("PANIC", name="two"))


@virtual
async def test_a_receipt_ends_the_retries_of_its_own_link_only():
    """The silent link goes on although the other has its receipt."""
    async with House(counties=("one", "two")) as house:
        house.peers["two"].county.fault = Fault.parse("silent")
        await house.give(order(1))
        await asyncio.sleep(100)

        assert 1 == len(house.times("PANIC", name="one"))
        assert 7 == len(house.times("PANIC", name="two"))
        assert [] == await house.facts(CallUnanswered)


@virtual
async def test_closing_does_not_silence_an_unreceipted_call():
    """It goes on for 90 s after the incident was closed, then ends."""
    async with House() as house:
        house.county.fault = Fault.parse("silent")
        await house.give(order(1))
        await asyncio.sleep(20)
        await house.give(closed())
        await asyncio.sleep(400)

        times = house.times("PANIC")
        assert [45.0, 75.0, 105.0] == [round(at) for at in times if at > 20]


class KeepingLink:
    """A radio link that keeps a list of open calls, as one does that tells newcomers of them."""

    def __init__(self, link, over) -> None:
        self._link, self._over = link, over

    def __getattr__(self, name):
        return getattr(self._link, name)

    def ended(self, call):
        """Note which call it was."""
        self._over.append(call.order.number)


@virtual
async def test_a_link_that_tells_newcomers_of_open_calls_hears_when_one_is_over():
    """Once nothing of it is owed any more."""
    over = []

    class Keeping(House):
        def links(self):
            return [KeepingLink(link, over) for link in super().links()]

    async with Keeping() as house:
        await house.give(order(1))
        await asyncio.sleep(5)
        assert [] == over
        await house.give(closed())
        await asyncio.sleep(200)

    assert [1] == over


@virtual
async def test_a_rejection_is_written_once_and_does_not_settle_the_call():
    """The centre's no is a fact; the call stays unanswered, loudly, and is offered again every 30 s."""
    async with House() as house:
        house.county.fault = Fault.parse("negative")
        await house.give(order(1))
        await asyncio.sleep(100)

        (rejected,) = await house.facts(CallRejected)
        assert "C0001" == rejected.frame
        assert 1 == len(await house.facts(CallUnanswered))
        assert [0, 30, 60, 90] == [round(at) for at in house.times("PANIC")]


@virtual
async def test_faulty_answers_settle_nothing():
    """A wrong id and a false MAC leave the call unanswered; a double answer is written once."""
    for fault, receipts in (("wrong-id", 0), ("bad-mac", 0), ("duplicate-ack", 1)):
        async with House() as house:
            house.county.fault = Fault.parse(fault)
            await house.give(order(1))
            await asyncio.sleep(60)

            assert receipts == len(await house.facts(CallReceipt))
            assert 1 - receipts == len(await house.facts(CallUnanswered))


@virtual
async def test_a_late_answer_still_counts():
    """At 12 s: loud at 10 s, receipted at 12."""
    async with House() as house:
        house.county.fault = Fault.parse("late=12")
        await house.give(order(1))
        await asyncio.sleep(60)

        unanswered, receipt = await house.facts(CallUnanswered, CallReceipt)
        assert isinstance(unanswered, CallUnanswered)
        assert isinstance(receipt, CallReceipt)


@virtual
async def test_later_presses_go_as_ranges():
    """The first press alone; the rest in a summary that names the call."""
    async with House() as house:
        await house.give(order(1), *(joined(n) for n in range(1, 40)))
        await asyncio.sleep(5)

        call = house.county.calls[1]
        assert ((1, 39),) == call.presses
        assert [((1, 1),), ((2, 39),)] == [sent.covers for sent in await house.facts(CallSent)]
        assert [((1, 1),), ((2, 39),)] == [receipt.covers for receipt in await house.facts(CallReceipt)]


@virtual
async def test_an_exercise_leaves_only_where_the_centre_agreed():
    """Not agreed: withheld, written once per link. Agreed: it leaves with EXERCISE in front."""
    async with House() as house:
        await house.give(
            order(1, mode=Mode.EXERCISE), order(2, mode=Mode.EXERCISE, accepted=True, building="C")
        )
        await house.give(joined(2), joined(2, building="C"))
        await asyncio.sleep(30)

        (withheld,) = await house.facts(CallWithheld)
        assert order(1).call == withheld.call
        assert [2] == list(house.county.calls)
        texts = [text for _, text in house.county.heard if not text.startswith("PING")]
        assert all(text.startswith("EXERCISE ") for text in texts)
        assert ["PANIC", "MORE"] == [text.split()[1] for text in texts]
        assert [] == await house.facts(CallUnanswered)


@virtual
async def test_a_silent_county_is_noticed_and_its_return_too():
    """LinkLost within 90 s of the last answer, LinkRestored with the next one."""
    async with House() as house:
        await asyncio.sleep(100)
        assert 1 == len(await house.facts(LinkRestored))
        last = house.times("PING")[-1]
        house.county.fault = Fault.parse("silent")
        await asyncio.sleep(200)
        (lost,) = await house.entries(LinkLost)
        house.county.fault = None
        await asyncio.sleep(31)

        assert 90 >= lost.at / 1e6 - 1_790_000_000 - last > 30
        assert 2 == len(await house.facts(LinkRestored))


@virtual
async def test_a_pulled_cable_is_noticed_and_what_is_owed_goes_out_on_its_return():
    """LinkLost at once; on plugging in the call leaves within two seconds, under its id."""
    async with House() as house:
        await asyncio.sleep(5)
        house.cables["county"].pull()
        await asyncio.sleep(1)
        assert 1 == len(await house.facts(LinkLost))
        await house.give(order(1))
        await asyncio.sleep(30)
        house.cables["county"].plug()
        await asyncio.sleep(2)

        assert 1 == len(await house.facts(CallReceipt))
        assert 2 == len(await house.facts(LinkRestored))
        assert 1 == len(await house.facts(CallUnanswered))


@virtual
async def test_an_idle_link_sends_nothing_but_heartbeats():
    """Ten minutes, twenty heartbeats, no facts."""
    async with House() as house:
        await asyncio.sleep(600)

        assert 20 == len(house.times("PING"))
        assert {"LinkRestored": 1} == await house.counted()


@virtual
async def test_a_county_silent_for_a_day_is_called_all_day():
    """Fault R13: every 30 s for 24 hours, one id, loud once; the day after, it answers, and all is well."""
    async with House() as house:
        house.county.fault = Fault.parse("silent")
        await house.give(order(1))
        await asyncio.sleep(86_400)
        assert 2_880 <= house.county.counts["repeats"] <= 2_890
        house.county.fault = None
        await asyncio.sleep(31)

        counted = await house.counted()
        assert (1, 1, 1, 1) == tuple(
            counted[kind] for kind in ("CallSent", "CallReceipt", "CallUnanswered", "LinkRestored")
        )
        assert {1} == set(house.county.calls)


@virtual
async def test_presses_read_before_their_buildings_order_are_told_too():
    """After trouble with the disk, facts may come out of order."""
    async with House() as house:
        await house.give(joined(2), joined(3))
        await house.give(order(1))
        await asyncio.sleep(5)

        assert ((1, 3),) == house.county.calls[1].presses


@virtual
async def test_a_link_is_restored_as_soon_as_it_is_back():
    """The heartbeat is asked at once on a new line, however recent the last answer."""
    async with House() as house:
        await asyncio.sleep(5)
        house.cables["county"].pull()
        await asyncio.sleep(3)
        house.cables["county"].plug()
        await asyncio.sleep(3)

        assert {"LinkRestored": 2, "LinkLost": 1} == await house.counted()


@virtual
async def test_an_answer_for_an_unknown_call_is_refused():
    """The county hears that there is no such call, and nothing is written."""
    async with House() as house:
        await asyncio.sleep(1)
        peer = house.peers["county"]
        await house.give(order(1))
        await asyncio.sleep(1)
        peer.county.calls[1].key = "00000000"
        before = await house.counted()
        peer.acknowledge(1)
        await asyncio.sleep(40)

        assert before == await house.counted()
        assert not peer.county.calls[1].told
        assert peer.county.next_at() is None or peer.county.next_at() > 0


@virtual
async def test_two_people_are_two_facts_and_each_is_one():
    """A repeated answer is written once; another position's is news."""
    async with House() as house:
        await house.give(order(1))
        await asyncio.sleep(1)
        for by in ("T1", "T1", "T2"):
            house.peers["county"].acknowledge(1, by)
            await asyncio.sleep(1)

        assert ["T1", "T2"] == [each.by for each in await house.facts(TelecommunicatorAcknowledged)]


@virtual
async def test_a_repeated_answer_is_confirmed_no_sooner_than_it_is_written():
    """The centre says it twice while the disk is slow: both are confirmed after the sync."""
    async with House() as house:
        await house.give(order(1))
        await asyncio.sleep(1)
        house.database._flush = lambda: Flush(delay=0.1)
        lane = house.worker._lanes["county"]
        heard = PersonAnswered(number=1, key=key_of(order(1).call), by="T1")
        answers = [house.worker._hearing.report(lane, heard) for _ in range(2)]
        done_at_once = [answer.done() for answer in answers]
        await asyncio.sleep(0.2)

        assert [False, False] == done_at_once
        assert [True, True] == [answer.result() for answer in answers]


@virtual
async def test_a_prepared_call_is_sent_once_it_is_ordered_and_not_before():
    """Making its frame ahead of the order sends nothing, and changes nothing of what is sent then."""
    async with House() as house:
        house.worker.prepare(order(1), house.clock.now())
        await asyncio.sleep(40)
        assert 0 == house.county.counts["calls"]

        await house.give(order(1))
        await asyncio.sleep(40)
        house.worker.prepare(order(1), house.clock.now())
        await asyncio.sleep(40)

        (sent,) = await house.facts(CallSent)
        assert "C0001" == sent.frame
        assert (1, 0) == (house.county.counts["calls"], house.county.counts["repeats"])


@virtual
async def test_an_exercise_is_never_prepared():
    """Whether a link may carry it is decided when it is ordered, in the one place that decides it."""
    async with House() as house:
        house.worker.prepare(order(1, mode=Mode.EXERCISE, accepted=False), house.clock.now())
        await house.give(order(1, mode=Mode.EXERCISE, accepted=False))
        await asyncio.sleep(40)

        assert 0 == house.county.counts["calls"]
        assert 1 == len(await house.facts(CallWithheld))


@virtual
async def test_an_answer_that_overtakes_our_own_sending_is_no_stray():
    """The far end confirms before `send` has come back: sent is written once, and before the receipt."""
    async with House() as house:
        await asyncio.sleep(1)
        lane = house.worker._lanes["county"]
        plain = lane.link.send

        async def slow(frame):
            left = await plain(frame)
            await asyncio.sleep(3)
            return left

        lane.link.send = slow
        await house.give(order(1))
        await asyncio.sleep(10)

        told = await house.facts(CallSent, CallReceipt)
        assert [CallSent, CallReceipt] == [type(fact) for fact in told]
        assert 1 == len(house.times("PANIC"))
