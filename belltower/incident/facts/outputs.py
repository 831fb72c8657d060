"""Sirens, strobes, locks and paging zones."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from belltower.ids import IncidentId, PlaceId
from belltower.incident.facts.incidents import Action, AlarmKind, Mode


class OutputLevel(StrEnum):
    """How far an order to an output got. Only the last is the device's own word; none is a person's."""

    # On purpose it was not switched: a drill whose live form is withheld, or another incident keeps it as it is.
    WITHHELD = "withheld"
    # It was taken in, by us or by a broker; nothing says that it left.
    QUEUED = "queued"
    # It left for the device.
    SENT = "sent"
    # The device itself answered exactly this order.
    DEVICE = "device"


class OutputOrdered(Struct, frozen=True, kw_only=True, tag="output.ordered"):
    """Switch an output (siren, strobe, lock)."""

    output: str
    incident: IncidentId
    mode: Mode
    on: bool
    # What it is for: the alarm's kind, or the action that was ordered.
    kind: AlarmKind | None = None
    action: Action | None = None
    place: PlaceId | None = None
    # This is the n-th order to this output in this incident, from 1; a later one replaces the earlier.
    order: int = 1


class OutputReceipt(Struct, frozen=True, kw_only=True, tag="output.receipt"):
    """An output has done what it was ordered, as far as its kind can tell."""

    output: str
    incident: IncidentId
    order: int
    on: bool
    # Whether the device itself said so; False: it was sent, and nothing confirms it.
    confirmed: bool
    # `QUEUED`: it is about to be sent, once and never again; what became of it follows.
    level: OutputLevel = OutputLevel.SENT


class OutputFailed(Struct, frozen=True, kw_only=True, tag="output.failed"):
    """An output could not be switched."""

    output: str
    incident: IncidentId
    order: int
    on: bool
    reason: str
    # How far it got all the same.
    level: OutputLevel = OutputLevel.QUEUED


OutputFact = OutputOrdered | OutputReceipt | OutputFailed
