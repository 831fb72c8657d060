"""One TOML file says how a house is wired; it is read and checked as a whole.

Each table becomes one record, and a room owns the record of its tables. A faulty file is refused with every fault in
it, by file and key, and a file that leaves no way to the PSAP is refused whatever else it says. Nothing is read again
while a lane runs: what changes at run time is the site package, swapped whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Container, Mapping
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from msgspec import Struct, field
from msgspec.structs import replace

from belltower.errors import Malformed, SettingsError
from belltower.ids import LinkName, PlaceId
from belltower.people.person import ContactKind
from belltower.values import Count, Octets, Port, Reader, Seconds, Secret
from gateway.alert_settings import AlertFeedSettings, FeedSettings
from gateway.intake.devices.settings import (
    DEVICE_WAYS,
    DeviceWay,
    ModbusDeviceSettings,
    OSDPDeviceSettings,
)
from gateway.intake.panel_settings import PanelSettings
from gateway.outputs.settings import OUTPUTS
from gateway.outputs.switch_settings import ModbusSettings, OSDPSettings
from gateway.psap.dc09_settings import DC09LinkSettings
from gateway.psap.eido_settings import EIDOLinkSettings
from gateway.psap.settings import LINKS
from gateway.tls import client_context, server_context
from hardware.codecs.ax25 import Address
from hardware.drivers import TLS
from hardware.drivers.page_settings import SpeechSettings
from hardware.transports import open_transport
from notify.settings import CHANNELS, NoticeSettings

R = TypeVar("R")

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_LATEST_CENTRE = 60.0
_SOCKET_PATH_LIMIT = (
    100  # Linux keeps 108 octets for a socket's path, and a lane adds a suffix while it starts
)


class SiteSettings(Struct, frozen=True, kw_only=True):
    """`[site]`: which campus this is."""

    # The folder of the site package.
    folder: Path = Path("site")


class StateSettings(Struct, frozen=True, kw_only=True):
    """`[state]`: where the lanes write."""

    # Journal, spool, keys and databases; on a local disk, readable by nobody else.
    folder: Path = Path("var")
    # Where the desk lane meets the alarm lane; by default `control.sock` in the folder.
    control_socket: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a socket path that the system cannot hold."""
        if len(str(self.control)) > _SOCKET_PATH_LIMIT:
            raise SettingsError(
                f"the path of the control socket is longer than {_SOCKET_PATH_LIMIT} characters; "
                'give a shorter one with control_socket = "/run/belltower/control.sock"'
            )

    @property
    def control(self) -> Path:
        """The unix socket of the alarm lane."""
        return self.control_socket or self.folder / "control.sock"

    @property
    def links(self) -> Path:
        """The folder for what links keep: clock offsets, addresses."""
        return self.folder / "links"

    @property
    def alarm_database(self) -> Path:
        """The alarm lane's journal."""
        return self.folder / "alarm.db"

    @property
    def desk_database(self) -> Path:
        """The desk lane's database, where it is a file."""
        return self.folder / "desk.db"

    @property
    def spool(self) -> Path:
        """Where a fact goes when the journal cannot take it."""
        return self.folder / "spool"

    @property
    def kept_site(self) -> Path:
        """The last site package that a lane could use."""
        return self.folder / "site.good.zip"

    @property
    def checkpoints(self) -> Path:
        """The text file of signed checkpoints."""
        return self.folder / "checkpoints.txt"

    @property
    def signing_key(self) -> Path:
        """The private key that signs checkpoints; made at the first start."""
        return self.folder / "signing.key"

    @property
    def public_key(self) -> Path:
        """What checkpoints are verified with; keep a copy elsewhere."""
        return self.folder / "signing.key.pub"


class ListenerSettings(Struct, frozen=True, kw_only=True):
    """`[alarm.mqtt_listener]`: units connect to us. On by default when no broker and no radio is given."""

    # The address to listen on; "0.0.0.0" or "::" for every one the machine has.
    bind: str = "127.0.0.1"
    # 8883 with a certificate, 1883 without.
    port: Port = 0
    # PEM files for TLS.
    certificate: Path | None = None
    private_key: Path | None = None
    # Units may connect without TLS from other machines: only on a network that carries nothing else.
    allow_plain: bool = False
    # Connections at once; more are refused.
    max_clients: Count = 20_000
    # The largest packet; a longer one ends the connection.
    max_packet: Octets = 65_536

    def __post_init__(self) -> None:
        """Refuse half a certificate and unprotected listening by oversight."""
        _check_pair(self.certificate, self.private_key)
        if self.certificate is None and not self.allow_plain and not _is_loopback(self.bind):
            raise SettingsError(
                f'bind = "{self.bind}" lets other machines in without TLS; give certificate and private_key, '
                "or allow_plain = true on a network of its own"
            )

    @property
    def tls(self) -> TLS | None:
        """How TLS is made; None: without."""
        if self.certificate is None or self.private_key is None:
            return None
        return partial(server_context, self.certificate, self.private_key)

    @property
    def tcp_port(self) -> int:
        """The port in force."""
        return self.port or (1883 if self.certificate is None else 8883)


class BrokerSettings(Struct, frozen=True, kw_only=True):
    """`[alarm.mqtt_broker.NAME]`: units reach us through an existing broker."""

    # "mqtts://broker.school.example:8883" or "mqtt://127.0.0.1:1883".
    url: str
    username: str = ""
    password: Secret | None = None
    # PEM files: whom to trust, and who we are.
    ca: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    # Our session's name at the broker; it must never change and no one else may use it.
    client_id: str = "belltower"

    def __post_init__(self) -> None:
        """Refuse half a certificate and an address that is none."""
        _check_pair(self.certificate, self.private_key)
        _check_url(self.url, {"mqtt", "mqtts"})

    @property
    def tls(self) -> TLS | None:
        """How TLS is made; None: without."""
        if not self.url.startswith("mqtts:"):
            return None
        return partial(client_context, ca=self.ca, certificate=self.certificate, private_key=self.private_key)


class RadioSettings(Struct, frozen=True, kw_only=True):
    """`[alarm.radio.NAME]`: own units over a radio modem that speaks KISS."""

    # "serial:///dev/ttyUSB1?baud=9600" or "tcp://127.0.0.1:8001".
    url: str
    # Our station's call sign, to which units address their frames.
    callsign: str = "BELL"

    def __post_init__(self) -> None:
        """Refuse an address that is none, and a call sign that cannot be written on the air."""
        try:
            open_transport(self.url)
        except SettingsError as error:
            raise SettingsError(f"url: {error}") from None
        try:
            Address.parse(self.callsign)
        except Malformed as error:
            raise SettingsError(f"callsign: {error}") from None


class AlarmSettings(Struct, frozen=True, kw_only=True):
    """`[alarm]`: what the alarm lane listens to."""

    # The file of unit keys, made by `belltower units keys`; by default `units.keys` in the state folder.
    unit_keys: Path | None = None
    # The file of keys of foreign devices, lines of "DEVICE HEX"; by default `devices.keys` in the state folder.
    device_keys: Path | None = None
    # A fact that the journal has not taken by then goes to the spool.
    spool_after: Seconds = 0.25
    mqtt_listener: ListenerSettings | None = None
    mqtt_broker: dict[str, BrokerSettings] = {}
    radio: dict[str, RadioSettings] = {}
    # Existing alarm panels that report by SIA DC-09.
    panels: dict[str, PanelSettings] = {}
    # Foreign devices, judged by their profiles: "mqtt", "webhook", "tcp-json", "serial", "modbus", "osdp", "inovonics".
    devices: dict[str, Any] = {}


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
        _check_pair(self.certificate, self.private_key)
        if self.public_url:
            _check_url(self.public_url, {"http", "https"})

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
            _check_url(self.database, {"postgresql"})
            if urlsplit(self.database).password:
                raise SettingsError("database bears a password; move it to database_password = { file = .. }")


class LogSettings(Struct, frozen=True, kw_only=True):
    """`[log]`: what operators read on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class CentreSettings(Struct, frozen=True, kw_only=True):
    """`[psap.centres.NAME]`: a PSAP, where there are several: primary, secondary, neighbour."""

    # As people read it: "Linden County 911".
    name: str
    # Its links are called so long after the order, if no PSAP's system has the call by then; sooner, when every link
    # that was called has refused.
    after: Seconds = 0.0

    def __post_init__(self) -> None:
        """Refuse a centre without a name, and one that would be called too late."""
        if not self.name.strip():
            raise SettingsError("name: empty; write the centre's name as people know it")
        if self.after > _LATEST_CENTRE:
            raise SettingsError(f'after: at most "{_LATEST_CENTRE:g}s"; "5s" is usual')


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


TABLES = frozenset({"site", "state", "alarm", "psap", "desk", "notify", "outputs", "speech", "log"})
"""The tables a settings file may have."""


ALARM_SECRETS = frozenset({"alarm", "psap"})
"""The tables whose secrets the alarm lane opens: that a carrier's password is missing must not silence a press.

Those of outputs it opens too, each for itself: a siren whose password is missing silences itself only.
"""

DESK_SECRETS = frozenset({"desk", "notify"})
"""The tables whose secrets the desk lane opens; the keys of the ways to the PSAP are none of its business."""


def load(
    file: Path, *, environ: Mapping[str, str] | None = None, secrets: bool | Collection[str] = True
) -> Settings:
    """The settings in `file`; SettingsError names every fault in it, one a line.

    `secrets=False` checks that secrets are named, without opening them; names of tables: only theirs are opened.
    """
    reader = Reader(file=file, environ=environ, secrets=secrets)
    tables = reader.load()
    reader.raise_if_faulty()
    reader.unknown(tables, TABLES, "")
    outputs, output_faults = _outputs(reader, tables.get("outputs", {}))
    settings = Settings(
        file=file,
        site=reader.take(SiteSettings, tables.get("site", {}), "site") or SiteSettings(),
        state=reader.take(StateSettings, tables.get("state", {}), "state") or StateSettings(),
        alarm=_alarm(reader, tables.get("alarm", {})),
        **(psap := _psap(reader, tables.get("psap", {}))),
        desk=_desk(reader, tables.get("desk", {})),
        channels=_channels(reader, tables.get("notify", {}), psap["psap_links"]),
        notices=_notices(reader, tables.get("notify", {})),
        outputs=outputs,
        output_faults=output_faults,
        speech=reader.take(SpeechSettings, tables.get("speech", {}), "speech") or SpeechSettings(),
        log=reader.take(LogSettings, tables.get("log", {}), "log") or LogSettings(),
    )
    _ports(reader, settings)
    _serial_lines(reader, settings)
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


def _ports(reader: Reader, settings: Settings) -> None:
    """Two that listen cannot share a port of one address: the page, the units' listener, devices, EIDO links."""
    ports = {settings.desk.web.port: "desk.web"}
    for name, way in settings.alarm.devices.items():
        number = getattr(way, "port", 0)
        if (
            number
            and (holder := ports.setdefault(number, f"alarm.devices.{name}")) != f"alarm.devices.{name}"
        ):
            reader.fault(
                f"alarm.devices.{name}.port", f"{number} is the port of {holder} too; give it another"
            )
    web, listener = settings.desk.web, settings.alarm.mqtt_listener
    listening = [("desk.web.port", "8080 is usual for the page", web.bind, web.port)]
    if listener is not None:
        listening.insert(
            0, ("alarm.mqtt_listener", "8883 is usual for units", listener.bind, listener.tcp_port)
        )
    listening += [
        (f"psap.links.{name}.port", "16000 is usual for EIDO", link.bind, link.port)
        for name, link in settings.psap_links.items()
        if isinstance(link, EIDOLinkSettings)
    ]
    for place, (at, usual, bind, port) in enumerate(listening):
        for other, _, there, taken in listening[:place]:
            both = bind == there or {bind, there} & {"0.0.0.0", "::"}  # noqa: S104 - compared only
            if port and port == taken and both:
                reader.fault(at, f"{port} is the port of {other.removesuffix('.port')} too; {usual}")


def _serial_lines(reader: Reader, settings: Settings) -> None:
    """A serial line is one link's, or one radio's: what two write to it at once, nobody can read.

    Inputs and outputs on a line of Modbus or OSDP share it, and say its address in the same words.
    """
    used: dict[str, tuple[str, str]] = {}
    named = [(f"psap.links.{name}", link) for name, link in settings.psap_links.items()]
    named += [(f"alarm.radio.{name}", radio) for name, radio in settings.alarm.radio.items()]
    named += [(f"alarm.devices.{name}", way) for name, way in settings.alarm.devices.items()]
    named += [(f"outputs.{name}", output) for name, output in settings.outputs.items()]
    for at, record in named:
        url = getattr(record, "url", None)
        if not isinstance(url, str) or not url.startswith("serial:"):
            continue
        line = urlsplit(url).path
        wire = next((wire for wire, kinds in _SHARED.items() if isinstance(record, kinds)), "")
        shared = f"{wire} {url}" if wire else ""
        holder, words = used.setdefault(line, (at, shared))
        if holder == at or (shared and words == shared):
            continue
        mend = f'write "{words.partition(" ")[2]}" here too' if wire and words.startswith(wire) else ""
        reader.fault(
            f"{at}.url", f"{line} is the line of {holder} too; {mend or 'each needs a line of its own'}"
        )


_SHARED: dict[str, tuple[type[Any], ...]] = {
    "modbus": (ModbusDeviceSettings, ModbusSettings),
    "osdp": (OSDPDeviceSettings, OSDPSettings),
}


def _alarm(reader: Reader, table: Any) -> AlarmSettings:
    ways: dict[str, DeviceWay] = {}
    if isinstance(table, dict) and "devices" in table:
        told = {"devices": table["devices"]}
        ways = _named(
            reader, told, "alarm", "devices", lambda each, at: reader.take_kind(DEVICE_WAYS, each, at)
        )
        table = {key: value for key, value in table.items() if key != "devices"}
    alarm = reader.take(AlarmSettings, table, "alarm")
    for kind in ("mqtt_broker", "radio", "panels"):
        _names(reader, table.get(kind) if isinstance(table, dict) else None, f"alarm.{kind}")
    if alarm is None:
        return AlarmSettings()
    alarm = replace(alarm, devices=ways)
    if alarm.mqtt_listener is None and not alarm.mqtt_broker and not alarm.radio:
        return replace(alarm, mqtt_listener=ListenerSettings())
    return alarm


def _desk(reader: Reader, table: Any) -> DeskSettings:
    _names(reader, table.get("alerts") if isinstance(table, dict) else None, "desk.alerts")
    return reader.take(DeskSettings, table, "desk") or DeskSettings()


def _psap(reader: Reader, psap: Any) -> dict[str, Any]:
    """The links, the centres, and which centre each link leads to."""
    tables = psap.get("links") if isinstance(psap, dict) else None
    if not tables:
        reader.fault(
            "psap.links",
            'no way to the PSAP is left; add a table such as [psap.links.county] with kind = "kiss", url, from, '
            "to and key",
        )
    if isinstance(psap, dict):
        reader.unknown(psap, {"links", "centres"}, "psap")
    leads: dict[str, str] = {}

    def link(table: Any, at: str) -> Any:
        if isinstance(table, dict) and "centre" in table:
            leads[at.rpartition(".")[2]] = table["centre"]
            table = {key: value for key, value in table.items() if key != "centre"}
        return reader.take_kind(LINKS, table, at)

    links = _named(reader, psap, "psap", "links", link)
    centres = _named(
        reader, psap, "psap", "centres", lambda table, at: reader.take(CentreSettings, table, at)
    )
    for name, centre in leads.items():
        if not isinstance(centre, str) or centre not in centres:
            known = ", ".join(sorted(centres)) or "none"
            reader.fault(f"psap.links.{name}.centre", f"there is no [psap.centres.{centre}]; known: {known}")
    faultless = all(isinstance(centre, str) and centre in centres for centre in leads.values())
    late = bool(centres) and all(centre.after for centre in centres.values())
    if links and faultless and late and (not leads or leads.keys() >= links.keys()):
        reader.fault("psap.centres", 'every centre has "after"; leave it out of the first one')
    elif links and faultless and all(name in leads and centres[leads[name]].after for name in links):
        reader.fault("psap.centres", 'nobody is called at once; leave out "after" of the first centre')
    return {"psap_links": links, "psap_centres": centres, "link_centres": leads}


def _outputs(reader: Reader, tables: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The outputs, and why some of them cannot be used."""
    if not isinstance(tables, dict):
        reader.fault("outputs", "expected tables such as [outputs.NAME]")
        return {}, {}
    _names(reader, tables, "outputs")
    taken = {name: reader.take_kind(OUTPUTS, table, f"outputs.{name}") for name, table in tables.items()}
    outputs = {name: record for name, record in taken.items() if record is not None}
    if reader.secrets != ALARM_SECRETS:
        return outputs, {}
    unusable = {}
    for name in outputs:
        at = f"outputs.{name}"
        opened = Reader(file=reader.file, environ=reader.environ, secrets=True)
        record = opened.take_kind(OUTPUTS, tables[name], at)
        if record is None:
            unusable[name] = opened.faults[0].removeprefix(f"{reader.file}: {at}.")
        else:
            outputs[name] = record
    return outputs, unusable


def _notices(reader: Reader, notify: Any) -> NoticeSettings:
    """What holds for all channels. The keys that are faulty here are told of here, and nowhere else."""
    own = (
        {key: value for key, value in notify.items() if key != "channels"} if isinstance(notify, dict) else {}
    )
    tests = own.get("test_to")
    if isinstance(tests, dict):
        faulty = {key for key, to in tests.items() if not _can_be_tested(key, to)}
        for key in sorted(faulty):
            reader.fault(
                f"notify.test_to.{key}",
                'want text: an address of the school\'s own, such as "+15550100199" or "it@school.example", or the id of a person',
            )
        own["test_to"] = {key: to for key, to in tests.items() if key not in faulty}
    taken = reader.take(NoticeSettings, own, "notify") or NoticeSettings()
    channels = notify.get("channels", {}) if isinstance(notify, dict) else {}
    known = {*ContactKind, *(channels if isinstance(channels, dict) else ())}
    for key in taken.test_to.keys() - known:
        reader.fault(
            f"notify.test_to.{key}",
            f"is neither a channel of [notify.channels] nor a kind of address; use one of {', '.join(sorted(known))}",
        )
    return taken


def _can_be_tested(key: str, to: object) -> bool:
    """Whether a test can go there: an address of that kind, or what may be the id of a person."""
    if not isinstance(to, str) or not 0 < len(to) <= 320:
        return False
    shape = {
        "sms": r"\+[1-9]\d{4,14}|[^\W\d][\w.-]*",
        "voice": r"\+[1-9]\d{4,14}|[^\W\d][\w.-]*",
        "email": r"[^\s@]+@[^\s@]+|[^\W\d][\w.-]*",
    }.get(key)
    return shape is None or re.fullmatch(shape, to) is not None


def _channels(reader: Reader, notify: Any, links: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(notify, dict):
        notify = {key: value for key, value in notify.items() if key == "channels"}
    channels = _named(
        reader, notify, "notify", "channels", lambda table, at: reader.take_kind(CHANNELS, table, at)
    )
    first: dict[tuple[type[Any], int], str] = {}
    lines = {getattr(link, "url", None): name for name, link in links.items()}
    for name, channel in channels.items():
        if (link := lines.get(getattr(channel, "url", None) or "-")) is not None:
            reader.fault(
                f"notify.channels.{name}.url",
                f"psap.links.{link} holds this line, and nobody else may; notices need a modem of their own",
            )
        turn = getattr(channel, "order", 1)
        other = first.setdefault((type(channel), turn), name)
        if other != name:
            reader.fault(
                f"notify.channels.{name}.kind",
                f"notify.channels.{other} is of this kind and has the same turn; give one a later order, or keep one",
            )
    return channels


def _named(
    reader: Reader, outer: Any, at: str, key: str, take: Callable[[Any, str], R | None]
) -> dict[str, R]:
    if not isinstance(outer, dict):
        reader.fault(at, f"expected a table such as [{at}.{key}.NAME]")
        return {}
    if at != "psap":
        reader.unknown(outer, {key}, at)
    tables = outer.get(key, {})
    if not isinstance(tables, dict):
        reader.fault(f"{at}.{key}", f"expected tables such as [{at}.{key}.NAME]")
        return {}
    _names(reader, tables, f"{at}.{key}")
    taken = {name: take(table, f"{at}.{key}.{name}") for name, table in tables.items()}
    return {name: record for name, record in taken.items() if record is not None}


def _names(reader: Reader, tables: Any, at: str) -> None:
    """Names of tables stand in facts and logs, so they are short and plain."""
    for name in tables if isinstance(tables, dict) else ():
        if not _NAME.fullmatch(name):
            reader.fault(
                f'{at}."{name}"', "a name is 1 to 31 small letters, digits and hyphens, a letter first"
            )


def _check_pair(certificate: Path | None, private_key: Path | None) -> None:
    if (certificate is None) != (private_key is None):
        raise SettingsError("certificate and private_key belong together; give both or none")


def _check_url(url: str, schemes: set[str]) -> None:
    try:
        parts = urlsplit(url)
        good = parts.port != 0 and bool(parts.hostname or (parts.scheme == "postgresql" and parts.path))
    except ValueError:  # a port that is none, or half of an IPv6 address
        good = False
    if not good or parts.scheme not in schemes:
        raise SettingsError(
            f'"{url}" is no address here; write {" or ".join(f"{scheme}://HOST:PORT" for scheme in sorted(schemes))}'
        )


def _is_loopback(bind: str) -> bool:
    try:
        return ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"
