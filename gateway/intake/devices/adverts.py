"""BTHome buttons that gateways hear and pass on raw: opened with the device's key, whose counter must rise.

A device with a key is believed only in what it encrypted. What bears an earlier counter was heard before, and somebody
repeats it, or the device began anew: it presses nothing, and is a loud trouble. What its key did not seal, or what was
heard before, is no sign of its life either.
"""

from __future__ import annotations

from hashlib import sha256

from belltower.errors import Malformed
from gateway.intake.devices.memory import DeviceMemory
from gateway.intake.devices.registry import KnownDevice, Registry
from hardware.codecs import bthome
from hardware.codecs.adverts import adverts, mac_of
from hardware.profiles.signal import NO_FLAGS, Flag, Signal, SignalKind

TOPICS = ("+/events/rpc", "home/+/BTtoMQTT/#")
"""Where gateways publish what they hear, as they are delivered."""
_REPEAT = frozenset({Flag.DUPLICATE})


class Adverts:
    """The Bluetooth devices of the site, by address."""

    def __init__(self, *, registry: Registry, memory: DeviceMemory) -> None:
        self._registry = registry
        self._memory = memory
        self._by_mac = {
            mac: device.id
            for device in registry.devices.values()
            if device.profile.wire == "bthome" and (mac := mac_of(device.record.address)) is not None
        }

    def heard(self, payload: bytes, *, retained: bool) -> list[tuple[KnownDevice, tuple[Signal, ...], bool]]:
        """What devices of ours say in a message of a gateway, and whether each itself spoke just now."""
        if not self._by_mac:
            return []
        return [
            (device, *self._said(device, mac, data, retained=retained))
            for mac, data in adverts(payload)
            if (device := self._registry.devices.get(self._by_mac.get(mac, ""))) is not None
        ]

    def _said(
        self, device: KnownDevice, mac: bytes, data: bytes, *, retained: bool
    ) -> tuple[tuple[Signal, ...], bool]:
        address = device.record.address
        flags = frozenset({Flag.RETAINED}) if retained else NO_FLAGS
        try:
            advert = bthome.decode(data, key=device.key, mac=mac, sealed=bool(device.key))
        except Malformed as error:
            return (Signal(kind=SignalKind.TROUBLE, device=address, why=str(error), flags=flags),), False
        if advert.counter is not None and device.key:
            last = self._memory.counter_under(device.id, sha256(device.key).hexdigest()[:16])
            if last is not None and advert.counter < last:
                why = (
                    f"replayed: counter {advert.counter} after {last}; somebody repeats it, or it began anew"
                    " with another battery: then it presses nothing until it is given a new key"
                )
                return (Signal(kind=SignalKind.TROUBLE, device=address, why=why, flags=flags),), False
            if advert.counter == last:
                flags |= _REPEAT
        signals = tuple(
            Signal(**{**{name: getattr(said, name) for name in said.__struct_fields__}, "flags": flags})
            for said in bthome.signals(advert, device=address)
        )
        return signals, Flag.DUPLICATE not in flags
