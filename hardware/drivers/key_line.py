"""Key lines: what puts a transmitter on the air, by URL.

    serial:///dev/ttyUSB0?line=rts&busy=cts    RTS or DTR of a serial port; busy by cts, dsr, cd or none
    rig://127.0.0.1:4532                       rigctld, the network rig control of Hamlib; busy by its squelch
    contact:///dev/hidraw0?pin=3               a contact output of a CM108 sound card

Every call blocks for at most a second or two and is made from a thread, never on the loop; any thread may call, and
`unkey` may be called while `key` hangs. Opening keys nothing.
"""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress
from threading import Lock
from typing import Protocol
from urllib.parse import SplitResult, parse_qsl, urlsplit

from serial import SerialBase, SerialException, serial_for_url

from belltower.errors import SettingsError, Unreachable

DEADLINE = 1.0
"""Seconds for one answer of a rig."""


class KeyLine(Protocol):
    """What keys a transmitter. Obligations: opening keys nothing; `Unreachable` where it cannot be done."""

    def key(self) -> None:
        """Put the transmitter on the air."""
        ...

    def unkey(self) -> None:
        """Take it off. Again does nothing."""
        ...

    def busy(self) -> bool:
        """Whether somebody else is heard on the channel; False where the line cannot know."""
        ...

    def close(self) -> None:
        """Take it off and let go."""
        ...


class SerialKeyLine:
    """RTS or DTR of a serial port; both are low before it is opened, while it is open and not keyed, and afterwards."""

    def __init__(self, *, url: str, line: str = "rts", busy: str = "") -> None:
        """`url` is a device or one of pyserial's; `line` is rts or dtr, `busy` is cts, dsr, cd or ""."""
        self._url = url
        self._line = line
        self._busy = busy
        self._port: SerialBase | None = None
        self._opening = Lock()

    def key(self) -> None:
        """Raise the line."""
        self._set(True)

    def unkey(self) -> None:
        """Lower it."""
        self._set(False)

    def busy(self) -> bool:
        """Whether the input that stands for a heard carrier is raised."""
        port = self._opened()
        try:
            return bool(getattr(port, self._busy)) if self._busy else False
        except (SerialException, OSError) as error:
            raise self._gone(error) from error

    def close(self) -> None:
        """Lower the line and close the port."""
        port, self._port = self._port, None
        if port is not None:
            with suppress(SerialException, OSError):
                port.rts = port.dtr = False
            port.close()

    def _set(self, on: bool) -> None:
        port = self._opened()
        try:
            setattr(port, self._line, on)
        except (SerialException, OSError) as error:
            raise self._gone(error) from error

    def _opened(self) -> SerialBase:
        with self._opening:
            if self._port is None:
                try:
                    port = serial_for_url(self._url, do_not_open=True, timeout=0, write_timeout=DEADLINE)
                    # Before it is opened: pyserial raises both otherwise, and that would key the radio.
                    port.rts = port.dtr = False
                    port.open()
                except (SerialException, OSError, ValueError) as error:
                    raise self._gone(error) from error
                self._port = port
            return self._port

    def _gone(self, error: Exception) -> Unreachable:
        port, self._port = self._port, None
        if port is not None:
            with suppress(SerialException, OSError):
                port.close()
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        return Unreachable(f"the key line {self._url} cannot be used: {reason}")


class RigKeyLine:
    """A rig behind rigctld. Each command has a connection of its own, so that none waits for one that hangs."""

    def __init__(self, *, host: str, port: int = 4532) -> None:
        """The numeric address and port of rigctld."""
        self._to = (host, port)

    def key(self) -> None:
        """`T 1`."""
        self._done("T 1")

    def unkey(self) -> None:
        """`T 0`."""
        self._done("T 0")

    def busy(self) -> bool:
        r"""`\get_dcd`; a rig that cannot say has a free channel."""
        return self._ask("\\get_dcd").split("\n", 1)[0] == "1"

    def close(self) -> None:
        """`T 0`, as well as can be."""
        with suppress(Unreachable):
            self.unkey()

    def _done(self, command: str) -> None:
        answer = self._ask(command)
        if not answer.startswith("RPRT 0"):
            raise Unreachable(f"the rig answered {answer[:20]!r} to {command!r}; is rigctld run with -P RIG?")

    def _ask(self, command: str) -> str:
        try:
            try:
                heard = self._heard(command)
            except ConnectionResetError:
                # It hangs up on who comes while it lets go of the rig behind the client before. None of our commands
                # does more when it is done twice.
                heard = self._heard(command)
        except OSError as error:
            host, port = self._to
            raise Unreachable(
                f"rigctld at {host}:{port} does not answer: {error.strerror or 'timeout'}"
            ) from error
        return heard.decode("ascii", "replace").strip()

    def _heard(self, command: str) -> bytes:
        with socket.create_connection(self._to, timeout=DEADLINE) as connection:
            connection.sendall(f"{command}\n".encode())
            heard = b""
            while b"\n" not in heard and len(heard) < 1_000:
                part = connection.recv(200)
                if not part:
                    break
                heard += part
        return heard


class ContactKeyLine:
    """A contact output of a CM108 sound card's chip, by its HID reports: nothing pulses when it is opened."""

    def __init__(self, *, path: str, pin: int = 3) -> None:
        """The hidraw device and its pin, 1 to 8."""
        self._path = path
        self._bit = 1 << (pin - 1)

    def key(self) -> None:
        """Close the contact."""
        self._write(self._bit)

    def unkey(self) -> None:
        """Open it."""
        self._write(0)

    def busy(self) -> bool:
        """It cannot know."""
        return False

    def close(self) -> None:
        """Open the contact, as well as can be."""
        with suppress(Unreachable):
            self.unkey()

    def _write(self, value: int) -> None:
        # CM108: report 0, then GPIO mode, values, directions, SPDIF.
        try:
            opened = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(opened, bytes([0, 0, value, self._bit, 0]))
            finally:
                os.close(opened)
        except OSError as error:
            raise Unreachable(f"the contact {self._path} cannot be switched: {error.strerror}") from error


def open_key_line(url: str) -> KeyLine:
    """The key line that `url` names, not yet opened. `SettingsError` says what is wrong with the URL."""
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        port = parts.port
    except ValueError as error:
        raise SettingsError(f"key line {url!r}: {error}") from None
    match parts.scheme:
        case "serial" if parts.path.startswith("/"):
            return _serial(url, parts.path, query)
        case "rig" if parts.hostname and re.fullmatch(r"[0-9.]+", parts.hostname):
            return RigKeyLine(host=parts.hostname, port=port or 4532)
        case "contact" if parts.path.startswith("/"):
            return _contact(url, parts, query)
        case _:
            raise SettingsError(
                f'key line {url!r}: expected "serial:///dev/ttyUSB0?line=rts", "rig://127.0.0.1:4532" '
                'or "contact:///dev/hidraw0?pin=3"'
            )


def _serial(url: str, path: str, query: dict[str, str]) -> KeyLine:
    line, busy = query.pop("line", "rts"), query.pop("busy", "none")
    if query or line not in {"rts", "dtr"} or busy not in {"cts", "dsr", "cd", "none"}:
        raise SettingsError(f"key line {url!r}: line is rts or dtr; busy is cts, dsr, cd or none")
    return SerialKeyLine(url=path, line=line, busy="" if busy == "none" else busy)


def _contact(url: str, parts: SplitResult, query: dict[str, str]) -> KeyLine:
    pin = query.pop("pin", "3")
    if query or pin not in set("12345678"):
        raise SettingsError(f"key line {url!r}: pin is 1 to 8; 3 is usual")
    return ContactKeyLine(path=parts.path, pin=int(pin))
