"""Calls by SIP: where a frame goes, what each answer makes of it, and how people answer."""

import asyncio
from contextlib import asynccontextmanager
from random import Random

import pytest

from belltower.incident.facts import Mode, ReceiptLevel, ResponseStatus, UpdateKind, UpdateOrdered
from gateway.psap import cap, sip_alert, sip_answer, sip_request
from gateway.psap.cap import MessageType
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
    admitted,
    more_of,
    update_of,
)
from gateway.psap.sip_alert import LiveMessage, LiveService, PracticeMessage, PracticeService
from hardware.codecs import multipart, sip, sip_digest
from hardware.codecs.sip import Request
from hardware.codecs.sip_digest import Challenge
from tests.gateway.psap.house import order
from tests.peers.mutation import mutated
from tests.peers.sip_server import (
    AT,
    CAMPUS,
    PASSWORD,
    SCHOOL,
    SPOT,
    SIPServer,
    branch,
    link,
    response,
)
from tests.peers.virtual_time import in_virtual_time

CALL = admitted(order(7), place="B 204", spot=SPOT, at=AT)
DRILL = admitted(order(8, mode=Mode.EXERCISE, accepted=True), place="B 204", spot=SPOT, at=AT)
TEST = LinkTest(number=3, key="ABCD1234", at=AT)


class House:
    """A link, its servers, and what it reported."""

    def __init__(self, link_, servers):
        self.link = link_
        self.servers = servers
        self.heard = []
        self.writings = {}

    def report(self, heard):
        self.heard.append(heard)
        if isinstance(heard, PersonAnswered | ReadBack):
            future = asyncio.get_running_loop().create_future()
            self.writings[type(heard)] = future
            return future
        return None

    def of(self, kind):
        return [each for each in self.heard if isinstance(each, kind)]


@asynccontextmanager
async def running(*servers, **options):
    """A link that runs, with its servers."""
    house = House(link(*(server.cable for server in servers), **options), servers)
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(server.run()) for server in servers]
    tasks.append(loop.create_task(house.link.run(house.report)))
    await asyncio.sleep(0.5)
    try:
        yield house
    finally:
        for task in tasks:
            task.cancel()
        done, _ = await asyncio.wait(tasks)
        for task in done:
            if not task.cancelled() and task.exception() is not None:
                raise task.exception()


def alert_of(request):
    return sip_request.carried(request).alert


def test_a_receipt_is_the_system_s_and_the_frame_is_whole():
    """RFC 8876: URN, headers, both parts found by their cid, blocks, CR LF at the end of every line."""

    async def story():
        server = SIPServer()
        async with running(server) as house:
            frame = house.link.first(CALL)
            assert await house.link.send(frame)
            await asyncio.sleep(1)

        (message,) = server.messages
        said = sip_request.carried(message)
        assert [Receipt(frame=frame.id, level=ReceiptLevel.SYSTEM)] == house.of(Receipt)
        assert [] == house.of(PersonAnswered)
        assert ("MESSAGE", "urn:service:sos") == (message.method, message.uri)
        assert "<urn:service:sos>" == sip.header(message, "To")
        assert "<sips:esrp1.example:5061;lr>" == sip.header(message, "Route")
        assert sip.header(message, "Via").startswith("SIP/2.0/TLS lincoln.example;branch=z9hG4bK")
        assert "emergency" == sip.header(message, "Priority")
        assert ("Actual", "Private", "lincoln-C7-ZZ000007") == (
            said.alert.status.value,
            said.alert.scope.value,
            said.alert.identifier,
        )
        assert () == said.notes
        assert "B 204" == dict(said.locations[0].civic)["LOC"]
        assert 4 == len(said.blocks)
        assert (str(CALL.order.incident),) == said.alert.incidents
        assert server.octets.count(b"\n") == server.octets.count(b"\r\n") == server.octets.count(b"\r")

    in_virtual_time(story())


def test_every_cid_in_the_headers_has_its_part_and_every_part_its_header():
    """In both directions, for every kind of frame."""
    link_ = link(SIPServer().cable)
    cancelled = UpdateOrdered(
        call=CALL.order.call, incident=CALL.order.incident, update=1, kind=UpdateKind.CANCEL
    )
    frames = [
        link_.first(CALL),
        link_.first(DRILL),
        link_.more(more_of([(CALL, ((2, 9), (11, 11)))])),
        link_.update(update_of(CALL, cancelled, spot=None)),
        link_.test(TEST),
    ]
    for frame in frames:
        message = sip.decode(frame.octets)
        parts = sip_request.parts_of(message)
        assert [value for _, value in sip_request.references(message)] != []
        assert {value for _, value in sip_request.references(message)} == {part.content_id for part in parts}
        bare = sip_request.bare(message)
        assert 2 == len(sip_request.parts_of(bare)) == len(sip_request.references(bare))
        assert () == sip_request.carried(bare).notes
        assert () == cap.check(sip_request.carried(message).alert)


def test_what_is_real_and_what_is_practice_cannot_be_mixed():
    """Neither type can be made with the other's service or status; the request's URN follows from the type."""
    live, drill = sip_alert.call_message(SCHOOL, CALL), sip_alert.call_message(SCHOOL, DRILL)

    assert (LiveMessage, PracticeMessage) == (type(live), type(drill))
    for kind, service, alert in (
        (LiveMessage, PracticeService.SOS, live.alert),
        (LiveMessage, LiveService.SOS, drill.alert),
        (PracticeMessage, LiveService.SOS, drill.alert),
        (PracticeMessage, PracticeService.SOS, live.alert),
    ):
        with pytest.raises(ValueError, match="service"):
            kind(service=service, alert=alert)
    link_ = link(SIPServer().cable)
    uris = [
        sip.decode(frame.octets).uri for frame in (link_.first(CALL), link_.first(DRILL), link_.test(TEST))
    ]
    assert ["urn:service:sos", "urn:service:test.sos", "urn:service:test.sos"] == uris
    drilled, tested = (
        alert_of(sip.decode(link_.first(DRILL).octets)),
        alert_of(sip.decode(link_.test(TEST).octets)),
    )
    assert ("Exercise", "Test") == (drilled.status.value, tested.status.value)
    assert drilled.infos[0].headline.startswith("EXERCISE EXERCISE EXERCISE")
    police = link(SIPServer().cable, service=LiveService.POLICE)
    assert "urn:service:sos.police" == sip.decode(police.first(CALL).octets).uri
    assert "urn:service:test.sos.police" == sip.decode(police.first(DRILL).octets).uri


def test_five_hundred_frames_live_and_exercise_in_turn_never_leave_as_the_other():
    """By what stands on the wire."""
    link_ = link(SIPServer().cable)
    for number in range(1, 501):
        exercise = number % 2 == 0
        mode = {"mode": Mode.EXERCISE, "accepted": True} if exercise else {}
        call = admitted(order(number, **mode), place="x", spot=SPOT, at=AT)
        octets = link_.first(call).octets
        assert exercise == octets.startswith(b"MESSAGE urn:service:test.sos SIP/2.0\r\n")
        assert exercise == (b"<status>Exercise</status>" in octets)
        assert exercise != (b"<status>Actual</status>" in octets)


@pytest.mark.parametrize("status", [403, 404, 480, 486, 500, 600, 302])
def test_a_no_goes_to_the_next_server_with_the_same_identifier_under_a_new_branch(status):
    """And the next one's yes is the receipt; no refusal is said."""

    async def story():
        first, second = SIPServer([status]), SIPServer()
        async with running(first, second) as house:
            frame = house.link.first(CALL)
            assert await house.link.send(frame)
            await asyncio.sleep(1)

            assert [Receipt(frame=frame.id, level=ReceiptLevel.SYSTEM)] == house.of(Receipt)
            assert [] == house.of(Refusal)
            (one,), (two,) = first.messages, second.messages
            assert alert_of(one) == alert_of(two)
            assert branch(one) != branch(two)
            assert second.times[0] - first.times[0] < 0.1

    in_virtual_time(story())


def test_silence_for_five_seconds_goes_to_the_next_server():
    """The standard's own timer would take 32 s. The late answer of the first still counts."""

    async def story():
        first, second = SIPServer([None]), SIPServer([None])
        async with running(first, second) as house:
            frame = house.link.first(CALL)
            assert await house.link.send(frame)
            await asyncio.sleep(4.9)
            assert [] == second.messages
            await asyncio.sleep(0.2)
            assert 5.0 == round(second.times[0] - first.times[0], 1)
            assert [] == house.of(Receipt) + house.of(Refusal)
            await first.say(response(first.messages[0], 200, "OK"))
            await asyncio.sleep(0.1)
            assert [Receipt(frame=frame.id, level=ReceiptLevel.SYSTEM)] == house.of(Receipt)

    in_virtual_time(story())


def test_a_server_that_hangs_up_is_followed_at_once_by_the_next():
    """It may have taken it; the same identifier makes that harmless."""

    async def story():
        first, second = SIPServer([None]), SIPServer()
        async with running(first, second) as house:
            assert await house.link.send(house.link.first(CALL))
            await asyncio.sleep(0.2)
            first.cable.pull()
            await asyncio.sleep(0.2)
            assert 1 == len(second.messages)
            assert 1 == len(house.of(Receipt))
            assert [] == house.of(Lost)
            assert await house.link.send(house.link.first(admitted(order(9), place="x", at=AT)))
            await asyncio.sleep(0.1)
            assert 2 == len(second.messages)

    in_virtual_time(story())


def test_when_every_server_says_no_it_is_a_refusal_with_each_reason():
    """Once; and the worker's next try goes round again."""

    async def story():
        servers = SIPServer([403]), SIPServer([488])
        async with running(*servers) as house:
            frame = house.link.first(CALL)
            assert await house.link.send(frame)
            await asyncio.sleep(1)
            (refusal,) = house.of(Refusal)
            assert frame.id == refusal.frame
            assert "403" in refusal.reason
            assert "488" in refusal.reason
            assert await house.link.send(frame)
            await asyncio.sleep(1)
            assert 1 == len(house.of(Receipt))
            assert [2, 1] == [len(server.messages) for server in servers]

    in_virtual_time(story())


def test_a_no_beside_a_silence_is_no_refusal():
    """The silent one may have taken it: that is uncertain."""

    async def story():
        async with running(SIPServer([None]), SIPServer([403])) as house:
            assert await house.link.send(house.link.first(CALL))
            await asyncio.sleep(12)
            assert [] == house.of(Refusal) + house.of(Receipt)

    in_virtual_time(story())


@pytest.mark.parametrize("code", [101, 103])
def test_a_bad_alert_is_rebuilt_once_then_goes_on(code):
    """RFC 8876, section 5.1: the same server gets alert and location alone; its second no is a no."""

    async def story():
        def bad(request):
            return response(request, 425, "Bad Alert Message", (("AlertMsg-Error", f'{code};code="text"'),))

        first, second = SIPServer([bad, bad]), SIPServer()
        async with running(first, second) as house:
            assert await house.link.send(house.link.first(CALL))
            await asyncio.sleep(1)
            assert [2, 1] == [len(server.messages) for server in house.servers]
            full, bare = first.messages
            assert [6, 2] == [len(sip_request.parts_of(each)) for each in (full, bare)]
            assert alert_of(full) == alert_of(bare)
            assert branch(full) != branch(bare)
            assert 1 == len(house.of(Receipt))
            assert 1 == house.link.counts["rebuilt"]

    in_virtual_time(story())


@pytest.mark.parametrize("code", [100, 102, 999])
def test_other_alert_errors_go_to_the_next_server(code):
    """They would say it again."""

    async def story():
        def bad(request):
            return response(request, 425, "Bad Alert Message", (("AlertMsg-Error", str(code)),))

        async with running(SIPServer([bad]), SIPServer()) as house:
            assert await house.link.send(house.link.first(CALL))
            await asyncio.sleep(1)
            assert [1, 1] == [len(server.messages) for server in house.servers]
            assert 0 == house.link.counts["rebuilt"]

    in_virtual_time(story())


def test_retry_after_is_honoured_and_then_the_frame_goes_again():
    """503: the next server at once; the only server when its time is over, and no sooner."""

    async def story():
        def busy(request):
            return response(request, 503, "busy", (("Retry-After", "12 (full);duration=3"),))

        server = SIPServer([busy])
        async with running(server) as house:
            frame = house.link.first(CALL)
            assert await house.link.send(frame)
            await asyncio.sleep(5)
            assert 1 == len(house.of(Refusal))
            assert not await house.link.send(frame)
            await asyncio.sleep(6.5)
            assert 1 == len(server.messages)
            await asyncio.sleep(1)
            assert 2 == len(server.messages)
            assert 12.0 == round(server.times[1] - server.times[0], 1)
            assert 1 == len(house.of(Receipt))

    in_virtual_time(story())


def test_an_absurd_retry_after_silences_no_call_for_more_than_half_a_minute():
    """A day is asked for."""

    async def story():
        def busy(request):
            return response(request, 503, "busy", (("Retry-After", "86400"),))

        server = SIPServer([busy])
        async with running(server) as house:
            assert await house.link.send(house.link.first(CALL))
            await asyncio.sleep(31)
            assert 2 == len(server.messages)

    in_virtual_time(story())


@pytest.mark.parametrize(
    ("status", "offer", "name"),
    [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")],
)
@pytest.mark.parametrize("algorithm", ["", "MD5", "SHA-256"])
def test_who_asks_for_a_password_gets_its_proof_and_later_frames_bring_it_along(
    status, offer, name, algorithm
):
    """Digest; the password itself never leaves."""

    async def story():
        asked = Challenge(realm="county", nonce="n1", algorithm=algorithm, qop=("auth",))

        def challenge(request):
            return response(request, status, "who", ((offer, sip_digest.asking(asked)),))

        server = SIPServer([challenge])
        async with running(server, login=True) as house:
            assert await house.link.send(house.link.first(CALL))
            await asyncio.sleep(0.5)
            assert await house.link.send(house.link.first(admitted(order(9), place="x", at=AT)))
            await asyncio.sleep(0.5)

        assert 2 == len(house.of(Receipt))
        assert 3 == len(server.messages)
        counts = []
        for request in server.messages[1:]:
            said = sip_digest.credentials(sip.header(request, name))
            assert sip_digest.proven(said, password=PASSWORD, method="MESSAGE")
            counts.append(said.count)
        assert ["00000001", "00000002"] == counts
        assert PASSWORD.encode() not in server.octets

    in_virtual_time(story())


def test_a_password_that_is_refused_is_tried_once_and_a_stale_nonce_again():
    """No endless asking."""

    async def story():
        def challenge(nonce, *, stale=False):
            value = sip_digest.asking(Challenge(realm="county", nonce=nonce, stale=stale))
            return lambda request: response(request, 401, "who", (("WWW-Authenticate", value),))

        wrong = SIPServer([challenge("a"), challenge("b"), challenge("c")])
        async with running(wrong, login=True) as house:
            assert await house.link.send(house.link.first(CALL))
            await asyncio.sleep(1)
            assert 2 == len(wrong.messages)
            assert 1 == len(house.of(Refusal))
        stale = SIPServer([challenge("a"), challenge("b", stale=True)])
        async with running(stale, login=True) as house:
            assert await house.link.send(house.link.first(CALL))
            await asyncio.sleep(1)
            assert 3 == len(stale.messages)
            assert 1 == len(house.of(Receipt))
        nobody = SIPServer([challenge("a")])
        async with running(nobody) as house:
            assert await house.link.send(house.link.first(CALL))
            await asyncio.sleep(1)
            assert 1 == len(nobody.messages)
            assert 1 == len(house.of(Refusal))

    in_virtual_time(story())


def test_answers_to_something_else_are_no_receipt():
    """Another branch, Call-ID, number or method; a provisional answer; an answer said twice."""

    async def story():
        def wrong(request):
            good = response(request, 200, "OK")
            changed = {
                "Via": sip.header(good, "Via").replace("z9hG4bK", "z9hG4bKx"),
                "Call-ID": "other@x",
                "CSeq": "99 MESSAGE",
            }
            odd = [
                response(request, 200, "OK").__class__(
                    status=200, reason="OK", headers=sip.replaced(good.headers, {name: value})
                )
                for name, value in (*changed.items(), ("CSeq", "1 OPTIONS"))
            ]
            return [response(request, 100, "Trying"), *odd]

        def twice(request):
            return [response(request, 200, "OK"), response(request, 200, "OK")]

        server = SIPServer([wrong, twice])
        async with running(server) as house:
            frame = house.link.first(CALL)
            assert await house.link.send(frame)
            await asyncio.sleep(2)
            assert [] == house.of(Receipt)
            assert await house.link.send(frame)
            await asyncio.sleep(1)
            assert 1 == len(house.of(Receipt))

    in_virtual_time(story())


def test_a_geolocation_error_is_noted():
    """RFC 6442: it changes nothing about the alert."""

    async def story():
        def unhappy(request):
            return response(
                request, 200, "OK", (("Geolocation-Error", '100;code="Cannot Process Location"'),)
            )

        async with running(SIPServer([unhappy])) as house:
            assert await house.link.send(house.link.first(CALL))
            await asyncio.sleep(1)
            assert 1 == len(house.of(Receipt))
            assert 1 == house.link.counts["geolocation"]

    in_virtual_time(story())


def answered(alert, *, type_=MessageType.ACK, note="by T12", number=1):
    """The centre's MESSAGE about one of our alerts."""
    said = sip_answer.written(
        alert, type_=type_, note=note, identifier=f"psap-{number}", sender="psap@county.example", at=AT
    )
    headers = (
        ("Via", f"SIP/2.0/TLS county.example;branch=z9hG4bKpsap{number}"),
        ("Max-Forwards", "70"),
        ("From", "<sip:psap@county.example>;tag=1"),
        ("To", "<sip:school@lincoln.example>"),
        ("Call-ID", f"{number}@county.example"),
        ("CSeq", "1 MESSAGE"),
    )
    return sip_answer.request(said, headers, "sip:school@lincoln.example")


def test_a_person_s_answer_is_confirmed_once_it_is_written_down():
    """On the same connection; False is 404, and a write that fails is not answered, so that it is said again."""

    async def story():
        server = SIPServer()
        async with running(server) as house:
            assert await house.link.send(house.link.first(CALL))
            await asyncio.sleep(0.5)
            alert = alert_of(server.messages[0])
            for number, (outcome, status) in enumerate([(True, 200), (False, 404), (None, None)], start=1):
                await server.say(answered(alert, number=number))
                await asyncio.sleep(0.5)
                assert len(server.responses) == number - 1
                written = house.writings[PersonAnswered]
                written.cancel() if outcome is None else written.set_result(outcome)
                await asyncio.sleep(0.5)
                assert status in (None, server.responses[-1].status)
                assert len(server.responses) == (number if status else number - 1)
            assert [PersonAnswered(number=7, key="ZZ000007", by="T12")] * 3 == house.of(PersonAnswered)
            assert "1@county.example" == sip.header(server.responses[0], "Call-ID")

    in_virtual_time(story())


def test_a_read_back_refers_to_the_update_and_a_status_to_the_call():
    """The same small form."""

    async def story():
        server = SIPServer()
        async with running(server) as house:
            cancelled = UpdateOrdered(
                call=CALL.order.call, incident=CALL.order.incident, update=2, kind=UpdateKind.CANCEL
            )
            frame = house.link.update(update_of(CALL, cancelled, spot=None))
            assert await house.link.send(frame)
            await asyncio.sleep(0.5)
            update = alert_of(server.messages[0])
            assert ("Cancel", ("lincoln-C7-ZZ000007",)) == (
                update.type.value,
                tuple(each.identifier for each in update.references),
            )
            await server.say(answered(update, note="by POS-4"))
            await asyncio.sleep(0.5)
            house.writings[ReadBack].set_result(True)
            call = alert_of(sip.decode(house.link.first(CALL).octets))
            await server.say(answered(call, type_=MessageType.UPDATE, note="status enroute", number=2))
            await asyncio.sleep(0.5)

            assert [200, 200] == [each.status for each in server.responses]
            assert [ReadBack(number=7, key="ZZ000007", by="POS-4")] == house.of(ReadBack)
            assert [ResponseSaid(number=7, key="ZZ000007", status=ResponseStatus.ENROUTE)] == house.of(
                ResponseSaid
            )

    in_virtual_time(story())


def test_what_the_centre_says_that_means_nothing_is_answered_so_and_changes_nothing():
    """Another school's call, no code, no alert, another method."""

    async def story():
        server = SIPServer()
        async with running(server) as house:
            alert = alert_of(sip.decode(house.link.first(CALL).octets))
            elsewhere = alert_of(sip.decode(house.link.test(TEST).octets))
            good = answered(alert)
            empty = Request(method="MESSAGE", uri=good.uri, headers=good.headers)
            spoilt = Request(method="MESSAGE", uri=good.uri, headers=good.headers, body=b"<alert/>")
            other = Request(method="INVITE", uri=good.uri, headers=good.headers)
            asks = Request(method="OPTIONS", uri=good.uri, headers=good.headers)
            odd = [
                answered(elsewhere),
                answered(alert, note="by a name of a person"),
                answered(alert, note="status dancing", type_=MessageType.UPDATE),
                empty,
                spoilt,
            ]
            for each in (*odd, other, asks):
                await server.say(each)
            await asyncio.sleep(0.5)

            assert [425] * 5 + [405, 200] == [each.status for each in server.responses]
            errors = [sip.header(each, "AlertMsg-Error")[:3] for each in server.responses[:5]]
            assert ["102", "102", "102", "101", "103"] == errors
            assert [] == house.of(PersonAnswered) + house.of(ResponseSaid)

    in_virtual_time(story())


def test_a_silent_cut_is_known_within_ninety_seconds_and_its_end_too():
    """OPTIONS every 30 s, every 15 s while one is missing; lost after three."""

    async def story():
        server = SIPServer()
        async with running(server) as house:
            await asyncio.sleep(100)
            assert [Opened(), Answered()] == house.heard
            assert len(server.options) in (4, 5)
            server.deaf = True
            began = asyncio.get_running_loop().time()
            while not house.of(Lost):  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.5)
            assert asyncio.get_running_loop().time() - began <= house.link.traits.supervision <= 90
            server.deaf = False
            await asyncio.sleep(20)
            assert 2 == len(house.of(Answered))

    in_virtual_time(story())


def test_a_line_may_be_supervised_by_empty_lines():
    """RFC 5626, section 3.5.1: CR LF CR LF, answered by CR LF."""

    async def story():
        server = SIPServer()
        async with running(server, by_options=False) as house:
            assert b"\r\n\r\n" == server.octets
            await server.cable.far.write(b"\r\n")
            await asyncio.sleep(0.1)
            assert [Opened(), Answered()] == house.heard
            await asyncio.sleep(100)
            assert 1 == len(house.of(Lost))

    in_virtual_time(story())


def test_what_a_server_says_by_itself_proves_nothing():
    """Its own requests, and empty lines that answer no ping, do not show that it hears us."""

    async def story(say, **options):
        server = SIPServer(deaf=True)
        async with running(server, **options) as house:
            for _ in range(100):
                await say(server)
                await asyncio.sleep(1)
            assert ([], 1) == (house.of(Answered), len(house.of(Lost)))

    async def asks(server):
        await server.say(
            Request(
                method="OPTIONS",
                uri="sip:school@lincoln.example",
                headers=(
                    ("Via", "SIP/2.0/TLS a;branch=z9hG4bK1"),
                    ("From", "<sip:a>"),
                    ("CSeq", "1 OPTIONS"),
                ),
            )
        )

    async def pings(server):
        await server.cable.far.write(b"\r\n")

    in_virtual_time(story(asks))
    in_virtual_time(story(pings))


def test_a_server_that_floods_us_is_cut_and_comes_back():
    """Five hundred strange answers at once end the connection; it opens again."""

    async def story():
        server = SIPServer()
        async with running(server) as house:
            stray = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS a;branch=z9hG4bK1\r\nContent-Length: 0\r\n\r\n"
            await server.cable.far.write(500 * stray)
            await asyncio.sleep(5)
            assert ["it floods us"] == [each.reason.rpartition(": ")[2] for each in house.of(Lost)]
            assert 2 == len(house.of(Answered))

    in_virtual_time(story())


def test_one_server_that_does_not_answer_is_no_loss_and_is_tried_last():
    """The link is lost when none answers."""

    async def story():
        first, second = SIPServer(deaf=True), SIPServer()
        async with running(first, second) as house:
            await asyncio.sleep(100)
            assert [] == house.of(Lost)
            assert await house.link.send(house.link.first(CALL))
            await asyncio.sleep(0.1)
            assert [0, 1] == [len(server.messages) for server in house.servers]
            second.cable.pull()
            await asyncio.sleep(1)
            assert 1 == len(house.of(Lost))

    in_virtual_time(story())


def test_garbage_from_a_server_is_dropped_and_the_answer_after_it_counts():
    """The line does not fall."""

    async def story():
        async def garbled(server):
            await server.cable.far.write(
                b"\x00\xff nonsense\r\nmore: x\r\n\r\nSIP/2.0 200 OK\r\nl: x\r\n\r\n"
            )

        server = SIPServer([None])
        async with running(server) as house:
            frame = house.link.first(CALL)
            assert await house.link.send(frame)
            await asyncio.sleep(0.1)
            await garbled(server)
            await server.say(response(server.messages[0], 202, "Accepted"))
            await asyncio.sleep(0.1)
            assert 1 == len(house.of(Receipt))
            assert [] == house.of(Lost)

    in_virtual_time(story())


def test_what_follows_a_restart_is_the_same_frame():
    """All of it is made from the order; nothing has to be kept."""
    one, two = link(SIPServer().cable), link(SIPServer().cable)
    corrected = UpdateOrdered(
        call=CALL.order.call,
        incident=CALL.order.incident,
        update=1,
        kind=UpdateKind.PLACE,
        place="gym",
        building="G",
    )
    update = update_of(CALL, corrected, spot=SPOT)

    assert one.update(update) == two.update(update)
    assert one.test(TEST) == two.test(TEST)
    alert = alert_of(sip.decode(one.update(update).octets))
    assert ("Update", "lincoln-C7-ZZ000007-U1") == (alert.type.value, alert.identifier)
    assert "C7-ZZ000007-U1" == one.update(update).id


def test_a_summary_names_every_press_of_every_building():
    """As many as people still read; `covers` says which."""
    link_ = link(SIPServer().cable)
    other = admitted(order(9, building="C"), place="C", spot=SPOT, at=AT)
    frame = link_.more(more_of([(CALL, ((2, 9), (11, 11))), (other, ((2, 3),))]))
    alert = alert_of(sip.decode(frame.octets))

    assert ((CALL.order.call, ((2, 9), (11, 11))), (other.order.call, ((2, 3),))) == frame.covers
    presses = [each.value for each in alert.infos[0].parameters if each.name == sip_alert.PRESSES]
    assert ["C7-ZZ000007 2-9,11", "C9-ZZ000009 2-3"] == presses
    assert ["lincoln-C7-ZZ000007", "lincoln-C9-ZZ000009"] == [each.identifier for each in alert.references]


def test_whatever_the_place_is_called_a_call_can_be_written():
    """Control characters, markup, nothing at all."""
    link_ = link(SIPServer().cable)
    for place in ("", "\x00\x07", "<b>&\"'", "é" * 3000, "\ud800x"):
        call = admitted(order(7, building=place), place=place, at=AT)
        message = sip.decode(link_.first(call).octets)
        assert () == cap.check(alert_of(message))
    assert CAMPUS.name in repr(alert_of(message))
    kind, parameters = sip.parameters(sip.header(message, "Content-Type"))
    assert 6 == len(multipart.decode(message.body, parameters["boundary"]))
    assert "multipart/mixed" == kind


def spoil_answers(count):
    """Spoilt answers to a call: a receipt only where branch, Call-ID, number and method are still the call's."""

    async def story():
        random = Random(3428)
        server = SIPServer(then=None)
        async with running(server) as house:
            assert await house.link.send(house.link.first(CALL))
            await asyncio.sleep(0.1)
            (message,) = server.messages
            octets = sip.encode(response(message, 200, "OK", (("Server", "far"),), b"body"))
            line, wanted = house.link._lines[0], 0
            pending = dict(line._pending)
            for _ in range(count):
                for each in sip.Decoder().feed(mutated(random, octets)):
                    if isinstance(each, sip.Response):
                        exact = (
                            branch(each) if "branch" in sip.parameters(sip.header(each, "Via"))[1] else "",
                            sip.header(each, "Call-ID"),
                            sip.header(each, "CSeq").split(),
                        )
                        ours = exact == (
                            branch(message),
                            sip.header(message, "Call-ID"),
                            sip.header(message, "CSeq").split(),
                        )
                        wanted += ours and 200 <= each.status < 300
                        await line._responded(each)
                        line._pending.update(pending)
                    elif isinstance(each, Request):
                        line._requested(each)
            assert wanted == len(house.of(Receipt))
            assert [] == house.of(PersonAnswered)

    in_virtual_time(story())


def test_spoilt_answers_are_no_receipts():
    """2,000 of them."""
    spoil_answers(2_000)


@pytest.mark.soak
def test_many_spoilt_answers_are_no_receipts():
    """The same for long."""
    spoil_answers(1_000_000)
