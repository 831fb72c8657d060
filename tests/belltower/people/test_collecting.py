"""Who may collect whom, by the records: precedence, dates, and what never says yes."""

from datetime import date, timedelta
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.people.collecting import Says, Word, collecting, strength
from belltower.people.roster import HumanKey, Link, LinkSource, MayCollect, Relation

TODAY = date(2026, 11, 23)  # a Monday
DAY = timedelta(days=1)


def link(
    source: LinkSource = LinkSource.SIS, may: MayCollect | None = MayCollect.YES, **more: object
) -> Link:
    return Link(
        student=HumanKey("student/1"),
        adult=HumanKey("guardian/1"),
        relation=Relation.GUARDIAN,
        source=source,
        may_collect=may,
        **more,
    )


LINKS = st.builds(
    link,
    source=st.sampled_from(LinkSource),
    may=st.sampled_from([None, *MayCollect]),
    begins=st.none() | st.dates(TODAY - 3 * DAY, TODAY + 3 * DAY),
    ends=st.none() | st.dates(TODAY - 3 * DAY, TODAY + 3 * DAY),
    weekdays=st.frozensets(st.integers(0, 6)),
    restraining=st.booleans(),
    restrictions=st.sampled_from(["", " ", "only with the aunt"]),
)


@pytest.mark.parametrize(("weaker", "stronger"), list(combinations(LinkSource, 2)))
def test_p15_the_stronger_record_decides_whatever_the_weaker_says(
    weaker: LinkSource, stronger: LinkSource
) -> None:
    """P15: every pair of sources, both ways round; a restraining order is a no whatever else stands in it."""
    for low, high in product([None, *MayCollect], repeat=2):
        alone = collecting([link(stronger, high)], on=TODAY)
        both = [link(weaker, low), link(stronger, high)]

        assert alone == collecting(both, on=TODAY) == collecting(reversed(both), on=TODAY)
        if stronger is LinkSource.RESTRAINING_ORDER:
            assert Says.NO is alone.says


@pytest.mark.parametrize(
    ("begins", "ends", "says", "outside"),
    [
        (TODAY, TODAY, Says.YES, None),
        (TODAY + DAY, None, Says.READ, TODAY + DAY),
        (None, TODAY - DAY, Says.READ, TODAY - DAY),
        (TODAY - DAY, TODAY + DAY, Says.YES, None),
    ],
)
def test_p15_an_order_counts_on_its_first_and_its_last_day_and_is_read_outside_them(
    begins: date | None, ends: date | None, says: Says, outside: date | None
) -> None:
    """P15: it never falls back to the weaker record, which says yes."""
    order = link(LinkSource.COURT_ORDER, begins=begins, ends=ends)
    word = collecting([link(LinkSource.SIS), order], on=TODAY)

    assert Word(says=says, source=LinkSource.COURT_ORDER, outside=outside) == word


@pytest.mark.parametrize("day", range(7))
def test_an_adult_collects_on_the_weekdays_of_the_record(day: int) -> None:
    """0 is Monday, as in the files."""
    assert (Says.YES if day == 0 else Says.NO) is collecting([link(weekdays=frozenset({day}))], on=TODAY).says


@given(links=st.lists(LINKS, min_size=1, max_size=5), on=st.dates(TODAY - 5 * DAY, TODAY + 5 * DAY))
def test_nothing_but_a_plain_yes_in_force_says_yes(links: list[Link], on: date) -> None:
    """All of the strongest records say it in so many words, within their dates, for this day of the week."""
    word = collecting(links, on=on)
    top = [one for one in links if strength(one) == max(map(strength, links))]

    assert (word.says is Says.YES) == all(
        one.may_collect is MayCollect.YES
        and not one.restraining
        and one.source is not LinkSource.RESTRAINING_ORDER
        and not one.restrictions.strip()
        and (one.begins is None or one.begins <= on)
        and (one.ends is None or on <= one.ends)
        and (not one.weekdays or on.weekday() in one.weekdays)
        for one in top
    )


@given(links=st.lists(LINKS, max_size=4), more=LINKS, on=st.dates(TODAY - 5 * DAY, TODAY + 5 * DAY))
def test_a_record_that_is_no_weaker_never_makes_the_answer_less_careful(
    links: list[Link], more: Link, on: date
) -> None:
    """One more record of the same rank can only make it more careful."""
    top = max(map(strength, links), default=-1)
    if links and strength(more) == top:
        assert collecting([*links, more], on=on).says <= collecting(links, on=on).says


def test_no_record_and_no_word_are_no_right() -> None:
    """Both count as no; a contact of a roster alone says nothing (P4)."""
    assert Word(says=Says.NOTHING) == collecting([], on=TODAY)
    assert Says.NOTHING is collecting([link(may=None)], on=TODAY).says


def test_records_of_two_people_are_not_mixed() -> None:
    """A name that is nearly the same is another person."""
    other = Link(student=HumanKey("student/1"), adult=HumanKey("guardian/2"), relation=Relation.GUARDIAN)

    with pytest.raises(ValueError, match="more than one"):
        collecting([link(), other], on=TODAY)
