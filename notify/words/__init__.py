"""The texts that ship: our own words, until a district loads its own."""

from __future__ import annotations

from importlib import resources

from notify.wording import WordingSet, parse


def default(*, linted: bool = False) -> WordingSet:
    """The shipped texts, English first. Their tests have linted them."""
    folder = resources.files(__name__)
    return parse({name: (folder / name).read_text("utf-8") for name in ("en.toml", "es.toml")}, linted=linted)
