"""What docs/add-a-device.md shows is true."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from hardware.profiles.compiled import Profile
from hardware.profiles.loading import load
from hardware.profiles.profile import RuleTable
from hardware.profiles.signal import SignalKind

GUIDE = (Path(__file__).parents[3] / "docs" / "add-a-device.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)


def test_the_profile_of_the_guide_loads(tmp_path: Path) -> None:
    """Its examples hold."""
    file = tmp_path / "acme.toml"
    file.write_text(next(block for block in BLOCKS if block.startswith("[profile]")), encoding="utf-8")

    assert "acme-button" == load(file).id


def test_the_layouts_of_the_guide_load(make: Callable[[str], Profile]) -> None:
    """Fields, tags and the shift."""
    block = next(block for block in BLOCKS if block.startswith("[[decode]]"))
    rules = (
        '[[rule]]\nlayout = "status"\npath = "button"\nof = "int"\nmap = { 1 = "press" }\n'
        '[[rule]]\nlayout = "status"\nwhen = { battery = { exists = true } }\nkind = "heartbeat"\n'
    )
    examples = (
        '[[example]]\nbytes = "FF2E01"\nport = 85\nexpect = [{ kind = "press" }]\n'
        '[[example]]\nbytes = "01755C"\nport = 85\nexpect = [{ kind = "heartbeat" }]\n'
    )

    assert ["report", "status"] == [layout.name for layout in make(block + rules + examples).layouts]


def test_every_key_of_a_rule_and_every_meaning_is_told() -> None:
    """Nothing has to be guessed."""
    keys = {field.rstrip("_") for field in RuleTable.__struct_fields__}

    assert [] == sorted(key for key in keys if f"`{key}`" not in GUIDE and f"`{key}." not in GUIDE)
    assert [] == [kind for kind in SignalKind if str(kind) not in GUIDE]
