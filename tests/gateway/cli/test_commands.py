"""The command line as a person meets it: what it prints, and what it exits with."""

import json
import stat
import subprocess
from pathlib import Path

import pytest

from belltower import errors
from gateway.cli.commands import belltower as command_line
from gateway.cli.commands import code_of
from tests.gateway.cli.house import COMMAND, ENVIRONMENT, ROOT, belltower, house

COMMANDS = command_line.list_commands(None)


def test_help_is_quick_and_lists_the_exit_codes() -> None:
    """Nothing heavy is imported before it is needed."""
    told = [COMMAND[0], "-X", "importtime", *COMMAND[1:], "--help"]
    ran = subprocess.run(told, cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}

    assert "78  settings or site package are at fault" in ran.stdout
    assert all(f"  {command}" in ran.stdout for command in COMMANDS)
    assert "gateway.cli.lazy" in imported
    assert imported.isdisjoint({"aiohttp", "apsw", "cryptography", "gateway.settings", "lxml", "structlog"})


@pytest.mark.parametrize(
    "words", [("chekc",), ("replay", "-c", "no.toml"), ("broker-config", "--port", "8884")]
)
def test_a_forked_command_says_and_ends_as_any_other(words: tuple[str, ...]) -> None:
    """What these tests ask of commands is true of the processes that a person starts."""
    anew = subprocess.run(
        [*COMMAND, *words], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    done = belltower(*words)

    assert (anew.returncode, anew.stdout, anew.stderr) == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_by_example(command: str) -> None:
    """Each help text has an example to copy."""
    assert f"belltower {command}" in belltower(command, "--help").stdout.split("Example", 1)[1]


def test_a_mistyped_command_names_the_nearest() -> None:
    """Usage errors exit with 2."""
    done = belltower("chekc")

    assert 2 == done.returncode
    assert 'Did you mean "check"?' in done.stderr


def test_check_says_what_it_found() -> None:
    """The example settings and the example site are in order."""
    done = belltower("check", "--config", "config.example.toml", "--without-secrets", "--json")

    assert (0, "") == (done.returncode, done.stderr)
    found = json.loads(done.stdout)
    assert ("20", "25", "A, B, Gym") == (found["units"], found["people"], found["buildings"])
    assert "Lindenfield" in belltower("check", "-c", "config.example.toml", "--without-secrets").stdout


def test_check_lists_the_faults_of_settings_and_site_together(tmp_path: Path) -> None:
    """Every fault, each on its own line, and exit 78."""
    config = house(tmp_path)
    config.write_text(config.read_text(encoding="utf-8") + '[log]\nlevle = "info"\n', encoding="utf-8")
    units = tmp_path / "site" / "units.toml"
    units.write_text(units.read_text(encoding="utf-8").replace("b-201", "b-999"), encoding="utf-8")

    done = belltower("check", "--config", config, "--site", tmp_path / "site")

    assert 78 == done.returncode
    assert [
        f'{config}: log.levle: unknown key; did you mean "level"?',
        'site/units.toml: unit[8].place: site.toml has no place "b-999"',
        f"{config}: alarm.unit_keys: there is no file {tmp_path}/var/units.keys; make it with: belltower units keys",
    ] == done.stderr.splitlines()


def test_check_tells_programs_each_fault_as_an_object(tmp_path: Path) -> None:
    """One line each; faulty settings hide neither the keys that are missing nor the site's faults."""
    config = house(tmp_path)
    config.write_text(config.read_text(encoding="utf-8") + "[desk.web]\nprot = 1\nport = 1883\n", "utf-8")
    units = tmp_path / "site" / "units.toml"
    text = units.read_text(encoding="utf-8").replace("b-201", "b-999").replace("number = 1\n", "nmber = 1\n")
    units.write_text(text, encoding="utf-8")

    done = belltower("check", "--config", config, "--json")

    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert (78, "") == (done.returncode, done.stderr)
    assert [
        (str(config), "desk.web.prot", 'unknown key; did you mean "port"?'),
        ("site/units.toml", "unit[1].nmber", 'unknown key; did you mean "number"?'),
        ("site/units.toml", "unit[1].number", "missing; it has no default"),
        ("site/units.toml", "unit[8].place", 'site.toml has no place "b-999"'),
    ] == [(fault["file"], fault["key"], fault["message"]) for fault in found[:-1]]
    assert "alarm.unit_keys" == found[-1]["key"]


def test_keys_are_made_once_and_readable_by_nobody_else(tmp_path: Path) -> None:
    """A second run keeps what is there; a renewed key is another."""
    config = house(tmp_path)
    assert "units.keys; make it with" in belltower("check", "--config", config).stderr

    first = belltower("units", "keys", "--config", config)
    keys = tmp_path / "var" / "units.keys"
    before = keys.read_text(encoding="ascii").splitlines()
    again = belltower("units", "keys", "--config", config, "--renew", "u7", "--json")
    after = keys.read_text(encoding="ascii").splitlines()

    assert "20 keys made, 0 kept" in first.stdout
    assert ["u7"] == json.loads(again.stdout)["made"]
    assert [6] == [n for n, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert 0o600 == stat.S_IMODE(keys.stat().st_mode)
    assert 0 == belltower("check", "--config", config).returncode


def test_credentials_are_those_the_listener_asks_for(tmp_path: Path) -> None:
    """Key, site tag, user name, password and topics; a unit that is not there is refused."""
    config = house(tmp_path)
    belltower("units", "keys", "--config", config)

    sheet = json.loads(belltower("units", "credentials", "u7", "--config", config, "--json").stdout)

    names = ("mqtt_username", "mqtt_client_id", "publish", "subscribe")
    assert ["u7", "u7", "up/u7", "down/u7"] == [sheet[name] for name in names]
    assert [64, 32, 16] == [len(sheet[name]) for name in ("key", "mqtt_password", "site_tag")]
    assert 77 == belltower("units", "credentials", "u99", "--config", config).returncode


def test_a_command_that_needs_the_lane_says_that_it_is_not_there(tmp_path: Path) -> None:
    """Exit 69, and the path that was tried."""
    done = belltower("status", "--config", house(tmp_path))

    assert 69 == done.returncode
    assert f"does not answer at {tmp_path}/var/control.sock" in done.stderr


def test_a_replay_without_a_journal_is_refused(tmp_path: Path) -> None:
    """It names the file it looked for."""
    done = belltower("replay", "--config", house(tmp_path))

    assert 77 == done.returncode
    assert f"{tmp_path}/var/alarm.db: there is no journal" in done.stderr


def test_every_error_has_its_exit_code() -> None:
    """The codes are those of sysexits.h."""
    kinds = (
        errors.SettingsError,
        errors.NotFound,
        errors.Conflict,
        errors.Unreachable,
        errors.Malformed,
        errors.BelltowerError,
    )

    assert [78, 77, 74, 69, 65, 1] == [code_of(kind("x")) for kind in kinds]


def test_broker_config_is_printed() -> None:
    """The configuration, the ACL, and what a PUBACK is worth."""
    shown = belltower("broker-config", "--port", "8884").stdout

    assert "listener 8884" in shown
    assert "WHAT THIS BROKER'S PUBACK IS WORTH" in shown


def test_bench_says_what_it_can_measure() -> None:
    """Without measuring; a figure that is not there is refused."""
    assert "b10" in belltower("bench", "--list").stdout
    assert 77 == belltower("bench", "b99").returncode
