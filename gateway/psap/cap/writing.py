"""Building CAP 1.2 documents, which say exactly what the records say."""

from __future__ import annotations

import re

from gateway.psap.cap.lexical import write_list, write_number, write_point, write_time
from gateway.psap.cap.model import Alert, Area, Info, Named, Resource, Time
from gateway.psap.cap.rules import check

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"

_SPECIAL = re.compile(r"[&<>\r]")
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}


def build(alert: Alert) -> bytes:
    """The document, in UTF-8; the same record gives the same octets, for ever.

    Raises:
        ValueError: `check` finds fault with the alert; the message holds every fault, one a line.
    """
    faults = check(alert)
    if faults:
        raise ValueError("\n".join(faults))
    out = [f'<?xml version="1.0" encoding="UTF-8"?>\n<alert xmlns="{NAMESPACE}">']
    _element(out, "identifier", alert.identifier)
    _element(out, "sender", alert.sender)
    out.append(f"<sent>{write_time(alert.sent)}</sent>")
    out.append(f"<status>{alert.status}</status>")
    out.append(f"<msgType>{alert.type}</msgType>")
    _if_any(out, "source", alert.source)
    out.append(f"<scope>{alert.scope}</scope>")
    _if_any(out, "restriction", alert.restriction)
    _if_any(out, "addresses", write_list(alert.addresses))
    for code in alert.codes:
        _element(out, "code", code)
    _if_any(out, "note", alert.note)
    _if_any(
        out,
        "references",
        " ".join(f"{one.sender},{one.identifier},{write_time(one.sent)}" for one in alert.references),
    )
    _if_any(out, "incidents", write_list(alert.incidents))
    for info in alert.infos:
        _info(out, info)
    out.append("</alert>\n")
    return "".join(out).encode()


def _info(out: list[str], info: Info) -> None:
    out.append(f"<info><language>{info.language}</language>")
    out += [f"<category>{category}</category>" for category in info.categories]
    _element(out, "event", info.event)
    out += [f"<responseType>{response}</responseType>" for response in info.responses]
    out.append(
        f"<urgency>{info.urgency}</urgency><severity>{info.severity}</severity>"
        f"<certainty>{info.certainty}</certainty>"
    )
    _if_any(out, "audience", info.audience)
    _named(out, "eventCode", info.event_codes)
    _time(out, "effective", info.effective)
    _time(out, "onset", info.onset)
    _time(out, "expires", info.expires)
    _if_any(out, "senderName", info.sender_name)
    _if_any(out, "headline", info.headline)
    _if_any(out, "description", info.description)
    _if_any(out, "instruction", info.instruction)
    _if_any(out, "web", info.web)
    _if_any(out, "contact", info.contact)
    _named(out, "parameter", info.parameters)
    for resource in info.resources:
        _resource(out, resource)
    for area in info.areas:
        _area(out, area)
    out.append("</info>")


def _resource(out: list[str], resource: Resource) -> None:
    out.append("<resource>")
    _element(out, "resourceDesc", resource.description)
    _element(out, "mimeType", resource.mime_type)
    if resource.size is not None:
        out.append(f"<size>{resource.size}</size>")
    _if_any(out, "uri", resource.uri)
    _if_any(out, "derefUri", resource.content)
    _if_any(out, "digest", resource.digest)
    out.append("</resource>")


def _area(out: list[str], area: Area) -> None:
    out.append("<area>")
    _element(out, "areaDesc", area.description)
    out += [f"<polygon>{' '.join(map(write_point, polygon))}</polygon>" for polygon in area.polygons]
    out += [f"<circle>{write_point(one.centre)} {write_number(one.radius)}</circle>" for one in area.circles]
    _named(out, "geocode", area.geocodes)
    if area.altitude is not None:
        out.append(f"<altitude>{write_number(area.altitude)}</altitude>")
    if area.ceiling is not None:
        out.append(f"<ceiling>{write_number(area.ceiling)}</ceiling>")
    out.append("</area>")


def _named(out: list[str], tag: str, values: tuple[Named, ...]) -> None:
    out += [
        f"<{tag}><valueName>{_escaped(one.name)}</valueName><value>{_escaped(one.value)}</value></{tag}>"
        for one in values
    ]


def _time(out: list[str], tag: str, time: Time | None) -> None:
    if time is not None:
        out.append(f"<{tag}>{write_time(time)}</{tag}>")


def _if_any(out: list[str], tag: str, text: str) -> None:
    if text:
        _element(out, tag, text)


def _element(out: list[str], tag: str, text: str) -> None:
    out.append(f"<{tag}>{_escaped(text)}</{tag}>")


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: _ESCAPED[found[0]], text) if _SPECIAL.search(text) else text
