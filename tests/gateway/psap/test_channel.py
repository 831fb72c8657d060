"""A shared channel: its load is measured, what can wait gives way, a first press never does."""

import asyncio
import re

import pytest

from belltower.clock import Instant
from belltower.errors import SettingsError
from belltower.incident.facts import (
    CallReceipt,
    CallSent,
    CallUnanswered,
    LinkRestored,
    TelecommunicatorAcknowledged,
    UpdateKind,
    UpdateOrdered,
)
from belltower.values import Secret
from gateway.psap.channel import WINDOW, Channel, Governor, ModemParameters
from gateway.psap.kinds import link_from
from gateway.psap.kiss_link import PATIENCE, TO_CALL, KISSLink
from gateway.psap.link import LinkTest, Lost, Opened, admitted, more_of, remarks_on, update_of
from gateway.psap.settings import KISSLinkSettings
from hardware.codecs import ax25, kiss
from hardware.transports.memory import Cable
from tests.gateway.psap.house import House, around, joined, order
from tests.peers.county import KEY, PSAP, SCHOOL
from tests.peers.radio import Radio
from tests.peers.virtual_time import in_virtual_time

CALL = admitted(order(7), place="B 204")
MORE = more_of([(CALL, ((2, 9),))])
CANCEL = update_of(
    CALL,
    UpdateOrdered(call=CALL.order.call, incident=CALL.order.incident, update=1, kind=UpdateKind.CANCEL),
    spot=None,
)
TEST = LinkTest(number=1, key="7K2M9QXA", at=Instant(0))
STRANGER = kiss.encode(
    ax25.encode(
        ax25.UIFrame(
            destination=TO_CALL, source=ax25.Address.parse("OTHER-3"), info=b">on the channel too" * 10
        )
    )
)


def test_the_load_is_what_was_on_the_air_in_the_last_minute():
    """Ours and others' apart; what is older than a minute does not count; both never come to more than all."""
    governor = Governor(limit=0.5, patience=15.0)
    governor.ours(6.0, now=0.0)
    governor.others(24.0, now=30.0)

    load = governor.load(30.0)
    assert (0.1, 0.4, 0.5) == (load.ours, load.others, pytest.approx(load.all))
    assert not governor.loaded(30.0)
    governor.others(1.0, now=31.0)
    assert governor.loaded(31.0)
    assert (0.0, pytest.approx(25 / 60)) == (governor.load(60.5).ours, governor.load(60.5).others)
    assert pytest.approx(0.0) == governor.load(200.0).all
    governor.others(1e9, now=300.0)
    assert 1.0 == governor.load(300.0).all


def test_a_flood_of_frames_costs_no_memory():
    """One entry a second, however many frames are heard."""
    governor = Governor(limit=0.5, patience=15.0)
    for count in range(50_000):
        governor.others(0.001, now=count / 100)

    assert WINDOW + 1 >= len(governor._seconds)


def test_what_can_wait_waits_no_longer_than_the_patience():
    """On a channel that is never calm one thing goes every fifteen seconds."""
    governor = Governor(limit=0.5, patience=15.0)
    went = []
    for second in range(120):
        governor.others(1.0, now=float(second))
        if not governor.waits(float(second)):
            went.append(second)

    assert list(range(30)) == went[:30]
    assert [45, 61, 77, 93, 109] == went[30:]


class OnLoadedChannel:
    """A link on a cable at whose far end strangers talk."""

    def __init__(self, *, heartbeat=30.0, rate=1200):
        self.cable = Cable()
        self.link = KISSLink(
            name="county",
            transport=self.cable.near,
            key=KEY,
            us=SCHOOL,
            them=PSAP,
            channel=Channel(rate=rate, load_limit=0.7),
            heartbeat=heartbeat,
        )
        self.heard = []
        self.said = []

    async def __aenter__(self):
        await self.cable.far.open()
        loop = asyncio.get_running_loop()
        self.tasks = [
            loop.create_task(self.link.run(self.heard.append)),
            loop.create_task(self.listen()),
        ]
        await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_):
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)

    async def listen(self):
        """Note what the school says, and when."""
        decoder = kiss.Decoder()
        while True:
            for frame in decoder.feed(await self.cable.far.read()):
                self.said.append((asyncio.get_running_loop().time(), frame))

    async def strangers(self, seconds):
        """Fill the channel with other people's traffic for so long."""
        each = Channel(rate=1200).airtime(len(STRANGER) - 3)
        for _ in range(int(seconds / each)):
            await self.cable.far.write(STRANGER)
            await asyncio.sleep(each)


def test_a_first_press_never_waits_and_the_rest_gives_way():
    """On a full channel: the call and the cancellation go at once; repeat, summary and test wait up to 15 seconds."""

    async def story():
        async with OnLoadedChannel() as air:
            loop, link = asyncio.get_running_loop(), air.link
            await air.strangers(60)
            assert re.match(r"channel (9\d|100)% busy, \d% ours; repeats", remarks_on(link))
            assert await link.send(link.first(CALL))
            assert await link.send(link.update(CANCEL))
            for frame in (link.first(CALL), link.more(MORE), link.test(TEST), link.update(CANCEL)):
                assert not await link.send(frame)
            began = loop.time()
            talk = loop.create_task(air.strangers(40))
            while not await link.send(link.more(MORE)):  # noqa: ASYNC110 - as the ledger tries again
                await asyncio.sleep(2)
            assert PATIENCE - 2 <= loop.time() - began <= PATIENCE + 2
            assert not await link.send(link.test(TEST))
            talk.cancel()
            await asyncio.sleep(60)
            assert "" == link.detail
            for frame in (link.first(CALL), link.more(MORE), link.test(TEST)):
                assert await link.send(frame)

    in_virtual_time(story())


def test_a_heartbeat_gives_way_once_and_a_silent_link_is_still_known_in_ninety_seconds():
    """So that a full channel does not hide a dead county."""

    async def story():
        async with OnLoadedChannel() as air:
            loop = asyncio.get_running_loop()
            await air.strangers(29)
            air.link._alive(air.heard.append)  # the county was heard just now
            alive, said = loop.time(), len(air.said)
            talk = loop.create_task(air.strangers(200))
            while Lost not in map(type, air.heard):  # noqa: ASYNC110 - the report has no bell
                await asyncio.sleep(0.5)
            talk.cancel()
            lost = loop.time() - alive
            assert air.link.traits.supervision + 1 >= lost
            assert 90 == air.link.traits.supervision
            first = air.said[said][0] - alive
            assert 45 == pytest.approx(first, abs=1)

    in_virtual_time(story())


def test_a_wire_has_no_load():
    """Without a rate nothing is measured and nothing waits."""

    async def story():
        cable = Cable()
        await cable.far.open()
        link = KISSLink(name="county", transport=cable.near, key=KEY, us=SCHOOL, them=PSAP)
        running = asyncio.get_running_loop().create_task(link.run(lambda _: None))
        await asyncio.sleep(0.1)
        for _ in range(200):
            await cable.far.write(STRANGER)
            assert await link.send(link.more(MORE))
            await asyncio.sleep(0.01)
        assert "" == link.detail
        running.cancel()
        await asyncio.wait([running])

    in_virtual_time(story())


@pytest.mark.parametrize(
    ("heartbeat", "rate", "supervision", "weak"),
    [
        (30.0, None, 75.0, False),
        (30.0, 1200, 90.0, False),
        (60.0, 1200, 180.0, True),
        (3600.0, None, 9000.0, True),
    ],
)
async def test_a_slow_heartbeat_is_a_weak_supervision(heartbeat, rate, supervision, weak):
    """Seconds until a cut is known, as settings ask for it; more than 90 is shown as weak."""
    channel = Channel(rate=rate) if rate else None
    link = KISSLink(
        name="x", transport=None, key=KEY, us=SCHOOL, them=PSAP, channel=channel, heartbeat=heartbeat
    )

    assert (supervision, weak) == (link.traits.supervision, "weakly" in remarks_on(link))


def a_settings(**given):
    """Settings of a link that is never opened."""
    return KISSLinkSettings(
        url="tcp://127.0.0.1:1", from_="SCHOOL-1", to="PSAP", key=Secret(KEY.hex()), **given
    )


def test_the_modem_is_told_its_parameters_whenever_its_line_opens():
    """TXDELAY, P, SLOT and TXTAIL as KISS numbers them, before anything else; nothing unless asked for."""
    assert a_settings(rate=1200).modem_parameters() is None
    parameters = a_settings(set_modem=True, txdelay=0.25, persistence=100, slot=0.05).modem_parameters()
    wanted = bytes.fromhex("c00119c0 c00264c0 c00305c0 c0040ac0")
    assert wanted == parameters.octets()
    assert b"" == ModemParameters().octets()
    with pytest.raises(SettingsError, match=r"txdelay: a modem takes at most 2.55 s"):
        a_settings(set_modem=True, txdelay=3.0)

    async def story():
        cable = Cable()
        link = KISSLink(name="county", transport=cable.near, key=KEY, us=SCHOOL, them=PSAP, modem=parameters)
        heard = []
        running = asyncio.get_running_loop().create_task(link.run(heard.append))
        for _ in range(2):
            await cable.far.open()
            await asyncio.sleep(1)
            assert wanted == await cable.far.read()
            cable.pull()
            await asyncio.sleep(1)
            cable.plug()
            await asyncio.sleep(3)
        assert 3 <= heard.count(Opened())
        running.cancel()
        await asyncio.wait([running])

    in_virtual_time(story())


def test_settings_become_a_link_that_measures(tmp_path):
    """The limit reaches the channel."""
    link = link_from("county", a_settings(rate=1200, load_limit=0.25), around(tmp_path))

    assert 0.25 == link._channel.load_limit


class TwoBands(House):
    """One centre on two channels, each with its own modems; `busy` is full of strangers."""

    def __init__(self):
        super().__init__(counties=("vhf", "uhf"), channel=Channel(rate=1200))
        self.radios = {name: Radio(rate=1200) for name in self.names}
        self.cables = dict(self.radios)

    async def __aenter__(self):
        await super().__aenter__()
        for radio in self.radios.values():
            self.spawn(radio.run())
        return self


def test_two_bands_of_one_centre_race():
    """Both first octets at once; the loaded or dead band holds up nothing; a receipt on one ends its own repeats only."""

    async def story():
        async with TwoBands() as house:
            await house.facts_until(LinkRestored, 2, within=10)
            vhf, uhf = house.radios["vhf"], house.radios["uhf"]
            await vhf._channel.acquire()  # somebody else has keyed the first band and does not let go
            await house.give(order(1), joined(2))
            sent = {entry.fact.link: entry.at for entry in await house_entries(house, CallSent, 2)}
            assert {"vhf", "uhf"} == set(sent)
            assert 0.05e6 >= abs(sent["vhf"] - sent["uhf"])
            (receipt,) = await house.facts_until(CallReceipt, 1, within=5)
            assert "uhf" == receipt.link
            house.peers["uhf"].acknowledge(1, "T12")
            (person,) = await house.facts_until(TelecommunicatorAcknowledged, 1, within=10)
            assert ("uhf", "T12") == (person.link, person.by)
            await asyncio.sleep(20)
            assert [] == house.peers["vhf"].county.heard[1:]
            vhf._channel.release()
            await asyncio.sleep(30)
            assert [] == await house.facts(CallUnanswered)
            assert house.peers["uhf"].county.calls[1].told
            assert uhf.rate == vhf.rate

    in_virtual_time(story())


async def house_entries(house, kind, count):
    """The entries of a kind once there are so many."""
    await house.facts_until(kind, count, within=2)
    return await house.entries(kind)
