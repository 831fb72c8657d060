"""Which outputs are ordered on and off."""

from random import Random

from belltower.clock import SystemClock
from belltower.ids import AlarmId, Ids, IncidentId, PersonId, PlaceId
from belltower.incident import facts, plan
from belltower.incident.entry import Entry
from belltower.incident.facts import Action, AlarmKind, Mode, OutputOrdered
from belltower.incident.fold import Incident, fold
from belltower.incident.plan import Response, ResponsePlan

INCIDENT = IncidentId("inc_1")
IDS = Ids(clock=SystemClock(), random_bytes=Random(1).randbytes)
PLAN = ResponsePlan(
    panic=Response(outputs=("strobe", "page")),
    medical=Response(action=Action.HOLD, outputs=("page",)),
    outputs={Action.HOLD: ("page", "gym"), Action.LOCKDOWN: ("page",)},
)
ALARM = facts.AlarmRaised(
    alarm=AlarmId("alm_1"),
    incident=INCIDENT,
    kind=AlarmKind.PANIC,
    mode=Mode.EXERCISE,
    place=PlaceId("b204"),
    building="B",
    number=1,
)


def outputs(orders):
    """The orders to outputs alone."""
    return [order for order in orders if isinstance(order, OutputOrdered)]


def after(*happened) -> Incident:
    """The incident after these facts."""
    opened = facts.IncidentOpened(incident=INCIDENT, alarm=ALARM.alarm, mode=ALARM.mode, number=3)
    entries = [
        Entry(id=f"fct_{n}", stream="alarm", position=n, at=n, subject=INCIDENT, fact=fact)
        for n, fact in enumerate((ALARM, opened, *happened), start=1)
    ]
    return fold(INCIDENT, entries)


def on_alarm(alarm, *, first=True):
    """What follows an alarm."""
    given = {"plan": PLAN, "ids": IDS, "call_number": 1, "exercise_accepted": False}
    return outputs(plan.on_alarm(alarm, after(), first_of_incident=first, **given))


def test_the_first_alarm_switches_on_what_its_kind_names():
    """Once, with the mode of the incident; a later alarm of the incident nothing."""
    orders = on_alarm(ALARM)

    assert [("strobe", 1), ("page", 1)] == [(order.output, order.order) for order in orders]
    assert {(True, Mode.EXERCISE, AlarmKind.PANIC, "b204")} == {
        (o.on, o.mode, o.kind, o.place) for o in orders
    }
    assert [] == on_alarm(ALARM, first=False)


def test_an_action_of_the_plan_is_announced_instead_of_the_alarm():
    """An output named for both says what to do."""
    medical = facts.AlarmRaised(**{**_fields(ALARM), "kind": AlarmKind.MEDICAL})

    assert [("page", Action.HOLD), ("gym", Action.HOLD)] == [
        (order.output, order.action) for order in on_alarm(medical)
    ]


def test_another_action_replaces_the_first_and_silences_what_is_stale():
    """What still told people to hold is off; a strobe of the alarm stays."""
    before = after(*on_alarm(ALARM))
    held = after(
        *on_alarm(ALARM), *outputs(plan.on_action(before, Action.HOLD, frozenset(), plan=PLAN, ids=IDS))
    )
    orders = outputs(plan.on_action(held, Action.LOCKDOWN, frozenset({PlaceId("b204")}), plan=PLAN, ids=IDS))

    assert [("page", True, 3), ("gym", False, 2)] == [(o.output, o.on, o.order) for o in orders]
    assert "b204" == orders[0].place


def test_closing_switches_off_what_is_on():
    """Everything, once."""
    standing = after(*on_alarm(ALARM))
    orders = outputs(plan.on_closed(standing, PersonId("p1"), "over", plan=PLAN, ids=IDS))

    assert [("strobe", False, 2), ("page", False, 2)] == [(o.output, o.on, o.order) for o in orders]
    off = after(*on_alarm(ALARM), *orders)
    assert [] == outputs(plan.on_closed(off, PersonId("p1"), "over", plan=PLAN, ids=IDS))


def _fields(record):
    return {name: getattr(record, name) for name in record.__struct_fields__}
