"""The widely used school protocol's names and slogans are its owner's; none of them is shipped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHIPPED = ("belltower", "hardware", "floorplans", "notify", "reunification", "gateway", "examples", "docs")
NEVER = [
    r"\bSRP\b",
    r"\bSRM\b",
    r"\bCRG\b",
    r"standard response protocol",
    r"i love u guys",
    r"locks, lights",
    r"lights, out of sight",
    r"lock outside doors",
    r"clear the halls",
    r"collaborative response graphic",
]


@pytest.mark.parametrize("folder", SHIPPED)
def test_no_protected_name_or_slogan_is_shipped(folder: str) -> None:
    """Whoever holds a licence types the words into the site package; we do not bring them."""
    found = [
        f"{file.relative_to(ROOT)}: {match[0]}"
        for file in (ROOT / folder).rglob("*")
        if file.suffix in {".py", ".toml", ".html", ".js", ".css", ".md", ".svg"}
        for words in NEVER
        if (match := re.search(words, file.read_text(encoding="utf-8"), re.IGNORECASE))
    ]

    assert [] == found
