"""One line of the journal, with one of our facts in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from belltower import journal

if TYPE_CHECKING:
    from belltower.incident.facts import Fact

    Entry = journal.Entry[Fact]
    Draft = journal.Draft[Fact]
else:  # calling a parametrised class costs twenty times what calling the class does
    Entry = journal.Entry
    Draft = journal.Draft
