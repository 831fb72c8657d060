"""Conditions on a value, with typed equality: 1 is not true, "0" is not 0."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hardware.profiles.path import MISSING, finder, parse
from hardware.profiles.pattern import compiled, searching

Test = Callable[[Any, dict[str, str]], bool]
"""Whether a value will do; named groups of a match go into the captures."""

OPERATORS = ("equal", "in", "match", "exists", "is", "lt", "gt", "mask", "not")
_NUMBERS = frozenset({bool, int, float})
_TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "text": (str,),
    "number": (int, float),
    "bool": (bool,),
    "list": (list,),
    "table": (dict,),
}


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same type; all numbers are of one type, which booleans are not of."""
    if type(one) is type(other):
        return bool(one == other)
    return type(one) in (int, float) and type(other) in (int, float) and one == other


def key(value: Any) -> tuple[str, Any]:
    """`value` as a key of a dictionary in which only the `same` values meet."""
    if type(value) is bool:
        return "bool", value
    if type(value) in (int, float):
        return "number", value
    return type(value).__name__, value


def test(wanted: Any) -> Test:
    """The test that `wanted`, a value or a table of operators, asks for; ValueError says what is wrong with it."""
    if not isinstance(wanted, dict):
        return _equal(wanted)
    if not wanted:
        raise ValueError(f"an empty table asks for nothing; one of: {', '.join(OPERATORS)}")
    unknown = [name for name in wanted if name not in OPERATORS]
    if unknown:
        raise ValueError(f'"{unknown[0]}" is no operator; one of: {", ".join(OPERATORS)}')
    tests = [_operator(name, wanted) for name in wanted if not (name == "equal" and "mask" in wanted)]
    if len(tests) == 1:
        return tests[0]
    return lambda value, captures: all(each(value, captures) for each in tests)


def _equal(wanted: Any) -> Test:
    if type(wanted) is str:
        return lambda value, _: type(value) is str and value == wanted
    if type(wanted) is bool:
        return lambda value, _: value is wanted
    if type(wanted) not in (int, float):
        raise ValueError(f"a value is compared with text, a number or a boolean, not with {wanted!r}")
    return lambda value, _: same(value, wanted)


def _operator(name: str, wanted: dict[str, Any]) -> Test:
    value = wanted[name]
    match name:
        case "equal":
            return _equal(value)
        case "in":
            if not isinstance(value, list) or not value or len(value) > 256:
                raise ValueError('"in" takes a list of 1 to 256 values')
            keys = frozenset(key(each) for each in value)
            texts = frozenset(each for each in value if type(each) is str)
            return lambda found, _: (
                found in texts if type(found) is str else type(found) in _NUMBERS and key(found) in keys
            )
        case "match":
            return _match(value)
        case "exists":
            if type(value) is not bool:
                raise ValueError('"exists" takes true or false')
            return lambda found, _: (found is not MISSING and found is not None) is value
        case "is":
            types = _TYPES.get(value) if isinstance(value, str) else None
            if types is None:
                raise ValueError(f'"is" takes one of: {", ".join(_TYPES)}')
            return lambda found, _: type(found) in types
        case "mask":
            return _mask(value, wanted.get("equal"))
        case "not":
            inner = test(value)
            return lambda found, _: found is not MISSING and not inner(found, {})
        case _:
            if type(value) not in (int, float):
                raise ValueError(f'"{name}" takes a number')
            if name == "lt":
                return lambda found, _: type(found) in (int, float) and found < value
            return lambda found, _: type(found) in (int, float) and found > value


def _match(value: Any) -> Test:
    if not isinstance(value, str):
        raise ValueError('"match" takes a regular expression as text')  # noqa: TRY004 - as above
    search = searching(compiled(value))

    def matches(found: Any, captures: dict[str, str]) -> bool:
        groups = search(found) if type(found) is str else None
        if groups:
            captures.update(groups)
        return groups is not None

    return matches


def _mask(mask: Any, wanted: Any) -> Test:
    if type(mask) is not int or mask <= 0:
        raise ValueError('"mask" takes a whole number above 0, 0x02 for instance')
    if wanted is None:
        return lambda found, _: type(found) is int and found & mask != 0
    if type(wanted) is not int:
        raise ValueError('"equal" beside "mask" takes a whole number')
    return lambda found, _: type(found) is int and found & mask == wanted


Condition = Callable[[Any, Any, dict[str, str]], bool]
"""Of an item, the whole message and the captures: whether it holds."""


class Conditions:
    """All of these hold: paths and what is asked of them."""

    __slots__ = ("captures", "count", "hold")

    def __init__(self, table: Mapping[str, Any]) -> None:
        """ValueError names the path whose condition is wrong."""
        made: list[Condition] = []
        # Whether they may add captures.
        self.captures = False
        for path, wanted in table.items():
            try:
                made.append(_condition(path, wanted))
                self.captures = self.captures or "(?P<" in str(wanted)
            except ValueError as error:
                raise ValueError(f'"{path}": {error}') from None
        self.count = len(made)
        # Whether they all hold for an item of a message.
        self.hold = _all(made)


def _condition(path: str, wanted: Any) -> Condition:
    """`path` and what is asked of it in one call, for the paths of one key that most are."""
    asked = test(wanted)
    whole, steps = parse(path)
    if len(steps) != 1 or type(steps[0]) is not str:
        find = finder(path)
        return lambda item, message, captures: asked(find(item, message), captures)
    key: str = steps[0]
    if type(wanted) is str:
        if whole:
            return lambda _, message, __: type(message) is dict and message.get(key) == wanted
        return lambda item, _, __: type(item) is dict and item.get(key) == wanted
    if whole:
        return lambda _, message, captures: asked(
            message.get(key, MISSING) if type(message) is dict else MISSING, captures
        )
    return lambda item, _, captures: asked(
        item.get(key, MISSING) if type(item) is dict else MISSING, captures
    )


def _all(conditions: list[Condition]) -> Condition:
    if not conditions:
        return lambda _item, _message, _captures: True
    first = conditions[0]
    if len(conditions) == 1:
        return first
    if len(conditions) == 2:
        second = conditions[1]
        return lambda item, message, captures: (
            first(item, message, captures) and second(item, message, captures)
        )

    def hold(item: Any, message: Any, captures: dict[str, str]) -> bool:
        for each in conditions:  # noqa: SIM110 - a generator costs more than the tests
            if not each(item, message, captures):
                return False
        return True

    return hold
