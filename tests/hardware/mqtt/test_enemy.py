"""The listener against somebody who sends whatever does most harm."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.codecs.mqtt_packets import (
    Connect,
    Disconnect,
    PingReq,
    PubAck,
    Publish,
    Subscribe,
    Unsubscribe,
    Will,
    encode,
)
from hardware.drivers import Received
from hardware.drivers.mqtt_listener import MQTTListener
from hardware.drivers.mqtt_registry import Limits, Permissions, own_unit


class Pipe(asyncio.Transport):
    """Keeps what is written and says good-bye when closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = self.reading = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Siege:
    """A listener without a network, and one enemy at its gate."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.futures: list[asyncio.Future[Any]] = []
        self.signed_in: list[str] = []

    async def lets_in(self, pieces: list[bytes]) -> None:
        """Feed `pieces` as reads of one connection."""
        listener = MQTTListener(
            on_publish=self._take,
            authenticate=self._authenticate,
            limits=Limits(receive_maximum=4, packet=2_000, connect_packet=500),
        )
        session = listener.connection()
        pipe = Pipe()
        session.connection_made(pipe)
        for piece in pieces:
            if pipe.closed:
                break
            session.data_received(piece)
            await asyncio.sleep(0)
            for future in self.futures:
                future.set_result(None)
            self.futures = []
            await asyncio.sleep(0)
        session.connection_lost(None)
        assert 0 == listener.counters.connections
        assert not listener.publish("down/u1", b"x")
        assert len(listener.counters.samples) <= 1

    def _take(self, received: Received) -> asyncio.Future[Any] | None:
        self.received.append(received)
        if len(self.received) % 2:
            return None
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]

    def _authenticate(self, username: str, password: bytes, client_id: str) -> Permissions | None:
        if (username, password, client_id) != ("u1", b"secret", "u1"):
            return None
        self.signed_in.append(client_id)
        return own_unit(username)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """A loop for all examples."""
    with asyncio.Runner() as runner:
        yield runner


def pieces(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    """`stream`, split at drawn places."""
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True) if a < b]


@st.composite
def rubbish(draw: st.DrawFn) -> list[bytes]:
    """Random bytes, some beginning like a packet."""
    start = draw(
        st.sampled_from(
            [b"", b"\x10", b"\x10\x0c\x00\x04MQTT\x04", b"\x10\x10\x00\x04MQTT\x05", b"\x32", b"\x82"]
        )
    )
    return pieces(draw, start + draw(st.binary(max_size=400)))


@st.composite
def mutations(draw: st.DrawFn) -> list[bytes]:
    """A true conversation with a few octets changed, lost, doubled or added."""
    version = draw(st.sampled_from([4, 5]))
    will = draw(
        st.none() | st.builds(Will, topic=st.sampled_from(["state/u1", "up/u2"]), payload=st.just(b"offline"))
    )
    password = draw(st.sampled_from([b"secret", b"secret", b"wrong"]))
    talk = [
        Connect(version=version, client_id="u1", username="u1", password=password, keepalive=30, will=will),
        *draw(
            st.lists(
                st.sampled_from(
                    [
                        Publish(topic="up/u1", payload=b"press", qos=1, mid=1),
                        Publish(topic="up/u1", payload=b"press", qos=1, mid=2, dup=True, retain=True),
                        Publish(topic="up/u1", payload=bytes(1_000), qos=1, mid=3),
                        Publish(topic="state/u1", payload=b"online", retain=True),
                        Publish(topic="up/u2", payload=b"lie", qos=1, mid=4),
                        Publish(topic="up/u1", payload=b"two", qos=2, mid=5),
                        Subscribe(mid=6, filters=(("down/u1", 1), ("#", 0))),
                        Unsubscribe(mid=7, filters=("down/u1",)),
                        PubAck(mid=1),
                        PingReq(),
                        Disconnect(),
                    ]
                ),
                max_size=12,
            )
        ),
    ]  # fmt: skip
    stream = bytearray(b"".join(encode(packet, version) for packet in talk))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(stream) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                stream[at] ^= 1 << draw(st.integers(0, 7))
            case 1:
                del stream[at : at + draw(st.integers(1, 3))]
            case 2:
                stream[at:at] = stream[at : at + draw(st.integers(1, 20))]
            case _:
                stream[at:at] = draw(st.binary(min_size=1, max_size=6))
        if not stream:
            break
    return pieces(draw, bytes(stream))


@given(stream=rubbish())
def test_rubbish_never_gets_in(runner: asyncio.Runner, stream: list[bytes]) -> None:
    """No exception, no message, no sign-in."""
    siege = Siege()
    runner.run(siege.lets_in(stream))

    assert [] == siege.received
    assert [] == siege.signed_in


@given(stream=mutations())
def test_a_twisted_conversation_says_only_what_its_speaker_may_say(
    runner: asyncio.Runner, stream: list[bytes]
) -> None:
    """No exception; nothing without the password; nothing under another's topic."""
    siege = Siege()
    runner.run(siege.lets_in(stream))

    assert siege.signed_in or not siege.received
    assert {received.topic for received in siege.received} <= {"up/u1", "state/u1"}
    assert {received.client for received in siege.received} <= {"u1"}
    assert not any(received.retain for received in siege.received)


@pytest.mark.parametrize("size", [1, 7])
def test_a_long_packet_in_small_pieces_costs_no_more_than_its_length(
    runner: asyncio.Runner, size: int
) -> None:
    """An octet at a time is gathered, not copied again and again."""
    siege = Siege()
    stream = encode(Connect(version=4, client_id="u1", username="u1", password=b"secret"), 4)
    stream += encode(Publish(topic="up/u1", payload=bytes(1_900), qos=1, mid=1), 4)
    runner.run(siege.lets_in([stream[at : at + size] for at in range(0, len(stream), size)]))

    assert [1_900] == [len(received.payload) for received in siege.received]
