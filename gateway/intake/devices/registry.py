"""The foreign devices of this campus, found by what the wire calls them; and who else was heard."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import Instant
from belltower.ids import PlaceId
from floorplans import Place
from gateway.intake.devices.supervision import WEAK, Watched
from hardware.device_record import DeviceRecord
from hardware.profiles.compiled import Profile
from hardware.profiles.profile import Authenticity, ProfileClass

MOST_STRANGERS = 256
"""Unknown devices that are listed; the one heard longest ago gives way."""
LATE = 2.8
"""Intervals of silence after which a device is late whose profile does not say so itself."""

PANIC = frozenset({ProfileClass.PANIC, ProfileClass.BADGE})
"""Classes whose presses are calls for help."""


_Key = TypeVar("_Key")


class KnownDevice(Struct, frozen=True, kw_only=True):
    """A device with its profile and its place. Without a place it alarms all the same."""

    record: DeviceRecord
    profile: Profile
    place: PlaceId | None
    building: str
    # Of a device that encrypts what it says.
    key: bytes = b""

    @property
    def id(self) -> str:
        """The site package's name of it."""
        return self.record.id

    @property
    def panic(self) -> bool:
        """Its press is a call for help."""
        return self.profile.cls in PANIC

    @property
    def unproven(self) -> str:
        """Why its press places no call by itself; "" where it does."""
        if self.profile.wire == "bthome" and self.key:
            return ""
        if self.profile.authenticity is not Authenticity.NONE or self.record.unattended_call:
            return ""
        return f"What {self.id} sends can be forged"

    @property
    def watched(self) -> Watched:
        """How it is supervised."""
        told = self.profile.supervision
        late_after = told.late_after or LATE * (told.expect_every or 0.0)
        if self.record.heartbeat:
            late_after = LATE * self.record.heartbeat
        if told.weak and 0 < late_after <= WEAK and not self.record.heartbeat:
            late_after = WEAK + 1.0
        return Watched(id=self.id, late_after=late_after, parent=self.record.parent)


class Stranger(Struct):
    """A device that was heard and is not of this campus, as far as the site package says."""

    profile: str
    address: str
    path: str
    said: str
    at: Instant
    count: int = 0


def known_devices(
    records: Iterable[DeviceRecord],
    *,
    profiles: Mapping[str, Profile],
    places: Mapping[PlaceId, Place],
    keys: Mapping[str, bytes] | None = None,
) -> dict[str, KnownDevice]:
    """Devices by id; one whose profile is not loaded is left out, which a checked site package has none of."""
    known = {}
    for record in records:
        profile = profiles.get(record.profile)
        if profile is None:
            continue
        place = places.get(record.place) if record.place is not None else None
        known[record.id] = KnownDevice(
            record=record,
            profile=profile,
            place=place.id if place else None,
            building=place.building if place else "",
            key=(keys or {}).get(record.id, b""),
        )
    return known


class Registry:
    """Who is who on the wire."""

    def __init__(self, devices: Mapping[str, KnownDevice]) -> None:
        self.devices = dict(devices)
        self._by_address = {(device.profile.id, device.record.address): device for device in devices.values()}
        self._carried = {
            device.record.address.lower(): device for device in devices.values() if device.profile.layouts
        }
        self.strangers: OrderedDict[tuple[str, str], Stranger] = OrderedDict()
        self.heard_of_strangers = 0

    def bind(self, name: str, place: Place) -> KnownDevice:
        """The device hangs at `place`, which the site package does not say."""
        old = self.devices[name]
        device = replace(old, place=place.id, building=place.building)
        self.devices[name] = device
        _put(self._by_address, old, device)
        _put(self._carried, old, device)
        return device

    def of(self, profile: str, address: str) -> KnownDevice | None:
        """The device that this profile's messages call so."""
        return self._by_address.get((profile, address))

    def carried(self, bearer: str, address: str) -> KnownDevice | None:
        """The device that a bearer calls so, by its EUI in either case."""
        device = self._carried.get(address.lower())
        return device if device is not None and device.record.bearer in ("", bearer) else None

    def stranger(self, profile: str, address: str, *, path: str, said: str, at: Instant) -> Stranger:
        """Note that an unknown device was heard."""
        self.heard_of_strangers += 1
        key = (profile, address[:128])
        known = self.strangers.pop(key, None) or Stranger(
            profile=profile, address=address[:128], path=path, said=said, at=at
        )
        known.path, known.said, known.at, known.count = path, said, at, known.count + 1
        self.strangers[key] = known
        if len(self.strangers) > MOST_STRANGERS:
            self.strangers.popitem(last=False)
        return known


def _put(known: dict[_Key, KnownDevice], old: KnownDevice, new: KnownDevice) -> None:
    known.update({key: new for key, each in known.items() if each is old})
