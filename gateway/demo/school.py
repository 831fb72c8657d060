"""The demo's school as its files tell it: site package, keys, settings."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from gateway.carrier.records import ACCOUNT, TOKEN
from gateway.county.keys import write_key
from gateway.demo.wires import Ports
from gateway.site_package import SitePackage
from hardware.codecs.unit import derive_key
from hardware.unit_keys import write_keys

SITE = Path(__file__).parents[2] / "examples" / "site"
"""The synthetic school that comes with the source."""

DEVICES = SITE.parent / "devices.toml"
"""Devices of other makes that hang in it, for the demo."""

CAD_PATH = "/IncidentData/Ent"
"""Where the county's dispatch system finds us."""


def with_devices(site: Path, folder: Path) -> Path:
    """A copy of our own site package with the demo's devices beside its own; another package as it is."""
    if site != SITE:
        return site
    shutil.copytree(site, folder, dirs_exist_ok=True)
    with (folder / DEVICES.name).open("a", encoding="utf-8") as file:
        file.write("\n" + DEVICES.read_text(encoding="utf-8"))
    return folder


def make_keys(folder: Path, package: SitePackage) -> None:
    """Keys of the demo, as a school would have them."""
    root = os.urandom(32)
    keys = {unit.number: derive_key(root, package.id, unit.number) for unit in package.units.values()}
    write_keys(folder / "units.keys", keys)
    key = folder / "county.key"
    key.unlink(missing_ok=True)
    write_key(key)
    token = folder / "carrier.token"
    token.touch(mode=0o600)
    token.write_text(TOKEN + "\n", encoding="utf-8")


def write_settings(
    folder: Path, site: Path, *, line: str, roads: dict[str, str], carrier: dict[str, Any], ports: Ports
) -> Path:
    """Settings of the demo, as a school would have them; the file."""
    file = folder / "config.toml"
    file.write_text(
        f"""# Written by the demo at each start.
[site]
folder = {json.dumps(str(site.resolve()))}

[state]
folder = {json.dumps(str(folder))}

[alarm]
unit_keys = "units.keys"

[alarm.mqtt_listener]
port = {ports.mqtt}

# Stands for a broker and its bridges: the path of a request is the topic.
[alarm.devices.building]
kind = "webhook"
port = {ports.hook}

[psap.links.county-radio]
kind = "kiss"
url = "serial://{line}"
from = "SCHOOL-1"
to = "PSAP"
key = {{ file = "county.key" }}

[psap.links.county-sip]
kind = "sip"
targets = ["tcp://{roads["sip"]}"]
from = "sip:school@school.example"

[psap.links.county-cad]
kind = "eido"
port = {ports.cad}
path = "{CAD_PATH}"
subscribe_url = "{roads["eido"]}"
element = "belltower.school.example"

[psap.links.station]
kind = "dc09"
receivers = ["tcp://{roads["dc09"]}"]
account = "1234"

[desk.web]
port = {ports.live}

[notify]
test_to = {{ sms = "+15550100199", email = "it@school.example" }}
rehearsal = true

[notify.channels.text]
kind = "twilio"
account = "{ACCOUNT}"
token = {{ file = "carrier.token" }}
from = "+15550100"
base_url = "{carrier["url"]}"
callback_url = "http://127.0.0.1:{ports.live}"
rate = 25.0

[notify.channels.mail]
kind = "smtp"
host = "127.0.0.1"
port = {carrier["smtp_port"]}
security = "none"
from = "alerts@school.example"

[notify.channels.screens]
kind = "console"
""",
        encoding="utf-8",
    )
    return file
