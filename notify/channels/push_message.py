"""A push message for one browser: RFC 8291 (encryption), RFC 8188 (its framing), RFC 8292 (who sends it). Pure."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from belltower.errors import Malformed

MOST_OCTETS = 3_993
"""The longest text that every push service takes (RFC 8291, 4)."""

_RECORD = 4_096


class _Keys(Struct):
    p256dh: str
    auth: str


class _Written(Struct):
    endpoint: str
    keys: _Keys


_written = msgspec.json.Decoder(_Written)


class Subscription(Struct, frozen=True, kw_only=True):
    """A browser that asked to be told."""

    endpoint: str
    # Its public key, uncompressed, and the secret that it shares with us.
    key: bytes
    auth: bytes


def subscription(text: str) -> Subscription:
    """The subscription that a browser gave out as JSON.

    Raises:
        Malformed: it is none.
    """
    try:
        written = _written.decode(text)
        key, auth = octets(written.keys.p256dh), octets(written.keys.auth)
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key)
    except (ValueError, msgspec.DecodeError):
        raise Malformed("keys: this is no subscription of a browser") from None
    if len(key) != 65 or len(auth) != 16:
        raise Malformed("keys: p256dh has 65 octets and auth has 16")
    return Subscription(endpoint=written.endpoint, key=key, auth=auth)


def sealed(text: bytes, to: Subscription, *, key: EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """`text` as only that browser can read it; `key` and `salt` are fresh for each message."""
    browser = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), to.key)
    ours = public(key)
    secret = _mac(_mac(to.auth, key.exchange(ECDH(), browser)), b"WebPush: info\0" + to.key + ours + b"\1")
    root = _mac(salt, secret)
    cipher = AESGCM(_mac(root, b"Content-Encoding: aes128gcm\0\1")[:16])
    nonce = _mac(root, b"Content-Encoding: nonce\0\1")[:12]
    head = salt + _RECORD.to_bytes(4, "big") + bytes([len(ours)]) + ours
    return head + cipher.encrypt(nonce, text + b"\2", None)


def vapid(origin: str, *, key: EllipticCurvePrivateKey, contact: str, until: int) -> str:
    """The Authorization field that says who sends to the push service at `origin`; good until that second."""
    claims = {"aud": origin, "exp": until, "sub": contact}
    token = f"{_json({'typ': 'JWT', 'alg': 'ES256'})}.{_json(claims)}"
    r, s = decode_dss_signature(key.sign(token.encode(), ECDSA(SHA256())))
    signature = base64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return f"vapid t={token}.{signature}, k={base64(public(key))}"


def public(key: EllipticCurvePrivateKey) -> bytes:
    """The public key, uncompressed."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def base64(data: bytes) -> str:
    """As the web writes octets: base64url without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def octets(text: str) -> bytes:
    """What `base64` wrote. Raises ValueError."""
    return urlsafe_b64decode(text.encode("ascii").rstrip(b"=") + b"=" * (-len(text.rstrip("=")) % 4))


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _json(value: Mapping[str, object]) -> str:
    return base64(msgspec.json.encode(value))
