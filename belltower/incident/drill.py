"""The drill token: proof that an exercise was agreed, checked by the alarm lane alone.

A token is `PAYLOAD.SIGNATURE.SIGNATURE`, each part base64url without padding: the payload is a JSON
`DrillAuthorisation`, the signatures are Ed25519 over the payload's own octets, by two different authorisers in the
order in which the payload names them. Whatever is missing, expired, for another campus, used before or signed once
only is no token, and without a token everything is live.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Container, Mapping

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from belltower.clock import Instant
from belltower.errors import NotVerified

_LONGEST_TOKEN = 4096


class DrillAuthorisation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What two people agreed to."""

    # Unique; a token opens one drill only.
    id: str
    campus: str
    # lockdown, fire, test ..
    kind: str
    begins: Instant
    until: Instant
    # Key ids of the two authorisers.
    authorisers: tuple[str, str]
    # The centre agreed to take exercise traffic in this window.
    psap_accepted: bool = False


def sign(authorisation: DrillAuthorisation, keys: tuple[Ed25519PrivateKey, Ed25519PrivateKey]) -> str:
    """The token for `authorisation`, signed by the private keys of its two authorisers, in their order."""
    payload = msgspec.json.encode(authorisation)
    return ".".join(_text(part) for part in (payload, *(key.sign(payload) for key in keys)))


def verify(
    token: str, *, keys: Mapping[str, Ed25519PublicKey], campus: str, now: Instant, used: Container[str]
) -> DrillAuthorisation:
    """The authorisation inside a valid token; raises NotVerified with the reason otherwise."""
    if len(token) > _LONGEST_TOKEN:
        raise NotVerified("the drill token is too long to be one")
    parts = token.split(".")
    if len(parts) != 3:
        raise NotVerified("a drill token has a payload and two signatures")
    try:
        payload, *signatures = (_octets(part) for part in parts)
        authorisation = msgspec.json.decode(payload, type=DrillAuthorisation)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise NotVerified("the drill token cannot be read") from error
    if len(set(authorisation.authorisers)) != len(authorisation.authorisers):
        raise NotVerified("a drill needs two different authorisers")
    for authoriser, signature in zip(authorisation.authorisers, signatures, strict=True):
        key = keys.get(authoriser)
        if key is None:
            raise NotVerified(f"authoriser {authoriser!r} is not known on this campus")
        try:
            key.verify(signature, payload)
        except InvalidSignature as error:
            raise NotVerified(f"the signature of {authoriser!r} is false") from error
    if authorisation.campus != campus:
        raise NotVerified("the drill token is for another campus")
    if authorisation.id in used:
        raise NotVerified("the drill token was used before")
    if not authorisation.begins <= now < authorisation.until:
        raise NotVerified("the drill token's window is not open")
    return authorisation


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _octets(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
