"""Alarm panels as a way in: what becomes an alarm, where, and once; and what is only written down."""

import asyncio

import pytest

from belltower.clock import SECOND, Instant
from belltower.errors import SettingsError
from belltower.ids import LinkName, PlaceId
from belltower.incident import facts
from belltower.incident.facts import AlarmKind
from belltower.journal import Durability
from belltower.values import Secret
from floorplans import Place
from gateway.intake.panel_path import PanelPath, PanelZones
from gateway.intake.panel_settings import PanelAccountSettings, PanelSettings
from hardware.codecs.dc09 import Content, Frame, Kind
from hardware.drivers.dc09_judge import Answer
from hardware.drivers.dc09_receiver import Received
from tests.gateway.intake.test_intake import Bench, SteadyClock
from tests.peers.waiting import PATIENCE

PLACES = {
    PlaceId(name): Place(id=PlaceId(name), label=name[1:], building="B")
    for name in ("b204", "b305", "b-office")
}
ZONES = {"1234": PanelZones(zones={13: PlaceId("b204")}, place=PlaceId("b-office")), "ABCD": PanelZones()}


@pytest.fixture
async def bench(tmp_path):
    """Verbs over a disk in memory."""
    bench = Bench(tmp_path)
    await bench.start()
    yield bench
    await bench.journal.close()


async def path(bench):
    """The way in."""
    made = PanelPath(
        name=LinkName("panel-main"),
        verbs=bench.verbs,
        database=bench.database,
        clock=SteadyClock(),
        accounts=ZONES,
        places=PLACES,
        counts=bench.intake.counts,
    )
    await made.open()
    return made


def report(data, *, sequence=1, account="1234", kind=Kind.SIA, age=0):
    """A report in clear and in time."""
    stamp = Instant(SteadyClock().now() - age * SECOND)
    content = Content(data=f"#{account}|{data}", stamp=stamp)
    return Received(frame=Frame(kind=kind, sequence=sequence, account=account, content=content), by="tcp")


async def said(answer):
    """The answer, once it is there."""
    return answer if isinstance(answer, Answer) else await asyncio.wait_for(answer, PATIENCE)


@pytest.mark.parametrize(
    ("kind", "data", "alarm"),
    [
        *[(Kind.SIA, f"Nri1/{code}013", AlarmKind.PANIC) for code in ("PA", "HA")],
        *[(Kind.CID, f"1{code} 01 013", AlarmKind.PANIC) for code in (120, 121, 122, 123)],
        (Kind.SIA, "Nri1/MA13", AlarmKind.MEDICAL),
        (Kind.CID, "1100 01 013", AlarmKind.MEDICAL),
        (Kind.SIA, "Nri1/PA13*'ROOM'NM", AlarmKind.PANIC),
    ],
)
async def test_a_call_for_help_is_an_alarm_at_its_zone(bench, kind, data, alarm):
    """With the place of the zone; acknowledged."""
    panel = await path(bench)

    assert Answer.ACK is await said(panel.received(report(data, kind=kind)))
    (raised,) = await bench.written(facts.AlarmRaised)
    assert (alarm, "b204", "B", "panel-main", None) == (
        raised.kind,
        raised.place,
        raised.building,
        raised.path,
        raised.unit,
    )


@pytest.mark.parametrize(
    ("account", "data", "place", "building"),
    [
        ("1234", "NPA99", "b-office", "B"),
        ("1234", "NPA", "b-office", "B"),
        ("1234", "NPA1F", "b-office", "B"),
        ("ABCD", "NPA13", None, ""),
    ],
)
async def test_a_zone_that_is_not_known_alarms_all_the_same(bench, account, data, place, building):
    """At the account's place, or with the place unknown."""
    panel = await path(bench)
    await said(panel.received(report(data, account=account)))

    (raised,) = await bench.written(facts.AlarmRaised)
    assert (place, building) == (raised.place, raised.building)


async def test_the_answer_leaves_after_the_commit(bench):
    """Nothing is said before the journal has it."""
    panel = await path(bench)
    answer = panel.received(report("NPA013"))

    assert isinstance(answer, asyncio.Future)
    assert not answer.done()
    assert Answer.ACK is await said(answer)


async def test_a_retry_raises_once_even_after_a_restart(bench):
    """The receiver's memory is gone; what is on disk knows it."""
    panel = await path(bench)
    await said(panel.received(report("NPA013", age=5)))
    await bench.journal.close()
    await bench.start()
    panel = await path(bench)
    for age in (5, 2):
        assert Answer.ACK is await said(panel.received(report("NPA013", age=age)))
    assert 1 == len(await bench.written(facts.AlarmRaised))
    await said(panel.received(report("NPA013", sequence=2)))

    assert 2 == len(await bench.written(facts.AlarmRaised))
    assert 2 == bench.intake.counts["panel_repeated"]


async def test_two_calls_in_one_report_are_two_alarms(bench):
    """Each at its own zone."""
    panel = await path(bench)
    await said(panel.received(report("Nri1/PA13/PA99")))

    assert ["b204", "b-office"] == [raised.place for raised in await bench.written(facts.AlarmRaised)]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        *[
            (Kind.SIA, f"N{code}1")
            for code in ("RP", "RX", "PH", "PR", "HR", "MR", "AR", "YR", "YK", "CL", "OP")
        ],
        *[(Kind.CID, f"{event} 01 001") for event in ("1602", "1601", "3120", "3100", "3301", "1401")],
    ],
)
async def test_tests_restores_and_the_days_business_are_no_alarms(bench, kind, data):
    """Counted, acknowledged, and nothing more."""
    panel = await path(bench)

    assert Answer.ACK is await said(panel.received(report(data, kind=kind)))
    assert not await bench.written((facts.AlarmRaised, facts.PanelTrouble))


@pytest.mark.parametrize(
    ("kind", "data", "answer", "means"),
    [
        (Kind.SIA, "NYT1", Answer.ACK, "trouble"),
        (Kind.CID, "1137 01 001", Answer.ACK, "trouble"),
        (Kind.SIA, "NOC1", Answer.ACK, "cancel"),
        (Kind.SIA, "NFA1", Answer.DUH, "alarm"),
        (Kind.CID, "1110 01 001", Answer.DUH, "alarm"),
        (Kind.SIA, "NVA1", Answer.DUH, "alarm"),
        (Kind.SIA, "NZZ1", Answer.DUH, "unknown"),
        (Kind.CID, "1999 01 001", Answer.DUH, "unknown"),
        (Kind.SIA, "gibberish", Answer.DUH, "malformed"),
    ],
)
async def test_what_a_person_must_look_at_is_written_down_and_shown(bench, kind, data, answer, means):
    """Once a minute at most; what nobody acts on is answered so that the panel tries elsewhere."""
    panel = await path(bench)
    for sequence in (1, 2, 3):
        assert answer is await said(panel.received(report(data, kind=kind, sequence=sequence)))

    (trouble,) = await bench.written(facts.PanelTrouble)
    assert (means, "panel-main", "1234") == (trouble.means, trouble.panel, trouble.account)
    assert 1 == len(panel.troubles)
    assert not await bench.written(facts.AlarmRaised)


async def test_the_link_test_is_acknowledged(bench):
    """And leaves nothing behind."""
    panel = await path(bench)

    assert Answer.ACK is panel.received(Received(frame=Frame(kind=Kind.NULL, account="1234"), by="udp"))


async def test_what_could_only_be_relayed_is_not_acknowledged(bench):
    """The call went out all the same; the panel is to tell its next receiver too."""
    panel = await path(bench)
    answered = []
    for durability in Durability:
        written = asyncio.get_running_loop().create_future()
        answer = panel._when([written], Answer.ACK)
        written.set_result(durability)
        answered.append(await answer)

    assert [Answer.ACK, Answer.ACK, Answer.NOTHING] == answered


async def test_a_retry_of_what_could_only_be_relayed_is_acknowledged_once_the_journal_is_well(bench):
    """No second alarm; not while the repeat is in memory alone or in the spool, where the alarm is not."""

    class Ill:
        """Verbs whose journal takes things down as told, then truly."""

        def __init__(self) -> None:
            self.durabilities = [Durability.UNRECORDED, Durability.SPOOLED]

        def record(self, fact):
            if not self.durabilities:
                return bench.verbs.record(fact)
            written = asyncio.get_running_loop().create_future()
            written.set_result(self.durabilities.pop(0))
            return written

    panel = await path(bench)
    await said(panel.received(report("NPA013")))
    (written,) = panel._written.values()
    written[0] = asyncio.get_running_loop().create_future()
    written[0].set_result(Durability.UNRECORDED)
    panel._verbs = Ill()
    answers = [await said(panel.received(report("NPA013"))) for _ in range(4)]

    assert [Answer.NOTHING, Answer.NOTHING, Answer.ACK, Answer.ACK] == answers
    assert 1 == len(await bench.written(facts.AlarmRaised))
    (note,) = await bench.written(facts.PanelTrouble)
    assert ("PA", "013", "panic") == (note.code, note.zone, note.means)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"port": 7700, "accounts": {}}, "accounts"),
        ({"port": 7700, "accounts": {"xyz": PanelAccountSettings()}}, 'accounts."xyz"'),
        (
            {"port": 7700, "accounts": {"abc": PanelAccountSettings(), "ABC": PanelAccountSettings()}},
            "accounts",
        ),
    ],
)
def test_settings_that_could_never_work_are_refused(given, key):
    """By the key at fault."""
    with pytest.raises(SettingsError) as error:
        PanelSettings(**given)
    assert str(error.value).startswith(key)


def test_an_account_with_a_false_key_or_zone_is_refused():
    """The key is not repeated."""
    with pytest.raises(SettingsError) as error:
        PanelAccountSettings(key=Secret("12345"), zones={"north": "b204"})

    assert ['zones."north": a zone is a number', "key: the key has 5 characters"] == [
        line.split(";")[0] for line in str(error.value).split("\n")
    ]
