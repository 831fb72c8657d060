"""What came in by whatever wire, before anybody understood it."""

from __future__ import annotations

from msgspec import Struct


class Message(Struct, frozen=True, kw_only=True):
    """One message of one wire."""

    payload: bytes
    # mqtt, http, tcp, serial, frame (bytes that a bearer carried).
    ingress: str = "mqtt"
    # The topic or the path of the request; "" where the wire has none, None where nobody wrote down what it was.
    topic: str | None = ""
    retained: bool = False
    # The LoRaWAN port, or what stands for it.
    port: int | None = None
    # What the wire or the bearer bound: an EUI, the name of a serial loop.
    device: str = ""
    counter: int | None = None
    # The gateway that heard it.
    gateway: str = ""
