"""The alarm lane starts with whatever can be used, and says loudly what cannot."""

import asyncio
import shutil
import socket
from datetime import UTC
from pathlib import Path

import pytest

from belltower.clock import Instant
from belltower.errors import SettingsError
from belltower.ids import LinkName
from gateway import kept_site
from gateway.web.desk import LaneState
from gateway.web.view import banner
from tests.gateway.cli.house import belltower, house
from tests.gateway.lane import alarm_lane
from tests.hardware.mqtt.certificate import write_certificate
from tests.servers.ports import free_port

TLS = """[alarm.mqtt_listener]
certificate = "certificate.pem"
private_key = "key.pem"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings, the example site and unit keys in a folder."""
    config = house(tmp_path, port=free_port())
    assert 0 == belltower("units", "keys", "--config", config).returncode
    return config


def replace(config: Path, old: str, new: str) -> None:
    """Change the settings."""
    config.write_text(config.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


async def test_a_certificate_that_is_missing_costs_that_wire_alone(config: Path) -> None:
    """The lane runs, names the wire and the file, and takes the certificate as soon as it is there."""
    replace(config, "[alarm.mqtt_listener]", TLS)
    mqtt = LinkName("mqtt")

    async with alarm_lane(config) as lane:
        lost = await lane.says(lambda status: mqtt in status.links_lost)
        assert "certificate.pem with" in lost.links_lost[mqtt]
        assert "No such file" in lost.links_lost[mqtt]
        assert "way_lost" in lane.log()
        write_certificate(config.parent, "127.0.0.1")
        await lane.says(lambda status: mqtt not in status.links_lost)


def test_a_person_who_starts_with_a_bad_certificate_is_told_at_once(config: Path) -> None:
    """`check` and `run` refuse, before a lane is started, files that are missing or do not fit each other."""
    replace(config, "[alarm.mqtt_listener]", TLS)
    missing = belltower("run", "--config", config)
    write_certificate(config.parent, "127.0.0.1")
    key = config.parent / "key.pem"
    shutil.copy(key, config.parent / "other.pem")
    write_certificate(config.parent, "127.0.0.1")
    fitting = belltower("check", "--config", config)
    shutil.copy(config.parent / "other.pem", key)
    strange = belltower("check", "--config", config)

    assert (78, 0, 78) == (missing.returncode, fitting.returncode, strange.returncode)
    assert (
        f"alarm.mqtt_listener.certificate: there is no file {config.parent}/certificate.pem" in missing.stderr
    )
    assert "KEY_VALUES_MISMATCH" in strange.stderr


async def test_an_unreadable_signing_key_leaves_the_journal_unsigned(config: Path) -> None:
    """The lane runs and says so, in its status, on the page and in its log."""
    (config.parent / "var" / "signing.key").write_text("not a key", encoding="utf-8")

    async with alarm_lane(config) as lane:
        status = await lane.says(lambda status: status.faults)
        assert "the journal is not signed" in status.faults[0]
        assert "unsigned" in lane.log()
        shown = await asyncio.to_thread(belltower, "status", "--config", config)
    lines = banner(LaneState(faults=status.faults), reading="", now=Instant(0), zone=UTC)

    assert 1 == shown.returncode
    assert "the journal is not signed" in " ".join(shown.stdout.split())
    assert "the journal is not signed" in lines[0].text


async def test_a_faulty_site_package_leaves_the_last_good_one_in_force(config: Path) -> None:
    """At a restart too; a person who starts the house is refused all the same, and one who mends it is heard."""
    units = config.parent / "site" / "units.toml"
    good = units.read_text(encoding="utf-8")

    async with alarm_lane(config) as lane:
        first = await lane.says(lambda status: status.head)
    units.write_text(good.replace("b-201", "b-999"), encoding="utf-8")
    async with alarm_lane(config) as lane:
        second = await lane.says(lambda status: status.head)
        log = lane.log()
    refused = await asyncio.to_thread(belltower, "run", "--config", config)
    units.write_text(good.replace("b-201", "b-202"), encoding="utf-8")
    async with alarm_lane(config) as lane:
        third = await lane.says(lambda status: status.head)

    assert ((), 78) == (first.faults, refused.returncode)
    assert (first.revision, 20) == (second.revision, second.units)
    assert f"(site/units.toml; see: belltower check); revision {first.revision} stays" in second.faults[0]
    assert "site_package_refused" in log
    assert (True, ()) == (third.revision != first.revision, third.faults)


def test_without_any_good_package_the_faults_of_the_folder_are_told(tmp_path: Path) -> None:
    """Whether nothing was kept yet or what was kept is spoilt."""
    kept = tmp_path / "site.good.zip"
    with pytest.raises(SettingsError, match="no such folder"):
        kept_site.load(tmp_path / "site", kept)
    kept.write_bytes(b"PK spoilt")
    with pytest.raises(SettingsError, match="no such folder"):
        kept_site.load(tmp_path / "site", kept)


async def test_a_link_that_has_not_answered_yet_is_not_said_to_answer(config: Path) -> None:
    """Nobody is at the county's end: first it is not known, then the link is lost; neither is in order."""
    county = LinkName("county")
    with socket.create_server(("127.0.0.1", 0)) as modem:
        replace(config, "127.0.0.1:8001", f"127.0.0.1:{modem.getsockname()[1]}")
        async with alarm_lane(config) as lane:
            status = await lane.says(lambda status: status.head)
            shown = await asyncio.to_thread(belltower, "status", "--config", config)

    assert {county: None} == status.links
    assert 1 == shown.returncode
    assert "not known yet" in shown.stdout
