"""P13 on the running daemon: opened beside the desk, its lane killed, given, and ended with its incident."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from belltower.people.generator import Form, generate, write
from belltower.people.roster import HumanKind
from tests.servers import forked
from tests.stories.house import House
from tests.stories.office import Office

DISTRICT = generate(seed=13, students=30)
THREAT = "An armed person was seen at the gym door; the sheriff has to find these students."


async def told(house: House, *words: object) -> list[dict]:
    """The lines that a command prints with --json, beside the running lanes."""
    process = await forked.start(
        "gateway.cli", *words, "--json", "--config", house.config, stdout=forked.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.soak
async def test_a_disclosure_outlives_its_lane_and_not_its_incident(tmp_path: Path) -> None:
    """Each fact once, in order; every row that was given is in the record; nothing leaves after the end."""
    export = tmp_path / "roster.zip"
    write(DISTRICT, export, form=Form.ONEROSTER)
    async with House(tmp_path) as house:
        house.configure()
        await house.run()
        await told(house, "roster", "import", export)
        await house.connect_units()
        await house.sign_in()
        await house.press("u3")

        async def incident() -> str:
            return next((each["incident"] for each in house.facts("incident.opened")), "")

        number = await house.eventually(incident)

        async def shown() -> bool:
            return number in await house.page("/")

        await house.eventually(shown)
        school = DISTRICT.of_kind(HumanKind.STUDENT)[0].schools[0]
        words = ("--agency", "Sheriff", "--function", "commander", "--basis", "safety", "--threat", THREAT)
        (made,) = await told(
            house,
            *("disclosures", "open", "--incident", number, "--by", "story", *words),
            *("--field", "names", "--school", school),
        )
        os.kill(house.lane_pid("desk"), signal.SIGKILL)
        given = await told(house, "disclosures", "export", made["disclosure"], "--by", "story")

        async def facts(count: int) -> list[str]:
            every = [each["type"] for each in house.facts(desk=True)]
            tags = [tag for tag in every if tag.startswith("disclosure.")]
            return tags if len(tags) >= count else []

        await house.eventually(lambda: facts(2))
        await house.eventually(house._page_answers)
        page = f"/incidents/{number}"
        story = await house.page(page)
        await Office(house).done(page, f"{page}/close", reason="over")
        tags = await house.eventually(lambda: facts(3))
        record = await told(house, "disclosures", "record", "--disclosure", made["disclosure"])
        (listed,) = await told(house, "disclosures", "list")

    assert made["students"] == len(given) == len(record)
    assert ["disclosure.opened", "disclosure.given", "disclosure.closed"] == tags
    assert f"Records of {made['students']} students exported for somebody outside" in story
    assert "incident-closed" == listed["state"]
