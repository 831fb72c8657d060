"""What is said, and how much of it is taken."""

from __future__ import annotations

from msgspec import Struct

Headers = tuple[tuple[str, str], ...]
"""Names as the registry writes them, and values; the same name may stand more than once."""

MAX_HEAD = 16_384
"""Octets of start line and headers, at most."""
MAX_BODY = 262_144
"""Octets of body, at most."""
MAX_HEADERS = 128
SAMPLE = 64
"""How much of what was not understood is kept, in octets."""


class Request(Struct, frozen=True, kw_only=True):
    """What one side asks."""

    method: str
    uri: str
    headers: Headers
    body: bytes = b""


class Response(Struct, frozen=True, kw_only=True):
    """What the other side says to it."""

    status: int
    reason: str
    headers: Headers
    body: bytes = b""


Message = Request | Response


class Blank(Struct, frozen=True):
    """CR LF between messages. Two are a ping, the answer is one (RFC 5626, section 3.5.1)."""


class Garbled(Struct, frozen=True, kw_only=True):
    """Octets that were dropped: why, and the first of them."""

    reason: str
    sample: bytes
