"""Readers, door controllers and their outputs on an OSDP line (RS-485), by libosdp, in a thread of its own.

The control panel's side. A device is spoken to only in a secure channel under its own key (SCBK); without one it counts
as absent. The library's C core is called by this thread alone and under one lock; everything else is told by way of the
loop. A device that fell silent is tried again after `RETRY`, not after the library's own five minutes.

Cards are told as read, never by their number: a card is no alarm, and its number is a person's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct
from osdp import (
    Channel,
    Command,
    CompletionStatus,
    ControlPanel,
    EventNotification,
    LibFlag,
    LogLevel,
    PDInfo,
    StatusReportType,
)
from osdp import Event as Said
from serial import Serial, SerialException

from belltower import log
from belltower.errors import Rejected, SettingsError, Uncertain, Unreachable
from belltower.tasks import unless_mistaken
from hardware.drivers.switch import Ask, Reach, Reached

_log = log.get("osdp")

TURN = 0.01
"""Seconds between two turns of the library."""
RETRY = 2.0
"""Seconds after which a silent device is tried again."""
_MOST_INPUTS = 64
_OFF, _ON = 1, 2
"""Control codes for good, ending any timed state (SIA OSDP 2.2, 6.10)."""


class Reader(StrEnum):
    """What a device says by itself."""

    SECURE = "secure"
    TAMPER = "tamper"
    POWER = "power"
    INPUTS = "inputs"
    KEYS = "keys"
    CARD = "card"


class ReaderSaid(Struct, frozen=True, kw_only=True):
    """One thing that a device said."""

    address: int
    what: Reader
    # Of `SECURE`: in the secure channel. Of `TAMPER` and `POWER`: there is such a trouble.
    on: bool = True
    # Of `KEYS`: the keys pressed. They may be a person's secret: they are to be compared and forgotten.
    keys: str = ""
    # Of `INPUTS`: which are active, from input 0 on.
    inputs: tuple[bool, ...] = ()


OnReader = Callable[[ReaderSaid], None]
"""Told in the loop. It must not raise and not wait."""


class _Line(Channel):  # type: ignore[misc] # the library has no types
    """The serial line as the library wants it; a line that is gone is silent, and says so."""

    def __init__(self, port: Serial) -> None:
        super().__init__()
        self._port = port
        self.gone = False

    def read(self, most: int) -> bytes:
        try:
            return bytes(self._port.read(most))
        except (SerialException, OSError, TypeError):
            self.gone = True
            return b""

    def write(self, octets: bytes) -> int:
        try:
            return int(self._port.write(octets) or 0)
        except (SerialException, OSError, TypeError):
            self.gone = True
            return 0

    def flush(self) -> None:
        pass


class OSDPLine:
    """One line with any number of devices. `add` them, then `run` it; mendable."""

    def __init__(self, *, url: str, on_reader: OnReader | None = None) -> None:
        """Speak on `serial:///dev/ttyUSB1?baud=9600`."""
        self._path, self._baud = _parts(url)
        self._on_reader = on_reader
        self._on_open: Callable[[], None] = lambda: None
        self._keys: dict[int, bytes] = {}
        self._lock = Lock()
        self._panel: ControlPanel | None = None
        self._secure: set[int] = set()
        self._waiting: dict[int, tuple[dict[str, Any], asyncio.Future[int]]] = {}
        self._turns: dict[int, asyncio.Lock] = {}

    def listen(self, on_reader: OnReader) -> None:
        """Tell `on_reader` from now on what devices say."""
        self._on_reader = on_reader

    def on_open(self, call: Callable[[], None]) -> None:
        """Call this whenever the line has been opened."""
        self._on_open = call

    def add(self, address: int, key: bytes) -> None:
        """A device at `address` with its own secure channel base key. ValueError: it has another key already."""
        if len(key) != 16:
            raise ValueError("a secure channel base key has 16 octets")
        if self._keys.setdefault(address, key) != key:
            raise ValueError(f"address {address} has another key already")
        self._turns.setdefault(address, asyncio.Lock())

    def secure(self, address: int) -> bool:
        """Whether the device is there, in its secure channel."""
        return address in self._secure

    async def close(self) -> None:
        """Nothing is held outside of `run`."""

    async def run(self) -> None:
        """Serve the line until it is lost: `Unreachable`."""
        loop = asyncio.get_running_loop()
        port = await asyncio.to_thread(self._open)
        line, stop = _Line(port), Event()
        lost: asyncio.Future[None] = loop.create_future()
        order = list(self._keys)

        def told(call: Callable[..., None], *given: Any) -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(call, *given)

        def heard(index: int, event: dict[str, Any]) -> int:
            told(self._heard, order[index], event)
            return 0

        def completed(address: int, command: dict[str, Any], status: int) -> None:
            told(self._completed, address, command, status)

        flags = [LibFlag.EnforceSecure, LibFlag.EnableNotification]
        panel = ControlPanel(
            [PDInfo(address, line, scbk=self._keys[address], flags=flags) for address in order],
            log_level=LogLevel.Critical,
            event_handler=heard,
            command_completion_handler=completed,
        )
        self._panel = panel
        self._on_open()

        def serve(stop: Event) -> None:
            silent = 0
            while not stop.wait(TURN) and not line.gone:
                with self._lock:
                    panel.ctx.refresh()
                    online = panel.ctx.status()
                    silent = silent + 1 if online != (1 << len(order)) - 1 else 0
                    if silent * TURN >= RETRY:
                        silent = 0
                        for index in range(len(order)):
                            if not online >> index & 1:
                                panel.ctx.disable_pd(index)
                                panel.ctx.enable_pd(index)

        def live() -> None:
            # Whatever ends it, a mistake of the library's too, the line is gone.
            unless_mistaken(serve, stop)
            told(lambda: None if lost.done() else lost.set_result(None))

        thread = Thread(target=live, name="osdp", daemon=True)
        thread.start()
        try:
            await lost
        finally:
            stop.set()
            await asyncio.shield(asyncio.to_thread(thread.join, 1.0))
            self._panel = None
            there = sorted(self._secure)
            self._secure.clear()
            for _, done in self._waiting.values():
                if not done.done():
                    done.set_result(CompletionStatus.Aborted)
            port.close()
        for address in there:
            self._say(ReaderSaid(address=address, what=Reader.SECURE, on=False))
        raise Unreachable(f"{self._path}: the line is gone")

    async def command(self, address: int, command: dict[str, Any], reach: Reach) -> None:
        """Give a device one command; return once it has answered exactly this one."""
        async with self._turns[address]:
            if self._panel is None or address not in self._secure:
                raise Unreachable(f"device {address} is not there, or not in its secure channel")
            done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            self._waiting[address] = command, done
            try:
                with self._lock:
                    taken = self._panel.ctx.submit_command(list(self._keys).index(address), command)
                if not taken:
                    raise Unreachable(f"device {address}: the line is too busy")
                reach(Reached.QUEUED)
                status = await done
            except asyncio.CancelledError:
                if self._panel is not None:
                    with self._lock:
                        self._panel.ctx.flush_commands(list(self._keys).index(address))
                raise
            finally:
                del self._waiting[address]
        reach(Reached.SENT)
        if status == CompletionStatus.Failed:
            raise Rejected(f"device {address} says no")
        if status != CompletionStatus.Ok:
            raise Uncertain(f"device {address} was lost meanwhile")
        reach(Reached.DEVICE)

    async def light(self, address: int, *, colour: int, reader: int = 0) -> None:
        """Light the reader's LED for good; the colours are `osdp.CommandLEDColor`'s."""
        steady = {"control_code": 1, "on_count": 1, "off_count": 0, "on_color": colour, "off_color": colour}
        command = {
            "command": Command.LED,
            "reader": reader,
            "led_number": 0,
            **steady,
            "timer_count": 0,
            "temporary": False,
        }
        await self.command(address, command, lambda _: None)

    async def buzz(self, address: int, *, times: int = 1, reader: int = 0) -> None:
        """Sound the reader's buzzer: half a second on, half a second off."""
        command = {
            "command": Command.Buzzer,
            "reader": reader,
            "control_code": 2,
            "on_count": 5,
            "off_count": 5,
            "rep_count": times,
        }
        await self.command(address, command, lambda _: None)

    # ---- told by the thread, in the loop

    def _completed(self, address: int, command: dict[str, Any], status: int) -> None:
        waiting = self._waiting.get(address)
        if waiting is None or waiting[1].done():
            return
        asked, done = waiting
        if all(command.get(key) == value for key, value in asked.items() if key in command):
            done.set_result(status)

    def _heard(self, address: int, event: dict[str, Any]) -> None:
        match event.get("event"):
            case Said.Notification:
                self._notified(address, event)
            case Said.KeyPress:
                keys = bytes(event.get("data", b""))[:32].decode("ascii", "replace")
                self._say(ReaderSaid(address=address, what=Reader.KEYS, keys=keys))
            case Said.CardRead:
                self._say(ReaderSaid(address=address, what=Reader.CARD))
            case Said.Status if event.get("type") == StatusReportType.Local:
                report = bytes(event.get("report", b""))
                for what, octet in zip((Reader.TAMPER, Reader.POWER), report, strict=False):
                    self._say(ReaderSaid(address=address, what=what, on=bool(octet)))
            case Said.Status if event.get("type") == StatusReportType.Input:
                inputs = tuple(bool(octet) for octet in bytes(event.get("report", b""))[:_MOST_INPUTS])
                self._say(ReaderSaid(address=address, what=Reader.INPUTS, inputs=inputs))
            case _:
                pass

    def _notified(self, address: int, event: dict[str, Any]) -> None:
        kind, on = event.get("type"), bool(event.get("arg0"))
        secure = on if kind == EventNotification.SecureChannelStatus else None
        if kind == EventNotification.PeripheralDeviceStatus and not on:
            secure = False
        if secure is None or secure is (address in self._secure):
            return
        (self._secure.add if secure else self._secure.discard)(address)
        self._say(ReaderSaid(address=address, what=Reader.SECURE, on=secure))

    def _say(self, said: ReaderSaid) -> None:
        if self._on_reader is not None:
            self._on_reader(said)

    def _open(self) -> Serial:
        try:
            return Serial(self._path, self._baud, timeout=0, write_timeout=0, exclusive=True)
        except (SerialException, OSError, ValueError) as error:
            raise Unreachable(f"{self._path}: {error}") from error


class OSDPOutput:
    """One output of one device, a `Switch`."""

    def __init__(self, *, line: OSDPLine, address: int, output: int) -> None:
        self._line = line
        self._address = address
        self._output = output

    @property
    def confirms(self) -> bool:
        """Its reply to exactly this command, within the secure channel."""
        return True

    async def switch(self, ask: Ask, reach: Reach) -> None:
        """Switch it for good, on or off."""
        command = {
            "command": Command.Output,
            "output_no": self._output,
            "control_code": _ON if ask.on else _OFF,
            "timer_count": 0,
        }
        await self._line.command(self._address, command, reach)


def _parts(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    baud = dict(parse_qsl(parts.query)).get("baud", "9600")
    if parts.scheme != "serial" or parts.netloc or len(parts.path) < 2 or not baud.isdecimal():
        raise SettingsError(f"{url!r} is no OSDP line; write serial:///dev/ttyUSB1?baud=9600")
    return parts.path, int(baud)
