"""The county's end of TETRA short data: the school's radio is simulated, and the console is here."""

from __future__ import annotations

from random import Random

from gateway.county.texts import TextEnd
from hardware.codecs.tetra_pei import ReportStatus, Transfer
from hardware.simulators.port import Port
from hardware.simulators.tetra_radio import FAULTS, SimulatedTetraRadio


class TetraEnd(TextEnd[tuple[str, Transfer]]):
    """Satisfies `CountyEnd`. When a person answers, the console first reports that the text was opened."""

    def __init__(self, *, name: str, port: Port, random: Random | None = None) -> None:
        self.radio = SimulatedTetraRadio(random=random, taken=self._message)
        super().__init__(name=name, port=port, device=self.radio, faults=FAULTS)

    def answer(self, way: tuple[str, Transfer], text: str) -> None:
        """From that terminal."""
        source, transfer = way
        self.radio.report(source, transfer, ReportStatus.CONSUMED)
        self.radio.arrive_text(source, text)

    def _message(self, to: str, transfer: Transfer) -> None:
        self.took(transfer.text, (to, transfer))
