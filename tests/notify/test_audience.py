"""Who is meant: roles, nearness, and whom nothing reaches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from belltower.ids import PersonId, PlaceId
from belltower.people.person import Contact, ContactKind, Person
from floorplans.place import Place
from notify.audience import AudienceRule, Within, matches, narrowed, resolve

PLACES = {
    PlaceId(f"{building}-{room}"): Place(id=PlaceId(f"{building}-{room}"), label=str(room), building=building)
    for building in "AB"
    for room in (1, 2)
}
HERE = PLACES[PlaceId("A-1")]


def person(
    name: str, *, places: tuple[str, ...] = (), roles: tuple[str, ...] = ("staff",), reach: int = 1
) -> Person:
    return Person(
        id=PersonId(name),
        name=name,
        roles=frozenset(roles),
        places=frozenset(PlaceId(place) for place in places),
        contacts=tuple(Contact(kind=ContactKind.SMS, address=f"+1555{name}{n}") for n in range(reach)),
    )


def meant(rule: AudienceRule, *people: Person, at: Place | None = HERE) -> list[str]:
    return [one.id for one in people if matches(rule, one, at=at, places=PLACES)]


def test_any_one_role_is_enough() -> None:
    """Roles are alternatives; no role means any."""
    people = (person("n", roles=("nurse",)), person("s"), person("c", roles=("cook", "staff")))

    assert ["n", "s", "c"] == meant(AudienceRule(roles=frozenset({"nurse", "staff"})), *people)
    assert ["n"] == meant(AudienceRule(roles=frozenset({"nurse"})), *people)
    assert ["n", "s", "c"] == meant(AudienceRule(), *people)


def test_nearness_grows_from_place_to_building_to_campus() -> None:
    """People without places belong to the whole campus, and so are near to everything."""
    people = (
        person("here", places=("A-1",)),
        person("near", places=("A-2",)),
        person("far", places=("B-1",)),
        person("all"),
    )

    assert ["here", "all"] == meant(AudienceRule(within=Within.PLACE), *people)
    assert ["here", "near", "all"] == meant(AudienceRule(within=Within.BUILDING), *people)
    assert ["here", "near", "far", "all"] == meant(AudienceRule(within=Within.CAMPUS), *people)


def test_an_unknown_place_concerns_everybody() -> None:
    """Rather too many than too few; the same for a person whose place is on no plan."""
    people = (person("far", places=("B-1",)), person("lost", places=("gone",)))

    assert ["far", "lost"] == meant(AudienceRule(within=Within.PLACE), *people, at=None)
    assert ["lost"] == meant(AudienceRule(within=Within.BUILDING), *people)


def test_everyone_is_everyone() -> None:
    """Whatever else the rule says."""
    rule = AudienceRule(everyone=True, roles=frozenset({"nobody"}), within=Within.PLACE)

    assert ["far"] == meant(rule, person("far", places=("B-1",)))


@given(st.lists(st.integers(0, 3), max_size=30))
def test_every_person_meant_is_reached_or_listed(reaches: list[int]) -> None:
    """I5 begins here: nobody falls between."""
    people = [person(str(n), reach=reach) for n, reach in enumerate(reaches)]

    snapshot = resolve(AudienceRule(), people, at=HERE, places=PLACES)

    reached = {recipient.person for recipient in snapshot.recipients}
    assert {one.id for one in people} == reached | set(snapshot.unreachable)
    assert not reached & set(snapshot.unreachable)
    assert len(people) == snapshot.people


def test_what_is_chosen_beside_a_named_audience_narrows_it() -> None:
    """U2: every key, each by what both name; what one names alone stands."""
    families = AudienceRule(roles=frozenset({"guardian", "contact"}), schools=frozenset({"oak"}))
    chosen = AudienceRule(
        roles=frozenset({"guardian"}), classes=frozenset({"7b"}), channels=frozenset({ContactKind.EMAIL})
    )

    assert families == narrowed(families, AudienceRule())
    assert replace(chosen, schools=frozenset({"oak"})) == narrowed(families, chosen)
    assert replace(families, on_site=True) == narrowed(families, AudienceRule(on_site=True))


@pytest.mark.parametrize(
    ("rule", "by"),
    [
        (AudienceRule(roles=frozenset({"guardian"})), AudienceRule(roles=frozenset({"staff"}))),
        (AudienceRule(within=Within.BUILDING), AudienceRule(roles=frozenset({"guardian"}))),
        (AudienceRule(schools=frozenset({"oak"})), AudienceRule(schools=frozenset({"elm"}))),
        (AudienceRule(everyone=True), AudienceRule(classes=frozenset({"7b"}))),
    ],
)
def test_what_nobody_can_be_is_no_audience(rule: AudienceRule, by: AudienceRule) -> None:
    """Nor does anything chosen beside it make an audience wider, or leave one as wide as if nothing had been chosen."""
    assert narrowed(rule, by) is None
