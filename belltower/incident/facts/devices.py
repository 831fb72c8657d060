"""Units, panels and foreign devices: unheard, in trouble, tried."""

from __future__ import annotations

from msgspec import Struct

from belltower.ids import LinkName, PersonId, PlaceId, UnitId


class SignalSuspect(Struct, frozen=True, kw_only=True, tag="signal.suspect"):
    """A frame with a valid MAC and a stale counter; its challenge was not answered. A human must look."""

    unit: UnitId
    epoch: int
    counter: int
    path: str


class UnitLost(Struct, frozen=True, kw_only=True, tag="unit.lost"):
    """A unit has not been heard for longer than its interval allows."""

    unit: UnitId
    # Seconds since it was last heard; -1: never since this lane started.
    silent_for: float


class UnitRestored(Struct, frozen=True, kw_only=True, tag="unit.restored"):
    """It is heard again."""

    unit: UnitId


class TamperSeen(Struct, frozen=True, kw_only=True, tag="unit.tamper"):
    """A unit reports that it was opened or moved."""

    unit: UnitId


class PanelTrouble(Struct, frozen=True, kw_only=True, tag="panel.trouble"):
    """An alarm panel reports what a person must look at; it is no call for help that Belltower acts on."""

    # The panel's settings table, and its account.
    panel: LinkName
    account: str
    # The event's code as the panel wrote it, "?" where its report was not understood; and its zone.
    code: str
    zone: str
    # trouble, cancel, alarm (fire, burglary ..), unknown, malformed; panic, medical: said again while the journal was ill
    means: str


class DeviceTrouble(Struct, frozen=True, kw_only=True, tag="device.trouble"):
    """A device said something that is no alarm and must not be passed over: a person must look."""

    device: str
    # What it is: not understood, tamper, found active, late press, wrong keys, left, low battery ..
    kind: str
    # What was not understood, in the words of the profile; never a text of a person.
    why: str = ""
    # The hash of the profile that judged it.
    profile: str = ""


class DeviceTroubleOver(Struct, frozen=True, kw_only=True, tag="device.trouble_over"):
    """A trouble that stood is past: the case closed, the network closed to joining, nobody takes the name any more."""

    device: str
    kind: str


class DeviceLost(Struct, frozen=True, kw_only=True, tag="device.lost"):
    """A device, or the gateway it hangs on, has not been heard for longer than it may be silent."""

    device: str
    # Seconds since it was last heard; -1: never since this lane started.
    silent_for: float
    # The gateway or bridge that is the reason; "" where it is the device itself.
    parent: str = ""


class DevicesUnknown(Struct, frozen=True, kw_only=True, tag="devices.unknown"):
    """What they hang on is lost: how they are is not known, until each is heard again or lost by its own silence."""

    # The gateway, bridge or path that is lost.
    because: str
    devices: tuple[str, ...]


class DeviceRestored(Struct, frozen=True, kw_only=True, tag="device.restored"):
    """It is heard again."""

    device: str


class JamSuspected(Struct, frozen=True, kw_only=True, tag="jam.suspected"):
    """Several devices of one path fell silent within a minute."""

    path: str
    devices: tuple[str, ...]
    # How often something came by this path lately that nobody could read; 0 too where a path cannot tell.
    noise: int = 0


class WalkTested(Struct, frozen=True, kw_only=True, tag="device.walk_tested"):
    """A person pressed the device at its place, and it was heard: the proof that binds the two."""

    device: str
    place: PlaceId
    by: PersonId | None = None


DeviceFact = (
    SignalSuspect
    | UnitLost
    | UnitRestored
    | TamperSeen
    | PanelTrouble
    | DeviceTrouble
    | DeviceTroubleOver
    | DeviceLost
    | DevicesUnknown
    | DeviceRestored
    | JamSuspected
    | WalkTested
)
