"""Foreign devices' wires: JSON over TCP, webhooks, lines. Rubbish, floods and slow clients hurt nobody else."""

import asyncio
import hmac
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from random import Random

import aiohttp
import pytest
from yarl import URL

from belltower.clock import SECOND, SystemClock
from belltower.tasks import Crew
from hardware.codecs.json_stream import Lines, Objects
from hardware.drivers import tcp_json, webhook
from hardware.drivers.rate import Rates
from hardware.drivers.serial_lines import SerialLines
from hardware.drivers.sources import Sources
from hardware.drivers.tcp_json import TCPJSON
from hardware.drivers.webhook import Once, Signed, Webhook, signed_text
from hardware.transports.memory import Cable
from tests.peers.waiting import PATIENCE

ANYBODY = Sources(())


@asynccontextmanager
async def running(driver):
    """The driver, listening."""
    async with Crew(random=Random(1)) as crew:
        task = crew.essential("driver", driver.run)
        await asyncio.wait_for(driver.ready.wait(), PATIENCE)
        yield driver
        task.cancel()


class Heard:
    """What came in; answered at once, or by futures of the test's own."""

    def __init__(self, answer=lambda: None):
        self.messages = asyncio.Queue()
        self._answer = answer

    def __call__(self, received):
        self.messages.put_nowait(received)
        return self._answer()

    async def next(self):
        return (await asyncio.wait_for(self.messages.get(), PATIENCE)).payload


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_objects_are_found_whatever_stands_between_them(step):
    """Braces in strings and escaped quotes count for nothing, in pieces of any size."""
    wanted = [b'{"a":"}{\\"}"}', b'{"b":{"c":[1,{"d":2}]}}', b"{}"]
    stream = b'\x00 noise, "quoted\\ ' + b" \r\n,".join(wanted) + b" tail"
    objects = Objects()

    found = [each for at in range(0, len(stream), step) for each in objects.feed(stream[at : at + step])]

    assert (wanted, False, 0) == (found, objects.midway, objects.dropped)


def test_what_is_too_long_is_dropped_and_counted_and_the_next_is_found():
    """Memory stays bounded, and the stream is in step again."""
    objects, lines = Objects(longest=100), Lines(longest=100)

    assert [] == objects.feed(b'{"a":"' + b"x" * 200)
    assert [] == objects.feed(b'", "inner": {"press": true}, "s": "\\')
    assert (b"", True) == (bytes(objects._held), objects.midway)
    assert [b'{"b":1}'] == objects.feed(b'"{"} {"b":1}')
    assert 1 == objects.dropped
    assert [] == lines.feed(b"y" * 200)
    assert [] == lines.feed(b"y" * 200)
    assert [b"next"] == lines.feed(b"tail\r\nnext\n")
    assert 1 == lines.dropped


def test_objects_that_never_end_where_a_piece_does_leave_nothing_behind():
    """Every read of the transport ends within the next object."""
    objects = Objects(longest=100)
    objects.feed(b'{"a":1')

    assert all([b'{"a":1}'] == objects.feed(b'}{"a":1') for _ in range(1_000))
    assert len(objects._held) < 10


def test_rubbish_is_bounded():
    """20,000 random pieces: nothing raised, nothing kept."""
    random = Random(4)
    objects, lines = Objects(longest=1000), Lines(longest=1000)
    for _ in range(20_000):
        piece = random.choice(
            [random.randbytes(random.randrange(40)), b'{"', b"{{", b"}", b"\\", b"\n", b'"']
        )
        assert all(len(each) <= 1000 for each in (*objects.feed(piece), *lines.feed(piece)))
        assert len(objects._held) <= 1100


def test_a_source_has_its_own_bucket():
    """A flood of one source is no other source's flood."""
    now = [0.0]
    rates = Rates(per_second=10, burst=2, now=lambda: now[0], most=2)

    assert [0, 0, 0.1] == [rates.take("a"), rates.take("a"), rates.take("a")]
    assert 0 == rates.take("b")
    now[0] = 0.1
    assert 0 == rates.take("a")


@pytest.mark.parametrize(
    ("networks", "address", "may"),
    [
        ((), "203.0.113.9", True),
        (("192.0.2.0/24",), "192.0.2.7", True),
        (("192.0.2.0/24",), "::ffff:192.0.2.7", True),
        (("192.0.2.0/24",), "203.0.113.9", False),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("192.0.2.0/24",), "", False),
    ],
)
def test_only_named_networks_may_speak(networks, address, may):
    """Mapped addresses count as what they are."""
    assert may == Sources(networks).may(address)


async def test_json_over_tcp_is_heard_by_both_framings():
    """Objects back to back, or one a line."""
    for framing, stream in (("brace", b'{"a":1}{"a":2}'), ("newline", b'{"a":1}\r\n{"a":2}\n')):
        heard = Heard()
        driver = TCPJSON(on_message=heard, host="127.0.0.1", port=0, framing=framing, sources=ANYBODY)
        async with running(driver):
            _, writer = await asyncio.open_connection("127.0.0.1", driver.port)
            writer.write(stream)
            assert [b'{"a":1}', b'{"a":2}'] == [await heard.next(), await heard.next()]
            writer.close()


async def test_slow_and_foreign_and_too_many_tcp_clients_hurt_nobody(monkeypatch):
    """The silent one gives way, the unfinished one is closed, the stranger is not heard."""
    monkeypatch.setattr(tcp_json, "FINISH_WITHIN", 0.2)
    heard = Heard()
    driver = TCPJSON(on_message=heard, host="127.0.0.1", port=0, sources=ANYBODY, connections=2)
    async with running(driver):
        slow, half = await asyncio.open_connection("127.0.0.1", driver.port)
        half.write(b'{"a":')
        assert b"" == await asyncio.wait_for(slow.read(), PATIENCE)
        idle = [await asyncio.open_connection("127.0.0.1", driver.port) for _ in range(4)]
        idle[-1][1].write(b'{"a":1}')
        assert b'{"a":1}' == await heard.next()
        assert 2 <= driver.counts["crowded_out"]
        for _, writer in [*idle, (slow, half)]:
            writer.close()
    stranger = TCPJSON(on_message=heard, host="127.0.0.1", port=0, sources=Sources(("192.0.2.0/24",)))
    async with running(stranger):
        reader, writer = await asyncio.open_connection("127.0.0.1", stranger.port)
        with suppress(ConnectionResetError):
            assert b"" == await asyncio.wait_for(reader.read(), PATIENCE)
        writer.close()
    assert heard.messages.empty()


async def test_a_flood_over_tcp_delays_no_other_client():
    """One client writes without end; another is heard within a second."""
    heard = Heard()
    driver = TCPJSON(on_message=heard, host="127.0.0.1", port=0, sources=ANYBODY, per_second=100_000)
    async with running(driver):
        _, flood = await asyncio.open_connection("127.0.0.1", driver.port)
        _, calm = await asyncio.open_connection("127.0.0.1", driver.port)
        flood.write(b'{"flood":1}' * 20_000)
        await heard.next()
        calm.write(b'{"calm":1}')
        async with asyncio.timeout(PATIENCE):
            while await heard.next() != b'{"calm":1}':
                pass
        assert not heard.messages.empty() or driver.counts["messages"] < 20_001
        flood.transport.abort()
        calm.close()


async def test_a_client_over_tcp_speaks_no_faster_than_it_may():
    """After its burst of a second, every message waits for its turn."""
    heard = Heard()
    driver = TCPJSON(on_message=heard, host="127.0.0.1", port=0, sources=ANYBODY, per_second=1_000)
    async with running(driver):
        _, writer = await asyncio.open_connection("127.0.0.1", driver.port)
        begun = asyncio.get_running_loop().time()
        writer.write(b'{"a":1}' * 1_600)
        for _ in range(1_600):
            await heard.next()
        assert asyncio.get_running_loop().time() - begun > 0.55
        writer.close()


async def _post(client, url, body):
    async with client.post(url, data=body) as response:
        return response.status


async def test_a_webhook_is_answered_after_what_it_said_is_written_down():
    """200 only then; 503 when it could not be."""
    writing = asyncio.get_running_loop().create_future()
    heard = Heard(lambda: writing)
    driver = Webhook(on_message=heard, clock=SystemClock(), host="127.0.0.1", port=0, sources=ANYBODY)
    async with running(driver), aiohttp.ClientSession() as client:
        url = f"http://127.0.0.1:{driver.port}/cyberdata"
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(_post(client, url, b"<event>BUTTON</event>"))
            assert b"<event>BUTTON</event>" == await heard.next()
            assert not asked.done()
            writing.set_result(True)
        assert 200 == asked.result()
        writing = asyncio.get_running_loop().create_future()
        writing.set_result(False)
        assert 503 == (await client.get(f"{url}?event=x")).status
        assert b"event=x" == await heard.next()


async def test_a_webhook_believes_only_its_own_signature(monkeypatch):
    """Unsigned, wrongly signed, old, and changed requests are refused; memory, time and rate are bounded."""
    monkeypatch.setattr(webhook, "BODY_WITHIN", 0.2)
    heard, clock = Heard(), SystemClock()
    driver = Webhook(
        on_message=heard,
        clock=clock,
        host="127.0.0.1",
        port=0,
        sources=ANYBODY,
        signed=Signed(key=b"secret"),
        per_second=10,
        longest=1000,
    )

    def headers(body, key=b"secret", age=0):
        stamp = str(clock.now() // SECOND - age)
        signature = hmac.new(key, f"{stamp}.POST./x.".encode() + body, sha256).hexdigest()
        return {"X-Timestamp": stamp, "X-Signature": f"sha256={signature}"}

    async def slow():
        yield b"x"
        await asyncio.sleep(5)

    async with running(driver), aiohttp.ClientSession() as client:
        url = f"http://127.0.0.1:{driver.port}/x"
        said = [
            (await client.post(url, data=body, headers=how)).status
            for body, how in (
                (b"good", headers(b"good")),
                (b"bad", {}),
                (b"bad", headers(b"bad", key=b"other")),
                (b"bad", headers(b"bad", age=400)),
                (b"changed", headers(b"bad")),
                (b"x" * 2000, headers(b"x" * 2000)),
                (slow(), headers(b"x")),
            )
        ]
        many = [(await client.post(url, data=b"bad")).status for _ in range(20)]
        assert ([200, 401, 401, 401, 401, 413, 408], 429) == (said, many[-1])
        assert b"good" == await heard.next()
    assert heard.messages.empty()


@pytest.mark.parametrize("over", ["request", "timed-body"])
async def test_a_signed_request_counts_once_and_for_its_own_path(over):
    """What somebody recorded presses nothing again, and nothing else; what could not be written down may come again."""
    written = [False, True]

    def answer():
        future = asyncio.get_running_loop().create_future()
        future.set_result(written.pop(0) if written else True)
        return future

    heard, clock = Heard(answer), SystemClock()
    driver = Webhook(
        on_message=heard,
        clock=clock,
        host="127.0.0.1",
        port=0,
        sources=ANYBODY,
        signed=Signed(key=b"secret", over=over),
    )
    stamp = str(clock.now() // SECOND - 200)
    said = signed_text(stamp, "POST", "/a%20b/x", b"press", over=over)
    headers = {"X-Timestamp": stamp, "X-Signature": hmac.new(b"secret", said, sha256).hexdigest()}
    async with running(driver), aiohttp.ClientSession() as client:
        at = URL(f"http://127.0.0.1:{driver.port}")
        tries = (
            ("POST", "/a%20b/x"),
            ("POST", "/a%20b/x"),
            ("POST", "/a%20b/x"),
            ("PUT", "/a%20b/x"),
            ("POST", "/b"),
        )
        statuses = [
            (
                await client.request(method, at.join(URL(path, encoded=True)), data=b"press", headers=headers)
            ).status
            for method, path in tries
        ]
    bound = over == "request"
    assert [503, 200, 200, *((401, 401) if bound else (200, 200))] == statuses
    assert (1, 2 if bound else 4) == (driver.counts["repeated"], heard.messages.qsize())


def test_what_is_remembered_of_signed_requests_is_bounded():
    """What was forgotten for want of room is late from then on: it cannot be sent again either."""
    once = Once(most=2)
    assert [None, None, None] == [
        once.before(name, at, 10.0) for name, at in ((b"a", 1.0), (b"b", 2.0), (b"c", 3.0))
    ]
    once.done(b"c", written=True)
    assert [False, False, True] == [
        once.before(name, at, 10.0) for name, at in ((b"a", 1.0), (b"b", 2.0), (b"c", 3.0))
    ]
    assert None is once.before(b"d", 400.0, 400.0)
    assert 1 == len(once._taken)


async def test_a_silent_web_connection_is_closed_and_too_many_give_way(monkeypatch):
    """A client that sends no whole request holds nothing for long."""
    monkeypatch.setattr(webhook, "SILENT_FOR", 0.5)
    heard = Heard()
    driver = Webhook(
        on_message=heard, clock=SystemClock(), host="127.0.0.1", port=0, sources=ANYBODY, connections=4
    )
    async with running(driver), aiohttp.ClientSession() as client:
        held = [await asyncio.open_connection("127.0.0.1", driver.port) for _ in range(8)]
        for _, writer in held:
            writer.write(b"POST / HTTP/1.1\r\nHos")
        assert 200 == (await client.post(f"http://127.0.0.1:{driver.port}/x", data=b"1")).status
        async with asyncio.timeout(PATIENCE):
            for reader, writer in held:
                with suppress(ConnectionResetError):
                    await reader.read()
                writer.close()


async def test_lines_are_read_from_a_serial_line():
    """A line too long is dropped, the next is heard."""
    cable = Cable()
    ours, theirs = cable.near, cable.far
    await theirs.open()
    heard = Heard()
    driver = SerialLines(name="ad2", open_transport=lambda: ours, on_line=heard, longest=64)
    async with running(driver):
        await theirs.write(b"!RFX:0180036,80\r\n" + b"x" * 100 + b"\r\n!REL:12,01,01\r\n")
        assert [b"!RFX:0180036,80", b"!REL:12,01,01"] == [await heard.next(), await heard.next()]
        assert 1 == driver.dropped
