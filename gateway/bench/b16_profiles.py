"""B16: messages a second that a profile turns into signals, on one core.

The floor decodes the same JSON with msgspec and does nothing with it. Times are of the processor, not of the wall: what
else the machine does is not measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from statistics import median

import msgspec

from gateway.bench.figure import Figure
from hardware.profiles.examples import message_of
from hardware.profiles.loading import SHIPPED, load_all
from hardware.profiles.message import Message
from hardware.profiles.reading import Reader

GOAL = 50_000
"""Messages a second."""
ROUNDS = 7
COUNT = 4000


async def run() -> list[Figure]:
    """Each typical message, to the profile that is bound and with every profile tried."""
    begun = time.process_time()
    profiles = load_all([SHIPPED])
    loading = time.process_time() - begun
    reader = Reader(profiles)
    figures = []
    for name, message in _messages().items():
        if name not in profiles:
            continue
        floor = _rate(partial(msgspec.json.decode, message.payload))
        for how, bound in (("bound to its device", name), ("every profile tried", None)):
            rate = _rate(partial(reader.read, message, bound))
            figures.append(
                Figure(
                    id="B16",
                    name=f"{name}, {how}",
                    value=round(rate),
                    unit="1/s",
                    floor=round(floor),
                    ratio=round(floor / rate, 1),
                    goal=f">= {GOAL}/s" if bound else "",
                    met=rate >= GOAL if bound else None,
                    extra={"octets": len(message.payload)},
                )
            )
    figures.append(_slowest(reader))
    loaded = Figure(
        id="B16",
        name="shipped profiles loaded, examples run",
        value=round(loading * 1000),
        unit="ms",
        goal="<= 1000 ms",
        met=loading <= 1.0,
        extra={"profiles": len(profiles)},
    )
    return [*figures, loaded]


def _slowest(reader: Reader) -> Figure:
    """The slowest of all shipped examples that are JSON, each bound to its device."""
    rates = [
        (_rate(partial(reader.read, message, name), rounds=3, count=500), name, message)
        for name, profile in reader.profiles.items()
        for message in map(message_of, profile.tables.example)
        if message.ingress != "frame" and message.payload.startswith(b"{")
    ]
    rate, name, message = min(rates, key=itemgetter(0))
    return Figure(
        id="B16",
        name=f"slowest of {len(rates)} examples in JSON: {name}",
        value=round(rate),
        unit="1/s",
        goal=f">= {GOAL}/s",
        met=rate >= GOAL,
        extra={"octets": len(message.payload), "below the goal": sum(one[0] < GOAL for one in rates)},
    )


def _messages() -> dict[str, Message]:
    push = {"component": "input:0", "id": 0, "event": "btn_down", "ts": 1646945882.47}
    shelly = {
        "src": "x1",
        "dst": "x1/events",
        "method": "NotifyEvent",
        "params": {"ts": 1.0, "events": [push]},
    }
    zigbee = {
        "action": "emergency",
        "battery": 100,
        "last_seen": "2026-04-17T23:33:22+08:00",
        "linkquality": 18,
    }
    return {
        "shelly-gen2-input": _message("x1/events/rpc", shelly),
        "zigbee2mqtt": _message("zigbee2mqtt/b204", zigbee),
        "shelly-gen1": _message("shellies/shelly1-328900/input_event/0", {"event": "S", "event_cnt": 12}),
        "tasmota": _message("stat/b204/RESULT", {"Button1": {"Action": "SINGLE"}}),
    }


def _message(topic: str, said: object) -> Message:
    return Message(topic=topic, payload=msgspec.json.encode(said))


def _rate(work: Callable[[], object], *, rounds: int = ROUNDS, count: int = COUNT) -> float:
    """How often a second of processor time: the median of several rounds."""
    rates = []
    for _ in range(rounds):
        begun = time.process_time()
        for _ in range(count):
            work()
        rates.append(count / (time.process_time() - begun))
    return median(rates)
