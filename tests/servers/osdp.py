"""A reader with outputs that nobody here wrote: libosdp's own peripheral device, in a process of its own on a line.

    python -m tests.servers.osdp PATH ADDRESS KEY

It prints one JSON object a line for every command it was given. A line of standard input makes it say something: `keys 911`,
`tamper 1`, `inputs 0010`, `card`, `refuse` (say no to everything from now on), `obey` (no longer).
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from osdp import (
    Capability,
    Channel,
    Event,
    LibFlag,
    LogLevel,
    PDCapabilities,
    PDInfo,
    PeripheralDevice,
    StatusReportType,
)
from serial import Serial

CAPABILITIES = [
    (Capability.OutputControl, 1, 4),
    (Capability.LEDControl, 1, 1),
    (Capability.AudibleControl, 1, 1),
    (Capability.ContactStatusMonitoring, 1, 4),
    (Capability.CommunicationSecurity, 1, 1),
]


class Line(Channel):
    """The line."""

    def __init__(self, path) -> None:
        super().__init__()
        self.port = Serial(path, 9600, timeout=0)

    def read(self, most):
        return self.port.read(most)

    def write(self, octets):
        return self.port.write(octets) or 0

    def flush(self):
        pass


def main(path, address, key) -> None:
    """Serve until standard input ends."""
    refuses = []

    def commanded(command):
        plain = {name: value for name, value in command.items() if isinstance(value, int | str | bool)}
        print(json.dumps(plain), flush=True)
        return (-1 if refuses else 0), None

    device = PeripheralDevice(
        PDInfo(int(address), Line(path), scbk=bytes.fromhex(key), flags=[LibFlag.EnforceSecure]),
        PDCapabilities(CAPABILITIES),
        log_level=LogLevel.Critical,
        command_handler=commanded,
    )
    device.start()
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        match word:
            case "keys":
                device.submit_event({"event": Event.KeyPress, "reader_no": 0, "data": rest.encode()})
            case "tamper":
                report = bytes([int(rest), 0])
                device.submit_event({"event": Event.Status, "type": StatusReportType.Local, "report": report})
            case "inputs":
                report = bytes(int(level) for level in rest)
                device.submit_event({"event": Event.Status, "type": StatusReportType.Input, "report": report})
            case "card":
                card = {"reader_no": 0, "format": 1, "direction": 0, "length": 16, "data": b"\x12\x34"}
                device.submit_event({"event": Event.CardRead, **card})
            case "refuse":
                refuses.append(True)
            case "obey":
                refuses.clear()
    device.stop()


class Peripheral:
    """A running device."""

    def __init__(self, process) -> None:
        self.process = process

    def say(self, what) -> None:
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()

    def commanded(self) -> dict:
        """The next command it was given."""
        return json.loads(self.process.stdout.readline())


@contextmanager
def peripheral(path, address, key) -> Iterator[Peripheral]:
    """A device at the far end of a line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.servers.osdp", str(path), str(address), key.hex()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Peripheral(process)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
