"""SMS by a modem of the school's own: what each thing that a modem does comes to."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from belltower.clock import Instant, SystemClock
from belltower.errors import SettingsError
from belltower.ids import DeliveryId, NoticeId
from belltower.values import Secret
from gateway.settings import load
from hardware.simulators.modem import SimulatedModem
from notify.channels.channel import Later, Message, Refused, Settled, Uncertain
from notify.channels.console import Board
from notify.channels.modem import ModemSMS
from notify.channels.table import make_channels
from notify.delivery import State
from notify.settings import ModemSettings
from tests.peers.answering import answering_cable
from tests.peers.virtual_time import in_virtual_time

BODY = "Jefferson: ALARM at B 204, 09:14."


def message(body=BODY, *, address="+12065550111"):
    return Message(
        delivery=DeliveryId("dlv_1"),
        notice=NoticeId("ntc_1"),
        revision=1,
        address=address,
        body=body,
        ordered_at=Instant(0),
    )


def sent(*messages, fault="", measure=0.0, pin="", given=None):
    """What became of the messages, and the modem."""
    modem = SimulatedModem(pin=pin)

    async def story():
        cable = answering_cable(modem, fault=fault, measure=measure)
        settings = ModemSettings(url="serial:///dev/ttyUSB6", pin=given)
        channel = ModemSMS(settings=settings, make=lambda: cable.near)
        await channel.open()
        answers = [await channel.send(each) for each in messages]
        await channel.close()
        assert {asyncio.current_task()} == asyncio.all_tasks()
        return answers

    return in_virtual_time(story()), modem


def test_a_text_that_a_telephone_has_is_delivered():
    """One part, and the next message after it."""
    answers, modem = sent(message(), message("more"))

    assert [Settled(state=State.DELIVERED, reason="modem:delivered")] * 2 == answers
    assert [("+12065550111", BODY), ("+12065550111", "more")] == [
        (str(each.to), each.text) for each in modem.sent
    ]


def test_a_long_text_goes_in_parts():
    """Delivered once all of them are."""
    body = "Evacuate to the north field. " * 12
    answers, modem = sent(message(body))

    assert [Settled(state=State.DELIVERED, reason="modem:delivered")] == answers
    assert body == "".join(each.text for each in modem.sent)
    assert [(1, 3), (2, 3), (3, 3)] == [(each.part.number, each.part.total) for each in modem.sent]


@pytest.mark.parametrize(
    ("fault", "measure", "expected"),
    [
        ("no-report", 0, Settled(state=State.ACCEPTED, reason="modem:sent")),
        ("wrong-id", 0, Settled(state=State.ACCEPTED, reason="modem:sent")),
        ("negative", 0, Refused(reason="modem:undelivered")),
        ("no-prompt", 0, Later(reason="modem:not_taken", everyone=True)),
        ("busy", 0, Later(reason="modem:not_taken", everyone=True)),
        ("cms-error", 1, Refused(reason="modem:refused")),
        ("no-network", 0, Later(reason="modem:down", everyone=True)),
        ("silent", 0, Later(reason="modem:down", everyone=True)),
        ("deaf-after", 1, Uncertain(reason="modem:no_answer")),
        ("reset", 0, Uncertain(reason="modem:no_answer")),
        ("garbage", 0, Settled(state=State.DELIVERED, reason="modem:delivered")),
    ],
)
def test_what_the_modem_does_is_understood(fault, measure, expected):
    """Definite answers are definite, all others are not; nobody's number or text is told."""
    with capture_logs() as logs:
        [answer], _ = sent(message(), fault=fault, measure=measure)

    assert expected == answer
    for secret in ("12065550111", "ALARM", "ttyUSB6"):
        assert secret not in repr(answer) + repr(logs)


def test_a_wrong_pin_is_given_once_however_many_messages_wait():
    """Three wrong ones would lock the SIM."""
    answers, modem = sent(*[message()] * 4, pin="1234", given=Secret("0000"))

    assert [Later(reason="modem:down", everyone=True)] * 4 == answers
    assert 1 == modem.pins_tried


def test_a_wrong_pin_is_not_given_by_the_next_process_either(tmp_path):
    """Its hash stands beside the channel's name."""
    given = {"staff": ModemSettings(url="serial:///dev/ttyUSB6", pin=Secret("0000"))}
    for expected in (False, True):
        [provider] = make_channels(
            given, public_url="", board=Board(), clock=SystemClock(), state=tmp_path / "links"
        )
        assert expected == provider.channel._refused_pin.is_this(Secret("0000"))
        provider.channel._refused_pin.note(Secret("0000"))
    assert ["sms-pin-staff"] == [file.name for file in (tmp_path / "links").iterdir()]


@pytest.mark.parametrize("address", ["", "teacher@school.example", "+1 206 555 0111", "+" + "1" * 21])
def test_what_is_no_number_is_refused(address):
    """Without a word to the modem."""
    [answer], modem = sent(message(address=address))

    assert Refused(reason="address") == answer
    assert [] == modem.commands


def test_the_modem_of_a_link_is_not_lent(tmp_path: Path):
    """Two processes cannot hold one line, and the call goes first."""
    file = tmp_path / "config.toml"
    file.write_text(
        '[psap.links.text]\nkind = "modem"\nurl = "serial:///dev/ttyUSB2"\nnumber = "+12065550100"\n'
        '[notify.channels.staff]\nkind = "modem"\nurl = "serial:///dev/ttyUSB2"\n'
    )

    with pytest.raises(SettingsError, match="psap.links.text holds this line"):
        load(file, environ={})
