"""Relays and dry contacts over Modbus TCP and RTU, by pymodbus.

A relay is switched by writing its coil: the device answers with an echo of the request, which is compared, and then
the coil is read back. Only both together are the device's word. Inputs are polled and told as levels and edges; the
first level after a start or a gap is a state, never an edge.

A line serves one request at a time, as RS-485 must; what does not answer costs the line `TURN` seconds at most.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct
from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.pdu import ModbusPDU

from belltower import log
from belltower.errors import LinkError, Rejected, SettingsError, Uncertain, Unreachable
from hardware.drivers.switch import Ask, Reach, Reached

_log = log.get("modbus")


class _Library(logging.Handler):
    """What pymodbus says by itself: its callers are told of every failure, so the log needs it only in depth."""

    def emit(self, record: logging.LogRecord) -> None:
        _log.debug("library", said=record.getMessage()[:200])


_library = logging.getLogger("pymodbus")
_library.addHandler(_Library())
_library.propagate = False

TURN = 0.5
"""Seconds for one request and its answer."""
POLL = 0.1
"""Seconds between two polls of inputs."""
SLOWEST = 0.25
"""Seconds between two polls at most, where the line is free."""
CONNECT = 2.0
MOST_INPUTS = 2_000
"""Inputs that one request can ask for (Modbus application protocol 1.1b3, 6.2)."""

EXCEPTIONS = {
    1: "illegal function",
    2: "illegal address",
    3: "illegal value",
    4: "device failure",
    5: "accepted, not done yet",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "the device behind the gateway does not answer",
}
"""What a device says no with (Modbus application protocol 1.1b3, 7)."""


AnyClient = AsyncModbusTcpClient | AsyncModbusSerialClient


class InputSeen(Struct, frozen=True, kw_only=True):
    """One input's level as it was polled."""

    # The input's name in the settings.
    name: str
    closed: bool
    # It has changed since the last poll. Without it, the level was found so: after a start or a gap.
    edge: bool


OnInput = Callable[[InputSeen], None]
"""Told of every edge, and of every level that was found. It must not raise and not wait."""


class ModbusLine:
    """One connection or serial line with any number of devices on it.

    `tcp://192.0.2.9:502` speaks Modbus TCP, `rtu+tcp://192.0.2.9:4001` RTU through a device server, and
    `serial:///dev/ttyUSB0?baud=19200&parity=E` RTU on the line.
    """

    def __init__(self, *, url: str, turn: float = TURN) -> None:
        self._url = url
        self._turn = turn
        self._lock = asyncio.Lock()
        self._client: AnyClient | None = None

    async def close(self) -> None:
        """Let go of it."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def connect(self) -> None:
        """Connect if it is not connected: `Unreachable`. Every request does so by itself."""
        async with self._lock:
            await self._connected()

    async def read_inputs(self, device: int, first: int, count: int, *, as_coils: bool = False) -> list[bool]:
        """The levels of `count` discrete inputs from `first` on; `as_coils`: they stand among the device's coils."""

        def ask(client: AnyClient) -> Awaitable[ModbusPDU]:
            if as_coils:
                return client.read_coils(first, count=count, device_id=device)
            return client.read_discrete_inputs(first, count=count, device_id=device)

        answer = await self._ask(ask, device)
        return self._bits(answer, count)

    async def read_coil(self, device: int, coil: int) -> bool:
        """Whether the coil is on."""
        answer = await self._ask(lambda client: client.read_coils(coil, count=1, device_id=device), device)
        return self._bits(answer, 1)[0]

    async def write_coil(self, device: int, coil: int, *, on: bool) -> None:
        """Write the coil and compare the echo. `Uncertain` where the answer is another or none."""
        answer = await self._ask(lambda client: client.write_coil(coil, on, device_id=device), device)
        if answer.address != coil or list(answer.bits[:1]) != [on] or answer.dev_id != device:
            raise Uncertain(f"{self._url}: device {device} echoed another request")

    @staticmethod
    def _bits(answer: ModbusPDU, count: int) -> list[bool]:
        if len(answer.bits) < count:
            raise Uncertain(f"{len(answer.bits)} bits came where {count} were asked for")
        return list(answer.bits[:count])

    async def _ask(self, ask: Callable[[AnyClient], Awaitable[ModbusPDU]], device: int) -> ModbusPDU:
        async with self._lock:
            client = await self._connected()
            cancelled = _cancelled()
            try:
                async with asyncio.timeout(self._turn):
                    answer = await ask(client)
            except (TimeoutError, ModbusException, OSError) as error:
                # What comes late would be taken for the answer to the next request.
                await self.close()
                _raise_if_cancelled(cancelled)
                raise Uncertain(f"{self._url}: device {device} does not answer") from error
            except asyncio.CancelledError:
                await self.close()
                raise
            _raise_if_cancelled(cancelled)
        if answer.isError():
            code = answer.exception_code
            raise Rejected(f"device {device} says no: {EXCEPTIONS.get(code, f'exception {code}')}")
        return answer

    async def _connected(self) -> AnyClient:
        if self._client is not None and self._client.connected:
            return self._client
        await self.close()
        client = client_of(self._url, self._turn)
        cancelled = _cancelled()
        try:
            async with asyncio.timeout(CONNECT):
                connected = await client.connect()
        except (TimeoutError, ModbusException, OSError) as error:
            client.close()
            _raise_if_cancelled(cancelled)
            raise Unreachable(f"{self._url}: no connection") from error
        except asyncio.CancelledError:
            client.close()
            raise
        if _cancelled() > cancelled:
            client.close()
        _raise_if_cancelled(cancelled)
        if not connected:
            client.close()
            raise Unreachable(f"{self._url}: no connection")
        self._client = client
        return client


def client_of(url: str, turn: float = TURN) -> AnyClient:
    """The client that `url` names, not connected, made in a running loop. `SettingsError` says what is wrong with it."""
    line = line_of(url)
    # One try each, and no reconnecting behind our back: what is tried again is decided above.
    if line.path:
        return AsyncModbusSerialClient(
            line.path,
            framer=FramerType.RTU,
            baudrate=line.baud,
            parity=line.parity,
            timeout=turn,
            retries=0,
            reconnect_delay=0,
        )
    framer = FramerType.RTU if line.rtu else FramerType.SOCKET
    return AsyncModbusTcpClient(
        line.host, port=line.port, framer=framer, timeout=turn, retries=0, reconnect_delay=0
    )


class LineParts(Struct, frozen=True, kw_only=True):
    """The parts of a line's address: a host and a port, or the path of a serial line."""

    host: str = ""
    port: int = 502
    rtu: bool = True
    path: str = ""
    baud: int = 19_200
    parity: str = "N"


def line_of(url: str) -> LineParts:
    """The parts of `url`. `SettingsError` says what is wrong with it."""
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
        port = parts.port
    except ValueError as error:
        raise SettingsError(f"{url!r} is no address: {error}") from None
    if parts.scheme in {"tcp", "rtu+tcp"} and parts.hostname and not options:
        return LineParts(host=parts.hostname, port=port or 502, rtu=parts.scheme == "rtu+tcp")
    if parts.scheme == "serial" and parts.path and not parts.netloc and options.keys() <= {"baud", "parity"}:
        baud, parity = options.get("baud", "19200"), options.get("parity", "N")
        if not baud.isdecimal() or parity not in {"N", "E", "O"}:
            raise SettingsError(f'{url!r}: baud is a number, parity "N", "E" or "O"')
        return LineParts(path=parts.path, baud=int(baud), parity=parity)
    raise SettingsError(
        f"{url!r} is no Modbus line; write tcp://HOST:502, rtu+tcp://HOST:PORT or serial:///dev/ttyUSB0?baud=19200"
    )


def _cancelled() -> int:
    """How often the running task was asked to end."""
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0


def _raise_if_cancelled(before: int) -> None:
    """Pymodbus turns a cancellation into an error of its own, or into an answer that came in the same moment.

    Whoever cancelled would wait for ever.
    """
    if _cancelled() > before:
        raise asyncio.CancelledError


class CoilLine(Protocol):
    """What a coil needs of its line."""

    async def read_coil(self, device: int, coil: int) -> bool:
        """Whether it is on."""
        ...

    async def write_coil(self, device: int, coil: int, *, on: bool) -> None:
        """Write it and compare the echo."""
        ...


class Coil:
    """One relay, a `Switch`. `inverted`: the relay is at rest while energised."""

    def __init__(self, *, line: CoilLine, device: int, coil: int, inverted: bool = False) -> None:
        self._line = line
        self._device = device
        self._coil = coil
        self._inverted = inverted

    @property
    def confirms(self) -> bool:
        """An echo that was compared and a coil that was read back."""
        return True

    async def switch(self, ask: Ask, reach: Reach) -> None:
        """Write, compare, read back."""
        wanted = ask.on is not self._inverted
        reach(Reached.QUEUED)
        try:
            await self._line.write_coil(self._device, self._coil, on=wanted)
        except Uncertain:
            reach(Reached.SENT)
            raise
        reach(Reached.SENT)
        try:
            is_on = await self._line.read_coil(self._device, self._coil)
        except LinkError as error:
            raise Uncertain(f"written, but not read back: {error}") from error
        if is_on is not wanted:
            raise Rejected("the coil was written and reads back otherwise")
        reach(Reached.DEVICE)


class Inputs:
    """The dry contacts of one device. `run` it; mendable. What it raises is a `LinkError`."""

    def __init__(
        self,
        *,
        line: ModbusLine,
        device: int,
        names: Mapping[int, str],
        on_input: OnInput,
        inverted: bool = False,
        as_coils: bool = False,
        poll: float = POLL,
    ) -> None:
        """Poll the inputs `names` tells, by address, every `poll` seconds; `inverted`: a 0 is a closed contact.

        ValueError: they are further apart than one request can ask for, or the poll is slower than 250 ms.
        """
        if not names or max(names) - min(names) >= MOST_INPUTS:
            raise ValueError(f"1 to {MOST_INPUTS} inputs in a row")
        if not 0 < poll <= SLOWEST:
            raise ValueError(f"inputs are polled every {SLOWEST * 1000:g} ms at least")
        self._line = line
        self._device = device
        self._names = names
        self._first = min(names)
        self._count = max(names) - self._first + 1
        self._on_input = on_input
        self._inverted = inverted
        self._as_coils = as_coils
        self._poll = poll
        self._levels: dict[int, bool] = {}
        self.polls = 0
        """How often the device has answered."""

    async def run(self) -> None:
        """Poll for ever; a failure forgets all levels, so that nothing found afterwards is an edge."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        try:
            while True:
                bits = await self._line.read_inputs(
                    self._device, self._first, self._count, as_coils=self._as_coils
                )
                self.polls += 1
                for address, name in self._names.items():
                    self._seen(address, name, closed=bits[address - self._first] is not self._inverted)
                due = max(due + self._poll, loop.time())
                await asyncio.sleep(due - loop.time())
        finally:
            self._levels.clear()

    def _seen(self, address: int, name: str, *, closed: bool) -> None:
        before = self._levels.get(address)
        if before is closed:
            return
        self._levels[address] = closed
        self._on_input(InputSeen(name=name, closed=closed, edge=before is not None))
