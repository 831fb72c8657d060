"""What holds for every answer: response headers, forms from our own pages only, errors as pages."""

from __future__ import annotations

import math
import zlib
from collections.abc import Awaitable, Callable, Collection

from aiohttp import hdrs, web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Middleware
from multidict import MultiDictProxy

from belltower import log
from belltower.errors import NotFound, NotPermitted, Refused, StoreError, Unreachable
from gateway.web.passwords import Busy
from gateway.web.sessions import Sessions

_log = log.get("web")

# No text in the charset it names, no such charset, parts that break off, headers that are none, a way of packing that
# is unknown or was not used.
_UNREADABLE = (
    ValueError,
    LookupError,
    AssertionError,
    RuntimeError,
    EOFError,
    zlib.error,
    HttpProcessingError,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ErrorPage = Callable[[web.Request, int, str, str], web.Response]

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser sends `Origin: null`, which we refuse
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def guard(
    *,
    sessions: Sessions,
    public_origin: str | None,
    error_page: ErrorPage,
    machines: Collection[object] = (),
) -> list[Middleware]:
    """The middlewares, outermost first.

    `public_origin` is what browsers call us when a proxy stands before us. `machines` are the handlers of routes that
    check by themselves who calls, and that no browser's form is sent to.
    """

    @web.middleware
    async def headers(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPException as answer:
            _dress(answer)
            raise
        if not response.prepared:
            _dress(response)
        return response

    def _dress(response: web.StreamResponse) -> None:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        if public_origin is not None and public_origin.startswith("https:"):
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")

    @web.middleware
    async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except NotFound as error:
            return error_page(request, 404, "Not found", str(error))
        except NotPermitted as error:
            return error_page(request, 403, "Not permitted", str(error))
        except Refused as error:
            return error_page(request, 409, "Not done", str(error))
        except Busy:
            answer = error_page(
                request, 503, "Busy", "Too many people are signing in at once. Try again in a moment."
            )
            answer.headers[hdrs.RETRY_AFTER] = "2"
            return answer
        except Unreachable:
            _log.warning("verb_unreachable")
            text = "The alarm lane does not answer, so it is not known whether this was done."
            return error_page(request, 503, "Unknown whether it was done", text)
        except StoreError as error:
            _log.error("cannot_read", error=type(error).__name__)
            text = "The database cannot be read or written now. This does not mean that there is nothing to show."
            return error_page(request, 503, "Cannot read", text)
        except web.HTTPException as answer:
            if answer.status < 400 or answer.content_type != "text/plain":
                raise
            return error_page(request, answer.status, answer.reason, answer.text or "")

    @web.middleware
    async def ours(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method in ("GET", "HEAD") or request.match_info.handler in machines:
            return await handler(request)
        origin = request.headers.get(hdrs.ORIGIN)
        expected = public_origin or f"{request.scheme}://{request.host}"
        if origin is None or origin != expected:
            raise web.HTTPForbidden(text="This form was not sent from a page of ours.")
        form = await form_of(request)
        token = form.get("form", "")
        if not isinstance(token, str) or not sessions.form_is_ours(request, token):
            raise web.HTTPForbidden(text="This form is too old. Go back, reload the page and send it again.")
        return await handler(request)

    return [headers, errors, ours]


async def form_of(request: web.Request) -> MultiDictProxy[str | bytes | bytearray | web.FileField]:
    """The form that was sent; a page may ask for it again. What is no form raises `HTTPBadRequest`."""
    try:
        return await request.post()
    except _UNREADABLE as error:
        raise web.HTTPBadRequest(text="This form cannot be read.") from error


def whole_seconds(seconds: float) -> str:
    """For `Retry-After`."""
    return str(max(1, math.ceil(seconds)))
