"""The chain: each entry's hash covers its own bytes and the hash before it.

hash(n) = SHA-256(hash(n-1), then each field behind its length as 32 bits, big-endian: stream, position, id, at, tag,
subject, body). Position and time are 64 bits, big-endian, signed. hash(0) is 32 zero octets.
"""

from __future__ import annotations

import struct
from hashlib import sha256

GENESIS = bytes(32)

_POSITION_AND_ID = _AT_AND_TAG = struct.Struct(">IqI")
_LENGTH = struct.Struct(">I")


def entry_hash(
    previous: bytes, *, stream: str, position: int, fact_id: str, at: int, tag: str, subject: str, body: bytes
) -> bytes:
    """The hash of one entry, given the hash of the one before."""
    id_octets, tag_octets, subject_octets = fact_id.encode(), tag.encode(), subject.encode()
    stream_octets = stream.encode()
    pack = _LENGTH.pack
    return sha256(
        b"".join(
            (
                previous,
                pack(len(stream_octets)),
                stream_octets,
                _POSITION_AND_ID.pack(8, position, len(id_octets)),
                id_octets,
                _AT_AND_TAG.pack(8, at, len(tag_octets)),
                tag_octets,
                pack(len(subject_octets)),
                subject_octets,
                pack(len(body)),
                body,
            )
        )
    ).digest()
