"""From which addresses a way in may be used."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from belltower.errors import SettingsError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Sources:
    """Networks that may speak here. None named: everybody may."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(network_of(text) for text in networks)

    def may(self, address: str) -> bool:
        """Whether this address, as the socket gives it, may speak."""
        if not self._networks:
            return True
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in network for network in self._networks)


def network_of(text: str) -> Network:
    """The network that `text` names; SettingsError says how to write it."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise SettingsError(
            f'"{text}" is no address or network; write "192.0.2.7" or "192.0.2.0/24"'
        ) from None
