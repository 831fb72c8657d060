"""A foreign device of a campus, as the site package has it."""

from __future__ import annotations

from msgspec import Struct

from belltower.ids import PlaceId


class DeviceRecord(Struct, frozen=True, kw_only=True):
    """One device: which profile judges what it says, what the wire calls it, and where it is."""

    id: str
    profile: str
    # The wire's name of it: what the profile's topic captures, a LoRaWAN EUI, a loop of a serial receiver.
    address: str
    # chirpstack, tts; "" where the model speaks for itself.
    bearer: str = ""
    place: PlaceId | None = None
    # The device that it is heard through: a gateway, a bridge.
    parent: str = ""
    # How often it is heard when all is well, in place of what its profile says; 0: as the profile says.
    heartbeat: float = 0.0
    # Whether its alarm calls the PSAP without a person although it cannot prove itself.
    unattended_call: bool = False
