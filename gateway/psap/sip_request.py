"""The SIP requests of RFC 8876: an alert and a location in one MESSAGE, each part named by the header that is for it.

`request` writes one, `carried` reads one and checks that every `cid:` has its part. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

from msgspec import Struct

from belltower.errors import Malformed
from floorplans.campus import Campus
from gateway.psap import additional_data, cap, pidf
from gateway.psap.additional_data import Block, Card, DeviceInfo, ProviderInfo, ServiceInfo, SubscriberInfo
from gateway.psap.markup import writable
from gateway.psap.pidf import Location
from gateway.psap.sip_alert import LiveMessage, Message
from hardware.codecs import multipart, sip
from hardware.codecs.multipart import Part
from hardware.codecs.sip import Headers, Request

CAP_TYPE = "application/EmergencyCallData.cap+xml"
CAP_PURPOSE = "EmergencyCallData.cap"
ANSWER_TYPE = CAP_TYPE
BRANCH = "z9hG4bK"
"""What every branch begins with (RFC 3261, section 8.1.1.7)."""

ERRORS = {
    100: "Cannot process the alert payload",
    101: "Alert payload was not present or could not be found",
    102: "Not enough information to determine the purpose of the alert",
    103: "Alert payload was corrupted",
}
"""What AlertMsg-Error says (RFC 8876, section 5.1)."""

_OURS = "belltower-"
_DISPOSITION = ("Content-Disposition", "by-reference;handling=optional")
_ERROR = re.compile(r"\s*([0-9]{3})\s*(?:;.*)?")


class BadAlert(Malformed):
    """A MESSAGE whose alert cannot be taken, with its AlertMsg-Error."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class Carried(Struct, frozen=True, kw_only=True):
    """What one MESSAGE brought."""

    alert: cap.Alert
    locations: tuple[Location, ...] = ()
    blocks: tuple[Block, ...] = ()
    # Headers that name a part which is not there, or parts that could not be read: noted, not refused.
    notes: tuple[str, ...] = ()


# ---- writing


def request(
    message: Message, *, frame_id: str, domain: str, location: str, blocks: tuple[Block, ...] = ()
) -> Request:
    """The MESSAGE as it is before a target is chosen: without Via, Route, Call-ID and CSeq of its own.

    `location` is a written PIDF-LO.
    """
    sender = message.alert.sender
    urn = message.service.value
    parts = [_part(CAP_TYPE, "cap", frame_id, domain, _lines(cap.build(message.alert)))]
    parts.append(_part(pidf.MEDIA_TYPE, "loc", frame_id, domain, location.encode()))
    infos = [("Call-Info", f"<cid:{parts[0].content_id}>;purpose={CAP_PURPOSE}")]
    for block in blocks:
        name = type(block).__name__.lower()
        part = _part(additional_data.media_type(block), name, frame_id, domain, _built(block))
        infos.append(("Call-Info", f"<cid:{part.content_id}>;purpose={additional_data.purpose(block)}"))
        parts.append(part)
    boundary = _boundary(parts)
    headers: Headers = (
        ("Via", f"SIP/2.0/TCP {domain};branch={BRANCH}{frame_id}"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:{sender}>;tag={frame_id}"),
        ("To", f"<{urn}>"),
        ("Call-ID", f"{frame_id}@{domain}"),
        ("CSeq", "1 MESSAGE"),
        ("Geolocation", f"<cid:{parts[1].content_id}>"),
        ("Geolocation-Routing", "yes"),
        ("Supported", "geolocation"),
        *infos,
        ("Priority", "emergency" if isinstance(message, LiveMessage) else "non-urgent"),
        ("User-Agent", "Belltower"),
        ("Content-Type", f'multipart/mixed;boundary="{boundary}"'),
    )
    return Request(method="MESSAGE", uri=urn, headers=headers, body=multipart.encode(tuple(parts), boundary))


def bare(full: Request) -> Request:
    """The same with nothing but alert and location, for a server that could not find the alert among more."""
    kind, parameters = sip.parameters(sip.header(full, "Content-Type"))
    parts = multipart.decode(full.body, parameters["boundary"])[:2]
    boundary = _boundary(parts)
    first = sip.header(full, "Call-Info")
    headers = sip.replaced(
        full.headers, {"Call-Info": first, "Content-Type": f'{kind};boundary="{boundary}"'}
    )
    body = multipart.encode(parts, boundary)
    return Request(method=full.method, uri=full.uri, headers=headers, body=body)


@lru_cache(maxsize=8)
def school_blocks(campus: Campus, domain: str) -> tuple[Block, ...]:
    """What is the same of every call of a school: service, device, provider and subscriber."""
    name = writable(campus.name) or campus.id
    telephone = writable(campus.telephone)
    contact = f"tel:{telephone}" if telephone else f"sip:{campus.id}@{domain}"
    address = campus.address
    card = Card(
        name=name,
        organisation=name,
        street=writable(f"{address.number} {address.road}"),
        locality=writable(address.city),
        region=writable(address.state),
        code=writable(address.postcode),
        country=writable(address.country),
        telephones=(contact,) if telephone else (),
    )
    reference = f"{campus.id}@{domain}"
    return (
        ServiceInfo(
            reference=reference, environment="Business", types=("sensor, unattended",), mobility="Fixed"
        ),
        DeviceInfo(reference=reference, classification="alarm-monitored", manufacturer="Belltower"),
        ProviderInfo(
            reference=reference,
            provider=name,
            identifier=domain,
            series="domain",
            kind="Other",
            contact=contact,
            languages=("en",),
        ),
        SubscriberInfo(reference=reference, card=card),
    )


@lru_cache(maxsize=64)
def _built(block: Block) -> bytes:
    return additional_data.build(block)


def _boundary(parts: Sequence[Part]) -> str:
    """A boundary that tells of its parts: whoever knows that can see that none was altered on the way."""
    digest = sha256()
    for part in parts:
        digest.update(repr(part.headers).encode())
        digest.update(part.body)
        digest.update(len(part.body).to_bytes(8))
    return _OURS + digest.hexdigest()[:24]


def _lines(octets: bytes) -> bytes:
    """With CR LF at the end of every line, as everything in a SIP message."""
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _part(kind: str, name: str, frame_id: str, domain: str, body: bytes) -> Part:
    headers = (("Content-Type", kind), ("Content-ID", f"<{name}.{frame_id}@{domain}>"), _DISPOSITION)
    return Part(headers=headers, body=body)


# ---- reading


def carried(message: Request) -> Carried:
    """What a MESSAGE of RFC 8876 brought: the alert that Call-Info names, else the only one there is.

    Raises:
        BadAlert: there is no alert in it, or it cannot be read.
    """
    parts = parts_of(message)
    by_id = {part.content_id: part for part in parts if part.content_id}
    notes: list[str] = []
    named: list[Part] = []
    for where, value in references(message):
        if value not in by_id:
            notes.append(f"{where} names cid:{value[:80]}, which no part bears")
        elif where == "Call-Info":
            named.append(by_id[value])
    alerts = [part for part in named if part.media_type == CAP_TYPE.lower()]
    alerts = alerts or [part for part in parts if part.media_type == CAP_TYPE.lower()]
    if not alerts:
        raise BadAlert(101, "there is no part of type " + CAP_TYPE)
    try:
        alert = cap.parse(alerts[0].body)
    except Malformed as error:
        raise BadAlert(103, str(error)) from None
    locations: list[Location] = []
    blocks: list[Block] = []
    for part in parts:
        try:
            if part.media_type == pidf.MEDIA_TYPE:
                locations += pidf.parse(part.body)
            elif part.media_type in _BLOCKS:
                blocks.append(additional_data.parse(part.body))
        except Malformed as error:
            notes.append(str(error))
    return Carried(alert=alert, locations=tuple(locations), blocks=tuple(blocks), notes=tuple(notes))


def parts_of(message: Request) -> tuple[Part, ...]:
    """The parts of the body, or the body as the only part.

    Raises:
        BadAlert: there is no body, or its parts cannot be told apart.
    """
    if not message.body:
        raise BadAlert(101, "there is no body")
    kind, parameters = sip.parameters(sip.header(message, "Content-Type"))
    if not kind.lower().startswith("multipart/"):
        headers = tuple(pair for pair in message.headers if pair[0].startswith("Content-"))
        return (Part(headers=headers, body=message.body),)
    boundary = parameters.get("boundary", "")
    try:
        parts = multipart.decode(message.body, boundary)
    except Malformed as error:
        raise BadAlert(103, str(error)) from None
    if boundary.startswith(_OURS) and boundary != _boundary(parts):
        raise BadAlert(103, "the boundary does not fit the parts: something was altered on the way")
    return parts


def references(message: Request) -> list[tuple[str, str]]:
    """Every `cid:` in the headers: the header's name, and what it names."""
    found = []
    for name in ("Call-Info", "Geolocation"):
        for value in sip.values(message, name):
            uri = sip.bracketed(value)
            if uri[:4].lower() == "cid:":
                found.append((name, uri[4:]))
    return found


def error_code(value: str) -> int:
    """The code in an AlertMsg-Error or Geolocation-Error; 0 where there is none."""
    found = _ERROR.fullmatch(value)
    return int(found[1]) if found else 0


_BLOCKS = frozenset(additional_data.media_type(block).lower() for block in additional_data.BLOCKS)
