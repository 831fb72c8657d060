"""A simulated unit that writes down what it pressed and what it was truly told: one half of every proof of no loss."""

from __future__ import annotations

from random import Random

from belltower.errors import Malformed
from hardware.codecs import unit
from hardware.codecs.unit import Ack, Kind, Level
from hardware.simulators.unit import MQTT_WAITS, Flash, Named, SimulatedUnit


class LedgerUnit(SimulatedUnit):
    """Behaves as any other unit, and keeps everything."""

    def __init__(
        self,
        *,
        number: int,
        key: bytes,
        site_tag: bytes,
        random: Random,
        waits: tuple[float, ...] = MQTT_WAITS,
    ) -> None:
        super().__init__(number=number, key=key, site_tag=site_tag, flash=Flash(), random=random, waits=waits)
        self.pressed: set[Named] = set()
        """Every press ever made."""
        self.told: dict[Named, set[Level]] = {}
        """What authentic acknowledgements said, by frame; heartbeats' among them."""

    def press(self, now: float, kind: Kind = Kind.PANIC) -> bytes:
        """See `SimulatedUnit.press`."""
        sealed = super().press(now, kind)
        header = unit.peek(sealed)
        self.pressed.add((header.epoch, header.counter))
        return sealed

    def heard(self, data: bytes) -> list[bytes]:
        """See `SimulatedUnit.heard`."""
        try:
            body = unit.body_of(unit.open_sealed(data, self._key, self._site_tag))
        except Malformed:
            body = None
        if isinstance(body, Ack):
            self.told.setdefault((body.epoch, body.counter), set()).add(body.level)
        return super().heard(data)
