"""The carrier and the mail server fail: row R20, and the other channel and the alarm lane never notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories import harm
from tests.stories.house import House

STAFF = 25


async def alarms_by_phone(house: House) -> dict[str, int]:
    """How many alarm texts each phone was sent."""
    phones = await house.phones()
    return {
        number: len([message for message in messages if "ALARM at" in message["body"]])
        for number, messages in phones.items()
    }


@pytest.mark.parametrize(
    "faults",
    [
        {"status": 500, "chance": 0.3, "times": 10},
        {"lose_answer": True, "chance": 0.5, "times": 12},
    ],
    ids=["server error", "answer lost after accepting"],
)
async def test_a_failing_carrier_sends_nothing_twice_and_holds_up_nothing(
    tmp_path: Path, faults: dict[str, object]
) -> None:
    """No phone gets the alarm twice; mail and the county are reached meanwhile; what is unknown is shown as unknown."""
    async with House(tmp_path, units=4) as house:
        await house.run()
        await house.connect_units()
        await house.carrier_fault(**faults)
        await house.press("u3")
        await harm.at_county(house, "A Library")
        await harm.shows(house, "u3", "psap")

        def outcomes() -> dict[str, str]:
            return {
                fact["delivery"]: fact["outcome"]
                for fact in house.facts("delivery.settled", desk=True)
                if fact["channel"] == "sms"
            }

        async def mailed() -> bool:
            return len(await house.mailboxes()) >= STAFF

        async def settled() -> bool:
            return len(outcomes()) >= STAFF

        await house.eventually(mailed)
        await house.eventually(settled)
        sent = await alarms_by_phone(house)
        reached = [outcome for outcome in outcomes().values() if outcome in ("accepted", "delivered")]
        assert all(times <= 1 for times in sent.values()), sent
        assert len(reached) <= sum(sent.values())
