"""Alarm panels on the running alarm lane: from a report on the wire to an open incident, and the answer after it."""

import asyncio

from belltower.clock import SECOND, Instant, SystemClock
from hardware.codecs import dc09
from hardware.codecs.dc09 import Content, Decoder, Frame, Kind
from hardware.codecs.dc09_crypto import open_sealed, random_pad, seal
from tests.gateway.cli.house import belltower, house
from tests.gateway.lane import alarm_lane
from tests.peers.waiting import PATIENCE
from tests.servers.ports import free_port

KEY = "ABCDEF0123456789"
PANELS = """
[alarm.panels.main]
port = {port}
[alarm.panels.main.accounts.1234]
key = {{ env = "PANEL_KEY" }}
zones = {{ "13" = "a-101", "14" = "nowhere" }}
"""


async def test_a_panels_panic_opens_an_incident(tmp_path):
    """Sealed, acknowledged, once; a zone of no place is said in the status, and troubles are."""
    config = house(tmp_path, port=free_port())
    port = free_port()
    config.write_text(config.read_text(encoding="utf-8") + PANELS.format(port=port), encoding="utf-8")
    assert 0 == belltower("units", "keys", "--config", config).returncode

    async with alarm_lane(config, PANEL_KEY=KEY) as lane:
        status = await lane.says(lambda status: status.lane)
        assert any("no place nowhere" in fault for fault in status.faults)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for sequence, event in ((1, "NPA13"), (1, "NPA13"), (2, "NYT0")):
            writer.write(report(sequence, event))
            (answer,) = Decoder().feed(await asyncio.wait_for(reader.readuntil(b"\r"), PATIENCE))
            assert (Kind.ACK, sequence) == (answer.kind, answer.sequence)
            assert open_sealed(answer, KEY.encode()).content.stamp
        writer.close()
        status = await lane.says(lambda status: status.open_incidents)

    assert (1, 1) == (status.open_incidents, status.counts["panel_panic"])
    assert "panel-main reports YT 0" in status.faults


def report(sequence, event):
    """Sealed, and in time."""
    stamp = Instant(SystemClock().now() // SECOND * SECOND)
    frame = Frame(
        kind=Kind.SIA,
        sequence=sequence,
        account="1234",
        content=Content(data=f"#1234|{event}", stamp=stamp),
    )
    return dc09.encode(seal(frame, KEY.encode(), random_pad(bytes)))
