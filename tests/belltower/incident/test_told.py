"""What puts right what was told."""

from itertools import product
from random import Random

import pytest

from belltower.clock import Instant, SystemClock
from belltower.ids import Ids, IncidentId, NoticeId, PersonId, PlaceId
from belltower.incident import plan
from belltower.incident.facts import Action, NoticeOrdered
from belltower.incident.fold import Incident, NoticeView
from belltower.incident.plan import NoticePlan, ResponsePlan
from belltower.incident.told import clearing, clears, correcting, corrects_another, put_right

IDS = Ids(clock=SystemClock())
PLAN = ResponsePlan(
    action=(NoticePlan(template="staff-action", audience="all-staff"),),
    closed=(
        NoticePlan(template="staff-closed", audience="all-staff"),
        NoticePlan(template="staff-closed", audience="response-team"),
        NoticePlan(template="families.lockdown.cleared", audience="families"),
    ),
)


def told(*given: tuple[str, str]) -> dict[NoticeId, NoticeView]:
    views = [
        NoticeView(
            id=NoticeId(f"ntc_{n}"), revision=1, template=template, audience=audience, ordered_at=Instant(n)
        )
        for n, (template, audience) in enumerate(given)
    ]
    return {view.id: view for view in views}


@pytest.mark.parametrize(
    ("template", "wrong", "over"),
    [
        ("staff-alarm", "staff-correction", "staff-closed"),
        ("staff-action", "staff-correction", "staff-closed"),
        ("families.lockdown.now", "families.lockdown.correction", "families.lockdown.cleared"),
        ("families.secure.update", "families.secure.correction", "families.secure.cleared"),
        ("families.site.moved", "families.site.correction", "families-closed"),
        ("families-notice", "families-correction", "families-closed"),
    ],
)
def test_every_text_has_one_that_takes_it_back_and_one_that_ends_it(
    template: str, wrong: str, over: str
) -> None:
    """For the same readers, about the same action."""
    assert (wrong, over) == (correcting(template), clearing(template))
    assert corrects_another(wrong)
    assert clears(over)
    assert not corrects_another(template)
    assert not clears(template)


def test_w17_the_closing_puts_right_all_that_was_told_each_notice_once_for_its_own_readers() -> None:
    """W17, I6: by its own audience where that is told, else by the first of the set; families apart from staff."""
    incident = Incident(
        id=IncidentId("inc_1"),
        notices=told(
            ("staff-alarm", "all-staff"),
            ("staff-acknowledged", "response-team"),
            ("staff-notice", "night-shift"),
            ("families.lockdown.now", "families-7b"),
        ),
    )

    closed = [
        order
        for order in plan.on_closed(incident, PersonId("p1"), "over", plan=PLAN, ids=IDS)
        if isinstance(order, NoticeOrdered)
    ]

    assert [("ntc_0", "ntc_2"), ("ntc_1",), ("ntc_3",)] == [order.corrects for order in closed]


def test_w17_whatever_was_told_to_a_set_that_hears_of_the_end_is_put_right_exactly_once() -> None:
    """W17: over every small plan and every small past."""
    texts = ("staff-alarm", "families.hold.now")
    rules = ("a", "b")
    random = Random(17)
    pairs = list(product(texts, rules))
    for _ in range(500):
        said = random.choices(pairs, k=random.randrange(4))
        before = told(*random.choices(pairs, k=random.randrange(6)))
        right = [notice for notices in put_right(said, before.values()) for notice in notices]
        heard = {template for template, _ in said}

        assert sorted(right) == sorted(one.id for one in before.values() if one.template in heard)


def test_w18_an_action_for_all_goes_to_whoever_was_told_to_do_another_and_one_for_a_place_takes_nothing_back() -> (
    None
):
    """W18: the alarm itself was not wrong."""
    incident = Incident(
        id=IncidentId("inc_1"), notices=told(("staff-alarm", "all-staff"), ("staff-action", "all-staff"))
    )

    def corrects(*places: str) -> list[tuple[NoticeId, ...]]:
        ordered = plan.on_action(
            incident, Action.EVACUATE, frozenset(map(PlaceId, places)), plan=PLAN, ids=IDS
        )
        return [order.corrects for order in ordered if isinstance(order, NoticeOrdered)]

    assert [("ntc_1",)] == corrects()
    assert [()] == corrects("b204")
