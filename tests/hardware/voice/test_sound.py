"""Sound: its coding against ffmpeg, its files, its rates."""

import subprocess
import sys
from array import array
from itertools import pairwise
from random import Random

import pytest

from belltower.errors import Malformed
from hardware.codecs import g711, g722
from hardware.codecs.sound import Sound, joined, read_wav, resample, silence, tone, trimmed, write_wav
from hardware.codecs.voice import FRAME_OCTETS, PayloadFormat, decode, encode, frames, seconds, silent
from tests.hardware import fuzzing
from tests.servers.binaries import require
from tests.servers.ffmpeg import frequency, loudness


def ffmpeg(octets, *arguments):
    """What ffmpeg makes of `octets`."""
    command = [require("ffmpeg"), "-v", "error", *arguments]
    return subprocess.run(command, input=octets, capture_output=True, check=True).stdout


def samples(octets):
    """16-bit samples of octets."""
    made = array("h")
    made.frombytes(octets)
    return made


EVERY = array("h", range(-32768, 32768))


@pytest.mark.parametrize(
    ("name", "code", "back"),
    [("mulaw", g711.mu_encode, g711.mu_decode), ("alaw", g711.a_encode, g711.a_decode)],
)
def test_every_octet_sounds_as_ffmpeg_hears_it(name, code, back):
    """All 256, and each of the 65,536 samples becomes an octet that is nearest to it."""
    octets = bytes(range(256))
    assert samples(ffmpeg(octets, "-f", name, "-ar", "8000", "-i", "-", "-f", "s16le", "-")) == back(octets)
    for octet in octets:
        assert back(bytes([octet])) == back(code(back(bytes([octet]))))
    levels = sorted(back(octets))
    told = back(code(EVERY))
    assert all(a <= b for a, b in pairwise(told))
    for sample, heard in zip(EVERY[::97], told[::97], strict=True):
        assert min(abs(level - sample) for level in levels) >= abs(heard - sample) - 4


def test_g722_decodes_as_ffmpeg_does():
    """Bit for bit, for our own sound and for octets of no sense."""
    chirp = joined(*(tone(200 * n, 0.05, rate=16_000, level=0.8) for n in range(1, 30)))
    for octets in (g722.encode(chirp.samples), Random(1).randbytes(4_000)):
        heard = samples(ffmpeg(octets, "-f", "g722", "-i", "-", "-f", "s16le", "-"))
        assert heard == g722.decode(octets)


@pytest.mark.parametrize(("hertz", "ratio"), [(300, 1000), (1000, 1000), (3000, 100), (5000, 20)])
def test_what_g722_encodes_is_heard_as_it_was(hertz, ratio):
    """The error is 30, 20 and 13 dB below the tone, once the coder's delay of 22 samples is taken away."""
    sent = tone(hertz, 0.5, rate=16_000).samples
    heard = g722.decode(g722.encode(sent))
    middle = range(2_000, 6_000)
    error = sum((sent[n] - heard[n + 22]) ** 2 for n in middle)

    assert sum(sent[n] ** 2 for n in middle) > ratio * error


def test_g722_bears_the_loudest_sound():
    """A square wave from end to end neither overflows nor fails, and ffmpeg hears the same."""
    square = array("h", ([32767] * 20 + [-32768] * 20) * 50)
    octets = g722.encode(square)

    assert samples(ffmpeg(octets, "-f", "g722", "-i", "-", "-f", "s16le", "-")) == g722.decode(octets)


@pytest.mark.parametrize(
    ("before", "after"), [(22_050, 16_000), (22_050, 8_000), (16_000, 8_000), (8_000, 16_000)]
)
def test_resampling_keeps_length_pitch_and_loudness(before, after):
    """And lets nothing through that the new rate cannot carry."""
    heard = resample(tone(1000, 0.5, rate=before), after)

    assert 0.5 == pytest.approx(heard.seconds, abs=0.001)
    assert 1000 == pytest.approx(frequency(heard), rel=0.005)
    assert loudness(tone(1000, 0.5, rate=before)) == pytest.approx(loudness(heard), rel=0.02)
    if after < before:
        assert loudness(resample(tone(after * 0.6, 0.5, rate=before), after)) < 0.01


def test_a_coded_sound_is_whole_frames():
    """160 octets for 20 ms in every form; silence is silent."""
    for form in PayloadFormat:
        coded = encode(tone(440, 0.333, rate=22_050), form)
        assert 17 == len(frames(coded))
        assert {FRAME_OCTETS} == {len(frame) for frame in frames(coded)}
        assert 0.34 == pytest.approx(seconds(coded))
        assert 440 == pytest.approx(frequency(decode(coded, form)), rel=0.01)
        assert loudness(decode(silent(form) * 10, form)) < 0.001


def test_a_wav_file_survives():
    """There and back; two channels are mixed, 8 bits are widened, an unknown length ends with the file."""
    sound = tone(1000, 0.1, rate=8_000)
    wav = write_wav(sound)
    piped = wav[:40] + b"\xf0\xff\xff\x7f" + wav[44:]

    assert sound == read_wav(wav) == read_wav(piped)
    for extra in (("-ac", "2"), ("-acodec", "pcm_u8")):
        other = ffmpeg(wav, "-f", "wav", "-i", "-", *extra, "-f", "wav", "-")
        assert 0.1 == pytest.approx(read_wav(other).seconds)
        assert 0.23 < loudness(read_wav(other)) < 0.37


def test_silence_around_a_sound_is_taken_away():
    """But for a little; of silence alone nothing stays."""
    quiet = silence(1.0, rate=8_000)

    assert 0.26 == pytest.approx(trimmed(joined(quiet, tone(500, 0.2, rate=8_000), quiet)).seconds, abs=0.005)
    assert Sound(rate=8_000, samples=array("h")) == trimmed(quiet)


def test_mutated_wav_files_are_read_or_malformed():
    """Nothing else, and never more than two minutes."""
    wav = write_wav(tone(1000, 0.002, rate=8_000))
    fuzzing.bear(read_wav, [wav, wav[:20] + b"\1\0\2\0" + wav[24:]], fuzzing.USUAL)
    with pytest.raises(Malformed, match="longer than 120 s"):
        read_wav(write_wav(Sound(rate=8_000, samples=array("h", bytes(2 * 8_000 * 121)))))


def test_a_machine_of_the_other_byte_order_writes_the_same():
    """Samples are little-endian in files."""
    assert b"\1\0" == write_wav(Sound(rate=8_000, samples=array("h", [1])))[-2:]
    assert sys.byteorder in {"little", "big"}
