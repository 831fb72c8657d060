"""The units of B9, in a process of their own: plain sockets, so that they cost as little as they can.

`python -m gateway.bench.mqtt_units ROLE PORT COUNT` prints a line when it is connected, waits for one, and prints its
times in nanoseconds as JSON. Roles: `echo` (octets sent back, one by one), `one` (a unit pressing COUNT times, one by
one), `many` (COUNT units signed in, each pressing once at the same moment: the time of every PUBACK).
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

from hardware.codecs.mqtt_packets import Connect, Publish, encode

FRAME = bytes(64)
"""About as long as a unit's frame."""
_PRESS = b"\x40\x02"


def echo(port: int, count: int) -> list[int]:
    """Round trips of a press's octets through a bare echo."""
    with _dial(port) as line:
        press = _press(1, "u1")
        _begin()
        return [_round(line, press, len(press)) for _ in range(count)]


def one(port: int, count: int) -> list[int]:
    """Round trips from PUBLISH to PUBACK."""
    with _signed_in(port, "u1") as line:
        _begin()
        return [_round(line, _press(number % 65_535 + 1, "u1"), 4) for number in range(count)]


def many(port: int, count: int) -> list[int]:
    """From the first PUBLISH to each unit's PUBACK, in the order of their arrival."""
    lines = {}
    for number in range(count):
        line = _signed_in(port, f"u{number}")
        lines[line.fileno()] = line
    presses = [(line, _press(1, f"u{number}")) for number, line in enumerate(lines.values())]
    poll = select.epoll()
    for number in lines:
        poll.register(number, select.EPOLLIN)
    _begin()
    times: list[int] = []
    begun = time.monotonic_ns()
    for at, (line, press) in enumerate(presses):
        line.send(press)
        if at % 64 == 63:
            times += _collected(poll, lines, begun, 0)
    while len(times) < count:
        times += _collected(poll, lines, begun, 30)
    for line in lines.values():
        line.close()
    return times


def _collected(poll: select.epoll, lines: dict[int, socket.socket], begun: int, wait: float) -> list[int]:
    events = poll.poll(wait, 4_096)
    if wait and not events:
        raise TimeoutError("some presses were never acknowledged")
    times = []
    for number, _ in events:
        if lines[number].recv(64)[:2] != _PRESS:
            raise ConnectionError("that is no PUBACK")
        times.append(time.monotonic_ns() - begun)
    return times


def _begin() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def _dial(port: int) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), timeout=30)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


def _signed_in(port: int, name: str) -> socket.socket:
    line = _dial(port)
    line.sendall(
        encode(Connect(version=4, client_id=name, username=name, password=name.encode(), keepalive=60), 4)
    )
    if line.recv(4) != b"\x20\x02\x00\x00":
        raise ConnectionError(f"{name} was not let in")
    return line


def _press(mid: int, name: str) -> bytes:
    return encode(Publish(topic=f"up/{name}", payload=FRAME, qos=1, mid=mid), 4)


def _round(line: socket.socket, sent: bytes, wanted: int) -> int:
    begun = time.monotonic_ns()
    line.sendall(sent)
    while wanted:
        wanted -= len(line.recv(wanted))
    return time.monotonic_ns() - begun


if __name__ == "__main__":
    role, where, times = sys.argv[1:]
    print(json.dumps({"echo": echo, "one": one, "many": many}[role](int(where), int(times))))
