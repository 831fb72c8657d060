"""What a settings file says about existing alarm panels as a way in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from belltower.errors import SettingsError
from belltower.ids import PlaceId
from belltower.values import Count, Port, Secret
from gateway.intake.panel_path import PanelZones
from hardware.codecs.dc09_crypto import key_of

_ACCOUNT = re.compile(r"[0-9A-Fa-f]{3,16}")
_ZONE = re.compile(r"[0-9]{1,8}")


class PanelAccountSettings(Struct, frozen=True, kw_only=True):
    """`[alarm.panels.NAME.accounts.NUMBER]`: one panel's account."""

    # The AES key that the panel has: 16, 24 or 32 characters, or 32, 48 or 64 hex digits. Without it the panel reports
    # in clear, and whoever can reach the port can raise an alarm.
    key: Secret | None = None
    # The place of each zone: { "13" = "b204" }.
    zones: dict[str, str] = {}
    # The place of every other zone; "": not known, and it alarms all the same.
    place: str = ""

    def __post_init__(self) -> None:
        """Refuse a key that is none, and zones that are no numbers."""
        faults = [f'zones."{zone}": a zone is a number' for zone in self.zones if not _ZONE.fullmatch(zone)]
        if (
            self.key is not None and self.key.reveal()
        ):  # empty while settings are checked without opening secrets
            try:
                key_of(self.key.reveal().strip())
            except SettingsError as error:
                faults.append(f"key: {error}")
        if faults:
            raise SettingsError("\n".join(faults))

    @property
    def where(self) -> PanelZones:
        """The places of its zones."""
        return PanelZones(
            zones={int(zone): PlaceId(place) for zone, place in self.zones.items()},
            place=PlaceId(self.place) if self.place else None,
        )


class PanelSettings(Struct, frozen=True, kw_only=True):
    """`[alarm.panels.NAME]`: alarm panels report to us by SIA DC-09, as to a monitoring station."""

    # Where panels find us: the port as they are programmed, there is no usual one.
    port: Port
    # The accounts that may report; what others send is dropped.
    accounts: dict[str, PanelAccountSettings]
    bind: str = "127.0.0.1"
    # "tcp", "udp" or "both".
    protocol: Literal["tcp", "udp", "both"] = "both"
    # Connections at once; a further one takes the place of the one silent for longest.
    max_clients: Count = 256

    def __post_init__(self) -> None:
        """Refuse a receiver that no panel may report to, and accounts that cannot be written."""
        faults = [
            f'accounts."{account}": an account is 3 to 16 hex digits'
            for account in self.accounts
            if not _ACCOUNT.fullmatch(account)
        ]
        if not self.accounts:
            faults.append("accounts: none; no panel could report")
        if len({account.upper() for account in self.accounts}) < len(self.accounts):
            faults.append("accounts: the same one twice, in small letters and in capitals")
        if faults:
            raise SettingsError("\n".join(faults))

    def keys(self) -> dict[str, bytes | None]:
        """The AES key of each account, None where it reports in clear."""
        return {
            number: key_of(account.key.reveal().strip()) if account.key is not None else None
            for number, account in self.accounts.items()
        }

    def places(self) -> Iterator[tuple[str, PlaceId]]:
        """Every place that it names, with the key that names it."""
        for number, account in self.accounts.items():
            for zone, place in account.where.zones.items():
                yield f"accounts.{number}.zones.{zone}", place
            if account.place:
                yield f"accounts.{number}.place", PlaceId(account.place)
