"""What a device is told, and whether an answer proves that it did it. Pure: somebody else sends and waits."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from belltower.errors import Malformed
from belltower.values import Reader
from hardware.profiles import document
from hardware.profiles.match import Conditions
from hardware.profiles.message import Message
from hardware.profiles.profile import BearerTable, OutputTable, ReceiptTable

_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?::([1-8]))?\}")


class Answer(StrEnum):
    """What a message says about an order."""

    DONE = "done"
    FAILED = "failed"


class Sending(Struct, frozen=True, kw_only=True):
    """What goes on the wire; with a `port` it is bytes for the device behind a bearer."""

    payload: bytes
    topic: str = ""
    port: int | None = None
    confirmed: bool = False


def receipt_of(output: OutputTable) -> ReceiptTable | None:
    """What proves the output; None: nothing does, and it is shown as "not confirmed"."""
    if not isinstance(output.receipt, dict):
        return None
    return Reader(file=Path("receipt")).take(ReceiptTable, output.receipt, "receipt")


def sending(output: OutputTable, values: Mapping[str, Any], *, exercise: bool = False) -> Sending:
    """The order with its names filled in; an exercise has its own form where the profile gives one.

    Raises:
        ValueError: a name that nothing stands for.
    """
    known = {**output.defaults, **values}
    if output.octets is not None:
        said = output.exercise if exercise and isinstance(output.exercise, str) else output.octets
        octets = bytes.fromhex(_NAME.sub(lambda found: _hex(found, known), said))
        return Sending(payload=octets, port=output.port, confirmed=output.confirmed)
    said = output.exercise if exercise and output.exercise is not None else output.payload
    filled = fill(said, known)
    return Sending(
        topic=str(fill(output.topic, known)),
        payload=filled.encode() if isinstance(filled, str) else msgspec.json.encode(filled),
    )


def carried(bearer: BearerTable, what: Sending, values: Mapping[str, Any]) -> Sending:
    """Bytes for a device as its network server takes them.

    Raises:
        ValueError: the bearer takes none, or a name is missing.
    """
    if bearer.down is None:
        raise ValueError("the bearer has no [bearer.down]: it cannot be told anything")
    written = what.payload.hex()
    if bearer.encoding == "base64":
        written = base64.b64encode(what.payload).decode()
    known = {**values, "port": what.port, "confirmed": what.confirmed, "bytes": written}
    payload = fill(bearer.down.payload, known)
    return Sending(
        topic=str(fill(bearer.down.topic, known)),
        payload=payload.encode() if isinstance(payload, str) else msgspec.json.encode(payload),
    )


def uuid_of(request: str) -> str:
    """The request's id as a network server wants it that takes only UUIDs."""
    return str(UUID(bytes=hashlib.sha256(request.encode()).digest()[:16], version=4))


def names_of(*said: Any) -> frozenset[str]:
    """Every `{name}` that stands in these."""
    return frozenset(found[1] for found in _NAME.finditer(json.dumps(said)))


def settles(
    receipt: ReceiptTable,
    message: Message,
    values: Mapping[str, Any],
    fields: Mapping[str, Any] | None = None,
) -> Answer | None:
    """What `message` proves about the order that `values` name; None: it is about something else.

    An answer to another request, on another topic or port, proves nothing. `fields` is what the octets say that a
    bearer carried.
    """
    try:
        if receipt.topic is not None and message.topic != fill(receipt.topic, values):
            return None
        if receipt.port is not None and message.port != receipt.port:
            return None
        if message.ingress == "frame":
            said: Any = {**(fields or {}), "hex": message.payload.hex(), "port": message.port}
        else:
            said = document.FORMS[receipt.as_](message.payload)
        wanted = fill(receipt.match, values)
        # What names the request must fit a failure too.
        named = {path: wanted[path] for path, value in receipt.match.items() if _NAME.search(str(value))}
        if receipt.fail and Conditions({**fill(receipt.fail, values), **named}).hold(said, said, {}):
            return Answer.FAILED
        return Answer.DONE if Conditions(wanted).hold(said, said, {}) else None
    except (Malformed, ValueError):
        return None


def fill(said: Any, values: Mapping[str, Any]) -> Any:
    """`said` with every `{name}` filled in; a text that is one name becomes the value with its type.

    Raises:
        ValueError: a name that nothing stands for.
    """
    if isinstance(said, dict):
        return {key: fill(value, values) for key, value in said.items()}
    if isinstance(said, list):
        return [fill(value, values) for value in said]
    if not isinstance(said, str):
        return said
    only = _NAME.fullmatch(said)
    if only is not None and only[2] is None:
        return _value(only[1], values)
    return _NAME.sub(lambda found: str(_value(found[1], values)), said)


def _value(name: str, values: Mapping[str, Any]) -> Any:
    if name not in values:
        raise ValueError(f"nothing stands for {{{name}}}")
    return values[name]


def _hex(found: re.Match[str], values: Mapping[str, Any]) -> str:
    value, size = _value(found[1], values), int(found[2] or 1)
    if type(value) is not int or not 0 <= value < 1 << (8 * size):
        raise ValueError(f"{{{found[1]}}} is {value!r}; {size} octets hold 0 to {(1 << (8 * size)) - 1}")
    return f"{value:0{2 * size}x}"
