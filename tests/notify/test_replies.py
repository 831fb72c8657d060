"""What people answer, and what it is taken for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.incident.facts import Reply
from notify.replies import plain, says_more, understood


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("1", Reply.SAFE),
        (" 1. ", Reply.SAFE),
        ("1️⃣", Reply.SAFE),
        ("１", Reply.SAFE),
        ("Safe!", Reply.SAFE),
        ("I’m safe", Reply.SAFE),
        ("Estoy a salvo.", Reply.SAFE),
        ("2", Reply.NEED_HELP),
        ("2 students hurt in 204", Reply.NEED_HELP),
        ("HELP", Reply.NEED_HELP),
        ("we need help in the gym", Reply.NEED_HELP),
        ("¡AYÚDAME!", Reply.NEED_HELP),
        ("Auxilio, salón 3", Reply.NEED_HELP),
        ("call 911", Reply.NEED_HELP),
        ("STOP", Reply.STOP),
        ("Opt-out", Reply.STOP),
        ("no más mensajes", Reply.STOP),
        ("START", Reply.START),
        ("ok", Reply.ACKNOWLEDGED),
        ("Recibido", Reply.ACKNOWLEDGED),
        ("", Reply.TEXT),
        ("🙏", Reply.TEXT),
        ("who is this", Reply.TEXT),
    ],
)
def test_it_is_taken_for_what_it_says(text: str, reply: Reply) -> None:
    """In English and in Spanish, with accents, keycaps and signs."""
    assert reply == understood(text, urgent=True)


@pytest.mark.parametrize(
    "text", ["1 shooter in the hall", "not safe", "no estoy a salvo", "1 2", "is it safe", "safe?? no", "11"]
)
def test_nobody_is_taken_for_safe_who_says_more(text: str) -> None:
    """Read is not safe, and an answer with other words in it is for a person to read."""
    assert Reply.SAFE != understood(text, urgent=True)


@pytest.mark.parametrize(
    "text", ["please stop the bus", "stop, he is in the hall", "the end is near", "alto ahi"]
)
def test_a_stop_is_said_alone(text: str) -> None:
    """Somebody who writes of a danger does not ask for silence."""
    assert Reply.STOP != understood(text, urgent=True)


def test_help_asks_who_we_are_only_where_nothing_urgent_was_sent() -> None:
    """The carriers' HELP word after a routine notice; somebody in danger says more, or answers an alarm."""
    assert Reply.TEXT == understood("HELP", urgent=False)
    assert Reply.NEED_HELP == understood("help me", urgent=False)


def test_a_yes_starts_only_what_was_stopped() -> None:
    """Elsewhere it answers something."""
    assert Reply.START == understood("Sí", urgent=False, stopped=True)
    assert Reply.TEXT == understood("Sí", urgent=False)


@given(st.text(max_size=3_000), st.booleans(), st.booleans())
def test_any_text_is_something(text: str, urgent: bool, stopped: bool) -> None:
    """Never an error, and safe only by words that say nothing else."""
    reply = understood(text, urgent=urgent, stopped=stopped)

    assert plain(plain(text)) == plain(text)
    if reply is Reply.SAFE:
        assert len(plain(text).split()) <= 3


def test_a_text_is_kept_only_where_it_says_something() -> None:
    """A bare digit or word says all by itself."""
    assert not says_more("2", Reply.NEED_HELP)
    assert not says_more("1", Reply.SAFE)
    assert says_more("2, room 204", Reply.NEED_HELP)
    assert says_more("where do we meet", Reply.TEXT)


@pytest.mark.parametrize(
    "said", ["not safe", "We are NOT SAFE!", "No a salvo", "no estamos a salvo aquí", "unsafe"]
)
def test_who_is_not_safe_asks_for_help(said: str) -> None:
    """The word "safe" in it means its opposite."""
    assert Reply.NEED_HELP is understood(said, urgent=True)
