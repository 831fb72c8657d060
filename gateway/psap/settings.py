"""What a settings file says about the ways to the PSAP."""

from __future__ import annotations

from msgspec import Struct, field

from belltower.values import Seconds, Secret


class KISSLinkSettings(Struct, frozen=True, kw_only=True):
    """APRS messages over a radio modem that speaks KISS: `[psap.links.NAME]` with `kind = "kiss"`."""

    # The modem: "serial:///dev/ttyUSB0?baud=9600" or "tcp://127.0.0.1:8001".
    url: str
    # Our station's call sign on this link, with its SSID: "SCHOOL-1".
    from_: str = field(name="from")
    # The county's call sign, what a message is addressed to.
    to: str
    # The key both ends hold; every message and every confirmation bears its MAC.
    key: Secret
    # Bits per second on air: how long the channel is busy with one frame.
    rate: int = 1200
    # How often the county's end is asked for a sign of life; three misses and the link is lost.
    heartbeat: Seconds = 30.0
    # Links of lower priority are shown first. All links are called at once.
    priority: int = 1


LINKS: dict[str, type[Struct]] = {"kiss": KISSLinkSettings}
"""The record of each `kind` of link."""
