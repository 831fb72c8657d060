"""What was taken and never reported on is asked about: spread out, in its turn, and unknown stays unknown."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from belltower.clock import SECOND, Instant
from belltower.values import Secret
from gateway.carrier.records import ACCOUNT, TOKEN
from notify.channels.channel import Message, Settled
from notify.channels.twilio_sms import TwilioSMS
from notify.channels.twilio_voice import TwilioVoice
from notify.delivery import State
from notify.provider import Asking, Provider
from notify.reports import Reports
from notify.settings import TwilioSettings, TwilioVoiceSettings
from notify.unreported import OLDEST, Unreported
from tests.notify.test_providers import Carrier
from tests.peers.carrier import carrier_peer
from tests.peers.desk import Desk, DeskOptions, desk, order, staff
from tests.peers.waiting import PATIENCE


class Keeps:
    """A provider that says of some ids what became of them."""

    def __init__(self, **said: str) -> None:
        self.said = {f"SM{n}": state for n, state in said.items()}
        self.asked: list[str] = []

    async def fetch(self, provider_id: str) -> Settled | None:
        self.asked.append(provider_id)
        state = self.said.get(provider_id)
        return Settled(state=State(state), provider_id=provider_id, reason="asked") if state else None


class Later:
    """A clock that stands so many seconds ahead."""

    def __init__(self, clock, ahead: float = 0.0) -> None:
        self._clock = clock
        self.ahead = ahead

    def now(self) -> Instant:
        return Instant(self._clock.now() + round(self.ahead * SECOND))

    def monotonic(self) -> float:
        return self._clock.monotonic() + self.ahead


class Numbered(Carrier):
    """Takes all, each under an id of its own."""

    async def send(self, message: Message):
        await super().send(message)
        return Settled(provider_id=f"SM{int(message.address[-4:]) - 100}")


@pytest.fixture
def options(tmp_path: Path) -> DeskOptions:
    return DeskOptions(database=str(tmp_path / "desk.db"))


@asynccontextmanager
async def taken(
    options: DeskOptions, keeps: Keeps, count: int = 4
) -> AsyncIterator[tuple[Desk, Unreported, Later]]:
    """So many texts that a provider took; who asks about them, and the clock by which they do."""
    provider = Provider(channel=Numbered(), asking=Asking(fetch=keeps.fetch, after=600.0))
    async with desk(options, people=staff(count, kinds=("sms",)), channels=[provider]) as running:
        await running.is_ordered(order())
        await running.is_settled(count)
        clock = Later(running.clock)
        asking = Unreported(
            provider=provider,
            first=True,
            reports=Reports(database=running.database, addresses=running.room.tables.addresses),
            ledger=running.room.ledger,
            clock=clock,
            urgent=running.room._urgent,
        )
        yield running, asking, clock


async def states(running: Desk) -> dict[str, str]:
    return {row.person: row.state for row in await running.rows()}


async def test_w13_what_has_no_report_in_time_is_asked_about_and_unknown_stays_unknown(
    options: DeskOptions,
) -> None:
    """Delivered, given up, still on its way, and one that the provider says nothing about: no more is shown than is known."""
    keeps = Keeps(**{"0": "delivered", "1": "refused", "2": "accepted"})
    async with taken(options, keeps) as (running, asking, clock):
        await asking.look()
        assert [] == keeps.asked
        clock.ahead = 601.0
        await asking.look()

        assert sorted(keeps.asked) == ["SM0", "SM1", "SM2", "SM3"]
        assert {"p0": "delivered", "p1": "refused", "p2": "accepted", "p3": "accepted"} == await states(
            running
        )


async def test_it_is_asked_again_only_when_the_time_has_doubled_and_for_a_day(options: DeskOptions) -> None:
    """What is known by then is asked about no more; a restart begins anew, which costs a question and changes nothing."""
    keeps = Keeps(**{"0": "delivered", "1": "accepted"})
    async with taken(options, keeps, 2) as (running, asking, clock):
        asked = []
        for ahead in (601.0, 700.0, 1_210.0, 1_300.0, 2_500.0, OLDEST / SECOND + 700.0):
            clock.ahead = ahead
            await asking.look()
            asked.append(len(keeps.asked))

        assert [2, 2, 3, 3, 4, 4] == asked
        assert {"p0": "delivered", "p1": "accepted"} == await states(running)


async def test_questions_wait_while_somebody_in_danger_is_yet_to_be_told(options: DeskOptions) -> None:
    """Nor does a provider that answers nothing hear more than one handful of them."""
    keeps = Keeps()
    async with taken(options, keeps, 50) as (_, asking, clock):
        clock.ahead = 601.0
        asking._urgent = lambda _: asyncio.sleep(0, result=True)
        await asking.look()
        assert [] == keeps.asked
        asking._urgent = lambda _: asyncio.sleep(0, result=False)
        await asking.look()

        assert 20 == len(keeps.asked)


async def test_the_carrier_answers_by_its_own_id_and_nothing_of_a_strangers() -> None:
    """Texts and calls by the REST API, as Twilio's description has it: an id that is none is never sent."""
    async with carrier_peer(carrying=0.0) as carrier:
        given = {"account": ACCOUNT, "token": Secret(TOKEN), "from_": "+15550001", "base_url": carrier.url}
        text, call = (
            TwilioSMS(settings=TwilioSettings(**given)),
            TwilioVoice(settings=TwilioVoiceSettings(**given)),
        )
        found = []
        for channel in (text, call):
            await channel.open()
            sent = await channel.send(
                Message(
                    delivery="dlv_1", notice="ntc_1", revision=1, address="+15550100", body="x", language="en"
                )
            )
            assert isinstance(sent, Settled)
            async with asyncio.timeout(PATIENCE):
                while (one := await channel.fetch(sent.provider_id)).state is not State.DELIVERED:  # noqa: ASYNC110 - the carrier rings no bell
                    await asyncio.sleep(0.02)
            found.append((one.state, one.provider_id == sent.provider_id))
            requests = carrier.requests
            assert None is await channel.fetch("SM" + "0" * 32)
            assert None is await channel.fetch("../Accounts")
            assert requests == carrier.requests
            await channel.close()

    assert [(State.DELIVERED, True)] * 2 == found
