"""The county's end of text messages: the school's modem is simulated, and its texts come here instead of to a network."""

from __future__ import annotations

from random import Random

from gateway.county.texts import TextEnd
from hardware.codecs.sms_pdu import Submit
from hardware.simulators.modem import FAULTS, SimulatedModem
from hardware.simulators.port import Port


class ModemEnd(TextEnd[str]):
    """Satisfies `CountyEnd`. A person's answer comes from the number that the text was sent to."""

    def __init__(self, *, name: str, port: Port, random: Random | None = None) -> None:
        self.modem = SimulatedModem(random=random, taken=self._message)
        super().__init__(name=name, port=port, device=self.modem, faults=FAULTS)

    def answer(self, way: str, text: str) -> None:
        """From that number."""
        self.modem.arrive(way, text)

    def _message(self, message: Submit) -> None:
        self.took(message.text, str(message.to))
