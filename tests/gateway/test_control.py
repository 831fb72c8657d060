"""The socket between the lanes, from the side that asks."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import msgspec
import pytest

from belltower.errors import Unreachable
from belltower.ids import VerbId
from gateway.control import ControlClient


class HungUp(ControlClient):
    """Speaks to a lane that dies between taking the connection and hearing a word."""

    def __init__(self, path: Path) -> None:
        super().__init__(path=path)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        streams = await super()._connect()
        self._listener.close()
        return streams


async def test_a_lane_that_dies_while_it_is_asked_is_unreachable(tmp_path: Path) -> None:
    """Not a fault of the socket's: whoever asks knows that it may ask again."""
    with pytest.raises(Unreachable):
        await HungUp(tmp_path / "look").look()
    with pytest.raises(Unreachable):
        await HungUp(tmp_path / "ask").ask("end", VerbId("vrb_1"))
    with pytest.raises(Unreachable):
        await anext(HungUp(tmp_path / "follow").follow(0))


async def test_a_lane_of_another_version_is_told_from_one_that_is_silent(tmp_path: Path) -> None:
    """What it says and cannot be read is no fault of whoever asks."""
    path = tmp_path / "control.sock"
    word = msgspec.msgpack.encode({"type": "Rumour"})

    async def says(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(len(word).to_bytes(4, "big") + word)
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(says, path):
        with pytest.raises(Unreachable, match="another version"):
            await ControlClient(path=path).look()
