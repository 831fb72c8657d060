"""Profiles are refused by name, with the mend, when they are at fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from belltower.errors import SettingsError
from hardware.profiles.compiled import Profile
from hardware.profiles.explaining import explained
from hardware.profiles.loading import load, load_all
from hardware.profiles.message import Message
from hardware.profiles.signal import SignalKind
from hardware.profiles.skeleton import skeleton

Make = Callable[[str], Profile]

RULE = '[[rule]]\ntopic = "a/{device}"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            RULE + 'path = "x"\nmap = { a = "press" }\nelse = "ignore"',
            "rule[1].else: class panic may not ignore",
        ),
        (RULE + 'path = "x"\nmap = { a = "pres" }', "rule[1].map"),
        (RULE + 'kind = "press"\npath = "x"\nmap = { a = "press" }', "rule[1].kind: either kind or map"),
        (RULE + 'path = "x"', "rule[1].kind: missing"),
        (RULE + 'kind = "press"\nwhen = { a = { like = 1 } }', 'rule[1].when: "a": "like" is no operator'),
        (RULE + 'kind = "press"\nwhen = { a = { match = "(a+)+" } }', "could take long"),
        (RULE + 'kind = "press"\nchannel = "a..b"', "rule[1].channel"),
        (RULE + 'kind = "press"\nas = "yaml"', 'rule[1].as: "yaml" is not known'),
        (RULE + 'kind = "press"\nlayout = "x"', "rule[1].layout"),
        (RULE + 'kind = "press"\nflags = { retained = { a = 1 } }', "rule[1].flags"),
        (RULE + 'path = "x"\nmap = { a = "press" }\nof = "int"', '"a" stands for no int'),
        (RULE + 'path = "x"\nmap = { 1 = "press", 0x1 = "clear" }\nof = "int"', "listed twice"),
        (RULE + 'path = "x"\nmap = { a = "press" }\nedge = "up"', "rule[1].edge"),
        ('[[rule]]\ntopic = "a/+/b"\nkind = "press"', "rule[1].topic"),
        ('[[rule]]\ntopic = "a/{device}/{device}"\nkind = "press"', "stands there twice"),
        (
            '[[output]]\ndoes = "on"\ntopic = "t"\npayload = "TOGGLE"\nreceipt = "none"',
            "TOGGLE does something else",
        ),
        (
            '[[output]]\ndoes = "on"\ntopic = "t"\npayload = { method = "Switch.Toggle" }\nreceipt = "none"',
            "TOGGLE",
        ),
        ('[[output]]\ndoes = "on"\ntopic = "t"\npayload = "ON"', "output[1].receipt: missing"),
        (
            '[[output]]\ndoes = "on"\ntopic = "t"\npayload = "ON"\nreceipt = "maybe"',
            "output[1].receipt: write what",
        ),
        (
            '[[output]]\ndoes = "on"\ntopic = "t"\npayload = "ON"\nreceipt = { within = "2s" }',
            "receipt.match",
        ),
        ('[[output]]\ndoes = "on"\nbytes = "00"\nreceipt = "none"', "output[1].port"),
        ("[decode]\nfield = [{ name = 'a', at = 0, len = 9 }]", "len"),
        ("[decode]\ntlv = [{ tag = 'xx', len = 1, name = 'a' }]", "tag"),
        ('[dedupe]\nkey = ["phase"]', "dedupe.key"),
        ('[dedupe]\nkey = ["device"]\nwindow = "2m"', "dedupe.window: at most 60 s"),
        ('[supervision]\nlate_after = "5m"', "late_after"),
        ('[supervison]\nparent = "broker"', 'did you mean "supervision"'),
    ],
)
def test_each_fault_is_named_with_its_key(make: Make, text: str, said: str) -> None:
    """And with how to mend it."""
    with pytest.raises(SettingsError) as refused:
        make(text + "\n")

    assert said in str(refused.value)
    assert ".toml: " in str(refused.value)


def test_a_counter_in_the_key_allows_a_long_window(make: Make) -> None:
    """It tells two presses apart."""
    made = make('[dedupe]\nkey = ["device", "counter"]\nwindow = "2m"\n')
    assert 120.0 == made.dedupe.window


@pytest.mark.parametrize("cls", ["panic", "badge"])
def test_what_a_badge_or_a_button_says_unlisted_is_trouble(make: Make, cls: str) -> None:
    """Both call for help: silence would hide a press of a new firmware. And neither may say that it does not care."""
    head = f'[profile]\nid = "p"\nclass = "{cls}"\n'
    made = make(head + RULE + 'path = "x"\nmap = { a = "press" }\n')
    (said,) = made.read(Message(topic="a/1", payload=b'{"x": "b"}')).signals
    assert (SignalKind.TROUBLE, True) == (
        said.kind,
        any("anything else means trouble" in line for line in explained(made)),
    )
    with pytest.raises(SettingsError, match=f"class {cls} may not ignore"):
        make(head + RULE + 'path = "x"\nmap = { a = "press" }\nelse = "ignore"\n')


def test_ignoring_the_rest_is_allowed_where_the_ignored_are_listed(make: Make) -> None:
    """Then somebody has thought of it."""
    make(RULE + 'path = "x"\nmap = { a = "press", b = "ignore" }\nelse = "ignore"\n')


def test_an_example_that_fails_refuses_the_profile(make: Make) -> None:
    """Number and difference are told."""
    with pytest.raises(SettingsError, match=r'example\[1\]: signal 1: kind is "press", expected "release"'):
        make(
            RULE
            + 'kind = "press"\n[[example]]\ntopic = "a/x"\npayload = "1"\nexpect = [{ kind = "release" }]\n'
            '[[example]]\ntopic = "b"\npayload = "1"\nexpect = []\n'
        )


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        ("", "example: missing"),
        ('[[example]]\ntopic = "a/x"\npayload = "b"\nexpect = [{ kind = "heartbeat" }]\n', "none is a press"),
        ('[[example]]\ntopic = "a/x"\npayload = "p"\nexpect = [{ kind = "press" }]\n', "each alarms"),
        (
            (
                '[[example]]\ntopic = "a/x"\npayload = "p"\nexpect = [{ kind = "press" }]\n'
                '[[example]]\ntopic = "a/x"\npayload = "r"\nexpect = [{ kind = "release" }]\n'
            ),
            "none is a battery report",
        ),
    ],
)
def test_the_three_kinds_of_example_are_mandatory(tmp_path: Path, examples: str, said: str) -> None:
    """A press, one that must not alarm, and a sign of life."""
    file = tmp_path / "p.toml"
    file.write_text(
        '[profile]\nid = "p"\nclass = "panic"\n'
        + RULE
        + 'path = "$"\nmap = { p = "press", b = "heartbeat", r = "release" }\n'
        + examples
    )
    with pytest.raises(SettingsError, match=said):
        load(file)


def test_one_refused_profile_refuses_them_all(tmp_path: Path) -> None:
    """And every fault of every file is told."""
    (tmp_path / "a.toml").write_text(skeleton("a"))
    (tmp_path / "b.toml").write_text("profile = 5")
    (tmp_path / "c.toml").write_text("= broken")
    (tmp_path / "d.toml").write_text("")
    with pytest.raises(SettingsError) as refused:
        load_all([tmp_path])

    assert [True] * 3 == [f"{name}.toml" in str(refused.value) for name in "bcd"]


def test_version_and_hash_say_which_text_judged(tmp_path: Path) -> None:
    """Another text, another hash."""
    file = tmp_path / "a.toml"
    file.write_text(skeleton("a"))
    first = load(file)
    file.write_text(skeleton("a") + "# more\n")

    assert (1, 12, True) == (first.version, len(first.hash), first.hash != load(file).hash)


def test_a_site_may_say_what_its_bridge_is_called(tmp_path: Path) -> None:
    """The examples hold for the shipped name."""
    file = tmp_path / "a.toml"
    file.write_text(
        '[settings]\nbase = "z2m"\n'
        + skeleton("a")
        .replace('"a/{device}/event"', '"{base}/{device}/event"')
        .replace('"a/b204/event"', '"z2m/b204/event"')
    )
    ours = load(file, settings={"base": "z2m-hall-b"})

    assert (0, 2) == (len(ours.rules_of("z2m/b204/event")), len(ours.rules_of("z2m-hall-b/b204/event")))
