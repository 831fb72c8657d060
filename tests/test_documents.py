"""What the documents point at is there, and what they tell people to type exists."""

import re
from pathlib import Path

import pytest

from gateway.cli.commands import belltower

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    """Relative links name files of the repository."""
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", document.read_text(encoding="utf-8"))

    assert [] == [link for link in links if not (document.parent / link).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_named_exists(document: Path) -> None:
    """`belltower WORD` in a code span or block is a command."""
    code = "\n".join(
        re.findall(r"```.*?```|`[^`\n]+`", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    )
    words = set(re.findall(r"(?:^|[\s`/])belltower ([a-z][a-z-]+)", code))

    assert set() == words - set(belltower.commands) - set(belltower.list_commands(None))
