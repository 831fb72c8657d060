"""What a message must have for a rule to be about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hardware.profiles.match import Test, test
from hardware.profiles.path import parse
from hardware.profiles.pattern import compiled
from hardware.profiles.profile import RuleTable

_LONGEST_KEY = 128
_KEPT_KEYS = 128


class Needs(NamedTuple):
    """The keys without which a rule cannot fire."""

    keys: frozenset[str] = frozenset()
    # What it asks of the values under some of them.
    gates: Mapping[str, Test] = {}
    # Those under which it wants one of a few texts.
    listed: frozenset[str] = frozenset()


def needed(table: RuleTable) -> Needs:
    """What a message must have for the rule to be about it."""
    needs, gates, listed = set[str](), dict[str, Test](), set[str]()
    if table.line is not None:
        return Needs()
    asked = [(path, wanted) for path, wanted in table.when.items() if _needs(wanted)]
    asked += [(path, None) for path in (table.path, table.each) if path is not None]
    for path, wanted in asked:
        whole, steps = parse(path)
        if table.each is not None and not whole and path != table.each:
            continue  # it is of an item
        if not steps or not isinstance(steps[0], str):
            continue
        needs.add(steps[0])
        if len(steps) == 1 and wanted is not None:
            gates[steps[0]] = test(wanted)
            values = wanted.get("in") if isinstance(wanted, dict) and len(wanted) == 1 else [wanted]
            if isinstance(values, list) and all(isinstance(one, str) for one in values):
                listed.add(steps[0])
    return Needs(keys=frozenset(needs), gates=gates, listed=frozenset(listed))


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
