"""A real rigctld with a rig that is none: its key is what an outsider sees of ours."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.peers.waiting import PATIENCE
from tests.servers.binaries import require
from tests.servers.ports import free_port


class Rig:
    """The rig control's address, and its key as another client reads it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, command: str) -> str:
        """What it answers to one command; it hangs up on who comes while it lets go of the rig behind another."""
        try:
            return self._heard(command)
        except ConnectionResetError:
            return self._heard(command)

    def _heard(self, command: str) -> str:
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(f"{command}\n".encode())
            return connection.recv(200).decode().strip()

    @property
    def keyed(self) -> bool:
        """Whether the transmitter is on the air."""
        return self.ask("t") == "1"


@contextmanager
def rigctld() -> Iterator[Rig]:
    """A running one on a free port."""
    port = free_port()
    process = subprocess.Popen(
        [require("rigctld"), "-m", "1", "-P", "RIG", "-T", "127.0.0.1", "-t", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        rig = Rig(port)
        for _ in range(int(PATIENCE / 0.02)):
            with suppress(OSError):
                rig.ask("t")
                break
            assert process.poll() is None
            time.sleep(0.02)
        yield rig
    finally:
        process.kill()
        process.wait()
