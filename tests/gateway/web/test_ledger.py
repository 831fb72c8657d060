"""The ledger over HTTP: what a notice's page says, never more than is known, and what its export holds."""

import asyncio
import csv
import io
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from belltower.ids import PlaceId
from belltower.incident.facts import Mode
from belltower.people.person import Contact, ContactKind, Person
from gateway.web import ledger
from gateway.web.cells import neutral
from gateway.web.ledger import COLUMNS
from notify.audience import AudienceRule
from notify.choice import Choice
from notify.delivery import State
from tests.gateway.web.granting import grants_of
from tests.gateway.web.house import BrokenReads, House, form_token, living
from tests.gateway.web.noticing import adult, noticing
from tests.gateway.web.test_pages import browser, enter, page, send
from tests.peers.waiting import PATIENCE

STAFF = (
    adult(1, place="plc_b204", name="=HYPERLINK(A1)"),
    adult(2, place="plc_b204"),
    adult(7, place="plc_gym"),
    adult(8),
    Person(id="staff-x", name="No Phone"),
)


@pytest.fixture(autouse=True)
def _until_it_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the counting takes longer than a person is let wait."""
    monkeypatch.setattr(ledger, "WAIT", PATIENCE)


async def test_the_page_says_who_is_not_reached_and_why(house: House) -> None:
    """Accepted reaches nobody; a refusal and an unknown have their words; who has no address stands there too."""
    async with noticing(house, *STAFF) as school, living(house) as address, browser() as session:
        await enter(session, address, house)
        notice = await school.order()
        await school.settled(notice, 4)
        await school.learned("staff-00002", State.DELIVERED)
        await school.answered("staff-00002", house.clock.now())
        html = await page(session, f"{address}/notices/{notice}")
        listed = await page(session, f"{address}/notices")

    assert "<b>4</b>" in html
    assert "1 of 2: =HYPERLINK(A1)" in html
    assert "the provider said 30003" in html
    assert "the provider does not say" in html
    assert "No Phone" in html
    assert "have no address at all" in html
    assert f'href="/notices/{notice}"' in listed


async def test_what_was_taken_back_is_said_to_be_a_mistake(house: House) -> None:
    """On its page with a link to the correction, and in the list: who said so, and when; a later word is none."""
    async with noticing(house, *STAFF) as school, living(house) as address, browser() as session:
        await enter(session, address, house)
        for wrong, later, template in ((1, 3, "staff-correction"), (2, 4, "staff-notice")):
            notice = await school.order(wrong)
            await school.settled(notice, 4)
            await school.order(later, template=template, corrects=(notice,), by="per_1")
            await school.settled(f"ntc_{later:03}", 4)
        mistaken = await page(session, f"{address}/notices/ntc_001")
        replaced = await page(session, f"{address}/notices/ntc_002")
        listed = await page(session, f"{address}/notices")

    assert re.search(
        r'Taken back as a mistake by Ada Okafor, \d\d:\d\d:\d\d: <a href="/notices/ntc_003">', mistaken
    )
    assert "A later notice took its place" not in mistaken
    assert "A later notice took its place" in replaced
    assert 1 == listed.count("Taken back as a mistake by Ada Okafor")
    assert 1 == listed.count("a later one took its place")


async def test_what_stood_in_for_another_language_is_said_in_words(house: House) -> None:
    """No code of ours: who read it, and in which language it was."""
    families = tuple(
        adult(n, role="guardian", language=told) for n, told in ((2, "hmn"), (3, "ar"), (4, "en"))
    )
    rule = AudienceRule(roles=frozenset({"guardian"}))
    async with (
        noticing(house, families=families, families_all=rule) as school,
        living(house) as address,
        browser() as session,
    ):
        await enter(session, address, house)
        school.site = replace(school.site, phone="+15550100")
        notice = await school.order(audience="families_all", template="families-notice")
        await school.settled(notice, 3)
        html = await page(session, f"{address}/notices/{notice}")

    assert ["English", "English, with the interpreter&#39;s line for Arabic, Hmong"] == re.findall(
        r"<summary><b>Text messages</b><span>([^<]+)</span></summary>", html
    )
    assert "<span>en-x-" not in html


async def test_a_draft_shows_one_text_for_all_languages_that_it_stands_in_for(house: House) -> None:
    """Once for each way out, with how many of whom; never a tag of ours."""
    families = tuple(adult(n, role="guardian", language="hmn" if n == 2 else "ar") for n in (2, 3, 4))
    async with noticing(house, families=families) as school, living(house) as address, browser() as session:
        await enter(session, address, house)
        school.site = replace(school.site, phone="+15550100")
        person = (await grants_of(house).listed())[0].person
        choice = Choice(
            template="families.lockdown.now", rule=AudienceRule(roles={"guardian"}), slots={"cause": ""}
        )
        draft = await school.composer.write(house.ids.verb(), choice, person)
        html = await page(session, f"{address}/notices/drafts/{draft.id}")

    assert 2 == len(draft.counted.texts)
    assert 1 == html.count('<article class="notice text">')
    assert "where no text is approved: Arabic 2, Hmong 1" in html
    assert "-x-" not in html


async def test_a_refused_try_leaves_the_writer_on_the_draft(house: House) -> None:
    """U16: what was wrong stands on top, and only groups small enough are offered, with their number."""
    staff = tuple(adult(n, place="plc_b204" if n < 4 else "plc_gym") for n in range(30))
    everybody = AudienceRule(roles={"staff"})
    few = AudienceRule(roles={"staff"}, places={PlaceId("plc_b204")})
    async with (
        noticing(house, *staff, everybody=everybody, few=few) as school,
        living(house) as address,
        browser() as session,
    ):
        await enter(session, address, house)
        person = (await grants_of(house).listed())[0].person
        choice = Choice(template="staff-notice", audience="everybody")
        draft = await school.composer.write(house.ids.verb(), choice, person)
        where = f"{address}/notices/drafts/{draft.id}"
        html = await page(session, where)
        given = {"form": form_token(html), "verb": house.ids.verb(), "audience": "everybody"}
        async with session.post(f"{where}/test", data=given, headers={"Origin": address}) as answer:
            refused = answer.status, await answer.text()

    assert [("few", "Few, 4 people")] == re.findall(r'<option value="(few|everybody)">([^<]*)', html)
    assert 409 == refused[0]
    assert "everybody has 30 people; a test goes to 25 at most." in refused[1]
    assert '<h1><a href="/notices" class="back">' in refused[1]


def test_no_dot_stands_between_links_that_wrap() -> None:
    """Each link of a page is a line of its own on a telephone, and a dot between them another."""
    templates = Path(ledger.__file__).parent / "templates"

    assert [] == [
        path.name
        for path in templates.glob("*.html")
        if re.search(r"</a>[^<]*(\{%[^%]*%\})? · <a", path.read_text())
    ]


async def test_what_nobody_can_send_is_said_so_and_not_counted_as_written(house: House) -> None:
    """W13: an address that nothing is set up for stands apart from what was written, and is no carrier's fault."""
    alone = adult(5)
    chat = Contact(kind=ContactKind.CHAT, address="office")
    both = replace(alone, contacts=(*alone.contacts, chat))
    async with noticing(house, both) as school, living(house) as address, browser() as session:
        await enter(session, address, house)
        notice = await school.order()
        await school.settled(notice, 2)
        html = await page(session, f"{address}/notices/{notice}")

    assert '<span class="mono">1</span> messages written' in html
    assert 'Chat messages: no channel is set up, for <span class="mono">1</span> address<' in html
    assert "nobody can send it" not in html
    assert "Where most fails" not in html
    assert "<summary><b>Chat rooms</b>" not in html


async def test_a_correction_says_who_sent_it_and_because_of_which(house: House) -> None:
    """Whoever pressed the button wrote no draft; what the plan ordered was sent by nobody."""
    async with noticing(house, *STAFF) as school, living(house) as address, browser() as session:
        await enter(session, address, house)
        first = await school.order()
        await school.settled(first, 4)
        await school.order(2, template="staff-correction", by="per_1", corrects=(first,))
        await school.settled("ntc_002", 4)
        planned, corrected = [await page(session, f"{address}/notices/{one}") for one in (first, "ntc_002")]

    assert "Sent by" not in planned
    assert f'because of <a href="/notices/{first}">an earlier one</a>' in corrected
    assert "Sent by Ada Okafor, because" in corrected


async def test_r21_what_is_held_has_two_buttons_and_a_press_sends_it(house: House) -> None:
    """Sent after all, once, by whoever is signed in; then nothing is held any more, and neither button is there."""
    async with noticing(house, *STAFF) as school, living(house) as address, browser() as session:
        form = form_token(await enter(session, address, house))
        await school.order()
        await school.settled("ntc_001", 4)
        async with house.database.begin() as tx:  # as two hours without a provider leave it
            tx.add("UPDATE notice_delivery SET state = 'refused', reason = 'too_late', provider_id = ''")
        path = f"{address}/notices/ntc_001"
        before = await page(session, path)
        answers = []
        for given in ({}, {"decision": "send"}, {"decision": "leave"}):
            status, _ = await send(session, address, "/notices/ntc_001/held", form=form, **given)
            answers.append(status)
        await school.settled("ntc_001", 4)
        after = await page(session, path)

    assert [400, 200, 200] == answers
    assert "held for a person" in before
    assert "Send them now" in before
    assert "Leave them unsent" in before
    assert "Send them now" not in after
    assert 8 == len(school.carrier.sent)


async def test_the_export_holds_every_delivery_and_no_formula(house: House) -> None:
    """One line for each delivery, people and states in words, addresses masked, names that begin a formula quoted."""
    async with noticing(house, *STAFF) as school, living(house) as address, browser() as session:
        await enter(session, address, house)
        notice = await school.order(mode=Mode.EXERCISE)
        await school.settled(notice, 4)
        async with session.get(f"{address}/notices/{notice}.csv") as answer:
            octets = await answer.read()
            kind = answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(octets.decode("utf-8-sig"))))

    assert f'attachment; filename="notice-{notice}.csv"' == kind
    assert list(COLUMNS) == list(rows[0])
    assert 5 == len(rows)
    assert {"'=HYPERLINK(A1)", "Staff 2", "Staff 7", "Staff 8", "No Phone"} == {row["name"] for row in rows}
    assert {"..0001", "..0002", "..0007", "..0008", ""} == {row["address"] for row in rows}
    assert {"accepted by the provider": 2, "failed": 2, "unknown": 1} == {
        state: sum(row["state"] == state for row in rows) for state in {row["state"] for row in rows}
    }


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\uff1d1"])
def test_what_a_table_program_would_compute_is_quoted(cell: str) -> None:
    """Whatever stands before it."""
    assert neutral(cell).startswith("'")


def test_what_computes_nothing_stays_as_it_is() -> None:
    """Names, dots, digits."""
    assert ["Ruth", "..0107", "12", ""] == [neutral(cell) for cell in ("Ruth", "..0107", "12", "")]


async def test_families_are_called_by_the_rosters_names(house: House) -> None:
    """The roster is asked for those whom nobody else knows."""
    family = adult(17, role="guardian", name="Gil Guardian")
    everyone = AudienceRule(roles=frozenset({"guardian"}))
    async with (
        noticing(house, families=(family,), families_all=everyone) as school,
        living(house) as address,
        browser() as session,
    ):
        await enter(session, address, house)
        school.site = replace(school.site, phone="+15550100")
        notice = await school.order(audience="families_all")
        await school.settled(notice, 1)
        html = await page(session, f"{address}/notices/{notice}")

    assert "Gil Guardian" in html


@pytest.mark.parametrize("named", [{"role": "nope"}, {"class": "nope"}, {"school": "nope"}])
async def test_a_notice_is_written_for_nobody_that_there_is_not(house: House, named: dict[str, str]) -> None:
    """A key that stands in no list would be an audience that means nobody; the form comes back and says which."""
    fields = {"template": "families-notice", "audience": "own:", "role": "guardian"} | named
    async with (
        noticing(house, families=(adult(1, role="guardian"),)),
        living(house) as address,
        browser() as session,
    ):
        form = form_token(await enter(session, address, house))
        verb = "vrb_" + "0" * 26
        status, html = await send(session, address, "/notices/new", form=form, verb=verb, **fields)
        written = await house.notices.composer.drafts.open(9)

    (word,) = named
    assert (409, True) == (status, f"There is no {word} &#34;nope&#34; in the lists." in html)
    assert [] == written


async def test_what_cannot_be_read_is_never_an_empty_ledger(house: House) -> None:
    """W15: the page says that it cannot read; so does the list, and the file does not begin."""
    async with noticing(house, *STAFF) as school:
        notice = await school.order()
        await school.settled(notice, 4)
        broken = BrokenReads(house.database)
        assert house.notices is not None
        house.notices.reports._database = broken
        async with living(house) as address, browser() as session:
            await enter(session, address, house)
            broken.broken = True
            answers = []
            for path in ("/notices", f"/notices/{notice}", f"/notices/{notice}.csv"):
                async with session.get(address + path) as answer:
                    answers.append((answer.status, await answer.text()))

    assert [503] * 3 == [status for status, _ in answers]
    assert all("does not mean that there is nothing to show" in html for _, html in answers)


async def test_only_who_is_signed_in_sees_a_ledger(house: House) -> None:
    """Everybody else is sent to sign in, for the file too."""
    async with noticing(house, *STAFF) as school, living(house) as address, browser() as session:
        notice = await school.order()
        await school.settled(notice, 4)
        for path in ("/notices", f"/notices/{notice}", f"/notices/{notice}.csv"):
            async with session.get(address + path, allow_redirects=False) as answer:
                assert "/sign-in" == answer.headers["Location"]


async def test_what_takes_long_to_count_shows_its_sums_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page does not wait for the counting; what it says meanwhile comes from the counts the senders keep."""
    monkeypatch.setattr(ledger, "WAIT", 0.05)
    async with noticing(house, *STAFF) as school, living(house) as address, browser() as session:
        await enter(session, address, house)
        notice = await school.order()
        await school.settled(notice, 4)
        assert house.notices is not None
        never = asyncio.Event()
        monkeypatch.setattr(house.notices.reports, "standing", lambda _listed: never.wait())
        html = await page(session, f"{address}/notices/{notice}")

    assert "are being counted" in html
    assert '<b class="mono">2</b> with the carrier' in html
    assert '<b class="mono">1</b> failed' in html
