"""Foreign devices on the real verbs and journal: what alarms, what is shown, and what is never mistaken for a press."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import AsyncIterator
from random import Random

import apsw
import pytest

from belltower.clock import SECOND
from belltower.errors import NotFound, WrongState
from belltower.ids import PersonId, PlaceId, UnitId
from belltower.incident import facts
from belltower.incident.facts import AlarmKind, Mode
from belltower.store import InlineDatabase, Priority, SQLiteEngine, Transaction
from gateway.intake.devices.receiving import Way
from gateway.intake.devices.stuck import StuckButtons
from gateway.intake.units import KnownUnit
from gateway.site_package.devices import SiteDevices
from gateway.web.headline import headline
from gateway.web.story import Story
from hardware.device_record import DeviceRecord
from hardware.unit_record import UnitRecord
from tests.gateway.intake.devices.bench import DEVICES, START, Bench, Time, record
from tests.peers.mutation import mutated

PRESS = {"action": "emergency", "battery": 90}
R312_PRESS, R312_ALIVE = "0155011E01000000000000", "0155011E00000000000000"


@pytest.fixture
async def bench(tmp_path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    await made.start()
    yield made
    await made.journal.close()


class NoNames:
    """A desk that knows nobody."""

    def place(self, place: object) -> str:
        return str(place)

    def person(self, person: object) -> str:
        return str(person)

    def rooms(self) -> tuple[()]:
        return ()

    def places(self) -> tuple[()]:
        return ()


async def alarms(bench: Bench) -> list[facts.AlarmRaised]:
    return await bench.facts(facts.AlarmRaised)


async def troubles(bench: Bench) -> list[tuple[str, str]]:
    return [(fact.device, fact.kind) for fact in await bench.facts(facts.DeviceTrouble)]


async def test_a_live_press_of_a_bound_device_alarms_at_its_place(bench: Bench) -> None:
    """The fact names the device and the hash of the profile that judged it, and the answer waits for the commit."""
    written = bench.begin("z/hall", PRESS)
    assert written is not None
    assert not written.done()
    assert await written is True

    (alarm,) = await alarms(bench)
    assert ("sos-1", bench.profiles["z-button"].hash, PlaceId("b-204"), "B") == (
        alarm.device,
        alarm.profile,
        alarm.place,
        alarm.building,
    )
    assert (AlarmKind.PANIC, Mode.ACTUAL, "devices-hall", "") == (
        alarm.kind,
        alarm.mode,
        alarm.path,
        alarm.unproven,
    )
    assert 1 == len(await bench.facts(facts.CallOrdered))


# ---- traps 1 to 13 of the field, by number


async def test_trap_1_a_retained_press_never_alarms_and_is_shown_as_found(bench: Bench) -> None:
    """An event or a level that the broker had kept: somebody decides."""
    await bench.hear("z/hall", PRESS, retain=True)
    await bench.wired(True, retain=True)

    assert [] == await alarms(bench)
    assert {("sos-1", "found active"), ("wired-1", "found active")} == set(await troubles(bench))
    assert 0 == bench.room.states.of("sos-1").heard


async def test_trap_2_the_same_press_twice_is_one_alarm(bench: Bench) -> None:
    """By two topics, by two events, by three gateways; the second is answered when the first is written."""
    await bench.hear("z/hall", PRESS)
    await bench.hear("z/hall/action", "emergency")
    await bench.shelly("btn_down")
    await bench.shelly("single_push")
    for _ in range(3):
        await bench.lora(R312_PRESS, 7)

    assert ["sos-1", "desk-1", "lora-1"] == [alarm.device for alarm in await alarms(bench)]
    first = bench.begin("z/gym", PRESS)
    again = bench.begin("z/gym/action", "emergency")
    assert first is again


async def test_trap_3_a_real_second_press_is_a_second_alarm(bench: Bench) -> None:
    """Outside of the window, and with a counter used before, once the device has joined anew."""
    await bench.hear("z/hall", PRESS)
    bench.pass_by(2)
    await bench.hear("z/hall", PRESS)
    await bench.lora(R312_PRESS, 7)
    await bench.hear("app/a/device/00137a1000000001/event/join", {})
    await bench.lora(R312_ALIVE, 1)
    await bench.lora(R312_PRESS, 7)

    assert ["sos-1", "sos-1", "lora-1", "lora-1"] == [alarm.device for alarm in await alarms(bench)]


async def test_trap_4_an_empty_counter_message_is_no_press_and_cancels_nothing(bench: Bench) -> None:
    """Nor is null."""
    await bench.hear("z/hall", {"action": ""})
    await bench.hear("z/hall", {"action": None})
    assert [] == await alarms(bench)
    await bench.hear("z/hall", PRESS)
    await bench.hear("z/hall", {"action": ""})
    (incident,) = bench.verbs.incidents.values()
    assert incident.open
    assert [] == await troubles(bench)


async def test_trap_5_a_level_held_is_one_alarm_and_a_restart_makes_no_edge(bench: Bench) -> None:
    """What is said again is a refresh; its end cancels nothing; the first snapshot is found, not pressed."""
    await bench.wired(True)
    assert [] == await alarms(bench)
    assert [("wired-1", "found active")] == await troubles(bench)
    await bench.wired(False)
    for _ in range(10):
        bench.pass_by(2)
        await bench.wired(True)
    await bench.restart()
    await bench.wired(True)
    assert 1 == len(await alarms(bench))
    await bench.wired(False)
    assert 1 == len(bench.verbs.incidents)
    await bench.restart()
    await bench.wired(True)
    assert 2 == len(await alarms(bench))


async def test_trap_6_a_late_frame_is_shown_with_its_age(bench: Bench) -> None:
    """A clock that was right says that the press is five minutes old."""
    await bench.shelly("btn_up")
    bench.pass_by(600)
    await bench.shelly("btn_down", ts=START + 300.0)

    assert [] == await alarms(bench)
    assert [("desk-1", "late press")] == await troubles(bench)
    (trouble,) = await bench.facts(facts.DeviceTrouble)
    assert bench.profiles["shelly-gen2-input"].hash == trouble.profile


async def test_trap_7_a_low_battery_hides_no_press(bench: Bench) -> None:
    """The bit stands beside the press; a value that nobody listed is trouble."""
    await bench.lora("0155019801000000000000", 3)
    await bench.lora("0155011E02000000000000", 4)
    await bench.hear("z/hall", {"action": "exploded"})

    assert ["lora-1"] == [alarm.device for alarm in await alarms(bench)]
    assert {("lora-1", "not understood"), ("sos-1", "not understood")} == set(await troubles(bench))


async def test_trap_8_numbers_as_text_and_text_as_numbers_are_other_values(bench: Bench) -> None:
    """1, "true" and "1" are not true."""
    await bench.wired(False)
    for level in (1, "true", "1", 1.0):
        await bench.wired(level)
        bench.pass_by(70)

    assert [] == await alarms(bench)
    assert {("wired-1", "not understood")} == set(await troubles(bench))


async def test_trap_9_leaving_is_trouble_and_loss_for_a_panic_device(bench: Bench) -> None:
    """An empty payload is not."""
    await bench.hear("z/gym", {"left": True})
    assert [("sos-2", "left")] == await troubles(bench)
    assert [("sos-2", "")] == [(fact.device, fact.parent) for fact in await bench.facts(facts.DeviceLost)]


async def test_trap_11_the_same_octets_mean_what_the_devices_own_profile_says(bench: Bench) -> None:
    """An unbound device alarms nobody, is listed, and its press is shown."""
    await bench.lora(R312_PRESS, 1, eui="ffffffffffffffff")
    await bench.hear("z/unknown", PRESS)
    await bench.hear("elsewhere/x", PRESS)

    assert [] == await alarms(bench)
    told = json.loads(bench.room.told(""))
    assert {("lora-server", "ffffffffffffffff"), ("z-button", "unknown")} == {
        (each["profile"], each["address"]) for each in told["unknown"]
    }
    assert [("z-button unknown", "unbound press")] == await troubles(bench)
    assert (2, 1) == (bench.counts["device_unknown"], bench.counts["device_not_understood"])


@pytest.mark.parametrize("year", [-1, 1])
async def test_trap_12_a_device_clock_wrong_by_a_year_hides_no_press(bench: Bench, year: int) -> None:
    """Ahead or behind: the order is that of arrival."""
    await bench.shelly("btn_down", ts=START + year * 31_536_000.0)

    assert ["desk-1"] == [alarm.device for alarm in await alarms(bench)]


async def test_trap_13_an_uplink_with_wrong_keys_is_trouble_and_no_alarm(bench: Bench) -> None:
    """The server's log says so, of the device's EUI."""
    await bench.hear("app/a/device/00137a1000000001/event/log", {"code": "UPLINK_MIC"})

    assert [] == await alarms(bench)
    assert [("lora-1", "error")] == await troubles(bench)
    assert 0 == bench.room.states.of("lora-1").heard


# ---- what the field calls done


async def test_what_is_not_understood_of_a_panic_device_is_trouble(bench: Bench) -> None:
    """A shape nobody knows, an octet too many; the raw octets are the engine's to keep."""
    await bench.lora("0155011E0100000000000000", 1)
    await bench.hear("z/hall", b"\xff\xfe")

    assert {("lora-1", "not understood"), ("sos-1", "not understood")} == set(await troubles(bench))


async def test_two_low_reports_make_a_low_battery_and_an_empty_one_does_at_once(bench: Bench) -> None:
    """Null makes none; it is over when the battery is."""
    for battery in (20, None, 90, 20):
        await bench.hear("z/hall", {"battery": battery})
    assert [] == await troubles(bench)
    await bench.hear("z/hall", {"battery": 20})
    await bench.hear("z/gym", {"battery": 0})
    assert [("sos-1", "low battery"), ("sos-2", "low battery")] == await troubles(bench)
    await bench.hear("z/hall", {"battery": 100})
    (first, *_) = (each for each in bench.room.health().devices if each.id == "sos-1")
    assert not first.low


async def test_a_dead_gateway_takes_its_devices_out_of_service(bench: Bench) -> None:
    """Within 90 s, with the gateway as the reason; its return brings back only itself."""
    await bench.lora(R312_ALIVE, 1)
    await bench.hear("gateway/gw1/state", {"state": "ONLINE"})
    bench.pass_by(10)
    await bench.hear("gateway/gw1/state", {"state": "OFFLINE"}, retain=True)
    bench.pass_by(60)
    lost = [fact.device for fact in await bench.facts(facts.DeviceLost)]
    assert "lora-gw" in lost
    assert "lora-1" not in lost
    assert [("lora-gw", ("lora-1",))] == [
        (fact.because, fact.devices) for fact in await bench.facts(facts.DevicesUnknown)
    ]
    (shown,) = (each for each in bench.room.health().devices if each.id == "lora-1")
    assert "NOT KNOWN: lora-gw is lost" == shown.remarks[0]
    assert "lora-1" in bench.room.health().out_of_service

    await bench.hear("gateway/gw1/state", {"state": "ONLINE"}, retain=True)
    assert [] == await bench.facts(facts.DeviceRestored)
    await bench.hear("gateway/gw1/state", {"state": "ONLINE"})
    assert ["lora-gw"] == [fact.device for fact in await bench.facts(facts.DeviceRestored)]
    await bench.lora(R312_ALIVE, 2)
    assert ["lora-gw", "lora-1"] == [fact.device for fact in await bench.facts(facts.DeviceRestored)]


async def test_silence_survives_a_restart_and_the_time_in_between_does_not_count(bench: Bench) -> None:
    """A device silent for 20 of 30 s is lost 10 s after the lane is back, an hour later."""
    await bench.wired(False)
    bench.pass_by(20)
    await bench.room.memory.write_once()
    await bench.room.states.write_once(bench.room.supervision)
    bench.time.passed += 3600
    await bench.restart()
    bench.pass_by(8)
    assert "wired-1" not in [fact.device for fact in await bench.facts(facts.DeviceLost)]
    bench.pass_by(5)
    assert "wired-1" in [fact.device for fact in await bench.facts(facts.DeviceLost)]
    await bench.room.states.write_once(bench.room.supervision)
    await bench.restart()
    assert "wired-1" in list(bench.room.supervision.lost)


async def test_a_device_that_cannot_prove_itself_calls_nobody_until_a_person_does(bench: Bench) -> None:
    """Staff are alarmed, the screen says why, and whoever raises the alarm for the place calls."""
    await bench.shelly("btn_down")
    (alarm,) = await alarms(bench)
    (incident,) = bench.verbs.incidents.values()
    assert "What desk-1 sends can be forged" == alarm.unproven
    assert [] == await bench.facts(facts.CallOrdered)
    story = Story(incident.id, names=NoNames())
    story.incident = incident
    told = headline(story)
    assert ("NOT CALLED BY ITSELF — LOOK, THEN CALL 911", True) == (told.text, "desk-1" in told.note)

    await bench.hear("z/hall", PRESS)
    assert ["B"] == [order.building for order in await bench.facts(facts.CallOrdered)]
    await bench.hear("z/gym", PRESS)
    assert 1 == len(await bench.facts(facts.CallOrdered))
    assert 1 == len(bench.verbs.incidents)


async def test_a_site_may_let_such_a_device_call(tmp_path) -> None:
    """In so many words."""
    bench = Bench(tmp_path, devices=(record("desk-1", "shelly-gen2-input", "shelly1", unattended_call=True),))
    await bench.start()
    await bench.shelly("btn_down")
    assert 1 == len(await bench.facts(facts.CallOrdered))
    await bench.journal.close()


async def test_a_stuck_button_neither_mutes_nor_delays_another(bench: Bench) -> None:
    """100 presses a second for a minute: flagged once, alarms every 5 s, and the other's press is one of its own."""
    for nth in range(3000):
        bench.time.passed += 0.01
        bench.begin("z/hall", {"action": "emergency", "n": nth})
        bench.begin("desk/none", {"n": nth})
        await bench.lora(R312_PRESS, 10 + nth)
        if nth % 500 == 250:
            assert await bench.hear("z/gym", PRESS) is True
    of = [alarm.device for alarm in await alarms(bench)]
    assert 6 == of.count("sos-2")
    assert 30 <= of.count("sos-1") <= 31  # its own window of a second holds back the rest
    assert 10 + 5 <= of.count("lora-1") <= 10 + 7
    assert [("lora-1", "stuck")] == [each for each in await troubles(bench) if each[1] == "stuck"]
    assert bench.room.intake.stuck.stuck("lora-1")
    bench.time.passed += 60
    await bench.lora(R312_PRESS, 9000)
    assert "lora-1" == (await alarms(bench))[-1].device


def test_a_button_that_presses_slowly_without_end_is_stuck() -> None:
    """Four times a second for minutes: flagged once, and still an alarm every five seconds; a hand is not."""
    time = Time()
    buttons, told = StuckButtons(clock=time), []
    for _ in range(600):
        time.passed += 0.25
        told.append(buttons.pressed("a"))
    assert (1, True) == (sum(just for _, just in told), buttons.stuck("a"))
    assert 60 + 27 == sum(alarms for alarms, _ in told)
    for _ in range(60):
        time.passed += 2.0
        assert (True, False) == buttons.pressed("b")


async def test_one_person_walks_at_a_time(bench: Bench) -> None:
    """A second one is told who does; the first goes on."""
    await bench.begin_drill()
    bench.room.begin_walk_test(PersonId("p07"))
    with pytest.raises(WrongState, match="p07 walks already"):
        bench.room.begin_walk_test(PersonId("p08"))
    bench.room.begin_walk_test(PersonId("p07"), PlaceId("gym"))
    assert "p07" == bench.room.health().walk_test_by


async def test_a_walk_test_needs_a_drill_and_proves_each_device_once(bench: Bench) -> None:
    """The press is an exercise and the proof; what the device says a minute later is live, and ends the drill."""
    with pytest.raises(WrongState):
        bench.room.begin_walk_test(PersonId("p07"))
    await bench.begin_drill()
    bench.room.begin_walk_test(PersonId("p07"))
    await bench.hear("z/hall", PRESS)
    bench.pass_by(5)
    await bench.hear("z/hall", PRESS)
    assert [Mode.EXERCISE, Mode.EXERCISE] == [alarm.mode for alarm in await alarms(bench)]
    proof = facts.WalkTested(device="sos-1", place=PlaceId("b-204"), by=PersonId("p07"))
    assert [proof] == await bench.facts(facts.WalkTested)
    assert "p07" == bench.room.health().walk_test_by
    bench.pass_by(60)
    await bench.hear("z/hall", PRESS)
    assert Mode.ACTUAL == (await alarms(bench))[-1].mode
    assert "" == bench.room.health().walk_test_by
    assert "desk-1 lora-1 sos-1 sos-2 wired-1" == bench.room.end_walk_test()
    (sos,) = (each for each in bench.room.health().devices if each.id == "sos-1")
    assert (PlaceId("b-204"), ()) == (sos.tested_place, tuple(r for r in sos.remarks if "walk" in r))


async def test_a_walk_test_binds_a_device_to_the_place_where_it_was_pressed(tmp_path) -> None:
    """For good, over restarts."""
    unbound = DeviceRecord(id="sos-1", profile="z-button", address="hall")
    bench = Bench(tmp_path, devices=(unbound, record("sos-2", "z-button", "gym")))
    await bench.start()
    await bench.begin_drill()
    with pytest.raises(NotFound):
        bench.room.begin_walk_test(PersonId("p07"), PlaceId("nowhere"))
    bench.room.begin_walk_test(PersonId("p07"), PlaceId("gym"))
    bench.room.begin_walk_test(PersonId("p07"), PlaceId("b-204"))
    await bench.hear("z/hall", PRESS)
    assert [("sos-1", "b-204")] == [(one.device, one.place) for one in await bench.facts(facts.WalkTested)]
    assert "sos-2" == bench.room.end_walk_test()
    await bench.room.states.write_once(bench.room.supervision)
    await bench.restart()
    bench.pass_by(60)
    await bench.hear("z/hall", PRESS)

    last = (await alarms(bench))[-1]
    assert ("sos-1", "b-204", "B", Mode.ACTUAL) == (last.device, last.place, last.building, last.mode)
    await bench.journal.close()


async def test_a_press_elsewhere_during_a_walk_test_is_actual(bench: Bench) -> None:
    """Whoever tests stands at one place: what hangs at another was pressed by somebody else. It is live, and no proof."""
    await bench.begin_drill()
    bench.room.begin_walk_test(PersonId("p07"), PlaceId("gym"))
    await bench.hear("z/hall", PRESS)
    assert [("sos-1", Mode.ACTUAL)] == [(one.device, one.mode) for one in await alarms(bench)]
    assert ([("sos-1", "elsewhere")], []) == (await troubles(bench), await bench.facts(facts.WalkTested))


async def test_no_profile_presses_a_device_of_another(tmp_path) -> None:
    """An address is a device's only in its own profile; a bearer names what it carries, and nothing of another wire."""
    bench = Bench(tmp_path, devices=(*DEVICES, record("pendant", "inovonics-en", "B2010203")))
    await bench.start()
    event = {"component": "input:0", "id": 0, "event": "btn_down", "ts": START}
    gesture = {"src": "x", "method": "NotifyEvent", "params": {"ts": START, "events": [event]}}
    for name in ("00137A1000000001", "b2010203"):
        await bench.hear(f"{name}/events/rpc", gesture)
        await bench.hear(f"z/{name}", PRESS)
        await bench.lora("0155011E01000000000000", 1, eui=name) if name == "b2010203" else None
    assert [] == await alarms(bench)
    await bench.journal.close()


class Holding(InlineDatabase):
    """Bulk transactions land after whatever came while they waited."""

    held: list | None = None

    def submit(self, tx, *, priority=Priority.ALARM):
        if self.held is None or priority is Priority.ALARM:
            return super().submit(tx, priority=priority)
        landed = asyncio.get_running_loop().create_future()
        self.held.append((tx, landed))
        return landed


async def test_what_is_written_in_turns_never_undoes_a_press(bench: Bench) -> None:
    """A press overtakes bulk rows; rows made before it would say after a crash that it was never pressed."""
    await bench.wired(False)
    bench.room.memory.later("wired-1")
    holding = bench.room.memory._database = Holding(engine=SQLiteEngine(connection=bench.connection))
    holding.held = []
    async with asyncio.TaskGroup() as group:
        group.create_task(bench.room.memory.write_once())
        await asyncio.sleep(0)
        await bench.wired(True)
        for tx, landed in holding.held:
            await InlineDatabase.submit(holding, tx)
            landed.set_result(None)
    await bench.restart()
    bench.time.passed += 30
    await bench.wired(True)
    assert 1 == len(await alarms(bench))


async def test_a_walk_test_needs_a_drill_of_every_device(bench: Bench) -> None:
    """Pressing a device outside the drill's places would be live: it does not begin, and says which they are."""
    await bench.begin_drill("gym")
    with pytest.raises(WrongState, match="would be live: .*a drill of the whole campus"):
        bench.room.begin_walk_test(PersonId("p07"))


UNITS = tuple(
    KnownUnit(record=UnitRecord(id=UnitId(f"u{number}"), number=number), key=b"", place=place, building="")
    for number, place in enumerate((PlaceId("b-204"), PlaceId("gym"), None), start=1)
)


async def test_a_walk_test_proves_units_of_ours_too(tmp_path) -> None:
    """At their own place, by a press that is an exercise; a restart forgets no proof."""
    bench = Bench(tmp_path, devices=(), units=UNITS)
    await bench.start()
    await bench.begin_drill()
    bench.room.begin_walk_test(PersonId("p1"), PlaceId("b-204"))
    for unit in UNITS:
        bench.room.exercised(unit.record.id, unit.place)

    assert [facts.WalkTested(device="u1", place=PlaceId("b-204"), by=PersonId("p1"))] == await bench.facts(
        facts.WalkTested
    )
    assert [("u2", "elsewhere")] == await troubles(bench)
    assert "u2 u3" == bench.room.end_walk_test()
    await bench.room.states.write_once(bench.room.supervision)
    await bench.restart()
    assert "b-204" == bench.room.states.of("u1").tested_place
    await bench.journal.close()


async def test_a_walk_test_needs_a_drill_of_every_unit(tmp_path) -> None:
    """One that is not covered would place a call."""
    bench = Bench(tmp_path, devices=(), units=UNITS)
    await bench.start()
    await bench.begin_drill("b-204")
    with pytest.raises(WrongState, match="u2, u3"):
        bench.room.begin_walk_test(PersonId("p1"))
    await bench.journal.close()


async def test_without_a_walk_test_a_drill_makes_no_exercise_of_a_press(bench: Bench) -> None:
    """Nor does a device's own word; the live press ends the drill."""
    await bench.begin_drill()
    await bench.hear("z/hall", {**PRESS, "test": True})

    assert [Mode.ACTUAL] == [alarm.mode for alarm in await alarms(bench)]
    assert ["aborted_real"] == [fact.reason for fact in await bench.facts(facts.DrillEnded)]


async def test_a_message_sent_again_after_a_crash_is_one_alarm(bench: Bench) -> None:
    """The commit was made, its acknowledgement was not: the broker repeats, and says so."""
    await bench.hear("z/hall", PRESS)
    bench.time.passed += 20
    await bench.restart()
    await bench.hear("z/hall", PRESS, dup=True)
    assert 1 == len(await alarms(bench))
    await bench.hear("z/hall", {"action": "emergency", "battery": 89})  # what was pressed meanwhile is news
    assert 2 == len(await alarms(bench))


async def test_a_message_that_was_not_committed_alarms_when_it_comes_again(tmp_path) -> None:
    """What was only in memory is gone with the process; the disk vouches for nothing that is not there."""
    bench = Bench(tmp_path)
    await bench.start()
    await bench.hear("z/hall", {"battery": 90})
    copy = tmp_path / "as-it-was.db"
    bench.connection.execute("VACUUM INTO ?", (str(copy),))
    written = bench.begin("z/hall", PRESS)
    assert written is not None
    assert not written.done()
    bench.connection = apsw.Connection(str(copy))
    await bench.journal.close()
    await bench.start()
    assert [] == await alarms(bench)
    await bench.hear("z/hall", PRESS, dup=True)
    assert 1 == len(await alarms(bench))
    await bench.journal.close()


async def test_a_way_speaks_only_its_own_profiles(bench: Bench) -> None:
    """Whoever may call a URL cannot speak for a device of another way."""
    hooks = Way(name="devices-hooks", ingress="http", profiles=frozenset({"shelly-gen2-input"}))
    await bench.hear("z/hall", PRESS, hooks)

    assert [] == await alarms(bench)


async def test_strangers_hold_back_no_trouble_of_a_device_of_ours(bench: Bench) -> None:
    """They have a budget of their own; and a trouble that was held back is told when it is said again."""
    for nth in range(300):
        bench.begin(f"z/stranger-{nth}", PRESS)
    await bench.hear("z/hall", {"tamper": True, "battery": 90})
    assert ("sos-1", "tamper") in await troubles(bench)
    for nth in range(130):
        bench.room.troubles.note(f"own-{nth}", "error")
    await bench.hear("z/gym", {"tamper": True, "battery": 90})
    assert not bench.room.states.of("sos-2").tampered
    bench.time.passed += 61
    await bench.hear("z/gym", {"tamper": True, "battery": 90})
    assert bench.room.states.of("sos-2").tampered


async def test_strangers_and_rubbish_fill_neither_memory_nor_journal(bench: Bench) -> None:
    """Two thousand of them."""
    for nth in range(2_000):
        bench.begin(f"z/stranger-{nth}", PRESS)
        bench.begin("wired/w1/data", {"di1": f"rubbish {nth}"})

    assert 256 == len(bench.room.registry.strangers)
    assert len(await bench.facts(facts.DeviceTrouble)) <= 120
    assert 2_000 == bench.counts["device_unknown"]
    assert [] == await alarms(bench)


QUIET = [
    ("z/hall", b'{"action":"","battery":90}'),
    ("z/hall", b'{"type":"device_joined","definition":{"exposes":["emergency","panic"]}}'),
    ("z/hall", b'{"emergency":false,"battery":100}'),
    ("wired/w1/data", b'{"di1":false}'),
    (
        "shelly1/events/rpc",
        b'{"method":"NotifyEvent","params":{"events":[{"component":"input:0","id":0,"event":"btn_up"}]}}',
    ),
    ("app/a/device/00137a1000000001/event/up", b'{"data":"AVUBHgAAAAAAAAA=","fPort":6,"fCnt":1}'),
    ("", b"!RFX:0180036,00"),
    ("", b'{"event":"heartbeat"}'),
]


async def fuzz(bench: Bench, rounds: int) -> None:
    """Spoilt messages and noise, over every kind of way: nothing raised; what alarms really says so."""
    random = Random(7)
    ways = [Way(name=f"devices-{kind}", ingress=kind) for kind in ("mqtt", "http", "tcp", "serial")]
    for nth in range(rounds):
        topic, payload = random.choice(QUIET)
        octets = mutated(random, payload) if random.random() < 0.8 else random.randbytes(random.randrange(60))
        before = bench.counts["device_presses"]
        written = bench.begin(topic, octets, ways[nth % 4], retain=random.random() < 0.1)
        if bench.counts["device_presses"] != before:
            # A flipped bit can make another device's true word; only the level and the alarm octet can be hit.
            assert (
                b'"emergency"' in octets or b"true" in octets or b"btn_down" in octets or b"data" in octets
            ), octets
        if nth % 500 == 0:
            bench.time.passed += 0.5
            await asyncio.sleep(0)
            if written is not None:
                await written


async def test_no_noise_is_a_press(bench: Bench) -> None:
    """20,000 spoilt messages."""
    await fuzz(bench, 20_000)
    assert bench.counts["device_presses"] <= 20


@pytest.mark.soak
async def test_no_noise_is_a_press_for_a_million_messages_a_way(tmp_path) -> None:
    """And memory stays flat."""
    bench = Bench(tmp_path)
    await bench.start()
    await fuzz(bench, 100_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await fuzz(bench, 3_900_000)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"grown {grown} KiB, presses {bench.counts['device_presses']}")
    await bench.journal.close()
    assert grown < 60_000


def test_every_device_of_the_bench_is_another() -> None:
    """The bench itself."""
    assert len(DEVICES) == len({each.id for each in DEVICES}) == len({each.address for each in DEVICES})
    assert START * SECOND > 0


async def test_open_permit_join_is_a_trouble_until_it_is_closed(bench: Bench) -> None:
    """Written down at its beginning and its end, however often it is said, and told by a broker that kept it too."""
    topic = "zigbee2mqtt/bridge/info"
    for retain in (True, False, False):
        await bench.hear(topic, {"version": "2", "permit_join": True}, retain=retain)
        bench.pass_by(70)
    (bridge,) = bench.room.health().others
    assert ("zigbee2mqtt bridge", 1, "open to joining") == (bridge.id, bridge.rank, bridge.remarks[0])
    assert [("zigbee2mqtt bridge", "open to joining")] == await troubles(bench)

    await bench.hear(topic, {"version": "2", "permit_join": False})
    await bench.hear(topic, {"version": "2", "permit_join": False})
    assert () == bench.room.health().others
    assert [
        facts.DeviceTroubleOver(device="zigbee2mqtt bridge", kind="open to joining")
    ] == await bench.facts(facts.DeviceTroubleOver)


async def test_what_stands_is_known_after_a_restart_until_it_is_over(bench: Bench) -> None:
    """R21: neither an open network nor a name that two take is forgotten, told twice, or left standing for ever."""
    await bench.hear("zigbee2mqtt/bridge/info", {"permit_join": True}, retain=True)
    for _ in range(3):
        bench.room.takeovers.seen("mqtt", "u7")
    before = bench.room.troubles.standing
    assert 2 == len(await troubles(bench))
    await bench.restart()
    assert before == bench.room.troubles.standing
    assert {"zigbee2mqtt bridge": 1, "u7": 1} == {one.id: one.rank for one in bench.room.health().others}

    await bench.hear("zigbee2mqtt/bridge/info", {"permit_join": True}, retain=True)
    assert 2 == len(await troubles(bench))
    await bench.hear("zigbee2mqtt/bridge/info", {"permit_join": False}, retain=True)
    bench.time.passed += 610
    bench.room.troubles.look()
    assert 2 == len(await bench.facts(facts.DeviceTroubleOver))
    await bench.restart()
    assert {} == bench.room.troubles.standing


async def test_what_stood_of_a_device_that_is_gone_from_the_site_is_over(tmp_path) -> None:
    """Nobody would ever say that it is past."""
    bench = Bench(tmp_path, devices=(record("z2m-a", "zigbee2mqtt", "bridge"),))
    await bench.start()
    await bench.hear("zigbee2mqtt/bridge/info", {"permit_join": True})
    assert [("z2m-a", "open to joining")] == await troubles(bench)
    bench.foreign = SiteDevices(profiles=bench.profiles, devices={})
    await bench.restart()
    assert {} == bench.room.troubles.standing
    assert [facts.DeviceTroubleOver(device="z2m-a", kind="open to joining")] == await bench.facts(
        facts.DeviceTroubleOver
    )
    await bench.journal.close()


async def test_what_a_stranger_does_not_say_again_is_over(bench: Bench) -> None:
    """A gateway that was there for an hour does not stand over every restart; one that is still open does."""
    for name in ("gone", "here"):
        bench.room.troubles.stand(name, "open to joining", ours=False)
    assert 2 == len(await troubles(bench))
    await bench.restart()
    bench.room.troubles.stand("here", "open to joining", ours=False)
    bench.room.troubles.look()
    assert {"gone", "here"} == bench.room.troubles.standing.keys()
    bench.time.passed += 601
    bench.room.troubles.look()
    assert [facts.DeviceTroubleOver(device="gone", kind="open to joining")] == await bench.facts(
        facts.DeviceTroubleOver
    )
    await bench.restart()
    assert {"here"} == bench.room.troubles.standing.keys()


async def test_what_an_earlier_process_spooled_is_known_once_it_came_in(bench: Bench) -> None:
    """Neither does what was over meanwhile stand for ever, nor what that process ended."""
    row = "INSERT INTO device_standing (device, kind, why, profile) VALUES (:device, 'open to joining', '', 'p')"
    bench.room.troubles.stand("lora-gw", "open to joining", profile="p")
    assert 1 == len(await troubles(bench))
    await bench.restart()
    bench.room.troubles.over("sos-1", "open to joining")
    late = Transaction()
    late.add("DELETE FROM device_standing")
    for device in ("sos-1", "sos-2"):
        late.add(row, device=device)
    await bench.database.submit(late)
    await bench.room.troubles.load(bench.room.registry.devices)
    assert {"sos-2"} == bench.room.troubles.standing.keys()
    assert [facts.DeviceTroubleOver(device="sos-1", kind="open to joining")] == await bench.facts(
        facts.DeviceTroubleOver
    )
    await bench.restart()
    assert {"sos-2"} == bench.room.troubles.standing.keys()


async def test_those_that_call_for_help_are_looked_at_without_the_ways_in(tmp_path) -> None:
    """Which take a look at everything: whoever only asks for buttons does not hold the lane up for that."""
    bench = Bench(tmp_path, others=lambda: pytest.fail("looks at the ways in"))
    await bench.start()
    assert {"sos-1", "sos-2", "desk-1", "wired-1", "lora-1"} == {
        each.id for each in bench.room.calling_for_help()
    }
    await bench.journal.close()


async def test_what_stands_is_written_down_however_much_else_is_said(bench: Bench) -> None:
    """A fact that was held back follows as soon as there is room, unless it is past by then; none is over untold."""
    noise = bench.room.troubles
    for number in range(120):
        noise.note(f"d{number}", "tamper")
    noise.stand("sos-1", "taken over")
    noise.stand("sos-2", "taken over")
    noise.over("sos-2", "taken over")
    assert {} == noise.standing
    bench.time.passed += 61
    noise.look()
    assert {"sos-1"} == set(noise.standing)
    assert ["sos-1"] == [device for device, kind in await troubles(bench) if kind == "taken over"]
    assert [] == await bench.facts(facts.DeviceTroubleOver)


async def test_an_open_bridge_of_the_site_is_shown_as_such(tmp_path) -> None:
    """Under its own name."""
    bench = Bench(tmp_path, devices=(record("z2m-a", "zigbee2mqtt", "bridge"),))
    await bench.start()
    await bench.hear("zigbee2mqtt/bridge/info", {"permit_join": True}, retain=True)
    (bridge,) = bench.room.health().devices
    assert ("open to joining",) == bridge.standing
    assert [("z2m-a", "open to joining")] == await troubles(bench)
    await bench.hear("zigbee2mqtt/bridge/info", {"permit_join": False}, retain=True)
    assert 1 == len(await bench.facts(facts.DeviceTroubleOver))
    await bench.journal.close()


async def test_repeated_takeovers_are_a_trouble_until_it_is_quiet(bench: Bench) -> None:
    """Twice is a unit that came back; three times in ten minutes is a fight, by whichever path."""
    takeovers = bench.room.takeovers
    for _ in range(2):
        takeovers.seen("mqtt", "u7")
        takeovers.seen("devices-hall", "sos-1")
    bench.time.passed += 700
    for name in ("u7", "u7", "sos-1", "sos-1", "sos-1", "sos-1"):
        takeovers.seen("mqtt", name)
    assert [("sos-1", "taken over")] == await troubles(bench)
    (shown,) = (each for each in bench.room.health().devices if each.id == "sos-1")
    assert ("taken over",) == shown.standing

    bench.time.passed += 590
    takeovers.look()
    assert [] == await bench.facts(facts.DeviceTroubleOver)
    bench.time.passed += 20
    takeovers.look()
    assert [facts.DeviceTroubleOver(device="sos-1", kind="taken over")] == await bench.facts(
        facts.DeviceTroubleOver
    )
    assert () == bench.room.health().others
