"""The county's screen: one call however many roads brought it, and what a person does told on all of them."""

import pytest

from belltower.incident.facts import ResponseStatus
from gateway.county.screen import Acknowledged, HeardCall, ReadBack, Screen, Status


class Told(list):
    """A screen that counts seconds, with what its followers heard."""

    def __init__(self):
        self.at = 0.0
        self.screen = Screen(now=lambda: self.at)
        self.screen.follow(lambda event: self.append(("dc09", event)), end="dc09")
        self.screen.follow(lambda event: self.append(("sip", event)), end="sip")

    def hear(self, end, number=7, key="AAAAAAAA", **more):
        self.at += 1
        return self.screen.show(HeardCall(end=end, number=number, key=key, **more))


def test_one_call_on_many_roads_is_one_call():
    """Each road with the time it first brought it; what one road has no room for, another one tells."""
    told = Told()
    told.hear("modem", key="", place="B 204")
    told.hear("dc09", kind="panic", incident=3, building="B", place="B 204")
    told.hear("dc09")
    told.hear("sip", presses=((1, 3),))

    (call,) = told.screen.calls.values()
    assert {"modem": 1.0, "dc09": 2.0, "sip": 4.0} == call.roads
    assert ("AAAAAAAA", "panic", 3, "B 204") == (call.key, call.kind, call.incident, call.place)
    assert ((1, 3),) == call.presses
    assert {"calls": 1, "repeats": 1} == dict(told.screen.counts)


def test_numbers_that_begin_again_are_another_call():
    """The key tells; a late word of the former call does not bring it back."""
    told = Told()
    told.hear("dc09", key="AAAAAAAA")
    told.hear("dc09", key="BBBBBBBB")
    told.hear("sip", key="AAAAAAAA")

    assert "BBBBBBBB" == told.screen.calls[7].key
    assert {"dc09"} == set(told.screen.calls[7].roads)


def test_a_road_that_says_it_is_real_is_believed():
    """An exercise mark on one road does not hide that another has none."""
    told = Told()
    told.hear("dc09", exercise=True)
    assert told.screen.calls[7].exercise
    told.hear("sip")
    assert not told.screen.calls[7].exercise


def test_an_acknowledgement_goes_back_on_every_road_and_on_the_one_that_came_late():
    """A road that brings the call only afterwards is told when it does, the others not again."""
    told = Told()
    told.hear("dc09")
    told.screen.acknowledge(7, "T4")
    event = Acknowledged(number=7, key="AAAAAAAA", by="T4")
    assert [("dc09", event), ("sip", event)] == told
    told.clear()
    told.hear("sip")
    told.hear("sip")

    assert [("sip", event)] == told
    told.screen.confirmed("sip", 7)
    assert (True, ["sip"]) == (told.screen.calls[7].told, told.screen.calls[7].told_on)


def test_a_cancellation_stands_until_a_person_reads_it_back():
    """Heard on two roads it is one; its repeat afterwards asks nothing again."""
    told = Told()
    assert not told.screen.cancel("dc09", 7)
    told.hear("dc09")
    told.hear("sip")
    assert told.screen.cancel("dc09", 7, "AAAAAAAA")
    assert told.screen.cancel("sip", 7)
    call = told.screen.calls[7]
    assert ("new", "cancel", ["dc09", "sip"]) == (call.state, call.asked, call.asked_on)
    told.screen.read_back(7, "T2")
    told.screen.cancel("sip", 7)

    assert ("cancelled", "", "T2") == (call.state, call.asked, call.read_by)
    assert ("sip", ReadBack(number=7, key="AAAAAAAA", by="T2")) == told[-1]
    with pytest.raises(ValueError, match="nothing of call 7"):
        told.screen.read_back(7)


def test_a_correction_shows_both_places_until_it_is_read_back():
    """The new one in its place, the old one beside it; the same on another road changes nothing."""
    told = Told()
    told.hear("dc09", place="B 204")
    told.screen.correct("dc09", 7, place="C 101")
    told.screen.correct("sip", 7, place="C 101")
    call = told.screen.calls[7]
    assert ("C 101", "B 204", "correct", ["dc09", "sip"]) == (
        call.place,
        call.was,
        call.asked,
        call.asked_on,
    )
    told.screen.read_back(7)
    told.screen.correct("sip", 7, place="C 101")

    assert "" == call.asked


def test_what_responders_do_is_told():
    """One of four words; any other is refused."""
    told = Told()
    told.hear("dc09")
    told.screen.status(7, "enroute")

    assert "enroute" == told.screen.calls[7].status
    assert ("sip", Status(number=7, key="AAAAAAAA", status=ResponseStatus.ENROUTE)) == told[-1]
    with pytest.raises(ValueError):
        told.screen.status(7, "asleep")


def test_a_rejected_call_is_refused_again_until_a_person_takes_it():
    """Its repeats are answered no; a test never becomes a call."""
    told = Told()
    assert told.hear("dc09")
    told.screen.reject(7)
    assert not told.hear("dc09")
    told.screen.acknowledge(7)
    assert told.hear("dc09")
    assert told.hear("dc09", number=99, test=True)

    assert [7] == list(told.screen.calls)
    assert [99] == [test.number for test in told.screen.tests]


def test_what_it_keeps_is_bounded():
    """The oldest calls leave."""
    told = Told()
    for number in range(1, 10_003):
        told.hear("dc09", number=number)

    assert 10_000 == len(told.screen.calls)
    assert 3 == next(iter(told.screen.calls))


def test_an_update_that_was_overtaken_changes_nothing():
    """Of several the highest number is in force, in whatever order the roads bring them."""
    told = Told()
    told.hear("dc09", place="B 204")
    told.screen.correct("dc09", 7, place="C 101", update=2)
    told.screen.correct("sip", 7, place="D 1", update=1)
    told.screen.read_back(7, "T2")

    assert "C 101" == told.screen.calls[7].place
    assert ("sip", ReadBack(number=7, key="AAAAAAAA", by="T2", update=2)) == told[-1]
