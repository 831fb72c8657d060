"""Who hears of it where one person sends what takes two: all administrators, in the same commit."""

from __future__ import annotations

from msgspec.structs import replace

from belltower import log
from belltower.ids import NoticeId
from belltower.incident.facts import NoticeOrdered
from belltower.store import Transaction
from notify.draft import ADMINISTERING, ADMINISTRATORS, ALL_STAFF, ALONE, Draft
from notify.site import NoticeSite
from notify.store import DeliveryTables
from notify.whom import Whom

_log = log.get("notify")


async def told_of_it(
    tx: Transaction, sent: Draft, notice: NoticeId, *, site: NoticeSite, whom: Whom, tables: DeliveryTables
) -> NoticeOrdered:
    """The notice that tells them; where no administrator can be reached, it is for all of the staff."""
    order = NoticeOrdered(
        notice=notice,
        revision=1,
        incident=sent.order.incident,
        mode=sent.order.mode,
        template=ALONE,
        audience="",
        slots={},
        by=sent.order.by,
    )
    named = site.audiences.get(ADMINISTRATORS)
    rule = named or ADMINISTERING
    if (await whom.count(order, rule)).loads:
        if named is not None:
            return replace(order, audience=ADMINISTRATORS)
    else:
        _log.warning("no_administrators", notice=notice)
        rule = ALL_STAFF
    tables.add_rule(tx, notice, rule)
    return order
