"""An AT line is read the same however it is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.errors import Malformed
from hardware.codecs import at
from hardware.codecs.at import Final, Garbled, Line, Prompt, Reader, Verdict
from tests.hardware import fuzzing

TALK = (
    b'AT\r\r\nOK\r\n\r\n+CSQ: 18,99\r\n\r\nOK\r\n\r\n> \r\n+CMGS: 1\r\n\r\nOK\r\n+CMTI: "SM",3\r\n'
    b"\r\n+CMT: ,24\r\n0791\r\n\r\n+CMS ERROR: 331\r\n\x00\xff\r\nOK\r\n"
)
HEARD = [
    Line(text="AT"),
    Line(text="OK"),
    Line(text="+CSQ: 18,99"),
    Line(text="OK"),
    Prompt(),
    Line(text="+CMGS: 1"),
    Line(text="OK"),
    Line(text='+CMTI: "SM",3'),
    Line(text="+CMT: ,24"),
    Line(text="0791"),
    Line(text="+CMS ERROR: 331"),
    Garbled(reason="octet 0: 00 is no printable character", sample=b"\x00\xff"),
    Line(text="OK"),
]


def test_a_dialogue_is_lines_and_prompts():
    """As gammu and a modem exchange it."""
    assert HEARD == Reader().feed(TALK)


@given(
    st.lists(st.sampled_from([b"> ", b">", b" ", b"\r", b"\n", b"OK", b"x" * 30, b"\x00"]), max_size=60),
    st.data(),
)
def test_any_split_gives_the_same(pieces, data):
    """Prompts and lines that are too long included."""
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    whole, cut = Reader(max_line=40), Reader(max_line=40)

    found = [
        event
        for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for event in cut.feed(stream[a:b])
    ]

    assert whole.feed(stream) == found


def test_a_prompt_needs_no_line_end():
    """The modem waits; so would we."""
    assert [Prompt()] == Reader().feed(b"\r\n> ")


def test_a_line_without_end_is_bounded():
    """A million octets of it cost one line's room."""
    reader = Reader()
    for _ in range(1000):
        assert [] == reader.feed(b"x" * 1000)

    assert [Garbled(reason="longer than 1024 octets", sample=b"x" * 64), Line(text="OK")] == reader.feed(
        b"\rOK\r"
    )
    assert len(reader._pending) <= at.MAX_LINE + 1


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("OK", Final(verdict=Verdict.DONE)),
        ("ERROR", Final(verdict=Verdict.REFUSED)),
        ("+CME ERROR: 10", Final(verdict=Verdict.REFUSED, family="CME", code=10)),
        ("+CMS ERROR: 331", Final(verdict=Verdict.REFUSED, family="CMS", code=331)),
        ("+CMS ERROR: SIM busy", Final(verdict=Verdict.REFUSED, family="CMS")),
        ("+CSQ: 1,2", None),
        ("OKAY", None),
    ],
)
def test_what_ends_an_answer(text, end):
    """Numbers and words."""
    assert end == at.final(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('+CMTI: "SM",3', ("SM", "3")),
        ("+CREG: 0, 1", ("0", "1")),
        ("+CMT: ,24", ("", "24")),
        ("+CDS: 25", ("25",)),
        ('+X: "a,b",', ("a,b", "")),
    ],
)
def test_parameters(text, found):
    """Quoted, empty, spaced."""
    assert found == at.fields(text, text.partition(":")[0])


@pytest.mark.parametrize("text", ['+X: "a', '+X: "a"b', "+Y: 1", '+X: a"b"', "+X: " + "1," * 40])
def test_parameters_that_are_none(text):
    """Said, not guessed."""
    with pytest.raises(Malformed):
        at.fields(text, "+X")


def parse(octets):
    """All that is done with a line."""
    for event in Reader().feed(octets):
        if isinstance(event, Line):
            at.final(event.text)
            try:
                at.octets(event.text)
                at.whole(event.text)
            except Malformed:
                pass
            at.fields(event.text, event.text.partition(":")[0])


def test_mutated_dialogues_are_borne():
    """Lines, or garbled ones."""
    fuzzing.bear(parse, [TALK], fuzzing.USUAL // 4)


@pytest.mark.soak
def test_a_million_mutated_dialogues_are_borne():
    """The same, longer."""
    fuzzing.bear(parse, [TALK], fuzzing.LONG)


def test_it_is_quick_enough():
    """A dialogue of 13 events."""
    assert fuzzing.per_second(lambda: Reader().feed(TALK)) * len(HEARD) > 5_000
