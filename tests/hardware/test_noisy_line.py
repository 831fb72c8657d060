"""A bad line under everything: nothing forged gets through, and what is whole is found again at once."""

from random import Random

from belltower.errors import Malformed
from hardware.codecs import ax25, kiss, unit
from hardware.codecs.ax25 import Address, UIFrame
from hardware.transports.memory import lossy

KEY = bytes(range(32))
TAG = unit.site_tag("oak")
HOUSE, STATION = Address(callsign="HOUSE"), Address(callsign="UNIT", ssid=3)


def on_air(counter: int) -> bytes:
    """A press as it goes to the modem."""
    press = unit.UnitFrame(number=17, epoch=1, counter=counter, type=unit.Type.PRESS, body=b"\x01")
    sealed = unit.seal(press, KEY, TAG)
    return kiss.encode(ax25.encode(UIFrame(destination=HOUSE, source=STATION, info=sealed)))


def heard(frame: kiss.Frame) -> int | None:
    """The counter of an authentic press, or nothing."""
    try:
        return unit.open_sealed(ax25.decode(frame.data).info, KEY, TAG).counter
    except Malformed:
        return None


def test_no_corrupt_press_is_accepted_and_the_next_but_one_is_whole() -> None:
    """One octet in 200 dropped, doubled or spoilt: authentic presses only, in order, and no long silences."""
    pipe = lossy(Random(12), rate=1 / 200)
    decoder = kiss.Decoder()
    touched: set[int] = set()
    accepted: list[int] = []
    for counter in range(20_000):
        sent = on_air(counter)
        arrived = b"".join(pipe(sent))
        if arrived != sent:
            touched.add(counter)
        found = decoder.feed(arrived)
        accepted += [
            counter
            for frame in found
            if isinstance(frame, kiss.Frame) and (counter := heard(frame)) is not None
        ]

    assert sorted(set(accepted)) == accepted
    lost = set(range(20_000)) - set(accepted)
    assert lost <= touched | {counter + 1 for counter in touched}
    assert len(accepted) > 10_000
