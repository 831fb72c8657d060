"""Facts decode for ever: one golden line per tag, kept from the day the tag was first written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from belltower.incident.encoding import FactEncoding, tag_of
from belltower.incident.facts import Fact, UnknownFact

GOLDEN = Path(__file__).parents[2] / "golden" / "facts" / "facts-1.jsonl"
LINES = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
KINDS = [kind for kind in get_args(Fact) if kind is not UnknownFact]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["type"])
def test_a_golden_fact_decodes_and_encodes_to_itself(line: dict[str, object]) -> None:
    """What was written once is read for ever, and every golden field survives."""
    codec = FactEncoding()
    body = json.dumps(line).encode()
    fact = codec.decode(str(line["type"]), body)
    tag, again = codec.encode(fact)

    assert line["type"] == tag
    assert line.items() <= json.loads(again).items()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_fact_has_a_golden_line(kind: type[Fact]) -> None:
    """A new fact is not finished without its golden line."""
    assert tag_of(kind) in {line["type"] for line in LINES}


def test_an_unknown_tag_is_kept_as_it_is() -> None:
    """A newer writer's fact survives an older reader byte for byte."""
    codec = FactEncoding()
    fact = codec.decode("from.the.future", b'{"x":1}')

    assert ("from.the.future", b'{"x":1}') == codec.encode(fact)


def test_a_body_that_does_not_fit_its_tag_is_kept_as_it_is() -> None:
    """A known tag with fields we cannot read is unknown to us, not an error."""
    codec = FactEncoding()

    assert isinstance(codec.decode("alarm.raised", b'{"type":"alarm.raised","alarm":7}'), UnknownFact)
