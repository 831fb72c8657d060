"""A call over the air: two real direwolf modems, the house on one and the county on the other."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from belltower.clock import SystemClock
from belltower.incident.facts import (
    CallReceipt,
    CallSent,
    CallUnanswered,
    LinkRestored,
    ReceiptLevel,
    TelecommunicatorAcknowledged,
)
from gateway.psap.kiss_link import Channel
from hardware.transports import open_transport
from tests.gateway.psap.house import House, joined, order
from tests.peers.waiting import until
from tests.servers.binaries import require
from tests.servers.direwolf import Direwolves, KeyWatch, keyed_radios, radios

__all__ = ["keyed_radios", "radios"]


class Air:
    """The school's line to its modem, and the county's to its own."""

    def __init__(self, near: str, far: str) -> None:
        self.near = open_transport(near)
        self.far = open_transport(far)


@pytest.fixture
def serial_modem(radios: Direwolves, tmp_path: Path) -> Iterator[Path]:
    """The school's modem at the end of a pseudo-terminal."""
    line = tmp_path / "tnc"
    socat = subprocess.Popen(
        [require("socat"), "-d", "-d", f"pty,raw,echo=0,link={line}", f"tcp:127.0.0.1:{radios.school}"],
        stderr=subprocess.PIPE,
    )
    try:
        assert socat.stderr is not None
        assert any(b"starting data transfer loop" in said for said in socat.stderr)
        yield line
    finally:
        socat.kill()
        socat.communicate()


async def story(near: str, far: str) -> None:
    """Heartbeat, call, receipt, summary, person."""
    house = House(counties=("radio",), cables={"radio": Air(near, far)}, channel=Channel(rate=1200))
    house.clock = house.ids._clock = SystemClock()
    async with house:
        await house.facts_until(LinkRestored, 1)
        await house.give(order(1), joined(2), joined(3))

        (sent,) = await house.facts_until(CallSent, 1)
        (receipt,) = await house.facts_until(CallReceipt, 1)
        assert (sent.frame, ReceiptLevel.SYSTEM) == (receipt.frame, receipt.level)

        house.peers["radio"].acknowledge(1, "T12")
        (person,) = await house.facts_until(TelecommunicatorAcknowledged, 1)
        assert "T12" == person.by
        receipts = await house.facts_until(CallReceipt, 2)
        assert [((1, 1),), ((2, 3),)] == [each.covers for each in receipts]
        await until(lambda: house.county.calls[1].told)
        assert ((1, 3),) == house.county.calls[1].presses
        assert [] == await house.facts(CallUnanswered)


async def test_a_call_over_tcp_modems(radios: Direwolves) -> None:
    """KISS over TCP at both ends."""
    await story(f"tcp://127.0.0.1:{radios.school}", f"tcp://127.0.0.1:{radios.psap}")


async def test_a_call_over_a_serial_modem(radios: Direwolves, serial_modem: Path) -> None:
    """The school's modem stands behind a serial line."""
    await story(f"serial://{serial_modem}", f"tcp://127.0.0.1:{radios.psap}")


async def test_an_outsider_sees_the_key_go_down_and_up_around_each_frame(keyed_radios: Direwolves) -> None:
    """Hamlib's rigctld keys the school's transmitter: 0, 1, 0 for a call, and what was keyed is what was heard."""
    house = House(
        counties=("radio",),
        cables={
            "radio": Air(f"tcp://127.0.0.1:{keyed_radios.school}", f"tcp://127.0.0.1:{keyed_radios.psap}")
        },
        channel=Channel(rate=1200),
    )
    house.clock = house.ids._clock = SystemClock()
    assert keyed_radios.rig is not None
    with KeyWatch(keyed_radios.rig) as key:
        async with house:
            await house.facts_until(LinkRestored, 1)
            await until(lambda: key.states()[-1:] == [False] and len(key.states()) >= 3)
            before = len(key.states())
            await house.give(order(1))
            (receipt,) = await house.facts_until(CallReceipt, 1)
            await until(lambda: key.states()[before:] == [True, False])

    assert ReceiptLevel.SYSTEM == receipt.level
    down, up = (at for at, _ in key.changes[before : before + 2])
    assert 0.5 <= up - down <= 3.0
