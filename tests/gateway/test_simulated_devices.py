"""`belltower simulate` for devices of other makes: a script on the real lane, behind a real broker and by a webhook."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import aiohttp
import pytest

from belltower.errors import BelltowerError
from belltower.tasks import Crew
from gateway.cli.device_ways import WireOptions
from gateway.cli.played import play
from gateway.cli.simulated_devices import CastOptions, run_devices
from hardware.drivers import Received
from hardware.drivers.serial_lines import SerialLines
from hardware.drivers.sources import Sources
from hardware.drivers.tcp_json import TCPJSON
from hardware.transports import open_transport
from tests.gateway.cli.house import ENVIRONMENT, belltower, house
from tests.gateway.lane import alarm_lane
from tests.peers.waiting import PATIENCE
from tests.servers.mosquitto import Mosquitto
from tests.servers.ports import free_port

DEVICES = """
[[device]]
id = "sos-lora"
profile = "milesight-ws101"
bearer = "chirpstack"
address = "24e124136b000001"
place = "a-101"

[[device]]
id = "sos-zigbee"
profile = "zigbee2mqtt"
address = "Hall B/front desk"
place = "a-101"

[[device]]
id = "sos-shelly"
profile = "shelly-gen2-input"
address = "shellyplus1-a8032abc7158"
place = "a-101"

[[device]]
id = "talkback"
profile = "cyberdata"
address = "0020f7a1b2c3"
place = "a-101"
"""
WAYS = """
[alarm.devices.hall]
kind = "mqtt"
url = "mqtt://127.0.0.1:{broker}"

[alarm.devices.hooks]
kind = "webhook"
port = {hooks}
key = {{ env = "HOOK_KEY" }}
profiles = ["cyberdata"]
"""
SCRIPT = """
0s      *           heartbeat
50ms    sos-lora    press       duplicates 2    # three gateways heard it
+50ms   sos-zigbee  battery 12  times 2 apart 10ms
+50ms   sos-shelly  noise
+50ms   1           silent
+50ms   1           press                       # nobody hears this one
+50ms   2..3        press
+50ms   2           offline
"""
KEY = "a key of the hooks"
THREE = [
    word for name in ("milesight-ws101", "zigbee2mqtt", "shelly-gen2-input") for word in ("--profile", name)
]


async def test_a_script_plays_on_the_real_lane(tmp_path: Path, monkeypatch, capsys) -> None:
    """Presses alarm once each, noise is trouble, a low battery and a lost device are known; recorded ones follow."""
    monkeypatch.setitem(ENVIRONMENT, "HOOK_KEY", KEY)
    monkeypatch.setenv("HOOK_KEY", KEY)
    monkeypatch.setenv("COUNTY_KEY", ENVIRONMENT["COUNTY_KEY"])
    hooks = free_port()
    config = house(tmp_path, port=free_port())
    (tmp_path / "broker").mkdir()
    (tmp_path / "site" / "devices.toml").write_text(DEVICES, encoding="utf-8")
    script = tmp_path / "rehearsal.txt"
    script.write_text(SCRIPT, encoding="utf-8")
    assert 0 == belltower("units", "keys", "--config", config).returncode
    broker = Mosquitto(tmp_path / "broker", "listener PORT 127.0.0.1\nallow_anonymous true\n")
    async with broker:
        ways = WAYS.format(broker=broker.port, hooks=hooks)
        config.write_text(config.read_text(encoding="utf-8") + ways, encoding="utf-8")
        async with alarm_lane(config) as lane:
            await lane.says(lambda status: status.devices == 4 and not status.links_lost.get("devices-hall"))
            told = await simulate("units", *THREE, "--script", script, "--config", config)
            assert told[0] == {"devices": 3, "to": f"mqtt://127.0.0.1:{broker.port}"}
            assert (10, 12) == (told[-1]["said"], told[-1]["sent"])
            status = await lane.says(lambda status: status.counts.get("device_presses") == 3)
            assert 2 == status.counts["device_repeated"]
            await lane.says(lambda status: "sos-zigbee" in status.devices_lost)
            assert {"trouble_low_battery", "trouble_not_understood"} <= set(status.counts)
            again = [json.dumps(line) for line in recorded()]
            (tmp_path / "again.jsonl").write_text("\n".join(again), encoding="utf-8")
            capsys.readouterr()
            again_file = tmp_path / "again.jsonl"
            wire = WireOptions(config=config, duplicates=1)
            await play(again_file, wire, bearer="", address="", every=0.1, speed=0, only="r")
            told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
            assert [{"goes down to a device": 1}, 2] == [told[0]["left_out"], told[1]["sent"]]
            await lane.says(lambda status: status.counts["device_presses"] == 4)
            async with Crew() as crew:
                acting = crew.once(
                    "door", run_devices(CastOptions(profiles=("cyberdata",)), WireOptions(config=config))
                )
                await by_the_door(capsys)
                acting.cancel()
            status = await lane.says(lambda status: status.counts["device_presses"] == 5)
            assert 1 == status.open_incidents


def recorded() -> list[dict[str, object]]:
    """A press as a file has it, and an order."""
    return [
        {"id": "r1", "topic": "zigbee2mqtt/Hall B/front desk", "payload": {"action": "hold"}},
        {"id": "r2", "topic": "zigbee2mqtt/siren/set", "payload": "{}", "direction": "downlink"},
    ]


async def simulate(*words: object) -> list[dict[str, object]]:
    """Run it to its end; the lines it prints."""
    ran = await asyncio.to_thread(belltower, "simulate", *words)
    assert 0 == ran.returncode, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


async def by_the_door(capsys: pytest.CaptureFixture[str]) -> None:
    """A call station that is asked over HTTP, and signs what it sends to the lane's webhook."""
    async with asyncio.timeout(PATIENCE):
        while not (said := capsys.readouterr().out):  # noqa: ASYNC110 - it prints, and tells nobody else
            await asyncio.sleep(0.02)
    api = json.loads(said)["api"]
    async with aiohttp.ClientSession() as client:
        async with client.get(f"{api}/devices") as answer:
            assert ["talkback"] == [each["device"] for each in await answer.json()]
        for device, what, status in (
            ("talkback", "press", 202),
            ("talkback", "fire", 400),
            ("talkback", "squeeze", 400),
            ("talkback", "battery?percent=x", 400),
            ("gone", "press", 404),
        ):
            async with client.post(f"{api}/devices/{device}/{what}") as answer:
                assert status == answer.status, await answer.text()


@pytest.mark.parametrize(
    ("profile", "to", "script", "mend"),
    [
        ("netvox-r313", "lines:127.0.0.1:0", None, 'did you mean "netvox-r312"'),
        ("netvox-r312", "lines:127.0.0.1:0", "1s 7 press", "bad.txt: line 1: there is no device"),
        ("netvox-r312", "lines:127.0.0.1:0", "1s * fire", "bad.txt: line 1: no example of netvox-r312"),
        ("netvox-r312", "ftp://x", None, "mqtt://HOST:PORT"),
        ("netvox-r312", "mqtt://127.0.0.1:1", None, "no MQTT broker answers at 127.0.0.1:1"),
        ("netvox-r312", "", None, "none.toml"),
    ],
)
async def test_what_cannot_be_simulated_says_how_to_mend_it(
    tmp_path: Path, profile: str, to: str, script: str | None, mend: str
) -> None:
    """Profile, script, way; each before anything is sent."""
    file = tmp_path / "bad.txt"
    file.write_text(script or "", encoding="utf-8")
    cast = CastOptions(profiles=(profile,), script=file if script else None)
    with pytest.raises(BelltowerError, match=re.escape(mend)):
        await run_devices(cast, WireOptions(config=tmp_path / "none.toml", to=to))


async def test_lines_and_objects_reach_whoever_opens_the_line(tmp_path: Path) -> None:
    """A serial line by a path and by a port, and JSON in a connection; as the drivers of the lane read them."""
    heard: list[bytes] = []
    path = tmp_path / "line"
    script = tmp_path / "s.txt"
    script.write_text("200ms * press\n", encoding="utf-8")
    cast = CastOptions(profiles=("alarmdecoder-ad2",), script=script)

    def keep(received: Received) -> None:
        heard.append(received.payload)

    line = SerialLines(name="ad2", open_transport=lambda: open_transport(f"serial://{path}"), on_line=keep)
    objects = TCPJSON(on_message=keep, host="127.0.0.1", port=0, sources=Sources(("127.0.0.1",)))
    async with Crew() as crew:
        acting = crew.once(
            "act", run_devices(cast, WireOptions(config=tmp_path / "none.toml", to=f"lines:{path}"))
        )
        while not path.is_symlink():  # noqa: ASYNC110 - the other end makes it
            await asyncio.sleep(0.01)
        reading = [crew.once("line", line.run()), crew.once("objects", objects.run())]
        await asyncio.gather(acting, objects.ready.wait())
        assert [b"!LRR:"] == [each[:5] for each in heard]
        halo = CastOptions(profiles=("halo",), script=script)
        script.write_text("0s * aux_alarm\n", encoding="utf-8")
        await run_devices(
            halo, WireOptions(config=tmp_path / "none.toml", to=f"tcp://127.0.0.1:{objects.port}")
        )
        async with asyncio.timeout(PATIENCE):
            while len(heard) < 2:  # noqa: ASYNC110 - a driver that tells nobody
                await asyncio.sleep(0.01)
        for task in reading:
            task.cancel()
    assert heard[1].startswith(b"{")
