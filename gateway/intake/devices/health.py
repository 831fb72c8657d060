"""How the devices are, for people: where each is, when it was heard, and what is wrong with it, the worst first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import SECOND, Clock, Instant
from gateway.intake.devices.registry import KnownDevice, Registry
from gateway.intake.devices.states import States
from gateway.intake.devices.supervision import DeviceSupervision

TROUBLE_SHOWN = 24 * 3600 * SECOND
"""For how long the last trouble of a device is shown."""


_NONE: Mapping[str, Any] = MappingProxyType({})


class DeviceHealth(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One device, one of our units, or a way in, as it is now."""

    id: str
    # device; unit, one of our own; path, a way in; name, somebody at a broker
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
    # The parent or path that is lost, so that nothing is known of this one.
    because: str = ""
    trouble: str = ""
    trouble_at: Instant = Instant(0)
    tested_at: Instant = Instant(0)
    tested_place: str = ""
    # Why its press places no call by itself.
    unproven: str = ""
    # Troubles that stand until they are over: open to joining, taken over.
    standing: tuple[str, ...] = ()

    @property
    def out_of_service(self) -> bool:
        """It cannot be relied upon now."""
        return self.lost or self.tampered or bool(self.because)

    @property
    def calls_for_help(self) -> bool:
        """Its press is a call for help."""
        return self.cls in ("panic", "badge")

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be known, the worst first, in words."""
        said = []
        if self.because:
            said.append(f"NOT KNOWN: {self.because} is lost")
        elif self.lost:
            said.append("LOST")
        if self.tampered:
            said.append("TAMPERED")
        if self.stuck:
            said.append("stuck")
        if self.low:
            said.append("battery low")
        said += self.standing
        if self.trouble and self.trouble not in self.standing:
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
        """0: out of service, 1: to be looked at or not known, 2: in order."""
        if self.lost or self.tampered:
            return 0
        return 1 if self.because or self.stuck or self.low or self.trouble or self.standing else 2


class OutputHealth(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that is switched, as it is now."""

    name: str
    # siren, strobe, relay, sign
    does: str
    # The device of the site package that it is; "": none.
    device: str = ""
    # Why it cannot be relied upon; "": nothing says so.
    fault: str = ""


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
    # Our own units, the ways in, and names of neither that something is wrong with.
    others: tuple[DeviceHealth, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    # Who goes on a walk-test now; "": nobody.
    walk_test_by: str = ""
    # Sirens, strobes, relays and signs, those that cannot be relied upon first.
    outputs: tuple[OutputHealth, ...] = ()

    @property
    def out_of_service(self) -> tuple[str, ...]:
        """The devices whose press would be a call for help, and which cannot be relied upon."""
        every = (*self.devices, *self.others)
        return tuple(each.id for each in every if each.calls_for_help and each.out_of_service)


def health(
    registry: Registry,
    *,
    states: States,
    supervision: DeviceSupervision,
    clock: Clock,
    stuck: Iterable[str] = (),
    walk_test_by: str = "",
    troubles: Mapping[str, Mapping[str, str]] = _NONE,
    others: Iterable[DeviceHealth] = (),
    outputs: tuple[OutputHealth, ...] = (),
) -> Devices:
    """How the foreign devices are, the worst first."""
    now, jammed = clock.now(), set(stuck)
    every = [
        device_health(
            device,
            states,
            supervision,
            now,
            stuck=device.id in jammed,
            standing=troubles.get(device.id, _NONE),
        )
        for device in registry.devices.values()
    ]
    rest = [replace(each, standing=tuple(troubles.get(each.id, ()))) for each in others]
    named = {each.id for each in (*every, *rest)}
    strange = [
        DeviceHealth(
            id=name, kind="name", standing=tuple(kinds), trouble="; ".join(filter(None, kinds.values()))
        )
        for name, kinds in troubles.items()
        if name not in named
    ]
    return Devices(
        devices=tuple(sorted(every, key=_worst_first)),
        others=tuple(sorted((*rest, *strange), key=_worst_first)),
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
        outputs=tuple(sorted(outputs, key=lambda each: (not each.fault, each.name))),
    )


def _worst_first(each: DeviceHealth) -> tuple[int, bool, str]:
    return each.rank, bool(each.because), each.id


def device_health(
    device: KnownDevice,
    states: States,
    supervision: DeviceSupervision,
    now: Instant,
    *,
    stuck: bool = False,
    standing: Mapping[str, str] = _NONE,
) -> DeviceHealth:
    """How one foreign device is."""
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
        lost=heard.lost and not heard.because,
        because=heard.because,
        trouble=state.trouble if recent else "",
        trouble_at=state.trouble_at if recent else Instant(0),
        tested_at=state.tested_at,
        tested_place=state.tested_place,
        unproven=device.unproven,
        standing=tuple(standing),
    )
