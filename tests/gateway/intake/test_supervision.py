"""Our own units: silence, battery, tamper and jamming become facts and a list of what is to be looked after."""

from __future__ import annotations

from belltower.clock import SECOND, Instant
from belltower.ids import LinkName, PlaceId, UnitId
from belltower.incident import facts
from belltower.store import open_database
from gateway.intake.devices.states import States
from gateway.intake.devices.supervision import DeviceSupervision
from gateway.intake.jamming import Jamming
from gateway.intake.supervision import Supervision
from gateway.intake.unit_health import last_heard, path_health, unit_health
from gateway.intake.units import KnownUnit
from hardware.codecs.unit import Heartbeat
from hardware.unit_record import Bearer, UnitRecord

START = 1_700_000_000


class Untested:
    """Nobody was ever walk-tested."""

    tested_at = Instant(0)
    tested_place = ""

    def of(self, _):
        return self


class Campus:
    """Four units, looked at every three seconds."""

    def __init__(self) -> None:
        self.at = 0.0
        self.facts = []
        self.closed = set()
        self.units = {
            number: KnownUnit(
                record=UnitRecord(id=UnitId(f"u{number}"), number=number, bearer=Bearer.RADIO),
                key=bytes(32),
                place=PlaceId("gym"),
                building="B",
            )
            for number in (1, 2, 3, 4)
        }
        self.supervision = Supervision(
            units=self.units,
            clock=self,
            record=self.facts.append,
            jamming=Jamming(clock=self, record=self.facts.append, closed=self.closed.__contains__),
        )

    def now(self):
        return Instant(round((START + self.at) * SECOND))

    def monotonic(self):
        return self.at

    def pass_by(self, seconds, *alive):
        for _ in range(seconds // 3):
            self.at += 3
            for number in alive:
                self.supervision.heard(number, "radio-a")
            self.supervision.look()

    def health(self):
        return {each.id: each for each in unit_health(self.units, self.supervision, self.closed, Untested())}

    def written(self, kind):
        return [fact for fact in self.facts if isinstance(fact, kind)]


async def test_a_unit_that_was_lost_is_lost_after_a_restart_until_it_is_heard(tmp_path):
    """Not well for as long as it may be silent; written down once."""
    database = await open_database(f"sqlite://{tmp_path / 'alarm.db'}")
    campus = Campus()
    watched = DeviceSupervision(watched={}, clock=campus, record=campus.facts.append, changed=lambda _: None)
    before = States(database=database, clock=campus)
    await before.open((), watched, units=("u1", "u2"))
    before.silent("u1", lost=True)
    before.silent("u2", lost=True)
    before.silent("u2", lost=False)
    await before.write_once(watched)

    states = States(database=database, clock=campus)
    await states.open((), watched, units=("u1", "u2"))
    assert {"u1"} == states.silent_units
    campus.supervision.resume(states.silent_units)
    campus.pass_by(300, 2, 3, 4)
    assert {1} == campus.supervision.lost
    assert [] == campus.written(facts.UnitLost)
    campus.pass_by(3, 1, 2, 3, 4)
    assert ["u1"] == [fact.unit for fact in campus.written(facts.UnitRestored)]
    await states.write_once(watched)
    await database.close()


def test_three_units_lost_together_with_noise_are_jamming():
    """Known within 90 s; a fourth that is heard on the same channel does not hide it."""
    campus = Campus()
    campus.pass_by(60, 1, 2, 3, 4)
    for _ in range(30):
        campus.pass_by(3, 4)
        campus.supervision.jamming.noise("radio-a")

    assert ["u1", "u2", "u3"] == [fact.unit for fact in campus.written(facts.UnitLost)]
    assert [facts.JamSuspected(path="radio-a", devices=("u1", "u2", "u3"), noise=28)] == campus.written(
        facts.JamSuspected
    )
    assert "LOST" == campus.health()["u1"].remarks[0]


def test_a_closed_path_is_no_jamming_and_its_units_are_not_known():
    """The path is lost, which is said; how the units are is not."""
    campus = Campus()
    campus.pass_by(30, 1, 2, 3, 4)
    campus.closed.add("radio-a")
    campus.pass_by(120)

    assert [] == campus.written(facts.JamSuspected)
    shown = campus.health()["u1"]
    assert ("NOT KNOWN: radio-a is lost", True) == (shown.remarks[0], shown.out_of_service)


def test_a_battery_low_in_two_reports_is_a_trouble_until_it_is_changed():
    """At once when it is empty."""
    campus = Campus()
    for percent in (80, 20, 60, 19):
        campus.supervision.reported(1, Heartbeat(battery=percent))
    assert [] == campus.facts
    campus.supervision.reported(1, Heartbeat(battery=18))
    campus.supervision.reported(1, Heartbeat(battery=17))
    campus.supervision.reported(2, Heartbeat(battery=0))
    assert ["u1", "u2"] == [fact.device for fact in campus.written(facts.DeviceTrouble)]
    assert "battery low" in campus.health()["u1"].remarks
    campus.supervision.reported(1, Heartbeat(battery=22))
    campus.supervision.reported(1, Heartbeat(battery=100, tamper=True))
    assert [facts.DeviceTroubleOver(device="u1", kind="low battery")] == campus.written(
        facts.DeviceTroubleOver
    )
    assert "TAMPERED" == campus.health()["u1"].remarks[0]


def test_every_way_in_has_its_interval_and_its_place_in_the_list():
    """A broker proves itself, a radio is silent when nobody is heard on it."""
    campus = Campus()
    campus.pass_by(30, 1)
    ways = {"mqtt": "listener", "broker-a": "broker", "radio-a": "radio"}
    heard = last_heard(campus.health().values())

    def shown(seconds):
        now = Instant(campus.now() + seconds * SECOND)
        return list(path_health(ways, {LinkName("mqtt"): "cannot listen"}, heard, within=84.0, now=now))

    assert [0, 2, 2] == [each.rank for each in shown(0)]
    assert [0.0, 30.0, 84.0] == [each.late_after for each in shown(0)]
    assert ("nothing heard lately",) == shown(90)[2].remarks


class Counted(Supervision):
    """Counts what is asked of it."""

    lists = looks = 0

    @property
    def lost(self):
        self.lists += 1
        return super().lost

    def of(self, number):
        self.looks += 1
        return super().of(number)


def test_units_are_looked_at_one_by_one():
    """Whoever looks may give others a turn in between, and the list of the silent is made once for all."""
    campus = Campus()
    counted = Counted(units=campus.units, clock=campus, record=campus.facts.append)
    shown = iter(unit_health(campus.units, counted, (), Untested()))

    assert "u1" == next(shown).id
    assert 1 == counted.looks
    assert ["u2", "u3", "u4"] == [each.id for each in shown]
    assert 1 == counted.lists
