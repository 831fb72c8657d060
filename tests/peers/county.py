"""The county as a peer: its real simulator on any transport, and what a test wants to see on its screen."""

from random import Random

from gateway.county import County, Fault, ScreenCall
from gateway.county.radio import RadioEnd
from tests.peers.waiting import PATIENCE, until

KEY = bytes(range(32))
SCHOOL = "SCHOOL-1"
PSAP = "PSAP"


def a_county(*, fault: str = "", auto: float | None = None, seed: int = 0, key: bytes = KEY) -> County:
    """A county without a wire."""
    return County(
        key=key,
        us=PSAP,
        them=SCHOOL,
        random=Random(seed),
        fault=Fault.parse(fault) if fault else None,
        auto=auto,
    )


class CountyPeer(RadioEnd):
    """A county that a test watches."""

    async def wants(self, number: int, *, within: float = PATIENCE, state: str | None = None) -> ScreenCall:
        """Call `number` stands on the screen, perhaps in `state`, within so many seconds."""
        calls = self.county.calls
        await until(lambda: number in calls and state in (None, calls[number].state), within=within)
        return self.county.calls[number]
