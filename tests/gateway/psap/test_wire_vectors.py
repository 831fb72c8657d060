"""Every worked frame of wire-vectors.json: read, written again to the octet, explained, and told apart when damaged."""

import json
from pathlib import Path

import pytest

from belltower.errors import Malformed
from gateway.cli.frames import Piece, explained, pieces
from hardware.codecs import (
    aprs,
    at,
    ax25,
    dc09,
    dc09_crypto,
    fleetsync,
    kiss,
    meshtastic,
    polycom_page,
    sms_pdu,
    tetra_pei,
)

FILE = Path(__file__).parents[2] / "golden" / "frames" / "wire-vectors.json"
TOLD = json.loads(FILE.read_text(encoding="utf-8"))
SECTIONS = {name: section["frames"] for name, section in TOLD.items() if isinstance(section, dict)}


def wires(vector):
    """The frames of one vector, by field."""
    for field, value in vector.items():
        if field in ("frame", "host", "radio"):
            yield field, value.encode("latin-1")
        elif field == "pdu" or field.endswith("hex"):
            yield field, bytes.fromhex(value)


def case(section, vector, field, octets):
    return pytest.param(section, vector, field, octets, id=f"{section} {vector['name']} {field}")


VECTORS = [
    case(section, vector, field, octets)
    for section, vectors in SECTIONS.items()
    for vector in vectors
    for field, octets in wires(vector)
]


# ---- reading and writing again


def dc09_again(vector, field, octets):
    """With the pad of the vector's plain text, so that the same octets come out."""
    frame = dc09.decode(octets)
    if "key_ascii" not in vector:
        assert frame.content is not None
        return dc09.encode(frame)
    key = dc09_crypto.key_of(vector["key_ascii"])
    opened = dc09_crypto.open_sealed(frame, key)
    pad, _, rest = vector["plaintext"].partition("|")
    assert rest == dc09.write_content(opened.content)
    return dc09.encode(dc09_crypto.seal(opened, key, lambda size: pad.encode()[:size]))


def ax25_again(vector, field, octets):
    """From KISS to the APRS message and back."""
    if field == "ax25_hex":
        return ax25.encode(ax25.decode(octets))
    (outer,) = kiss.Decoder().feed(octets)
    inner = ax25.decode(outer.data)
    info = aprs.encode(aprs.decode(inner.info)) if inner.info[:1] == b":" else inner.info
    again = ax25.UIFrame(
        destination=inner.destination, source=inner.source, via=inner.via, repeated=inner.repeated, info=info
    )
    return kiss.encode(ax25.encode(again), port=outer.port, command=outer.command)


def tetra_again(vector, field, octets):
    """The AT line, then its PDU as octets."""
    if field == "pdu":
        return tetra_pei.encode(tetra_pei.decode(octets))
    lines = octets.decode("ascii").split("\r\n")
    if lines[0].startswith("+CTSDSR"):
        head = tetra_pei.decode_header(lines[0])
        body = at.octets(lines[1])
        short = head.service == tetra_pei.STATUS
        pdu = (
            tetra_pei.encode_short(tetra_pei.decode_status(body))
            if short
            else tetra_pei.encode(tetra_pei.decode(body))
        )
        assert 8 * len(pdu) == head.bits
        line = f"+CTSDSR: {head.service},{head.source},0,{head.destination},0,{head.bits}"
        return f"{line}\r\n{pdu.hex().upper()}\r\n".encode()
    if lines[0].startswith("AT+CMGS"):
        pdu = tetra_pei.decode(at.octets(lines[1].removesuffix("\x1a")))
        to = lines[0].removeprefix("AT+CMGS=").partition(",")[0]
        return "\r\n".join(tetra_pei.command(to, tetra_pei.encode(pdu))).encode() + b"\x1a"
    return modem_lines(octets, b"\r\n")


def modem_lines(octets, end):
    """Lines of AT as the reader finds them."""
    found = at.Reader().feed(octets)
    assert found
    return b"".join(line.text.encode() + end for line in found)


def sms_again(vector, field, octets):
    """The message, its length in the AT line, and what the modem says to it."""
    if field == "radio":
        first, second = at.Reader().feed(octets)
        assert at.Verdict.DONE is at.final(second.text).verdict
        (reference,) = at.fields(first.text, "+CMGS")
        return f"\r\n+CMGS: {at.whole(reference)}\r\n\r\n{second.text}\r\n".encode()
    *lines, last = octets.decode("ascii").split("\r")
    message = sms_pdu.decode_submit(at.octets(last.removesuffix("\x1a")))
    assert vector["text"] == message.text
    pdu = sms_pdu.encode(message)
    lines[-1] = f"AT+CMGS={sms_pdu.tpdu_length(pdu)}"
    return "\r".join([*lines, pdu.hex().upper() + "\x1a"]).encode()


def fleetsync_again(vector, field, octets):
    """As the decoder of the stream finds it."""
    (message,) = fleetsync.Decoder().feed(octets)
    return fleetsync.encode(message)


def meshtastic_again(vector, field, octets):
    """The frame, and the protobuf in it."""
    (found,) = meshtastic.Decoder().feed(octets)
    return meshtastic.frame(meshtastic.encode_to_radio(meshtastic.decode_to_radio(found.body)))


def polycom_again(vector, field, octets):
    """The packet of a page."""
    return polycom_page.encode(polycom_page.decode(octets))


AGAIN = {
    "dc09": dc09_again,
    "ax25_kiss": ax25_again,
    "tetra_pei": tetra_again,
    "gsm_sms": sms_again,
    "fleetsync_pc": fleetsync_again,
    "meshtastic_serial": meshtastic_again,
    "polycom_paging": polycom_again,
}


@pytest.mark.parametrize(("section", "vector", "field", "octets"), VECTORS)
def test_a_vector_is_read_and_written_again_to_the_octet(section, vector, field, octets):
    """Through the codec of its wire, pads as in the vector."""
    assert octets == AGAIN[section](vector, field, octets)


def test_the_escape_vector_is_kept():
    """C0 and DB are written as two octets, and read back."""
    assert b"\xc0\x00\xdb\xdc\xdb\xdd\xc0" == kiss.encode(b"\xc0\xdb")
    (frame,) = kiss.Decoder().feed(kiss.encode(b"\xc0\xdb"))
    assert b"\xc0\xdb" == frame.data


def test_the_check_sequence_of_the_vector_is_that_of_dc09():
    """CRC-16/ARC over the text, in each frame anew."""
    for vector in SECTIONS["dc09"]:
        octets = vector["frame"].encode("latin-1")
        assert int(octets[1:5], 16) == dc09.crc16(octets[9:-1])


def test_damage_never_reads_as_something_else_in_dc09():
    """Each single octet changed: refused, as the CRC and the length cover all of it."""
    for vector in SECTIONS["dc09"]:
        octets = vector["frame"].encode("latin-1")
        for place in range(len(octets)):
            spoilt = bytearray(octets)
            spoilt[place] ^= 1
            with pytest.raises(Malformed):
                dc09.decode(bytes(spoilt))


# ---- explaining

NAMES = {
    "dc09": "DC-09",
    "ax25_kiss": "AX.25",
    "tetra_pei": "TETRA",
    "gsm_sms": "SMS",
    "fleetsync_pc": "FleetSync",
    "meshtastic_serial": "Meshtastic",
    "polycom_paging": "Polycom",
}


@pytest.mark.parametrize(("section", "vector", "field", "octets"), VECTORS)
def test_a_vector_is_explained_as_what_it_is(section, vector, field, octets):
    """The right format is found without being named, nothing is wrong with it, and every line is its octets."""
    key = vector.get("key_ascii", "")
    for found in explained(Piece(octets=octets, hint=section, key=key)):
        said = found.explanation
        assert found.known
        assert NAMES[section].lower() in said.format.lower()
        assert () == said.faults
        assert said.summary
        assert said.lines
        for line in said.lines:
            at_ = found.at + line.at
            assert octets[at_ : at_ + len(line.octets)] == line.octets


def damage(section, octets):
    """A damaged copy, and what its fault must say, as one of several words."""
    match section:
        case "dc09":
            place = octets.index(b'"') + 1
            return octets[:place] + b"~" + octets[place + 1 :], ("CRC",)
        case "ax25_kiss":
            return octets[:-3] + b"\xdb\x01\xc0", ("DB is followed", "octet")
        case "tetra_pei" | "gsm_sms":
            return octets[:-4] + b"G" + octets[-3:], ("hex", "octet", "expected", "length", "bits", "known")
        case "fleetsync_pc":
            return octets[:-1], ("03", "ETX", "end")
        case "meshtastic_serial":
            return octets[:3] + bytes([octets[3] + 1]) + octets[4:], ("length", "octets")
        case "polycom_paging":
            return octets[:-1], ("octets",)
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize(("section", "vector", "field", "octets"), VECTORS)
def test_a_damaged_copy_says_what_is_wrong(section, vector, field, octets):
    """In the words of its format."""
    if field == "ax25_hex":
        spoilt, words = octets[:14] + b"\x00" + octets[15:], ("control",)
    else:
        spoilt, words = damage(section, octets)
    key = vector.get("key_ascii", "")
    faults = [
        fault
        for found in explained(
            Piece(octets=spoilt, hint=section, key=key), name=named(section, field, octets)
        )
        for fault in found.explanation.faults
    ]
    assert faults
    assert any(word in fault for fault in faults for word in words), faults


def named(section, field, octets):
    """The short name under which the sound copy was explained."""
    from gateway.cli.frames import _chosen

    return _chosen(Piece(octets=octets, hint=section), "")


def test_the_file_itself_is_walked():
    """Every frame in it, with the vector's name and key."""
    found = pieces(FILE.read_bytes())
    wanted = [
        (vector["name"], octets)
        for vectors in SECTIONS.values()
        for vector in vectors
        for field, octets in wires(vector)
    ]

    assert wanted == [(piece.name, piece.octets) for piece in found]
    assert 3 == sum(bool(piece.key) for piece in found)
