"""B3: presses lost in kills of the alarm lane, beside a consumer that lets its library acknowledge.

Twenty units press on while the lane is killed with SIGKILL at random moments and started again. A press is lost when
its unit was told that it is recorded and the journal does not have it, or when the journal has it and the county's
screen does not. The control is the plainest consumer of the same broker: paho acknowledges by itself as messages come
in, and a thread writes them down every 40 ms.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from belltower.errors import NotFound, Unreachable
from belltower.incident import facts
from belltower.incident.encoding import FactEncoding
from belltower.store import open_database
from gateway.bench import rig
from gateway.bench.figure import Figure
from gateway.bench.rig import Plan
from gateway.county import County
from hardware.codecs.unit import Level, mqtt_password
from hardware.simulators.connected_unit import ConnectedUnit
from hardware.simulators.ledger_unit import LedgerUnit

KILLS = 12
PRESSES = 1_200
UNITS = 20
WAITS = (0.1, 0.2, 0.4, 0.8)
REST = 0.03
"""Seconds between a unit's acknowledgement and its next press."""
CONTROL_KILLS = 11
CONTROL_MESSAGES = 1_500
CONTROL_RATE = 300
COMMIT = 0.04
"""Seconds between the control's commits."""

_TOPIC = "press"
_READ = "SELECT tag, body FROM journal_entry ORDER BY position"


async def run() -> list[Figure]:
    """Lost through our own listener, lost through mosquitto, and what the control loses."""
    figures = [await _through("own listener")]
    if shutil.which("mosquitto") is None:
        raise NotFound("mosquitto is not here, and the control of B3 needs it: apt-get install mosquitto")
    figures.append(await _through("mosquitto"))
    figures.append(await _control())
    return figures


# ---- the product


async def _through(way: str) -> Figure:
    with rig.folder("b3") as folder, rig.pty() as (far, near):
        plan = Plan(folder, units=UNITS)
        if way == "mosquitto":
            async with _mosquitto(folder) as port:
                plan.write(line=f"serial://{near}", alarm=_broker(port))
                return await _House(plan=plan, port=port, far=far).killed(way)
        port = rig.free_port()
        plan.write(line=f"serial://{near}", alarm=f"[alarm.mqtt_listener]\nport = {port}")
        return await _House(plan=plan, port=port, far=far).killed(way)


def _broker(port: int) -> str:
    return f'[alarm.mqtt_broker.field]\nurl = "mqtt://127.0.0.1:{port}"'


class _House:
    """Units, county and journal around a lane that is killed."""

    def __init__(self, *, plan: Plan, port: int, far: int) -> None:
        self._plan = plan
        self._port = port
        self._far = far
        self._random = Random()
        self._county = County(key=plan.link_key, us=rig.PSAP, them=rig.SCHOOL, random=self._random)
        self._units = {
            number: LedgerUnit(number=number, key=key, site_tag=plan.tag, random=self._random, waits=WAITS)
            for number, key in plan.keys.items()
        }
        self._enough = asyncio.Event()
        self._back: list[float] = []

    async def killed(self, way: str) -> Figure:
        """Press and kill until there was enough of both; then what was lost."""
        loop = asyncio.get_running_loop()
        os.set_blocking(self._far, False)
        loop.add_reader(self._far, self._heard)
        kills = 0
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._live(number)) for number in self._units]
                while kills < KILLS or self._pressed < PRESSES:
                    began = loop.time()
                    async with self._lane() as lane:
                        await rig.answering(self._plan, lane)
                        self._back.append(loop.time() - began)
                        await asyncio.sleep(self._random.uniform(0.02, 0.6))
                        lane.send_signal(signal.SIGKILL)
                        kills += 1
                self._enough.set()
                async with self._lane() as lane:
                    await rig.answering(self._plan, lane)
                    await self._healed()
                for task in tasks:
                    task.cancel()
        finally:
            loop.remove_reader(self._far)
        return await self._figure(way, kills)

    def _well(self) -> bool:
        waiting = any(unit.waiting for unit in self._units.values())
        return not waiting and self._shown >= self._pressed

    @property
    def _pressed(self) -> int:
        return sum(len(unit.pressed) for unit in self._units.values())

    @property
    def _shown(self) -> int:
        calls = self._county.calls.values()
        return sum(last - first + 1 for call in calls for first, last in call.presses)

    @asynccontextmanager
    async def _lane(self) -> AsyncIterator[asyncio.subprocess.Process]:
        log = self._plan.folder / "alarm.log"
        async with rig.process(log, "-m", "gateway.alarm_lane", "--config", self._plan.config) as lane:
            yield lane

    def _heard(self) -> None:
        now = asyncio.get_running_loop().time()
        self._county.receive(os.read(self._far, 65_536), now=now)
        if out := self._county.outgoing(now):
            os.write(self._far, out)

    async def _live(self, number: int) -> None:
        """One unit: connected whenever it can be, and pressing again as soon as the last press is acknowledged."""
        unit = self._units[number]
        connected = ConnectedUnit(
            name=f"u{number}",
            unit=unit,
            password=mqtt_password(self._plan.keys[number]),
            host="127.0.0.1",
            port=self._port,
        )

        async def press() -> None:
            while not self._enough.is_set():
                connected.press()
                await _until(lambda: not unit.waiting)
                await asyncio.sleep(REST * self._random.uniform(0.5, 1.5))

        async with asyncio.TaskGroup() as group:
            group.create_task(press())
            while True:
                with suppress(Unreachable):
                    await connected.run()
                await asyncio.sleep(0.02)

    async def _healed(self) -> None:
        """Wait for the last acknowledgement and the last call; what has not come within a minute will not come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(rig.PATIENCE):
                await _until(self._well)

    async def _figure(self, way: str, kills: int) -> Figure:
        journaled: Counter[tuple[str | None, int, int]] = Counter()
        database = await open_database(f"sqlite://{self._plan.state / 'alarm.db'}", read_only=True)
        try:
            for tag, body in await database.read(_READ):
                fact = FactEncoding().decode(tag, body)
                if isinstance(fact, facts.AlarmRaised):
                    journaled[fact.unit, fact.epoch, fact.counter] += 1
        finally:
            await database.close()
        promised = {
            (f"u{number}", *name)
            for number, unit in self._units.items()
            for name, levels in unit.told.items()
            if name in unit.pressed and levels - {Level.RELAYED_ONLY}
        }
        missing = len(promised - journaled.keys())
        unseen = max(sum(journaled.values()) - self._shown, 0)
        doubled = sum(times - 1 for times in journaled.values()) + max(
            self._shown - sum(journaled.values()), 0
        )
        return Figure(
            id="B3",
            name=f"presses lost in {kills} kills through {way}",
            value=missing + unseen,
            unit="presses",
            goal="= 0",
            met=missing + unseen == 0 and doubled == 0 and len(promised) >= PRESSES,
            extra={
                "presses acknowledged": len(promised),
                "presses journaled": len(journaled),
                "acknowledged, not journaled": missing,
                "journaled, not on the county's screen": unseen,
                "doubled": doubled,
                "seconds from start to ready, p50": round(rig.at(self._back, 0.5), 2),
                "seconds from start to ready, worst": round(max(self._back), 2),
            },
        )


# ---- the control


async def _control() -> Figure:
    with rig.folder("b3") as folder:
        async with _mosquitto(folder) as port:
            journal = folder / "control"
            kills = await _consumers(folder, port, journal)
            written = set(journal.read_text("ascii").split()) if journal.exists() else set()
    lost = CONTROL_MESSAGES - len(written)
    return Figure(
        id="B3",
        name=f"control: messages lost in {kills} kills with automatic acknowledgement",
        value=lost,
        unit="messages",
        goal="> 0",
        met=lost > 0,
        extra={"messages": CONTROL_MESSAGES, "commit every": f"{COMMIT * 1e3:g} ms"},
    )


async def _consumers(folder: Path, port: int, journal: Path) -> int:
    """Publish to consumers that are killed while messages come; how many were."""
    random = Random()
    command = ("-m", "gateway.bench.b3", port, journal)
    log = folder / "control.log"
    publisher = paho.Client(CallbackAPIVersion.VERSION2, client_id="control-publisher")
    publisher.connect("127.0.0.1", port)
    publisher.loop_start()
    share = CONTROL_MESSAGES // (CONTROL_KILLS + 1)
    for life in range(CONTROL_KILLS):
        async with rig.process(log, *command) as consumer, asyncio.TaskGroup() as group:
            await _ready(consumer)
            group.create_task(_publish(publisher, range(life * share, (life + 1) * share)))
            await asyncio.sleep(random.uniform(0.3, 0.9) * share / CONTROL_RATE)
            consumer.send_signal(signal.SIGKILL)
    async with rig.process(log, *command) as consumer:
        await _ready(consumer)
        await _publish(publisher, range(CONTROL_KILLS * share, CONTROL_MESSAGES))
        size = -1
        while size != (size := _size(journal)):  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(1.0)
    publisher.disconnect()
    publisher.loop_stop()
    return CONTROL_KILLS


async def _ready(consumer: asyncio.subprocess.Process) -> None:
    assert consumer.stdout is not None
    async with asyncio.timeout(rig.PATIENCE):
        await consumer.stdout.readline()


async def _publish(client: paho.Client, numbers: range) -> None:
    infos = []
    for number in numbers:
        infos.append(client.publish(_TOPIC, str(number), qos=1))
        await asyncio.sleep(1 / CONTROL_RATE)
    await _until(lambda: all(info.is_published() for info in infos))


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - what is watched knows nothing of benches
        await asyncio.sleep(0.005)


def _size(file: Path) -> int:
    return file.stat().st_size


def consume(port: int, journal: Path) -> None:
    """The control: acknowledged by the library when it comes, written down a moment later."""
    waiting: list[bytes | bytearray] = []
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())

    def came(_client: object, _data: object, message: paho.MQTTMessage) -> None:
        waiting.append(message.payload)

    def subscribed(*_: object) -> None:
        print("ready", flush=True)

    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="control", clean_session=False)
    client.on_message = came
    client.on_subscribe = subscribed
    client.connect("127.0.0.1", port)
    client.subscribe(_TOPIC, qos=1)
    client.loop_start()
    with journal.open("ab", buffering=0) as file:
        while not end.is_set() or waiting:
            time.sleep(COMMIT)
            group = [waiting.pop(0) for _ in range(len(waiting))]
            if group:
                file.write(b"".join(b"%s\n" % each for each in group))
                os.fsync(file.fileno())


@asynccontextmanager
async def _mosquitto(folder: Path) -> AsyncIterator[int]:
    """A broker that drops nothing from its queues."""
    port = rig.free_port()
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nuser {getpass.getuser()}\n",
        "utf-8",
    )
    with (folder / "mosquitto.log").open("ab") as log:
        child = await asyncio.create_subprocess_exec("mosquitto", "-c", config, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(rig.PATIENCE):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except OSError:
                    await asyncio.sleep(0.01)
        writer.close()
        yield port
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


if __name__ == "__main__":
    consume(int(sys.argv[1]), Path(sys.argv[2]))
