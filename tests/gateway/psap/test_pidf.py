"""Locations as PIDF-LO: what we write is valid and read back; what is wrong or hostile is refused."""

import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from belltower.clock import Instant
from belltower.errors import Malformed
from belltower.ids import PlaceId
from floorplans.campus import Campus, Civic
from gateway.psap import markup, pidf
from gateway.psap.link import Spot
from gateway.psap.pidf import Location
from tests.peers.mutation import mutated
from tests.peers.shared_data import shared

SAMPLE = (Path(__file__).parents[2] / "golden/frames/pidf-lo-school-room.xml").read_bytes()
AT = Instant(1_795_307_554_000_000)
CAMPUS = Campus(
    id="lincoln",
    name='Lincoln "High" School & Annex',
    address=Civic(
        state="IL", county="Kane", city="Aurora", road="East New York Street", number="2106", postcode="60502"
    ),
    position=(41.772035, -88.473291),
    telephone="+16305550100",
)
SPOT = Spot(
    spoken="B 204", place=PlaceId("b204"), building="B", building_name="Building B", level="2", room="204",
    position=(41.7721, -88.4733),
)  # fmt: skip

words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
values = st.lists(words, min_size=1, max_size=3).map(" ".join)
pairs = st.tuples(
    st.floats(-90, 90).map(lambda x: round(x, 6) + 0.0), st.floats(-180, 180).map(lambda x: round(x, 6) + 0.0)
)
civics = st.dictionaries(st.sampled_from(pidf.CIVIC[1:]), values, min_size=1).map(
    lambda found: tuple((name, found[name]) for name in pidf.CIVIC if name in found)
)
instants = st.integers(1, 4_000_000_000).map(lambda second: Instant(second * 1_000_000))
locations = st.builds(
    Location,
    entity=st.just("pres:a@b.example"),
    id=st.just("d1"),
    device=st.sampled_from(["", "urn:uuid:6f0d2a54-6a8f-4d3c-8f0a-1f3a1d0c0013"]),
    civic=civics,
    point=st.none() | pairs,
    polygon=st.just(()) | st.lists(pairs, min_size=3, max_size=6).map(lambda ring: (*ring, ring[0])),
    method=st.sampled_from(["", "Manual", "802.11"]),
    retransmission=st.booleans(),
    at=instants,
    kept_until=instants,
)


def test_the_sample_says_where_the_room_is():
    """Civic address in its order, and the point."""
    (location,) = pidf.parse(SAMPLE)

    assert ("B", "204") == tuple(dict(location.civic)[name] for name in ("BLD", "ROOM"))
    assert (41.772035, -88.473291) == location.point
    assert AT == location.at


def test_a_place_becomes_a_valid_location():
    """The schema of RFC 5139 takes it, and every word of it is there."""
    location = pidf.of(SPOT, CAMPUS, domain="lincoln.example", at=AT)
    octets = pidf.build(location)

    assert (location,) == pidf.parse(octets)
    assert {
        "country": "US", "A1": "IL", "A2": "Kane", "A3": "Aurora", "RD": "East New York Street", "HNO": "2106",
        "LOC": "B 204", "FLR": "2", "NAM": 'Lincoln "High" School & Annex', "PC": "60502", "BLD": "Building B",
        "ROOM": "204", "PLC": "school",
    } == dict(location.civic)  # fmt: skip
    assert (41.7721, -88.4733) == location.point
    address = etree.fromstring(octets).find(f".//{{{pidf.CA}}}civicAddress")
    assert markup.schema(pidf.SCHEMA).validate(address)
    assert octets.count(b"\n") == octets.count(b"\r\n")


def test_whatever_a_site_package_says_there_is_a_location():
    """Control characters, an odd country, nothing at all."""
    odd = Campus(id="\x00 x/", name="\x07", address=Civic(country="usa"), position=(100.0, 0.0))

    (location,) = pidf.parse(pidf.build(pidf.of(Spot(spoken="\ud800a\x0bb"), odd, domain="a.example", at=AT)))

    assert (("LOC", "a b"), ("PLC", "school")) == location.civic
    assert location.point is None


@settings(deadline=None)
@given(locations)
def test_what_is_written_is_read_back(location):
    """decode(encode(x)) == x."""
    assert (location,) == pidf.parse(pidf.build(location))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("DeviceCircleLocation", 1),
        ("DeviceCivicLocation", 1),
        ("DevicePointLocation", 1),
        ("PersonDeviceCivicCircleLocation", 2),
        ("RFC5491TupleCivicLocation", 1),
        ("RFC5491TuplePolygonLocation", 1),
    ],
)
def test_what_others_write_is_understood(name, count):
    """Files of an independent implementation."""
    found = pidf.parse(shared(f"psap/fetched/pidf-lo/{name}.xml").read_bytes())

    assert count == len(found)
    assert list(found) == [pidf.parse(pidf.build(location))[0] for location in found]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"<ca:A1>IL</ca:A1>", b"", ""),
        (b"<ca:PC>60502</ca:PC>\r\n", b"", ""),
        (b"<ca:country>US</ca:country>", b"<ca:country>us</ca:country>", "country"),
        (b"<ca:country>US</ca:country>", b"<ca:A2>x</ca:A2><ca:country>US</ca:country>", "country"),
        (b"<ca:ROOM>204</ca:ROOM>", b"<ca:ROOM>204</ca:ROOM><ca:BLD>C</ca:BLD>", "BLD"),
        (b"<ca:PLC>", b"<ca:XYZ>1</ca:XYZ><ca:PLC>", "XYZ"),
        (b"geopriv10:civicAddr", b"geopriv10", "civicAddr"),
        (b'ns:pidf:geopriv10"', b'ns:pidf:geopriv9"', "geopriv10"),
        (b'xmlns="urn:ietf:params:xml:ns:pidf"', b'xmlns="urn:x"', "presence"),
        (b"EPSG::4326", b"EPSG::9999", "srsName"),
        (b"41.772035 -88.473291", b"41.772035", "latitude and longitude"),
        (b"41.772035 -88.473291", b"91 0", "no latitude"),
        (b"41.772035 -88.473291", b"1e1 0", "expected a number"),
        (b"2026-11-22T00:32:34Z</dm", b"yesterday</dm", "expected a time"),
        (b"2026-11-22T00:32:34Z</dm", b"2026-11-22T00:32:34</dm", "expected a time"),
        (b">yes<", b">maybe<", "expected true or false"),
        (b"gp:usage-rules", b"gp:rules", "usage-rules"),
    ],
)  # fmt: skip
def test_what_the_schema_or_a_rule_refuses_is_malformed(old, new, says):
    """Order, namespace, numbers; the text says the line. What is merely missing is no fault."""
    spoilt = SAMPLE.replace(old, new)
    if not says:
        assert pidf.parse(spoilt)
        return
    with pytest.raises(Malformed) as error:
        pidf.parse(spoilt)

    assert says in str(error.value)


@pytest.mark.parametrize(
    "location",
    [
        Location(),
        Location(civic=(("A3", "x"), ("A1", "y"))),
        Location(civic=(("A1", "x"), ("A1", "y"))),
        Location(civic=(("XYZ", "x"),)),
        Location(civic=(("A1", ""),)),
        Location(civic=(("A1", "a\x00"),)),
        Location(civic=(("country", "usa"),)),
        Location(point=(91.0, 0.0)),
        Location(point=(float("nan"), 0.0)),
        Location(point=(1.0, 2.0), radius=0.0),
        Location(polygon=((1.0, 2.0), (2.0, 3.0), (1.0, 2.0))),
        Location(point=(1.0, 2.0), method="\x00"),
    ],
)
def test_what_would_not_be_read_back_is_not_written(location):
    """`check` says why."""
    assert pidf.check(location)
    with pytest.raises(ValueError, match="."):
        pidf.build(location)


def _bomb():
    lines = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    return f'<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a0 "ha">{lines}]><presence>&a11;</presence>'.encode()


@pytest.mark.parametrize(
    "octets",
    [
        _bomb(),
        b'<!DOCTYPE p SYSTEM "http://192.0.2.1/x.dtd"><p/>',
        b'<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><p>&x;</p>',
        b"<p>&x;</p>",
        SAMPLE.replace(b"<dm:device ", b"<dm:device x='" + b"a" * 2_000_000 + b"' "),
        b"<a>" * 100_000,
        b"<a>" * 200 + b"</a>" * 200,
        b"<a " + b" ".join(b"x%d='1'" % n for n in range(60_000)) + b"/>",
        SAMPLE.decode().encode("utf-16"),
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE',
        b"",
        b"\x00",
        b"<p>\x00</p>",
    ],
)
def test_hostile_documents_are_refused_at_the_cost_of_their_length(octets):
    """Entities, DTDs, the network, two megabytes, depth, other encodings: never above what good ones of that size cost."""
    began = time.thread_time_ns()
    for _ in range(10):
        pidf.parse(SAMPLE)
    good = (time.thread_time_ns() - began) / 10
    began = time.thread_time_ns()
    with pytest.raises(Malformed):
        pidf.parse(octets)

    assert time.thread_time_ns() - began < 50 * good * (1 + len(octets) / len(SAMPLE))


def spoil(count: int) -> None:
    """Nothing but `Malformed`; what is still read can be written and is read back the same."""
    random = Random(5139)
    for _ in range(count):
        try:
            found = pidf.parse(mutated(random, SAMPLE))
        except Malformed:
            continue
        for location in found:
            assert (location,) == pidf.parse(pidf.build(location))


def test_spoilt_documents_are_malformed_and_nothing_else():
    """4,000 of them."""
    spoil(4_000)


@pytest.mark.soak
def test_many_spoilt_documents_are_malformed_and_nothing_else():
    """The same for long."""
    spoil(1_000_000)
