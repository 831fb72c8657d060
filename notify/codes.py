"""The code of a channel test follows from the id of its delivery, under the vault's keys: it stands in no row. Pure."""

from __future__ import annotations

from belltower.people.person import ContactKind
from belltower.people.vault import Vault

_WRITTEN, _SPOKEN = "\ue000", "\ue001"
"""Stand for the code in a text that is kept; no text of ours has these signs."""

_SHOWN_AS = "····"
_DIGITS = 4


def code_of(vault: Vault, delivery: str) -> str:
    """The digits that only who has read the message can give back."""
    number = int.from_bytes(vault.name("test.code", delivery)) % 10**_DIGITS
    return f"{number:0{_DIGITS}}"


def sign_of(kind: ContactKind) -> str:
    """What stands for the code in a text that is kept; a voice reads it figure by figure."""
    return _SPOKEN if kind is ContactKind.VOICE else _WRITTEN


def filled(text: str, vault: Vault, delivery: str) -> str:
    """The kept text as it is sent."""
    return _with(text, code_of(vault, delivery)) if _WRITTEN in text or _SPOKEN in text else text


def masked(text: str) -> str:
    """The kept text as people see it who have not read the message."""
    return _with(text, _SHOWN_AS)


def sized(text: str) -> str:
    """The kept text with some code: as long as it is sent, and in the same alphabet."""
    return _with(text, "0" * _DIGITS)


def _with(text: str, code: str) -> str:
    return text.replace(_WRITTEN, code).replace(_SPOKEN, " ".join(code))
