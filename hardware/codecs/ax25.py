"""AX.25 2.2 UI frames, without flags and check sequence, as they travel inside KISS.

    destination(7) source(7) via(7)* 03 F0 information

An address is six characters, each shifted left by one and padded with spaces, then an octet of C or H bit, two
reserved bits, SSID, and the bit that marks the last address.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from belltower.errors import Malformed

MAX_INFO = 256
"""The longest information field, in octets (AX.25 2.2, N1)."""
MAX_VIA = 8
"""The most digipeaters a path may name."""

_CALLSIGN = re.compile(r"[A-Z0-9]{1,6}")
_TEXT = re.compile(r"([A-Z0-9]{1,6})(?:-(\d{1,2}))?")
_UI = 0x03
_POLL = 0x10
_NO_LAYER_3 = 0xF0
_HEAD = frozenset(char << 1 for char in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ")


class Address(Struct, frozen=True, kw_only=True):
    """A station: one to six capitals and digits, and an SSID of 0 to 15."""

    callsign: str
    ssid: int = 0

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address written as `SCHOOL` or `SCHOOL-1`; `Malformed` when it is neither."""
        match = _TEXT.fullmatch(text)
        if match is None or int(match[2] or 0) > 15:
            raise Malformed(
                f"address {text[:20]!r}: expected 1 to 6 capitals or digits, then perhaps -0 to -15"
            )
        return cls(callsign=match[1], ssid=int(match[2] or 0))

    def __str__(self) -> str:
        return f"{self.callsign}-{self.ssid}" if self.ssid else self.callsign


class UIFrame(Struct, frozen=True, kw_only=True):
    """One unnumbered frame: nobody on the link acknowledges it. `repeated` counts the `via` that have sent it on."""

    destination: Address
    source: Address
    info: bytes
    via: tuple[Address, ...] = ()
    repeated: int = 0


def encode(frame: UIFrame) -> bytes:
    """The frame as a command (destination C=1, source C=0); `ValueError` for what the format cannot carry."""
    if len(frame.info) > MAX_INFO:
        raise ValueError(f"information of {len(frame.info)} octets, at most {MAX_INFO}")
    if not 0 <= frame.repeated <= len(frame.via) <= MAX_VIA:
        raise ValueError(f"{len(frame.via)} digipeaters, {frame.repeated} of them done; at most {MAX_VIA}")
    last = len(frame.via)
    parts = [_address(frame.destination, 0x80), _address(frame.source, int(last == 0))]
    parts += [
        _address(hop, (0x80 if place <= frame.repeated else 0) | int(place == last))
        for place, hop in enumerate(frame.via, start=1)
    ]
    return b"".join([*parts, bytes([_UI, _NO_LAYER_3]), frame.info])


def decode(data: bytes) -> UIFrame:
    """The frame in `data`; `Malformed` unless it is an UI frame without a layer 3 protocol."""
    addresses: list[Address] = []
    repeated = 0
    start = 0
    while True:
        address, octet = _read_address(data, start)
        addresses.append(address)
        start += 7
        if octet & 0x80 and len(addresses) > 2:
            repeated = len(addresses) - 2
        if octet & 0x01:
            break
        if len(addresses) == 2 + MAX_VIA:
            raise Malformed(f"octet {start - 1}: more than {MAX_VIA} digipeaters")
    if len(addresses) < 2:
        raise Malformed("octet 6: the source address is missing")
    if len(data) < start + 2:
        raise Malformed(f"octet {len(data)}: ends before control and protocol")
    if data[start] & ~_POLL != _UI:
        raise Malformed(f"octet {start}: control {data[start]:02x}, expected 03 (UI)")
    if data[start + 1] != _NO_LAYER_3:
        raise Malformed(f"octet {start + 1}: protocol {data[start + 1]:02x}, expected f0 (none)")
    info = data[start + 2 :]
    if len(info) > MAX_INFO:
        raise Malformed(f"octet {start + 2 + MAX_INFO}: information longer than {MAX_INFO} octets")
    destination, source, *via = addresses
    return UIFrame(destination=destination, source=source, via=tuple(via), repeated=repeated, info=info)


@lru_cache(maxsize=256)
def _address(address: Address, bits: int) -> bytes:
    if not _CALLSIGN.fullmatch(address.callsign) or not 0 <= address.ssid <= 15:
        raise ValueError(f"address {address}: expected 1 to 6 capitals or digits and an SSID of 0 to 15")
    shifted = bytes(char << 1 for char in address.callsign.ljust(6).encode("ascii"))
    return shifted + bytes([0x60 | bits | address.ssid << 1])


def _read_address(data: bytes, start: int) -> tuple[Address, int]:
    octets = data[start : start + 7]
    if len(octets) < 7:
        raise Malformed(f"octet {len(data)}: ends inside an address")
    try:
        return _shifted(octets), octets[6]
    except _Strange as strange:
        octet, what = strange.args
        raise Malformed(f"octet {start + octet}: {what}") from None


class _Strange(Exception):
    """An address is none: the octet in it, and why."""


@lru_cache(maxsize=256)
def _shifted(octets: bytes) -> Address:
    for place, octet in enumerate(octets[:6]):
        if octet not in _HEAD:
            raise _Strange(place, f"{octet:02x} is no shifted capital or digit")
    callsign = bytes(octet >> 1 for octet in octets[:6]).decode("ascii").rstrip(" ")
    if not _CALLSIGN.fullmatch(callsign):
        raise _Strange(0, f"call sign {callsign!r} is empty or holds a space")
    return Address(callsign=callsign, ssid=octets[6] >> 1 & 0x0F)
