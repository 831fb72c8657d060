"""A later word to families of an action takes the place of an earlier one, address by address."""

import asyncio
from pathlib import Path

import pytest

from belltower.clock import SECOND, Instant
from belltower.ids import IncidentId, NoticeId, PersonId
from belltower.incident.facts import DeliverySettled, Mode, Outcome
from belltower.people.person import Contact, ContactKind, Person
from belltower.store import Transaction
from notify.audience import AudienceRule
from notify.channels.channel import Later, Settled
from notify.delivery import State
from notify.overtaking import Overtaking
from notify.provider import Pace, Provider
from tests.peers.desk import Desk, DeskOptions, RosterOf, desk, order, site
from tests.peers.waiting import PATIENCE

HOLD, LOCKDOWN = "families.hold.now", "families.lockdown.now"
AUDIENCES = {
    "families": AudienceRule(roles=frozenset({"guardian"})),
    "families-7a": AudienceRule(roles=frozenset({"guardian"}), classes=frozenset({"7a"})),
}
COUNT = 6
"""Families of 7a are 0, 2 and 4."""


def family(n: int) -> Person:
    return Person(
        id=PersonId(f"g{n}"),
        name=f"g{n}",
        roles=frozenset({"guardian"}),
        classes=frozenset({"7b" if n % 2 else "7a"}),
        contacts=(Contact(kind=ContactKind.SMS, address=f"+1555{n:07}"),),
    )


class OneAtATime:
    """A channel that lets the first message go when it is told to, and puts off what it answers to that."""

    name = "sms"

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []
        self.begun = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def find(self, message, *, known):
        return None

    async def send(self, message):
        if not self.begun.is_set():
            self.begun.set()
            await self.goes_on.wait()
            return Later(reason="busy")
        self.sent.append((message.notice, int(message.address[-7:])))
        return Settled()


@pytest.fixture
def options(tmp_path: Path) -> DeskOptions:
    return DeskOptions(database=str(tmp_path / "desk.db"))


def house(options: DeskOptions, sms: OneAtATime):
    return desk(
        options,
        school=site({}, RosterOf(*(family(n) for n in range(COUNT))), audiences=AUDIENCES),
        channels=[Provider(channel=sms, pace=Pace(at_once=1))],
    )


async def planned(running: Desk, notices: int) -> None:
    """Until so many notices are planned."""
    async with asyncio.timeout(PATIENCE):
        while len(await running.database.read("SELECT 1 FROM notice_meant")) < notices:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def states(running: Desk, notice: str) -> dict[int, str]:
    return {int(row.address[-7:]): row.state for row in await running.rows() if row.notice == notice}


async def test_w18_a_later_action_takes_the_place_of_the_earlier_where_it_is_told_itself(
    options: DeskOptions,
) -> None:
    """It is sent first; at its addresses nothing of the earlier leaves any more, not even what was under way."""
    sms = OneAtATime()
    async with house(options, sms) as running:
        await running.is_ordered(order(1, template=HOLD, audience="families"))
        await sms.begun.wait()
        await running.is_ordered(order(2, template=LOCKDOWN, audience="families-7a"))
        await planned(running, 2)
        sms.goes_on.set()
        await running.is_settled(COUNT + 3)
        stood = await states(running, "ntc_001")
        facts = [
            (fact.outcome, fact.reason)
            for fact in await running.facts()
            if isinstance(fact, DeliverySettled) and fact.notice == "ntc_001"
        ]
        counts = await running.room.ledger.counts("ntc_001", 1)

    assert {("ntc_002", n) for n in (0, 2, 4)} == set(sms.sent[:3])
    assert {("ntc_001", n) for n in (1, 3, 5)} == set(sms.sent[3:])
    assert ["superseded", "accepted"] * 3 == [stood[n] for n in range(COUNT)]
    assert 3 == facts.count((Outcome.SUPERSEDED, "ntc_002"))
    assert {"superseded": 3, "accepted": 3} == {
        state.value: load.deliveries for state, load in counts["sms"].items()
    }


@pytest.mark.parametrize(
    ("first", "changes"),
    [
        ({"routine": True}, {"mode": Mode.EXERCISE}),
        ({}, {"mode": Mode.EXERCISE}),
        ({}, {"routine": True}),
        ({}, {"incident": IncidentId("inc_2")}),
        ({}, {"template": "families.site.open"}),
        ({}, {"template": "families-notice"}),
    ],
    ids=str,
)
async def test_what_is_practised_or_may_wait_or_is_of_something_else_takes_no_place(
    options: DeskOptions, first: dict[str, object], changes: dict[str, object]
) -> None:
    """R43: a drill stops nothing that is so, and what a STOP keeps away stops nothing that it lets pass."""
    sms = OneAtATime()
    async with house(options, sms) as running:
        await running.is_ordered(order(1, template=HOLD, audience="families", **first))
        await sms.begun.wait()
        await running.is_ordered(order(2, **{"template": LOCKDOWN, "audience": "families", **changes}))
        await planned(running, 2)
        sms.goes_on.set()
        await running.is_settled(2 * COUNT)
        stood = await states(running, "ntc_001")

    assert {"accepted"} == set(stood.values())


async def test_what_was_ordered_earlier_and_is_planned_later_is_overtaken_too(options: DeskOptions) -> None:
    """The desk's own orders and the alarm lane's are planned side by side."""
    sms = OneAtATime()
    sms.begun.set()
    async with house(options, sms) as running:
        now = running.clock.now()
        await running.is_ordered(order(2, template=LOCKDOWN, audience="families-7a"), at=now)
        await planned(running, 1)
        before = Instant(now - SECOND)
        await running.is_ordered(order(1, template=HOLD, audience="families"), at=before)
        await running.is_settled(COUNT + 3)

    assert {("ntc_002", n) for n in (0, 2, 4)} | {("ntc_001", n) for n in (1, 3, 5)} == set(sms.sent)
    assert COUNT == len(sms.sent)


def test_what_can_never_leave_takes_nothings_place() -> None:
    """Refused as too long, stopped, or without a channel: the earlier word at that address is all that there is."""
    rows = [
        (f"d{n}", "ntc_2", 1, "inc_1", f"g{n}", "sms", f"m{n}", state.value)
        for n, state in enumerate((State.PENDING, State.REFUSED))
    ]
    tx = Transaction()
    Overtaking(earlier=((NoticeId("ntc_1"), 1),)).add(tx, rows)

    assert [("ntc_1", 1, "sms", "m0")] == [given for part in tx.parts for given in part.rows]
