"""Authorisers' keys, and a drill agreed to by two people who never share a machine."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from belltower.clock import Instant
from belltower.errors import NotPermitted, NotVerified, SettingsError
from belltower.incident import drill
from belltower.incident.facts import Action
from gateway import site_package
from gateway.cli.drill import command
from gateway.control import ControlServer, Status
from tests.gateway.cli.house import house
from tests.peers.waiting import PATIENCE


def run(*words: object, said: str | None = None) -> Result:
    """Run `belltower drill WORDS`; errors of our own come out as they are."""
    return CliRunner().invoke(command, [str(word) for word in words], input=said, catch_exceptions=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A house whose site package names two authorisers, with their keys beside the settings."""
    config = house(tmp_path)
    made = [run("key", "new", tmp_path / f"{name}.key", "--person", name) for name in ("p01", "p02")]
    (tmp_path / "site" / "drills.toml").write_text("".join(result.stdout for result in made))
    return config


def test_a_key_is_made_once_for_its_owner_alone(config: Path) -> None:
    """The file is private, is never written over, and what is printed is what drills.toml takes."""
    file = config.parent / "p01.key"
    assert 0o600 == file.stat().st_mode & 0o777
    with pytest.raises(SettingsError, match="File exists"):
        run("key", "new", file, "--person", "p01")
    assert ["p01", "p02"] == list(site_package.load(config.parent / "site").authorisers)
    told = json.loads(run("key", "new", config.parent / "p03.key", "--person", "p03", "--json").stdout)
    assert "p03" == told["person"]


def test_two_people_agree_one_after_the_other(config: Path) -> None:
    """Each signs with a key of their own; the token then is valid in its window, for what both agreed to."""
    folder = config.parent
    terms = ("--place", "B", "--place", "gym-floor", "--action", "none", "--minutes", "30", "-c", config)
    half = run(
        "authorise", *terms, "--at", "2030-01-02T10:00-06:00", "--key", folder / "p01.key", "--with", "p02"
    )
    (folder / "half.token").write_text(half.stdout)
    sign = ("authorise", "--token", folder / "half.token", "-c", config, "--key")
    with pytest.raises(NotPermitted, match="wants the signature of p02, not that of p01"):
        run(*sign, folder / "p01.key")
    asked = run(*sign, folder / "p02.key", said="n\n")
    assert 1 == asked.exit_code
    assert "2030-01-02 16:00:00 UTC to 2030-01-02 16:30:00 UTC; the PSAP is not part of it" in asked.stderr
    whole = run(*sign, folder / "p02.key", "--yes").stdout.strip()

    keys = site_package.load(folder / "site").authorisers
    began = Instant(1_893_600_000_000_000)
    agreed = drill.verify(whole, keys=keys, campus="lindenfield", now=began, used=())
    assert (("B", "gym-floor"), None, ("p01", "p02")) == (agreed.places, agreed.action, agreed.authorisers)
    with pytest.raises(NotVerified):
        drill.verify(half.stdout.strip(), keys=keys, campus="lindenfield", now=began, used=())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--place", "moon", "--action", "hold", "--minutes", "5"), "no place or building moon"),
        (("--action", "hold", "--minutes", "5"), "say --place, --action and --minutes"),
        (("--place", "campus", "--action", "hold", "--minutes", "500"), "not in the range"),
        (("--place", "campus", "--action", "hold", "--minutes", "5", "--twice"), "two different authorisers"),
        (("--place", "campus", "--action", "hold", "--minutes", "5", "--one"), "takes two authorisers"),
        (
            ("--place", "campus", "--action", "hold", "--minutes", "5", "--foreign"),
            "names nobody with this key",
        ),
    ],
)
def test_what_cannot_be_agreed_to_is_refused_before_anything_is_asked(config: Path, words, says) -> None:
    """An unknown place, half of the terms, one person twice, one key, a key nobody knows."""
    folder = config.parent
    run("key", "new", folder / "p09.key", "--person", "p09")
    second = {"--twice": "p01", "--foreign": "p09"}.get(words[-1], "p02")
    keys = [] if words[-1] == "--one" else ["--key", folder / f"{second}.key"]
    asked = [word for word in words if word not in ("--twice", "--one", "--foreign")]
    try:
        result = run("begin", *asked, "--key", folder / "p01.key", *keys, "-c", config)
    except Exception as error:  # noqa: BLE001 - its words are what matters
        assert says in str(error)
    else:
        assert (2, True) == (result.exit_code, says in result.stderr)


async def test_the_lane_is_asked_with_a_token_of_both(config: Path) -> None:
    """Begin, list and end; what the lane is given holds against the site package."""
    asked: list[tuple[str, dict[str, object]]] = []

    async def takes(name: str, verb: str, args: dict[str, object], result: str) -> str:
        asked.append((name, args))
        return result

    kept = {
        "authorisation": "d1",
        "action": "lockdown",
        "places": ["B"],
        "authorisers": ["p01", "p02"],
        "begun_at": 1,
        "until": 2,
        "psap_accepted": False,
        "ended": True,
        "ended_at": 2,
        "reason": "over",
    }
    control = ControlServer(
        path=config.parent / "var" / "control.sock",
        follow=lambda after: None,  # type: ignore[arg-type,return-value]
        verbs={
            "begin_drill": lambda verb, args: takes("begin", verb, args, "d1"),
            "end_drill": lambda verb, args: takes("end", verb, args, "ended"),
            "drills": lambda verb, args: takes("drills", verb, args, json.dumps([kept])),
        },
        status=lambda: Status,  # type: ignore[arg-type,return-value]
    )
    serving = asyncio.get_running_loop().create_task(control.run())
    await asyncio.wait_for(control.ready.wait(), PATIENCE)
    folder = config.parent
    words = ("begin", "--place", "campus", "--action", "lockdown", "--minutes", "30", "--psap-accepted")
    keys = ("--key", folder / "p02.key", "--key", folder / "p01.key", "-c", config)
    begun = await asyncio.to_thread(run, *words, *keys)
    listed = await asyncio.to_thread(run, "list", "-c", config, "--json")
    shown = await asyncio.to_thread(run, "list", "-c", config)
    ended = await asyncio.to_thread(run, "end", "-c", config)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)

    assert [0, 0, 0, 0] == [result.exit_code for result in (begun, listed, shown, ended)]
    assert ["begin", "drills", "drills", "end"] == [name for name, _ in asked]
    agreed, _, _ = drill.read(str(asked[0][1]["token"]))
    authorisers = site_package.load(folder / "site").authorisers
    token = str(asked[0][1]["token"])
    assert agreed == drill.verify(token, keys=authorisers, campus="lindenfield", now=agreed.begins, used=())
    assert (Action.LOCKDOWN, ("lindenfield",), True) == (agreed.action, agreed.places, agreed.psap_accepted)
    assert "the PSAP takes part; agreed by p02 and p01" in begun.stdout
    assert "over" == json.loads(listed.stdout)["reason"]
    assert "window" in shown.stdout
