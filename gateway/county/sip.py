"""The county's end of the link by SIP: a server on TCP or TLS, with the faults that centres have."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from random import Random

from belltower.clock import Clock
from belltower.errors import SettingsError
from gateway.county.end import COMMON, Fault
from gateway.county.screen import Acknowledged, Screen, ScreenEvent
from gateway.county.sip_centre import SIPCentre
from hardware.codecs import sip
from hardware.codecs.sip import Blank, Decoder, Message, Request, Response

FAULTS: Mapping[str, float] = {
    "silent": COMMON["silent"],
    "late": COMMON["late"],
    "negative": COMMON["negative"],
    "busy": 5.0,
    "bad-alert": 101.0,
    "half-open": COMMON["half-open"],
    "cut": COMMON["cut"],
    "wrong-id": COMMON["wrong-id"],
    "duplicate-ack": COMMON["duplicate-ack"],
    "deaf-after": COMMON["deaf-after"],
}
"""busy=5 is 503 with Retry-After, bad-alert=101 is 425 with that AlertMsg-Error; the others as everywhere."""

RETRIES = (5.0, 10.0, 20.0)
_AGAIN = 30.0
_CHUNK = 16_384
_WRITE_DEADLINE = 5.0
_LINES = 64
_SAYINGS = 1_000


class _Line:
    """One connection of the school."""

    def __init__(self, *, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.blanks = 0
        self.heard = False

    def write(self, octets: bytes) -> None:
        """Send; a school that takes nothing is cut off."""
        if self.writer.is_closing():
            return
        if self.writer.transport.get_write_buffer_size() > sip.MAX_BODY:
            self.writer.transport.abort()
            return
        self.writer.write(octets)


class _Saying:
    """A person's act on its way to the school, until it is confirmed."""

    def __init__(self, *, event: ScreenEvent, request: Request) -> None:
        self.event = event
        self.request = request
        self.tries = 0
        self.timer: asyncio.TimerHandle | None = None


class SIPEnd:
    """Satisfies `CountyEnd`. `certificate` and `private_key` make it TLS; a `password` makes it ask who calls."""

    def __init__(
        self,
        *,
        name: str,
        host: str,
        port: int,
        clock: Clock,
        random: Random,
        password: str = "",
        certificate: Path | None = None,
        private_key: Path | None = None,
    ) -> None:
        self.name = name
        self.address = f"{host}:{port}"
        self.ready = asyncio.Event()
        self.faults: Mapping[str, float] = FAULTS
        self.centre: SIPCentre | None = None
        """What it makes of requests, once it runs."""
        self._host = host
        self._port = port
        self._clock = clock
        self._random = random
        self._password = password
        self._certificate = certificate
        self._private_key = private_key
        self._fault: Fault | None = None
        self._changed = asyncio.Event()
        self._lines: list[_Line] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._sayings: OrderedDict[str, _Saying] = OrderedDict()
        self._heard = 0

    @property
    def fault(self) -> Fault | None:
        """What it does wrong."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self._fault = fault
        self._heard = 0
        self._changed.set()
        self._changed = asyncio.Event()

    async def run(self, screen: Screen) -> None:
        """Take connections until cancelled."""
        centre = self.centre = SIPCentre(
            name=self.name,
            clock=self._clock,
            random_bytes=self._random.randbytes,
            screen=screen,
            password=self._password,
        )
        server = await asyncio.start_server(self._serve, self._host, self._port, ssl=self._context())
        unfollow = screen.follow(self._tell, end=self.name)
        try:
            host, port = server.sockets[0].getsockname()[:2]
            self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            self.ready.set()
            while True:
                await self._changed.wait()
                centre.counts["faults"] += 1
        finally:
            unfollow()
            server.close()
            for saying in self._sayings.values():
                if saying.timer is not None:
                    saying.timer.cancel()
            self._sayings.clear()
            for task in tuple(self._tasks):
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    def _context(self) -> ssl.SSLContext | None:
        if self._certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self._certificate, self._private_key)
        except OSError as error:
            raise SettingsError(
                f"--links {self.name}: {self._certificate} cannot be used ({error.strerror})"
            ) from None
        return context

    # ---- the wire

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the server makes one for each connection
        self._tasks.add(task)
        line = _Line(writer=writer)
        self._lines.append(line)
        if len(self._lines) > _LINES:
            self._lines.pop(0).writer.transport.abort()
        decoder = Decoder()
        try:
            while True:
                if self._is("half-open"):
                    await self._changed.wait()
                    continue
                data = await reader.read(_CHUNK)
                if not data:
                    return
                for each in decoder.feed(data):
                    self._take(line, each)
        except (OSError, asyncio.CancelledError):
            pass  # the school hung up, or we end: there is nobody to tell
        finally:
            if line in self._lines:
                self._lines.remove(line)
            self._tasks.discard(task)
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _take(self, line: _Line, each: Message | Blank | object) -> None:
        centre = self.centre
        if centre is None or self._is("silent"):
            return
        match each:
            case Blank():
                line.blanks += 1
                if line.blanks % 2 == 0:
                    line.write(b"\r\n")
            case Response():
                self._confirmed(each)
            case Request():
                self._heard += each.method == "MESSAGE"
                if not line.heard:
                    line.heard = True
                    self._say_again()
                if self._fault is not None and self._is("deaf-after") and self._heard > self._fault.value:
                    return
                if (response := self._answer(centre, each)) is not None:
                    self._send(line, response)
            case _:
                centre.counts["garbled"] += 1

    def _answer(self, centre: SIPCentre, request: Request) -> Response | None:
        fault = self._fault
        if fault is None or request.method != "MESSAGE":
            return centre.answer(request)
        match fault.name:
            case "negative":
                return centre.response(request, 403)
            case "busy":
                return centre.response(request, 503, (("Retry-After", f"{fault.value:.0f}"),))
            case "bad-alert":
                return centre.bad_alert(request, int(fault.value))
            case _:
                return centre.answer(request)

    def _send(self, line: _Line, response: Response) -> None:
        if self._is("wrong-id"):
            via = sip.header(response, "Via").replace("branch=z9hG4bK", "branch=z9hG4bKx", 1)
            other = {"Via": via, "Call-ID": "another@county.example"}
            response = Response(
                status=response.status, reason=response.reason, headers=sip.replaced(response.headers, other)
            )
        try:
            octets = sip.encode(response)
        except ValueError:  # it repeats headers that leave no room for more
            return
        if self._is("cut"):
            line.write(octets[: self._random.randrange(1, len(octets) - 1)])
            line.writer.close()
            return
        copies = 2 if self._is("duplicate-ack") else 1
        if self._fault is not None and self._is("late"):
            asyncio.get_running_loop().call_later(self._fault.value, line.write, octets * copies)
        else:
            line.write(octets * copies)

    def _is(self, name: str) -> bool:
        return self._fault is not None and self._fault.name == name

    # ---- what persons do

    def _tell(self, event: ScreenEvent) -> None:
        request = self.centre.says(event) if self.centre is not None else None
        if request is None:
            return
        key = f"{type(event).__name__} {event.number} {event.key}"
        old = self._sayings.pop(key, None)
        if old is not None and old.timer is not None:
            old.timer.cancel()
        self._sayings[key] = _Saying(event=event, request=request)
        if len(self._sayings) > _SAYINGS:
            _, gone = self._sayings.popitem(last=False)
            if gone.timer is not None:
                gone.timer.cancel()
        self._say(key)

    def _say_again(self) -> None:
        """The school is back: what it has not confirmed is said at once."""
        for key, saying in tuple(self._sayings.items()):
            if saying.timer is not None:
                saying.timer.cancel()
            saying.tries = 0
            self._say(key)

    def _say(self, key: str) -> None:
        saying, centre = self._sayings.get(key), self.centre
        if saying is None or centre is None:
            return
        saying.request = centre.again(saying.request)
        if self._lines and not self._is("silent") and not self._is("half-open"):
            octets = sip.encode(saying.request)
            for line in self._lines[-1:]:
                line.write(octets * (2 if self._is("duplicate-ack") else 1))
        wait = RETRIES[saying.tries] if saying.tries < len(RETRIES) else _AGAIN
        saying.tries += 1
        saying.timer = asyncio.get_running_loop().call_later(wait, self._say, key)

    def _confirmed(self, response: Response) -> None:
        call_id = sip.header(response, "Call-ID")
        said = [key for key, each in self._sayings.items() if sip.header(each.request, "Call-ID") == call_id]
        if response.status < 200 or not said:
            return
        saying = self._sayings.pop(said[0])
        if saying.timer is not None:
            saying.timer.cancel()
        if isinstance(saying.event, Acknowledged) and response.status < 300 and self.centre is not None:
            self.centre.screen.confirmed(self.name, saying.event.number)
