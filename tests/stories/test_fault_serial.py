"""The serial line fails in the field's ways while another road is there: rows R10, R11, R12 and R14, on the daemon.

And rubbish on every port it listens on, R33.
"""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from random import Random
from typing import Any

from hardware.transports.memory import lossy, whole
from tests.servers.pty import SocatCable, WildCable
from tests.stories import harm
from tests.stories.house import House


class TwoRoads(House):
    """A house with a wild serial line to one county, and a sound one to another."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, units=20)
        self.wild = WildCable(folder=folder)
        self.cable = self.wild  # type: ignore[assignment]
        (folder / "second").mkdir()
        self.other_cable = SocatCable(folder=folder / "second")
        self.other_key = folder / "second.key"

    async def _enter(self) -> None:
        await super()._enter()
        self.other_cable.plug()
        self._stack.callback(self.other_cable.pull)
        self.other = self.process(
            "second",
            *("simulate", "county", "--link", f"serial://{self.other_cable.far}", "--key-file"),
            *(self.other_key, "--make-key", "--port", "0"),
        )
        said = await self._up(self.other)
        self.other_url = f"http://127.0.0.1:{said['port']}"
        self._links = "".join(
            f'[psap.links.{name}]\nkind = "kiss"\nurl = "serial://{cable}"\nfrom = "SCHOOL-1"\nto = "PSAP"\n'
            f'key = {{ file = "{key}" }}\n'
            for name, cable, key in (
                ("county", self.wild.near, self.key),
                ("second", self.other_cable.near, self.other_key),
            )
        )
        self.configure()

    async def other_calls(self) -> list[dict[str, Any]]:
        """The second county's screen."""
        return list((await self.get(f"{self.other_url}/calls"))["calls"])

    async def covered(self, *, other: bool = False) -> dict[str, list[list[int]]]:
        """The presses on a county's screen, by building."""
        calls = await (self.other_calls() if other else self.calls())
        return {call["building"]: call["presses"] for call in calls}

    async def lost(self) -> bool:
        """Whether the wild line is known to be lost."""
        return "county" in (await harm.status(self)).links_lost


async def test_a_serial_line_fails_in_every_way_beside_a_sound_one(tmp_path: Path) -> None:
    """One school day: each fault is known, the other road carries the call at once, and afterwards nothing is missing."""
    async with TwoRoads(tmp_path) as house:
        await house.run()
        await house.connect_units()
        await house.eventually(lambda: answers(house, "county", "second"))

        pids = [house.lane_pid(lane) for lane in ("alarm", "desk")]
        await r10_pulled_in_the_middle_of_a_frame(house)
        await r11_a_frozen_far_end(house)
        await r12_noise(house)
        await r14_wrong_answers(house)

        await rubbish_on_every_port(house)
        assert pids == [house.lane_pid(lane) for lane in ("alarm", "desk")]
        assert [] == house.facts("call.unanswered")
        sent = [(fact["call"], fact["link"], fact["frame"]) for fact in house.facts("call.sent")]
        assert len(set(sent)) == len(sent)


async def r10_pulled_in_the_middle_of_a_frame(house: TwoRoads) -> None:
    """Seen in 2 s; the other road has the call meanwhile; the half frame is nothing; back soon after its return."""
    house.wild.cut_after(40)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await house.press("u1")
    await house.eventually(lambda: on_screen(house, "A", other=True))
    told_after = loop.time() - began
    await house.eventually(house.lost)
    assert loop.time() - began <= 2 + 2 * told_after
    await harm.shows(house, "u1", "psap")
    assert [] == await house.calls()
    await asyncio.sleep(1)
    house.wild.plug()
    await house.eventually(lambda: on_screen(house, "A"))

    assert {"A": [[1, 1]]} == await house.covered() == await house.covered(other=True)
    assert ["county"] == [fact["link"] for fact in house.facts("link.lost")]


async def r11_a_frozen_far_end(house: TwoRoads) -> None:
    """The other road is as quick as ever; nobody waits for the frozen one, which gets the press when it wakes."""
    house.county.send(signal.SIGSTOP)
    try:
        for unit in ("u2", "u3"):
            await house.press(unit)
        await house.eventually(lambda: is_covered(house, {"A": 3}, other=True))
        await harm.shows(house, "u3", "psap")
        assert (await harm.status(house)).links["second"]
    finally:
        house.county.send(signal.SIGCONT)
    await house.eventually(lambda: is_covered(house, {"A": 3}))


async def r12_noise(house: TwoRoads) -> None:
    """One bit in a thousand wrong, octets lost and doubled, both ways: what is shown is true, and in the end all."""
    house.wild.out, house.wild.back = lossy(Random(1), rate=0.008), lossy(Random(2), rate=0.008)
    for unit in ("u9", "u10", "u17", "u4", "u18"):
        await house.press(unit)
        await asyncio.sleep(0.2)
    truth = {"A": 4, "B": 2, "Gym": 2}
    await house.eventually(lambda: is_covered(house, truth, other=True))
    until = time.perf_counter() + 4
    while time.perf_counter() < until:
        for building, presses in (await house.covered()).items():
            assert presses[-1][1] <= truth[building]
        await asyncio.sleep(0.25)
    house.wild.out = house.wild.back = whole
    house.wild.pull()
    await asyncio.sleep(0.2)
    house.wild.plug()
    await house.eventually(lambda: is_covered(house, truth))

    assert {1, 2, 3} == {call["number"] for call in await house.calls()}
    assert {"panic"} == {call["kind"] for call in await house.calls()}


async def r14_wrong_answers(house: TwoRoads) -> None:
    """A doubled answer is written down once; a rejection is a fact and shown, and the other road's receipt stands."""
    await house.county_fault("duplicate-ack")
    await house.press("u5")
    await house.eventually(lambda: is_covered(house, {"A": 5, "B": 2, "Gym": 2}))
    await harm.shows(house, "u5", "psap")
    receipts = [(fact["call"], fact["link"], fact["frame"]) for fact in house.facts("call.receipt")]
    assert len(set(receipts)) == len(receipts)
    for number in (1, 2, 3):
        await house.acknowledge(number)

    async def told() -> bool:
        return len(house.facts("telecommunicator.acknowledged")) == 3

    await house.eventually(told)


async def rubbish_on_every_port(house: TwoRoads) -> None:
    """R12, R33: noise, endless and oversized requests at every door: refused at once, at no cost, and a press goes through."""
    random = Random(3)
    before = harm.resident(house.lane_pid("alarm"))
    rubbish = [
        random.randbytes(2_000_000),
        b"\0" * 2_000_000,
        bytes.fromhex("16030100ff010000fb0303") + random.randbytes(300),  # a TLS hello
        bytes.fromhex("101000044d515454040200000004") + b"rubb",  # a client without credentials
        bytes.fromhex("30ffffff7f") + b"x" * 500_000,  # 256 MB are announced
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 500_000,
        b"GET /" + b"a" * 2_000_000,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100_000,
        b"\xdf\xff\xff\xff\xff" + b"\x81" * 200_000,  # MessagePack, without end
        b"\xc0\x00" + b"\xdb" * 300_000,
    ]
    doors: list[dict[str, Any]] = [
        {"port": house.mqtt_port},
        {"port": house.web_port},
        {"path": str(house.state / "control.sock")},
    ]
    for octets in rubbish:
        await asyncio.gather(*(knock(octets, **door) for door in doors))
        for start in range(0, min(len(octets), 40_000), 4_000):
            house.wild.say(octets[start : start + 4_000])
            await asyncio.sleep(0)

    await house.press("u11")
    await house.eventually(lambda: is_covered(house, {"A": 5, "B": 3, "Gym": 2}, other=True))
    await house.eventually(lambda: is_covered(house, {"A": 5, "B": 3, "Gym": 2}))
    assert 1 == len(house.facts("incident.opened"))
    assert 32 << 20 >= harm.resident(house.lane_pid("alarm")) - before
    assert "" == (await harm.status(house)).trouble


async def knock(octets: bytes, *, port: int = 0, path: str = "") -> None:
    """Say this at a door until it is shut, for half a second at most."""
    try:
        async with asyncio.timeout(0.5):
            if path:
                reader, writer = await asyncio.open_unix_connection(path)
            else:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(octets)
                await writer.drain()
                while await reader.read(65_536):
                    pass
            finally:
                writer.transport.abort()
    except OSError:  # TimeoutError is one
        pass


async def answers(house: House, *links: str) -> bool:
    """Whether all these links answer."""
    status = await harm.status(house)
    return all(status.links.get(link) for link in links)  # type: ignore[call-overload]


async def on_screen(house: TwoRoads, building: str, *, other: bool = False) -> bool:
    """Whether a county shows a call from this building."""
    return building in await house.covered(other=other)


async def is_covered(house: TwoRoads, truth: dict[str, int], *, other: bool = False) -> bool:
    """Whether a county's screen shows exactly so many presses in each building."""
    return {name: [[1, count]] for name, count in truth.items()} == await house.covered(other=other)
