"""What a settings file says about a link by EIDO."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from belltower.errors import SettingsError
from belltower.values import Port, Seconds

_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")


class EIDOLinkSettings(Struct, frozen=True, kw_only=True):
    """EIDO over WebSockets, NENA-STA-021.1 and 024.1: `[psap.links.NAME]` with `kind = "eido"`."""

    # The full name of this machine, as it stands in every incident id: "belltower.school.example".
    element: str
    # The school's domain, which names it as an agency; "" for the element without its first part.
    agency: str = ""
    # Where dispatch systems connect: "0.0.0.0" or "::" for every address the machine has.
    bind: str = "127.0.0.1"
    port: Port = 16_000
    # The path of the WebSocket; under it, each incident by its id.
    path: str = "/IncidentData/Ent"
    # PEM files: who we are, and the authority that must have signed the certificates of those who connect.
    certificate: Path | None = None
    private_key: Path | None = None
    client_ca: Path | None = None
    # Which names those certificates may have; with client_ca there is at least one.
    client_names: tuple[str, ...] = ()
    # Those of them that are the centre's own systems: only their answers are the PSAP's receipt. None: all of them.
    centre_names: tuple[str, ...] = ()
    # Systems may connect without certificates from other machines: only on a network that carries nothing else.
    allow_plain: bool = False
    # The county's own notifier, "wss://cad.county.example/IncidentData/Ent": how responders and the person who has the
    # call come back. "" for none.
    subscribe_url: str = ""
    # PEM file: whom to trust there; by default whom this machine trusts.
    subscribe_ca: Path | None = None
    # How often a subscriber with nothing to hear is asked for a sign of life.
    heartbeat: Seconds = 30.0
    # The centre has agreed in writing to take incidents that say EXERCISE. Otherwise exercises are not sent.
    exercise: bool = False
    # Links of lower priority are shown first. All links are called at once.
    priority: int = 1

    def __post_init__(self) -> None:
        """Refuse names that are none, unprotected listening by oversight, and a notifier that cannot be dialled."""
        faults = []
        for key, name in (("element", self.element), ("agency", self.agency)):
            if (name or key == "element") and not _NAME.fullmatch(name):
                faults.append(f'{key}: "{name}" is no full name such as "belltower.school.example"')
        if not _is_address(self.bind):
            faults.append(f'bind: "{self.bind}" is no address; "0.0.0.0" and "::" are every one')
        if (self.certificate is None) != (self.private_key is None):
            faults.append("certificate: certificate and private_key belong together; give both or none")
        if not re.fullmatch(r"/[!-~]*", self.path) or set("?#{}") & set(self.path):
            faults.append('path: a path begins with "/" and has no "?", "#", "{" or "}"')
        if not self.allow_plain and not _is_loopback(self.bind) and self.client_ca is None:
            faults.append(
                f'bind: "{self.bind}" lets other machines in without knowing them; give certificate, private_key '
                "and client_ca, or allow_plain = true on a network of its own"
            )
        if self.client_ca is not None and self.certificate is None:
            faults.append("client_ca: those who connect can show certificates only if we have one as well")
        if self.client_names and self.client_ca is None:
            faults.append("client_names: names mean something only with client_ca")
        if self.client_ca is not None and not self.client_names:
            faults.append(
                "client_names: an authority has signed others as well; name the systems that may come in, "
                'client_names = ["cad.county.example"]'
            )
        if not set(self.centre_names) <= set(self.client_names):
            faults.append("centre_names: each of them stands in client_names as well")
        faults += self._subscription_faults()
        if self.heartbeat < 1:
            faults.append('heartbeat: it is at least "1s"; "30s" is usual')
        if faults:
            raise SettingsError("\n".join(faults))

    @property
    def domain(self) -> str:
        """The agency in force."""
        return self.agency or self.element.partition(".")[2]

    @property
    def subscribe_host(self) -> str:
        """The host of the county's notifier."""
        return urlsplit(self.subscribe_url).hostname or ""

    def _subscription_faults(self) -> list[str]:
        if not self.subscribe_url:
            return []
        try:
            parts = urlsplit(self.subscribe_url)
            host, _ = parts.hostname or "", parts.port
        except ValueError as error:
            return [f"subscribe_url: {error}"]
        if parts.scheme not in ("wss", "ws") or not host:
            return ['subscribe_url: expected "wss://HOST/PATH"']
        if parts.scheme == "ws" and not self.allow_plain and not _is_loopback(host):
            return ['subscribe_url: "ws://" goes unprotected; use "wss://", or allow_plain = true']
        if parts.username or parts.password:
            return ["subscribe_url: a certificate says who we are, not a password in the URL"]
        return []


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
