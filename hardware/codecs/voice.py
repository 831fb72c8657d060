"""Sound as it goes into packets: G.711 or G.722, 160 octets for every 20 ms whichever it is. Pure."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import cache

from hardware.codecs import g711, g722, rtp
from hardware.codecs.sound import Sound, resample, silence

FRAME = 0.020
"""Seconds of one frame."""
FRAME_OCTETS = 160


class PayloadFormat(StrEnum):
    """How sound is coded on its way."""

    PCMU = "pcmu"
    PCMA = "pcma"
    G722 = "g722"


PAYLOAD_TYPES = {PayloadFormat.PCMU: rtp.PCMU, PayloadFormat.PCMA: rtp.PCMA, PayloadFormat.G722: rtp.G722}
"""The static payload types of RFC 3551."""

_RATES = {PayloadFormat.PCMU: g711.RATE, PayloadFormat.PCMA: g711.RATE, PayloadFormat.G722: g722.RATE}
_ENCODE: dict[PayloadFormat, Callable[..., bytes]] = {
    PayloadFormat.PCMU: g711.mu_encode,
    PayloadFormat.PCMA: g711.a_encode,
    PayloadFormat.G722: g722.encode,
}
_DECODE = {
    PayloadFormat.PCMU: g711.mu_decode,
    PayloadFormat.PCMA: g711.a_decode,
    PayloadFormat.G722: g722.decode,
}


def encode(sound: Sound, form: PayloadFormat) -> bytes:
    """The sound in whole frames, the last one filled with silence. G.722 takes about a quarter of the sound's time."""
    rate = _RATES[form]
    samples = resample(sound, rate).samples[:]
    frame = round(rate * FRAME)
    samples.extend([0] * (-len(samples) % frame))
    return _ENCODE[form](samples)


def decode(octets: bytes, form: PayloadFormat) -> Sound:
    """The sound of coded octets."""
    return Sound(rate=_RATES[form], samples=_DECODE[form](octets))


def frames(octets: bytes) -> list[bytes]:
    """The coded sound as frames of 20 ms."""
    return [octets[at : at + FRAME_OCTETS] for at in range(0, len(octets), FRAME_OCTETS)]


@cache
def silent(form: PayloadFormat) -> bytes:
    """One frame of silence."""
    return encode(silence(0.1, rate=_RATES[form]), form)[-FRAME_OCTETS:]


def seconds(octets: bytes) -> float:
    """How long coded sound lasts."""
    return len(octets) / FRAME_OCTETS * FRAME
