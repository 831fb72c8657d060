"""R21: what came too late is held; a person has it sent after all, or leaves it, and it is written down who did."""

import asyncio
from pathlib import Path

import pytest

from belltower.clock import Instant
from belltower.errors import NotFound, NotPermitted, StoreError, WrongState
from belltower.ids import NoticeId, PersonId
from belltower.incident.facts import HeldDecided, Mode
from belltower.people.grant import nobody
from notify.provider import Pace, Provider
from tests.notify.test_providers import Carrier
from tests.peers.desk import DeskOptions, desk, order, staff
from tests.peers.waiting import PATIENCE

RUTH = PersonId("per_ruth")
LATE = 7_200_000_000
FIRST = NoticeId("ntc_001")


@pytest.fixture
def options(tmp_path: Path) -> DeskOptions:
    return DeskOptions(database=str(tmp_path / "desk.db"))


def late(running) -> Instant:
    return Instant(running.clock.now() - LATE)


async def decided(running) -> list[HeldDecided]:
    return [fact for fact in await running.facts() if isinstance(fact, HeldDecided)]


def provider(channel: Carrier) -> list[Provider]:
    return [Provider(channel=channel, pace=Pace())]


async def test_r21_what_is_held_is_sent_on_a_persons_word_and_once(options: DeskOptions) -> None:
    """Nothing before; afterwards each address once however often it is asked, and the fact names who, and how many."""
    channel = Carrier()
    people = staff(1_200, kinds=("sms",))
    async with desk(options, people=people, channels=provider(channel)) as running:
        await running.is_ordered(order(), at=late(running))
        await running.is_settled(1_200)
        assert {("refused", "too_late")} == {(row.state, row.reason) for row in await running.rows()}
        counts = await asyncio.gather(*(running.room.held.send(FIRST, RUTH) for _ in range(3)))
        await running.is_settled(1_200)
        progress = await running.room.progress(FIRST, 1)

        assert [0, 0, 1_200] == sorted(counts)
        assert {"accepted"} == {row.state for row in await running.rows()}
        assert sorted(channel.asked) == sorted(set(channel.asked))
        assert 1_200 == len(channel.asked)
        assert {"accepted": 1_200} == {s.value: load.deliveries for s, load in progress.counts["sms"].items()}
        assert [(RUTH, True, 1_200)] == [(one.by, one.sent, one.deliveries) for one in await decided(running)]


async def test_r21_what_is_left_stays_unsent_and_waits_for_nobody(options: DeskOptions) -> None:
    """And is not sent later by another press."""
    channel = Carrier()
    async with desk(options, people=staff(3, kinds=("sms",)), channels=provider(channel)) as running:
        await running.is_ordered(order(), at=late(running))
        await running.is_settled(3)
        assert 3 == await running.room.held.leave(FIRST, RUTH)
        assert 0 == await running.room.held.send(FIRST, RUTH)

        assert {("refused", "left")} == {(row.state, row.reason) for row in await running.rows()}
        assert [] == channel.asked
        assert [False] == [one.sent for one in await decided(running)]


async def test_w25_what_is_held_is_not_sent_where_its_address_was_stopped_meanwhile(
    options: DeskOptions,
) -> None:
    """Nor what was stopped and started again kept back."""
    channel = Carrier()
    numbers = [f"+1555{100 + n:07}" for n in range(3)]
    async with desk(options, people=staff(3, kinds=("sms",)), channels=provider(channel)) as running:
        await running.is_ordered(order(routine=True), at=late(running))
        await running.is_settled(3)
        replies = running.room.replies
        async with running.database.begin() as tx:
            for number in numbers[:2]:
                replies.stop(tx, "sms", number, person="", at=running.clock.now())
        async with running.database.begin() as tx:
            replies.start(tx, "sms", numbers[0])
        await running.room.held.send(FIRST, RUTH)
        await running.is_settled(3)

        assert [numbers[0], numbers[2]] == sorted(channel.asked)
        assert ("refused", "stopped") in {(row.state, row.reason) for row in await running.rows()}


async def test_what_does_not_stand_any_more_is_not_sent_late(options: DeskOptions) -> None:
    """A later notice took its place; it was an exercise; whoever asks may not; there is no such notice."""
    channel = Carrier()
    async with desk(options, people=staff(1, kinds=("sms",)), channels=provider(channel)) as running:
        await running.is_ordered(order(1), order(3, mode=Mode.EXERCISE), at=late(running))
        await running.is_settled(2)
        with pytest.raises(WrongState, match="practised"):
            await running.room.held.send(NoticeId("ntc_003"), RUTH)
        await running.is_ordered(order(2, template="staff-closed", corrects=(FIRST,)))
        await running.is_settled(3)
        with pytest.raises(WrongState, match="later notice"):
            await running.room.held.send(FIRST, RUTH)
        with pytest.raises(NotFound):
            await running.room.held.send(NoticeId("ntc_999"), RUTH)
        running.room.held._allowed = nobody
        with pytest.raises(NotPermitted):
            await running.room.held.send(FIRST, RUTH)
        assert [] == await decided(running)


@pytest.mark.parametrize(("send", "became"), [(True, "accepted"), (False, "refused")])
async def test_a_kill_after_the_word_leaves_nothing_held_and_no_second_word(
    options: DeskOptions, monkeypatch: pytest.MonkeyPatch, send: bool, became: str
) -> None:
    """The word and its first rows are one commit; the rest is done after the next start, by nobody's word but that."""
    monkeypatch.setattr("notify.held._PAGE", 2)
    people = staff(7, kinds=("sms",))
    async with desk(options, people=people, channels=provider(Carrier())) as running:
        await running.is_ordered(order(), at=late(running))
        await running.is_settled(7)
        held = running.room.held

        async def killed(*_given: object) -> None:
            raise StoreError("killed")

        monkeypatch.setattr(held, "_carry_out", killed)
        with pytest.raises(StoreError, match="killed"):
            await (held.send if send else held.leave)(FIRST, RUTH)
        begun = [row for row in await running.rows() if row.reason != "too_late"]
    assert 2 == len(begun)

    channel = Carrier()
    async with desk(options, people=people, channels=provider(channel)) as running:
        async with asyncio.timeout(PATIENCE):
            while "too_late" in {row.reason for row in await running.rows()}:  # noqa: ASYNC110 - its own loop works
                await asyncio.sleep(0.05)
        await running.is_settled(7)
        assert 0 == await running.room.held.send(FIRST, RUTH)
        rows = await running.rows()
        words = [(one.sent, one.deliveries) for one in await decided(running)]
        deciding = await running.database.read("SELECT deciding FROM notice")

    assert [(send, 7)] == words
    assert {became} == {row.state for row in rows}
    assert [("",)] == deciding
    assert len(channel.asked) == len(set(channel.asked))


async def test_a_second_word_before_the_rest_is_done_ends_the_first(
    options: DeskOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever presses first is written down; the other finds nothing held."""
    monkeypatch.setattr("notify.held._PAGE", 2)
    async with desk(options, people=staff(5, kinds=("sms",)), channels=provider(Carrier())) as running:
        await running.is_ordered(order(), at=late(running))
        await running.is_settled(5)
        held = running.room.held
        async with held._one_at_a_time, running.database.begin() as tx:  # what a kill in the middle leaves
            tx.add("UPDATE notice SET deciding = 'left'")

        assert 0 == await held.send(FIRST, RUTH)
        assert {("refused", "left")} == {(row.state, row.reason) for row in await running.rows()}
        assert [] == await decided(running)
