"""Where tests of channels go: what cannot be tested is said before anybody needs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from belltower.ids import PersonId
from gateway import settings as settings_file
from gateway.channel_proofs import misplaced_tests
from tests.gateway.cli.house import belltower, house
from tests.peers.desk import staff

CHANNELS = """
[notify]
test_to = {{ {to} }}

[notify.channels.cell]
kind = "modem"
url = "serial:///dev/ttyUSB9"

[notify.channels.rooms]
kind = "apprise"
rooms = {{ office = {{ url = {{ env = "OFFICE" }} }} }}
"""


def config_with(folder: Path, to: str) -> Path:
    """Settings whose `test_to` is this."""
    config = house(folder)
    config.write_text(config.read_text() + CHANNELS.format(to=to))
    return config


@pytest.mark.parametrize(
    ("key", "to", "said"),
    [
        ("sms", "abc", "neither a number in E.164"),
        ("cell", "abc", "neither a number in E.164"),
        ("cell", "it@school.example", "neither a number in E.164"),
        ("voice", "p0", "that person has no address of the kind voice"),
        ("email", "p99", "neither a mailbox"),
        ("push", "chrome", "a browser is tested by the id of its owner"),
        ("rooms", "offices", "no room of this name; there are office"),
        ("paging", "siren", "belltower outputs test"),
        ("sms", "p0", ""),
        ("sms", "+15550100199", ""),
        ("cell", "+15550100199", ""),
        ("email", "it@school.example", ""),
        ("push", "p0", ""),
        ("rooms", "office", ""),
        ("console", "front", ""),
    ],
)
def test_what_is_no_address_of_its_kind_is_named_and_not_repeated(
    tmp_path: Path, key: str, to: str, said: str
) -> None:
    """The key and the mend; what stands there may be somebody's number."""
    config = config_with(tmp_path, f'{key} = "{to}"')
    settings = settings_file.load(config, secrets=False)

    found = misplaced_tests(settings, {PersonId("p0"): staff(1)[PersonId("p0")]})

    assert bool(said) == bool(found)
    assert all(line.startswith(f"notify.test_to.{key}: ") and said in line for line in found)
    assert not any(f'"{to}"' in line or f" {to} " in line for line in found)


def test_belltower_check_names_it(tmp_path: Path) -> None:
    """With the file, the key and the mend; it exits as for any fault."""
    done = belltower("check", "--config", config_with(tmp_path, 'sms = "abc"'), "--without-secrets")

    assert 78 == done.returncode
    assert "config.toml: notify.test_to.sms: neither a number in E.164" in done.stderr
    assert "abc" not in done.stderr
