"""Serial lines and pseudo-terminals: opened and configured by pyserial, driven by the loop.

Why not a reader and a writer thread: measured on a pseudo-terminal with 60 octets every 2 ms, the loop on the
non-blocking descriptor takes 1.5 times the raw descriptor's time one way, two threads 2.5 to 4 times, and there is
no thread that a stalled line could hold. Opening and closing may take the driver a while, so they leave the loop, for
a thread of the line's own: no hung look-up or disk holds them up, and a device that hangs holds up no other.
"""

from __future__ import annotations

import asyncio
import termios
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import SplitResult, parse_qsl

from serial import Serial, SerialException

from belltower.errors import SettingsError, Unreachable
from hardware.transports.descriptor import Descriptor

_OPEN_DEADLINE = 5.0


class SerialTransport:
    """8N1 without flow control. RTS and DTR stay low from before the opening on: raised, they would key a radio."""

    def __init__(self, *, path: str, baud: int = 9600, write_deadline: float = 5.0) -> None:
        self._path = path
        self._baud = baud
        self._write_deadline = write_deadline
        self._port: Serial | None = None
        self._line: Descriptor | None = None
        self._thread = ThreadPoolExecutor(1, "serial")
        self._opening: asyncio.Future[Serial] | None = None

    async def open(self) -> None:
        """Open the device. `Unreachable` when it is not there, is no terminal, or is held by somebody else."""
        await self.close()
        if self._opening is not None and not self._opening.done():
            # The last opening hangs: one at a time.
            await asyncio.wait((self._opening,), timeout=_OPEN_DEADLINE)
            if not self._opening.done():
                raise Unreachable(f"{self._path}: did not open within {_OPEN_DEADLINE:g} s")
        opening = asyncio.get_running_loop().run_in_executor(self._thread, self._open)
        self._opening = opening
        try:
            async with asyncio.timeout(_OPEN_DEADLINE):
                port = await asyncio.shield(opening)
        except TimeoutError:
            opening.add_done_callback(_discard)
            raise Unreachable(f"{self._path}: did not open within {_OPEN_DEADLINE:g} s") from None
        except asyncio.CancelledError:
            opening.add_done_callback(_discard)
            raise
        self._port = port
        self._line = Descriptor(number=port.fileno(), name=self._path, write_deadline=self._write_deadline)
        self._line.attach()

    async def read(self) -> bytes:
        """What has come, at least one octet."""
        return await self._opened().read()

    async def write(self, data: bytes) -> None:
        """Hand `data` to the kernel, whole; it sends at the line's own pace."""
        await self._opened().write(data)

    async def close(self) -> None:
        """Close the device, dropping what has not left."""
        port, self._port = self._port, None
        if self._line is not None:
            self._line.detach()
        if port is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, _shut, port)

    def _opened(self) -> Descriptor:
        if self._line is None:
            raise Unreachable(f"{self._path}: not open")
        return self._line

    def _open(self) -> Serial:
        port = Serial(baudrate=self._baud, timeout=0, exclusive=True)
        port.rts = False
        port.dtr = False
        port.port = self._path
        try:
            port.open()
        except (SerialException, OSError, termios.error) as error:
            raise Unreachable(f"{self._path}: {error}") from error
        return port


def from_url(url: str, parts: SplitResult) -> SerialTransport:
    """The line of `serial:///dev/ttyUSB0?baud=9600`; `baud` is the only option."""
    if parts.netloc or len(parts.path) < 2 or parts.fragment:
        raise SettingsError(f"transport {url!r}: expected serial:// and then a whole path, /dev/ttyUSB0 say")
    baud = 9600
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name != "baud":
            raise SettingsError(f"transport {url!r}: option {name!r} is unknown; there is only baud")
        if not (value.isdecimal() and value.isascii() and int(value[:10]) in Serial.BAUDRATES):
            raise SettingsError(f"transport {url!r}: baud {value!r} is no speed of a serial line")
        baud = int(value)
    return SerialTransport(path=parts.path, baud=baud)


def _shut(port: Serial) -> None:
    try:
        port.reset_output_buffer()  # otherwise the kernel waits up to 30 s for a stalled line
    except (SerialException, OSError, termios.error):
        pass  # unplugged
    finally:
        port.close()


def _discard(opening: asyncio.Future[Serial]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
