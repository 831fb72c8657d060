"""What hears our spoken alarms: an ear in memory, and speech whose sound can be read again."""

import asyncio

from belltower.errors import Unreachable
from floorplans.campus import Campus
from gateway.psap.voice_link import VoiceLink
from hardware.codecs.voice import FRAME_OCTETS, PayloadFormat
from hardware.drivers.speech import NOTES, Words


class Legible:
    """Speech of which each character of a text is one frame; as good as rendered, but for what is `missing`."""

    def __init__(self, *, missing=(), broken="", slow=1) -> None:
        self.missing = set(missing)
        self.broken = broken
        self.slow = slow
        self.wanted = []

    def want_words(self, words):
        self.wanted += [each.text for each in words]

    def ready(self, words: Words, form):
        if self.broken or words.text in self.missing:
            return b""
        if words.text.startswith(NOTES):
            return b"\x02" * FRAME_OCTETS * 30
        return b"".join(
            letter.encode("ascii", "replace") * FRAME_OCTETS * self.slow for letter in f"{words.text} "
        )

    def complete(self, words, form):
        return all(self.ready(each, form) for each in words)

    def fault(self):
        return self.broken

    async def run(self):
        await asyncio.Event().wait()


class Air:
    """A wire that keeps what was sent, with the loop's times."""

    form = PayloadFormat.PCMU

    def __init__(self) -> None:
        self.gone = ""
        self.sent: list[tuple[float, bytes, bool]] = []
        self.talks: list[str] = []
        self.opened = False

    def fault(self):
        return self.gone

    async def begin(self):
        if self.gone:
            raise Unreachable(self.gone)
        self.opened = True
        self.talks.append("")

    def send(self, frame, *, first):
        if self.gone:
            raise Unreachable(self.gone)
        assert self.opened
        assert FRAME_OCTETS == len(frame)
        self.sent.append((asyncio.get_running_loop().time(), frame, first))
        letter = frame[:1]
        if frame == letter * FRAME_OCTETS and letter.isascii() and letter.decode().isprintable():
            self.talks[-1] += letter.decode()

    async def end(self):
        self.opened = False


def voice_link(wire, *, speech=None, ptt=None, repeat=30.0):
    """A link that speaks on `wire`."""
    return VoiceLink(
        name="radio",
        wire=wire,
        speech=speech or Legible(),
        campus=Campus(id="lindenfield", name="Lindenfield School"),
        ptt=ptt,
        repeat=repeat,
    )
