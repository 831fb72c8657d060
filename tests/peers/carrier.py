"""The carrier as a peer: the product's own simulator, in this process, spoken to in plain words."""

import asyncio
from collections.abc import AsyncIterator, Sized
from contextlib import asynccontextmanager

from belltower.tasks import Crew
from gateway.carrier.carrier import Carrier
from gateway.carrier.records import CarrierOptions, Faults, PhoneCall
from tests.invariants import Taken
from tests.peers.waiting import PATIENCE


class CarrierPeer(Carrier):
    """Steers and asks the other side."""

    def goes_wrong(self, **faults: object) -> None:
        """From now on, in these ways only."""
        self.fail(Faults(**faults))

    def is_well(self) -> None:
        """All is as it should be."""
        self.fail(Faults())

    def received(self, number: str) -> list[str]:
        """The texts taken for a phone."""
        return [text.body for text in self.phone(number)]

    def calls_to(self, number: str) -> list[PhoneCall]:
        """The calls taken for a phone."""
        return [call for call in self.exchange.calls.values() if call.to == number]

    def taken(self) -> list[Taken]:
        """All messages and mails accepted, by the delivery they name: in the callback's URL, in the Message-ID."""
        texts = [Taken("sms", text.to, text.callback.rpartition("/")[2]) for text in self.texts.values()]
        return texts + [
            Taken("email", mail.to, mail.message_id.strip("<>").partition("@")[0]) for mail in self.mails
        ]

    async def wants_texts(self, count: int, *, within: float = PATIENCE) -> None:
        """Wait until `count` messages were taken."""
        await self._wants(self.texts, count, within)

    async def wants_mails(self, count: int, *, within: float = PATIENCE) -> None:
        """Wait until `count` mails were taken."""
        await self._wants(self.mails, count, within)

    async def _wants(self, taken: Sized, count: int, within: float) -> None:
        async with asyncio.timeout(within):
            while len(taken) < count:
                self.arrived.clear()
                await self.arrived.wait()


@asynccontextmanager
async def carrier_peer(**options: object) -> AsyncIterator[CarrierPeer]:
    """A carrier that is well, listening on free ports."""
    async with Crew() as crew, CarrierPeer(options=CarrierOptions(**options), crew=crew) as carrier:
        yield carrier
