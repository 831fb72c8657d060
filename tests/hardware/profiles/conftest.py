"""Profiles written for a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hardware.profiles.compiled import Profile
from hardware.profiles.loading import load

Make = Callable[[str], Profile]

EXAMPLES = """
[[example]]
topic = "t/x/press"
payload = "1"
expect = [{ kind = "press", device = "x" }]
[[example]]
topic = "t/x/beat"
payload = "{}"
expect = [{ kind = "heartbeat" }]
[[rule]]
topic = "t/{device}/press"
kind = "press"
[[rule]]
topic = "t/{device}/beat"
kind = "heartbeat"
"""


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A profile of a text; `[profile]` and mandatory examples are added where they are missing."""
    count = 0

    def made(text: str) -> Profile:
        nonlocal count
        count += 1
        file = tmp_path / f"p{count}.toml"
        head = "" if "[profile]" in text else f'[profile]\nid = "p{count}"\nclass = "panic"\n'
        file.write_text(head + text + ("" if "[[example]]" in text else EXAMPLES), encoding="utf-8")
        return load(file)

    return made
