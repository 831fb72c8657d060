"""P13, P14: records for somebody outside, on the page: opened, given, written down, ended; and for nobody else."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from datetime import date
from zoneinfo import ZoneInfo

import aiohttp
from msgspec.structs import replace

from belltower.incident.facts import Mode
from belltower.people.disclosure import Field, Way
from belltower.people.roster import HumanKind
from belltower.people.safety import Approval
from belltower.people.taking import Taking
from belltower.store import Transaction, open_database
from gateway.web.disclosure_papers import Papers
from gateway.web.store import open_incidents
from tests.belltower.people.disclosing import DISTRICT as LEAVERS
from tests.belltower.people.disclosing import RUTH, Desk
from tests.gateway.web.disclosing import DISTRICT, disclosing
from tests.gateway.web.granting import become
from tests.gateway.web.house import House, Pressed, form_token, living
from tests.gateway.web.test_pages import browser, enter, page, send
from tests.peers.waiting import PATIENCE

THREAT = "An armed person was seen at the gym door; <b>the sheriff</b> has to find them."
STUDENTS = DISTRICT.of_kind(HumanKind.STUDENT)


async def known(house: House, mode: Mode = Mode.ACTUAL) -> Pressed:
    """An incident that the desk knows to be open."""
    pressed = await house.press(mode=mode)
    async with asyncio.timeout(PATIENCE):
        while pressed.id not in await open_incidents(house.database):  # noqa: ASYNC110 - a row is waited for
            await asyncio.sleep(0.01)
    return pressed


async def opened(
    session: aiohttp.ClientSession, address: str, incident: str, **otherwise: str
) -> tuple[int, str]:
    """Fill the form in and send it: status, and the path or the page."""
    html = await page(session, f"{address}/disclosures/new?incident={incident}")
    verb = re.search(r'name="verb" value="([^"]+)"', html)
    assert verb is not None, html
    fields = {
        "verb": verb[1],
        "incident": incident,
        "agency": "Linden County Sheriff",
        "function": "incident commander",
        "basis": "safety",
        "threat": THREAT,
        "field": "names",
        "minutes": "60",
        "students": f"{STUDENTS[0].given} {STUDENTS[0].family}",
    }
    headers = {"Origin": address}
    data = {"form": form_token(html), **fields, **otherwise}
    async with session.post(f"{address}/disclosures/new", data=data, headers=headers) as answer:
        return answer.status, str(answer.url.path) if answer.history else await answer.text()


async def test_it_is_opened_shown_exported_and_ended(house: House) -> None:
    """P13: each step on the page, each row in the record; the threat is text wherever it stands."""
    register = await disclosing(house)
    async with living(house) as address, browser() as session:
        await enter(session, address, house)
        pressed = await known(house)
        _, path = await opened(session, address, pressed.id)
        html = await page(session, address + path)
        form = form_token(html)
        _, shown = await send(session, address, f"{path}/rows", form=form)
        async with session.post(
            f"{address}{path}/export", data={"form": form}, headers={"Origin": address}
        ) as answer:
            exported, headers = await answer.text("utf-8-sig"), answer.headers
        record = await page(session, f"{address}{path}/record.csv")
        student = (await register.whole((await register.last(1))[0].id)).students[0]
        of_student = await page(session, f"{address}/disclosures/students/{student}/record.csv")
        of_incident = await page(session, f"{address}/disclosures/incidents/{pressed.id}/record.csv")
        _, ended = await send(session, address, f"{path}/close", form=form)
        late, told = await send(session, address, f"{path}/export", form=form)
        listed = await page(session, f"{address}/disclosures")
    lines = list(csv.reader(io.StringIO(record)))

    assert "Open until" in html
    assert "&lt;b&gt;the sheriff" in html
    assert f"<dd>{STUDENTS[0].family}</dd>" in shown
    assert "attachment" in headers["Content-Disposition"]
    assert "no-store" == headers["Cache-Control"]
    assert exported.startswith("EXEMPT FROM PUBLIC DISCLOSURE")
    assert STUDENTS[0].family in exported
    assert ["shown", "exported"] == [line[9] for line in lines[3:]]
    assert {THREAT} == {line[7] for line in lines[3:]}
    assert [lines[3:]] * 2 == [list(csv.reader(io.StringIO(text)))[3:] for text in (of_student, of_incident)]
    assert "Ended by hand" in ended
    assert "Write all" not in ended
    assert (409, True) == (late, "has ended" in told)
    assert "Linden County Sheriff, incident commander" in listed


async def test_a_student_is_brought_from_elsewhere_by_id(house: House) -> None:
    """The form takes ids, so that a page of people can point at it; nothing of anybody stands in an address."""
    register = await disclosing(house)
    async with living(house) as address, browser() as session:
        await enter(session, address, house)
        pressed = await known(house)
        _, path = await opened(session, address, pressed.id)
        student = (await register.whole((await register.last(1))[0].id)).students[0]
        html = await page(session, f"{address}/disclosures/new?students={student}")
        _, again = await opened(session, address, pressed.id, students=student)
        both = await page(session, address + again)

    assert f">{student}</textarea>" in html
    assert path != again
    assert f"<b>{STUDENTS[0].given} {STUDENTS[0].family}</b>" in both


async def test_what_is_missing_is_said_and_what_was_written_stays(house: House) -> None:
    """No threat, no field, nobody meant, two of a name: the form comes back; no incident: there is no form."""
    await disclosing(house)
    async with living(house) as address, browser() as session:
        await enter(session, address, house)
        none = await page(session, f"{address}/disclosures/new")
        pressed = await known(house)
        short = await opened(session, address, pressed.id, threat="too short")
        nothing = await opened(session, address, pressed.id, field="")
        nobody = await opened(session, address, pressed.id, students="Nobody Atall")
        groundless = await opened(session, address, pressed.id, basis="because")
        listed = await page(session, f"{address}/disclosures")

    assert "No incident is open" in none
    assert [409] * 4 == [status for status, _ in (short, nothing, nobody, groundless)]
    assert "Say what the threat is" in short[1]
    assert 'value="Linden County Sheriff"' in short[1]
    assert "Choose what is given." in nothing[1]
    assert "Name or number 1" in nobody[1]
    assert "Nothing is open" in listed


async def test_only_whoever_may_sees_any_of_it(house: House) -> None:
    """Staff and the office do not; a liaison of one school does nothing for another's students."""
    await disclosing(house)
    schools = {human.schools[0] for human in STUDENTS}
    here = STUDENTS[0].schools[0]
    other = next(iter(schools - {here}), "elsewhere")
    async with living(house) as address, browser() as session:
        await enter(session, address, house)
        pressed = await known(house)
        _, path = await opened(session, address, pressed.id)
        form = form_token(await page(session, address + path))
        refused = {}
        for role, where in (("staff", ()), ("office", ()), ("liaison", (other,))):
            await become(house, role, *where)
            for step in ("rows", "export", "close"):
                refused[role, step], _ = await send(session, address, f"{path}/{step}", form=form)
            async with session.get(address + path) as answer:
                refused[role, "page"] = answer.status
            async with session.get(f"{address}{path}/record.csv") as answer:
                refused[role, "record"] = answer.status
        front = await page(session, address)
        listed = await page(session, f"{address}/disclosures")
        await become(house, "staff")
        async with session.get(f"{address}/disclosures") as answer:
            refused["staff", "list"] = answer.status
        plain = await page(session, address)
        await become(house, "liaison", here)
        async with session.get(address + path) as answer:
            allowed = answer.status

    assert {403} == set(refused.values())
    assert "Linden County Sheriff" not in listed
    assert "/disclosures" in front
    assert "/disclosures" not in plain
    assert 200 == allowed


async def test_in_an_exercise_the_page_says_so_and_shows_nobody(house: House) -> None:
    """The same path to the last metre."""
    await disclosing(house)
    async with living(house) as address, browser() as session:
        await enter(session, address, house)
        pressed = await known(house, Mode.EXERCISE)
        _, path = await opened(session, address, pressed.id)
        html = await page(session, address + path)
        _, shown = await send(session, address, f"{path}/rows", form=form_token(html))

    assert "no record of anybody leaves" in html
    assert "<dd>exercise</dd>" in shown
    assert f"<dd>{STUDENTS[0].family}</dd>" not in shown


async def test_the_record_names_a_student_who_has_left(tmp_path) -> None:
    """34 CFR 99.32: it is kept with the file for as long as there is one. Name and age are those of when it was given."""
    database = await open_database(f"sqlite://{tmp_path}/desk.db")
    district = replace(
        LEAVERS, humans=tuple(replace(one, birth_date=date(2010, 5, 4)) for one in LEAVERS.humans)
    )
    desk = await Desk(database).load(district)
    asked = await desk.asked(fields=frozenset({Field.LOCATION}))
    made = await desk.register.open(desk.ids.verb(), asked, RUTH)
    sheet = await desk.register.give(made.id, Way.EXPORTED, RUTH)
    gone = sheet.rows[0].student
    human = (await desk.store.human(gone)).human
    papers = Papers(register=desk.register, roster=desk.store, name=str, zone=ZoneInfo("America/Chicago"))
    before = [line async for some in papers.of_student(gone) for line in some]

    without = replace(
        district,
        humans=tuple(one for one in district.humans if one.key != human.key),
        enrolments=tuple(one for one in district.enrolments if one.human != human.key),
        links=tuple(one for one in district.links if one.student != human.key),
    )
    taking = Taking(store=desk.store, clock=desk.clock)
    comparison = await taking.look(without)
    approval = Approval(by=RUTH, fingerprint=comparison.diff.fingerprint)
    ready = await taking.prepare(comparison, incident_open=False, approval=approval)
    tx = Transaction()
    taking.settle(tx, ready, incident_open=False)
    await database.submit(tx)
    left = [one.id for one in await desk.store.known([gone])]
    after = [line async for some in papers.of_student(gone) for line in some]
    await database.close()

    assert [] == left
    assert before == after
    assert f"{human.given} {human.family}" in after[0]
    assert "no" == after[0][3]
