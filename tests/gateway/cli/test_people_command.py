"""`belltower people` and `belltower roster review`: what the pages do, at the command line."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path

import pytest
from click import Command
from click.testing import CliRunner
from msgspec.structs import replace

from belltower.clock import Instant, SystemClock
from belltower.errors import NotFound, NotPermitted, Refused, SettingsError
from belltower.ids import PersonId
from belltower.people.generator import generate
from belltower.people.grant import Grant
from belltower.people.roster import HumanKind, Roster
from belltower.people.taking import Taking
from belltower.store import open_database
from gateway import migration
from gateway import settings as settings_file
from gateway.cli.keys import command as keys
from gateway.cli.people import command
from gateway.cli.roster_review import command as review
from gateway.cli.roster_taking import known
from gateway.rosters import open_rosters
from gateway.web import grant_store
from gateway.web import store as web_store
from gateway.web.store import Account
from tests.gateway.cli.house import house

DISTRICT = generate(seed=5, students=6)
RUTH, TOM, MEI = (PersonId(f"per_{number:026}") for number in (1, 2, 3))
MOTHER = next(one for one in DISTRICT.humans if one.kind is HumanKind.GUARDIAN and one.emails)


async def take(config: Path, roster: Roster) -> dict[str, PersonId]:
    """Put a roster in force, as the desk would; everybody's id by the source's key."""
    settings = settings_file.load(config, secrets=frozenset())
    await migration.migrate(settings)
    database = await open_database(settings.desk_url)
    store = await open_rosters(database, settings.people_keys)
    taking = Taking(store=store, clock=SystemClock())
    ready = await taking.prepare(await taking.look(roster), incident_open=False)
    if ready is not None:
        async with database.begin() as tx:
            taking.settle(tx, ready, incident_open=False)
    found = {one.human.key: one.id async for page in store.humans() for one in page}
    await database.close()
    return found


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The settings of a school."""
    return house(tmp_path)


async def accounts(config: Path) -> None:
    """Ruth of the office, Tom who speaks with the police, and Mei who has every right."""
    database = await open_database(settings_file.load(config, secrets=frozenset()).desk_url)
    async with database.begin() as tx:
        for person, name, role in (
            (RUTH, "Ruth Adler", "office"),
            (TOM, "Tom Birch", "liaison"),
            (MEI, "Mei Lin", "administrator"),
        ):
            made = Account(person=person, sign_in=name[:3].casefold(), name=name, password="none")
            web_store.add_account(tx, made, Instant(1))
            grant_store.add_grant(tx, Grant(person=person, role=role), Instant(1))
    await database.close()


def ask(config: Path, *words: object, of: object = command) -> list[dict]:
    """Every line of JSON that a command prints; what it raises is raised."""
    done = CliRunner().invoke(
        of, [*map(str, words), "--config", str(config), "--json"], catch_exceptions=False
    )
    assert 0 == done.exit_code, done.output
    return [json.loads(line) for line in done.output.splitlines()]


def test_a_person_is_found_shown_and_changed_by_hand(config: Path) -> None:
    """P12, P21: with the load's own value beside what was written, and the way back."""
    people = asyncio.run(take(config, DISTRICT))
    mother = people[MOTHER.key]

    assert mother in {one["person"] for one in ask(config, "search", MOTHER.family)}
    ask(config, "set", mother, "emails", "new@example.org", "--by", "p01")
    (shown,) = ask(config, "show", mother)
    emails = shown["fields"]["emails"]
    assert (["new@example.org"], "p01", list(MOTHER.emails)) == (
        emails["values"],
        emails["by_hand"]["by"],
        emails["load"],
    )
    assert {"source": "sis", "file": MOTHER.file, "load": 1} == shown["from"]
    ask(config, "unset", mother, "emails", "--by", "p01")
    (shown,) = ask(config, "show", mother)
    assert list(MOTHER.emails) == shown["fields"]["emails"]["values"]


def test_somebody_is_away_until_a_time_and_back(config: Path) -> None:
    """In the school's own time zone, kept as a moment."""
    people = asyncio.run(take(config, DISTRICT))
    mother = people[MOTHER.key]
    said = []
    for words in (("away", mother, "--until", "2126-03-09T15:30"), ("back", mother)):
        ask(config, *words, "--by", "p01")
        (shown,) = ask(config, "show", mother)
        said.append(shown["fields"]["away"]["values"])

    (until,), back = said
    assert until.startswith("2126-03-")
    assert until.endswith("+00:00")
    assert [] == back


def test_an_order_is_written_down_decides_and_is_ended(config: Path) -> None:
    """P15: by the command line too; somebody unknown writes nothing."""
    people = asyncio.run(take(config, DISTRICT))
    link = next(one for one in DISTRICT.links if one.adult == MOTHER.key)
    student, mother = people[link.student], people[MOTHER.key]

    def says() -> str:
        (shown,) = ask(config, "show", student)
        return next(one["says"] for one in shown["collecting"] if one["person"] == mother)

    assert "nothing" == says()
    order = ("collect", student, "--adult", mother, "--paper", "court-order", "--says", "no")
    (done,) = ask(config, *order, "--sealed", "--by", "p01")
    assert "no" == says()
    ask(config, "end-collect", done["record"], "--by", "p01")
    assert "nothing" == says()
    with pytest.raises(NotFound, match="neither the site package nor the accounts"):
        ask(config, *order, "--by", "nobody")
    with pytest.raises(Refused, match="two letters"):
        ask(config, "search", "x")


def test_an_id_of_the_site_package_writes_no_order_once_there_are_accounts(config: Path) -> None:
    """It brings no right: whoever has an account needs the right to change records, and nobody acts without one."""
    people = asyncio.run(take(config, DISTRICT))
    link = next(one for one in DISTRICT.links if one.adult == MOTHER.key)
    student, mother = people[link.student], people[MOTHER.key]
    order = ("collect", student, "--adult", mother, "--paper", "court-order", "--says", "no")
    tom = TOM

    (before,) = ask(config, *order, "--by", "p01")
    asyncio.run(accounts(config))
    for by in ("p01", tom):
        for words in (order, ("end-collect", before["record"]), ("set", mother, "emails", "x@example.org")):
            with pytest.raises(NotPermitted, match="change people's records here.* Now: .*Ruth Adler"):
                ask(config, *words, "--by", by)
    with pytest.raises(NotFound, match="neither the site package"):
        ask(config, *order, "--by", "p00")
    (after,) = ask(config, *order, "--by", "Rut")
    ask(config, "set", mother, "emails", "x@example.org", "--by", "rut")
    (shown,) = ask(config, "show", student)
    records = next(one["records"] for one in shown["collecting"] if one["person"] == mother)

    (hers,) = ask(config, "show", mother)
    assert RUTH == hers["fields"]["emails"]["by_hand"]["by"]
    assert {before["record"], after["record"]} == set(records)
    with pytest.raises(NotPermitted, match="let a held roster through here"):
        asyncio.run(known(settings_file.load(config, secrets=frozenset()), "p01"))


def test_what_is_sealed_is_written_and_ended_by_those_only_who_may_see_that_it_exists(config: Path) -> None:
    """As on the page: the right to change records is not enough."""
    people = asyncio.run(take(config, DISTRICT))
    link = next(one for one in DISTRICT.links if one.adult == MOTHER.key)
    order = ("collect", people[link.student], "--adult", people[MOTHER.key], "--paper", "court-order")
    asyncio.run(accounts(config))
    (sealed,) = ask(config, *order, "--says", "no", "--sealed", "--by", MEI)
    (plain,) = ask(config, *order, "--says", "no", "--by", RUTH)

    for words in ((*order, "--says", "no", "--sealed"), ("end-collect", sealed["record"])):
        with pytest.raises(NotPermitted, match="give records to people outside"):
            ask(config, *words, "--by", RUTH)
    ask(config, "end-collect", plain["record"], "--by", RUTH)
    (shown,) = ask(config, "show", people[link.student])
    records = next(one["records"] for one in shown["collecting"] if one["person"] == people[MOTHER.key])
    assert [sealed["record"]] == records
    ask(config, "end-collect", sealed["record"], "--by", MEI)


def test_a_verdict_stands_whole_in_a_narrow_terminal_with_each_record_below(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """80 columns, ids of 30 letters, two records of one adult, and another adult of nearly the same name."""
    people = asyncio.run(take(config, DISTRICT))
    link = next(one for one in DISTRICT.links if one.adult == MOTHER.key)
    student, mother = people[link.student], people[MOTHER.key]
    written = ("collect", student, "--paper", "guardian-form", "--by", "p01", "--says")
    records = [ask(config, *written, "yes", "--adult", mother)[0]["record"] for _ in range(2)]
    ask(config, *written, "yes", "--adult-name", "Rex Doe")
    ask(config, *written, "no", "--adult-name", f"{MOTHER.given} {MOTHER.family}")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    command.main(["show", student, "--config", str(config)], standalone_mode=False)
    lines = screen.getvalue().splitlines()

    assert [] == [line for line in lines if len(line.rstrip()) > 80]
    assert 1 == sum(mother in line and "READ BOTH" in line for line in lines)
    assert {"YES", "NO"} <= {word for line in lines for word in line.split()}
    assert [1, 1] == [sum(record in line for line in lines) for record in records]


def test_contacts_that_may_be_the_same_person_are_listed_and_answered(config: Path) -> None:
    """P18: who is in force beside whom the load brings; kept, it is asked no more."""

    def clever(email: str) -> Roster:
        changed = replace(MOTHER, derived=True, emails=(email,))
        return replace(
            DISTRICT,
            format="clever",
            humans=tuple(changed if one.key == MOTHER.key else one for one in DISTRICT.humans),
        )

    asyncio.run(take(config, clever("old@example.org")))
    asyncio.run(take(config, clever("new@example.org")))
    (one,) = ask(config, of=review)
    assert (["old@example.org"], ["new@example.org"]) == (one["in_force"]["emails"], one["load"]["emails"])

    ask(config, one["question"], "keep", "--by", "p01", of=review)
    assert [] == ask(config, of=review)


@pytest.mark.parametrize(
    ("words", "of"),
    [(("search", "Adler"), command), ((), review), (("list",), keys), (("turn",), keys)],
    ids=["people search", "roster review", "keys list", "keys turn"],
)
def test_a_lost_key_ring_is_asked_for_from_the_backup(
    config: Path, words: tuple[str, ...], of: Command
) -> None:
    """Before there was a desk that is said; with one, not that there is none."""
    with pytest.raises(NotFound, match="there is no desk yet"):
        ask(config, *words, of=of)
    asyncio.run(take(config, DISTRICT))
    settings_file.load(config, secrets=frozenset()).people_keys.unlink()

    with pytest.raises(SettingsError, match=r"people\.keys: not there; take it from the backup"):
        ask(config, *words, of=of)


def test_whom_no_notice_reaches_is_listed(config: Path) -> None:
    """P20: ids of people and their children, for a table program too; exit code 1, so that a check notices."""
    silent = replace(
        DISTRICT,
        humans=tuple(
            replace(one, phones=(), emails=()) if one.key == MOTHER.key else one for one in DISTRICT.humans
        ),
    )
    people = asyncio.run(take(config, silent))

    done = CliRunner().invoke(command, ["unreachable", "--config", str(config), "--json"])
    found = {one["person"]: one for one in map(json.loads, done.output.splitlines())}

    assert 1 == done.exit_code
    assert 0 == found[people[MOTHER.key]]["impossible"]
    assert found[people[MOTHER.key]]["children"]
    assert len(found) < 5
