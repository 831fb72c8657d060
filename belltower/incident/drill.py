"""The drill token: proof that an exercise was agreed, checked by the alarm lane alone.

A token is `PAYLOAD.SIGNATURE.SIGNATURE`, each part base64url without padding: the payload is a JSON
`DrillAuthorisation`, the signatures are Ed25519 over a fixed prefix and the payload's own octets, by two different
authorisers in the order in which the payload names them. Whatever is missing, expired, for another campus, used before
or signed once only is no token, and without a token everything is live.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Container, Mapping

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from belltower.clock import SECOND, Instant
from belltower.errors import NotVerified
from belltower.ids import PlaceId
from belltower.incident.facts import Action

LONGEST = 8 * 3600 * SECOND
"""The longest window of a drill: a school day."""

MOST_PLACES = 100
"""How many places and buildings a token may name; more is the whole campus."""

_LONGEST_TOKEN = 8192
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PREFIX = b"belltower drill 1\n"


class DrillAuthorisation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What two people agreed to."""

    # Unique; a token opens one drill only.
    id: str
    campus: str
    # Where a press may be an exercise: ids of places, of buildings, or the campus's own for all of it.
    places: tuple[str, ...]
    # The only action that may be told in it; None: none, a walk-test for instance.
    action: Action | None
    begins: Instant
    until: Instant
    # Key ids of the two authorisers.
    authorisers: tuple[str, str]
    # The centre agreed to take exercise traffic in this window.
    psap_accepted: bool = False


def covers(places: Collection[str], *, campus: str, place: PlaceId | None, building: str) -> bool:
    """Whether a press here is inside these places. One whose place is not known is inside the whole campus only."""
    return (
        campus in places or (place is not None and place in places) or (building != "" and building in places)
    )


def payload_of(authorisation: DrillAuthorisation) -> bytes:
    """The octets that the authorisers sign."""
    return msgspec.json.encode(authorisation)


def signature(payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """One authoriser's signature."""
    return key.sign(_PREFIX + payload)


def join(payload: bytes, *signatures: bytes) -> str:
    """The text of a token, whole or with the first signature alone."""
    return ".".join(_text(part) for part in (payload, *signatures))


def sign(authorisation: DrillAuthorisation, keys: tuple[Ed25519PrivateKey, Ed25519PrivateKey]) -> str:
    """The token for `authorisation`, signed by the private keys of its two authorisers, in their order."""
    payload = payload_of(authorisation)
    return join(payload, *(signature(payload, key) for key in keys))


def read(token: str) -> tuple[DrillAuthorisation, bytes, list[bytes]]:
    """What stands in a token, its payload and its signatures, none of them checked. Raises NotVerified."""
    if len(token) > _LONGEST_TOKEN:
        raise NotVerified("the drill token is too long to be one")
    try:
        payload, *signatures = (_octets(part) for part in token.split("."))
        authorisation = msgspec.json.decode(payload, type=DrillAuthorisation)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise NotVerified("the drill token cannot be read") from error
    return authorisation, payload, signatures


def check(authoriser: str, signed: bytes, payload: bytes, keys: Mapping[str, Ed25519PublicKey]) -> None:
    """Raise NotVerified unless `signed` is this authoriser's signature."""
    key = keys.get(authoriser)
    if key is None:
        raise NotVerified(f"authoriser {authoriser!r} is not known on this campus")
    try:
        key.verify(signed, _PREFIX + payload)
    except InvalidSignature as error:
        raise NotVerified(f"the signature of {authoriser!r} is false") from error


def verify(
    token: str, *, keys: Mapping[str, Ed25519PublicKey], campus: str, now: Instant, used: Container[str]
) -> DrillAuthorisation:
    """The authorisation inside a valid token; raises NotVerified with the reason otherwise."""
    authorisation, payload, signatures = read(token)
    if len(signatures) != 2:
        raise NotVerified("a drill token has a payload and two signatures")
    first, second = authorisation.authorisers
    if first == second:
        raise NotVerified("a drill needs two different authorisers")
    for authoriser, signed in zip((first, second), signatures, strict=True):
        check(authoriser, signed, payload, keys)
    if keys[first].public_bytes_raw() == keys[second].public_bytes_raw():
        raise NotVerified("the two authorisers have one key between them")
    if authorisation.campus != campus:
        raise NotVerified("the drill token is for another campus")
    if not _ID.fullmatch(authorisation.id):
        raise NotVerified("the drill token's id is none")
    if not 1 <= len(authorisation.places) <= MOST_PLACES:
        raise NotVerified(f"a drill token names 1 to {MOST_PLACES} places")
    if authorisation.until - authorisation.begins > LONGEST:
        raise NotVerified(f"a drill's window is {LONGEST // (3600 * SECOND)} hours at most")
    if authorisation.id in used:
        raise NotVerified("the drill token was used before")
    if not authorisation.begins <= now < authorisation.until:
        raise NotVerified("the drill token's window is not open")
    return authorisation


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _octets(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
