"""Frames of every PSAP link in plain words: what each octet means, and exactly what is wrong with a bad one.

One module per format beside this one, found by its presence; its short name (`dc09`) is the module's. A module has

    FORMAT: str                                     how people call it: "SIA DC-09"
    def likely(octets: bytes) -> int                0 no .. 100 sure, from a look at the head
    def explain(octets: bytes) -> Explanation       one frame; never raises, whatever the octets are

and may have

    def split(octets: bytes) -> tuple[bytes, ...]   the frames one after another; joined they are `octets` again
    def explain_with(octets: bytes, key: str) -> Explanation
                                                    the same with the text of a key file, for what is encrypted or signed

A fault names what is there and what should be: "CRC is 1234, the octets give 73C8"; "the length says 0038 = 56 octets,
the body has 57". Nobody may print a key, nor octets that would give one away.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Protocol, cast

from msgspec import Struct

MOST = 1 << 20
"""The most octets that are looked at."""


class Line(Struct, frozen=True, kw_only=True):
    """One field: where it begins, its octets as they came, what it says."""

    at: int
    octets: bytes
    says: str


class Explanation(Struct, frozen=True, kw_only=True):
    """One frame in plain words."""

    # How people call the format, `FORMAT` of its module.
    format: str
    # One sentence: what the frame is for.
    summary: str
    lines: tuple[Line, ...] = ()
    # What is wrong with it; none: it is in order.
    faults: tuple[str, ...] = ()


class Format(Protocol):
    """A module that explains one format."""

    FORMAT: str

    def likely(self, octets: bytes, /) -> int:
        """How much it looks like this format, 0 to 100."""
        ...

    def explain(self, octets: bytes, /) -> Explanation:
        """One frame of it; never raises."""
        ...


@cache
def formats() -> dict[str, Format]:
    """Every format by its short name."""
    found = sorted(
        module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")
    )
    modules = ((name, importlib.import_module(f"{__name__}.{name}")) for name in found)
    return {name: cast("Format", module) for name, module in modules if hasattr(module, "FORMAT")}


def candidates(octets: bytes) -> tuple[tuple[str, int], ...]:
    """The short names of what it may be, the likeliest first, with how likely each is."""
    rated = ((name, one.likely(octets[:MOST])) for name, one in formats().items())
    return tuple(sorted((pair for pair in rated if pair[1] > 0), key=lambda pair: -pair[1]))


def frames(octets: bytes, name: str) -> tuple[bytes, ...]:
    """The frames of that format in `octets`, one after another; joined they are `octets` again."""
    split = getattr(formats()[name], "split", None)
    cut = split(octets[:MOST]) if split is not None else (octets[:MOST],)
    return tuple(cut) or (octets[:MOST],)


def explain_as(octets: bytes, name: str, *, key: str = "") -> Explanation:
    """One frame explained as that format, with a key where one is given and the format knows of keys."""
    one = formats()[name]
    with_key = getattr(one, "explain_with", None)
    if key and with_key is not None:
        return cast("Explanation", with_key(octets[:MOST], key))
    return one.explain(octets[:MOST])


def explain(octets: bytes) -> tuple[Explanation, ...]:
    """One frame as everything that it may be, best first; empty when it looks like nothing known."""
    return tuple(explain_as(octets, name) for name, _ in candidates(octets))
