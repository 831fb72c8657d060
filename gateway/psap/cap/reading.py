"""Reading CAP documents into records: 1.2, and 1.1 as weather services still send it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from belltower.errors import Malformed
from belltower.xml import Element, parse_xml
from gateway.psap.cap.lexical import read_list, read_number, read_point, read_time, shown
from gateway.psap.cap.model import (
    Alert,
    Area,
    Category,
    Certainty,
    Circle,
    Info,
    MessageType,
    Named,
    Point,
    Reference,
    Resource,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
)

NAMESPACES = ("urn:oasis:names:tc:emergency:cap:1.2", "urn:oasis:names:tc:emergency:cap:1.1")
_SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}"

_Take = Callable[[str], Any]
_Open = Callable[[Element], Any]


class _Child(Struct, frozen=True):
    """One child of an element: what it is called, the field it fills, how its text or its children are taken."""

    name: str
    field: str
    take: _Take | None = None
    open: _Open | None = None
    many: bool = False


_Rule = tuple[int, str, str, _Take | None, _Open | None, bool]


class _Shape(Struct, frozen=True, kw_only=True):
    """An element: its children in CAP's order by full name, and the record they make."""

    name: str
    record: type[Struct]
    rules: dict[str, _Rule]
    # Element names by field, for messages.
    names: dict[str, str]
    lenient: bool


def parse(octets: bytes, *, lenient: bool = False) -> Alert:
    """The alert that a document of at most 1 MiB says; whether it says enough is for `check` to tell.

    An XML signature is passed over: nothing is believed because of it. With `lenient`, what others are known to send
    is taken too: elements in another order or unknown ones, `Z` and fractions of a second, empty polygons.

    Raises:
        Malformed: it is no CAP document of version 1.2 or 1.1; the message names element and fault.
    """
    root = parse_xml(octets)
    shape = _ROOTS.get((root.tag, lenient))
    if shape is None:
        raise Malformed(f"CAP: the document is a {shown(root.tag)}; expected alert in {NAMESPACES[0]}")
    alert: Alert = _record(shape, root)
    return alert


def _record(shape: _Shape, element: Element) -> Any:
    """The record that an element's children make."""
    found: dict[str, Any] = {}
    rule_of = shape.rules.get
    lenient = shape.lenient
    lists: list[str] = []
    last = -1
    for child in element:
        rule = rule_of(child.tag)
        if rule is None:
            if lenient or (shape.name == "alert" and child.tag.startswith(_SIGNATURE)):
                continue
            raise Malformed(f"CAP: {shape.name}: {shown(child.tag.rpartition('}')[2])} does not belong here")
        place, name, field, take, opened, many = rule
        if place <= last and not lenient:
            if place < last:
                raise Malformed(f"CAP: {shape.name}: {name} stands too late; it belongs further up")
            if not many:
                raise Malformed(f"CAP: {shape.name}: {name} stands there twice")
        last = place
        value: Any
        if opened is not None:
            value = opened(child)
        elif len(child):
            raise Malformed(f"CAP: {name}: holds elements; expected text")
        else:
            value = child.text or ""
            if take is not None:
                value = take(value)
        if not many:
            found[field] = value
        elif value is None:
            continue
        elif field in found:
            found[field].append(value)
        else:
            found[field] = [value]
            lists.append(field)
    for field in lists:
        found[field] = tuple(found[field])
    try:
        return shape.record(**found)
    except TypeError:
        missing = [field.name for field in fields(shape.record) if field.required and field.name not in found]
        raise Malformed(f"CAP: {shape.name}: {shape.names[missing[0]]} is missing") from None


def _pair(shape: _Shape, tags: tuple[str, str], element: Element) -> Any:
    """ValueName and value, the usual way in a third of the time."""
    parts = element[:]
    if len(parts) == 2 and (parts[0].tag, parts[1].tag) == tags and not len(parts[0]) and not len(parts[1]):
        return Named(parts[0].text or "", parts[1].text or "")
    return _record(shape, element)


def _one_of(kind: type[StrEnum], name: str) -> _Take:
    """How a word of an enumeration is taken."""
    words = {word.value: word for word in kind}

    def take(text: str) -> StrEnum:
        word = words.get(text)
        if word is None:
            raise Malformed(f"CAP: {name}: {shown(text)} is not known; one of: {', '.join(words)}")
        return word

    return take


def _polygon(text: str, *, lenient: bool) -> tuple[Point, ...] | None:
    points = text.split()
    if not points:
        if lenient:
            return None
        raise Malformed("CAP: polygon: it is empty")
    return tuple([read_point(point, "polygon") for point in points])


def _circle(text: str, *, lenient: bool) -> Circle | None:
    parts = text.split()
    if lenient and not parts:
        return None
    if len(parts) != 2:
        raise Malformed(f"CAP: circle: {shown(text)} is not of the form 41.77,-88.47 0.02")
    return Circle(read_point(parts[0], "circle"), read_number(parts[1], "circle"))


def _size(text: str) -> int:
    digits = text.strip()
    if not (len(digits) <= 18 and digits.isascii() and digits.removeprefix("-").isdigit()):
        raise Malformed(f"CAP: size: {shown(text)} is no whole number")
    return int(digits)


def _references(text: str, *, lenient: bool) -> tuple[Reference, ...]:
    found = []
    for one in text.split():
        parts = one.split(",")
        if len(parts) != 3:
            raise Malformed(f"CAP: references: {shown(one)} is not of the form sender,identifier,sent")
        sent = read_time(parts[2], "references", lenient)
        found.append(Reference(sender=parts[0], identifier=parts[1], sent=sent))
    return tuple(found)


def _height(name: str, text: str) -> float:
    return read_number(text.strip(), name)


def _list(name: str, text: str) -> tuple[str, ...]:
    return read_list(text, name)


def _shape(
    name: str, record: type[Struct], namespace: str, children: tuple[_Child, ...], *, lenient: bool
) -> _Shape:
    return _Shape(
        name=name,
        record=record,
        rules={
            f"{{{namespace}}}{one.name}": (place, one.name, one.field, one.take, one.open, one.many)
            for place, one in enumerate(children)
        },
        names={one.field: one.name for one in children},
        lenient=lenient,
    )


def _root(namespace: str, *, lenient: bool) -> _Shape:
    """How an alert of that namespace is read."""

    def time(name: str) -> _Child:
        return _Child(name, name, take=lambda text: read_time(text, name, lenient))

    def pairs(name: str, field: str) -> _Child:
        values = (_Child("valueName", "name"), _Child("value", "value"))
        shape = _shape(name, Named, namespace, values, lenient=lenient)
        tags = f"{{{namespace}}}valueName", f"{{{namespace}}}value"
        return _Child(name, field, open=partial(_pair, shape, tags), many=True)

    def nested(name: str, field: str, record: type[Struct], *children: _Child) -> _Child:
        shape = _shape(name, record, namespace, children, lenient=lenient)
        return _Child(name, field, open=partial(_record, shape), many=True)

    def word(name: str, kind: type[StrEnum], field: str = "", *, many: bool = False) -> _Child:
        return _Child(name, field or name, take=_one_of(kind, name), many=many)

    area = nested(
        "area",
        "areas",
        Area,
        _Child("areaDesc", "description"),
        _Child("polygon", "polygons", take=partial(_polygon, lenient=lenient), many=True),
        _Child("circle", "circles", take=partial(_circle, lenient=lenient), many=True),
        pairs("geocode", "geocodes"),
        _Child("altitude", "altitude", take=partial(_height, "altitude")),
        _Child("ceiling", "ceiling", take=partial(_height, "ceiling")),
    )
    resource = nested(
        "resource",
        "resources",
        Resource,
        _Child("resourceDesc", "description"),
        _Child("mimeType", "mime_type"),
        _Child("size", "size", take=_size),
        _Child("uri", "uri"),
        _Child("derefUri", "content"),
        _Child("digest", "digest"),
    )
    info = nested(
        "info",
        "infos",
        Info,
        _Child("language", "language"),
        word("category", Category, "categories", many=True),
        _Child("event", "event"),
        word("responseType", ResponseType, "responses", many=True),
        word("urgency", Urgency),
        word("severity", Severity),
        word("certainty", Certainty),
        _Child("audience", "audience"),
        pairs("eventCode", "event_codes"),
        time("effective"),
        time("onset"),
        time("expires"),
        _Child("senderName", "sender_name"),
        _Child("headline", "headline"),
        _Child("description", "description"),
        _Child("instruction", "instruction"),
        _Child("web", "web"),
        _Child("contact", "contact"),
        pairs("parameter", "parameters"),
        resource,
        area,
    )
    children = (
        _Child("identifier", "identifier"),
        _Child("sender", "sender"),
        time("sent"),
        word("status", Status),
        word("msgType", MessageType, "type"),
        _Child("source", "source"),
        word("scope", Scope),
        _Child("restriction", "restriction"),
        _Child("addresses", "addresses", take=partial(_list, "addresses")),
        _Child("code", "codes", many=True),
        _Child("note", "note"),
        _Child("references", "references", take=partial(_references, lenient=lenient)),
        _Child("incidents", "incidents", take=partial(_list, "incidents")),
        info,
    )
    return _shape("alert", Alert, namespace, children, lenient=lenient)


_ROOTS = {
    (f"{{{namespace}}}alert", lenient): _root(namespace, lenient=lenient)
    for namespace in NAMESPACES
    for lenient in (False, True)
}
