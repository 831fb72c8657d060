"""How our own units and the ways in are, in the same words as foreign devices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from belltower.clock import SECOND, Instant
from belltower.ids import LinkName
from gateway.intake.devices.health import DeviceHealth
from gateway.intake.devices.states import States
from gateway.intake.devices.supervision import Watched
from gateway.intake.supervision import LOST_AFTER, Supervision
from gateway.intake.units import KnownUnit

KEEPALIVE_LATE = 30.0
"""Seconds after which a dead broker is known: twice the keep-alive."""


def unit_health(
    units: Mapping[int, KnownUnit], supervision: Supervision, down: Iterable[str], states: States
) -> Iterable[DeviceHealth]:
    """Each unit; one that was last heard by a path that is down, and is silent, is not known rather than lost."""
    closed, lost = set(down), supervision.lost
    for number, unit in units.items():
        state, late_after = supervision.of(number), unit.record.heartbeat * LOST_AFTER
        silent = number in lost
        because = state.path if silent and state.path in closed else ""
        yield DeviceHealth(
            id=unit.record.id,
            kind="unit",
            profile="own unit",
            cls="panic",
            place=unit.place or "",
            path=state.path,
            heard=state.heard,
            battery=state.battery,
            low=state.low > 1,
            tampered=state.tampered,
            supervision=Watched(id=unit.record.id, late_after=late_after).strength,
            late_after=late_after,
            lost=silent and not because,
            because=because,
            tested_at=states.of(unit.record.id).tested_at,
            tested_place=states.of(unit.record.id).tested_place,
        )


def path_health(
    ways: Mapping[str, str],
    down: Mapping[LinkName, str],
    heard: Mapping[str, Instant],
    *,
    within: float,
    now: Instant,
) -> Iterable[DeviceHealth]:
    """Each way in by its name and kind. A broker proves itself by its keep-alive, a radio only by what is heard.

    `within`: seconds within which somebody must be heard on a radio channel; 0: nobody is expected there.
    """
    for name, kind in ways.items():
        late_after = {"broker": KEEPALIVE_LATE, "radio": within}.get(kind, 0.0)
        last, reason = heard.get(name, Instant(0)), down.get(LinkName(name))
        silent = kind == "radio" and within > 0 and now - last > within * SECOND
        yield DeviceHealth(
            id=name,
            kind="path",
            profile=kind,
            heard=last,
            supervision="strong" if late_after else "none",
            late_after=late_after,
            lost=reason is not None,
            trouble=reason or ("nothing heard lately" if silent else ""),
        )


def last_heard(every: Iterable[DeviceHealth]) -> dict[str, Instant]:
    """When anything was last heard, by path."""
    last: dict[str, Instant] = {}
    for each in every:
        if each.path:
            last[each.path] = max(each.heard, last.get(each.path, Instant(0)))
    return last
