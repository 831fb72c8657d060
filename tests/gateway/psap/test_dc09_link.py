"""The link to a monitoring station, against stations that answer rightly, wrongly, late or not at all."""

import asyncio
import contextlib
import threading

import pytest

from belltower.clock import SECOND
from belltower.errors import Unreachable
from belltower.incident.facts import AlarmKind, Mode, ReceiptLevel, UpdateKind, UpdateOrdered
from gateway.psap import dc09_clock, dc09_text
from gateway.psap.dc09_clock import Offsets
from gateway.psap.link import (
    Answered,
    LinkTest,
    Lost,
    Opened,
    Receipt,
    Refusal,
    Spot,
    admitted,
    more_of,
    update_of,
)
from hardware.codecs import dc09
from hardware.codecs.dc09 import Content, Extra, Kind
from hardware.codecs.dc09_events import events_of
from hardware.transports.memory import Cable
from tests.gateway.psap.house import INCIDENT, order
from tests.peers.station import ACCOUNT, Station, dc09_link, reports
from tests.peers.virtual_time import LoopClock, in_virtual_time
from tests.peers.waiting import PATIENCE

KEY = b"ABCDEF0123456789"
CALL = admitted(order(7), place="B 204")


class Scene:
    """A link, its stations, and what it reported."""

    def __init__(self, *, stations=1, key=None, **more) -> None:
        self.clock = LoopClock()
        self.cables = [Cable() for _ in range(stations)]
        self.stations = [Station(cable.far, key=key, clock=LoopClock()) for cable in self.cables]
        self.link = dc09_link(*(cable.near for cable in self.cables), key=key, clock=self.clock, **more)
        self.heard = []
        self.tasks = []

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self.tasks = [
            loop.create_task(work) for work in (self.link.run(self.report), *(s.run() for s in self.stations))
        ]
        await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *details):
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)
        failed = [task for task in self.tasks if not task.cancelled() and task.exception() is not None]
        assert not [task for task in failed if not isinstance(task.exception(), Unreachable)]

    def report(self, heard):
        """What the worker would be told."""
        self.heard.append(heard)

    @property
    def station(self):
        """The first one."""
        return self.stations[0]

    async def send(self, frame, *, until=0.05):
        """Send, and let it be answered."""
        assert await self.link.send(frame)
        await asyncio.sleep(until)

    def of(self, kind):
        """What was reported of one kind."""
        return [each for each in self.heard if isinstance(each, kind)]


def story(**scene):
    """Run the test's body in virtual time, in a scene."""

    def wrap(body):
        def run():
            async def play():
                async with Scene(**scene) as at:
                    await body(at)

            in_virtual_time(play())

        run.__name__, run.__doc__ = body.__name__, body.__doc__
        return run

    return wrap


# ---- what it says


def test_a_call_as_an_sia_report():
    """Code, area, zone from the table, and the words that every link has."""
    frame = reports().first(CALL)
    said = dc09.decode(frame.octets)
    (event,) = events_of(said)

    assert ("PA", "013", "1") == (event.code, event.zone, event.area)
    assert frame.text == event.text
    told = dc09_text.parse(event.text)
    assert (7, 12, "B 204", False) == (told.number, told.incident, told.place, told.exercise)
    assert f"#{ACCOUNT}|Nri1/PA013^{frame.text}^" == said.content.data


def test_a_call_as_contact_id():
    """The words stand in one alarm text block, for there is no other room."""
    frame = reports(kind=Kind.CID).first(CALL)

    assert (
        Content(data=f"#{ACCOUNT}|1120 01 013", extras=(Extra("I", frame.text),))
        == dc09.decode(frame.octets).content
    )


def test_where_help_is_needed_stands_in_blocks_of_its_own():
    """Building, room and position, where they are known."""
    spot = Spot(
        spoken="B 204",
        place="b204",
        building="B",
        building_name="Main",
        room="204",
        position=(44.205, -93.75),
    )
    call = admitted(order(7), place="B 204", spot=spot)

    assert (
        Extra("O", "Main"),
        Extra("R", "204"),
        Extra("X", "093W45.000"),
        Extra("Y", "44N12.300"),
    ) == dc09.decode(reports().first(call).octets).content.extras


@pytest.mark.parametrize("kind", [Kind.SIA, Kind.CID])
def test_which_code_says_what(kind):
    """Panic, medical, exercise, test, cancellation, correction."""
    made = reports(kind=kind)
    exercise = admitted(order(7, mode=Mode.EXERCISE, accepted=True), place="B 204")
    medical = admitted(order(7, kind=AlarmKind.MEDICAL), place="B 204")

    def update(call, what, spot=None):
        ordered = UpdateOrdered(call=call.order.call, incident=INCIDENT, update=1, kind=what)
        return made.update(update_of(call, ordered, spot=spot))

    elsewhere = Spot(spoken="B 305", place="b305")
    frames = [
        made.first(CALL),
        made.first(medical),
        made.first(exercise),
        made.test(LinkTest(number=3, key="K7Q2M9XW", at=0)),
        update(CALL, UpdateKind.CANCEL),
        update(CALL, UpdateKind.PLACE, elsewhere),
        update(exercise, UpdateKind.CANCEL),
        update(exercise, UpdateKind.PLACE, elsewhere),
    ]
    codes = [events_of(dc09.decode(frame.octets))[0].code for frame in frames]

    if kind is Kind.SIA:
        assert ["PA", "MA", "RX", "RX", "OC", "PA", "RX", "RX"] == codes
    else:
        assert ["120", "100", "601", "601", "406", "120", "601", "601"] == codes
    assert len(frames) == len(
        {frame.id for frame in frames} | {"x", "y"}
    )  # call, medical and exercise share C7
    said = [dc09_text.parse(frame.text) for frame in frames]
    assert [False, False, True, None, False, False, True, True] == [
        getattr(told, "exercise", None) for told in said
    ]
    assert [False] * 4 + [True, False, True, False] == [getattr(told, "cancelled", False) for told in said]
    assert "B 305" == said[5].now == said[7].now


def test_further_presses_are_told_as_ranges_as_many_as_fit():
    """The next summary tells the rest."""
    ranges = tuple((n, n) for n in range(2, 100, 2))
    frame = reports().more(more_of([(CALL, ranges)]))
    told = dc09_text.parse(frame.text)

    assert len(frame.text) <= dc09_text.ROOM
    assert ((CALL.order.call, told.presses),) == frame.covers
    assert ranges[: len(told.presses)] == told.presses
    assert len(told.presses) > 5
    short = reports().more(more_of([(CALL, ((2, 14), (16, 16)))]))
    assert short.text.endswith(" presses 2-14,16")


@pytest.mark.parametrize(
    "text",
    ["", "hello", "C1 I2 K1234567 x", "TEST x", "C1 I2 K12345678 presses 5-2", "C1 I2 K12345678 presses 1,2"],
)
def test_what_is_none_of_our_texts(text):
    """None, or a place of that name; never an error."""
    told = dc09_text.parse(text)

    assert told is None or not told.presses


# ---- who is a receipt


@story()
async def test_an_ack_is_a_station_receipt(at):
    """Of the very frame; and the link answers from its first test on."""
    assert [Opened(), Answered()] == at.heard
    frame = at.link.first(CALL)
    await at.send(frame)

    assert [Receipt(frame=frame.id, level=ReceiptLevel.STATION)] == at.of(Receipt)
    (_, report), (_, null) = at.station.calls[0], at.station.nulls[0]
    assert (ACCOUNT, at.clock.now() // SECOND) == (report.account, report.content.stamp // SECOND)
    assert (0, None) == (null.sequence, null.content.stamp)


@story(key=KEY)
async def test_a_sealed_ack_is_a_receipt(at):
    """Request and answer sealed, with their time."""
    await at.send(at.link.first(CALL))

    assert 1 == len(at.of(Receipt))
    assert all(frame.content.stamp is not None for _, frame in at.station.heard)


WRONG = {
    "a wrong number": lambda s, f: s.ack(f, sequence=dc09.after(f.sequence)),
    "a wrong account": lambda s, f: s.ack(f, account="9999"),
    "a line end": lambda s, f: b"\n\r",
    "an unframed NAK": lambda s, f: b'"NAK"',
    "a wrong sum": lambda s, f: s.ack(f).replace(b"R0", b"R1"),
    "a call of its own": lambda s, f: s.ack(f, kind=Kind.SIA, content=Content(data="#12345A|NPA1")),
    "half an answer": lambda s, f: s.ack(f)[:-3],
}
SEALED_WRONG = {
    "an answer in clear": lambda s, f: Station(None, clock=s.clock).ack(f),
    "another key": lambda s, f: Station(None, key=b"x" * 16, clock=s.clock).ack(f),
    "an answer of long ago": lambda s, f: s.ack(f, skew=-3600),
    "an answer of tomorrow": lambda s, f: s.ack(f, skew=3600),
    "no time": lambda s, f: Station(None, key=s.key, clock=s.clock).ack(f, content=Content()),
}


@pytest.mark.parametrize(
    ("wrong", "key"),
    [*((name, None) for name in WRONG), *((name, KEY) for name in {**WRONG, **SEALED_WRONG})],
)
def test_what_is_never_a_receipt(wrong, key):
    """Counted, and the link is lost when nothing else comes."""

    async def play():
        async with Scene(key=key) as at:
            at.station.answer = lambda frame: {**WRONG, **SEALED_WRONG}[wrong](at.station, frame)
            await at.send(at.link.first(CALL), until=60)
            assert [] == at.of(Receipt)
            odd = odd_counts(at.link)
            assert odd or wrong == "half an answer"
            assert 1 == len(at.of(Lost))

    in_virtual_time(play())


def odd_counts(link):
    """What was counted besides right answers."""
    return {what: n for what, n in link.counts.items() if what not in {"answers", "ack"}}


@story()
async def test_a_late_right_ack_still_counts(at):
    """Long after the message was given up here; even on another connection."""
    kept = []
    at.station.answer = lambda frame: kept.append(frame) if frame.kind is Kind.SIA else at.station.ack(frame)
    frame = at.link.first(CALL)
    await at.send(frame, until=40)
    assert [] == at.of(Receipt)
    await at.station.transport.write(at.station.ack(kept[0]))
    await asyncio.sleep(0.1)

    assert [frame.id] == [receipt.frame for receipt in at.of(Receipt)]


@story()
async def test_duh_is_a_refusal(at):
    """It was read, and cannot be processed."""
    at.station.answer = lambda frame: at.station.ack(frame, kind=Kind.DUH)
    frame = at.link.first(CALL)
    await at.send(frame)

    assert [frame.id] == [refusal.frame for refusal in at.of(Refusal)]
    assert [] == at.of(Receipt)


@story()
async def test_rsp_is_a_receipt_too(at):
    """Received, and the station would like something done."""
    at.station.answer = lambda frame: at.station.ack(frame, kind=Kind.RSP)
    await at.send(at.link.first(CALL))

    assert 1 == len(at.of(Receipt))


# ---- numbers and tries


@story(sequence=9998)
async def test_9999_is_followed_by_1_and_a_retry_keeps_its_number(at):
    """The same frame again bears the same number and a new time."""
    frames = [at.link.first(admitted(order(n), place="x")) for n in (1, 2, 3)]
    for frame in (frames[0], frames[1], frames[0], frames[2]):
        await at.send(frame, until=1.5)

    assert [9999, 1, 9999, 2] == [frame.sequence for _, frame in at.station.calls]
    stamps = [frame.content.stamp for _, frame in at.station.calls]
    assert stamps == sorted(set(stamps))


def test_a_link_begins_with_a_number_that_was_not_used_of_late():
    """After a restart the station takes nothing for a repetition of something else."""

    async def numbers(start):
        async with Scene() as at:
            at.clock.step = start * SECOND
            for n in range(3):
                await at.send(at.link.first(admitted(order(n + 1), place="x")))
            return [frame.sequence for _, frame in at.station.calls]

    before = in_virtual_time(numbers(0))
    after = in_virtual_time(numbers(30))

    assert not set(before) & set(after)


@story(heartbeat=30.0)
async def test_the_line_is_tested_at_its_interval_from_the_last_message(at):
    """Any other message restarts it."""
    await asyncio.sleep(69.99)
    assert [0.0, 30.0, 60.0] == [time for time, _ in at.station.nulls]
    await at.send(at.link.first(CALL), until=40)

    assert [0.0, 30.0, 60.0, 100.0] == [time for time, _ in at.station.nulls]
    assert [0] * 4 == [frame.sequence for _, frame in at.station.nulls]


@story()
async def test_one_message_at_a_time_but_none_waits_long(at):
    """The next one goes once the answer is there; a receiver that is silent for half a second is waited for no more."""
    at.station.answer = lambda frame: None
    began = asyncio.get_running_loop().time()
    for n in range(3):
        assert await at.link.send(at.link.first(admitted(order(n + 1), place="x")))
    await asyncio.sleep(0.01)

    assert [0.0, 0.5, 0.5] == [round(time - began, 2) for time, _ in at.station.calls]


@story(stations=3)
async def test_three_tries_then_the_next_receiver_and_round_again(at):
    """Each try 5 s; lost once none has answered; the same number on all of them."""
    for station in at.stations:
        station.answer = lambda frame: None
    frame = at.link.first(CALL)
    turns = []
    for _ in range(60):
        if at.link.receiver not in turns[-1:]:
            turns.append(at.link.receiver)
        await at.link.send(frame)
        await asyncio.sleep(1)

    assert ["r0", "r1", "r2", "r0"] == turns[:4]
    assert 1 == len(at.of(Lost))
    assert 1 == len({frame.sequence for station in at.stations for _, frame in station.calls})


@story(stations=2)
async def test_silence_of_the_primary_costs_fifteen_seconds(at):
    """Then the backup has the call; the link was never lost."""
    at.station.answer = lambda frame: None
    frame = at.link.first(CALL)
    await at.send(frame, until=5)
    for _ in range(4):
        await at.link.send(frame)
        await asyncio.sleep(5)
        if at.of(Receipt):
            break

    assert 2 == len(at.of(Opened))
    assert not at.of(Lost)
    assert [frame.id] == [receipt.frame for receipt in at.of(Receipt)]
    assert at.stations[1].calls[0][0] <= 20.6


@story(stations=2)
async def test_a_refused_report_goes_to_the_next_receiver_at_once(at):
    """DUH is that receiver's word only."""
    at.station.answer = lambda frame: at.station.ack(frame, kind=Kind.DUH if frame.sequence else Kind.ACK)
    frame = at.link.first(CALL)
    await at.send(frame, until=2)
    await at.send(frame)

    assert 1 == len(at.of(Refusal)) == len(at.of(Receipt))
    assert "r1" == at.link.receiver


@story(stations=2)
async def test_a_receiver_that_cannot_be_reached_is_passed_over(at):
    """No tries are spent on it."""
    at.cables[0].pull()
    await asyncio.sleep(1)

    assert "r1" == at.link.receiver
    assert not at.of(Lost)
    await at.send(at.link.first(CALL))
    assert 1 == len(at.of(Receipt))


@story()
async def test_a_silently_cut_line_is_known_within_90_seconds(at):
    """And its return."""
    at.station.answer = lambda frame: None
    await asyncio.sleep(89)
    assert 1 == len(at.of(Lost))
    at.station.answer = at.station.ack
    await asyncio.sleep(30)

    assert [Answered, Lost, Answered] == [type(each) for each in at.heard if not isinstance(each, Opened)]
    assert at.link.traits.supervision <= 90


@story(stations=2)
async def test_the_first_receiver_has_its_turn_again_once_it_answers(at):
    """Looked at on a line of its own; until then the backup keeps the turn, and calls go out meanwhile."""
    at.station.answer = lambda frame: None
    for _ in range(8):
        await at.link.send(at.link.first(CALL))
        await asyncio.sleep(5)
    assert "r1" == at.link.receiver
    opened = len(at.of(Opened))
    await asyncio.sleep(1000)
    assert ("r1", opened) == (at.link.receiver, len(at.of(Opened)))
    at.station.answer = at.station.ack
    await asyncio.sleep(310)

    assert "r0" == at.link.receiver
    await at.send(at.link.first(admitted(order(8), place="x")))
    assert 8 == dc09_text.parse(events_of(at.station.calls[-1][1])[0].text).number
    assert not at.of(Lost)


# ---- clocks


def timed(station, *, skew):
    """A station whose clock is so far from ours, with the window of the standard."""

    def answer(frame):
        stamp = frame.content.stamp
        now = station.clock.now() + skew * SECOND
        if stamp is not None and not -40 * SECOND <= stamp - now <= 20 * SECOND:
            return station.nak(skew=skew)
        return station.ack(frame, skew=skew)

    return answer


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("skew", [300, -300, 3600, -3600])
def test_a_nak_sets_the_clock_and_the_resent_report_is_accepted(skew, key, tmp_path):
    """Same number, at once; the next report is right at once, and so is the first one after a restart."""
    file = tmp_path / "links" / "dc09-station.json"

    async def play(expected):
        offsets = Offsets(file=file)
        async with Scene(key=key, offsets=offsets) as at:
            at.station.answer = timed(at.station, skew=skew)
            await asyncio.sleep(31)  # a sealed link test bears the time too
            heard = len(at.station.calls)
            await at.send(at.link.first(CALL), until=0.2)
            await at.send(at.link.first(admitted(order(8), place="x")), until=0.2)
            assert 2 == len(at.of(Receipt))
            assert expected == at.link.counts["nak"]
            sequences = [frame.sequence for _, frame in at.station.calls[heard:]]
            assert 2 == len(set(sequences))
            assert not at.of(Lost)
        offsets.written()

    in_virtual_time(play(1))
    in_virtual_time(play(0))


@story()
async def test_our_clock_jumps_and_reports_get_through(at):
    """An hour forward, and two back."""
    true = LoopClock()
    at.station.answer = timed(at.station, skew=0)
    for n, hours in enumerate((0, 1, -1)):
        at.clock.step = hours * 3600 * SECOND
        await at.send(at.link.first(admitted(order(n + 1), place="x")), until=1)

    assert 3 == len(at.of(Receipt))
    assert abs(true.now() - at.station.calls[-1][1].content.stamp) <= 2 * SECOND


@story()
async def test_a_nak_that_is_not_about_the_time_is_no_loop(at):
    """The clocks agree: it waits for its next try."""
    at.station.answer = lambda frame: at.station.nak(skew=0) if frame.sequence else at.station.ack(frame)
    await at.send(at.link.first(CALL), until=4)

    assert 1 == len(at.station.calls)
    assert [] == at.of(Receipt)


@story()
async def test_a_clock_that_runs_wild_is_no_loop(at):
    """A NAK with another time each time: three more tries, then the next turn."""
    jumps = iter(range(100, 100_000, 100))
    at.station.answer = lambda frame: (
        at.station.nak(skew=next(jumps)) if frame.sequence else at.station.ack(frame)
    )
    await at.send(at.link.first(CALL), until=1)

    assert 4 == len(at.station.calls)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"r0": "x"}', b"\xff" * 100])
def test_a_damaged_file_of_offsets_is_no_offset(content, tmp_path):
    """It costs one NAK."""
    file = tmp_path / "x.json"
    file.write_bytes(content)

    assert 0 == Offsets(file=file).of("r0")


def test_offsets_that_cannot_be_written_are_still_in_force(tmp_path):
    """A full disk, a folder that is a file."""
    (tmp_path / "links").write_text("")
    offsets = Offsets(file=tmp_path / "links" / "x.json")
    offsets.set("r0", 300)
    offsets.written()

    assert 300 == offsets.of("r0")


def test_an_offset_that_comes_as_the_writer_ends_is_written(tmp_path, monkeypatch):
    """A writer that has looked for the last time and is not gone yet writes nothing any more."""
    done, go = threading.Event(), threading.Event()

    class Lingering(threading.Thread):
        def run(self):
            super().run()
            done.set()
            go.wait(PATIENCE)

    monkeypatch.setattr(dc09_clock, "Thread", Lingering)
    file = tmp_path / "x.json"
    offsets = Offsets(file=file)
    offsets.set("r0", 300)
    assert done.wait(PATIENCE)
    offsets.set("r0", 301)
    go.set()
    offsets.written()

    assert 301 == Offsets(file=file).of("r0")


def test_ten_thousand_live_and_exercise_reports_never_change_places():
    """Interleaved; the code and the words of each."""
    made = reports()
    live = {made.first(admitted(order(n), place="x")).octets for n in range(1, 200)}
    drill = {
        made.first(admitted(order(n, mode=Mode.EXERCISE, accepted=True), place="x")).octets
        for n in range(1, 200)
    }

    assert not live & drill
    assert all(b"/PA" in octets and b"EXERCISE" not in octets for octets in live)
    assert all(b"/RX" in octets and b"EXERCISE" in octets for octets in drill)


def test_a_stalled_line_holds_nobody():
    """A far end that takes nothing: `send` comes back, and again."""

    async def play():
        cable = Cable(capacity=8)
        link = dc09_link(cable.near)
        task = asyncio.get_running_loop().create_task(link.run(lambda _: None))
        await asyncio.sleep(0.1)
        began = asyncio.get_running_loop().time()
        await link.send(link.first(CALL))
        assert asyncio.get_running_loop().time() - began < 6
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    in_virtual_time(play())
