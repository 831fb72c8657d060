"""Regular expressions that cannot run away.

The cost of an expression is bounded when it is compiled: repetitions may not stand inside repetitions, and the ways in
which all of them together may share out a text of 4 KiB are counted. Possessive repetitions (`[^,]*+`) never go back
and cost nothing extra.
"""

from __future__ import annotations

import re
from re import _constants as _code  # type: ignore[attr-defined] # the only way to see an expression's parts
from re import _parser as _parse  # type: ignore[attr-defined]
from typing import Any

MOST_LETTERS = 4096
"""Of the text that is looked at; longer texts match nothing."""

MOST_WAYS = 100_000
_LONGEST = 512

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
    ways = _ways(tree, within=False, text=text) * (1 if anchored else MOST_LETTERS)
    if ways > MOST_WAYS:
        start = "" if anchored else ", begin it with ^"
        raise ValueError(f"'{text}' could take long on a text made for it; {_MEND}{start}")
    return made


def _ways(tree: Any, *, within: bool, text: str) -> int:
    """In how many ways a text may be shared out among the repetitions of `tree`."""
    ways = 1
    for name, arguments in tree:
        if name in _REFUSED:
            raise ValueError(f"'{text}' has {_REFUSED[name]}, which is not followed; write it without")
        if name in _REPEATS:
            least, most, inner = arguments
            if within and least != most:
                raise ValueError(f"'{text}' repeats a repetition; {_MEND}")
            _ways(inner, within=True, text=text)
            if most != least:
                ways *= min(int(most), MOST_LETTERS) - least + 1
        elif name is _code.POSSESSIVE_REPEAT:
            _ways(arguments[2], within=True, text=text)
        elif name is _code.ATOMIC_GROUP:
            _ways(arguments, within=within, text=text)
        elif name is _code.SUBPATTERN:
            ways *= _ways(arguments[3], within=within, text=text)
        elif name is _code.BRANCH:
            if within:
                raise ValueError(f"'{text}' repeats a choice; {_MEND}")
            ways *= sum(_ways(branch, within=within, text=text) for branch in arguments[1])
        if ways > MOST_WAYS:
            break
    return ways
