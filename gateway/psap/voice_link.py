"""A spoken alarm over a radio, to the PSAP or to responders in their cars.

It proves nothing: no machine answers, so there is never a `Receipt`, and NOT ACKNOWLEDGED, CALL 911 stays on every
screen until another road brings an answer. It is said again at intervals until then. The sound goes as RTP to a
gateway between the network and the radio, whose packets are the key (NIST/OLES BSI: packets key the channel, silence
unkeys it), or to a program that plays it while a key line keys the transmitter.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import msgspec

from belltower import log
from belltower.errors import LinkError
from belltower.ids import LinkName
from belltower.tasks import together
from floorplans.campus import Campus
from gateway.psap import radio_text, voice_text
from gateway.psap.link import (
    FIRST_PRESS,
    Call,
    Frame,
    LinkTest,
    LinkTraits,
    Lost,
    More,
    Opened,
    Report,
    Update,
)
from hardware.codecs.voice import FRAME, PayloadFormat, frames, silent
from hardware.drivers.ptt import PTT
from hardware.drivers.speech import Words
from hardware.drivers.zone import Pace, PageWire

_log = log.get("psap.voice")

LONGEST = 50.0
"""Seconds of one saying; what would be said after that is left out, so that the watchdog of 60 s never cuts it."""
WAIT = 70.0
"""Seconds for which a frame waits until what is being said has ended."""
LOOK = 1.0
"""Seconds between two looks at the wire."""
_LOOKS_PER_CHECK = 10
_QUEUE = 8
_SAYINGS = 2


class Saying(msgspec.Struct, frozen=True, kw_only=True):
    """What a frame carries."""

    words: tuple[Words, ...]
    # Without one of its words it would say something else: a cancellation without "cancelled" is heard as a call.
    whole: bool = False


_DECODER = msgspec.json.Decoder(Saying)


class VoiceWire(PageWire, Protocol):
    """A wire for sound that knows whether it leads anywhere."""

    def fault(self) -> str:
        """Why nothing can leave now; "" when nothing is known against it. Never blocks."""
        ...


class Sayings(Protocol):
    """Speech that was rendered ahead."""

    def want_words(self, words: Sequence[Words], /) -> None:
        """Render these as well."""
        ...

    def ready(self, words: Words, form: PayloadFormat, /) -> bytes:
        """The sound of it, whole or by its parts; b"" where it is not rendered."""
        ...

    def complete(self, words: Sequence[Words], form: PayloadFormat, /) -> bool:
        """Whether all of it can be said."""
        ...

    def fault(self) -> str:
        """What keeps it from speaking."""
        ...

    async def run(self) -> None:
        """Render for ever."""
        ...


class VoiceLink:
    """One radio that speaks our calls: a `PSAPLink`."""

    def __init__(
        self,
        *,
        name: LinkName,
        wire: VoiceWire,
        speech: Sayings,
        campus: Campus,
        ptt: PTT | None = None,
        lead: float = 0.35,
        tail: float = 0.1,
        repeat: float = 30.0,
    ) -> None:
        """Speak on `wire`; without `ptt` the packets are the key, and `lead` and `tail` are silent ones."""
        self._name = name
        self._wire = wire
        self._speech = speech
        self._campus = campus
        self._ptt = ptt
        self._lead = lead
        self._tail = tail
        self._traits = LinkTraits(
            settling=frozenset(),
            best=None,
            retries=(repeat,),
            again=repeat,
            exercise=True,
            supervision=86_400.0,
        )
        self._queue: asyncio.Queue[tuple[Frame, asyncio.Future[bool]]] = asyncio.Queue(_QUEUE)
        self._fault = "not looked at yet"
        self._checked = ""

    @property
    def name(self) -> LinkName:
        """The name of its settings table."""
        return self._name

    @property
    def traits(self) -> LinkTraits:
        """No level settles: nothing is ever confirmed here."""
        return self._traits

    @property
    def detail(self) -> str:
        """That nothing is confirmed, and what keeps it from speaking."""
        return "; ".join(filter(None, ("spoken, and confirmed by nobody", self._speech.fault())))

    def first(self, call: Call) -> Frame:
        """The call, spoken twice."""
        text = voice_text.call_text(call, campus=self._campus)
        covers = ((call.order.call, FIRST_PRESS),)
        frame_id = f"{radio_text.call_frame_id(call.order.number)}-{radio_text.key_of(call.order.call)}"
        return Frame(id=frame_id, octets=_octets(text), text=voice_text.sentence(text), covers=covers)

    def more(self, more: More) -> Frame:
        """Further presses."""
        text, told = voice_text.more_text(more, campus=self._campus)
        covers = tuple((call.order.call, ranges) for call, ranges in told)
        frame_id = radio_text.text_frame_id("S", repr(covers))
        return Frame(id=frame_id, octets=_octets(text), text=voice_text.sentence(text), covers=covers)

    def update(self, update: Update) -> Frame:
        """A cancellation or correction."""
        text = voice_text.update_text(update, campus=self._campus)
        return Frame(
            id=radio_text.update_frame_id(update),
            octets=_octets(text, whole=True),
            text=voice_text.sentence(text),
        )

    def test(self, test: LinkTest) -> Frame | str:
        """A marked test, for whoever listens; nothing comes back, so it proves nothing by itself."""
        text = voice_text.test_text(test, campus=self._campus)
        sentence = voice_text.sentence(text)
        return Frame(
            id=radio_text.text_frame_id("T", sentence + test.key), octets=_octets(text), text=sentence
        )

    def airtime(self, frame: Frame) -> float:
        """How long it is on the air."""
        spoken = sum(1 for _ in self._sound(frame)) * FRAME
        return self._lead + min(spoken or len(frame.text) * 0.15, LONGEST) + self._tail

    async def send(self, frame: Frame) -> bool:
        """Say it. True once its first packet has left; while something else is said, its turn is waited for."""
        saying = _saying(frame)
        # The first words say whether it is an exercise or a test: without them nothing else is said.
        needed = saying.words if saying.whole else saying.words[:1]
        if self._fault or not self._speech.complete(needed, self._wire.form):
            self._speech.want_words(saying.words)
            return False
        left: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((frame, left))
            async with asyncio.timeout(WAIT):
                return await left
        except (asyncio.QueueFull, TimeoutError):
            return False

    async def run(self, report: Report) -> None:
        """Speak what is sent, look at the wire, and have speech rendered, for ever."""
        self._speech.want_words(voice_text.FIXED)
        self._speech.want_words(voice_text.campus_text(self._campus))
        try:
            await together(
                voice_talk=self._talk(), voice_look=self._look(report), voice_speech=self._speech.run()
            )
        finally:
            self._fault = "not looked at yet"
            while not self._queue.empty():
                _settle(self._queue.get_nowait()[1], left=False)

    async def _look(self, report: Report) -> None:
        """Say whether the wire and the key line are there, once per change."""
        told: str | None = None
        looks = 0
        while True:
            if looks % _LOOKS_PER_CHECK == 0 or self._checked:
                self._checked = await self._check()
            looks += 1
            self._fault = self._wire.fault() or self._checked or self._mute()
            if self._fault and not told:
                report(Lost(reason=self._fault))
            elif not self._fault and told != "":
                report(Opened())
            told = self._fault
            await asyncio.sleep(LOOK)

    def _mute(self) -> str:
        """Why no call can be said; one text that cannot be rendered, or a program that is gone since, is no reason."""
        if self._speech.complete(voice_text.SPOKEN, self._wire.form):
            return ""
        return self._speech.fault()

    async def _check(self) -> str:
        if self._ptt is None:
            return ""
        try:
            await self._ptt.check()
        except LinkError as error:
            return str(error)
        return ""

    async def _talk(self) -> None:
        while True:
            frame, left = await self._queue.get()
            if left.done():
                continue
            try:
                await self._say(frame, left)
            except LinkError as error:
                _log.warning("not_spoken", link=self._name, error=type(error).__name__)
            finally:
                _settle(left, left=False)

    async def _say(self, frame: Frame, left: asyncio.Future[bool]) -> None:
        """One transmission."""
        quiet = silent(self._wire.form)
        keyed_by_packets = self._ptt is None
        async with self._on_air():
            try:
                await self._wire.begin()
                pace, first = Pace(), True
                for sound in self._paced(frame, quiet, silence_around=keyed_by_packets):
                    await pace.next()
                    self._wire.send(sound, first=first)
                    first = False
                    _settle(left, left=True)
            finally:
                await self._wire.end()

    @asynccontextmanager
    async def _on_air(self) -> AsyncIterator[None]:
        if self._ptt is None:
            yield
            return
        async with self._ptt.keyed():
            yield

    def _paced(self, frame: Frame, quiet: bytes, *, silence_around: bool) -> Iterator[bytes]:
        if silence_around:
            yield from [quiet] * round(self._lead / FRAME)
        longest = round(LONGEST / FRAME)
        for count, sound in enumerate(self._sound(frame)):
            if count >= longest:
                break
            yield sound
        if silence_around:
            yield from [quiet] * round(self._tail / FRAME)

    def _sound(self, frame: Frame) -> Iterator[bytes]:
        """A short tone, then the text twice; what is not rendered yet is left out, where it may be."""
        form = self._wire.form
        yield from frames(self._speech.ready(voice_text.ATTENTION, form))
        for _ in range(_SAYINGS):
            for words in _saying(frame).words:
                yield from frames(self._speech.ready(words, form))
            yield from [silent(form)] * 30


def _octets(text: tuple[Words, ...], *, whole: bool = False) -> bytes:
    return msgspec.json.encode(Saying(words=text, whole=whole))


def _saying(frame: Frame) -> Saying:
    return _DECODER.decode(frame.octets)


def _settle(future: asyncio.Future[bool], *, left: bool) -> None:
    with suppress(asyncio.InvalidStateError):
        future.set_result(left)
