"""The broker configuration that we print, tried on a real mosquitto."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.broker_config import BrokerPlan, render, render_acl, render_config
from hardware.codecs.mqtt_packets import ConnAck, Disconnect, PubAck, Publish
from hardware.drivers.mqtt_broker import BrokerIntake
from tests.hardware.mqtt.houses import KEEPING, BrokerHouse


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[BrokerHouse]:
    """Mosquitto with our configuration, and our client of it."""
    async with BrokerHouse(tmp_path) as running:
        yield running


def test_both_files_are_printed_under_their_names() -> None:
    """With TLS, passwords, and what the PUBACK is worth."""
    text = render()

    assert "# ===== /etc/mosquitto/belltower/mosquitto.conf =====" in text
    assert "# ===== /etc/mosquitto/belltower/acl =====" in text
    for line in (
        "listener 8883",
        "certfile /etc/mosquitto/belltower/broker.pem",
        "allow_anonymous false",
        "max_queued_messages 0",
        "pattern write up/%u",
        "autosave_interval 1",
    ):
        assert line in text.splitlines()
    assert "WHAT THIS BROKER'S PUBACK IS WORTH" in text


def test_without_tls_it_says_what_that_means() -> None:
    """And bears no certificate."""
    text = render_config(BrokerPlan(certificate=None, save_every_change=True))

    assert "WITHOUT TLS" in text
    assert "certfile" not in text
    assert "autosave_on_changes true" in text


def test_our_own_name_can_be_chosen() -> None:
    """In the ACL."""
    assert "user campus-7\ntopic read up/#" in render_acl(BrokerPlan(username="campus-7"))


@pytest.mark.parametrize(
    ("topic", "allowed"),
    [
        ("up/u1", True),
        ("state/u1", True),
        ("up/u2", False),
        ("state/u2", False),
        ("down/u1", False),
        ("x", False),
    ],
)
async def test_what_a_unit_may_publish(house: BrokerHouse, topic: str, allowed: bool) -> None:
    """Its own uplink and state; version 5 is told, 3.1.1 is not."""
    five, three = await house.unit("u1", version=5), await house.unit("u3")
    five.tell(Publish(topic=topic, payload=b"five", qos=1, mid=1))
    three.tell(Publish(topic=topic.replace("u1", "u3"), payload=b"three", qos=1, mid=1))

    answer = await five.hears()
    assert isinstance(answer, PubAck)
    assert (answer.reason < 0x80) == allowed
    assert PubAck(mid=1) == await three.hears()
    last = await house.unit("u2")
    last.presses("u2")
    await house.intake.wants(3 if allowed else 1)
    assert (2 if allowed else 0) == sum(one.payload in {b"five", b"three"} for one in house.intake.received)


async def test_where_bridges_keep_what_they_say_a_retained_press_cannot_be_forbidden(tmp_path: Path) -> None:
    """So it is marked when it comes again, and the intake takes it for old."""
    async with BrokerHouse(tmp_path, users=KEEPING) as house:
        unit = await house.unit()
        unit.presses(retain=True)
        await unit.hears()
        await house.intake.wants(1)
        await house.kill()
        await house.start()

        received = await house.intake.wants(2)
        assert [False, True] == [one.retain for one in received]


async def test_nobody_takes_anothers_session(house: BrokerHouse) -> None:
    """The client id is ignored in favour of the user name."""
    ours = await house.unit("u2", version=5)
    thief = await house.stranger(version=5)
    answer = await thief.sign_in("u1", client_id="u2")

    assert isinstance(answer, ConnAck)
    assert answer.reason == 0
    await ours.is_alive()


async def test_we_know_when_our_own_name_is_taken(house: BrokerHouse) -> None:
    """Whoever has our password throws us off, and we whoever it is."""
    thief = await house.stranger(version=5)
    await thief.sign_in("belltower")
    assert isinstance(house.way, BrokerIntake)
    await thief.is_closed()

    assert "belltower" in house.taken_over


@pytest.mark.parametrize("credentials", [{"username": None, "password": None}, {"password": b"wrong"}])
async def test_nobody_gets_in_without_a_password(
    house: BrokerHouse, credentials: dict[str, bytes | None]
) -> None:
    """Nor with a wrong one."""
    unit = await house.stranger(version=5)
    answer = await unit.sign_in("u1", **credentials)

    assert isinstance(answer, ConnAck)
    assert answer.reason in {0x86, 0x87}


async def test_a_message_too_long_ends_the_connection(house: BrokerHouse) -> None:
    """Version 5 is told why."""
    unit = await house.unit(version=5)
    unit.presses(payload=bytes(80_000))

    assert [Disconnect(reason=0x95)] == await unit.is_closed()
