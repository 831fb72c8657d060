"""What a settings file says about a spoken alarm over a radio."""

from __future__ import annotations

from msgspec import Struct

from belltower.errors import SettingsError
from belltower.values import Count, Seconds
from hardware.codecs.voice import PayloadFormat
from hardware.drivers.key_line import open_key_line
from hardware.drivers.page_settings import SpeechSettings, group_faults


class VoiceLinkSettings(Struct, frozen=True, kw_only=True):
    """A spoken alarm: `[psap.links.NAME]` with `kind = "voice"`. Nothing confirms it; only a person's answer by another road does."""

    # A gateway to the radio that takes RTP, unicast or multicast: "239.255.2.1:5006". "": `command` is used.
    to: str = ""
    # Or a program that plays 16-bit samples, 8000 a second, from its standard input.
    command: tuple[str, ...] = ()
    # How the sound is coded for `to`.
    format: PayloadFormat = PayloadFormat.PCMU
    # The numeric address of the network card that multicast leaves by, and how many routers it passes.
    interface: str = ""
    ttl: Count = 1
    # What keys the transmitter: "serial:///dev/ttyUSB0?line=rts&busy=cts", "rig://127.0.0.1:4532" or
    # "contact:///dev/hidraw0?pin=3". "": the packets themselves do, as with a gateway between networks and radios.
    key_line: str = ""
    # Keyed so long before the first sound, and after the last; the wait for a busy channel.
    lead: Seconds = 0.35
    tail: Seconds = 0.1
    claim: Seconds = 3.0
    # The pause between two sayings, until somebody has acknowledged.
    repeat: Seconds = 30.0
    # Who speaks.
    speech: SpeechSettings = SpeechSettings()
    # Links of lower priority are shown first. All links are called at once.
    priority: int = 20

    def __post_init__(self) -> None:
        """Refuse a voice that leads nowhere, and a key line that is none."""
        faults = []
        if bool(self.to) == bool(self.command):
            faults.append(
                'to: give either to, "239.255.2.1:5006" for instance, or command, a list with a player and its arguments'
            )
        if self.to:
            faults += group_faults(self.to, self.interface, self.ttl)
        if self.key_line:
            try:
                open_key_line(self.key_line)
            except SettingsError as error:
                faults.append(f"key_line: {error}")
        if not 0.2 <= self.lead <= 2:
            faults.append('lead: "200ms" to "2s"; "350ms" is usual')
        if self.tail > 2 or self.claim > 3:
            faults.append('tail: at most "2s", and claim at most "3s"')
        if self.repeat < 5:
            faults.append('repeat: at least "5s"; "30s" is usual')
        if faults:
            raise SettingsError("\n".join(faults))
