"""How settings of a spoken alarm become its link."""

from __future__ import annotations

from belltower.ids import LinkName
from gateway.psap.link import Around
from gateway.psap.voice_link import VoiceLink
from gateway.psap.voice_settings import VoiceLinkSettings
from hardware.drivers.key_line import open_key_line
from hardware.drivers.page_multicast import MulticastPage
from hardware.drivers.page_settings import address
from hardware.drivers.ptt import PTT
from hardware.drivers.sound_command import SoundCommand
from hardware.drivers.speech import Speech


def voice_link(name: LinkName, settings: VoiceLinkSettings, around: Around) -> VoiceLink:
    """The link that its settings describe, not yet opened."""
    wire: MulticastPage | SoundCommand
    if settings.to:
        host, port = address(settings.to)
        wire = MulticastPage(
            host=host,
            port=port,
            form=settings.format,
            ttl=settings.ttl,
            interface=settings.interface,
            random_bytes=around.random_bytes,
        )
    else:
        wire = SoundCommand(command=settings.command)
    ptt = None
    if settings.key_line:
        line = open_key_line(settings.key_line)
        ptt = PTT(line=line, lead=settings.lead, tail=settings.tail, claim=settings.claim)
    speaker = settings.speech.speaker()
    return VoiceLink(
        name=name,
        wire=wire,
        speech=Speech(folder=around.state / "speech", speaker=speaker, forms=[wire.form]),
        campus=around.campus,
        ptt=ptt,
        lead=settings.lead,
        tail=settings.tail,
        repeat=settings.repeat,
    )
