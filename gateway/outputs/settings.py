"""What a settings file says about announcements; `switch_settings` tells of what is switched."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct

from belltower.errors import SettingsError
from belltower.values import Count
from gateway.outputs.switch_settings import SWITCHES
from hardware.codecs.voice import PayloadFormat
from hardware.drivers.page_polycom import CODECS
from hardware.drivers.page_settings import address, group_faults

Channel = Annotated[int, Meta(ge=1, le=50, extra={"expected": "a channel, 1 to 50"})]
"""A channel of a Polycom group page."""


class MulticastPageSettings(Struct, frozen=True, kw_only=True):
    """Plain RTP to a multicast group: `[outputs.NAME]` with `kind = "multicast-page"`."""

    # The zone's group: "239.255.1.1:5004", an even port. One table for each zone.
    to: str
    # How the sound is coded: "pcmu" is taken by everything, "g722" sounds better.
    format: PayloadFormat = PayloadFormat.PCMU
    # The numeric address of the network card that it leaves by, and how many routers it passes.
    interface: str = ""
    ttl: Count = 1

    def __post_init__(self) -> None:
        """Refuse a group that is none."""
        _raise(group_faults(self.to, self.interface, self.ttl))


class PolycomPageSettings(Struct, frozen=True, kw_only=True):
    """The group page of Polycom telephones: `[outputs.NAME]` with `kind = "polycom-page"`."""

    # The group of the telephones.
    to: str = "224.0.1.116:5001"
    # 26 to 50 are pages; 49 is priority, 50 emergency.
    channel: Channel = 50
    # What telephones show, at most 13 characters of ASCII.
    caller: str = "School alarm"
    # Of two pages at once the one with the lower id is heard: 8 hex digits.
    sender: str = "00000001"
    # "g722" or "pcmu".
    format: PayloadFormat = PayloadFormat.G722
    # The numeric address of the network card that it leaves by, and how many routers it passes.
    interface: str = ""
    ttl: Count = 1

    def __post_init__(self) -> None:
        """Refuse what telephones would not understand."""
        faults = [
            fault
            for fault in group_faults(self.to, self.interface, self.ttl)
            if "no port for RTP" not in fault
        ]
        if not re.fullmatch(r"[ -~]{1,13}", self.caller):
            faults.append("caller: 1 to 13 characters of ASCII")
        if not re.fullmatch(r"[0-9A-Fa-f]{8}", self.sender):
            faults.append('sender: 8 hex digits; "00000001" is usual')
        if self.format not in CODECS:
            faults.append('format: these telephones take "g722" or "pcmu"')
        _raise(faults)


class SIPPageSettings(Struct, frozen=True, kw_only=True):
    """A telephone or paging adapter that answers by itself: `[outputs.NAME]` with `kind = "sip-page"`."""

    # Its numeric address: "192.0.2.40:5060".
    to: str
    # The user it answers for: "page".
    user: str = ""
    # Who calls.
    from_user: str = "belltower"
    # How the sound is coded.
    format: PayloadFormat = PayloadFormat.PCMU

    def __post_init__(self) -> None:
        """Refuse an address that is none."""
        faults = []
        try:
            address(self.to)
        except ValueError:
            faults.append('to: write a numeric address and a port: "192.0.2.40:5060"')
        faults += [
            f"{name}: letters, digits and . _ + - only"
            for name in ("user", "from_user")
            if not re.fullmatch(r"[A-Za-z0-9._+-]{0,40}", getattr(self, name))
        ]
        if not self.from_user:
            faults.append('from_user: who calls; "belltower" is usual')
        _raise(faults)


OUTPUTS: dict[str, type[Struct]] = {
    **SWITCHES,
    "multicast-page": MulticastPageSettings,
    "polycom-page": PolycomPageSettings,
    "sip-page": SIPPageSettings,
}
"""The record of each `kind` of output."""


def _raise(faults: list[str]) -> None:
    if faults:
        raise SettingsError("\n".join(faults))
