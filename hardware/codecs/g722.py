"""G.722: wideband sound at 64 kbit/s, sub-band ADPCM. Pure.

Follows ITU-T G.722 (block names of its section 3 stand beside the code). Two samples at 16,000 a second become one
octet: six bits of the lower band, two of the upper. Every sound of ours begins with the state of rest, and ends in
silence, so that sounds may be put one after another without coding them again.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left

RATE = 16_000
"""Samples a second."""

# fmt: off
_Q6 = (0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
       1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919)
_IL_NEGATIVE = (0, 63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9,
                8, 7, 6, 5, 4)
_IL_POSITIVE = (0, *range(61, 31, -1))
_WL = (-60, -30, 58, 172, 334, 538, 1198, 3042)
_RL42 = (0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0)
_ILB = (2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960,
        3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008)
_QM4 = (0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0)
_QM2 = (-7408, -1616, 7408, 1616)
_QM6 = (-136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576,
        -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040,
        -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
        4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136)
_WH = (0, -214, 798)
_RH2 = (2, 1, 2, 1)
_IH_NEGATIVE = (0, 1, 0)
_IH_POSITIVE = (0, 3, 2)
_QMF = (3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11)
# fmt: on
_QMF_BACK = tuple(reversed(_QMF))


def encode(samples: array[int]) -> bytes:
    """The octets of samples at 16,000 a second; an odd last sample is left out."""
    low, high = _Band(det=32), _Band(det=8)
    line = [0] * 24
    made = bytearray()
    for n in range(0, len(samples) - 1, 2):
        # Transmit QMF: sections 3.1 and 5.2.1.
        del line[:2]
        line += samples[n : n + 2]
        even = sum([a * b for a, b in zip(line[::2], _QMF, strict=True)])
        odd = sum([a * b for a, b in zip(line[1::2], _QMF_BACK, strict=True)])
        made.append(_upper(high, (odd - even) >> 14) << 6 | _lower(low, (even + odd) >> 14))
    return bytes(made)


def decode(octets: bytes) -> array[int]:
    """The samples, 16,000 a second, of 64 kbit/s octets."""
    low, high = _Band(det=32), _Band(det=8)
    line = [0] * 24
    made = array("h")
    for octet in octets:
        six, two = octet & 0x3F, octet >> 6
        lower = _limit((low.det * _QM6[six] >> 15) + low.s, 16_383)
        low.step((low.det * _QM4[six >> 2]) >> 15)
        low.scale(_WL[_RL42[six >> 2]], 18_432, 8)
        difference = (high.det * _QM2[two]) >> 15
        upper = _limit(difference + high.s, 16_383)
        high.step(difference)
        high.scale(_WH[_RH2[two]], 22_528, 10)
        del line[:2]
        line += (lower + upper, lower - upper)
        # Receive QMF: the second of each pair first.
        made.append(_limit(sum([a * b for a, b in zip(line[1::2], _QMF_BACK, strict=True)]) >> 11, 32_767))
        made.append(_limit(sum([a * b for a, b in zip(line[::2], _QMF, strict=True)]) >> 11, 32_767))
    return made


def _lower(band: _Band, value: int) -> int:
    """Blocks 1L to 4L: six bits of the lower band."""
    error = _saturate(value - band.s)
    size = error if error >= 0 else ~error
    # QUANTL: the first level above `size`.
    level = bisect_left(_Q6, -(-((size + 1) << 12) // band.det), 1)
    bits = _IL_NEGATIVE[level] if error < 0 else _IL_POSITIVE[level]
    four = bits >> 2
    difference = (band.det * _QM4[four]) >> 15
    band.scale(_WL[_RL42[four]], 18_432, 8)
    band.step(difference)
    return bits


def _upper(band: _Band, value: int) -> int:
    """Blocks 1H to 4H: two bits of the upper band."""
    error = _saturate(value - band.s)
    size = error if error >= 0 else ~error
    level = 2 if size >= (564 * band.det) >> 12 else 1
    bits = _IH_NEGATIVE[level] if error < 0 else _IH_POSITIVE[level]
    difference = (band.det * _QM2[bits]) >> 15
    band.scale(_WH[_RH2[bits]], 22_528, 10)
    band.step(difference)
    return bits


class _Band:
    """The predictor and scale factor of one band."""

    __slots__ = ("a1", "a2", "b", "d", "det", "nb", "p1", "p2", "r1", "s", "sz")

    def __init__(self, *, det: int) -> None:
        self.det = det
        self.nb = self.s = self.sz = self.a1 = self.a2 = self.r1 = self.p1 = self.p2 = 0
        self.b = [0] * 6
        self.d = [0] * 6

    def scale(self, weight: int, largest: int, shift: int) -> None:
        """LOGSCL, SCALEL and their twins of the upper band."""
        log = ((self.nb * 127) >> 7) + weight
        self.nb = log = 0 if log < 0 else min(log, largest)
        right = shift - (log >> 11)
        base = _ILB[log >> 6 & 31]
        self.det = (base << -right if right < 0 else base >> right) << 2

    def step(self, d0: int) -> None:
        """Block 4: adapt to the quantized difference, and predict the next value."""
        r0 = _saturate(self.s + d0)  # RECONS
        p0 = _saturate(self.sz + d0)  # PARREC
        # UPPOL2
        minus0, minus1, minus2 = p0 < 0, self.p1 < 0, self.p2 < 0
        turn = _saturate(self.a1 << 2)
        turn = min(-turn, 32_767) if minus0 == minus1 else turn
        a2 = (turn >> 7) + (128 if minus0 == minus2 else -128) + ((self.a2 * 32_512) >> 15)
        a2 = -12_288 if a2 < -12_288 else min(a2, 12_288)
        # UPPOL1
        a1 = _saturate((192 if minus0 == minus1 else -192) + ((self.a1 * 32_640) >> 15))
        bound = _saturate(15_360 - a2)
        a1 = -bound if a1 < -bound else min(a1, bound)
        # UPZERO and DELAYA; FILTEZ of the next value beside it
        move = 128 if d0 else 0
        minus, sz, newer = d0 < 0, 0, d0
        b, d = self.b, self.d
        for n in range(6):
            old = d[n]
            weight = (move if (old < 0) == minus else -move) + ((b[n] * 32_640) >> 15)
            b[n] = weight
            d[n] = newer
            sz += (weight * _saturate(newer << 1)) >> 15
            newer = old
        self.sz = sz = _saturate(sz)
        # FILTEP and PREDIC
        sp = _saturate(((a1 * _saturate(r0 << 1)) >> 15) + ((a2 * _saturate(self.r1 << 1)) >> 15))
        self.s = _saturate(sp + sz)
        self.a1, self.a2, self.r1, self.p2, self.p1 = a1, a2, r0, self.p1, p0


def _saturate(value: int) -> int:
    return -32_768 if value < -32_768 else min(value, 32767)


def _limit(value: int, largest: int) -> int:
    return -largest - 1 if value < -largest - 1 else min(value, largest)
