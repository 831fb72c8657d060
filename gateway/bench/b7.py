"""B7: mail. CPU for each planned delivery sent and recorded against raw pipelined SMTP, and against smtplib."""

from __future__ import annotations

import asyncio
import smtplib
import time
from email.message import EmailMessage
from functools import partial

from belltower.people.person import ContactKind
from gateway.bench.figure import Figure
from gateway.bench.notice_desk import Spent, beside, notice_desk, people
from gateway.bench.sink import sink
from notify.channels.smtp import FOR_EACH, SMTPChannel
from notify.provider import Pace
from notify.settings import SMTPSettings

MESSAGES = 3_000
CONNECTIONS = 8
PLAIN_MESSAGES = 200
GOAL = 12

_MAIL = (
    b"To: p1@school.example\r\nMessage-ID: <dlv_01M0000000000000000000000@school.example>\r\n"
    b"From: bell@school.example\r\nSubject: Jefferson: ALARM at B 204, 09:14\r\n"
    b"Date: Sun, 22 Nov 2026 09:14:00 +0000\r\nAuto-Submitted: auto-generated\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\nMIME-Version: 1.0\r\n\r\n"
    b"Jefferson: An alarm was raised at B 204 at 09:14.\r\n\r\nHelp has been asked for. Stay away from B 204. Wait for"
    b" an instruction.\r\nWhat is known now: https://bell.school.example/i/7\r\n\r\nIncident 7.\r\n"
)


async def run() -> list[Figure]:
    """CPU for each mail; the plain choice stands beside it."""
    async with sink("smtp") as port:
        cpu = await beside(partial(_raw, port), partial(_product, port))
        plain = await asyncio.to_thread(_plain, port)
    return [
        Figure(
            id="B7",
            name="mail, CPU for each sent and recorded notice",
            value=round(cpu.sending, 1),
            unit="us",
            floor=round(cpu.floor, 1),
            ratio=round(cpu.sending / cpu.floor, 2),
            goal=f"<= {GOAL} x raw pipelined",
            met=cpu.sending <= GOAL * cpu.floor,
            extra={
                "messages": MESSAGES,
                "rate": round(cpu.rate),
                **cpu.extra,
                "smtplib, connection a mail": round(plain, 1),
            },
        )
    ]


async def _product(port: int) -> Spent:
    settings = SMTPSettings(
        host="127.0.0.1", port=port, from_="bell@school.example", security="none", connections=CONNECTIONS
    )
    async with notice_desk(people(MESSAGES, (ContactKind.EMAIL,))) as desk:
        pace = Pace(at_once=FOR_EACH * CONNECTIONS)
        return await desk.send_all(SMTPChannel(settings=settings), pace, count=MESSAGES)


class _Raw(asyncio.Protocol):
    """Writes each mail at one go, PIPELINING (RFC 2920) stretched over DATA, and counts the final answers."""

    def __init__(self, left: list[int], done: asyncio.Event) -> None:
        self._left = left
        self._done = done
        self._lines = 0
        self._mail = (
            b"MAIL FROM:<bell@school.example>\r\nRCPT TO:<p1@school.example>\r\nDATA\r\n" + _MAIL + b".\r\n"
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._lines = -1  # the greeting
        self._post()

    def _post(self) -> None:
        if self._left[0]:
            self._left[0] -= 1
            self._transport.write(self._mail)

    def data_received(self, data: bytes) -> None:
        self._lines += data.count(b"\n")
        if self._lines == 4:
            self._lines = 0
            self._left[1] -= 1
            if not self._left[1]:
                self._done.set()
            self._post()


async def _raw(port: int) -> float:
    left, done = [MESSAGES, MESSAGES], asyncio.Event()
    loop = asyncio.get_running_loop()
    began = time.process_time()
    connections = [
        (await loop.create_connection(lambda: _Raw(left, done), "127.0.0.1", port))[0]
        for _ in range(CONNECTIONS)
    ]
    await done.wait()
    took = time.process_time() - began
    for connection in connections:
        connection.close()
    return took / MESSAGES * 1e6


def _plain(port: int) -> float:
    """CPU microseconds for each mail by smtplib, a connection and a message built for each, as its manual shows it."""
    began = time.process_time()
    for n in range(PLAIN_MESSAGES):
        mail = EmailMessage()
        mail["From"], mail["To"] = "bell@school.example", f"p{n}@school.example"
        mail["Subject"] = "Jefferson: ALARM at B 204, 09:14"
        mail.set_content("Jefferson: An alarm was raised at B 204 at 09:14.\n")
        with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost") as client:
            client.send_message(mail)
    return (time.process_time() - began) / PLAIN_MESSAGES * 1e6
