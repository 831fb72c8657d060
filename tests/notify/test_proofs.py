"""W16: a test of a channel is passed by a receipt from outside, and by nothing else."""

import asyncio
import re
from contextlib import suppress
from functools import partial
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace

from belltower.clock import SECOND, Instant
from belltower.errors import Conflict, NotFound, StoreError, WrongState
from belltower.ids import DeliveryId, Ids, NoticeId, PersonId, VerbId
from belltower.incident.facts import ChannelTested, Mode, NoticeOrdered, NoticePlanned
from belltower.people.person import Contact, ContactKind, Person
from belltower.people.vault import Vault, new_ring
from belltower.store import Transaction, open_database
from belltower.values import Secret
from gateway.migration import DESK
from notify.addresses import Addresses
from notify.audience import AudienceRule
from notify.channels.channel import Later, Settled, Uncertain
from notify.channels.channel import Refused as Refusal
from notify.codes import code_of, masked
from notify.delivery import Evidence, State
from notify.proof_tables import PROVEN_FOR, Asked, Proof, ProofTables, Proven, Seen
from notify.proofs import ELSEWHERE, TESTED, WITHIN, Proofs, judged
from notify.provider import Provider
from notify.segments import segments
from notify.settings import (
    AppriseSettings,
    ConsoleSettings,
    RoomSettings,
    SMTPSettings,
    TwilioSettings,
    simulated,
)
from notify.store import DeliveryTables
from tests.peers.desk import Desk, DeskOptions, desk, order, site, staff
from tests.peers.waiting import PATIENCE

NUMBER = "+15550100199"
RUTH = PersonId("per_ruth")
AT = Instant(1_800_000_000_000_000)
BEGUN = Proof(
    provider="cell",
    verb=VerbId("vrb_1"),
    notice=NoticeId("ntc_1"),
    delivery=DeliveryId("dlv_1"),
    by=None,
    tested_at=AT,
)


class Answering:
    """A provider that answers as it is told."""

    def __init__(self, name: str = "sms", answer: object = None) -> None:
        self.name = name
        self.answer = answer or Settled()
        self.sent: list[tuple[str, str]] = []

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def find(self, message, *, known):
        return None

    async def send(self, message):
        self.sent.append((message.address, message.body))
        return self.answer


@pytest.fixture
def options(tmp_path: Path) -> DeskOptions:
    return DeskOptions(
        database=str(tmp_path / "desk.db"), test_to={"sms": NUMBER, "email": "it@school.example"}
    )


def code_in(channel: Answering) -> str:
    """What whoever read the last message can give back."""
    found = re.search(r"\bcode is (\d{4})\b", channel.sent[-1][1])
    assert found is not None, channel.sent[-1]
    return found[1]


def verb(running: Desk) -> VerbId:
    return Ids(clock=running.clock).verb()


async def comes_to(proofs: Proofs, provider: str, outcome: Proven, detail: str = "") -> Proof:
    """Wait until the last test of the provider has come to this."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = {one.provider: one.proof for one in await proofs.standing()}[provider]
            if found is not None and found.outcome is outcome and detail in found.detail:
                return found
            await proofs.look()
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("state", "changes", "later", "outcome"),
    [
        (State.SENDING, {}, 0, Proven.WAITING),
        (State.ACCEPTED, {}, 0, Proven.WAITING),
        (State.ACCEPTED, {}, WITHIN, Proven.ACCEPTED),
        (State.UNCERTAIN, {}, WITHIN, Proven.UNKNOWN),
        (State.PENDING, {}, WITHIN, Proven.UNKNOWN),
        (State.REFUSED, {}, 0, Proven.REFUSED),
        (State.DELIVERED, {}, 0, Proven.PROVEN),
        (State.READ, {}, WITHIN * 9, Proven.PROVEN),
        (State.ACCEPTED, {"acknowledged": True}, 0, Proven.PROVEN),
        (State.DELIVERED, {"provider": "backup"}, 0, Proven.REFUSED),
        (State.DELIVERED, {"simulated": True}, 0, Proven.SIMULATED),
        (State.ACCEPTED, {"simulated": True}, 0, Proven.SIMULATED),
        (State.ACCEPTED, {"simulated": True, "acknowledged": True}, 0, Proven.SIMULATED),
    ],
)
def test_w16_only_a_receipt_from_outside_proves(
    state: State, changes: dict[str, object], later: int, outcome: Proven
) -> None:
    """Accepted is not delivered; a simulator proves nothing; what another provider had to do proves not this one."""
    given = {"provider": "cell", "acknowledged": False, "simulated": False, **changes}
    seen = Seen(
        state=state, reason="", provider=str(given["provider"]), acknowledged=bool(given["acknowledged"])
    )

    assert outcome is judged(BEGUN, seen, simulated=bool(given["simulated"]), now=Instant(AT + later))[0]


async def test_w16_a_test_waits_for_the_carriers_report_and_keeps_its_age(options: DeskOptions) -> None:
    """Marked, to one address, by that provider; the proof stands for 31 days, over a restart, and over a failed test."""
    cell = Answering()
    channels = [Provider(channel=cell, given_name="cell")]
    async with desk(options, school=site(staff(2)), channels=channels) as running:
        proofs = running.room.proofs
        asked = verb(running)
        assert ["cell"] == await proofs.test(asked, RUTH)
        assert ["cell"] == await proofs.test(asked, RUTH)
        with pytest.raises(WrongState, match="just begun"):
            await proofs.test(verb(running), RUTH, "cell")
        await running.is_settled(1)
        (row,) = await running.rows()
        waiting = (await proofs.standing())[0]
        assert waiting.proof is not None
        assert Proven.WAITING is waiting.proof.outcome
        assert waiting.stale(running.clock.now())
        await running.room.ledger.learn(Evidence(delivery=DeliveryId(row.id), state=State.DELIVERED))
        proven = await comes_to(proofs, "cell", Proven.PROVEN, "its receipt came")
        facts = [fact for fact in await running.facts() if isinstance(fact, ChannelTested)]
    async with desk(options, school=site(staff(2)), channels=channels) as running:
        (kept,) = await running.room.proofs.standing()

    ((address, body),) = cell.sent
    assert NUMBER == address
    assert body.startswith("EXERCISE EXERCISE EXERCISE: Jefferson: This is a test of notices")
    assert re.search(r"the code is \d{4}\.", body)
    assert proven == kept.proof
    assert proven.proven_at >= proven.tested_at
    assert (False, True) == (
        kept.stale(Instant(proven.proven_at + PROVEN_FOR - 1)),
        kept.stale(Instant(proven.proven_at + PROVEN_FOR)),
    )
    assert [("cell", "sms", "proven")] == [(fact.provider, fact.channel, fact.outcome) for fact in facts]


async def test_w16_each_provider_is_proven_by_itself(options: DeskOptions) -> None:
    """Two for one kind of address get a message each; what the first cannot send proves the second no less and no more."""
    first, second = Answering(answer=Refusal(reason="down", elsewhere=True)), Answering()
    channels = [
        Provider(channel=first, given_name="cell"),
        Provider(channel=second, given_name="backup", order=2),
    ]
    async with desk(options, school=site(staff(2)), channels=channels) as running:
        proofs = running.room.proofs
        assert ["cell", "backup"] == await proofs.test(verb(running), RUTH)
        await running.is_settled(2)
        failed = await comes_to(proofs, "cell", Proven.REFUSED)
        other = {one.provider: one.proof for one in await proofs.standing()}["backup"]
        rows = {row.id: row for row in await running.rows()}
        assert other is not None
        await running.room.ledger.learn(Evidence(delivery=other.delivery, state=State.DELIVERED))
        await comes_to(proofs, "backup", Proven.PROVEN)

    assert "backup had to" in failed.detail
    assert State.ACCEPTED.value == rows[other.delivery].state
    assert {NUMBER} == {address for address, _ in (*first.sent, *second.sent)}


async def test_w16_mail_is_proven_by_the_code_that_only_its_reader_knows(options: DeskOptions) -> None:
    """Accepted by the server proves nothing; wrong codes are counted, and after five another test is sent."""
    mail = Answering("email")
    channels = [Provider(channel=mail, given_name="mail")]
    async with desk(options, school=site(staff(2)), channels=channels) as running:
        proofs = running.room.proofs
        with pytest.raises(NotFound, match="No test"):
            await proofs.heard("mail", "0000")
        await proofs.test(verb(running), RUTH, "mail")
        await running.is_settled(1)
        await proofs.look()
        (standing,) = await proofs.standing()
        assert standing.proof is not None
        right = code_in(mail)
        wrong = "0000" if right != "0000" else "1111"
        with pytest.raises(WrongState, match="not the code"):
            await proofs.heard("mail", wrong)
        proven = await proofs.heard("mail", f" {right} ")
        for _ in range(4):
            with pytest.raises(WrongState):
                await proofs.heard("mail", wrong)
        with pytest.raises(WrongState, match="Too many"):
            await proofs.heard("mail", right)

    assert (Proven.WAITING, Proven.PROVEN) == (standing.proof.outcome, proven.outcome)
    assert "its code was given back" == proven.proven_by
    assert [("it@school.example", True)] == [(address, right in body) for address, body in mail.sent]


async def test_w16_who_presses_or_taps_proves_it_and_a_simulator_is_called_one(options: DeskOptions) -> None:
    """A key in the call is a person's receipt; the same from a simulator is labelled, and proves nothing."""
    people = staff(2, kinds=("voice",))
    channels = [
        Provider(channel=Answering("voice"), given_name="calls"),
        Provider(channel=Answering("voice"), given_name="pretend", order=2, simulated=True),
    ]
    with_person = replace(options, test_to={"voice": "p1"})
    async with desk(with_person, school=site(people), channels=channels) as running:
        proofs = running.room.proofs
        await proofs.test(verb(running), RUTH)
        await running.is_settled(2)
        for row in await running.rows():
            assert await running.room.hearing.acknowledge(DeliveryId(row.id))
        proven = await comes_to(proofs, "calls", Proven.PROVEN)
        pretended = await comes_to(proofs, "pretend", Proven.SIMULATED)
        people_told = {row.person for row in await running.rows()}

    assert {"p1"} == people_told
    assert "somebody has heard it" == proven.detail
    assert 0 == pretended.proven_at


@pytest.mark.parametrize("answer", [Uncertain(reason="no_answer:timeout"), Refusal(reason="provider:30003")])
async def test_w16_what_failed_says_why_and_never_that_it_is_proven(
    options: DeskOptions, answer: object
) -> None:
    """Refused is refused at once; what nobody knows waits, and is not known then."""
    channels = [Provider(channel=Answering(answer=answer), given_name="cell")]
    async with desk(options, school=site(staff(2)), channels=channels) as running:
        proofs = running.room.proofs
        await proofs.test(verb(running), RUTH)
        await running.is_settled(1)
        outcome = Proven.REFUSED if isinstance(answer, Refusal) else Proven.WAITING
        last = await comes_to(proofs, "cell", outcome)

    assert 0 == last.proven_at
    assert (last.detail == "provider:30003") == isinstance(answer, Refusal)


async def test_what_does_not_leave_says_why_and_outside_the_lane_too(options: DeskOptions) -> None:
    """A wrong token: the test waits and says for what, and so does whoever asks; a desk that goes on says no more of it."""
    cell = Answering(answer=Later(reason="account:20003", everyone=True))
    channels = [Provider(channel=cell, given_name="cell")]
    async with desk(options, school=site(staff(2)), channels=channels) as running:
        proofs, tables = running.room.proofs, ProofTables(database=running.database)
        await proofs.test(verb(running), RUTH)
        waiting = await comes_to(proofs, "cell", Proven.WAITING, "account:20003")
        await proofs.look()
        down = await tables.outages()
        await proofs.look()
        still = await tables.outages()
        told = [fact for fact in await running.facts() if isinstance(fact, ChannelTested)]
    async with desk(options, school=site(staff(2)), channels=channels[:0]) as running:
        await running.room.proofs.look()
        after = await ProofTables(database=running.database).outages()

    assert ["account:20003"] == [one.reason for one in down.values()]
    assert (down, {}) == (still, after)
    assert (0, []) == (waiting.proven_at, told)


async def test_what_cannot_be_tested_says_so(options: DeskOptions) -> None:
    """No address, no such channel, and what switches sirens: that is never done by a test of notices."""
    paging = Answering("paging")
    channels = [
        Provider(channel=Answering("voice"), given_name="calls"),
        Provider(channel=paging, given_name="halls"),
        Provider(channel=Answering("console"), given_name="wall", simulated=True),
    ]
    loud = replace(options, test_to={"paging": "siren"})
    async with desk(loud, school=site(staff(2)), channels=channels) as running:
        proofs = running.room.proofs
        for name, says in (("calls", "no address"), ("halls", "beside their devices"), ("", "no address")):
            with pytest.raises(WrongState, match=says):
                await proofs.test(verb(running), RUTH, name)
        with pytest.raises(NotFound, match="no such channel"):
            await proofs.test(verb(running), RUTH, "smoke")
        standing = {one.provider: one for one in await proofs.standing()}

    assert [] == paging.sent
    assert [True, False, False] == [standing[name].stale(AT) for name in ("calls", "halls", "wall")]


async def test_what_is_asked_from_outside_is_done_once_and_not_when_it_is_old(options: DeskOptions) -> None:
    """The rows of another process; the answer says which channels, or why not."""
    cell = Answering()
    channels = [Provider(channel=cell, given_name="cell")]
    async with desk(options, school=site(staff(2)), channels=channels) as running:
        tables = ProofTables(database=running.database)
        now = running.clock.now()
        fresh = Asked(verb=verb(running), at=now, by=RUTH)
        old = Asked(verb=verb(running), at=Instant(now - 600 * SECOND))
        strange = Asked(verb=verb(running), at=now, provider="smoke")
        tx = Transaction()
        for asked in (fresh, old, strange):
            tables.ask(tx, asked)
        await running.database.submit(tx)
        await running.room.proofs.look()
        answers = [await tables.answer_to(asked.verb) for asked in (fresh, old, strange)]
        await running.is_settled(1)
        await running.room.proofs.look()

    assert 1 == len(cell.sent)
    assert "cell" == answers[0]
    assert "refused: It was asked for too long ago." == answers[1]
    assert answers[2].startswith("refused: There is no such channel")


def test_simulated_is_whatever_is_not_the_providers_own() -> None:
    """A console, another host for a provider's API, and a server on this very machine."""

    def twilio(url: str) -> TwilioSettings:
        return TwilioSettings(account="AC" + "0" * 32, token=Secret("t"), from_="+15550100", base_url=url)

    def mail(host: str) -> SMTPSettings:
        return SMTPSettings(host=host, from_="bell@school.example", security="none")

    def room(url: str) -> AppriseSettings:
        return AppriseSettings(rooms={"office": RoomSettings(url=Secret(url))})

    assert simulated(ConsoleSettings())
    assert [False, False, True, True] == [
        simulated(twilio(url))
        for url in (
            "https://api.twilio.com",
            "https://api.dublin.ie1.twilio.com",
            "http://127.0.0.1:8080",
            "https://api.nottwilio.com",
        )
    ]
    assert [False, True, True] == [
        simulated(mail(host)) for host in ("mail.school.example", "localhost", "127.0.0.1")
    ]
    assert [False, True] == [simulated(room(url)) for url in ("slack://a/b/c", "json://127.0.0.1:8080/x")]


async def test_the_running_loop_judges_by_itself(options: DeskOptions) -> None:
    """Nobody looks: the desk does."""
    channels = [Provider(channel=Answering(), given_name="cell")]
    async with desk(options, school=site(staff(2)), channels=channels) as running:
        proofs = running.room.proofs
        await proofs.test(verb(running), RUTH)
        await running.is_settled(1)
        (row,) = await running.rows()
        await running.room.ledger.learn(Evidence(delivery=DeliveryId(row.id), state=State.DELIVERED))
        async with asyncio.timeout(PATIENCE):
            while (await proofs.standing())[0].stale(running.clock.now()):  # noqa: ASYNC110 - its own loop looks
                await asyncio.sleep(0.05)


async def test_a_test_whose_rule_is_lost_goes_to_nobody(options: DeskOptions) -> None:
    """Other notices rather reach too many; a test reaches whom its rule names, or nobody."""
    cell = Answering()
    channels = [Provider(channel=cell, given_name="cell")]
    async with desk(options, school=site(staff(3, kinds=("sms",))), channels=channels) as running:
        lost = order(1, template="test", audience="", incident="", mode=Mode.EXERCISE, slots={})
        await running.is_ordered(lost)
        async with asyncio.timeout(PATIENCE):
            while not (planned := [f for f in await running.facts() if isinstance(f, NoticePlanned)]):  # noqa: ASYNC110 - the planner looks
                await asyncio.sleep(0.02)

    assert [(0, 0)] == [(fact.people, fact.deliveries) for fact in planned]
    assert [] == cell.sent


async def test_an_ill_disk_is_told_once_what_came_of_a_test(
    options: DeskOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often the loop looks until it is well: one ChannelTested."""
    ill: list[Exception] = []

    def commit() -> None:
        if ill:
            raise ill[0]

    monkeypatch.setattr("tests.peers.desk.open_database", partial(open_database, before_commit=commit))
    channels = [Provider(channel=Answering(), given_name="cell")]
    async with (
        asyncio.timeout(PATIENCE),
        desk(options, school=site(staff(2)), channels=channels) as running,
    ):
        proofs = running.room.proofs
        await proofs.test(verb(running), RUTH)
        await running.is_settled(1)
        (row,) = await running.rows()
        async with proofs._one_at_a_time:  # its own loop waits
            await running.room.ledger.learn(Evidence(delivery=DeliveryId(row.id), state=State.DELIVERED))
            ill.append(apsw.IOError("fsync"))
        for _ in range(5):
            with suppress(StoreError):
                await proofs.look()
        assert running.journal.trouble
        ill.clear()
        while running.journal.trouble:  # noqa: ASYNC110 - nothing else says when it is well
            await asyncio.sleep(0.01)
        await proofs.look()
        facts = [fact for fact in await running.facts() if isinstance(fact, ChannelTested)]

    assert [("cell", "proven")] == [(fact.provider, fact.outcome) for fact in facts]


async def test_a_code_given_back_while_the_loop_looks_stays_proven(
    options: DeskOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop has read it before, waits for its turn, and then its two minutes are over: it is proven all the same."""
    mail = Answering("email")
    channels = [Provider(channel=mail, given_name="mail")]
    async with (
        asyncio.timeout(PATIENCE),
        desk(options, school=site(staff(2)), channels=channels) as running,
    ):
        proofs = running.room.proofs
        await proofs.test(verb(running), RUTH, "mail")
        await running.is_settled(1)
        async with asyncio.TaskGroup() as group, proofs._one_at_a_time:
            heard = group.create_task(proofs.heard("mail", code_in(mail)))
            await asyncio.sleep(0)
            group.create_task(proofs.look())
            while len(proofs._one_at_a_time._waiters or ()) < 2:  # noqa: ASYNC110 - nothing else says that it waits
                await asyncio.sleep(0.01)
            monkeypatch.setattr("notify.proofs.WITHIN", 0)
        await proofs.look()
        (standing,) = await proofs.standing()

    assert standing.proof is not None
    assert (Proven.PROVEN, Proven.PROVEN) == (heard.result().outcome, standing.proof.outcome)


async def test_what_was_judged_before_a_code_came_is_not_kept(options: DeskOptions) -> None:
    """Nor is what was judged of a test in whose place there is another: whoever judged it may be another process."""
    database = await open_database(f"sqlite://{options.database}")
    await database.migrate(DESK)
    tables = ProofTables(database=database)
    tx = Transaction()
    tables.keep(tx, replace(BEGUN, heard_at=AT))
    await database.submit(tx)
    for stale in (BEGUN, replace(BEGUN, verb=VerbId("vrb_0"), heard_at=AT)):
        tx = Transaction()
        tables.judged(tx, replace(stale, outcome=Proven.ACCEPTED))
        with pytest.raises(Conflict):
            await database.submit(tx)
    kept = (await tables.all())["cell"]
    await database.close()

    assert replace(BEGUN, heard_at=AT) == kept


async def test_w16_the_code_stands_nowhere_but_in_the_message(options: DeskOptions) -> None:
    """Not in a fact, not in the row that waits for it, nor in what was given back, nor in the text that is kept."""
    mail = Answering("email")
    async with desk(
        options, school=site(staff(2)), channels=[Provider(channel=mail, given_name="mail")]
    ) as running:
        proofs = running.room.proofs
        await proofs.test(verb(running), RUTH, "mail")
        await running.is_settled(1)
        code = code_in(mail)
        tables, tx = proofs._tables, Transaction()
        tables.ask(tx, Asked(verb=verb(running), at=running.clock.now(), provider="mail", code=code))
        await tables.database.submit(tx)
        await comes_to(proofs, "mail", Proven.PROVEN)
        async with asyncio.timeout(PATIENCE):
            while await tables.asked():  # noqa: ASYNC110 - its own loop answers
                await asyncio.sleep(0.05)
        (ordered,) = [fact for fact in await running.facts() if isinstance(fact, NoticeOrdered)]
        kept = await tables.database.read("SELECT code FROM notice_proof")
        given = await tables.database.read("SELECT code FROM notice_proof_order")
        ((text,),) = await tables.database.read("SELECT body FROM notice_words")

    assert {} == ordered.slots
    assert code not in kept[0][0]
    assert kept[0][0]
    assert [("",)] == given
    assert "code is" in text
    assert code not in text
    assert code == code_in(mail)


async def test_a_later_life_of_the_desk_knows_the_same_code(options: DeskOptions) -> None:
    """It follows from the id of the delivery and the keys: there is nothing to be lost with the process."""
    mail = Answering("email")
    given = [Provider(channel=mail, given_name="mail")]
    async with desk(options, school=site(staff(2)), channels=given) as running:
        await running.room.proofs.test(verb(running), RUTH, "mail")
        await running.is_settled(1)
        ((id_, *_),) = await running.rows()
    async with desk(options, school=site(staff(2)), channels=given) as running:
        delivery = (await running.room.tables.of([id_]))[id_]
        _, body, _, _ = await running.room.tables.text(delivery)
        proven = await running.room.proofs.heard("mail", code_in(mail))

    assert mail.sent[-1][1] == body
    assert Proven.PROVEN is proven.outcome


@pytest.mark.parametrize("kind", [kind for kind in ContactKind if kind.value not in ELSEWHERE])
async def test_w16_no_way_keeps_the_code_and_every_way_says_it(
    options: DeskOptions, kind: ContactKind
) -> None:
    """Nor the figures that a voice reads one by one; the ledger shows that there was one."""
    channel = Answering(kind.value)
    given = [Provider(channel=channel, given_name="one")]
    to = PersonId("p0")
    person = Person(id=to, name="Ruth", contacts=(Contact(kind=kind, address="somewhere"),))
    to_person = replace(options, test_to={kind.value: to})
    async with desk(to_person, school=site({to: person}), channels=given) as running:
        await running.room.proofs.test(verb(running), RUTH)
        await running.is_settled(1)
        (row,) = await running.rows()
        ((text, parts),) = await running.database.read(
            "SELECT w.body, d.parts FROM notice_words w JOIN notice_delivery d ON d.notice = w.notice"
        )
        code = code_of(running.room.tables.addresses.vault, row.id)
    ((_, body),) = channel.sent
    said = " ".join(code) if kind is ContactKind.VOICE else code

    assert said in body
    assert said not in text
    assert code not in text
    assert body.replace(said, re.sub("[0-9]", "·", said)) == masked(text)
    assert (segments(body).parts if kind is ContactKind.SMS else 1) == parts


@pytest.mark.parametrize(("step_number", "channel"), [(3, "email"), (3, "voice"), (4, "voice")])
async def test_the_codes_of_an_older_programs_tests_are_forgotten(
    options: DeskOptions, step_number: int, channel: str
) -> None:
    """Their texts go; what had not left of such a test is stopped.

    Every other notice stays as it was: of another text, and what a person wrote with the same.
    """
    database = await open_database(f"sqlite://{options.database}")
    newest = [step for step in DESK if step.room == "notify.proofs" and step.number >= step_number]
    await database.migrate([step for step in DESK if step not in newest])
    tests = AudienceRule(people=frozenset({TESTED}))
    tables = DeliveryTables(database=database, addresses=Addresses(vault=Vault(ring=new_ring())))
    async with database.begin() as tx:
        for notice in ("ntc_1", "ntc_2"):
            tables.add_rule(tx, NoticeId(notice), tests)
        tables.add_rule(tx, NoticeId("ntc_4"), AudienceRule(people=frozenset({RUTH})))
        for notice, template in (
            ("ntc_1", "test"),
            ("ntc_2", "test"),
            ("ntc_3", "staff-notice"),
            ("ntc_4", "test"),
        ):
            tx.add(
                "INSERT INTO notice (notice, revision, incident, template, place, mode, urgency, ordered_at)"
                " VALUES (:notice, 1, '', :template, '', 'exercise', 1, 1)",
                notice=notice,
                template=template,
            )
            tx.add(
                "INSERT INTO notice_words (notice, revision, channel, language, subject, body)"
                " VALUES (:notice, 1, :channel, 'en', '', 'the code is 4711.')",
                notice=notice,
                channel=channel,
            )
            tx.add(
                "INSERT INTO notice_delivery (id, notice, revision, incident, person, channel, address, state, reason,"
                " provider_id, attempts, begun_at, due_at, urgency, lease, asking)"
                " VALUES (:notice, :notice, 1, '', '', :channel, 'a', :state, '', '', 0, 0, 0, 1, '', 0)",
                notice=notice,
                channel=channel,
                state="delivered" if notice == "ntc_2" else "pending",
            )
    await database.migrate(DESK)
    stopped = await database.read("SELECT notice FROM notice WHERE superseded_by <> ''")
    bodies = await database.read("SELECT notice, body FROM notice_words ORDER BY notice")
    await database.close()

    assert [("ntc_1",)] == stopped
    kept = "the code is 4711."
    assert [("ntc_1", ""), ("ntc_2", ""), ("ntc_3", kept), ("ntc_4", kept)] == bodies
