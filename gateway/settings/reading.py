"""Reads a settings file and reports every fault in it at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from belltower.errors import SettingsError
from belltower.values import Reader
from gateway.settings.alarm import take_alarm
from gateway.settings.collisions import check_ports, check_serial_lines
from gateway.settings.desk import take_desk
from gateway.settings.machine import LogSettings, SiteSettings, StateSettings
from gateway.settings.notify import take_channels, take_notices
from gateway.settings.outputs import take_outputs
from gateway.settings.psap import take_psap
from gateway.settings.whole import Settings
from hardware.drivers.page_settings import SpeechSettings

TABLES = frozenset({"site", "state", "alarm", "psap", "desk", "notify", "outputs", "speech", "log"})
"""The tables a settings file may have."""


def load(
    file: Path, *, environ: Mapping[str, str] | None = None, secrets: bool | Collection[str] = True
) -> Settings:
    """The settings in `file`; SettingsError names every fault in it, one a line.

    `secrets=False` checks that secrets are named, without opening them; names of tables: only theirs are opened.
    """
    if not file.exists():
        raise SettingsError(
            f"{file}: there is no such file; give yours with --config, or begin with a copy of config.example.toml"
        )
    reader = Reader(file=file, environ=environ, secrets=secrets)
    tables = reader.load()
    reader.raise_if_faulty()
    reader.unknown(tables, TABLES, "")
    outputs, output_faults = take_outputs(reader, tables.get("outputs", {}))
    site = reader.take(SiteSettings, tables.get("site", {}), "site") or SiteSettings()
    state = reader.take(StateSettings, tables.get("state", {}), "state") or StateSettings()
    alarm = take_alarm(reader, tables.get("alarm", {}))
    psap = take_psap(reader, tables.get("psap", {}))
    settings = Settings(
        file=file,
        site=site,
        state=state,
        alarm=alarm,
        psap_links=psap.links,
        psap_centres=psap.centres,
        link_centres=psap.leads,
        desk=take_desk(reader, tables.get("desk", {})),
        channels=take_channels(reader, tables.get("notify", {}), psap.links),
        notices=take_notices(reader, tables.get("notify", {})),
        outputs=outputs,
        output_faults=output_faults,
        speech=reader.take(SpeechSettings, tables.get("speech", {}), "speech") or SpeechSettings(),
        log=reader.take(LogSettings, tables.get("log", {}), "log") or LogSettings(),
    )
    check_ports(reader, settings)
    check_serial_lines(reader, settings)
    reader.raise_if_faulty()
    return settings


def named_paths(file: Path) -> tuple[Path, Path] | None:
    """The site package's folder and the file of unit keys, also where a file is faulty; None: it cannot be read."""
    reader = Reader(file=file, secrets=False)
    tables = reader.load()
    if reader.faults:
        return None

    def path(table: str, key: str) -> Path | None:
        values = tables.get(table)
        value = values.get(key) if isinstance(values, dict) else None
        return file.parent / Path(value).expanduser() if isinstance(value, str) and value else None

    state = path("state", "folder") or file.parent / StateSettings().folder
    return (
        path("site", "folder") or file.parent / SiteSettings().folder,
        path("alarm", "unit_keys") or state / "units.keys",
    )
