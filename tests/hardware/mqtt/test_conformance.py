"""One contract over both ways in: our own listener, and a client of a real mosquitto."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hardware.codecs.mqtt_packets import ConnAck, Connect, PubAck, Publish, SubAck, Subscribe, Will
from tests.hardware.mqtt.houses import BrokerHouse, House, ListenerHouse
from tests.peers.waiting import PATIENCE


@pytest.fixture(params=["listener", "broker"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """Either."""
    async with ListenerHouse() if request.param == "listener" else BrokerHouse(tmp_path) as running:
        yield running


VERSIONS = pytest.mark.parametrize("version", [4, 5])


@VERSIONS
async def test_a_press_arrives_and_is_acknowledged(house: House, version: int) -> None:
    """As it was sent."""
    unit = await house.unit(version=version)
    unit.presses(mid=9, payload=b"\0\xff")

    assert PubAck(mid=9) == await unit.hears()
    received = (await house.intake.wants(1))[0]
    assert ("up/u1", b"\0\xff", 1, False, False) == (
        received.topic,
        received.payload,
        received.qos,
        received.retain,
        received.dup,
    )


async def test_what_was_not_resolved_before_a_kill_comes_again(house: House) -> None:
    """The commit never happened: behind a broker it sends again, without one the unit has no PUBACK and does."""
    house.intake.at_once = False
    unit = await house.unit()
    unit.presses()
    await house.intake.wants(1)
    await house.kill()
    house.intake.at_once = True

    await house.start()
    if not house.keeps_messages:
        assert [] == await unit.is_closed()
        unit = await house.unit()
        unit.presses(dup=True)

    again = (await house.intake.wants(2))[1]
    assert (b"!", True) == (again.payload, again.dup)


async def test_what_was_resolved_does_not_come_again(house: House) -> None:
    """Acknowledged to the broker, or to the unit."""
    house.intake.at_once = False
    unit = await house.unit()
    unit.presses(mid=1)
    await house.intake.wants(1)
    house.intake.futures[0].set_result(None)
    assert PubAck(mid=1) == await unit.hears()
    unit.presses(mid=2, payload=b"second")
    await house.intake.wants(2)
    house.intake.futures[1].set_result(None)
    assert PubAck(mid=2) == await unit.hears()

    await house.kill()
    await house.start()
    last = await house.unit("u2")
    last.presses("u2", payload=b"last")

    assert [b"!", b"second", b"last"] == [received.payload for received in await house.intake.wants(3)]


async def test_what_failed_comes_again(house: House) -> None:
    """An exception is not an acknowledgement."""
    house.intake.at_once = False
    unit = await house.unit()
    unit.presses()
    await house.intake.wants(1)
    house.intake.at_once = True
    house.intake.futures[0].set_exception(OSError("disk"))
    if not house.keeps_messages:
        assert [] == await unit.is_closed()
        unit = await house.unit()
        unit.presses(dup=True)

    again = (await house.intake.wants(2))[1]
    assert (b"!", True) == (again.payload, again.dup)


async def test_a_unit_hears_what_is_published_to_it(house: House) -> None:
    """And only that."""
    one, two = await house.unit("u1"), await house.unit("u2")
    for unit, topic in ((one, "down/u1"), (two, "down/u2")):
        unit.tell(Subscribe(mid=1, filters=((topic, 1),)))
        assert SubAck(mid=1, reasons=(1,)) == await unit.hears()

    assert house.publish("down/u1", b"ack", qos=1)
    assert house.publish("down/u1", b"more")

    heard = await one.hears()
    assert isinstance(heard, Publish)
    assert (b"ack", 1) == (heard.payload, heard.qos)
    assert Publish(topic="down/u1", payload=b"more") == await one.hears()
    await two.is_alive()


async def test_a_wildcard_is_no_topic(house: House) -> None:
    """PUBLISH to one ends the connection (MQTT-3.1.1 §3.3.2.1)."""
    unit = await house.unit()
    unit.tell(Publish(topic="up/#", payload=b"!", qos=1, mid=1))

    assert [] == await unit.is_closed()


@VERSIONS
@pytest.mark.parametrize("password", [b"wrong", None])
async def test_a_wrong_password_is_refused(house: House, version: int, password: bytes | None) -> None:
    """By the answer to CONNECT; nothing behind it counts."""
    unit = await house.stranger(version=version)
    unit.tell(
        Connect(version=version, client_id="u1", username="u1", password=password),
        Publish(topic="up/u1", payload=b"!", qos=1, mid=1),
    )

    said = await unit.is_closed()
    assert all(isinstance(one, ConnAck) and one.reason for one in said)
    assert [] == house.intake.received


async def test_an_announced_flood_is_refused(house: House) -> None:
    """256 MB: closed at its header."""
    unit = await house.unit()
    unit.writer.write(b"\x32\xff\xff\xff\x7f" + bytes(1_000))

    assert [] == await unit.is_closed()


async def test_a_will_comes_when_the_unit_is_killed(house: House) -> None:
    """Under the will's topic."""
    unit = await house.unit(will=Will(topic="state/u1", payload=b"offline", qos=1))
    unit.hang_up()

    received = (await house.intake.wants(1))[0]
    assert ("state/u1", b"offline", False) == (received.topic, received.payload, received.retain)


async def test_a_half_open_connection_is_found_out(house: House) -> None:
    """Silence for one and a half times the keep-alive; mosquitto looks only now and then."""
    await house.unit(keepalive=1, will=Will(topic="state/u1", payload=b"offline"))

    async with asyncio.timeout(PATIENCE):
        while not house.intake.received:  # noqa: ASYNC110 - longer than wants() waits
            await asyncio.sleep(0.05)
    assert b"offline" == house.intake.received[0].payload


async def test_a_second_connection_takes_over(house: House) -> None:
    """The first is closed, the second served."""
    first = await house.unit()
    second = await house.unit()

    assert [] == await first.is_closed()
    second.presses()
    assert PubAck(mid=1) == await second.hears()
    await house.intake.wants(1)
    assert ["u1"] == house.taken_over


async def test_a_thousand_presses_in_a_row_arrive_in_order(house: House) -> None:
    """Each once, each acknowledged."""
    unit = await house.unit()
    acknowledged = []
    for first in range(1, 1_001, 50):
        for mid in range(first, first + 50):
            unit.presses(mid=mid, payload=b"%d" % mid)
        acknowledged += [await unit.hears() for _ in range(50)]

    received = await house.intake.wants(1_000)
    assert [PubAck(mid=mid) for mid in range(1, 1_001)] == acknowledged
    assert [b"%d" % mid for mid in range(1, 1_001)] == [one.payload for one in received]


async def test_all_goes_on_after_a_restart(house: House) -> None:
    """Presses and answers."""
    await house.kill()
    await house.start()
    unit = await house.unit()
    unit.tell(Subscribe(mid=1, filters=(("down/u1", 0),)))
    await unit.hears()
    unit.presses()
    assert PubAck(mid=1) == await unit.hears()
    await house.intake.wants(1)

    assert house.publish("down/u1", b"ack")
    assert Publish(topic="down/u1", payload=b"ack") == await unit.hears()


async def test_strangers_that_say_nothing_hold_nobody_up(house: House) -> None:
    """Fifty open connections, then a press."""
    strangers = [await house.stranger() for _ in range(50)]
    unit = await house.unit()
    unit.presses()

    async with asyncio.timeout(PATIENCE):
        assert PubAck(mid=1) == await unit.hears()
    assert 50 == len(strangers)
