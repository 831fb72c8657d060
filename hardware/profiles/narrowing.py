"""Which rules of a topic may be about a message: those whose keys it has, and that its kind of message is for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hardware.profiles.rule import Rule

Matched = tuple[tuple[Rule, dict[str, str]], ...]
"""The rules about a topic, with what its names stand for."""

Shapes = dict[tuple[str | None, ...], Sequence[int]]
"""The rules that may be about a table, by the text under the gate and by its keys."""

_WIDEST = 32
_LONGEST = 64
_KEPT_SHAPES = 128
_KEPT_SETS = 256


class Topical:
    """The rules about one topic."""

    __slots__ = ("_gate", "_rules", "_shapes", "form", "matched")

    def __init__(self, matched: Matched, shapes: Shapes) -> None:
        self.matched = matched
        # How its payloads are written, where all the rules agree about that.
        forms = {rule.form for rule, _ in matched}
        self.form = forms.pop() if len(forms) == 1 else None
        self._shapes = shapes
        self._rules: Sequence[int] = range(len(matched))
        # The key of which most of them want one of a few texts: its text tells which of them are meant.
        gates = Counter(key for rule, _ in matched for key in rule.listed)
        self._gate = gates.most_common(1)[0][0] if gates else ""

    def about(self, whole: Mapping[str, Any]) -> Sequence[int]:
        """The numbers of those that may be about the table `whole`: the others need a key that it lacks, or other text."""
        said = whole.get(self._gate)
        if type(said) is not str:
            said = None
        shape = (said, *whole)
        known = self._shapes.get(shape)
        if known is None:
            if len(shape) > _WIDEST or (said is not None and len(said) > _LONGEST):
                return self._rules
            keys = frozenset(whole)
            known = tuple(
                number
                for number, (rule, _) in enumerate(self.matched)
                if rule.needs <= keys
                and (rule.keyed is None or any(map(rule.keyed, whole)))
                and (said is None or self._gate not in rule.gates or rule.gates[self._gate](said, {}))
            )
            if len(self._shapes) >= _KEPT_SHAPES:
                self._shapes.clear()
            self._shapes[shape] = known
        return known


class Topics:
    """What is remembered of the shapes that the messages of a profile's topics have."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[int, ...], Shapes] = {}

    def topical(self, matched: Matched) -> Topical:
        """The rules about a topic; topics with the same rules share what is remembered."""
        rules = tuple(id(rule) for rule, _ in matched)
        if rules not in self._shapes and len(self._shapes) >= _KEPT_SETS:
            self._shapes.clear()
        return Topical(matched, self._shapes.setdefault(rules, {}))
