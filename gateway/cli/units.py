"""`belltower units`: keys and what a unit signs in with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import click

from belltower.errors import NotFound, SettingsError
from belltower.ids import UnitId
from gateway.cli.output import config_option, emit, json_option, table


@click.group(short_help="Make unit keys; print what a unit signs in with.")
def command() -> None:
    """Make the file of unit keys, and print what a unit is provisioned with.

    \b
    Examples:
      belltower units keys --config config.toml
      belltower units credentials u7 --config config.toml
    """


@command.command()
@config_option
@click.option(
    "--secret",
    type=click.File("rb"),
    help="A file with the provisioning secret, - for standard input. Without it a fresh one is used and forgotten.",
)
@click.option("--renew", multiple=True, metavar="UNIT", help="Give this unit a new key; may be repeated.")
@json_option
def keys(config: Path, secret: IO[bytes] | None, renew: tuple[str, ...], *, as_json: bool) -> None:
    """Make a key for every unit of the site package that has none; keys that are there stay.

    \b
    Examples:
      belltower units keys --config config.toml
      belltower units keys --config config.toml --renew u7

    The file is the settings' alarm.unit_keys, mode 0600. A running alarm lane reads it when it starts.
    """
    from gateway import settings as rooms
    from gateway import site_package
    from hardware.codecs.unit import derive_key
    from hardware.unit_keys import read_keys, write_keys

    settings = rooms.load(config, secrets=False)
    package = site_package.load(settings.site.folder)
    path = settings.unit_keys
    have = read_keys(path) if path.exists() else {}
    unknown = [unit for unit in renew if unit not in package.units]
    if unknown:
        raise NotFound(f"the site package has no unit {', '.join(unknown)}")
    root = secret.read().strip() if secret is not None else os.urandom(32)
    if len(root) < 16:
        raise SettingsError("the provisioning secret is shorter than 16 octets; take a longer one")
    # A second derivation under the same secret would give the same key, so a renewed one is derived from chance.
    fresh = os.urandom(32)
    made = []
    for unit in package.units.values():
        if unit.id in renew or unit.number not in have:
            have[unit.number] = derive_key(fresh if unit.id in renew else root, package.id, unit.number)
            made.append(unit.id)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_keys(path, have)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written ({error.strerror})") from error
    if as_json:
        emit({"file": str(path), "made": made, "units": len(package.units)})
        return
    click.echo(f"{path}: {len(made)} keys made, {len(package.units) - len(made)} kept")


@command.command()
@click.argument("units", nargs=-1, required=True, metavar="UNIT...")
@config_option
@json_option
def credentials(units: tuple[str, ...], config: Path, *, as_json: bool) -> None:
    """Print what a unit is provisioned with: key, site tag, and how it signs in over MQTT.

    \b
    Example:
      belltower units credentials u7 u8 --config config.toml

    What is printed is secret: whoever has it can press as that unit.
    """
    from gateway import settings as rooms
    from gateway import site_package
    from hardware.codecs.unit import mqtt_password, site_tag
    from hardware.unit_keys import read_keys

    settings = rooms.load(config, secrets=False)
    package = site_package.load(settings.site.folder)
    have = read_keys(settings.unit_keys)
    for name in units:
        unit = package.units.get(UnitId(name))
        if unit is None:
            raise NotFound(f"the site package has no unit {name}")
        key = have.get(unit.number)
        if key is None:
            raise NotFound(f"{name} has no key yet; make it with: belltower units keys")
        sheet = {
            "unit": name,
            "number": unit.number,
            "key": key.hex(),
            "site_tag": site_tag(package.id).hex(),
            "mqtt_username": name,
            "mqtt_client_id": name,
            "mqtt_password": mqtt_password(key),
            "publish": f"up/{name}",
            "subscribe": f"down/{name}",
            "will": f"state/{name}",
        }
        if as_json:
            emit(sheet)
        else:
            table(name, ("", ""), list(sheet.items())[1:])
