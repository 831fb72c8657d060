"""Devices behind a network server, told over a real broker; The Things Stack's knows MQTT 3.1.1 only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from belltower.errors import LinkError, Rejected
from gateway.intake.devices.settings import MQTTDeviceSettings
from gateway.outputs.rules import Does
from gateway.outputs.switch_settings import DeviceSettings
from gateway.switch_wires import device_output
from hardware.drivers import Received
from hardware.drivers.device_switch import DeviceLine, DeviceSwitch
from hardware.drivers.mqtt_broker import BrokerIntake
from hardware.drivers.switch import Ask, Reached
from tests.peers.old_broker import old_broker
from tests.peers.told_device import DOES, MODELS, ToldDevice, site
from tests.peers.waiting import PATIENCE
from tests.servers.mosquitto import Mosquitto

REQUEST = "0123456789abcdef"


@pytest.fixture
async def broker(tmp_path) -> AsyncIterator[Mosquitto]:
    async with Mosquitto(tmp_path, "listener PORT 127.0.0.1\nallow_anonymous true\n") as running:
        yield running


@asynccontextmanager
async def joined(intake: BrokerIntake) -> AsyncIterator[BrokerIntake]:
    """It is at the broker, by as many tries as that takes."""

    async def run() -> None:
        while True:
            try:
                await intake.run()
            except LinkError:
                await asyncio.sleep(0.01)

    task = asyncio.get_running_loop().create_task(run())
    try:
        async with asyncio.timeout(PATIENCE):
            await intake.connected.wait()
        yield intake
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def told(model: str, broker: Mosquitto) -> AsyncIterator[tuple[DeviceSwitch, ToldDevice]]:
    """A siren of this model behind its network server, and the switch that tells it."""
    url = f"mqtt://127.0.0.1:{broker.port}"
    async with AsyncExitStack() as stack:
        if model == "tts":
            door = await stack.enter_async_context(old_broker(broker.port))
            url = f"mqtt://127.0.0.1:{door.port}"
        settings = DeviceSettings(does=Does(DOES[model]), device=model, values=dict(MODELS[model][3]))
        made = device_output(settings, site(model), {"hall": MQTTDeviceSettings(url=url)})
        line = DeviceLine(reply="belltower/us")
        topics = {
            topic for on in (True, False) for topic in made.told.topics(Ask(on=on, request="+"), line.reply)
        }

        def take(received: Received) -> None:
            line.heard(received)

        ours = BrokerIntake(
            url=url,
            on_publish=take,
            client_id="us",
            topics=tuple(sorted(topics)),
        )
        line.attach(ours.deliver)
        server: list[BrokerIntake] = []

        def say(topic: str, payload: bytes) -> None:
            server[0].publish(topic, payload, qos=0)  # The Things Stack knows no other

        device = ToldDevice(model, say)

        def hear(received: Received) -> None:
            device.hear(received.topic, received.payload)

        there = BrokerIntake(
            url=f"mqtt://127.0.0.1:{broker.port}", on_publish=hear, client_id="server", topics=(device.topic,)
        )
        server.append(there)
        await stack.enter_async_context(joined(there))
        await stack.enter_async_context(joined(ours))
        yield DeviceSwitch(told=made.told, line=line), device


@pytest.mark.parametrize("model", ["tts", "chirpstack"])
async def test_an_order_is_queued_sent_and_done_by_the_devices_own_word(
    model: str, broker: Mosquitto
) -> None:
    """Each step is told as what it is, and no more."""
    async with told(model, broker) as (switch, device):
        reached: list[Reached] = []
        async with asyncio.timeout(PATIENCE):
            await switch.switch(Ask(on=True, request=REQUEST), reached.append)

        assert [Reached.QUEUED, Reached.SENT, Reached.DEVICE] == reached
        assert device.on is True


async def test_a_device_behind_the_things_stack_that_says_no_is_no_success(broker: Mosquitto) -> None:
    """Though the server had sent it."""
    async with told("tts", broker) as (switch, device):
        device.how = "refusing"
        reached: list[Reached] = []
        with pytest.raises(Rejected):
            async with asyncio.timeout(PATIENCE):
                await switch.switch(Ask(on=True, request=REQUEST), reached.append)
        assert Reached.DEVICE not in reached


@pytest.mark.parametrize("polite", [True, False])
async def test_a_broker_that_knows_no_version_5_is_asked_in_3_1_1(polite: bool, broker: Mosquitto) -> None:
    """Whether it says so or hangs up; what it kept while we were away comes in, and an order is acknowledged."""
    heard: asyncio.Queue[Received] = asyncio.Queue()
    async with old_broker(broker.port, polite=polite) as door:

        def ours() -> BrokerIntake:
            return BrokerIntake(
                url=f"mqtt://127.0.0.1:{door.port}",
                on_publish=heard.put_nowait,
                client_id="us",
                topics=("up/+",),
            )

        there = BrokerIntake(
            url=f"mqtt://127.0.0.1:{broker.port}",
            on_publish=lambda _: None,
            client_id="there",
            topics=("down/+",),
        )
        async with joined(there):
            async with joined(ours()) as first:
                await first.deliver("up/a", b"1")
                assert b"1" == (await asyncio.wait_for(heard.get(), PATIENCE)).payload
            there.publish("up/a", b"2", qos=1)
            async with joined(ours()):
                assert b"2" == (await asyncio.wait_for(heard.get(), PATIENCE)).payload
    assert ([5, 4] if polite else [5, 5, 4]) * 2 == door.levels
