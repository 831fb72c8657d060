"""Our multicast page, as ffmpeg hears it."""

import asyncio
import os

import pytest

from hardware.codecs.sound import tone
from hardware.codecs.voice import PayloadFormat, encode
from hardware.drivers.page_multicast import MulticastPage
from hardware.drivers.zone import Programme, Zone
from tests.servers.ffmpeg import GROUP, frequency, loudness, recording


@pytest.mark.parametrize("form", [PayloadFormat.PCMU, PayloadFormat.G722])
async def test_ffmpeg_records_our_page_of_one_kilohertz(form, tmp_path):
    """Two seconds within 5 %, and the pitch and loudness that were sent."""
    sound = encode(tone(1000, 2.2, rate=16_000, level=0.5), form)
    began = []
    async with recording(tmp_path, seconds=2.0, name=form.value.upper()) as heard:
        wire = MulticastPage(
            host=GROUP, port=heard.port, form=form, interface="127.0.0.1", random_bytes=os.urandom
        )
        zone = Zone(wire=wire)
        running = asyncio.get_running_loop().create_task(zone.run())
        zone.play(Programme(key="page", priority=1, round=lambda _: [sound], began=began.append, rounds=1))
        recorded = await heard.finished()
        running.cancel()
        await asyncio.wait([running])

    assert 2.0 == pytest.approx(recorded.seconds, rel=0.05)
    assert 1000 == pytest.approx(frequency(recorded), rel=0.05)
    assert 0.35 == pytest.approx(loudness(recorded), rel=0.1)
    assert [""] == began
