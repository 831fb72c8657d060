"""The listener, byte by byte: what it promises to a unit and what it refuses."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from belltower.errors import Unreachable
from hardware.codecs.mqtt_packets import (
    ConnAck,
    Connect,
    Disconnect,
    PubAck,
    Publish,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    Will,
    encode,
)
from hardware.drivers.mqtt_listener import MQTTListener
from tests.hardware.mqtt.peer import Running, Unit


@pytest.fixture
async def house() -> AsyncIterator[Running]:
    """A listener with tight limits."""
    async with Running(receive_maximum=4, send_maximum=2, unauthenticated=3) as running:
        yield running


@pytest.mark.parametrize("version", [4, 5])
async def test_puback_leaves_after_the_future_and_not_before(house: Running, version: int) -> None:
    """The whole point of a listener of our own."""
    house.intake.at_once = False
    unit = await house.unit(version=version)
    unit.presses(mid=7)
    received = (await house.intake.wants(1))[0]
    await unit.is_alive()

    house.intake.futures[0].set_result(None)

    assert PubAck(mid=7) == await unit.hears()
    assert (
        received.client,
        received.topic,
        received.payload,
        received.retain,
        received.dup,
        received.qos,
    ) == ("u1", "up/u1", b"!", False, False, 1)


async def test_pubacks_leave_in_the_order_of_their_publishes(house: Running) -> None:
    """MQTT-3.1.1 §4.6; a later one that is ready waits for its turn."""
    house.intake.at_once = False
    unit = await house.unit()
    for mid in (1, 2, 3):
        unit.presses(mid=mid)
    await house.intake.wants(3)

    house.intake.futures[2].set_result(None)
    house.intake.futures[1].set_result(None)
    await unit.is_alive()
    house.intake.futures[0].set_result(None)

    assert [PubAck(mid=1), PubAck(mid=2), PubAck(mid=3)] == [await unit.hears() for _ in range(3)]


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("how", ["exception", "cancel"])
async def test_a_failed_future_drops_the_connection_without_puback(
    house: Running, version: int, how: str
) -> None:
    """So that the unit repeats what was not taken."""
    house.intake.at_once = False
    unit = await house.unit(version=version)
    unit.presses()
    await house.intake.wants(1)

    if how == "cancel":
        house.intake.futures[0].cancel()
    else:
        house.intake.futures[0].set_exception(OSError("disk"))

    assert ([Disconnect(reason=0x83)] if version == 5 else []) == await unit.is_closed()
    assert house.listener.counters.failed == 1


async def test_one_client_cannot_have_more_than_its_share_in_flight(house: Running) -> None:
    """Beyond the receive maximum nothing is read until half of it is acknowledged; then all of it arrives."""
    house.intake.at_once = False
    unit = await house.unit()
    for mid in range(1, 11):
        unit.presses(mid=mid)
    await house.intake.wants(4)
    await asyncio.sleep(0.02)
    assert len(house.intake.received) == 4

    for at in range(10):
        await house.intake.wants(at + 1)
        house.intake.futures[at].set_result(None)

    assert [PubAck(mid=mid) for mid in range(1, 11)] == [await unit.hears() for _ in range(10)]


async def test_unit_a_cannot_publish_as_b(house: Running) -> None:
    """Version 5 is told so and stays; 3.1.1 is closed; nothing reaches the intake."""
    five, three = await house.unit("u5", version=5), await house.unit("u3")
    five.presses("u9", mid=3)
    three.presses("u9", mid=3)

    assert PubAck(mid=3, reason=0x87) == await five.hears()
    assert await three.is_closed() == []
    await five.is_alive()
    assert house.intake.received == []
    assert house.listener.counters.refused_publishes == 2


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("#", 0xA2),
        ("down/+", 0xA2),
        ("down/u2", 0x87),
        ("up/u1", 0x87),
        ("$share/x/down/u1", 0x9E),
        ("$SYS/#", 0xA2),
    ],
)
async def test_a_unit_may_read_nothing_but_its_own(house: Running, wanted: str, reason: int) -> None:
    """Wildcards, shares, others' topics and its own uplink are refused by name."""
    five, three = await house.unit("u1", version=5), await house.unit("u3")
    for unit in (five, three):
        unit.tell(Subscribe(mid=1, filters=((wanted, 1),)))

    assert SubAck(mid=1, reasons=(reason,)) == await five.hears()
    assert SubAck(mid=1, reasons=(0x80,)) == await three.hears()
    assert not house.listener.publish(wanted, b"x")


@pytest.mark.parametrize("version", [4, 5])
async def test_what_is_published_reaches_the_unit_that_subscribed(house: Running, version: int) -> None:
    """QoS 0 and 1 down; False when nobody is there."""
    unit = await house.unit(version=version)
    assert not house.listener.publish("down/u1", b"early")
    unit.tell(Subscribe(mid=1, filters=(("down/u1", 1),)))
    assert SubAck(mid=1, reasons=(1,)) == await unit.hears()

    assert house.listener.publish("down/u1", b"ack")
    assert house.listener.publish("down/u1", b"order", qos=1)

    assert Publish(topic="down/u1", payload=b"ack") == await unit.hears()
    assert Publish(topic="down/u1", payload=b"order", qos=1, mid=1) == await unit.hears()
    unit.tell(PubAck(mid=1), Unsubscribe(mid=2, filters=("down/u1", "other")))
    assert UnsubAck(mid=2, reasons=(0, 0x11) if version == 5 else ()) == await unit.hears()
    assert not house.listener.publish("down/u1", b"late")


async def test_a_unit_that_never_acknowledges_is_dropped(house: Running) -> None:
    """Messages in flight to one unit are bounded."""
    unit = await house.unit()
    unit.tell(Subscribe(mid=1, filters=(("down/u1", 1),)))
    await unit.hears()

    assert [house.listener.publish("down/u1", b"x", qos=1) for _ in range(3)] == [True, True, False]
    assert len(await unit.is_closed()) == 2


async def test_a_unit_that_does_not_read_is_dropped(house: Running) -> None:
    """Octets waiting for one unit are bounded."""
    unit = await house.unit()
    unit.tell(Subscribe(mid=1, filters=(("down/u1", 0),)))
    await unit.hears()
    unit.writer.transport.pause_reading()

    taken = [house.listener.publish("down/u1", bytes(60_000)) for _ in range(200)]

    assert not taken[-1]
    assert house.listener.counters.slow_readers == 1


@pytest.mark.parametrize("version", [4, 5])
async def test_a_will_is_published_when_the_unit_ends_without_a_word(house: Running, version: int) -> None:
    """It comes in like any message, under the will's topic."""
    will = Will(topic="state/u1", payload=b"offline", qos=1, retain=True)
    unit = await house.unit(version=version, will=will)
    unit.hang_up()

    received = (await house.intake.wants(1))[0]

    assert (received.client, received.topic, received.payload) == ("u1", "state/u1", b"offline")


async def test_no_will_after_a_good_bye_and_none_for_another(house: Running) -> None:
    """DISCONNECT discards the will; a will under another's topic is not accepted, though the unit is."""
    polite = await house.unit("u1", will=Will(topic="state/u1", payload=b"offline"))
    liar = await house.unit("u2", will=Will(topic="state/u1", payload=b"offline"))
    polite.tell(Disconnect())
    await polite.is_closed()
    liar.hang_up()
    last = await house.unit("u3")
    await last.is_alive()

    assert house.intake.received == []
    assert house.listener.counters.refused_wills == 1


async def test_a_version_5_unit_may_ask_for_its_will_at_good_bye(house: Running) -> None:
    """DISCONNECT with reason 4 (MQTT-5.0 §3.14.2.1)."""
    unit = await house.unit(version=5, will=Will(topic="state/u1", payload=b"offline"))
    unit.tell(Disconnect(reason=4))

    assert (await house.intake.wants(1))[0].payload == b"offline"


async def test_retained_state_is_kept_and_a_retained_press_is_not(house: Running) -> None:
    """A press with the retain flag is taken, as news, and never handed out again."""
    unit = await house.unit()
    unit.tell(Publish(topic="state/u1", payload=b"online", qos=1, mid=1, retain=True))
    unit.presses(mid=2, retain=True)

    assert [PubAck(mid=1), PubAck(mid=2)] == [await unit.hears(), await unit.hears()]
    assert [received.retain for received in house.intake.received] == [False, False]
    assert house.listener.counters.not_retained == 1


async def test_a_retained_order_waits_for_its_unit(house: Running) -> None:
    """Marked as retained for who comes later, as news for who is there; an empty one deletes."""
    assert not house.listener.publish("down/u1", b"order", retain=True)
    unit = await house.unit()
    unit.tell(Subscribe(mid=1, filters=(("down/u1", 1),)))
    await unit.hears()
    assert Publish(topic="down/u1", payload=b"order", retain=True) == await unit.hears()

    house.listener.publish("down/u1", b"", retain=True)

    assert Publish(topic="down/u1", payload=b"") == await unit.hears()
    unit.tell(Subscribe(mid=2, filters=(("down/u1", 1),)))
    await unit.hears()
    await unit.is_alive()


async def test_the_duplicate_flag_is_carried(house: Running) -> None:
    """A hint to the intake."""
    unit = await house.unit()
    unit.presses(dup=True)

    assert (await house.intake.wants(1))[0].dup


@pytest.mark.parametrize(("version", "reason"), [(4, 5), (5, 0x86)])
async def test_a_wrong_password_is_refused(house: Running, version: int, reason: int) -> None:
    """And nothing sent behind CONNECT is looked at."""
    unit = await house.stranger(version=version)
    answer = await unit.sign_in("u1", password=b"wrong")
    unit.presses()

    assert ConnAck(reason=reason) == answer
    assert await unit.is_closed() == []
    assert house.intake.received == []
    assert house.listener.counters.refused_connects == 1


async def test_what_stands_behind_a_refused_connect_never_arrives(house: Running) -> None:
    """Even in the same read."""
    unit = await house.stranger()
    unit.tell(
        Connect(version=4, client_id="u1", username="u1", password=b"no"),
        Publish(topic="up/u1", payload=b"!", qos=1, mid=1),
    )

    assert [ConnAck(reason=5)] == await unit.is_closed()
    assert house.intake.received == []


async def test_an_empty_client_id_is_the_user_name(house: Running) -> None:
    """Version 5 is told so; 3.1.1 must then ask for a clean session (MQTT-3.1.1 §3.1.3.1)."""
    five = await house.stranger(version=5)
    three = await house.stranger()

    answer = await five.sign_in("u1", client_id="")
    refusal = await three.sign_in("u2", client_id="", clean=False)

    assert isinstance(answer, ConnAck)
    assert answer.properties[0x12] == "u1"
    assert ConnAck(reason=2) == refusal


async def test_a_version_5_unit_is_told_the_limits(house: Running) -> None:
    """CONNACK's properties (MQTT-5.0 §3.2.2.3)."""
    unit = await house.stranger(version=5)

    answer = await unit.sign_in("u1", keepalive=3_600)

    expected = {
        0x11: 0,
        0x13: 30,
        0x21: 4,
        0x22: 0,
        0x24: 1,
        0x25: 1,
        0x27: 65_536,
        0x28: 0,
        0x29: 0,
        0x2A: 0,
    }
    assert ConnAck(properties=expected) == answer


async def test_a_second_sign_in_takes_over(house: Running) -> None:
    """The old connection ends, with its will, before the new one is served; it is counted."""
    old = await house.unit(version=5, will=Will(topic="state/u1", payload=b"offline"))
    new = await house.unit()

    assert [Disconnect(reason=0x8E)] == await old.is_closed()
    new.presses()
    await new.hears()
    assert [received.payload for received in house.intake.received] == [b"offline", b"!"]
    assert house.listener.counters.takeovers == 1
    assert house.listener.counters.connections == 1


@pytest.mark.parametrize("version", [4, 5])
async def test_qos_2_is_refused(house: Running, version: int) -> None:
    """Version 5 by name, 3.1.1 by closing."""
    unit = await house.unit(version=version)
    unit.tell(Publish(topic="up/u1", payload=b"!", qos=2, mid=1))

    assert ([Disconnect(reason=0x9B)] if version == 5 else []) == await unit.is_closed()
    assert house.intake.received == []


async def test_an_oversized_packet_is_refused_at_its_header(house: Running) -> None:
    """256 MB announced: closed at once, counted, sampled."""
    unit = await house.unit(version=5)
    unit.writer.write(b"\x32\xff\xff\xff\x7f")

    assert [Disconnect(reason=0x95)] == await unit.is_closed()
    sample = house.listener.counters.samples[-1]
    assert sample.start == b"\x32\xff\xff\xff\x7f"
    assert "§2.2.3" in sample.fault


async def test_a_press_before_rubbish_is_taken(house: Running) -> None:
    """A fault closes the connection but takes nothing back."""
    unit = await house.unit()
    unit.presses()
    unit.writer.write(b"\xff\xff\xff")

    assert [PubAck(mid=1)] == await unit.is_closed()
    assert len(house.intake.received) == 1


async def test_no_password_is_kept_as_a_sample(house: Running) -> None:
    """Before sign-in only 16 octets are."""
    unit = await house.stranger()
    raw = bytearray(encode(Connect(version=4, client_id="u1", username="u1", password=b"hunter2"), 4))
    raw[1] += 1
    unit.writer.write(bytes(raw) + b"\0")
    await unit.is_closed()

    assert len(house.listener.counters.samples[-1].start) == 16


async def test_silence_is_ended(house: Running) -> None:
    """No CONNECT in time, and one and a half times the keep-alive."""
    async with Running(connect_within=0.2) as hasty:
        stranger = await hasty.stranger()
        assert await stranger.is_closed() == []
        assert hasty.listener.counters.silent == 1
    unit = await house.unit(version=5, keepalive=1, will=Will(topic="state/u1", payload=b"offline"))

    assert [Disconnect(reason=0x8D)] == await unit.is_closed()
    assert (await house.intake.wants(1))[0].payload == b"offline"
    assert house.listener.counters.silent == 1


async def test_who_signs_in_gets_in_although_others_hold_connections(house: Running) -> None:
    """At the bound of one address the oldest idle connection makes room."""
    idle = [await house.stranger() for _ in range(3)]
    unit = await house.unit("u1")

    assert await idle[0].is_closed() == []
    await unit.is_alive()
    await house.unit("u2")
    assert house.listener.counters.refused_connections == 1


async def test_connections_are_bounded() -> None:
    """When all are signed in, the newcomer is refused."""
    async with Running(connections=2) as house:
        units = [await house.unit("u1"), await house.unit("u2")]
        refused = await house.stranger()

        assert await refused.is_closed() == []
        for unit in units:
            await unit.is_alive()
        assert house.listener.counters.refused_connections == 1


async def test_stopping_publishes_no_wills() -> None:
    """That we end says nothing about the unit."""
    async with Running() as house:
        unit = await Unit.signed_in(house.port, version=5, will=Will(topic="state/u1", payload=b"offline"))
    assert [Disconnect(reason=0x8B)] == await unit.is_closed()
    assert house.intake.received == []


async def test_a_transport_can_be_attached_by_hand(house: Running) -> None:
    """A simulator brings its own pipes."""
    session = house.listener.connection()
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    await loop.connect_accepted_socket(lambda: session, ours)
    reader, writer = await asyncio.open_connection(sock=theirs)
    unit = Unit(reader, writer, 4)

    assert ConnAck() == await unit.sign_in("u1")
    unit.hang_up()


async def test_an_address_that_is_taken_is_unreachable(house: Running) -> None:
    """So that whoever mends it says which."""
    second = MQTTListener(on_publish=house.intake, authenticate=lambda *_: None, port=house.port)

    with pytest.raises(Unreachable, match=f"cannot listen on 127.0.0.1:{house.port}: Address already in use"):
        await second.run()
