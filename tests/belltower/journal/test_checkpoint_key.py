"""Two lanes start at the same moment over one state folder."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from belltower.journal import checkpoint_key
from belltower.journal.checkpoint import checkpoint_public_key


def raw(key) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def test_everybody_who_asks_at_once_gets_the_same_key(tmp_path: Path) -> None:
    """Whoever comes second takes the first one's key, and nothing else is left in the folder."""
    path = tmp_path / "signing.key"
    with ThreadPoolExecutor(8) as pool:
        keys = {raw(key.public_key()) for key in pool.map(checkpoint_key, [path] * 8)}

    assert 1 == len(keys)
    assert {"signing.key", "signing.key.pub"} == {file.name for file in tmp_path.iterdir()}
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert keys == {raw(checkpoint_public_key(path.with_name("signing.key.pub")))}
