"""SIP messages, calls by RFC 8876 above all, with the alert and the location inside, in plain words."""

from __future__ import annotations

import re

from belltower.errors import Malformed
from gateway.psap import cap, sip_request
from gateway.psap.cap import MessageType, Status
from gateway.psap.explain import Explanation
from gateway.psap.explain import pidf as locations
from gateway.psap.explain._building import Lines, printable
from gateway.psap.sip_alert import LiveService, PracticeService
from gateway.psap.sip_request import BadAlert, Carried
from hardware.codecs import sip
from hardware.codecs.sip import Request, Response

FORMAT = "SIP"

_START = re.compile(rb"(?:[A-Z]{3,20} \S{1,2000} SIP/2\.0|SIP/2\.0 \d{3} [^\r\n]*)\r?\n")
_LIKE = re.compile(rb"(?:[A-Z]{3,20} \S{1,2000} SIP/|SIP/\d)")
_HEADERS = {
    "Via": "the way back, and the branch that ties the answer to it",
    "Max-Forwards": "how many more servers may pass it on",
    "From": "who asks",
    "To": "who is asked",
    "Call-ID": "with the branch and CSeq what the answer has to repeat",
    "CSeq": "the number and method that the answer has to repeat",
    "Route": "the server it goes to next",
    "Geolocation": "where the location stands",
    "Geolocation-Routing": "whether it may be routed by the location",
    "Geolocation-Error": "what the server could not do with the location (RFC 6442)",
    "AlertMsg-Error": "what is wrong with the alert (RFC 8876)",
    "Call-Info": "what else is in it, and where it stands",
    "Priority": "how urgent",
    "Content-Type": "what the body is",
    "Content-Length": "octets of the body",
    "Retry-After": "seconds for which the server wants to be left alone",
    "WWW-Authenticate": "the server asks who we are",
    "Proxy-Authenticate": "the server asks who we are",
    "Authorization": "the proof of who asks; it is not shown",
    "Proxy-Authorization": "the proof of who asks; it is not shown",
    "Supported": "what the sender understands",
    "Allow": "the methods that are taken",
    "Contact": "where the sender can be reached",
    "User-Agent": "the sender's program",
    "Server": "the server's program",
    "Expires": "how long it holds",
}
_METHODS = frozenset(
    [
        "ACK",
        "BYE",
        "CANCEL",
        "INFO",
        "INVITE",
        "MESSAGE",
        "NOTIFY",
        "OPTIONS",
        "PRACK",
        "PUBLISH",
        "REFER",
        "REGISTER",
        "SUBSCRIBE",
        "UPDATE",
    ]
)
_HIDDEN = frozenset({"Authorization", "Proxy-Authorization"})
_SERVICES = {
    LiveService.SOS.value: "a call for help",
    LiveService.POLICE.value: "a call for the police",
    PracticeService.SOS.value: "an exercise or a test: nobody is sent",
    PracticeService.POLICE.value: "an exercise or a test: nobody is sent",
}
_TYPES = {
    MessageType.ALERT: "a new alert",
    MessageType.UPDATE: "a change to an earlier one",
    MessageType.CANCEL: "the cancellation of an earlier one",
    MessageType.ACK: "a person's answer to an earlier one",
    MessageType.ERROR: "the refusal of an earlier one",
}


def likely(octets: bytes) -> int:
    """A start line of SIP; blank lines before it are allowed."""
    head = octets[:4096].lstrip(b"\r\n")
    if _START.match(head):
        return 99
    return 70 if _LIKE.match(head) else 0


def split(octets: bytes) -> tuple[bytes, ...]:
    """Message by message, by the length in each; what is no message is left in one piece."""
    found: list[bytes] = []
    start = 0
    while start < len(octets):
        begin = start
        while octets.startswith(b"\r\n", begin):
            begin += 2
        empty = octets.find(b"\r\n\r\n", begin)
        length = _announced(octets[begin:empty]) if empty >= 0 else None
        end = empty + 4 + length if length is not None else len(octets)
        if length is None or end > len(octets):
            end = len(octets)
        found.append(octets[start:end])
        start = end
    return tuple(found)


def explain(octets: bytes) -> Explanation:
    """One message."""
    lines = Lines(octets)
    body_at = _add_head(lines, octets)
    try:
        message = sip.decode(octets.lstrip(b"\r\n"))
    except Malformed as error:
        lines.fault(str(error))
        lines.add(body_at, len(octets), "the body")
        return _done("A SIP message that cannot be read.", lines)
    if isinstance(message, Response):
        lines.add(body_at, len(octets), "the body")
        return _done(_response(message, lines), lines)
    return _done(_request(message, octets, body_at, lines), lines)


def _done(summary: str, lines: Lines) -> Explanation:
    return Explanation(format=FORMAT, summary=summary, lines=tuple(lines.found), faults=tuple(lines.faults))


def _announced(head: bytes) -> int | None:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() in (b"content-length", b"l") and value.strip().isdigit():
            return int(value.strip()[:9])
    return None


def _add_head(lines: Lines, octets: bytes) -> int:
    """A line for each line of the head; where the body begins."""
    at = len(octets) - len(octets.lstrip(b"\r\n"))
    lines.add(0, at, "empty lines before the message: a sign of life")
    first = True
    while at < len(octets):
        end = octets.find(b"\n", at)
        end = len(octets) if end < 0 else end + 1
        text = octets[at:end].rstrip(b"\r\n")
        if not octets[at:end].endswith(b"\r\n") and len(lines.faults) < 4:
            lines.fault(f"octet {end - 1}: the line does not end in CR LF")
        if not text:
            lines.add(at, end, "the headers end")
            return end
        lines.add(at, end, _start(text) if first else _header(text))
        first = False
        at = end
    lines.fault("no empty line ends the headers")
    return at


def _start(text: bytes) -> str:
    words = text.decode("utf-8", "replace").split(" ", 2)
    if len(words) == 3 and words[0].startswith("SIP/"):
        return f"an answer: {printable(words[1].encode())} {printable(words[2].encode())}"
    if len(words) == 3:
        meant = _SERVICES.get(words[1].lower(), "")
        return f"a request, {printable(words[0].encode())} to {printable(words[1].encode())}" + (
            f": {meant}" if meant else ""
        )
    return "no start line of SIP"


def _header(text: bytes) -> str:
    if text[:1] in (b" ", b"\t"):
        return f"the header above goes on: {printable(text.strip())}"
    name, colon, value = text.partition(b":")
    known = sip.spelt(name.decode("utf-8", "replace").strip()) if colon else None
    if known is None:
        return "no header"
    about = f", {_HEADERS[known]}" if known in _HEADERS else ""
    return f"{known}{about}" + ("" if known in _HIDDEN else f": {printable(value.strip())}")


def _response(message: Response, lines: Lines) -> str:
    said = f"An answer: {message.status} {printable(message.reason.encode())}"
    if message.status == 425:
        code = sip_request.error_code(sip.header(message, "AlertMsg-Error"))
        if code not in sip_request.ERRORS:
            lines.fault("425 wants an AlertMsg-Error of 100 to 103")
            return said + ", the alert was not taken."
        return f"{said}, the alert was not taken: {sip_request.ERRORS[code]}."
    meant = {
        1: "wait",
        2: "the server's system has it; no person has answered",
        3: "ask elsewhere",
        4: "no",
        5: "the server cannot",
        6: "no, nowhere",
    }[message.status // 100]
    if message.status in (401, 407):
        meant = "who are you?"
    return f"{said}, {meant}."


def _request(message: Request, octets: bytes, body_at: int, lines: Lines) -> str:
    for name in ("Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards"):
        if not sip.header(message, name):
            lines.fault(f"there is no {name}, which every request needs")
    if message.method not in _METHODS and message.uri.lower() in _SERVICES:
        lines.fault(
            f"{printable(message.method.encode())} is no method of SIP; a call for help is a MESSAGE or an INVITE"
        )
    if message.method != "MESSAGE" or (not message.body and message.uri not in _SERVICES):
        lines.add(body_at, len(octets), "the body")
        return "Are you there?" if message.method == "OPTIONS" else f"A request, {message.method}."
    try:
        _add_parts(message, octets, body_at, lines)
        said = sip_request.carried(message)
    except BadAlert as error:
        lines.fault(f"{error} (AlertMsg-Error {error.code})")
        return "A call by SIP whose alert cannot be read."
    _judge(message, said, lines)
    alert = said.alert
    headline = alert.infos[0].headline if alert.infos else alert.note
    place = f" {locations.said(said.locations[0])}" if said.locations else ""
    meant = _SERVICES.get(message.uri.lower(), f"a message to {message.uri[:60]}")
    return (
        f"{meant[:1].upper()}{meant[1:]}; {_TYPES[alert.type]}, status {alert.status}, {alert.identifier}: "
        f"{headline}.{place}"
    )


def _judge(message: Request, said: Carried, lines: Lines) -> None:
    for note in said.notes:
        lines.fault(note)
    for fault in cap.check(said.alert):
        lines.fault(f"CAP: {fault}")
    uri = message.uri.lower()
    actual = said.alert.status is Status.ACTUAL
    if uri in set(PracticeService) and actual:
        lines.fault("an alert of status Actual goes to a test service: nobody would be sent")
    if uri in set(LiveService) and not actual:
        lines.fault(f"an alert of status {said.alert.status} goes to a service that sends help")
    if uri in _SERVICES and not said.locations:
        lines.fault("there is no location that can be read")


def _add_parts(message: Request, octets: bytes, body_at: int, lines: Lines) -> None:
    """A line for each part, and for what stands between them."""
    done = body_at
    for part in sip_request.parts_of(message):
        at = octets.find(part.body, done) if part.body else -1
        if at < 0:
            continue
        lines.add(done, at, f"the head of a part: {part.media_type or 'no type'}, cid:{part.content_id[:60]}")
        lines.add(at, at + len(part.body), _part(part.media_type, part.body))
        done = at + len(part.body)
    lines.add(done, len(octets), "the end of the body")


def _part(kind: str, body: bytes) -> str:
    try:
        if kind == sip_request.CAP_TYPE.lower():
            alert = cap.parse(body)
            return f"CAP: {alert.type} {alert.identifier}, status {alert.status}, from {alert.sender}"
        if kind == "application/pidf+xml":
            return f"PIDF-LO: {locations.explain(body).summary}"
    except Malformed as error:
        return f"cannot be read: {error}"
    return f"{len(body)} octets"
