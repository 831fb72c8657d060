"""Algo's REST API and signed notices, against servers of the test that verify every signature."""

import asyncio
import hashlib
import hmac
import json
from random import Random

import pytest
from aiohttp import web

from belltower.clock import SECOND
from belltower.errors import LinkError, Rejected, Uncertain, Unreachable
from hardware.drivers.algo import AlgoControl, signature
from hardware.drivers.http_notice import SIGNATURE, HTTPNotice
from hardware.drivers.switch import Ask, Reached
from tests.peers.waiting import PATIENCE
from tests.servers.algo import Algo, served
from tests.servers.ports import free_port

NOW = 1_790_000_000
KEY = bytes(range(32))
ON, OFF = Ask(on=True, request="r1", text="Lockdown."), Ask(on=False, request="r2")
RANDOM = Random(1)
TONE = {"path": "warble1-low.wav", "loop": True}


class Clock:
    """Stands still."""

    def now(self):
        return NOW * SECOND


async def switched(switch, ask=ON, *, within=PATIENCE):
    """The levels reached, and what was raised."""
    levels = []
    try:
        async with asyncio.timeout(within):
            await switch.switch(ask, levels.append)
    except (LinkError, TimeoutError) as error:
        return levels, error
    return levels, None


def control(url, *, what="tone", start=None, password="speaker-7"):
    start = TONE if start is None else start
    return AlgoControl(
        url=url, password=password, control=what, start=start, clock=Clock(), random_bytes=RANDOM.randbytes
    )


def test_known_signatures():
    """The vector of open-avc's driver (MIT), and one reckoned by hand."""
    body = b'{"path":"page-notif.wav", "loop":false}'
    uri = "/api/controls/tone/start"
    known = signature("algo", method="POST", uri=uri, body=body, timestamp=1_601_312_252, nonce="49936")
    assert "2e109d7aeed54a1cb04c6b72b1d854f442cf1ca15eb0af32f2512dd77ab6b330" == known
    told = b"POST:/api/controls/tone/stop:1601312252:7"
    ours = signature(
        "x", method="POST", uri="/api/controls/tone/stop", body=b"", timestamp=1_601_312_252, nonce="7"
    )
    assert hmac.new(b"x", told, hashlib.sha256).hexdigest() == ours


async def test_every_control_starts_and_stops_and_none_is_ever_confirmed():
    """A 200 says that it was understood."""
    device = Algo(now=lambda: NOW)
    async with served(device.handle) as url:
        for what, start in (
            ("tone", TONE),
            ("strobe", {"pattern": 2, "color1": "red"}),
            ("screen", {"type": "image", "text1": "{text}"}),
            ("relay", {}),
        ):
            switch = control(url, what=what, start=start)
            assert not switch.confirms
            assert ([Reached.QUEUED, Reached.SENT], None) == await switched(switch, ON)
            assert ([Reached.QUEUED, Reached.SENT], None) == await switched(switch, OFF)
    paths = [path.removeprefix("/api/controls/") for path, _ in device.asked]
    verbs = ["tone/start", "tone/stop", "strobe/start", "strobe/stop", "screen/start", "screen/stop"]
    assert [*verbs, "relay/enable", "relay/disable"] == paths
    assert {"type": "image", "text1": "Lockdown."} == device.asked[4][1]


@pytest.mark.parametrize("off", [-95, 95])
async def test_a_clock_that_is_off_is_named(off):
    """By how much, and what to do."""
    device = Algo(now=lambda: NOW + off)
    async with served(device.handle) as url:
        levels, error = await switched(control(url))
    assert Reached.DEVICE not in levels
    assert isinstance(error, Rejected)
    assert f"95 s {'ahead of' if off > 0 else 'behind'} ours" in str(error)
    assert [] == device.asked


async def test_another_password_is_told_as_such_and_the_delivered_one_is_refused():
    """Nothing secret is in what is said."""
    device = Algo(password="speaker-8", now=lambda: NOW)
    async with served(device.handle) as url:
        _, error = await switched(control(url))
    assert "password is another" in str(error)
    assert "speaker" not in str(error)
    with pytest.raises(ValueError, match="delivered"):
        control("http://127.0.0.1:1", password="algo")


@pytest.mark.parametrize(
    ("how", "kind"),
    [("refusing", Rejected), ("redirects", Rejected), ("hangs up", Uncertain), ("nonsense", type(None))],
)
async def test_what_a_device_says_badly(how, kind):
    """A no is a no; half an answer is no answer; what stands in a good one is not looked at."""
    device = Algo(now=lambda: NOW)
    device.how = how
    async with served(device.handle) as url:
        levels, error = await switched(control(url))
    assert isinstance(error, kind)
    assert [Reached.QUEUED, Reached.SENT] == levels


async def test_nobody_there_and_nobody_answering():
    """Nothing left; or it hangs, and is given up when it is cancelled."""
    assert isinstance((await switched(control("http://127.0.0.1:1")))[1], Unreachable)
    hung = asyncio.Event()

    async def hang(request):
        await hung.wait()
        return web.Response()

    async with served(hang) as url:
        levels, error = await switched(control(url), within=0.3)
        assert isinstance(error, TimeoutError)
        assert [Reached.QUEUED, Reached.SENT] == levels
        hung.set()


async def test_a_notice_is_confirmed_by_its_own_request_id_alone():
    """The agent verifies the signature; another id, a bare 200 or "not shown" confirms nothing."""
    answers = []

    async def agent(request):
        body = await request.read()
        assert hmac.new(KEY, body, hashlib.sha256).hexdigest() == request.headers[SIGNATURE]
        said = json.loads(body)
        assert NOW == said["at"]
        return answers.pop(0)(said)

    def shown(said):
        return web.json_response({"request": said["request"], "shown": said["on"]})

    async with served(agent) as url:
        notice = HTTPNotice(url=url + "/notice", key=KEY, clock=Clock())
        answers += [shown, shown]
        whole = ([Reached.QUEUED, Reached.SENT, Reached.DEVICE], None)
        assert whole == await switched(notice, ON)
        assert whole == await switched(notice, OFF)
        for answer, kind in (
            (lambda said: web.json_response({"request": "r0", "shown": True}), Uncertain),
            (lambda said: web.json_response({"request": said["request"], "shown": False}), Rejected),
            (lambda said: web.Response(), Uncertain),
            (lambda said: web.Response(body=b"[" * 60_000), Uncertain),
            (lambda said: web.json_response({"shown": True}), Uncertain),
            (lambda said: web.Response(status=503), Rejected),
        ):
            answers.append(answer)
            levels, error = await switched(notice, ON)
            assert [Reached.QUEUED, Reached.SENT] == levels
            assert isinstance(error, kind)


async def test_an_answer_that_comes_in_parts_is_read_to_its_end():
    """Up to what is read at most."""

    async def in_parts(request):
        body = json.dumps({"request": (await request.json())["request"], "shown": True}).encode()
        answer = web.StreamResponse(headers={"Content-Length": str(len(body))})
        await answer.prepare(request)
        await answer.write(body[:8])
        await asyncio.sleep(0.05)
        await answer.write(body[8:])
        return answer

    async with served(in_parts) as url:
        levels, error = await switched(HTTPNotice(url=url, key=KEY, clock=Clock()))
    assert error is None
    assert Reached.DEVICE == levels[-1]


async def test_why_nothing_was_reached_is_said_in_plain_words():
    """No names of classes."""
    notice = HTTPNotice(url=f"http://127.0.0.1:{free_port()}/", key=KEY, clock=Clock())
    _, error = await switched(notice)
    assert "no connection: connection refused" == str(error)

    async def hang_up(request):
        request.transport.abort()
        return web.Response()

    async with served(hang_up) as url:
        _, error = await switched(HTTPNotice(url=url, key=KEY, clock=Clock()))
    assert "no whole answer: it closed the connection" == str(error)
