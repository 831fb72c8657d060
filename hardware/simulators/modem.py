"""A GSM modem that never reaches a network: it takes AT commands and PDUs, and shows what it would have sent."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from random import Random

from belltower.errors import Malformed
from hardware.codecs import at, sms_pdu
from hardware.codecs.sms_pdu import Deliver, Stamp, StatusReport, Submit
from hardware.simulators.at_device import ATDevice

STAMP = Stamp(year=2026, month=1, day=1, hour=0, minute=0, second=0)
_STORED = 32

FAULTS = {
    "silent": 0.0,
    "late": 5.0,
    "deaf-after": 1.0,
    "garbage": 0.0,
    "no-prompt": 0.0,
    "reset": 0.0,
    "cms-error": 38.0,
    "busy": 42.0,
    "no-network": 0.0,
    "negative": 0.0,
    "wrong-id": 0.0,
    "duplicate-ack": 0.0,
    "no-report": 0.0,
}
"""What it can be asked to do wrong, with the usual measure.

    cms-error=38  it refuses every message with that code; busy is the same with 42, congestion
    no-network    it is not registered and takes no message
    negative      its status reports say that the message was not delivered
    wrong-id      its status reports bear another reference
    duplicate-ack it says its status reports twice
    no-report     it never says what became of a message
"""


class SimulatedModem(ATDevice):
    """Satisfies what gammu and `hardware.drivers.modem` ask of a modem."""

    def __init__(
        self,
        *,
        random: Random | None = None,
        pin: str = "",
        taken: Callable[[Submit], None] | None = None,
        reports_after: float = 0.0,
    ) -> None:
        super().__init__(random=random)
        self._pin = pin
        self._locked = bool(pin)
        self._taken = taken or (lambda _: None)
        self._reports_after = reports_after
        self._reference = 0
        self._announcing = False
        self._stored: OrderedDict[int, bytes] = OrderedDict()
        self._next = 1
        self.pins_tried = 0
        self.sent: deque[Submit] = deque(maxlen=1_000)
        """Messages taken, with the reference the modem gave them."""
        self.pdus: deque[bytes] = deque(maxlen=1_000)
        """The same as they came."""
        self.refused: deque[str] = deque(maxlen=100)
        """Bodies that were no message: why."""

    def restarted(self) -> None:
        """Begin anew: settings and the PIN's being entered are forgotten."""
        super().restarted()
        self._announcing = False
        self._locked = bool(self._pin)
        self.say("RDY")

    def arrive(self, sender: str, text: str) -> None:
        """A text comes in from a number or a name."""
        try:
            number = sms_pdu.number(sender)
        except Malformed:
            number = sms_pdu.Number(digits=sender[:11], type=sms_pdu.ALPHANUMERIC)
        coding = sms_pdu.coding_of(text)
        pdu = sms_pdu.encode(Deliver(sender=number, text=text, at=STAMP, coding=coding))
        index, self._next = self._next, self._next + 1
        self._stored[index] = pdu
        if len(self._stored) > _STORED:
            self._stored.popitem(last=False)
        if self._announcing:
            self.say(f'+CMTI: "SM",{index}')

    def report(self, message: Submit, status: int = 0, *, after: float = 0.0) -> None:
        """The network says what became of a message it took."""
        reference = message.reference + 1 & 0xFF if self.fault == "wrong-id" else message.reference
        pdu = sms_pdu.encode(
            StatusReport(
                reference=reference, recipient=message.to, taken_at=STAMP, done_at=STAMP, status=status
            )
        )
        for _ in range(2 if self.fault == "duplicate-ack" else 1):
            self.say(f"+CDS: {sms_pdu.tpdu_length(pdu)}\r\n{pdu.hex().upper()}", after=after)

    def carry_out(self, command: str) -> None:
        """One AT command."""
        name, equals, value = command[2:].partition("=")
        name = name.upper()
        if self._locked and name not in {"+CPIN?", "+CPIN", "+CMEE", "+CSQ", "+CGMI"}:
            self.say("+CME ERROR: 11")
            return
        match name:
            case "+CPIN?":
                self.say(f"+CPIN: {'SIM PIN' if self._locked else 'READY'}", "OK")
            case "+CPIN":
                self.pins_tried += 1
                self._locked = value.strip('"') != self._pin
                self.say("+CME ERROR: 16" if self._locked else "OK")
            case "+CREG?" | "+CEREG?":
                self.say(f"{name[:-1]}: 0,{2 if self.fault == 'no-network' else 1}", "OK")
            case "+CSQ":
                self.say("+CSQ: 21,99", "OK")
            case "+CNMI":
                self._announcing = value.startswith("2,1")
                self.say("OK")
            case "+CMGS":
                self._submit(value)
            case "+CMGL":
                for index, pdu in self._stored.items():
                    self.say(f"+CMGL: {index},0,,{sms_pdu.tpdu_length(pdu)}\r\n{pdu.hex().upper()}")
                self.say("OK")
            case "+CMGR":
                self._read(value)
            case "+CMGD":
                self._stored.pop(int(value) if value.isdecimal() else 0, None)
                self.say("OK")
            case _:
                self._describe(name + "=?" if value == "?" else name, equals)

    def _describe(self, name: str, equals: str) -> None:
        told = {
            "+CSCS?": '+CSCS: "GSM"',
            "+CSCS=?": '+CSCS: ("GSM","UCS2")',
            "+CNMI=?": "+CNMI: (0-2),(0-3),(0-3),(0-2),(0,1)",
            "+CMGF=?": "+CMGF: (0)",
            "+CPMS=?": '+CPMS: ("SM"),("SM"),("SM")',
            "+CGMI": "Belltower",
            "+CGMM": "Simulated modem",
            "+CGMR": "1.0",
            "+CGSN": "490154203237518",
            "+CIMI": "001010123456789",
            "+CSMS?": "+CSMS: 1,1,1,1",
            "+CSMS": "+CSMS: 1,1,1",
            "+CPMS?": '+CPMS: "SM",0,32,"SM",0,32,"SM",0,32',
            "+CSCA?": '+CSCA: "+12063130004",145',
            "+CMGF?": "+CMGF: 0",
            "+COPS?": '+COPS: 0,0,"SIMULATED",7',
        }
        if name == "+CMGF" and not equals:
            self.say("ERROR")
        elif name in {
            "+CPMS",
            "+CMEE",
            "+CMGF",
            "+CNMA",
            "+CSCS",
            "+CREG",
            "+CEREG",
            "+CSDH",
            "+CFUN",
            "Z",
            "&F",
        }:
            self.say("OK")
        elif name in told:
            self.say(told[name], "OK")
        else:
            self.say("ERROR")

    def _submit(self, value: str) -> None:
        match self.fault:
            case "no-network":
                self.say("+CMS ERROR: 331")
            case "cms-error" | "busy":
                self.say(f"+CMS ERROR: {int(self.measure or FAULTS[self.fault])}")
            case _ if not value.isdecimal():
                self.say("+CMS ERROR: 304")
            case _:
                length = int(value)
                self.ask_body(lambda body: self._message(length, body))

    def _message(self, length: int, body: str) -> None:
        if self.fault == "reset":
            self.restarted()
            return
        try:
            pdu = at.octets(body)
            message = sms_pdu.decode_submit(pdu)
        except Malformed as error:
            self.refused.append(str(error))
            self.say("+CMS ERROR: 304")
            return
        if length != sms_pdu.tpdu_length(pdu):
            self.refused.append(f"AT+CMGS={length}, and the TPDU has {sms_pdu.tpdu_length(pdu)} octets")
            self.say("+CMS ERROR: 304")
            return
        self._reference = self._reference % 255 + 1
        message = _with_reference(message, self._reference)
        self.sent.append(message)
        self.pdus.append(pdu)
        self.say(f"+CMGS: {self._reference}", "OK")
        self._taken(message)
        if message.status_report and self._announcing and self.fault != "no-report":
            self.report(message, 0x46 if self.fault == "negative" else 0, after=self._reports_after)

    def _read(self, value: str) -> None:
        pdu = self._stored.get(int(value) if value.isdecimal() else 0)
        if pdu is None:
            self.say("+CMS ERROR: 321")
        else:
            self.say(f"+CMGR: 0,,{sms_pdu.tpdu_length(pdu)}\r\n{pdu.hex().upper()}", "OK")


def _with_reference(message: Submit, reference: int) -> Submit:
    return Submit(
        to=message.to,
        text=message.text,
        reference=reference,
        status_report=message.status_report,
        reject_duplicates=message.reject_duplicates,
        validity=message.validity,
        smsc=message.smsc,
        protocol=message.protocol,
        coding=message.coding,
        part=message.part,
    )
