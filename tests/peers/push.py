"""A push service and a browser behind it: it checks who sends, and reads what only the browser can."""

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from notify.channels.push_message import octets

AUTH = bytes(range(16))


class Browser(NamedTuple):
    """Its key, and what it was shown, each with the fields of the request."""

    key: EllipticCurvePrivateKey
    shown: list[tuple[dict, dict]]

    def address(self, endpoint: str) -> str:
        """The subscription, as it gives it out."""
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": _written(point), "auth": _written(AUTH)}
        return json.dumps({"endpoint": endpoint, "expirationTime": None, "keys": keys})


def browser() -> Browser:
    return Browser(key=generate_private_key(SECP256R1()), shown=[])


def sender_key() -> str:
    """The PEM of a key that says who sends."""
    key = generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def opened(body: bytes, key: EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """RFC 8291 from the other side, by the library's HKDF."""
    salt, length = body[:16], body[20]
    sender, record = body[21 : 21 + length], body[21 + length :]
    ours = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    secret = key.exchange(ECDH(), EllipticCurvePublicKey.from_encoded_point(SECP256R1(), sender))

    def derived(salt: bytes, info: bytes, length: int, root: bytes) -> bytes:
        return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(root)

    root = derived(auth, b"WebPush: info\0" + ours + sender, 32, secret)
    cipher = AESGCM(derived(salt, b"Content-Encoding: aes128gcm\0", 16, root))
    text = cipher.decrypt(derived(salt, b"Content-Encoding: nonce\0", 12, root), record, None)
    assert text.endswith(b"\2")
    return text[:-1]


@asynccontextmanager
async def push_service(to: Browser, *, status: int = 201, **fields: str) -> AsyncIterator[str]:
    """The service; yields the browser's endpoint there."""

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        if status != 201:
            return web.Response(status=status, headers=fields)
        _check(request)
        to.shown.append((json.loads(opened(body, to.key, AUTH)), dict(request.headers)))
        return web.Response(status=201, headers={"Location": "/message/1"})

    application = web.Application()
    application.add_routes([web.post("/push/{browser}", take)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/push/b1"
    finally:
        await runner.cleanup()


def _check(request: web.Request) -> None:
    """RFC 8292, 2: signed by the key it names, for this origin, not for ever."""
    token, point = re.fullmatch(r"vapid t=([^,]+), k=([\w-]+)", request.headers["Authorization"]).groups()
    head, claims, signature = token.split(".")
    raw = octets(signature)
    key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), octets(point))
    signed = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(signed, f"{head}.{claims}".encode(), ECDSA(SHA256()))
    said = json.loads(octets(claims))
    assert {"typ": "JWT", "alg": "ES256"} == json.loads(octets(head))
    assert f"http://{request.host}" == said["aud"]
    assert said["sub"].startswith("mailto:")
    assert request.headers["Content-Encoding"] == "aes128gcm"


def _written(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
