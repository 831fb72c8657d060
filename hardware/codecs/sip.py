"""SIP messages as octets, and the messages in a stream (RFC 3261, sections 7, 18.3 and 20).

    METHOD URI SIP/2.0          or   SIP/2.0 CODE REASON
    Name: value                 names in any case, short ones too; a line that begins with a blank goes on
    (an empty line)
    body                        so many octets as Content-Length says

Messages here bear their headers in the order and with the names of the registry, unfolded, and without
Content-Length: it is written and checked, never kept. CR LF ends every line that is written; on a stream it must.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from belltower.errors import Malformed

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


_KNOWN = (
    "Accept", "Accept-Encoding", "Accept-Language", "Alert-Info", "AlertMsg-Error", "Allow", "Answer-Mode",
    "Authentication-Info", "Authorization", "Call-ID", "Call-Info", "Contact", "Content-Disposition",
    "Content-Encoding", "Content-ID", "Content-Language", "Content-Length", "Content-Transfer-Encoding",
    "Content-Type", "CSeq", "Date", "Error-Info", "Event", "Expires", "From", "Geolocation", "Geolocation-Error",
    "Geolocation-Routing", "Max-Forwards", "MIME-Version", "Organization", "Priority", "Privacy",
    "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Require", "P-Asserted-Identity", "Reason", "Record-Route",
    "Refer-To", "Reply-To", "Require", "Resource-Priority", "Retry-After", "Route", "Server", "Session-Expires",
    "Subject", "Supported", "Timestamp", "To", "Unsupported", "User-Agent", "Via", "Warning", "WWW-Authenticate",
)  # fmt: skip
_COMPACT = {
    "c": "Content-Type", "e": "Content-Encoding", "f": "From", "i": "Call-ID", "k": "Supported",
    "l": "Content-Length", "m": "Contact", "o": "Event", "r": "Refer-To", "s": "Subject", "t": "To", "v": "Via",
    "x": "Session-Expires",
}  # fmt: skip
_NAMES = {name: name for name in _KNOWN}
_NAMES |= {name.lower(): name for name in _KNOWN}
_NAMES |= _COMPACT | {letter.upper(): name for letter, name in _COMPACT.items()}
_WRITABLE = frozenset(_KNOWN) - {"Content-Length"}

_CHARACTER = r"[A-Za-z0-9\-.!%*_+`'~]"
_NAME = re.compile(_CHARACTER + "{1,64}")
_REQUEST_LINE = rf"([A-Z]{_CHARACTER}{{0,31}}) ([A-Za-z][A-Za-z0-9+.\-]*:[!-~]{{1,2000}}) SIP/2\.0"
_REQUEST = re.compile(_REQUEST_LINE)
_RESPONSE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: ([^\x00-\x08\x0a-\x1f\x7f]{0,1000}))?")
_FOLD = re.compile(r"(?<![ \t])[ \t]*\r\n[ \t]+")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_CONTROL_IN_HEAD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n")
_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,9})[ \t]*(?=\r\n|$)", re.IGNORECASE)
_START = re.compile(rb"\r\n(?=" + _REQUEST_LINE.encode() + rb"\r\n|SIP/2\.0 [1-6][0-9]{2} )")
_START_KEPT = 2_100
_MARK = re.compile(r'["<,;]')
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)


# ---- writing


def encode(message: Message) -> bytes:
    """The octets of `message`, its length counted; `ValueError` for what would not be read back as the same."""
    if isinstance(message, Request):
        start = f"{message.method} {message.uri} SIP/2.0"
        good = _REQUEST.fullmatch(start)
    else:
        start = f"SIP/2.0 {message.status} {message.reason}"
        good = _RESPONSE.fullmatch(start)
    if not good:
        raise ValueError(f"start line {start[:80]!r} cannot be written")
    length = len(message.body)
    octets = f"{start}\r\n{written(message.headers)}Content-Length: {length}\r\n\r\n".encode()
    if len(octets) > MAX_HEAD or length > MAX_BODY:
        raise ValueError("the message is larger than messages may be")
    return octets + message.body


def written(headers: Headers) -> str:
    """Headers as lines; `ValueError` for what would not be read back as the same."""
    if len(headers) >= MAX_HEADERS:
        raise ValueError(f"{len(headers)} headers are more than there may be")
    for name, value in headers:
        if name not in _WRITABLE and (name != spelt(name) or name == "Content-Length"):
            raise ValueError(f"{name[:40]!r} is no header's name, or not as the registry writes it")
        if (not value.isprintable() and _CONTROL.search(value)) or value != value.strip(" \t"):
            raise ValueError(f"the value of {name} cannot be written on one line")
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


# ---- reading


def decode(octets: bytes) -> Message:
    """The one message that `octets` are, as in a datagram or a file.

    Without Content-Length the body is all that is left (RFC 3261, section 18.3).

    Raises:
        Malformed: they are not one whole message; the text says at which octet.
    """
    end = octets.find(b"\r\n\r\n", 0, MAX_HEAD)
    if end < 0:
        raise Malformed(f"SIP: no empty line ends the headers within {min(len(octets), MAX_HEAD)} octets")
    message, length = _head(octets[:end])
    body = octets[end + 4 :]
    if length is not None and length != len(body):
        raise Malformed(
            f"SIP: Content-Length says {length}, the body at octet {end + 4} has {len(body)} octets"
        )
    if len(body) > MAX_BODY:
        raise Malformed(f"SIP: the body has {len(body)} octets, at most {MAX_BODY} are taken")
    return _with_body(message, body)


def read_headers(text: str, *, at: int = 0) -> Headers:
    """The headers in lines of text, unfolded; `at` is the octet at which the text begins.

    Raises:
        Malformed: a line is no header; the text says at which octet.
    """
    plain = text.replace("\r\n", "").isprintable()
    if not plain and (control := _CONTROL_IN_HEAD.search(text)):
        where = at + len(text[: control.start()].encode())
        raise Malformed(f"SIP: octet {where}: the control character {control[0]!r} stands in the headers")
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\r\n")
    if len(lines) > MAX_HEADERS:
        raise Malformed(f"SIP: {len(lines)} headers, at most {MAX_HEADERS} are taken")
    headers: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        known = _NAMES.get(name) or spelt(name.rstrip(" \t"))
        if not colon or not known:
            where = at + len("\r\n".join(lines[: len(headers)]).encode()) + 2 * bool(headers)
            raise Malformed(f"SIP: octet {where}: expected a header's name and ':', found {line[:40]!r}")
        headers.append((known, value.strip(" \t")))
    return tuple(headers)


class Decoder:
    """Finds the messages in a stream, however it is cut; after garbage it goes on at the next start line."""

    def __init__(self, *, max_body: int = MAX_BODY) -> None:
        self._max_body = max_body
        self._pending = bytearray()
        # The message whose body is awaited, and how long that is.
        self._head: Message | None = None
        self._need = 0
        # Octets of a dropped message's body that are still to come.
        self._skip = 0
        self._looked = 0
        self._hunting = False

    def feed(self, data: bytes) -> list[Message | Blank | Garbled]:
        """What ends in `data`, in order; what is not yet ended is kept for the next call."""
        found: list[Message | Blank | Garbled] = []
        self._pending += data
        while (each := self._next()) is not None:
            found.append(each)
        return found

    @property
    def waiting(self) -> int:
        """Octets kept of a message that has not ended."""
        return len(self._pending)

    def _next(self) -> Message | Blank | Garbled | None:
        pending = self._pending
        if self._skip:
            skipped = min(self._skip, len(pending))
            del pending[:skipped]
            self._skip -= skipped
        if self._hunting:
            self._hunt()
        if self._hunting or self._skip:
            return None
        if self._head is None:
            if pending.startswith(b"\r\n"):
                del pending[:2]
                self._looked = 0
                return Blank()
            if (garbled := self._take_head()) is not None:
                return garbled
        if self._head is None or len(pending) < self._need:
            return None
        message = _with_body(self._head, bytes(pending[: self._need]))
        del pending[: self._need]
        self._head = None
        return message

    def _take_head(self) -> Garbled | None:
        pending = self._pending
        end = pending.find(b"\r\n\r\n", max(self._looked - 3, 0), MAX_HEAD)
        if end < 0:
            self._looked = len(pending)
            if len(pending) < MAX_HEAD:
                return None
            return self._drop(f"SIP: no empty line ends the headers within {MAX_HEAD} octets", end=0)
        self._looked = 0
        try:
            message, length = _head(bytes(pending[:end]))
        except Malformed as error:
            return self._drop(str(error), end=end)
        if length is None:
            return self._drop("SIP: there is no Content-Length, which a stream needs", end=end)
        if length > self._max_body:
            return self._drop(
                f"SIP: Content-Length says {length}, at most {self._max_body} are taken", end=end
            )
        del pending[: end + 4]
        self._head, self._need = message, length
        return None

    def _drop(self, reason: str, *, end: int) -> Garbled:
        """Give up the head that ends at `end`, and go on at a start line in it, else after the body it announces."""
        pending = self._pending
        garbled = Garbled(reason=reason, sample=bytes(pending[: min(end or SAMPLE, SAMPLE)]))
        self._looked = 0
        found = _START.search(pending, 1, end + 2) if end else None
        lengths = {int(length) for length in _LENGTH.findall(pending, 0, end)}
        announced = lengths.pop() if len(lengths) == 1 else self._max_body + 1
        if found:
            del pending[: found.end()]
        elif announced <= self._max_body:
            del pending[: end + 4]
            self._skip = announced
        else:
            del pending[: end + 2 if end else 1]
            self._hunting = True
        return garbled

    def _hunt(self) -> None:
        found = _START.search(self._pending)
        self._hunting = found is None
        del self._pending[: found.end() if found else max(len(self._pending) - _START_KEPT, 0)]


def _head(octets: bytes) -> tuple[Message, int | None]:
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"SIP: octet {error.start}: the headers are not UTF-8") from None
    start, _, rest = text.partition("\r\n")
    headers = read_headers(rest, at=len(start) + 2) if rest else ()
    length: int | None = None
    lengths = {value for name, value in headers if name == "Content-Length"}
    if lengths:
        value = lengths.pop()
        if lengths or not value.isascii() or not value.isdigit() or len(value) > 9:
            raise Malformed(f"SIP: Content-Length {value[:40]!r} is no length, or there are two")
        length = int(value)
        headers = tuple([pair for pair in headers if pair[0] != "Content-Length"])
    if found := _REQUEST.fullmatch(start):
        return Request(method=found[1], uri=found[2], headers=headers), length
    if found := _RESPONSE.fullmatch(start):
        return Response(status=int(found[1]), reason=found[2] or "", headers=headers), length
    raise Malformed(
        f"SIP: octet 0: expected 'METHOD URI SIP/2.0' or 'SIP/2.0 CODE REASON', found {start[:60]!r}"
    )


def _with_body(message: Message, body: bytes) -> Message:
    if not body:
        return message
    if isinstance(message, Request):
        return Request(method=message.method, uri=message.uri, headers=message.headers, body=body)
    return Response(status=message.status, reason=message.reason, headers=message.headers, body=body)


def spelt(name: str) -> str | None:
    """The registry's spelling of a header's name; for others each word with a capital. None: it is no name."""
    if (known := _NAMES.get(name) or _NAMES.get(name.lower())) is not None:
        return known
    if not _NAME.fullmatch(name):
        return None
    return "-".join([word[:1].upper() + word[1:].lower() for word in name.split("-")])


# ---- headers


def header(message: Message, name: str) -> str:
    """The first value of that name; "" where there is none."""
    for each, value in message.headers:
        if each == name:
            return value
    return ""


def values(message: Message, name: str) -> tuple[str, ...]:
    """All values of that name: over all its lines, and within a line between commas."""
    return tuple(part for each, value in message.headers if each == name for part in split(value, ","))


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """What stands before the first `;`, and the parameters after it: names in lower case, quotes removed."""
    first, *rest = split(value, ";") or [""]
    found: dict[str, str] = {}
    for part in rest:
        name, _, text = part.partition("=")
        found.setdefault(name.strip().lower(), unquoted(text.strip()))
    return first, found


def unquoted(text: str) -> str:
    """A quoted string's text; any other text as it is."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def bracketed(value: str) -> str:
    """The URI between angle brackets, or what stands before the first `;`."""
    _, opened, rest = value.partition("<")
    inside, closed, _ = rest.partition(">")
    return inside if opened and closed else value.partition(";")[0].strip()


def replaced(headers: Headers, new: Mapping[str, str | None]) -> Headers:
    """`headers` with the first of each name set in place, or at the end, and others of it gone; None: all gone."""
    left = dict(new)
    out: list[tuple[str, str]] = []
    for name, value in headers:
        if name not in new:
            out.append((name, value))
        elif (text := left.pop(name, None)) is not None:
            out.append((name, text))
    out += [(name, text) for name, text in left.items() if text is not None]
    return tuple(out)


def answer_headers(request: Request, *, tag: str) -> Headers:
    """What a response repeats of its request (RFC 3261, section 8.2.6.2); `tag` is added to To where it has none."""
    to = header(request, "To")
    if "tag" not in parameters(to)[1]:
        to = f"{to};tag={tag}"
    vias = tuple(pair for pair in request.headers if pair[0] == "Via")
    rest = (("From", header(request, "From")), ("To", to))
    return (*vias, *rest, ("Call-ID", header(request, "Call-ID")), ("CSeq", header(request, "CSeq")))


def split(value: str, by: str) -> list[str]:
    """The parts of `value` between separators, commas or semicolons, that stand neither in quotes nor in angle brackets.

    A quote or bracket that nothing closes is a character like any other, and so are all of its kind after it.
    """
    if by not in value:
        return [value.strip()] if value.strip() else []
    if '"' not in value and "<" not in value:
        return [part.strip() for part in value.split(by) if part.strip()]
    parts = []
    begin = at = 0
    closing = {'"', "<"}
    # Where nothing closes there is no second look, or a hostile header would cost its length squared.
    while found := _MARK.search(value, at):
        at = found.end()
        if found[0] == by:
            parts.append(value[begin : found.start()].strip())
            begin = at
        elif found[0] in closing and (end := _closed(value, found.start())):
            at = end
        else:
            closing.discard(found[0])
    parts.append(value[begin:].strip())
    return [part for part in parts if part]


def _closed(value: str, at: int) -> int:
    """Where that which opens at `at` is over; 0: nowhere."""
    if value[at] == "<":
        return value.find(">", at) + 1
    found = _QUOTED.match(value, at)
    return found.end() if found else 0
