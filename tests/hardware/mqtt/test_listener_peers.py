"""The listener, judged by clients that others wrote."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gmqtt
import paho.mqtt.client as paho
import pytest

from tests.hardware.mqtt.certificate import write_certificate
from tests.hardware.mqtt.peer import Running
from tests.peers.waiting import PATIENCE
from tests.servers import mosquitto


@pytest.fixture
async def house() -> AsyncIterator[Running]:
    """A listener."""
    async with Running() as running:
        yield running


def client(program: str, house: Running, unit: str, version: str, *more: str) -> tuple[str, ...]:
    """The command line of a mosquitto client."""
    return (
        program,
        "-h",
        "127.0.0.1",
        "-p",
        str(house.port),
        "-i",
        unit,
        "-u",
        unit,
        "-P",
        unit,
        "-V",
        version,
        *more,
    )


VERSIONS = pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])


@VERSIONS
@pytest.mark.parametrize("qos", ["0", "1"])
async def test_mosquitto_pub_is_served(house: Running, version: str, qos: str) -> None:
    """Both versions, both qualities."""
    code, said = await mosquitto.run(
        *client("mosquitto_pub", house, "u1", version, "-q", qos, "-t", "up/u1", "-m", "help")
    )

    assert (0, "") == (code, said)
    received = (await house.intake.wants(1))[0]
    assert ("up/u1", b"help", int(qos)) == (received.topic, received.payload, received.qos)


@VERSIONS
async def test_mosquitto_pub_sends_many(house: Running, version: str) -> None:
    """A thousand in a row, each acknowledged."""
    lines = b"".join(b"%d\n" % number for number in range(1_000))
    code, said = await mosquitto.run(
        *client("mosquitto_pub", house, "u1", version, "-q", "1", "-t", "up/u1", "-l"), stdin=lines
    )

    assert (0, "") == (code, said)
    assert [b"%d" % number for number in range(1_000)] == [
        one.payload for one in await house.intake.wants(1_000)
    ]
    assert 1_000 == house.listener.counters.acknowledged


@VERSIONS
@pytest.mark.parametrize("qos", [0, 1])
async def test_mosquitto_sub_is_served(house: Running, version: str, qos: int) -> None:
    """What we publish is printed there."""
    command = client("mosquitto_sub", house, "u1", version, "-q", str(qos), "-t", "down/u1", "-C", "2")
    reader = asyncio.get_running_loop().create_task(mosquitto.run(*command))
    async with asyncio.timeout(PATIENCE):
        while not house.listener.publish("down/u1", b"one", qos=qos):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert house.listener.publish("down/u1", b"two", qos=qos)

    assert (0, "one\ntwo\n") == await reader


@VERSIONS
async def test_mosquitto_clients_are_refused_by_name(house: Running, version: str) -> None:
    """A wrong password, another's topic, a wildcard."""
    wrong = list(client("mosquitto_pub", house, "u1", version, "-q", "1", "-t", "up/u1", "-m", "x"))
    wrong[wrong.index("-P") + 1] = "wrong"
    code, said = await mosquitto.run(*wrong)
    assert code
    assert "Not authorized" in said or "not authori" in said.lower() or "Bad User Name" in said

    _, said = await mosquitto.run(
        *client("mosquitto_sub", house, "u1", version, "-t", "#", "-C", "1", "-W", "2")
    )
    assert "denied" in said or "not supported" in said.lower() or "subscri" in said.lower()

    await mosquitto.run(*client("mosquitto_pub", house, "u1", version, "-q", "1", "-t", "up/u2", "-m", "x"))
    assert [] == house.intake.received


@VERSIONS
async def test_a_killed_client_leaves_its_will(house: Running, version: str) -> None:
    """SIGKILL on mosquitto_sub."""
    command = client("mosquitto_sub", house, "u1", version, "-t", "down/u1", "--will-topic", "state/u1", "--will-payload", "offline", "--will-retain")  # fmt: skip
    process = await asyncio.create_subprocess_exec(mosquitto.require(command[0]), *command[1:])
    async with asyncio.timeout(PATIENCE):
        while not house.listener.publish("down/u1", b"."):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    process.kill()
    await process.wait()

    received = (await house.intake.wants(1))[0]
    assert ("state/u1", b"offline") == (received.topic, received.payload)


@pytest.mark.parametrize("protocol", [paho.MQTTv311, paho.MQTTv5])
async def test_paho_gets_its_puback_after_the_commit(house: Running, protocol: int) -> None:
    """wait_for_publish returns when the future has resolved."""
    house.intake.at_once = False
    unit = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="u1", protocol=protocol)
    unit.username_pw_set("u1", "u1")
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    unit.on_message = lambda *_: loop.call_soon_threadsafe(heard.set)
    unit.on_connect = lambda one, *_: one.subscribe("down/u1", 1)
    await asyncio.to_thread(unit.connect, "127.0.0.1", house.port)
    unit.loop_start()
    info = unit.publish("up/u1", b"help", qos=1)
    await house.intake.wants(1)
    assert not info.is_published()

    house.intake.futures[0].set_result(None)

    await asyncio.to_thread(info.wait_for_publish, PATIENCE)
    assert info.is_published()
    async with asyncio.timeout(PATIENCE):
        while not house.listener.publish("down/u1", b"ack", qos=1):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await heard.wait()
    unit.disconnect()
    await asyncio.to_thread(unit.loop_stop)


@pytest.mark.parametrize("version", [gmqtt.constants.MQTTv311, gmqtt.constants.MQTTv50])
async def test_gmqtt_is_served_both_ways(house: Running, version: int) -> None:
    """Publish, subscribe, receive, disconnect."""
    unit = gmqtt.Client("u1")
    unit.set_auth_credentials("u1", "u1")
    unit.set_config({"reconnect_retries": 0})
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def on_message(_client: Any, _topic: str, payload: bytes, *_more: Any) -> int:
        heard.put_nowait(payload)
        return 0

    unit.on_message = on_message
    await unit.connect("127.0.0.1", house.port, version=version)
    unit.subscribe("down/u1", qos=1)
    unit.publish("up/u1", b"help", qos=1)
    assert b"help" == (await house.intake.wants(1))[0].payload
    async with asyncio.timeout(PATIENCE):
        while not house.listener.publish("down/u1", b"ack", qos=1):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        assert b"ack" == await heard.get()
    await unit.disconnect()


async def test_mosquitto_pub_is_served_over_tls(tmp_path: Path) -> None:
    """With a certificate of our own, checked by the client; without TLS there is no answer."""
    certificate = write_certificate(tmp_path, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, tmp_path / "key.pem")
    async with Running(tls=context, connect_within=2.0) as house:
        plain = client("mosquitto_pub", house, "u1", "mqttv5", "-q", "1", "-t", "up/u1", "-m", "help")
        code, said = await mosquitto.run(*plain, "--cafile", str(certificate))
        assert (0, "") == (code, said)
        assert b"help" == (await house.intake.wants(1))[0].payload

        code, _ = await mosquitto.run(*plain)
        assert code
        assert 1 == len(house.intake.received)


async def test_half_done_handshakes_make_room(tmp_path: Path) -> None:
    """The oldest goes when there are too many, the rest when their time is up; who speaks TLS gets in meanwhile."""
    certificate = write_certificate(tmp_path, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, tmp_path / "key.pem")
    async with Running(tls=context, connect_within=2.0, handshakes=2) as house:
        idle = [await house.stranger() for _ in range(3)]
        assert [] == await idle[0].is_closed()
        command = client("mosquitto_pub", house, "u1", "mqttv5", "-q", "1", "-t", "up/u1", "-m", "help")
        assert (0, "") == await mosquitto.run(*command, "--cafile", str(certificate))
        for stranger in idle[1:]:
            assert [] == await stranger.is_closed()
        assert 3 == house.listener.counters.refused_handshakes


async def test_the_kernel_asks_silent_peers(house: Running) -> None:
    """Accepted sockets inherit the listening one's keep-alive."""
    unit = await house.unit()
    session = house.listener._registry.clients()[0]
    sock = session._transport.get_extra_info("socket")

    assert 1 == sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert 15 == sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
    await unit.is_alive()
