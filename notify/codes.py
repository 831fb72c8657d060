"""The code of a channel test follows from the id of its delivery, under the vault's keys: it stands in no row. Pure."""

from __future__ import annotations

from belltower.people.vault import Vault

_HIDDEN = "\ue000"
"""Stands for the code in a text that is kept; no text of ours has this sign."""

_SHOWN_AS = "····"
_DIGITS = 4


def code_of(vault: Vault, delivery: str) -> str:
    """The digits that only who has read the message can give back."""
    number = int.from_bytes(vault.mark("test.code", delivery)) % 10**_DIGITS
    return f"{number:0{_DIGITS}}"


def hidden(text: str, code: str) -> str:
    """The text as it is kept."""
    return text.replace(code, _HIDDEN)


def filled(text: str, vault: Vault, delivery: str) -> str:
    """The kept text as it is sent."""
    return text.replace(_HIDDEN, code_of(vault, delivery)) if _HIDDEN in text else text


def masked(text: str) -> str:
    """The kept text as people see it who have not read the message."""
    return text.replace(_HIDDEN, _SHOWN_AS)
