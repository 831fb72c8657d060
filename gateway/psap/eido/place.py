"""A place by value: a PIDF-LO as one string, as EIDO wants it."""

from __future__ import annotations

import re
from functools import lru_cache
from xml.sax.saxutils import escape

from belltower.clock import SECOND, Instant, aware
from floorplans.campus import Campus
from gateway.psap.link import Spot

_DAY = 86_400 * SECOND
_STAMP = "2001-01-01T00:00:00Z"
_EXPIRY = "2001-01-02T00:00:00Z"
_UNFIT = re.compile(r"[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def location_by_value(campus: Campus, spot: Spot, at: Instant) -> str:
    """The spot on its campus."""
    return (
        _template(campus, spot)
        .replace(_STAMP, _second(at), 1)
        .replace(_EXPIRY, _second(Instant(at + _DAY)), 1)
    )


def _second(at: Instant) -> str:
    return aware(at).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


@lru_cache(maxsize=4096)
def _template(campus: Campus, spot: Spot) -> str:
    address = campus.address
    civic = "".join(
        f"<ca:{name}>{escape(_UNFIT.sub('?', value))}</ca:{name}>"
        for name, value in (
            ("country", address.country),
            ("A1", address.state),
            ("A2", address.county),
            ("A3", address.city),
            ("RD", address.road),
            ("HNO", address.number),
            ("LOC", spot.spoken),
            ("FLR", spot.level),
            ("NAM", campus.name),
            ("PC", address.postcode),
            ("BLD", spot.building),
            ("ROOM", spot.room),
            ("PLC", "school"),
        )
        if value
    )
    position = spot.position or campus.position
    point = (
        f'<gml:Point srsName="urn:ogc:def:crs:EPSG::4326"><gml:pos>{position[0]} {position[1]}</gml:pos></gml:Point>'
        if position is not None
        else ""
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
        ' xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10"'
        ' xmlns:gbp="urn:ietf:params:xml:ns:pidf:geopriv10:basicPolicy" xmlns:gml="http://www.opengis.net/gml"'
        ' xmlns:ca="urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr" entity="pres:alarm@invalid">'
        f'<dm:device id="alarm"><gp:geopriv><gp:location-info><ca:civicAddress xml:lang="en-US">{civic}'
        f"</ca:civicAddress>{point}</gp:location-info><gp:usage-rules>"
        "<gbp:retransmission-allowed>yes</gbp:retransmission-allowed>"
        f"<gbp:retention-expiry>{_EXPIRY}</gbp:retention-expiry></gp:usage-rules><gp:method>Manual</gp:method>"
        f"</gp:geopriv><dm:deviceID>urn:x-belltower:alarm</dm:deviceID><dm:timestamp>{_STAMP}</dm:timestamp>"
        "</dm:device></presence>"
    )
