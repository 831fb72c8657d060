"""Phrases that a text must not hold, or must: patterns of words, whatever their letters' size and accents.

In a pattern `*` is any end of a word, `|` parts words of which any one will do, `#` is a number, and `..` stands for
up to four words between.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_BETWEEN = r"(?:\S+ ){0,4}?"
_WORDS = re.compile(r"[^\W_]+(?:'[^\W_]+)?|\{[a-z]*\}")


def plain(text: str) -> str:
    """The words of a text as they are compared: small letters without accents, marks or hidden signs, one blank apart."""
    if text.isascii():
        return " ".join(_WORDS.findall(text.casefold()))
    folded = unicodedata.normalize("NFKD", text).casefold().replace("\u2019", "'")
    bare = "".join(
        letter
        for letter in folded
        if not unicodedata.combining(letter) and unicodedata.category(letter) != "Cf"
    )
    return " ".join(_WORDS.findall(bare))


class Phrases:
    """Some patterns, to be looked for all at once."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(dict.fromkeys(patterns))
        each = "|".join(_expression(pattern) for pattern in self.patterns)
        self._any = re.compile(f"(?<= )(?:{each})(?= )" if each else "(?!)")

    def first(self, words: str) -> str:
        """What the text says of it, in the text's own words; "" when nothing. `words` comes from `plain`."""
        found = self._any.search(f" {words} ")
        return found[0].strip() if found is not None else ""


@lru_cache(maxsize=256)
def phrases(patterns: tuple[str, ...]) -> Phrases:
    """The same patterns are made ready once."""
    return Phrases(patterns)


def protected(words: str) -> str:
    """A name or slogan in it that belongs to somebody's school protocol; "" when there is none.

    They are known by their hashes, so that not even the list of what is refused brings them along.
    """
    each = words.split()
    for length in range(1, _LONGEST_PROTECTED + 1):
        for start in range(len(each) - length + 1):
            phrase = " ".join(each[start : start + length])
            if _is_protected(phrase):
                return phrase
    return ""


@lru_cache(maxsize=8192)
def _is_protected(phrase: str) -> bool:
    return hashlib.blake2b(phrase.encode(), digest_size=8).hexdigest() in _PROTECTED


def _expression(pattern: str) -> str:
    parts = []
    for word in pattern.split():
        if word == "..":
            parts.append(_BETWEEN)
            continue
        choices = [_choice(one) for one in word.split("|")]
        parts.append(f"(?:{'|'.join(choices)}) ")
    return "".join(parts).rstrip()


def _choice(word: str) -> str:
    if word == "#":
        return r"\d+"
    stem, star, _ = word.partition("*")
    return re.escape(plain(stem)) + (r"[^ ]*" if star else "")


_LONGEST_PROTECTED = 5
_PROTECTED = frozenset(
    {
        "00fcc363a5fa2d50",
        "b546852f3d86fff5",
        "8531bf2228c38d82",
        "62c91bcdb4219cd3",
        "70f13e9b1d09c89a",
        "f916b7140b4996ac",
        "59ac6473f6a517da",
        "4e2e51f525a676b6",
        "d86fa45a71834341",
        "a9dba28a4da2d133",
        "a9d7017a5a507dda",
        "cc0af7d9821e3d9a",
        "0479d6f4ef824426",
        "5a19a6095763a320",
    }
)
