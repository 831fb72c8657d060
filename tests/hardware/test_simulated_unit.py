"""A simulated unit keeps to docs/unit-protocol.md."""

from random import Random

import pytest

from hardware.codecs import unit
from hardware.codecs.unit import Answer, Heartbeat, Kind, Level, Press, Tamper, UnitFrame
from hardware.codecs.unit_room import Order, Shown, Status, Told, Word
from hardware.codecs.window import Judgement, ReplayWindow
from hardware.simulators.unit import BLOCK, JITTER, MQTT_WAITS, Flash, SimulatedUnit

KEY = bytes(range(32))
TAG = unit.site_tag("oak")


def a_unit(flash: Flash | None = None) -> SimulatedUnit:
    return SimulatedUnit(number=17, key=KEY, site_tag=TAG, flash=flash or Flash(), random=Random(1))


def opened(data: bytes) -> UnitFrame:
    return unit.open_sealed(data, KEY, TAG)


def sealed(frame: UnitFrame) -> bytes:
    return unit.seal(frame, KEY, TAG)


def ack_of(data: bytes, level: Level = Level.RECORDED) -> bytes:
    return sealed(unit.acknowledge(opened(data), level))


def challenge_of(data: bytes, window: ReplayWindow, nonce: bytes = bytes(16)) -> bytes:
    return sealed(unit.challenge(opened(data), nonce, window))


def test_a_press_is_repeated_on_the_schedule_until_acknowledged() -> None:
    """The same octets, after 0.25, 0.5, 1, 2, 4, 4 .. seconds give or take the jitter; after the ACK never again."""
    button = a_unit()
    now = 100.0
    frame = button.press(now)
    for wait in [*MQTT_WAITS, MQTT_WAITS[-1], MQTT_WAITS[-1]]:
        due = button.next_due()
        assert due is not None
        assert wait * (1 - JITTER) <= due - now <= wait * (1 + JITTER)
        assert [] == button.due(due - 0.001)
        assert [frame] == button.due(due)
        now = due

    assert [] == button.heard(ack_of(frame))
    assert [] == button.due(now + 1000)
    assert button.next_due() is None
    assert not button.waiting


def test_the_wearer_sees_how_far_the_press_has_come() -> None:
    """Levels only rise, and belong to the latest press."""
    button = a_unit()
    first = button.press(0.0)
    assert Level.NONE is button.level
    for level, shown in (
        (Level.RECORDED, Level.RECORDED),
        (Level.TELECOMMUNICATOR, Level.TELECOMMUNICATOR),
        (Level.PSAP, Level.TELECOMMUNICATOR),
    ):
        button.heard(ack_of(first, level))
        assert shown is button.level
    second = button.press(1.0)
    assert Level.NONE is button.level
    button.heard(ack_of(first, Level.TELECOMMUNICATOR))
    assert Level.NONE is button.level
    button.heard(ack_of(second, Level.RELAYED_ONLY))
    assert Level.RELAYED_ONLY is button.level


def test_pressing_again_before_the_ack_sends_the_same_frame() -> None:
    """A nervous thumb does not make new presses; another button does."""
    button = a_unit()
    frame = button.press(0.0)

    assert frame == button.press(0.1)
    medical = button.press(0.2, Kind.MEDICAL)
    assert Press(kind=Kind.MEDICAL) == unit.body_of(opened(medical))
    button.heard(ack_of(frame))
    assert frame != button.press(0.3)
    assert button.waiting


def test_no_counter_is_used_twice_across_reboots() -> None:
    """What is left of a block is skipped."""
    flash = Flash()
    button = a_unit(flash)
    used = []
    for reboots in range(5):
        for _ in range(BLOCK + reboots):
            frame = opened(button.heartbeat())
            used.append((frame.epoch, frame.counter))
        button.reboot()

    assert sorted(set(used)) == used


def test_the_epoch_rises_when_counters_run_out() -> None:
    """The counter never wraps within an epoch."""
    button = a_unit(Flash(epoch=3, reserved=unit.MAX_NUMBER - BLOCK))
    frames = [opened(button.heartbeat()) for _ in range(BLOCK + 2)]

    assert (3, unit.MAX_NUMBER - 1) == (frames[BLOCK - 1].epoch, frames[BLOCK - 1].counter)
    assert [(4, 0), (4, 1)] == [(frame.epoch, frame.counter) for frame in frames[BLOCK:]]


def test_a_unit_without_memory_is_challenged_and_moves_past_what_was_heard() -> None:
    """Its answer, and everything after it, is fresh for the house."""
    flash = Flash()
    flash.lose()
    button = a_unit(flash)
    window = ReplayWindow().after(6, 900)
    press = button.press(0.0)
    frame = opened(press)
    assert Judgement.STALE is window.judge(frame.epoch, frame.counter)

    [answer] = button.heard(challenge_of(press, window, b"0123456789abcdef"))

    frame = opened(answer)
    assert Judgement.FRESH is window.judge(frame.epoch, frame.counter)
    body = unit.body_of(frame)
    assert body == Answer(nonce=b"0123456789abcdef", epoch=0, counter=opened(press).counter, kind=Kind.PANIC)
    assert (7, BLOCK) == flash.load()
    button.heard(ack_of(press))
    assert not button.waiting


def test_a_replayed_press_is_not_stood_by() -> None:
    """A unit answers for the press it still repeats, and for no other: not for one acknowledged long ago."""
    button = a_unit()
    old = button.press(0.0)
    button.heard(ack_of(old))
    button.press(1.0)

    assert [] == button.heard(challenge_of(old, ReplayWindow().after(1, 500)))


def test_a_challenge_of_the_other_class_is_not_answered() -> None:
    """Exercise and live do not answer for each other, and neither settles the other."""
    button = a_unit()
    button.exercise = True
    press = button.press(0.0)
    heard = opened(press)
    live = UnitFrame(
        number=17, epoch=heard.epoch, counter=heard.counter, type=heard.type, body=heard.body, exercise=False
    )

    assert heard.exercise
    assert [] == button.heard(sealed(unit.challenge(live, bytes(16), ReplayWindow())))
    button.heard(sealed(unit.acknowledge(live, Level.RECORDED)))
    assert button.waiting


@pytest.mark.parametrize("spoil", ["bit", "short", "up", "other"])
def test_what_is_not_from_the_house_changes_nothing(spoil: str) -> None:
    """A wrong bit, a stump, an own frame echoed, and a frame for another unit are refused."""
    button = a_unit()
    press = button.press(0.0)
    ack = ack_of(press)
    wrong = {
        "bit": ack[:-1] + bytes([ack[-1] ^ 1]),
        "short": ack[:20],
        "up": press,
        "other": sealed(UnitFrame(number=18, epoch=1, counter=0, type=33, body=bytes(8) + b"\x01")),
    }[spoil]

    assert [] == button.heard(wrong)
    assert (1, True, Level.NONE) == (button.refused, button.waiting, button.level)


def test_heartbeat_and_tamper_say_what_they_should() -> None:
    """And neither is repeated."""
    button = a_unit()

    assert Heartbeat(battery=40, low_battery=True) == unit.body_of(
        opened(button.heartbeat(battery=40, low_battery=True))
    )
    assert Tamper() == unit.body_of(opened(button.tamper()))
    assert button.next_due() is None


def order_of(number: tuple[int, int], told: Told = Told.LOCKDOWN, *, exercise: bool = False) -> bytes:
    head = UnitFrame(number=17, epoch=number[0], counter=number[1], type=0, exercise=exercise)
    return sealed(unit.with_body(head, Order(told=told, incident=3)))


def test_an_order_is_shown_and_confirmed_each_time_it_comes() -> None:
    """The confirmation names the order, and is a new frame each time."""
    button = a_unit()
    first, again = button.heard(order_of((5, 9))), button.heard(order_of((5, 9)))

    assert Order(told=Told.LOCKDOWN, incident=3) == button.order
    assert Shown(epoch=5, counter=9) == unit.body_of(opened(first[0])) == unit.body_of(opened(again[0]))
    assert first != again


def test_an_old_all_clear_takes_nothing_off_the_screen() -> None:
    """Neither from before the order, nor when the memory was lost meanwhile; a newer one does."""
    flash = Flash()
    button = a_unit(flash)
    flash.lose()
    button.heard(order_of((5, 9)))

    assert [] == button.heard(order_of((5, 8), Told.ALL_CLEAR))
    assert [] == button.heard(order_of((4, 900), Told.ALL_CLEAR))
    assert button.order is not None
    assert 1 == len(button.heard(order_of((5, 10), Told.ALL_CLEAR)))
    assert button.order is None


def test_a_status_and_a_text_are_repeated_until_acknowledged() -> None:
    """Octet for octet; a newer status of the same word replaces the one that waits."""
    button = a_unit()
    button.status(0.0, Word.INJURED, 1)
    status, text = button.status(0.0, Word.INJURED, 2), button.text(0.0, "door jammed")

    assert 2 == button.unheard
    assert [status, text] == button.due(1.0)
    button.heard(ack_of(status))
    assert [text] == button.due(9.0)
    button.heard(ack_of(text))
    assert (0, None) == (button.unheard, button.next_due())


def test_what_a_room_says_has_the_class_of_the_order_it_shows() -> None:
    """An exercise's order is answered as an exercise, and confirmed as one."""
    button = a_unit()
    (shown,) = button.heard(order_of((5, 9), exercise=True))

    assert opened(shown).exercise
    assert opened(button.status(0.0, Word.SAFE)).exercise
    button.heard(order_of((5, 10)))
    assert not opened(button.status(0.0, Word.SAFE)).exercise


def test_a_challenged_status_comes_again_as_a_new_frame() -> None:
    """A unit that lost its memory moves past what was heard of it; a status that no longer waits is not stood by."""
    flash = Flash()
    flash.lose()
    button = a_unit(flash)
    window = ReplayWindow().after(6, 900)
    status = button.status(0.0, Word.NEED_HELP)
    (again,) = button.heard(challenge_of(status, window))

    assert Status(word=Word.NEED_HELP) == unit.body_of(opened(again))
    assert Judgement.FRESH is window.judge(opened(again).epoch, opened(again).counter)
    button.heard(ack_of(again))
    assert [] == button.heard(challenge_of(status, window))
