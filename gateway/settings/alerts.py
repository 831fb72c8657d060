"""The settings of alert feeds: those that are watched, and the one that we publish."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from belltower.errors import SettingsError
from belltower.values import Seconds

SOONEST = 10.0
"""Seconds between two looks at somebody else's feed, at the least."""

_SENDER = re.compile(r"[^\s,<&]*")


class AlertFeedSettings(Struct, frozen=True, kw_only=True):
    """`[desk.alerts.NAME]`: a feed of public alerts that is watched, the weather service's or a neighbour's."""

    # An Atom index or a single CAP alert.
    url: str
    # How often it is asked; at least "10s".
    every: Seconds = 60.0
    # The areas that concern us, as the feed codes them: SAME, FIPS or UGC. Empty: whatever the feed holds.
    areas: frozenset[str] = frozenset()
    # The events that concern us: their codes ("TOR") or names ("Tornado Warning"). Empty: all.
    codes: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse an address that is none, and asking too often."""
        try:
            parts = urlsplit(self.url)
            good = parts.port != 0 and parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            good = False
        if not good:
            raise SettingsError(f'url: "{self.url}" is no address here; write https://HOST/PATH')
        if parts.username is not None or parts.password is not None:
            raise SettingsError("url: bears a password, which would stand in logs; give an address without")
        if self.every < SOONEST:
            raise SettingsError(
                f'every: {self.every:g} s is too often for somebody else\'s server; write "60s"'
            )


class FeedSettings(Struct, frozen=True, kw_only=True):
    """`[desk.feed]`: the feed of our own alerts, `/feeds/cap.atom` on the live page's address."""

    # Who may read it: nobody, people with an account, or everybody.
    access: Literal["off", "signed-in", "public"] = "off"
    # Who we are in every alert, the same for ever; "" for belltower@ and the page's host.
    sender: str = ""

    def __post_init__(self) -> None:
        """Refuse a sender that CAP cannot carry."""
        if _SENDER.fullmatch(self.sender) is None:
            raise SettingsError(
                f'sender: "{self.sender}" holds a space, comma, < or &; write alerts@school.example for instance'
            )
