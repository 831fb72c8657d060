"""EIDO documents and messages in plain words."""

import json
from pathlib import Path
from random import Random

import pytest

from gateway.psap.eido import document, writing
from gateway.psap.explain import candidates, eido
from tests.gateway.psap.test_eido_documents import ISSUER, SAMPLE, a_call
from tests.peers.mutation import mutated

FILES = sorted((Path(__file__).parents[3] / "golden/eido").rglob("*.json"))
OURS = document.encode(writing.write(ISSUER, a_call()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_published_text_is_known_and_in_order(path):
    """Surely EIDO, no fault, and every line's octets are where it says."""
    octets = path.read_bytes()
    told = eido.explain(octets)

    assert ("eido", 95) == candidates(octets)[0]
    assert () == told.faults
    assert told.lines
    assert all(line.octets == octets[line.at : line.at + len(line.octets)] for line in told.lines)


def test_a_call_of_ours_is_told_as_one():
    """Its kind, its number, its incident, its words."""
    told = eido.explain(OURS)
    words = " ".join(line.says for line in told.lines)

    assert (
        "a silent panic alarm (ALRPANS): active; call 7 of the school's incident 12, key ZZ000007"
        in told.summary
    )
    assert "Do not call the room back" in words
    assert "CurrentIncident B 204, North wing, level 2" in words


def test_an_event_names_what_it_tells_of_and_an_empty_one_is_a_sign_of_life():
    """Within the conveyance."""
    event = b'{"event": {"subscriptionId": "s", "transactionId": "t", "notification": [%s]}}'

    assert "tells of incidents; a silent panic alarm" in eido.explain(event % OURS).summary
    assert "a sign of life" in eido.explain(event % b"").summary
    assert () == eido.explain(event % OURS).faults


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (SAMPLE[:-40], "octet"),
        (
            SAMPLE.replace(b'"Active"', b'"Aktive"'),
            "`$.incidentComponent.incidentStatusCommonRegistryText[0]`",
        ),
        (SAMPLE.replace(b'"1.0"', b'"1.1"'), "`$.eidoVersion`"),
        (
            SAMPLE.replace(b"0c0002", b"0c0009", 1),
            "$.incidentComponent.notesReference[0] refers to a component",
        ),
        (b'{"subscribe": {"requestType": "EIDO"}}', "missing required field `requestId`"),
        (b'{"subscribe": 5}', "expected `object`"),
        (b'{"event": {"subscriptionId": "s", "transactionId": "t", "notification": [{}]}}', "document 1:"),
        (b'{"a" 1}', "octet 1: expected a name in quotes and ':'"),
        (b"\xff{}", "octet 0"),
        (SAMPLE.replace(b"Silent", b"\xffilent"), "can't decode byte 0xff in position 2436"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(octets, fault):
    """By path or by octet."""
    told = eido.explain(octets)

    assert [each for each in told.faults if fault.lower() in each.lower()], told.faults


def test_whatever_comes_nothing_is_raised():
    """Spoilt texts, deep ones, empty ones."""
    random = Random(3)
    seeds = [path.read_bytes() for path in FILES] + [OURS]
    for octets in (b"", b"{", b"[" * 50_000, b'{"a":' * 50_000, b'{"$id": 5}', b'{"event": [[]]}', b"null"):
        eido.explain(octets)
    for _ in range(1_500):
        octets = mutated(random, random.choice(seeds))
        told = eido.explain(octets)
        assert told.faults or json.loads(octets) is not None
        assert all(line.octets == octets[line.at : line.at + len(line.octets)] for line in told.lines)
