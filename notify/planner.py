"""From an ordered notice to one row per address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import islice
from zoneinfo import ZoneInfo

from msgspec import Struct

from belltower import log
from belltower.clock import Clock, aware
from belltower.ids import DeliveryId, Ids, PersonId, PlaceId, StreamName
from belltower.incident.entry import Draft, Entry
from belltower.incident.facts import DeliverySettled, Fact, Mode, NoticeOrdered, NoticePlanned, Outcome
from belltower.journal import UNPLACED, Durability, Journal
from belltower.people.person import ContactKind, Person
from belltower.store import CHUNK, Params, Transaction
from floorplans.place import spoken
from notify.audience import AudienceRule, matches
from notify.delivery import State
from notify.ledger import At, nowhere
from notify.segments import segments
from notify.site import NoticeSite
from notify.store import ADD_DELIVERY, ADD_PERSON, DeliveryTables, Ordered
from notify.wording import CAMPUS, FALLBACK, MOST_PARTS, Slots, Text

_log = log.get("notify")


SUPERSEDES: dict[str, frozenset[str]] = {
    "staff-action": frozenset({"staff-action"}),
    "staff-closed": frozenset({"staff-alarm", "staff-action", "staff-acknowledged", "staff-closed"}),
}
"""Which earlier notices of the same incident a template makes pointless where they have not left yet."""

_ROUTINE = frozenset({"test"})
_PEOPLE_AT_ONCE = 1_000
_FACTS_AT_ONCE = 500


class Plan(Struct):
    """What one notice comes to; filled chunk by chunk."""

    people: int = 0
    rows: list[Params] = []
    others: list[Params] = []
    unreachable: int = 0
    unsendable: list[tuple[DeliveryId, PersonId, str, str]] = []


class Planner:
    """Follows the alarm stream and plans every notice ordered there. Planning twice adds nothing."""

    def __init__(
        self,
        *,
        journal: Journal[Fact],
        stream: StreamName,
        tables: DeliveryTables,
        site: Callable[[], NoticeSite],
        channels: frozenset[str],
        clock: Clock,
        ids: Ids,
        bell: Callable[[], None],
        at: At = nowhere,
    ) -> None:
        self._journal = journal
        self._stream = stream
        self._tables = tables
        self._site = site
        self._channels = channels
        self._clock = clock
        self._ids = ids
        self._bell = bell
        self._at = at

    async def run(self) -> None:
        """For ever, from the bookmark on."""
        after = await self._journal.bookmark(bookmark(self._stream))
        async for entry in self._journal.follow(after=after, kinds=(NoticeOrdered,), stream=self._stream):
            await self.plan(entry)

    async def plan(self, entry: Entry) -> None:
        """Resolve the audience once and write everything down; returns when it is safe."""
        order = entry.fact
        assert isinstance(order, NoticeOrdered)  # noqa: S101 - asked for by kind
        self._at("planner.got")
        site = self._site()
        place = order.slots.get("place", "") or await self._tables.place_of(order.incident)
        ordered = self._ordered(entry, order, place, site)
        plan = await self._resolve(order, ordered, site)
        self._at("planner.resolved")
        tx = Transaction()
        self._tables.add_notice(tx, ordered)
        self._tables.supersede(tx, ordered, SUPERSEDES.get(order.template, frozenset()))
        if len(plan.rows) + len(plan.others) > CHUNK:
            await self._record(tx, [])
            self._at("planner.between_chunks")
            await self._tables.add_many(ADD_DELIVERY, plan.rows, progress=self._progress)
            await self._tables.add_many(ADD_PERSON, plan.others)
            tx = Transaction()
        else:
            tx.rows(ADD_DELIVERY, plan.rows)
            tx.rows(ADD_PERSON, plan.others)
        await self._tell_unsendable(order, plan)
        if entry.position != UNPLACED:
            self._journal.keep_bookmark(tx, bookmark(self._stream), entry.position)
        self._at("planner.before_commit")
        await self._record(tx, [self._planned(order, plan)])
        self._at("planner.after_commit")
        self._bell()
        _log.info("notice_planned", notice=order.notice, people=plan.people, deliveries=len(plan.rows))

    def _progress(self, _done: int, _total: int) -> None:
        self._bell()
        self._at("planner.chunk")

    async def _record(self, tx: Transaction, drafts: list[Draft]) -> None:
        durable = await self._journal.commit(tx, drafts)
        if durable is Durability.UNRECORDED:
            _log.error("plan_unrecorded")

    def _planned(self, order: NoticeOrdered, plan: Plan) -> Draft:
        return Draft(
            id=self._ids.fact(),
            at=self._clock.now(),
            subject=order.incident,
            fact=NoticePlanned(
                notice=order.notice,
                revision=order.revision,
                people=plan.people,
                deliveries=len(plan.rows),
                unreachable=plan.unreachable,
            ),
        )

    async def _tell_unsendable(self, order: NoticeOrdered, plan: Plan) -> None:
        for start in range(0, len(plan.unsendable), _FACTS_AT_ONCE):
            await self._record(
                Transaction(),
                [
                    Draft(
                        id=self._ids.fact(),
                        at=self._clock.now(),
                        subject=order.incident,
                        fact=DeliverySettled(
                            delivery=delivery,
                            notice=order.notice,
                            revision=order.revision,
                            person=person,
                            channel=channel,
                            outcome=Outcome.REFUSED,
                            reason=reason,
                        ),
                    )
                    for delivery, person, channel, reason in plan.unsendable[start : start + _FACTS_AT_ONCE]
                ],
            )

    async def _resolve(self, order: NoticeOrdered, ordered: Ordered, site: NoticeSite) -> Plan:
        rule = site.audiences.get(order.audience)
        if rule is None:  # rather too many than nobody; `belltower check` refuses such a package
            _log.error("audience_unknown", notice=order.notice, audience=order.audience)
            rule = AudienceRule(everyone=True)
        at = None if _everywhere(order) else site.places.get(PlaceId(ordered.place))
        plan = Plan()
        seen: dict[tuple[str, str], DeliveryId] = {}
        people = iter(site.people.values())
        while chunk := list(islice(people, _PEOPLE_AT_ONCE)):
            for person in chunk:
                if matches(rule, person, at=at, places=site.places):
                    self._add(plan, seen, ordered, person)
            await asyncio.sleep(0)
        return plan

    def _add(
        self, plan: Plan, seen: dict[tuple[str, str], DeliveryId], ordered: Ordered, person: Person
    ) -> None:
        plan.people += 1
        if not person.contacts:
            plan.unreachable += 1
            plan.others.append(self._other(ordered, person, "", "no_address"))
        for contact in person.contacts:
            key = (contact.kind.value, contact.address)
            shared = seen.get(key)
            if shared is not None:
                plan.others.append(self._other(ordered, person, shared, "shared"))
                continue
            id_ = seen[key] = self._ids.delivery()
            reason = self._unsendable(ordered, contact.kind)
            if reason:
                plan.unsendable.append((id_, person.id, contact.kind.value, reason))
            plan.rows.append(
                {
                    "id": id_,
                    "notice": ordered.notice,
                    "revision": ordered.revision,
                    "incident": ordered.incident,
                    "person": person.id,
                    "channel": contact.kind.value,
                    "address": contact.address,
                    "state": State.REFUSED.value if reason else State.PENDING.value,
                    "reason": reason,
                    "urgency": ordered.urgency,
                }
            )

    def _unsendable(self, ordered: Ordered, kind: ContactKind) -> str:
        if kind.value not in self._channels:
            return "no_channel"
        return "" if kind.value in ordered.texts else "too_long"

    @staticmethod
    def _other(ordered: Ordered, person: Person, delivery: str, reason: str) -> Params:
        return {
            "notice": ordered.notice,
            "revision": ordered.revision,
            "person": person.id,
            "delivery": delivery,
            "reason": reason,
        }

    def _ordered(self, entry: Entry, order: NoticeOrdered, place: str, site: NoticeSite) -> Ordered:
        slots = Slots(
            school=site.school,
            place=_spoken(order, place, site),
            time=aware(entry.at).astimezone(ZoneInfo(site.timezone)).strftime("%H:%M"),
            action=order.slots.get("action", ""),
            incident=order.slots.get("incident", ""),
            url=site.incident_url.replace("{incident}", order.incident),
        )
        return Ordered(
            notice=order.notice,
            revision=order.revision,
            incident=order.incident,
            template=order.template,
            place=place,
            mode=order.mode,
            urgency=1 if order.template in _ROUTINE or order.mode is Mode.EXERCISE else 0,
            ordered_at=entry.at,
            texts={
                channel: (text.subject, text.body)
                for channel, text in _texts(order, site, slots)
                if text.body
            },
        )


def bookmark(stream: StreamName) -> str:
    """The planner's bookmark: each stream has its own, so that a fresh one is planned from its first entry."""
    return f"notify.planner:{stream}"


def _everywhere(order: NoticeOrdered) -> bool:
    return order.template == "staff-action" and not order.slots.get("place")


def _spoken(order: NoticeOrdered, place: str, site: NoticeSite) -> str:
    if _everywhere(order):
        return CAMPUS
    known = site.places.get(PlaceId(place))
    return spoken(known) if known is not None else ""


def _texts(order: NoticeOrdered, site: NoticeSite, slots: Slots) -> Iterator[tuple[str, Text]]:
    for kind in ContactKind:
        for template in (order.template, FALLBACK):
            text = site.wording.render(
                template=template, channel=kind.value, language=site.language, mode=order.mode, slots=slots
            )
            if kind is not ContactKind.SMS or segments(text.body).parts <= MOST_PARTS:
                yield kind.value, text
                break
            _log.error("notice_too_long", notice=order.notice, template=template)
