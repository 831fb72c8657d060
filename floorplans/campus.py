"""Where the campus is on earth: what responders and their systems need besides the doors."""

from __future__ import annotations

from msgspec import Struct


class Civic(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A street address. The comments name the element of a civic location, RFC 5139 section 3.1, as used in the US."""

    # country: two letters, ISO 3166.
    country: str = "US"
    # A1: "MN".
    state: str = ""
    # A2
    county: str = ""
    # A3
    city: str = ""
    # RD: "Elm Street".
    road: str = ""
    # HNO: "12".
    number: str = ""
    # PC
    postcode: str = ""


class Campus(Struct, frozen=True, kw_only=True):
    """The campus as documents for other systems name it."""

    id: str
    name: str
    address: Civic = Civic()
    # WGS 84 latitude and longitude.
    position: tuple[float, float] | None = None
    # The office's number, in E.164, for calling back; "" for none.
    telephone: str = ""
