"""Writing a notice: look at it in every language, count whom it means, try it on a few, and let it go.

What may be chosen says `choice.py`, whom a draft means `whom.py`. What is sent stands in the desk's own journal, in one
commit with the draft's new state: asking twice sends once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec.structs import replace

from belltower import log
from belltower.clock import Clock, Instant
from belltower.errors import Conflict, NotFound, NotPermitted, StoreError, WrongState
from belltower.ids import Ids, IncidentId, NoticeId, PersonId, StreamName, VerbId
from belltower.incident.entry import Draft as Writing
from belltower.incident.facts import Fact, Mode, NoticeApproved, NoticeOrdered
from belltower.incident.fold import Incident, fold
from belltower.journal import Durability, Journal
from belltower.people.grant import Allowed, Right, nobody
from belltower.store import Transaction
from notify.alone import told_of_it
from notify.audience import AudienceRule, concerned
from notify.choice import Choice, audience_of, check_choice
from notify.draft import (
    REASONS,
    TEST_GROUP,
    Draft,
    DraftState,
    drifted,
    promising,
)
from notify.draft_tables import DraftTables
from notify.family_sites import FamilySites, Placed, check_alone
from notify.permitted import check_incident, check_text
from notify.promises import is_past
from notify.quiet import LOUD, quiet_until
from notify.site import NoticeSite
from notify.stops import Stops
from notify.store import DeliveryTables
from notify.whom import Whom
from notify.wording import exercise_only, for_families

_log = log.get("notify")


class Changed(WrongState):
    """The audience is not what somebody looked at; the draft now says what it is."""


class Composer:
    """Drafts, tests and sends. Every verb may be asked twice; it is done once."""

    def __init__(
        self,
        *,
        drafts: DraftTables,
        sites: FamilySites,
        tables: DeliveryTables,
        journal: Journal[Fact],
        stream: StreamName,
        site: Callable[[], NoticeSite],
        served: frozenset[str],
        stops: Callable[[], Awaitable[Stops]],
        clock: Clock,
        ids: Ids,
        allowed: Allowed = nobody,
        drilling: Callable[[], bool] = lambda: False,
    ) -> None:
        """Keep what it is made of. `served` are the kinds of address that something is set up for.

        `allowed` is asked before anything is done for somebody: a page is no lock.

        `stream` is the alarm lane's: a notice may be about its incidents.
        """
        self.drafts = drafts
        self.served = served
        self._sites = sites
        self._tables = tables
        self._journal = journal
        self._stream = stream
        self._site = site
        self._clock = clock
        self._ids = ids
        self._allowed = allowed
        self._drilling = drilling
        self._whom = Whom(tables=tables, site=site, served=served, stops=stops, clock=clock, ids=ids)

    async def write(self, verb: VerbId, choice: Choice, by: PersonId) -> Draft:
        """A draft of this choice, counted. Raises `Refused`: it can be sent to nobody as it is, or not by them."""
        id_ = NoticeId("ntc_" + verb.removeprefix("vrb_"))
        known = await self.drafts.get(id_)
        if known is not None:
            return known
        site = self._site()
        rule = audience_of(choice, site)
        await self._allowed(by, Right.NOTICE_WRITE, self.concerned(rule))
        check_choice(choice, rule, site, drilling=self._drilling())
        now = self._clock.now()
        order = NoticeOrdered(
            notice=id_,
            revision=1,
            incident=choice.incident,
            mode=Mode.EXERCISE if exercise_only(choice.template) else Mode.ACTUAL,
            template=choice.template,
            # What was narrowed has no name: its rule is kept beside the draft.
            audience=choice.audience if rule == site.audiences.get(choice.audience) else "",
            slots=choice.slots,
            by=by,
            routine=choice.routine,
        )
        incident = await self._check_incident(order)
        if incident is not None:
            order = replace(order, slots=await self._slots(choice, incident))
        order = promising((await self._sites.place(order, site.wording)).order, choice.next_in, now)
        draft = Draft(
            id=id_,
            made_at=now,
            made_by=by,
            order=order,
            rule=rule,
            counted=await self._whom.look(order, rule),
            next_in=choice.next_in,
        )
        tx = Transaction()
        self.drafts.add(tx, draft)
        await self._journal.database.submit(tx)
        _log.info("notice_drafted", notice=id_, people=draft.counted.people)
        return draft

    def concerned(self, rule: AudienceRule) -> frozenset[str] | None:
        """Whose right to tell the people of this rule is asked for on this campus; see `audience.concerned`."""
        return concerned(rule, self._site().schools)

    async def get(self, draft: NoticeId) -> Draft:
        """The draft as it stands."""
        found = await self.drafts.get(draft)
        if found is None:
            raise NotFound("There is no such draft.")
        return found

    async def ask(self, id_: NoticeId, by: PersonId, *, seen: int) -> Draft:
        """Send it; where it takes two, ask for the second person. `seen` is the count that `by` has looked at."""
        draft = await self._of(id_, by, Right.NOTICE_SEND)
        if draft.never_alone:
            await self._allowed(by, Right.SITE_CHANGE, self.concerned(draft.rule))
        if draft.state in (DraftState.SENT, DraftState.WAITING):
            return draft
        draft = await self._fresh(draft, seen, by, Right.NOTICE_SEND)
        if not draft.takes_two:
            return await self._send(draft, by=by)
        asked = replace(draft, state=DraftState.WAITING, asked_by=by, asked_at=self._clock.now())
        await self._move(asked, draft.state)
        _log.info("notice_waits_for_second", notice=id_, person=by)
        return asked

    async def let_go(self, id_: NoticeId, by: PersonId, *, seen: int) -> Draft:
        """The second person has looked: send it."""
        draft = await self._waiting(id_, by, Right.NOTICE_SECOND)
        if draft.state is DraftState.SENT:
            return draft
        if by == draft.asked_by:
            raise NotPermitted("Somebody else has to let it go: you are the one who asked for it.")
        fresh = await self._fresh(draft, seen, by, Right.NOTICE_SECOND)
        return await self._send(replace(fresh, second=by), by=draft.asked_by or by)

    async def send_alone(self, id_: NoticeId, by: PersonId, reason: str, *, seen: int) -> Draft:
        """Send without a second person: why is written down, and all administrators are told in the same commit.

        Where no administrator can be reached, all of the staff are told.
        """
        draft = await self._waiting(id_, by, Right.NOTICE_SEND)
        if draft.state is DraftState.SENT:
            return draft
        if reason not in REASONS:
            raise WrongState("Say why nobody else looks at it first.")
        check_alone(draft.order)
        draft = await self._fresh(draft, seen, by, Right.NOTICE_SEND)
        _log.warning("notice_sent_alone", notice=id_, person=by)
        return await self._send(replace(draft, alone=reason), by=by)

    async def drop(self, id_: NoticeId, by: PersonId) -> None:
        """It is not to be sent."""
        draft = await self._of(id_, by, Right.NOTICE_WRITE)
        if draft.state is DraftState.SENT:
            raise WrongState("It was sent already. Correct it instead.")
        if draft.state is not DraftState.DROPPED:
            await self._move(replace(draft, state=DraftState.DROPPED), draft.state)

    async def test(self, verb: VerbId, id_: NoticeId, audience: str, by: PersonId) -> NoticeId:
        """Send it to a few of the school's own people, marked as an exercise.

        Raises `WrongState`: they are more than a few, or families.
        """
        draft = await self._of(id_, by, Right.NOTICE_SEND)
        rule = self._site().audiences.get(audience)
        if rule is None:
            raise NotFound("There is no such audience in the site package.")
        await self._allowed(by, Right.NOTICE_SEND, self.concerned(rule))
        if rule.asks_roster:
            raise WrongState(
                "A test goes to the school's own people, never to families. Choose another group."
            )
        self._check_text(draft.order, rule)
        notice = NoticeId("ntc_" + verb.removeprefix("vrb_"))
        now = self._clock.now()
        order = replace(
            promising(draft.order, draft.next_in, now),
            notice=notice,
            mode=Mode.EXERCISE,
            audience=audience,
            by=by,
            routine=True,
            incident=IncidentId(""),
            corrects=(),
        )
        counted = await self._whom.count(order, rule)
        if counted.people > TEST_GROUP:
            raise WrongState(
                f"{audience} has {counted.people} people; a test goes to {TEST_GROUP} at most. Nothing was sent."
            )
        kept = Draft(
            id=notice,
            made_at=now,
            made_by=by,
            order=order,
            rule=rule,
            counted=counted,
            state=DraftState.SENT,
            asked_by=by,
            asked_at=now,
        )
        if await self.drafts.get(notice) is None:
            tx = Transaction()
            self.drafts.add(tx, kept)
            await self._commit(tx, kept, [order], now)
        return notice

    def quiet(self, draft: Draft) -> tuple[int, Instant]:
        """How many texts and calls would wait for the end of the quiet hours, were it sent now, and until when."""
        until = quiet_until(draft.order, self._site(), self._clock.now())
        count = sum(load[0] for kind, load in draft.counted.loads.items() if kind in LOUD)
        return (count if until else 0), until

    async def test_groups(self, draft: Draft, rules: Mapping[str, AudienceRule]) -> dict[str, int]:
        """Those of these audiences that are small enough to try the draft on, and how many people each has."""
        counted = {
            name: await self._whom.people(draft.order, rule)
            for name, rule in sorted(rules.items())
            if not rule.asks_roster
        }
        return {name: people for name, people in counted.items() if 0 < people <= TEST_GROUP}

    async def _of(self, id_: NoticeId, by: PersonId, right: Right) -> Draft:
        """The draft, for somebody who has the right to its audience."""
        draft = await self.get(id_)
        await self._allowed(by, right, self.concerned(draft.rule))
        return draft

    async def _waiting(self, id_: NoticeId, by: PersonId, right: Right) -> Draft:
        draft = await self._of(id_, by, right)
        if draft.state not in (DraftState.WAITING, DraftState.SENT):
            raise WrongState("Nobody has asked to send it, or it was dropped.")
        return draft

    async def _fresh(self, draft: Draft, seen: int, by: PersonId, right: Right) -> Draft:
        """The draft as its audience is now; where that is not what somebody looked at, they look again."""
        if draft.state is DraftState.DROPPED:
            raise WrongState("It was dropped. Write it again.")
        rule = draft.rule
        if draft.order.audience:
            known = self._site().audiences.get(draft.order.audience)
            if known is None:
                raise WrongState("Its audience is not in the site package any more. Write it again.")
            rule = known
        if rule.asks_roster and not draft.rule.asks_roster:
            raise WrongState(
                "Its audience means families now, and did not when it was written. Write it again."
            )
        if rule != draft.rule:
            await self._allowed(by, right, self.concerned(rule))
        if not draft.next_in and is_past(draft.order, self._clock.now()):
            raise WrongState(
                "It promises an update at a time that is past. Nothing was sent: write it again."
            )
        self._check_text(draft.order, rule)
        await self._check_incident(draft.order)
        order = (await self._placed(draft)).order
        if order == draft.order and rule == draft.rule and await self._whom.same_people(draft):
            counted = draft.counted
        else:
            order = promising(order, draft.next_in, self._clock.now())
            counted = await self._whom.look(order, rule)
        fresh = replace(draft, order=order, rule=rule, counted=counted)
        now = fresh.counted.people
        if drifted(seen, now):
            await self._move(fresh, draft.state)
            raise Changed(
                f"The audience has changed: {seen} people when you looked, {now} now. Nothing was sent: look again."
            )
        if not now:
            raise WrongState("Nobody is meant by its audience. Nothing was sent: write it for others.")
        return fresh

    async def _placed(self, draft: Draft) -> Placed:
        """What the draft says of where families go, as it has to be said now."""
        given = await self._sites.place(draft.order, self._site().wording)
        if given.order.slots != draft.order.slots:
            raise WrongState("Families were told of another place since this was written. Write it again.")
        return given

    async def _send(self, draft: Draft, *, by: PersonId) -> Draft:
        now = self._clock.now()
        asked_at = draft.asked_at or now
        given = await self._placed(draft)
        sent = replace(
            draft,
            state=DraftState.SENT,
            asked_by=draft.asked_by or by,
            asked_at=asked_at,
            order=replace(promising(given.order, draft.next_in, now), by=by),
        )
        tx = Transaction()
        self.drafts.move(tx, sent, before=draft.state)
        self._sites.keep(tx, given, by=sent.asked_by or by, second=sent.second)
        facts: list[Fact] = [sent.order]
        if not sent.order.audience:
            self._tables.add_rule(tx, sent.id, sent.rule)
        if draft.takes_two:
            facts.append(
                NoticeApproved(
                    notice=sent.id, incident=sent.order.incident, by=sent.order.by or by, second=sent.second
                )
            )
            if sent.second is None:
                facts.append(
                    await told_of_it(
                        tx,
                        sent,
                        self._ids.notice(),
                        site=self._site(),
                        whom=self._whom,
                        tables=self._tables,
                    )
                )
        try:
            await self._commit(tx, sent, facts, now)
        except Conflict:  # somebody else did, in this moment
            known = await self.get(draft.id)
            if known.state is not DraftState.SENT:
                raise WrongState("Families were told of another place in this moment. Look again.") from None
            return known
        return sent

    async def _move(self, draft: Draft, before: DraftState) -> None:
        tx = Transaction()
        self.drafts.move(tx, draft, before=before)
        try:
            await self._journal.database.submit(tx)
        except Conflict:
            raise WrongState("Somebody else has just changed it: look again.") from None

    async def _commit(self, tx: Transaction, draft: Draft, facts: Sequence[Fact], now: Instant) -> None:
        writings = [
            Writing(
                id=self._ids.fact(),
                at=now,
                subject=draft.order.incident or getattr(fact, "notice", draft.id),
                fact=fact,
            )
            for fact in facts
        ]
        durable = await self._journal.commit(tx, writings)
        if durable is Durability.UNRECORDED:
            _log.error("notice_unrecorded", notice=draft.id)
            raise StoreError("the notice could not be written down; it may go out all the same")
        _log.info("notice_ordered", notice=draft.id, by=draft.order.by)

    def _check_text(self, order: NoticeOrdered, rule: AudienceRule) -> None:
        check_text(order.template, rule, incident=order.incident, drilling=self._drilling())

    async def _check_incident(self, order: NoticeOrdered) -> Incident | None:
        if not order.incident:
            return None
        entries = await self._journal.of(order.incident, stream=self._stream)
        incident = fold(order.incident, entries)
        check_incident(incident, order)
        return incident

    async def _slots(self, choice: Choice, incident: Incident) -> dict[str, str]:
        """What was chosen, the incident's number, and for families the cause that they were told last."""
        slots = {"incident": str(incident.number), **choice.slots}
        if for_families(choice.template) and "cause" not in slots:
            told = await self.drafts.told_cause(incident.id)
            slots |= {"cause": told} if told else {}
        return slots
