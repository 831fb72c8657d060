"""The blocks of RFC 7852."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belltower.errors import Malformed
from gateway.psap import additional_data
from gateway.psap.additional_data import Card, Comment, DeviceInfo, ProviderInfo, ServiceInfo, SubscriberInfo
from tests.peers.mutation import mutated
from tests.peers.shared_data import shared

words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
texts = st.lists(words, min_size=1, max_size=3).map(" ".join)
many = st.lists(texts, min_size=1, max_size=3).map(tuple)
cards = st.builds(
    Card,
    name=texts,
    organisation=texts,
    street=texts,
    locality=texts,
    code=texts,
    telephones=many,
    emails=many,
)
blocks = st.one_of(
    st.builds(ServiceInfo, reference=texts, environment=texts, types=many, mobility=texts),
    st.builds(
        DeviceInfo,
        reference=texts,
        classification=texts,
        identifiers=st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
    ),
    st.builds(
        ProviderInfo,
        reference=texts,
        provider=texts,
        identifier=texts,
        series=texts,
        kind=texts,
        contact=texts,
        languages=many,
        card=st.none() | cards,
    ),
    st.builds(SubscriberInfo, reference=texts, card=cards, private=st.booleans()),
    st.builds(Comment, reference=texts, texts=st.tuples(st.tuples(st.sampled_from(["en", "es-MX"]), texts))),
)


@settings(deadline=None)
@given(blocks)
def test_what_is_written_is_read_back(block):
    """decode(encode(x)) == x."""
    assert block == additional_data.parse(additional_data.build(block))


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("Comment1", Comment, "This is an example of a comment."),
        ("DeviceInfo1", DeviceInfo, "Lumia 800"),
        ("ProvInfo1", ProviderInfo, "Smith Telecom Inc."),
        ("ServiceInfo1", ServiceInfo, "2468.IBOC.MLTS.1359@example.org"),
        ("SubInfo1", SubscriberInfo, "tel:+1 630 681 0001"),
    ],
)
def test_what_others_write_is_understood(name, kind, says):
    """Files of an independent implementation; what we write of them is understood the same."""
    octets = shared(f"psap/fetched/additional-data/{name}.xml").read_bytes()
    block = additional_data.parse(octets)

    assert kind is type(block)
    assert says in repr(block)
    assert block == additional_data.parse(additional_data.build(block))


def test_each_block_has_its_media_type_and_purpose():
    """RFC 7852, section 5."""
    assert "application/EmergencyCallData.DeviceInfo+xml" == additional_data.media_type(DeviceInfo)
    assert "EmergencyCallData.Comment" == additional_data.purpose(Comment)


GOOD = additional_data.build(Comment(reference="a@b", texts=(("en", "hello"),)))


@pytest.mark.parametrize(
    "octets",
    [
        b"<x/>",
        GOOD.replace(b"EmergencyCallData.Comment", b"EmergencyCallData.Other"),
        GOOD.replace(b"EmergencyCallData:Comment", b"EmergencyCallData:Other"),
        GOOD.replace(b">hello<", b"><"),
        GOOD.replace(b">a@b<", b"><"),
        b'<!DOCTYPE a [<!ENTITY x "y">]>' + GOOD,
        GOOD * 2,
    ],
)
def test_what_is_no_block_is_malformed(octets):
    """Another root, another namespace, nothing in it, a DTD."""
    with pytest.raises(Malformed):
        additional_data.parse(octets)


@pytest.mark.parametrize(
    "block",
    [
        Comment(reference="a", texts=(("en", "a\x00"),)),
        Comment(reference="a", texts=(('e"n', "a"),)),
        Comment(reference="", texts=(("en", "a"),)),
        ServiceInfo(reference="a", environment="", types=("x",), mobility="y"),
    ],
)
def test_what_would_not_be_read_back_is_not_written(block):
    """Empty elements, control characters, odd languages."""
    with pytest.raises(ValueError, match="."):
        additional_data.build(block)


def test_spoilt_blocks_are_malformed_and_nothing_else():
    """5,000 of them."""
    random = Random(7852)
    for _ in range(5_000):
        try:
            additional_data.parse(mutated(random, GOOD))
        except Malformed:
            continue
