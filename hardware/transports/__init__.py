"""A pipe of bytes to the outside, by URL.

    serial:///dev/ttyUSB0?baud=9600   a serial line or pseudo-terminal, 8N1     serial
    tcp://192.0.2.7:8001              a TCP connection; a name is looked up     tcp
                                      ahead, or aside, never in the way
    (in code only)                    datagrams to and from one address         udp
    (in code only)                    two ends in memory, with faults           memory
    (in code only)                    numeric addresses, looked up ahead        addresses

Whoever holds one opens it, reads and writes until `Unreachable`, and opens it again: reopening is the same call.
One task reads, any number may write; nothing here ever blocks the loop, and every buffer is bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from belltower.errors import SettingsError
from hardware.transports import serial, tcp
from hardware.transports.addresses import AddressBook


class Transport(Protocol):
    """A pipe of bytes that may break and be opened again. What is written is not thereby delivered."""

    async def open(self) -> None:
        """Open it, or close and open it anew. `Unreachable` when the far side or the device is not there."""
        ...

    async def read(self) -> bytes:
        """At least one byte, as soon as there is one. `Unreachable` once the line is gone. One reader at a time."""
        ...

    async def write(self, data: bytes) -> None:
        """Return once the operating system has taken all of `data`; writes never mix.

        `Unreachable` when nothing of it left: the line is gone, or full until the deadline. `Uncertain` when
        a part had left by then.
        """
        ...

    async def close(self) -> None:
        """Let go of it, dropping what has not left. A reader or writer that waits gets `Unreachable`."""
        ...


def open_transport(url: str, addresses: AddressBook | None = None) -> Transport:
    """The transport that `url` names, not yet opened; `addresses` looks names up ahead.

    `SettingsError` says what is wrong with the URL.
    """
    try:
        parts = urlsplit(url)
        kind = _SCHEMES[parts.scheme]
    except (ValueError, KeyError):
        known = ", ".join(f"{scheme}://" for scheme in _SCHEMES)
        raise SettingsError(f"transport {url!r}: expected a URL of {known}") from None
    return kind(url, parts, addresses)


_SCHEMES: dict[str, Callable[[str, SplitResult, AddressBook | None], Transport]] = {
    "serial": lambda url, parts, _: serial.from_url(url, parts),
    "tcp": tcp.from_url,
}
