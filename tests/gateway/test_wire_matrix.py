"""Who may do what on the wire: one matrix over our own listener and a real mosquitto with the ACL that we print."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from belltower.errors import SettingsError
from gateway.broker_config import BrokerPlan, render_acl
from gateway.broker_users import broker_users, shared_names
from gateway.site_package.devices import SiteDevices, renamed
from hardware.codecs.mqtt_packets import ConnAck, PingReq, PingResp, PubAck, Publish, SubAck, Subscribe
from hardware.device_record import DeviceRecord
from hardware.profiles.loading import shipped
from tests.hardware.mqtt.houses import BrokerHouse, House, ListenerHouse
from tests.hardware.mqtt.peer import Unit

VERSIONS = pytest.mark.parametrize("version", [4, 5])


def site(*records: tuple[str, str, str], **parents: str) -> SiteDevices:
    """The devices of a site: (id, profile, address)."""
    profiles = dict(shipped())
    profiles["z2m-hall-b"] = renamed(profiles["zigbee2mqtt"], "z2m-hall-b", {"base": "z2m-hall-b"})
    return SiteDevices(
        profiles=profiles,
        devices={
            name: DeviceRecord(id=name, profile=profile, address=address, parent=parents.get(name, ""))
            for name, profile, address in records
        },
    )


CAMPUS = site(
    ("sos-a", "zigbee2mqtt", "hall a/sos"),
    ("sos-b", "z2m-hall-b", "sos"),
    ("plug-1", "tasmota", "plug1"),
    ("plug-2", "tasmota", "plug2"),
    ("desk-1", "shelly-gen2-input", "shellyplus1-aa"),
    ("lora-1", "netvox-r312", "00137A1000000001"),
)


@pytest.fixture(params=["listener", "broker"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """Either."""
    async with ListenerHouse() if request.param == "listener" else BrokerHouse(tmp_path) as running:
        yield running


@pytest.fixture
async def campus(tmp_path: Path) -> AsyncIterator[BrokerHouse]:
    """A broker that foreign devices use too."""
    async with BrokerHouse(tmp_path, users=broker_users(CAMPUS)) as running:
        yield running


async def said(who: Unit, topic: str, *, retain: bool = False) -> None:
    """Publish, and take whatever answer there is; a closed connection is one."""
    who.tell(Publish(topic=topic, payload=b"lie", qos=1, mid=1, retain=retain))
    try:
        await who.hears()
    except (EOFError, ConnectionError):
        who.hang_up()


async def reads(who: Unit, *topics: str) -> None:
    """Subscribe, granted or not."""
    who.tell(Subscribe(mid=2, filters=tuple((topic, 1) for topic in topics)))
    assert isinstance(await who.hears(), SubAck)


async def hears(who: Unit, topic: str) -> bool:
    """Whether a message under this topic came; it is asked after, so that waiting for nothing takes no time."""
    who.tell(PingReq())
    heard = await who.hears()
    if isinstance(heard, PingResp):
        return False
    assert isinstance(heard, Publish)
    assert topic == heard.topic
    while not isinstance(await who.hears(), PingResp):  # by a second subscription
        pass
    return True


@VERSIONS
@pytest.mark.parametrize(
    "topic",
    ["up/u2", "state/u2", "down/u1", "down/u2", "up/u1/x", "up", "zigbee2mqtt/sos", "$SYS/broker/log/E"],
)
async def test_a_unit_publishes_as_nobody_else(house: House, version: int, topic: str) -> None:
    """Nothing of it arrives, anywhere."""
    other = await house.unit("u2", version=5)
    await reads(other, "down/u2")
    await said(await house.unit("u1", version=version), topic)
    unit = await house.unit("u3")
    unit.presses("u3")

    assert ["up/u3"] == [one.topic for one in await house.intake.wants(1)]
    await other.is_alive()


@pytest.mark.parametrize(
    "wanted", ["#", "+/+", "down/#", "down/+", "down/u2", "up/u2", "state/u2", "$share/g/down/u2", "$SYS/#"]
)
async def test_a_unit_reads_no_commands_but_its_own(house: House, wanted: str) -> None:
    """Whatever it subscribes to, and whatever is answered."""
    spy, unit = await house.unit("u1"), await house.unit("u2")
    spy.tell(Subscribe(mid=2, filters=((wanted, 1),)))
    try:
        await spy.hears()
    except EOFError:  # ended for it: it hears nothing either
        spy = await house.unit("u1")
    await reads(unit, "down/u2")
    unit.presses("u2")
    assert PubAck(mid=1) == await unit.hears()
    await house.intake.wants(1)
    assert house.publish("down/u2", b"secret", qos=1)

    assert isinstance(await unit.hears(), Publish)
    await spy.is_alive()


@VERSIONS
async def test_a_unit_retains_nothing(house: House, version: int) -> None:
    """Neither a press nor a state comes again to anybody who listens later."""
    for topic in ("up/u1", "state/u1"):
        await said(await house.unit("u1", version=version), topic, retain=True)
    before = len(house.intake.received)
    await house.kill()
    await house.start()
    unit = await house.unit("u3")
    unit.presses("u3")

    after = (await house.intake.wants(before + 1))[before:]
    assert ["up/u3"] == [one.topic for one in after]
    assert not any(one.retain for one in house.intake.received)


async def test_nobody_signs_in_under_a_name_that_stands_for_others(house: House) -> None:
    """With a wildcard or a slash in it."""
    for name in ("+", "#", "u1/x"):
        stranger = await house.stranger(version=5)
        answer = await stranger.sign_in(name)
        assert isinstance(answer, ConnAck)
        assert answer.reason


async def test_a_foreign_device_publishes_as_nobody_else(campus: BrokerHouse) -> None:
    """A captured bridge speaks for no other, a captured plug for no other plug, none of them for a unit."""
    ours = await campus.unit("belltower-devices", version=5)
    await reads(ours, "#")
    for name, topic, arrives in (
        ("zigbee2mqtt", "zigbee2mqtt/hall a/sos", True),
        ("z2m-hall-b", "z2m-hall-b/sos/action", True),
        ("z2m-hall-b", "zigbee2mqtt/hall a/sos", False),
        ("z2m-hall-b", "up/u1", False),
        ("plug-1", "tele/plug1/LWT", True),
        ("plug-1", "tele/plug2/LWT", False),
        ("plug-1", "stat/plug2/RESULT", False),
        ("plug-1", "cmnd/plug2/Power", False),
        ("plug-1", "cmnd/plug1/Power", False),
        ("desk-1", "shellyplus1-aa/events/rpc", True),
        ("desk-1", "shellyplus1-aa/online", True),
        ("desk-1", "shellyplus1-bb/events/rpc", False),
        ("chirpstack", "application/a/device/00137a1000000001/event/up", True),
        ("chirpstack", "application/a/device/00137a1000000001/command/down", False),
        ("u1", "tele/plug1/LWT", False),
    ):
        await said(await campus.unit(name, version=5), topic)
        assert arrives == await hears(ours, topic), (name, topic)


async def test_a_foreign_device_reads_no_commands_but_its_own(campus: BrokerHouse) -> None:
    """Though it subscribes to everything."""
    ours = await campus.unit("belltower-devices", version=5)
    for name, topic, arrives in (
        ("zigbee2mqtt", "zigbee2mqtt/hall a/siren/set", True),
        ("z2m-hall-b", "zigbee2mqtt/hall a/siren/set", False),
        ("plug-1", "cmnd/plug1/Power", True),
        ("plug-2", "cmnd/plug1/Power", False),
        ("u1", "cmnd/plug1/Power", False),
        ("plug-1", "shellyplus1-aa/rpc", False),
    ):
        spy = await campus.unit(name, version=5)
        await reads(spy, "#", "+/+/+/+")
        await said(ours, topic)
        assert arrives == await hears(spy, topic), (name, topic)


def test_what_speaks_for_its_parent_or_for_all_gets_one_name() -> None:
    """The gateway above it, or the program that names devices in its messages only."""
    users = broker_users(
        site(
            ("plug-1", "tasmota", "plug1"),
            ("fob", "tasmota", "fob"),
            ("wall", "rtl-433", "3456"),
            fob="plug-1",
        )
    )

    assert ["plug-1", "rtl-433"] == [user.name for user in users.publishers]
    assert ("rtl_433/+/events",) == users.publishers[1].write


def test_an_address_that_stands_for_others_is_refused() -> None:
    """So is a base topic that is no user's name."""
    with pytest.raises(SettingsError, match="plug-1"):
        broker_users(site(("plug-1", "tasmota", "+")))


@pytest.mark.parametrize(
    ("devices", "says"),
    [
        ((("zigbee2mqtt", "shelly-gen2-input", "shelly1"), ("sos", "zigbee2mqtt", "0x01")), "base topic"),
        (
            (("chirpstack", "shelly-gen2-input", "shelly1"), ("sos", "netvox-r312", "00137A1000000001")),
            "server",
        ),
        ((("rtl-433", "shelly-gen2-input", "shelly1"), ("wall", "rtl-433", "3456")), "program"),
        ((("u7", "shelly-gen2-input", "shelly1"),), "the unit u7"),
        ((("belltower", "shelly-gen2-input", "shelly1"),), "for us"),
    ],
)
def test_two_never_become_one_user(devices, says) -> None:
    """A device called as a bridge's base topic, a server, a program, a unit or ourselves is refused by name."""
    taken = {"u7": "the unit u7", "belltower": "us"}
    with pytest.raises(SettingsError, match=f'"{devices[0][0]}".*{says}.*rename'):
        broker_users(site(*devices), taken)
    assert 1 == len(shared_names(site(*devices), taken))


def test_without_foreign_devices_nobody_is_added() -> None:
    """And with them our other name is there."""
    assert 1 == render_acl(BrokerPlan()).count("\nuser ")
    assert "user belltower-devices\n" in render_acl(BrokerPlan(users=broker_users(CAMPUS)))
