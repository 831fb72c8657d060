"""The chain: each entry's hash covers its own bytes and the hash before it.

hash(n) = SHA-256(hash(n-1), then each field behind its length as 32 bits, big-endian: stream, position, id, at, tag,
subject, body). Position and time are 64 bits, big-endian, signed. hash(0) is 32 zero octets.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from hashlib import sha256

GENESIS = bytes(32)

_number = struct.Struct(">Iq").pack
_number_and_length = struct.Struct(">IqI").pack
_length = struct.Struct(">I").pack


def entry_hash(
    previous: bytes, *, stream: str, position: int, fact_id: str, at: int, tag: str, subject: str, body: bytes
) -> bytes:
    """The hash of one entry, given the hash of the one before."""
    return link(previous, stream, position, fact_id, at, tag, subject, body)


def link(
    previous: bytes, stream: str, position: int, fact_id: str, at: int, tag: str, subject: str, body: bytes
) -> bytes:
    """`entry_hash`, by position."""
    octets = fact_id.encode()
    return sha256(
        b"".join(
            (
                previous,
                _field(stream),
                _number_and_length(8, position, len(octets)),
                octets,
                _number(8, at),
                _field(tag),
                _field(subject),
                _length(len(body)),
                body,
            )
        )
    ).digest()


@lru_cache(maxsize=1_024)
def _field(text: str) -> bytes:
    """A text behind its length; the same few come again and again."""
    octets = text.encode()
    return _length(len(octets)) + octets
