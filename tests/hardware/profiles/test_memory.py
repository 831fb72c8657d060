"""What was heard before: edges, repeats, counters, clocks, batteries."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from belltower.clock import SECOND, Instant
from hardware.profiles.compiled import Profile
from hardware.profiles.memory import Judged, Remembered, after_gap, judge
from hardware.profiles.signal import Flag, Signal, SignalKind

NOW = Instant(1_790_000_000 * SECOND)
Make = Callable[[str], Profile]


class Device:
    """A device heard by one profile."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.memory: Remembered | None = None

    def says(self, *signals: Signal, at: float = 0.0) -> Judged:
        """Its signals, `at` seconds after the beginning."""
        judged = judge(self.memory, signals, Instant(NOW + round(at * SECOND)), profile=self.profile)
        kept = msgspec.json.decode(msgspec.json.encode(judged.memory), type=Remembered)
        assert kept == judged.memory
        self.memory = kept
        return judged


def alarms(judged: Judged) -> int:
    """How many of the signals call for help now."""
    return sum(signal.alarms for signal in judged.signals)


def kinds(judged: Judged) -> list[str]:
    """What the signals say."""
    return [str(signal.kind) for signal in judged.signals]


def press(**more: object) -> Signal:
    """A press."""
    return Signal(**{"kind": SignalKind.PRESS, "device": "x", **more})  # type: ignore[arg-type]


def level(*, on: bool, kind: SignalKind = SignalKind.STATE, flags: frozenset[Flag] = frozenset()) -> Signal:
    """A level that means a press when it rises."""
    return Signal(
        kind=kind, device="x", level=on, rises=SignalKind.PRESS, falls=SignalKind.CLEAR, flags=flags
    )


@pytest.fixture
def device(make: Make) -> Device:
    """A device whose presses within 1 s are one."""
    return Device(make('[dedupe]\nkey = ["device", "channel"]\nwindow = "1s"\n'))


@pytest.fixture
def counting(make: Make) -> Device:
    """A device whose presses bear a counter."""
    return Device(make('[dedupe]\nkey = ["device", "counter"]\nwindow = "2h"\n'))


def test_a_retained_press_never_alarms(device: Device) -> None:
    """The broker may have kept it for a week; and it is no first of two."""
    kept = device.says(press(flags=frozenset({Flag.RETAINED})))

    assert 0 == alarms(kept)
    assert 1 == alarms(device.says(press(), at=0.1))


def test_a_retained_active_level_is_found_active(device: Device) -> None:
    """A person decides; and its level is not remembered."""
    found = device.says(level(on=True, flags=frozenset({Flag.RETAINED})))

    assert (["state", "trouble"], 0) == (kinds(found), alarms(found))
    assert {} == device.memory.levels


def test_the_same_press_twice_is_one_alarm(device: Device) -> None:
    """The second is a duplicate, and is still told."""
    assert 1 == alarms(device.says(press()))
    again = device.says(press(), at=0.5)

    assert (0, {Flag.DUPLICATE}) == (alarms(again), set(again.signals[0].flags))


def test_a_second_press_outside_the_window_is_a_second_alarm(device: Device) -> None:
    """Repeats within the window do not stretch it."""
    told = [alarms(device.says(press(), at=at)) for at in (0, 0.6, 1.2, 1.8, 2.4)]

    assert [1, 0, 1, 0, 1] == told


def test_two_buttons_of_one_device_are_two_presses(device: Device) -> None:
    """The channel tells them apart."""
    assert 2 == alarms(device.says(press(channel="0"), press(channel="1")))


def test_a_clock_stepped_back_hides_no_press(device: Device) -> None:
    """What was heard in the future is no repeat."""
    device.says(press(), at=100)

    assert 1 == alarms(device.says(press(), at=0))


def test_one_frame_by_three_gateways_is_one_alarm(counting: Device) -> None:
    """The counter says that it is the same."""
    assert [1, 0, 0] == [alarms(counting.says(press(counter=7), at=at)) for at in (0, 1, 60)]


def test_a_lower_counter_after_a_boot_is_a_new_press(counting: Device) -> None:
    """Counters begin anew at boot and join."""
    counting.says(press(counter=1))
    counting.says(press(counter=2), at=1)
    counting.says(Signal(kind=SignalKind.JOIN, device="x", epoch=True), at=2)
    again = counting.says(press(counter=1), at=3)

    assert (1, set()) == (alarms(again), set(again.signals[0].flags))


def test_a_lower_counter_without_a_boot_is_suspect_and_alarms(counting: Device) -> None:
    """Nothing that may be a press is hidden."""
    counting.says(press(counter=9))
    again = counting.says(press(counter=3), at=1)

    assert (1, {Flag.SUSPECT}) == (alarms(again), set(again.signals[0].flags))


def test_a_press_without_the_counter_it_should_have_is_not_muted_for_long(counting: Device) -> None:
    """The long window is for counters only."""
    assert [1, 0, 1] == [alarms(counting.says(press(), at=at)) for at in (0, 0.5, 2)]


def test_a_level_alarms_when_it_rises_and_is_refreshed_after(device: Device) -> None:
    """One alarm and nine refreshes; what falls is clear and cancels nothing."""
    device.says(level(on=False))
    ten = [device.says(level(on=True), at=10 * number) for number in range(1, 11)]

    assert 1 == alarms(ten[0])
    assert 0 == sum(alarms(judged) for judged in ten[1:])
    assert all(Flag.REFRESH in judged.signals[0].flags for judged in ten[1:])
    assert ["clear"] == kinds(device.says(level(on=False), at=200))


def test_a_first_look_makes_no_edge(device: Device) -> None:
    """An input found active is trouble."""
    found = device.says(level(on=True))

    assert (["state", "trouble"], 0) == (kinds(found), alarms(found))


def test_a_restart_of_ours_is_no_edge(device: Device) -> None:
    """What is remembered is a record, written down and read again."""
    device.says(level(on=False))
    device.says(level(on=True), at=1)

    assert 0 == alarms(device.says(level(on=True), at=2))


def test_after_a_gap_nobody_knows_what_rose(device: Device) -> None:
    """The first snapshot is state again."""
    device.says(level(on=False))
    device.memory = after_gap(device.memory)

    assert 0 == alarms(device.says(level(on=True), at=999))


def test_a_level_in_a_heartbeat_adds_the_edge_to_it(device: Device) -> None:
    """Both are told."""
    device.says(level(on=False, kind=SignalKind.HEARTBEAT))

    assert ["heartbeat", "press"] == kinds(device.says(level(on=True, kind=SignalKind.HEARTBEAT), at=1))


def test_an_event_says_what_the_level_is(make: Make) -> None:
    """The SOS bit in the frames after a press refreshes it."""
    device = Device(
        make(
            '[[rule]]\ntopic = "t/{device}/l"\npath = "$"\nof = "bool"\nedge = "rising"\nas = "json"\n'
            'map = { true = "press", false = "clear" }\n'
        )
    )
    device.says(press())
    later = device.says(level(on=True, kind=SignalKind.HEARTBEAT), at=60)

    assert (["heartbeat", "press"], 0) == (kinds(later), alarms(later))


def test_a_frame_the_device_kept_never_alarms_and_is_told_as_late(device: Device) -> None:
    """With its age."""
    late = device.says(press(flags=frozenset({Flag.HISTORIC}), at=Instant(NOW - 420 * SECOND)))

    assert (["press", "trouble"], 0) == (kinds(late), alarms(late))
    assert "late press, 420 s old" in late.signals[1].why


def test_a_press_of_the_past_by_a_proven_clock_is_late(device: Device) -> None:
    """The clock was right a minute ago."""
    device.says(Signal(kind=SignalKind.HEARTBEAT, device="x", at=NOW))

    assert 0 == alarms(device.says(press(at=Instant(NOW - 300 * SECOND)), at=60))


@pytest.mark.parametrize("years", [-30, -1, 1, 30])
def test_a_wrong_clock_hides_no_press(device: Device, years: int) -> None:
    """Neither one that was never right, nor one that just went wrong."""
    wrong = Instant(NOW + years * 365 * 86_400 * SECOND)

    assert 1 == alarms(device.says(press(at=wrong)))
    device.says(Signal(kind=SignalKind.HEARTBEAT, device="x", at=Instant(NOW + 10 * SECOND)), at=10)
    assert 1 == alarms(device.says(press(at=wrong), at=20))


def test_a_boot_forgets_that_the_clock_was_right(device: Device) -> None:
    """It may begin wrong again."""
    device.says(Signal(kind=SignalKind.HEARTBEAT, device="x", at=NOW))
    device.says(Signal(kind=SignalKind.ONLINE, device="x", epoch=True), at=1)

    assert 1 == alarms(device.says(press(at=Instant(NOW - 3600 * SECOND)), at=2))


def test_a_battery_is_low_when_two_reports_say_so(device: Device) -> None:
    """One may be a cold morning; null is no report; 0 is low at once."""

    def report(percent: float | None) -> Signal:
        return Signal(kind=SignalKind.HEARTBEAT, device="x", battery=percent)

    assert ["heartbeat"] == kinds(device.says(report(20)))
    assert ["heartbeat"] == kinds(device.says(report(None), at=1))
    assert ["heartbeat", "battery_low"] == kinds(device.says(report(20), at=2))
    assert ["heartbeat"] == kinds(device.says(report(90), at=3))
    assert ["heartbeat", "battery_low"] == kinds(device.says(report(0), at=4))


def test_the_devices_own_flag_counts_as_a_report(device: Device) -> None:
    """The first of two is a sign of life only, and no press beside it is lost."""
    low = Signal(kind=SignalKind.BATTERY_LOW, device="x")

    first = device.says(press(), low)
    assert (["press", "heartbeat"], 1) == (kinds(first), alarms(first))
    assert ["battery_low"] == kinds(device.says(low, at=5))
    assert Flag.REFRESH in device.says(low, at=6).signals[0].flags


def test_leave_of_a_panic_device_is_trouble(device: Device) -> None:
    """It can be pressed without being heard."""
    assert ["leave", "trouble"] == kinds(device.says(Signal(kind=SignalKind.LEAVE, device="x")))


def test_a_devices_test_flag_hides_no_press(device: Device) -> None:
    """Only a drill token makes an exercise."""
    assert 1 == alarms(device.says(press(flags=frozenset({Flag.TEST}))))


def test_what_is_remembered_is_bounded(device: Device) -> None:
    """A device that makes up channels fills nothing."""
    for number in range(1000):
        device.says(press(channel=str(number)), at=number)

    assert 64 >= len(device.memory.seen)
