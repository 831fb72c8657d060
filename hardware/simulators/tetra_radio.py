"""A TETRA radio that never transmits: it takes AT commands and short data, and plays the terminal they are sent to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random

from belltower.errors import Malformed
from hardware.codecs import at, tetra_pei
from hardware.codecs.tetra_pei import Ack, Report, Reports, ReportStatus, Transfer
from hardware.simulators.at_device import ATDevice

FAULTS = {
    "silent": 0.0,
    "late": 5.0,
    "deaf-after": 1.0,
    "garbage": 0.0,
    "no-network": 0.0,
    "busy": 0.0,
    "negative": 0.0,
    "wrong-id": 0.0,
    "duplicate-ack": 0.0,
    "no-report": 0.0,
}
"""What it can be asked to do wrong.

    no-network    it is not registered
    busy          it refuses every message
    negative      its reports say that the terminal is not reachable
    wrong-id      its reports bear another reference
    duplicate-ack it says its reports twice
    no-report     it never says what became of a message
"""


class SimulatedTetraRadio(ATDevice):
    """Answers `hardware.drivers.tetra_radio`; `number` is the school's own."""

    def __init__(
        self,
        *,
        random: Random | None = None,
        number: str = "1000001",
        taken: Callable[[str, Transfer], None] | None = None,
    ) -> None:
        super().__init__(random=random)
        self._number = number
        self._taken = taken or (lambda _to, _transfer: None)
        self._reference = 0
        self.sent: deque[tuple[str, Transfer]] = deque(maxlen=1_000)
        """Texts taken, with the number each was for."""
        self.reports: deque[tuple[str, Report | Ack]] = deque(maxlen=1_000)
        """Reports and acks taken."""
        self.refused: deque[str] = deque(maxlen=100)
        """Bodies that were no short data: why."""

    def arrive(self, source: str, pdu: bytes, *, service: int = tetra_pei.SDS_TYPE_4) -> None:
        """Short data comes in."""
        self.say(f"+CTSDSR: {service},{source},0,{self._number},0,{8 * len(pdu)}\r\n{pdu.hex().upper()}")

    def arrive_text(self, source: str, text: str) -> None:
        """A text comes in."""
        self._reference = (self._reference + 1) & 0xFF
        transfers = tetra_pei.transfers(text, reference=self._reference, reports=Reports.RECEIVED)
        for transfer in transfers:
            self.arrive(source, tetra_pei.encode(transfer))

    def report(self, source: str, transfer: Transfer, status: int) -> None:
        """The terminal says what became of a text."""
        reference = transfer.reference + 1 & 0xFF if self.fault == "wrong-id" else transfer.reference
        pdu = tetra_pei.encode(Report(protocol=transfer.protocol, reference=reference, status=status))
        for _ in range(2 if self.fault == "duplicate-ack" else 1):
            self.arrive(source, pdu)

    def carry_out(self, command: str) -> None:
        """One AT command."""
        name, _, value = command[2:].partition("=")
        match name.upper():
            case "+CREG?":
                self.say(f"+CREG: {2 if self.fault == 'no-network' else 1},1,1", "OK")
            case "+CMGS":
                self._submit(value)
            case "+CTSP" | "+CTSDS" | "+CMEE":
                self.say("OK")
            case "+CMGS?" | "+CTSDS?":
                self.say("OK")
            case _:
                self.say("+CME ERROR: 35")

    def _submit(self, value: str) -> None:
        to, _, bits = value.partition(",")
        self._body = lambda body: self._message(to, bits, body)  # no prompt on this wire

    def _message(self, to: str, bits: str, body: str) -> None:
        if self.fault == "busy":
            self.say("+CME ERROR: 256")
            return
        try:
            octets = at.octets(body)
            pdu = tetra_pei.decode(octets)
            tetra_pei.issi(to)
        except Malformed as error:
            self.refused.append(str(error))
            self.say("+CME ERROR: 35")
            return
        if bits != str(8 * len(octets)):
            self.refused.append(f"{bits} bits are stated, {8 * len(octets)} are there")
            self.say("+CME ERROR: 35")
            return
        self.say("+CMGS: 0", "OK")
        if isinstance(pdu, Transfer):
            self.sent.append((to, pdu))
            self._taken(to, pdu)
            if self.fault == "negative":
                self.report(to, pdu, ReportStatus.NOT_REACHABLE)
            elif pdu.reports & Reports.RECEIVED and self.fault != "no-report":
                self.report(to, pdu, ReportStatus.RECEIVED)
        else:
            self.reports.append((to, pdu))
