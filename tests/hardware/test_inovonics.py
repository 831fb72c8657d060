"""EchoStream frames: tested against vectors made from published facts, not against a transmitter."""

import asyncio
from random import Random

import pytest

from belltower.errors import Malformed, Unreachable
from hardware.codecs import inovonics, osdp
from hardware.codecs.inovonics import COORDINATOR, Frame, Splitter, decode, encode, signals
from hardware.drivers.inovonics import EchoStream
from hardware.profiles.signal import SignalKind
from hardware.transports.memory import Cable, byte_at_a_time, lossy, whole
from tests.hardware.fuzzing import LONG, USUAL, bear
from tests.peers.waiting import PATIENCE

PENDANT = Frame(
    uid=0xB2010203, first_hop=0x01000001, device_class=0x3E, product=0x01, stat1=0, stat0=0, level=60, margin=30
)  # fmt: skip


def frame(**how):
    return Frame(**{name: getattr(PENDANT, name) for name in Frame.__struct_fields__} | how)


def kinds(each):
    return [signal.kind for signal in signals(each)]


def test_a_frame_by_hand():
    """Octet by octet."""
    octets = bytes.fromhex("7210 b2010203 01000001 3e01 0200 3c1e")
    octets += bytes([sum(octets) % 256])
    assert frame(stat1=2) == decode(octets)
    assert octets == encode(frame(stat1=2))


def test_alarms_are_levels_and_the_rest_is_said():
    """The edge of alarm 1 is the press; memory judges it."""
    pressed = signals(frame(stat1=0b10))
    assert [(True, SignalKind.PRESS), *[(False, SignalKind.PRESS)] * 3] == [
        (each.level, each.rises) for each in pressed
    ]
    assert {"B2010203"} == {each.device for each in pressed}
    assert SignalKind.TAMPER in kinds(frame(stat0=1 << 6))
    assert SignalKind.BATTERY_LOW in kinds(frame(stat0=1 << 7))
    (reset,) = [each for each in signals(frame(stat0=1 << 4)) if each.kind is SignalKind.ONLINE]
    assert reset.epoch
    assert SignalKind.TROUBLE in kinds(frame(stat1=1))
    assert [SignalKind.TROUBLE] == kinds(frame(device_class=COORDINATOR, stat1=2))
    assert [SignalKind.HEARTBEAT] == kinds(frame(device_class=COORDINATOR))
    low = signals(frame(stat1=0b10, stat0=1 << 7))
    assert low[0].level, "a low battery hides no press"


@pytest.mark.parametrize("pipe", [whole, byte_at_a_time])
async def test_every_frame_of_a_line_is_heard(pipe):
    """Between noise, and a line that is lost ends the run."""
    heard, whole_frames = [], asyncio.Event()

    def said(each):
        heard.extend(signals(each))
        if len(heard) >= 12:
            whole_frames.set()

    cable = Cable(back=pipe)
    await cable.far.open()
    radio = EchoStream(open_transport=lambda: cable.near, on_frame=said)
    task = asyncio.get_running_loop().create_task(radio.run())
    await asyncio.sleep(0)
    await cable.far.write(
        b"\x00\x72\x01" + encode(frame(stat1=2)) + b"\x72\x10\xff" + encode(frame(stat1=4)) * 2
    )
    await asyncio.wait_for(whole_frames.wait(), PATIENCE)
    cable.hang_up()
    with pytest.raises(Unreachable):
        await task
    assert heard[0].level


def test_a_bad_line_brings_no_frame_that_was_not_sent():
    """Bits are lost and doubled: what is heard was said."""
    random = Random(1)
    pipe, sent = lossy(random, rate=0.02), frame(stat1=2)
    frames = Splitter()
    heard = [each for _ in range(2_000) for piece in pipe(encode(sent)) for each in frames.feed(piece)]
    assert 800 < len(heard)
    assert frames.spoilt
    assert len([each for each in heard if each != sent]) < 20, "a sum of 8 bits is weak"


def test_vectors_of_osdp():
    """SIA's Annex E and OSDP.Net's, by our CRC."""
    buzzer = osdp.decode(bytes.fromhex("53000D00066A00020202015992"))  # OSDP.Net, Apache-2.0
    assert (0, 2, True, 0x6A) == (buzzer.address, buzzer.sequence, buzzer.crc, buzzer.code)
    for vector in ("537F0D00046E00802500006E38", "53000900046100C066"):  # libosdp, Apache-2.0
        octets = bytes.fromhex(vector)
        assert osdp.crc16(octets[:-2]).to_bytes(2, "little") == octets[-2:]
        osdp.decode(octets)
        for at in range(len(octets) * 8):
            spoilt = bytearray(octets)
            spoilt[at // 8] ^= 1 << at % 8
            with pytest.raises(Malformed):
                osdp.decode(bytes(spoilt))


def fuzzed(count):
    bear(lambda octets: signals(decode(octets)), [encode(frame(stat1=2)), encode(frame(stat0=0x40))], count)
    bear(
        osdp.decode, [bytes.fromhex("53000D00066A00020202015992"), bytes.fromhex("53000900046100C066")], count
    )
    random = Random(2)
    frames = Splitter()
    for _ in range(count // 20):
        frames.feed(random.randbytes(random.randrange(64)))
        assert len(frames._held) <= inovonics.LENGTH


def test_spoilt_frames_are_refused():
    """Twenty thousand."""
    fuzzed(USUAL)


@pytest.mark.soak
def test_a_million_spoilt_frames_are_refused():
    """The same for long."""
    fuzzed(LONG)
