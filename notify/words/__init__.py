"""The texts that ship: our own words, until a district loads its own."""

from __future__ import annotations

from importlib import resources

from notify.wording import WordingSet, parse


def default() -> WordingSet:
    """The shipped texts, English first."""
    folder = resources.files(__name__)
    return parse({name: (folder / name).read_text("utf-8") for name in ("en.toml", "es.toml")})
