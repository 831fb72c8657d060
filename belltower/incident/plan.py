"""What is ordered when something happens: pure, total, and the same for a drill.

The response plan is the site package's; the rules that no plan may bend stand here: the first alarm of a building in
an incident is always a call unless the plan says in so many words that this kind makes none, or what sent it cannot
prove itself; then the first one that can is the call.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from belltower.ids import Ids, PersonId, PlaceId
from belltower.incident import facts
from belltower.incident.facts import Action, AlarmKind, Fact
from belltower.incident.fold import Incident, NoticeView
from belltower.incident.told import put_right
from belltower.incident.updates import cancellations
from belltower.people.person import ContactKind
from belltower.values import Seconds

FALSE_ALARM = "false-alarm"
"""The reason for closing that calls the responders off."""


class NoticePlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One notice to order: a template of the wording set and an audience rule, both by name."""

    template: str
    audience: str


class Response(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one kind of alarm sets off."""

    # Ask the PSAP for help. Only `false` in so many words makes none.
    call: bool = True
    # An action for the whole campus, ordered without waiting for a person; None: a person decides.
    action: Action | None = None
    notices: tuple[NoticePlan, ...] = ()
    # What is switched on, by its name in the settings: sirens, announcements.
    outputs: tuple[str, ...] = ()


class EscalationPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What follows where nobody acknowledges a notice: `[escalation]` of the response plan."""

    # The templates whose readers are to answer. Without any, nobody is waited for.
    templates: tuple[str, ...] = ()
    # Further ways to whoever has not answered, one after another, each where it was not used yet.
    channels: tuple[ContactKind, ...] = ()
    # From one of these ways to the next.
    channel_after: Seconds = 15.0
    # Who is told of those who have not answered; "": nobody.
    audience: str = ""
    person_after: Seconds = 60.0
    # When whoever has still not answered stands on the list for somebody to go.
    runner_after: Seconds = 120.0


class FamiliesPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is made ready for families when an action is ordered; a person sends it: `[families]` of the response plan."""

    # Whom the draft is for; "": none is made ready.
    audience: str = ""
    # After how long the draft promises the next update.
    next_update: Seconds = 1200.0
    # Who is told that a promised update is due; "": it stands on the desk's screens only.
    officer: str = ""


class ResponsePlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The site package's answers."""

    panic: Response = Response()
    medical: Response = Response()
    # Told when a person or the plan orders an action.
    action: tuple[NoticePlan, ...] = ()
    # Told when a telecommunicator has acknowledged.
    acknowledged: tuple[NoticePlan, ...] = ()
    # Told when the incident is closed.
    closed: tuple[NoticePlan, ...] = ()
    # Told more, or told of, because they do not answer.
    escalation: EscalationPlan = EscalationPlan()
    # What families are told by a person's hand.
    families: FamiliesPlan = FamiliesPlan()
    # What is switched on when an action is ordered.
    outputs: dict[Action, tuple[str, ...]] = {}

    def to(self, kind: AlarmKind) -> Response:
        """The answer to an alarm of this kind."""
        return self.medical if kind is AlarmKind.MEDICAL else self.panic

    def rehearsing(self, action: Action | None) -> ResponsePlan:
        """The plan for a drill of this action: it orders no other by itself."""
        panic, medical = (
            response if response.action is action else replace(response, action=None)
            for response in (self.panic, self.medical)
        )
        return replace(self, panic=panic, medical=medical)


def on_alarm(
    alarm: facts.AlarmRaised,
    incident: Incident,
    *,
    first_of_incident: bool,
    plan: ResponsePlan,
    ids: Ids,
    call_number: int,
    exercise_accepted: bool,
) -> list[Fact]:
    """The orders that follow an alarm. `incident` bears its number already; `call_number` is the next unused."""
    response = plan.to(alarm.kind)
    orders: list[Fact] = []
    known = incident.buildings.get(alarm.building)
    first = alarm.number == 1 or (known is not None and not known.proven)
    if response.call and first and not alarm.unproven:
        orders.append(
            facts.CallOrdered(
                call=ids.call(),
                incident=incident.id,
                number=call_number,
                incident_number=incident.number,
                kind=alarm.kind,
                mode=incident.mode,
                place=alarm.place,
                building=alarm.building,
                exercise_accepted=exercise_accepted and incident.mode is facts.Mode.EXERCISE,
            )
        )
    if not first_of_incident:
        return orders
    slots = {"place": alarm.place or "", "kind": alarm.kind.value}
    orders += _notices(response.notices, incident, slots, ids)
    superseded = plan.outputs.get(response.action, ()) if response.action is not None else ()
    orders += [
        _output(name, incident, on=True, kind=alarm.kind, place=alarm.place)
        for name in dict.fromkeys(response.outputs)
        if name not in superseded
    ]
    if response.action is not None:
        orders.append(facts.ActionOrdered(action=response.action))
        orders += on_action(incident, response.action, frozenset(), plan=plan, ids=ids)
    return orders


def on_action(
    incident: Incident, action: Action, places: frozenset[PlaceId], *, plan: ResponsePlan, ids: Ids
) -> list[Fact]:
    """The orders that follow an ordered action."""
    place = min(places) if len(places) == 1 else ""
    named = dict.fromkeys(plan.outputs.get(action, ()))
    # What still tells people to do something else is silenced.
    stale = [
        name
        for name, output in incident.outputs.items()
        if output.on and output.action is not None and name not in named
    ]
    slots = {"action": action.value, "place": place}
    # Whoever was told to do something else hears of it. An order for some places only takes back nothing elsewhere.
    before = [] if places else [one for one in incident.notices.values() if _of_an_action(one, plan)]
    notices = _notices(plan.action, incident, slots, ids, before)
    return [
        *(_output(name, incident, on=True, action=action, place=PlaceId(place) or None) for name in named),
        *(_output(name, incident, on=False) for name in stale),
        *notices,
    ]


def on_not_reached(incident: Incident, output: str, place: PlaceId) -> list[facts.OutputOrdered]:
    """The order to the paging zone of a place whose units are silent; none if it says the action already."""
    standing = incident.outputs.get(output)
    if incident.action is None or (
        standing is not None and standing.on and standing.action is incident.action
    ):
        return []
    return [_output(output, incident, on=True, action=incident.action, place=place)]


def on_told(incident: Incident, output: str) -> list[facts.OutputOrdered]:
    """The order to an output that a notice goes to: it says what stands; none if it says so already."""
    standing = incident.outputs.get(output)
    if standing is not None and standing.on and standing.action is incident.action:
        return []
    if incident.action is not None:
        return [_output(output, incident, on=True, action=incident.action)]
    place = min(incident.places) if len(incident.places) == 1 else None
    return [_output(output, incident, on=True, kind=incident.kind, place=place)]


def on_acknowledged(incident: Incident, *, plan: ResponsePlan, ids: Ids) -> list[Fact]:
    """The orders that follow the first acknowledgement by a telecommunicator; none if they were given before."""
    told = {notice.template for notice in incident.notices.values()}
    owed = tuple(notice for notice in plan.acknowledged if notice.template not in told)
    return _notices(owed, incident, {}, ids)


def on_closed(incident: Incident, by: PersonId, reason: str, *, plan: ResponsePlan, ids: Ids) -> list[Fact]:
    """The orders that follow the closing by `by`: a false alarm also cancels the calls that are not cancelled yet.

    That it is over goes to everybody to whom anything of the incident may have gone, besides its own audience.
    """
    withdrawn: list[Fact] = [*cancellations(incident, by=by)] if reason == FALSE_ALARM else []
    told = incident.notices.values()
    return [*withdrawn, *silenced(incident), *_notices(plan.closed, incident, {"closed_by": by}, ids, told)]


def silenced(incident: Incident) -> list[facts.OutputOrdered]:
    """The orders that end all that is switched on for this incident."""
    return [_output(name, incident, on=False) for name, output in incident.outputs.items() if output.on]


def _output(
    name: str,
    incident: Incident,
    *,
    on: bool,
    kind: AlarmKind | None = None,
    action: Action | None = None,
    place: PlaceId | None = None,
) -> facts.OutputOrdered:
    """The next order to this output in this incident."""
    before = incident.outputs.get(name)
    return facts.OutputOrdered(
        output=name,
        incident=incident.id,
        mode=incident.mode,
        on=on,
        kind=kind,
        action=action,
        place=place,
        order=1 if before is None else before.order + 1,
    )


def _of_an_action(notice: NoticeView, plan: ResponsePlan) -> bool:
    return notice.template in {one.template for one in plan.action}


def _notices(
    plans: tuple[NoticePlan, ...],
    incident: Incident,
    slots: dict[str, str],
    ids: Ids,
    before: Iterable[NoticeView] = (),
) -> list[Fact]:
    """The notices of `plans`; between them they stand in the place of those `before`."""
    return [
        facts.NoticeOrdered(
            notice=ids.notice(),
            revision=1,
            incident=incident.id,
            mode=incident.mode,
            template=plan.template,
            audience=plan.audience,
            slots={**slots, "incident": str(incident.number)},
            corrects=corrects,
        )
        for plan, corrects in zip(
            plans, put_right([(plan.template, plan.audience) for plan in plans], before), strict=True
        )
    ]
