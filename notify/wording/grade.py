"""How hard a text is to read: two formulas a language, and the length of its sentences. Pure arithmetic."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

from msgspec import Struct

HIGHEST_GRADE = 6.0
"""Years of school that a text may ask for, by each formula."""

LONGEST_SENTENCE = 15.0
"""Words that a sentence may have on the average."""

FEWEST_WORDS = 12
"""Shorter texts are not graded: formulas say nothing of so few words."""

_SENTENCE = re.compile(r"[.!?]+(?=\s|$)|\n{2,}|: ?(?=\n|$)")
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_SLOT = re.compile(r"\{[a-z]*\}")
_BRACKET = re.compile(r"[\[\]]")
_VOWELS = re.compile(r"[aeiouy]+")
_SPOKEN_ENDS = ("les", "ses", "ces", "ges", "xes", "zes", "ches", "shes", "ted", "ded")
_STAND_IN = "noon"
"""What a slot counts as: one short word. The values are names and times, which nobody can make easier."""


class Counted(Struct, frozen=True, kw_only=True):
    """What the formulas need of a text."""

    sentences: int
    words: int
    syllables: int
    letters: int


class Reading(Struct, frozen=True, kw_only=True):
    """How hard a text is; `grades` by formula, empty where no formula is known for its language."""

    words: int
    # Words a sentence, on the average.
    sentence: float
    grades: dict[str, float] = {}


def reading(text: str, *, language: str) -> Reading:
    """The grades of a text by the formulas of its language."""
    base = language.partition("-")[0]
    counted = count(text, _SYLLABLES.get(base, _english))
    if not counted.words:
        return Reading(words=0, sentence=0.0)
    return Reading(
        words=counted.words,
        sentence=counted.words / counted.sentences,
        grades={name: formula(counted) for name, formula in _FORMULAS.get(base, {}).items()},
    )


def count(text: str, syllables: Callable[[str], int]) -> Counted:
    """Sentences, words, syllables and letters of a text, a slot counting as one short word, and all that may be said."""
    filled = _BRACKET.sub("", _SLOT.sub(_STAND_IN, text))
    sentences = [words for part in _SENTENCE.split(filled) if (words := _WORD.findall(part))]
    words = [word for sentence in sentences for word in sentence]
    return Counted(
        sentences=len(sentences),
        words=len(words),
        syllables=sum(syllables(word) for word in words),
        letters=sum(len(word) for word in words),
    )


def _english(word: str) -> int:
    small = word.casefold()
    if small.isdigit():
        return 1
    found = len(_VOWELS.findall(small))
    silent = small.endswith(("es", "ed")) and not small.endswith(_SPOKEN_ENDS)
    if silent or (small.endswith("e") and not small.endswith("le")):
        found -= 1
    return max(1, found)


def _spanish(word: str) -> int:
    small = unicodedata.normalize("NFC", word.casefold())
    found = 0
    before = ""
    for letter in small.replace("qu", "q").replace("gue", "ge").replace("gui", "gi"):
        vowel = letter in "aeiouáéíóúü"
        # Two strong vowels, or an accented weak one, make a syllable each.
        together = (
            before
            and vowel
            and (before in "iuü" or letter in "iuü")
            and not (before in "íú" or letter in "íú")
        )
        if vowel and not together:
            found += 1
        before = letter if vowel else ""
    return max(1, found)


def _kincaid(of: Counted) -> float:
    """J. P. Kincaid et al. 1975: the grade of American schools."""
    return 0.39 * of.words / of.sentences + 11.8 * of.syllables / of.words - 15.59


def _automated(of: Counted) -> float:
    """E. A. Smith and R. J. Senter 1967: the automated readability index."""
    return 4.71 * of.letters / of.words + 0.5 * of.words / of.sentences - 21.43


def _crawford(of: Counted) -> float:
    """A. N. Crawford 1984: years of school, for Spanish."""
    return -0.205 * 100 * of.sentences / of.words + 0.049 * 100 * of.syllables / of.words - 3.407


def _huerta(of: Counted) -> float:
    """J. Fernández Huerta 1959 as a grade: an ease of 70 asks for six years, each ten below for one and a half more."""
    ease = 206.84 - 60 * of.syllables / of.words - 1.02 * of.words / of.sentences
    return 6.0 + (70.0 - ease) * 0.15


_SYLLABLES: Mapping[str, Callable[[str], int]] = {"en": _english, "es": _spanish}
_FORMULAS: Mapping[str, Mapping[str, Callable[[Counted], float]]] = {
    "en": {"Flesch-Kincaid": _kincaid, "automated readability": _automated},
    "es": {"Crawford": _crawford, "Fernández Huerta": _huerta},
}
