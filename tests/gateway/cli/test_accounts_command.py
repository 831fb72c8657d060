"""Accounts at the command line: listed, given and taken roles, closed; while the desk holds its database open."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from belltower.clock import Instant, SystemClock
from belltower.errors import BelltowerError, NotFound, NotPermitted
from belltower.ids import PersonId
from belltower.people.generator import generate
from belltower.people.grant import Grant
from belltower.people.roster import School, SchoolKey
from belltower.people.taking import Taking
from belltower.store import Transaction, open_database
from gateway import settings as rooms
from gateway.cli import commands
from gateway.cli.roster_taking import known
from gateway.rosters import open_rosters
from gateway.web import grant_store, store
from gateway.web.store import Account
from tests.gateway.cli.house import house

RUTH, TOM = PersonId("per_00000000000000000000000001"), PersonId("per_00000000000000000000000002")


SCHOOLS = {"0041": "Linden", "0042": "Oak"}


async def schooled(config: Path) -> None:
    """A roster of two schools is in force."""
    settings = rooms.load(config, secrets=False)
    settings.people_keys.parent.mkdir(parents=True, exist_ok=True)
    database = await open_database(f"sqlite://{settings.state.desk_database}")
    taking = Taking(store=await open_rosters(database, settings.people_keys), clock=SystemClock())
    schools = tuple(School(key=SchoolKey(key), name=name) for key, name in SCHOOLS.items())
    ready = await taking.prepare(
        await taking.look(msgspec.structs.replace(generate(seed=1, students=2), schools=schools)),
        incident_open=False,
    )
    tx = Transaction()
    taking.settle(tx, ready, incident_open=False)
    await database.submit(tx)
    await database.close()


def _nobody() -> Transaction:
    tx = Transaction()
    for table in ("web_account", "web_grant"):
        tx.add(f"DELETE FROM {table}")
    return tx


async def desk(config: Path, *steps: tuple[str, ...]) -> list[tuple[int, list[object], str]]:
    """A desk with an administrator and somebody without a role; what each command says."""
    path = rooms.load(config, secrets=False).state.desk_database
    path.parent.mkdir(parents=True, exist_ok=True)
    database = await open_database(f"sqlite://{path}")
    await database.migrate(store.STEPS)
    tx = Transaction()
    await database.submit(_nobody())
    for person, name in ((RUTH, "Ruth Adler"), (TOM, "Tom Birch")):
        made = Account(person=person, sign_in=name.split()[0].casefold(), name=name, password="none")
        store.add_account(tx, made, Instant(1))
    grant_store.add_grant(tx, Grant(person=RUTH, role="administrator"), Instant(1))
    await database.submit(tx)
    said = []
    for words in steps:
        done = await asyncio.to_thread(
            CliRunner().invoke, commands.belltower, [*words, "-c", str(config), "--json"]
        )
        code = (
            commands.code_of(done.exception) if isinstance(done.exception, BelltowerError) else done.exit_code
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        said.append((code, lines, str(done.exception or "")))
    await database.close()
    return said


def test_a_school_that_no_roster_knows_is_named_and_gives_nothing(tmp_path: Path) -> None:
    """A role for a school by a wrong key would be for nobody; what is known is said."""
    config = house(tmp_path)
    words = [("accounts", "give", "tom", "office", "--school", "42"), ("invite", "--school", "42")]
    before = asyncio.run(desk(config, *words))
    asyncio.run(schooled(config))
    mistyped, invited, listed = asyncio.run(desk(tmp_path / "config.toml", *words, ("accounts", "list")))

    assert [77] * 4 == [code for code, _, _ in (*before, mistyped, invited)]
    assert {'there is no school "42" in the roster; none is in force yet'} == {said for _, _, said in before}
    assert {'there is no school "42" in the roster; known: 0041 (Linden), 0042 (Oak)'} == {
        said for _, _, said in (mistyped, invited)
    }
    assert [] == next(one["roles"] for one in listed[1] if one["sign_in"] == "tom")


def test_accounts_are_listed_and_given_roles(tmp_path: Path) -> None:
    """By sign-in name or id; the site package's own role too; the last administrator stays; faults exit with 77."""
    config = house(tmp_path)
    (config.parent / "site" / "roles.toml").write_text(
        '[front-desk]\nrights = ["notice-write"]\n', encoding="utf-8"
    )
    asyncio.run(schooled(config))
    listed, given, taken, closed, last, wizard, nobody, invited, strange = asyncio.run(
        desk(
            config,
            ("accounts", "list"),
            ("accounts", "give", "tom", "front-desk", "--school", "0042", "--school", "0041"),
            ("accounts", "take", TOM, "front-desk"),
            ("accounts", "close", "tom"),
            ("accounts", "take", "ruth", "administrator"),
            ("accounts", "give", "ruth", "wizard"),
            ("accounts", "give", "nobody", "office"),
            ("invite", "--role", "front-desk", "--school", "0042"),
            ("invite", "--role", "wizard"),
        )
    )

    assert [
        ("Ruth Adler", [{"role": "administrator", "schools": []}]),
        ("Tom Birch", []),
    ] == [(one["name"], one["roles"]) for one in listed[1]]
    assert [{"role": "front-desk", "schools": ["0041", "0042"]}] == given[1][0]["roles"]
    assert (0, [], True) == (taken[0], taken[1][0]["roles"], taken[1][0]["open"])
    assert (0, False) == (closed[0], closed[1][0]["open"])
    assert (77, True) == (last[0], "Nobody else may say who may do what" in last[2])
    assert (77, True) == (wizard[0], "There is no role wizard. Known: administrator" in wizard[2])
    assert (77, True) == (nobody[0], 'there is no account "nobody"; known: ruth, tom' in nobody[2])
    assert ("front-desk", ["0042"]) == (invited[1][0]["role"], invited[1][0]["schools"])
    assert (77, True) == (strange[0], "there is no role wizard; known: administrator" in strange[2])
    table = CliRunner().invoke(commands.belltower, ["accounts", "list", "-c", str(config)]).stdout
    assert (True, True) == ("2 accounts" in table, "CLOSED" in table)


async def test_a_held_roster_is_let_through_by_an_account_that_may(tmp_path: Path) -> None:
    """Whoever has no such right is refused by name; an id of the site package brings none."""
    config = house(tmp_path)
    await desk(config)
    settings = rooms.load(config, secrets=False)

    assert [RUTH, RUTH] == [await known(settings, by) for by in (RUTH, "ruth")]
    for by in (TOM, "p01"):
        with pytest.raises(
            NotPermitted, match="let a held roster through here. These roles may: administrator. Now: Ruth"
        ):
            await known(settings, by)
    with pytest.raises(NotFound, match="--by xx"):
        await known(settings, "xx")
