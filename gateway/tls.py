"""Certificates, read when a wire is opened: what is mended or renewed on the disk is taken at the next opening."""

from __future__ import annotations

import ssl
from pathlib import Path

from belltower.errors import Unreachable


def server_context(certificate: Path, private_key: Path) -> ssl.SSLContext:
    """Who we are to those who connect to us. `Unreachable` names the files that cannot be used, and why."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, certificate, private_key)
    return context


def client_context(
    *, ca: Path | None = None, certificate: Path | None = None, private_key: Path | None = None
) -> ssl.SSLContext:
    """Whom we trust, by default whom this machine trusts, and who we are. `Unreachable` as above."""
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise Unreachable(f"the authorities in {ca} cannot be used: {_why(error)}") from error
    if certificate is not None and private_key is not None:
        _load(context, certificate, private_key)
    return context


def _load(context: ssl.SSLContext, certificate: Path, private_key: Path) -> None:
    try:
        context.load_cert_chain(certificate, private_key, password=_no_password)
    except (OSError, ValueError) as error:
        raise Unreachable(f"{certificate} with {private_key} cannot be used: {_why(error)}") from error


def _no_password() -> str:
    # Left to itself the library would ask at the terminal, and wait.
    raise ValueError("the private key is locked with a password")


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
