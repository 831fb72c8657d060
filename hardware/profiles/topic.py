"""Topics with names in them: `{device}/events/rpc`."""

from __future__ import annotations

import re
from collections.abc import Mapping

MOST_LETTERS = 1024
_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def pattern(text: str, settings: Mapping[str, str]) -> re.Pattern[str]:
    """An expression for whole topics; `{device}` may hold slashes, other names are of one level.

    Raises:
        ValueError: a wildcard, an open brace, or a name twice.
    """
    if not text or "+" in text or "#" in text:
        raise ValueError(f'"{text}": name the levels, {{device}} for instance, rather than + and #')
    made, names = [], set[str]()
    for number, part in enumerate(_NAME.split(text)):
        if number % 2 == 0:
            if "{" in part or "}" in part:
                raise ValueError(f'"{text}": a brace without its name')
            made.append(re.escape(part))
        elif part in settings:
            made.append(re.escape(settings[part]))
        elif part == "_":
            made.append("[^/]+")
        elif part in names:
            raise ValueError(f'"{text}": {{{part}}} stands there twice')
        else:
            names.add(part)
            made.append(f"(?P<{part}>{'.+' if part == 'device' else '[^/]+'})")
    return re.compile("".join(made), re.DOTALL)


def weight(text: str | None) -> int:
    """How particular a topic is: its letters outside braces."""
    return len(_NAME.sub("", text)) if text else 0
