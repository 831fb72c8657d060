"""The vectors of docs/unit-protocol.md hold, both ways, and not only in our own codec's eyes."""

import hashlib
import hmac
import re
from pathlib import Path

import pytest

from belltower.errors import Malformed
from hardware.codecs import unit
from hardware.codecs.unit import UnitFrame

TEXT = (Path(__file__).parents[2] / "docs" / "unit-protocol.md").read_text(encoding="utf-8")
GIVEN = dict(re.findall(r"^(secret|site id|unit|site tag|key|password) +(\S+)$", TEXT, re.MULTILINE))
ROWS = re.findall(
    r"^\| ([a-z-]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| ([01]) \| ([0-9a-f]+|–) \| `([0-9a-f]+)` \|$",
    TEXT,
    re.MULTILINE,
)
BAD = re.findall(r"^\| ([^|]+) \| `([0-9a-f]+)` \|$", TEXT, re.MULTILINE)
KEY = bytes.fromhex(GIVEN["key"])
TAG = bytes.fromhex(GIVEN["site tag"])


def test_the_document_has_its_vectors() -> None:
    """A change of layout must not quietly empty this test."""
    assert (23, 10) == (len(ROWS), len(BAD))


def test_keys_follow_from_the_secret() -> None:
    """Site tag, key and password are what the formulas give."""
    number = int(GIVEN["unit"])

    assert TAG == hashlib.sha256(b"belltower site" + GIVEN["site id"].encode()).digest()[:8]
    assert TAG == unit.site_tag(GIVEN["site id"])
    assert KEY == unit.derive_key(bytes.fromhex(GIVEN["secret"]), GIVEN["site id"], number)
    assert GIVEN["password"] == unit.mqtt_password(KEY)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_vector_is_sealed_and_opened(row: tuple[str, ...]) -> None:
    """Fields give the frame, and the frame gives the fields and a body that can be read."""
    _, number, epoch, counter, type_, exercise, body, octets = row
    frame = UnitFrame(
        number=int(number),
        epoch=int(epoch),
        counter=int(counter),
        type=int(type_),
        body=bytes.fromhex(body.replace("–", "")),
        exercise=exercise == "1",
    )

    assert octets == unit.seal(frame, KEY, TAG).hex()
    assert frame == unit.open_sealed(bytes.fromhex(octets), KEY, TAG)
    assert frame.body == unit.encode_body(unit.body_of(frame))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_vector_follows_from_the_text(row: tuple[str, ...]) -> None:
    """Written out by hand from the table, without our codec."""
    _, number, epoch, counter, type_, exercise, body, octets = row
    flags = int(type_) + 0x40 * int(exercise) + (0x80 if int(type_) >= 32 else 0)
    fields = [int(number).to_bytes(4), int(epoch).to_bytes(4), int(counter).to_bytes(4)]
    payload = bytes.fromhex(body.replace("–", ""))
    plain = bytes([1, flags]) + b"".join(fields) + bytes([len(payload)]) + payload

    assert octets == (plain + hmac.new(KEY, TAG + plain, "sha256").digest()[:16]).hex()


@pytest.mark.parametrize(("why", "octets"), BAD)
def test_a_bad_frame_is_refused(why: str, octets: str) -> None:
    """Each for its reason."""
    with pytest.raises(Malformed):
        unit.open_sealed(bytes.fromhex(octets), KEY, TAG)
