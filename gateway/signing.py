"""The key that signs a lane's journal, or the decision to go on without it."""

from __future__ import annotations

from pathlib import Path

from belltower import log
from belltower.clock import Clock
from belltower.errors import SettingsError
from belltower.journal import Signer, checkpoint_key

_log = log.get("signing")


def open_signer(key: Path, *, clock: Clock, notes: Path) -> tuple[Signer | None, str]:
    """The signer with this key, and what is wrong when there is none: a lane then keeps its journal unsigned.

    The chain of hashes stands without signatures; a lane that would not start for want of one would take no press.
    """
    try:
        return Signer(key=checkpoint_key(key), clock=clock, notes=notes), ""
    except SettingsError as error:
        _log.error("unsigned", error=str(error))
        return None, f"the journal is not signed: {error}"
