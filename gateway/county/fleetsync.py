"""The county's end of FleetSync and NEXEDGE: the school's radio is simulated, and the radio it writes to is here."""

from __future__ import annotations

from gateway.county.texts import TextEnd
from hardware.codecs.fleetsync import Text
from hardware.simulators.fleetsync_radio import FAULTS, SimulatedFleetSyncRadio
from hardware.simulators.port import Port


class FleetSyncEnd(TextEnd[Text]):
    """Satisfies `CountyEnd`. To a text for everybody nobody answers."""

    def __init__(self, *, name: str, port: Port) -> None:
        self.radio = SimulatedFleetSyncRadio(taken=self._message)
        super().__init__(name=name, port=port, device=self.radio, faults=FAULTS)

    def answer(self, way: Text, text: str) -> None:
        """From that radio."""
        if not way.broadcast:
            self.radio.arrive(Text(unit=way.unit, text=text, nexedge=way.nexedge))

    def _message(self, message: Text) -> None:
        self.took(message.text, message)
