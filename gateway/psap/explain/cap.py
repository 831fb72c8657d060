"""CAP alerts, and Atom indexes of them, in plain words."""

from __future__ import annotations

from belltower.clock import aware
from belltower.errors import Malformed
from gateway.psap.cap import Alert, MessageType, Status, check, parse
from gateway.psap.cap.atom import Index, is_index, read_index
from gateway.psap.cap.reading import NAMESPACES
from gateway.psap.explain import Explanation
from gateway.psap.explain._building import Lines, printable
from gateway.psap.explain._xml import add_elements, begins_with

FORMAT = "CAP"

_ELEMENTS = {
    "identifier": "the message's number, unique at its sender", "sender": "who sends", "sent": "when it was sent",
    "status": "whether it is meant in earnest (status)", "msgType": "what it does to earlier messages (msgType)",
    "source": "where the sender has it from", "scope": "who may read it (scope)",
    "restriction": "to whom it is restricted", "addresses": "for whom it is", "code": "a rule it follows (code)",
    "note": "why it was sent", "references": "the messages it is about: sender, identifier, sent",
    "incidents": "the incident it belongs to", "language": "the language", "category": "what kind of trouble",
    "event": "what is the matter", "responseType": "what to do (responseType)", "urgency": "how soon",
    "severity": "how bad", "certainty": "how sure", "audience": "whom it concerns",
    "valueName": "a system of codes", "value": "its value", "effective": "in force from", "onset": "begins",
    "expires": "expires", "senderName": "the sender's name", "headline": "headline", "description": "description",
    "instruction": "what to do, in words", "web": "more about it", "contact": "whom to ask",
    "resourceDesc": "a file", "mimeType": "its kind", "size": "its octets", "uri": "where it lies",
    "derefUri": "the file itself", "digest": "its SHA-1", "areaDesc": "where", "polygon": "where, corners (lat,lon)",
    "circle": "where, centre and kilometres", "altitude": "from feet above the sea", "ceiling": "to feet above the sea",
    "id": "the entry's id", "title": "title", "updated": "last changed", "published": "published",
    "summary": "in short", "name": "who publishes",
}  # fmt: skip

_DOES = {
    MessageType.ALERT: "a new alert",
    MessageType.UPDATE: "an update that replaces earlier messages",
    MessageType.CANCEL: "a cancellation of earlier messages",
    MessageType.ACK: "a machine's acknowledgement of earlier messages",
    MessageType.ERROR: "a refusal of earlier messages",
}
_MEANT = {
    Status.ACTUAL: "in earnest",
    Status.EXERCISE: "an EXERCISE",
    Status.SYSTEM: "for the network's own use",
    Status.TEST: "a TEST, to be disregarded",
    Status.DRAFT: "a draft, to be disregarded",
}


def likely(octets: bytes) -> int:
    """An alert in CAP's namespace surely; a feed with CAP elements nearly so."""
    named = any(namespace.encode() in octets[:8_192] for namespace in NAMESPACES)
    if begins_with(octets, b"alert"):
        return 99 if named else 60
    if begins_with(octets, b"feed"):
        return 95 if named else 40
    return 0


def explain(octets: bytes) -> Explanation:
    """One document."""
    lines = Lines(octets)
    add_elements(lines, octets, _ELEMENTS)
    if is_index(octets):
        return _index(octets, lines)
    try:
        alert = parse(octets)
    except Malformed as error:
        lines.fault(str(error))
        try:
            alert = parse(octets, lenient=True)
        except Malformed:
            return _explained("A CAP alert that cannot be read.", lines)
    lines.faults += [f"CAP: {fault}" for fault in check(alert) if f"CAP: {fault}" not in lines.faults]
    return _explained(_said(alert), lines)


def _index(octets: bytes, lines: Lines) -> Explanation:
    try:
        index = read_index(octets)
    except Malformed as error:
        lines.fault(str(error))
        return _explained("An Atom feed that cannot be read.", lines)
    lines.faults += index.faults
    return _explained(_said_of(index), lines)


def _said(alert: Alert) -> str:
    what = ""
    if alert.infos:
        info = alert.infos[0]
        where = _text(info.areas[0].description) if info.areas else "a place not said"
        what = f": {_text(info.event)}, {where}"
        if info.expires is not None:
            what += f", until {aware(info.expires.at):%Y-%m-%d %H:%M:%S} UTC"
    return (
        f"A CAP alert, {_DOES[alert.type]}, {_MEANT[alert.status]}, {alert.scope.lower()}{what}. "
        f"Sent by {_text(alert.sender)} at {aware(alert.sent.at):%Y-%m-%d %H:%M:%S} UTC."
    )


def _said_of(index: Index) -> str:
    events = [_text(entry.event or entry.title, most=40) for entry in index.entries[:3]]
    more = f" and {len(index.entries) - 3} more" if len(index.entries) > 3 else ""
    listed = f": {', '.join(events)}{more}" if events else ""
    count = "1 alert" if len(index.entries) == 1 else f"{len(index.entries)} alerts"
    return f"An Atom feed, {_text(index.title)!r}, of {count}{listed}."


def _explained(summary: str, lines: Lines) -> Explanation:
    return Explanation(format=FORMAT, summary=summary, lines=tuple(lines.found), faults=tuple(lines.faults))


def _text(text: str, *, most: int = 80) -> str:
    return printable(text.encode("utf-8", "backslashreplace"), most=most)
