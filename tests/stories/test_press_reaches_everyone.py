"""The main job, end to end, over real wires; nothing in it is pretended."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from gateway.broker_config import BrokerPlan, render_acl, render_config
from hardware.codecs.unit import mqtt_password
from hardware.unit_keys import read_keys
from tests.servers.mosquitto import Mosquitto, make_passwords
from tests.stories.house import House

PLACE = "A Library"
"""Where u3 of the example site hangs."""


def broker_of(folder: Path) -> Mosquitto:
    """A mosquitto with the hardened configuration that the manual prints."""
    folder.mkdir()
    plan = BrokerPlan(
        folder=folder, data=folder, bind="127.0.0.1", port=1883, certificate=None, private_key=None
    )
    text = render_config(plan).replace("listener 1883", "listener PORT")
    (folder / "acl").write_text(render_acl(plan))
    (folder / "acl").chmod(0o600)
    return Mosquitto(folder, text)


async def test_one_press_reaches_the_county_the_phones_the_mailboxes_and_the_page(tmp_path: Path) -> None:
    """Unit, mosquitto, alarm lane, pty, county, person there, and back; desk lane, carrier, mail, page."""
    broker = broker_of(tmp_path / "broker")
    password = tmp_path / "broker.password"
    password.write_text("a long password")
    password.chmod(0o600)
    loop = asyncio.get_running_loop()
    house = House(tmp_path, forked=False)
    async with house:
        keys = read_keys(house.state / "units.keys")
        make_passwords(
            tmp_path / "broker" / "passwords",
            {"belltower": "a long password", **{f"u{n}": mqtt_password(key) for n, key in keys.items()}},
        )
        async with broker:
            house._broker = f"""
[alarm.mqtt_broker.campus]
url = "mqtt://127.0.0.1:{broker.port}"
username = "belltower"
password = {{ file = "{password}" }}
"""
            house.configure()
            await house.run()
            await house.connect_units(f"mqtt://127.0.0.1:{broker.port}")
            await house.sign_in()

            pressed = loop.time()
            timeline: list[tuple[float, str]] = []

            def mark(what: str) -> None:
                timeline.append((loop.time() - pressed, what))

            await house.press("u3")
            mark("u3 pressed")

            async def shows(level: str) -> bool:
                return await house.unit_level("u3") == level

            async def at_county() -> object:
                return [call for call in await house.calls() if PLACE in str(call)]

            async def told() -> bool:
                phones, boxes = await house.phones(), await house.mailboxes()
                return len(phones) >= 25 and len(boxes) >= 25

            async def page_says(words: str) -> bool:
                return words in await house.page(f"/incidents/{incident}")

            await house.eventually(at_county)
            mark("the county's screen shows it")
            incident = house.facts("incident.opened")[0]["incident"]
            await house.eventually(lambda: shows("psap"))
            mark("u3 shows that the PSAP has it")
            await house.eventually(lambda: page_says("NO PERSON HAS ANSWERED"))
            mark("the page says: received, nobody has answered")
            await house.acknowledge(1)
            mark("the telecommunicator acknowledges")
            await house.eventually(lambda: shows("telecommunicator"))
            mark("u3 shows that a person has acknowledged")
            await house.eventually(lambda: page_says("ACKNOWLEDGED by a telecommunicator"))
            mark("the page says: acknowledged")
            await house.eventually(told)
            mark("every phone and mailbox has its message")
            for seconds, what in timeline:
                print(f"{seconds:8.3f} s  {what}")

            (alarm,) = house.facts("alarm.raised")
            (call,) = house.facts("call.ordered")
            sent = house.facts("call.sent")
            receipts = [fact for fact in house.facts("call.receipt") if fact["level"] == "system"]
            (answer,) = house.facts("telecommunicator.acknowledged")
            assert ("u3", "actual") == (alarm["unit"], alarm["mode"])
            assert {call["call"]} == {fact["call"] for fact in [*sent, *receipts, answer]}
            assert alarm["at"] <= call["at"] <= sent[0]["at"] <= receipts[0]["at"] <= answer["at"]

            phones, boxes = await house.phones(), await house.mailboxes()
            staff_alarm = [
                message["body"]
                for messages in phones.values()
                for message in messages
                if message["body"].startswith(f"Lindenfield School: ALARM at {PLACE}")
            ]
            assert 25 == len(phones) == len(staff_alarm)
            assert all(1 == len([m for m in mails if "ALARM" in m["subject"]]) for mails in boxes.values())

            async def settled() -> bool:
                return len(house.facts("delivery.settled", desk=True)) >= 50

            await house.eventually(settled)


async def test_the_alarm_lane_alone_reaches_the_county(tmp_path: Path) -> None:
    """With the desk lane frozen the press takes the same way, and the desk catches up when it is let go."""
    async with House(tmp_path, units=2) as house:
        await house.run()
        await house.connect_units()
        house.signal("desk", signal.SIGSTOP)
        await house.press("u1")

        async def psap() -> bool:
            return await house.unit_level("u1") == "psap"

        async def told() -> bool:
            return len(await house.phones()) >= 25

        await house.eventually(psap)
        assert {} == await house.phones()
        house.signal("desk", signal.SIGCONT)
        await house.eventually(told)


@pytest.mark.parametrize("lane", ["alarm", "desk"])
async def test_a_killed_lane_comes_back_by_itself(tmp_path: Path, lane: str) -> None:
    """Kill -9, and the supervisor starts it again; a press afterwards reaches county and phones."""
    async with House(tmp_path, units=2) as house:
        await house.run()
        await house.connect_units()
        before = house.lane_pid(lane)
        house.signal(lane, signal.SIGKILL)

        async def another() -> bool:
            return before not in house.daemon.children() and len(house.daemon.children()) == 2

        await house.eventually(another)
        await house.lanes_up()
        await house.press("u2")

        async def reached() -> bool:
            return await house.unit_level("u2") == "psap" and len(await house.phones()) >= 25

        await house.eventually(reached)
