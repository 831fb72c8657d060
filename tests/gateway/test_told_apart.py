"""W28: secure and lockdown differ in text, sound, colour and shape, on everything that shows or says them."""

import re
from datetime import UTC
from itertools import combinations
from pathlib import Path

import pytest

from belltower.ids import IncidentId
from belltower.incident.facts import Action, Mode, OutputOrdered
from gateway.cli.check import not_told_apart
from gateway.outputs import texts
from gateway.settings import load
from gateway.site_package import load as package
from gateway.web.render import Renderer
from hardware.codecs.unit_room import Told
from tests.gateway.cli.house import belltower, house

PAIRS = list(combinations(Action, 2))
STYLES = Path(__file__).parents[2] / "gateway" / "web" / "static" / "page.css"


def ordered(action: Action, mode: Mode = Mode.ACTUAL) -> OutputOrdered:
    """An output is told what stands."""
    return OutputOrdered(output="hall", incident=IncidentId("inc_1"), mode=mode, on=True, action=action)


@pytest.mark.parametrize(("one", "other"), PAIRS)
@pytest.mark.parametrize("mode", list(Mode))
def test_w28_no_loudspeaker_sign_or_unit_says_one_action_like_another(
    one: Action, other: Action, mode: Mode
) -> None:
    """The tones before the words, the words, what a sign shows, and what a unit is told."""
    spoken = [texts.text(texts.announcement(ordered(action, mode), None)) for action in (one, other)]
    signs = [texts.sign(ordered(action, mode)) for action in (one, other)]
    at = 1 if mode is Mode.EXERCISE else 0

    assert spoken[0][at] != spoken[1][at]  # the tones
    assert spoken[0][at + 1] != spoken[1][at + 1]  # the words
    assert signs[0] != signs[1]
    assert Told[one.name] is not Told[other.name]


def test_w28_no_screen_draws_one_action_like_another() -> None:
    """A shape and a colour each; whoever sees no colours has the shape and the word."""
    renderer = Renderer(zone=UTC, version="")
    marks = {action: renderer.part("parts.html", "action_mark", action.value) for action in Action}
    shapes = {action: re.sub(r' class="action-mark [a-z]+"', "", mark) for action, mark in marks.items()}
    css = STYLES.read_text(encoding="utf-8")
    colours = {action: re.search(rf"\.action-mark\.{action} {{ color: (.+?); }}", css) for action in Action}

    assert 5 == len(set(shapes.values()))
    assert all(f'class="action-mark {action}"' in mark for action, mark in marks.items())
    assert 5 == len({found[1] for found in colours.values() if found is not None})


@pytest.mark.parametrize(("does", "refused"), [("siren", True), ("strobe", True), ("relay", False)])
def test_w28_a_siren_or_strobe_is_not_the_same_for_both(tmp_path: Path, does: str, refused: bool) -> None:
    """`belltower check` says so; a relay that locks doors may well close for both, and a loudspeaker says which."""
    config = house(tmp_path)
    with config.open("a", encoding="utf-8") as file:
        file.write(
            f'[outputs.hall]\nkind = "modbus"\ndoes = "{does}"\nurl = "tcp://127.0.0.1:502"\ncoil = 1\n'
        )
    response = tmp_path / "site" / "response.toml"
    text = response.read_text(encoding="utf-8")
    response.write_text(
        text.replace("[panic]", '[outputs]\nsecure = ["hall"]\nlockdown = ["hall"]\n[panic]', 1),
        encoding="utf-8",
    )

    settings = load(config, secrets=False)
    faults = not_told_apart(settings, package(tmp_path / "site").response)
    checked = belltower("check", "--config", config, "--without-secrets")

    assert refused == bool(faults)
    assert (78 if refused else 0) == checked.returncode
    assert refused == (f"hall is a {does} for secure and for lockdown" in checked.stderr)
