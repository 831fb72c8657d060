"""Many presses become few frames: fault R15, and what one link owes."""

import asyncio
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belltower.incident.facts import CallReceipt, CallSent, ReceiptLevel, TelecommunicatorAcknowledged
from gateway.psap.case import CallCase, Road
from gateway.psap.coalesce import Ledger
from gateway.psap.kiss_link import Channel, KISSLink
from gateway.psap.link import admitted
from gateway.psap.ranges import NONE, count, spelt, union, without
from hardware.transports.memory import Cable
from tests.gateway.psap.house import House, joined, order
from tests.peers.county import KEY, PSAP, SCHOOL
from tests.peers.radio import Radio
from tests.peers.virtual_time import in_virtual_time

NUMBERS = st.sets(st.integers(1, 60))


class OnAir(House):
    """A house whose link and county share a radio channel."""

    def __init__(self, *, rate) -> None:
        super().__init__(channel=Channel(rate=rate))
        self.radio = Radio(rate=rate)
        self.cables = {"county": self}
        self.near, self.far = self.radio.near, self.radio.far

    async def __aenter__(self):
        await super().__aenter__()
        self.spawn(self.radio.run())
        return self


def ranges_of(numbers):
    """The ranges that hold exactly these."""
    ranges = NONE
    for number in sorted(numbers):
        ranges = union(ranges, ((number, number),))
    return ranges


def numbers_of(ranges):
    """The numbers in ranges."""
    return {number for first, last in ranges for number in range(first, last + 1)}


@given(NUMBERS, NUMBERS)
def test_ranges_are_sets_of_numbers(left, right):
    """Union, difference and count agree with Python's sets, in whatever order numbers come."""
    a, b = ranges_of(left), ranges_of(right)

    assert left | right == numbers_of(union(a, b))
    assert left - right == numbers_of(without(a, b))
    assert len(left) == count(a)
    assert union(a, b) == union(b, a) == ranges_of(left | right)


def test_ranges_are_spelt_as_people_write_them():
    """First and last, single numbers alone."""
    assert "2-14,16" == spelt(((2, 14), (16, 16)))


@pytest.mark.parametrize("rate", [1200, 9600])
def test_ten_thousand_presses_in_twelve_buildings_are_covered_in_a_minute(rate):
    """Twelve single frames first, then ranges, never more than one summary outstanding; every press covered."""

    async def story():
        async with OnAir(rate=rate) as house:
            await asyncio.sleep(5)
            began = asyncio.get_running_loop().time()
            buildings = [f"Building {n}" for n in range(12)]
            numbers = dict.fromkeys(buildings, 0)
            random = Random(7)
            pressed = []
            for _ in range(10_000):
                building = random.choice(buildings)
                numbers[building] += 1
                pressed.append(joined(numbers[building], building=building))
                if numbers[building] == 1:
                    pressed.append(order(1 + buildings.index(building), building=building))
            for start in range(0, len(pressed), 500):
                await house.give(*pressed[start : start + 500])
                await asyncio.sleep(0.02)
            await asyncio.sleep(55)

            sent = await house.entries(CallSent)
            firsts = [entry for entry in sent if entry.fact.frame.startswith("C")]
            assert [entry.id for entry in sent[:12]] == [entry.id for entry in firsts]
            assert 1.0 >= (firsts[-1].at - firsts[0].at) / 1e6
            covered = {}
            outstanding = set()
            for entry in await house.entries(CallSent, CallReceipt):
                fact = entry.fact
                if isinstance(fact, CallSent) and fact.frame.startswith("S"):
                    outstanding.add(fact.frame)
                    assert 1 == len(outstanding)
                elif isinstance(fact, CallReceipt):
                    outstanding.discard(fact.frame)
                    covered[fact.call] = union(covered.get(fact.call, NONE), fact.covers)
                    last = entry.at
            wanted = {order(1 + n).call: ((1, numbers[b]),) for n, b in enumerate(buildings)}
            assert wanted == covered
            assert 10_000 == sum(call.presses[-1][1] for call in house.county.calls.values())
            taken = last / 1e6 - 1_790_000_000 - began
            assert 60 >= taken
            frames = {entry.fact.frame for entry in sent}
            assert 20 >= len(frames)

    in_virtual_time(story())


class OneLink:
    """A ledger with its link, and the calls as they stand."""

    def __init__(self, channel=None) -> None:
        self.link = KISSLink(
            name="county", transport=Cable().near, key=KEY, us=SCHOOL, them=PSAP, channel=channel
        )
        self.roads = {"county": Road(link="county", settling=self.link.traits.settling)}
        self.cases = {}
        self.ledger = Ledger(link=self.link, cases=self.cases)

    def order(self, number, building="B", *, now, **more):
        """Owe a call; its id."""
        call = admitted(order(number, building=building, **more), place="B 204")
        case = CallCase(call=call, roads=self.roads, ordered=now)
        self.cases[case.id] = case
        self.ledger.order(case.id, self.link.first(call), now=now)
        return case.id

    def join(self, call, *numbers, now):
        """Further presses of its building."""
        self.cases[call] = self.cases[call].joined(ranges_of(numbers))
        self.ledger.joined(call, now=now)

    def answer(self, frame, level, *, now):
        """The far end confirms a frame."""
        if (news := self.ledger.receipt(frame, level, now=now)) is not None:
            for call, covers in news.covers:
                self.apply(CallReceipt(call=call, link="county", frame=frame, covers=covers, level=level))

    def acknowledge(self, call):
        """A person has the call."""
        self.apply(TelecommunicatorAcknowledged(call=call, incident="inc", link="county", by="T1"))
        self.ledger.acknowledged(call)

    def apply(self, fact):
        """Something has become of a call."""
        self.cases[fact.call] = self.cases[fact.call].apply(fact)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("press"), st.integers(0, 3)),
        st.tuples(st.just("receipt"), st.integers(0, 5)),
        st.tuples(st.just("bare"), st.integers(0, 5)),
        st.tuples(st.just("reject"), st.integers(0, 5)),
        st.tuples(st.just("acknowledge"), st.integers(0, 3)),
        st.tuples(st.just("fail"), st.just(0)),
        st.tuples(st.just("reopen"), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 40)),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_whatever_happens_every_press_is_covered_once_the_county_answers(steps):
    """Any interleaving of presses, answers, failures and waits; then all is receipted, and nothing more is owed."""
    one = OneLink()
    ledger, calls, presses, frames, now = one.ledger, {}, dict.fromkeys(range(4), 0), [], 0.0

    def send_due(*, answer=False):
        nonlocal now
        summaries = set()
        for _ in range(200):
            frame = ledger.next(now)
            if frame is None:
                wake = ledger.wake_at(now)
                if wake is None or not answer:
                    break
                assert wake > now
                now = wake
                continue
            ledger.sent(frame, now=now)
            frames.append(frame)
            if frame.id.startswith("S"):
                summaries.add(frame.id)
            if answer:
                one.answer(frame.id, ReceiptLevel.SYSTEM, now=now)
                ledger.rejected("C0000", now=now)
            elif len(summaries) > 1:
                raise AssertionError("two summaries at once")
        else:
            raise AssertionError("it never rests")

    for what, n in steps:
        if what == "press":
            presses[n] += 1
            if presses[n] == 1:
                calls[n] = one.order(n + 1, f"b{n}", now=now)
            else:
                one.join(calls[n], presses[n], now=now)
        elif what in ("receipt", "bare", "reject") and frames:
            frame_id = frames[n % len(frames)].id
            if what == "reject":
                ledger.rejected(frame_id, now=now)
            else:
                one.answer(
                    frame_id, ReceiptLevel.SYSTEM if what == "receipt" else ReceiptLevel.RADIO, now=now
                )
        elif what == "acknowledge" and n in calls:
            one.acknowledge(calls[n])
        elif what == "fail" and (frame := ledger.next(now)) is not None:
            ledger.failed(frame, now=now)
        elif what == "reopen":
            ledger.reopened(now=now)
        elif what == "wait":
            now += n
        send_due()
    send_due(answer=True)

    assert all(((1, presses[n]),) == one.cases[call].confirmed for n, call in calls.items())
    assert [] == ledger.open_frames()
    assert all(covers for frame in frames for _, covers in frame.covers)


def test_a_summary_waits_until_the_channel_is_free_and_then_tells_all():
    """Composed late, so that it holds what joined meanwhile; the first press did not wait."""
    channel = Channel(rate=1200)
    one = OneLink(channel)
    ledger, call = one.ledger, one.order(1, now=0.0)
    first = ledger.next(0.0)
    ledger.sent(first, now=0.0)
    for number in range(2, 10):
        one.join(call, number, now=0.1)
        assert ledger.next(0.1) is None
    other = one.order(2, "C", now=0.2)
    assert ((other, ((1, 1),)),) == ledger.next(0.2).covers
    ledger.sent(ledger.next(0.2), now=0.2)
    free = ledger.wake_at(0.2)

    assert channel.airtime(len(first.octets)) * 2 < free < 6
    assert ledger.next(free - 0.01) is None
    assert ((call, ((2, 9),)),) == ledger.next(free).covers


def test_repeats_count_from_the_end_of_the_airtime():
    """A frame that is still on its way through the modem is not repeated."""
    one = OneLink(Channel(rate=1200))
    one.order(1, now=0.0)
    one.ledger.sent(one.ledger.next(0.0), now=0.0)
    due = one.ledger.wake_at(0.0)

    assert 3.5 < due < 5
    assert one.ledger.next(due - 0.01) is None
    assert "C0001" == one.ledger.next(due).id


def test_a_summary_speaks_of_one_incident():
    """The other incident's presses follow in the next."""
    one, calls = OneLink(), []
    ledger = one.ledger
    for number in (1, 2):
        calls.append(one.order(number, incident=f"inc_{number}", now=0.0))
        ledger.sent(ledger.next(0.0), now=0.0)
        one.answer(f"C000{number}", ReceiptLevel.SYSTEM, now=0.0)
        one.join(calls[-1], 2, 3, 4, 5, now=0.0)
    told = []
    for _ in range(2):
        frame = ledger.next(0.0)
        told.append(frame.covers)
        ledger.sent(frame, now=0.0)
        one.answer(frame.id, ReceiptLevel.SYSTEM, now=0.0)

    assert [((call, ((2, 5),)),) for call in calls] == told
    assert ledger.next(0.0) is None
