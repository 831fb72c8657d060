"""A DC-09 link on lines at hand, and stations that answer as a test tells them to."""

import asyncio

from belltower.clock import SECOND, Instant
from belltower.ids import LinkName
from gateway.psap.dc09_link import DC09Link, Line
from gateway.psap.dc09_reports import Reports
from gateway.psap.dc09_settings import Codes
from hardware.codecs import dc09
from hardware.codecs.dc09 import Content, Kind
from hardware.codecs.dc09_crypto import open_sealed, random_pad, seal
from tests.peers.virtual_time import LoopClock

SIA = Codes(panic="PA", medical="MA", test="RX", cancel="OC")
CID = Codes(panic="120", medical="100", test="601", cancel="406")
ACCOUNT = "12345A"


def reports(*, kind=Kind.SIA, account=ACCOUNT, zones=None):
    """How the account reports."""
    return Reports(
        kind=kind, account=account, codes=SIA if kind is Kind.SIA else CID, zones=zones or {"b204": 13}
    )


def dc09_link(*transports, key=None, clock=None, kind=Kind.SIA, account=ACCOUNT, **more):
    """A link whose receivers are these transports, in order."""
    return DC09Link(
        name=LinkName("station"),
        lines=[Line(name=f"r{n}", make=lambda each=each: each) for n, each in enumerate(transports)],
        reports=reports(kind=kind, account=account),
        clock=clock or LoopClock(),
        key=key,
        **more,
    )


class Station:
    """A receiver at the far end of a transport. `answer(frame)` gives the octets of its answer, by default an ACK."""

    def __init__(self, transport, *, key=None, clock=None) -> None:
        self.transport = transport
        self.key = key
        self.clock = clock or LoopClock()
        self.heard = []
        self.answer = self.ack

    async def run(self):
        """Hear and answer for ever."""
        await self.transport.open()
        decoder = dc09.Decoder()
        while True:
            for frame in decoder.feed(await self.transport.read()):
                opened = open_sealed(frame, self.key) if self.key is not None else frame
                self.heard.append((asyncio.get_running_loop().time(), opened))
                if answer := self.answer(opened):
                    await self.transport.write(answer)

    def ack(self, frame, *, kind=Kind.ACK, skew=0, **changes):
        """The right answer, or with changes a wrong one."""
        stamp = Instant((self.clock.now() // SECOND + skew) * SECOND) if self.key is not None else None
        fields = {
            "kind": kind,
            "sequence": frame.sequence,
            "receiver": frame.receiver,
            "line": frame.line,
            "account": frame.account,
            "content": Content(stamp=stamp),
        }
        answer = dc09.Frame(**{**fields, **changes})
        if self.key is not None and answer.content is not None:
            answer = seal(answer, self.key, random_pad(bytes))
        return dc09.encode(answer)

    def nak(self, *, skew):
        """The time is not mine."""
        stamp = Instant((self.clock.now() // SECOND + skew) * SECOND)
        return dc09.encode(dc09.Frame(kind=Kind.NAK, content=Content(stamp=stamp)))

    def of_kind(self, *kinds):
        """Times and frames of these kinds heard."""
        return [(round(at, 3), frame) for at, frame in self.heard if frame.kind in kinds]

    @property
    def calls(self):
        """The reports heard, without link tests."""
        return self.of_kind(Kind.SIA, Kind.CID)

    @property
    def nulls(self):
        """The link tests heard."""
        return self.of_kind(Kind.NULL)
