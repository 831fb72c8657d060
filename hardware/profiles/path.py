"""The path language: where in a message a value stands.

    params.events.0.ts     keys, and indices of lists (negative ones count from the end)
    ZbReceived."0006!01"   a key in quotes may hold anything
    ZbReceived.*.Power     `*` is the value of a table's first key
    ZbReceived.~           `~`, at the end only, is the first key itself
    $.method               from the whole message rather than from the item of `each`; `$` is all of it

Nothing else: no arithmetic, no filters, no recursion, at most 16 steps. What is not there is MISSING, and never an
error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

MOST_STEPS = 16
MOST_LETTERS = 256


class Missing:
    """There is no such value; null is a value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()

Finder = Callable[[Any, Any], Any]
"""Of an item and the whole message, the value or MISSING."""

_STEP = re.compile(r'"((?:[^"\\]|\\["\\])*+)"|(-?[0-9]{1,4})(?=\.|$)|([^."\s*~$]{1,128})|(\*)|(~)$')
_FIRST = object()
_NAME = object()


def parse(text: str) -> tuple[bool, tuple[Any, ...]]:
    """Whether `text` begins at the message, and its steps.

    Raises:
        ValueError: it is no path; the message names the letter.
    """
    if not text or len(text) > MOST_LETTERS:
        raise ValueError(f"a path has 1 to {MOST_LETTERS} letters, this has {len(text)}")
    whole = text == "$" or text.startswith("$.")
    if text == "$":
        return True, ()
    at, steps = 2 if whole else 0, list[Any]()
    while True:
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(
                f'"{text}": letter {at + 1} begins no step; write a key, "a key in quotes", an index, * or a final ~'
            )
        quoted, index, key, first, _ = found.groups()
        if quoted is not None:
            steps.append(re.sub(r"\\(.)", r"\1", quoted))
        elif index is not None:
            steps.append(int(index))
        elif key is not None:
            steps.append(key)
        else:
            steps.append(_FIRST if first else _NAME)
        at = found.end()
        if at == len(text):
            break
        if text[at] != ".":
            raise ValueError(f'"{text}": letter {at + 1} is "{text[at]}"; a dot stands between steps')
        at += 1
    if len(steps) > MOST_STEPS:
        raise ValueError(f'"{text}" has {len(steps)} steps; at most {MOST_STEPS} are followed')
    return whole, tuple(steps)


def finder(text: str) -> Finder:
    """A function that finds what the path `text` names; ValueError when it is no path."""
    whole, steps = parse(text)
    if len(steps) == 1 and type(steps[0]) is str:
        key: str = steps[0]
        if whole:
            return lambda _item, message: message.get(key, MISSING) if type(message) is dict else MISSING
        return lambda item, _message: item.get(key, MISSING) if type(item) is dict else MISSING
    if len(steps) == 2 and type(steps[0]) is str and type(steps[1]) is str:
        return _of_two(whole, *steps)
    if not steps:
        return lambda _item, message: message
    if whole:
        return lambda _item, message: _walk(message, steps)
    return lambda item, _message: _walk(item, steps)


def _of_two(whole: bool, first: str, second: str) -> Finder:
    """A path of two keys, as most of those are that have more than one."""

    def find(item: Any, message: Any) -> Any:
        table = message if whole else item
        inner = table.get(first) if type(table) is dict else None
        return inner.get(second, MISSING) if type(inner) is dict else MISSING

    return find


def _walk(value: Any, steps: tuple[Any, ...]) -> Any:
    for step in steps:
        if type(value) is dict:
            if type(step) is str:
                value = value.get(step, MISSING)
            elif type(step) is int:  # a key that looks like an index
                value = value.get(str(step), MISSING)
            else:
                key = next(iter(value), MISSING)
                if key is MISSING:
                    return MISSING
                value = value[key] if step is _FIRST else key
        elif type(value) is list and type(step) is int and -len(value) <= step < len(value):
            value = value[step]
        else:
            return MISSING
        if value is MISSING:
            return MISSING
    return value
