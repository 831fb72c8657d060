"""Tests of channels: a marked message by each provider to one address of the school's own, passed by a receipt from outside.

A carrier's signed report, a key in a call, a tap in a browser, or the code of the message given back by whoever has
read it: each says that it arrived. That a provider took it proves nothing, nor does a simulator or a display of ours.
"""

from __future__ import annotations

import asyncio
import hmac
from base64 import b32encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from belltower import log
from belltower.clock import SECOND, Clock, Instant
from belltower.errors import Conflict, NotFound, Refused, StoreError, WrongState
from belltower.ids import DeliveryId, FactId, Ids, IncidentId, NoticeId, PersonId, VerbId, fact_about
from belltower.incident.entry import Draft
from belltower.incident.facts import ChannelTested, Fact, Mode, NoticeOrdered
from belltower.journal import Durability, Journal
from belltower.people.person import Contact, ContactKind, Person
from belltower.store import Transaction
from notify import meant
from notify.audience import AudienceRule
from notify.codes import code_of, sign_of
from notify.delivery import State
from notify.filling import slots_of, words_of
from notify.proof_tables import PROVEN_FOR, TEMPLATE, Asked, Proof, ProofTables, Proven, Seen
from notify.provider import Provider
from notify.site import NoticeSite
from notify.snapshot import Snapshot
from notify.stops import Stops
from notify.store import DeliveryTables, Ordered
from notify.tally import Tally

_log = log.get("notify")

TESTED = PersonId("channel-test")
"""To whom a test goes where its address is nobody's in the site package."""

WITHIN = 120 * SECOND
"""Until then a test waits for its receipt; one that comes later still counts."""

ASKED_FOR = 300 * SECOND
"""What was asked of a desk longer ago than this is not done any more."""

ELSEWHERE = frozenset({"paging", "sign"})
"""Kinds of address that switch outputs: those are tested beside their devices, by `belltower outputs test`."""

UNPROVABLE = ELSEWHERE | {"console"}
"""Kinds of address of which nothing ever comes back from outside: what they reach is ours, to be looked at."""

_LATE = 7 * 86_400 * SECOND
_APART = 15 * SECOND
_MOST_TRIES = 5
_LOOK_EVERY = 1.0
_ARRIVED = frozenset({State.DELIVERED, State.READ})


class Standing(Struct, frozen=True, kw_only=True):
    """A provider, and how well it is proven."""

    provider: str
    channel: str
    # Where its tests go, masked by whoever shows it; "": nowhere is set up.
    address: str
    simulated: bool
    # The last test; None: there was none.
    proof: Proof | None = None

    @property
    def testable(self) -> bool:
        """Whether a test can be sent."""
        return bool(self.address) and self.channel not in ELSEWHERE

    def stale(self, now: Instant) -> bool:
        """Whether it was not proven for 31 days, or never. What no test can prove is never stale."""
        return self.channel not in UNPROVABLE and not (
            self.proof is not None and self.proof.proven_at and now - self.proof.proven_at < PROVEN_FOR
        )


def judged(proof: Proof, seen: Seen, *, simulated: bool, now: Instant) -> tuple[Proven, str]:
    """What a test has come to, and why. Pure."""
    waiting = now - proof.tested_at < WITHIN
    if seen.state in (State.REFUSED, State.SUPERSEDED):
        return Proven.REFUSED, seen.reason or seen.state.value
    if seen.provider != proof.provider:
        return Proven.REFUSED, f"it did not take it: {seen.provider} had to"
    arrived = _receipt(proof, seen)
    if simulated and (arrived or seen.state is State.ACCEPTED):
        return Proven.SIMULATED, arrived or seen.state.value
    if arrived:
        return Proven.PROVEN, arrived
    if waiting:
        return Proven.WAITING, seen.reason if seen.state is State.PENDING else ""
    if seen.state is State.ACCEPTED:
        return Proven.ACCEPTED, "taken by the provider; nothing says that it arrived"
    return Proven.UNKNOWN, seen.reason or ("it has not left" if seen.state is State.PENDING else "")


def _receipt(proof: Proof, seen: Seen) -> str:
    """What says that it arrived; "": nothing does."""
    if proof.heard_at:
        return "its code was given back"
    if seen.acknowledged:
        return "somebody has heard it"
    return {State.DELIVERED: "its receipt came", State.READ: "it was read"}.get(seen.state, "")


class Proofs:
    """Orders tests, sees what comes of them, and writes both down. Asking twice tests once."""

    def __init__(
        self,
        *,
        tables: ProofTables,
        deliveries: DeliveryTables,
        journal: Journal[Fact],
        providers: Sequence[Provider],
        test_to: Mapping[str, str],
        site: Callable[[], NoticeSite],
        stops: Callable[[], Awaitable[Stops]],
        troubles: Callable[[], Mapping[str, str]],
        tally: Tally,
        clock: Clock,
        ids: Ids,
        bell: Callable[[], None],
    ) -> None:
        """`test_to` has an address, or the id of a person, by a provider's name or a kind of address.

        `troubles` says of the providers by which nothing goes out just now why.
        """
        self._tables = tables
        self._deliveries = deliveries
        self._journal = journal
        self._providers = {one.name: one for one in providers}
        self._test_to = test_to
        self._site = site
        self._stops = stops
        self._troubles = troubles
        self._tally = tally
        self._clock = clock
        self._ids = ids
        self._bell = bell
        self._one_at_a_time = asyncio.Lock()

    async def open(self) -> None:
        """Bring the tables up to date."""
        await self._tables.migrate()

    async def standing(self) -> list[Standing]:
        """Every provider, in the order in which it is asked."""
        known = await self._tables.all()
        return [
            Standing(
                provider=name,
                channel=one.channel.name,
                address=self._address(one),
                simulated=one.simulated,
                proof=known.get(name),
            )
            for name, one in self._providers.items()
        ]

    async def test(self, verb: VerbId, by: PersonId | None, provider: str = "") -> list[str]:
        """Send a test by that provider, or by all that can be tested; their names.

        Raises `NotFound`, `WrongState`: there is nothing to test, nowhere to send it, or one is under way.
        """
        async with self._one_at_a_time:
            if provider and provider not in self._providers:
                raise NotFound("There is no such channel in the settings.")
            known = await self._tables.all()
            wanted = [one for name, one in self._providers.items() if provider in ("", name)]
            given = [(one, contact) for one in wanted if (contact := self._contact(one)) is not None]
            if not given:
                raise WrongState(_nowhere(wanted))
            again = [one.name for one, _ in given if (now := known.get(one.name)) and now.verb == verb]
            if again:
                return again
            for one, _ in given:
                last = known.get(one.name)
                if last is not None and self._clock.now() - last.tested_at < _APART:
                    raise WrongState(f"A test of {one.name} has just begun. Wait for what comes of it.")
            for one, (person, where) in given:
                await self._begin(verb, by, one, person, where, known.get(one.name))
            self._bell()
            return [one.name for one, _ in given]

    async def heard(self, provider: str, code: str) -> Proof:
        """Somebody has read the test: this is the code in it. Raises `NotFound`, `WrongState`: it is not."""
        async with self._one_at_a_time:
            proof = (await self._tables.all()).get(provider)
            if proof is None or not proof.code or self._clock.now() - proof.tested_at > _LATE:
                raise NotFound("No test of this channel waits for its code. Send one.")
            if proof.tries >= _MOST_TRIES:
                raise WrongState("Too many wrong codes were given. Send another test.")
            given = self._mark(proof.delivery, code.strip())
            right = hmac.compare_digest(proof.code.encode(), given.encode())
            now = self._clock.now()
            proof = replace(proof, heard_at=now) if right else replace(proof, tries=proof.tries + 1)
            tx = Transaction()
            self._tables.heard(tx, proof)
            await self._tables.database.submit(tx)
            if not right:
                raise WrongState("That is not the code in the last test of this channel.")
            return await self._judge(proof) or proof

    async def run(self) -> None:
        """For ever: do what was asked of the desk, and see what came of the tests."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_EVERY)

    async def look(self) -> None:
        """Once; nothing while facts wait outside of the journal. Raises `StoreError`."""
        if self._journal.trouble:
            return
        await self._keep_outages()
        for asked in await self._tables.asked():
            await self._answer(asked)
        now = self._clock.now()
        for proof in (await self._tables.all()).values():
            if _open(proof, now):
                async with self._one_at_a_time:  # who waits for it may have proven it: read again
                    again = (await self._tables.all()).get(proof.provider)
                    if again is not None and _open(again, now):
                        await self._judge(again)

    async def _keep_outages(self) -> None:
        """For those who ask from outside the lane; written when it changes only."""
        now = {name: reason for name, reason in self._troubles().items() if name in self._providers}
        before = {name: one.reason for name, one in (await self._tables.outages()).items()}
        tx = Transaction()
        for name in now.keys() | before.keys():
            if now.get(name, "") != before.get(name, ""):
                self._tables.outage(tx, name, now.get(name, ""), since=self._clock.now())
        if now != before:
            await self._tables.database.submit(tx)

    async def _answer(self, asked: Asked) -> None:
        now = self._clock.now()
        try:
            if now - asked.at > ASKED_FOR:
                raise WrongState("It was asked for too long ago.")
            if asked.code:
                await self.heard(asked.provider, asked.code)
                answer = "heard"
            else:
                answer = " ".join(await self.test(asked.verb, asked.by, asked.provider))
        except Refused as error:
            answer = f"refused: {error}"
        tx = Transaction()
        self._tables.answer(tx, asked, answer, before=Instant(now - _LATE))
        await self._tables.database.submit(tx)

    async def _begin(
        self,
        verb: VerbId,
        by: PersonId | None,
        provider: Provider,
        person: Person,
        contact: Contact,
        last: Proof | None,
    ) -> None:
        """One commit: the order, its texts, its row for this provider and no other, and that it waits."""
        now, site = self._clock.now(), self._site()
        delivery = self._ids.delivery()
        order = NoticeOrdered(
            notice=_named(verb, provider.name),
            revision=1,
            incident=IncidentId(""),
            mode=Mode.EXERCISE,
            template=TEMPLATE,
            audience="",
            slots={},  # and no code: facts can be read by more than have read the message
            by=by,
            routine=True,
        )
        ordered = Ordered(
            notice=order.notice,
            revision=1,
            incident=order.incident,
            template=order.template,
            place="",
            mode=order.mode,
            urgency=1,
            ordered_at=now,
        )
        slots = replace(slots_of(order, ordered, site), code=sign_of(contact.kind))
        # What plans notices finds the row, and nobody else to tell.
        rule = AudienceRule(people=frozenset({TESTED}))
        snapshot = Snapshot(
            ordered=ordered,
            rule=rule,
            at=None,
            places=site.places,
            served=frozenset({contact.kind.value}),
            language=site.language,
            render=lambda kind, language: words_of(order, site, slots, kind, language),
            new_id=lambda _channel, _mark: delivery,
            stops=await self._stops(),
            mark=self._deliveries.addresses.mark,
        )
        batch = snapshot.add_contacts([(person, contact)])
        tx = Transaction()
        self._deliveries.add_notice(tx, ordered)
        self._deliveries.add_rule(tx, order.notice, rule)
        self._deliveries.add_words(tx, order.notice, 1, batch.words)
        self._deliveries.add_rows(tx, batch.rows, batch.others)
        told = meant.Meant(
            audience="",
            rule=AudienceRule(people=frozenset({person.id})),
            persons={person.id: person.name},
            people=1,
        )
        meant.keep(tx, self._deliveries.addresses.vault, order.notice, 1, told)
        self._tables.pin(tx, delivery, provider.name)
        self._tables.keep(
            tx,
            Proof(
                provider=provider.name,
                verb=verb,
                notice=order.notice,
                delivery=delivery,
                by=by,
                tested_at=now,
                code=self._mark(delivery, code_of(self._deliveries.addresses.vault, delivery)),
                proven_at=last.proven_at if last is not None else Instant(0),
                proven_by=last.proven_by if last is not None else "",
            ),
        )
        await self._commit(tx, self._ids.fact(), order, now)
        self._tally.forget(order.notice, 1)
        _log.info("channel_test_begun", provider=provider.name, notice=order.notice)

    async def _judge(self, proof: Proof) -> Proof | None:
        """Keep what has come of the test, where that is news."""
        provider = self._providers.get(proof.provider)
        seen = await self._tables.seen(proof.delivery)
        if provider is None or seen is None:
            return None
        now = self._clock.now()
        outcome, detail = judged(proof, seen, simulated=provider.simulated, now=now)
        if (outcome, detail) == (proof.outcome, proof.detail):
            return None
        if outcome is Proven.WAITING:  # why it has not left yet is no outcome
            tx = Transaction()
            self._tables.judged(tx, replace(proof, detail=detail))
            await self._tables.database.submit(tx)
            return None
        after = replace(proof, outcome=outcome, detail=detail, ended_at=now)
        if outcome is Proven.PROVEN:
            after = replace(after, proven_at=now, proven_by=detail)
        tx = Transaction()
        self._tables.judged(tx, after)
        fact = ChannelTested(
            provider=proof.provider,
            channel=provider.channel.name,
            notice=proof.notice,
            outcome=outcome.value,
            reason=detail,
            after=(now - proof.tested_at) / SECOND,
        )
        # What was told and has not landed is told again as the same fact.
        told = fact_about(proof.delivery, str(proof.ended_at), outcome.value, detail)
        try:
            await self._commit(tx, told, fact, now)
        except Conflict:  # what was judged does not stand any more: the next look sees what does
            return None
        _log.info("channel_tested", provider=proof.provider, outcome=outcome.value)
        return after

    async def _commit(
        self, tx: Transaction, id_: FactId, fact: NoticeOrdered | ChannelTested, now: Instant
    ) -> None:
        draft: Draft = Draft(id=id_, at=now, subject=fact.notice, fact=fact)
        if await self._journal.commit(tx, [draft]) is Durability.UNRECORDED:
            raise StoreError("the test could not be written down")

    def _mark(self, delivery: DeliveryId, code: str) -> str:
        return self._deliveries.addresses.vault.name("to.code", f"{delivery} {code}").hex()

    def _address(self, provider: Provider) -> str:
        contact = self._contact(provider)
        return contact[1].address if contact is not None else ""

    def _contact(self, provider: Provider) -> tuple[Person, Contact] | None:
        """Whom a test of this provider goes to; None: nobody is set up, or no test can go there."""
        kind = provider.channel.name
        given = self._test_to.get(provider.name) or self._test_to.get(kind, "")
        if not given or kind in ELSEWHERE:
            return None
        person = self._site().people.get(PersonId(given))
        if person is None:
            if kind == ContactKind.PUSH.value:
                return None  # browsers have no address that a person can write down
            contact = Contact(kind=ContactKind(kind), address=given)
            return Person(id=TESTED, name="Channel test", contacts=(contact,)), contact
        own = next((one for one in person.contacts if one.kind.value == kind), None)
        return (person, own) if own is not None else None


def _open(proof: Proof, now: Instant) -> bool:
    """Whether something may still come of it."""
    return proof.outcome is not Proven.PROVEN and now - proof.tested_at < _LATE


def _nowhere(wanted: Sequence[Provider]) -> str:
    if any(one.channel.name in ELSEWHERE for one in wanted) and len(wanted) == 1:
        return "Loudspeakers and signs are tested beside their devices: belltower outputs test."
    return "No test can be sent: [notify] test_to in the settings names no address for it."


def _named(verb: VerbId, provider: str) -> NoticeId:
    """The id that asking again under the same verb names again."""
    own = verb.removeprefix("vrb_")
    return NoticeId(
        f"ntc_{own[:10]}{b32encode(sha256(f'{verb} {provider}'.encode()).digest()).decode()[:16]}"
    )
