"""Our frames through two real modems: one hears what the other sends, octet for octet."""

import asyncio

from hardware.codecs import aprs, ax25, kiss, unit
from hardware.codecs.ax25 import Address, UIFrame
from hardware.transports import Transport, open_transport
from tests.peers.waiting import PATIENCE
from tests.servers.direwolf import Direwolves, radios

__all__ = ["radios"]

SCHOOL = Address(callsign="SCHOOL", ssid=1)
PSAP = Address(callsign="PSAP")
APZBTW = Address(callsign="APZBTW")


async def hear(line: Transport) -> UIFrame:
    """The next frame that is no echo of ours."""
    decoder = kiss.Decoder()
    async with asyncio.timeout(PATIENCE):
        while True:
            for frame in decoder.feed(await line.read()):
                assert isinstance(frame, kiss.Frame)
                return ax25.decode(frame.data)


async def exchange(radios: Direwolves, out: UIFrame, back: UIFrame) -> tuple[UIFrame, UIFrame]:
    """What the PSAP heard of `out`, and then the school of `back`."""
    school = open_transport(f"tcp://127.0.0.1:{radios.school}")
    psap = open_transport(f"tcp://127.0.0.1:{radios.psap}")
    try:
        await school.open()
        await psap.open()
        await school.write(kiss.encode(ax25.encode(out)))
        at_psap = await hear(psap)
        await psap.write(kiss.encode(ax25.encode(back)))
        return at_psap, await hear(school)
    finally:
        await school.close()
        await psap.close()


async def test_a_message_out_and_its_ack_back(radios: Direwolves) -> None:
    """An APRS message and its acknowledgement, as a stock radio would understand them."""
    message = aprs.encode(aprs.Message(addressee="PSAP", text="PANIC 013 BLD B RM204", id="0001"))
    out = UIFrame(destination=APZBTW, source=SCHOOL, info=message)
    ack = aprs.encode(aprs.Ack(addressee="SCHOOL-1", id="0001", tail="~abcdefghijklmnop"))
    back = UIFrame(destination=APZBTW, source=PSAP, info=ack)

    assert (out, back) == await exchange(radios, out, back)


async def test_every_octet_and_a_sealed_unit_frame_pass(radios: Direwolves) -> None:
    """Delimiters and escapes in the payload survive both modems, and so does a unit's frame."""
    out = UIFrame(destination=PSAP, source=SCHOOL, info=b"\xc0\xdb\xdc\xdd" * 8 + bytes(range(200)))
    press = unit.UnitFrame(number=0xC0DBC0DB, epoch=1, counter=0xDBDCDD, type=unit.Type.PRESS, body=b"\x01")
    sealed = unit.seal(press, bytes(32), unit.site_tag("oak"))
    back = UIFrame(destination=SCHOOL, source=PSAP, info=sealed)

    at_psap, at_school = await exchange(radios, out, back)

    assert out == at_psap
    assert press == unit.open_sealed(at_school.info, bytes(32), unit.site_tag("oak"))
