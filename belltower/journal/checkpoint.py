"""Checkpoints: now and then the head of the chain is signed, in the table and in a text file beside it.

The signed text, after the fashion of transparency logs: three lines (origin `belltower/STREAM`, the position, the
hash in base64) and one with the time in microseconds, each ended by a newline. In the file a checkpoint is that text,
an empty line, and `— belltower/STREAM SIGNATURE` (Ed25519, base64), so that a copy of the file kept elsewhere shows
later rewriting.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import mkstemp

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from belltower.clock import Clock
from belltower.errors import SettingsError
from belltower.ids import StreamName
from belltower.store import DiskFailed, Params

EVERY_ENTRIES = 1_000
EVERY_SECONDS = 60.0


class Signer:
    """Signs heads with one lane's key; `notes` is the text file, if there is to be one."""

    def __init__(self, *, key: Ed25519PrivateKey, clock: Clock, notes: Path | None = None) -> None:
        self._key = key
        self._clock = clock
        self._notes = notes

    def sign(self, stream: StreamName, position: int, digest: bytes) -> tuple[Params, Callable[[], None]]:
        """The row of a checkpoint, and the (blocking) work of writing it to the file."""
        at = self._clock.now()
        text = note(stream=stream, position=position, digest=digest, at=at)
        signature = self._key.sign(text)
        row: Params = {
            "stream": stream,
            "position": position,
            "hash": digest,
            "at": at,
            "signature": signature,
        }
        return row, partial(self._write, stream, text, signature)

    def _write(self, stream: StreamName, text: bytes, signature: bytes) -> None:
        if self._notes is not None:
            try:
                append_note(self._notes, stream=stream, text=text, signature=signature)
            except OSError as error:
                raise DiskFailed(f"{self._notes}: {error.strerror}") from error


def checkpoint_key(path: Path) -> Ed25519PrivateKey:
    """The signing key: read from `path`, or made there (mode 0600), its public half beside it as `.pub`.

    Several processes may ask at once; all get the same key.
    """
    try:
        if not path.exists():
            made = Ed25519PrivateKey.generate()
            _create(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
        key = load_pem_private_key(path.read_bytes(), password=None)
        public = path.with_name(path.name + ".pub")
        if not public.exists():
            pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            _create(public, pem, 0o644)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: the checkpoint key cannot be read: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{path}: the checkpoint key must be an Ed25519 key")
    return key


def checkpoint_public_key(path: Path) -> Ed25519PublicKey:
    """The public half, from the private key's file or from its `.pub`."""
    try:
        data = path.read_bytes()
        key = (
            load_pem_public_key(data) if b"PUBLIC" in data else load_pem_private_key(data, None).public_key()
        )
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: the checkpoint key cannot be read: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"{path}: the checkpoint key must be an Ed25519 key")
    return key


def note(*, stream: str, position: int, digest: bytes, at: int) -> bytes:
    """The text that is signed."""
    return f"belltower/{stream}\n{position}\n{b64encode(digest).decode()}\n{at}\n".encode()


def signed(key: Ed25519PublicKey, signature: bytes, text: bytes) -> bool:
    """Whether `signature` is the key's for `text`."""
    try:
        key.verify(signature, text)
    except InvalidSignature:
        return False
    return True


def append_note(path: Path, *, stream: str, text: bytes, signature: bytes) -> None:
    """Add a signed checkpoint to the file, synced."""
    line = f"\n— belltower/{stream} {b64encode(signature).decode()}\n\n".encode()
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
    try:
        os.write(file, text + line)
        os.fdatasync(file)
    finally:
        os.close(file)


def _create(path: Path, data: bytes, mode: int) -> None:
    """Put a whole file at `path`, unless somebody else was first."""
    file, fresh = mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        os.fchmod(file, mode)
        os.write(file, data)
        os.fsync(file)
        with suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        os.close(file)
        Path(fresh).unlink()
