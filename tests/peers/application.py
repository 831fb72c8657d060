"""An application at the second carrier: its id, its key, its secret."""

from functools import cache

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from belltower.values import Secret
from gateway.carrier.records import APPLICATION, TOKEN


@cache
def keys() -> tuple[str, str]:
    """The private and the public PEM."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def application(**changes: object) -> dict[str, object]:
    """What the settings of both its channels have in common."""
    given = {
        "application": APPLICATION,
        "private_key": Secret(keys()[0]),
        "signature_secret": Secret(TOKEN),
        "from_": "+15550120",
        "timeout": 2.0,
    }
    return {**given, **changes}
