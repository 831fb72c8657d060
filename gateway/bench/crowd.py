"""The units of B9 at the whole alarm lane, in a process of their own: plain sockets and one epoll.

`python -m gateway.bench.crowd PORT COUNT KEYS TAG` signs COUNT units in and subscribes each to its own topic, prints a
line, waits for one, has all press at the same moment, and prints the nanoseconds from the first PUBLISH to every
PUBACK and to every authentic acknowledgement as JSON. What was not acknowledged within `PATIENCE` is left out.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from pathlib import Path

from hardware.codecs.mqtt_packets import Connect, Publish, Subscribe, encode
from hardware.codecs.unit import (
    HEAD_SIZE,
    MAC_SIZE,
    OVERHEAD,
    Ack,
    Kind,
    Level,
    Type,
    UnitFrame,
    body_of,
    mqtt_password,
    open_sealed,
    seal,
)
from hardware.unit_keys import read_keys

PATIENCE = 30.0
_AT_ONCE = 64
_LET_IN = b"\x20\x02\x00\x00\x90\x03\x00\x01\x00"
_PUBACK = b"\x40\x02\x00\x02"


def main(port: int, count: int, keys: dict[int, bytes], tag: bytes) -> dict[str, list[int]]:
    """Sign in, wait, press, listen."""
    begun = time.monotonic_ns()
    lines: dict[int, tuple[socket.socket, int]] = {}
    numbers = sorted(keys)[:count]
    for number in numbers:
        line = _signed_in(port, number, keys[number])
        lines[line.fileno()] = (line, number)
    signed_in = time.monotonic_ns() - begun
    presses = [(line, _press(number, keys[number], tag)) for line, number in lines.values()]
    epoll = select.epoll()
    for descriptor in lines:
        epoll.register(descriptor, select.EPOLLIN)
    heard: dict[int, bytes] = dict.fromkeys(lines, b"")
    pubacks: list[int] = []
    told: dict[int, tuple[int, bytes]] = {}
    print("ready", flush=True)
    sys.stdin.readline()

    def collect(wait: float) -> bool:
        events = epoll.poll(wait, 4_096)
        for descriptor, _ in events:
            line, number = lines[descriptor]
            heard[descriptor] += line.recv(4_096)
            now = time.monotonic_ns() - begun
            data = heard[descriptor]
            while len(data) >= 2 and len(data) >= 2 + data[1]:
                packet, data = data[: 2 + data[1]], data[2 + data[1] :]
                if packet == _PUBACK:
                    pubacks.append(now)
                elif packet[0] >> 4 == 3 and number not in told:
                    told[number] = (now, packet[4 + int.from_bytes(packet[2:4]) :])
            heard[descriptor] = data
        return bool(events)

    begun = time.monotonic_ns()
    for at, (line, press) in enumerate(presses):
        line.send(press)
        if at % _AT_ONCE == _AT_ONCE - 1:
            collect(0)
    end = time.monotonic_ns() + int(PATIENCE * 1e9)
    while (len(pubacks) < count or len(told) < count) and time.monotonic_ns() < end:
        collect(1)
    acks = [at for number, (at, frame) in told.items() if _acknowledges(frame, keys[number], tag)]
    return {"signed_in": [signed_in], "pubacks": sorted(pubacks), "acks": sorted(acks)}


def _signed_in(port: int, number: int, key: bytes) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    name = f"u{number}"
    hello = Connect(
        version=4, client_id=name, username=name, password=mqtt_password(key).encode(), keepalive=120
    )
    line.sendall(encode(hello, 4) + encode(Subscribe(mid=1, filters=((f"down/{name}", 0),)), 4))
    said = b""
    while len(said) < len(_LET_IN):
        more = line.recv(len(_LET_IN) - len(said))
        if not more:
            raise ConnectionError(f"{name} was not let in")
        said += more
    if said != _LET_IN:
        raise ConnectionError(f"{name} was answered with {said.hex()}")
    return line


def _press(number: int, key: bytes, tag: bytes) -> bytes:
    frame = UnitFrame(number=number, epoch=1, counter=1, type=Type.PRESS, body=bytes((Kind.PANIC,)))
    return encode(Publish(topic=f"up/u{number}", payload=seal(frame, key, tag), qos=1, mid=2), 4)


def _acknowledges(data: bytes, key: bytes, tag: bytes) -> bool:
    """Whether the frame is authentic and says that the press is recorded."""
    size = OVERHEAD + data[HEAD_SIZE - 1]
    assert MAC_SIZE < size == len(data)
    body = body_of(open_sealed(data, key, tag))
    return isinstance(body, Ack) and (body.epoch, body.counter) == (1, 1) and body.level >= Level.RECORDED


if __name__ == "__main__":
    where, many, file, site = sys.argv[1:]
    print(json.dumps(main(int(where), int(many), read_keys(Path(file)), bytes.fromhex(site))))
