"""The unit that keeps a ledger."""

from random import Random

from hardware.codecs import unit
from hardware.codecs.unit import Level
from hardware.simulators.ledger_unit import LedgerUnit

KEY, TAG = bytes(range(32)), bytes(8)


def test_it_writes_down_each_press_once_and_only_what_it_was_truly_told() -> None:
    """A repeated press is one press; a forged acknowledgement is none."""
    ledger = LedgerUnit(number=7, key=KEY, site_tag=TAG, random=Random(1))
    sealed = ledger.press(0.0)
    ledger.press(0.1)
    frame = unit.open_sealed(sealed, KEY, TAG)
    ack = unit.seal(unit.acknowledge(frame, Level.RECORDED), KEY, TAG)
    name = (frame.epoch, frame.counter)

    ledger.heard(ack[:-1] + bytes([ack[-1] ^ 1]))
    assert {} == ledger.told
    ledger.heard(ack)

    assert {name} == ledger.pressed
    assert {name: {Level.RECORDED}} == ledger.told
    assert not ledger.waiting
