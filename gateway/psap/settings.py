"""What a settings file says about the ways to the PSAP."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct, field

from belltower.errors import Malformed, SettingsError
from belltower.values import Seconds, Secret
from gateway.psap.channel import ModemParameters
from gateway.psap.dc09_settings import DC09LinkSettings
from gateway.psap.eido_settings import EIDOLinkSettings
from gateway.psap.modem_settings import ModemLinkSettings
from gateway.psap.radio_data_settings import FleetSyncLinkSettings, NexedgeLinkSettings, TetraLinkSettings
from gateway.psap.sip_settings import SIPLinkSettings
from gateway.psap.voice_settings import VoiceLinkSettings
from hardware.codecs.ax25 import Address
from hardware.transports import open_transport

KEY_OCTETS = 32


class KISSLinkSettings(Struct, frozen=True, kw_only=True):
    """APRS messages over a radio modem that speaks KISS: `[psap.links.NAME]` with `kind = "kiss"`."""

    # The modem: "serial:///dev/ttyUSB0?baud=9600" or "tcp://127.0.0.1:8001".
    url: str
    # Our station's call sign on this link, with its SSID: "SCHOOL-1".
    from_: str = field(name="from")
    # The county's call sign, what a message is addressed to.
    to: str
    # The key both ends hold, 64 hex digits; every message and every confirmation bears its MAC.
    key: Secret
    # Bits per second on air: how long the channel is busy with one frame. None: the line has no channel to share,
    # a wire for instance, and nothing waits.
    rate: int | None = None
    # How long the transmitter is keyed before the first bit, and after the last.
    txdelay: Seconds = 0.3
    tail: Seconds = 0.1
    # The share of the channel's last minute, ours and what the modem heard of others, above which repeats, summaries,
    # tests and heartbeats give way for up to 15 seconds. A first press never does.
    load_limit: Annotated[float, Meta(gt=0, le=1, extra={"expected": "a share above 0, at most 1"})] = 0.7
    # Tell the modem txdelay, tail, persistence and slot whenever its line opens. False: it keeps its own.
    set_modem: bool = False
    # The chance of keying in a free slot is (persistence + 1) / 256; and how long a slot is.
    persistence: Annotated[int, Meta(ge=0, le=255, extra={"expected": "a number, 0 to 255"})] = 63
    slot: Seconds = 0.1
    # How often the county's end is asked for a sign of life; three misses and the link is lost.
    heartbeat: Seconds = 30.0
    # Links of lower priority are shown first. All links are called at once.
    priority: int = 1

    def __post_init__(self) -> None:
        """Refuse a modem that cannot be opened, stations that cannot be written on the air, a key that is none."""
        faults = []
        try:
            open_transport(self.url)
        except SettingsError as error:
            faults.append(f"url: {error}")
        for name, station in (("from", self.from_), ("to", self.to)):
            try:
                Address.parse(station)
            except Malformed as error:
                faults.append(f"{name}: {error}")
        if self.from_ == self.to:
            faults.append(f'to: from and to are both "{self.to}"; each end has its own call sign')
        if self.key.reveal():  # empty while settings are checked without opening secrets
            try:
                link_key(self.key)
            except SettingsError as error:
                faults.append(f"key: {error}")
        if self.rate is not None and self.rate < 300:
            faults.append(f"rate: {self.rate} is no speed of a packet channel; 1200 and 9600 are usual")
        faults += [
            f"{name}: a modem takes at most 2.55 s"
            for name in ("txdelay", "tail", "slot")
            if self.set_modem and getattr(self, name) > 2.55
        ]
        if self.heartbeat < 1:
            faults.append('heartbeat: it is at least "1s"; "30s" is usual')
        if faults:
            raise SettingsError("\n".join(faults))

    def modem_parameters(self) -> ModemParameters | None:
        """What the modem is told; None: nothing."""
        if not self.set_modem:
            return None
        return ModemParameters(
            txdelay=self.txdelay, tail=self.tail, slot=self.slot, persistence=self.persistence
        )


LINKS: dict[str, type[Struct]] = {
    "kiss": KISSLinkSettings,
    "dc09": DC09LinkSettings,
    "eido": EIDOLinkSettings,
    "modem": ModemLinkSettings,
    "sip": SIPLinkSettings,
    "tetra": TetraLinkSettings,
    "fleetsync": FleetSyncLinkSettings,
    "nexedge": NexedgeLinkSettings,
    "voice": VoiceLinkSettings,
}
"""The record of each `kind` of link."""


def link_key(secret: Secret) -> bytes:
    """The key in a secret; SettingsError, which does not repeat it, when it is not 64 hex digits."""
    text = secret.reveal().strip()
    if not re.fullmatch(rf"[0-9a-fA-F]{{{2 * KEY_OCTETS}}}", text):
        raise SettingsError(
            f"the link key is not {2 * KEY_OCTETS} hex digits; make one with: openssl rand -hex {KEY_OCTETS}"
        )
    return bytes.fromhex(text)
