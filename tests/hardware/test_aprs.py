"""APRS messages, acknowledgements and rejections."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.errors import Malformed
from hardware.codecs import aprs
from hardware.codecs.aprs import Ack, Message, Packet, Reject

addressees = st.from_regex(r"[A-Z0-9]{1,6}(-[0-9]{1,2})?", fullmatch=True)
ids = st.from_regex(r"[A-Za-z0-9]{1,5}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=80)
packets = st.one_of(
    st.builds(Message, addressee=addressees, text=texts, id=ids | st.just("")),
    st.builds(Ack, addressee=addressees, id=ids, tail=texts),
    st.builds(Reject, addressee=addressees, id=ids, tail=texts),
)


@given(packets)
def test_what_is_encoded_is_decoded(packet: Packet) -> None:
    """Every packet that can be written comes back as it was."""
    try:
        octets = aprs.encode(packet)
    except ValueError:
        return
    assert packet == aprs.decode(octets)


@given(st.binary(max_size=100) | st.binary(max_size=60).map(lambda tail: b":SCHOOL-1 :" + tail))
def test_random_octets_are_malformed_at_worst(info: bytes) -> None:
    """Nothing but `Malformed` is raised, and it names the octet."""
    try:
        aprs.decode(info)
    except Malformed as error:
        assert "octet" in str(error)


@pytest.mark.parametrize(
    ("info", "packet"),
    [
        (b":PSAP     :PANIC 013{0001", Message(addressee="PSAP", text="PANIC 013", id="0001")),
        (b":PSAP     :PANIC 013", Message(addressee="PSAP", text="PANIC 013")),
        (b":SCHOOL-1 :ack0001", Ack(addressee="SCHOOL-1", id="0001")),
        (b":SCHOOL-1 :rej0001", Reject(addressee="SCHOOL-1", id="0001")),
        (b":SCHOOL-1 :ackA9 ~abcDEF-_", Ack(addressee="SCHOOL-1", id="A9", tail="~abcDEF-_")),
        (b":SCHOOL-1 :ack1\r\n", Ack(addressee="SCHOOL-1", id="1")),
        (b":SCHOOL-1 :acknowledged", Message(addressee="SCHOOL-1", text="acknowledged")),
        (b":SCHOOL-1 :ack12{7", Message(addressee="SCHOOL-1", text="ack12", id="7")),
        (b":PSAP     :a{b{1", Message(addressee="PSAP", text="a{b", id="1")),
        (b":PSAP     :", Message(addressee="PSAP", text="")),
        (":PSAP     :Zimmer für 3{1".encode(), Message(addressee="PSAP", text="Zimmer für 3", id="1")),
    ],
)
def test_packets_are_read_as_the_standard_says(info: bytes, packet: Packet) -> None:
    """An id makes a message; `ack` or `rej` and an id without one make a reply."""
    assert packet == aprs.decode(info)


@pytest.mark.parametrize(
    ("info", "octet"),
    [
        (b"", 0),
        (b"!4903.50N", 0),
        (b":PSAP:short", 10),
        (b":         :x", 1),
        (b":PS\xc4P     :x", 3),
        (b":PSAP     :ok\xff", 13),
        (":PSAP     :ü\x07".encode(), 13),
    ],
)
def test_a_refusal_names_the_octet(info: bytes, octet: int) -> None:
    """Whoever reads the sample finds the fault."""
    with pytest.raises(Malformed, match=f"^octet {octet}:"):
        aprs.decode(info)


@pytest.mark.parametrize(
    "packet",
    [
        Message(addressee="", text="x"),
        Message(addressee="TENCHARS-1", text="x"),
        Message(addressee="A:B", text="x"),
        Message(addressee="PSAP", text="x", id="123456"),
        Message(addressee="PSAP", text="line\nbreak"),
        Message(addressee="PSAP", text="ack12"),
        Message(addressee="PSAP", text="see {12"),
        Ack(addressee="PSAP", id=""),
        Ack(addressee="PSAP", id="1", tail="x{1"),
    ],
)
def test_what_would_be_read_otherwise_is_not_encoded(packet: Packet) -> None:
    """Our own mistakes do not reach the air."""
    with pytest.raises(ValueError, match=r".+"):
        aprs.encode(packet)
