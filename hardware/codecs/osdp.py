"""OSDP frames (SIA OSDP 2.2, 5.9) as far as they can be told apart on the line: for explaining, never for speaking.

    53  address  length (2, little)  control  [security block]  code  data ..  CRC-16 (2, little) or checksum

What speaks is libosdp. The CRC has polynomial 0x1021 and begins with 0x1D0F (Annex C).
"""

from __future__ import annotations

from msgspec import Struct

from belltower.errors import Malformed

START = 0x53
LONGEST = 1_440
_REPLY = 0x80
_CRC, _SECURITY, _SEQUENCE = 0x04, 0x08, 0x03


class Frame(Struct, frozen=True, kw_only=True):
    """One frame of either side."""

    address: int
    reply: bool
    sequence: int
    crc: bool
    # The security block's type; None: in clear.
    security: int | None
    code: int
    data: bytes


def crc16(octets: bytes) -> int:
    """The CRC of a frame."""
    crc = 0x1D0F
    for octet in octets:
        crc ^= octet << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def decode(octets: bytes) -> Frame:
    """One whole frame. `Malformed`: not a frame, or spoilt."""
    if len(octets) < 7 or octets[0] != START:
        raise Malformed("octet 0: a frame begins with 0x53 and has 7 octets or more")
    length = int.from_bytes(octets[2:4], "little")
    if length != len(octets) or length > LONGEST:
        raise Malformed(f"octet 2: length {length} where {len(octets)} octets came")
    control = octets[4]
    crc = bool(control & _CRC)
    end = length - (2 if crc else 1)
    if crc and crc16(octets[:end]) != int.from_bytes(octets[end:], "little"):
        raise Malformed(f"octet {end}: CRC {octets[end:].hex()}, expected {crc16(octets[:end]):04x}")
    if not crc and (sum(octets) & 0xFF):
        raise Malformed(f"octet {end}: the checksum does not match")
    at, security = 5, None
    if control & _SECURITY:
        if at + 2 > end or not 2 <= octets[at] <= end - at:
            raise Malformed(f"octet {at}: the security block is cut off")
        security, at = octets[at + 1], at + octets[at]
    if at >= end:
        raise Malformed(f"octet {at}: no command or reply code")
    return Frame(
        address=octets[1] & 0x7F,
        reply=bool(octets[1] & _REPLY),
        sequence=control & _SEQUENCE,
        crc=crc,
        security=security,
        code=octets[at],
        data=octets[at + 1 : end],
    )
