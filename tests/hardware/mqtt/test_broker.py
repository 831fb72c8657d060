"""What only the way through a broker has: its own sign-in, its session, its absence."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from belltower.errors import LinkError, Rejected, SettingsError, Unreachable
from hardware.codecs.mqtt_packets import PubAck, Publish, Subscribe
from hardware.drivers.mqtt_broker import BrokerIntake
from tests.hardware.mqtt.certificate import write_certificate
from tests.hardware.mqtt.houses import KEEPING, BrokerHouse
from tests.hardware.mqtt.peer import Intake
from tests.peers.old_broker import REFUSED
from tests.peers.waiting import PATIENCE
from tests.servers.ports import free_port


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[BrokerHouse]:
    """Mosquitto and our client of it."""
    async with BrokerHouse(tmp_path) as running:
        yield running


def as_is(context: ssl.SSLContext) -> ssl.SSLContext:
    """A context that was made before."""
    return context


async def fails(intake: BrokerIntake) -> LinkError:
    """The LinkError with which `run` ends."""
    try:
        with pytest.raises(LinkError) as caught:
            async with asyncio.timeout(PATIENCE):
                await intake.run()
    finally:
        intake.close()
    return caught.value


async def test_a_stored_state_is_marked_as_retained_and_news_is_not(tmp_path: Path) -> None:
    """What the broker kept is old; what comes in while we listen is not, whatever flag it bore."""
    async with BrokerHouse(tmp_path, users=KEEPING) as house:
        await _state_kept(house)


async def _state_kept(house: BrokerHouse) -> None:
    unit = await house.unit()
    unit.tell(Publish(topic="state/u1", payload=b"online", qos=1, mid=1, retain=True))
    await unit.hears()
    await house.kill()
    await house.start()
    unit.tell(Publish(topic="state/u1", payload=b"test", qos=1, mid=2, retain=True))

    received = await house.intake.wants(3)
    assert [(b"online", False), (b"online", True), (b"test", False)] == [
        (one.payload, one.retain) for one in received
    ]


async def test_presses_wait_at_the_broker_while_we_are_away(house: BrokerHouse) -> None:
    """Ten thousand of them: the queue does not drop."""
    await house.kill()
    units = [await house.unit(name) for name in ("u1", "u2")]
    for unit, name in zip(units, ("u1", "u2"), strict=True):
        for first in range(1, 5_001, 500):
            for mid in range(first, first + 500):
                unit.presses(name, mid=mid, payload=b"%d" % mid)
            for _ in range(500):
                await unit.hears()
    await house.start()

    received = await house.intake.wants(10_000)
    for topic in ("up/u1", "up/u2"):
        assert [b"%d" % mid for mid in range(1, 5_001)] == [
            one.payload for one in received if one.topic == topic
        ]


async def test_a_broker_that_dies_is_noticed_and_found_again(house: BrokerHouse) -> None:
    """Kill -9: nothing is taken while it is away; presses flow after its return."""
    await house.broker.kill()
    async with asyncio.timeout(PATIENCE):
        while house.publish("down/u1", b"x"):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    await house.broker.start()
    await house.is_connected()
    unit = await house.unit()
    unit.presses()

    assert PubAck(mid=1) == await unit.hears()
    assert b"!" == (await house.intake.wants(1))[0].payload


async def test_an_acknowledgement_never_crosses_a_reconnect(house: BrokerHouse) -> None:
    """A future of the old connection resolves during the new one: nothing is acknowledged by it."""
    house.intake.at_once = False
    unit = await house.unit()
    unit.presses(payload=b"first")
    await house.intake.wants(1)
    old = house.intake.futures[0]
    await house.kill()
    await house.start()
    await house.intake.wants(2)
    old.set_result(None)
    await house.kill()
    house.intake.at_once = True
    await house.start()

    received = await house.intake.wants(3)
    assert [(b"first", False), (b"first", True), (b"first", True)] == [
        (one.payload, one.dup) for one in received
    ]


async def test_a_press_is_acknowledged_to_the_broker_from_another_turn_of_the_loop(
    house: BrokerHouse,
) -> None:
    """Five hundred futures resolved in reverse order; none comes again."""
    house.intake.at_once = False
    unit = await house.unit()
    for mid in range(1, 501):
        unit.presses(mid=mid)
    await house.intake.wants(500)
    for future in reversed(house.intake.futures):
        future.set_result(None)
    for _ in range(500):
        await unit.hears()
    async with asyncio.timeout(PATIENCE):
        while 500 != house.broker.output().count("Received PUBACK from belltower"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await house.kill()
    await house.start()
    unit.presses(mid=501, payload=b"last")

    assert b"last" == (await house.intake.wants(501))[500].payload


async def test_over_tls_with_the_name_checked_although_a_number_is_dialled(tmp_path: Path) -> None:
    """`localhost` is resolved ahead; the certificate must bear that name."""
    house = BrokerHouse(tmp_path, certificate=write_certificate(tmp_path, "localhost"))
    house.tls = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
    house.host = "localhost"
    async with house:
        assert house.publish("down/u1", b"x")
        for host, said in (("127.0.0.1", "127.0.0.1"), ("localhost", "self-signed")):
            tls = house.tls if host == "127.0.0.1" else ssl.create_default_context()
            intake = BrokerIntake(
                url=f"mqtts://{host}:{house.port}", on_publish=Intake(), tls=partial(as_is, tls)
            )
            error = await fails(intake)
            assert isinstance(error, Rejected)
            assert said in str(error)


async def test_a_wrong_password_is_rejected(house: BrokerHouse) -> None:
    """And says so, without the password."""
    intake = BrokerIntake(
        url=f"mqtt://127.0.0.1:{house.port}", on_publish=Intake(), username="belltower", password="hunter2"
    )
    error = await fails(intake)

    assert isinstance(error, Rejected)
    assert "Not authorized" in str(error)
    assert "hunter2" not in str(error)


async def test_a_broker_that_is_not_there_is_unreachable() -> None:
    """Nobody listens."""
    error = await fails(BrokerIntake(url=f"mqtt://127.0.0.1:{free_port()}", on_publish=Intake()))

    assert isinstance(error, Unreachable)


@asynccontextmanager
async def impostor(*, hangs_up: bool) -> AsyncIterator[int]:
    """A server that is no broker; its port."""
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not hangs_up and await reader.read(1_000):
            pass
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    async with asyncio.timeout(PATIENCE):
        await ended.wait()


async def test_a_broker_that_says_nothing_is_unreachable() -> None:
    """It accepts and is silent: given up in time."""
    async with impostor(hangs_up=False) as port:
        error = await fails(
            BrokerIntake(url=f"mqtt://127.0.0.1:{port}", on_publish=Intake(), connect_within=0.2)
        )

    assert isinstance(error, Unreachable)
    assert "did not answer within 0.2 s" in str(error)


async def test_a_broker_that_hangs_up_is_unreachable() -> None:
    """Before CONNACK."""
    async with impostor(hangs_up=True) as port:
        error = await fails(BrokerIntake(url=f"mqtt://127.0.0.1:{port}", on_publish=Intake()))

    assert isinstance(error, Unreachable)


ACCEPTED = {5: b"\x20\x03\x00\x00\x00", 4: b"\x20\x02\x00\x00"}


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ([b"", ACCEPTED, b"", ACCEPTED], [5, 5, 5, 5]),
        ([b"", b"", ACCEPTED, ACCEPTED], [5, 5, 4, 5]),
        ([REFUSED, ACCEPTED, ACCEPTED], [5, 4, 5]),
        ([REFUSED, b"", ACCEPTED], [5, 4, 5]),
    ],
)
async def test_a_broker_is_spoken_to_in_its_version_and_first_in_ours(
    answers: list[bytes | dict[int, bytes]], asked: list[int]
) -> None:
    """One that just begins anew is no older one, and one that was taken for older is asked again."""
    levels: list[int] = []

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun = await reader.read(4096)
        level = begun[begun.index(b"MQTT") + 4]
        answer = answers[len(levels)]
        levels.append(level)
        writer.write(answer[level] if isinstance(answer, dict) else answer)
        if isinstance(answer, dict):  # and is lost once it was asked for messages
            await reader.read(4096)
        writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    intake = BrokerIntake(url=f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}", on_publish=Intake())
    for _ in answers:
        await fails(intake)
    server.close()

    assert asked == levels


async def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    """And says which."""
    error = await fails(BrokerIntake(url="mqtt://broker.invalid", on_publish=Intake()))

    assert "broker.invalid" in str(error)


@pytest.mark.parametrize("url", ["http://127.0.0.1", "mqtt://", "127.0.0.1"])
async def test_an_address_that_is_none_is_a_settings_error(url: str) -> None:
    """The scheme is part of it."""
    with pytest.raises(SettingsError, match="mqtt://HOST"):
        await BrokerIntake(url=url, on_publish=Intake()).run()


async def test_cancelled_it_lets_go_at_once(house: BrokerHouse) -> None:
    """Within a second, saying good-bye to the broker."""
    async with asyncio.timeout(PATIENCE):
        await house.kill()
    unit = await house.unit()
    unit.tell(Subscribe(mid=1, filters=(("down/u1", 0),)))
    await unit.hears()

    assert not house.publish("down/u1", b"x")
    async with asyncio.timeout(PATIENCE):
        while "Received DISCONNECT from belltower" not in house.broker.output():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_broker_is_found_again_although_its_name_no_longer_resolves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that worked last is kept."""
    resolve = socket.getaddrinfo

    def dead(host: str, *more: Any, **options: Any) -> Any:
        if host == "localhost":
            raise socket.gaierror("no answer")
        return resolve(host, *more, **options)

    house = BrokerHouse(tmp_path)
    house.host = "localhost"
    async with house:
        monkeypatch.setattr(socket, "getaddrinfo", dead)
        for _ in range(2):
            await house.broker.kill()
            async with asyncio.timeout(PATIENCE):
                while house.publish("down/u1", b"x"):  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            await house.broker.start()
            await house.is_connected()

        assert house.publish("down/u1", b"x")
