"""The EIDO link and the county's end of it, over real WebSockets, with TLS and client certificates too."""

import asyncio
import contextlib
import json
import os
import socket

import aiohttp
import pytest
from aiohttp import WSMsgType
from msgspec.structs import replace

from belltower.clock import Instant, SystemClock
from belltower.errors import Unreachable
from belltower.ids import LinkName
from belltower.incident.facts import Mode, ReceiptLevel, ResponseStatus, UpdateKind
from gateway.county.eido import EIDOEnd
from gateway.county.end import Fault
from gateway.county.screen import Screen
from gateway.psap.eido import conveyance, document, writing
from gateway.psap.eido_link import EIDOLink
from gateway.psap.eido_sockets import WebDial, WebDoor, client_tls, server_tls
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
    more_of,
)
from tests.gateway.psap.test_eido_documents import ISSUER, a_call, an_update
from tests.peers.certificates import Authority
from tests.peers.waiting import PATIENCE, until

PATH = "/IncidentData/Ent"


class Book:
    """Addresses that are numbers already."""

    def watch(self, host):
        pass

    def of(self, host):
        return host


class Wired:
    """A link, a county's end and what the link reports; each side is started and stopped by itself."""

    def __init__(self, *, authority=None, exercise=False, heartbeat=30.0) -> None:
        self.authority = authority
        self.scheme = "wss" if authority else "ws"
        self.heard = []
        self.answers = True
        self.clock = SystemClock()
        self.screen = Screen(now=asyncio.get_running_loop().time)
        self.tasks = {}
        tls = client = None
        if authority is not None:
            school, cad, ca = (
                authority.issue("127.0.0.1", "belltower.lincolnhs.example"),
                authority.issue("127.0.0.1", "cad.county.example"),
                authority.path,
            )
            tls = lambda: server_tls(*school, ca)  # noqa: E731
            client = lambda: client_tls(ca, *cad)  # noqa: E731
        self.door = WebDoor(
            bind="127.0.0.1",
            port=0,
            path=PATH,
            tls=tls,
            client_names=frozenset({"cad.county.example", "recorder.county.example"} if authority else ()),
        )
        self.link = EIDOLink(
            name=LinkName("cad"),
            issuer=ISSUER,
            door=self.door,
            clock=self.clock,
            random_bytes=os.urandom,
            dial=self.dial_county,
            centre_names=frozenset({"cad.county.example"} if authority else ()),
            heartbeat=heartbeat,
            exercise=exercise,
        )
        self.end_door = WebDoor(bind="127.0.0.1", port=0, path=PATH, tls=tls)
        self.end = EIDOEnd(
            name="eido",
            dial=self.dial_school,
            door=self.end_door,
            scheme=self.scheme,
            path=PATH,
            clock=self.clock,
            random_bytes=os.urandom,
        )
        self.client = client

    def url(self, door):
        """Where a door is."""
        return f"{self.scheme}://127.0.0.1:{door.port}{PATH}"

    async def dial(self, door):
        """A WebSocket to a door."""
        if not door.port:
            raise Unreachable("not open yet")
        return await WebDial(url=self.url(door), host="127.0.0.1", addresses=Book(), tls=self.client)()

    async def dial_county(self):
        return await self.dial(self.end_door)

    async def dial_school(self):
        return await self.dial(self.door)

    def report(self, heard):
        """Note what the link heard; what people say is written down at once."""
        self.heard.append(heard)
        if isinstance(heard, PersonAnswered | ReadBack):
            written = asyncio.get_running_loop().create_future()
            written.set_result(self.answers)
            return written
        return None

    def of(self, *kinds):
        """What was heard of these kinds."""
        return [each for each in self.heard if isinstance(each, kinds)]

    def start(self, *sides):
        """Run the link, the end, or both."""
        for side in sides or ("link", "end"):
            work = self.link.run(self.report) if side == "link" else self.end.run(self.screen)
            self.tasks[side] = asyncio.get_running_loop().create_task(work)

    async def stop(self, *sides):
        """End a side, which must honour it within a second."""
        for side in sides or tuple(self.tasks):
            task = self.tasks.pop(side)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=PATIENCE)
            assert {task} == done
            assert task.cancelled()

    async def subscribed(self):
        """Both subscriptions stand."""
        await until(lambda: self.of(Opened) and self.end.subscribed.is_set())
        await until(lambda: self.end._notifiers and next(iter(self.end._notifiers)).subscribed)


@contextlib.asynccontextmanager
async def wired(**options):
    """Both sides, running and subscribed to each other."""
    house = Wired(**options)
    house.start()
    try:
        await house.subscribed()
        yield house
    finally:
        await house.stop()
        assert {asyncio.current_task()} == asyncio.all_tasks()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """One that both sides trust."""
    return Authority(tmp_path_factory.mktemp("eido-ca"))


@pytest.fixture(params=["plain", "certificates"])
def trust(request):
    """Without and with TLS and certificates on both sides."""
    return request.getfixturevalue("authority") if request.param == "certificates" else None


async def test_a_call_goes_out_is_receipted_and_what_people_do_comes_back(trust):
    """Call, receipt by the system; person, enroute, on scene, closed."""
    async with wired(authority=trust) as house:
        call = a_call(now=house.clock)
        frame = house.link.first(call)
        assert await house.link.send(frame)
        await until(lambda: house.of(Receipt))
        assert [Receipt(frame=frame.id, level=ReceiptLevel.SYSTEM)] == house.of(Receipt)
        shown = house.screen.calls[7]
        assert ("B 204", "panic", "ZZ000007", False, 12) == (
            shown.place,
            shown.kind,
            shown.key,
            shown.exercise,
            shown.incident,
        )
        house.screen.acknowledge(7, "POS-3")
        await until(lambda: house.of(PersonAnswered))
        assert PersonAnswered(number=7, key="ZZ000007", by="POS-3") == house.of(PersonAnswered)[0]
        await until(lambda: shown.told)
        for status in ("assigned", "enroute", "onscene", "closed"):
            house.screen.status(7, status)
        await until(lambda: 4 == len(house.of(ResponseSaid)))
        assert [ResponseSaid(number=7, key="ZZ000007", status=each) for each in ResponseStatus] == house.of(
            ResponseSaid
        )
        assert [Opened(), Answered()] == house.of(Opened, Answered, Lost)


async def test_further_alarms_updates_and_a_read_back():
    """Each is receipted by itself; what was said before stays said; the read-back comes from a person only."""
    async with wired() as house:
        call = a_call(now=house.clock)
        more = house.link.more(more_of([(call, ((2, 9), (11, 11)))]))
        cancel = house.link.update(an_update(call, UpdateKind.CANCEL))
        for frame in (house.link.first(call), more, cancel):
            assert await house.link.send(frame)
        await until(lambda: 3 == len(house.of(Receipt)))
        shown = house.screen.calls[7]
        assert (((1, 9), (11, 11)), "cancel") == (shown.presses, shown.asked)
        assert [] == house.of(ReadBack)
        house.screen.read_back(7, "T9")
        await until(lambda: house.of(ReadBack))
        assert ReadBack(number=7, update=1, key="ZZ000007", by="T9") == house.of(ReadBack)[0]
        assert more.id != cancel.id
        assert writing.UNSTAMPED.encode() in more.octets


async def test_a_read_back_of_the_first_update_is_not_one_of_the_second():
    """What the county says again after a second correction still names the first, until a person reads that back."""
    async with wired() as house:
        call = a_call(now=house.clock)
        first = an_update(call, UpdateKind.PLACE, Spot(spoken="Gym"))
        second = replace(first, order=replace(first.order, update=2), spot=Spot(spoken="Hall"))
        assert await house.link.send(house.link.first(call))
        assert await house.link.send(house.link.update(first))
        await until(lambda: 2 == len(house.of(Receipt)))
        house.screen.read_back(7, "T9")
        await until(lambda: house.of(ReadBack))
        assert await house.link.send(house.link.update(second))
        await until(lambda: 3 == len(house.of(Receipt)))
        house.screen.status(7, "enroute")
        await until(lambda: house.of(ResponseSaid))
        assert {1} == {each.update for each in house.of(ReadBack)}
        house.screen.read_back(7, "T9")
        await until(lambda: {1, 2} == {each.update for each in house.of(ReadBack)})


async def test_a_corrected_place_is_the_current_one():
    """And the old one is kept as the first."""
    async with wired() as house:
        call = a_call(now=house.clock)
        await house.link.send(house.link.first(call))
        await until(lambda: 7 in house.screen.calls)
        await house.link.send(house.link.update(an_update(call, UpdateKind.PLACE, Spot(spoken="Gym"))))
        await until(lambda: "Gym" == house.screen.calls[7].place)
        assert "B 204" == house.screen.calls[7].was


async def test_further_alarms_do_not_take_a_correction_back():
    """Each document is the whole state: the new place, and the presses that came after it."""
    async with wired() as house:
        call = a_call(now=house.clock)
        for frame in (
            house.link.first(call),
            house.link.update(an_update(call, UpdateKind.PLACE, Spot(spoken="Gym"))),
            house.link.more(more_of([(call, ((2, 3),))])),
        ):
            assert await house.link.send(frame)
        await until(lambda: 3 == len(house.of(Receipt)))
        shown = house.screen.calls[7]
        assert ("Gym", ((1, 3),)) == (shown.place, shown.presses)


async def test_an_incident_that_ended_is_told_to_no_new_subscriber():
    """Its document is gone as well."""
    async with alone() as house:
        call = a_call(now=house.clock)
        house.link.first(call)
        assert 1 == len(house.link._standing.active())
        house.link.ended(call)
        assert ([], None) == (
            house.link._standing.active(),
            house.link._standing.fetch(writing.incident_id(writing.name_of(call), ISSUER.element)),
        )


async def test_the_test_of_the_link_never_looks_like_a_call():
    """An empty event, marked in its transaction, receipted by the system."""
    async with wired() as house:
        frame = house.link.test(LinkTest(number=3, key="ABCDEFGH", at=Instant(0)))
        assert await house.link.send(frame)
        await until(lambda: house.of(Receipt))
        assert [Receipt(frame=frame.id, level=ReceiptLevel.SYSTEM)] == house.of(Receipt)
        assert ([(3, "ABCDEFGH")], {}) == (
            [(each.number, each.key) for each in house.screen.tests],
            dict(house.screen.calls),
        )


async def test_an_agreed_exercise_is_shown_as_one():
    """By id, type and words."""
    async with wired(exercise=True) as house:
        assert house.link.traits.exercise
        assert await house.link.send(house.link.first(a_call(mode=Mode.EXERCISE, now=house.clock)))
        await until(lambda: 7 in house.screen.calls)
        assert house.screen.calls[7].exercise


async def test_a_system_that_comes_back_is_told_of_every_active_call():
    """Killed and started again, on the same socket address; the link says lost and opened."""
    async with wired() as house:
        assert await house.link.send(house.link.first(a_call(now=house.clock)))
        await until(lambda: house.of(Receipt))
        await house.stop("end")
        await until(lambda: house.of(Lost))
        await until(lambda: "responders are not heard of" in house.link.detail)
        assert not await house.link.send(house.link.first(a_call(8, now=house.clock)))
        house.screen.calls.clear()
        house.end.ready.clear()
        house.start("end")
        await until(lambda: {7, 8} == set(house.screen.calls))
        await until(lambda: not house.link.detail)
        assert [Opened, Answered, Lost, Opened, Answered] == [
            type(each) for each in house.of(Opened, Answered, Lost)
        ]


async def test_a_school_that_starts_again_is_told_what_responders_do():
    """The subscription is made anew; the answer, the status and the person come again."""
    async with wired() as house:
        assert await house.link.send(house.link.first(a_call(now=house.clock)))
        await until(lambda: house.of(Receipt))
        await house.stop("link")
        house.screen.acknowledge(7, "T1")
        house.screen.status(7, "enroute")
        house.heard.clear()
        house.start("link")
        await until(lambda: house.of(ResponseSaid) and house.of(PersonAnswered))
        assert ResponseStatus.ENROUTE is house.of(ResponseSaid)[0].status


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("silent", []),
        ("wrong-id", []),
        ("busy", []),
        ("cut", []),
        ("deaf-after=1", []),
        ("negative", [Refusal]),
        ("duplicate-ack", [Receipt]),
        ("late=0.3", [Receipt]),
    ],
)
async def test_each_fault_of_the_centre_is_told_as_what_it_is(fault, expected):
    """Silence, a wrong id and no time are no receipt; a refusal is one; twice is once."""
    async with wired() as house:
        house.end.fault = Fault.parse(fault, house.end.faults)
        heard = house.end.heard
        frame = house.link.first(a_call(now=house.clock))
        assert await house.link.send(frame)
        await until(lambda: house.end.heard > heard)
        if expected:
            await until(lambda: house.of(Receipt, Refusal))
        else:
            await asyncio.sleep(0.1)
        assert expected == [type(each) for each in house.of(Receipt, Refusal)]
        assert {frame.id} >= {each.frame for each in house.of(Receipt, Refusal)}
        if fault in ("busy", "wrong-id", "silent", "deaf-after=1"):
            house.end.fault = None
            house.end.heard = 0
            assert await house.link.send(frame)
            await until(lambda: house.of(Receipt))


async def test_a_half_open_system_is_known_within_its_heartbeats():
    """It takes the connection and reads no more: lost after two and a half heartbeats."""
    async with wired(heartbeat=1.0) as house:
        house.end.fault = Fault.parse("half-open", house.end.faults)
        await until(lambda: house.of(Lost))
        assert 2.5 == house.link.traits.supervision


async def test_a_call_nobody_knows_is_not_confirmed_to_the_person_who_took_it():
    """The school answers 400, and the screen does not say that the school knows."""
    async with wired() as house:
        house.answers = False
        assert await house.link.send(house.link.first(a_call(now=house.clock)))
        await until(lambda: 7 in house.screen.calls)
        house.screen.acknowledge(7, "T1")
        await until(lambda: house.of(PersonAnswered))
        await asyncio.sleep(0.05)
        assert not house.screen.calls[7].told


# ---- who may come in, and what they may do


@contextlib.asynccontextmanager
async def alone(**options):
    """The link only, its door open."""
    house = Wired(**options)
    house.start("link")
    try:
        await until(lambda: house.door.port)
        yield house
    finally:
        await house.stop()


async def test_one_incident_can_be_fetched_by_its_id_and_others_are_404():
    """As NENA-STA-024.1, 2.7 has it."""
    async with alone() as house, aiohttp.ClientSession() as session:
        call = a_call(now=house.clock)
        frame = house.link.first(call)
        id_ = writing.incident_id(writing.name_of(call), ISSUER.element)
        base = house.url(house.door).replace("ws", "http", 1)
        async with session.get(f"{base}/{id_}") as found:
            assert (200, document.MEDIA_TYPE) == (found.status, found.content_type)
            assert json.loads(frame.octets)[0] == json.loads(await found.read())
        async with session.get(f"{base}/urn:emergency:uid:incidentid:C9-I9-K00000000:x") as found:
            assert 404 == found.status


async def test_a_socket_without_the_subprotocol_is_refused():
    """400, and the words say what is needed."""
    async with alone() as house, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(house.url(house.door))
        assert 400 == refused.value.status


async def test_only_certificates_of_our_authority_and_of_expected_names_come_in(authority, tmp_path):
    """Another authority's fails in TLS, a stranger of ours gets 401, none at all fails in TLS."""
    stranger = Authority(tmp_path).issue("127.0.0.1", "cad.county.example")
    unexpected = authority.issue("127.0.0.1", "printer.county.example")
    async with alone(authority=authority) as house:
        for pair, status in ((stranger, 0), ((None, None), 0), (unexpected, 401)):
            async with aiohttp.ClientSession() as session:
                with pytest.raises(aiohttp.ClientError) as refused:
                    socket_ = await session.ws_connect(
                        house.url(house.door),
                        protocols=(conveyance.SUBPROTOCOL,),
                        ssl=client_tls(authority.path, *pair),
                    )
                    if (await socket_.receive()).type is WSMsgType.CLOSED:
                        raise aiohttp.ClientConnectionError
                assert status == getattr(refused.value, "status", 0)
        assert [] == house.of(Opened)


async def test_only_the_centre_s_own_systems_settle_a_call(authority):
    """A recorder has it and says 200; the CAD answers 503: that is no receipt, and the recorder alone is no link."""
    recorder = authority.issue("127.0.0.1", "recorder.county.example")
    async with alone(authority=authority) as house, aiohttp.ClientSession() as session:
        socket_ = await session.ws_connect(
            house.url(house.door),
            protocols=(conveyance.SUBPROTOCOL,),
            ssl=client_tls(authority.path, *recorder),
        )
        await socket_.send_str('{"subscribe":{"requestId":"r","requestType":"EIDO"}}')
        await socket_.receive(timeout=PATIENCE)
        assert [] == house.of(Opened)
        frame = house.link.first(a_call(now=house.clock))
        assert not await house.link.send(frame)
        house.end.fault = Fault.parse("busy", house.end.faults)
        house.start("end")
        await until(lambda: house.of(Opened))
        assert await house.link.send(frame)
        while not (event := (await socket_.receive_json(timeout=PATIENCE))["event"])["notification"]:
            pass
        answer = {"transactionId": event["transactionId"], "statusCode": 200, "statusText": "OK"}
        await socket_.send_str(json.dumps({"eventResponse": answer}))
        await until(lambda: house.link.counts["others"] > 1 and house.link.counts["busy"])
        assert [] == house.of(Receipt)
        house.end.fault = None
        assert await house.link.send(frame)
        await until(lambda: house.of(Receipt))


async def test_silent_sockets_do_not_shut_the_door(monkeypatch):
    """Eight that say nothing: the ninth comes in at once, and the others are cut off after a while."""
    protocols = (conveyance.SUBPROTOCOL,)
    async with alone() as house, aiohttp.ClientSession() as session:
        silent = [await session.ws_connect(house.url(house.door), protocols=protocols) for _ in range(8)]
        house.start("end")
        await house.subscribed()
        assert WSMsgType.TEXT is not (await silent[0].receive(timeout=PATIENCE)).type
        assert 1 == house.link.counts["silent"]
        monkeypatch.setattr("gateway.psap.eido_link.SUBSCRIBED_WITHIN", 0.05)
        late = await session.ws_connect(house.url(house.door), protocols=protocols)
        assert WSMsgType.TEXT is not (await late.receive(timeout=PATIENCE)).type
        assert [] == house.of(Lost)


async def test_a_message_beyond_65536_octets_ends_the_socket_and_one_of_just_that_many_does_not():
    """1009, message too big."""
    async with alone() as house, aiohttp.ClientSession() as session:
        request = {"subscribe": {"requestId": "r", "requestType": "EIDO", "qualFilter": ""}}
        for size, taken in ((65_536, True), (65_537, False)):
            async with session.ws_connect(
                house.url(house.door), protocols=(conveyance.SUBPROTOCOL,)
            ) as socket_:
                request["subscribe"]["qualFilter"] = ""
                request["subscribe"]["qualFilter"] = "x" * (size - len(json.dumps(request)))
                await socket_.send_str(json.dumps(request))
                said = await socket_.receive(timeout=PATIENCE)
                assert taken is (said.type is WSMsgType.TEXT)
                if not taken:
                    assert 1009 == socket_.close_code


def flood(port, message):
    """Connect by hand and send as fast as the line takes it, until we are cut off."""
    octets = message.encode()
    frame = bytes((0x81, 0x80 | len(octets))) + bytes(4) + octets
    with socket.create_connection(("127.0.0.1", port)) as line, contextlib.suppress(OSError):
        line.sendall(
            f"GET {PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: MDAwMDAwMDAwMDAwMDAwMA==\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {conveyance.SUBPROTOCOL}\r\n\r\n".encode()
        )
        line.recv(4096)
        for _ in range(10_000):
            line.sendall(frame * 1_000)
        return False
    return True


async def test_a_flooding_and_a_hung_system_delay_nobody_else():
    """Some flood and are cut, one never reads; a call still leaves to the good one at once, and the loop runs."""
    async with wired() as house, aiohttp.ClientSession() as session:
        protocols = (conveyance.SUBPROTOCOL,)
        hung = await session.ws_connect(house.url(house.door), protocols=protocols)
        await hung.send_str(json.dumps({"subscribe": {"requestId": "r", "requestType": "EIDO"}}))
        await hung.receive(timeout=PATIENCE)
        transport = hung._response.connection.transport
        transport.pause_reading()
        loop = asyncio.get_running_loop()

        async def usual_delay() -> float:
            """What most of thirty calls waited until they had left and the loop had gone round."""
            waits = []
            for number in range(1, 31):
                begun = loop.time()
                assert await house.link.send(house.link.first(a_call(number, now=house.clock)))
                await asyncio.sleep(0)
                waits.append(loop.time() - begun)
            return sorted(waits)[20]

        quiet = await usual_delay()
        for message in ('{"subscribe":{"requestId":"r"}}', "{}"):
            flooding = loop.run_in_executor(None, flood, house.door.port, message)
            assert await usual_delay() < 0.1 + 2 * quiet
            assert await flooding
        await until(lambda: 30 == len({each.frame for each in house.of(Receipt)}))
        transport.abort()


async def test_a_port_that_is_taken_is_said_and_taken_when_it_is_free():
    """Lost, then open within two seconds and a bit."""
    holder = Wired()
    holder.start("link")
    await until(lambda: holder.door.port)
    house = Wired()
    house.door._port = holder.door.port
    house.start("link")
    await until(lambda: house.of(Lost))
    assert "cannot be listened on" in house.of(Lost)[0].reason
    await holder.stop()
    await until(lambda: house.door._runner is not None and house.door._runner.addresses)
    await house.stop()
