"""The path language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.profiles.path import MISSING, finder, parse

MESSAGE = {
    "method": "NotifyEvent",
    "params": {"events": [{"id": 0}, {"id": 1}], "switch:0": {"output": True}},
    "ZbReceived": {"0x4773": {"0006!01": "01", "Power": 1}},
    "null": None,
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("method", "NotifyEvent"),
        ("params.events.1.id", 1),
        ("params.events.-1.id", 1),
        ("params.events.2.id", MISSING),
        ("params.switch:0.output", True),
        ('params."switch:0".output', True),
        ('ZbReceived.*."0006!01"', "01"),
        ("ZbReceived.*.Power", 1),
        ("ZbReceived.~", "0x4773"),
        ("null", None),
        ("null.deeper", MISSING),
        ("method.0", MISSING),
        ("nobody", MISSING),
        ("params.events.id", MISSING),
    ],
)
def test_a_path_finds_what_it_names(path: str, expected: object) -> None:
    """Null is a value; what is not there is missing and no error."""
    assert expected == finder(path)(MESSAGE, MESSAGE)


def test_a_path_of_an_item_can_reach_the_whole_message() -> None:
    """`$.` is the message, `$` all of it."""
    item = {"id": 7}

    assert ("NotifyEvent", 7) == (finder("$.method")(item, MESSAGE), finder("id")(item, MESSAGE))
    assert MESSAGE is finder("$")(item, MESSAGE)


@pytest.mark.parametrize(
    "path",
    ["", ".", "a.", ".a", "a..b", 'a."b', "a b", "~.a", "a.*~", "x" * 300, ".".join("a" * 17), 'a[0]x"'],
)
def test_what_is_no_path_is_refused(path: str) -> None:
    """The letter is named."""
    with pytest.raises(ValueError):
        finder(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
PATHS = st.lists(
    st.from_regex(r'[a-z]{1,5}|"[^"\\]{0,5}"|-?[0-9]{1,3}|\*', fullmatch=True), min_size=1, max_size=8
).map(".".join)


@given(message=JSON, path=PATHS)
def test_no_path_ever_raises(message: object, path: str) -> None:
    """Whatever the message is."""
    finder(path)(message, message)
    finder(f"$.{path}")(None, message)


@given(st.text(max_size=40))
def test_any_text_is_a_path_or_a_value_error(text: str) -> None:
    """Nothing else."""
    try:
        parse(text)
    except ValueError:
        return
    finder(text)({}, {})


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=8))
def test_a_quoted_key_may_hold_anything(keys: list[str]) -> None:
    """With quotes and backslashes escaped."""
    value: object = 42
    for key in reversed(keys):
        value = {key: value}
    path = ".".join('"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"' for key in keys)

    assert 42 == finder(path)(value, None)
