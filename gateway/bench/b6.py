"""B6: SMS. CPU for each planned delivery sent and recorded against raw sockets; rates against twilio's own client and Apprise."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from belltower.people.person import ContactKind
from belltower.values import Secret
from gateway.bench.figure import Figure
from gateway.bench.notice_desk import Spent, beside, notice_desk, people
from gateway.bench.sink import sink
from notify.channels.twilio_sms import TwilioSMS
from notify.provider import Pace
from notify.settings import TwilioSettings

MESSAGES = 4_000
IN_FLIGHT = 100
LATENCY = 50
PLAIN_MESSAGES = 40
APPRISE_MESSAGES = 100

_ACCOUNT = "AC" + "b" * 32
_FORM = (
    b"To=%2B15550001234&From=%2B15550001&Body=Jefferson%3A+ALARM+at+B+204%2C+09%3A14.+Help+has+been+asked+for."
    b"+Stay+away+from+B+204.+https%3A%2F%2Fbell.school.example%2Fi%2F7&ValidityPeriod=599&StatusCallback="
    b"https%3A%2F%2Fbell.school.example%2Fnotices%2Fcallbacks%2Fsms%2Fdlv_01M0000000000000000000000"
)


async def run() -> list[Figure]:
    """CPU for each message, and messages a second on loopback and at 50 ms latency."""
    async with sink("http") as port:
        cpu = await beside(partial(_raw, port), partial(_product, port))
        apprise = await _apprise(port)
    async with sink("http", milliseconds=LATENCY) as port:
        rate = (await _product(port)).rate
        plain = await asyncio.to_thread(_plain, port)
    best = IN_FLIGHT / (LATENCY / 1000)
    return [
        Figure(
            id="B6",
            name="SMS, CPU for each sent and recorded notice",
            value=round(cpu.sending, 1),
            unit="us",
            floor=round(cpu.floor, 1),
            ratio=round(cpu.sending / cpu.floor, 2),
            goal="<= 5 x raw sockets",
            met=cpu.sending <= 5 * cpu.floor,
            extra={"messages": MESSAGES, "in flight": IN_FLIGHT, **cpu.extra},
        ),
        Figure(
            id="B6",
            name=f"SMS, rate at {LATENCY} ms latency",
            value=round(rate, 1),
            unit="notices/s",
            floor=round(plain, 1),
            ratio=round(rate / plain, 1),
            goal=">= 6 x twilio's synchronous client",
            met=rate >= 6 * plain,
            extra={"floor is": "twilio Client, one thread"},
        ),
        Figure(
            id="B6",
            name=f"SMS, rate at {LATENCY} ms latency, of what is possible",
            value=round(rate, 1),
            unit="notices/s",
            floor=best,
            ratio=round(rate / best, 2),
            goal=">= 0.8 x messages in flight / latency",
            met=rate >= 0.8 * best,
        ),
        Figure(
            id="B6",
            name="SMS, rate on loopback",
            value=round(cpu.rate, 1),
            unit="notices/s",
            floor=round(apprise, 1),
            ratio=round(cpu.rate / apprise, 1),
            goal=">= 20 x Apprise's async notify",
            met=cpu.rate >= 20 * apprise,
            extra={"floor is": "Apprise.async_notify of one json:// target, awaited for each message"},
        ),
    ]


async def _product(port: int) -> Spent:
    settings = TwilioSettings(
        account=_ACCOUNT,
        token=Secret("t"),
        from_="+15550001",
        base_url=f"http://127.0.0.1:{port}",
        in_flight=IN_FLIGHT,
    )
    channel = TwilioSMS(settings=settings, callback_url="https://bell.school.example/notices/callbacks/sms/")
    async with notice_desk(people(MESSAGES, (ContactKind.SMS,))) as desk:
        return await desk.send_all(channel, Pace(at_once=IN_FLIGHT), count=MESSAGES)


class _Raw(asyncio.Protocol):
    """Posts the same bytes over and over; records nothing."""

    def __init__(self, left: list[int], done: asyncio.Event, request: bytes) -> None:
        self._left = left
        self._done = done
        self._request = request
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._post()

    def _post(self) -> None:
        if self._left[0]:
            self._left[0] -= 1
            self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._data.endswith(b"}"):
            self._data = b""
            self._left[1] -= 1
            if not self._left[1]:
                self._done.set()
            self._post()


async def _raw(port: int) -> float:
    """CPU microseconds for each message of a bare protocol with the same bytes and concurrency."""
    request = (
        b"POST /2010-04-01/Accounts/%b/Messages.json HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Basic %b\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nAccept: application/json\r\nContent-Length: %d\r\n\r\n%b"
    ) % (_ACCOUNT.encode(), port, b"Q" * 48, len(_FORM), _FORM)
    left, done = [MESSAGES, MESSAGES], asyncio.Event()
    loop = asyncio.get_running_loop()
    began = time.process_time()
    connections = [
        (await loop.create_connection(lambda: _Raw(left, done, request), "127.0.0.1", port))[0]
        for _ in range(IN_FLIGHT)
    ]
    await done.wait()
    took = time.process_time() - began
    for connection in connections:
        connection.close()
    return took / MESSAGES * 1e6


async def _apprise(port: int) -> float:
    """Messages a second by Apprise, as its documentation shows it; to the cheapest of its targets."""
    from apprise import Apprise

    client = Apprise()
    client.add(f"json://127.0.0.1:{port}/")
    began = time.perf_counter()
    for _ in range(APPRISE_MESSAGES):
        await client.async_notify(body="Jefferson: ALARM at B 204, 09:14.")
    return APPRISE_MESSAGES / (time.perf_counter() - began)


def _plain(port: int) -> float:
    """Messages a second by twilio's synchronous client, one thread, as its documentation shows it."""
    from twilio.http.http_client import TwilioHttpClient
    from twilio.rest import Client

    class Here(TwilioHttpClient):  # type: ignore[misc]
        """Goes to the sink instead of the internet."""

        def request(self, method: str, url: str, *args: object, **kwargs: object) -> object:
            return super().request(
                method, url.replace("https://api.twilio.com", f"http://127.0.0.1:{port}"), *args, **kwargs
            )

    client = Client(_ACCOUNT, "t", http_client=Here())
    began = time.perf_counter()
    for n in range(PLAIN_MESSAGES):
        client.messages.create(to=f"+1555{n:07}", from_="+15550001", body="Jefferson: ALARM at B 204, 09:14.")
    return PLAIN_MESSAGES / (time.perf_counter() - began)
