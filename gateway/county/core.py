"""The other end of the radio link, for tests, training and the demo: a county's receiving system.

`County` is pure: octets and the time go in, octets come out, and its `Screen` is what the telecommunicator sees. It
proves and answers exactly as docs/psap-radio.md says, and can be asked to fail in ways that centres fail.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from collections.abc import Mapping
from enum import StrEnum
from random import Random

from belltower.errors import Malformed
from gateway.county.end import COMMON, Fault
from gateway.county.screen import Acknowledged, HeardCall, ReadBack, Screen, ScreenCall, ScreenEvent
from gateway.psap import radio_text
from gateway.psap.kiss_link import TO_CALL
from gateway.psap.radio_text import (
    CallText,
    CancelText,
    CorrectText,
    Direction,
    Ends,
    LinkTestText,
    MoreText,
    PingText,
)
from hardware.codecs import aprs, ax25, kiss

RETRIES = (2.0, 4.0, 8.0, 15.0)
_AGAIN = 30.0
_CALLS = 10_000


class FaultName(StrEnum):
    """What a county can be asked to do wrong."""

    # It hears everything and says nothing.
    SILENT = "silent"
    # It answers so many seconds late.
    LATE = "late"
    # Its system rejects every call.
    NEGATIVE = "negative"
    # Its acknowledgements name another message.
    WRONG_ID = "wrong-id"
    # Its acknowledgements bear a false MAC.
    BAD_MAC = "bad-mac"
    # Each bit, in and out, is wrong with this probability.
    NOISE = "noise"
    # Every second frame it sends breaks off in the middle.
    HALF_FRAMES = "half-frames"
    # It says everything twice.
    DUPLICATE_ACK = "duplicate-ack"
    # After so many frames it hears nothing any more.
    DEAF_AFTER = "deaf-after"


FAULTS: Mapping[str, float] = {name: COMMON[name] for name in FaultName}
"""What this end can do wrong, each with its measure where none is given."""


class _Saying:
    def __init__(self, *, octets: bytes, number: int, at: float) -> None:
        self.octets = octets
        self.number = number
        self.tries = 0
        self.base = at


class County:
    """A county without its wire. `receive` octets, then send what `outgoing` gives, and look again at `next_at`."""

    def __init__(
        self,
        *,
        key: bytes,
        us: str,
        them: str,
        random: Random,
        fault: Fault | None = None,
        auto: float | None = None,
        screen: Screen | None = None,
        name: str = "kiss",
    ) -> None:
        self._key = key
        self._us = ax25.Address.parse(us)
        self._in = Ends(sender=them, addressee=us)
        self._out = Ends(sender=us, addressee=them)
        self._random = random
        self.fault = fault
        self._auto = auto
        self._decoder = kiss.Decoder()
        self._queue: list[tuple[float, int, bytes]] = []
        self._order = 0
        self._sayings: OrderedDict[str, _Saying] = OrderedDict()
        self._digests: OrderedDict[str, bytes] = OrderedDict()
        self._answers: list[tuple[float, int, str]] = []
        self._name = name
        self._now = 0.0
        self.screen = screen or Screen(now=lambda: self._now)
        """What the telecommunicator sees."""
        self.counts: Counter[str] = Counter()
        """What became of what was heard: calls, repeats, more, pings, forged, malformed, foreign, frames."""
        self.heard: list[tuple[float, str]] = []
        """The last texts proven to come from the school, with the time."""

    @property
    def calls(self) -> OrderedDict[int, ScreenCall]:
        """By call number, in the order heard."""
        return self.screen.calls

    # ---- the telecommunicator

    def acknowledge(self, number: int, by: str = "T1", *, now: float) -> None:
        """A person takes the call; the school is told until it confirms.

        KeyError: there is no such call. ValueError: `by` is no code of 1 to 16 letters, digits and hyphens.
        """
        self._now = now
        self.screen.acknowledge(number, by)
        self.tell(Acknowledged(number=number, key=self.calls[number].key, by=by), now=now)

    def reject(self, number: int) -> None:
        """The centre does not take this call; each further repeat of it is rejected. KeyError: no such call."""
        self.screen.reject(number)

    def tell(self, event: ScreenEvent, *, now: float) -> None:
        """Say what a person did, until the school confirms it."""
        if not event.key:  # only a summary was heard of it so far
            return
        match event:
            case Acknowledged(number=number, key=key, by=by):
                text = radio_text.human_text(number, key, by)
                frame_id = radio_text.text_frame_id("H", text)
            case ReadBack(number=number, key=key, by=by, update=update) if update:
                text = radio_text.read_back_text(number, update, key, by)
                frame_id = radio_text.text_frame_id("R", text)
            case _:  # the radio has no words for it
                return
        if frame_id in self._sayings:
            return
        body = radio_text.signed(self._key, Direction.FROM_PSAP, self._out, text, frame_id)
        octets = self._octets(aprs.Message(addressee=self._out.addressee, text=body, id=frame_id))
        self._sayings[frame_id] = _Saying(octets=octets, number=event.number, at=now)
        self._digests[frame_id] = radio_text.digest(body, frame_id)
        if len(self._digests) > _CALLS:
            self._digests.popitem(last=False)
        self._say(frame_id, now)

    # ---- the wire

    def receive(self, data: bytes, *, now: float) -> None:
        """Take octets from the modem."""
        self._now = now
        if self._deaf():
            return
        for frame in self._decoder.feed(self._noisy(data)):
            if isinstance(frame, kiss.Garbled):
                self.counts["malformed"] += 1
            elif frame.command == kiss.DATA and not self._deaf():
                self.counts["frames"] += 1
                try:
                    self._take(ax25.decode(frame.data), now)
                except Malformed:
                    self.counts["malformed"] += 1

    def outgoing(self, now: float) -> bytes:
        """What has to leave by now."""
        self._now = now
        while self._answers and self._answers[0][0] <= now:
            _, number, by = heapq.heappop(self._answers)
            if number in self.calls and self.calls[number].state == "new":
                self.acknowledge(number, by, now=now)
        out = b""
        while self._queue and self._queue[0][0] <= now:
            _, _, octets = heapq.heappop(self._queue)
            if octets[:1] == b"=":
                self._say(octets[1:].decode(), now)
            else:
                out += self._spoilt(octets)
        return out

    def next_at(self) -> float | None:
        """When `outgoing` will have more, if nothing is received until then."""
        times = [queue[0][0] for queue in (self._queue, self._answers) if queue]
        return min(times, default=None)

    def _take(self, heard: ax25.UIFrame, now: float) -> None:
        if str(heard.source) != self._in.sender:
            self.counts["foreign"] += 1
            return
        packet = aprs.decode(heard.info)
        if packet.addressee != self._in.addressee:
            self.counts["foreign"] += 1
        elif isinstance(packet, aprs.Message):
            self._take_message(packet, now)
        else:
            self._take_answer(packet)

    def _take_answer(self, packet: aprs.Ack | aprs.Reject) -> None:
        digest = self._digests.get(packet.id)
        if digest is None or not radio_text.proven(self._key, Direction.TO_PSAP, self._in, packet, digest):
            self.counts["forged"] += 1
            return
        saying = self._sayings.pop(packet.id, None)
        if saying is not None and saying.number in self.calls and packet.id.startswith("H"):
            if isinstance(packet, aprs.Ack):
                self.screen.confirmed(self._name, saying.number)
            else:
                self.calls[saying.number].told = False

    def _take_message(self, packet: aprs.Message, now: float) -> None:
        try:
            text = radio_text.opened(self._key, Direction.TO_PSAP, self._in, packet.text, packet.id)
        except Malformed:
            self.counts["forged"] += 1
            return
        said = radio_text.parse(text)
        self.heard = [*self.heard[-999:], (now, text)]
        positive = True
        match said:
            case CallText():
                positive = self._show(said, now)
            case MoreText():
                self._show_more(said)
            case CancelText():
                positive = self.screen.cancel(self._name, said.number, said.key, update=said.update)
            case CorrectText():
                positive = self.screen.correct(
                    self._name,
                    said.number,
                    said.key,
                    place=said.place,
                    building=said.building,
                    update=said.update,
                )
            case LinkTestText():
                self.screen.show(HeardCall(end=self._name, number=said.number, key=said.key, test=True))
            case PingText():
                self.counts["pings"] += 1
            case _:
                raise Malformed(
                    "radio text: a school says PANIC, MEDICAL, MORE, CANCEL, CORRECT, TEST or PING"
                )
        if packet.id:
            self._answer(packet, positive=positive, now=now)

    def _show(self, said: CallText, now: float) -> bool:
        before = self.calls.get(said.number)
        # A call that only a summary named so far is still news to a person, but was counted by nobody.
        fresh = before is None or before.key != said.key
        if before is None or (before.key and fresh):
            self.counts["calls"] += 1
        else:
            self.counts["repeats"] += bool(before.key)
        taken = self.screen.show(
            HeardCall(
                end=self._name,
                number=said.number,
                key=said.key,
                incident=said.incident,
                kind=said.kind,
                exercise=said.exercise,
                building=said.building,
                place=said.place,
            )
        )
        if fresh and self._auto is not None:
            heapq.heappush(self._answers, (now + self._auto, said.number, "T1"))
        if self.fault is not None and self.fault.name == FaultName.NEGATIVE:
            self.calls[said.number].state = "rejected"
            return False
        return taken

    def _show_more(self, said: MoreText) -> None:
        self.counts["more"] += 1
        for building, number, ranges in said.items:
            self.screen.show(
                HeardCall(
                    end=self._name,
                    number=number,
                    incident=said.incident,
                    exercise=said.exercise,
                    building=building,
                    presses=ranges,
                )
            )

    # ---- answering

    def _answer(self, packet: aprs.Message, *, positive: bool, now: float) -> None:
        fault = self.fault.name if self.fault is not None else None
        if fault == FaultName.SILENT:
            return
        frame_id = packet.id
        if fault == FaultName.WRONG_ID:
            frame_id = radio_text.text_frame_id("X", packet.text)
        digest = radio_text.digest(packet.text, packet.id)
        key = bytes(32) if fault == FaultName.BAD_MAC else self._key
        answer = radio_text.answer(key, Direction.FROM_PSAP, self._out, frame_id, digest, positive=positive)
        delay = self.fault.value if self.fault is not None and fault == FaultName.LATE else 0.0
        for _ in range(2 if fault == FaultName.DUPLICATE_ACK else 1):
            self._push(now + delay, self._octets(answer))

    def _say(self, frame_id: str, now: float) -> None:
        saying = self._sayings.get(frame_id)
        if saying is None:
            return
        if self.fault is None or self.fault.name != FaultName.SILENT:
            self._push(now, saying.octets)
        wait = saying.base + RETRIES[saying.tries] if saying.tries < len(RETRIES) else now + _AGAIN
        saying.tries += 1
        self._push(wait, b"=" + frame_id.encode())

    def _push(self, at: float, octets: bytes) -> None:
        self._order += 1
        heapq.heappush(self._queue, (at, self._order, octets))

    def _octets(self, packet: aprs.Packet) -> bytes:
        info = aprs.encode(packet)
        return kiss.encode(ax25.encode(ax25.UIFrame(destination=TO_CALL, source=self._us, info=info)))

    # ---- faults

    def _deaf(self) -> bool:
        fault = self.fault
        return (
            fault is not None and fault.name == FaultName.DEAF_AFTER and self.counts["frames"] >= fault.value
        )

    def _spoilt(self, octets: bytes) -> bytes:
        if self.fault is not None and self.fault.name == FaultName.HALF_FRAMES:
            self.counts["spoken"] += 1
            if self.counts["spoken"] % 2:
                return octets[: self._random.randrange(1, len(octets) - 1)]
        return self._noisy(octets)

    def _noisy(self, octets: bytes) -> bytes:
        if self.fault is None or self.fault.name != FaultName.NOISE:
            return octets
        rate = self.fault.value
        return bytes(
            octet ^ sum(1 << bit for bit in range(8) if self._random.random() < rate) for octet in octets
        )
