"""Where help is needed, as the next generation of PSAPs reads it: PIDF-LO (RFC 4119, 5139, 5491), pure.

`build` writes one location of one device: a civic address in the order of RFC 5139, and a point. `parse` reads what
others write, all locations of a document, and refuses what the schema of RFC 5139 or the rules of RFC 5491 refuse.
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from typing import Any

from msgspec import Struct

from belltower.clock import SECOND, Instant, aware
from belltower.errors import Malformed
from belltower.xml import parse_xml
from floorplans.campus import Campus
from gateway.psap.link import Spot
from gateway.psap.markup import escaped, local, namespace, schema, text, writable

MEDIA_TYPE = "application/pidf+xml"
SCHEMA = "civicAddr-rfc5139.xsd"

PIDF = "urn:ietf:params:xml:ns:pidf"
DM = "urn:ietf:params:xml:ns:pidf:data-model"
GP = "urn:ietf:params:xml:ns:pidf:geopriv10"
GBP = "urn:ietf:params:xml:ns:pidf:geopriv10:basicPolicy"
CA = "urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr"
GML = "http://www.opengis.net/gml"
GS = "http://www.opengis.net/pidflo/1.0"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\r\n'
    f'<presence xmlns="{PIDF}" xmlns:dm="{DM}" xmlns:gp="{GP}" xmlns:gbp="{GBP}" xmlns:gml="{GML}" '
    f'xmlns:gs="{GS}" xmlns:ca="{CA}">'
)

CIVIC = (
    "country", "A1", "A2", "A3", "A4", "A5", "A6", "PRM", "PRD", "RD", "STS", "POD", "POM", "RDSEC", "RDBR", "RDSUBBR",
    "HNO", "HNS", "LMK", "LOC", "FLR", "NAM", "PC", "BLD", "UNIT", "ROOM", "SEAT", "PLC", "PCN", "POBOX", "ADDCODE",
)  # fmt: skip
"""The elements of a civic address in the order in which they must stand."""

KEPT_FOR = 24 * 3600
"""Seconds for which whoever gets a location may keep it."""

_POINT = "urn:ogc:def:crs:EPSG::4326"
_METRE = "urn:ogc:def:uom:EPSG::9001"
_COUNTRY = re.compile(r"[A-Z]{2}")
_YES = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_ORDER = {name: number for number, name in enumerate(CIVIC)}
_MAX_POINTS = 1_000
_DIGITS = 7
"""Of a degree: a centimetre."""
_TEXTS = ("entity", "id", "device", "method")

Pair = tuple[float, float]


class Location(Struct, frozen=True, kw_only=True):
    """Where one device is. At least one of civic, point and polygon is there."""

    # Whose presence it is: "pres:school@school.example"; "" where it is not said.
    entity: str = ""
    # The device: its id in the document, and its URN.
    id: str = ""
    device: str = ""
    # Names and values of a civic address, in the order of `CIVIC`.
    civic: tuple[tuple[str, str], ...] = ()
    # WGS 84 latitude and longitude, and metres around it.
    point: Pair | None = None
    radius: float | None = None
    polygon: tuple[Pair, ...] = ()
    method: str = ""
    retransmission: bool = False
    # 0 where it is not said.
    at: Instant = Instant(0)
    kept_until: Instant = Instant(0)


def of(spot: Spot, campus: Campus, *, domain: str, at: Instant) -> Location:
    """The location of a spot on a campus; what cannot be written in its element is left out."""
    address = campus.address
    said = {
        "country": address.country if _COUNTRY.fullmatch(address.country) else "",
        "A1": address.state,
        "A2": address.county,
        "A3": address.city,
        "RD": address.road,
        "HNO": address.number,
        "LOC": spot.spoken,
        "FLR": spot.level,
        "NAM": campus.name,
        "PC": address.postcode,
        "BLD": spot.building_name or spot.building,
        "ROOM": spot.room,
        "PLC": "school",
    }
    civic = tuple((name, kept) for name in CIVIC if (kept := writable(said.get(name, ""), most=200)))
    name = re.sub(r"[^A-Za-z0-9.-]", "-", spot.place or campus.id)
    position = spot.position or campus.position
    return Location(
        entity=f"pres:{re.sub(r'[^A-Za-z0-9.-]', '-', campus.id)}@{domain}",
        id=f"device-{name}",
        device=f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{domain}/{campus.id}/{spot.place}')}",
        civic=civic,
        point=position if position is not None and _on_earth(position) else None,
        method="Manual",
        retransmission=True,
        at=at,
        kept_until=Instant(at + KEPT_FOR * SECOND),
    )


# ---- writing


def build(location: Location) -> bytes:
    """The document; `ValueError` for a location that would not be read back."""
    faults = check(location)
    if faults:
        raise ValueError("; ".join(faults))
    out = [f'{_HEAD}<dm:device id="{escaped(location.id)}"><gp:geopriv><gp:location-info>']
    if location.entity:
        out[0] = out[0].replace("<presence ", f'<presence entity="{escaped(location.entity)}" ', 1)
    if location.civic:
        out.append('<ca:civicAddress xml:lang="en-US">')
        out += [f"<ca:{name}>{escaped(value)}</ca:{name}>" for name, value in location.civic]
        out.append("</ca:civicAddress>")
    out.append(_shapes(location))
    allowed = "true" if location.retransmission else "false"
    out.append("</gp:location-info><gp:usage-rules>")
    out.append(f"<gbp:retransmission-allowed>{allowed}</gbp:retransmission-allowed>")
    if location.kept_until:
        out.append(f"<gbp:retention-expiry>{_written(location.kept_until)}</gbp:retention-expiry>")
    out.append("</gp:usage-rules>")
    if location.method:
        out.append(f"<gp:method>{escaped(location.method)}</gp:method>")
    out.append("</gp:geopriv>")
    if location.device:
        out.append(f"<dm:deviceID>{escaped(location.device)}</dm:deviceID>")
    if location.at:
        out.append(f"<dm:timestamp>{_written(location.at)}</dm:timestamp>")
    out.append("</dm:device></presence>\r\n")
    return "".join(out).encode()


def check(location: Location) -> tuple[str, ...]:
    """What is wrong with a location, in words; none: it may be written."""
    faults = []
    places = [_ORDER.get(name, -1) for name, _ in location.civic]
    if -1 in places:
        unknown = location.civic[places.index(-1)][0]
        faults.append(f"{unknown[:40]!r} is no element of a civic address")
    elif places != sorted(set(places)):
        faults.append(f"civic elements stand in the order {', '.join(CIVIC)}, each once")
    for name, value in (*location.civic, *((name, getattr(location, name)) for name in _TEXTS)):
        if value != writable(value) or (not value and name not in _TEXTS):
            faults.append(f"{name} is empty or holds what XML cannot")
        if name == "country" and not _COUNTRY.fullmatch(value):
            faults.append(f"country is two capital letters of ISO 3166, not {value[:40]!r}")
    shape = (*((location.point,) if location.point else ()), *location.polygon)
    faults += [f"{pair} is no latitude and longitude" for pair in shape if not _on_earth(pair)]
    if location.radius is not None and not (location.point and 0 < location.radius < 1e7):
        faults.append("a radius is more than 0 metres around a point")
    if location.polygon and (len(location.polygon) < 4 or location.polygon[0] != location.polygon[-1]):
        faults.append("a polygon has at least four points, the last being the first")
    if location.point is None and not location.civic and not location.polygon:
        faults.append("there is neither a civic address nor a shape")
    return tuple(faults)


def _shapes(location: Location) -> str:
    found = ""
    if location.point is not None and location.radius is None:
        found = f'<gml:Point srsName="{_POINT}"><gml:pos>{_pair(location.point)}</gml:pos></gml:Point>'
    elif location.point is not None:
        found = (
            f'<gs:Circle srsName="{_POINT}"><gml:pos>{_pair(location.point)}</gml:pos>'
            f'<gs:radius uom="{_METRE}">{location.radius:.7f}</gs:radius></gs:Circle>'
        )
    if location.polygon:
        ring = "".join([f"<gml:pos>{_pair(pair)}</gml:pos>" for pair in location.polygon])
        found += (
            f'<gml:Polygon srsName="{_POINT}"><gml:exterior><gml:LinearRing>{ring}</gml:LinearRing>'
            "</gml:exterior></gml:Polygon>"
        )
    return found


# ---- reading


def parse(octets: bytes) -> tuple[Location, ...]:
    """Every location of a document, in its order.

    Raises:
        Malformed: it is no PIDF-LO: the schema or a rule refuses it, or there is no location in it.
    """
    root = parse_xml(octets)
    if root.tag != f"{{{PIDF}}}presence":
        raise _malformed(root, f"expected presence in namespace {PIDF}")
    found = []
    for holder in root:
        geoprivs = [each for each in holder.iter() if local(each) == "geopriv"]
        found += [_location(root, holder, geopriv) for geopriv in geoprivs]
    if not found:
        raise Malformed("PIDF-LO: there is no geopriv, so no location")
    return tuple(found)


def _location(root: Any, holder: Any, geopriv: Any) -> Location:
    if namespace(geopriv) != GP:
        raise _malformed(geopriv, f"expected geopriv in namespace {GP}")
    info = geopriv.find(f"{{{GP}}}location-info")
    rules = geopriv.find(f"{{{GP}}}usage-rules")
    if info is None or rules is None:
        raise _malformed(geopriv, "expected location-info and usage-rules")
    civic: tuple[tuple[str, str], ...] = ()
    shapes: dict[str, Any] = {}
    for each in info:
        if local(each) == "civicAddress":
            civic = _civic(each)
        elif local(each) in ("Point", "Circle", "Polygon"):
            shapes |= _shape(each)
    if not civic and not shapes:
        raise _malformed(info, "there is neither a civic address nor a shape that is understood")
    allowed, expiry = (
        rules.find(f"{{{GBP}}}{name}") for name in ("retransmission-allowed", "retention-expiry")
    )
    if allowed is not None and text(allowed).lower() not in _YES:
        raise _malformed(allowed, "expected true or false")
    method, stamp = geopriv.find(f"{{{GP}}}method"), holder.find(f"{{{namespace(holder)}}}timestamp")
    device = holder.find(f"{{{DM}}}deviceID")
    location = Location(
        entity=" ".join(str(root.get("entity", "")).split()),
        id=" ".join(str(holder.get("id", "")).split()),
        device="" if device is None else text(device),
        civic=civic,
        method="" if method is None else text(method),
        retransmission=allowed is not None and _YES[text(allowed).lower()],
        at=_instant(stamp),
        kept_until=_instant(expiry),
        **shapes,
    )
    if faults := check(location):
        raise _malformed(info, faults[0])
    return location


def _civic(element: Any) -> tuple[tuple[str, str], ...]:
    if namespace(element) != CA:
        raise _malformed(element, f"expected civicAddress in namespace {CA}")
    rules = schema(SCHEMA)
    if not rules.validate(element):
        raise Malformed(f"PIDF-LO: line {rules.error_log[0].line}: {rules.error_log[0].message[:300]}")
    known = ((local(each), text(each)) for each in element if namespace(each) == CA)
    return tuple((name, value) for name, value in known if value)


def _shape(element: Any) -> dict[str, Any]:
    wanted = GS if local(element) == "Circle" else GML
    if namespace(element) != wanted:
        raise _malformed(element, f"expected {local(element)} in namespace {wanted}")
    if element.get("srsName") != _POINT:
        raise _malformed(element, f"expected srsName {_POINT}")
    pairs = [_position(each) for each in element.iter(f"{{{GML}}}pos")]
    if local(element) == "Polygon":
        if len(pairs) > _MAX_POINTS:
            raise _malformed(element, f"more than {_MAX_POINTS} points")
        return {"polygon": tuple(pairs)}
    if len(pairs) != 1:
        raise _malformed(element, "expected one pos")
    if local(element) == "Point":
        return {"point": pairs[0]}
    radius = element.find(f"{{{GS}}}radius")
    if radius is None or radius.get("uom") != _METRE:
        raise _malformed(element, f"expected a radius with uom {_METRE}")
    return {"point": pairs[0], "radius": _number(radius, text(radius))}


def _position(element: Any) -> Pair:
    parts = text(element).split(" ")
    if len(parts) != 2:
        raise _malformed(element, "expected latitude and longitude")
    return _number(element, parts[0]), _number(element, parts[1])


def _number(element: Any, said: str) -> float:
    if not re.fullmatch(r"[+-]?[0-9]{1,9}(\.[0-9]{0,20})?", said):
        raise _malformed(element, f"expected a number, found {said[:40]!r}")
    return round(float(said), _DIGITS)


def _instant(element: Any) -> Instant:
    if element is None or not text(element):
        return Instant(0)
    try:
        moment = datetime.fromisoformat(text(element))
        if moment.tzinfo is None:
            raise _malformed(element, "expected a time with its offset")
        if moment.timestamp() < 0:
            raise _malformed(element, "expected a time after 1970")
        return Instant(int(moment.timestamp()) * SECOND)
    except (ValueError, OverflowError):
        raise _malformed(element, f"expected a time, found {text(element)[:40]!r}") from None


def _malformed(element: Any, says: str) -> Malformed:
    return Malformed(f"PIDF-LO: line {element.sourceline}, {local(element)}: {says}")


def _on_earth(pair: Pair) -> bool:
    return -90 <= pair[0] <= 90 and -180 <= pair[1] <= 180


def _pair(pair: Pair) -> str:
    return f"{pair[0]:.7f} {pair[1]:.7f}"


def _written(at: Instant) -> str:
    return aware(at).strftime("%Y-%m-%dT%H:%M:%SZ")
