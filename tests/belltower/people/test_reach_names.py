"""The roster as the pages of notices and of accounts use it."""

from typing import Any

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

    async def classes(self) -> list[SchoolClass]:
        """The one."""
        return [SchoolClass(key="7b", title="7 b", school="s")]


async def test_what_is_above_the_schools_is_not_offered_as_one() -> None:
    """A grant or an audience for the district would mean nobody: nobody is enrolled there."""
    kept: Any = Kept()

    assert ({"s": "Lindenhof School"}, {"7b": "7 b (Lindenhof School)"}) == await RosterPeople(
        store=kept
    ).schools_and_classes()
