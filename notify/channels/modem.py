"""SMS by a GSM or LTE modem of the school's own, apart from the one that calls the PSAP: no provider, no internet.

The modem is opened for each message and closed after it: nothing stays behind between two notices, and it may be
unplugged at any time. Long texts go in parts. One message takes it some seconds; it is for a few dozen people.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from belltower import log
from belltower.errors import Malformed
from belltower.tasks import together
from hardware.codecs import sms_pdu
from hardware.codecs.sms_pdu import StatusReport
from hardware.drivers.modem import Modem, NotTaken, State, Taken, Unsure, Up
from hardware.drivers.refused_pin import RefusedPIN
from hardware.transports import Transport
from notify import delivery
from notify.channels.channel import Answer, Later, Message, Refused, Settled, Uncertain
from notify.settings import ModemSettings

_log = log.get("notify")

REPORTED_WITHIN = 5.0
"""Seconds for which a status report is waited for; without one the message counts as accepted."""


class ModemSMS:
    """Satisfies `Channel`. `make` gives a fresh transport to the modem."""

    name = "sms"

    def __init__(
        self, *, settings: ModemSettings, make: Callable[[], Transport], refused_pin: RefusedPIN | None = None
    ) -> None:
        self._settings = settings
        self._make = make
        self._turn = asyncio.Lock()
        self._reference = 0
        self._refused_pin = refused_pin or RefusedPIN()

    async def open(self) -> None:
        """Nothing: the modem is opened for each message."""

    async def close(self) -> None:
        """Nothing is held."""

    async def send(self, message: Message) -> Answer:
        """Send the text, in as many parts as it takes, once."""
        try:
            self._reference = (self._reference + 1) & 0xFF
            parts = sms_pdu.submits(
                message.address,
                message.body,
                reference=self._reference,
                status_report=True,
                validity=sms_pdu.validity_of(message.ttl),
            )
        except (Malformed, ValueError):
            return Refused(reason="address")
        sending = _Sending(parts=parts)
        try:
            async with asyncio.timeout(self._settings.timeout), self._turn:
                modem = Modem(
                    transport=self._make(),
                    heard=sending.heard,
                    state=sending.stand,
                    pin=self._settings.pin,
                    refused_pin=self._refused_pin,
                )
                sending.modem = modem
                await together(notify_modem=modem.run(), notify_text=sending.run())
        except _Finished as finished:
            return finished.answer
        except TimeoutError:
            pass
        if sending.handed:
            return Uncertain(reason="modem:no_answer")
        return Later(reason="modem:down", everyone=True)

    async def find(self, message: Message, *, known: Collection[str]) -> Answer | None:
        """A modem remembers nothing."""
        del message, known
        return None


class _Finished(Exception):
    """No error: it ends the modem's endless run."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class _Sending:
    def __init__(self, *, parts: tuple[sms_pdu.Submit, ...]) -> None:
        self.modem: Modem | None = None
        self.handed = False
        self._parts = parts
        self._up = asyncio.Event()
        self._references: set[int] = set()
        self._delivered: set[int] = set()
        self._failed: set[int] = set()
        self._bell = asyncio.Event()

    def stand(self, state: State) -> None:
        """The modem says whether it is registered."""
        if isinstance(state, Up):
            self._up.set()

    def heard(self, message: sms_pdu.Incoming) -> None:
        """A status report, or a text that nobody reads here."""
        if isinstance(message, StatusReport):
            match message.outcome:
                case sms_pdu.Outcome.DELIVERED:
                    self._delivered.add(message.reference)
                case sms_pdu.Outcome.FAILED:
                    self._failed.add(message.reference)
                case sms_pdu.Outcome.PENDING:
                    pass
            self._bell.set()

    async def run(self) -> None:
        """Send all parts; ends by raising what came of it."""
        await self._up.wait()
        for part in self._parts:
            answer = await self._one(part)
            if answer is not None:
                raise _Finished(answer)
        raise _Finished(await self._reported())

    async def _one(self, part: sms_pdu.Submit) -> Answer | None:
        modem = self.modem
        outcome = (
            await modem.send(sms_pdu.encode(part), handed=self._hand)
            if modem is not None
            else NotTaken(reason="")
        )
        match outcome:
            case Taken(reference=reference):
                if reference is not None:
                    self._references.add(reference)
                return None
            case Unsure():
                return Uncertain(reason="modem:no_answer")
            case NotTaken() if self._references:
                return Uncertain(reason="modem:parts")
            case NotTaken(lasting=True):
                return Refused(reason="modem:refused")
            case NotTaken():
                _log.warning("text_not_taken", reason=outcome.reason)
                self.handed = False
                return Later(reason="modem:not_taken", everyone=True)

    async def _reported(self) -> Answer:
        wanted = self._references
        try:
            async with asyncio.timeout(REPORTED_WITHIN):
                while len(wanted) == len(self._parts):
                    if wanted & self._failed:
                        return Refused(reason="modem:undelivered")
                    if wanted <= self._delivered:
                        return Settled(state=delivery.State.DELIVERED, reason="modem:delivered")
                    self._bell.clear()
                    await self._bell.wait()
        except TimeoutError:
            pass
        return Settled(state=delivery.State.ACCEPTED, reason="modem:sent")

    def _hand(self) -> None:
        self.handed = True
