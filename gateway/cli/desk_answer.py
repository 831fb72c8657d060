"""Whether the desk lane answers, asked as a browser would: `belltower status`."""

from __future__ import annotations

import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.settings import WebSettings

_PATIENCE = 5.0
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - asked of the settings, not bound


def silence(settings: WebSettings) -> str:
    """Why the desk lane is not there, at the address of its page on this machine; "" when it answers."""
    host = _ANYWHERE.get(settings.bind, settings.bind)
    if settings.certificate is None:
        asked = HTTPConnection(host, settings.port, timeout=_PATIENCE)
    else:
        # Not verified: nothing is told there, and the certificate names the page from outside.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        asked = HTTPSConnection(host, settings.port, timeout=_PATIENCE, context=context)
    try:
        asked.request("GET", "/health")
        answer = asked.getresponse()
        mine = answer.status == 200 and answer.read(16) == b"ok\n"
    except (OSError, HTTPException) as error:
        why = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
        return f"nothing answers on port {settings.port} ({why})"
    finally:
        asked.close()
    return "" if mine else f"on port {settings.port} something else answers"
