"""Nothing arrived, and may never: whoever may not be reached is told by an address of another kind."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from belltower.ids import NoticeId, PersonId
from belltower.incident.facts import NoticeOrdered
from belltower.people.person import Contact, Person
from belltower.store import Transaction
from notify.audience import AudienceRule
from notify.escalation import ELSEWHERE, unused
from notify.escalation_pen import EscalationPen, Help
from notify.escalation_store import EscalationTables, Standing
from notify.order_store import KeptOrder
from notify.site import NoticeSite
from notify.snapshot import Batch
from notify.store import Ordered

_REMEMBERED = 256


class Elsewhere:
    """Finds other ways, of urgent notices that did not go out by all of them at once."""

    def __init__(
        self,
        *,
        tables: EscalationTables,
        pen: EscalationPen,
        paused: Callable[[], frozenset[str]],
    ) -> None:
        """`paused` are the channels none of whose providers takes anything now."""
        self._tables = tables
        self._pen = pen
        self._paused = paused
        # People of late for whom there is no other way, by notice.
        self._hopeless: OrderedDict[NoticeId, set[PersonId]] = OrderedDict()

    async def help(self, tx: Transaction, standing: Standing, kept: KeptOrder) -> Help:
        """Rows for those for whom there is another way; more where something may still fail."""
        ordered, site = standing.ordered, self._pen.site()
        # Who is not kept to some ways was told by all of them at once.
        if ordered.urgency or not (await self._rule(kept.order, site)).channels:
            return Help(batch=Batch())
        hopeless = self._hopeless_of(ordered.notice)
        doubtful = await self._tables.doubtful(ordered, paused=self._paused())
        given: list[tuple[Person, Contact]] = []
        for person in await _known((one for one in doubtful if one not in hopeless), site):
            contact = await self._other_way(ordered, person)
            if contact is None:
                hopeless.add(person.id)
            else:
                given.append((person, contact))
        batch = await self._pen.add(tx, given, ordered, kept)
        return Help(
            batch=batch,
            drafts=[
                self._pen.escalated(ordered, person.id, 1, contact.kind.value) for person, contact in given
            ],
            more=bool(batch.rows) or await self._tables.under_way(ordered),
        )

    async def _other_way(self, ordered: Ordered, person: Person) -> Contact | None:
        """An unused address of a person to whom no other delivery of the notice is known to have gone."""
        marks = self._pen.tables.addresses.marks
        taken: set[tuple[str, str]] = set()
        for contact in person.contacts:
            kind = contact.kind.value
            for mark in marks(kind, contact.address):
                state = await self._tables.state_at(ordered, kind, mark)
                if state in {"accepted", "delivered", "read"}:
                    return None
                if state:
                    taken.add((kind, mark))
        return unused(person, ELSEWHERE, taken=taken, served=self._pen.served(), marks=marks)

    def _hopeless_of(self, notice: NoticeId) -> set[PersonId]:
        hopeless = self._hopeless.setdefault(notice, set())
        while len(self._hopeless) > _REMEMBERED:
            self._hopeless.popitem(last=False)
        return hopeless

    async def _rule(self, order: NoticeOrdered, site: NoticeSite) -> AudienceRule:
        if not order.audience:
            return await self._pen.tables.rule_of(order.notice) or AudienceRule()
        return site.audiences.get(order.audience) or AudienceRule()


async def _known(wanted: Iterable[PersonId], site: NoticeSite) -> Sequence[Person]:
    """Those of the wanted whom the site or its roster knows."""
    left = set(wanted)
    found = [site.people[one] for one in left if one in site.people]
    left -= {person.id for person in found}
    if left and site.roster is not None:
        async for people in site.roster.people():
            found += [person for person in people if person.id in left]
            left -= {person.id for person in people}
            if not left:
                break
    return found
