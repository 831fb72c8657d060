"""What a settings file says about radios that carry texts: TETRA, FleetSync, NEXEDGE. All are vector-tested only."""

from __future__ import annotations

import re
from typing import ClassVar

from msgspec import Struct

from belltower.errors import Malformed, SettingsError
from belltower.values import Seconds
from hardware.codecs import tetra_pei
from hardware.transports import open_transport


class TetraLinkSettings(Struct, frozen=True, kw_only=True):
    """Texts by TETRA short data: `[psap.links.NAME]` with `kind = "tetra"`. Vector-tested: no radio was at hand."""

    VECTOR_TESTED: ClassVar[bool] = True

    # The radio's data port: "serial:///dev/ttyUSB3?baud=38400".
    url: str
    # The number (ISSI) of the centre's terminal, 1 to 16777215.
    to: str
    # Whether a console that has opened the text settles the call as far as machines can.
    station_counts: bool = False
    # How often registration is looked at.
    heartbeat: Seconds = 30.0
    # Links of lower priority are shown first. All links are called at once.
    priority: int = 10

    def __post_init__(self) -> None:
        """Refuse a radio that cannot be opened, and a number that is none."""
        faults = _url(self.url)
        try:
            tetra_pei.issi(self.to)
        except Malformed:
            faults.append('to: write the number of the terminal, 1 to 16777215: "2345678"')
        if not 1 <= self.heartbeat <= 60:
            faults.append('heartbeat: "1s" to "60s"; "30s" is usual')
        if faults:
            raise SettingsError("\n".join(faults))


class FleetSyncLinkSettings(Struct, frozen=True, kw_only=True):
    """Texts by FleetSync: `[psap.links.NAME]` with `kind = "fleetsync"`. Vector-tested: no radio was at hand."""

    VECTOR_TESTED: ClassVar[bool] = True

    # The radio's data port: "serial:///dev/ttyUSB4?baud=9600".
    url: str
    # Fleet and unit of the centre's radio, 3 and 4 digits: "100-1002"; "000-0000" is everybody, and never acknowledged.
    to: str
    # Whether the radios take long messages: then texts are said in full, else in 48 characters.
    long: bool = False
    # Links of lower priority are shown first. All links are called at once.
    priority: int = 10

    def __post_init__(self) -> None:
        """Refuse a radio that cannot be opened, and a number that is none."""
        faults = _url(self.url)
        if not re.fullmatch(r"[0-9]{3}-[0-9]{4}", self.to):
            faults.append('to: write fleet and unit, "100-1002"')
        if faults:
            raise SettingsError("\n".join(faults))


class NexedgeLinkSettings(Struct, frozen=True, kw_only=True):
    """Texts by NEXEDGE: `[psap.links.NAME]` with `kind = "nexedge"`. Vector-tested: no radio was at hand."""

    VECTOR_TESTED: ClassVar[bool] = True

    # The radio's data port: "serial:///dev/ttyUSB4?baud=9600".
    url: str
    # The centre's radio, "U03001", or a group, "G00100"; a group never acknowledges, and "G00000" is everybody.
    to: str
    # Whether the radios take long messages: then texts are said in full, else in 48 characters.
    long: bool = False
    # Links of lower priority are shown first. All links are called at once.
    priority: int = 10

    def __post_init__(self) -> None:
        """Refuse a radio that cannot be opened, and a number that is none."""
        faults = _url(self.url)
        if not re.fullmatch(r"[UG][0-9]{5}", self.to):
            faults.append('to: write U and five digits, "U03001", or G and five digits for a group')
        if faults:
            raise SettingsError("\n".join(faults))


def _url(url: str) -> list[str]:
    try:
        open_transport(url)
    except SettingsError as error:
        return [f"url: {error}"]
    return []
