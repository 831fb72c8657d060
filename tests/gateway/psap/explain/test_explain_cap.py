"""CAP documents in plain words: what they are for, every element, every fault."""

from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from gateway.psap.cap import Scope, Status, Time, build
from gateway.psap.explain import candidates, explain
from gateway.psap.explain import cap as wire
from tests.gateway.psap.cap_shapes import AT, plain

GOLDEN = Path(__file__).parents[3] / "golden" / "cap"
SCHOOL = (GOLDEN / "cap-school-panic.xml").read_bytes()
NWS = (GOLDEN / "nws_atom_feed_trimmed.xml").read_bytes()


def test_an_alert_is_explained_element_by_element():
    """The lines joined are the document; the summary says what it is for."""
    first = explain(SCHOOL)[0]

    assert ("CAP", ()) == (first.format, first.faults)
    assert first.summary.startswith(
        "A CAP alert, a new alert, a TEST, to be disregarded, private: Silent panic alarm"
    )
    assert SCHOOL == b"".join(line.octets for line in first.lines)
    assert "how bad: Extreme" in [line.says for line in first.lines]


def test_a_feed_is_explained():
    """How many alerts, and which."""
    first = explain(NWS)[0]

    assert "CAP" == first.format
    assert first.summary.endswith("of 2 alerts: High Wind Warning, High Surf Advisory.")


PRIVATE = build(plain(scope=Scope.PRIVATE, addresses=("a",)))


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (PRIVATE.replace(b"<addresses>a</addresses>", b""), "addresses: missing"),
        (SCHOOL.replace(b"-00:00</sent>", b"Z</sent>"), "sent: '2026-11-22T00:32:34Z' is not of the form"),
        (SCHOOL.replace(b"LHS-2026-000001", b'LHS "2026'), "incidents: a quotation mark without its partner"),
        (
            SCHOOL.replace(b"LHS-20261122T", b"LHS 20261122T"),
            "identifier: 'LHS 20261122T003234Z-0001' holds a space",
        ),
        (SCHOOL[:900], "not well formed"),
        (NWS.replace(b"<entry>", b"<entry/><entry>", 1), "entry: id is missing"),
        (b"<alert/>", "expected alert in urn:oasis:names:tc:emergency:cap:1.2"),
    ],
)
def test_what_is_wrong_is_said(octets, fault):
    """Faults of the reader and of the rules."""
    assert any(fault in said for said in wire.explain(octets).faults), wire.explain(octets).faults


def test_a_cancellation_and_an_exercise_are_called_so():
    """By type and status."""
    drill = build(replace(plain(), status=Status.EXERCISE, sent=Time(AT.at, -360)))

    assert "an EXERCISE" in wire.explain(drill).summary
    assert "99" == str(candidates(drill)[0][1])


def test_nothing_makes_it_raise():
    """Mutated documents and noise."""
    random = Random(3)
    for _ in range(500):
        octets = bytearray(random.choice([SCHOOL, NWS]))
        for _ in range(random.randint(1, 6)):
            octets[random.randrange(len(octets))] = random.randrange(256)
        wire.explain(bytes(octets))
        wire.explain(random.randbytes(random.randrange(60)))
