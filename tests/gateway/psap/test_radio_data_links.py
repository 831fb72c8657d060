"""Texts by TETRA, FleetSync and NEXEDGE: what each answer comes to, and what none of them can."""

import asyncio
from pathlib import Path

import pytest

from belltower.clock import Instant
from belltower.errors import SettingsError
from belltower.ids import LinkName
from belltower.incident.facts import Mode, ReceiptLevel
from gateway.cli.check import untried_links
from gateway.psap.fleetsync_link import FleetSyncLink
from gateway.psap.link import (
    Answered,
    LinkTest,
    Lost,
    Opened,
    PersonAnswered,
    ReadBack,
    Receipt,
    Refusal,
    admitted,
    more_of,
)
from gateway.psap.radio_data_settings import FleetSyncLinkSettings, NexedgeLinkSettings, TetraLinkSettings
from gateway.psap.tetra_link import TetraLink
from gateway.settings import load
from hardware.codecs import fleetsync, tetra_pei
from hardware.codecs.fleetsync import Acked, Text
from hardware.codecs.tetra_pei import Ack, Report, Reports, ReportStatus, ShortReport, Transfer
from hardware.simulators.fleetsync_radio import SimulatedFleetSyncRadio
from hardware.simulators.tetra_radio import SimulatedTetraRadio
from tests.gateway.psap.house import order
from tests.peers.answering import answering_cable
from tests.peers.virtual_time import in_virtual_time

CALL = admitted(order(7), place="B 204")
EXERCISE = admitted(order(8, mode=Mode.EXERCISE, accepted=True), place="B 204")
TERMINAL = "2345678"


class Desk:
    """A link on a simulated radio, and what it reported."""

    def __init__(self, device, make, *, fault="", measure=0.0) -> None:
        self.radio = device
        self.cable = answering_cable(device, fault=fault, measure=measure)
        self.link = make(self.cable.near)
        self.heard = []
        self.written = True

    def report(self, heard):
        self.heard.append(heard)
        if not isinstance(heard, PersonAnswered | ReadBack):
            return None
        answer = asyncio.get_running_loop().create_future()
        answer.set_result(self.written)
        return answer

    def of(self, *kinds):
        """What was reported, of these kinds."""
        return [each for each in self.heard if isinstance(each, kinds)]

    async def __aenter__(self):
        self.running = asyncio.get_running_loop().create_task(self.link.run(self.report))
        await asyncio.sleep(0.1)
        return self

    async def __aexit__(self, *details):
        self.running.cancel()
        await asyncio.wait([self.running])


def tetra(story, *, fault="", **settings):
    """Run a story with a TETRA radio, in virtual time."""

    async def told():
        make = lambda near: TetraLink(name=LinkName("tetra"), transport=near, to=TERMINAL, **settings)  # noqa: E731
        async with Desk(SimulatedTetraRadio(), make, fault=fault) as desk:
            return await story(desk)

    return in_virtual_time(told())


def kenwood(story, *, fault="", measure=0.0, to="1001002", **settings):
    """Run a story with a Kenwood radio, in virtual time."""

    async def told():
        make = lambda near: FleetSyncLink(name=LinkName("fleet"), transport=near, to=to, **settings)  # noqa: E731
        async with Desk(SimulatedFleetSyncRadio(), make, fault=fault, measure=measure) as desk:
            return await story(desk)

    return in_virtual_time(told())


# ---- TETRA


def test_a_terminal_that_received_is_a_radio_and_one_that_consumed_is_a_station():
    """Neither is a person; the station settles only where the settings say so."""

    async def story(desk):
        frame = desk.link.first(CALL)
        assert await desk.link.send(frame)
        [(to, transfer)] = desk.radio.sent
        assert (TERMINAL, frame.text, Reports.BOTH) == (to, transfer.text, transfer.reports)
        desk.radio.report(TERMINAL, transfer, ReportStatus.CONSUMED)
        await asyncio.sleep(0.1)
        assert [
            Receipt(frame=frame.id, level=ReceiptLevel.RADIO),
            Receipt(frame=frame.id, level=ReceiptLevel.STATION),
        ] == desk.of(Receipt)
        assert [] == desk.of(PersonAnswered)
        return desk.link.traits.settling

    assert frozenset({ReceiptLevel.SYSTEM}) == tetra(story)
    assert frozenset({ReceiptLevel.SYSTEM, ReceiptLevel.STATION}) == tetra(story, station_counts=True)


def test_a_report_that_wants_an_ack_gets_one():
    """822001 and the reference, to the terminal."""

    async def story(desk):
        await desk.link.send(desk.link.first(CALL))
        desk.radio.arrive(TERMINAL, tetra_pei.encode(Report(reference=0, status=0, ack_wanted=True)))
        await asyncio.sleep(0.1)
        assert [(TERMINAL, Ack(reference=0, status=ReportStatus.ACKNOWLEDGED))] == list(desk.radio.reports)
        assert 1 == len(desk.of(Receipt))

    tetra(story, fault="no-report")


def test_a_short_report_counts_as_well():
    """A status of 16 bits: 7E received, 7F consumed, 7C it failed."""

    async def story(desk):
        await desk.link.send(desk.link.first(CALL))
        for kind in (2, 3, 0):
            short = tetra_pei.encode_short(ShortReport(reference=0, kind=kind))
            desk.radio.arrive(TERMINAL, short, service=tetra_pei.STATUS)
        await asyncio.sleep(0.1)
        assert [Receipt, Receipt, Refusal] == [type(each) for each in desk.of(Receipt, Refusal)]

    tetra(story, fault="no-report")


@pytest.mark.parametrize("fault", ["wrong-id", "no-report"])
def test_a_report_of_another_text_or_terminal_is_nothing(fault):
    """Only the reference under which it was sent, from the terminal it was sent to."""

    async def story(desk):
        await desk.link.send(desk.link.first(CALL))
        desk.radio.arrive("7654321", tetra_pei.encode(Report(reference=0, status=0)))
        await asyncio.sleep(0.1)
        assert [] == desk.of(Receipt)
        assert 1 == desk.link.counts["foreign"]

    tetra(story, fault=fault)


def test_a_late_report_on_a_text_of_an_earlier_process_is_nothing():
    """References begin elsewhere in each; and a report on a text of long ago is on another."""

    async def story(desk):
        frame = desk.link.first(CALL)
        await desk.link.send(frame)
        [(_, transfer)] = desk.radio.sent
        assert 0xFE == transfer.reference
        for old in (0, 1, 0xFD):
            desk.radio.report(TERMINAL, Transfer(reference=old, text=""), ReportStatus.CONSUMED)
        await asyncio.sleep(610)
        desk.radio.report(TERMINAL, transfer, ReportStatus.CONSUMED)
        await asyncio.sleep(0.1)
        assert [] == desk.of(Receipt)
        assert 4 == desk.link.counts["stray"]
        await desk.link.send(frame)
        desk.radio.report(TERMINAL, desk.radio.sent[-1][1], ReportStatus.CONSUMED)
        await asyncio.sleep(0.1)
        assert [Receipt(frame=frame.id, level=ReceiptLevel.STATION)] == desk.of(Receipt)

    tetra(story, fault="no-report", begin=1_790_000_254 - 1_790_000_254 % 256 + 0xFE)


def test_a_terminal_out_of_reach_is_a_refusal():
    """And the text may go again."""

    async def story(desk):
        frame = desk.link.first(CALL)
        await desk.link.send(frame)
        await asyncio.sleep(0.1)
        assert [Refusal(frame=frame.id, reason="the network could not deliver it: status 5A")] == desk.of(
            Refusal
        )
        assert await desk.link.send(frame)
        assert 2 == len(desk.radio.sent)
        assert 2 == len({transfer.reference for _, transfer in desk.radio.sent})

    tetra(story, fault="negative")


def test_a_person_answers_from_the_console():
    """The text is reported received, and consumed once the answer is written down."""

    async def story(desk):
        await desk.link.send(desk.link.first(CALL))
        pdu = Transfer(reference=5, text="ACK 7 T2", reports=Reports.BOTH)
        desk.radio.arrive(TERMINAL, tetra_pei.encode(pdu))
        desk.radio.arrive("7654321", tetra_pei.encode(pdu))
        desk.radio.arrive_text(TERMINAL, "on our way")
        desk.radio.arrive_text(TERMINAL, "READBACK 7-3")
        await asyncio.sleep(0.1)
        assert [
            PersonAnswered(number=7, key="", by="T2"),
            ReadBack(number=7, update=3, key="", by="console"),
        ] == desk.of(PersonAnswered, ReadBack)
        told = [(report.reference, report.status) for _, report in desk.radio.reports]
        assert [(5, 0), (1, 0), (2, 0), (5, 2)] == told

    tetra(story)


def test_a_tetra_radio_without_network_or_voice_is_lost():
    """And a refusing one sends nothing."""

    async def unregistered(desk):
        assert [Lost(reason="the radio is not registered")] == desk.heard

    async def silent(desk):
        await asyncio.sleep(60)
        assert [Lost] == [type(each) for each in desk.heard]
        assert not await desk.link.send(desk.link.first(CALL))

    async def busy(desk):
        assert not await desk.link.send(desk.link.first(CALL))
        assert [] == list(desk.radio.sent)

    async def garbage(desk):
        assert await desk.link.send(desk.link.first(CALL))
        await asyncio.sleep(0.1)
        assert 1 == len(desk.of(Receipt))

    tetra(unregistered, fault="no-network")
    tetra(silent, fault="silent")
    tetra(busy, fault="busy")
    tetra(garbage, fault="garbage")


# ---- FleetSync and NEXEDGE


@pytest.mark.parametrize(
    ("to", "settings", "octets"),
    [
        ("1001002", {}, b"\x02F1001002PANIC B 204 C7 I12 KZZ000007\x03"),
        ("03001", {"nexedge": True}, b"\x02gFU03001PANIC B 204 C7 I12 KZZ000007\x03"),
        ("00100", {"nexedge": True, "group": True}, b"\x02gFG00100PANIC B 204 C7 I12 KZZ000007\x03"),
        (
            "1001002",
            {"long": True, "campus": "Lincoln High"},
            b"\x02G1001002PANIC B 204 at Lincoln High. CALL 7 INC 12 BLDG B KEY ZZ000007. Reply ACK 7\x03",
        ),
    ],
)
def test_a_call_in_the_octets_of_a_kenwood_radio(to, settings, octets):
    """To a radio, to a group; in brief and in full."""
    link = FleetSyncLink(name=LinkName("fleet"), transport=None, to=to, **settings)

    assert octets == link.first(CALL).octets


def test_a_radio_that_acknowledges_is_a_radio():
    """02 30 03."""

    async def story(desk):
        frame = desk.link.first(CALL)
        assert await desk.link.send(frame)
        await asyncio.sleep(0.1)
        assert [Opened(), Answered(), Receipt(frame=frame.id, level=ReceiptLevel.RADIO)] == desk.heard
        for _ in range(10):
            assert await desk.link.send(frame)
            await asyncio.sleep(10)
        assert 1 == len(desk.radio.sent)

    kenwood(story)


def test_a_radio_that_does_not_acknowledge_is_written_to_again():
    """02 31 03: the next try goes out as soon as the worker asks."""

    async def story(desk):
        frame = desk.link.first(CALL)
        for _ in range(3):
            assert await desk.link.send(frame)
            await asyncio.sleep(0.1)
        assert 3 == len(desk.radio.sent)
        assert [] == desk.of(Receipt)

    kenwood(story, fault="negative")


def test_a_broadcast_never_has_a_receipt_and_waits_two_seconds():
    """An acknowledgement that comes all the same is for something else."""

    async def story(desk):
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in (1, 2, 3):
            assert await desk.link.send(desk.link.first(admitted(order(number), place="x")))
        assert 4.0 == round(loop.time() - began, 3)
        desk.radio.arrive(Acked())
        await asyncio.sleep(10)
        assert [] == desk.of(Receipt, Lost)
        assert 3 == len(desk.radio.sent)

    kenwood(story, to=fleetsync.BROADCAST)


def test_an_acknowledgement_is_for_the_text_under_way_and_for_no_other():
    """The second text waits for the first; a late acknowledgement names nothing."""

    async def story(desk):
        one, two = (desk.link.first(admitted(order(number), place="x")) for number in (1, 2))
        assert await desk.link.send(one)
        assert await desk.link.send(two)
        await asyncio.sleep(30)
        assert [] == desk.of(Receipt)
        assert 2 == desk.link.counts["stray"] + desk.link.counts["acks"]

    kenwood(story, fault="late", measure=7.0)


def test_a_person_answers_from_the_radio_that_was_written_to():
    """In the form in which texts go out, which no recording confirms."""

    async def story(desk):
        await desk.link.send(desk.link.first(CALL))
        desk.radio.arrive(Text(unit="1001002", text="ack 7"))
        desk.radio.arrive(Text(unit="1001003", text="ack 7"))
        desk.radio.arrive(Text(unit="1001002", text="roger"))
        await asyncio.sleep(0.1)
        assert [PersonAnswered(number=7, key="", by="radio")] == desk.of(PersonAnswered)

    kenwood(story)
    kenwood(story, fault="garbage")


# ---- all


def test_brief_texts_fit_whatever_they_tell():
    """48 characters, or the long form is used."""
    link = FleetSyncLink(name=LinkName("fleet"), transport=None, to="1001002")
    drill = admitted(order(12_345, mode=Mode.EXERCISE, accepted=True), place="Gymnasium North")

    for frame in (link.first(CALL), link.first(drill), link.more(more_of([(drill, ((2, 9), (11, 12_000)))]))):
        [text] = fleetsync.Decoder().feed(frame.octets)
        assert not text.long
        assert frame.text == text.text
    assert link.first(drill).text.startswith("EXERCISE PANIC ")


@pytest.mark.parametrize(
    "make",
    [
        lambda: TetraLink(name="x", transport=None, to="1"),
        lambda: FleetSyncLink(name="x", transport=None, to="1001002"),
    ],
)
def test_a_marked_test_says_that_it_is_one(make):
    """It goes where calls go, and looks like none."""
    frame = make().test(LinkTest(number=3, key="0A1B2C3D", at=Instant(0)))

    assert frame.text.startswith("TEST ")
    assert "NOBODY NEEDS HELP" in frame.text.upper()


@pytest.mark.parametrize(
    ("kind", "settings", "fault"),
    [
        (TetraLinkSettings, {"to": "0"}, "to: write the number"),
        (TetraLinkSettings, {"to": "1", "heartbeat": 90.0}, "heartbeat"),
        (TetraLinkSettings, {"to": "1", "url": "x"}, "url: "),
        (FleetSyncLinkSettings, {"to": "1001002"}, "to: write fleet and unit"),
        (NexedgeLinkSettings, {"to": "03001"}, "to: write U and five digits"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(kind, settings, fault):
    """By key, with the mend."""
    with pytest.raises(SettingsError, match=fault):
        kind(**{"url": "serial:///dev/ttyUSB4", **settings})


@pytest.mark.parametrize("kind", [TetraLinkSettings, FleetSyncLinkSettings, NexedgeLinkSettings])
def test_what_was_never_on_the_air_says_so(kind):
    """In the settings' own words."""
    assert "Vector-tested" in kind.__doc__
    assert kind.VECTOR_TESTED


def test_belltower_check_remarks_on_them():
    """Those three of the example, and no other."""
    example = load(Path("config.example.toml"), environ={}, secrets=False)

    assert ["tetra", "fleet", "nexedge"] == untried_links(example)
