"""Several providers for one kind of address: who takes over, what never goes twice, and how pace is kept."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.channels.channel import Answer, Later, Message, Refused, Settled, Uncertain
from notify.provider import Meter, Pace, Provider
from tests.peers.desk import DeskOptions, desk, order, staff
from tests.peers.waiting import PATIENCE


class Carrier:
    """A channel that answers as it is told to, and keeps the addresses it was asked for."""

    name = "sms"

    def __init__(self, answer: Callable[[Message], Answer] = lambda _: Settled()) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def find(self, message, *, known):
        return None

    async def send(self, message):
        self.asked.append(message.address)
        return self.answer(message)


@pytest.fixture
def options(tmp_path: Path) -> DeskOptions:
    return DeskOptions(database=str(tmp_path / "desk.db"))


async def told(options: DeskOptions, first: Carrier, second: Carrier, people: int = 10) -> list[tuple]:
    """State and provider of every delivery, once all are settled."""
    providers = [
        Provider(channel=second, given_name="second", order=2),
        Provider(channel=first, given_name="first", order=1),
    ]
    async with desk(options, people=staff(people, kinds=("sms",)), channels=providers) as running:
        await running.is_ordered(order())
        await running.is_settled(people)
        return await running.database.read("SELECT state, provider FROM notice_delivery ORDER BY person")


async def test_the_first_serves_while_it_is_well(options: DeskOptions) -> None:
    """The second is not asked."""
    first, second = Carrier(), Carrier()

    assert [("accepted", "first")] * 10 == await told(options, first, second)
    assert [] == second.asked


async def test_the_second_takes_over_from_one_in_trouble(options: DeskOptions) -> None:
    """Nothing waits for the first, and nothing goes twice."""
    first = Carrier(lambda _: Later(reason="account:20003", after=30.0, everyone=True))
    second = Carrier()

    assert [("accepted", "second")] * 10 == await told(options, first, second)
    assert 10 == len(second.asked)


async def test_what_the_first_surely_cannot_send_is_passed_on(options: DeskOptions) -> None:
    """One number only; a number that is none anywhere is refused for good."""

    def answer(message: Message) -> Answer:
        if message.address == "+15550000103":
            return Refused(reason="provider:21612", elsewhere=True)
        return Refused(reason="provider:21211") if message.address == "+15550000104" else Settled()

    first, second = Carrier(answer), Carrier()
    states = await told(options, first, second)

    assert ["+15550000103"] == second.asked
    assert [("accepted", "second"), ("refused", "first")] == states[3:5]


async def test_what_may_have_been_sent_is_never_sent_again(options: DeskOptions) -> None:
    """An uncertain message stays with the one that was asked; those that were not yet asked go the other way."""
    first = Carrier(lambda _: Uncertain(reason="no_answer:timeout"))
    second = Carrier()
    states = await told(options, first, second, people=60)

    assert not set(first.asked) & set(second.asked)
    assert len(first.asked) == states.count(("uncertain", "first"))
    assert len(second.asked) == states.count(("accepted", "second"))
    assert second.asked


async def test_a_message_that_the_first_keeps_putting_off_is_passed_on(options: DeskOptions) -> None:
    """Three times, then the next provider."""
    first = Carrier(
        lambda message: Later(reason="http:425", after=0.01) if message.address.endswith("7") else Settled()
    )
    second = Carrier()
    await told(options, first, second)

    assert 3 == first.asked.count("+15550000107")
    assert ["+15550000107"] == second.asked


@given(
    rate=st.floats(0.1, 50),
    numbers=st.integers(1, 5),
    messages=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 3)), min_size=1, max_size=80),
)
def test_no_number_is_ever_faster_than_its_pace(
    rate: float, numbers: int, messages: list[tuple[float, int]]
) -> None:
    """In any stretch of time, at most what is earned in it, one burst, and the message that was begun."""
    meter = Meter(pace=Pace(per_second=rate, numbers=numbers))
    now, left = 1_000.0, []
    for pause, parts in messages:
        now += pause
        if meter.room(now):
            left.append((now, meter.take(parts, now), parts))

    for number in range(numbers):
        mine = [(at, parts) for at, which, parts in left if which == number]
        for start in range(len(mine)):
            for end in range(start, len(mine)):
                stretch = mine[end][0] - mine[start][0]
                before_last = sum(parts for _, parts in mine[start:end])
                assert before_last <= (stretch + 0.25) * rate + 1e-6


def test_numbers_take_turns_and_what_one_earned_is_not_lost() -> None:
    """Two numbers at one part a second: two messages at once, then one each second for each."""
    meter = Meter(pace=Pace(per_second=1.0, numbers=2))

    assert 2 == meter.room(100.0)
    assert [0, 1] == sorted(meter.take(1, 100.0) for _ in range(2))
    assert 0 == meter.room(100.5)
    assert 0 < meter.wait(100.5) <= 0.5
    assert 2 == meter.room(101.0)


async def test_life_safety_overtakes_whatever_routine_is_queued(options: DeskOptions) -> None:
    """W21, R18: of 300 routine messages at 20 a second, few have left when the alarm's go, and none goes before the last of those."""
    channel = Carrier()
    provider = Provider(channel=channel, pace=Pace(per_second=20.0))
    async with desk(options, people=staff(300, kinds=("sms",)), channels=[provider]) as running:
        await running.is_ordered(order(1, template="test"))
        async with asyncio.timeout(PATIENCE):
            while len(channel.asked) < 10:  # noqa: ASYNC110 - a list rings no bell
                await asyncio.sleep(0.01)
        await running.is_ordered(order(2))
        async with asyncio.timeout(PATIENCE):
            while await running.begun("ntc_002") < 20:  # noqa: ASYNC110 - rows ring no bell
                await asyncio.sleep(0.02)
        begun = await running.database.read(
            "SELECT notice FROM notice_delivery WHERE attempts > 0 ORDER BY begun_at, notice"
        )
    notices = [notice for (notice,) in begun]

    behind = notices[notices.index("ntc_002") :]
    assert {"ntc_002"} == set(behind)
    assert notices.count("ntc_001") < 5 * 20
