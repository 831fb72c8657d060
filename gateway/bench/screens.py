"""Many screens in a process of its own: `python -m gateway.bench.screens PORT COUNT`, the last one never reads.

Prints a line when all have asked, and at the end one JSON object: the octets that each reading screen got.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys

END = b"event: end"
_REQUEST = b"GET /events?topic=bench&after=alarm-0 HTTP/1.1\r\nHost: bench\r\n\r\n"


def watch(port: int, count: int) -> list[int]:
    """Be `count` screens until each but the stalled one has seen the end, or 20 s pass without a sound."""
    selector = selectors.DefaultSelector()
    screens = []
    for number in range(count):
        screen = socket.socket()
        if number == count - 1:
            screen.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        screen.connect(("127.0.0.1", port))
        screen.sendall(_REQUEST)
        screens.append(screen)
    octets = [0] * count
    tails = [b""] * count
    for number, screen in enumerate(screens[:-1]):
        screen.setblocking(False)
        selector.register(screen, selectors.EVENT_READ, number)
    sys.stdout.write("\n")
    sys.stdout.flush()
    while selector.get_map():
        ready = selector.select(timeout=20)
        if not ready:
            break
        for key, _ in ready:
            number = key.data
            data = screens[number].recv(16_384)
            octets[number] += len(data)
            tails[number] = (tails[number] + data)[-64:]
            if not data or END in tails[number]:
                selector.unregister(screens[number])
    return octets[:-1]


if __name__ == "__main__":
    got = watch(int(sys.argv[1]), int(sys.argv[2]))
    json.dump(got, sys.stdout)
