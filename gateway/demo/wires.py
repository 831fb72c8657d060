"""What joins the demo's parts: ports of this machine, and a cable for the radio."""

from __future__ import annotations

import asyncio
import os
import socket
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from belltower.errors import SettingsError

_TRIES = 20


class Ports(NamedTuple):
    """Those on 127.0.0.1 that the demo keeps to itself."""

    live: int
    training: int
    mqtt: int
    cad: int
    hook: int


@contextmanager
def reserved(port: int) -> Iterator[int]:
    """The port, or a free one where it is taken; no other demo takes it while we run."""
    for wanted in (port, *(0 for _ in range(_TRIES))):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
                probe.listen(1)  # a bound port alone would not be seen as taken
            except OSError:
                continue
            found = int(probe.getsockname()[1])
        # Its part opens the port only later. A name that the kernel forgets with us keeps it from other demos.
        with socket.socket(socket.AF_UNIX) as mark:
            try:
                mark.bind(f"\0belltower-demo-{found}")
            except OSError:
                continue
            yield found
            return
    raise SettingsError("no port is free on 127.0.0.1")


@contextmanager
def joined() -> Iterator[tuple[str, str]]:
    """A serial cable's two ends: pseudo-terminals by name, and we carry octets between them."""
    loop = asyncio.get_running_loop()
    pairs = [os.openpty() for _ in range(2)]
    masters: Sequence[int] = [master for master, _ in pairs]
    for master, slave in pairs:
        tty.setraw(slave)
        os.set_blocking(master, False)

    def carry(source: int, sink: int) -> None:
        with suppress(OSError):  # nobody reads at the other end: the octets are lost, as on air
            os.write(sink, os.read(source, 4096))

    loop.add_reader(masters[0], carry, masters[0], masters[1])
    loop.add_reader(masters[1], carry, masters[1], masters[0])
    try:
        near, far = (os.ttyname(slave) for _, slave in pairs)
        yield near, far
    finally:
        for master in masters:
            loop.remove_reader(master)
        for pair in pairs:
            for descriptor in pair:
                os.close(descriptor)
