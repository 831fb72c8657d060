"""Regular expressions that cannot run away.

The cost of an expression is bounded when it is compiled: the ways in which its repetitions and choices together may
share out a text of 4 KiB are counted, so that repetitions of repetitions do not pass. Possessive repetitions
(`[^,]*+`) never go back and cost nothing extra.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from re import _constants as _code  # type: ignore[attr-defined] # the only way to see an expression's parts
from re import _parser as _parse  # type: ignore[attr-defined]
from typing import Any

MOST_LETTERS = 4096
"""Of the text that is looked at; longer texts match nothing."""

MOST_WAYS = 100_000
_LONGEST = 512
_KEPT = 128
_SHORT = 64
_UNKNOWN: dict[str, str] = {}
_WIDEST = 256  # of what may begin anywhere

_REPEATS = {_code.MAX_REPEAT, _code.MIN_REPEAT}
_REFUSED = {
    _code.GROUPREF: "a back reference",
    _code.GROUPREF_EXISTS: "a conditional",
    _code.ASSERT: "a look around",
    _code.ASSERT_NOT: "a look around",
}
_MEND = "bound it, [^,]{0,40} for instance, or let it never go back: [^,]*+"


def compiled(text: str) -> re.Pattern[str]:
    """`text` as an expression for `search`.

    Raises:
        ValueError: it is none, or one that could take long; the message says how to mend it.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"an expression has at most {_LONGEST} letters, this has {len(text)}")
    try:
        tree = _parse.parse(text)
        made = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"'{text}' is no regular expression: {error}") from None
    anchored = bool(tree) and tree[0] == (_code.AT, _code.AT_BEGINNING)
    ways = _ways(tree, text) * (1 if anchored else MOST_LETTERS)
    if ways > MOST_WAYS or (not anchored and tree.getwidth()[1] > _WIDEST):
        start = "" if anchored else ", begin it with ^"
        raise ValueError(f"'{text}' could take long on a text made for it; {_MEND}{start}")
    return made


def searching(expression: re.Pattern[str]) -> Callable[[str], dict[str, str] | None]:
    """A function that searches: the named groups of the first hit, or None.

    Devices say the same few words for ever, so what became of short texts is remembered, of as many as are bounded.
    """
    known: dict[str, dict[str, str] | None] = {}

    def search(text: str) -> dict[str, str] | None:
        groups = known.get(text, _UNKNOWN)
        if groups is not _UNKNOWN:
            return groups
        hit = expression.search(text) if len(text) <= MOST_LETTERS else None
        groups = hit and {name: part for name, part in hit.groupdict().items() if part is not None}
        if len(text) <= _SHORT:
            if len(known) >= _KEPT:
                known.clear()
            known[text] = groups
        return groups

    return search


def _ways(tree: Any, text: str) -> int:
    """In how many ways at most a text may be shared out among the repetitions and choices of `tree`."""
    ways = 1
    for name, arguments in tree:
        if name in _REFUSED:
            raise ValueError(f"'{text}' has {_REFUSED[name]}, which is not followed; write it without")
        if name in _REPEATS:
            ways *= _repeated(arguments, text)
        elif name is _code.POSSESSIVE_REPEAT:
            ways *= 1 if _ways(arguments[2], text) == 1 else _repeated(arguments, text)
        elif name is _code.SUBPATTERN:
            ways *= _ways(arguments[3], text)
        elif name is _code.ATOMIC_GROUP:
            ways *= _ways(arguments, text)
        elif name is _code.BRANCH:
            ways *= sum(_ways(branch, text) for branch in arguments[1])
        ways = min(ways, MOST_WAYS + 1)
    return ways


def _repeated(arguments: Any, text: str) -> int:
    """The ways of a repetition: of what is repeated, to the power of how often."""
    least, most, inner = arguments
    each = _ways(inner, text)
    most = min(int(most), MOST_LETTERS)
    if each == 1:
        return most - int(least) + 1
    total = 0
    for times in range(int(least), most + 1):
        total += each ** min(times, 64)
        if total > MOST_WAYS:
            break
    return total
