"""XML from outside: what is read, and that nothing hostile is."""

import contextlib
import os
import socket
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belltower.errors import Malformed
from belltower.xml import DEEPEST, MOST_OCTETS, parse_xml
from tests.peers.machine import slowness

LAUGHS = (
    b'<!DOCTYPE a [<!ENTITY a0 "ha">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 20))
    + b"]><a>&a19;</a>"
)
HOSTILE = {
    "a billion laughs": (LAUGHS, "document type"),
    "an outside entity": (
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "document type",
    ),
    "an outside document type": (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>', "document type"),
    "an unknown entity": (b"<a>&b;</a>", "not well formed"),
    "a document type in UTF-7": (
        b'<?xml version="1.0" encoding="UTF-7"?>+ADw-+ACE-DOCTYPE a+AD4-<a/>',
        "UTF-7",
    ),
    "a padded declaration": (b"<?xml" + b" " * 500 + b'version="1.0" encoding="UTF-7"?><a/>', "declaration"),
    "a document type in UTF-16": ("<!DOCTYPE a><a/>".encode("utf-16"), "begins with"),
    "two megabytes": (b"<a>" + b"x" * 2_000_000 + b"</a>", "at most 1048576"),
    "a deep one": (b"<a>" * 100_000 + b"</a>" * 100_000, "depth"),
    "one long name": (b"<" + b"a" * 1_000_000 + b"/>", "too long"),
    "a cut one": (b"<a><b>", "not well formed"),
    "a zero octet": (b"<a>\0</a>", "not well formed"),
    "nothing": (b"", "nothing"),
    "no XML": (b"BEGIN:VCALENDAR", "expected '<'"),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_document_is_refused_within_a_second(name):
    """No entities, no document types, no network, no size or depth without a bound."""
    octets, says = HOSTILE[name]
    begun = time.thread_time()
    with pytest.raises(Malformed, match=says):
        parse_xml(octets)
    assert time.thread_time() - begun < slowness()


@pytest.mark.parametrize(
    "octets",
    [
        b"<a>" + b"<b/>" * 250_000 + b"</a>",
        b"<a " + b" ".join(b'a%d="x"' % n for n in range(80_000)) + b"/>",
        b"<a " + b" ".join(b'xmlns:a%d="x%d" a%d:b="1"' % (n, n, n) for n in range(25_000)) + b"/>",
        b"<a>" + b"<!--x-->y" * 100_000 + b"</a>",
        b"<?a b?>" * 100_000 + b"<a/>",
        b"<a>" * DEEPEST + b"</a>" * DEEPEST,
    ],
    ids=["wide", "attributes", "namespaces", "comments", "instructions", "as deep as allowed"],
)
def test_a_wasteful_document_takes_less_than_a_second(octets):
    """Whatever fits a megabyte is read in linear time."""
    assert len(octets) <= MOST_OCTETS
    begun = time.thread_time()
    parse_xml(octets)
    assert time.thread_time() - begun < slowness()


def test_an_outside_thing_is_neither_fetched_nor_opened(tmp_path: Path):
    """No document makes the reader connect anywhere or read a file."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        secret = tmp_path / "secret"
        secret.write_text("s3cret")
        for octets in (
            b'<!DOCTYPE a SYSTEM "http://127.0.0.1:%d/a.dtd"><a/>' % port,
            b'<?xml-stylesheet href="http://127.0.0.1:%d/a.xsl"?><a/>' % port,
            b'<a xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="%s" parse="text"/></a>'
            % os.fsencode(secret),
        ):
            try:
                found = "".join(parse_xml(octets).itertext())
            except Malformed:
                found = ""
            assert "" == found
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_plain_document_is_read_without_its_comments():
    """Text is whole though a comment stood in it; instructions are gone."""
    root = parse_xml('\ufeff<?xml version="1.0" encoding="UTF-8"?><?x?><a>é<!-- c -->è<b/></a>'.encode())

    assert ("a", "éè", ["b"]) == (root.tag, root.text, [child.tag for child in root])


@given(st.binary(max_size=300) | st.text(alphabet="<>/ab!?&;[]\"'= -xml", max_size=200).map(str.encode))
@settings(max_examples=300)
def test_any_octets_are_read_or_malformed(octets):
    """Nothing but `Malformed` leaves the reader."""
    with contextlib.suppress(Malformed):
        parse_xml(octets)
