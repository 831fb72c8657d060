"""A simulated unit on a real connection holds on to a press until it is answered."""

import asyncio
from random import Random
from typing import Self

import pytest

from belltower.errors import Rejected, Unreachable
from hardware.codecs import unit
from hardware.codecs.unit import Level, Press, site_tag
from hardware.drivers import Received
from hardware.drivers.mqtt_listener import MQTTListener
from hardware.drivers.mqtt_registry import Permissions, own_unit
from hardware.simulators.connected_unit import ConnectedUnit
from hardware.simulators.unit import Flash, SimulatedUnit
from tests.peers.waiting import PATIENCE

KEY, TAG = bytes(32), site_tag("lindenfield")


def connected(port: int) -> ConnectedUnit:
    core = SimulatedUnit(number=7, key=KEY, site_tag=TAG, flash=Flash(), random=Random(1))
    return ConnectedUnit(name="u7", unit=core, password="sesame", host="127.0.0.1", port=port)


class House:
    """A listener that answers presses, on a port that it can come back to."""

    def __init__(self, *, port: int = 0) -> None:
        self.presses = 0
        self.listener = MQTTListener(on_publish=self._received, authenticate=self._let_in, port=port)

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self.listener.run())
        await asyncio.wait_for(self.listener.ready.wait(), PATIENCE)
        return self

    async def __aexit__(self, *details: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _let_in(self, username: str, password: bytes, client_id: str) -> Permissions | None:
        return own_unit(username) if password == b"sesame" else None

    def _received(self, received: Received) -> None:
        if not received.topic.startswith("up/"):
            return
        frame = unit.open_sealed(received.payload, KEY, TAG)
        if isinstance(unit.body_of(frame), Press):
            self.presses += 1
            answer = unit.seal(unit.acknowledge(frame, Level.RECORDED), KEY, TAG)
            self.listener.publish("down/u7", answer)


async def test_a_press_made_while_the_server_is_away_is_sent_when_it_is_back() -> None:
    """The connection ends with Unreachable; the next one carries the press."""
    async with House() as house:
        port = house.listener.port
        device = connected(port)
        run = asyncio.get_running_loop().create_task(device.run())
        await asyncio.wait_for(device.connected.wait(), PATIENCE)
    with pytest.raises(Unreachable):
        await asyncio.wait_for(run, PATIENCE)
    assert not device.connected.is_set()

    device.press()
    async with House(port=port) as house:
        run = asyncio.get_running_loop().create_task(device.run())
        async with asyncio.timeout(PATIENCE):
            while device.level is not Level.RECORDED:  # noqa: ASYNC110 - no event is promised
                await asyncio.sleep(0.01)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    assert house.presses >= 1


async def test_a_server_that_refuses_the_unit_is_unreachable_and_says_why() -> None:
    """A wrong password is the usual reason."""
    async with House() as house:
        device = connected(house.listener.port)
        device._password = "wrong"
        with pytest.raises(Rejected, match="is its key the one the lane has"):
            await device.run()


async def test_no_server_at_all_is_unreachable() -> None:
    """The address is named."""
    with pytest.raises(Unreachable, match=r"no MQTT server answers at 127\.0\.0\.1:1"):
        await connected(1).run()
