"""The chain: each entry's hash covers its own bytes and the hash before it.

hash(n) = SHA-256(hash(n-1), then each field behind its length as 32 bits, big-endian: stream, position, id, at, tag,
subject, body). Position and time are 64 bits, big-endian, signed. hash(0) is 32 zero octets.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from hashlib import sha256

GENESIS = bytes(32)

_NUMBER = struct.Struct(">Iq")
_NUMBER_AND_LENGTH = struct.Struct(">IqI")
_LENGTH = struct.Struct(">I")


def entry_hash(
    previous: bytes, *, stream: str, position: int, fact_id: str, at: int, tag: str, subject: str, body: bytes
) -> bytes:
    """The hash of one entry, given the hash of the one before."""
    octets = fact_id.encode()
    return sha256(
        b"".join(
            (
                previous,
                _field(stream),
                _NUMBER_AND_LENGTH.pack(8, position, len(octets)),
                octets,
                _NUMBER.pack(8, at),
                _field(tag),
                _field(subject),
                _LENGTH.pack(len(body)),
                body,
            )
        )
    ).digest()


@lru_cache(maxsize=1_024)
def _field(text: str) -> bytes:
    """A text behind its length; the same few come again and again."""
    octets = text.encode()
    return _LENGTH.pack(len(octets)) + octets
