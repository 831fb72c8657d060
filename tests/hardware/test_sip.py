"""SIP messages and bodies of several parts as octets, whole and on a stream."""

import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belltower.errors import Malformed
from hardware.codecs import multipart, sip
from hardware.codecs.multipart import Part
from hardware.codecs.sip import Blank, Decoder, Garbled, Request, Response
from tests.peers.mutation import mutated

SAMPLE = (Path(__file__).parents[1] / "golden/frames/sip-message-rfc8876.bin").read_bytes()
OPTIONS = (
    b"OPTIONS sip:psap.example SIP/2.0\r\nv: SIP/2.0/TLS a;branch=z9hG4bK1\r\nCALL-ID : 7@a\r\n"
    b"Subject: one\r\n  two\r\n\tthree\r\nl: 0\r\n\r\n"
)
OK = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS a;branch=z9hG4bK1\r\nContent-Length: 2\r\n\r\nhi"

names = st.sampled_from(["Via", "Call-ID", "CSeq", "AlertMsg-Error", "X-Belltower", "Route"])
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40).map(
    lambda text: text.strip(" \t")
)
headers = st.lists(st.tuples(names, texts), max_size=12).map(tuple)
bodies = st.binary(max_size=300)
requests = st.builds(
    Request,
    method=st.sampled_from(["MESSAGE", "OPTIONS", "INVITE", "A.B"]),
    uri=st.sampled_from(["urn:service:sos", "sip:a@b:5060;transport=tcp", "sips:[::1]"]),
    headers=headers,
    body=bodies,
)
reasons = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30)
responses = st.builds(Response, status=st.integers(100, 699), reason=reasons, headers=headers, body=bodies)
messages = requests | responses


def test_the_sample_message_is_read_whole_and_written_back():
    """RFC 8876: request line with a URN, every header, both parts with the ids that the headers name."""
    message = sip.decode(SAMPLE)

    assert isinstance(message, Request)
    assert ("MESSAGE", "urn:service:sos") == (message.method, message.uri)
    assert "1 MESSAGE" == sip.header(message, "CSeq")
    kind, parameters = sip.parameters(sip.header(message, "Content-Type"))
    assert ("multipart/mixed", {"boundary": "b1"}) == (kind, parameters)
    parts = multipart.decode(message.body, parameters["boundary"])
    assert ["application/emergencycalldata.cap+xml", "application/pidf+xml"] == [
        part.media_type for part in parts
    ]
    named = [sip.bracketed(sip.header(message, name)) for name in ("Call-Info", "Geolocation")]
    assert named == [f"cid:{part.content_id}" for part in parts]
    assert SAMPLE == sip.encode(message)
    assert message.body == multipart.encode(parts, "b1")


def test_short_names_odd_cases_and_folded_lines_are_understood():
    """As they come from other implementations."""
    message = sip.decode(OPTIONS)

    assert (
        ("Via", "SIP/2.0/TLS a;branch=z9hG4bK1"),
        ("Call-ID", "7@a"),
        ("Subject", "one two three"),
    ) == message.headers


def test_commas_part_values_but_not_inside_quotes_or_brackets():
    """RFC 3261, section 7.3.1."""
    request = Request(
        method="MESSAGE",
        uri="sip:a@b",
        headers=(("Route", '"A, B" <sip:a,b>, <sip:c;lr>'), ("Route", "sip:d"), ("Route", "")),
    )

    assert ('"A, B" <sip:a,b>', "<sip:c;lr>", "sip:d") == sip.values(request, "Route")
    assert ("a", {"x": 'y "z', "flag": ""}) == sip.parameters(r'a;X="y \"z";flag')


def test_separators_at_odd_places_part_nothing():
    """At the end, doubled, after a quote that never ends."""
    request = Request(
        method="MESSAGE", uri="sip:a@b", headers=(("Route", "<sip:a>,, ,<sip:b>,"), ("To", '"a,b'))
    )

    assert ("<sip:a>", "<sip:b>") == sip.values(request, "Route")
    assert ('"a', "b") == sip.values(request, "To")
    assert ("sip:c", "") == (sip.bracketed("sip:c;lr"), sip.header(request, "Via"))


def test_a_response_repeats_what_its_request_bore():
    """RFC 3261, section 8.2.6.2: all Via lines in order, and a tag on To."""
    request = sip.decode(SAMPLE)
    answer = dict(sip.answer_headers(request, tag="x"))

    assert "<urn:service:sos>;tag=x" == answer["To"]
    assert sip.header(request, "Via") == answer["Via"]


def test_headers_are_set_in_place_or_at_the_end():
    """The first is replaced, others of the name go."""
    old = (("Via", "1"), ("To", "2"), ("Via", "3"), ("Via", "4"))

    assert (("Via", "5"), ("To", "2"), ("Route", "6")) == sip.replaced(old, {"Via": "5", "Route": "6"})
    assert (("To", "2"),) == sip.replaced(old, {"Via": None})


@settings(deadline=None)
@given(messages)
def test_what_is_written_is_read_back(message):
    """decode(encode(x)) == x, and every line ends in CR LF."""
    octets = sip.encode(message)

    assert message == sip.decode(octets)
    head = octets[: len(octets) - len(message.body)]
    assert head.count(b"\r\n") == head.count(b"\n") == head.count(b"\r")


@settings(deadline=None)
@given(st.lists(messages, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_a_stream_gives_the_same_messages_however_it_is_cut(expected, random):
    """With blank lines between them."""
    stream = b"".join(sip.encode(message) + b"\r\n" * random.randrange(3) for message in expected)
    decoder, found = Decoder(), []
    while stream:
        size = random.choice([1, 2, 3, 50, 1000])
        found += decoder.feed(stream[:size])
        stream = stream[size:]

    assert expected == [each for each in found if not isinstance(each, Blank)]
    assert 0 == decoder.waiting


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff noise\r\nmore noise\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        b"MESSAGE sip:a SIP/2.0\r\nNo colon\r\n\r\n",
        b"MESSAGE sip:a SIP/2.0\r\nVia: a\r\n\r\n",
        b"MESSAGE sip:a SIP/2.0\r\nContent-Length: 99999999\r\n\r\n",
        b"MESSAGE sip:a SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\n",
        b"MESSAGE sip:a SIP/2.0\r\nVia: cut off in the mid\r\n",
        b"x" * 40_000 + b"\r\n",
        b"SIP/2.0 200 \xff\r\nl: 0\r\n\r\n",
    ],
)
def test_a_stream_recovers_after_garbage_whatever_the_cut(garbage):
    """The garbage is told of once or more, the next message is whole, for any size of pieces."""
    stream, told = garbage + OK + OPTIONS, None
    for size in (1, 7, 100, 100_000):
        decoder, found = Decoder(), []
        for at in range(0, len(stream), size):
            found += decoder.feed(stream[at : at + size])
        good = [each for each in found if isinstance(each, Request | Response)]

        assert [sip.decode(OK), sip.decode(OPTIONS)] == good
        assert any(isinstance(each, Garbled) for each in found)
        assert told in (None, found)
        told = found


def test_a_stream_keeps_no_more_than_it_may():
    """An endless line, and an endless hunt."""
    decoder = Decoder(max_body=1000)
    for _ in range(100):
        decoder.feed(b"a" * 10_000)

    assert decoder.waiting <= sip.MAX_HEAD


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"", "no empty line"),
        (SAMPLE[:-1], "Content-Length says 3347, the body at octet 500 has 3346"),
        (SAMPLE.replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1), "octet 0: expected 'METHOD URI SIP/2.0'"),
        (SAMPLE.replace(b"Priority: ", b"Priority; ", 1), "octet 410: expected a header's name"),
        (SAMPLE.replace(b"70", b"7\x00", 1), "octet 106: the control character '\\x00'"),
        (SAMPLE.replace(b"70\r\n", b"70\n", 1), "the control character '\\n'"),
        (SAMPLE.replace(b"emergency", b"emergenc\xff", 1), "the headers are not UTF-8"),
        (SAMPLE.replace(b": 3347", b": x", 1), "is no length"),
        (b"OPTIONS sip:a SIP/2.0" + b"\r\nVia: a" * 200 + b"\r\n\r\n", "200 headers, at most 128"),
        (b"OPTIONS sip:a SIP/2.0\r\n\r\n" + bytes(300_000), "the body has 300000 octets"),
    ],
)
def test_a_bad_message_is_said_to_be_bad_where_it_is(octets, says):
    """The error names the octet."""
    with pytest.raises(Malformed) as error:
        sip.decode(octets)

    assert says in str(error.value)


@pytest.mark.parametrize(
    "message",
    [
        Request(method="MES SAGE", uri="sip:a", headers=()),
        Request(method="MESSAGE", uri="sip:a\r\nVia: x", headers=()),
        Request(method="MESSAGE", uri="sip:a", headers=(("Via", "a\r\nTo: b"),)),
        Request(method="MESSAGE", uri="sip:a", headers=(("via", "a"),)),
        Request(method="MESSAGE", uri="sip:a", headers=(("Via", " a"),)),
        Request(method="MESSAGE", uri="sip:a", headers=(("Content-Length", "5"),)),
        Request(method="MESSAGE", uri="sip:a", headers=(), body=bytes(sip.MAX_BODY + 1)),
        Request(method="MESSAGE", uri="sip:a", headers=(("Via", "a" * sip.MAX_HEAD),)),
        Request(method="MESSAGE", uri="sip:a", headers=(("Via", "a"),) * 128),
        Response(status=99, reason="", headers=()),
    ],
)
def test_what_would_not_be_read_back_is_not_written(message):
    """No header can be smuggled in, no length be false."""
    with pytest.raises(ValueError, match="."):
        sip.encode(message)


@settings(deadline=None)
@given(st.lists(st.builds(Part, headers=headers, body=bodies), min_size=1, max_size=5).map(tuple))
def test_parts_are_read_back(parts):
    """Whatever octets they hold."""
    assert parts == multipart.decode(multipart.encode(parts, "a-boundary"), "a-boundary")


def test_what_stands_around_the_parts_is_not_looked_at():
    """Preamble, epilogue and blanks after a boundary."""
    body = b"before\r\n--b \t\r\nA: 1\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\nafter"

    assert (Part(headers=(("A", "1"),), body=b"one"), Part(headers=(), body=b"two")) == multipart.decode(
        body, "b"
    )


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no line begins with the boundary"),
        (b"--b--\r\n", "there is no part"),
        (b"--b\r\nA: 1\r\n\r\none", "is not closed"),
        (b"--bx\r\n\r\none\r\n--b--", "octet 3: expected CR LF"),
        (b"--b\r\nA: 1\r\n--b--", "no empty line"),
        (b"--b\r\nA\r\n\r\none\r\n--b--", "octet 5: expected a header"),
        (b"--b\r\n\xff: 1\r\n\r\none\r\n--b--", "not UTF-8"),
        (b"--b\r\n\r\n\r\n" * 40 + b"--b--", "more than 32"),
    ],
)
def test_a_bad_body_is_said_to_be_bad_where_it_is(body, says):
    """The error names the octet."""
    with pytest.raises(Malformed) as error:
        multipart.decode(body, "b")

    assert says in str(error.value)


def test_a_boundary_that_stands_in_a_part_is_refused():
    """Nor one that is none."""
    for boundary, body in (("b", b"--b"), ("", b""), ("x" * 71, b""), ("b ", b"")):
        with pytest.raises(ValueError, match="boundary"):
            multipart.encode((Part(headers=(), body=body),), boundary)
    with pytest.raises(Malformed):
        multipart.decode(b"", "b\r\n")


def spoil(count: int) -> None:
    """Nothing but `Malformed`; what is still read is written and read back the same; a stream never stalls."""
    random = Random(8876)
    decoder = Decoder()
    frames = [SAMPLE, OPTIONS, OK]
    for _ in range(count):
        octets = mutated(random, random.choice(frames))
        try:
            message = sip.decode(octets)
            assert message == sip.decode(sip.encode(message))
            boundary = sip.parameters(sip.header(message, "Content-Type"))[1].get("boundary", "")
            multipart.decode(message.body, boundary)
        except Malformed:
            pass
        decoder.feed(octets)
        assert decoder.waiting <= sip.MAX_HEAD + sip.MAX_BODY
    if not any(isinstance(each, Response) for each in decoder.feed(bytes(sip.MAX_BODY) + b"\r\n" + OK)):
        assert [sip.decode(OK)] == decoder.feed(OK)


def test_spoilt_messages_are_malformed_and_nothing_else():
    """20,000 of them."""
    spoil(20_000)


@pytest.mark.soak
def test_a_million_spoilt_messages_are_malformed_and_nothing_else():
    """The same for long."""
    spoil(1_000_000)


def cost(value):
    """Nanoseconds of computing for which a header with this value is read."""

    def once():
        began = time.thread_time_ns()
        each = sip.Response(status=200, reason="", headers=sip.read_headers(f"Via: {value}"))
        sip.parameters(sip.header(each, "Via"))
        sip.values(each, "Via")
        sip.bracketed(sip.header(each, "Via"))
        return time.thread_time_ns() - began

    return min(once() for _ in range(3))


@pytest.mark.parametrize("piece", ['"\\"', '\\"', "<", '<"', "a;", ",", "  "])
def test_a_hostile_header_costs_no_more_than_its_length(piece):
    """Sixteen times the length costs about sixteen times as much, not two hundred and fifty-six times."""
    short, long = (cost(f'\r\n ;,"{piece * count}x') for count in (1_000, 16_000))

    assert long < 80 * max(short, 50_000)
