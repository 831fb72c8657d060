"""Ports that nobody else is given while these tests run.

A port that the kernel chose and took back may be any connection's own port a moment later, and then a server that
begins, or begins again, finds it taken. These lie below the range that the kernel chooses from. They are handed out by
the block: who holds a block holds a name in the abstract namespace, and loses it by ending, however it ends.
"""

from __future__ import annotations

import atexit
import socket
from collections.abc import Iterator
from contextlib import suppress
from random import Random

_FIRST, _LAST, _BLOCK = 15_000, 32_000, 50
_KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
_held: list[socket.socket] = []
"""One for each block that is ours, for as long as this process lives."""


def free_port() -> int:
    """A port for TCP or UDP, on 127.0.0.1; no test is given it again."""
    return next(_PORTS)


def even_port() -> int:
    """An even one, as for RTP; its odd neighbour is free as well."""
    port = free_port()
    while port % 2 or next(_PORTS) != port + 1:
        port = free_port()
    return port


def _ports() -> Iterator[int]:
    while True:
        yield from filter(_is_free, _new_block())


def _new_block() -> range:
    starts = list(range(_FIRST, _LAST, _BLOCK))
    Random().shuffle(starts)
    for start in starts:
        mark = socket.socket(socket.AF_UNIX)
        with suppress(OSError):
            mark.bind(f"\0belltower-tests-{start}")
            _held.append(mark)
            atexit.register(mark.close)
            return range(start, start + _BLOCK)
        mark.close()
    raise AssertionError(f"every port from {_FIRST} to {_LAST} is held by tests")


def _is_free(port: int) -> bool:
    for kind in _KINDS:
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind is socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


_PORTS = _ports()
