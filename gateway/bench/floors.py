"""The barest way from a press to the line: no authentication, no decision, no record but the octets themselves.

`python -m gateway.bench.floors listener|broker PORT JOURNAL LINE`: takes MQTT PUBLISH packets as a server of its own,
or as the broker's client, appends each payload to a file, waits for `fdatasync`, writes it raw to the line, and only
then sends PUBACK. All on the loop: with one press at a time nothing is faster. Prints a line once it takes presses.
"""

from __future__ import annotations

import asyncio
import os
import sys

from hardware.codecs.mqtt_packets import Connect, Subscribe, encode

USER = "floor"
TOPIC = "floor/press"
_CONNACK = b"\x20\x02\x00\x00"


class Floor(asyncio.Protocol):
    """One connection, of a unit to us or of us to the broker."""

    def __init__(self, *, journal: int, line: int, client: bool) -> None:
        self._journal = journal
        self._line = line
        self._client = client
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello to the broker."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._client:
            hello = Connect(version=4, client_id=USER, username=USER, password=USER.encode(), keepalive=0)
            transport.write(encode(hello, 4) + encode(Subscribe(mid=1, filters=((TOPIC, 1),)), 4))

    def data_received(self, data: bytes) -> None:
        """Take every whole packet."""
        buffer = self._buffer + data
        while len(buffer) >= 2:
            length, start = _varint(buffer)
            if len(buffer) < start + length:
                break
            self._take(buffer[0], buffer[start : start + length])
            buffer = buffer[start + length :]
        self._buffer = buffer

    def _take(self, first: int, body: bytes) -> None:
        kind = first >> 4
        if kind == 3:
            at = 2 + int.from_bytes(body[:2])
            payload = body[at + 2 :]
            os.write(self._journal, payload)
            os.fdatasync(self._journal)
            os.write(self._line, payload)
            self._transport.write(b"\x40\x02" + body[at : at + 2])
        elif kind == 1:
            self._transport.write(_CONNACK)
        elif kind == 8:
            self._transport.write(b"\x90\x03" + body[:2] + b"\x00")
        elif kind == 9:
            print("ready", flush=True)


def _varint(buffer: bytes) -> tuple[int, int]:
    """Length and where the body begins; more than the buffer while it is not whole."""
    value = 0
    for place, octet in enumerate(buffer[1:5]):
        value |= (octet & 0x7F) << (7 * place)
        if octet < 0x80:
            return value, place + 2
    return 1 << 30, 5


async def _main(role: str, port: int, journal: str, path: str) -> None:
    journal_file = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    line = os.open(path, os.O_RDWR | os.O_NOCTTY)
    client = role == "broker"

    def made() -> Floor:
        return Floor(journal=journal_file, line=line, client=client)

    loop = asyncio.get_running_loop()
    if client:
        await loop.create_connection(made, "127.0.0.1", port)
    else:
        await loop.create_server(made, "127.0.0.1", port)
        print("ready", flush=True)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))
