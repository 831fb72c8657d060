"""Foreign devices on the running alarm lane behind a real broker, and killed in the middle."""

from __future__ import annotations

import json
import shutil

import aiohttp

from tests.gateway.cli.house import belltower, house
from tests.gateway.intake.devices.bench import PROFILES
from tests.gateway.lane import alarm_lane
from tests.servers.mosquitto import Mosquitto, run
from tests.servers.ports import free_port

DEVICES = """
[[device]]
id = "sos-1"
profile = "z-button"
address = "hall"
place = "a-101"
heartbeat = "1h"

[[device]]
id = "sos-2"
profile = "z-button"
address = "gym"
place = "a-101"
"""
WAYS = """
[alarm.devices.hall]
kind = "mqtt"
url = "mqtt://127.0.0.1:{broker}"

[alarm.devices.hooks]
kind = "webhook"
port = {hooks}
profiles = ["z-button"]

[alarm.devices.home]
kind = "home-assistant"
url = "mqtt://127.0.0.1:{broker}"
"""


async def test_a_press_behind_a_broker_and_by_a_webhook_survives_a_kill(tmp_path) -> None:
    """What was published while the lane was dead alarms when it is back; what was acknowledged is not lost, nor doubled."""
    hooks = free_port()
    (tmp_path / "broker").mkdir()
    config = house(tmp_path, port=free_port())
    site = tmp_path / "site"
    (site / "profiles").mkdir()
    shutil.copy(PROFILES / "z-button.toml", site / "profiles")
    (site / "devices.toml").write_text(DEVICES, encoding="utf-8")
    assert 0 == belltower("units", "keys", "--config", config).returncode

    async def publish(battery: int, *more: str) -> None:
        said = json.dumps({"action": "emergency", "battery": battery})
        how = ("-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-t", "z/hall", "-m", said)
        code, output = await run("mosquitto_pub", *how, *more)
        assert 0 == code, output

    broker = Mosquitto(tmp_path / "broker", "listener PORT 127.0.0.1\nallow_anonymous true\n")
    async with broker:
        ways = WAYS.format(broker=broker.port, hooks=hooks)
        config.write_text(config.read_text(encoding="utf-8") + ways, encoding="utf-8")
        await publish(50, "-r")  # kept by the broker: no press
        async with alarm_lane(config) as lane:
            await lane.says(lambda status: status.counts.get("trouble_found_active"))
            await publish(60)
            status = await lane.says(lambda status: status.counts.get("device_presses"))
            assert (1, 2) == (status.open_incidents, status.devices)
            lane.process.kill()
            await lane.process.wait()
        await publish(70)
        async with alarm_lane(config) as lane:
            status = await lane.says(lambda status: status.counts.get("device_presses"))
            assert (1, 1) == (status.open_incidents, status.counts["device_presses"])
            await hook(hooks, {"action": "emergency", "battery": 80})
            status = await lane.says(lambda status: status.counts["device_presses"] == 2)
            await hook(hooks, {"action": "", "battery": 80})
            told = belltower("devices", "--config", config, "--all", "--json")
            devices = {each["id"]: each for each in json.loads(told.stdout)["devices"]}
            others = json.loads(told.stdout)["others"]
            ways = {each["id"] for each in others if each["kind"] == "path"}
            assert {"mqtt", "devices-hall", "devices-hooks"} == ways  # and not where they are shown
            assert (80, "a-101", "devices-hooks") == tuple(
                devices["sos-2"][key] for key in ("battery", "place", "path")
            )
            assert 0 == told.returncode, told.stderr
            walk = belltower("devices", "walk-test", "--by", "p01", "--config", config)
            assert 77 == walk.returncode
            assert "begin a drill first" in walk.stderr


async def hook(port: int, said: dict[str, object]) -> None:
    """Call the URL as a device would; it is answered once it is written down."""
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"http://127.0.0.1:{port}/z/gym", json=said) as answer,
    ):
        assert 200 == answer.status
