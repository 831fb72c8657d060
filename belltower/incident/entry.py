"""One line of the journal, with one of our facts in it."""

from __future__ import annotations

from belltower import journal
from belltower.incident.facts import Fact

Entry = journal.Entry[Fact]
Draft = journal.Draft[Fact]
