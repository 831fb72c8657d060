"""The campus and its buttons as Home Assistant reads them, by a real broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from msgspec.structs import replace

from belltower.errors import LinkError, SettingsError
from belltower.ids import FactId, IncidentId, PersonId, PlaceId, VerbId
from belltower.incident import facts
from belltower.incident.facts import Action, Fact
from belltower.journal import Entry
from gateway.device_wires import DeviceWires
from gateway.intake.devices.settings import HomeAssistantSettings
from gateway.site_package.devices import SiteDevices
from hardware.codecs.home_assistant import Shelf
from hardware.drivers import Received
from hardware.drivers.mqtt_broker import BrokerIntake
from tests.gateway.intake.devices.bench import Bench, record
from tests.peers.waiting import until
from tests.servers.mosquitto import Mosquitto

PATIENCE = 20.0
DEVICES = (record("sos-1", "z-button", "hall"), record("sos-2", "z-button", "gym"))
# What the documentation of each platform asks for, beside what all of them need.
ASKED = {
    "alarm_control_panel": {"command_topic", "state_topic"},
    "sensor": {"state_topic"},
    "binary_sensor": {"state_topic"},
    "event": {"state_topic", "event_types"},
}


class Watcher:
    """Reads everything at the broker, as whoever owns it can."""

    def __init__(self, port: int, name: str = "watcher") -> None:
        self.broker = BrokerIntake(
            url=f"mqtt://127.0.0.1:{port}",
            on_publish=self.hears,
            client_id=name,
            topics=("#",),
            kept=False,
        )
        self.kept: dict[str, bytes] = {}
        self.news: list[tuple[str, bytes]] = []

    def hears(self, received: Received) -> None:
        self.news.append((received.topic, received.payload))
        self.kept[received.topic] = received.payload

    def said(self, topic: str) -> Any:
        return json.loads(self.kept.get(topic) or "null")


@asynccontextmanager
async def running(broker: BrokerIntake) -> AsyncIterator[BrokerIntake]:
    task = asyncio.get_running_loop().create_task(broker.run())
    await asyncio.wait_for(broker.connected.wait(), PATIENCE)
    try:
        yield broker
    finally:
        task.cancel()
        await asyncio.wait([task])
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def shown(bench: Bench, port: int, *, campus: str = "lincoln") -> AsyncIterator[DeviceWires]:
    """The bench's devices are shown at the broker."""
    wires = bench.wires(open_transport=lambda _: pytest.fail("opens no line"), campus=campus)
    bench.journal.tap((facts.AlarmRaised,), wires.raised)
    settings = HomeAssistantSettings(url=f"mqtt://127.0.0.1:{port}")
    run, _ = wires.open("home", settings)
    task = asyncio.get_running_loop().create_task(run())
    try:
        yield wires
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
async def broker(tmp_path) -> AsyncIterator[Mosquitto]:
    folder = tmp_path / "broker"
    folder.mkdir()
    async with Mosquitto(folder, "listener PORT 127.0.0.1\nallow_anonymous true\n") as running:
        yield running


@pytest.fixture
async def bench(tmp_path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path, devices=DEVICES)
    await bench.start()
    yield bench
    await bench.journal.close()


async def test_home_assistant_sees_the_campus_and_its_buttons(bench: Bench, broker: Mosquitto) -> None:
    """Number 38: every configuration is whole, the states are true, a press is told once and kept by nobody."""
    watcher = Watcher(broker.port)
    async with shown(bench, broker.port), running(watcher.broker):
        button, campus = "belltower-states/lincoln/device/sos-1", "belltower-states/lincoln/campus"
        await until(lambda: watcher.said(campus) and watcher.said(button), within=PATIENCE)
        assert b"online" == watcher.kept["belltower-states/lincoln/available"]
        assert {"alarm": "disarmed", "action": "none"} == watcher.said(campus)
        assert {"tamper": "OFF", "heard": None, "battery": None} == watcher.said(button)
        for name in ("belltower_lincoln", "belltower_lincoln_sos-1", "belltower_lincoln_sos-2"):
            valid(watcher.said(f"homeassistant/device/{name}/config"))

        await bench.hear("z/hall", {"action": "emergency", "battery": 70})
        await until(lambda: watcher.said(campus)["alarm"] == "triggered", within=PATIENCE)
        assert [b'{"event_type":"press"}'] == [
            payload for topic, payload in watcher.news if topic == f"{button}/pressed"
        ]
        incident = IncidentId(next(iter(bench.verbs.incidents)))
        await bench.verbs.order_action(
            verb=VerbId("v9"),
            incident=incident,
            action=Action.LOCKDOWN,
            places=frozenset(),
            by=PersonId("p1"),
        )
        await until(lambda: watcher.said(campus)["action"] == "lockdown", within=PATIENCE)
        late = Watcher(broker.port, "late")
        async with running(late.broker):
            await until(lambda: late.said(button), within=PATIENCE)
        assert f"{button}/pressed" not in late.kept
    gone = Watcher(broker.port)
    async with running(gone.broker):
        await until(lambda: "belltower-states/lincoln/available" in gone.kept, within=PATIENCE)
    assert b"offline" == gone.kept["belltower-states/lincoln/available"]


async def test_an_exercise_triggers_no_alarm_panel(bench: Bench, broker: Mosquitto) -> None:
    """It is shown as what it is: houses switch their lights by such panels."""
    await bench.begin_drill()
    bench.room.begin_walk_test(PersonId("p1"), PlaceId("b-204"))
    watcher = Watcher(broker.port)
    async with shown(bench, broker.port), running(watcher.broker):
        await until(lambda: watcher.said("belltower-states/lincoln/campus"), within=PATIENCE)
        await bench.hear("z/hall", {"action": "emergency"})
        pressed = "belltower-states/lincoln/device/sos-1/pressed"
        await until(lambda: watcher.said(pressed), within=PATIENCE)
        assert {"event_type": "exercise"} == watcher.said(pressed)
        assert "disarmed" == watcher.said("belltower-states/lincoln/campus")["alarm"]


async def test_a_press_is_shown_once_and_only_as_news(bench: Bench, broker: Mosquitto) -> None:
    """What was spooled is told twice, the second time long afterwards; what an earlier process heard is no press now."""
    entries: list[Entry[Fact]] = []
    bench.journal.tap((facts.AlarmRaised,), entries.append)
    watcher = Watcher(broker.port)
    async with shown(bench, broker.port) as wires, running(watcher.broker):
        await until(lambda: watcher.said("belltower-states/lincoln/campus"), within=PATIENCE)
        await bench.hear("z/hall", {"action": "emergency"})
        (pressed,) = entries
        wires.raised(pressed)
        bench.time.passed += 11
        wires.raised(replace(pressed, id=FactId("fct_before")))
        await bench.hear("z/gym", {"action": "emergency"})
        gym = "belltower-states/lincoln/device/sos-2/pressed"
        await until(lambda: gym in watcher.kept, within=PATIENCE)
    assert ["belltower-states/lincoln/device/sos-1/pressed", gym] == [
        topic for topic, _ in watcher.news if topic.endswith("/pressed")
    ]


async def test_two_campuses_are_shown_at_one_broker(bench: Bench, broker: Mosquitto) -> None:
    """Neither throws the other off its name."""
    watcher = Watcher(broker.port)
    of = "belltower-states/{}/available".format
    async with running(watcher.broker), shown(bench, broker.port):
        await until(lambda: of("lincoln") in watcher.kept, within=PATIENCE)
        async with shown(bench, broker.port, campus="linden"):
            await until(lambda: of("linden") in watcher.kept, within=PATIENCE)
            assert b"online" == watcher.kept[of("lincoln")]


TAKEN_OVER = b"\x20\x03\x00\x00\x00" + b"\xe0\x02\x8e\x00"
"""A broker lets us in, and another in our stead."""


async def test_a_fight_over_its_name_is_a_trouble(bench: Bench) -> None:
    """As of every other connection of ours."""

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(TAKEN_OVER)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    run, _ = bench.wires().open("home", HomeAssistantSettings(url=f"mqtt://127.0.0.1:{port}"))
    for _ in range(3):
        with pytest.raises(LinkError):
            await asyncio.wait_for(run(), PATIENCE)
    server.close()
    assert {"belltower-home-assistant-lincoln"} == bench.room.troubles.standing.keys()


async def test_what_is_gone_from_the_site_is_gone_there_too(bench: Bench, broker: Mosquitto) -> None:
    """And nothing of anybody else's, another campus of the same broker included."""
    watcher = Watcher(broker.port)
    async with running(watcher.broker):
        async with shown(bench, broker.port):
            await until(lambda: watcher.said("belltower-states/lincoln/device/sos-2"), within=PATIENCE)
        others = "homeassistant/device/belltower_lincoln-west_sos-2/config"
        watcher.broker.publish(others, b'{"its": "own"}', qos=1, retain=True)
        bench.foreign = SiteDevices(profiles=bench.profiles, devices={"sos-1": DEVICES[0]})
        await bench.restart()
        async with shown(bench, broker.port):
            config = "homeassistant/device/belltower_lincoln_sos-2/config"
            await until(lambda: watcher.kept[config] == b"", within=PATIENCE)
            await until(lambda: watcher.kept["belltower-states/lincoln/device/sos-2"] == b"", within=PATIENCE)
        assert watcher.said("homeassistant/device/belltower_lincoln_sos-1/config")
        assert {"its": "own"} == watcher.said(others)


async def test_it_is_told_again_when_home_assistant_begins_anew_and_takes_no_orders(
    bench: Bench, broker: Mosquitto
) -> None:
    """Nothing that is published there becomes a fact."""
    watcher = Watcher(broker.port)
    config = "homeassistant/device/belltower_lincoln/config"
    async with shown(bench, broker.port), running(watcher.broker):
        await until(lambda: watcher.said(config), within=PATIENCE)
        for topic, payload in (
            (watcher.said(config)["components"]["alarm"]["command_topic"], b"TRIGGER"),
            ("belltower-states/lincoln/campus", b'{"alarm":"triggered"}'),
            ("belltower-states/lincoln/device/sos-1/pressed", b'{"event_type":"press"}'),
            ("homeassistant/device/belltower_lincoln_sos-1/config", b"\xff"),
            ("homeassistant/status", b"online"),
        ):
            watcher.broker.publish(topic, payload, qos=1)
        told = watcher.news.count
        whole = (config, watcher.kept[config])
        await until(lambda: told(whole) >= 2, within=PATIENCE)
    assert [] == await bench.facts(facts.AlarmRaised, facts.IncidentOpened, facts.DeviceTrouble)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "127.0.0.1"}, "mqtt://HOST:PORT"),
        ({"url": "mqtt://127.0.0.1:1883", "prefix": "home/#"}, "prefix: "),
        ({"url": "mqtt://127.0.0.1:1883", "prefix": "home/"}, "prefix: "),
    ],
)
def test_settings_that_could_never_work_are_refused(given: dict[str, str], said: str) -> None:
    """At load, with the mend."""
    with pytest.raises(SettingsError, match=said):
        HomeAssistantSettings(**given)


def test_no_campus_takes_away_what_is_of_another() -> None:
    """Though one's name begins with the other's."""
    shelf = Shelf(prefix="homeassistant", campus="lincoln")
    other = Shelf(prefix="homeassistant", campus="lincoln-west")
    assert "sos-1" == shelf.device_of(shelf.config("sos-1"))
    assert "" == shelf.device_of(shelf.config())
    assert None is shelf.device_of(other.config("sos-1")) is shelf.device_of(other.config())


def valid(config: dict[str, Any]) -> None:
    """Home Assistant would take it."""
    assert {"device", "origin", "components", "availability", "qos"} == set(config)
    assert config["device"]["identifiers"]
    assert config["origin"]["name"]
    for component in config["components"].values():
        assert ASKED[component["platform"]] <= set(component)
        assert "+" not in component["state_topic"]
    ids = [component["unique_id"] for component in config["components"].values()]
    assert len(ids) == len(set(ids))
