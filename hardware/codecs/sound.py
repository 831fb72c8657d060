"""Sound as 16-bit samples of one channel: WAV files, resampling, tones. Pure."""

from __future__ import annotations

import sys
from array import array
from functools import lru_cache
from math import cos, gcd, pi, sin
from operator import mul
from struct import Struct as Layout
from struct import unpack_from

from msgspec import Struct

from belltower.errors import Malformed

LONGEST = 120
"""Seconds of sound that are read from a file; more is refused."""

_TAPS = 16
_RATES = range(4_000, 192_001)
_CHUNK = Layout("<4sI")


class Sound(Struct, frozen=True, kw_only=True):
    """Samples of one channel."""

    # Samples a second.
    rate: int
    samples: array[int]

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate


def read_wav(octets: bytes) -> Sound:
    """The sound of a WAV file, 8 or 16 bits, channels mixed. `Malformed` says what is wrong and where."""
    if octets[:4] != b"RIFF" or octets[8:12] != b"WAVE":
        raise Malformed("octet 0: not a WAV file; it begins with RIFF and WAVE at octet 8")
    at, layout = 12, None
    while at + 8 <= len(octets):
        name, length = _CHUNK.unpack_from(octets, at)
        at += 8
        if name == b"fmt ":
            layout = _layout(octets, at, length)
        elif name == b"data":
            if layout is None:
                raise Malformed(f"octet {at - 8}: the samples come before their format")
            # A program that writes to a pipe does not know the length: it ends with the file.
            return _samples(octets[at : at + length], *layout)
        at += length + length % 2
    raise Malformed(f"octet {len(octets)}: the file ends before its samples")


def write_wav(sound: Sound) -> bytes:
    """A WAV file of 16 bits."""
    data = pcm_octets(sound.samples)
    head = Layout("<4sI4s4sIHHIIHH4sI").pack(
        b"RIFF",
        36 + len(data),
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        sound.rate,
        2 * sound.rate,
        2,
        16,
        b"data",
        len(data),
    )
    return head + data


def pcm_octets(samples: array[int]) -> bytes:
    """The samples as little-endian octets, whatever the machine."""
    if sys.byteorder == "big":
        samples = array("h", samples)
        samples.byteswap()
    return samples.tobytes()


def resample(sound: Sound, rate: int) -> Sound:
    """The same sound at another rate, band-limited by a windowed sinc of 32 taps."""
    if rate == sound.rate or not sound.samples:
        return Sound(rate=rate, samples=sound.samples)
    common = gcd(rate, sound.rate)
    up, down = rate // common, sound.rate // common
    phases, reach = _filters(up, down)
    padded = array("h", bytes(2 * reach)) + sound.samples + array("h", bytes(2 * reach + 2))
    count = len(sound.samples) * up // down
    made = array("h", bytes(2 * count))
    taps = 2 * reach
    for n in range(count):
        base, phase = divmod(n * down, up)
        begin = base + 1
        value = round(sum(map(mul, phases[phase], padded[begin : begin + taps])))
        made[n] = -32768 if value < -32768 else min(value, 32767)
    return Sound(rate=rate, samples=made)


def tone(hertz: float, seconds: float, *, rate: int, level: float = 0.5) -> Sound:
    """A sine that swells and fades in 5 ms, so that it does not click."""
    count = round(seconds * rate)
    edge = max(1, rate // 200)
    return Sound(
        rate=rate,
        samples=array(
            "h",
            [
                round(
                    32767
                    * level
                    * min(1.0, n / edge, (count - 1 - n) / edge)
                    * sin(2 * pi * hertz * n / rate)
                )
                for n in range(count)
            ],
        ),
    )


def silence(seconds: float, *, rate: int) -> Sound:
    """Nothing to hear."""
    return Sound(rate=rate, samples=array("h", bytes(2 * round(seconds * rate))))


def joined(*sounds: Sound) -> Sound:
    """One after another; all of one rate."""
    samples = array("h")
    for sound in sounds:
        samples.extend(sound.samples)
    return Sound(rate=sounds[0].rate, samples=samples)


def trimmed(sound: Sound, *, quiet: int = 200, keep: float = 0.03) -> Sound:
    """The sound without the silence around it, but for `keep` seconds on each side."""
    loud = [n for n, sample in enumerate(sound.samples) if abs(sample) > quiet]
    if not loud:
        return Sound(rate=sound.rate, samples=array("h"))
    margin = round(keep * sound.rate)
    return Sound(rate=sound.rate, samples=sound.samples[max(0, loud[0] - margin) : loud[-1] + 1 + margin])


def _layout(octets: bytes, at: int, length: int) -> tuple[int, int, int]:
    if length < 16 or at + 16 > len(octets):
        raise Malformed(
            f"octet {at}: the format has {min(length, len(octets) - at)} octets; it has at least 16"
        )
    coding, channels, rate, _, _, bits = unpack_from("<HHIIHH", octets, at)
    if coding not in {1, 0xFFFE} or bits not in {8, 16}:
        raise Malformed(
            f"octet {at}: coding {coding} with {bits} bits; only plain samples of 8 or 16 bits are read"
        )
    if not 1 <= channels <= 8:
        raise Malformed(f"octet {at + 2}: {channels} channels; 1 to 8 are read")
    if rate not in _RATES:
        raise Malformed(f"octet {at + 4}: {rate} samples a second; {_RATES[0]} to {_RATES[-1]} are read")
    return channels, rate, bits


def _samples(data: bytes, channels: int, rate: int, bits: int) -> Sound:
    width = bits // 8
    if len(data) > LONGEST * rate * channels * width:
        raise Malformed(f"the sound lasts longer than {LONGEST} s")
    data = data[: len(data) - len(data) % (channels * width)]
    samples = array("h")
    if bits == 8:
        samples.extend([(value - 128) << 8 for value in data])
    else:
        samples.frombytes(data)
        if sys.byteorder == "big":
            samples.byteswap()
    if channels > 1:
        parts = [samples[n::channels] for n in range(channels)]
        samples = array("h", [sum(values) // channels for values in zip(*parts, strict=True)])
    return Sound(rate=rate, samples=samples)


@lru_cache(maxsize=8)
def _filters(up: int, down: int) -> tuple[list[list[float]], int]:
    """For each phase the weights of the samples around it, and how many there are on each side."""
    cutoff = min(1.0, up / down) * 0.95
    reach = max(_TAPS, round(_TAPS / cutoff))
    phases = []
    for phase in range(up):
        offset = phase / up
        weights = []
        for n in range(1 - reach, reach + 1):
            x = n - offset
            window = 0.54 + 0.46 * cos(pi * x / (reach + 1))
            weights.append(window * (cutoff if x == 0 else sin(pi * cutoff * x) / (pi * x)))
        total = sum(weights)
        phases.append([weight / total for weight in weights])
    return phases, reach
