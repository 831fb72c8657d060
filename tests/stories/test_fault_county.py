"""The line to the county fails in the field's ways: rows R10, R11, R13 and R14 on the whole daemon."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.stories import harm
from tests.stories.house import House


async def test_a_pulled_cable_is_known_and_the_call_goes_out_on_its_return(tmp_path: Path) -> None:
    """R10: LinkLost within seconds, and after the return the same call, once on the county's screen."""
    async with House(tmp_path, units=4) as house:
        await house.run()
        await house.connect_units()
        house.cable.pull()

        async def lost() -> bool:
            return "county" in (await harm.status(house)).links_lost

        await house.eventually(lost)
        await house.press("u3")
        await harm.shows(house, "u3", "recorded")
        assert [] == await house.calls()
        house.cable.plug()
        await harm.at_county(house, "A Library")
        await harm.shows(house, "u3", "psap")

        async def restored() -> bool:
            return not (await harm.status(house)).links_lost

        await house.eventually(restored)
        assert ["county"] == [fact["link"] for fact in house.facts("link.lost")]
        assert 1 == len(await house.calls())


async def test_a_frozen_county_is_loud_after_ten_seconds_and_quiet_only_by_a_person(tmp_path: Path) -> None:
    """R11, R13: nobody answers, every screen says so; the retries go on and the county wakes to one call."""
    async with House(tmp_path, units=4) as house:
        await house.run()
        await house.connect_units()
        await house.sign_in()
        house.county.send(signal.SIGSTOP)
        await house.press("u3")
        await harm.shows(house, "u3", "recorded")

        async def unanswered() -> bool:
            return bool(house.facts("call.unanswered"))

        await house.eventually(unanswered)
        incident = house.facts("incident.opened")[0]["incident"]
        await harm.page_says(house, "NOT ACKNOWLEDGED", path=f"/incidents/{incident}")
        house.county.send(signal.SIGCONT)
        await harm.at_county(house, "A Library")
        await harm.page_says(house, "NO PERSON HAS ANSWERED", path=f"/incidents/{incident}")
        await house.acknowledge(1)
        await harm.page_says(house, "ACKNOWLEDGED by a telecommunicator", path=f"/incidents/{incident}")
        (call,) = await house.calls()
        (unanswered_fact,) = house.facts("call.unanswered")
        assert 1 == call["number"]
        assert unanswered_fact["after"] >= 10.0


async def test_no_wrong_answer_settles_a_call_and_the_right_one_later_does(tmp_path: Path) -> None:
    """R14: another frame's id, a false MAC: the unit shows no more than recorded until the true answer."""
    for fault in ("wrong-id", "bad-mac"):
        folder = tmp_path / fault
        folder.mkdir()
        async with House(folder, units=4) as house:
            await house.run()
            await house.connect_units()
            await house.county_fault(fault)
            await house.press("u3")
            await harm.at_county(house, "A Library")

            async def retried(house: House = house) -> bool:
                return bool(house.facts("call.unanswered"))

            await house.eventually(retried)
            assert "recorded" == await house.unit_level("u3")
            assert [] == [fact for fact in house.facts("call.receipt") if fact["level"] == "system"]
            await house.county_fault("")
            await harm.shows(house, "u3", "psap")
            assert 1 == len(await house.calls())
