"""Inovonics EchoStream frames as a serial receiver hands them on.

**Vector-tested only.** No captured frame was at hand: this follows published facts about the frame, and needs a bench
unit before anybody relies on it.

    72  length  uid (4)  first hop (4)  class  PTI  STAT1  STAT0  level  margin  sum

`length` counts every octet but the checksum; the checksum is the sum of all octets before it, modulo 256. Class 0x1C is
the receiver itself: jam, tamper, link. STAT1 bits 1 to 4 are alarms 1 to 4; STAT0 bit 4 is a reset, bit 6 tamper, bit 7
a low battery. What is not listed is a trouble.
"""

from __future__ import annotations

from msgspec import Struct

from belltower.errors import Malformed
from hardware.profiles.signal import Signal, SignalKind

START = 0x72
COORDINATOR = 0x1C
LENGTH = 16
"""Octets of a frame without its checksum."""
_ALARMS = 0b0001_1110
_RESET, _TAMPER, _LOW = 1 << 4, 1 << 6, 1 << 7


class Frame(Struct, frozen=True, kw_only=True):
    """What one transmitter, or the receiver itself, said."""

    uid: int
    first_hop: int
    device_class: int
    # Product type identifier.
    product: int
    stat1: int
    stat0: int
    # How strong it was received, and by how much above the noise.
    level: int
    margin: int

    @property
    def coordinator(self) -> bool:
        """It is the receiver's own word."""
        return self.device_class == COORDINATOR


def decode(octets: bytes) -> Frame:
    """One whole frame with its checksum. `Malformed`: not a frame, or spoilt."""
    if len(octets) < 2 or octets[0] != START:
        raise Malformed("octet 0: a frame begins with 0x72")
    if octets[1] != LENGTH:
        raise Malformed(f"octet 1: length {octets[1]}; frames of {LENGTH} octets are known")
    if len(octets) != LENGTH + 1:
        raise Malformed(f"octet {len(octets)}: {len(octets)} octets where {LENGTH + 1} were announced")
    if checksum(octets[:-1]) != octets[-1]:
        raise Malformed(
            f"octet {LENGTH}: checksum 0x{octets[-1]:02x}, expected 0x{checksum(octets[:-1]):02x}"
        )
    return Frame(
        uid=int.from_bytes(octets[2:6]),
        first_hop=int.from_bytes(octets[6:10]),
        device_class=octets[10],
        product=octets[11],
        stat1=octets[12],
        stat0=octets[13],
        level=octets[14],
        margin=octets[15],
    )


def encode(frame: Frame) -> bytes:
    """The octets of a frame."""
    body = bytes((START, LENGTH)) + frame.uid.to_bytes(4) + frame.first_hop.to_bytes(4)
    body += bytes((frame.device_class, frame.product, frame.stat1, frame.stat0, frame.level, frame.margin))
    return body + bytes((checksum(body),))


def checksum(octets: bytes) -> int:
    """The sum of all octets, modulo 256."""
    return sum(octets) & 0xFF


def signals(frame: Frame) -> tuple[Signal, ...]:
    """What it means. Alarms are levels, of which the edge is news; the receiver's own word is a trouble."""
    device = f"{frame.uid:08X}"
    data: dict[str, str | int | float | bool | None] = {"level": frame.level, "margin": frame.margin}
    if frame.coordinator:
        if not frame.stat1 and not frame.stat0:
            return (Signal(kind=SignalKind.HEARTBEAT, device=device, data=data),)
        why = f"the receiver reports {frame.stat1:02x}{frame.stat0:02x}: jam, tamper or its link"
        return (Signal(kind=SignalKind.TROUBLE, device=device, why=why, data=data),)
    found = [
        Signal(
            kind=SignalKind.STATE,
            device=device,
            channel=str(number),
            level=bool(frame.stat1 >> number & 1),
            rises=SignalKind.PRESS,
            falls=SignalKind.CLEAR,
            data=data,
        )
        for number in range(1, 5)
    ]
    if frame.stat0 & _TAMPER:
        found.append(Signal(kind=SignalKind.TAMPER, device=device))
    if frame.stat0 & _LOW:
        found.append(Signal(kind=SignalKind.BATTERY_LOW, device=device))
    if frame.stat0 & _RESET:
        found.append(Signal(kind=SignalKind.ONLINE, device=device, epoch=True))
    unknown = frame.stat1 & ~_ALARMS, frame.stat0 & ~(_RESET | _TAMPER | _LOW)
    if any(unknown):
        why = f"status bits {unknown[0]:02x}{unknown[1]:02x} are unknown"
        found.append(Signal(kind=SignalKind.TROUBLE, device=device, why=why))
    return tuple(found)


class Splitter:
    """Cuts a stream of octets into frames; what is none is counted and passed over."""

    def __init__(self) -> None:
        """Begin at a boundary."""
        self._held = b""
        self.spoilt = 0

    def feed(self, octets: bytes) -> list[Frame]:
        """The frames that are whole now."""
        self._held += octets
        found: list[Frame] = []
        while True:
            start = self._held.find(bytes((START,)))
            if start:  # noise, or nothing at all
                self.spoilt += bool(self._held) and 1
                self._held = self._held[start:] if start > 0 else b""
            if len(self._held) < LENGTH + 1 and not (len(self._held) > 1 and self._held[1] != LENGTH):
                return found
            try:
                found.append(decode(self._held[: LENGTH + 1]))
                self._held = self._held[LENGTH + 1 :]
            except Malformed:
                self.spoilt += 1
                self._held = self._held[1:]
