"""How long until the last of them has it: said before, kept true after, and never by counting all rows."""

import asyncio
import re
from collections import Counter
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belltower.errors import StoreError
from gateway.web.compose_view import spoken_forecast
from notify import counting_store, escalation_store, leasing_store, reply_tables, settling_store
from notify.channels.channel import Later
from notify.delivery import State
from notify.forecast import Load, Speed, Way, forecast
from notify.provider import Meter, Pace, Provider
from tests.notify.test_providers import Carrier
from tests.peers.carrier import carrier_peer
from tests.peers.desk import DeskOptions, desk, order, staff
from tests.peers.waiting import PATIENCE, until

TABLES = (counting_store, leasing_store, settling_store)
UNDER_WAY = ("notice_delivery_lease", "notice_delivery_asking")
"""Indexes that may be walked through, for they hold nothing but what is under way."""


def way(**changes: object) -> Way:
    return Way(**{"name": "a", "per_second": 1.0, "at_once": 20, "latency": 0.5, **changes})


def seconds(load: Load, *ways: Way, ahead: Load | None = None) -> float | None:
    return forecast({"sms": load}, {"sms": ahead or Load()}, {"sms": ways}).last


def test_a_long_code_takes_hours_for_ten_thousand_parents() -> None:
    """One part a second (reliability.md, decision 6): 2.8 hours, and it is said before anything leaves."""
    assert 9_999.5 == seconds(Load(10_000, 10_000), way())


def test_parts_and_not_messages_are_paced() -> None:
    """A text in two parts takes twice as long; four numbers take a quarter."""
    assert 198.5 == seconds(Load(100, 200), way())
    assert 50.0 == seconds(Load(100, 200), way(per_second=4.0))


def test_what_is_in_flight_has_spent_its_pace() -> None:
    """Ten two-part texts of which three are with the provider: seven are still to be paced, behind the rest of the last."""
    found = forecast(
        {"sms": Load(10, 20)}, {}, {"sms": [way(rests=1.5, latency=4.0)]}, {"sms": Load(3, 6)}
    ).channels["sms"]

    assert (4.0, 1.5 + 12 + 4.0) == (found.first, found.last)
    only = forecast({"sms": Load(3, 6)}, {}, {"sms": [way(rests=1.5, latency=4.0)]}, {"sms": Load(3, 6)})
    assert 4.0 == only.last


@settings(max_examples=40)
@given(parts=st.integers(1, 4), count=st.integers(20, 120), rate=st.sampled_from([0.5, 1.0, 7.0, 40.0]))
def test_the_time_runs_down_as_steadily_as_messages_leave(parts: int, count: int, rate: float) -> None:
    """Looked at between any two messages it is never longer than before, and it is true to within a message."""
    speed, meter = Speed(), Meter(pace=Pace(per_second=rate))
    now, left, latest = 1_000.0, count, float("inf")
    began, said = now, []
    while left:
        if meter.room(now):
            meter.take(parts, now)
            speed.left(parts, now)
            left -= 1
        one = way(per_second=rate, latency=0.1, measured=speed.per_second(now), rests=meter.wait(now))
        found = seconds(Load(left, left * parts), one)
        assert found is not None
        assert found <= latest + 1e-6
        latest = found
        said.append((now, found))
        now += parts / rate / 3
    end = said[-1][0]
    assert all(abs(found - (end - at)) <= parts / rate + 0.4 for at, found in said[:-1])
    assert end - began >= (count - 1) * parts / rate - 1.0


def test_where_nothing_is_paced_the_answers_are() -> None:
    """Twenty in flight, half a second each."""
    assert 25.0 == seconds(Load(1_000, 1_000), way(per_second=0.0))


def test_what_is_ahead_goes_first() -> None:
    """The first of a routine notice leaves when all that is more urgent has left."""
    found = forecast({"sms": Load(10, 10)}, {"sms": Load(50, 60)}, {"sms": [way()]}).channels["sms"]

    assert (60.5, 69.5) == (found.first, found.last)


def test_the_one_that_is_well_is_asked() -> None:
    """And where none is, nobody can say."""
    ill = way(name="first", trouble="unreachable", per_second=100.0)

    assert 9.5 == seconds(Load(10, 10), ill, way(name="second"))
    assert None is seconds(Load(10, 10), ill)
    assert 0.0 == seconds(Load(), ill)


def test_what_was_measured_is_believed_but_never_beyond_the_pace() -> None:
    """A provider that is slower than its settings say."""
    assert 98.5 == seconds(Load(50, 50), way(per_second=10.0, measured=0.5))
    assert 5.4 == seconds(Load(50, 50), way(per_second=10.0, measured=400.0))


@given(parts=st.lists(st.integers(1, 2), min_size=40, max_size=200), rate=st.sampled_from([5, 20, 60]))
def test_a_steady_rate_is_measured(parts: list[int], rate: int) -> None:
    """Within a part of a second's worth, once three seconds have been seen; a pause forgets it."""
    speed, now = Speed(), 1_000.0
    for some in parts:
        now += some / rate
        speed.left(some, now)
    measured = speed.per_second(now)

    if sum(parts) / rate > 4:
        assert measured is not None
        assert abs(measured - rate) <= 0.4 * rate
    assert None is speed.per_second(now + 60)


@pytest.fixture
def options(tmp_path: Path) -> DeskOptions:
    return DeskOptions(database=str(tmp_path / "desk.db"))


async def test_the_counts_are_those_of_the_rows(options: DeskOptions) -> None:
    """Whatever goes wrong on the way, after each notice, and after a restart that has to count them."""
    async with carrier_peer() as carrier:
        options.sms_url, options.smtp_port, options.people = carrier.url, carrier.smtp_port, 40
        carrier.goes_wrong(chance=0.3, status=503, accept_anyway=True, stopped=["+15550000103"])
        async with desk(options) as running:
            await running.is_ordered(
                order(1, template="staff-action", slots={"action": "hold"}),
                order(2, template="staff-action", slots={"action": "lockdown"}),
            )
            await running.is_settled(160)
            kept = [await running.room.ledger.counts(f"ntc_00{n}", 1) for n in (1, 2)]
            assert {} == await running.room.remaining()
        async with desk(options) as running:
            counted = [await running.room.ledger.counts(f"ntc_00{n}", 1) for n in (1, 2)]
            rows = Counter((row.notice, row.channel, row.state) for row in await running.rows())

    assert counted == kept
    assert rows == Counter(
        {
            (f"ntc_00{n}", channel, state.value): load.deliveries
            for n, channels in enumerate(kept, start=1)
            for channel, states in channels.items()
            for state, load in states.items()
        }
    )


async def test_the_time_is_said_before_and_is_true_after(options: DeskOptions) -> None:
    """Sixty messages at 20 a second behind nothing: three seconds, less and less; a routine one would wait for it."""
    provider = Provider(channel=Carrier(), pace=Pace(per_second=20.0))
    async with desk(options, people=staff(60, kinds=("sms",)), channels=[provider]) as running:
        room, loop = running.room, asyncio.get_running_loop()
        before = await room.forecast({"sms": Load(60, 60)}, routine=False)
        began = loop.time()
        await running.is_ordered(order())
        async with asyncio.timeout(PATIENCE):
            while not (left := await room.remaining()):  # noqa: ASYNC110 - rows ring no bell
                await asyncio.sleep(0.01)
        (progress,) = left.values()
        behind = await room.forecast({"sms": Load(20, 20)}, routine=True)
        await running.is_settled(60)
        took = loop.time() - began

        assert before.last is not None
        assert 1.5 < before.last < 4.5
        assert took > before.last - 1.5  # the pace is kept; a busy machine may be slower than it
        assert progress.remaining.last is not None
        assert progress.remaining.last <= before.last + 0.1
        assert behind.channels["sms"].ahead.deliveries <= 60
        assert behind.last > progress.remaining.last - 0.5
        assert {"sms": {State.ACCEPTED: Load(60, 60)}} == (await room.progress("ntc_001", 1)).counts


async def test_while_nobody_takes_anything_no_time_is_named(options: DeskOptions) -> None:
    """Not knowing is said, and what waits is."""
    channel = Carrier(lambda _: Later(reason="account:20003", after=30.0, everyone=True))
    provider = Provider(channel=channel)
    async with desk(options, people=staff(5, kinds=("sms",)), channels=[provider]) as running:
        await running.is_ordered(order())
        async with asyncio.timeout(PATIENCE):
            while not running.room.troubles():  # noqa: ASYNC110 - trouble rings no bell
                await asyncio.sleep(0.01)
        progress = await running.room.progress("ntc_001", 1)

    assert Load(5, 5) == progress.counts["sms"][State.PENDING]
    assert None is progress.remaining.last


async def test_while_nothing_can_be_recorded_no_time_is_named(options: DeskOptions) -> None:
    """A notice waits as long as the disk is full, whoever would have written; then there is a time again."""

    def full() -> None:
        raise apsw.FullError("no space left")

    provider = Provider(channel=Carrier(), pace=Pace(per_second=1.0))
    async with desk(options, people=staff(1, kinds=("sms",)), channels=[provider]) as running:
        engine = running.database._engine
        engine._before_commit = full
        with pytest.raises(StoreError):
            await running.is_ordered(order())
        assert running.room.unrecorded
        waiting = await running.room.forecast({"sms": Load(9, 9)}, routine=False)
        engine._before_commit = None
        await until(lambda: not running.room.unrecorded)
        after = await running.room.forecast({"sms": Load(9, 9)}, routine=False)

    assert None is waiting.last
    assert "nobody can say how long: nothing can be recorded, so notices wait" == spoken_forecast(waiting)
    assert after.last is not None


@pytest.mark.parametrize(
    "sql",
    [
        "_NEXT_PENDING",
        "_PENDING_OF",
        "COUNTED",
        "_LEASE_ANY",
        "_LEASE_PASSED",
        "_TEXTS",
        "_RETURN",
        "_SETTLE",
        "_SENDING",
        "_ASKING",
        "_KNOWN_IDS",
    ],
)
async def test_no_question_walks_through_all_rows(options: DeskOptions, sql: str) -> None:
    """Of the sender, the ledger, the live page: each takes steps in an index, however many rows there are."""
    text = next(getattr(tables, sql) for tables in TABLES if hasattr(tables, sql))
    steps = await steps_of(options, text)

    walks = [step for step in steps if step.startswith("SCAN") and not step.endswith(UNDER_WAY)]
    assert walks == {"_NEXT_PENDING": ["SCAN d"], "COUNTED": ["SCAN page"]}.get(sql, [])
    assert [step for step in steps if step.startswith("SEARCH")] or not walks


async def steps_of(options: DeskOptions, sql: str) -> list[str]:
    """The plan of a question, the same whatever its values are: else it would be made anew for each of them.

    By fresh connections: one that has asked nothing since the tables grew explains older ones.
    """
    named = dict.fromkeys(re.findall(r":(\w+)", sql), 1)
    plans = []
    async with desk(options, people={}, channels=[Provider(channel=Carrier())]):
        for blind in (0, 1):
            fresh = apsw.Connection(options.database)
            fresh.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, blind)
            plans.append([step for *_, step in fresh.execute(f"EXPLAIN QUERY PLAN {sql}", named)])
            fresh.close()
    looking, without_looking = plans

    assert looking == without_looking
    return looking


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (reply_tables._OF, "notice_reply_notice"),
        (escalation_store._ANSWERED % ":safe", "notice_reply_notice"),
        (escalation_store._UNDER_WAY, "notice_delivery_due"),
    ],
    ids=["replies", "answered", "under_way"],
)
async def test_the_ladder_and_the_list_of_replies_ask_by_a_partial_index(
    options: DeskOptions, sql: str, index: str
) -> None:
    """Neither all replies nor all rows of a notice are walked through."""
    steps = await steps_of(options, sql)

    assert [step for step in steps if step.startswith("SEARCH") and index in step], steps
    assert [] == [step for step in steps if step.startswith("SCAN") and not step.endswith(UNDER_WAY)]


async def test_what_waits_is_found_in_one_step_for_each_notice(options: DeskOptions) -> None:
    """In the order in which they are sent: danger first, then the oldest."""
    tried = Carrier(lambda _: Later(reason="account:20003", after=30.0, everyone=True))
    async with desk(options, people=staff(3, kinds=("sms",)), channels=[Provider(channel=tried)]) as running:
        orders = [order(1, template="test", slots={}), order(2), order(3, revision=7), order(4)]
        await running.is_ordered(*orders)
        async with asyncio.timeout(PATIENCE):
            while len(found := await running.room.tables.waiting("sms")) < 4:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)

    assert [("ntc_002", 1), ("ntc_003", 7), ("ntc_004", 1), ("ntc_001", 1)] == [
        (one.notice, one.revision) for one in found
    ]
