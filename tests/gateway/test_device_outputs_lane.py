"""Devices told by the running alarm lane through a real mosquitto with the access rules that we print."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from belltower.errors import WrongState
from belltower.ids import VerbId
from belltower.tasks import Crew
from gateway import site_package
from gateway.broker_config import BrokerPlan, render_acl, render_config
from gateway.broker_users import broker_users
from gateway.control import Batch, ControlClient
from hardware.drivers.mqtt_broker import BrokerIntake
from tests.gateway.cli.house import belltower, house
from tests.gateway.lane import alarm_lane
from tests.peers.told_device import ToldDevice
from tests.peers.waiting import PATIENCE, until
from tests.servers.mosquitto import Mosquitto, make_passwords
from tests.servers.ports import free_port

DEVICES = """
[[device]]
id = "sos-1"
profile = "zigbee2mqtt"
address = "hall sos"
place = "a-101"

[[device]]
id = "siren"
profile = "zigbee2mqtt"
address = "gym siren"

[[device]]
id = "shellyplus1-aa"
profile = "shelly-gen2-input"
address = "shellyplus1-aa"
"""
SETTINGS = """
[alarm.devices.hall]
kind = "mqtt"
url = "mqtt://127.0.0.1:{port}"
username = "belltower-devices"
password = {{ env = "DEVICES" }}

[outputs.siren-gym]
kind = "device"
does = "siren"
device = "siren"

[outputs.doors]
kind = "device"
does = "relay"
device = "shellyplus1-aa"
values = {{ channel = 1 }}
within = "30s"

[outputs.ghost]
kind = "device"
does = "relay"
device = "nobody"

[outputs.sign]
kind = "http-notice"
does = "sign"
url = "http://127.0.0.1:1"
key = {{ file = "nowhere.key" }}
"""
RESPONSE = '\noutputs = ["siren-gym", "doors", "ghost", "sign"]\n'


class Devices:
    """A Zigbee bridge and a relay at a broker, each with a user of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.clients: dict[str, BrokerIntake] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.siren = ToldDevice("zigbee2mqtt", self.say_as("zigbee2mqtt"))
        self.relay = ToldDevice("shelly-gen2", self.say_as("shellyplus1-aa"))

    def say_as(self, user):
        return lambda topic, payload: self.clients[user].publish(topic, payload, qos=1)

    def leave(self) -> None:
        """Go."""
        for task in self._tasks:
            task.cancel()

    async def join(self, crew: Crew, user: str, device: ToldDevice) -> None:
        def hear(received) -> None:
            device.hear(received.topic, received.payload)

        client = self.clients[user] = BrokerIntake(
            url=f"mqtt://127.0.0.1:{self._port}",
            on_publish=hear,
            username=user,
            password=user,
            client_id=user,
            topics=(device.topic,),
        )
        self._tasks.append(crew.mendable(user, client.run))
        async with asyncio.timeout(PATIENCE):
            await client.connected.wait()


async def became_of(socket: Path, count: int) -> dict[str, str]:
    """What became of the orders to so many outputs."""
    found: dict[str, str] = {}
    async with asyncio.timeout(PATIENCE):
        async for said in ControlClient(path=socket).follow(0):
            for entry in said.entries if isinstance(said, Batch) else ():
                if entry.tag in ("output.receipt", "output.failed"):
                    fact = json.loads(entry.body)
                    confirmed = ", confirmed" if fact.get("confirmed") else ""
                    word = entry.tag.removeprefix("output.")
                    found[fact["output"]] = f"{word}: {fact.get('level', 'usual')}{confirmed}"
            if len(found) >= count:
                break
    return found


async def test_a_press_sounds_the_siren_and_shuts_the_doors(tmp_path) -> None:
    """Each with its own receipt; one that is nowhere and one without its key stop nothing, and are named."""
    (tmp_path / "broker").mkdir()
    config = house(tmp_path, port=free_port())
    site = tmp_path / "site"
    (site / "devices.toml").write_text(DEVICES, encoding="utf-8")
    response = site / "response.toml"
    text = response.read_text(encoding="utf-8")
    response.write_text(text.replace("[panic]\n", "[panic]" + RESPONSE), encoding="utf-8")
    assert 0 == belltower("units", "keys", "--config", config).returncode
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(ruled_broker(tmp_path / "broker", site))
        config.write_text(
            config.read_text(encoding="utf-8") + SETTINGS.format(port=broker.port), encoding="utf-8"
        )
        crew = await stack.enter_async_context(Crew(backoff=(0.05, 0.1)))
        devices = Devices(broker.port)
        await devices.join(crew, "zigbee2mqtt", devices.siren)
        await devices.join(crew, "shellyplus1-aa", devices.relay)
        lane = await stack.enter_async_context(alarm_lane(config, DEVICES="belltower-devices"))
        await until(lambda: (devices.siren.on, devices.relay.on) == (False, False))  # at rest
        status = await lane.says(lambda status: len(status.faults) == 2)
        ghost, sign = status.faults
        assert ghost.startswith("outputs.ghost: device: devices.toml has no device")
        assert sign.startswith("outputs.sign: key.file: ")

        def test(name):
            return belltower("outputs", "test", name, "--config", config)

        loop = asyncio.get_running_loop()
        proven = await loop.run_in_executor(None, test, "doors")
        assert "doors: confirmed by the device" in proven.stdout, proven.stderr
        devices.clients["zigbee2mqtt"].publish("zigbee2mqtt/hall sos", b'{"action":"emergency"}', qos=1)
        await until(lambda: (devices.siren.on, devices.relay.on) == (True, True))
        socket = tmp_path / "var" / "control.sock"
        assert {
            "doors": "receipt: device, confirmed",
            "siren-gym": "receipt: sent",
            "ghost": "failed: queued",
            "sign": "failed: queued",
        } == await became_of(socket, 4)
        client = ControlClient(path=socket)
        with pytest.raises(WrongState, match="an incident is open"):
            await client.ask("test_output", VerbId("vrb_1"), output="doors")
        shown = json.loads(await client.ask("devices", VerbId("vrb_2")))["outputs"]
        assert ["ghost", "sign", "doors", "siren-gym"] == [each["name"] for each in shown]
        assert [True, True, False, False] == ["fault" in each for each in shown]
        devices.leave()


def ruled_broker(folder: Path, site: Path) -> Mosquitto:
    """A mosquitto that enforces the rules printed for this site."""
    users = broker_users(site_package.load(site).foreign)
    plan = BrokerPlan(
        folder=folder, data=folder, bind="127.0.0.1", port=1, users=users, certificate=None, private_key=None
    )
    names = ["belltower", "belltower-devices", *(user.name for user in users.publishers)]
    make_passwords(folder / "passwords", {name: name for name in names})
    (folder / "acl").write_text(render_acl(plan))
    (folder / "acl").chmod(0o600)
    return Mosquitto(folder, render_config(plan).replace("listener 1 ", "listener PORT "))
