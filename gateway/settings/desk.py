"""`[desk]`: the live page, the desk lane's database, and feeds of public alerts."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct, field

from belltower.errors import SettingsError
from belltower.values import Port, Reader, Secret
from gateway.settings.addresses import check_pair, check_url
from gateway.settings.alerts import AlertFeedSettings, FeedSettings
from gateway.settings.names import check_names
from gateway.tls import server_context
from hardware.drivers import TLS


class WebSettings(Struct, frozen=True, kw_only=True):
    """`[desk.web]`: the live page."""

    bind: str = "127.0.0.1"
    port: Port = 8080
    # How browsers and carriers reach the page from outside; "" for http://BIND:PORT.
    public_url: str = ""
    # PEM files for TLS; without them the page belongs behind a proxy that has it.
    certificate: Path | None = None
    private_key: Path | None = None

    def __post_init__(self) -> None:
        """Refuse half a certificate and an address that is none."""
        check_pair(self.certificate, self.private_key)
        if self.public_url:
            check_url(self.public_url, {"http", "https"})

    @property
    def tls(self) -> TLS | None:
        """How TLS is made; None: without."""
        if self.certificate is None or self.private_key is None:
            return None
        return partial(server_context, self.certificate, self.private_key)

    @property
    def url(self) -> str:
        """The page's address, without a slash at the end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = f"[{self.bind}]" if ":" in self.bind else self.bind
        return f"{'http' if self.certificate is None else 'https'}://{host}:{self.port}"


class DeskSettings(Struct, frozen=True, kw_only=True):
    """`[desk]`: screens and notices."""

    # "" for a file in the state folder, or "postgresql://belltower@db.school.example/belltower".
    database: str = ""
    database_password: Secret | None = None
    web: WebSettings = field(default_factory=WebSettings)
    # The feed of our own alerts.
    feed: FeedSettings = field(default_factory=FeedSettings)
    # Feeds of public alerts that are watched, by name.
    alerts: dict[str, AlertFeedSettings] = {}

    def __post_init__(self) -> None:
        """Refuse a database that we do not speak to, and a password in its address."""
        if self.database:
            check_url(self.database, {"postgresql"})
            if urlsplit(self.database).password:
                raise SettingsError("database bears a password; move it to database_password = { file = .. }")


def take_desk(reader: Reader, table: Any) -> DeskSettings:
    """The screens, and what is asked of the world for them."""
    check_names(reader, table.get("alerts") if isinstance(table, dict) else None, "desk.alerts")
    return reader.take(DeskSettings, table, "desk") or DeskSettings()
