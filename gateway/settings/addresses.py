"""Whether what a table says of addresses and certificates can be used."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from belltower.errors import SettingsError


def check_pair(certificate: Path | None, private_key: Path | None) -> None:
    """Refuse half a certificate."""
    if (certificate is None) != (private_key is None):
        raise SettingsError("certificate and private_key belong together; give both or none")


def check_url(url: str, schemes: set[str]) -> None:
    """Refuse what is no address of these schemes."""
    try:
        parts = urlsplit(url)
        good = parts.port != 0 and bool(parts.hostname or (parts.scheme == "postgresql" and parts.path))
    except ValueError:  # a port that is none, or half of an IPv6 address
        good = False
    if not good or parts.scheme not in schemes:
        raise SettingsError(
            f'"{url}" is no address here; write {" or ".join(f"{scheme}://HOST:PORT" for scheme in sorted(schemes))}'
        )


def is_loopback(bind: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"
