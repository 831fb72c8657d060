"""Notices of an exercise among those in earnest, on the running daemon: neither is ever taken for the other."""

from __future__ import annotations

from pathlib import Path

from belltower.incident.facts import Mode
from notify.draft import TEST_GROUP
from notify.segments import segments
from tests.stories import harm
from tests.stories.drilling import Drill
from tests.stories.house import House
from tests.stories.office import MARKS, Office, mistaken, ordered, rows, told

PRACTISED = "families.lockdown.exercise"
MEANT = "families.lockdown.now"
NO_DRILL = "No drill runs now."


async def test_no_exercise_reads_as_if_it_were_meant_and_nothing_meant_as_an_exercise(tmp_path: Path) -> None:
    """R43, R44, W24, I3: a test, a drill, weather in the middle of it, a press in earnest, corrections and ends."""
    rehearsal = (
        "\n[notify]\nrehearsal = true\n"  # every far end is ours: Spanish is said, though nobody has read it
    )
    house = House(
        tmp_path, units=8, channels=lambda house: house.text_way("text") + house.other_ways() + rehearsal
    )
    async with house:
        drill, office = Drill(house), Office(house)
        drill.authorised()
        await harm.take_roster(house, 40)
        await house.run()
        await house.connect_units()
        await house.sign_in()
        classes = await house.eventually(office.classes)
        families = {"role": "guardian", "class": classes, "next": "20"}

        async def refused(why: str, template: str, **fields: str) -> None:
            page = "/notices/new"
            status, _, text = await office.press(page, page, template=template, **families, **fields)
            assert (409, True) == (status, why in text), text

        async def is_quiet() -> bool:
            waiting = "SELECT 1 FROM notice_delivery WHERE state IN ('pending', 'sending') LIMIT 1"
            planned = house.facts("notice.planned", desk=True)
            return len(ordered(house)) == len(planned) and not rows(house, waiting)

        async def quiet() -> None:
            await house.eventually(is_quiet, every=0.25)

        # While no drill runs, nothing by hand says that something is practised, except a test, which goes to a few.
        await refused(NO_DRILL, PRACTISED, of_exercise="1")
        draft = await office.write("families.shelter.now", cause="tornado", **families)
        for audience, status in (("families", 409), ("test-group", 200)):
            assert status == (await office.press(draft, f"{draft}/test", audience=audience))[0]

        # A drill runs. Families hear of it where somebody says so, and of a real storm in the middle of it.
        begun = await drill.begin("--place", "A", "--action", "lockdown", "--minutes", "5", "--psap-accepted")
        assert 0 == begun[0], begun[1]
        pressed = await drill.press("u7")
        assert 0 == pressed[0], pressed[1]

        async def practised() -> bool:
            page = "/notices/new"
            return NO_DRILL not in (await office.press(page, page, template=PRACTISED, **families))[2]

        # The desk hears of it from the alarm lane.
        await house.eventually(practised, every=0.25)
        await refused("Families hear of an exercise only where you say so", PRACTISED)
        (practice,) = [fact["incident"] for fact in house.facts("incident.opened")]
        await refused("this text is of something real", MEANT, incident=practice)
        exercise = await office.send(PRACTISED, incident=practice, of_exercise="1", **families)
        await office.order(practice, "lockdown")
        await office.done(draft, f"{draft}/send")
        await quiet()
        await office.done(f"/notices/{exercise}", f"/notices/{exercise}/correct")

        # Somebody presses in earnest, elsewhere: the drill is over, and all about this one is meant.
        await house.press("u5")

        async def live() -> list[str]:
            return [
                fact["incident"] for fact in house.facts("incident.opened") if fact["mode"] == Mode.ACTUAL
            ]

        (incident,) = await house.eventually(live)
        await refused(NO_DRILL, PRACTISED, of_exercise="1")
        await office.order(incident, "lockdown")
        await office.send(MEANT, incident=incident, **families)
        await quiet()
        for closed in (practice, incident):
            await office.done(f"/incidents/{closed}", f"/incidents/{closed}/close", reason="over")
        await office.done(f"/incidents/{incident}", f"/incidents/{incident}/all-clear", whose="families")

        await quiet()

        every = ordered(house)
        said = await told(house)
        assert [] == mistaken(house, said)
        assert [] == [one.words for one in said if one.channel == "sms" and segments(one.words).parts > 2]
        assert {
            ("staff-alarm", "exercise"),
            ("staff-alarm", "actual"),
            ("staff-action", "exercise"),
            ("staff-action", "actual"),
            ("staff-closed", "exercise"),
            ("staff-closed", "actual"),
            ("families.shelter.now", "exercise"),
            ("families.shelter.now", "actual"),
            (PRACTISED, "exercise"),
            ("families.lockdown.correction", "exercise"),
            (MEANT, "actual"),
            ("families.lockdown.cleared", "actual"),
        } == {(every[one.notice]["template"], every[one.notice]["mode"]) for one in said}
        tested = {one.to for one in said if every[one.notice]["audience"] == "test-group"}
        assert 0 < len(tested) <= 2 * TEST_GROUP
        assert {MARKS[0].split()[0], MARKS[1].split()[0]} == {
            mark.split()[0] for mark in MARKS for one in said if one.words.startswith(mark)
        }
