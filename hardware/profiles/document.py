"""A payload as a document that paths can walk: JSON, text, XML. Everything is bounded before it is parsed."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from belltower.errors import Malformed

MOST_OCTETS = 64 << 10
DEEPEST = 20

_decode = msgspec.json.Decoder().decode
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_NOT_BRACKETS = bytes(octet for octet in range(256) if octet not in b"[]{}")
_MOST_TAGS = 2000
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_TOO_DEEP = b"[" * (DEEPEST + 1)
_FORM = re.compile(r"[A-Za-z0-9_.-]{0,40}=")


def deep(payload: bytes) -> bool:
    """Whether a JSON payload nests deeper than is read, or never closes what it opens."""
    if payload.count(b"{") + payload.count(b"[") <= DEEPEST:
        return False
    left = _STRINGS.sub(b"", payload).translate(_ONE_KIND, _NOT_BRACKETS)
    for _ in range(DEEPEST):
        if not left:
            return False
        if _TOO_DEEP in left:
            return True
        left = left.replace(b"[]", b"")
    return bool(left)


def json(payload: bytes) -> Any:
    """The JSON value; Malformed says why it is none."""
    if deep(payload):
        raise Malformed(f"JSON nests deeper than {DEEPEST}, or is not closed")
    try:
        return _decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Malformed(f"no JSON: {error}") from None


def text(payload: bytes) -> str:
    """The text; Malformed where it is not UTF-8."""
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"no text: octet {error.start} is not UTF-8") from None


def auto(payload: bytes) -> Any:
    """JSON where it begins like a table or a list, else text."""
    return (
        json(payload)
        if payload[:1] in {b"{", b"["} or payload.lstrip()[:1] in {b"{", b"["}
        else text(payload)
    )


def xml(payload: bytes) -> Any:
    """The document as tables: attributes under `@name`, text of a plain element as a string, repeats as lists.

    A body sent as a form (percent signs, perhaps `name=` before it) is unwrapped first.
    """
    from belltower.xml import parse_xml  # noqa: PLC0415 - the parser is loaded by those who meet XML

    body = payload.strip()
    if not body.startswith(b"<"):
        form = unquote_plus(text(body))
        named = _FORM.match(form)
        body = form[named.end() if named else 0 :].strip().encode()
    if body.count(b"<") > _MOST_TAGS or body.count(b"=") > _MOST_TAGS:
        raise Malformed(f"XML with more than {_MOST_TAGS} tags or attributes")
    root = parse_xml(body, MOST_OCTETS)
    return {root.tag: _element(root, 1)}


def _element(element: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise Malformed(f"XML nests deeper than {DEEPEST}")
    made: dict[str, Any] = {f"@{name}": value for name, value in element.attrib.items()}
    for child in element:
        inner = _element(child, depth + 1)
        if child.tag not in made:
            made[child.tag] = inner
        elif isinstance(made[child.tag], list):
            made[child.tag].append(inner)
        else:
            made[child.tag] = [made[child.tag], inner]
    words = (element.text or "").strip()
    if not made:
        return words
    if words:
        made["#text"] = words
    return made


def hexadecimal(payload: bytes) -> bytes:
    """The octets that a text of hexadecimal digits writes."""
    try:
        return bytes.fromhex(text(payload))
    except ValueError as error:
        raise Malformed(f"no hexadecimal digits: {error}") from None


FORMS = {"auto": auto, "json": json, "text": text, "xml": xml}
"""How a rule may say that its payload is written."""
