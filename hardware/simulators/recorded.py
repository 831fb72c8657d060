"""Messages that were written down, a JSON object a line, as messages to send again.

Each line has `payload` and `payload_encoding` (json, text, hex, xml), `topic`, perhaps `retain`, `at` (seconds; only the
differences count), and `direction`: what went down to a device is left out. Octets of a LoRaWAN model (hex, no topic) can
be sent only behind a network server, and are left out where none is named.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from belltower.errors import SettingsError
from hardware.simulators.spoken import Envelope, Spoken


class Recorded(Struct, frozen=True, kw_only=True):
    """A line: what is sent, and when."""

    id: str
    spoken: Spoken
    # Seconds, as the file has them; None: it does not say.
    at: float | None = None


class Left(Struct, frozen=True, kw_only=True):
    """A line that is not sent, and why."""

    id: str
    why: str


def taken(
    line: bytes,
    *,
    bearer: Envelope | None = None,
    address: str = "",
    counter: int = 1,
    topicless: bool = True,
) -> Recorded | Left:
    """What a line writes down; never raises. `topicless`: the wire has no topics, so a message needs none."""
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return Left(id="", why=f"no JSON: {error}"[:200])
    if not isinstance(found, dict):
        return Left(id="", why="no JSON object")
    name = str(found.get("id") or "")
    if found.get("direction") in ("down", "downlink"):
        return Left(id=name, why="goes down to a device")
    if "payload" not in found:
        return Left(id=name, why="payload is missing")
    said = _octets(found)
    if isinstance(said, str):
        return Left(id=name, why=said)
    topic = found.get("topic")
    at = found.get("at")
    at = float(at) if isinstance(at, int | float) and not isinstance(at, bool) else None
    retained = found.get("retain") is True or found.get("retained") is True
    if isinstance(topic, str) and topic:
        return Recorded(id=name, at=at, spoken=Spoken(payload=said, topic=topic, retained=retained))
    if found.get("payload_encoding") == "hex":
        return _behind(bearer, address, name, said, _port(found), counter, at)
    if not topicless:
        return Left(id=name, why="has no topic, and a broker needs one")
    return Recorded(id=name, at=at, spoken=Spoken(payload=said))


def _behind(
    bearer: Envelope | None,
    address: str,
    name: str,
    octets: bytes,
    port: int | None,
    counter: int,
    at: float | None,
) -> Recorded | Left:
    if bearer is None:
        return Left(id=name, why="octets that a network server carries; say which, --bearer chirpstack")
    if port is None:
        return Left(id=name, why="octets without their port")
    try:
        spoken = bearer.around(octets, port=port, address=address or bearer.device, counter=counter)
    except SettingsError as error:
        return Left(id=name, why=str(error))
    return Recorded(id=name, at=at, spoken=spoken)


def _port(line: dict[str, Any]) -> int | None:
    expected = line.get("expect")
    every = (
        line.get("port"),
        line.get("f_port"),
        expected.get("f_port") if isinstance(expected, dict) else None,
    )
    return next((one for one in every if type(one) is int and 0 <= one <= 255), None)


def _octets(line: dict[str, Any]) -> bytes | str:
    """The payload; a text says what is wrong with it."""
    payload = line["payload"]
    encoding = line.get("payload_encoding") or ("text" if isinstance(payload, str) else "json")
    if encoding == "hex":
        try:
            return bytes.fromhex(str(payload).removeprefix("0x"))
        except ValueError:
            return "payload: not hexadecimal digits"
    if encoding in ("text", "xml") and isinstance(payload, str):
        return payload.encode(errors="replace")
    if encoding == "json":
        if isinstance(payload, str) and payload.lstrip()[:1] in ("{", "["):
            return payload.encode(errors="replace")
        return msgspec.json.encode(payload)
    return f'payload_encoding: "{str(encoding)[:40]}" is not known; one of: json, text, hex, xml'
