"""docs/add-a-device.md, followed to the letter: its files are put into a school, and its script is rehearsed there."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from random import Random
from textwrap import dedent

import pytest

from belltower.clock import SystemClock
from gateway import settings as rooms
from gateway import site_package
from gateway.cli.profile_lines import Lines
from hardware.profiles.loading import load
from hardware.simulators import script
from hardware.simulators.acting import Actor, Stage
from hardware.simulators.mishaps import Mishaps
from hardware.simulators.outlets import outlet_at
from hardware.simulators.repertoire import Repertoire
from tests.gateway.cli.house import house

ROOT = Path(__file__).parents[2]
WRITTEN = ROOT / "tests/hardware/profiles/written"
GUIDE = (ROOT / "docs/add-a-device.md").read_text(encoding="utf-8")


def block(begins: str, language: str = "toml") -> str:
    """The block of the guide that begins so."""
    every = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return next(one for one in map(dedent, every) if one.startswith(begins))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The example school with the guide's unit, profile and devices, and two profiles that were written by the guide."""
    folder = tmp_path / "site"
    shutil.copytree(ROOT / "examples/site", folder)
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles/acme-button.toml").write_text(block("[profile]"), encoding="utf-8")
    for file in WRITTEN.glob("*.toml"):
        shutil.copy(file, folder / "profiles")
    (folder / "devices.toml").write_text(block("[[device]]"), encoding="utf-8")
    units = folder / "units.toml"
    units.write_text(units.read_text(encoding="utf-8") + block("[[unit]]"), encoding="utf-8")
    return folder


def test_the_files_of_the_guide_make_a_school(site: Path) -> None:
    """Unit, devices, gateway and variant, with the profile that the guide writes."""
    package = site_package.load(site)

    assert {"acme-button", "kessler-k2", "norrvik-p1", "z2m-hall-b"} == set(package.foreign.own)
    assert {"sos-b204", "sos-gym", "gw-roof"} == set(package.foreign.devices)
    assert "u21" in package.units


def test_the_settings_of_the_guide_are_read(site: Path) -> None:
    """Both ways in."""
    shutil.rmtree(site)
    config = house(site.parent)
    config.write_text(config.read_text(encoding="utf-8") + block("[alarm.devices.broker]"), encoding="utf-8")

    assert {"broker", "hooks"} == set(rooms.load(config, secrets=False).alarm.devices)


async def test_the_script_of_the_guide_is_rehearsed(site: Path) -> None:
    """By five devices of the guide's own profile: each line says what it promises."""
    told = script.parse(block("0s", "text"))
    profile = site_package.load(site).foreign.profiles["acme-button"]
    own = Repertoire(profile)
    names = ["sos-a101", "sos-b204", "sos-gym", "sos-lab", "sos-yard"]
    clock, random = SystemClock(), Random(1)
    stage = Stage(
        actors=[Actor(name=name, address=name, repertoire=own) for name in names],
        outlet=outlet_at("lines:127.0.0.1:0", clock=clock),
        mishaps=Mishaps(random=random),
        clock=clock,
        random=random,
    )
    stage.rehearse(told)

    assert (60.0, 10) == (told.end, len(told.steps))


def test_profiles_written_by_the_guide_are_proven_and_simulated() -> None:
    """A JSON button with a last will, and octets behind a network server: what is simulated is read as it was meant."""
    shipped = load(ROOT / "hardware/profiles/shipped/chirpstack.toml")
    kessler, norrvik = (load(WRITTEN / f"{name}.toml") for name in ("kessler-k2", "norrvik-p1"))
    lines = Lines({one.id: one for one in (shipped, kessler, norrvik)})
    now = SystemClock().now()
    for profile, address, kinds in (
        (
            kessler,
            "K2-00555",
            ("press", "long_press", "release", "heartbeat", "battery_low", "online", "offline"),
        ),
        (norrvik, "aabb000000000002", ("press", "heartbeat", "battery_low")),
    ):
        own = Repertoire(profile, bearer=shipped)
        for kind in kinds:
            spoken = own.say(kind, address=address, counter=5, now=now)
            answer = lines.answer(
                {"topic": spoken.topic, "payload": spoken.payload.decode(), "profile": profile.id}
            )
            assert kind in answer["signals"], (kind, answer)
            assert address == answer["device"]


@pytest.mark.parametrize(
    ("line", "mend"),
    [
        ({"topic": None, "payload": "0181B80B", "profile": "norrvik-p1"}, "hexadecimal digits"),
        (
            {
                "topic": None,
                "payload": "0300B80B",
                "payload_encoding": "hex",
                "port": 12,
                "profile": "norrvik-p1",
            },
            "no rule is about type = 3",
        ),
        (
            {
                "topic": None,
                "payload": "0181B8",
                "payload_encoding": "hex",
                "port": 12,
                "profile": "norrvik-p1",
            },
            "3 octets; volts needs octet 3",
        ),
        ({"topic": "kessler/main/K2-1/event", "payload": "{}"}, "is about the topic"),
        ({"topic": "kessler/main/K2-1/evt", "payload": '{"t":"btn","p":"held"}'}, "'held' is not listed"),
    ],
)
def test_what_an_integrator_meets_says_what_is_wrong(line: dict[str, object], mend: str) -> None:
    """Octets without their encoding, a code or a word nobody listed, a topic of no profile."""
    profiles = {one.stem: load(one) for one in WRITTEN.glob("*.toml")}
    answer = Lines(profiles).answer(line)

    assert mend in answer["why"], json.dumps(answer)


def test_a_level_that_is_expected_as_a_press_says_how_to_expect_it(tmp_path: Path) -> None:
    """One message shows no edge."""
    file = tmp_path / "edge-x.toml"
    text = (
        (WRITTEN / "kessler-k2.toml")
        .read_text(encoding="utf-8")
        .replace('path = "p"', 'path = "p"\nedge = "rising"')
    )
    text = text.replace('long = "long_press", up = "release"', 'up = "release"')
    file.write_text(text, encoding="utf-8")
    with pytest.raises(
        Exception, match='it is a level, which means press once it rises: expect kind = "state", level = true'
    ):
        load(file)
