"""`response.toml` and `audiences.toml`: what is set off, and who is meant."""

from __future__ import annotations

from collections.abc import Mapping

from belltower.ids import PersonId
from belltower.incident.plan import EscalationPlan, NoticePlan, ResponsePlan
from belltower.incident.told import Readers, readers
from belltower.people import Person
from belltower.values import Reader
from gateway.site_package.checks import listed, numbered
from notify.audience import AudienceRule, idle_keys, resolve
from notify.wording import WordingSet

_LEAST_WAIT = 5.0


def take_audiences(reader: Reader) -> dict[str, AudienceRule]:
    """The audiences by name, without those that are at fault."""
    taken = {name: reader.take(AudienceRule, table, name) for name, table in reader.load().items()}
    known = {name: rule for name, rule in taken.items() if rule is not None}
    for name, rule in known.items():
        if idle := idle_keys(rule):
            reader.fault(
                f"{name}.everyone", f"with it nothing narrows whom is meant; remove it, or {listed(idle)}"
            )
    return known


def check_response(
    reader: Reader,
    plan: ResponsePlan,
    *,
    audiences: Mapping[str, AudienceRule],
    staff: Mapping[PersonId, Person],
    wording: WordingSet,
) -> None:
    """Whoever is named is somebody, and whatever is to be said has words."""
    if not plan.panic.call:
        reader.fault("panic.call", "a panic alarm always calls the PSAP; remove the line")
    _check_escalation(reader, plan.escalation, audiences, wording)
    for key, audience in (("audience", plan.families.audience), ("officer", plan.families.officer)):
        _check_audience(reader, f"families.{key}", audience, audiences)
    said: dict[str, tuple[NoticePlan, ...]] = {
        "panic.notices": plan.panic.notices,
        "medical.notices": plan.medical.notices,
        "action": plan.action,
        "acknowledged": plan.acknowledged,
        "closed": plan.closed,
    }
    for at, notice in [each for table, notices in said.items() for each in numbered(table, notices)]:
        if not wording.knows(notice.template):
            reader.fault(f"{at}.template", f'the wording has no template "{notice.template}"')
        rule = audiences.get(notice.audience)
        if rule is None:
            _no_audience(reader, f"{at}.audience", notice.audience, audiences)
        elif staff and not resolve(rule, staff.values(), at=None, places={}).people:
            reader.fault(f"{at}.audience", f'"{notice.audience}" comes to nobody in people.toml')


def _check_escalation(
    reader: Reader, plan: EscalationPlan, audiences: Mapping[str, AudienceRule], wording: WordingSet
) -> None:
    for template in plan.templates:
        if readers(template) is not Readers.STAFF:
            reader.fault(
                "escalation.templates",
                f'"{template}" is for families; only the staff is waited for: name staff templates',
            )
        elif not wording.knows(template):
            reader.fault("escalation.templates", f'the wording has no template "{template}"')
    _check_audience(reader, "escalation.audience", plan.audience, audiences)
    if plan.channels and plan.channel_after < _LEAST_WAIT:
        reader.fault("escalation.channel_after", f'shorter than {_LEAST_WAIT:g} s; write "15s"')


def _check_audience(reader: Reader, at: str, audience: str, audiences: Mapping[str, AudienceRule]) -> None:
    """One that may be left out."""
    if audience and audience not in audiences:
        _no_audience(reader, at, audience, audiences)


def _no_audience(reader: Reader, at: str, audience: str, audiences: Mapping[str, AudienceRule]) -> None:
    reader.fault(at, f'audiences.toml has no "{audience}"; known: {listed(audiences)}')
