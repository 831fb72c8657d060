"""What CAP 1.2 asks for beyond its XML schema, which lets half-empty alerts pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite

from gateway.psap.cap.lexical import UNWRITABLE, fault_of_time
from gateway.psap.cap.model import (
    Alert,
    Area,
    Info,
    MessageType,
    Named,
    Point,
    Reference,
    Resource,
    Scope,
    Time,
)

# CAP 1.2, 3.2.1: identifier and sender without spaces, commas or restricted characters.
_TOKEN = re.compile(r"[^\s,<&]+")
_LANGUAGE = re.compile(r"[a-zA-Z]{1,8}(?:-[a-zA-Z0-9]{1,8})*")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")
_DIGEST = re.compile(r"[0-9A-Fa-f]{40}")
_NEEDS_REFERENCES = frozenset({MessageType.UPDATE, MessageType.CANCEL, MessageType.ACK, MessageType.ERROR})
_NEEDS_INFO = frozenset({MessageType.ALERT, MessageType.UPDATE})


def check(alert: Alert) -> tuple[str, ...]:
    """Everything that is wrong with an alert though a schema might let it pass; each names element and mend.

    That the sender is unique and uses an identifier only once is left to whoever sends.
    """
    return tuple(_alert(alert))


def _alert(alert: Alert) -> Iterator[str]:
    yield from _token("identifier", alert.identifier)
    yield from _token("sender", alert.sender)
    yield from _time("sent", alert.sent)
    yield from _texts("source", alert.source)
    yield from _texts("note", alert.note)
    yield from _restriction(alert)
    if alert.scope is Scope.PRIVATE and not alert.addresses:
        yield "addresses: missing though scope is Private; name whom it is for"
    yield from _items("addresses", alert.addresses)
    yield from _items("incidents", alert.incidents)
    for code in alert.codes:
        yield from _filled("code", code)
    if alert.type in _NEEDS_REFERENCES and not alert.references:
        yield f"references: missing though msgType is {alert.type}; name the messages it is about"
    for reference in alert.references:
        yield from _reference(reference)
    if alert.type in _NEEDS_INFO and not alert.infos:
        yield f"info: missing though msgType is {alert.type}; say what the matter is"
    for info in alert.infos:
        yield from _info(info, area=alert.type in _NEEDS_INFO)


def _restriction(alert: Alert) -> Iterator[str]:
    if alert.scope is Scope.RESTRICTED and not alert.restriction.strip():
        yield "restriction: missing though scope is Restricted; say who may read it"
    elif alert.scope is not Scope.RESTRICTED and alert.restriction:
        yield f"restriction: given though scope is {alert.scope}; leave it out or set scope Restricted"
    yield from _texts("restriction", alert.restriction)


def _reference(reference: Reference) -> Iterator[str]:
    yield from _token("references", reference.sender)
    yield from _token("references", reference.identifier)
    yield from _time("references", reference.sent)


def _info(info: Info, *, area: bool) -> Iterator[str]:
    if _LANGUAGE.fullmatch(info.language) is None:
        yield f"language: {info.language!a} is no language code; write en-US for instance"
    if not info.categories:
        yield "category: missing; give at least one"
    yield from _filled("event", info.event)
    for name, text in (
        ("audience", info.audience),
        ("senderName", info.sender_name),
        ("headline", info.headline),
        ("description", info.description),
        ("instruction", info.instruction),
        ("contact", info.contact),
    ):
        if text:
            yield from _texts(name, text)
    yield from _uri("web", info.web)
    yield from _pairs("eventCode", info.event_codes)
    yield from _pairs("parameter", info.parameters)
    for name, time in (("effective", info.effective), ("onset", info.onset), ("expires", info.expires)):
        if time is not None:
            yield from _time(name, time)
    if info.expires is not None and info.effective is not None and info.expires.at < info.effective.at:
        yield "expires: lies before effective; nobody would ever show it"
    for resource in info.resources:
        yield from _resource(resource)
    if area and not info.areas:
        yield "area: missing; say where"
    for one in info.areas:
        yield from _area(one)


def _resource(resource: Resource) -> Iterator[str]:
    yield from _filled("resourceDesc", resource.description)
    yield from _filled("mimeType", resource.mime_type)
    if resource.size is not None and resource.size < 0:
        yield f"size: {resource.size} is below 0; give octets"
    yield from _uri("uri", resource.uri)
    yield from _texts("derefUri", resource.content)
    if resource.digest and _DIGEST.fullmatch(resource.digest) is None:
        yield "digest: is not 40 hex digits; give the SHA-1"


def _area(area: Area) -> Iterator[str]:
    yield from _filled("areaDesc", area.description)
    for polygon in area.polygons:
        if len(polygon) < 4:
            yield f"polygon: has {len(polygon)} points; give at least 4, the last being the first"
        elif polygon[0] != polygon[-1]:
            yield "polygon: is not closed; repeat its first point at the end"
        for point in polygon:
            yield from _point("polygon", point)
    for circle in area.circles:
        yield from _point("circle", circle.centre)
        if not 0 <= circle.radius < 20_100:
            yield f"circle: a radius of {circle.radius} km; give 0 to 20100"
    yield from _pairs("geocode", area.geocodes)
    for name, height in (("altitude", area.altitude), ("ceiling", area.ceiling)):
        if height is not None and not isfinite(height):
            yield f"{name}: {height} is no height; give feet above sea level"
    if area.ceiling is not None:
        if area.altitude is None:
            yield "ceiling: given without altitude; give both"
        elif area.ceiling < area.altitude:
            yield "ceiling: lies below altitude; turn them round"


def _point(name: str, point: Point) -> Iterator[str]:
    latitude, longitude = point
    if not -90 <= latitude <= 90:
        yield f"{name}: latitude {latitude}; give -90 to 90, the latitude first"
    if not -180 <= longitude <= 180:
        yield f"{name}: longitude {longitude}; give -180 to 180"


def _pairs(name: str, pairs: tuple[Named, ...]) -> Iterator[str]:
    for pair in pairs:
        if not pair.name.strip():
            yield f"{name}: an empty valueName; name the system of codes"
        yield from _texts(name, pair.name)
        yield from _texts(name, pair.value)


def _items(name: str, items: tuple[str, ...]) -> Iterator[str]:
    for item in items:
        if not item or '"' in item:
            yield f"{name}: {item!a} is empty or holds a quotation mark; leave it out"
        yield from _texts(name, item)


def _time(name: str, time: Time) -> Iterator[str]:
    fault = fault_of_time(time)
    if fault:
        yield f"{name}: {fault}"


def _token(name: str, text: str) -> Iterator[str]:
    if not text:
        yield f"{name}: is empty; give one"
    elif _TOKEN.fullmatch(text) is None:
        yield f"{name}: {text!a} holds a space, comma, < or &; leave them out"
    yield from _texts(name, text)


def _filled(name: str, text: str) -> Iterator[str]:
    if not text.strip():
        yield f"{name}: is empty; say it in words"
    yield from _texts(name, text)


def _uri(name: str, text: str) -> Iterator[str]:
    if text and _URI.fullmatch(text) is None:
        yield f"{name}: {text[:60]!a} is no absolute URI; write https://.. for instance"


def _texts(name: str, text: str) -> Iterator[str]:
    found = UNWRITABLE.search(text)
    if found is not None:
        yield f"{name}: character U+{ord(found[0]):04X} cannot stand in XML; leave it out"
