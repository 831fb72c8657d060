"""Every kind of end the county has, by the first word of its name: `dc09`, or `dc09-udp` for a second of the kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from random import Random
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from belltower.clock import Clock
from belltower.errors import Malformed, SettingsError
from gateway.county.core import County
from gateway.county.dc09 import DC09End
from gateway.county.eido import EIDOEnd
from gateway.county.end import CountyEnd
from gateway.county.fleetsync import FleetSyncEnd
from gateway.county.keys import read_key, read_secret
from gateway.county.modem import ModemEnd
from gateway.county.radio import RadioEnd
from gateway.county.sip import SIPEnd
from gateway.county.tetra import TetraEnd
from gateway.psap.eido_sockets import WebDial, WebDoor, client_tls, server_tls
from hardware.codecs.dc09_crypto import key_of
from hardware.drivers.dc09_judge import ANY
from hardware.simulators.port import port_at
from hardware.transports import open_transport


class Given(Struct, frozen=True, kw_only=True):
    """What an end is made from."""

    name: str
    # As written after `NAME=`.
    address: str
    # The file of the end's secret: a radio key, DC-09 keys, a digest password. None where none was given.
    key_file: Path | None
    # The radio's call signs.
    us: str
    them: str
    # What faults are drawn from.
    random: Random
    clock: Clock

    def endpoint(self, *, port: int = 0) -> tuple[str, int, dict[str, str]]:
        """The address read as `HOST:PORT?setting=value&..`; SettingsError when it is none."""
        place, _, query = self.address.partition("?")
        host, colon, digits = place.rpartition(":")
        if not colon:
            host, digits = place, str(port)
        if not host or not digits.isascii() or not digits.isdigit() or int(digits) > 65_535:
            raise SettingsError(
                f'--links {self.name}="{self.address}": expected HOST:PORT, such as 127.0.0.1:0 for a free port'
            )
        return host.strip("[]"), int(digits), dict(parse_qsl(query, keep_blank_values=True))

    def refuse_unknown(self, settings: Mapping[str, str], known: tuple[str, ...]) -> None:
        """SettingsError when the address bears a setting that this end does not know."""
        strange = [name for name in settings if name not in known]
        if strange:
            raise SettingsError(
                f"--links {self.name}: there is no setting {strange[0]}; known are {', '.join(known) or 'none'}"
            )


Factory = Callable[[Given], CountyEnd]


def end_from(given: Given) -> CountyEnd:
    """The end, not yet open; SettingsError when there is no such kind or the address is none of its kind's."""
    kind = given.name.partition("-")[0]
    factory = ENDS.get(kind)
    if factory is None:
        raise SettingsError(f'--links {given.name}: there is no end "{kind}"; there are {", ".join(ENDS)}')
    return factory(given)


def _kiss(given: Given) -> CountyEnd:
    if given.key_file is None:
        raise SettingsError(f"--links {given.name}: name its key with --key-file {given.name}=PATH")
    try:
        county = County(
            key=read_key(given.key_file),
            us=given.us,
            them=given.them,
            random=given.random,
            name=given.name,
        )
    except Malformed as error:
        raise SettingsError(f"--us {given.us}: {error}") from None
    transport = open_transport(given.address)
    return RadioEnd(county=county, transport=transport, name=given.name, address=given.address)


def _dc09(given: Given) -> CountyEnd:
    host, port, settings = given.endpoint()
    given.refuse_unknown(settings, ("account",))
    key = key_of(read_secret(given.key_file).reveal()) if given.key_file is not None else None
    return DC09End(
        name=given.name,
        host=host,
        port=port,
        clock=given.clock,
        random=given.random,
        account=settings.get("account", ANY),
        key=key,
    )


def _eido(given: Given) -> CountyEnd:
    host, port, settings = given.endpoint()
    given.refuse_unknown(settings, ("school", "path", "ca", "certificate", "key"))
    school = urlsplit(settings.get("school", ""))
    if school.scheme not in ("ws", "wss") or not school.hostname:
        raise SettingsError(
            f'--links {given.name}: name the school\'s notifier, "127.0.0.1:0?school=ws://127.0.0.1:16000/IncidentData/Ent"'
        )
    ca, certificate, key = (
        Path(settings[name]) if name in settings else None for name in ("ca", "certificate", "key")
    )
    tls = None if certificate is None or key is None else partial(server_tls, certificate, key, ca)
    path = settings.get("path", "/IncidentData/Ent")
    return EIDOEnd(
        name=given.name,
        dial=WebDial(
            url=settings["school"],
            host=school.hostname,
            tls=partial(client_tls, ca, certificate, key),
        ),
        door=WebDoor(bind=host, port=port, path=path, tls=tls),
        scheme="ws" if tls is None else "wss",
        path=path,
        clock=given.clock,
        random_bytes=given.random.randbytes,
    )


def _sip(given: Given) -> CountyEnd:
    host, port, settings = given.endpoint(port=5060)
    given.refuse_unknown(settings, ("certificate", "key"))
    files = {name: Path(path) for name, path in settings.items()}
    if len(files) == 1:
        raise SettingsError(f"--links {given.name}: certificate and key go together")
    password = read_secret(given.key_file).reveal() if given.key_file is not None else ""
    return SIPEnd(
        name=given.name,
        host=host,
        port=port,
        clock=given.clock,
        random=given.random,
        password=password,
        certificate=files.get("certificate"),
        private_key=files.get("key"),
    )


def _modem(given: Given) -> CountyEnd:
    return ModemEnd(name=given.name, port=port_at(given.address), random=given.random)


def _tetra(given: Given) -> CountyEnd:
    return TetraEnd(name=given.name, port=port_at(given.address), random=given.random)


def _fleetsync(given: Given) -> CountyEnd:
    return FleetSyncEnd(name=given.name, port=port_at(given.address))


ENDS: Mapping[str, Factory] = {
    "dc09": _dc09,
    "eido": _eido,
    "kiss": _kiss,
    "sip": _sip,
    "modem": _modem,
    "tetra": _tetra,
    "fleetsync": _fleetsync,
    "nexedge": _fleetsync,
}
"""How each kind of end is made."""
