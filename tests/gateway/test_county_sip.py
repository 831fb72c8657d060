"""The county's end by SIP and our link, over real sockets: what the screen shows, what comes back, every fault."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from belltower.clock import SystemClock
from belltower.errors import SettingsError
from belltower.incident.facts import Mode, ResponseStatus, UpdateKind, UpdateOrdered
from gateway.county.end import Fault
from gateway.county.ends import Given, end_from
from gateway.county.screen import Screen
from gateway.county.sip import FAULTS, SIPEnd
from gateway.county.sip_centre import SIPCentre
from gateway.psap.link import (
    Answered,
    LinkTest,
    Lost,
    Opened,
    PersonAnswered,
    ReadBack,
    Receipt,
    Refusal,
    ResponseSaid,
    Spot,
    admitted,
    more_of,
    update_of,
)
from gateway.psap.sip_line import Login, SIPLine
from gateway.psap.sip_link import SIPLink
from gateway.psap.sip_settings import SIPTarget
from hardware.codecs import sip
from hardware.codecs.sip import Decoder, Request
from hardware.transports.tcp import TCPTransport
from hardware.transports.tls import TLSTransport
from tests.gateway.psap.house import order
from tests.hardware.mqtt.certificate import write_certificate
from tests.peers.mutation import mutated
from tests.peers.sip_server import AT, DOMAIN, SCHOOL, SPOT
from tests.peers.waiting import PATIENCE, until

CALL = admitted(order(7), place="B 204", spot=SPOT, at=AT)
DRILL = admitted(order(8, mode=Mode.EXERCISE, accepted=True), place="B 204", spot=SPOT, at=AT)
SAMPLE = (Path(__file__).parents[1] / "golden/frames/sip-message-rfc8876.bin").read_bytes()


class House:
    """A county with its screen, a link to it, and what the link reported."""

    def __init__(self, end, screen):
        self.end = end
        self.screen = screen
        self.heard = []
        self.written = True
        self.link = None

    def report(self, heard):
        self.heard.append(heard)
        if isinstance(heard, PersonAnswered | ReadBack):
            future = asyncio.get_running_loop().create_future()
            future.set_result(self.written)
            return future
        return None

    def of(self, kind):
        return [each for each in self.heard if isinstance(each, kind)]

    async def wants(self, kind, count=1, *, within=PATIENCE):
        await until(lambda: len(self.of(kind)) >= count, within=within)
        return self.of(kind)

    async def send(self, frame):
        assert await self.link.send(frame)
        return frame


@asynccontextmanager
async def running(*, fault="", password="", login=None, tls=None, ready=True, heartbeat=20.0):
    """Both ends; the wire is TCP, or TLS with the certificate in a folder."""
    loop = asyncio.get_running_loop()
    files = {"certificate": tls / "certificate.pem", "private_key": tls / "key.pem"} if tls else {}
    end = SIPEnd(
        name="sip",
        host="127.0.0.1",
        port=0,
        clock=SystemClock(),
        random=Random(1),
        password=password,
        **files,
    )
    end.fault = Fault.parse(fault, FAULTS) if fault else None
    house = House(end, Screen(now=loop.time))
    county = loop.create_task(end.run(house.screen))
    await end.ready.wait()
    port = int(end.address.rpartition(":")[2])

    def connect():
        if tls:
            return TLSTransport(
                host="esrp.example", port=port, address="127.0.0.1", ca=tls / "certificate.pem"
            )
        return TCPTransport(host="127.0.0.1", port=port, write_deadline=1.0)

    house.link = SIPLink(
        name="sip",
        school=SCHOOL,
        domain=DOMAIN,
        lines=[
            SIPLine(
                link="sip",
                target=SIPTarget(host="127.0.0.1", port=port, tls=bool(tls)),
                connect=connect,
                domain=DOMAIN,
                random_bytes=Random(2).randbytes,
                login=login,
                heartbeat=heartbeat,
            )
        ],
        heartbeat=heartbeat,
    )
    school = loop.create_task(house.link.run(house.report))
    try:
        await house.wants(Answered if ready else Opened)
        yield house
    finally:
        for task in (school, county):
            task.cancel()
            await asyncio.wait([task], timeout=PATIENCE)
            assert task.cancelled()
        await asyncio.sleep(0)
        assert {asyncio.current_task()} == asyncio.all_tasks()


def update(kind=UpdateKind.CANCEL, number=1):
    ordered = UpdateOrdered(
        call=CALL.order.call,
        incident=CALL.order.incident,
        update=number,
        kind=kind,
        place="gym",
        building="G",
    )
    spot = Spot(spoken="Gym", building="G") if kind is UpdateKind.PLACE else None
    return update_of(CALL, ordered, spot=spot)


async def test_a_call_stands_on_the_screen_and_a_person_s_answer_comes_back():
    """With building, place, incident and key; the county knows that the school knows."""
    async with running() as house:
        frame = await house.send(house.link.first(CALL))
        assert frame.id == (await house.wants(Receipt))[0].frame
        call = house.screen.calls[7]
        assert ("ZZ000007", 12, "panic", "B", "B 204", False, "new") == (
            call.key, call.incident, call.kind, call.building, call.place, call.exercise, call.state,
        )  # fmt: skip
        assert [] == house.of(PersonAnswered)

        house.screen.acknowledge(7, "T12")
        assert [PersonAnswered(number=7, key="ZZ000007", by="T12")] == await house.wants(PersonAnswered)
        await until(lambda: house.screen.calls[7].told)
        house.screen.status(7, "enroute")
        (said,) = await house.wants(ResponseSaid)
        assert ResponseStatus.ENROUTE is said.status


async def test_a_repeat_is_the_same_call_and_more_presses_join_it():
    """One call, two sendings; ranges by building."""
    async with running() as house:
        frame = await house.send(house.link.first(CALL))
        await house.wants(Receipt)
        await asyncio.sleep(1.0)
        await house.send(frame)
        await house.wants(Receipt, 2)
        other = admitted(order(9, building="C"), place="C", spot=SPOT, at=AT)
        await house.send(house.link.more(more_of([(CALL, ((2, 9), (11, 11))), (other, ((2, 3),))])))
        await house.wants(Receipt, 3)

        assert [7, 9] == list(house.screen.calls)
        assert ((1, 9), (11, 11)) == house.screen.calls[7].presses
        assert 1 == house.screen.counts["repeats"] - 1


async def test_an_exercise_is_shown_as_one_and_a_test_never_becomes_a_call():
    """By status and by service."""
    async with running() as house:
        await house.send(house.link.first(DRILL))
        await house.send(house.link.test(LinkTest(number=3, key="ABCD1234", at=AT)))
        await house.wants(Receipt, 2)

        assert [True] == [call.exercise for call in house.screen.calls.values()]
        assert [(3, "ABCD1234")] == [(test.number, test.key) for test in house.screen.tests]


async def test_a_cancellation_and_a_correction_are_read_back():
    """Each refers to the call; the read-back refers to the update."""
    async with running() as house:
        await house.send(house.link.first(CALL))
        await house.send(house.link.update(update(UpdateKind.PLACE, 1)))
        await house.wants(Receipt, 2)
        assert ("Gym", "B 204", "correct") == (
            house.screen.calls[7].place,
            house.screen.calls[7].was,
            house.screen.calls[7].asked,
        )
        house.screen.read_back(7, "T1")
        assert [ReadBack(number=7, key="ZZ000007", by="T1")] == await house.wants(ReadBack)
        await house.send(house.link.update(update(UpdateKind.CANCEL, 2)))
        await house.wants(Receipt, 3)
        house.screen.read_back(7, "T2")
        assert "T2" == (await house.wants(ReadBack, 2))[1].by
        assert "cancelled" == house.screen.calls[7].state


async def test_what_is_about_a_call_that_never_came_is_refused():
    """404; and a call that a person rejects is 403."""
    async with running() as house:
        await house.send(house.link.update(update()))
        assert "404" in (await house.wants(Refusal))[0].reason
        await house.send(house.link.first(CALL))
        await house.wants(Receipt)
        house.screen.reject(7)
        await asyncio.sleep(1.0)
        await house.send(house.link.first(CALL))
        assert "403" in (await house.wants(Refusal, 2))[1].reason


@pytest.mark.parametrize(
    ("fault", "says"),
    [("negative", "403"), ("busy=7", "503"), ("bad-alert=103", "alert error 103"), ("bad-alert=102", "alert error 102")],
)  # fmt: skip
async def test_a_centre_that_says_no_is_a_refusal(fault, says):
    """By each of its forms; nothing stands on the screen."""
    async with running(fault=fault) as house:
        await house.send(house.link.first(CALL))
        assert says in (await house.wants(Refusal))[0].reason
        assert {} == house.screen.calls
        assert [] == house.of(Receipt)


@pytest.mark.parametrize("fault", ["silent", "half-open", "wrong-id"])
async def test_a_centre_that_does_not_answer_is_no_receipt_and_soon_lost(fault):
    """Silence, an unread connection, answers in another's name; well again, the call is received."""
    async with running(fault=fault, ready=False, heartbeat=0.4) as house:
        await house.send(house.link.first(CALL))
        await house.wants(Lost)
        assert [] == house.of(Receipt) + house.of(Refusal) + house.of(Answered)
        house.end.fault = None
        await house.wants(Answered)
        await house.send(house.link.first(CALL))
        await house.wants(Receipt)


async def test_a_late_answer_counts_and_one_said_twice_counts_once_for_the_link():
    """late, duplicate-ack."""
    async with running() as house:
        house.end.fault = Fault(name="late", value=0.5)
        await house.send(house.link.first(CALL))
        assert [] == house.of(Receipt)
        await house.wants(Receipt)
        house.end.fault = Fault(name="duplicate-ack")
        await house.send(house.link.first(admitted(order(9), place="x", at=AT)))
        await house.wants(Receipt, 2)
        house.screen.acknowledge(7, "T1")
        await house.wants(PersonAnswered)
        await asyncio.sleep(0.2)
        assert 2 == len(house.of(Receipt))


async def test_a_centre_that_hangs_up_in_the_middle_of_its_answer_gives_no_receipt():
    """cut; well again, the call is received."""
    async with running() as house:
        house.end.fault = Fault(name="cut")
        await house.send(house.link.first(CALL))
        await house.wants(Lost)
        assert [] == house.of(Receipt)
        house.end.fault = None
        await house.wants(Opened, 2)
        await house.send(house.link.first(CALL))
        await house.wants(Receipt)


async def test_a_deaf_centre_hears_the_first_and_nothing_after():
    """deaf-after=1."""
    async with running(fault="deaf-after=1") as house:
        await house.send(house.link.first(CALL))
        await house.wants(Receipt)
        await house.send(house.link.first(DRILL))
        await asyncio.sleep(0.3)
        assert 1 == len(house.of(Receipt))


@pytest.mark.parametrize(("password", "kind"), [("open sesame", Receipt), ("wrong", Refusal)])
async def test_a_centre_that_asks_who_calls_takes_only_the_right_password(password, kind):
    """Digest."""
    async with running(password="open sesame", login=Login(username="x", password=password)) as house:
        for number in (7, 9):
            await house.send(house.link.first(admitted(order(number), place="x", at=AT)))
        await house.wants(kind, 2)
        assert (kind is Receipt) == bool(house.screen.calls)


async def test_a_person_s_answer_is_said_again_until_the_school_has_it():
    """An answer while the line is down reaches the school once it is back."""
    async with running(heartbeat=0.4) as house:
        await house.send(house.link.first(CALL))
        await house.wants(Receipt)
        house.end.fault = Fault(name="cut")
        await house.wants(Lost)
        house.screen.acknowledge(7, "T1")
        house.end.fault = None
        await house.wants(PersonAnswered)
        await until(lambda: house.screen.calls[7].told)


async def test_it_also_speaks_tls(tmp_path: Path):
    """With a certificate of its own."""
    write_certificate(tmp_path, "esrp.example")
    async with running(tls=tmp_path) as house:
        await house.send(house.link.first(CALL))
        await house.wants(Receipt)
        house.screen.acknowledge(7, "T1")
        await house.wants(PersonAnswered)


def centre():
    """A centre without a wire."""
    return SIPCentre(
        name="sip", clock=SystemClock(), random_bytes=Random(1).randbytes, screen=Screen(now=lambda: 0.0)
    )


def test_the_sample_message_is_practice_at_a_live_service_and_none_of_ours():
    """425 with 102; nothing stands on the screen."""
    one = centre()
    response = one.answer(sip.decode(SAMPLE))

    assert (425, "102") == (response.status, sip.header(response, "AlertMsg-Error")[:3])
    assert {} == one.screen.calls


def test_what_is_no_call_is_answered_as_the_standards_say():
    """Another service, another method, no alert, a missing header, an ACK."""
    one = centre()
    message = sip.decode(SAMPLE)

    def with_(**changes):
        fields = {"method": "MESSAGE", "uri": message.uri, "headers": message.headers, "body": message.body}
        return one.answer(Request(**(fields | changes)))

    assert 404 == with_(uri="sip:someone@county.example").status
    assert 405 == with_(method="INVITE").status
    assert 200 == with_(method="OPTIONS").status
    assert 425 == with_(body=b"").status
    assert 400 == with_(headers=message.headers[:3]).status
    assert with_(method="ACK") is None


def test_spoilt_messages_never_become_a_call_of_something_else():
    """1,000 of them: each is answered or dropped; what is shown is what was sent."""
    one, random = centre(), Random(3)
    link = SIPLink(name="sip", school=SCHOOL, domain=DOMAIN, lines=[])
    frame = link.first(CALL)
    for _ in range(1_000):
        for each in Decoder().feed(mutated(random, frame.octets)):
            if isinstance(each, Request):
                one.answer(each)

    shown = {(call.number, call.key, call.place, call.kind) for call in one.screen.calls.values()}
    assert {(7, "ZZ000007", "B 204", "panic")} == shown


def test_an_end_is_made_from_what_the_command_line_says(tmp_path: Path):
    """HOST:PORT, a certificate, a password's file."""
    secret = tmp_path / "password"
    secret.touch(mode=0o600)
    secret.write_text("x\n")

    def given(address, key_file=None):
        return Given(
            name="sip",
            address=address,
            key_file=key_file,
            us="",
            them="",
            random=Random(1),
            clock=SystemClock(),
        )

    assert "127.0.0.1:0" == end_from(given("127.0.0.1:0", secret)).address
    for address in ("127.0.0.1:0?certificate=x", "127.0.0.1:0?colour=x", ":x"):
        with pytest.raises(SettingsError):
            end_from(given(address))
