"""Tables become records; what is wrong is named, all of it."""

from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from belltower.errors import SettingsError
from belltower.values import Octets, Port, Reader, Seconds, Secret, duration, size


class Inner(Struct, frozen=True, kw_only=True):
    word: str
    wait: Seconds = 1.0


class Outer(Struct, frozen=True, kw_only=True):
    name: str
    wait: Seconds = 5.0
    limit: Octets = 1024
    folder: Path | None = None
    key: Secret | None = None
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    named: dict[str, Inner] = {}


def reader(folder: Path, **environ: str) -> Reader:
    return Reader(file=folder / "config.toml", environ=environ, name="config.toml")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90.0), ("250ms", 0.25), ("1.5 h", 5400.0), ("2min", 120.0)]
)
def test_a_duration_bears_its_unit(text: str, seconds: float) -> None:
    """Every unit that files may use."""
    assert seconds == duration(text)


@pytest.mark.parametrize(("text", "octets"), [("64KiB", 65536), ("1 MB", 1_000_000), ("512", 512)])
def test_a_size_bears_its_unit(text: str, octets: int) -> None:
    """Binary and decimal units are both understood."""
    assert octets == size(text)


@given(st.text())
def test_any_text_is_a_duration_or_a_clear_no(text: str) -> None:
    """Nothing but ValueError leaves the parser."""
    try:
        assert duration(text) >= 0
    except ValueError as error:
        assert "no duration" in str(error)


def test_a_table_becomes_a_record(tmp_path: Path) -> None:
    """Units, paths, secrets and nested tables are all converted."""
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text("sesame\n", encoding="utf-8")
    table = {
        "name": "x",
        "wait": "90s",
        "limit": "64KiB",
        "folder": "var",
        "key": {"file": "key"},
        "inner": {"word": "w"},
        "many": [{"word": "a", "wait": "2s"}],
        "named": {"n": {"word": "b"}},
    }

    outer = reader(tmp_path).take(Outer, table, "outer")

    assert (
        Outer(
            name="x",
            wait=90.0,
            limit=65536,
            folder=tmp_path / "var",
            key=Secret("sesame"),
            inner=Inner(word="w"),
            many=(Inner(word="a", wait=2.0),),
            named={"n": Inner(word="b")},
        )
        == outer
    )


def test_every_fault_is_reported_with_its_path_and_mend(tmp_path: Path) -> None:
    """One faulty key does not hide the next."""
    read = reader(tmp_path)
    table = {
        "wiat": "1s",
        "wait": 3,
        "limit": "big",
        "inner": {"wort": 1},
        "many": [{"word": 5}],
        "named": [],
    }

    assert read.take(Outer, table, "outer") is None

    assert [
        'config.toml: outer.wiat: unknown key; did you mean "wait"?',
        "config.toml: outer.name: missing; it has no default",
        'config.toml: outer.wait: a duration needs its unit; write "3s" for instance',
        'config.toml: outer.limit: "big" is no size; write a number and a unit, such as "64KiB" or "1MiB"',
        'config.toml: outer.inner.wort: unknown key; did you mean "word"?',
        "config.toml: outer.inner.word: missing; it has no default",
        'config.toml: outer.many[1].word: expected text in quotes, "abc" for instance, found a number',
        "config.toml: outer.named: expected a table, found a list",
    ] == read.faults
    with pytest.raises(SettingsError, match="outer.wiat"):
        read.raise_if_faulty()


def test_a_secret_prints_stars() -> None:
    """Neither str, repr nor a record around it shows the secret."""
    assert ("***", "***", "***") == (str(Secret("x")), repr(Secret("x")), f"{Secret('x')}")


@pytest.mark.parametrize(
    "raw", ["hunter2", {"value": "hunter2"}, {"env": "HUNTER2"}, {"file": "missing"}, {"file": ""}]
)
def test_a_secret_comes_from_a_file_or_the_environment_only(tmp_path: Path, raw: object) -> None:
    """A secret written into the file is refused and not repeated in the message."""
    read = reader(tmp_path)

    assert read.take(Outer, {"name": "x", "key": raw}, "outer") is None
    assert len(read.faults) == 1
    assert "hunter2" not in read.faults[0]


def test_a_secret_that_others_may_read_is_refused_with_the_mend(tmp_path: Path) -> None:
    """A key that the whole machine can read is a secret no more."""
    (tmp_path / "key").write_text("sesame", encoding="utf-8")
    (tmp_path / "key").chmod(0o640)
    read = reader(tmp_path)

    assert read.take(Outer, {"name": "x", "key": {"file": "key"}}, "outer") is None
    told = "may be read by others (mode 0640); run: chmod 600"
    assert [f"config.toml: outer.key.file: {tmp_path}/key {told} {tmp_path}/key"] == read.faults


def test_a_misspelt_way_to_a_secret_names_the_nearest(tmp_path: Path) -> None:
    """`fil` was meant to be `file`."""
    read = reader(tmp_path)

    assert read.take(Outer, {"name": "x", "key": {"fil": "key"}}, "outer") is None
    assert ['config.toml: outer.key.fil: unknown key; did you mean "file"?'] == read.faults


@pytest.mark.parametrize(
    ("kind", "raw", "message"),
    [
        (int, "5", "expected a whole number, 5 for instance, found text"),
        (bool, "yes", "expected true or false, without quotes, found text"),
        (Port, 99_999, "expected a port, 1 to 65535, found 99999"),
        (Port | None, "x", "expected a port, 1 to 65535, found text"),
        (tuple[str, ...], "a", 'expected a list, ["a", "b"] for instance, found text'),
        (Literal["on", "off"], "of", '"of" is not known; one of: on, off'),
        (Literal["on", "off"], 1, "expected text, found a number; one of: on, off"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_what_would_be_right(
    tmp_path: Path, kind: Any, raw: object, message: str
) -> None:
    """In words of the file, with an example, not in those of a program."""
    read = reader(tmp_path)

    assert read.take(msgspec.defstruct("One", [("one", kind)]), {"one": raw}, "t") is None
    assert [f"config.toml: t.one: {message}"] == read.faults


def test_a_file_in_another_encoding_is_named_with_its_octet(tmp_path: Path) -> None:
    """Not the words of a codec: which octet, in which line, and the mend."""
    (tmp_path / "config.toml").write_bytes(b'a = 1\nb = "caf\xe9"\n')
    read = reader(tmp_path)

    assert {} == read.load()
    assert ["config.toml: octet 14 (0xe9, line 2) is not UTF-8; save the file in UTF-8"] == read.faults


def test_a_secret_is_read_from_the_environment(tmp_path: Path) -> None:
    """The name is looked up in what the process was started with."""
    outer = reader(tmp_path, KEY="sesame").take(Outer, {"name": "x", "key": {"env": "KEY"}}, "outer")

    assert outer is not None
    assert outer.key is not None
    assert "sesame" == outer.key.reveal()


def test_the_kind_picks_the_record(tmp_path: Path) -> None:
    """`kind` names the class; an unknown one lists those there are."""
    read = reader(tmp_path)

    assert Inner(word="w") == read.take_kind(
        {"inner": Inner, "outer": Outer}, {"kind": "inner", "word": "w"}, "t.x"
    )
    assert read.take_kind({"inner": Inner, "outer": Outer}, {"kind": "iner"}, "t.x") is None
    assert ['config.toml: t.x.kind: "iner" is not known; one of: inner, outer'] == read.faults


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    """The parser's own words tell the line."""
    (tmp_path / "config.toml").write_text("a = \n", encoding="utf-8")
    read = reader(tmp_path)

    assert {} == read.load()
    assert read.faults[0].startswith("config.toml: is not valid TOML")
