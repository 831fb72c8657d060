"""Whose right a notice that was ordered asks for when somebody decides about it later."""

from __future__ import annotations

from belltower.incident.facts import NoticeOrdered
from notify.audience import AudienceRule, concerned
from notify.site import NoticeSite
from notify.store import DeliveryTables


async def concerns(order: NoticeOrdered, site: NoticeSite, tables: DeliveryTables) -> frozenset[str] | None:
    """The schools, as `notify.audience.concerned` says; of an audience that is not known any more, all there are."""
    known = site.audiences.get(order.audience) if order.audience else None
    rule = (
        known
        or await tables.rule_of(order.notice)
        or AudienceRule(everyone=True, roles=frozenset({"guardian"}))
    )
    return concerned(rule, site.schools)
