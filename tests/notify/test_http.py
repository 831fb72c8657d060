"""The channels' own HTTP client: answers in any pieces, and what is known when none comes."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.errors import Malformed, Uncertain, Unreachable
from notify.channels.http_answer import MOST_OCTETS, AnswerReader, HTTPAnswer
from notify.channels.http_pool import HTTPPool
from tests.hardware.mqtt.certificate import write_certificate
from tests.peers.waiting import PATIENCE
from tests.servers.smtp import peer

REQUEST = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def pool(port: int, **changes: object) -> AsyncIterator[HTTPPool]:
    given = {"host": "127.0.0.1", "port": port, "tls": None, "limit": 4, "deadline": PATIENCE}
    made = HTTPPool(**{**given, **changes})
    try:
        yield made
    finally:
        made.close()


ANSWERS = [
    (OK, HTTPAnswer(status=200, body=b"ok", reusable=True)),
    (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, HTTPAnswer(status=200, body=b"ok", reusable=True)),
    (b"HTTP/1.1 204 No Content\r\n\r\n", HTTPAnswer(status=204, body=b"", reusable=True)),
    (
        b"HTTP/1.1 429 Too Many Requests\r\ncontent-length:2\r\nRETRY-AFTER:  7 \r\n\r\n{}",
        HTTPAnswer(status=429, body=b"{}", retry_after="7", reusable=True),
    ),
    (
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: t\r\n\r\n",
        HTTPAnswer(status=201, body=b"abc0123456789", reusable=True),
    ),
    (
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HTTPAnswer(status=201, body=b"", reusable=True),
    ),
    (
        b"HTTP/1.1 201 Created\r\nA: b\r\nConnection: keep-alive\r\nCONTENT-LENGTH: 1 \r\nVia: c\r\n\r\nx",
        HTTPAnswer(status=201, body=b"x", reusable=True),
    ),
    (
        b"HTTP/1.1 201 Created\r\nContent-Length: 1\r\nConnection: keep-alive, close\r\n\r\nx",
        HTTPAnswer(status=201, body=b"x"),
    ),
    (
        b"HTTP/1.1 201 Created\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        HTTPAnswer(status=201, body=b"x", reusable=True),
    ),
    (
        b"HTTP/1.1 500 Oh\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
        HTTPAnswer(status=500, body=b"x"),
    ),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", HTTPAnswer(status=200, body=b"x")),
]


@pytest.mark.parametrize(("octets", "expected"), ANSWERS)
@given(data=st.data())
def test_an_answer_may_come_in_any_pieces(octets: bytes, expected: HTTPAnswer, data) -> None:
    """It is whole with its last octet, and not before (RFC 9112, 6 and 7)."""
    cuts = sorted(data.draw(st.sets(st.integers(1, len(octets) - 1), max_size=6)))
    pieces = [octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)]
    reader = AnswerReader()

    answers = [reader.feed(piece) for piece in pieces]

    assert [None] * (len(pieces) - 1) + [expected] == answers


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    """And one with a length that was not reached is none."""
    reader = AnswerReader()
    assert reader.feed(b"HTTP/1.1 200 OK\r\n\r\nabc") is None
    assert HTTPAnswer(status=200, body=b"abc") == reader.end()

    short = AnswerReader()
    assert short.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc") is None
    assert short.end() is None


@pytest.mark.parametrize(
    "octets",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"a" * (MOST_OCTETS + 1),
    ],
)
def test_what_is_no_answer_is_malformed(octets: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(Malformed):
        AnswerReader().feed(octets)


@given(octets=st.binary(max_size=200), head=st.sampled_from([b"", OK[:38], ANSWERS[4][0][:50]]))
def test_arbitrary_octets_are_an_answer_malformed_or_not_enough(octets: bytes, head: bytes) -> None:
    """Nothing else comes out."""
    try:
        answer = AnswerReader().feed(head + octets)
    except Malformed:
        return
    assert answer is None or isinstance(answer, HTTPAnswer)


@pytest.mark.parametrize("framing", [b"", b"Content-Length: 9999999\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_an_endless_body_is_cut(framing: bytes) -> None:
    """At 64 KiB; what was understood until then is the answer, and the connection is done."""
    reader = AnswerReader()
    reader.feed(b"HTTP/1.1 201 Created\r\n" + framing + b"\r\n")
    answer, fed = None, 0
    while answer is None:
        answer = reader.feed(b"400\r\n" + b"x" * 1024 + b"\r\n")
        fed += 1031

    assert fed <= MOST_OCTETS + 1031
    assert not answer.reusable
    assert len(answer.body) <= MOST_OCTETS + 1


class Server:
    """Counts connections; answers each request by what `say` returns, None for a cut."""

    def __init__(self, say) -> None:
        self.connections = self.requests = self.most = 0
        self._open = 0
        self._say = say

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open += 1
        self.most = max(self.most, self._open)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.requests += 1
                await asyncio.sleep(0.01)
                said = self._say(self.requests)
                if said is None:
                    break
                writer.write(said)
        finally:
            self._open -= 1
            writer.transport.abort()


async def test_connections_are_kept_and_never_more_than_the_limit() -> None:
    """Twenty at once over four."""
    server = Server(lambda n: OK)
    async with peer(server.serve) as port, pool(port, deadline=30.0) as kept:
        for _ in range(2):
            answers = await asyncio.gather(*(kept.exchange(REQUEST) for _ in range(20)))
            assert {b"ok"} == {answer.body for answer in answers}

    assert (4, 4, 40) == (server.connections, server.most, server.requests)


async def test_a_cut_after_the_request_is_uncertain_and_the_next_goes_on() -> None:
    """The request is not sent again by itself."""
    server = Server(lambda n: None if n == 2 else OK)
    async with peer(server.serve) as port, pool(port) as kept:
        await kept.exchange(REQUEST)
        with pytest.raises(Uncertain):
            await kept.exchange(REQUEST)
        await kept.exchange(REQUEST)

    assert 3 == server.requests


async def test_a_connection_closed_while_idle_is_not_asked() -> None:
    """Another is opened; nobody notices."""
    server = Server(lambda n: OK)
    closing = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not closing:
            closing.append(1)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            writer.close()
            return
        await server.serve(reader, writer)

    async with peer(once) as port, pool(port) as kept:
        await kept.exchange(REQUEST)
        while kept._idle and kept._idle[0].usable(0.0):  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.001)
        await kept.exchange(REQUEST)
        await kept.exchange(REQUEST)

    assert (1, 2) == (server.connections, server.requests)


async def test_no_free_connection_in_time_means_nothing_was_sent() -> None:
    """One that waited in vain is `Unreachable`; the one before it, uncertain."""

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.read()

    async with peer(mute) as port, pool(port, limit=1) as kept:
        await kept.exchange(REQUEST)
        kept._deadline = 0.2  # the connection stands: only the answer is missing
        first, second = await asyncio.gather(
            kept.exchange(REQUEST), kept.exchange(REQUEST), return_exceptions=True
        )

    assert [Uncertain, Unreachable] == [type(first), type(second)]


async def test_a_cancelled_wait_gives_its_turn_away() -> None:
    """And a cancelled exchange its place."""
    server = Server(lambda n: OK)
    async with peer(server.serve) as port, pool(port, limit=1) as kept:
        waiting = [asyncio.ensure_future(kept.exchange(REQUEST)) for _ in range(4)]  # noqa: TID251
        await asyncio.sleep(0.005)
        for task in waiting[:3]:
            task.cancel()

        assert b"ok" == (await waiting[3]).body
        for task in waiting[:3]:
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_who_waits_for_a_connection_has_it_before_who_begins_without_waiting() -> None:
    """Also when the answer that frees it begins the next at once; afterwards that may begin again."""
    server = Server(lambda n: OK)
    began: list[bool] = []
    async with peer(server.serve) as port, pool(port, limit=1) as kept:

        def heard(_: HTTPAnswer | Uncertain) -> None:
            began.append(kept.begin(REQUEST, heard))

        await kept.exchange(REQUEST)
        assert kept.begin(REQUEST, heard)
        assert b"ok" == (await kept.exchange(REQUEST)).body
        assert [False] == began
        assert kept.begin(REQUEST, lambda _: None)


async def test_words_that_nobody_asked_for_close_the_connection() -> None:
    """An answer cannot be mistaken for that to the next request."""

    async def chatty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + OK)
        await reader.read()

    async with peer(chatty) as port, pool(port) as kept:
        assert b"ok" == (await kept.exchange(REQUEST)).body
        assert [] == kept._idle


async def test_over_tls_only_the_server_that_was_meant_is_asked(tmp_path: Path) -> None:
    """Whoever cannot prove the name hears nothing."""
    server = Server(lambda n: OK)
    path = write_certificate(tmp_path, "127.0.0.1")
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(path, tmp_path / "key.pem")
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=ours)
    port = listening.sockets[0].getsockname()[1]
    trusting = ssl.create_default_context(cafile=str(path))
    try:
        async with pool(port, tls=trusting) as kept:
            assert b"ok" == (await kept.exchange(REQUEST)).body
        async with pool(port, tls=ssl.create_default_context()) as kept:
            with pytest.raises(Unreachable):
                await kept.exchange(REQUEST)
    finally:
        listening.close()

    assert 1 == server.requests
