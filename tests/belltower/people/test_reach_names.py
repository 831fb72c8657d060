"""The roster as the pages of notices and of accounts use it."""

from collections.abc import Collection
from typing import Any

from belltower.clock import SystemClock
from belltower.people.reach import RosterPeople
from belltower.people.roster import School, SchoolClass


class Kept:
    """A roster of a district, one school and one class."""

    async def schools(self) -> list[School]:
        """Both."""
        return [
            School(key="d", name="Lindenhof District", kind="district"),
            School(key="s", name="Lindenhof School"),
        ]

    def __init__(self) -> None:
        self.asked: list[Collection[str] | None] = []

    async def classes(self, keys: Collection[str] | None = None) -> list[SchoolClass]:
        """The one."""
        self.asked.append(keys)
        return [SchoolClass(key="7b", title="7 b", school="s")]


async def test_what_is_above_the_schools_is_not_offered_as_one() -> None:
    """A grant or an audience for the district would mean nobody: nobody is enrolled there."""
    kept: Any = Kept()

    assert ({"s": "Lindenhof School"}, {"7b": "7 b (Lindenhof School)"}) == await RosterPeople(
        store=kept, clock=SystemClock()
    ).schools_and_classes()


async def test_a_notice_reads_no_class_but_its_own() -> None:
    """Its planning waits for them: of 25,000 classes of a district it needs none, or few."""
    kept: Any = Kept()
    roster = RosterPeople(store=kept, clock=SystemClock())
    of_school = await roster.called_of({"s", "gone"}, ())
    of_class = await roster.called_of((), {"7b"})

    assert ({"s": "Lindenhof School"}, {}) == of_school
    assert ({}, {"7b": "7 b (Lindenhof School)"}) == of_class
    assert [{"7b"}] == kept.asked
