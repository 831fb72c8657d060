"""Locations as PIDF-LO, in plain words."""

from __future__ import annotations

from belltower.clock import aware
from belltower.errors import Malformed
from gateway.psap import pidf
from gateway.psap.explain import Explanation
from gateway.psap.explain._building import Lines
from gateway.psap.explain._xml import add_elements, begins_with
from gateway.psap.pidf import Location

FORMAT = "PIDF-LO"

_ELEMENTS = {
    "country": "country", "A1": "state (A1)", "A2": "county (A2)", "A3": "city (A3)", "A4": "borough (A4)",
    "A5": "neighbourhood (A5)", "A6": "street group (A6)", "PRM": "street, part before (PRM)",
    "PRD": "street, direction before (PRD)", "RD": "street (RD)", "STS": "street, kind (STS)",
    "POD": "street, direction after (POD)", "POM": "street, part after (POM)", "HNO": "house number (HNO)",
    "HNS": "house number, suffix (HNS)", "LMK": "landmark (LMK)", "LOC": "place in words (LOC)",
    "FLR": "level (FLR)", "NAM": "name (NAM)", "PC": "postcode (PC)", "BLD": "building (BLD)",
    "UNIT": "unit (UNIT)", "ROOM": "room (ROOM)", "SEAT": "seat (SEAT)", "PLC": "kind of place (PLC)",
    "PCN": "postal community (PCN)", "pos": "latitude and longitude (pos)", "radius": "radius in metres",
    "retransmission-allowed": "whether it may be passed on", "retention-expiry": "to be forgotten after",
    "method": "how it was found", "deviceID": "the device", "timestamp": "when",
}  # fmt: skip


def likely(octets: bytes) -> int:
    """A presence document; surely one with a location."""
    if not begins_with(octets, b"presence"):
        return 0
    return 97 if b"geopriv" in octets else 60


def explain(octets: bytes) -> Explanation:
    """One document."""
    lines = Lines(octets)
    add_elements(lines, octets, _ELEMENTS)
    try:
        found = pidf.parse(octets)
    except Malformed as error:
        lines.fault(str(error))
        return Explanation(
            format=FORMAT,
            summary="A location that cannot be used.",
            lines=tuple(lines.found),
            faults=tuple(lines.faults),
        )
    return Explanation(
        format=FORMAT,
        summary="; ".join(said(location) for location in found[:4]),
        lines=tuple(lines.found),
        faults=tuple(lines.faults),
    )


def said(location: Location) -> str:
    """One location as people say it."""
    civic = dict(location.civic)
    inside = [civic[name] for name in ("LOC", "ROOM", "FLR", "BLD", "NAM") if name in civic]
    street = " ".join(civic[name] for name in ("HNO", "PRD", "RD", "STS") if name in civic)
    town = [civic[name] for name in ("A3", "A1", "PC", "country") if name in civic]
    parts = [", ".join([*inside, *([street] if street else []), *town])] if civic else []
    if location.point is not None:
        around = f", {location.radius:g} m around" if location.radius is not None else ""
        parts.append(f"at {location.point[0]:.6f}, {location.point[1]:.6f}{around}")
    if location.polygon:
        parts.append(f"within {len(location.polygon) - 1} corners")
    when = f" ({aware(location.at):%Y-%m-%d %H:%M:%S} UTC)" if location.at else ""
    return f"A location: {'; '.join(parts)}{when}."
