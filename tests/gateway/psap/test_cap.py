"""CAP 1.2: what is built is what the schema and the standard ask for, and what is read is what was built."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from belltower.clock import SECOND, Instant
from belltower.errors import Malformed
from gateway.psap.cap import (
    Area,
    Circle,
    MessageType,
    Named,
    Reference,
    Resource,
    Scope,
    Status,
    Time,
    build,
    check,
    moment,
    parse,
)
from tests.gateway.psap.cap_shapes import AT, LATER, Shapes, plain, plain_area, plain_info

GOLDEN = Path(__file__).parents[2] / "golden" / "cap"
SCHEMA = etree.XMLSchema(etree.parse(GOLDEN / "CAP-v1.2.xsd"))
SQUARE = ((1.0, 1.0), (1.0, 2.0), (2.0, 2.0), (1.0, 1.0))
BEFORE = Reference(sender="desk@lhs.example", identifier="LHS-0", sent=AT)

NOT_ENOUGH = {
    "identifier: ' ' in it": (plain(identifier="LHS 1"), "identifier: 'LHS 1' holds a space"),
    "identifier: ',' in it": (plain(identifier="LHS,1"), "identifier: 'LHS,1' holds a space, comma"),
    "identifier: '<' in it": (plain(identifier="LHS<1"), "identifier: 'LHS<1' holds"),
    "identifier: '&' in it": (plain(identifier="LHS&1"), "identifier: 'LHS&1' holds"),
    "identifier: empty": (plain(identifier=""), "identifier: is empty"),
    "sender: empty": (plain(sender=""), "sender: is empty"),
    "sender: ',' in it": (plain(sender="a,b"), "sender: 'a,b' holds"),
    "sent: a fraction": (plain(sent=Time(Instant(AT.at + 1))), "sent: has a fraction of a second"),
    "sent: no such offset": (plain(sent=Time(AT.at, 841)), "sent: is 841 minutes from UTC"),
    "sent: before 1970": (plain(sent=Time(Instant(-SECOND))), "sent: lies outside 1970"),
    "restriction: missing": (
        plain(scope=Scope.RESTRICTED),
        "restriction: missing though scope is Restricted",
    ),
    "restriction: contradicted": (plain(restriction="staff"), "restriction: given though scope is Public"),
    "addresses: missing": (plain(scope=Scope.PRIVATE), "addresses: missing though scope is Private"),
    "addresses: unquotable": (
        plain(addresses=('a"b',)),
        "addresses: 'a\"b' is empty or holds a quotation mark",
    ),
    "incidents: empty": (plain(incidents=("",)), "incidents: '' is empty"),
    "code: empty": (plain(codes=(" ",)), "code: is empty"),
    "info: missing": (plain(infos=()), "info: missing though msgType is Alert"),
    "references: unwritable": (
        plain(references=(Reference(sender="a b", identifier="c", sent=AT),)),
        "references: 'a b' holds a space",
    ),
    "area: missing": (plain(infos=(plain_info(areas=()),)), "area: missing; say where"),
    "areaDesc: empty": (
        plain(infos=(plain_info(areas=(plain_area(description=""),)),)),
        "areaDesc: is empty",
    ),
    "category: missing": (plain(infos=(plain_info(categories=()),)), "category: missing"),
    "event: empty": (plain(infos=(plain_info(event=" "),)), "event: is empty"),
    "language: none": (
        plain(infos=(plain_info(language="English!"),)),
        "language: 'English!' is no language code",
    ),
    "expires: before effective": (
        plain(infos=(plain_info(effective=LATER, expires=AT),)),
        "expires: lies before effective",
    ),
    "web: no URI": (plain(infos=(plain_info(web="www.school"),)), "web: 'www.school' is no absolute URI"),
    "eventCode: nameless": (
        plain(infos=(plain_info(event_codes=(Named("", "X"),)),)),
        "eventCode: an empty valueName",
    ),
    "headline: a character": (plain(infos=(plain_info(headline="a\x0bb"),)), "headline: character U+000B"),
    "mimeType: missing": (
        plain(infos=(plain_info(resources=(Resource(description="plan"),)),)),
        "mimeType: is empty",
    ),
    "size: negative": (
        plain(infos=(plain_info(resources=(Resource(description="plan", mime_type="image/png", size=-1),)),)),
        "size: -1 is below 0",
    ),
    "digest: no SHA-1": (
        plain(
            infos=(plain_info(resources=(Resource(description="plan", mime_type="image/png", digest="12"),)),)
        ),
        "digest: is not 40 hex digits",
    ),
}
AREAS_NOT_ENOUGH = {
    "polygon: open": (Area(description="a", polygons=((*SQUARE[:3], (2.0, 1.0)),)), "polygon: is not closed"),
    "polygon: a line": (
        Area(description="a", polygons=(SQUARE[:2],)),
        "polygon: has 2 points; give at least 4",
    ),
    "polygon: turned round": (
        Area(description="a", polygons=(tuple((lat, lon + 179.5) for lat, lon in SQUARE),)),
        "polygon: longitude 181.5",
    ),
    "polygon: no number": (
        Area(description="a", polygons=((*SQUARE[:3], (float("nan"), 1.0)),)),
        "polygon: latitude nan",
    ),
    "circle: off the earth": (
        Area(description="a", circles=(Circle((91.0, 0.0), 1.0),)),
        "circle: latitude 91.0",
    ),
    "circle: inside out": (
        Area(description="a", circles=(Circle((0.0, 0.0), -1.0),)),
        "circle: a radius of -1.0 km",
    ),
    "circle: endless": (Area(description="a", circles=(Circle((0.0, 0.0), float("inf")),)), "radius of inf"),
    "geocode: nameless": (
        Area(description="a", geocodes=(Named(" ", "006109"),)),
        "geocode: an empty valueName",
    ),
    "altitude: no number": (Area(description="a", altitude=float("nan")), "altitude: nan is no height"),
    "ceiling: alone": (Area(description="a", ceiling=9.0), "ceiling: given without altitude"),
    "ceiling: below": (Area(description="a", altitude=9.0, ceiling=8.0), "ceiling: lies below altitude"),
}
ALL_NOT_ENOUGH = NOT_ENOUGH | {
    name: (plain(infos=(plain_info(areas=(area,)),)), says) for name, (area, says) in AREAS_NOT_ENOUGH.items()
}


@pytest.mark.parametrize("name", sorted(ALL_NOT_ENOUGH))
def test_what_a_schema_lets_pass_is_found_and_not_built(name):
    """Every rule beyond the schema is checked, named with its mend, and an alert that breaks it is not built."""
    alert, says = ALL_NOT_ENOUGH[name]

    faults = check(alert)
    assert any(says in fault for fault in faults), faults
    with pytest.raises(ValueError, match="; "):
        build(alert)


@pytest.mark.parametrize("kind", [kind for kind in MessageType if kind is not MessageType.ALERT])
def test_a_message_about_others_names_them(kind):
    """Update, Cancel, Ack and Error without references are refused, with them they are built."""
    assert (f"references: missing though msgType is {kind}; name the messages it is about",) == check(
        plain(type=kind)
    )
    assert () == check(plain(type=kind, references=(BEFORE,)))


@pytest.mark.parametrize("kind", [MessageType.CANCEL, MessageType.ACK, MessageType.ERROR])
def test_an_answer_needs_no_info(kind):
    """What cancels or answers may say nothing more."""
    bare = plain(type=kind, references=(BEFORE,), infos=())

    SCHEMA.assertValid(etree.fromstring(build(bare)))
    assert bare == parse(build(bare))


@given(st.integers(0, 2**64))
@settings(max_examples=150, deadline=None)
def test_what_is_built_passes_the_schema_and_reads_back_the_same(seed):
    """`parse(build(alert)) == alert`, and the schema of OASIS finds no fault with any of it."""
    alert = Shapes(Random(seed)).alert()
    assert () == check(alert)
    octets = build(alert)

    SCHEMA.assertValid(etree.fromstring(octets))
    assert alert == parse(octets)
    assert octets == build(parse(octets))


@pytest.mark.parametrize(
    "name", ["CapExample1.xml", "CapExample2.xml", "CapExample3.xml", "cap_amber_alert_example.xml"]
)
def test_the_examples_of_the_standard_are_read_and_built_again(name):
    """OASIS's own examples: all are read; what the first leaves out is said."""
    alert = parse((GOLDEN / name).read_bytes())

    missing = ("mimeType: is empty; say it in words",) if name == "CapExample1.xml" else ()
    assert missing == check(alert)
    if not missing:
        assert alert == parse(build(alert))


def test_the_first_example_of_the_weather_service_says_what_it_says():
    """Times with their offset, polygon, codes."""
    alert = parse((GOLDEN / "CapExample2.xml").read_bytes())
    info = alert.infos[0]

    assert Time(Instant(1_055_887_020 * SECOND), -7 * 60) == alert.sent
    assert Time(Instant(1_055_890_800 * SECOND), -7 * 60) == info.expires
    assert (Named("SAME", "SVR"),) == info.event_codes
    assert ["006109", "006009", "006003"] == [code.value for code in info.areas[0].geocodes]
    assert (38.47, -120.14) == info.areas[0].polygons[0][0] == info.areas[0].polygons[0][-1]


def test_our_own_example_is_read():
    """The school's silent panic alarm of the field notes."""
    alert = parse((GOLDEN / "cap-school-panic.xml").read_bytes())

    assert (Status.TEST, Scope.PRIVATE, ("sip:psap@psap.example.gov",)) == (
        alert.status,
        alert.scope,
        alert.addresses,
    )
    assert () == check(alert)
    assert (Circle((41.772035, -88.473291), 0.02),) == alert.infos[0].areas[0].circles


def test_the_older_version_is_read():
    """CAP 1.1, as weather services still send it."""
    octets = build(plain()).replace(b"cap:1.2", b"cap:1.1")

    assert plain() == parse(octets)


@pytest.mark.parametrize(
    ("at", "offset", "text"),
    [
        (1_795_307_554, 0, "2026-11-22T00:32:34-00:00"),
        (1_795_307_554, -360, "2026-11-21T18:32:34-06:00"),
        (1_795_307_554, 345, "2026-11-22T06:17:34+05:45"),
        (0, 0, "1970-01-01T00:00:00-00:00"),
        (951_782_400, 0, "2000-02-29T00:00:00-00:00"),
    ],
)
def test_times_are_written_as_cap_wants_them(at, offset, text):
    """Seconds, an offset with its colon, UTC as -00:00: CAP 1.2, 3.2.1 sent."""
    time = Time(Instant(at * SECOND), offset)

    assert f"<sent>{text}</sent>".encode() in build(plain(sent=time))
    assert time == moment(Instant(at * SECOND + 999_999), offset)
    assert time == parse(build(plain(sent=time))).sent


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T00:32:34Z",
        "2026-11-22T00:32:34.5-00:00",
        "2026-11-22T00:32:34",
        "2026-11-22T00:32-00:00",
        "2026-02-30T00:32:34-00:00",
        "2026-11-22T24:32:34-00:00",
        "2026-11-22T00:32:34+15:00",
        "2026-11-22T00:32:34,00:00",
        "0001-01-01T00:00:00+14:00",
        "٢٠٢٦-11-22T00:32:34-00:00",
        "yesterday",
        "",
    ],
)
def test_a_time_written_otherwise_is_malformed(text):
    """`Z`, fractions and days that do not exist are refused, naming the element."""
    octets = build(plain()).replace(b"2026-11-22T00:32:34-00:00", text.encode(), 1)

    with pytest.raises(Malformed, match="CAP: sent: "):
        parse(octets)


@pytest.mark.parametrize(
    "text", ["2026-11-22T00:32:34Z", "2026-11-22T00:32:34.25-00:00", "2026-11-22 00:32:34z"]
)
def test_a_lenient_reader_takes_the_times_of_others(text):
    """RFC 3339 times of feeds that do not follow CAP to the letter."""
    octets = build(plain()).replace(b"2026-11-22T00:32:34-00:00", text.encode(), 1)

    assert AT == parse(octets, lenient=True).sent


def bent(old, new):
    """The plain document with one thing changed."""
    octets = build(
        plain(
            infos=(plain_info(areas=(plain_area(polygons=(SQUARE,), circles=(Circle((1.0, 2.0), 3.0),)),)),)
        )
    )
    assert old in octets
    return octets.replace(old, new, 1)


MALFORMED = {
    "no alert": (bent(b"cap:1.2", b"cap:1.0"), "the document is a"),
    "another root": (b"<alert/>", "the document is a 'alert'"),
    "nothing in it": (
        b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"/>',
        "alert: identifier is missing",
    ),
    "no sender": (bent(b"<sender>desk@lhs.example</sender>", b""), "alert: sender is missing"),
    "no category": (bent(b"<category>Security</category>", b""), "info: category is missing"),
    "no areaDesc": (bent(b"<areaDesc>Lincoln High School</areaDesc>", b""), "area: areaDesc is missing"),
    "status in small letters": (
        bent(b">Actual<", b">actual<"),
        "status: 'actual' is not known; one of: Actual, ",
    ),
    "turned round": (
        bent(
            b"<category>Security</category><event>Panic alarm</event>",
            b"<event>a</event><category>Security</category>",
        ),
        "info: category stands too late",
    ),
    "twice": (bent(b"<event>", b"<event>a</event><event>"), "info: event stands there twice"),
    "unknown": (bent(b"<event>", b"<colour>red</colour><event>"), "colour' does not belong here"),
    "elements in text": (bent(b"Panic alarm", b"Panic <b/>alarm"), "event: holds elements"),
    "polygon of words": (bent(b"1.0,1.0 1.0,2.0", b"here there"), "polygon: 'here' is not of the form"),
    "polygon empty": (bent(b"1.0,1.0 1.0,2.0 2.0,2.0 1.0,1.0", b" "), "polygon: it is empty"),
    "circle without radius": (bent(b"1.0,2.0 3.0", b"1.0,2.0"), "circle: '1.0,2.0' is not of the form"),
    "exponent": (bent(b"1.0,2.0 3.0", b"1e0,2.0 3.0"), "circle: '1e0' is no decimal number"),
    "infinite": (bent(b"1.0,2.0 3.0", b"inf,2.0 3.0"), "circle: 'inf' is no decimal number"),
    "references cut": (
        bent(b"<info>", b"<references>a,b</references><info>"),
        "references: 'a,b' is not of the form",
    ),
    "a lone quotation mark": (
        bent(b"<info>", b'<incidents>"a b</incidents><info>'),
        "incidents: a quotation mark",
    ),
    "no XML": (b"PANIC", "XML: begins with"),
}


@pytest.mark.parametrize("name", sorted(MALFORMED))
def test_what_is_no_cap_document_is_malformed(name):
    """The message says which element and what is wrong with it."""
    octets, says = MALFORMED[name]

    with pytest.raises(Malformed, match=says):
        parse(octets)


def test_a_signature_is_passed_over():
    """A signed alert is read; the signature proves nothing here."""
    signature = b'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/></Signature></alert>'

    assert plain() == parse(build(plain()).replace(b"</alert>", signature))


def test_a_lenient_reader_passes_over_what_it_does_not_know():
    """Order, unknown elements and empty polygons of others do no harm."""
    for octets in (MALFORMED["turned round"][0], MALFORMED["unknown"][0], MALFORMED["polygon empty"][0]):
        assert "LHS-1" == parse(octets, lenient=True).identifier


SEEDS = [(GOLDEN / name).read_bytes() for name in ("cap-school-panic.xml", "CapExample2.xml")] + [
    MALFORMED["infinite"][0]
]
PIECES = [
    b"<",
    b">",
    b"</info>",
    b"<info>",
    b"&#0;",
    b"\x00",
    b"<area>",
    b"1e999",
    b"<!DOCTYPE a>",
    b"\xff",
    b"]]>",
    b"-",
]


def mutate(rounds, seed):
    """Read mutated documents; anything but a record or `Malformed` escapes. How many were read all the same."""
    random = Random(seed)
    read = 0
    for _ in range(rounds):
        octets = bytearray(random.choice(SEEDS))
        for _ in range(random.randint(1, 4)):
            at = random.randrange(len(octets))
            match random.randrange(4):
                case 0:
                    octets[at] = random.randrange(256)
                case 1:
                    del octets[at : at + random.randint(1, 40)]
                case 2:
                    octets[at:at] = random.choice(PIECES)
                case _:
                    octets[at:at] = octets[
                        (start := random.randrange(len(octets))) : start + random.randint(1, 60)
                    ]
        try:
            alert = parse(bytes(octets), lenient=random.random() < 0.3)
        except Malformed:
            continue
        read += 1
        if not check(alert):
            assert alert == parse(build(alert))
    return read


def test_mutated_documents_are_read_or_malformed():
    """Nothing but `Malformed` leaves the reader; what is read and in order is built and read again the same."""
    assert 0 < mutate(10_000, seed=1) < 10_000


@pytest.mark.soak
def test_a_million_mutated_documents_are_read_or_malformed():
    """The same, for long."""
    assert 0 < mutate(1_000_000, seed=2) < 1_000_000
