"""`devices.toml` and the site's own profiles: every fault is named with its mend, and one refuses the package whole."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from belltower.errors import SettingsError
from gateway import kept_site, site_package
from gateway.intake.devices.registry import known_devices
from gateway.intake.devices.topics import covers, topics_of
from tests.peers.machine import slowness

ROOT = Path(__file__).parents[2]
PROFILES = Path(__file__).parent / "intake/devices/profiles"
GOOD = """
[[variant]]
id = "z-hall-b"
profile = "z-button"
settings = { base = "z-hall-b" }

[[device]]
id = "sos-b204"
profile = "z-hall-b"
address = "room 204/desk"
place = "b-204"
parent = "gw"

[[device]]
id = "gw"
profile = "lora-server"
address = "gw1"

[[device]]
id = "lora-1"
profile = "netvox-r312"
bearer = "lora-server"
address = "00137a1000000001"
heartbeat = "1h"
unattended_call = true
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    shutil.copytree(ROOT / "examples/site", folder)
    (folder / "profiles").mkdir(exist_ok=True)
    for file in PROFILES.glob("*.toml"):
        shutil.copy(file, folder / "profiles" / file.name)
    place = next(iter(site_package.load(ROOT / "examples/site").places))
    (folder / "devices.toml").write_text(GOOD.replace("b-204", place), encoding="utf-8")
    return folder


def test_devices_are_bound_to_profile_and_place(site: Path) -> None:
    """With the site's own profiles, and a variant with a base topic of its own; what they need is subscribed to."""
    package = site_package.load(site)
    foreign = package.foreign
    assert {"z-button", "z-hall-b", "wired-input", "lora-server"} == set(foreign.own)
    assert "z-hall-b" == foreign.profiles["z-hall-b"].id
    assert foreign.profiles["z-button"].hash == foreign.profiles["z-hall-b"].hash
    known = known_devices(foreign.devices.values(), profiles=foreign.profiles, places=package.places)
    assert (10_080.0, 0.0) == (known["lora-1"].watched.late_after, foreign.devices["gw"].heartbeat)
    assert "" == known["lora-1"].unproven

    topics = topics_of(known.values(), foreign.profiles)
    assert {"z-hall-b/#", "app/+/device/+/event/up", "gateway/+/state"} <= set(topics)
    assert not any(one != other and covers(one, other) for one in topics for other in topics)
    assert topics_of([], foreign.profiles)


@pytest.mark.parametrize(
    ("change", "key", "mend"),
    [
        (
            ('profile = "netvox-r312"', 'profile = "netvox-r321"'),
            "device[3].profile",
            'did you mean "netvox-r312"?',
        ),
        (('parent = "gw"', 'parent = "gww"'), "device[1].parent", "give the gateway a [[device]] too"),
        (('id = "gw"', 'id = "sos-b204"'), "device[2]", "that of device[1] too"),
        (('address = "gw1"', 'address = ""'), "device[2].address", "write what the wire calls it"),
        (('place = "', 'place = "no-'), "device[1].place", "site.toml has no place"),
        (
            ('bearer = "lora-server"', 'bearer = "wired-input"'),
            "device[3].bearer",
            "carries no other devices",
        ),
        (('base = "z-hall-b"', 'bass = "z-hall-b"'), "variant[1].settings.bass", "known: base"),
        (('heartbeat = "1h"', 'heartbeat = "1s"'), "device[3].heartbeat", "shorter than 5 s"),
        (('address = "gw1"', 'address = "gw1"\nparent = "gw"'), "device[2].parent", "its own parent"),
        (('bearer = "lora-server"', 'baerer = "lora-server"'), "device[3].baerer", 'did you mean "bearer"?'),
    ],
)
def test_a_fault_is_named_with_its_mend(site: Path, change: tuple[str, str], key: str, mend: str) -> None:
    """By file, table and key."""
    file = site / "devices.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(*change), encoding="utf-8")

    with pytest.raises(SettingsError) as refused:
        site_package.load(site)
    assert any(
        f"site/devices.toml: {key}: " in line and mend in line for line in str(refused.value).splitlines()
    )


def test_two_devices_with_one_address_are_refused(site: Path) -> None:
    """An EUI in capitals is the same."""
    file = site / "devices.toml"
    file.write_text(
        file.read_text(encoding="utf-8")
        + '[[device]]\nid = "lora-2"\nprofile = "netvox-r312"\naddress = "00137A1000000001"\n',
        encoding="utf-8",
    )
    with pytest.raises(SettingsError, match=r"device\[4\].address: .* device\[3\] too"):
        site_package.load(site)


def test_a_refused_profile_refuses_the_revision_and_the_old_one_stays(site: Path, tmp_path: Path) -> None:
    """File, example and difference are named."""
    kept = tmp_path / "kept.zip"
    before, _ = kept_site.load(site, kept)
    file = site / "profiles" / "z-button.toml"
    file.write_text(
        file.read_text(encoding="utf-8").replace('emergency = "press"', 'emergency = "clear"'),
        encoding="utf-8",
    )

    with pytest.raises(SettingsError, match=r"site/profiles/z-button.toml: example\[1\]: .*expected"):
        site_package.load(site)
    after, refused = kept_site.load(site, kept)
    assert before.revision == after.revision
    assert "stays in force" in refused
    assert "z-button" in after.foreign.profiles


def test_a_site_of_10_000_devices_loads_in_two_seconds(site: Path, record_property) -> None:
    """Package, registry and topics; by the processor's own time, for the machine may be busy."""
    more = "".join(
        f'[[device]]\nid = "d-{n}"\nprofile = "z-button"\naddress = "room {n}"\nplace = "PLACE"\nparent = "gw"\n'
        for n in range(10_000)
    )
    file = site / "devices.toml"
    text = file.read_text(encoding="utf-8")
    place = text.split('place = "')[1].split('"')[0]
    file.write_text(text + more.replace("PLACE", place), encoding="utf-8")
    site_package.load(ROOT / "examples/site")
    began = time.process_time()
    package = site_package.load(site)
    known = known_devices(
        package.foreign.devices.values(), profiles=package.foreign.profiles, places=package.places
    )
    topics_of(known.values(), package.foreign.profiles)
    took = time.process_time() - began
    record_property("seconds", took)
    assert 10_003 == len(known)
    assert took <= 2.0 * slowness(), took
