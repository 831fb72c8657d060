"""Who works here by the roster is told with the staff, each human once, and after those of the site package."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from belltower.errors import StoreError
from belltower.ids import PersonId, VerbId
from belltower.people.person import Contact, ContactKind, Person
from notify.audience import AudienceRule, concerned, matches
from notify.choice import Choice
from notify.provider import Provider
from notify.staff import of_roster
from tests.notify.test_providers import Carrier
from tests.peers.desk import DeskOptions, RosterOf, desk, order, site, staff

NEW = "+15550000777"


def works(number: int, *addresses: str, roles: Collection[str] = ("staff",), school: str = "lind") -> Person:
    """Somebody of the roster."""
    return Person(
        id=PersonId(f"r{number}"),
        name=f"Roster {number}",
        roles=frozenset(roles),
        schools=frozenset({school}),
        contacts=tuple(
            Contact(kind=ContactKind.EMAIL if "@" in one else ContactKind.SMS, address=one)
            for one in addresses
        ),
    )


class Staff:
    """The staff of a roster."""

    def __init__(self, *people: Person, broken: bool = False) -> None:
        self.people = people
        self.broken = broken
        self.asked: list[frozenset[str]] = []

    async def staff(self, schools: Collection[str]) -> Sequence[Person]:
        self.asked.append(frozenset(schools))
        if self.broken:
            raise StoreError("the roster cannot be read")
        return [one for one in self.people if not schools or one.schools & set(schools)]


SAME_NUMBER = works(1, "+15550000100", "other@school.example")
SAME_MAILBOX = works(2, "P1@school.example", "+15550000888")
TEACHES = works(3, NEW)
PARENT_TOO = works(4, "+15550000778", roles=("staff", "guardian"))


@pytest.fixture
def options(tmp_path: Path) -> DeskOptions:
    return DeskOptions(database=str(tmp_path / "desk.db"))


async def test_staff_of_the_roster_belong_to_staff_audiences_each_human_once(options: DeskOptions) -> None:
    """Who has a number or a mailbox in common with the site package is that person, and is not told elsewhere too."""
    sms = Carrier()
    people = staff(2)
    school = replace(site(people), roster_staff=Staff(SAME_NUMBER, SAME_MAILBOX, TEACHES, PARENT_TOO))
    async with desk(options, school=school, channels=[Provider(channel=sms)]) as running:
        await running.is_ordered(order())
        await running.is_settled(6)
        rows = await running.rows()
        draft = await running.room.composer(drilling=lambda: False).write(
            VerbId("vrb_1"), Choice(template="staff-notice", audience="all-staff"), PersonId("p0")
        )

    assert ["+15550000100", "+15550000101", NEW, "+15550000778"] == sorted(sms.asked, key=sms.asked.index)
    assert {"p0", "p1", "r3", "r4"} == {row.person for row in rows}
    assert 4 == draft.counted.people


async def test_who_stands_in_the_site_package_is_told_though_no_roster_can_be_read(
    options: DeskOptions,
) -> None:
    """An alarm fails open: the rest is tried again."""
    sms = Carrier()
    school = replace(site(staff(3, kinds=("sms",))), roster_staff=Staff(broken=True))
    async with desk(options, school=school, channels=[Provider(channel=sms)]) as running:
        await running.is_ordered(order())
        await running.is_settled(3)

    assert 3 == len(sms.asked)


@pytest.mark.parametrize(
    ("rule", "ids"),
    [
        (AudienceRule(everyone=True), {"r3", "r4"}),
        (AudienceRule(roles=frozenset({"staff"})), {"r3", "r4"}),
        (AudienceRule(roles=frozenset({"guardian"})), {"r4", "g1"}),
        (AudienceRule(roles=frozenset({"guardian", "staff"})), {"r3", "r4", "g1"}),
    ],
)
async def test_a_rule_reads_of_the_roster_whom_it_can_mean(rule: AudienceRule, ids: set[str]) -> None:
    """A teacher with a child here is meant as a guardian too; one of the site package is not told twice as staff."""
    people = (SAME_NUMBER, TEACHES, PARENT_TOO)
    family = works(9, "+15550000999", roles=("guardian",))
    school = replace(
        site(staff(1), RosterOf(*people, replace(family, id=PersonId("g1")))), roster_staff=Staff(*people)
    )

    found = [one async for page in of_roster(school, rule) for one in page]

    assert ids == {one.id for one in found if matches(rule, one, at=None, places={})}


HERE, TOGETHER, THERE = (
    works(5, "+15550000501", school="east"),
    works(6, "+15550000502", school="west"),
    works(7, "+15550000503", school="north"),
)
GUARDS = works(8, "+15550000504", roles=("guardian",), school="north")
STAFF = frozenset({"staff"})


@pytest.mark.parametrize(
    ("rule", "ids"),
    [
        (AudienceRule(roles=STAFF), {"r5", "r6"}),
        (AudienceRule(everyone=True), {"r5", "r6"}),
        (AudienceRule(roles=STAFF, schools=frozenset({"west"})), {"r6"}),
        (AudienceRule(roles=STAFF, schools=frozenset({"north"})), {"r7"}),
        (AudienceRule(roles=STAFF | {"guardian"}), {"r5", "r6", "r8"}),
    ],
)
async def test_staff_of_a_rule_that_names_no_school_are_those_of_this_campus(
    rule: AudienceRule, ids: set[str]
) -> None:
    """Of a roster with several; families are all, as they were."""
    people = (HERE, TOGETHER, THERE, GUARDS)
    school = replace(
        site({}, RosterOf(*people)),
        roster_staff=Staff(HERE, TOGETHER, THERE),
        schools=frozenset({"east", "west"}),
    )

    found = [one async for page in of_roster(school, rule) for one in page]

    assert ids == {one.id for one in found if matches(rule, one, at=None, places={})}


async def test_who_works_at_two_schools_is_told_as_either(options: DeskOptions) -> None:
    """The site package knows them as its own: a rule of the other school means them as the roster has them."""
    sms = Carrier()
    both = replace(works(9, "+15550000100"), schools=frozenset({"east", "north"}))
    own = {id_: replace(one, schools=frozenset({"east"})) for id_, one in staff(2, kinds=("sms",)).items()}
    school = replace(
        site(own, audiences={"north": AudienceRule(roles=STAFF, schools=frozenset({"north"}))}),
        roster_staff=Staff(both, THERE),
        schools=frozenset({"east"}),
    )
    async with desk(options, school=school, channels=[Provider(channel=sms)]) as running:
        await running.is_ordered(order(1, audience="all-staff"))
        await running.is_settled(2)
        ours = {row.person for row in await running.rows()}
        await running.is_ordered(order(2, audience="north"))
        await running.is_settled(4)
        theirs = {row.person for row in await running.rows() if row.notice == "ntc_002"}

    assert {"p0", "p1"} == ours
    assert {"r9", "r7"} == theirs


@pytest.mark.parametrize(
    ("rule", "own", "schools"),
    [
        (AudienceRule(roles=STAFF), (), None),
        (AudienceRule(roles=STAFF), ("east", "west"), {"east", "west"}),
        (AudienceRule(everyone=True), ("east",), {"east"}),
        (AudienceRule(roles=STAFF, schools=frozenset({"north"})), (), {"north"}),
        (AudienceRule(roles=STAFF, schools=frozenset({"north"})), ("east",), {"north"}),
        (AudienceRule(roles=frozenset({"guardian"})), ("east",), set()),
        (AudienceRule(roles=STAFF | {"guardian"}, schools=frozenset({"east"})), (), {"east"}),
    ],
)
def test_a_rule_concerns_the_schools_whose_staff_and_families_it_means(
    rule: AudienceRule, own: Collection[str], schools: set[str] | None
) -> None:
    """Where neither rule nor campus names a school, staff are whoever works here: a grant of any school is enough."""
    assert schools == concerned(rule, frozenset(own))
