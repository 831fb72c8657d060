"""A house for command line tests: the example site, settings, and commands run as a person would."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

from hardware.codecs import unit
from hardware.codecs.unit import Level, Press, mqtt_password, site_tag
from hardware.drivers import Received
from hardware.drivers.mqtt_listener import MQTTListener
from hardware.drivers.mqtt_registry import Permissions, own_unit
from hardware.unit_keys import read_keys
from tests.peers.waiting import PATIENCE
from tests.servers import forked

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "gateway.cli"]
ENVIRONMENT = {**os.environ, "COUNTY_KEY": "0f" * 32, "COLUMNS": "120"}


def house(folder: Path, *, port: int = 1883) -> Path:
    """Settings and the example site in `folder`; returns the settings file."""
    shutil.copytree(ROOT / "examples" / "site", folder / "site")
    config = folder / "config.toml"
    config.write_text(
        f"""
[alarm.mqtt_listener]
port = {port}
[psap.links.county]
kind = "kiss"
url = "tcp://127.0.0.1:8001"
from = "SCHOOL-1"
to = "COUNTY"
key = {{ env = "COUNTY_KEY" }}
""",
        encoding="utf-8",
    )
    return config


def belltower(*words: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return forked.run("gateway.cli", *words, env=ENVIRONMENT, timeout=PATIENCE)


class Lane:
    """Stands where the alarm lane's intake stands: a real listener that acknowledges presses, level by level."""

    def __init__(self, *, config: Path, levels: tuple[Level, ...], port: int = 0) -> None:
        self._levels = levels
        self._tag = site_tag("lindenfield")
        self._keys = read_keys(config.parent / "var" / "units.keys")
        self.presses: list[str] = []
        self.heartbeats: list[str] = []
        self.listener = MQTTListener(on_publish=self._received, authenticate=self._let_in, port=port)

    def _let_in(self, username: str, password: bytes, client_id: str) -> Permissions | None:
        key = self._keys.get(int(username[1:]))
        known = key is not None and username == client_id and password == mqtt_password(key).encode()
        return own_unit(username) if known else None

    def _received(self, received: Received) -> None:
        if not received.topic.startswith("up/"):
            return
        name = received.topic.removeprefix("up/")
        frame = unit.open_sealed(received.payload, self._keys[int(name[1:])], self._tag)
        if not isinstance(unit.body_of(frame), Press):
            self.heartbeats.append(name)
            return
        self.presses.append(name)
        loop = asyncio.get_running_loop()
        for turn, level in enumerate(self._levels):
            answer = unit.seal(unit.acknowledge(frame, level), self._keys[frame.number], self._tag)
            loop.call_later(0.05 * turn, self._answer, name, answer)

    def _answer(self, name: str, answer: bytes) -> None:
        self.listener.publish(f"down/{name}", answer)
