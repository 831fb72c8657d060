"""A socket on the loopback interface and a thread that notes when each packet came."""

import socket
import threading
import time
from contextlib import contextmanager


@contextmanager
def listener():
    """The port, and what was heard on it: times and octets."""
    heard: list[tuple[float, bytes]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        port = ear.getsockname()[1]

        def listen():
            while (octets := ear.recv(2_000)) != b"stop":
                heard.append((time.perf_counter(), octets))

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield port, heard
        finally:
            ear.sendto(b"stop", ("127.0.0.1", port))
            thread.join()
