"""Every kind of switched output with the device at its far end, which can be told how to misbehave.

`how` is one of the rig's `ways`: "well", "refusing" (says no), "silent" (does it, or not, and says nothing), "late" (answers
after its time), "twice" (answers twice).
"""

import asyncio
import hashlib
import hmac
import json
import os
import signal
import struct
import threading
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web
from msgspec.structs import replace

from belltower.clock import SystemClock
from belltower.values import Secret
from gateway.intake.devices.settings import MQTTDeviceSettings
from gateway.outputs.rules import Does
from gateway.outputs.switch_kinds import switches_from
from gateway.outputs.switch_settings import (
    AlgoSettings,
    DeviceSettings,
    ModbusSettings,
    NoticeSettings,
    OSDPSettings,
)
from gateway.switch_wires import device_output
from hardware.drivers.device_switch import DeviceLine, DeviceSwitch
from hardware.drivers.http_notice import SIGNATURE
from tests.peers.told_device import DOES, MODELS, Air, ToldDevice, site
from tests.servers.algo import Algo, served
from tests.servers.osdp import peripheral
from tests.servers.pty import SocatCable

WITHIN = 0.5
"""Seconds for an answer; what is late comes after three times as long."""
ALL = frozenset({"well", "refusing", "silent", "late", "twice"})
KEY = bytes(range(32))
PERMANENT_ON = 2
"""An output's control code (SIA OSDP 2.2, 6.10)."""


class Rig:
    """One output and its device."""

    ways = ALL
    confirms = True
    # How it misbehaves when the lane ends.
    interruption = "silent"
    # One that falls silent for so long that its line has to find it again.
    patience = 10.0

    def __init__(self, rule, switch) -> None:
        self.rule = replace(rule, within=WITHIN, slowest=1.0)
        self.switch = switch
        self.how = "well"
        self.on = None
        self.orders = 0

    def misbehave(self, how) -> None:
        """From now on."""
        self.how = how

    async def wait(self) -> None:
        """As long as an answer of this kind takes."""
        if self.how == "late":
            await asyncio.sleep(3 * WITHIN)
        if self.how == "silent":
            await asyncio.get_running_loop().create_future()


def _one(settings):
    made = switches_from({"output": settings}, SystemClock(), os.urandom)
    return settings.rule(), made.switches["output"], made


class ModbusRig(Rig):
    """A relay that nobody wrote but us, so that it can answer twice (Modbus messaging on TCP/IP 1.0b, 3.1.3)."""

    async def serve(self, reader, writer) -> None:
        tasks = set()
        try:
            while True:
                number, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
                body = await reader.readexactly(length - 1)
                task = asyncio.get_running_loop().create_task(self.answer(writer, number, unit, body))
                tasks.add(task)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            for task in tasks:
                task.cancel()
            writer.close()

    async def answer(self, writer, number, unit, body) -> None:
        code = body[0]
        said = body if code == 5 else bytes([1, 1, int(bool(self.on))])
        if code == 5:
            self.orders += 1
            if self.how == "refusing":
                said = bytes([0x85, 4])
            else:
                self.on = body[3] == 0xFF
        await self.wait()
        for _ in range(2 if self.how == "twice" else 1):
            writer.write(struct.pack(">HHHB", number, 0, len(said) + 1, unit) + said)


@asynccontextmanager
async def modbus(_folder):
    """Modbus TCP."""
    box = []

    async def serve(reader, writer):
        await box[0].serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    rule, switch, made = _one(ModbusSettings(does=Does.SIREN, url=f"tcp://127.0.0.1:{port}", coil=3))
    box.append(ModbusRig(rule, switch))
    try:
        yield box[0]
    finally:
        await made.close()
        server.close()


class HTTPRig(Rig):
    """What is asked by HTTP cannot answer twice."""

    ways = ALL - {"twice"}


class AlgoRig(HTTPRig):
    """Algo's REST API says only that it has understood."""

    confirms = False
    ways = ALL - {"twice"}


@asynccontextmanager
async def algo(_folder):
    """A strobe."""
    clock = SystemClock()
    device = Algo(now=lambda: clock.now() / 1_000_000)
    box = []

    async def handle(request):
        rig = box[0]
        rig.orders += 1
        device.how = "refusing" if rig.how == "refusing" else "well"
        answer = await device.handle(request)
        if rig.how != "refusing" and answer.status == 200:
            rig.on = request.path.endswith("/start")
        await rig.wait()
        return answer

    async with served(handle) as url:
        rule, switch, made = _one(AlgoSettings(does=Does.STROBE, url=url, password=Secret("speaker-7")))
        box.append(AlgoRig(rule, switch))
        yield box[0]
        await made.close()


@asynccontextmanager
async def http_notice(_folder):
    """A sign."""
    box = []

    async def handle(request):
        rig, body = box[0], await request.read()
        assert hmac.new(KEY, body, hashlib.sha256).hexdigest() == request.headers[SIGNATURE]
        said = json.loads(body)
        rig.orders += 1
        await asyncio.sleep(0)
        if rig.how != "refusing":
            rig.on = said["on"]
        await rig.wait()
        shown = said["on"] if rig.how != "refusing" else not said["on"]
        return web.json_response({"request": said["request"], "shown": shown})

    async with served(handle) as url:
        rule, switch, made = _one(NoticeSettings(does=Does.SIGN, url=url, key=Secret(KEY.hex())))
        box.append(HTTPRig(rule, switch))
        yield box[0]
        await made.close()


class OSDPRig(Rig):
    """A reader's output; libosdp itself never answers twice. A process that is stopped is silent, and late once it goes on."""

    # To find a silent one again takes its line ten seconds: only in the long run.
    ways = ALL - {"twice", "late", "silent"}
    interruption = "refusing"
    patience = 30.0

    def __init__(self, rule, switch, device) -> None:
        super().__init__(rule, switch)
        self.device = device
        self.rule = replace(self.rule, within=1.0)

    def misbehave(self, how) -> None:
        """By words, and by stopping it."""
        self.how = how
        number = self.device.process.pid
        os.kill(number, signal.SIGSTOP if how == "silent" else signal.SIGCONT)
        self.device.say("refuse" if how == "refusing" else "obey")

    def listen(self) -> None:
        """Take in what it is given, in a thread, until it ends."""
        for line in self.device.process.stdout:
            command = json.loads(line)
            self.orders += 1
            if self.how != "refusing":
                self.on = command["control_code"] == PERMANENT_ON


@asynccontextmanager
async def osdp(folder):
    """An OSDP line, by libosdp at both ends."""
    cable = SocatCable(folder=folder)
    cable.plug()
    key = bytes(range(16))
    settings = OSDPSettings(
        does=Does.RELAY, url=f"serial://{cable.near}?baud=9600", address=5, output=2, key=Secret(key.hex())
    )
    rule, switch, made = _one(settings)
    async with AsyncExitStack() as stack:
        stack.callback(cable.pull)
        device = stack.enter_context(peripheral(cable.far, 5, key))
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(work()) for work in made.work.values()]
        rig = OSDPRig(rule, switch, device)
        listening = threading.Thread(target=rig.listen)
        listening.start()
        yield rig
        device.process.kill()
        listening.join()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=3)


class DeviceRig(Rig):
    """A device told by its profile."""

    # As long as a late answer may still be taken for another.
    patience = 90.0

    def __init__(self, rule, switch, device) -> None:
        self.device = device
        super().__init__(rule, switch)

    @property
    def on(self):
        return self.device.on

    @on.setter
    def on(self, value) -> None:
        pass

    @property
    def orders(self):
        return len(self.device.orders)

    @orders.setter
    def orders(self, value) -> None:
        pass

    def misbehave(self, how) -> None:
        """The device itself does."""
        self.how = self.device.how = how


def device(model):
    """A device of this model, behind a broker in memory."""

    @asynccontextmanager
    async def opened(_folder):
        settings = DeviceSettings(
            does=Does(DOES.get(model, "relay")), device=model, values=dict(MODELS[model][3])
        )
        made = device_output(settings, site(model), {"hall": MQTTDeviceSettings(url="mqtt://127.0.0.1:1883")})
        line = DeviceLine(reply="belltower/us")
        air = Air(line)
        peer = ToldDevice(model, air.say, delay=3 * WITHIN)
        air.devices.append(peer)
        rig = DeviceRig(made.rule, DeviceSwitch(told=made.told, line=line, late=3.0), peer)
        rig.confirms = rig.switch.confirms
        if model == "zigbee2mqtt":  # it says nothing at all, so nobody is waited for
            rig.ways = frozenset({"well"})
        yield rig

    return opened


WIRED = {"modbus": modbus, "algo": algo, "http-notice": http_notice, "osdp": osdp}
"""On real sockets and lines."""
TOLD = {model: device(model) for model in MODELS}
"""In memory: their hours pass at once. They are kind "device"."""
