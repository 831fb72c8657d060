"""What settings of spoken announcements share."""

from __future__ import annotations

import re
from ipaddress import IPv4Address

from msgspec import Struct

from belltower.errors import SettingsError
from hardware.drivers.speech import CommandSpeaker, Speaker, espeak


class SpeechSettings(Struct, frozen=True, kw_only=True):
    """A table `speech`: who speaks, on this machine."""

    # A voice of espeak-ng, the embedded default.
    voice: str = "en-us"
    # Words a minute.
    words: int = 150
    # Another program: it reads a text from its standard input and writes a WAV file to its standard output.
    command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a voice and a pace that are none."""
        try:
            espeak(voice=self.voice)
        except SettingsError as error:
            raise SettingsError(f"voice: {error}") from None
        if not 80 <= self.words <= 300:
            raise SettingsError("words: 80 to 300 a minute; 150 is usual")

    def speaker(self) -> Speaker:
        """Whoever speaks."""
        return (
            CommandSpeaker(command=self.command)
            if self.command
            else espeak(voice=self.voice, words=self.words)
        )


def group_faults(to: str, interface: str, ttl: int, *, key: str = "to") -> list[str]:
    """What is wrong with where RTP goes."""
    faults = []
    try:
        _, port = address(to)
    except ValueError:
        faults.append(f'{key}: write a numeric address and an even port: "239.255.1.1:5004"')
    else:
        if port % 2 or port < 1_024:
            faults.append(
                f"{key}: {port} is no port for RTP; it is even and at least 1024, 5004 for instance"
            )
    if interface:
        try:
            IPv4Address(interface)
        except ValueError:
            faults.append('interface: write the numeric address of a network card: "192.0.2.5"')
    if ttl > 255:
        faults.append("ttl: at most 255; 1 stays in this network")
    return faults


def address(text: str) -> tuple[str, int]:
    """The numeric IPv4 address and port of "HOST:PORT". ValueError when it is none."""
    host, _, port = text.rpartition(":")
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65_536:
        raise ValueError(f"{text!r} has no port")
    return str(IPv4Address(host)), int(port)
