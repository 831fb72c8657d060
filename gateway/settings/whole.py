"""Everything a settings file says, and what follows from it."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from msgspec import Struct

from belltower.ids import LinkName, PlaceId
from gateway.psap.dc09_settings import DC09LinkSettings
from gateway.settings.alarm import AlarmSettings
from gateway.settings.desk import DeskSettings
from gateway.settings.machine import LogSettings, SiteSettings, StateSettings
from gateway.settings.psap import CentreSettings
from hardware.drivers.page_settings import SpeechSettings
from notify.settings import NoticeSettings


class Settings(Struct, frozen=True, kw_only=True):
    """Everything a settings file says, checked."""

    file: Path
    site: SiteSettings
    state: StateSettings
    alarm: AlarmSettings
    # By link name; every one is called at once. Never empty.
    psap_links: dict[str, Any]
    # The PSAPs by name, and which one each link leads to, where the settings say so.
    psap_centres: dict[str, CentreSettings] = {}
    link_centres: dict[str, str] = {}
    desk: DeskSettings
    # By channel name.
    channels: dict[str, Any]
    notices: NoticeSettings = NoticeSettings()
    # By the name that response.toml gives them.
    outputs: dict[str, Any] = {}
    # Outputs that cannot be used, and why: their secret cannot be opened.
    output_faults: dict[str, str] = {}
    # Who speaks on outputs.
    speech: SpeechSettings = SpeechSettings()
    log: LogSettings

    def links_as_shown(self) -> list[tuple[str, Any]]:
        """The ways to the PSAP in the order in which they are shown."""
        return sorted(self.psap_links.items(), key=lambda link: getattr(link[1], "priority", 1))

    def called_after(self) -> dict[LinkName, float]:
        """Seconds after the order at which each link is called, where that is not at once."""
        return {
            LinkName(link): self.psap_centres[centre].after
            for link, centre in self.link_centres.items()
            if self.psap_centres[centre].after
        }

    def unplaced(self, places: Container[PlaceId]) -> tuple[str, ...]:
        """What is said here of places that the site package does not know, `table.key: message` each."""
        panels = [
            f"alarm.panels.{name}.{key}: the site package has no place {place}; its alarms say place unknown"
            for name, panel in self.alarm.panels.items()
            for key, place in panel.places()
            if place not in places
        ]
        zones = [
            f"psap.links.{name}.zones.{place}: the site package has no place {place}"
            for name, link in self.psap_links.items()
            if isinstance(link, DC09LinkSettings)
            for place in link.zones
            if PlaceId(place) not in places
        ]
        return (*panels, *zones)

    @property
    def unit_keys(self) -> Path:
        """The file of unit keys in force."""
        return self.alarm.unit_keys or self.state.folder / "units.keys"

    @property
    def device_keys(self) -> Path | None:
        """The file of keys of foreign devices; None: there is none, and none was named."""
        usual = self.state.folder / "devices.keys"
        return self.alarm.device_keys or (usual if usual.exists() else None)

    @property
    def alarm_url(self) -> str:
        """The alarm lane's database, always a local file."""
        return f"sqlite://{self.state.alarm_database.absolute()}"

    @property
    def people_keys(self) -> Path:
        """The key ring under which rosters are sealed."""
        return self.state.folder / "people.keys"

    @property
    def desk_url(self) -> str:
        """The desk lane's database, password included: not for showing."""
        if not self.desk.database:
            return f"sqlite://{self.state.desk_database.absolute()}"
        if self.desk.database_password is None:
            return self.desk.database
        parts = urlsplit(self.desk.database)
        user, _, host = parts.netloc.rpartition("@")
        password = quote(self.desk.database_password.reveal(), safe="")
        return urlunsplit(parts._replace(netloc=f"{user}:{password}@{host}"))
