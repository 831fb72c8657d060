"""The notices of an incident, up to their plan; what became of their deliveries is the notice ledger's business."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import Instant
from belltower.ids import NoticeId
from belltower.incident.facts import NoticeOrdered, NoticePlanned


class NoticeView(Struct, frozen=True, kw_only=True):
    """One notice; what became of its deliveries is the notice ledger's business."""

    id: NoticeId
    revision: int
    template: str
    audience: str
    ordered_at: Instant
    planned_at: Instant | None = None
    people: int = 0
    deliveries: int = 0
    unreachable: int = 0
    # The notices in whose place it stands.
    corrects: tuple[NoticeId, ...] = ()


def notices_after(
    notices: dict[NoticeId, NoticeView], fact: NoticeOrdered | NoticePlanned, at: Instant
) -> dict[NoticeId, NoticeView]:
    """The notices after one was ordered, for the first time, or planned."""
    known = notices.get(fact.notice)
    if isinstance(fact, NoticeOrdered):
        if known is not None:
            return notices
        notice = NoticeView(
            id=fact.notice,
            revision=fact.revision,
            template=fact.template,
            audience=fact.audience,
            ordered_at=at,
            corrects=fact.corrects,
        )
    elif known is None:
        return notices
    else:
        notice = replace(
            known,
            planned_at=at,
            people=fact.people,
            deliveries=fact.deliveries,
            unreachable=fact.unreachable,
        )
    return {**notices, fact.notice: notice}
