"""TS 23.038: what a text costs on the air."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.segments import Alphabet, segments


@pytest.mark.parametrize(
    ("text", "alphabet", "units", "parts"),
    [
        ("", Alphabet.GSM7, 0, 1),
        ("a" * 160, Alphabet.GSM7, 160, 1),
        ("a" * 161, Alphabet.GSM7, 161, 2),
        ("a" * 306, Alphabet.GSM7, 306, 2),
        ("a" * 307, Alphabet.GSM7, 307, 3),
        ("é ñ ü ¿ ¡ à", Alphabet.GSM7, 11, 1),
        ("€" * 80, Alphabet.GSM7, 160, 1),
        ("€" * 81, Alphabet.GSM7, 162, 2),
        ("a" * 152 + "€" + "a" * 152, Alphabet.GSM7, 306, 3),
        ("á" * 70, Alphabet.UCS2, 70, 1),
        ("á" * 71, Alphabet.UCS2, 71, 2),
        ("á" * 134, Alphabet.UCS2, 134, 2),
        ("á" * 135, Alphabet.UCS2, 135, 3),
        ("“curly”", Alphabet.UCS2, 7, 1),
        ("🔔" * 35, Alphabet.UCS2, 70, 1),
        ("🔔" * 67, Alphabet.UCS2, 134, 3),
    ],
)
def test_hard_cases(text: str, alphabet: Alphabet, units: int, parts: int) -> None:
    """Alphabet, units and parts; an escape and a surrogate pair are never split."""
    measured = segments(text)

    assert (alphabet, units, parts) == (measured.alphabet, measured.units, measured.parts)


@given(st.text(max_size=400), st.text(max_size=5))
def test_a_longer_text_never_takes_fewer_parts(text: str, more: str) -> None:
    """Adding characters keeps or raises the count."""
    assert segments(text + more).parts >= segments(text).parts
