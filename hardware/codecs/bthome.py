"""BTHome v2 service data (UUID FCD2, bthome.io/format): buttons, contacts, batteries; in clear or encrypted.

Encrypted is AES-CCM with a tag of 32 bits under a key of the device: nonce = MAC, UUID (D2 FC), device information,
counter. The counter must rise: `decode` refuses one that does not. Objects have no length of their own, so an unknown id
ends what can be understood, and that is said.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from msgspec import Struct

from belltower.errors import Malformed
from hardware.profiles.signal import Scalar, Signal, SignalKind

UUID = b"\xd2\xfc"
LARGEST = 255
_ENCRYPTED, _TRIGGERED, _VERSION = 0x01, 0x04, 0x40
_TAG, _COUNTER = 4, 4

PACKET, BATTERY, BUTTON, TEXT, RAW, COMMAND = 0x00, 0x01, 0x3A, 0x53, 0x54, 0x3B
TAMPER, OPENINGS = 0x2B, frozenset({0x11, 0x1A, 0x2D})

EVENTS = {
    0x01: SignalKind.PRESS,
    0x02: SignalKind.DOUBLE_PRESS,
    0x03: SignalKind.DOUBLE_PRESS,
    0x04: SignalKind.LONG_PRESS,
    0x05: SignalKind.DOUBLE_PRESS,
    0x06: SignalKind.DOUBLE_PRESS,
    0x80: SignalKind.HOLD,
    0x81: SignalKind.RELEASE,
}
"""What a button's event means; 0 is no event: another button of the same device was meant."""

SIGNED = frozenset({0x02, 0x08, 0x3F, 0x45, 0x57, 0x58, 0x59, 0x5A, 0x5B, 0x5C, 0x5D, 0x62, 0x63})
_BY_LENGTH: dict[int, Sequence[int]] = {
    1: (
        0x00,
        0x01,
        0x09,
        0x3A,
        0x46,
        0x57,
        0x58,
        0x59,
        0x60,
        0x64,
        0x65,
        *range(0x0F, 0x12),
        *range(0x15, 0x30),
    ),
    2: (
        *(0x02, 0x03, 0x06, 0x07, 0x08, 0x0C, 0x0D, 0x0E, 0x12, 0x13, 0x14, 0x3C, 0x3D, 0x3F, 0x40, 0x41),
        *(0x43, 0x44, 0x45, 0x47, 0x48, 0x49, 0x4A, 0x51, 0x52, 0x56, 0x5A, 0x5D, 0x5E, 0x5F, 0x61, 0xF0),
    ),
    3: (0x04, 0x05, 0x0A, 0x0B, 0x42, 0x4B, 0xF2),
    4: (0x3E, 0x4C, 0x4D, 0x4E, 0x4F, 0x50, 0x55, 0x5B, 0x5C, 0x62, 0x63, 0xF1),
}
LENGTHS = {kind: length for length, kinds in _BY_LENGTH.items() for kind in kinds}
"""Octets of each object; text, raw and commands bear their own length."""


class Object(Struct, frozen=True, kw_only=True):
    """One object: its id and its raw number; of text, raw and commands the octets."""

    id: int
    value: int | bytes


class Advertisement(Struct, frozen=True, kw_only=True):
    """What one service data said."""

    encrypted: bool
    # It was sent because something happened, not because it was time.
    triggered: bool
    counter: int | None
    objects: tuple[Object, ...]
    # The id from which on nothing is understood; None: all is.
    unknown: int | None = None

    @property
    def packet(self) -> int | None:
        """The rolling number of the packet: the same twice is the same packet."""
        return next((int(each.value) for each in self.objects if each.id == PACKET), None)


def decode(
    data: bytes, *, key: bytes = b"", mac: bytes = b"", last: int = -1, sealed: bool = False
) -> Advertisement:
    """The service data after the UUID. `last` is the counter of the last one that was accepted.

    `sealed`: it has to be encrypted. `Malformed`: not BTHome v2, cut off, another key, or a counter that does not rise.
    """
    if not data or len(data) > LARGEST:
        raise Malformed(f"{len(data)} octets; BTHome service data has 1 to {LARGEST}")
    info = data[0]
    if info & 0xE0 != _VERSION or info & 0x1A:
        raise Malformed(f"octet 0: device information 0x{info:02x} is not of BTHome v2")
    counter = None
    payload = data[1:]
    if info & _ENCRYPTED:
        counter, payload = _opened(data, key, mac, last)
    elif sealed:
        raise Malformed("octet 0: in clear, and this device encrypts")
    objects, unknown = _objects(payload)
    return Advertisement(
        encrypted=bool(info & _ENCRYPTED),
        triggered=bool(info & _TRIGGERED),
        counter=counter,
        objects=objects,
        unknown=unknown,
    )


def encode(
    objects: Sequence[Object],
    *,
    triggered: bool = True,
    key: bytes = b"",
    mac: bytes = b"",
    counter: int | None = None,
) -> bytes:
    """The service data after the UUID; encrypted where a counter is given."""
    payload = b"".join(_octets(each) for each in objects)
    info = _VERSION | (_TRIGGERED if triggered else 0) | (_ENCRYPTED if counter is not None else 0)
    if counter is None:
        return bytes((info,)) + payload
    count = counter.to_bytes(_COUNTER, "little")
    sealed = AESCCM(key, tag_length=_TAG).encrypt(mac + UUID + bytes((info,)) + count, payload, None)
    return bytes((info,)) + sealed[:-_TAG] + count + sealed[-_TAG:]


def signals(what: Advertisement, *, device: str) -> tuple[Signal, ...]:
    """What a device of class panic meant. What is not understood is a trouble, never silence."""
    found: list[Signal] = []
    battery = next((float(each.value) for each in what.objects if each.id == BATTERY), None)
    number: dict[str, Scalar] = {"packet": _number(what)}
    buttons = [each for each in what.objects if each.id == BUTTON]
    for nth, each in enumerate(buttons):
        channel = str(nth) if len(buttons) > 1 else ""
        kind = EVENTS.get(int(each.value))
        if kind is not None:
            found.append(
                Signal(
                    kind=kind,
                    device=device,
                    channel=channel,
                    battery=battery,
                    counter=what.counter,
                    data=number,
                )
            )
        elif each.value:
            why = f"button event 0x{int(each.value):02x} is unknown"
            found.append(Signal(kind=SignalKind.TROUBLE, device=device, channel=channel, why=why))
    for each in what.objects:
        if each.id == TAMPER:
            kind = SignalKind.TAMPER if each.value else SignalKind.TAMPER_CLEAR
            found.append(Signal(kind=kind, device=device, counter=what.counter))
        elif each.id in OPENINGS:
            kind = SignalKind.CONTACT_OPEN if each.value else SignalKind.CONTACT_CLOSED
            found.append(Signal(kind=kind, device=device, counter=what.counter))
    if what.unknown is not None:
        why = f"object 0x{what.unknown:02x} is unknown: the rest cannot be read"
        found.append(Signal(kind=SignalKind.TROUBLE, device=device, why=why))
    if not found:
        found.append(
            Signal(
                kind=SignalKind.HEARTBEAT, device=device, battery=battery, counter=what.counter, data=number
            )
        )
    return tuple(found)


def _number(what: Advertisement) -> int | None:
    return what.counter if what.counter is not None else what.packet


def _opened(data: bytes, key: bytes, mac: bytes, last: int) -> tuple[int, bytes]:
    if len(key) != 16 or len(mac) != 6:
        raise Malformed("octet 0: encrypted, and the device's key (16 octets) or MAC (6) is not known")
    if len(data) < 1 + 1 + _COUNTER + _TAG:
        raise Malformed(f"{len(data)} octets are too few for a counter and a tag")
    count, tag = data[-_COUNTER - _TAG : -_TAG], data[-_TAG:]
    nonce = mac + UUID + data[:1] + count
    try:
        payload = AESCCM(key, tag_length=_TAG).decrypt(nonce, data[1 : -_COUNTER - _TAG] + tag, None)
    except InvalidTag:
        raise Malformed("the tag does not match: another key, or spoilt on the way") from None
    counter = int.from_bytes(count, "little")
    if counter <= last:
        raise Malformed(
            f"counter {counter} does not rise above {last}: heard before, or repeated by somebody"
        )
    return counter, payload


def _objects(payload: bytes) -> tuple[tuple[Object, ...], int | None]:
    found: list[Object] = []
    at = 0
    while at < len(payload):
        kind = payload[at]
        if kind in LENGTHS:
            begin, end = at + 1, at + 1 + LENGTHS[kind]
        elif kind in {TEXT, RAW, COMMAND}:
            if at + 1 >= len(payload):
                raise Malformed(f"octet {at}: object 0x{kind:02x} has no length")
            length = payload[at + 1] & 0x1F if kind == COMMAND else payload[at + 1]
            begin, end = at + 2, at + 2 + length + (kind == COMMAND)
        else:
            return tuple(found), kind
        if end > len(payload):
            raise Malformed(f"octet {at}: object 0x{kind:02x} is cut off")
        raw = payload[begin:end]
        value = int.from_bytes(raw, "little", signed=kind in SIGNED) if kind in LENGTHS else raw
        found.append(Object(id=kind, value=value))
        at = end
    return tuple(found), None


def _octets(each: Object) -> bytes:
    if isinstance(each.value, bytes):
        length = len(each.value) - (each.id == COMMAND)
        return bytes((each.id, length)) + each.value
    return bytes((each.id,)) + each.value.to_bytes(LENGTHS[each.id], "little", signed=each.id in SIGNED)
