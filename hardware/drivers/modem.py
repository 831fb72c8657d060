"""A GSM or LTE modem that sends and takes short messages (3GPP TS 27.005, 27.007), over any transport.

It is opened, woken and set up; then registration and signal are looked at every interval, and whatever fails opens it
anew. Nothing here knows a number to call: whoever sends brings the whole PDU.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from belltower import log
from belltower.errors import Malformed, Uncertain, Unreachable
from belltower.tasks import together
from belltower.values import Secret
from hardware.codecs import at, sms_pdu
from hardware.drivers.at_dialogue import PROMPT_WITHIN, Answer, Dialogue, NoPromptError
from hardware.drivers.refused_pin import RefusedPIN
from hardware.transports import Transport

_log = log.get("modem")

ANSWER_WITHIN = 30.0
"""Seconds until a message that was handed over without an answer is uncertain."""
LASTING = frozenset({1, 8, 10, 21, 28, 29, 30, 50, 69, 304, 330})
"""`+CMS ERROR` codes that trying again does not mend: unassigned number, barred, rejected, no subscription."""

_REOPEN = (0.1, 1.5)
_NO_SIGNAL = 99
_WEAK = 5
_RESTARTED = frozenset(
    {
        "RDY",
        "^SYSSTART",
        "SYSSTART",
        "+PBREADY",
        "*ATREADY: 1",
        "Call Ready",
        "SMS Ready",
        "START",
        "SMS DONE",
    }
)
_REGISTRATION = {
    "0": "the modem is not looking for a network",
    "2": "the modem is looking for a network",
    "3": "the network refuses the modem",
    "4": "registration is unknown",
}
_FETCHED = 64


class Taken(Struct, frozen=True, kw_only=True):
    """The network took the message: it is sent, no more. A status report will bear this reference."""

    reference: int | None


class NotTaken(Struct, frozen=True, kw_only=True):
    """It did not leave. `lasting`: trying again will not help."""

    reason: str
    lasting: bool = False


class Unsure(Struct, frozen=True, kw_only=True):
    """It was handed to the modem, which did not say what became of it."""

    reason: str


Outcome = Taken | NotTaken | Unsure


class Up(Struct, frozen=True, kw_only=True):
    """The modem is registered. Signal in percent; None: it cannot tell."""

    signal: int | None


class Down(Struct, frozen=True, kw_only=True):
    """No message can leave just now."""

    reason: str


State = Up | Down


class Modem:
    """One modem. `run` it; `send` while it is up."""

    def __init__(
        self,
        *,
        transport: Transport,
        heard: Callable[[sms_pdu.Incoming], None],
        state: Callable[[State], None],
        pin: Secret | None = None,
        refused_pin: RefusedPIN | None = None,
        every: float = 30.0,
        prompt_within: float = PROMPT_WITHIN,
        answer_within: float = ANSWER_WITHIN,
    ) -> None:
        self._transport = transport
        self._heard = heard
        self._tell = state
        self._pin = pin
        self._refused_pin = refused_pin or RefusedPIN()
        self._every = every
        self._prompt_within = prompt_within
        self._answer_within = answer_within
        self._dialogue = Dialogue(
            transport=transport,
            unasked=self._unasked,
            announced=("+CMTI", "+CDSI", "+CRING", "+CUSD"),
            with_body=("+CMT", "+CDS"),
            restarted=_RESTARTED,
        )
        self._ready = False
        self._bell = asyncio.Event()
        self._broken = ""
        self._confirm = 0
        self._confirms = False
        self._waiting: list[tuple[str, int]] = []
        self._memory = ""
        self.counts: Counter[str] = Counter()
        """Messages by what became of them: taken, refused, unsure, heard, malformed."""

    async def run(self) -> None:
        """Open, set up, supervise; open again within two seconds, for ever."""
        wait = _REOPEN[0]
        while True:
            try:
                await self._transport.open()
                await together(modem_listen=self._dialogue.listen(), modem_supervise=self._supervise())
            except Unreachable as error:
                self._tell(Down(reason=str(error)))
            finally:
                wait = _REOPEN[0] if self._ready else wait
                self._ready = False
                await self._transport.close()
            await asyncio.sleep(wait)
            wait = min(2 * wait, _REOPEN[1])

    @property
    def ready(self) -> bool:
        """Whether it is set up; it may still be looking for a network."""
        return self._ready

    async def send(self, pdu: bytes, *, handed: Callable[[], None] = lambda: None) -> Outcome:
        """Hand one SMS-SUBMIT over. Bounded: at most the wait for the prompt and for the answer."""
        if not self._ready:
            return NotTaken(reason="the modem is not ready")
        command = f"AT+CMGS={sms_pdu.tpdu_length(pdu)}"
        try:
            answer = await self._dialogue.submit(
                command,
                pdu.hex().upper(),
                prompt_within=self._prompt_within,
                within=self._answer_within,
                handed=handed,
            )
        except NoPromptError as error:
            self._fail(str(error))
            outcome: Outcome = NotTaken(reason=str(error))
        except Unreachable as error:
            outcome = NotTaken(reason=str(error))
        except Uncertain as error:
            self._fail(str(error))
            outcome = Unsure(reason=str(error))
        else:
            outcome = _outcome(answer)
        match outcome:
            case Taken():
                self.counts["taken"] += 1
            case NotTaken():
                self.counts["refused"] += 1
            case Unsure():
                self.counts["unsure"] += 1
        return outcome

    # ---- setting up

    async def _supervise(self) -> None:
        self._broken = ""
        self._waiting.clear()
        self._confirm = 0
        self._memory = ""
        await self._dialogue.wake()
        await self._must("ATE0")
        await self._dialogue.ask("AT+CMEE=1")
        await self._unlock()
        self._confirms = (await self._dialogue.ask("AT+CSMS=1")).done
        await self._must("AT+CMGF=0")
        self._ready = True
        while True:
            # Said again each time: a modem that lost its settings unnoticed gets them back.
            await self._dialogue.ask("AT+CNMI=2,1,0,1,0")
            await self._registered()
            await self._fetch_all()
            await self._wait()

    async def _wait(self) -> None:
        due = asyncio.get_running_loop().time() + self._every
        while True:
            await self._serve()
            self._bell.clear()
            if self._broken or self._waiting or self._confirm:
                continue
            try:
                async with asyncio.timeout_at(
                    due
                ):  # never around a question: its answer would be taken for the next
                    await self._bell.wait()
            except TimeoutError:
                return

    async def _serve(self) -> None:
        if self._broken:
            raise Unreachable(self._broken)
        while self._confirm:
            self._confirm -= 1
            await self._dialogue.ask("AT+CNMA")
        while self._waiting:
            await self._fetch(*self._waiting.pop(0))

    async def _must(self, command: str) -> None:
        answer = await self._dialogue.ask(command)
        if not answer.done:
            raise Unreachable(f"the modem refuses {command}")

    async def _unlock(self) -> None:
        answer = await self._dialogue.ask("AT+CPIN?", within=10.0)
        state = _first(answer, "+CPIN")
        if state == "READY":
            self._refused_pin.forget()  # whoever unlocked it gave it its three tries back
            return
        if state != "SIM PIN":
            raise Unreachable(f"the SIM is not usable: {state or 'it is missing or faulty'}")
        if self._pin is None or not self._pin.reveal():
            raise Unreachable("the SIM asks for its PIN, and the settings hold none")
        if self._refused_pin.is_this(self._pin):
            raise Unreachable("the SIM refused the PIN; it is not tried again, for three wrong ones lock it")
        # Before it is given: the process may be killed before the answer.
        self._refused_pin.note(self._pin)
        if not (await self._dialogue.ask(f'AT+CPIN="{self._pin.reveal()}"', within=20.0)).done:
            raise Unreachable("the SIM refused the PIN; it is not tried again, for three wrong ones lock it")
        self._refused_pin.forget()

    async def _registered(self) -> None:
        states = []
        for name in ("CREG", "CEREG"):
            answer = await self._dialogue.ask(f"AT+{name}?")
            states.append(_second(answer, f"+{name}"))
        if not {"1", "5"} & set(states):
            told = next((state for state in states if state in _REGISTRATION), "4")
            self._tell(Down(reason=_REGISTRATION[told]))
            return
        signal = _signal(await self._dialogue.ask("AT+CSQ"))
        self._tell(Up(signal=signal))

    # ---- hearing

    def _unasked(self, header: str, body: str) -> None:
        name = header.partition(":")[0]
        try:
            match name:
                case "+CMT" | "+CDS":
                    self._confirm += 1 if self._confirms else 0
                    self._bell.set()
                    self._take(body)
                case "+CMTI" | "+CDSI":
                    memory, index, *_ = at.fields(header, name)
                    if len(self._waiting) < _FETCHED and len(memory) <= 2 and memory.isalpha():
                        self._waiting.append((memory, at.whole(index)))
                        self._bell.set()
                case _:
                    pass
        except (Malformed, ValueError):
            self.counts["malformed"] += 1

    async def _fetch(self, memory: str, index: int) -> None:
        if memory != self._memory:
            if not (await self._dialogue.ask(f'AT+CPMS="{memory}"')).done:
                return
            self._memory = memory
        answer = await self._dialogue.ask(f"AT+CMGR={index}")
        if answer.done:
            self._take_stored(answer)
            await self._dialogue.ask(f"AT+CMGD={index}")

    async def _fetch_all(self) -> None:
        """What came while nobody listened."""
        answer = await self._dialogue.ask("AT+CMGL=4", within=10.0)
        indices = []
        for line in answer.lines:
            if line.startswith("+CMGL:"):
                try:
                    indices.append(at.whole(at.fields(line, "+CMGL")[0]))
                except Malformed:
                    self.counts["malformed"] += 1
        self._take_stored(answer)
        for index in indices[:_FETCHED]:
            await self._dialogue.ask(f"AT+CMGD={index}")

    def _take_stored(self, answer: Answer) -> None:
        for line in answer.lines:
            if not line.startswith("+"):
                try:
                    self._take(line)
                except Malformed:
                    self.counts["malformed"] += 1

    def _take(self, body: str) -> None:
        message = sms_pdu.decode_incoming(at.octets(body))
        self.counts["heard"] += 1
        self._heard(message)

    def _fail(self, reason: str) -> None:
        self._ready = False
        self._broken = reason
        self._bell.set()


def _outcome(answer: Answer) -> Outcome:
    if answer.done:
        try:
            found = answer.of("+CMGS")
            return Taken(reference=at.whole(found[0]) & 0xFF if found else None)
        except Malformed:
            return Taken(reference=None)
    code = answer.final.code
    said = f"+{answer.final.family} ERROR: {code}" if answer.final.family else "ERROR"
    return NotTaken(reason=f"the modem says {said}", lasting=answer.final.family == "CMS" and code in LASTING)


def _first(answer: Answer, name: str) -> str:
    try:
        found = answer.of(name)
    except Malformed:
        return ""
    return found[0] if found else ""


def _second(answer: Answer, name: str) -> str:
    for line in answer.lines:
        if line.startswith(f"{name}:"):
            try:
                found = at.fields(line, name)
            except Malformed:
                continue
            if len(found) > 1:  # with one parameter it is said unasked
                return found[1]
    return ""


def _signal(answer: Answer) -> int | None:
    try:
        value = at.whole(_first(answer, "+CSQ"))
    except Malformed:
        return None
    if value == _NO_SIGNAL:
        return None
    if value < _WEAK:
        _log.warning("signal_weak", csq=value)
    return min(value, 31) * 100 // 31
