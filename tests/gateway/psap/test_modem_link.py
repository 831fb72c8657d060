"""Texts to the PSAP: what each thing that a modem, a network or a person does comes to. Nothing here leaves the machine."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from belltower.clock import Instant
from belltower.errors import SettingsError
from belltower.ids import CallId, LinkName
from belltower.incident.facts import Mode, ReceiptLevel, UpdateKind, UpdateOrdered
from belltower.values import Secret
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
    update_of,
)
from gateway.psap.modem_link import ModemLink
from gateway.psap.modem_settings import ModemLinkSettings
from hardware.codecs import sms_pdu
from hardware.drivers.refused_pin import RefusedPIN
from hardware.simulators.modem import SimulatedModem
from tests.gateway.psap.house import INCIDENT, order
from tests.peers.answering import answering_cable
from tests.peers.virtual_time import in_virtual_time

PSAP = "+12065550100"
TESTS = "+12065550101"
EXERCISES = "+12065550102"
CALL = admitted(order(7), place="B 204")
EXERCISE = admitted(order(8, mode=Mode.EXERCISE, accepted=True), place="B 204")
TEXT = "PANIC B 204 at Lincoln High, 12 Elm St, Linden. CALL 7 INC 12 BLDG B KEY ZZ000007. Reply ACK 7"


class Desk:
    """A link on a simulated modem, and what it reported."""

    def __init__(self, *, fault="", measure=0.0, pin="", link_pin=None, known=True, refused_pin=None) -> None:
        self.modem = SimulatedModem(pin=pin)
        self.cable = answering_cable(self.modem, fault=fault, measure=measure)
        self.heard = []
        self.known = known
        self.link = ModemLink(
            name=LinkName("text"),
            transport=self.cable.near,
            number=PSAP,
            test_number=TESTS,
            exercise_number=EXERCISES,
            pin=link_pin,
            refused_pin=refused_pin,
            campus="Lincoln High, 12 Elm St, Linden",
        )

    def report(self, heard):
        self.heard.append(heard)

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


def at_the_desk(story, **about):
    """Run a story with a desk, in virtual time."""

    async def told():
        async with Desk(**about) as desk:
            return await story(desk)

    return in_virtual_time(told())


def test_a_call_is_one_text_to_the_number_of_the_settings():
    """Sent once, a receipt of the telephone, no settling."""

    async def story(desk):
        frame = desk.link.first(CALL)
        assert await desk.link.send(frame)
        await asyncio.sleep(1)

        [message] = desk.modem.sent
        assert (PSAP, TEXT) == (str(message.to), message.text)
        assert message.status_report
        assert [Opened(), Answered(), Receipt(frame=frame.id, level=ReceiptLevel.RADIO)] == desk.heard
        assert ReceiptLevel.RADIO not in desk.link.traits.settling

    at_the_desk(story)


def test_a_repeat_waits_a_minute_and_ends_with_the_delivery():
    """The worker may ask as often as it likes; the reader gets few copies, all the same text."""

    async def story(desk):
        frame = desk.link.first(CALL)
        for _ in range(30):
            assert await desk.link.send(frame)
            await asyncio.sleep(5)
        assert 2 == len(desk.modem.sent)
        assert 1 == len({message.text for message in desk.modem.sent})

        desk.modem.report(desk.modem.sent[-1])
        await asyncio.sleep(3600)
        assert await desk.link.send(frame)
        assert 2 == len(desk.modem.sent)

    at_the_desk(story, fault="no-report")


@pytest.mark.parametrize(
    ("recipient", "after", "receipts"),
    [
        (PSAP, 5, 1),
        ("2065550100", 5, 1),
        ("02065550100", 5, 1),
        ("+12065550199", 5, 0),
        ("5550100", 5, 1),
        ("0100", 5, 0),
        (PSAP, 1_300, 0),
    ],
)
def test_a_report_is_on_a_text_only_if_it_went_there_of_late(recipient, after, receipts):
    """References come again after 256 texts, also those to other numbers of whoever has the modem."""

    async def story(desk):
        await desk.link.send(desk.link.first(CALL))
        await asyncio.sleep(after)
        desk.modem.report(msgspec.structs.replace(desk.modem.sent[0], to=sms_pdu.number(recipient)))
        await asyncio.sleep(1)

        assert receipts == len(desk.of(Receipt))
        assert 1 - receipts == desk.link.counts["stray"]

    at_the_desk(story, fault="no-report")


@pytest.mark.parametrize("text", ["ACK 7", "ack 7", " ACK  7 ", "Ack #7 T4", "ACK 7 by T4", "ACK7."])
def test_a_person_answers_by_a_text_from_that_number(text):
    """In the agreed form, however it is written."""

    async def story(desk):
        await desk.link.send(desk.link.first(CALL))
        desk.modem.arrive(PSAP, text)
        await asyncio.sleep(1)

        by = "T4" if "T4" in text else "text"
        assert [PersonAnswered(number=7, key="", by=by)] == desk.of(PersonAnswered)

    at_the_desk(story)


@pytest.mark.parametrize(
    ("sender", "text"),
    [
        ("+12065550199", "ACK 7"),
        ("County", "ACK 7"),
        (PSAP, "Please make a voice call to 911. There is no text service to 911 available at this time."),
        (PSAP, "OK"),
        (PSAP, "ok we are coming"),
        (PSAP, "You wrote: " + TEXT),
        (PSAP, "ACK 8"),
        (PSAP, "ACK 9"),
        (PSAP, "ACK"),
        (PSAP, "NACK 7"),
        (EXERCISES, "ACK 7"),
    ],
)
def test_nothing_else_is_a_person(sender, text):
    """Another number, a bounce, free text, another call, the exercise's side."""

    async def story(desk):
        await desk.link.send(desk.link.first(CALL))
        desk.modem.arrive(sender, text)
        await asyncio.sleep(1)

        assert [] == desk.of(PersonAnswered, ReadBack)

    at_the_desk(story)


def test_texts_that_came_before_are_read_after_the_start():
    """What the modem kept while nobody listened is fetched once and deleted."""

    async def story(desk):
        desk.link.first(CALL)
        await asyncio.sleep(40)
        assert [PersonAnswered(number=7, key="", by="text")] == desk.of(PersonAnswered)

    async def told():
        desk = Desk()
        desk.link.first(CALL)
        desk.modem.arrive(PSAP, "ACK 7")
        async with desk:
            await story(desk)

    in_virtual_time(told())


def test_an_exercise_goes_to_its_own_number_only():
    """And an answer to it from there counts, not one from the PSAP."""

    async def story(desk):
        frame = desk.link.first(EXERCISE)
        await desk.link.send(frame)
        desk.modem.arrive(PSAP, "ACK 8")
        desk.modem.arrive(EXERCISES, "ACK 8 T1")
        await asyncio.sleep(1)

        assert [EXERCISES] == [str(message.to) for message in desk.modem.sent]
        assert desk.modem.sent[0].text.startswith("EXERCISE PANIC B 204")
        assert [PersonAnswered(number=8, key="", by="T1")] == desk.of(PersonAnswered)

    at_the_desk(story)


def test_without_a_number_for_exercises_none_can_be_made():
    """Withheld by the traits, and refused by construction."""
    link = ModemLink(name=LinkName("text"), transport=None, number=PSAP)

    assert not link.traits.exercise
    with pytest.raises(ValueError, match="nobody who takes an exercise"):
        link.first(EXERCISE)
    with pytest.raises(ValueError, match="nobody who takes an exercise"):
        link.more(more_of([(EXERCISE, ((2, 3),))]))


def test_live_and_exercise_never_change_places():
    """A thousand of each, interleaved: each to its own number, each saying what it is."""
    link = ModemLink(name=LinkName("text"), transport=None, number=PSAP, exercise_number=EXERCISES)

    for number in range(1, 1001):
        live = sms_pdu.decode_submit(link.first(admitted(order(number), place="x")).octets)
        drill = order(number, mode=Mode.EXERCISE, accepted=True)
        exercise = sms_pdu.decode_submit(link.first(admitted(drill, place="x")).octets)
        assert (PSAP, False) == (str(live.to), live.text.startswith("EXERCISE"))
        assert (EXERCISES, True) == (str(exercise.to), exercise.text.startswith("EXERCISE"))


def test_a_marked_test_goes_to_its_own_number():
    """Without one there is no agreed form."""
    test = LinkTest(number=3, key="0A1B2C3D", at=Instant(0))
    bare = ModemLink(name=LinkName("text"), transport=None, number=PSAP)

    async def story(desk):
        frame = desk.link.test(test)
        assert await desk.link.send(frame)
        assert [TESTS] == [str(message.to) for message in desk.modem.sent]
        assert "TEST 3 KEY 0A1B2C3D from Lincoln High, 12 Elm St, Linden. Nobody needs help." == frame.text

    at_the_desk(story)
    assert "there is no agreed form: no test_number is set" == bare.test(test)


def test_a_cancellation_is_read_back_by_text():
    """The same number, the other word."""

    async def story(desk):
        desk.link.first(CALL)
        cancel = UpdateOrdered(
            call=CallId(CALL.order.call), incident=INCIDENT, update=1, kind=UpdateKind.CANCEL
        )
        frame = desk.link.update(update_of(CALL, cancel, spot=None))
        assert await desk.link.send(frame)
        desk.modem.arrive(PSAP, "READBACK 7-1 T9")
        desk.modem.arrive(PSAP, "READBACK 7 T8")
        await asyncio.sleep(1)

        assert (
            "CANCEL CALL 7 UPDATE 1: PANIC B 204 was a false alarm. INC 12 BLDG B KEY ZZ000007. Reply READBACK 7-1"
            == desk.modem.sent[0].text
        )
        assert [
            ReadBack(number=7, update=1, key="", by="T9"),
            ReadBack(number=7, update=0, key="", by="T8"),
        ] == desk.of(ReadBack)

    at_the_desk(story)


def test_a_modem_that_does_not_ask_for_the_text_has_not_sent_it():
    """ESC, not sent, the modem opened anew; once it is well the next try goes out."""

    async def story(desk):
        frame = desk.link.first(CALL)
        assert not await desk.link.send(frame)
        assert [] == list(desk.modem.sent)
        desk.modem.misbehave("")
        await asyncio.sleep(5)
        assert await desk.link.send(frame)
        assert 1 == len(desk.modem.sent)
        assert [Opened, Answered, Lost, Opened, Answered] == [
            type(each) for each in desk.of(Opened, Answered, Lost)
        ]

    at_the_desk(story, fault="no-prompt")


def test_a_network_that_has_no_time_is_asked_again_and_then_given_back():
    """Congestion, three tries in seconds, not sent; the worker tries again."""

    async def story(desk):
        frame = desk.link.first(CALL)
        assert not await desk.link.send(frame)
        assert 3 == len([command for command in desk.modem.commands if command.startswith("AT+CMGS")])
        desk.modem.misbehave("")
        assert await desk.link.send(frame)

    at_the_desk(story, fault="busy")


def test_a_network_that_refuses_the_number_is_a_refusal():
    """Unassigned number: said at once, not tried thrice."""

    async def story(desk):
        frame = desk.link.first(CALL)
        assert await desk.link.send(frame)
        await asyncio.sleep(0.1)
        assert [Refusal(frame=frame.id, reason="the modem says +CMS ERROR: 1")] == desk.of(Refusal)
        assert 1 == len([command for command in desk.modem.commands if command.startswith("AT+CMGS")])

    at_the_desk(story, fault="cms-error", measure=1)


def test_a_delivery_that_failed_is_a_refusal_and_may_be_said_again():
    """The network gave up: status 46."""

    async def story(desk):
        frame = desk.link.first(CALL)
        await desk.link.send(frame)
        await asyncio.sleep(0.1)
        assert [
            Refusal(frame=frame.id, reason="the network could not deliver the text: status 46")
        ] == desk.of(Refusal)
        await desk.link.send(frame)
        assert 2 == len(desk.modem.sent)

    at_the_desk(story, fault="negative")


def test_without_a_network_the_link_is_lost_and_says_why():
    """And comes back with it."""

    async def story(desk):
        assert [Lost(reason="the modem is looking for a network")] == desk.heard
        assert not await desk.link.send(desk.link.first(CALL))
        desk.modem.misbehave("")
        await asyncio.sleep(35)
        assert [Lost, Opened, Answered] == [type(each) for each in desk.heard]

    at_the_desk(story, fault="no-network")


def test_a_modem_that_begins_anew_with_the_text_in_hand_is_uncertain():
    """It counts as sent, nothing confirms it, and the same text follows a minute later at the soonest."""

    async def story(desk):
        frame = desk.link.first(CALL)
        assert await desk.link.send(frame)
        assert [] == desk.of(Receipt, Refusal)
        desk.modem.misbehave("")
        await asyncio.sleep(10)
        assert await desk.link.send(frame)
        assert 0 == len(desk.modem.sent)
        await asyncio.sleep(60)
        assert await desk.link.send(frame)
        assert 1 == len(desk.modem.sent)

    at_the_desk(story, fault="reset")


def test_a_modem_that_hangs_with_the_text_in_hand_is_uncertain_and_known_within_a_minute():
    """Five seconds for the sender, half a minute until the modem is given up."""

    async def story(desk):
        loop = asyncio.get_running_loop()
        before = loop.time()
        assert await desk.link.send(desk.link.first(CALL))
        assert 6 > loop.time() - before
        await asyncio.sleep(55)
        assert 1 == len(desk.of(Lost))
        assert [] == desk.of(Receipt)

    at_the_desk(story, fault="deaf-after")


def test_nonsense_between_the_answers_changes_nothing():
    """Octets that are no text, announcements nobody asked for."""

    async def story(desk):
        frame = desk.link.first(CALL)
        assert await desk.link.send(frame)
        desk.modem.arrive(PSAP, "ACK 7")
        await asyncio.sleep(1)
        assert [Receipt(frame=frame.id, level=ReceiptLevel.RADIO)] == desk.of(Receipt)
        assert 1 == len(desk.of(PersonAnswered))

    at_the_desk(story, fault="garbage")


def test_a_report_of_another_reference_is_no_receipt():
    """It names no text of ours."""

    async def story(desk):
        await desk.link.send(desk.link.first(CALL))
        await asyncio.sleep(1)
        assert [] == desk.of(Receipt)
        assert 1 == desk.link.counts["stray"]

    at_the_desk(story, fault="wrong-id")


def test_a_slow_modem_is_waited_for():
    """Three seconds for every answer."""

    async def story(desk):
        await asyncio.sleep(60)
        frame = desk.link.first(CALL)
        assert await desk.link.send(frame)
        await asyncio.sleep(20)
        assert [Receipt(frame=frame.id, level=ReceiptLevel.RADIO)] == desk.of(Receipt)

    in_virtual_time(_slow(story))


async def _slow(story):
    desk = Desk(fault="late", measure=0.9)
    async with desk:
        await story(desk)


def test_the_pin_is_given_once():
    """Right: registered. Wrong: lost, and never tried a second time."""

    async def right(desk):
        assert [Opened(), Answered()] == desk.heard

    async def wrong(desk):
        await asyncio.sleep(600)
        assert 1 == desk.modem.pins_tried
        assert [Lost] == [type(each) for each in desk.heard]

    async def none(desk):
        assert [Lost(reason="the SIM asks for its PIN, and the settings hold none")] == desk.heard

    at_the_desk(right, pin="7391", link_pin=Secret("7391"))
    at_the_desk(wrong, pin="7391", link_pin=Secret("0000"))
    at_the_desk(none, pin="7391")


def test_a_refused_pin_is_not_given_again_after_a_restart(tmp_path):
    """Three restarts would lock the SIM. Another PIN is tried; whoever unlocks the SIM gives it its tries back."""
    file = tmp_path / "links" / "pin-text"
    tried = []

    async def story(desk):
        tried.append(desk.modem.pins_tried)
        return [type(each) for each in desk.heard]

    def start(**about):
        return at_the_desk(story, refused_pin=RefusedPIN(file=file), **about)

    for _ in range(3):
        assert [Lost] == start(pin="7391", link_pin=Secret("0000"))
    assert "0000" not in file.read_text()
    assert 0o600 == file.stat().st_mode & 0o777
    assert [Opened, Answered] == start(pin="7391", link_pin=Secret("7391"))
    assert not file.exists()
    start(pin="7391", link_pin=Secret("0000"))
    start(pin="", link_pin=Secret("0000"))
    start(pin="7391", link_pin=Secret("0000"))

    assert [1, 0, 0, 1, 1, 0, 1] == tried


def test_a_refused_pin_that_cannot_be_kept_is_still_not_given_again(tmp_path):
    """Until the process ends: a full disk, a folder that is a file."""
    (tmp_path / "links").write_text("")
    refused = RefusedPIN(file=tmp_path / "links" / "pin-text")
    refused.note(Secret("0000"))

    assert refused.is_this(Secret("0000"))
    assert not refused.is_this(Secret("7391"))


def test_no_text_is_longer_than_one_message():
    """Long names, high numbers, an exercise."""
    link = ModemLink(
        name=LinkName("text"), transport=None, number=PSAP, exercise_number=EXERCISES, campus="Ä" * 200
    )
    call = admitted(
        order(123_456, building="Gymnasium North", mode=Mode.EXERCISE, accepted=True), place="É" * 60
    )
    frames = [
        link.first(call),
        link.more(more_of([(call, tuple((at, at) for at in range(2, 200, 2)))])),
        link.update(
            update_of(
                call,
                UpdateOrdered(call=call.order.call, incident=INCIDENT, update=99, kind=UpdateKind.CANCEL),
                spot=None,
            )
        ),
    ]

    assert [True] * 3 == [sms_pdu.fits(frame.text) for frame in frames]
    assert [0] * 3 == [sms_pdu.coding_of(frame.text) for frame in frames]


def test_there_is_no_number_but_that_of_the_settings():
    """No default, in the settings or in the link; so nothing can be dialled that nobody wrote down."""
    with pytest.raises(msgspec.ValidationError, match="number"):
        msgspec.convert({"url": "serial:///dev/ttyUSB2"}, ModemLinkSettings)
    with pytest.raises(TypeError, match="number"):
        ModemLink(name=LinkName("text"), transport=None)
    for folder in ("gateway", "hardware", "notify", "belltower"):
        for path in Path(folder).rglob("*.py"):
            if path.name == "replies.py":  # what people write to us; nothing there sends
                continue
            assert '"911"' not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"number": ""}, "number: write digits only"),
        ({"number": "555-0100"}, "number: write digits only"),
        ({"test_number": "12065550100"}, "test_number: it is the PSAP's number; only real calls go there"),
        ({"exercise_number": "+12065550100"}, "exercise_number: it is the PSAP's number"),
        ({"exercise_number": "911"}, "exercise_number: emergency and short numbers"),
        ({"test_number": "+1911"}, "test_number: emergency and short numbers"),
        ({"test_number": "112"}, "test_number: emergency and short numbers"),
        ({"test_number": "abcdefgh"}, "test_number: write digits only"),
        ({"heartbeat": 61.0}, 'heartbeat: "1s" to "60s"'),
        ({"url": "usb://x"}, "url: transport"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, fault):
    """Above all a test or an exercise at the PSAP's own number."""
    with pytest.raises(SettingsError, match=fault):
        ModemLinkSettings(**{"url": "serial:///dev/ttyUSB2", "number": "+12065550100", **settings})
