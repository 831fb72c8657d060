"""Conditions, with typed equality, and expressions that cannot run away."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.profiles.match import Conditions, same, test
from hardware.profiles.path import MISSING
from hardware.profiles.pattern import compiled
from tests.peers.machine import slowness

# The name is that of the operators' module; it is no test of ours.
judged = test
del test


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0, False), ("0", 0), ("911", 911), ("true", True), (None, "")]
)
def test_things_of_different_types_are_never_equal(one: Any, other: Any) -> None:
    """Each way round, and as conditions."""
    assert not same(one, other)
    assert not same(other, one)
    if one is not None:
        assert not judged(one)(other, {})
        assert not judged({"in": [one]})(other, {})


def test_numbers_are_equal_by_value() -> None:
    """1 and 1.0 are one number."""
    assert same(1, 1.0)
    assert judged(3)(3.0, {})


@pytest.mark.parametrize(
    ("wanted", "value", "holds"),
    [
        ({"equal": "a"}, "a", True),
        ({"in": ["a", 5]}, 5, True),
        ({"in": ["a", 5]}, [5], False),
        ({"match": "^input:"}, "input:0", True),
        ({"match": "^input:"}, 5, False),
        ({"exists": True}, 0, True),
        ({"exists": True}, None, False),
        ({"exists": False}, MISSING, True),
        ({"exists": False}, None, True),
        ({"is": "null"}, None, True),
        ({"is": "number"}, True, False),
        ({"is": "text"}, "", True),
        ({"lt": 21}, 20, True),
        ({"lt": 21}, "20", False),
        ({"lt": 21}, False, False),
        ({"gt": 1, "lt": 3}, 2, True),
        ({"gt": 1, "lt": 3}, 3, False),
        ({"mask": 1}, 9, True),
        ({"mask": 8}, 9, True),
        ({"mask": 3, "equal": 1}, 9, True),
        ({"mask": 1}, True, False),
        ({"not": "a"}, "b", True),
        ({"not": "a"}, MISSING, False),
        ("a", MISSING, False),
    ],
)
def test_each_operator(wanted: Any, value: Any, holds: bool) -> None:
    """Bits are tested as bits: a low battery hides no press."""
    assert holds == judged(wanted)(value, {})


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"like": 1},
        {"in": []},
        {"in": "ab"},
        {"match": 5},
        {"match": "("},
        {"lt": "5"},
        {"mask": 0},
        {"exists": 1},
        {"is": "thing"},
        [1],
        None,
    ],
)
def test_a_condition_that_means_nothing_is_refused(wanted: Any) -> None:
    """By name of its path."""
    with pytest.raises(ValueError, match='"p"'):
        Conditions({"p": wanted})


def test_named_groups_become_captures() -> None:
    """`button_1_hold` says which button."""
    captures: dict[str, str] = {}

    assert judged({"match": "^button_(?P<channel>[0-9])_hold$"})("button_1_hold", captures)
    assert {"channel": "1"} == captures


@pytest.mark.parametrize(
    "text",
    [
        "(a+)+$",
        "^(a|a)*$",
        "(?:a*)*b",
        r"^(\w+\s?)*$",
        ".*.*.*x",
        r"(a)\1",
        "^(?=a)a",
        "(?:(?:a?){30}){30}",
        "a*+x",
        "[",
    ],
)
def test_an_expression_that_could_run_away_is_refused(text: str) -> None:
    """At load, with a mend."""
    with pytest.raises(ValueError):
        compiled(text)


@pytest.mark.parametrize(
    "text",
    [r"^.{0,40}.{0,40}.{0,40}x", "^(?:a|a){0,15}x", "^(?:a{0,3}){0,7}x", "^[^,]*+,[^,]*+,x", "a{0,20}x"],
)
def test_an_expression_that_is_taken_costs_little(text: str) -> None:
    """On texts made for it."""
    expression = compiled(text)
    for hostile in ("a" * 4096, "a," * 2048, "ab" * 2048):
        spent = min(_timed(lambda hostile=hostile: expression.search(hostile)) for _ in range(3))
        assert spent < 0.015 * slowness()


def _timed(work: Any) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


@given(value=st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()))
def test_no_condition_ever_raises(value: Any) -> None:
    """Whatever the value is."""
    for wanted in (
        1,
        True,
        "a",
        {"in": [1, "a"]},
        {"match": "^a"},
        {"mask": 2},
        {"lt": 2, "gt": 1},
        {"is": "list"},
    ):
        judged(wanted)(value, {})
        judged({"not": wanted})(value, {})
