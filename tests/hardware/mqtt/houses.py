"""The two ways in over MQTT, each running behind one port that units connect to."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any, Self

from belltower.tasks import Crew
from gateway.broker_config import BrokerPlan, render_acl, render_config
from gateway.broker_users import BrokerUser, BrokerUsers
from hardware.drivers import MQTTIntake
from hardware.drivers.mqtt_broker import BrokerIntake
from hardware.drivers.mqtt_listener import MQTTListener
from tests.hardware.mqtt.peer import Intake, Unit, authenticate
from tests.peers.waiting import PATIENCE
from tests.servers.mosquitto import Mosquitto, make_passwords

UNITS = ("u1", "u2", "u3")
NOBODY = BrokerUsers()
KEEPING = BrokerUsers(publishers=(BrokerUser(name="bridge", write=("bridge/#",)),))
"""Somebody foreign is there, so the broker keeps what is retained."""


class House:
    """A way in that can be killed and started again; what is received outlives it."""

    keeps_messages = False
    """Whether what was not acknowledged comes again without the unit's doing."""

    def __init__(self) -> None:
        self.intake = Intake()
        self.units: list[Unit] = []
        self.way: MQTTIntake | None = None
        self.port = 0
        self.taken_over: list[str] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *details: object) -> None:
        for unit in self.units:
            unit.hang_up()
        await self.kill()

    async def unit(self, name: str = "u1", **more: Any) -> Unit:
        """A unit, signed in."""
        unit = await Unit.signed_in(self.port, name, **more)
        self.units.append(unit)
        return unit

    async def stranger(self, **more: Any) -> Unit:
        """A connection."""
        unit = await Unit.dial(self.port, **more)
        self.units.append(unit)
        return unit

    def publish(self, *what: Any, **how: Any) -> bool:
        """To a unit."""
        assert self.way is not None
        return self.way.publish(*what, **how)

    async def start(self) -> None:
        """Start our side."""
        raise NotImplementedError

    async def kill(self) -> None:
        """Our side is gone; its futures never resolve."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for _ in range(3):  # let transports close
            await asyncio.sleep(0)

    def _run(self, way: MQTTIntake) -> None:
        self.way = way

        async def work() -> None:
            async with Crew(backoff=(0.01, 0.05)) as crew:
                crew.mendable("intake", way.run)

        self._task = asyncio.get_running_loop().create_task(work())


class ListenerHouse(House):
    """Our own listener."""

    async def start(self) -> None:
        listener = MQTTListener(
            on_publish=self.intake,
            authenticate=authenticate,
            port=self.port,
            on_takeover=self.taken_over.append,
        )
        self._run(listener)
        async with asyncio.timeout(PATIENCE):
            await listener.ready.wait()
        self.port = listener.port


class BrokerHouse(House):
    """A real mosquitto with the configuration that we print."""

    keeps_messages = True

    def __init__(self, folder: Path, certificate: Path | None = None, users: BrokerUsers = NOBODY) -> None:
        super().__init__()
        names = [*UNITS, "belltower"]
        if users.publishers:
            names += ["belltower-devices", *(user.name for user in users.publishers)]
        make_passwords(folder / "passwords", {name: name for name in names})
        plan = BrokerPlan(
            folder=folder,
            data=folder,
            bind="127.0.0.1",
            port=1,
            users=users,
            certificate=certificate,
            private_key=certificate and certificate.with_name("key.pem"),
        )
        (folder / "acl").write_text(render_acl(plan))
        (folder / "acl").chmod(0o600)
        text = render_config(plan).replace("listener 1 ", "listener PORT ")
        self.broker = Mosquitto(folder, text)
        self.tls: ssl.SSLContext | None = None
        self.host = "127.0.0.1"
        self.password = "belltower"

    async def __aenter__(self) -> Self:
        await self.broker.start()
        self.port = self.broker.port
        return await super().__aenter__()

    async def __aexit__(self, *details: object) -> None:
        await super().__aexit__(*details)
        await self.broker.kill()

    async def start(self) -> None:
        intake = BrokerIntake(
            url=f"mqtt{'s' if self.tls else ''}://{self.host}:{self.port}",
            on_publish=self.intake,
            username="belltower",
            password=self.password,
            on_takeover=self.taken_over.append,
            tls=(lambda: self.tls) if self.tls else None,
        )
        self._run(intake)
        await self.is_connected()

    async def is_connected(self) -> None:
        """Wait until the subscription is granted."""
        assert isinstance(self.way, BrokerIntake)
        async with asyncio.timeout(PATIENCE):
            await self.way.connected.wait()

    async def kill(self) -> None:
        await super().kill()
        if isinstance(self.way, BrokerIntake):
            self.way.close()
