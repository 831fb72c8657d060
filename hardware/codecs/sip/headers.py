"""Headers: their lines, their names, and what stands in their values."""

from __future__ import annotations

import re
from collections.abc import Mapping

from belltower.errors import Malformed
from hardware.codecs.sip.message import MAX_HEADERS, Headers, Message, Request

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

CHARACTER = r"[A-Za-z0-9\-.!%*_+`'~]"
_NAME = re.compile(CHARACTER + "{1,64}")
_FOLD = re.compile(r"(?<![ \t])[ \t]*\r\n[ \t]+")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_CONTROL_IN_HEAD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n")
_MARK = re.compile(r'["<,;]')
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)


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


def spelt(name: str) -> str | None:
    """The registry's spelling of a header's name; for others each word with a capital. None: it is no name."""
    if (known := _NAMES.get(name) or _NAMES.get(name.lower())) is not None:
        return known
    if not _NAME.fullmatch(name):
        return None
    return "-".join([word[:1].upper() + word[1:].lower() for word in name.split("-")])


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
