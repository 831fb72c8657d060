"""Whether the schools of the campus are those of the roster: said on the screen, in the log and by `belltower check`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from belltower.clock import SystemClock
from belltower.people.generator import generate
from belltower.people.reach import RosterPeople
from belltower.people.store import RosterStore
from belltower.people.vault import Vault, new_ring
from belltower.store import open_database
from gateway.cli.commands import belltower
from gateway.own_schools import OwnSchools, amiss
from gateway.settings import load
from tests.belltower.people.test_taking import take
from tests.gateway.cli.house import house

SEVERAL = generate(seed=3, students=40, schools=2)


@pytest.mark.parametrize(
    ("own", "several", "known", "said"),
    [
        ((), ("a", "b"), ("a", "b", "district"), "it has a, b"),
        ((), ("a",), ("a", "district"), ""),
        ((), (), (), ""),
        (("a",), ("a", "b"), ("a", "b"), ""),
        (("x",), ("a",), ("a",), "the roster has no x"),
        (("x",), (), (), ""),
    ],
)
def test_it_is_said_where_none_is_named_of_several_or_one_that_is_not_there(
    own: tuple[str, ...], several: tuple[str, ...], known: tuple[str, ...], said: str
) -> None:
    """With one school in the roster, or no roster, nothing is to be named."""
    found = amiss(own, several=several, known=known)

    assert said in found
    assert bool(said) == bool(found)


def test_the_desk_and_the_check_say_it_of_the_roster_in_force(tmp_path: Path) -> None:
    """And no more once the site names its own."""
    config = house(tmp_path)
    config.write_text(config.read_text("utf-8") + f'\n[state]\nfolder = "{tmp_path}"\n', "utf-8")
    check = ["check", "--config", str(config), "--without-secrets"]
    run = CliRunner().invoke
    url = load(config, secrets=False).desk_url
    keys = sorted(one.key for one in SEVERAL.schools if one.kind == "school")

    async def desk(*own: str) -> list[str]:
        """What the desk says before and after it takes the roster."""
        database = await open_database(url)
        store = RosterStore(database=database, vault=Vault(ring=new_ring(Random(1).randbytes)))
        await store.open()
        looking = OwnSchools(own=own, store=store, people=RosterPeople(store=store, clock=SystemClock()))
        said = []
        await looking.look()
        said.append(looking.fault)
        await take(store, SEVERAL)
        await looking.look()
        said.append(looking.fault)
        await database.close()
        return said

    assert "schools" not in run(belltower, check).output
    before, after = asyncio.run(desk())
    assert "" == before
    assert all(key in after for key in ("site.toml: schools", *keys))
    assert f"remark: {after}" in run(belltower, check).output

    assert ["", ""] == asyncio.run(desk(keys[0]))
    site = tmp_path / "site" / "site.toml"
    text = site.read_text("utf-8")
    site.write_text(text.replace("telephone =", f'schools = ["{keys[0]}"]\ntelephone =', 1), "utf-8")
    assert "schools" not in run(belltower, check).output
    site.write_text(text.replace("telephone =", 'schools = ["elsewhere"]\ntelephone =', 1), "utf-8")
    assert "remark: site.toml: schools: the roster has no elsewhere" in run(belltower, check).output
