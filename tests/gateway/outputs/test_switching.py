"""Sirens, strobes, relays and signs, from the orders in the journal to what became of them; in virtual time."""

import asyncio
from random import Random

import pytest

from belltower.errors import SettingsError
from belltower.ids import IncidentId
from belltower.incident.facts import (
    Action,
    Mode,
    OutputFailed,
    OutputLevel,
    OutputOrdered,
    OutputReceipt,
)
from belltower.values import Secret
from gateway.outputs import rules
from gateway.outputs.rules import Does, DrillVariant, FailSafe, Rule
from gateway.outputs.switch_kinds import switches_from
from gateway.outputs.switch_settings import (
    SWITCHES,
    AlgoSettings,
    ModbusSettings,
    NoticeSettings,
    OSDPSettings,
)
from gateway.outputs.switching import SwitchWorker
from hardware.drivers.switch import Switches
from tests.gateway.psap.house import INCIDENT, House
from tests.peers.switch import Device
from tests.peers.virtual_time import in_virtual_time

OTHER = IncidentId("inc_01J9ZZZZZZZZZZZZZZZZZZZZZY")
SIREN = Rule(does=Does.SIREN, exercise=DrillVariant.WITHHELD)


class Switchboard(House):
    """A house whose only worker switches."""

    def __init__(self, rule=SIREN, *, devices=("siren",), **how) -> None:
        super().__init__(counties=())
        self.devices = {name: Device(**how) for name in devices}
        self.rules = dict.fromkeys(devices, rule)

    @property
    def siren(self):
        return self.devices["siren"]

    async def start(self):
        owed = await self.journal.read(after=0, limit=100_000)
        self.worker = SwitchWorker(
            journal=self.journal,
            switches=Switches(switches=self.devices),
            rules=self.rules,
            ids=self.ids,
            clock=self.clock,
            random_bytes=self.random.randbytes,
            owed=owed,
            after=owed[-1].position if owed else 0,
        )
        self._worker_task = asyncio.get_running_loop().create_task(self.worker.run())

    async def receipts(self):
        return [(each.on, each.level.value, each.confirmed) for each in await self.facts(OutputReceipt)]

    async def failures(self):
        return [(each.reason, each.level.value) for each in await self.facts(OutputFailed)]


def ordered(*, on=True, order=1, output="siren", incident=INCIDENT, mode=Mode.ACTUAL, **how):
    """An order."""
    given = {"action": Action.LOCKDOWN if on else None, **how}
    return OutputOrdered(output=output, incident=incident, on=on, order=order, mode=mode, **given)


def test_an_order_is_carried_out_and_only_the_devices_own_word_confirms_it():
    """On, then off at the incident's close."""

    async def story():
        async with Switchboard() as house:
            await house.give(ordered())
            await house.facts_until(OutputReceipt, 1, within=1.0)
            assert house.siren.on
            await house.give(ordered(on=False, order=2))
            await asyncio.sleep(1)
            assert house.siren.on is False
            assert [(True, "device", True), (False, "device", True)] == await house.receipts()

    in_virtual_time(story())


def test_a_device_without_an_answer_and_a_rule_without_one_are_not_confirmed():
    """Sent is what is said."""

    async def story(rule, confirms):
        async with Switchboard(rule, confirms=confirms) as house:
            await house.give(ordered())
            await asyncio.sleep(1)
            ((on, _, confirmed),) = await house.receipts()
            assert on
            assert not confirmed
            assert [] == await house.failures()

    in_virtual_time(story(SIREN, False))
    in_virtual_time(story(Rule(does=Does.SIREN, exercise=DrillVariant.WITHHELD, confirmed=False), True))


@pytest.mark.parametrize(
    ("how", "reason", "level"),
    [
        ("gone", "nobody there", "queued"),
        ("hung", "no answer within 2 s", "queued"),
        ("refusing", "no", "queued"),
        ("silent", "no answer within 2 s", "sent"),
        ("half", "half an answer", "sent"),
    ],
)
def test_a_failure_names_the_level_reached_is_told_once_and_mended(how, reason, level):
    """It goes on trying; each reason is one fact; the answer that comes at last is a receipt."""

    async def story():
        async with Switchboard(how=how) as house:
            await house.give(ordered())
            await asyncio.sleep(30)
            assert [(reason, level)] == await house.failures()
            assert [] == await house.receipts()
            house.siren.how = "well"
            await asyncio.sleep(15)
            assert house.siren.on
            assert [(True, "device", True)] == await house.receipts()
            assert len({ask.request for ask in house.siren.asked}) == len(house.siren.asked)

    in_virtual_time(story())


def test_an_answer_after_its_time_settles_nothing():
    """A slow device is failed although it switches."""

    async def story():
        async with Switchboard(delay=2.5) as house:
            await house.give(ordered())
            await asyncio.sleep(4)
            assert [("no answer within 2 s", "sent")] == await house.failures()
            assert [] == await house.receipts()

    in_virtual_time(story())


def test_a_dead_output_delays_no_other():
    """Ten of five hundred hang."""

    async def story():
        names = [f"u{n}" for n in range(500)]
        async with Switchboard(devices=names) as house:
            for name in names[::50]:
                house.devices[name].how = "hung"
            await house.give(*(ordered(output=name) for name in names))
            await asyncio.sleep(0.5)
            assert 490 == len(await house.receipts())
            await asyncio.sleep(3)
            assert 10 == len(await house.failures())

    in_virtual_time(story())


def test_what_was_on_is_switched_again_after_a_kill_and_nothing_is_settled_twice():
    """The journal is all its memory; an order that was never carried out is."""

    async def story():
        async with Switchboard() as house:
            await house.give(ordered())
            await asyncio.sleep(1)
            house.siren.on = None
            await house.restart()
            await asyncio.sleep(1)
            assert house.siren.on
            assert 1 == len(await house.receipts())
            await house.stop()
            await house.give(ordered(on=False, order=2))
            await house.start()
            await asyncio.sleep(1)
            assert house.siren.on is False
            asked = len(house.siren.asked)
            await house.restart()
            await asyncio.sleep(1)
            assert asked + 1 == len(house.siren.asked), "only its rest"
            assert 2 == len(await house.receipts())

    in_virtual_time(story())


def test_what_must_not_be_switched_twice_is_sent_once_whatever_happens():
    """Neither retried when nobody knows, nor after a kill in between; it is said loudly."""
    rule = Rule(does=Does.RELAY, exercise=DrillVariant.WITHHELD, idempotent=False, fail_safe=FailSafe.HOLD)

    async def uncertain():
        async with Switchboard(rule, how="silent") as house:
            await house.give(ordered())
            await asyncio.sleep(60)
            assert 1 == len(house.siren.asked)
            assert [("no answer within 2 s", "sent")] == await house.failures()
            assert [(True, "queued", False)] == await house.receipts()
            await house.restart()
            await asyncio.sleep(60)
            assert 1 == len(house.siren.asked)

    async def killed():
        async with Switchboard(rule, how="silent") as house:
            await house.give(ordered())
            await asyncio.sleep(1)
            await house.restart()
            await asyncio.sleep(60)
            assert 1 == len(house.siren.asked)
            ((reason, level),) = await house.failures()
            assert "go and look" in reason
            assert "queued" == level

    async def unreached():
        async with Switchboard(rule, how="gone") as house:
            await house.give(ordered())
            await asyncio.sleep(5)
            house.siren.how = "well"
            await asyncio.sleep(15)
            assert [(True, "queued", False), (True, "device", True)] == await house.receipts()
            assert 1 == len(house.siren.asked)

    for each in (uncertain, killed, unreached):
        in_virtual_time(each())


def test_a_pulse_ends_by_itself_and_a_kill_in_its_middle_ends_it_too():
    """Three seconds; after a restart it is put to rest and not pulsed again."""
    rule = Rule(does=Does.RELAY, exercise=DrillVariant.WITHHELD, pulse=3.0)

    async def story():
        async with Switchboard(rule) as house:
            await asyncio.sleep(1)
            await house.give(ordered())
            await asyncio.sleep(10)
            (_, rest), (began, on), (ended, off) = house.siren.times
            assert [False, True, False] == [rest, on, off]
            assert 3.0 == pytest.approx(ended - began, abs=0.05)
            await house.give(ordered(order=2))
            await asyncio.sleep(1)
            assert house.siren.on
            await house.restart()
            await asyncio.sleep(1)
            assert house.siren.on is False
            assert 2 == len(await house.receipts())

    in_virtual_time(story())


def test_two_pulses_at_once_are_two_whole_pulses():
    """A second incident does not cut the first one's short; its own off order does."""
    rule = Rule(does=Does.RELAY, exercise=DrillVariant.WITHHELD, pulse=3.0)

    async def story():
        async with Switchboard(rule) as house:
            await asyncio.sleep(1)
            await house.give(ordered(), ordered(incident=OTHER))
            await asyncio.sleep(10)
            times = house.siren.times[1:]
            assert [True, False, True, False] == [on for _, on in times]
            assert 3.0 == pytest.approx(times[1][0] - times[0][0], abs=0.05)
            await house.give(ordered(order=2))
            await asyncio.sleep(1)
            await house.give(ordered(on=False, order=3))
            await asyncio.sleep(0.2)
            assert house.siren.on is False

    in_virtual_time(story())


def test_it_stays_on_while_any_incident_wants_it():
    """The off order of one is told as withheld."""

    async def story():
        async with Switchboard() as house:
            await house.give(ordered(), ordered(incident=OTHER))
            await asyncio.sleep(1)
            await house.give(ordered(on=False, order=2))
            await asyncio.sleep(1)
            assert house.siren.on
            assert (False, "withheld", False) == (await house.receipts())[-1]
            await house.give(ordered(on=False, order=2, incident=OTHER))
            await asyncio.sleep(1)
            assert house.siren.on is False

    in_virtual_time(story())


def test_a_drill_switches_what_its_variant_says_and_never_as_live():
    """Withheld: nothing; chirp: a second; the types cannot be mixed up."""

    async def story(variant):
        rule = Rule(does=Does.SIREN, exercise=variant)
        async with Switchboard(rule) as house:
            await asyncio.sleep(1)
            await house.give(ordered(mode=Mode.EXERCISE))
            await asyncio.sleep(10)
            return house.siren.times[1:], await house.receipts()

    times, receipts = in_virtual_time(story(DrillVariant.WITHHELD))
    assert ([], [(True, "withheld", False)]) == (times, receipts)
    times, _ = in_virtual_time(story(DrillVariant.CHIRP))
    assert [True, False] == [on for _, on in times]
    assert rules.CHIRP == pytest.approx(times[1][0] - times[0][0], abs=0.05)
    times, _ = in_virtual_time(story(DrillVariant.SAME))
    assert [True] == [on for _, on in times]
    with pytest.raises(ValueError, match="drill"):
        rules.LiveSwitching(order=ordered(mode=Mode.EXERCISE))
    with pytest.raises(ValueError, match="live"):
        rules.DrillSwitching(order=ordered())
    assert rules.pulse_of(rules.switching(ordered()), SIREN) == 0.0


def test_a_real_order_ends_a_drills_chirp_and_takes_a_drills_sign():
    """The sign shows the drill again, with its mark, when what is real is over."""
    sign = Rule(does=Does.SIGN, exercise=DrillVariant.SAME)

    async def signs():
        async with Switchboard(sign) as house:
            await house.give(ordered(mode=Mode.EXERCISE, incident=OTHER))
            await asyncio.sleep(1)
            assert house.siren.asked[-1].text.startswith("Exercise, exercise, exercise. Lockdown.")
            assert house.siren.asked[-1].text.endswith("Exercise, exercise, exercise.")
            await house.give(ordered(action=Action.EVACUATE))
            await asyncio.sleep(1)
            assert house.siren.asked[-1].text.startswith("Leave the building now.")
            await house.give(ordered(mode=Mode.EXERCISE, incident=OTHER, order=2))
            await asyncio.sleep(1)
            assert house.siren.asked[-1].text.startswith("Leave the building now.")
            await house.give(ordered(on=False, order=2))
            await asyncio.sleep(1)
            assert house.siren.asked[-1].text.startswith("Exercise, exercise, exercise. Lockdown.")

    async def chirp():
        async with Switchboard(Rule(does=Does.SIREN, exercise=DrillVariant.CHIRP)) as house:
            await asyncio.sleep(1)
            await house.give(ordered(mode=Mode.EXERCISE, incident=OTHER))
            await asyncio.sleep(0.3)
            await house.give(ordered())
            await asyncio.sleep(10)
            assert house.siren.on

    in_virtual_time(signs())
    in_virtual_time(chirp())


def test_what_nothing_orders_is_put_to_rest_or_left_as_it_is_found():
    """Off, on or hold; tried until it is reached, and no fact is made of it."""

    async def story(fail_safe):
        rule = Rule(does=Does.RELAY, exercise=DrillVariant.WITHHELD, fail_safe=fail_safe)
        async with Switchboard(rule, how="gone") as house:
            await asyncio.sleep(5)
            house.siren.how = "well"
            await asyncio.sleep(15)
            assert [] == await house.facts()
            return house.siren.on

    assert [False, True, None] == [
        in_virtual_time(story(each)) for each in (FailSafe.OFF, FailSafe.ON, FailSafe.HOLD)
    ]


def stories(seeds):
    """Orders, restarts, hangs; once the device is well it is on exactly when an incident wants it."""

    async def story(seed):
        random = Random(seed)
        latest = {}
        async with Switchboard() as house:
            for _ in range(random.randint(1, 12)):
                house.siren.how = random.choice(["well", "gone", "silent", "refusing", "half", "hung"])
                incident = random.choice([INCIDENT, OTHER])
                number = latest.get(incident, (0, False))[0] + 1
                latest[incident] = (number, random.random() < 0.5)
                await house.give(ordered(on=latest[incident][1], order=number, incident=incident))
                await asyncio.sleep(random.random() * 3)
                if random.random() < 0.3:
                    await house.restart()
            house.siren.how = "well"
            await asyncio.sleep(40)
            assert any(on for _, on in latest.values()) is house.siren.on, seed
            settled = {
                (each.incident, each.order)
                for each in await house.facts(OutputReceipt)
                if each.level is not OutputLevel.QUEUED
            }
            assert {(incident, number) for incident, (number, _) in latest.items()} <= settled, seed

    for seed in seeds:
        in_virtual_time(story(seed))


def test_any_story_of_orders_and_faults_ends_as_it_was_ordered_last():
    """Forty of them."""
    stories(range(40))


@pytest.mark.soak
def test_any_of_a_thousand_stories_ends_as_it_was_ordered_last():
    """The same for long."""
    stories(range(40, 1_040))


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        ("modbus", {"url": "tcp://relay.example:502", "coil": 0}, "numeric"),
        (
            "modbus",
            {"url": "tcp://192.0.2.1", "coil": 0, "pulse": 3.0, "fail_safe": FailSafe.HOLD},
            "fail_safe",
        ),
        ("modbus", {"url": "tcp://192.0.2.1", "coil": 0, "within": 0.0}, "within"),
        ("modbus", {"url": "tcp://192.0.2.1", "coil": 0, "pulse": 3_600.0}, "pulse"),
        (
            "modbus",
            {"url": "tcp://192.0.2.1", "coil": 0, "idempotent": False, "exercise": DrillVariant.CHIRP},
            "chirp",
        ),
        ("algo", {"url": "http://192.0.2.1", "password": Secret("algo")}, "password"),
        ("algo", {"url": "http://speaker", "password": Secret("other")}, "numeric"),
        ("algo", {"url": "http://192.0.2.1", "password": Secret("x"), "tone": "../etc/passwd"}, "tone"),
        ("algo", {"url": "http://192.0.2.1", "password": Secret("x"), "fingerprint": "00"}, "fingerprint"),
        ("osdp", {"url": "tcp://192.0.2.1", "address": 1, "key": Secret("0a" * 16)}, "url"),
        ("osdp", {"url": "serial:///dev/x", "address": 1, "key": Secret("0a")}, "32 hex"),
        (
            "osdp",
            {"url": "serial:///dev/x", "address": 1, "key": Secret("303132333435363738393a3b3c3d3e3f")},
            "delivered",
        ),
        ("http-notice", {"url": "http://192.0.2.1", "key": Secret("00")}, "key"),
        ("http-notice", {"url": "http://192.0.2.1", "key": Secret("00" * 32)}, "sign"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(kind, values, says):
    """With the mend."""
    with pytest.raises(SettingsError, match=says):
        SWITCHES[kind](does=Does.SIREN, **values)


def test_every_kind_becomes_a_switch_and_outputs_of_one_line_share_it():
    """What its settings say."""
    clock = House(counties=()).clock
    outputs = {
        "a": ModbusSettings(does=Does.SIREN, url="tcp://192.0.2.1:502", coil=0),
        "b": ModbusSettings(does=Does.STROBE, url="tcp://192.0.2.1:502", coil=1),
        "c": AlgoSettings(does=Does.SIGN, url="http://192.0.2.2", password=Secret("other")),
        "d": NoticeSettings(does=Does.SIGN, url="http://192.0.2.3", key=Secret("0a" * 32)),
        "e": OSDPSettings(does=Does.RELAY, url="serial:///dev/x", address=1, key=Secret("0a" * 16)),
    }
    made = switches_from(outputs, clock, Random(1).randbytes)

    assert outputs.keys() == made.switches.keys()
    assert made.switches["a"]._line is made.switches["b"]._line
    assert [True, True, False, True, True] == [switch.confirms for switch in made.switches.values()]
    assert Rule(does=Does.SIREN, exercise=DrillVariant.WITHHELD) == outputs["a"].rule()
    assert not outputs["c"].rule().confirmed
