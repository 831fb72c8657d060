"""What a settings file says about a link by SIP."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct, field

from belltower.errors import SettingsError
from belltower.values import Seconds, Secret

_FROM = re.compile(r"sips?:([A-Za-z0-9._-]{1,64})@([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)")
_HOST = re.compile(r"[A-Za-z0-9.:_-]{1,253}")
_MOST = 8
_PORTS = {"tls": 5061, "tcp": 5060}


class SIPTarget(Struct, frozen=True, kw_only=True):
    """One server that takes calls. There is no way to write one that is reached by UDP."""

    host: str
    port: int
    tls: bool

    @property
    def uri(self) -> str:
        """As requests name it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"sips:{host}:{self.port}" if self.tls else f"sip:{host}:{self.port};transport=tcp"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.tls else 'tcp'}://{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> SIPTarget:
        """The target written as `tls://HOST:PORT` or `tcp://HOST:PORT`; SettingsError says what is wrong."""
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        if parts.scheme == "udp":
            raise SettingsError(f'"{text}": a call is too large for UDP; write tls:// or tcp://')
        extra = parts.path or parts.query or parts.fragment or parts.username is not None
        if parts.scheme not in _PORTS or not host or not _HOST.fullmatch(host) or extra:
            raise SettingsError(f'"{text}": expected tls://HOST:PORT or tcp://HOST:PORT')
        return cls(host=host, port=port or _PORTS[parts.scheme], tls=parts.scheme == "tls")


class SIPLinkSettings(Struct, frozen=True, kw_only=True):
    """Calls without voice by SIP, RFC 8876: `[psap.links.NAME]` with `kind = "sip"`."""

    # The centre's servers, tried in this order: "tls://esrp.county.example:5061". Connections to all stay open.
    targets: tuple[str, ...]
    # Who calls: "sip:school@lincoln.example". The county knows the school by it.
    from_: str = field(name="from")
    # Which service is asked for; exercises and tests go to its test service.
    service: Literal["sos", "sos.police"] = "sos"
    # For centres that ask who we are (digest).
    username: str = ""
    password: Secret | None = None
    # PEM files for TLS: whom to trust, by default whom the machine trusts, and who we are.
    ca: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    # Use tcp:// to other machines: only on a network that carries nothing else.
    allow_plain: bool = False
    # Whether what the school and its system are goes with each call (RFC 7852).
    additional_data: bool = True
    # How each server is asked for a sign of life: "options" or "crlf" (RFC 5626).
    supervision: Literal["options", "crlf"] = "options"
    # How often; three misses and it is lost.
    heartbeat: Seconds = 30.0
    # Links of lower priority are shown first. All links are called at once.
    priority: int = 1

    def __post_init__(self) -> None:
        """Refuse targets that are none, a plain wire by oversight, half a name and password or certificate."""
        faults = []
        if not 1 <= len(self.targets) <= _MOST:
            faults.append(f"targets: expected 1 to {_MOST}, found {len(self.targets)}")
        for target in self.targets:
            try:
                found = SIPTarget.parse(target)
            except SettingsError as error:
                faults.append(f"targets: {error}")
                continue
            if not found.tls and not self.allow_plain and not _is_loopback(found.host):
                faults.append(
                    f'targets: "{target}" sends calls unprotected; write tls://, or allow_plain = true on a network '
                    "of its own"
                )
        if len(set(self.targets)) < len(self.targets):
            faults.append("targets: the same one stands there twice")
        if not _FROM.fullmatch(self.from_):
            faults.append(f'from: "{self.from_}" is no address such as "sip:school@lincoln.example"')
        if bool(self.username) != (self.password is not None):
            faults.append("password: username and password go together")
        if (self.certificate is None) != (self.private_key is None):
            faults.append("private_key: certificate and private_key go together")
        if not 1 <= self.heartbeat <= 30:
            faults.append('heartbeat: it is "1s" to "30s", so that a silent cut is known within 90 s')
        if faults:
            raise SettingsError("\n".join(faults))

    @property
    def user(self) -> str:
        """Who calls, before the @."""
        found = _FROM.fullmatch(self.from_)
        return found[1] if found else ""

    @property
    def domain(self) -> str:
        """And after it."""
        found = _FROM.fullmatch(self.from_)
        return found[2] if found else ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
