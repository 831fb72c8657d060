"""The county's end of the link to a monitoring station: a DC-09 receiver whose operator's screen is the county's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random

from msgspec.structs import replace

from belltower.clock import SECOND, Clock, Instant
from belltower.errors import Malformed
from belltower.tasks import together
from gateway.county.end import COMMON, Fault
from gateway.county.screen import HeardCall, Screen
from gateway.psap import dc09_text
from gateway.psap.dc09_text import Tested, Told
from hardware.codecs import dc09, dc09_events
from hardware.codecs.dc09 import Frame, Kind
from hardware.codecs.dc09_events import Event, Meaning
from hardware.drivers.dc09_judge import Answer
from hardware.drivers.dc09_receiver import DC09Receiver, Out, Received

FAULTS: Mapping[str, float] = {
    name: COMMON[name]
    for name in (
        "silent",
        "late",
        "negative",
        "wrong-id",
        "noise",
        "half-frames",
        "duplicate-ack",
        "deaf-after",
        "half-open",
        "cut",
        "busy",
        "skew",
    )
}
"""negative is DUH to reports, busy is NAK with the right time, skew=300 is NAK until the school has set its clock."""

_KINDS = {Meaning.PANIC: "panic", Meaning.MEDICAL: "medical"}


class DC09End:
    """Satisfies `CountyEnd`. It takes reports of one account, or of any; no person's answer can come back on it."""

    def __init__(
        self,
        *,
        name: str,
        host: str,
        port: int,
        clock: Clock,
        random: Random,
        account: str = "*",
        key: bytes | None = None,
    ) -> None:
        self.name = name
        self.address = ""
        self.ready = asyncio.Event()
        self.fault: Fault | None = None
        self.faults: Mapping[str, float] = FAULTS
        self._random = random
        self._clock = clock
        self._screen = Screen(now=lambda: clock.now() / SECOND)
        self._heard = 0
        self._said = 0
        self._host = host
        self.receiver = DC09Receiver(
            accounts={account: key},
            on_report=self._take,
            clock=self,
            host=host,
            port=port,
            random_bytes=random.randbytes,
            saying=self._say,
        )

    async def run(self, screen: Screen) -> None:
        """Be the far end until cancelled."""
        self._screen = screen
        await together(county_dc09=self.receiver.run(), county_dc09_ready=self._announce())

    def now(self) -> Instant:
        """The time by the station's clock."""
        skew = self.fault.value if self.fault is not None and self.fault.name == "skew" else 0.0
        return Instant(self._clock.now() + round(skew * SECOND))

    def monotonic(self) -> float:
        """Seconds that never step."""
        return self._clock.monotonic()

    async def _announce(self) -> None:
        await self.receiver.ready.wait()
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.address = f"{host}:{self.receiver.port}"
        self.ready.set()

    # ---- hearing

    def _take(self, received: Received) -> Answer:
        fault = self.fault
        name = fault.name if fault is not None else ""
        self._heard += 1
        if name in {"half-open", "cut"} or (
            fault is not None and name == "deaf-after" and self._heard > fault.value
        ):
            if name == "cut":
                self.receiver.drop_all()
            return Answer.NOTHING
        frame = received.frame
        if frame.kind is Kind.NULL:
            return Answer.ACK
        if name == "busy":
            return Answer.NAK
        if name == "negative":
            return Answer.DUH
        try:
            events = dc09_events.events_of(frame)
        except Malformed:
            return Answer.DUH
        taken = [self._show(frame, event) for event in events]
        return Answer.ACK if all(taken) else Answer.DUH

    def _show(self, frame: Frame, event: Event) -> bool:
        said = dc09_text.parse(event.text or _alarm_text(frame))
        match said:
            case Tested(number=number, key=key):
                return self._screen.show(HeardCall(end=self.name, number=number, key=key, test=True))
            case Told(cancelled=True):
                self._screen.cancel(self.name, said.number, said.key)
                return True
            case Told(now=place) if place:
                self._screen.correct(self.name, said.number, said.key, place=place)
                return True
            case Told():
                heard = HeardCall(
                    end=self.name,
                    number=said.number,
                    key=said.key,
                    incident=said.incident,
                    kind=_KINDS.get(dc09_events.meaning_of(frame.kind, event), ""),
                    exercise=said.exercise,
                    place=said.place,
                )
                return self._screen.show(replace(heard, presses=said.presses) if said.presses else heard)
            case None:
                return True  # another sender's event: received, and none of the school's calls

    # ---- answering

    def _say(self, octets: bytes, out: Out) -> None:
        fault = self.fault
        self._said += 1
        match fault.name if fault is not None else "":
            case "silent" | "half-open":
                pass
            case "late" if fault is not None:
                asyncio.get_running_loop().call_later(fault.value, out, octets)
            case "wrong-id":
                answer = dc09.decode(octets)
                out(dc09.encode(replace(answer, sequence=dc09.after(answer.sequence))))
            case "noise" if fault is not None:
                out(self._noisy(octets, fault.value))
            case "half-frames":
                out(octets[: len(octets) // 2] if self._said % 2 else octets)
            case "duplicate-ack":
                out(octets)
                out(octets)
            case _:
                out(octets)

    def _noisy(self, octets: bytes, rate: float) -> bytes:
        noisy = bytearray(octets)
        for at in range(8 * len(noisy)):
            if self._random.random() < rate:
                noisy[at // 8] ^= 1 << at % 8
        return bytes(noisy)


def _alarm_text(frame: Frame) -> str:
    extras = frame.content.extras if frame.content is not None else ()
    return next((extra.text for extra in extras if extra.tag == "I"), "")
