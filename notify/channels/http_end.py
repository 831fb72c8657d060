"""Where an HTTP API is: its address, taken apart once."""

from __future__ import annotations

import re
import ssl
from urllib.parse import urlsplit

from msgspec import Struct

from notify.channels.http_pool import HTTPPool

_PATH = re.compile(r"/[!-~]*")


class HTTPEnd(Struct, frozen=True, kw_only=True):
    """One server, and a path on it."""

    host: str
    port: int
    tls: bool
    # What stands in the Host field.
    shown: str
    # It begins with "/" and does not end with one, unless it is all.
    path: str

    def pool(self, *, limit: int, deadline: float) -> HTTPPool:
        """Connections to it; none is opened yet."""
        return HTTPPool(
            host=self.host,
            port=self.port,
            tls=ssl.create_default_context() if self.tls else None,
            limit=max(limit, 1),
            deadline=deadline,
        )


def end_of(url: str) -> HTTPEnd | None:
    """The end that `url` names; None where that is no http or https address. A query is kept with the path."""
    try:
        base = urlsplit(url)
        tls = {"http": False, "https": True}[base.scheme]
        port = base.port or (443 if tls else 80)
        host = (base.hostname or "").encode("idna").decode("ascii")
    except (KeyError, ValueError):
        return None
    path = (base.path.rstrip("/") or "/") + (f"?{base.query}" if base.query else "")
    if not host or not _PATH.fullmatch(path):
        return None
    shown = f"[{host}]" if ":" in host else host
    return HTTPEnd(
        host=host, port=port, tls=tls, shown=f"{shown}:{base.port}" if base.port else shown, path=path
    )
