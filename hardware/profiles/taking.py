"""How a rule takes a value out of a message: a path, a text with captures in it, or a table that converts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from belltower.clock import SECOND, Instant
from hardware.profiles.path import MISSING, finder, parse

Taker = Callable[[Any, Any, dict[str, str]], Any]
"""Of an item, the whole message and the captures: the value, or MISSING."""

_CAPTURE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LONGEST = 256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WORDS = {"path", "text", "mask", "shift", "scale", "add", "hex", "before", "map"}


def taker(spec: Any) -> Taker:
    """What `spec` takes; ValueError when it is none of the three ways.

    A text with braces is filled from the captures, any other text is a path, a number stands for itself. A table has
    `path` or `text`, and then `mask`, `shift`, `scale` and `add` for numbers, `hex = DIGITS` to write one, `before` to
    put something before it, `map` to translate.
    """
    if isinstance(spec, bool) or not isinstance(spec, str | int | float | dict):
        raise ValueError(  # noqa: TRY004 - every fault of a file is one
            'write a path, a text with {captures}, a number, or a table { path = ".." }'
        )
    if isinstance(spec, int | float):
        return lambda _item, _message, _captures: spec
    if isinstance(spec, str):
        return _filled(spec) if "{" in spec else _found(spec)
    unknown = [name for name in spec if name not in _WORDS]
    if unknown:
        raise ValueError(f'"{unknown[0]}" is not known here; one of: {", ".join(sorted(_WORDS))}')
    if ("path" in spec) == ("text" in spec):
        raise ValueError('either "path" or "text", one of the two')
    source = _found(str(spec["path"])) if "path" in spec else _filled(str(spec["text"]))
    return _converted(source, spec)


def _found(path: str) -> Taker:
    whole, steps = parse(path)
    if len(steps) == 1 and type(steps[0]) is str and not whole:
        key: str = steps[0]
        return lambda item, _message, _captures: item.get(key, MISSING) if type(item) is dict else MISSING
    find = finder(path)
    return lambda item, message, _captures: find(item, message)


def _filled(text: str) -> Taker:
    parts = _CAPTURE.split(text)
    if len(parts) == 3 and not parts[0] and not parts[2]:
        only = parts[1]
        return lambda _item, _message, captures: captures.get(only, MISSING)
    if "{" in "".join(parts[::2]):
        raise ValueError(f'"{text}": a brace opens no {{name}}')

    def fill(_item: Any, _message: Any, captures: dict[str, str]) -> Any:
        made = []
        for number, part in enumerate(parts):
            if number % 2 == 0:
                made.append(part)
            elif part in captures:
                made.append(captures[part])
            else:
                return MISSING
        return "".join(made)

    return fill


def _converted(source: Taker, spec: Mapping[str, Any]) -> Taker:
    for name in ("mask", "shift", "hex"):
        if name in spec and (type(spec[name]) is not int or spec[name] < 0):
            raise ValueError(f'"{name}" takes a whole number')
    for name in ("scale", "add"):
        if name in spec and type(spec[name]) not in (int, float):
            raise ValueError(f'"{name}" takes a number')
    if not isinstance(spec.get("map", {}), dict) or not isinstance(spec.get("before", ""), str):
        raise ValueError('"map" takes a table, "before" a text')  # noqa: TRY004 - every fault of a file is one
    mask, shift, digits = spec.get("mask"), spec.get("shift", 0), min(spec.get("hex", 0), 16)
    scale, add, before, table = spec.get("scale"), spec.get("add"), spec.get("before", ""), spec.get("map")
    numeric = mask is not None or shift or scale is not None or add is not None or digits

    def convert(item: Any, message: Any, captures: dict[str, str]) -> Any:
        value = source(item, message, captures)
        if value is MISSING or value is None:
            return MISSING
        if numeric:
            if type(value) not in (int, float):
                return MISSING
            if mask is not None or shift or digits:
                if type(value) is not int:
                    return MISSING
                value = (value & mask if mask is not None else value) >> min(shift, 64)
            if scale is not None:
                value = round(value * scale, 9)
            if add is not None:
                value = round(value + add, 9)
            if digits:
                value = f"{value:0{digits}x}"
        if table is not None:
            value = table.get(text_of(value), MISSING)
            if value is MISSING:
                return MISSING
        return f"{before}{text_of(value)}" if before else value

    return convert


def text_of(value: Any) -> str:
    """A scalar as one writes it in a file: true, 5, abc."""
    kind = type(value)
    if kind is str:
        return value if len(value) <= _LONGEST else str(value[:_LONGEST])
    if kind is int:
        return str(value)[:_LONGEST]
    if kind is bool:
        return "true" if value else "false"
    if kind is float:
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)
    return ""


def number_of(value: Any) -> float | None:
    """A finite number, else None; booleans are none."""
    if type(value) is int:
        return value if abs(value) < 1 << 53 else None
    return value if type(value) is float and math.isfinite(value) else None


def instant_of(value: Any) -> Instant | None:
    """The time that a device wrote as seconds, milliseconds, or in ISO 8601 with an offset."""
    if isinstance(value, str) and len(value) <= 40:
        try:
            made = datetime.fromisoformat(value)
        except ValueError:
            return None
        return None if made.tzinfo is None else Instant((made - _EPOCH) // _MICROSECOND)
    number = number_of(value)
    if number is None or number <= 0:
        return None
    if number > 1e14:
        return Instant(round(number)) if number < 1e17 else None
    return Instant(round(number * SECOND / 1000) if number > 1e11 else round(number * SECOND))
