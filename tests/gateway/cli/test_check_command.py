"""What `belltower check` refuses before anything runs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from belltower.errors import SettingsError
from gateway.cli.commands import belltower
from gateway.settings import StateSettings
from tests.gateway.cli.house import house

DEVICES = """
[[device]]
id = "zigbee2mqtt"
profile = "shelly-gen2-input"
address = "shelly1"
place = "{place}"
[[device]]
id = "sos"
profile = "zigbee2mqtt"
address = "0x01"
"""
BROKER = '\n[alarm.devices.hall]\nkind = "mqtt"\nurl = "mqtt://127.0.0.1:1883"\n'


def test_two_that_would_be_one_user_of_the_broker_are_refused(tmp_path) -> None:
    """By `check` where devices speak through a broker, and by `broker-config`; without a broker it is nobody's fault."""
    config = house(tmp_path)
    (tmp_path / "site" / "devices.toml").write_text(DEVICES.replace('place = "{place}"\n', ""), "utf-8")
    run = CliRunner().invoke
    check = ["check", "--config", str(config), "--without-secrets"]
    shared = '"zigbee2mqtt" would be one user of the broker'

    assert shared not in run(belltower, check).output
    config.write_text(config.read_text("utf-8") + BROKER, "utf-8")
    refused = run(belltower, check)
    assert refused.exit_code != 0
    assert shared in f"{refused.output} {refused.exception}"
    printed = run(belltower, ["broker-config", "--site", str(tmp_path / "site")])
    assert printed.exit_code != 0
    assert shared in f"{printed.output} {printed.exception}"


def test_a_site_where_no_administrator_has_an_address_is_remarked(tmp_path) -> None:
    """Whoever lets go alone what takes two is to be seen by somebody in particular."""
    check = ["check", "--config", str(house(tmp_path)), "--without-secrets"]
    said = "remark: nobody of the audience administrators has an address"
    assert said not in CliRunner().invoke(belltower, check).output

    audiences = tmp_path / "site" / "audiences.toml"
    text = audiences.read_text("utf-8")
    assert '[administrators]\nroles = ["principal"]' in text
    audiences.write_text(
        text.replace('[administrators]\nroles = ["principal"]', '[administrators]\nroles = ["x"]'), "utf-8"
    )
    assert said in CliRunner().invoke(belltower, check).output


def test_home_assistant_is_no_way_in(tmp_path) -> None:
    """Devices reach nobody where they are only shown, and no list of ways names it."""
    config = house(tmp_path)
    (tmp_path / "site" / "devices.toml").write_text(DEVICES.replace('place = "{place}"\n', ""), "utf-8")
    shown = '\n[alarm.devices.home]\nkind = "home-assistant"\nurl = "mqtt://127.0.0.1:1883"\n'
    config.write_text(config.read_text("utf-8") + shown, "utf-8")

    told = CliRunner().invoke(belltower, ["check", "--config", str(config), "--without-secrets", "--json"])

    said = json.loads(told.output)
    assert "none" == said["ways of devices"]
    assert "foreign devices reach nobody: there is no [alarm.devices.NAME] that hears" in said["remarks"]


def test_settings_that_are_not_there_are_told_how_to_begin(tmp_path) -> None:
    """Whoever runs it first learns what to copy, and how to name it."""
    done = CliRunner().invoke(belltower, ["check", "--config", str(tmp_path / "none.toml")])

    told = f"{done.output} {done.exception}"
    assert (
        "there is no such file; give yours with --config, or begin with a copy of config.example.toml" in told
    )


@pytest.mark.parametrize("command", [["check"], ["run", "--only", "alarm"]])
def test_a_state_folder_that_cannot_be_made_is_refused_before_anything_runs(
    tmp_path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key is named with the mend; no lane starts to end over it again and again."""
    monkeypatch.setenv("COUNTY_KEY", "0f" * 32)
    config = house(tmp_path)
    (tmp_path / "file").touch()
    config.write_text(f'{config.read_text("utf-8")}\n[state]\nfolder = "file/var"\n', "utf-8")

    done = CliRunner().invoke(belltower, [*command, "--config", str(config)])

    assert done.exit_code != 0
    told = f"{done.output} {done.exception}"
    assert f"state.folder: {tmp_path / 'file'} is no folder; give one on a local disk" in told


def test_a_lane_whose_state_folder_cannot_be_made_says_so(tmp_path) -> None:
    """An unattended start checks nothing before: the lane ends with the key and the mend, without a trace of calls."""
    (tmp_path / "file").touch()

    with pytest.raises(SettingsError, match=r"state\.folder: .*file/var cannot be made \(Not a directory\)"):
        StateSettings(folder=tmp_path / "file" / "var").make()


def test_a_state_folder_where_nothing_can_be_made_is_named() -> None:
    """Whoever may write anywhere cannot do so there either."""
    assert "/proc" in StateSettings(folder=Path("/proc/nosuch")).unwritable()
