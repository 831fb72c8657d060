"""B17: a lockdown ordered to 500 units: every confirmation written down, and what a press meanwhile waits.

The product is the alarm lane as its own process, its units plain sockets in another that open each ORDER and seal a
SHOWN. The floor is a process that writes as many octets to as many lines, reads the answers, and has a file take them
with `fdatasync`, whatever has come at once. Rounds alternate, and ratios are taken round by round.
`python -m gateway.bench.b17_rooms ROLE ..` is one of the other processes: `units`, `echo`, `floor`.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import socket
import sys
import time
from pathlib import Path
from threading import Event, Thread

from gateway.bench import rig
from gateway.bench.crowd import _signed_in
from gateway.bench.figure import Figure
from gateway.bench.rig import Plan
from gateway.bench.wires import Line, Presser, Watch
from hardware.codecs.mqtt_packets import Publish, encode
from hardware.codecs.unit import Type, UnitFrame, body_of, open_sealed, seal, with_body
from hardware.codecs.unit_room import Order, Shown
from hardware.unit_keys import read_keys

UNITS = 500
ROUNDS = 5
LIMIT = 5.0
"""Seconds, at the 99th percentile."""
_FRAME = bytes(52)
_ACTIONS = ("lockdown", "secure")


async def run() -> list[Figure]:
    """p99 of the confirmations beside the floor, and presses during it beside presses without."""
    with rig.folder("b17") as folder, rig.pty() as (far, near):
        port = rig.free_port()
        plan = Plan(folder, units=UNITS + 1, buildings=20)
        plan.write(line=f"serial://{near}", alarm=f"[alarm.mqtt_listener]\nport = {port}")
        keys = plan.state / "units.keys"
        me = "gateway.bench.b17_rooms"
        async with (
            rig.alarm_lane(plan),
            rig.process(folder / "units.log", "-m", me, "units", port, UNITS, keys, plan.tag.hex()) as units,
            rig.process(folder / "floor.log", "-m", me, "floor", UNITS, folder / "floor.file") as floor,
        ):
            assert units.stdout is not None
            await units.stdout.readline()
            assert floor.stdout is not None
            listening = int(await floor.stdout.readline())
            async with rig.process(folder / "echo.log", "-m", me, "echo", listening, UNITS):
                await floor.stdout.readline()
                rounds, floors, during, alone = [], [], [], []
                house = await asyncio.to_thread(_House, plan, far, port)
                for number in range(ROUNDS + 1):
                    times, waited, idle = await asyncio.to_thread(house.order, _ACTIONS[number % 2])
                    assert floor.stdin is not None
                    floor.stdin.write(b"go\n")
                    bare = json.loads(await floor.stdout.readline())
                    if number:  # the first warms up
                        rounds.append(rig.at(times, 0.99))
                        floors.append(rig.at(bare, 0.99))
                        during.append(rig.at(waited, 0.99))
                        alone.append(rig.at(idle, 0.99))
                await asyncio.to_thread(house.end)
    worst = max(rounds)
    shown = rig.beside(
        f"{UNITS} units ordered to lockdown: confirmed and written down, p99",
        values=rounds,
        floors=floors,
        goal=None,
        figure="B17",
        extra={"worst round, ms": round(worst * 1e3, 1)},
    )
    press = rig.beside(
        "a press while they are ordered: to its PUBACK, p99",
        values=during,
        floors=alone,
        goal=None,
        what="a press alone",
        figure="B17",
    )
    from msgspec.structs import replace

    return [
        replace(shown, goal=f"<= {LIMIT:g} s", met=worst <= LIMIT),
        replace(press, goal="<= 250 ms", met=max(during) <= 0.25),
    ]


class _House:
    """The ends that the bench itself holds: the county's line, the control socket, and one unit that presses."""

    def __init__(self, plan: Plan, far: int, port: int) -> None:
        self._line = Line(number=far, key=plan.link_key)
        self._line.opened()
        self._over = Event()
        self._tending = Thread(target=self._tend, daemon=True)
        self._tending.start()
        self._watch = Watch(plan.control, after=0)
        self._unit = Presser(plan, UNITS + 1, port)
        self._unit.proved()
        self._unit.line.sendall(self._unit.press())
        self._unit.acknowledged()
        opened = next(e for e in self._watch.until("incident.opened") if e.tag == "incident.opened")
        self._incident = opened.subject

    def _tend(self) -> None:
        while not self._over.is_set():
            self._line.tend(0.02)

    def order(self, action: str) -> tuple[list[float], list[float], list[float]]:
        """Seconds to each confirmation in the journal; of presses meanwhile, and of presses before."""
        alone = [self._press() for _ in range(20)]
        presses: list[float] = []
        done = Event()

        def press() -> None:
            while not done.is_set():
                presses.append(self._press())

        pressing = Thread(target=press)
        begun = time.perf_counter()
        pressing.start()
        self._watch.ask("order_action", incident=self._incident, action=action, places=[])
        times: list[float] = []
        while len(times) < UNITS:
            found = self._watch.until("order.shown")
            times += [time.perf_counter() - begun] * sum(entry.tag == "order.shown" for entry in found)
        done.set()
        pressing.join()
        return times, presses, alone

    def _press(self) -> float:
        time.sleep(0.004)
        self._unit.drain()
        press = self._unit.press()
        begun = time.perf_counter()
        self._unit.line.sendall(press)
        self._unit.acknowledged()
        return time.perf_counter() - begun

    def end(self) -> None:
        """Hang up."""
        self._over.set()
        self._tending.join()
        self._watch.end()
        self._unit.end()


def units(port: int, count: int, keys: dict[int, bytes], tag: bytes) -> None:
    """Confirm every order, for ever."""
    lines: dict[int, tuple[socket.socket, int]] = {}
    poll = select.epoll()
    for number in sorted(keys)[:count]:
        line = _signed_in(port, number, keys[number])
        lines[line.fileno()] = (line, number)
        poll.register(line.fileno(), select.EPOLLIN)
    heard: dict[int, bytes] = dict.fromkeys(lines, b"")
    counter = 64
    print("ready", flush=True)
    while True:
        for descriptor, _ in poll.poll(-1, 4_096):
            line, number = lines[descriptor]
            received = line.recv(4_096)
            if not received:
                return
            data = heard[descriptor] + received
            while len(data) >= 2 and len(data) >= 2 + data[1]:
                packet, data = data[: 2 + data[1]], data[2 + data[1] :]
                if packet[0] >> 4 != 3:
                    continue
                frame = open_sealed(packet[4 + int.from_bytes(packet[2:4]) :], keys[number], tag)
                if frame.type != Type.ORDER or not isinstance(body_of(frame), Order):
                    continue
                counter += 1
                head = UnitFrame(number=number, epoch=1, counter=counter, type=0)
                shown = with_body(head, Shown(epoch=frame.epoch, counter=frame.counter))
                sealed = seal(shown, keys[number], tag)
                line.send(encode(Publish(topic=f"up/u{number}", payload=sealed, qos=0, mid=0), 4))
            heard[descriptor] = data


def echo(port: int, count: int) -> None:
    """Send back what comes, on so many lines."""
    poll = select.epoll()
    lines = {}
    for _ in range(count):
        line = socket.create_connection(("127.0.0.1", port))
        lines[line.fileno()] = line
        poll.register(line.fileno(), select.EPOLLIN)
    while True:
        for descriptor, _ in poll.poll(-1, 4_096):
            data = lines[descriptor].recv(4_096)
            if not data:
                return
            lines[descriptor].send(data)


def floor(count: int, file: Path) -> None:
    """Tell every line, hear every line, and have the disk keep what was heard."""
    server = socket.create_server(("127.0.0.1", 0), backlog=1_024)
    print(server.getsockname()[1], flush=True)
    lines = {}
    poll = select.epoll()
    for _ in range(count):
        line, _ = server.accept()
        lines[line.fileno()] = line
        poll.register(line.fileno(), select.EPOLLIN)
    print("ready", flush=True)
    journal = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    while sys.stdin.readline():
        begun = time.perf_counter()
        for line in lines.values():
            line.send(_FRAME)
        times: list[float] = []
        while len(times) < count:
            said = [lines[descriptor].recv(4_096) for descriptor, _ in poll.poll(-1, 4_096)]
            os.write(journal, b"".join(said))
            os.fdatasync(journal)
            times += [time.perf_counter() - begun] * len(said)
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["units", where, many, keys_file, site]:
            units(int(where), int(many), read_keys(Path(keys_file)), bytes.fromhex(site))
        case ["echo", where, many]:
            echo(int(where), int(many))
        case ["floor", many, kept]:
            floor(int(many), Path(kept))
        case _:
            raise SystemExit("units PORT COUNT KEYS TAG | echo PORT COUNT | floor COUNT FILE")
