"""`belltower profile`, as an integrator types it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from belltower.errors import Malformed, NotFound
from gateway.cli.profile import command

SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "hardware" / "samples.jsonl"
SHELLY = {
    "method": "NotifyEvent",
    "params": {"events": [{"component": "input:0", "id": 0, "event": "btn_down", "ts": 1.5}]},
}


def typed(*words: str, said: bytes | None = None) -> Result:
    """What the command answers."""
    return CliRunner().invoke(command, list(words), input=said)


def answers(result: Result) -> list[dict[str, Any]]:
    """Every line of the output, which is nothing else."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def lines(*said: object) -> bytes:
    """Messages, one a line."""
    return b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in said)


def line(**more: object) -> dict[str, object]:
    """A message of a Shelly."""
    return {"id": "a", "topic": "x1/events/rpc", "payload": SHELLY, "payload_encoding": "json", **more}


def test_every_shipped_profile_is_in_order() -> None:
    """As the alarm lane loads them."""
    result = typed("check", "--shipped")

    assert 0 == result.exit_code, result.output
    assert "netvox-r312" in result.output


def test_every_fault_of_a_folder_is_listed(tmp_path: Path) -> None:
    """By file, table and key; one does not hide another."""
    (tmp_path / "one.toml").write_text('[profile]\nid = "one"\nclass = "panik"\n')
    (tmp_path / "two.toml").write_text(
        '[profile]\nid = "two"\nclass = "info"\n[[rule]]\ntopc = "a"\nkind = "state"\n'
    )
    result = typed("check", str(tmp_path))

    assert 1 == result.exit_code
    assert 'one.toml: profile.class: "panik" is not known' in result.output
    assert 'two.toml: rule[1].topc: unknown key; did you mean "topic"?' in result.output


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'expect_every = "10m"',
            'expect_every = "0s"',
            'supervision.expect_every: longer than nothing; write "10m"',
        ),
        ('path = "button"', 'path = "button"\nmask = 0', "rule[1].mask: a whole number above 0"),
    ],
)
def test_what_could_never_say_anything_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    """No silence is ever late after nothing, and a mask of 0 leaves no bit."""
    text = typed("new", "acme").stdout
    assert old in text
    (tmp_path / "acme.toml").write_text(text.replace(old, new))
    result = typed("check", str(tmp_path))

    assert 1 == result.exit_code
    assert said in result.output


def test_what_is_no_file_is_named_rather_than_waited_for(tmp_path: Path) -> None:
    """A pipe in the folder would hold a lane up for ever."""
    os.mkfifo(tmp_path / "pipe.toml")
    result = typed("check", str(tmp_path))

    assert 1 == result.exit_code
    assert "pipe.toml: is no file" in result.output


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"topic": 5}, "topic: expected text or null"),
        ({"payload_encoding": ["json"]}, "payload_encoding: expected text or null"),
        ({"payload_encoding": "yaml"}, 'payload_encoding: "yaml" is not known'),
        ({"port": "6"}, "port: expected a whole number or null"),
        ({"port": True}, "port: expected a whole number or null"),
        ({"port": 300}, "port: 0 to 255, not 300"),
        ({"retain": "yes"}, "retain: expected true, false or null"),
        ({"device": {}}, "device: expected text or null"),
        ({"profile": 7}, "profile: expected the id of a profile as text or null"),
        ({"profile": "netvox-r321"}, 'there is no profile "netvox-r321"; did you mean "netvox-r312"?'),
    ],
)
def test_a_line_of_another_shape_is_answered_and_the_next_is_read(more: dict[str, object], said: str) -> None:
    """By key, and never guessed at."""
    result = typed("decode", "--jsonl", "-", said=lines(line(**more), line(id="b")))

    assert 0 == result.exit_code, result.output
    wrong, right = answers(result)
    assert said in wrong["why"]
    assert ["press"] == right["signals"]


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (("--encoding", "hex", "--payload", "zz"), Malformed, "payload: not hexadecimal digits"),
        (("--profile", "shelly-gen", "--payload", "{}"), NotFound, "did you mean"),
        (("--profile", "nosuch", "--jsonl", "-"), NotFound, 'there is no profile "nosuch"'),
    ],
)
def test_what_was_typed_wrong_is_an_error(words: tuple[str, ...], kind: type[Exception], said: str) -> None:
    """And no answer with an exit code of 0."""
    result = typed("decode", *words)

    assert isinstance(result.exception, kind)
    assert said in str(result.exception)


def test_what_is_of_one_message_is_refused_beside_a_file() -> None:
    """It would be passed over without a word."""
    result = typed("decode", "--jsonl", "-", "--topic", "x")

    assert 2 == result.exit_code
    assert "--topic" in result.output


def test_a_new_profile_loads_as_it_is_written(tmp_path: Path) -> None:
    """Its examples hold."""
    file = tmp_path / "acme-button.toml"
    file.write_text(typed("new", "acme-button").stdout)
    result = typed("check", str(file))

    assert (0, True) == (result.exit_code, "acme-button" in result.output)


def test_a_profile_is_explained_in_plain_words(tmp_path: Path) -> None:
    """What alarms, how it is watched, what its outputs prove."""
    said = typed("explain", "shelly-gen2-input").output

    assert "It alarms by: double_press, long_press, press" in said
    assert "relay_on: confirmed by its answer within 2s, may be repeated, otherwise off" in said
    assert "It is supervised, through broker" in said


def test_one_message_is_decoded() -> None:
    """The profile that knows it is named."""
    (answer,) = answers(typed("decode", "--topic", "x1/events/rpc", "--payload", json.dumps(SHELLY)))

    assert (["press"], "shelly-gen2-input", "x1", []) == (
        answer["signals"],
        answer["profile"],
        answer["device"],
        answer["flags"],
    )


def test_bytes_are_decoded_by_the_profile_that_is_named() -> None:
    """With their port."""
    words = (
        "--profile",
        "netvox-r312",
        "--encoding",
        "hex",
        "--payload",
        "0155011E01000000000000",
        "--port",
        "6",
    )
    (answer,) = answers(typed("decode", *words))

    assert (["press"], 3.0) == (answer["signals"], answer["details"][0]["volts"])


def test_bytes_of_no_known_length_are_trouble() -> None:
    """Never silence."""
    (answer,) = answers(typed("decode", "--profile", "netvox-r312", "--encoding", "hex", "--payload", "0155"))

    assert ["trouble"] == answer["signals"]
    assert answer["why"]


def test_every_line_is_answered_in_order_whatever_it_is() -> None:
    """A malformed line is answered too, and the next is read."""
    said = lines(
        line(id=7),
        b"{not json",
        b"[]",
        line(id="bad", payload_encoding="morse"),
        {"id": "none"},
        line(id="topic", topic=5),
        line(id="hex", payload="0g", payload_encoding="hex"),
        line(id="unknown", profile="nobody"),
        line(id="strange", topic="a/b/c", payload="?", payload_encoding="text"),
        line(id="z", retain=True),
    )
    result = typed("decode", "--jsonl", "-", said=said)
    found = answers(result)

    assert 0 == result.exit_code
    assert [7, None, None, "bad", "none", "topic", "hex", "unknown", "strange", "z"] == [
        one["id"] for one in found
    ]
    assert all(one["why"] and one["signals"] == [] for one in found[1:-1])
    assert (["press"], ["retained"]) == (found[-1]["signals"], found[-1]["flags"])


def test_the_payload_may_be_json_written_as_text() -> None:
    """The same bytes mean the same."""
    said = lines(
        line(), line(payload=json.dumps(SHELLY)), line(payload=json.dumps(SHELLY), payload_encoding="text")
    )

    assert [["press"]] * 3 == [one["signals"] for one in answers(typed("decode", "--jsonl", "-", said=said))]


def test_a_sites_own_profiles_are_tried_too(tmp_path: Path) -> None:
    """Beside the shipped ones."""
    (tmp_path / "acme.toml").write_text(typed("new", "acme").stdout)
    said = lines(line(topic="acme/b204/event", payload={"button": "pressed"}))
    (answer,) = answers(typed("decode", "--jsonl", "-", "--profiles", str(tmp_path), said=said))

    assert (["press"], "acme", "b204") == (answer["signals"], answer["profile"], answer["device"])


@pytest.mark.skipif(not SAMPLES.is_file(), reason="the shared samples are not here")
def test_no_sample_that_is_no_press_is_read_as_one() -> None:
    """Neither with everything the line says nor with the bare message."""
    samples = [json.loads(text) for text in SAMPLES.read_text(encoding="utf-8").splitlines()]
    bare = [{key: one[key] for key in ("id", "topic", "payload", "payload_encoding")} for one in samples]
    found = answers(typed("decode", "--jsonl", "-", said=lines(*samples, *bare)))
    pressing = {"press", "long_press", "double_press", "hold", "button_down", "fire"}

    assert len(found) == 2 * len(samples)
    for sample, answer in zip(samples * 2, found, strict=True):
        assert sample["id"] == answer["id"]
        if not pressing & {sample["kind"], *sample["signals"]}:
            assert not pressing & set(answer["signals"]), answer


def test_a_text_without_an_encoding_is_a_text() -> None:
    """As it stood on the wire."""
    said = lines({"id": 1, "topic": "zigbee2mqtt/b204/action", "payload": "emergency"})

    assert ["press"] == answers(typed("decode", "--jsonl", "-", said=said))[0]["signals"]
