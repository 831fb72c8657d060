"""What a device says that is no press: its battery, its case, its going, and what a person must look at."""

from __future__ import annotations

from collections import Counter

from belltower.clock import Clock
from gateway.intake.devices.registry import KnownDevice
from gateway.intake.devices.states import States
from gateway.intake.devices.supervision import DeviceSupervision
from gateway.intake.devices.troubles import Troubles
from hardware.profiles.signal import Flag, Signal, SignalKind

OLD = frozenset({Flag.RETAINED, Flag.HISTORIC})
"""With these it is no news of how the device is now."""
_SHOWN = {
    SignalKind.FIRE: "fire",
    SignalKind.AUX_ALARM: "detector",
    SignalKind.ERROR: "error",
    SignalKind.TROUBLE: "not understood",
}
STANDING = frozenset({"open to joining"})
"""Channels of a profile whose trouble stands until the same channel says `clear`."""


class Notes:
    """Takes in what is no press."""

    def __init__(
        self,
        *,
        clock: Clock,
        states: States,
        supervision: DeviceSupervision,
        troubles: Troubles,
        counts: Counter[str],
    ) -> None:
        """Keep what it is made of."""
        self._clock = clock
        self._states = states
        self._supervision = supervision
        self._troubles = troubles
        self._counts = counts

    def note(self, device: KnownDevice, signal: Signal) -> None:
        """Take it in; what must be looked at is written down."""
        state = self._states.of(device.id)
        if signal.battery is not None and not signal.flags & OLD:
            state.battery = round(signal.battery)
        kind = signal.kind
        if signal.channel in STANDING and Flag.HISTORIC not in signal.flags:
            self.stands(device.id, signal, device.profile.hash)
        elif kind in _SHOWN and (signal.live or kind is SignalKind.TROUBLE):
            self.trouble(device, _SHOWN[kind] if not _said(signal) else _said(signal), signal.why)
        if kind is SignalKind.BATTERY_LOW and not signal.flags & OLD:
            told = bool(state.low) and Flag.REFRESH in signal.flags
            if not told and self.trouble(device, "low battery", ""):
                state.low = 2
        elif state.low and signal.battery is not None and signal.battery > 20:
            state.low = 0
            self._troubles.over(device.id, "low battery", stood=True)
        if kind is SignalKind.TAMPER and not signal.flags & OLD:
            if not state.tampered:  # what was held back is told when it is said again
                state.tampered = self.trouble(device, "tamper", "")
        elif kind is SignalKind.TAMPER_CLEAR and not signal.flags & OLD:
            self._troubles.over(device.id, "tamper", stood=state.tampered)
            state.tampered = False
        elif kind is SignalKind.OFFLINE and Flag.HISTORIC not in signal.flags:
            self._supervision.offline(device.id)
        elif kind is SignalKind.LEAVE and not signal.flags & OLD and device.panic:
            self.trouble(device, "left", "it left its network")
            self._supervision.offline(device.id)
        self._counts[f"device_{kind}"] += 1

    def stands(self, name: str, signal: Signal, profile: str, *, ours: bool = True) -> None:
        """It says that a trouble stands, or is over."""
        if signal.kind is SignalKind.TROUBLE:
            self._troubles.stand(name, signal.channel, why=signal.why, profile=profile, ours=ours)
        elif signal.kind is SignalKind.CLEAR:
            self._troubles.over(name, signal.channel)

    def trouble(self, device: KnownDevice, kind: str, why: str) -> bool:
        """A person must look; whether that was written down now."""
        state = self._states.of(device.id)
        state.trouble, state.trouble_at = kind, self._clock.now()
        self._states.changed(device.id)
        return self._troubles.note(device.id, kind, why=why, profile=device.profile.hash)


def _said(signal: Signal) -> str:
    """The short name of a trouble that the engine's memory found."""
    if signal.kind is not SignalKind.TROUBLE:
        return ""
    if Flag.FOUND in signal.flags:
        return "found active"
    if signal.why.startswith("security"):
        return "wrong keys"
    return next((kind for kind in ("late press", "left", "replayed") if signal.why.startswith(kind)), "")
