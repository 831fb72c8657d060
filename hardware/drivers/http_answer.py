"""One HTTP request to a device, bounded in time and size, and its answer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

import aiohttp
from msgspec import Struct

from belltower.errors import Uncertain, Unreachable

LARGEST = 65_536
"""Octets of an answer that are read."""


class Answer(Struct, frozen=True, kw_only=True):
    """What a device said."""

    status: int
    body: bytes
    # The device's clock in Unix seconds, where it says it.
    clock: float | None


async def asked(
    url: str, *, body: bytes, headers: Mapping[str, str], left: Callable[[], None], fingerprint: str = ""
) -> Answer:
    """POST `body` once; no redirect is followed. `left` is told once it has begun to leave. `fingerprint`: the SHA-256 of the certificate that is expected, in hex.

    `Unreachable`: no connection, so nothing left. `Uncertain`: it left, and no whole answer came.
    """
    tls: aiohttp.Fingerprint | bool = aiohttp.Fingerprint(bytes.fromhex(fingerprint)) if fingerprint else True

    async def sent(*_: object) -> None:
        left()

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(sent)
    try:
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False, trace_configs=[trace]
            ) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False, ssl=tls) as answer,
        ):
            taken = bytearray()
            while part := await answer.content.read(LARGEST - len(taken)):
                taken += part
            return Answer(
                status=answer.status, body=bytes(taken), clock=_clock(answer.headers.get("Date", ""))
            )
    except (aiohttp.ClientConnectorError, aiohttp.ServerFingerprintMismatch) as error:
        raise Unreachable(f"no connection: {_why_not(error)}") from error
    except (
        aiohttp.ClientConnectionError,
        aiohttp.ClientPayloadError,
        asyncio.IncompleteReadError,
        OSError,
    ) as error:
        raise Uncertain("no whole answer: it closed the connection") from error
    except (aiohttp.ClientError, ValueError) as error:
        raise Uncertain("no whole answer: what came is no HTTP that can be read") from error


def _why_not(error: aiohttp.ClientConnectorError | aiohttp.ServerFingerprintMismatch) -> str:
    match error:
        case aiohttp.ServerFingerprintMismatch():
            return "its certificate is not the one that the settings name"
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not trusted"
        case aiohttp.ClientConnectorSSLError():
            return "TLS cannot be agreed on"
        case aiohttp.ClientConnectorDNSError():
            return "its name is not known"
        case _:
            known = error.os_error.errno
            return os.strerror(known).lower() if known else "nobody answers"


def _clock(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
