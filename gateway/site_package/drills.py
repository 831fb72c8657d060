"""Who may agree to a drill: `drills.toml` of the site package, and the files of their private keys.

    [[authoriser]]
    person = "p01"
    key = "base64 of the 32 octets of the Ed25519 public key"

A drill takes two of them. The private halves never lie in a package: each authoriser keeps a file of their own.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from msgspec import Struct

from belltower.errors import SettingsError
from belltower.ids import PersonId
from belltower.people import Person
from belltower.values import Reader
from gateway.site_package.checks import numbered, take_file

_OCTETS = 32
_LARGEST = 10_000


class _Authoriser(Struct, frozen=True, kw_only=True):
    person: PersonId
    key: str


class _Drills(Struct, frozen=True, kw_only=True):
    authoriser: tuple[_Authoriser, ...] = ()


def load_authorisers(reader: Reader, staff: Mapping[PersonId, Person] | None) -> dict[str, Ed25519PublicKey]:
    """The authorisers' public keys by person; faults go to the reader. `staff` None: who is there is not known."""
    drills = take_file(reader, _Drills)
    if drills is None:
        return {}
    keys: dict[str, Ed25519PublicKey] = {}
    holders: dict[bytes, PersonId] = {}
    for at, authoriser in numbered("authoriser", drills.authoriser):
        person = authoriser.person
        if staff is not None and person not in staff:
            reader.fault(f"{at}.person", f'people.toml has no person "{person}"')
        if person in keys:
            reader.fault(f"{at}.person", f'"{person}" is named twice; each authoriser has one key')
        octets = _octets(authoriser.key)
        if octets is None:
            reader.fault(f"{at}.key", "no Ed25519 public key; make one with: belltower drill key new")
            continue
        if (holder := holders.setdefault(octets, person)) != person:
            reader.fault(f"{at}.key", f'is the key of "{holder}" too; two people have two keys')
        keys[person] = Ed25519PublicKey.from_public_bytes(octets)
    if len(drills.authoriser) == 1:
        reader.fault("authoriser", "a drill takes two authorisers; name another one")
    return keys


def public_text(key: Ed25519PublicKey) -> str:
    """The key as `drills.toml` has it."""
    return base64.b64encode(key.public_bytes_raw()).decode()


def new_private_key(path: Path) -> Ed25519PrivateKey:
    """Make a key in a new file that nobody else may read. Raises SettingsError where there is a file already."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written ({error.strerror})") from error
    return key


def private_key(path: Path) -> Ed25519PrivateKey:
    """An authoriser's private key. `SettingsError` names the file, never what it holds."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        with path.open("rb") as file:
            pem = file.read(_LARGEST)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    if mode & 0o077:
        raise SettingsError(f"{path}: others may read it (mode {mode:04o}); mend it with chmod 600")
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{path}: no key of an authoriser; make one with: belltower drill key new")
    return key


def _octets(text: str) -> bytes | None:
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return octets if len(octets) == _OCTETS else None
