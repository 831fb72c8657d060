"""P13, P14 at the command line: open, export, end, and the record that the law wants."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import signal
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec import Struct

from belltower.clock import SystemClock
from belltower.errors import BelltowerError
from belltower.ids import IncidentId, StreamName
from belltower.incident.encoding import FactEncoding
from belltower.incident.facts import IncidentOpened, Mode
from belltower.journal import Draft, Journal, SpoolFile
from belltower.people.generator import generate
from belltower.people.grant import Grant
from belltower.people.roster import HumanKind
from belltower.people.taking import Taking
from belltower.store import Transaction, open_database
from gateway import settings as settings_file
from gateway.cli.commands import belltower as command_line
from gateway.cli.commands import code_of
from gateway.rosters import open_rosters
from gateway.web import grant_store
from gateway.web import store as web_store
from gateway.web.store import Account
from tests.belltower.people.disclosing import RUTH, THREAT, Desk
from tests.gateway.cli.house import COMMAND, ENVIRONMENT, ROOT, house
from tests.peers.waiting import PATIENCE

INCIDENT = "inc_1"
DISTRICT = generate(seed=5, students=300)


class Done(Struct, kw_only=True):
    """What a command left."""

    returncode: int
    stdout: str
    stderr: str


def belltower(*words: object) -> Done:
    """The command in this process: sixteen of them would be slow as processes of their own."""
    result = CliRunner().invoke(command_line, [str(word) for word in words], standalone_mode=False)
    error = result.exception
    if isinstance(error, BelltowerError):
        return Done(returncode=code_of(error), stdout=result.stdout, stderr=str(error))
    if error is not None:
        raise error
    return Done(returncode=0, stdout=result.stdout, stderr=result.stderr)


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    """A desk that ran, with a roster, an open incident, a liaison and somebody of the staff."""
    folder = tmp_path_factory.mktemp("house")
    config = house(folder)
    asyncio.run(desk_that_ran(config))
    return config


async def desk_that_ran(config: Path) -> None:
    """What the lane leaves behind."""
    settings = settings_file.load(config, secrets=frozenset())
    settings.state.folder.mkdir(parents=True, exist_ok=True)
    database = await open_database(settings.desk_url)
    clock = SystemClock()
    desk = Desk(database)
    journal: Journal = Journal(
        database=database,
        stream=StreamName("alarm-1"),
        codec=FactEncoding(),
        spool=SpoolFile(path=settings.state.folder / "desk.spool"),
        spool_after=PATIENCE,
    )
    await journal.open()
    await database.migrate(web_store.STEPS)
    store = await open_rosters(database, settings.people_keys)
    taking = Taking(store=store, clock=clock)
    ready = await taking.prepare(await taking.look(DISTRICT), incident_open=False)
    tx = Transaction()
    taking.settle(tx, ready, incident_open=False)
    web_store.incident_opened(tx, IncidentId(INCIDENT), 1, clock.now())
    for person, sign_in, role in ((RUTH, "ruth", "liaison"), ("per_sam", "sam", "staff")):
        account = Account(person=person, sign_in=sign_in, name=sign_in.capitalize(), password="none")
        web_store.add_account(tx, account, clock.now())
        grant_store.add_grant(tx, Grant(person=person, role=role), clock.now())
    opened = IncidentOpened(incident=IncidentId(INCIDENT), alarm=desk.ids.alarm(), mode=Mode.ACTUAL, number=1)
    draft = Draft(id=desk.ids.fact(), at=clock.now(), subject=INCIDENT, fact=opened)
    await journal.commit(tx, [draft])
    await journal.close()
    await database.close()


def asking(config: Path, *words: str, school: str = "") -> tuple[str, ...]:
    """The words that open one for a school's students."""
    return (
        "disclosures",
        "open",
        "--json",
        "-c",
        str(config),
        "--incident",
        INCIDENT,
        "--agency",
        "=Linden County Sheriff",
        "--function",
        "incident commander",
        "--basis",
        "safety",
        "--threat",
        THREAT,
        "--field",
        "names",
        "--field",
        "contact",
        "--school",
        school or DISTRICT.of_kind(HumanKind.STUDENT)[0].schools[0],
        *words,
    )


def opened(config: Path, by: str = "ruth") -> dict:
    """One that was opened."""
    done = belltower(*asking(config), "--by", by)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


def test_a_recipient_reads_what_was_opened_marked_and_without_formulas(config: Path, tmp_path: Path) -> None:
    """P14: marked in the heading and in each line; what would be a formula is text; the record names every student."""
    one = opened(config)
    file, record = tmp_path / "sheriff.csv", tmp_path / "record.csv"
    done = belltower(
        "disclosures", "export", one["disclosure"], "-c", config, "--by", "ruth", "--output", file
    )
    again = belltower(
        "disclosures", "export", one["disclosure"], "-c", config, "--by", "ruth", "--output", file
    )
    recorded = belltower("disclosures", "record", "-c", config, "--incident", INCIDENT, "--output", record)
    lines = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig"))))
    kept = list(csv.reader(io.StringIO(record.read_text(encoding="utf-8-sig"))))
    columns = lines.index(next(line for line in lines if line[0] == "student"))
    families = {human.family for human in DISTRICT.of_kind(HumanKind.STUDENT)}

    assert (0, 77, 0) == (done.returncode, again.returncode, recorded.returncode)
    assert 0o600 == file.stat().st_mode & 0o777
    assert lines[0][0].startswith("EXEMPT FROM PUBLIC DISCLOSURE")
    assert ["given to", "'=Linden County Sheriff", "incident commander"] in lines
    assert one["students"] == len(lines) - columns - 1
    assert {"exempt from public disclosure"} == {line[-1] for line in lines[columns + 1 :]}
    assert {line[1] for line in lines[columns + 1 :]} <= families
    assert lines[columns][1:3] == ["family name", "given name"]
    assert kept[0][0].startswith("EXEMPT FROM PUBLIC DISCLOSURE")
    of_this = [dict(zip(kept[2], line, strict=True)) for line in kept[3:] if one["disclosure"] in line]
    assert {line[0] for line in lines[columns + 1 :]} == {line["student"] for line in of_this}
    assert {(THREAT, "'=Linden County Sheriff", "incident commander", "exported", "Ruth")} == {
        (line["threat"], line["given to"], line["who is there"], line["how"], line["given by"])
        for line in of_this
    }


def test_the_record_of_one_student_names_every_disclosure(config: Path) -> None:
    """P13: per student, as the parents may ask for it."""
    one = opened(config)
    given = belltower("disclosures", "export", one["disclosure"], "-c", config, "--by", "ruth", "--json")
    student = json.loads(given.stdout.splitlines()[0])["student"]
    record = belltower("disclosures", "record", "-c", config, "--student", student, "--json")
    lines = [json.loads(line) for line in record.stdout.splitlines()]

    assert one["disclosure"] in {line["disclosure"] for line in lines}
    assert {student} == {line["student"] for line in lines}
    assert all("99.36" in line["ground"] for line in lines)


def test_what_has_ended_or_is_not_allowed_gives_nothing(config: Path) -> None:
    """Exit 77, with words that say why; the list shows how it ended."""
    one = opened(config)
    sam = belltower("disclosures", "export", one["disclosure"], "-c", config, "--by", "sam")
    stranger = belltower("disclosures", "export", one["disclosure"], "-c", config, "--by", "nobody")
    closed = belltower("disclosures", "close", one["disclosure"], "-c", config, "--by", "ruth")
    late = belltower("disclosures", "export", one["disclosure"], "-c", config, "--by", "ruth")
    not_open = belltower(*asking(config), "--by", "ruth", "--incident", "inc_none")
    listed = belltower("disclosures", "list", "-c", config, "--json")
    of_this = next(
        each
        for each in map(json.loads, listed.stdout.splitlines())
        if each["disclosure"] == one["disclosure"]
    )

    assert [77, 77, 0, 77, 77] == [each.returncode for each in (sam, stranger, closed, late, not_open)], (
        not_open.stderr
    )
    assert "liaison" in sam.stderr
    assert "has ended" in late.stderr
    assert ("", "") == (sam.stdout, late.stdout)
    assert ("by-hand", 0) == (of_this["state"], of_this["given"])


def test_an_incident_a_school_and_a_class_are_named_as_the_page_names_them(config: Path) -> None:
    """By number and by name; what nobody knows is said, with what is open."""
    one, school = DISTRICT.classes[0], DISTRICT.schools[-1]
    by_name = belltower(*asking(config, "--incident", "1", school=school.name.upper()), "--by", "ruth")
    by_key = belltower(*asking(config, school=school.key), "--by", "ruth")
    wrong = [
        belltower(*asking(config, *words), "--by", "ruth")
        for words in (
            ("--incident", "9" * 30),
            ("--incident", "inc_none"),
            ("--school", "Nowhere"),
            ("--class", "9Z"),
        )
    ]
    of_number = belltower("disclosures", "record", "-c", config, "--incident", "1", "--json")
    titled = belltower(*asking(config, "--class", f" {one.title} "), "--by", "ruth")

    assert json.loads(by_key.stdout)["students"] == json.loads(by_name.stdout)["students"]
    assert [77] * 4 == [each.returncode for each in wrong]
    assert INCIDENT in wrong[0].stderr
    assert "no incident inc_none" in wrong[1].stderr
    assert "no school of the key or the name Nowhere" in wrong[2].stderr
    assert "no class of the key or the name 9Z" in wrong[3].stderr
    assert 0 == of_number.returncode
    assert titled.returncode == 0 or "is the name of several" in titled.stderr


def test_killed_while_it_writes_the_register_has_every_row_that_left(config: Path) -> None:
    """P13: kill -9 after the first octets: no row left that does not stand in the register."""
    one = opened(config)
    words = ("disclosures", "export", one["disclosure"], "-c", str(config), "--by", "ruth", "--json")
    with subprocess.Popen([*COMMAND, *words], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE) as writing:
        assert writing.stdout is not None
        left = [json.loads(writing.stdout.readline())["student"]]
        writing.send_signal(signal.SIGKILL)
        left += [json.loads(line)["student"] for line in writing.stdout.read().splitlines(keepends=True)[:-1]]
    record = belltower("disclosures", "record", "-c", config, "--disclosure", one["disclosure"], "--json")
    kept = {json.loads(line)["student"] for line in record.stdout.splitlines()}

    assert set(left) <= kept
    assert one["students"] == len(kept)


@pytest.mark.parametrize("of", ["--student", "--incident"])
def test_no_record_is_written_of_whom_nobody_knows(config: Path, tmp_path: Path, of: str) -> None:
    """P14: an empty legal record would say that nothing was ever given; of somebody known it says so."""
    file = tmp_path / "record.csv"

    wrong = belltower("disclosures", "record", "-c", config, of, "x", "--output", file)
    known = belltower("disclosures", "record", "-c", config, "--incident", INCIDENT, "--json")

    assert (77, False) == (wrong.returncode, file.exists())
    assert f"{of} x: neither the" in wrong.stderr
    assert 0 == known.returncode
