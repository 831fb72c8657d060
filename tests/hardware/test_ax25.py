"""AX.25 UI frames, octet for octet."""

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.errors import Malformed
from hardware.codecs import aprs, ax25, kiss
from hardware.codecs.ax25 import Address, UIFrame

VECTORS = {
    vector["name"]: vector
    for vector in json.loads((Path(__file__).parents[1] / "golden/frames/ax25_kiss.json").read_text())[
        "frames"
    ]
}
SCHOOL = Address(callsign="SCHOOL", ssid=1)
PSAP = Address(callsign="PSAP")
APZSDS = Address(callsign="APZSDS")

addresses = st.builds(
    Address, callsign=st.text("ABCXYZ0189", min_size=1, max_size=6), ssid=st.integers(0, 15)
)


@st.composite
def ui_frames(draw: st.DrawFn) -> UIFrame:
    via = tuple(draw(st.lists(addresses, max_size=8)))
    return UIFrame(
        destination=draw(addresses),
        source=draw(addresses),
        via=via,
        repeated=draw(st.integers(0, len(via))),
        info=draw(st.binary(max_size=256)),
    )


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        (
            "UI SCHOOL-1 to PSAP",
            UIFrame(destination=PSAP, source=SCHOOL, info=b"{PA|013|RM204|SEQ0001"),
        ),
        (
            "APRS message to PSAP number 0001",
            UIFrame(
                destination=APZSDS,
                source=SCHOOL,
                info=aprs.encode(aprs.Message(addressee="PSAP", text="PANIC 013 BLD B RM204", id="0001")),
            ),
        ),
        (
            "APRS ack 0001 from PSAP to SCHOOL-1",
            UIFrame(
                destination=APZSDS,
                source=PSAP,
                info=aprs.encode(aprs.Ack(addressee="SCHOOL-1", id="0001")),
            ),
        ),
    ],
)
def test_the_recorded_frames_both_ways(name: str, frame: UIFrame) -> None:
    """Frames that an independent modem took are written and read exactly."""
    octets = bytes.fromhex(VECTORS[name]["kiss_hex"])

    assert octets == kiss.encode(ax25.encode(frame))
    [inside] = kiss.Decoder().feed(octets)
    assert frame == ax25.decode(inside.data)
    if "ax25_hex" in VECTORS[name]:
        assert VECTORS[name]["ax25_hex"] == inside.data.hex()


@given(ui_frames())
def test_what_is_encoded_is_decoded(frame: UIFrame) -> None:
    """Every path and every payload comes back."""
    assert frame == ax25.decode(ax25.encode(frame))


@given(st.binary(max_size=400))
def test_random_octets_are_malformed_at_worst(data: bytes) -> None:
    """Nothing but `Malformed` is raised."""
    try:
        ax25.decode(data)
    except Malformed as error:
        assert "octet" in str(error)


def test_a_hundred_thousand_mutated_frames_are_malformed_at_worst() -> None:
    """A frame with a few wrong octets decodes or is refused."""
    random = Random(3)
    good = ax25.encode(UIFrame(destination=PSAP, source=SCHOOL, via=(APZSDS,), info=b"text"))
    refused = 0
    for _ in range(100_000):
        bad = bytearray(good)
        for _ in range(random.randint(1, 3)):
            bad[random.randrange(len(bad))] = random.getrandbits(8)
        try:
            ax25.decode(bytes(bad[: random.randint(0, len(bad))]))
        except Malformed:
            refused += 1

    assert refused > 10_000


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        ("", "octet 0: ends inside an address"),
        ("a0a682a04040e1" + "03f0", "octet 6: the source address is missing"),
        ("a0a682a04040e0" + "a686909e9e986303", "octet 15: ends before control and protocol"),
        ("a0a682a04040e0" + "a686909e9e98633ff0", "octet 14: control 3f, expected 03 (UI)"),
        ("a0a682a04040e0" + "a686909e9e986303cf", "octet 15: protocol cf, expected f0 (none)"),
        ("a0a682a04040e0" + "a686909e9f986303f0", "octet 11: 9f is no shifted capital or digit"),
        ("a0a640a04040e0" + "a686909e9e986303f0", "octet 0: call sign 'PS P' is empty or holds a space"),
        ("a0a682a04040e0" * 11, "octet 69: more than 8 digipeaters"),
        (
            "a0a682a04040e0" + "a686909e9e986303f0" + 257 * "00",
            "octet 272: information longer than 256 octets",
        ),
    ],
)
def test_a_refusal_names_the_octet(octets: str, message: str) -> None:
    """Whoever reads the sample finds the fault."""
    with pytest.raises(Malformed) as refusal:
        ax25.decode(bytes.fromhex(octets))
    assert message == str(refusal.value)


def test_the_poll_bit_does_not_matter() -> None:
    """Some modems set it in UI frames."""
    octets = bytearray(ax25.encode(UIFrame(destination=PSAP, source=SCHOOL, info=b"x")))
    octets[14] |= 0x10

    assert ax25.decode(bytes(octets)).info == b"x"


@pytest.mark.parametrize("text", ["SCHOOL", "SCHOOL-1", "A", "K9ABC-15"])
def test_an_address_is_written_as_it_is_read(text: str) -> None:
    """Settings and logs use the same form."""
    assert text == str(Address.parse(text))


@pytest.mark.parametrize("text", ["", "school", "TOOLONGX", "A-16", "A-", "A B", "Ä", "A-1-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """A wrong call sign in the settings is found at start."""
    with pytest.raises(Malformed):
        Address.parse(text)


@pytest.mark.parametrize(
    "frame",
    [
        UIFrame(destination=PSAP, source=SCHOOL, info=bytes(257)),
        UIFrame(destination=PSAP, source=SCHOOL, info=b"", via=(APZSDS,) * 9),
        UIFrame(destination=PSAP, source=SCHOOL, info=b"", via=(APZSDS,), repeated=2),
        UIFrame(destination=Address(callsign="psap"), source=SCHOOL, info=b""),
        UIFrame(destination=Address(callsign="PSAP", ssid=16), source=SCHOOL, info=b""),
    ],
)
def test_what_the_format_cannot_carry_is_not_encoded(frame: UIFrame) -> None:
    """Our own mistakes do not reach the air."""
    with pytest.raises(ValueError, match=r"\d"):
        ax25.encode(frame)
