"""What the house knows about one of its units."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from belltower.ids import PlaceId, UnitId


class Bearer(StrEnum):
    """The way a unit's frames travel."""

    MQTT = "mqtt"
    RADIO = "radio"
    BOTH = "both"


class UnitRecord(Struct, frozen=True, kw_only=True):
    """One button, badge or call point that speaks our own unit protocol."""

    id: UnitId
    # The unit's number on the wire; the id is "u" and this number.
    number: int
    # Where it hangs; None: not bound, it alarms all the same, with the place unknown.
    place: PlaceId | None = None
    # Seconds between two signs of life that the unit promises.
    heartbeat: float = 30.0
    bearer: Bearer = Bearer.MQTT
    # Whether it can show an order. A mere button is ordered nothing.
    display: bool = True
