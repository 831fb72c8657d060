"""The MQTT codec."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.codecs import mqtt
from hardware.codecs.mqtt_fields import MalformedPacket
from hardware.codecs.mqtt_packets import (
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    Publish,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    Will,
    encode,
)

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0+#"), min_size=1, max_size=30)
mids = st.integers(1, 65_535)
octets = st.binary(max_size=300)
versions = st.sampled_from([4, 5])


def wills() -> st.SearchStrategy[Will | None]:
    """Any will, or none."""
    return st.none() | st.builds(
        Will, topic=words, payload=octets, qos=st.integers(0, 2), retain=st.booleans()
    )


def connects(version: int) -> st.SearchStrategy[Packet]:
    """Any CONNECT."""
    properties = (
        st.fixed_dictionaries(
            {}, optional={0x11: st.integers(0, 2**32 - 1), 0x15: words, 0x21: mids, 0x27: mids, 0x16: octets}
        )
        if version == 5
        else st.just({})
    )
    return st.builds(
        Connect,
        version=st.just(version),
        client_id=words,
        clean=st.booleans(),
        keepalive=st.integers(0, 65_535),
        username=words,
        password=st.none() | octets,
        will=wills(),
        properties=properties,
    )


def from_client(version: int) -> st.SearchStrategy[Packet]:
    """Anything a client says after CONNECT."""
    reasons = st.sampled_from([0, 0x87]) if version == 5 else st.just(0)
    return st.one_of(
        st.builds(
            Publish,
            topic=words,
            payload=octets,
            qos=st.integers(1, 2),
            retain=st.booleans(),
            dup=st.booleans(),
            mid=mids,
        ),
        st.builds(Publish, topic=words, payload=octets, retain=st.booleans()),
        st.builds(PubAck, mid=mids, reason=reasons),
        st.builds(
            Subscribe,
            mid=mids,
            filters=st.lists(st.tuples(words, st.integers(0, 2)), min_size=1, max_size=3).map(tuple),
        ),
        st.builds(Unsubscribe, mid=mids, filters=st.lists(words, min_size=1, max_size=3).map(tuple)),
        st.just(PingReq()),
        st.builds(Disconnect, reason=reasons),
    )


def from_server(version: int) -> st.SearchStrategy[Packet]:
    """Anything a server says."""
    properties = st.just({0x21: 64, 0x12: "u1", 0x24: 1}) if version == 5 else st.just({})
    return st.one_of(
        st.builds(ConnAck, reason=st.integers(0, 255), session_present=st.booleans(), properties=properties),
        st.builds(SubAck, mid=mids, reasons=st.lists(st.integers(0, 255), min_size=1, max_size=3).map(tuple)),
        st.just(PingResp()),
        st.builds(UnsubAck, mid=mids, reasons=st.just((0,)) if version == 5 else st.just(())),
    )


@given(st.data(), versions, st.integers(1, 50))
def test_a_server_reads_what_a_client_wrote_however_it_was_cut(
    data: st.DataObject, version: int, cut: int
) -> None:
    """decode(encode(x)) == x, for streams cut into pieces of any length."""
    sent = [data.draw(connects(version)), *data.draw(st.lists(from_client(version), max_size=5))]
    stream = b"".join(encode(packet, version) for packet in sent)
    parser = mqtt.Parser()

    read = [packet for at in range(0, len(stream), cut) for packet in parser.feed(stream[at : at + cut])]

    assert sent == read


@given(st.data(), versions)
def test_a_client_reads_what_a_server_wrote(data: st.DataObject, version: int) -> None:
    """The other direction."""
    sent = data.draw(st.lists(from_server(version), max_size=5))
    stream = b"".join(encode(packet, version) for packet in sent)

    assert sent == mqtt.Parser(version=version, client=True).feed(stream)


@given(st.lists(st.binary(max_size=64), max_size=20), st.sampled_from([0, 4, 5]), st.booleans())
def test_random_bytes_raise_nothing_but_malformed(pieces: list[bytes], version: int, client: bool) -> None:
    """Whatever comes, it is packets or MalformedPacket with a section."""
    parser = mqtt.Parser(version=version, client=client)
    try:
        for piece in pieces:
            parser.feed(piece)
    except MalformedPacket as error:
        assert "§" in str(error)
        assert len(error.sample) <= 256


CONNECT = encode(Connect(version=4, client_id="u1"), 4)
CONNECT5 = encode(Connect(version=5, client_id="u1"), 5)


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (b"GET / HTTP/1.1\r\n", "§3.1: PUBACK before CONNECT"),
        (b"\x10\xff\xff\xff\xff\x01", "§2.2.3: the remaining length has more than four"),
        (b"\x10\xff\xff\x7f", "§2.2.3: 2097151 octets, 65536 allowed"),
        (b"\x11\x00", "§2.2.2: CONNECT with flags 0001"),
        (b"\x10\x06\x00\x04MQTT", "§2.1: the packet ends 1 octets too early"),
        (b"\x10\x0c\x00\x04HTTP\x04\x02\x00\x00\x00\x00", "§3.1.2.1"),
        (b"\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x00\x00\x00", "§3.1.2.2: protocol level 3"),
        (b"\x10\x0c\x00\x04MQTT\x06\x02\x00\x00\x00\x00", "§3.1.2.2: protocol level 6"),
        (b"\x10\x0c\x00\x04MQTT\x04\x03\x00\x00\x00\x00", "§3.1.2.3: CONNECT with flags 00000011"),
        (b"\x10\x0c\x00\x04MQTT\x04\x42\x00\x00\x00\x00", "§3.1.2.9: a password without"),
        (b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01\x00", "§1.5.3: U+0000"),
        (b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01\xff", "§1.5.3: not UTF-8 at octet 0"),
        (b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x00\x00", "§2.1: 1 octets too many"),
        (CONNECT + b"\x36\x06\x00\x01a\x00\x01x", "§3.3.1: PUBLISH with flags 0110"),
        (CONNECT + b"\x38\x04\x00\x01ax", "§3.3.1: PUBLISH with flags 1000"),
        (CONNECT + b"\x32\x05\x00\x01a\x00\x00", "§2.3.1: packet identifier 0"),
        (CONNECT + b"\x32\x04\x00\x01a\x00", "§3.3.2: PUBLISH without a whole topic"),
        (CONNECT + b"\x30\x01\x00", "§3.3.2: PUBLISH without a whole topic"),
        (CONNECT + b"\x30\x02\x00\x00", "§3.3.2: PUBLISH without a whole topic"),
        (CONNECT + b"\x30\x03\x00\x00x", "§4.7.3: an empty topic"),
        (CONNECT + b"\x30\x06\x00\x04up/+", "§3.3.2.1: a wildcard"),
        (CONNECT + b"\x62\x02\x00\x01", "§2.2.1: PUBREL may not be sent here"),
        (CONNECT + b"\x82\x02\x00\x01", "§2.1"),
        (CONNECT + b"\x82\x06\x00\x01\x00\x01a\x03", "§3.8.3"),
        (CONNECT5 + b"\x30\x07\x00\x01a\x03\x23\x00\x01", "§3.3.2.3.4: a topic alias"),
        (CONNECT5 + b"\x30\x0a\x00\x01a\x06\x01\x00\x01\x00\x01\x00", "property 0x01 twice"),
        (CONNECT5 + b"\x30\x06\x00\x01a\x02\x11\x00", "PUBLISH may not bear property 0x11"),
        (CONNECT5 + b"\x30\x04\x00\x01a\x7f", "§2.1"),
    ],
)
def test_a_breach_cites_the_section_of_the_standard(stream: bytes, said: str) -> None:
    """So that whoever built the device can look it up."""
    with pytest.raises(MalformedPacket) as caught:
        mqtt.Parser().feed(stream)

    assert said in str(caught.value)


def test_a_packet_too_long_is_refused_by_its_header() -> None:
    """Nothing of a 256 MB payload is gathered."""
    parser = mqtt.Parser(version=4)

    with pytest.raises(MalformedPacket) as caught:
        parser.feed(b"\x30\xff\xff\xff\x7f")

    assert caught.value.reason == 0x95


def test_what_stands_before_a_fault_is_read() -> None:
    """A press followed by rubbish is still a press."""
    parser = mqtt.Parser(version=4)
    press = Publish(topic="up/u1", payload=b"!", qos=1, mid=1)
    parser.push(encode(press, 4) + b"\xff\xff")

    assert press == parser.next()
    with pytest.raises(MalformedPacket):
        parser.next()
