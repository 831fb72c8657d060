"""Who is silent, for how long and because of whom, on virtual time."""

from __future__ import annotations

from belltower.incident import facts
from gateway.intake.devices.supervision import DeviceSupervision, Watched

HOUR = 3600.0


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self):
        return round(self.at * 1e6)

    def monotonic(self):
        return self.at


class Site:
    """Supervision of some devices, looked at every second."""

    def __init__(self, *watched, time=None) -> None:
        self.time = time or Time()
        self.facts = []
        self.when = []
        self.supervision = DeviceSupervision(
            watched={each.id: each for each in watched}, clock=self.time, record=self._record
        )

    def _record(self, fact) -> None:
        self.facts.append(fact)
        self.when.append(self.time.at)

    def pass_by(self, seconds) -> None:
        for _ in range(int(seconds)):
            self.time.at += 1
            self.supervision.look()

    def lost(self):
        return {fact.device: fact.parent for fact in self.facts if isinstance(fact, facts.DeviceLost)}

    def unknown(self):
        """By device, what its not being known is put down to; in facts of at most 500."""
        every = [fact for fact in self.facts if isinstance(fact, facts.DevicesUnknown)]
        assert all(len(fact.devices) <= 500 for fact in every)
        return {device: fact.because for fact in every for device in fact.devices}


def test_a_silent_device_is_lost_at_its_own_interval_and_back_only_when_heard():
    """Each by its own; one never heard too; an unsupervised one never."""
    site = Site(Watched(id="a", late_after=90), Watched(id="b", late_after=200), Watched(id="c"))
    site.supervision.heard("a", "mqtt")
    site.pass_by(60)
    site.supervision.heard("a", "mqtt")
    site.pass_by(89)
    assert {} == site.lost()
    site.pass_by(3)
    assert {"a": ""} == site.lost()
    site.pass_by(100)
    assert {"a": "", "b": ""} == site.lost()
    assert 90 <= site.facts[0].silent_for <= 92
    assert -1.0 == site.facts[1].silent_for

    site.supervision.heard("a", "mqtt")
    site.supervision.heard("a", "mqtt")
    assert [facts.DeviceRestored(device="a")] == site.facts[2:]
    assert ["b"] == list(site.supervision.lost)
    site.pass_by(95)
    assert ["a", "b"] == sorted(site.supervision.lost)


def test_a_lost_parent_leaves_its_children_unknown_within_90_s():
    """In a few facts, with the parent as the reason, not lost one by one; its return brings back those heard again."""
    children = [Watched(id=f"d{n}", late_after=25 * HOUR, parent="bridge") for n in range(3000)]
    site = Site(Watched(id="bridge", late_after=60), *children)
    for child in children:
        site.supervision.heard(child.id, "mqtt")
    site.supervision.heard("bridge", "mqtt")
    site.pass_by(1)
    site.supervision.offline("bridge")
    began = site.time.at
    site.supervision.heard("d7", "mqtt")
    site.pass_by(10)
    site.supervision.heard("d8", "mqtt")
    site.pass_by(80)

    assert {"bridge": ""} == site.lost()
    assert 2998 == len(site.unknown())
    assert {"bridge"} == set(site.unknown().values())
    assert not {"d7", "d8"} & site.unknown().keys()
    assert max(site.when) - began <= 90
    assert len(site.facts) <= 12
    site.supervision.heard("bridge", "mqtt")
    site.supervision.heard("d1", "mqtt")
    assert 2997 == len(list(site.supervision.unknown))
    assert [] == list(site.supervision.lost)
    assert not any(isinstance(fact, facts.JamSuspected) for fact in site.facts)


def test_who_is_not_heard_after_the_parent_is_back_is_lost_by_its_own_silence():
    """Counted from the parent's return; while the parent is lost nobody says more than "not known"."""
    site = Site(
        Watched(id="bridge", late_after=60),
        Watched(id="a", late_after=100, parent="bridge"),
        Watched(id="b", late_after=100, parent="bridge"),
    )
    for name in ("bridge", "a", "b"):
        site.supervision.heard(name, "mqtt")
    site.supervision.offline("bridge")
    site.pass_by(500)
    assert {"bridge": ""} == site.lost()
    site.supervision.heard("bridge", "mqtt")
    for _ in range(98):
        site.pass_by(1)
        site.supervision.heard("bridge", "mqtt")
    assert ["a", "b"] == sorted(site.supervision.unknown)
    site.supervision.heard("b", "mqtt")
    for _ in range(5):
        site.pass_by(1)
        site.supervision.heard("bridge", "mqtt")

    assert {"bridge": "", "a": ""} == site.lost()
    assert ["a"] == list(site.supervision.lost)
    assert [] == list(site.supervision.unknown)


def test_a_lost_path_leaves_unknown_who_was_heard_on_it():
    """Only when it stays lost, and only those."""
    site = Site(*(Watched(id=name, late_after=HOUR) for name in "abc"))
    site.supervision.heard("a", "broker")
    site.supervision.heard("b", "radio")
    site.supervision.path_lost("broker")
    site.pass_by(10)
    site.supervision.path_restored("broker")
    site.pass_by(60)
    assert {} == site.lost() | site.unknown()
    site.supervision.path_lost("broker")
    site.pass_by(60)
    assert {"a": "broker"} == site.unknown()
    site.supervision.path_restored("broker")
    site.pass_by(HOUR + 2)
    assert "a" in list(site.supervision.lost)


def test_three_lost_together_on_one_path_look_like_jamming():
    """Two do not, and a lost parent is a reason of its own."""
    site = Site(*(Watched(id=name, late_after=100 + n) for n, name in enumerate("abcde")))
    for name in "abc":
        site.supervision.heard(name, "lora")
    for name in "de":
        site.supervision.heard(name, "mqtt")
    site.supervision.jamming.noise("lora")
    site.pass_by(60)
    for _ in range(5):
        site.supervision.jamming.noise("lora")
    site.pass_by(60)

    assert [("lora", ("a", "b", "c"), 6)] == [
        (fact.path, fact.devices, fact.noise) for fact in site.facts if isinstance(fact, facts.JamSuspected)
    ]


def test_silence_goes_on_over_a_restart():
    """What was silent for 80 of 90 s is lost 10 s after; what was lost stays so until heard."""
    site = Site(Watched(id="a", late_after=90), Watched(id="b", late_after=90))
    site.supervision.resume("a", silent=80.0, path="mqtt", lost=False, because="")
    site.supervision.resume("b", silent=500.0, path="mqtt", lost=True, because="")
    site.supervision.resume("gone", silent=500.0, path="mqtt", lost=True, because="")
    site.pass_by(9)
    assert {} == site.lost()
    site.pass_by(3)
    assert {"a": ""} == site.lost()
    site.supervision.heard("b", "mqtt")
    assert facts.DeviceRestored(device="b") == site.facts[-1]


def test_a_weak_interval_is_never_shown_as_strong():
    """Four hours are the line."""
    assert ["none", "strong", "weak"] == [
        Watched(id="x", late_after=late).strength for late in (0, 4 * HOUR, 25 * HOUR)
    ]
