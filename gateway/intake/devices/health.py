"""How the devices are, for people: where each is, when it was heard, and what is wrong with it, the worst first."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from belltower.clock import SECOND, Clock, Instant
from gateway.intake.devices.registry import KnownDevice, Registry
from gateway.intake.devices.states import States
from gateway.intake.devices.supervision import DeviceSupervision

TROUBLE_SHOWN = 24 * 3600 * SECOND
"""For how long the last trouble of a device is shown."""


class DeviceHealth(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One device, or one of our units, as it is now."""

    id: str
    kind: str = "device"
    profile: str = ""
    hash: str = ""
    # panic, contact, siren, relay, badge, gateway, info
    cls: str = ""
    address: str = ""
    place: str = ""
    parent: str = ""
    path: str = ""
    # 0: never.
    heard: Instant = Instant(0)
    # Percent; -1: not known.
    battery: int = -1
    low: bool = False
    tampered: bool = False
    stuck: bool = False
    # strong, weak, none
    supervision: str = "none"
    late_after: float = 0.0
    lost: bool = False
    # The parent or path that it is lost with.
    because: str = ""
    trouble: str = ""
    trouble_at: Instant = Instant(0)
    tested_at: Instant = Instant(0)
    tested_place: str = ""
    # Why its press places no call by itself.
    unproven: str = ""

    @property
    def out_of_service(self) -> bool:
        """It cannot be relied upon now."""
        return self.lost or self.tampered

    @property
    def calls_for_help(self) -> bool:
        """Its press is a call for help."""
        return self.cls in ("panic", "badge")

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be known, the worst first, in words."""
        said = []
        if self.lost:
            said.append(f"LOST with {self.because}" if self.because else "LOST")
        if self.tampered:
            said.append("TAMPERED")
        if self.stuck:
            said.append("stuck")
        if self.low:
            said.append("battery low")
        if self.trouble:
            said.append(self.trouble)
        if self.calls_for_help and not self.place:
            said.append("no place")
        elif self.calls_for_help and (not self.tested_at or self.tested_place != self.place):
            said.append("never walk-tested here")
        if self.supervision == "weak":
            said.append("weak supervision")
        if self.supervision == "none" and self.calls_for_help:
            said.append("not supervised")
        return tuple(said)

    @property
    def rank(self) -> int:
        """0: out of service, 1: to be looked at, 2: in order."""
        if self.out_of_service:
            return 0
        return 1 if self.stuck or self.low or self.trouble else 2


class Unknown(Struct, frozen=True, kw_only=True):
    """A device that was heard and that the site package does not name."""

    profile: str
    address: str
    path: str
    said: str
    at: Instant
    count: int


class Devices(Struct, frozen=True, kw_only=True):
    """All of them."""

    devices: tuple[DeviceHealth, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    # Who goes on a walk-test now; "": nobody.
    walk_test_by: str = ""

    @property
    def out_of_service(self) -> tuple[str, ...]:
        """The devices whose press would be a call for help, and which cannot be relied upon."""
        return tuple(each.id for each in self.devices if each.calls_for_help and each.out_of_service)


def health(
    registry: Registry,
    *,
    states: States,
    supervision: DeviceSupervision,
    clock: Clock,
    stuck: Iterable[str] = (),
    walk_test_by: str = "",
) -> Devices:
    """How the foreign devices are, the worst first."""
    now, jammed = clock.now(), set(stuck)
    every = [
        _one(device, states, supervision, now, stuck=device.id in jammed)
        for device in registry.devices.values()
    ]
    return Devices(
        devices=tuple(sorted(every, key=lambda each: (each.rank, each.id))),
        unknown=tuple(
            Unknown(
                profile=each.profile,
                address=each.address,
                path=each.path,
                said=each.said,
                at=each.at,
                count=each.count,
            )
            for each in reversed(registry.strangers.values())
        ),
        walk_test_by=walk_test_by,
    )


def _one(
    device: KnownDevice, states: States, supervision: DeviceSupervision, now: Instant, *, stuck: bool
) -> DeviceHealth:
    state, heard, watched = states.of(device.id), supervision.of(device.id), device.watched
    recent = bool(state.trouble) and 0 <= now - state.trouble_at <= TROUBLE_SHOWN
    return DeviceHealth(
        id=device.id,
        profile=device.record.profile,
        hash=device.profile.hash,
        cls=device.profile.cls.value,
        address=device.record.address,
        place=device.place or "",
        parent=device.record.parent,
        path=heard.path,
        heard=state.heard,
        battery=state.battery,
        low=state.low > 0,
        tampered=state.tampered,
        stuck=stuck,
        supervision=watched.strength,
        late_after=watched.late_after,
        lost=heard.lost,
        because=heard.because,
        trouble=state.trouble if recent else "",
        trouble_at=state.trouble_at if recent else Instant(0),
        tested_at=state.tested_at,
        tested_place=state.tested_place,
        unproven=device.unproven,
    )
