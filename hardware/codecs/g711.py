"""G.711: 64 kbit/s, one octet a sample at 8,000 a second, by table. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Callable

RATE = 8_000
"""Samples a second."""

SILENCE = 0xFF
"""The mu-law octet of silence."""


def mu_encode(samples: array[int]) -> bytes:
    """Mu-law, as in North America and Japan: RTP payload type 0."""
    table = _MU_OCTETS
    return bytes([table[sample & 0xFFFF] for sample in samples])


def mu_decode(octets: bytes) -> array[int]:
    """The samples of mu-law octets."""
    return array("h", [_MU_SAMPLES[octet] for octet in octets])


def a_encode(samples: array[int]) -> bytes:
    """A-law, as in the rest of the world: RTP payload type 8."""
    table = _A_OCTETS
    return bytes([table[sample & 0xFFFF] for sample in samples])


def a_decode(octets: bytes) -> array[int]:
    """The samples of A-law octets."""
    return array("h", [_A_SAMPLES[octet] for octet in octets])


def _mu_sample(octet: int) -> int:
    # G.711 table 2a: sign, 3 bits of segment, 4 bits within it, all inverted; a bias of 33 in 14 bits.
    octet = ~octet & 0xFF
    size = ((((octet & 0x0F) << 3) + 0x84) << (octet >> 4 & 7)) - 0x84
    return -size if octet & 0x80 else size


def _a_sample(octet: int) -> int:
    # G.711 table 1a: even bits inverted; the sign bit is 1 for positive values.
    octet ^= 0x55
    segment, step = octet >> 4 & 7, (octet & 0x0F) << 4
    size = step + 8 if segment == 0 else (step + 0x108) << (segment - 1)
    return size if octet & 0x80 else -size


_MU_SAMPLES = [_mu_sample(octet) for octet in range(256)]
_A_SAMPLES = [_a_sample(octet) for octet in range(256)]


def _nearest(decode: Callable[[int], int], positive: range) -> bytes:
    """For each of the 65,536 samples the octet whose own sample is nearest, of the same sign."""
    levels = sorted((decode(octet), octet) for octet in positive)
    half = bytearray()
    for n, (level, octet) in enumerate(levels):
        upper = (level + levels[n + 1][0] + 1) // 2 if n + 1 < len(levels) else 32_768
        half += bytes([octet]) * (upper - len(half))
    negative = bytes(octet ^ 0x80 for octet in half)
    return bytes(half) + negative[:1] * 0 + bytes([negative[-1]]) + negative[:0:-1]


_MU_OCTETS = _nearest(_mu_sample, range(0x80, 0x100))
_A_OCTETS = _nearest(_a_sample, range(0x80, 0x100))
