"""Atom indexes of alerts: the weather service's is read, ours is read back."""

import contextlib
from pathlib import Path
from random import Random

import pytest

from belltower.clock import SECOND, Instant
from belltower.errors import Malformed
from gateway.psap.cap import Named
from gateway.psap.cap.atom import is_index, read_index, write_index
from tests.gateway.psap.cap_shapes import AT, LATER, plain, plain_info

NWS = (Path(__file__).parents[2] / "golden" / "cap" / "nws_atom_feed_trimmed.xml").read_bytes()


def test_the_index_of_the_weather_service_is_read():
    """CAP 1.1 elements, several codes in one geocode."""
    index = read_index(NWS)
    wind, surf = index.entries

    assert is_index(NWS)
    assert ("High Wind Warning", "Actual", "Alert") == (wind.event, wind.status, wind.type)
    assert ("Expected", "Severe", "Likely") == (wind.urgency, wind.severity, wind.certainty)
    assert (Named("FIPS6", "002185"), Named("UGC", "AKZ204")) == wind.geocodes
    assert "Western Arctic Coast" == surf.area
    assert Instant(1_534_431_600 * SECOND) == wind.expires
    assert "w-nws.webmaster@noaa.gov" == wind.author
    assert wind.link == wind.id


def test_our_index_is_read_back():
    """What an entry says is what its alert says; markup in texts stays text."""
    alert = plain(infos=(plain_info(headline='Doors <locked> & "shut"', effective=AT, expires=LATER),))
    address = "https://school.example/feeds/cap/LHS-1.xml"
    octets = write_index(
        ((address, alert),),
        id_="https://school.example/feeds/cap.atom",
        title="School",
        author="x",
        updated=AT,
    )
    (entry,) = read_index(octets).entries

    assert 'Doors <locked> & "shut"' == entry.title
    assert (address, address, AT.at, LATER.at) == (entry.id, entry.link, entry.updated, entry.expires)
    assert ("desk@lhs.example", "Panic alarm", "Actual") == (entry.author, entry.event, entry.status)
    assert b"<updated>2026-11-22T00:32:34Z</updated>" in octets


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"<feed/>", "the document is a 'feed'"),
        (NWS[:1000], "not well formed"),
        (b"<!DOCTYPE feed><feed/>", "a document type"),
    ],
)
def test_what_is_no_index_is_malformed(octets, says):
    """The message says what is wrong."""
    with pytest.raises(Malformed, match=says):
        read_index(octets)


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (NWS.replace(b"<entry>", b"<entry/><entry>", 1), "entry: id is missing"),
        (
            NWS.replace(b"<entry>", b"<entry><id>x</id><updated>tomorrow</updated></entry><entry>", 1),
            "'tomorrow'",
        ),
    ],
)
def test_an_entry_that_cannot_be_read_hides_no_other(octets, says):
    """It is passed over, and why is said."""
    index = read_index(octets)

    assert 2 == len(index.entries)
    assert says in index.faults[0]


def spoil(rounds: int, seed: int) -> int:
    """Read spoilt indexes; how many were read all the same. Anything but `Malformed` escapes."""
    random = Random(seed)
    read = 0
    for _ in range(rounds):
        octets = bytearray(NWS)
        for _ in range(random.randint(1, 5)):
            at = random.randrange(len(octets))
            if random.random() < 0.5:
                octets[at] = random.randrange(256)
            else:
                del octets[at : at + random.randint(1, 60)]
        with contextlib.suppress(Malformed):
            index = read_index(bytes(octets))
            read += 1
            assert all(entry.id for entry in index.entries)
    return read


def test_spoilt_indexes_are_read_or_malformed():
    """Nothing but `Malformed` leaves the reader."""
    assert 0 < spoil(3_000, seed=1) < 3_000


@pytest.mark.soak
def test_many_spoilt_indexes_are_read_or_malformed():
    """The same for long."""
    assert 0 < spoil(100_000, seed=2) < 100_000
