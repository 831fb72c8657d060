"""What a message must have for a rule to be about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hardware.profiles.path import parse
from hardware.profiles.pattern import compiled
from hardware.profiles.profile import RuleTable

_LONGEST_KEY = 128
_KEPT_KEYS = 128


def needed(table: RuleTable) -> tuple[frozenset[str], str | None, frozenset[str] | None]:
    """The keys without which a rule cannot fire, and one of them with the only texts that it may have."""
    needs, gate, allowed = set[str](), None, None
    if table.line is not None:
        return frozenset(), None, None
    asked = [(path, wanted) for path, wanted in table.when.items() if _needs(wanted)]
    asked += [(path, None) for path in (table.path, table.each) if path is not None]
    for path, wanted in asked:
        whole, steps = parse(path)
        if table.each is not None and not whole and path != table.each:
            continue  # it is of an item
        if not steps or not isinstance(steps[0], str):
            continue
        needs.add(steps[0])
        values = wanted.get("in") if isinstance(wanted, dict) and len(wanted) == 1 else [wanted]
        if len(steps) > 1 or not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            continue
        gate, allowed = steps[0], frozenset(values)
    return frozenset(needs), gate, allowed


def key_of(text: str) -> Callable[[str], bool]:
    """Whether a key is meant by the expression `text`."""
    expression = compiled(text)
    known: dict[str, bool] = {}

    def meant(name: str) -> bool:
        found = known.get(name)
        if found is None:
            if len(name) > _LONGEST_KEY:
                return False
            if len(known) >= _KEPT_KEYS:
                known.clear()
            found = known[name] = expression.search(name) is not None
        return found

    return meant


def _needs(wanted: Any) -> bool:
    """Whether a condition fails where there is no value."""
    return not isinstance(wanted, dict) or wanted.get("exists") is not False
